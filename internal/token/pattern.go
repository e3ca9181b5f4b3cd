package token

import (
	"math/bits"
	"strings"
	"unicode/utf8"
)

// Field is a field of an action.
type Field uint8

const (
	Action Field = iota // the verb
	Location
	Target
	Faction
	Agent
	Any // every field but Agent
)

// FieldNames are the names by which norms qualify tokens, in the order of the fields.
var FieldNames = [Any]string{"action", "location", "target", "faction", "agent"}

// Pattern is a token as norms write it: what is looked for in an action.
type Pattern struct {
	Field  Field  // where
	Word   string // what, without the field and the star
	Prefix bool   // whether a token that begins with Word will do
}

// Parse returns the pattern of a token of a condition: word, word*, field:word or field:word*.
func Parse(tok string) Pattern {
	if name, word, ok := strings.Cut(tok, ":"); ok {
		for f, n := range FieldNames {
			if strings.EqualFold(name, n) {
				p := ParseVerb(word)
				p.Field = Field(f)
				return p
			}
		}
	}
	p := ParseVerb(tok)
	p.Field = Any
	return p
}

// ParseVerb returns the pattern of a token that is looked for in the verb: word or word*.
func ParseVerb(tok string) Pattern {
	word, star := strings.CutSuffix(tok, "*")
	return Pattern{Action, word, star}
}

// Matches reports whether a token is one that the pattern looks for, whatever field it is in.
func (p Pattern) Matches(tok string) bool {
	if p.Prefix {
		return HasPrefix(tok, p.Word)
	}
	return Equal(tok, p.Word)
}

// Hash returns the hash that every action has in which the pattern is found:
// of a word that of a token, of a prefix that of one of the prefixes of a
// token. Of the fields it tells the agent from the others only.
func (p Pattern) Hash() uint64 {
	h := p.hash()
	if p.Field == Agent {
		h = OfAgent(h)
	}
	return h
}

// hash is Hash, the same for every field.
func (p Pattern) hash() uint64 {
	if !p.Prefix {
		var h [1]uint64
		Hashes(h[:], 0, p.Word)
		return h[0]
	}
	h := hasher{state: keys.prefix}
	for _, r := range p.Word {
		h.write(fold(r))
	}
	return h.sum()
}

// AllHashes is Hashes and Prefixes.
func AllHashes(dst []uint64, n int, s string, lengths *Lengths) int {
	return Prefixes(dst, Hashes(dst, n, s), s, lengths)
}

// Prefixes is Hashes of those prefixes of the tokens of s whose lengths in
// runes are in lengths.
func Prefixes(dst []uint64, n int, s string, lengths *Lengths) int {
	if *lengths == (Lengths{}) {
		return n
	}
	return prefixes(dst, n, s, lengths)
}

func prefixes(dst []uint64, n int, s string, lengths *Lengths) int {
	for tok, rest := Next(s); tok != ""; tok, rest = Next(rest) {
		n = prefixesOf(dst, n, tok, lengths)
	}
	return n
}

// prefixesOf is Prefixes of one token. It takes them from the same blocks of 8 bytes.
func prefixesOf(dst []uint64, n int, tok string, lengths *Lengths) int {
	if n < 0 {
		return -1
	}
	start, h, longest := n, keys.prefix, min(lengths.longest(), len(tok))
	for i := 0; i <= longest; i += 8 {
		w := load(tok, i)
		for left := lengths.block(i); left != 0; left &= left - 1 {
			k := bits.TrailingZeros64(left)
			if i+k > len(tok) {
				break
			}
			part := w & (1<<(8*k) - 1)
			if part&highs != 0 {
				return prefixesByRune(dst, start, tok, lengths)
			}
			if n == len(dst) {
				return -1
			}
			dst[n] = mix(h^lower(part)^uint64(k)<<56, keys.multiplier)
			n++
		}
		if w&highs != 0 && i+8 <= longest {
			return prefixesByRune(dst, start, tok, lengths)
		}
		h = mix(h^lower(w), keys.multiplier)
	}
	return n
}

// prefixesByRune is prefixesOf for any token, rune by rune.
func prefixesByRune(dst []uint64, n int, tok string, lengths *Lengths) int {
	h := hasher{state: keys.prefix}
	for length := 0; ; length++ {
		if lengths.has(length) {
			if n == len(dst) {
				return -1
			}
			dst[n] = h.sum()
			n++
		}
		if tok == "" || length == MaxPrefix {
			return n
		}
		r, size := utf8.DecodeRuneInString(tok)
		h.write(fold(r))
		tok = tok[size:]
	}
}

// MaxPrefix is the greatest length of a prefix, in runes, that Lengths can hold.
const MaxPrefix = 127

// Lengths is a set of lengths of prefixes, in runes.
type Lengths [2]uint64

// Set puts a length into the set or takes it out.
func (l *Lengths) Set(n int, in bool) {
	l[n/64] &^= 1 << (n % 64)
	if in {
		l[n/64] |= 1 << (n % 64)
	}
}

// block returns a bit for each of the 8 lengths from n on, a multiple of 8, that is in the set.
func (l *Lengths) block(n int) uint64 { return l[n/64] >> (n % 64) & 0xff }

func (l *Lengths) has(n int) bool { return n <= MaxPrefix && l[n/64]>>(n%64)&1 != 0 }

// longest returns the greatest length in the set, -1 when it is empty.
func (l *Lengths) longest() int {
	if l[1] != 0 {
		return 63 + bits.Len64(l[1])
	}
	return bits.Len64(l[0]) - 1
}
