package normsync

import (
	"fmt"
	"iter"
	"math/big"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// doing yields an action of the agent for each letter: x breaks a norm, y
// breaks two, s a dry run, and everything else none.
func doing(agent, letters string) []Action {
	var actions []Action
	for _, l := range letters {
		verb := map[rune]string{'x': "attack", 'y': "attack loot", 's': "sing"}[l]
		actions = append(actions, Action{Agent: agent, Verb: verb})
	}
	return actions
}

func audited(t testing.TB) *Constitution {
	c, err := Compile(prohibition("peace", "", "attack"), prohibition("property", "", "loot"), prohibition("silence", "", "sing").dryRun())
	require.NoError(t, err)
	return c
}

func TestAudit(t *testing.T) {
	log := slices.Concat(doing("zoe", ".."), doing("al", "yx.s"), doing("bob", "x"), doing("eve", "......x..."))
	require.Equal(t, []Compliance{
		{Agent: "bob", Actions: 1, Violating: 1, Violations: 1, ByNorm: map[string]int{"peace": 1}, Rate: 0, Risk: "non_compliant", Trend: "stable"},
		{Agent: "al", Actions: 4, Violating: 2, Violations: 3, ByNorm: map[string]int{"peace": 2, "property": 1}, Rate: 0.5, Risk: "high_risk", Trend: "improving"},
		{Agent: "eve", Actions: 10, Violating: 1, Violations: 1, ByNorm: map[string]int{"peace": 1}, Rate: 0.9, Risk: "low_risk", Trend: "degrading"},
		{Agent: "zoe", Actions: 2, ByNorm: map[string]int{}, Rate: 1, Risk: "compliant", Trend: "stable"},
	}, Audit(audited(t), slices.Values(log)))
	require.Empty(t, Audit(audited(t), slices.Values([]Action(nil))))
}

// Every bound, held against exact fractions.
func TestAuditIsExact(t *testing.T) {
	c := audited(t)
	at := func(n, d int) *big.Rat { return big.NewRat(int64(n), int64(d)) }
	for _, halves := range [][2]int{{0, 1}, {1, 1}, {1, 2}, {5, 5}, {5, 6}, {7, 7}, {10, 10}, {10, 11}, {15, 15}, {35, 35}, {64, 64}} {
		first, second := halves[0], halves[1]
		for badFirst := range first + 1 {
			for badSecond := range second + 1 {
				letters := slices.Repeat([]byte("."), first+second)
				for i := range badFirst {
					letters[first-1-i] = 'x'
				}
				for i := range badSecond {
					letters[first+i] = 'x'
				}
				got := Audit(c, slices.Values(doing("a", string(letters))))[0]

				risk := "non_compliant"
				rate := at(first+second-badFirst-badSecond, first+second)
				for _, r := range []struct {
					name string
					from *big.Rat
				}{{"high_risk", at(1, 2)}, {"medium_risk", at(7, 10)}, {"low_risk", at(9, 10)}, {"compliant", at(1, 1)}} {
					if rate.Cmp(r.from) >= 0 {
						risk = r.name
					}
				}
				trend := "stable"
				if first > 0 {
					better := new(big.Rat).Sub(at(badFirst, first), at(badSecond, second))
					if better.Cmp(at(1, 10)) > 0 {
						trend = "improving"
					} else if better.Cmp(at(-1, 10)) < 0 {
						trend = "degrading"
					}
				}
				nearest, _ := rate.Float64()
				require.Equal(t, []any{risk, trend, nearest}, []any{got.Risk, got.Trend, got.Rate}, "%s", letters)
			}
		}
	}
}

func TestAuditPutsTheWorstFirst(t *testing.T) {
	many := strings.Repeat("x", 70) + strings.Repeat(".", 377)
	log := slices.Concat(doing("c", "x.."), doing("a", "......"), doing("e", "x."), doing("many", many), doing("d", "xx...."), doing("z", "..."), doing("b", "..."))
	r := rand.New(rand.NewPCG(3, 3))
	for range 20 {
		r.Shuffle(len(log), func(i, j int) { log[i], log[j] = log[j], log[i] })
		var order []string
		for _, c := range Audit(audited(t), slices.Values(log)) {
			order = append(order, c.Agent)
		}
		require.Equal(t, []string{"many", "d", "e", "c", "a", "b", "z"}, order, "the more is known, the surer; ties by name")
	}
}

// The lower bound is the proportion below k/n that is z standard errors of its
// own away from k/n. That is how Wilson defines it.
func TestWilsonLowerBoundSolvesItsEquation(t *testing.T) {
	const z = 1.959963984540054
	for n := 1; n < 60; n++ {
		require.Zero(t, wilsonLowerBound(0, n))
		for k := 1; k <= n; k++ {
			bound, observed := wilsonLowerBound(k, n), float64(k)/float64(n)
			require.Less(t, bound, observed)
			require.InDelta(t, (observed-bound)*(observed-bound), z*z*bound*(1-bound)/float64(n), 1e-12, "%d of %d", k, n)
		}
	}
	require.InDelta(t, 0.0615, wilsonLowerBound(1, 3), 1e-4)
	require.InDelta(t, 0.1259, wilsonLowerBound(70, 447), 1e-4)
}

func TestAuditOneAgentUnderManySpellings(t *testing.T) {
	log := slices.Concat(doing("Zoe", "x."), doing("ZOE", "x"), doing("zoe", "."), doing("zoe ", "x"), doing("\u212Aurt", "x"), doing("kurt", "x"))
	require.Equal(t, []Compliance{
		{Agent: "\u212Aurt", Actions: 2, Violating: 2, Violations: 2, ByNorm: map[string]int{"peace": 2}, Risk: "non_compliant", Trend: "stable"},
		{Agent: "zoe ", Actions: 1, Violating: 1, Violations: 1, ByNorm: map[string]int{"peace": 1}, Risk: "non_compliant", Trend: "stable"},
		{Agent: "Zoe", Actions: 4, Violating: 2, Violations: 2, ByNorm: map[string]int{"peace": 2}, Rate: 0.5, Risk: "high_risk", Trend: "stable"},
	}, Audit(audited(t), slices.Values(log)))
}

func TestAuditCountsBySeverity(t *testing.T) {
	remark, crime := prohibition("remark", "", "whisper"), prohibition("crime", "", "shout")
	remark.Severity, crime.Severity = SeverityInfo, SeverityError
	c, err := Compile(remark, crime)
	require.NoError(t, err)
	require.Equal(t, []Compliance{
		{Agent: "b", Actions: 3, Violating: 1, Violations: 2, ByNorm: map[string]int{"crime": 1, "remark": 1}, Errors: 1, Rate: 2. / 3, Risk: "high_risk", Trend: "improving"},
		{Agent: "a", Actions: 2, Violations: 2, ByNorm: map[string]int{"remark": 2}, Rate: 1, Risk: "compliant", Trend: "stable"},
	}, Audit(c, slices.Values([]Action{{Agent: "a", Verb: "whisper"}, {Agent: "b", Verb: "shout"}, {Agent: "a", Verb: "whisper"}, {Agent: "b", Verb: "whisper"}, {Agent: "b", Verb: "walk"}})))
}

// repeated yields n actions without holding them.
func repeated(n int, action func(i int) Action) iter.Seq[Action] {
	return func(yield func(Action) bool) {
		for i := range n {
			if !yield(action(i)) {
				return
			}
		}
	}
}

func TestAuditKeepsABitPerAction(t *testing.T) {
	c := audited(t)
	const actions = 500_000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	got := Audit(c, repeated(actions, func(i int) Action {
		if i == actions-1 {
			runtime.GC()
			runtime.ReadMemStats(&after)
		}
		return Action{Agent: "a"}
	}))
	require.Equal(t, actions, got[0].Actions)
	require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(1<<20), "nothing is kept of actions that break nothing")

	tally := &tally{Compliance: Compliance{ByNorm: map[string]int{}}}
	for range actions {
		tally.add([]Violation{{NormName: "peace"}})
	}
	require.LessOrEqual(t, len(tally.bad)*64, actions+64)
	require.Equal(t, actions/2, tally.badBefore(actions/2))
}

func BenchmarkAudit(b *testing.B) {
	c := audited(b)
	for _, agents := range []int{10, 1000} {
		b.Run(fmt.Sprintf("actions=100000/agents=%d", agents), func(b *testing.B) {
			names := make([]string, agents)
			for i := range names {
				names[i] = fmt.Sprint("agent-", i)
			}
			verbs := []string{"wait", "walk", "attack", "talk"}
			b.ReportAllocs()
			for b.Loop() {
				Audit(c, repeated(100_000, func(i int) Action { return Action{Agent: names[i%agents], Verb: verbs[i%4]} }))
			}
		})
	}
}
