package token

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// slowHashes is Hashes as one would write it: split, fold rune by rune, hash.
func slowHashes(s string) (out []uint64) {
	for _, tok := range strings.FieldsFunc(s, unicode.IsSpace) {
		out = append(out, Pattern{Field: Any, Word: tok}.Hash())
	}
	return out
}

// pieces are what random texts are made of: everything that the fast path may stumble over.
var pieces = []string{
	"a", "Z", "attack", "ATTACK", "safe_zone", "0123456789", "@[`{", "\x00", "\x1f", "\x7f", "é", "É", "\u212A", "\u017F", "ς", "Σ", "İ", "睡觉", "🐉", "\uFFFD", "\xff", "\x85", "\xe2\x82",
	" ", " ", " ", "\t", "\r\n", "\v\f", "\u0085", "\u00A0", "\u2003", "\u3000", "\u200B", "        ",
}

func randomText(r *rand.Rand, n int) string {
	var b strings.Builder
	for range r.IntN(n) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

func TestHashesAgreeWithTheSlowWay(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var dst [256]uint64
	for range 200000 {
		s := randomText(r, 12)
		n := Hashes(dst[:], s)
		require.Equal(t, slowHashes(s), append([]uint64(nil), dst[:n]...), "%q", s)
	}
}

func TestNextAgreesWithFieldsFunc(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 100000 {
		s := randomText(r, 12)
		var got []string
		for tok, rest := Next(s); tok != ""; tok, rest = Next(rest) {
			got = append(got, tok)
		}
		require.Equal(t, append([]string(nil), strings.FieldsFunc(s, unicode.IsSpace)...), got, "%q", s)
	}
}

func TestFoldIsTheSlowFoldForEveryRune(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if got, want := fold(r), foldSlowly(r); got != want {
			t.Fatalf("%U folds to %U, want %U", r, got, want)
		}
	}
}

var actions = [][4]string{
	{"attack", "safe_zone", "dragon", "red_hand"},
	{"trade", "market_square", "iron ore", "guild"},
	{"move", "cell-1234", "", "blue"},
	{"whisper", "tavern_17", "barkeep", "house_x"},
}

var sink uint64

func BenchmarkHashes(b *testing.B) {
	n := 0
	for b.Loop() {
		n++
		var keys [24]uint64
		k := 0
		a := &actions[n&3]
		k += Hashes(keys[k:], a[0])
		k += Hashes(keys[k:], a[1])
		k += Hashes(keys[k:], a[2])
		k += Hashes(keys[k:], a[3])
		sink += keys[k&3]
	}
}
