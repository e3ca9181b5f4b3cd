package token

import (
	"math/bits"
	"strings"
	"unicode/utf8"

	"github.com/normsync/normsync/internal/invisible"
)

// MaxPrefix is the greatest length of a prefix, in runes, that Lengths can hold.
const MaxPrefix = 64*len(Lengths{}) - 1

// Lengths is a set of lengths of prefixes, in runes.
type Lengths [2]uint64

// Set adds a length to the set, or removes it.
func (l *Lengths) Set(n int, in bool) {
	l[n/64] &^= 1 << (n % 64)
	if in {
		l[n/64] |= 1 << (n % 64)
	}
}

// block returns one bit for each of the 8 lengths from n on. n is a multiple of 8.
func (l *Lengths) block(n int) uint64 { return l[n/64] >> (n % 64) & 0xff }

func (l *Lengths) has(n int) bool { return n <= MaxPrefix && l[n/64]>>(n%64)&1 != 0 }

// longest returns the greatest length in the set, or -1 if the set is empty.
func (l *Lengths) longest() int {
	var _ [2]uint64 = *l // only two words are handled here
	if l[1] != 0 {
		return 63 + bits.Len64(l[1])
	}
	return bits.Len64(l[0]) - 1
}

// AllHashes is like Hashes, but hashes the prefixes of each token that have a length
// in lengths, too. It splits s once.
func AllHashes(dst []uint64, n int, s string, lengths *Lengths) int {
	if *lengths == (Lengths{}) {
		return Hashes(dst, n, s)
	}
	if lengths.longest() >= 8 {
		return allHashes(dst, n, s, lengths)
	}
	from := n
	for i := 0; i < len(s); i++ { // cut and Word.Prefixes, inlined by hand: a check takes nine tenths of the time
		start := i
		var first uint64
		for {
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
			stop := stops(w)
			if stop == 0 {
				if i == start {
					first = lower(w)
				}
				i += 8
				continue
			}
			k := bits.TrailingZeros64(stop) & 0x38
			if i == start {
				first = lower(w & (1<<k - 1))
			}
			i += k >> 3
			break
		}
		if i < len(s) && s[i] != ' ' && !isASCIISpace(s[i]) {
			return allHashes(dst, from, s, lengths)
		}
		if i == start {
			continue
		}
		if n < 0 || n == len(dst) {
			return -1
		}
		dst[n] = hashStart(keys.word, s[start:i], first)
		n++
		for left := lengths[0]; left != 0; left &= left - 1 {
			k := bits.TrailingZeros64(left)
			if k > i-start {
				break
			}
			if n == len(dst) {
				return -1
			}
			dst[n] = mix(keys.prefix^first&(1<<(8*k)-1)^uint64(k)<<56, keys.multiplier)
			n++
		}
	}
	return n
}

// allHashes is AllHashes for any text and any lengths.
func allHashes(dst []uint64, n int, s string, lengths *Lengths) int {
	for end := 0; end < len(s) && n >= 0; {
		var start int
		var first uint64
		if start, end, first = cut(s, end); start == end {
			break
		}
		w := Word{s[start:end], 0, first}
		if first == notASCII {
			if w.Hash, start = hashRunes(keys.word, w.Text); start == 0 {
				continue // it is invisible
			}
		} else {
			w.Hash = hashStart(keys.word, w.Text, first)
		}
		if n == len(dst) {
			return -1
		}
		dst[n] = w.Hash
		n = w.Prefixes(dst, n+1, lengths)
	}
	return n
}

// Prefixes is like Hashes, but hashes prefixes: for each token of s, every prefix
// with a length in lengths.
func Prefixes(dst []uint64, n int, s string, lengths *Lengths) int {
	if *lengths == (Lengths{}) {
		return n
	}
	for end := 0; end < len(s); {
		var start int
		var first uint64
		if start, end, first = cut(s, end); start < end {
			w := Word{s[start:end], 0, first}
			n = w.Prefixes(dst, n, lengths)
		}
	}
	return n
}

// prefixesOf is Prefixes for one token. It reads 8 bytes at a time.
func prefixesOf(dst []uint64, n int, tok string, lengths *Lengths) int {
	if n < 0 {
		return -1
	}
	if tok[0] >= utf8.RuneSelf {
		return prefixesByRune(dst, n, tok, lengths, true)
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
				return prefixesByRune(dst, start, tok, lengths, true)
			}
			if n == len(dst) {
				return -1
			}
			dst[n] = mix(h^lower(part)^uint64(k)<<56, keys.multiplier)
			n++
		}
		if w&highs != 0 && i+8 <= longest {
			return prefixesByRune(dst, start, tok, lengths, true)
		}
		h = mix(h^lower(w), keys.multiplier)
	}
	return n
}

// prefixesByRune is prefixesOf for a token beyond ASCII. It skips invisible characters
// if skip is set.
func prefixesByRune(dst []uint64, n int, tok string, lengths *Lengths, skip bool) int {
	h := hasher{state: keys.prefix}
	for length := 0; ; length++ {
		r, size := utf8.DecodeRuneInString(tok)
		for skip && invisible.Ignorable(r) {
			tok = tok[size:]
			r, size = utf8.DecodeRuneInString(tok)
		}
		if length == 0 && tok == "" {
			return n // the token is invisible
		}
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
		h.write(fold(r))
		tok = tok[size:]
	}
}

// AgentHashes is like AllHashes, for the agent's name, in which invisible characters
// count. The same token has another hash in other fields.
func AgentHashes(dst []uint64, n int, s string, lengths *Lengths) int {
	start := n
	if !hasInvisible(s) {
		n = AllHashes(dst, n, s, lengths)
	} else {
		for tok := range All(s) {
			if n < 0 || n == len(dst) {
				return -1
			}
			dst[n] = hashWord(keys.word, tok)
			n = prefixesByRune(dst, n+1, tok, lengths, false)
		}
	}
	if n < 0 {
		return -1
	}
	for i := start; i < n; i++ {
		dst[i] = OfAgent(dst[i])
	}
	return n
}

func hasInvisible(s string) bool {
	return !isASCII(s) && strings.IndexFunc(s, invisible.Ignorable) >= 0
}
