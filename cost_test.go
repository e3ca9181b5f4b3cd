package normsync

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync/internal/token"
	"github.com/normsync/normsync/internal/workload"
)

// meanProbes returns the mean number of index entries that a check reads.
func (g *ground) meanProbes(actions []Action) float64 {
	total := 0
	for _, a := range actions {
		total += probes(g.Constitution, a)
	}
	return float64(total) / float64(len(actions))
}

// probesIn is the mean of meanProbes in a world, of actions that break nothing
// and of those that break a norm. It is the same in every process.
func probesIn(t *testing.T, w workload.World) (misses, hits float64) {
	t.Helper()
	grounds := 0.0
	underFixedKeys(func() {
		g, err := newGround(w) // groundOf would keep it for other tests, which have other keys
		require.NoError(t, err)
		misses += g.meanProbes(g.misses)
		hits += g.meanProbes(g.hits)
		grounds++
	})
	return misses / grounds, hits / grounds
}

func TestCostDoesNotGrowWithNorms(t *testing.T) {
	if raceEnabled {
		t.Skip("what is counted is the same under the race detector")
	}
	for _, kind := range []workload.Kind{workload.Zipf, workload.Uniform} {
		t.Run(kind.String(), func(t *testing.T) {
			few, fewHit := probesIn(t, workload.World{Size: 1_000, Kind: kind})
			many, manyHit := probesIn(t, workload.World{Size: 100_000, Kind: kind})
			require.Less(t, few, 5.0)
			require.Less(t, fewHit, 12.0)
			require.Less(t, many, 1.2*few)
			require.Less(t, manyHit, 1.2*fewHit)
		})
	}
}

func TestCostIsBoundedInHostileWorlds(t *testing.T) {
	if raceEnabled {
		t.Skip("what is counted is the same under the race detector")
	}
	for _, kind := range []workload.Kind{workload.OneVerb, workload.OneWord, workload.OnlyWord, workload.Colliding} {
		t.Run(kind.String(), func(t *testing.T) {
			misses, hits := probesIn(t, workload.World{Size: 100_000, Kind: kind})
			require.Less(t, misses, 30.0)
			require.Less(t, hits, 30.0)
		})
	}
}

// Where conditions are 8 out of 32 words and actions have 16 of those, no word
// is rare. A check then reads the entries under the action's words that have its
// verb, or all of these entries if the action has several verbs.
func TestCostWhereNoWordIsRareIsThatOfTheEntriesOfTheVerb(t *testing.T) {
	if raceEnabled {
		t.Skip("what is counted is the same under the race detector")
	}
	for _, n := range []int{1_000, 100_000} {
		defer token.Reseed(0)()
		g, err := newGround(workload.World{Size: n, Kind: workload.EightOf32})
		require.NoError(t, err)
		require.Less(t, g.meanProbes(g.misses), 0.1*float64(n))
		actions := slices.Clone(g.misses)
		for i := range actions {
			actions[i].Verb += " also"
		}
		require.Less(t, g.meanProbes(actions), 0.75*float64(n))
		require.Greater(t, g.meanProbes(actions), 0.1*float64(n), "or the package comment says too little")
	}
}

// A word that stands in an action a thousand times is looked up once.
func TestCostOfALongActionIsThatOfItsDifferentWords(t *testing.T) {
	g := groundOf(t, workload.World{Size: 100_000, Kind: workload.OneVerb})
	a := g.hits[0]
	once := probes(g.Constitution, a)
	a.Location += strings.Repeat(" "+strings.Fields(a.Location)[0], 1_000)
	s := new(scratch)
	require.LessOrEqual(t, len(s.findCandidates(nil, &g.forbid, &a)), once)
}

// The same for a short action, whose candidates are each named once.
func TestCostOfAShortActionIsThatOfItsDifferentWords(t *testing.T) {
	c, err := Compile(Norm{Name: "n", Condition: "bridge", Prohibited: "cross"})
	require.NoError(t, err)
	var found candidates
	c.forbid.findCandidates(&found, &Action{Verb: "cross", Location: strings.Repeat("bridge ", 20)})
	require.Equal(t, 1, found.n)
}

func TestCheckAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	plain := groundOf(t, workload.World{Size: 1_000})
	long := actionOf(plain.Long(0, 64<<10))
	crowded := plain.hits[0]
	crowded.Faction = strings.Repeat("word ", 100)
	prefixes, err := Compile(Norm{Name: "n", Condition: "w0* w1* w22* wor*", Unless: "zone", Prohibited: "attack"})
	require.NoError(t, err)
	varied := Action{Verb: "attack", Location: "zone word"}
	for i := range 1_000 {
		varied.Location += fmt.Sprintf(" w%dx", i)
	}
	room := make([]Violation, 0, 1_024)
	check := func(g *ground, a Action) func() { return func() { room = g.AppendCheck(room[:0], a) } }
	twisted := func(twist workload.Twist) *ground { return groundOf(t, workload.World{Size: 1_000, Twist: twist}) }
	for name, f := range map[string]func(){
		"where nothing is violated":                 check(plain, plain.misses[0]),
		"where nothing is violated, in a new slice": func() { plain.Check(plain.misses[0]) },
		"where the slice has room":                  check(plain, plain.hits[0]),
		"for an action of 64 KiB":                   check(plain, long),
		"for an action of many words":               check(plain, crowded),
		"with prefixes":                             check(twisted(workload.Prefixed), twisted(workload.Prefixed).hits[0]),
		"with prefixes, for many different words":   func() { prefixes.Check(varied) },
		"with names of fields":                      check(twisted(workload.Qualified), twisted(workload.Qualified).hits[0]),
		"with words of the agent":                   check(twisted(workload.OfAgents), twisted(workload.OfAgents).hits[0]),
		"with exceptions":                           check(twisted(workload.Excepted), twisted(workload.Excepted).hits[0]),
		"with permits":                              check(twisted(workload.Permitted), twisted(workload.Permitted).hits[0]),
		"in Allows, where nothing is violated":      func() { plain.Allows(plain.misses[0]) },
		"in Allows, where something is":             func() { plain.Allows(plain.hits[0]) },
		"in Allows, for an action of 64 KiB":        func() { plain.Allows(long) },
		"without norms":                             func() { new(Constitution).Check(long) },
	} {
		t.Run(name, func(t *testing.T) { require.Zero(t, testing.AllocsPerRun(100, f)) })
	}
}

func TestReplacedConstitutionIsFreeOnceNobodyReadsIt(t *testing.T) {
	m, err := NewMonitor(normsOfWorld(workload.World{Size: 1_000})...)
	require.NoError(t, err)
	freed := make(chan struct{})
	collected := func(within int) bool {
		for range within { // cleanups run some time after a collection, in a goroutine of their own
			runtime.GC()
			select {
			case <-freed:
				return true
			default:
				runtime.Gosched()
			}
		}
		return false
	}
	reader := m.Constitution()
	runtime.AddCleanup(reader, func(c chan struct{}) { close(c) }, freed)

	applyTo(t, m, Enact(ban("one-more", "", "attack")))
	require.False(t, collected(5), "somebody reads it")
	require.Equal(t, 1_000, reader.Len())

	reader = nil
	require.True(t, collected(1_000))
}

// A constitution shares most of its memory with the one before it. Were any
// part of those before kept, memory would grow with the number of changes.
func TestMemoryDoesNotGrowWithChanges(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector keeps memory of its own")
	}
	const n = 10_000
	w := workload.World{Size: n}
	c := groundOf(t, w).Constitution
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	change := func(from, to int) {
		for i := from; i < to; i++ {
			norm := normOf(w.Norm(i * 7919 % n))
			norm.Condition = fmt.Sprint("changed-", i)
			c = successor(c, Revision{Edition: uint64(i + 1), Version: 2, Change: Amend(norm)})
		}
	}
	change(0, n) // each norm once, so that all pages are the new constitution's own
	before := heap()
	change(n, 2*n)
	grown := heap() - before
	require.Less(t, grown, int64(n*100), "%d bytes", grown)
	require.Equal(t, n, c.Len())
}

func TestPrefixesAndAgentsAddHashes(t *testing.T) {
	a := Action{Agent: "sir robin", Verb: "cross", Location: "old bridge", Target: "troll", Faction: "knights"}
	keys := func(norms ...Norm) int {
		c, err := Compile(norms...)
		require.NoError(t, err)
		_, keys, _ := c.forbid.features.grownKeys(nil, &a)
		return len(keys)
	}
	plain := Norm{Name: "plain", Condition: "bridge", Prohibited: "cross"}
	require.Equal(t, 5, keys(plain), "one for each word")
	two := Norm{Name: "two", Condition: "br*", Prohibited: "cross"}
	require.Equal(t, 10, keys(plain, two), "and one for each word's first two letters")
	alsoTwo := Norm{Name: "also two", Condition: "ol*", Prohibited: "cross"}
	require.Equal(t, 10, keys(plain, two, alsoTwo), "once for all prefixes of that length")
	three := Norm{Name: "three", Condition: "bri*", Prohibited: "cross"}
	require.Equal(t, 15, keys(plain, two, three), "and once more for another length")
	agent := Norm{Name: "agent", Condition: "agent:robin", Prohibited: "cross"}
	require.Equal(t, 7, keys(plain, agent), "and the words of the agent")
}

func TestALongActionHasAsManyKeysAsWords(t *testing.T) {
	c, err := Compile(Norm{Name: "plain", Condition: "bridge", Prohibited: "cross"})
	require.NoError(t, err)
	for _, words := range []int{10, 1_000, 10_000} {
		a := Action{Location: strings.Repeat("bridge ", words)}
		_, keys, _ := c.forbid.features.grownKeys(nil, &a)
		require.Len(t, keys, words)
		require.LessOrEqual(t, len(new(scratch).findCandidates(nil, &c.forbid, &a)), 1)
	}
}
