package cli

import (
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/normsync/normsync/internal/invisible"
)

// plain returns a text of users so that a terminal shows it literally: control
// characters, invisible ones and those that override the direction of writing are
// written as in a Go string.
func plain(s string) string {
	if strings.IndexFunc(s, unsafe) < 0 && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[i]), 16))
		case unsafe(r):
			escaped := strconv.QuoteRuneToASCII(r)
			b.WriteString(escaped[1 : len(escaped)-1])
		default:
			b.WriteRune(r)
		}
		i += size
	}
	return b.String()
}

func unsafe(r rune) bool {
	return !unicode.IsPrint(r) || invisible.Is(r) || invisible.Override(r)
}

// quote returns a text of users as a Go string.
func quote(s string) string { return invisible.Quote(s) }

// countOf returns the sentence that says how many violations were found.
func countOf(violations int) string {
	return "Found " + strconv.Itoa(violations) + " violation(s)!"
}

// plural returns a number with a noun, in its plural unless the number is 1.
func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}

func writeLine(w io.Writer, line string) error {
	_, err := io.WriteString(w, line+"\n")
	return err
}

// showTime returns a time as reports show it, or an empty text for the zero time.
func showTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
