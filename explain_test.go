package normsync

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestExplainTellsTheFirstThatHolds(t *testing.T) {
	forest := prohibition("no-fire", "Forest dry*", "burn LIGHT*").unless("ranger faction:crew rain")
	permit := permission("rangers", "agent:ranger*", "burn light*", 5)
	action := Action{Agent: "ranger-7", Verb: "burn lightly", Location: "the FOREST", Target: "dryad"}
	for _, c := range []struct {
		why   string
		norms []Norm // the first is the one that is asked about
		do    func(*Action)
		want  string // outcome, what was found, what is missing, and by what
	}{
		{"what is found is told as the norm has it", []Norm{forest}, nil, "violated [burn LIGHT* Forest dry*] [] "},
		{"some of the condition is missing", []Norm{forest}, func(a *Action) { a.Target = "" }, "unmet [burn LIGHT* Forest] [dry*] "},
		{"all of the condition is missing", []Norm{forest}, func(a *Action) { a.Target, a.Location = "", "" }, "unmet [burn LIGHT*] [Forest dry*] "},
		{"what is missing comes before what lifts the norm", []Norm{forest}, func(a *Action) { a.Target = "rain" }, "unmet [burn LIGHT* Forest] [dry*] "},
		{"the first Unless token that is there", []Norm{forest}, func(a *Action) { a.Faction = "rain crew" }, "exempt [burn LIGHT* Forest dry*] [] faction:crew"},
		{"Unless comes before a permit", []Norm{forest, permit}, func(a *Action) { a.Faction = "rain" }, "exempt [burn LIGHT* Forest dry*] [] rain"},
		{"a higher permit", []Norm{forest, permit}, nil, "overridden [burn LIGHT* Forest dry*] [] rangers"},
		{"a permit for one of the words", []Norm{forest, permission("rangers", "", "burn", 5)}, nil, "violated [burn LIGHT* Forest dry*] [] "},
		{"permits for a word each", []Norm{forest, permission("one", "", "burn", 5), permission("two", "", "lightly", 6)}, nil, "overridden [burn LIGHT* Forest dry*] [] two"},
		{"a permit for someone else", []Norm{forest, permit}, func(a *Action) { a.Agent = "hero" }, "violated [burn LIGHT* Forest dry*] [] "},
		{"an equal permit", []Norm{forest.at(5), permit}, nil, "violated [burn LIGHT* Forest dry*] [] "},
		{"a dry run", []Norm{forest.dryRun()}, nil, "shadow [burn LIGHT* Forest dry*] [] "},
		{"a dry run that would not have counted", []Norm{forest.dryRun(), permit}, nil, "overridden [burn LIGHT* Forest dry*] [] rangers"},
		{"a shadow permit overrides nothing", []Norm{forest, permit.dryRun()}, nil, "violated [burn LIGHT* Forest dry*] [] "},
		{"a shadow permit would have counted", []Norm{permit.dryRun(), forest}, nil, "shadow [burn light* agent:ranger*] [] "},
		{"a permit, also where there is nothing to override", []Norm{permit}, nil, "permits [burn light* agent:ranger*] [] "},
		{"of two permits the higher is named", []Norm{forest, permit, permission("zz", "", "burn light*", 6)}, nil, "overridden [burn LIGHT* Forest dry*] [] zz"},
		{"of two equal permits the first by name is named", []Norm{forest, permit, permission("aa", "", "burn light*", 5)}, nil, "overridden [burn LIGHT* Forest dry*] [] aa"},
		{"a higher permit that is a dry run is not named", []Norm{forest, permit, permission("zz", "", "burn light*", 6).dryRun()}, nil, "overridden [burn LIGHT* Forest dry*] [] rangers"},
		{"another verb", []Norm{forest}, func(a *Action) { a.Verb, a.Target = "sing", "dry burn" }, ""},
	} {
		t.Run(c.why, func(t *testing.T) {
			constitution, err := Compile(c.norms...)
			require.NoError(t, err)
			a := action
			if c.do != nil {
				c.do(&a)
			}
			got := ""
			for _, f := range constitution.Explain(a) {
				if f.Norm.Name == c.norms[0].Name {
					require.Equal(t, c.norms[0], f.Norm)
					got += fmt.Sprintf("%s %v %v %s", f.Outcome, f.Matched, f.Missing, f.By)
				}
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestExplainBeginsWithWhatDecides(t *testing.T) {
	later := prohibition("g", "", "v").at(9)
	later.From = time.Unix(100, 0)
	c, err := Compile(prohibition("b", "", "v"), prohibition("h", "x", "v").at(9), prohibition("a", "x", "v").at(9), prohibition("c", "", "v").at(2), permission("d", "", "v", 1),
		prohibition("e", "", "w"), later, prohibition("f", "", "v").at(8).unless("v"), prohibition("i", "", "v").at(3).dryRun())
	require.NoError(t, err)
	names := ""
	for _, f := range c.Explain(Action{Verb: "v", Time: time.Unix(1, 0)}) {
		names += f.Norm.Name
	}
	require.Equal(t, "cibdfgah", names)
	require.Empty(t, c.Explain(Action{Location: "v"}))
}

func TestExplainSaysSinceWhenOrUntilWhen(t *testing.T) {
	noon := time.Date(2026, 12, 24, 12, 0, 0, 0, time.UTC)
	window := func(n Norm, from, until time.Time) Norm {
		n.From, n.Until = from, until
		return n
	}
	f, p := prohibition("n", "elsewhere", "v"), permission("n", "", "v", 0)
	for _, c := range []struct {
		why  string
		norm Norm
		at   time.Time
		by   string
	}{
		{"too early", window(f, noon, noon.Add(time.Hour)), noon.Add(-1), "from 2026-12-24T12:00:00Z"},
		{"too late", window(f, noon, noon.Add(time.Hour)), noon.Add(time.Hour), "until 2026-12-24T13:00:00Z"},
		{"too early, without an end", window(p, noon, time.Time{}), noon.Add(-1), "from 2026-12-24T12:00:00Z"},
		{"too late, without a beginning", window(f, time.Time{}, noon), noon, "until 2026-12-24T12:00:00Z"},
		{"a permit, for an action without a time", window(p, noon, noon.Add(time.Hour)), time.Time{}, "from 2026-12-24T12:00:00Z"},
		{"a permit without a beginning, for an action without a time", window(p, time.Time{}, noon), time.Time{}, "until 2026-12-24T12:00:00Z"},
	} {
		t.Run(c.why, func(t *testing.T) {
			constitution, err := Compile(c.norm)
			require.NoError(t, err)
			fs := constitution.Explain(Action{Verb: "v", Time: c.at})
			require.Len(t, fs, 1)
			require.Equal(t, Finding{Norm: c.norm, Outcome: OutcomeInactive, Matched: []string{"v"}, By: c.by}, fs[0])
		})
	}
}

// Explain and Check are written apart: they must agree on every action.
func TestExplainAgreesWithCheckInRandomWorlds(t *testing.T) {
	outcomes := map[Outcome]int{}
	for seed := range uint64(300) {
		w := plainWorld(seed)
		if seed%2 == 1 {
			w = hostileWorld(seed)
		}
		norms := w.norms(1 + w.IntN(12))
		c, err := Compile(norms...)
		require.NoError(t, err)
		for range 30 {
			a := w.action()
			explained, checked, bites := []string{}, []string{}, false
			for _, f := range c.Explain(a) {
				outcomes[f.Outcome]++
				if f.Outcome == OutcomeViolated || f.Outcome == OutcomeShadow && f.Norm.Prohibited != "" {
					explained = append(explained, fmt.Sprint(f.Norm.Name, f.Outcome == OutcomeShadow))
				}
				bites = bites || f.Outcome == OutcomeViolated
				require.Equal(t, f.Outcome == OutcomeUnmet, len(f.Missing) > 0)
				require.Equal(t, f.Outcome == OutcomeExempt || f.Outcome == OutcomeOverridden || f.Outcome == OutcomeInactive, f.By != "")
				if f.Outcome == OutcomeOverridden {
					p, ok := c.Norm(f.By)
					require.True(t, ok && p.Permitted != "" && !p.Shadow && p.Priority > f.Norm.Priority && twinSplit(a).applies(p), "%+v overrides %+v", p, f)
				}
			}
			for _, v := range c.Check(a) {
				checked = append(checked, fmt.Sprint(v.NormName, v.Shadow))
			}
			require.ElementsMatch(t, checked, explained, "%+v\nin %+v", a, norms)
			require.Equal(t, c.Allows(a), !bites)
		}
	}
	for _, o := range []Outcome{OutcomeViolated, OutcomeShadow, OutcomeOverridden, OutcomeExempt, OutcomeUnmet, OutcomePermits, OutcomeInactive} {
		require.Greater(t, outcomes[o], 100, "the worlds are rich enough in %s", o)
	}
}

func TestFindingAsJSON(t *testing.T) {
	c, err := Compile(prohibition("a", "x y", "v"), permission("p", "", "v", 1), prohibition("b", "", "v"))
	require.NoError(t, err)
	b, err := json.Marshal(c.Explain(Action{Verb: "v", Location: "x"}))
	require.NoError(t, err)
	var list []struct {
		Norm             Norm
		Outcome, By      string
		Matched, Missing []string
	}
	require.NoError(t, json.Unmarshal(b, &list))
	require.Len(t, list, 3)
	require.Equal(t, "p", list[0].By)
	require.Equal(t, "permits", list[1].Outcome)
	require.Equal(t, prohibition("a", "x y", "v"), list[2].Norm)
	require.Equal(t, []string{"y"}, list[2].Missing)
	require.Equal(t, []string{"v", "x"}, list[2].Matched)
	require.NotContains(t, string(b), "null")
}

func BenchmarkExplain(b *testing.B) {
	for _, sharing := range []int{1, 100} {
		b.Run(fmt.Sprintf("norms=10000/sharing=%d", sharing), func(b *testing.B) {
			c, err := Compile(manyNorms(10_000, func(i int) Norm {
				return prohibition("", fmt.Sprintf("zone-%d red", i), fmt.Sprintf("verb-%d", i/sharing))
			})...)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if len(c.Explain(Action{Verb: "verb-7", Location: "zone-7", Faction: "red"})) != sharing {
					b.Fatal("findings")
				}
			}
		})
	}
}
