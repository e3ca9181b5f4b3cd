package normsync

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExplainTellsTheFirstThatHolds(t *testing.T) {
	forest := prohibition("no-fire", "Forest dry*", "burn LIGHT*").unless("ranger faction:crew rain")
	permit := permission("rangers", "agent:ranger*", "burn", 5)
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
		{"a permit for someone else", []Norm{forest, permit}, func(a *Action) { a.Agent = "hero" }, "violated [burn LIGHT* Forest dry*] [] "},
		{"an equal permit", []Norm{forest.at(5), permit}, nil, "violated [burn LIGHT* Forest dry*] [] "},
		{"a dry run", []Norm{forest.dryRun()}, nil, "shadow [burn LIGHT* Forest dry*] [] "},
		{"a dry run that would not have counted", []Norm{forest.dryRun(), permit}, nil, "overridden [burn LIGHT* Forest dry*] [] rangers"},
		{"a shadow permit overrides nothing", []Norm{forest, permit.dryRun()}, nil, "violated [burn LIGHT* Forest dry*] [] "},
		{"a shadow permit would have counted", []Norm{permit.dryRun(), forest}, nil, "shadow [burn agent:ranger*] [] "},
		{"a permit, also where there is nothing to override", []Norm{permit}, nil, "permits [burn agent:ranger*] [] "},
		{"of two permits the higher is named", []Norm{forest, permit, permission("zz", "", "burn", 6)}, nil, "overridden [burn LIGHT* Forest dry*] [] zz"},
		{"of two equal permits the first by name is named", []Norm{forest, permit, permission("aa", "", "burn", 5)}, nil, "overridden [burn LIGHT* Forest dry*] [] aa"},
		{"a higher permit that is a dry run is not named", []Norm{forest, permit, permission("zz", "", "burn", 6).dryRun()}, nil, "overridden [burn LIGHT* Forest dry*] [] rangers"},
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

func TestExplainIsInTheOrderOfViolations(t *testing.T) {
	c, err := Compile(prohibition("b", "", "v"), prohibition("a", "x", "v"), prohibition("c", "", "v").at(2), permission("d", "", "v", 1), prohibition("e", "", "w"))
	require.NoError(t, err)
	names := ""
	for _, f := range c.Explain(Action{Verb: "v"}) {
		names += f.Norm.Name
	}
	require.Equal(t, "cdab", names)
	require.Empty(t, c.Explain(Action{Location: "v"}))
}

// Explain and Check are written apart: they must agree on every action.
func TestExplainAgreesWithCheckInRandomWorlds(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 4))
	words := strings.Fields("attack Attack ATTACKS loot zone safe_zone Zon\u017F red ſtraße STRASSE 睡觉 睡 \u212Aelvin kelvin ée\u0301 x:y")
	text := func(n int) string {
		var b strings.Builder
		for range r.IntN(n + 1) {
			b.WriteString(words[r.IntN(len(words))] + []string{" ", "\t", "\u3000", " \n", "\xff", "\xe2\x82 "}[r.IntN(6)])
		}
		return b.String()
	}
	tokens := func(least, n int, fields ...string) string {
		var ts []string
		for range least + r.IntN(n) {
			w := []rune(words[r.IntN(len(words))])
			switch r.IntN(6) {
			case 0:
				w = append(w[:1+r.IntN(len(w))], '*')
			case 1:
				w = []rune("*")
			}
			ts = append(ts, fields[r.IntN(len(fields))]+string(w))
		}
		return strings.Join(ts, " ")
	}
	outcomes := map[Outcome]int{}
	for range 300 {
		var norms []Norm
		for i := range 1 + r.IntN(12) {
			n := Norm{Name: fmt.Sprint("n", i), Priority: r.IntN(4), Shadow: r.IntN(5) == 0, Prohibited: tokens(1, 3, "")}
			n.Condition = tokens(0, 3, "", "", "", "location:", "Agent:", "action:")
			if r.IntN(3) == 0 {
				n.Unless = tokens(1, 2, "", "target:")
			}
			if r.IntN(3) == 0 {
				n.Prohibited, n.Permitted = "", n.Prohibited
			}
			norms = append(norms, n)
		}
		c, err := Compile(norms...)
		require.NoError(t, err)
		for range 30 {
			a := Action{Agent: text(1), Verb: text(2), Location: text(3), Target: text(2), Faction: text(1)}
			explained, checked, bites := []string{}, []string{}, false
			for _, f := range c.Explain(a) {
				outcomes[f.Outcome]++
				if f.Outcome == OutcomeViolated || f.Outcome == OutcomeShadow && f.Norm.Prohibited != "" {
					explained = append(explained, fmt.Sprint(f.Norm.Name, f.Outcome == OutcomeShadow))
				}
				bites = bites || f.Outcome == OutcomeViolated
				require.Equal(t, f.Outcome == OutcomeUnmet, len(f.Missing) > 0)
				require.Equal(t, f.Outcome == OutcomeExempt || f.Outcome == OutcomeOverridden, f.By != "")
			}
			for _, v := range c.Check(a) {
				checked = append(checked, fmt.Sprint(v.NormName, v.Shadow))
			}
			require.Equal(t, checked, explained, "%+v\nin %+v", a, norms)
			require.Equal(t, c.Allows(a), !bites)
		}
	}
	for _, o := range []Outcome{OutcomeViolated, OutcomeShadow, OutcomeOverridden, OutcomeExempt, OutcomeUnmet, OutcomePermits} {
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
	require.Equal(t, "permits", list[0].Outcome)
	require.Equal(t, prohibition("a", "x y", "v"), list[1].Norm)
	require.Equal(t, []string{"y"}, list[1].Missing)
	require.Equal(t, []string{"v", "x"}, list[1].Matched)
	require.Equal(t, "p", list[2].By)
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
