package workload

import (
	"hash/fnv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCollidingWordsDifferAndShareTheirHash(t *testing.T) {
	want := fnv.New32a()
	want.Write([]byte(colliding(0)))
	seen := map[string]bool{}
	for i := range 1 << 17 {
		h, w := fnv.New32a(), colliding(i)
		h.Write([]byte(w))
		if h.Sum32() != want.Sum32() || seen[w] {
			t.Fatalf("word %d is %q, of hash %08x", i, w, h.Sum32())
		}
		seen[w] = true
	}
}

func TestWordsDiffer(t *testing.T) {
	seen := make(map[string]bool, 1_000_000)
	for i := range 1_000_000 {
		seen[word(i)] = true
	}
	require.Len(t, seen, 1_000_000)
	require.Equal(t, []string{"bababa", "mugadi", "patuwi"}, []string{word(0), word(1), word(999_999)}, "whatever the size of an int")
	for _, v := range verbs {
		require.False(t, seen[v], v)
	}
	require.Len(t, verbs, 60)
}

func TestABreachHasWhatItsNormAsksFor(t *testing.T) {
	for k := range Distributions {
		w := World{Size: 1000, Distribution: Distribution(k)}
		for i := range w.Size {
			n, a := w.Norm(i), w.Violating(i)
			require.Equal(t, n.Prohibited, a.Verb)
			words := strings.Fields(a.Location + " " + a.Target + " " + a.Faction)
			require.Subset(t, words, strings.Fields(n.Condition), w.Distribution)
		}
	}
}

func TestActionsHaveAboutThirtyBytes(t *testing.T) {
	w, sum := World{Size: 1000}, 0
	for i := range 1000 {
		a := w.Action(i)
		sum += len(a.Verb + a.Location + a.Target + a.Faction)
	}
	require.InDelta(t, 30, float64(sum)/1000, 1)
	require.Len(t, w.Long(0, 64<<10).Location, 64<<10)
}
