package nearest

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFind(t *testing.T) {
	var ws Words
	for text, count := range map[string]int{"attack": 9, "attach": 9, "attract": 2, "safe_zone": 3, "cast_fireball": 1, "go": 5, "bank": 1, "睡觉了吗": 1, "tank": 4} {
		ws.Add(text, count)
	}
	for _, c := range []struct {
		why, text string
		prefix    bool
		want      string
	}{
		{"a letter is missing", "atack", false, "attack"},
		{"a letter too many", "attackk", false, "attack"},
		{"another letter", "attaco", false, "attach"}, // attack is as near and as common; attach comes first
		{"two neighbors swapped are one edit", "bnak", false, "bank"},
		{"the more common of two that are equally near", "zank", false, "tank"},
		{"two edits in nine letters", "saefzone", false, "safe_zone"},
		{"two edits are too many for four letters", "bnk2", false, ""},
		{"a word of two letters is near nothing but itself", "og", false, ""},
		{"letters beyond ASCII count as one each", "睡觉了么", false, "睡觉了吗"},
		{"the word itself", "attack", false, "attack"},
		{"a beginning", "csat_", true, "cast_fireball"},
		{"a beginning that is longer than the word", "attackx", true, "attack"},
		{"nothing is near", "teleport", false, ""},
		{"nothing", "", false, ""},
	} {
		t.Run(c.why, func(t *testing.T) {
			got, ok := ws.Find(c.text, c.prefix)
			require.Equal(t, c.want, got)
			require.Equal(t, c.want != "", ok)
		})
	}
	long := strings.Repeat("x", 5000)
	ws.Add(long, 1)
	_, ok := ws.Find(long, false)
	require.False(t, ok, "a word of thousands of letters is none")
}

// slowDistance is the definition, without rows.
func slowDistance(a, b string) int {
	switch {
	case a == "":
		return len(b)
	case b == "":
		return len(a)
	}
	d := min(slowDistance(a[1:], b)+1, slowDistance(a, b[1:])+1)
	if a[0] == b[0] {
		d = min(d, slowDistance(a[1:], b[1:]))
	} else {
		d = min(d, slowDistance(a[1:], b[1:])+1)
	}
	if len(a) > 1 && len(b) > 1 && a[0] == b[1] && a[1] == b[0] {
		d = min(d, slowDistance(a[2:], b[2:])+1)
	}
	return d
}

// Find agrees with looking at every word by the definition of the distance, so
// that no filter leaves a near word out.
func TestFindAgreesWithTheDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	random := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "abcdefgh"[r.IntN(8)]
		}
		return string(b)
	}
	for range 300 {
		var ws Words
		var texts []string
		for range 40 {
			texts = append(texts, random(1+r.IntN(7)))
			ws.Add(texts[len(texts)-1], 1)
		}
		text, prefix := random(1+r.IntN(6)), r.IntN(3) == 0
		want, least := "", limit(len(text))+1
		for _, w := range texts {
			d := slowDistance(text, w)
			for i := range w {
				if prefix {
					d = min(d, slowDistance(text, w[:i]))
				}
			}
			if d < least || d == least && want != "" && w < want {
				want, least = w, d
			}
		}
		got, _ := ws.Find(text, prefix)
		require.Equal(t, want, got, "%q, prefix %v, among %q", text, prefix, texts)
	}
}

func BenchmarkFind(b *testing.B) {
	r := rand.New(rand.NewPCG(6, 6))
	var ws Words
	for range 10_000 {
		text := make([]byte, 4+r.IntN(8))
		for i := range text {
			text[i] = byte('a' + r.IntN(26))
		}
		ws.Add(string(text), 1)
	}
	b.Run("words=10000", func(b *testing.B) {
		for b.Loop() {
			ws.Find("safe_zone", false)
		}
	})
}
