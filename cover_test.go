package normsync

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

	"github.com/normsync/normsync/internal/token"
)

func covered(t testing.TB, norms []Norm, actions ...Action) map[string]Coverage {
	t.Helper()
	c, err := Compile(norms...)
	require.NoError(t, err)
	byName := map[string]Coverage{}
	for _, n := range Cover(c, slices.Values(actions)) {
		byName[n.Norm] = n
	}
	require.Len(t, byName, len(norms), "every norm once")
	return byName
}

func TestCoverSaysWhyANormNeverFires(t *testing.T) {
	monday := time.Date(2030, 5, 6, 9, 0, 0, 0, time.UTC)
	got := covered(t, []Norm{
		prohibition("peace", "safe_zone", "attack").unless("duel"),
		prohibition("typo in the verb", "safe_zone", "atack"),
		prohibition("wrong field", "location:hero", "attack"),
		permission("arena", "arena", "attack", 5),
	},
		Action{Agent: "zoe", Verb: "attack", Location: "safe_zone", Target: "hero", Time: monday.Add(time.Hour)},
		Action{Agent: "ZOE", Verb: "attack", Location: "safe_zone", Time: monday},
		Action{Agent: "bob", Verb: "attack", Location: "safe_zone"},
		Action{Agent: "bob", Verb: "attack", Location: "safe_zone arena"},
		Action{Agent: "bob", Verb: "attack", Location: "safe_zone duel"},
		Action{Agent: "bob", Verb: "attack", Location: "field"},
		Action{Agent: "bob", Verb: "walk", Location: "safe_zone"},
	)
	require.Equal(t, map[string]Coverage{
		"peace": {Norm: "peace", Actions: 6, Applied: 4, Violated: 3, Overridden: 1, Exempt: 1, Agents: 2, First: monday, Last: monday.Add(time.Hour),
			Example: Action{Agent: "zoe", Verb: "attack", Location: "safe_zone", Target: "hero", Time: monday.Add(time.Hour)}, Unseen: []UnseenToken{}},
		"typo in the verb": {Norm: "typo in the verb", Unseen: []UnseenToken{{"atack", "attack"}}},
		"wrong field":      {Norm: "wrong field", Actions: 6, Unseen: []UnseenToken{{"location:hero", "target:hero"}}},
		"arena":            {Norm: "arena", Actions: 6, Applied: 1, Unseen: []UnseenToken{}},
	}, got)
	require.Empty(t, Cover(new(Constitution), slices.Values([]Action{{Verb: "attack"}})))
}

func TestCoverFindsMisspellings(t *testing.T) {
	world := []Action{
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
			require.Equal(t, []UnseenToken{{c.token, c.nearest}}, covered(t, []Norm{n}, world...)["n"].Unseen)
		})
	}
}

func TestCoverCountsWindowsAsExplainDoes(t *testing.T) {
	at := func(sec int64) Action { return Action{Agent: "zoe", Verb: "attack", Time: time.Unix(sec, 0).UTC()} }
	got := covered(t, []Norm{
		prohibition("event", "", "attack").within(5, 9),
		permission("truce", "", "attack", 1).within(7, 8),
	}, at(4), at(5), at(7), at(8), at(9), Action{Agent: "zoe", Verb: "attack"})
	require.Equal(t, map[string]Coverage{
		"event": {Norm: "event", Actions: 6, Applied: 4, Violated: 3, Overridden: 1, Agents: 1, First: at(5).Time, Last: at(8).Time, Example: at(5), Unseen: []UnseenToken{}},
		"truce": {Norm: "truce", Actions: 6, Applied: 1, Unseen: []UnseenToken{}},
	}, got)
}

func TestCoverCountsAPermitOfOneWordOfTwo(t *testing.T) {
	got := covered(t, []Norm{prohibition("f", "", "attack poison"), permission("p", "", "attack", 1)},
		Action{Verb: "attack"}, Action{Verb: "attack poison"}, Action{Verb: "attack walk"})["f"]
	require.Equal(t, []int{3, 3, 1, 2}, []int{got.Actions, got.Applied, got.Violated, got.Overridden})
}

func TestCoverLooksAtEachAlternativeAndField(t *testing.T) {
	world := []Action{{Agent: "Anna", Verb: "attack", Location: "town", Target: "goblin", Faction: "red", Facts: "night war"}, {Agent: "bo\u017Fs", Verb: "walk\u200B"}}
	for tokens, want := range map[string][]UnseenToken{
		"town|night|facts:x":       {{"facts:x", ""}},
		"location:town|tonw|night": {{"location:tonw", "town"}, {"location:night", "facts:night"}},
		`goblin|a\|b|gobiln`:       {{`a\|b`, ""}, {"gobiln", "goblin"}},
		"facts:nigth war":          {{"facts:nigth", "night"}},
		"verb:atack|walk":          {{"action:atack", "attack"}},
		"agent:anna|ANN*|bob":      {{"agent:bob", ""}},
		"agent:boss":               {{"agent:boss", "bo\u017Fs"}},
		"walk wa\u00ADlk verb:w*":  {},
	} {
		got := covered(t, []Norm{prohibition("n", tokens, "attack")}, world...)["n"].Unseen
		require.Equal(t, want, got, tokens)
	}
}

// JSON has times as numbers, as it has in actions.
func TestCoverageInJSON(t *testing.T) {
	want := Coverage{Norm: "n", Actions: 3, Applied: 2, Violated: 1, Agents: 1, First: time.Unix(3, 5).UTC(), Last: time.Unix(1e9, 0).UTC(),
		Example: Action{Agent: "a", Verb: "v", Time: time.Unix(3, 5).UTC()}, Unseen: []UnseenToken{{"x", "y"}, {"z", ""}}}
	b, err := json.Marshal([]Coverage{want, {}})
	require.NoError(t, err)
	var list []map[string]any
	require.NoError(t, json.Unmarshal(b, &list))
	require.Equal(t, []string{"actions", "agents", "applied", "example", "exempt", "first", "last", "norm", "overridden", "unseen", "violated"}, slices.Sorted(maps.Keys(list[0])))
	require.Contains(t, string(b), `"first":3.000000005,"last":1000000000`)
	require.Equal(t, []any{0.0, 0.0}, []any{list[1]["first"], list[1]["last"]})
	var back []Coverage
	require.NoError(t, json.Unmarshal(b, &back))
	require.Equal(t, []Coverage{want, {}}, back)

	_, err = json.Marshal(Coverage{Example: Action{Metadata: "{"}})
	require.ErrorIs(t, err, ErrInvalid)
	for _, text := range []string{`{"first": "today"}`, `[]`, `{"last": true}`} {
		require.ErrorContains(t, json.Unmarshal([]byte(text), &want), "normsync: decode coverage: ", text)
	}
}

// slowCover counts the findings of Explain and the violations of Check, norm by norm.
func slowCover(c *Constitution, norms []Norm, actions []Action) []Coverage {
	var report []Coverage
	for _, n := range norms {
		v := Coverage{Norm: n.Name}
		agents := map[string]bool{}
		for _, a := range actions {
			for _, f := range c.Explain(a) {
				if f.Norm.Name != n.Name {
					continue
				}
				v.Actions++
				switch f.Outcome {
				case OutcomeExempt:
					v.Exempt++
				case OutcomeOverridden:
					v.Applied++
					v.Overridden++
				case OutcomePermits, OutcomeViolated, OutcomeShadow:
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
	slices.SortFunc(report, func(a, b Coverage) int { return strings.Compare(a.Norm, b.Norm) })
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
		c, err := Compile(norms...)
		require.NoError(t, err)
		actions := make([]Action, 30)
		for i := range actions {
			actions[i] = w.action()
		}
		got := Cover(c, slices.Values(actions))
		for i, want := range slowCover(c, norms, actions) {
			want.Unseen, want.First, want.Last, want.Example = got[i].Unseen, got[i].First, got[i].Last, got[i].Example
			require.Equal(t, want, got[i])

			n, _ := c.Norm(want.Norm)
			var unseen []string
			none := func(found func(twinFields) bool) bool {
				return !slices.ContainsFunc(actions, func(a Action) bool { return found(twinSplit(a)) })
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
	actions := make([]Action, 100_000)
	for i := range actions {
		actions[i] = Action{Agent: fmt.Sprint("agent-", i%500), Verb: of(verbs), Location: of(places) + " " + of(places), Target: fmt.Sprint("thing-", r.IntN(10_000))}
	}
	for _, typos := range []bool{false, true} {
		b.Run(fmt.Sprintf("actions=100000/norms=1000/typos=%v", typos), func(b *testing.B) {
			norms := make([]Norm, 1000)
			for i := range norms {
				norms[i] = prohibition(fmt.Sprint("norm ", i), of(places)+" "+of(places), of(verbs)+" "+of(verbs))
				if typos {
					norms[i].Condition += fmt.Sprint(" thlng-", i)
				}
			}
			c, err := Compile(norms...)
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				Cover(c, slices.Values(actions))
			}
		})
	}
}
