package mcpserver

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/internal/invisible"
)

// maxShown limits how much of a name a text shows, in characters.
const maxShown = 300

// quote returns a name in single quotes, on one line. Names come from agents and
// authors, and an assistant reads the text: so a name must neither end its quotes
// nor hide anything. Quotes, control characters and everything invisible are
// escaped as in a Go string. A long name is cut.
func quote(s string) string { return "'" + escape(s) + "'" }

// escape is quote without the quotes.
func escape(s string) string { return visible(s, true) }

// prose is for a text of an author, such as a description: it is like escape, and
// leaves apostrophes as they are.
func prose(s string) string { return visible(s, false) }

func visible(s string, quoted bool) string {
	var b strings.Builder
	shown := 0
	for i, r := range s {
		if shown == maxShown {
			fmt.Fprintf(&b, "… (%d bytes)", len(s))
			break
		}
		shown++
		switch {
		case quoted && r == '\'' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == unicode.ReplacementChar && !strings.HasPrefix(s[i:], string(r)):
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[i]), 16)) // not UTF-8
		case !unicode.IsPrint(r) || invisible.Is(r) || invisible.Override(r):
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// quoteAll quotes names, separated by commas.
func quoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, s := range names {
		quoted[i] = quote(s)
	}
	return strings.Join(quoted, ", ")
}

// sentence returns the sentence of a violation, with its names escaped.
func sentence(v normsync.Violation) string {
	v.NormName = escape(v.NormName)
	v.Action.Agent, v.Action.Verb = escape(v.Action.Agent), escape(v.Action.Verb)
	v.Action.Location, v.Action.Target = escape(v.Action.Location), escape(v.Action.Target)
	if v.Shadow {
		return v.String() + " (a dry run, which denies nothing)"
	}
	return v.String()
}
