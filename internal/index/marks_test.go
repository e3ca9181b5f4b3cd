package index

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMarksRuleOutNothingThatHolds(t *testing.T) {
	g := newGenerator(12, 1, 100)
	for range 2000 {
		keys := g.some(g.tokens, g.IntN(40))
		set := MarkSetOf(keys)
		for n := range min(len(keys), 10) {
			m := MarksOf(keys[:n])
			require.True(t, set.HasAll(&m))
		}
	}
}

// A clause has marks of its first words only, up to the number that Marks has room for.
func TestMarksRuleOutWhatLacksAWord(t *testing.T) {
	g := newGenerator(13, 1, 1)
	for _, words := range []int{1, 8, 12} {
		kept := 0
		for range 10_000 {
			keys := make([]uint64, 16)
			for i := range keys {
				keys[i] = g.Uint64()
			}
			set := MarkSetOf(keys)
			m := MarksOf(append(keys[:words-1:words-1], g.Uint64()))
			if set.HasAll(&m) {
				kept++
			}
		}
		if words > len(Marks{}.words) {
			require.Equal(t, 10_000, kept, "a word without a mark is not looked for")
		} else {
			require.InDelta(t, 10_000*16/256, kept, 120)
		}
	}
}
