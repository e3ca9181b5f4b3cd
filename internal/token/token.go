// Package token splits text into tokens, and hashes and compares them without
// regard to case.
//
// A token is a run of characters that are not white space (unicode.IsSpace).
// Two tokens are equal when strings.EqualFold says so. Equal tokens have equal
// hashes; unequal ones share a hash by accident only, since the hash is keyed
// by a secret of the process. A byte that is not UTF-8 counts as U+FFFD.
package token

import (
	"math/bits"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Next returns the first token of s, as it is written, and what follows it.
// The token is empty when s has none.
func Next(s string) (tok, rest string) {
	start := 0
	for start < len(s) && isASCIISpace(s[start]) {
		start++
	}
	i := start
	for i < len(s) && !isStop[s[i]] {
		i++
	}
	if i < len(s) && s[i] >= utf8.RuneSelf {
		return nextRunes(s[start:])
	}
	return s[start:i], s[i:]
}

// isStop says of a byte whether it ends a token or is not ASCII.
var isStop = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= utf8.RuneSelf || isASCIISpace(byte(c))
	}
	return t
}()

// nextRunes is Next for any text.
func nextRunes(s string) (tok, rest string) {
	start := -1
	for i, r := range s {
		switch {
		case start < 0 && !isSpace(r):
			start = i
		case start >= 0 && isSpace(r):
			return s[start:i], s[i:]
		}
	}
	if start < 0 {
		return "", ""
	}
	return s[start:], ""
}

func isASCIISpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

func isSpace(r rune) bool {
	if r < utf8.RuneSelf {
		return isASCIISpace(byte(r))
	}
	return unicode.IsSpace(r)
}

// Equal reports whether two tokens are equal. Most that are not differ in
// their first letter, or in their last.
func Equal(a, b string) bool {
	if a == b {
		return true
	}
	if a == "" || b == "" || differ(a[0], b[0]) || differ(a[len(a)-1], b[len(b)-1]) {
		return false
	}
	return strings.EqualFold(a, b)
}

// differ reports whether two bytes are letters, digits or marks of ASCII that are not equal by folding.
func differ(a, b byte) bool { return (a|b) < utf8.RuneSelf && (a^b)&^0x20 != 0 }

// HasPrefix reports whether a token begins with the runes of prefix.
func HasPrefix(tok, prefix string) bool {
	start, ok := firstRunes(tok, utf8.RuneCountInString(prefix))
	return ok && Equal(start, prefix)
}

// firstRunes returns the first n runes of s, unless it has fewer.
func firstRunes(s string, n int) (start string, ok bool) {
	for i := range s {
		if n == 0 {
			return s[:i], true
		}
		n--
	}
	return s, n == 0
}

const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// Hashes writes the hashes of the tokens of s to dst from dst[n] on, in order,
// and returns where they end. It returns -1 when dst has no room for them, and
// when n is -1, so that calls can follow each other with one question at the end.
//
// It reads, folds and looks for white space 8 bytes at a time, in a quarter of
// the time of hashRunes. A token with a byte beyond ASCII, or a control
// character, is read again, rune by rune.
func Hashes(dst []uint64, n int, s string) int {
	if n < 0 {
		return -1
	}
	multiplier := keys.multiplier
tokens:
	for i := 0; i < len(s); {
		start, h := i, keys.word
		for {
			var w uint64 // load(s, i), written out: a call takes a tenth longer
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
			stop := stops(w)
			if stop == 0 {
				h = mix(h^lower(w), multiplier)
				i += 8
				continue
			}
			k := bits.TrailingZeros64(stop) & 0x38 // bits before the first byte that ends the token
			i += k >> 3
			if i < len(s) && s[i] != ' ' && !isASCIISpace(s[i]) {
				var size int
				if h, size = hashRunes(keys.word, s[start:]); size == 0 {
					return n // nothing but white space is left
				}
				i = start + size
				break
			}
			i++ // past the white space
			if i == start+1 {
				continue tokens
			}
			h = mix(h^lower(w&(1<<k-1))^uint64(k)<<53, multiplier)
			break
		}
		if n == len(dst) {
			return -1
		}
		dst[n] = h
		n++
	}
	return n
}

// stops has, of the bytes of w up to the first that is a blank, a control
// character below it or not ASCII, the high bit of that one. Of later bytes it
// says nothing: a difference below zero borrows from the next byte.
func stops(w uint64) uint64 { return (w - '!'*ones | w) & highs }

// lower makes the capital letters of w small, whose bytes are all ASCII. No sum carries into the next byte.
func lower(w uint64) uint64 {
	capital := (w + (0x80-'A')*ones) &^ (w + (0x80-'Z'-1)*ones)
	return w | capital&highs>>2
}

// load returns the 8 bytes of s from i on, filled up with zeros.
func load(s string, i int) uint64 {
	switch left := len(s) - i; {
	case left >= 8:
		return load8(s[i : i+8])
	case len(s) >= 8:
		return load8(s[len(s)-8:]) >> 8 >> (56 - 8*left&63)
	case left >= 4:
		return load4(s[i:]) | load4(s[len(s)-4:])<<(8*left-32&63)
	}
	return loadFew(s[i:])
}

func load8(s string) uint64 {
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func load4(s string) uint64 {
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24
}

func loadFew(s string) (w uint64) {
	for i := len(s) - 1; i >= 0; i-- {
		w = w<<8 | uint64(s[i])
	}
	return w
}
