package normsync_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/internal/token"
)

func TestExplainTellsTheFirstThatHolds(t *testing.T) {
	forest := prohibition("no-fire", "Forest dry*", "burn LIGHT*", unless("ranger faction:crew rain"))
	permit := permission("rangers", "agent:ranger*", "burn light*", 5)
	action := normsync.Action{Agent: "ranger-7", Verb: "burn lightly", Location: "the FOREST", Target: "dryad"}
	for _, c := range []struct {
		why   string
		norms []normsync.Norm // the first is the one that is asked about
		do    func(*normsync.Action)
		want  string // outcome, what was found, what is missing, and by what
	}{
		{"what is found is told as the norm has it", []normsync.Norm{forest}, nil, "violated [burn LIGHT* Forest dry*] [] "},
		{"some of the condition is missing", []normsync.Norm{forest}, func(a *normsync.Action) { a.Target = "" }, "unmet [burn LIGHT* Forest] [dry*] "},
		{"all of the condition is missing", []normsync.Norm{forest}, func(a *normsync.Action) { a.Target, a.Location = "", "" }, "unmet [burn LIGHT*] [Forest dry*] "},
		{"what is missing comes before what exempts", []normsync.Norm{forest}, func(a *normsync.Action) { a.Target = "rain" }, "unmet [burn LIGHT* Forest] [dry*] "},
		{"the first Unless token that is there", []normsync.Norm{forest}, func(a *normsync.Action) { a.Faction = "rain crew" }, "exempt [burn LIGHT* Forest dry*] [] faction:crew"},
		{"Unless comes before a permit", []normsync.Norm{forest, permit}, func(a *normsync.Action) { a.Faction = "rain" }, "exempt [burn LIGHT* Forest dry*] [] rain"},
		{"a higher permit", []normsync.Norm{forest, permit}, nil, "overridden [burn LIGHT* Forest dry*] [] rangers"},
		{"a permit for one of the words", []normsync.Norm{forest, permission("rangers", "", "burn", 5)}, nil, "violated [burn LIGHT* Forest dry*] [] "},
		{"permits for a word each", []normsync.Norm{forest, permission("one", "", "burn", 5), permission("two", "", "lightly", 6)}, nil, "overridden [burn LIGHT* Forest dry*] [] two"},
		{"a permit for someone else", []normsync.Norm{forest, permit}, func(a *normsync.Action) { a.Agent = "hero" }, "violated [burn LIGHT* Forest dry*] [] "},
		{"an equal permit", []normsync.Norm{with(forest, priority(5)), permit}, nil, "violated [burn LIGHT* Forest dry*] [] "},
		{"a dry run", []normsync.Norm{with(forest, dryRun)}, nil, "shadow [burn LIGHT* Forest dry*] [] "},
		{"a dry run that would not have counted", []normsync.Norm{with(forest, dryRun), permit}, nil, "overridden [burn LIGHT* Forest dry*] [] rangers"},
		{"a shadow permit overrides nothing", []normsync.Norm{forest, with(permit, dryRun)}, nil, "violated [burn LIGHT* Forest dry*] [] "},
		{"a shadow permit would have counted", []normsync.Norm{with(permit, dryRun), forest}, nil, "shadow [burn light* agent:ranger*] [] "},
		{"a permit, also where there is nothing to override", []normsync.Norm{permit}, nil, "permits [burn light* agent:ranger*] [] "},
		{"of two permits the higher is named", []normsync.Norm{forest, permit, permission("zz", "", "burn light*", 6)}, nil, "overridden [burn LIGHT* Forest dry*] [] zz"},
		{"of two equal permits the first by name is named", []normsync.Norm{forest, permit, permission("aa", "", "burn light*", 5)}, nil, "overridden [burn LIGHT* Forest dry*] [] aa"},
		{"a higher permit that is a dry run is not named", []normsync.Norm{forest, permit, permission("zz", "", "burn light*", 6, dryRun)}, nil, "overridden [burn LIGHT* Forest dry*] [] rangers"},
		{"another verb", []normsync.Norm{forest}, func(a *normsync.Action) { a.Verb, a.Target = "sing", "dry burn" }, ""},
	} {
		t.Run(c.why, func(t *testing.T) {
			constitution, err := normsync.Compile(c.norms...)
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
	later := prohibition("g", "", "v", priority(9))
	later.From = time.Unix(100, 0)
	c, err := normsync.Compile(prohibition("b", "", "v"), prohibition("h", "x", "v", priority(9)), prohibition("a", "x", "v", priority(9)), prohibition("c", "", "v", priority(2)), permission("d", "", "v", 1),
		prohibition("e", "", "w"), later, prohibition("f", "", "v", priority(8), unless("v")), prohibition("i", "", "v", priority(3), dryRun))
	require.NoError(t, err)
	names := ""
	for _, f := range c.Explain(normsync.Action{Verb: "v", Time: time.Unix(1, 0)}) {
		names += f.Norm.Name
	}
	require.Equal(t, "cibdfgah", names)
	require.Empty(t, c.Explain(normsync.Action{Location: "v"}))
}

func TestExplainSaysSinceWhenOrUntilWhen(t *testing.T) {
	noon := time.Date(2026, 12, 24, 12, 0, 0, 0, time.UTC)
	window := func(n normsync.Norm, from, until time.Time) normsync.Norm {
		n.From, n.Until = from, until
		return n
	}
	f, p := prohibition("n", "elsewhere", "v"), permission("n", "", "v", 0)
	for _, c := range []struct {
		why  string
		norm normsync.Norm
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
			constitution, err := normsync.Compile(c.norm)
			require.NoError(t, err)
			fs := constitution.Explain(normsync.Action{Verb: "v", Time: c.at})
			require.Len(t, fs, 1)
			require.Equal(t, normsync.Finding{Norm: c.norm, Outcome: normsync.OutcomeInactive, Matched: []string{"v"}, By: c.by}, fs[0])
		})
	}
}

// Explain and Check are written apart: they must agree on every action.
func TestExplainAgreesWithCheckInRandomWorlds(t *testing.T) {
	outcomes := map[normsync.Outcome]int{}
	for seed := range uint64(300) {
		w := plainWorld(seed)
		if seed%2 == 1 {
			w = hostileWorld(seed)
		}
		norms := w.norms(1 + w.IntN(12))
		c, err := normsync.Compile(norms...)
		require.NoError(t, err)
		for range 30 {
			a := w.action()
			explained, checked, bites := []string{}, []string{}, false
			for _, f := range c.Explain(a) {
				outcomes[f.Outcome]++
				if f.Outcome == normsync.OutcomeViolated || f.Outcome == normsync.OutcomeShadow && f.Norm.Prohibited != "" {
					explained = append(explained, fmt.Sprint(f.Norm.Name, f.Outcome == normsync.OutcomeShadow))
				}
				bites = bites || f.Outcome == normsync.OutcomeViolated
				require.Equal(t, f.Outcome == normsync.OutcomeUnmet, len(f.Missing) > 0)
				require.Equal(t, f.Outcome == normsync.OutcomeExempt || f.Outcome == normsync.OutcomeOverridden || f.Outcome == normsync.OutcomeInactive, f.By != "")
				if f.Outcome == normsync.OutcomeOverridden {
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
	for _, o := range []normsync.Outcome{normsync.OutcomeViolated, normsync.OutcomeShadow, normsync.OutcomeOverridden, normsync.OutcomeExempt, normsync.OutcomeUnmet, normsync.OutcomePermits, normsync.OutcomeInactive} {
		require.Greater(t, outcomes[o], 100, "the worlds are rich enough in %s", o)
	}
}

func TestFindingAsJSON(t *testing.T) {
	c, err := normsync.Compile(prohibition("a", "x y", "v"), permission("p", "", "v", 1), prohibition("b", "", "v"))
	require.NoError(t, err)
	b, err := json.Marshal(c.Explain(normsync.Action{Verb: "v", Location: "x"}))
	require.NoError(t, err)
	var list []struct {
		Norm             normsync.Norm
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
			c, err := normsync.Compile(manyNorms(10_000, func(i int) normsync.Norm {
				return prohibition("", fmt.Sprintf("zone-%d red", i), fmt.Sprintf("verb-%d", i/sharing))
			})...)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if len(c.Explain(normsync.Action{Verb: "verb-7", Location: "zone-7", Faction: "red"})) != sharing {
					b.Fatal("findings")
				}
			}
		})
	}
}

func covered(t testing.TB, norms []normsync.Norm, actions ...normsync.Action) map[string]normsync.Coverage {
	t.Helper()
	c, err := normsync.Compile(norms...)
	require.NoError(t, err)
	byName := map[string]normsync.Coverage{}
	for _, n := range normsync.Cover(c, slices.Values(actions)) {
		byName[n.Norm] = n
	}
	require.Len(t, byName, len(norms), "every norm once")
	return byName
}

func TestCoverSaysWhyANormNeverFires(t *testing.T) {
	monday := time.Date(2030, 5, 6, 9, 0, 0, 0, time.UTC)
	got := covered(t, []normsync.Norm{
		prohibition("peace", "safe_zone", "attack", unless("duel")),
		prohibition("typo in the verb", "safe_zone", "atack"),
		prohibition("wrong field", "location:hero", "attack"),
		permission("arena", "arena", "attack", 5),
	},
		normsync.Action{Agent: "zoe", Verb: "attack", Location: "safe_zone", Target: "hero", Time: monday.Add(time.Hour)},
		normsync.Action{Agent: "ZOE", Verb: "attack", Location: "safe_zone", Time: monday},
		normsync.Action{Agent: "bob", Verb: "attack", Location: "safe_zone"},
		normsync.Action{Agent: "bob", Verb: "attack", Location: "safe_zone arena"},
		normsync.Action{Agent: "bob", Verb: "attack", Location: "safe_zone duel"},
		normsync.Action{Agent: "bob", Verb: "attack", Location: "field"},
		normsync.Action{Agent: "bob", Verb: "walk", Location: "safe_zone"},
	)
	require.Equal(t, map[string]normsync.Coverage{
		"peace": {Norm: "peace", Actions: 6, Applied: 4, Violated: 3, Overridden: 1, Exempt: 1, Agents: 2, First: monday, Last: monday.Add(time.Hour),
			Example: normsync.Action{Agent: "zoe", Verb: "attack", Location: "safe_zone", Target: "hero", Time: monday.Add(time.Hour)}, Unseen: []normsync.UnseenToken{}},
		"typo in the verb": {Norm: "typo in the verb", Unseen: []normsync.UnseenToken{{"atack", "attack"}}},
		"wrong field":      {Norm: "wrong field", Actions: 6, Unseen: []normsync.UnseenToken{{"location:hero", "target:hero"}}},
		"arena":            {Norm: "arena", Actions: 6, Applied: 1, Unseen: []normsync.UnseenToken{}},
	}, got)
	require.Empty(t, normsync.Cover(new(normsync.Constitution), slices.Values([]normsync.Action{{Verb: "attack"}})))
}

func TestCoverFindsMisspellings(t *testing.T) {
	world := []normsync.Action{
		{Agent: "hero", Verb: "Attack", Location: "safe_zone town", Target: "goblin", Faction: "red"},
		{Agent: "hero", Verb: "attack", Location: "safe_zone"},
		{Agent: "gm-anna", Verb: "cast_fireball", Location: "market", Faction: "blue"},
	}
	for _, c := range []struct{ field, token, nearest string }{
		{"Prohibited", "atack", "Attack"},
		{"Prohibited", "attacks", "Attack"},
		{"Prohibited", "csat_*", "cast_fireball"},
		{"Prohibited", "teleport", ""},
		{"Prohibited", "goblin", "target:goblin"},
		{"Condition", "safezone", "safe_zone"},
		{"Condition", "makret", "market"},
		{"Condition", "location:goblin", "target:goblin"},
		{"Condition", "location:gob*", "target:goblin"},
		{"Condition", "faction:rde", "red"},
		{"Condition", "hero", "agent:hero"},
		{"Condition", "target:market", "location:market"},
		{"Condition", "locaton:town", ""},
		{"Unless", "agent:gm_anna", "gm-anna"},
		{"Unless", "agent:gn-*", "gm-anna"},
		{"Condition", "bl", ""},
	} {
		t.Run(c.token, func(t *testing.T) {
			n := prohibition("n", "", "attack")
			switch c.field {
			case "Prohibited":
				n.Prohibited = c.token
			case "Condition":
				n.Condition = c.token
			case "Unless":
				n.Unless = c.token
			}
			require.Equal(t, []normsync.UnseenToken{{c.token, c.nearest}}, covered(t, []normsync.Norm{n}, world...)["n"].Unseen)
		})
	}
}

func TestCoverCountsWindowsAsExplainDoes(t *testing.T) {
	at := func(sec int64) normsync.Action {
		return normsync.Action{Agent: "zoe", Verb: "attack", Time: time.Unix(sec, 0).UTC()}
	}
	got := covered(t, []normsync.Norm{
		prohibition("event", "", "attack", within(5, 9)),
		permission("truce", "", "attack", 1, within(7, 8)),
	}, at(4), at(5), at(7), at(8), at(9), normsync.Action{Agent: "zoe", Verb: "attack"})
	require.Equal(t, map[string]normsync.Coverage{
		"event": {Norm: "event", Actions: 6, Applied: 4, Violated: 3, Overridden: 1, Agents: 1, First: at(5).Time, Last: at(8).Time, Example: at(5), Unseen: []normsync.UnseenToken{}},
		"truce": {Norm: "truce", Actions: 6, Applied: 1, Unseen: []normsync.UnseenToken{}},
	}, got)
}

func TestCoverCountsAPermitOfOneWordOfTwo(t *testing.T) {
	got := covered(t, []normsync.Norm{prohibition("f", "", "attack poison"), permission("p", "", "attack", 1)},
		normsync.Action{Verb: "attack"}, normsync.Action{Verb: "attack poison"}, normsync.Action{Verb: "attack walk"})["f"]
	require.Equal(t, []int{3, 3, 1, 2}, []int{got.Actions, got.Applied, got.Violated, got.Overridden})
}

func TestCoverLooksAtEachAlternativeAndField(t *testing.T) {
	world := []normsync.Action{{Agent: "Anna", Verb: "attack", Location: "town", Target: "goblin", Faction: "red", Facts: "night war"}, {Agent: "bo\u017Fs", Verb: "walk\u200B"}}
	for tokens, want := range map[string][]normsync.UnseenToken{
		"town|night|facts:x":       {{"facts:x", ""}},
		"location:town|tonw|night": {{"location:tonw", "town"}, {"location:night", "facts:night"}},
		`goblin|a\|b|gobiln`:       {{`a\|b`, ""}, {"gobiln", "goblin"}},
		"facts:nigth war":          {{"facts:nigth", "night"}},
		"verb:atack|walk":          {{"action:atack", "attack"}},
		"agent:anna|ANN*|bob":      {{"agent:bob", ""}},
		"agent:boss":               {{"agent:boss", "bo\u017Fs"}},
		"walk wa\u00ADlk verb:w*":  {},
	} {
		got := covered(t, []normsync.Norm{prohibition("n", tokens, "attack")}, world...)["n"].Unseen
		require.Equal(t, want, got, tokens)
	}
}

// JSON has times as numbers, as it has in actions.
func TestCoverageInJSON(t *testing.T) {
	want := normsync.Coverage{Norm: "n", Actions: 3, Applied: 2, Violated: 1, Agents: 1, First: time.Unix(3, 5).UTC(), Last: time.Unix(1e9, 0).UTC(),
		Example: normsync.Action{Agent: "a", Verb: "v", Time: time.Unix(3, 5).UTC()}, Unseen: []normsync.UnseenToken{{"x", "y"}, {"z", ""}}}
	b, err := json.Marshal([]normsync.Coverage{want, {}})
	require.NoError(t, err)
	var list []map[string]any
	require.NoError(t, json.Unmarshal(b, &list))
	require.Equal(t, []string{"actions", "agents", "applied", "example", "exempt", "first", "last", "norm", "overridden", "unseen", "violated"}, slices.Sorted(maps.Keys(list[0])))
	require.Contains(t, string(b), `"first":3.000000005,"last":1000000000`)
	require.Equal(t, []any{0.0, 0.0}, []any{list[1]["first"], list[1]["last"]})
	var back []normsync.Coverage
	require.NoError(t, json.Unmarshal(b, &back))
	require.Equal(t, []normsync.Coverage{want, {}}, back)

	_, err = json.Marshal(normsync.Coverage{Example: normsync.Action{Metadata: "{"}})
	require.ErrorIs(t, err, normsync.ErrInvalid)
	for _, text := range []string{`{"first": "today"}`, `[]`, `{"last": true}`} {
		require.ErrorContains(t, json.Unmarshal([]byte(text), &want), "normsync: decode coverage: ", text)
	}
}

// slowCover counts the findings of Explain and the violations of Check, norm by norm.
func slowCover(c *normsync.Constitution, norms []normsync.Norm, actions []normsync.Action) []normsync.Coverage {
	var report []normsync.Coverage
	for _, n := range norms {
		v := normsync.Coverage{Norm: n.Name}
		agents := map[string]bool{}
		for _, a := range actions {
			for _, f := range c.Explain(a) {
				if f.Norm.Name != n.Name {
					continue
				}
				v.Actions++
				switch f.Outcome {
				case normsync.OutcomeExempt:
					v.Exempt++
				case normsync.OutcomeOverridden:
					v.Applied++
					v.Overridden++
				case normsync.OutcomePermits, normsync.OutcomeViolated, normsync.OutcomeShadow:
					v.Applied++
				}
			}
			for _, found := range c.Check(a) {
				if found.NormName == n.Name {
					v.Violated++
					agents[token.Fold(a.Agent)] = true
				}
			}
		}
		v.Agents = len(agents)
		report = append(report, v)
	}
	slices.SortFunc(report, func(a, b normsync.Coverage) int { return strings.Compare(a.Norm, b.Norm) })
	return report
}

// Cover agrees with Explain and Check on every norm and action, and with the
// twin on which tokens no action has.
func TestCoverAgreesWithExplain(t *testing.T) {
	for seed := range uint64(60) {
		w := plainWorld(seed)
		if seed%2 == 1 {
			w = hostileWorld(seed)
		}
		norms := w.norms(20)
		c, err := normsync.Compile(norms...)
		require.NoError(t, err)
		actions := make([]normsync.Action, 30)
		for i := range actions {
			actions[i] = w.action()
		}
		got := normsync.Cover(c, slices.Values(actions))
		for i, want := range slowCover(c, norms, actions) {
			want.Unseen, want.First, want.Last, want.Example = got[i].Unseen, got[i].First, got[i].Last, got[i].Example
			require.Equal(t, want, got[i])

			n, _ := c.Norm(want.Norm)
			var unseen []string
			none := func(found func(twinFields) bool) bool {
				return !slices.ContainsFunc(actions, func(a normsync.Action) bool { return found(twinSplit(a)) })
			}
			for _, tok := range strings.Fields(n.Prohibited + n.Permitted) {
				if none(func(f twinFields) bool {
					return slices.ContainsFunc(f.words["verb"], func(word string) bool { return twinNames(tok, word) })
				}) {
					unseen = append(unseen, tok)
				}
			}
			for _, tok := range strings.Fields(n.Condition + " " + n.Unless) {
				p, more := token.Parse(tok)
				if more == "" {
					if none(func(f twinFields) bool { return f.has(tok) }) {
						unseen = append(unseen, tok)
					}
					continue
				}
				for ; ; p, more = p.Or(more) {
					if none(func(f twinFields) bool { return f.has(p.String()) }) {
						unseen = append(unseen, p.String())
					}
					if more == "" {
						break
					}
				}
			}
			var tokens []string
			for _, u := range got[i].Unseen {
				tokens = append(tokens, u.Token)
			}
			require.Equal(t, unseen, tokens, "%+v", n)
		}
	}
}

func BenchmarkCover(b *testing.B) {
	verbs := strings.Fields("attack trade loot walk talk heal cast_fire cast_ice open close give take steal guard follow")
	places := strings.Fields("town market forest swamp bridge harbor temple arena tavern mine tower castle field road river")
	r := rand.New(rand.NewPCG(9, 9))
	of := func(list []string) string { return list[r.IntN(len(list))] }
	actions := make([]normsync.Action, 100_000)
	for i := range actions {
		actions[i] = normsync.Action{Agent: fmt.Sprint("agent-", i%500), Verb: of(verbs), Location: of(places) + " " + of(places), Target: fmt.Sprint("thing-", r.IntN(10_000))}
	}
	for _, typos := range []bool{false, true} {
		b.Run(fmt.Sprintf("actions=100000/norms=1000/typos=%v", typos), func(b *testing.B) {
			norms := make([]normsync.Norm, 1000)
			for i := range norms {
				norms[i] = prohibition(fmt.Sprint("norm ", i), of(places)+" "+of(places), of(verbs)+" "+of(verbs))
				if typos {
					norms[i].Condition += fmt.Sprint(" thlng-", i)
				}
			}
			c, err := normsync.Compile(norms...)
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				normsync.Cover(c, slices.Values(actions))
			}
		})
	}
}
