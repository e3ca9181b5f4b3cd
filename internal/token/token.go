// Package token splits text into tokens, compares tokens without regard to
// case, and hashes them.
//
// A token is a run of characters that are not white space (unicode.IsSpace).
// Two tokens are equal if strings.EqualFold says so. Equal tokens have equal
// hashes. Unequal tokens share a hash only by accident, because the hash is
// keyed by a secret of the process. Invalid UTF-8 bytes count as U+FFFD.
//
// Invisible characters (invisible.Ignorable) do not count: Hashes and Prefixes
// skip them, and functions that compare texts expect texts without them, which
// Visible returns. The agent's name is the exception: invisible characters count
// in it, and only the case of ASCII letters is ignored, so that no name can pass
// for another.
package token

import (
	"iter"
	"math/bits"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/normsync/normsync/internal/invisible"
)

// Visible returns s without invisible characters. If s has some, Visible allocates,
// and also replaces invalid bytes by U+FFFD, so that they cannot join to a character.
func Visible(s string) string {
	if isASCII(s) {
		return s
	}
	return visible(s)
}

func isASCII(s string) bool {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		if load8(s[i:i+8])&highs != 0 {
			return false
		}
	}
	for ; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func visible(s string) string {
	if strings.IndexFunc(s, invisible.Ignorable) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if !invisible.Ignorable(r) {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Valid returns s with each invalid byte replaced by U+FFFD. It allocates only if s
// has some.
func Valid(s string) string {
	if isASCII(s) || utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}

// All yields the tokens of s as they are written.
func All(s string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for tok, rest := Next(s); tok != "" && yield(tok); tok, rest = Next(rest) {
		}
	}
}

// Next returns the first token of s as it is written, and the text after it.
// The token is empty if s has none.
func Next(s string) (tok, rest string) {
	start, end, _ := cut(s, 0)
	return s[start:end], s[end:]
}

// cut returns the bounds of the first token of s[i:], and what startOf returns for it.
// The bounds are equal if there is no token. Hashes, AllHashes and Set.AddText have loops
// of their own for speed; everything else that splits text into tokens uses cut.
func cut(s string, i int) (start, end int, first uint64) {
	for i < len(s) && isASCIISpace(s[i]) {
		i++
	}
	if start = i; start == len(s) {
		return start, start, 0
	}
	for i < len(s) {
		var w uint64 // load(s, i), inlined by hand as in Hashes
		switch left := len(s) - i; {
		case left >= 8:
			w = load8(s[i : i+8])
		case len(s) >= 8:
			w = load8(s[len(s)-8:]) >> 8 >> (56 - 8*left&63)
		case left >= 4:
			w = load4(s[i:]) | load4(s[len(s)-4:])<<(8*left-32&63)
		default:
			w = loadFew(s[i:])
		}
		stop := stops(w) // the zeros behind s stop, too
		if stop == 0 {
			if i == start {
				first = lower(w)
			}
			i += 8
			continue
		}
		k := bits.TrailingZeros64(stop) & 0x38
		i += k >> 3
		if i < len(s) && !isASCIISpace(s[i]) {
			return cutRunes(s, start)
		}
		if i-start < 8 {
			first = lower(w & (1<<k - 1))
		}
		return start, i, first
	}
	return start, len(s), first
}

// cutRunes is cut for a token with control characters or beyond ASCII. A token of
// ASCII letters with control characters counts as one beyond ASCII.
func cutRunes(s string, i int) (start, end int, first uint64) {
	start = -1
	for k, r := range s[i:] {
		switch {
		case start < 0 && !isSpace(r):
			start = i + k
		case start >= 0 && isSpace(r):
			return start, i + k, notASCII
		}
	}
	if start < 0 {
		return len(s), len(s), 0
	}
	return start, len(s), notASCII
}

func isASCIISpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

func isSpace(r rune) bool {
	if r < utf8.RuneSelf {
		return isASCIISpace(byte(r))
	}
	return unicode.IsSpace(r)
}

// Equal reports whether two tokens are equal. Most unequal tokens differ in
// their first or last letter, so Equal compares these first.
func Equal(a, b string) bool {
	if a == b {
		return true
	}
	if a == "" || b == "" || differ(a[0], b[0]) || differ(a[len(a)-1], b[len(b)-1]) {
		return false
	}
	return strings.EqualFold(a, b)
}

// differ reports whether two bytes are ASCII characters that are unequal even
// if case is ignored.
func differ(a, b byte) bool { return (a|b) < utf8.RuneSelf && (a^b)&^0x20 != 0 }

// HasPrefix reports whether a token begins with the runes of prefix.
func HasPrefix(tok, prefix string) bool {
	start, ok := firstRunes(tok, utf8.RuneCountInString(prefix))
	return ok && Equal(start, prefix)
}

// EqualAgent reports whether two words of agents' names, which are valid UTF-8, are
// equal: whether they differ at most in the case of ASCII letters.
func EqualAgent(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lowerByte(a[i]) != lowerByte(b[i]) {
			return false
		}
	}
	return true
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// firstRunes returns the first n runes of s, unless s has fewer.
func firstRunes(s string, n int) (start string, ok bool) {
	for i := range s {
		if n == 0 {
			return s[:i], true
		}
		n--
	}
	return s, n == 0
}
