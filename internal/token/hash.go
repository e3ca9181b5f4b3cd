package token

import (
	"crypto/rand"
	"encoding/binary"
	"math/bits"
	"unicode"
	"unicode/utf8"

	"github.com/normsync/normsync/internal/invisible"
)

// keys are the secret of the process. Nobody can craft tokens that share a hash
// without knowing them.
var keys = newKeys()

type secret struct {
	word, prefix uint64 // initial states for tokens and for prefixes
	agent        uint64 // distinguishes the tokens of the agent's name
	multiplier   uint64
}

func newKeys() secret {
	var b [32]byte
	rand.Read(b[:]) // never fails: it crashes the program instead
	return keysFrom(b)
}

func keysFrom(b [32]byte) secret {
	key := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }
	return secret{key(0), key(1), key(2), key(3) | 1}
}

// mix is one step of the hash, for 8 bytes: a multiplication to 128 bits, with
// the halves combined by xor, as in wyhash
// (https://github.com/wangyi-fudan/wyhash).
func mix(x, multiplier uint64) uint64 {
	hi, lo := bits.Mul64(x, multiplier)
	return hi ^ lo
}

// OfAgent turns the hash of a token into the hash of the same token in the
// agent's name.
func OfAgent(hash uint64) uint64 { return hash ^ keys.agent }

const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// Hashes writes the hashes of the tokens of s to dst[n:], in order, and returns
// the index after the last. It returns -1 if dst has no room for them, or if n
// is -1, so that a sequence of calls needs one check at the end.
//
// Hashes reads, folds and finds white space 8 bytes at a time, which takes a
// quarter of the time of hashRunes. It reads a token again, rune by rune, if the
// token has a byte beyond ASCII or a control character.
func Hashes(dst []uint64, n int, s string) int {
	if n < 0 {
		return -1
	}
	multiplier := keys.multiplier
tokens:
	for i := 0; i < len(s); {
		start, h := i, keys.word
		for {
			var w uint64 // load(s, i), inlined by hand: a call takes a tenth longer
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

// stops sets the high bit of the first byte of w that is a blank, a control
// character or not ASCII. The bits of later bytes mean nothing, because a
// negative difference borrows from the next byte.
func stops(w uint64) uint64 { return (w - '!'*ones | w) & highs }

// lower returns w with its capital letters in lower case. All bytes of w must be
// ASCII, so no sum carries into the next byte.
func lower(w uint64) uint64 {
	capital := (w + (0x80-'A')*ones) &^ (w + (0x80-'Z'-1)*ones)
	return w | capital&highs>>2
}

// load returns the 8 bytes of s from i on, padded with zeros.
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

// hasher computes the hash of Hashes rune by rune. It mixes in each full block
// of 8 bytes, then the remaining bytes with their number in the free high byte.
type hasher struct {
	state, block uint64
	n            int // bits in block
}

// write adds a folded rune.
func (h *hasher) write(r rune) {
	if r < utf8.RuneSelf {
		h.writeByte(byte(r))
		return
	}
	var b [utf8.UTFMax]byte
	for _, c := range b[:utf8.EncodeRune(b[:], r)] {
		h.writeByte(c)
	}
}

func (h *hasher) writeByte(c byte) {
	h.block |= uint64(c) << h.n
	if h.n += 8; h.n == 64 {
		h.state, h.block, h.n = mix(h.state^h.block, keys.multiplier), 0, 0
	}
}

func (h *hasher) sum() uint64 { return mix(h.state^h.block^uint64(h.n)<<53, keys.multiplier) }

// writeThree adds three bytes at once.
func (h *hasher) writeThree(bytes uint64) {
	h.block |= bytes << h.n
	if h.n += 24; h.n >= 64 {
		h.n -= 64
		h.state, h.block = mix(h.state^h.block, keys.multiplier), bytes>>(24-h.n)
	}
}

// hashRunes returns the hash of the first token of s and the offset at which the
// token ends. The offset is 0 if s has no token.
func hashRunes(seed uint64, s string) (hash uint64, end int) {
	h := hasher{state: seed}
	for i := 0; i < len(s); {
		if i+3 <= len(s) && isSimple(s[i], s[i+1], s[i+2]) {
			h.writeThree(uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16)
			i += 3
			end = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case !isSpace(r):
			if !invisible.Ignorable(r) {
				h.write(fold(r))
				end = i + size
			}
		case end > 0:
			return h.sum(), i
		}
		i += size
	}
	if end > 0 {
		end = len(s)
	}
	return h.sum(), end
}

// isSimple reports whether three bytes are a rune that is neither white space nor
// invisible and has no other case, such as a Chinese character. It is false for some
// of these.
func isSimple(a, b, c byte) bool {
	return a>>4 == 0xE && b>>6 == 2 && c>>6 == 2 && simple[int(a&0xF)<<6|int(b&0x3F)]
}

// simple reports for each block of 64 runes that take three bytes whether isSimple is
// true for all of them.
var simple = func() (t [1024]bool) {
	for block := range t {
		t[block] = block >= 0x800/64 && (block < 0xD800/64 || block >= 0xE000/64)
		for r := rune(block * 64); r < rune(block+1)*64; r++ {
			t[block] = t[block] && !isSpace(r) && !invisible.Ignorable(r) && unicode.SimpleFold(r) == r
		}
	}
	return t
}()

// hashWord returns the hash of a word in which every character counts.
func hashWord(seed uint64, word string) uint64 {
	state, i := seed, 0
	for ; i+8 <= len(word); i += 8 {
		w := load8(word[i : i+8])
		if w&highs != 0 {
			return hashWordRunes(seed, word)
		}
		state = mix(state^lower(w), keys.multiplier)
	}
	w := load(word, i)
	if w&highs != 0 {
		return hashWordRunes(seed, word)
	}
	return mix(state^lower(w)^uint64(len(word)-i)<<56, keys.multiplier)
}

// hashStart is hashWord for a token whose start is known; see startOf.
func hashStart(seed uint64, tok string, start uint64) uint64 {
	if len(tok) < 8 {
		return mix(seed^start^uint64(len(tok))<<56, keys.multiplier)
	}
	return hashWord(seed, tok)
}

// hashWordRunes is hashWord for any word, rune by rune.
func hashWordRunes(seed uint64, word string) uint64 {
	h := hasher{state: seed}
	for _, r := range word {
		h.write(fold(r))
	}
	return h.sum()
}

// Blunt makes all hashes equal until restore is called. Tests use it to show
// that no verdict depends on a hash. Nothing else may run in the meantime.
func Blunt() (restore func()) { return replaceKeys(secret{}) }

// Reseed makes the hashes the same in every process until restore is called.
// Tests use it to count the cost of a check, which depends on the hashes. A
// constitution can only be checked under the keys that it was compiled with.
// Nothing else may run in the meantime.
func Reseed(seed uint64) (restore func()) {
	var b [32]byte
	for i := range 4 {
		binary.LittleEndian.PutUint64(b[8*i:], mix(seed+uint64(i)+1, 0x9E3779B97F4A7C15))
	}
	return replaceKeys(keysFrom(b))
}

func replaceKeys(k secret) (restore func()) {
	old := keys
	keys = k
	return func() { keys = old }
}
