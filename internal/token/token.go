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
// the time of hashRunes. A token with a byte beyond ASCII is read again,
// rune by rune.
func Hashes(dst []uint64, n int, s string) int {
	if n < 0 {
		return -1
	}
	seed, multiplier := keys.word, keys.multiplier
tokens:
	for i := 0; i < len(s); {
		start, h := i, seed
		for {
			var w uint64 // the next 8 bytes, filled up with blanks
			if left := len(s) - i; left >= 8 {
				w = load8(s[i : i+8])
			} else if len(s) >= 8 {
				w = load8(s[len(s)-8:])>>((7-left)*8&63)>>8 | ' '*ones<<(8*left&63)
			} else {
				w = loadShort(s[i:])
			}
			stop := stops(w)
			folded := lower(w)
			if stop == 0 {
				h = mix(h^folded, multiplier)
				i += 8
				continue
			}
			k := bits.TrailingZeros64(stop) & 0x38 // bits before the first byte that is white space or not ASCII
			if w>>k&0x80 != 0 {
				var size int
				if h, size = hashRunes(seed, s[start:]); size == 0 {
					return n // nothing but white space is left
				}
				i = start + size
				break
			}
			i += k>>3 + 1 // past the white space
			if i == start+1 {
				continue tokens
			}
			h = mix(h^folded&(1<<k-1)^uint64(k)<<53, multiplier)
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

// stops has the high bit of each byte of w that is white space or not ASCII.
// No sum carries into the next byte.
func stops(w uint64) uint64 {
	low := w &^ highs
	visible := low ^ ' '*ones + 0x7f*ones
	control := (low + (0x80-'\t')*ones) &^ (low + (0x80-'\r'-1)*ones)
	return (control | ^visible | w) & highs
}

// lower makes the capital letters of w small, where its bytes are ASCII.
func lower(w uint64) uint64 {
	low := w &^ highs
	capital := (low + (0x80-'A')*ones) &^ (low + (0x80-'Z'-1)*ones)
	return w | capital&highs>>2
}

// load returns the 8 bytes of s from i on, filled up with blanks.
func load(s string, i int) uint64 {
	if len(s)-i >= 8 {
		return load8(s[i : i+8])
	}
	return loadShort(s[i:])
}

func load8(s string) uint64 {
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func load4(s string) uint64 {
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24
}

// loadShort returns the at most 7 bytes of s, filled up with blanks.
func loadShort(s string) uint64 {
	n := len(s)
	w := uint64(' '*ones) << (8 * n)
	switch {
	case n >= 4:
		w |= load4(s) | load4(s[n-4:])<<(8*n-32)
	case n > 0:
		w |= uint64(s[0]) | uint64(s[n/2])<<(8*(n/2)) | uint64(s[n-1])<<(8*(n-1))
	}
	return w
}
