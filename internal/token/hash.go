package token

import (
	"crypto/rand"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// keys are the secret of the process. Whoever does not know them cannot craft
// tokens that share a hash.
var keys = newKeys()

type secret struct {
	word, prefix, agent uint64 // where the hashes of tokens and of prefixes begin; what sets those of the agent apart
	multiplier          uint64
}

func newKeys() secret {
	var b [32]byte
	rand.Read(b[:]) // never fails: it ends the program instead
	return keysFrom(b)
}

func keysFrom(b [32]byte) secret {
	key := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }
	return secret{key(0), key(1), key(2), key(3) | 1}
}

// mix is the step of the hash, one for each 8 bytes: a multiplication to 128
// bits, folded, as in wyhash (https://github.com/wangyi-fudan/wyhash).
func mix(x, multiplier uint64) uint64 {
	hi, lo := bits.Mul64(x, multiplier)
	return hi ^ lo
}

// OfAgent returns the hash that a token with this hash has in the agent's name.
func OfAgent(hash uint64) uint64 { return hash ^ keys.agent }

// hasher is the hash of Hashes, rune by rune: of each full block of 8 bytes,
// then of the fewer that are left, with their number in the byte that they
// leave free.
type hasher struct {
	state, block uint64
	n            int // bits in block
}

// write adds a rune that is folded.
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

// hashRunes returns the hash of the first token of s and where the token ends,
// 0 when there is none.
func hashRunes(seed uint64, s string) (hash uint64, end int) {
	h := hasher{state: seed}
	for i, r := range s {
		if !isSpace(r) {
			h.write(fold(r))
			end = i + 1
		} else if end > 0 {
			return h.sum(), i
		}
	}
	if end > 0 {
		end = len(s)
	}
	return h.sum(), end
}

// Blunt makes all hashes equal until restore is called. Tests use it to show
// that no verdict depends on a hash. Nothing else may run meanwhile.
func Blunt() (restore func()) { return replaceKeys(secret{}) }

// Reseed makes the hashes the same in every process until restore is called.
// Tests use it to count the cost of a check, which depends on the hashes.
// Constitutions that were compiled before cannot be checked until then. Nothing
// else may run meanwhile.
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
