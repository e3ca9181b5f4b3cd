package normsync

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync/internal/index"
	"github.com/normsync/normsync/internal/token"
)

func TestCompileRefuses(t *testing.T) {
	fine := Norm{Name: "fine", Prohibited: "attack"}
	_, err := Compile(fine, Norm{Name: "toll", Condition: "bridge == closed", Prohibited: "cross"})
	require.ErrorIs(t, err, ErrInvalid)
	require.ErrorContains(t, err, "norm 2 of 2")
	require.ErrorContains(t, err, "toll")
	_, err = Compile(fine, Norm{Name: "fine", Prohibited: "loot"})
	require.ErrorIs(t, err, ErrExists)
	require.ErrorContains(t, err, `"fine"`)
	_, err = Compile(fine, Norm{Name: "fine", Prohibited: "=", Repealed: true})
	require.NoError(t, err, "what is repealed is passed over")
	c, err := Compile(Norm{Name: "gone", Repealed: true}, fine)
	require.NoError(t, err)
	require.Equal(t, 1, c.Len(), "and nothing else is")
}

func TestConstitutionKeepsNothingOfItsArgument(t *testing.T) {
	norms := []Norm{{Name: "b", Prohibited: "attack", Scope: "global"}, {Name: "a", Permitted: "heal"}}
	c, err := Compile(norms...)
	require.NoError(t, err)
	norms[0].Name = "changed"
	require.Equal(t, []Norm{{Name: "a", Permitted: "heal"}, {Name: "b", Prohibited: "attack"}}, slices.Collect(c.All()), "by name, and the scope that everything has is not said")
	n, ok := c.Norm("b")
	require.True(t, ok)
	require.Equal(t, "attack", n.Prohibited)
	_, ok = c.Norm("changed")
	require.False(t, ok)
	require.Equal(t, 2, c.Len())
	for range c.All() {
		break
	}
}

func TestZeroConstitutionAllowsEverything(t *testing.T) {
	var c Constitution
	require.True(t, c.Allows(Action{Verb: "attack"}))
	require.Nil(t, c.Check(Action{Verb: "attack"}))
	require.Empty(t, c.Explain(Action{Verb: "attack"}))
	require.Empty(t, slices.Collect(c.All()))
	require.Zero(t, c.Len())
	require.Zero(t, c.Edition())
}

// A constitution that follows one with prefixes counts them for itself.
func TestSuccessorsOfAConstitutionShareNoCounts(t *testing.T) {
	a, b := Norm{Name: "a", Condition: "br*", Prohibited: "cross"}, Norm{Name: "b", Condition: "ga*", Prohibited: "cross"}
	c, err := Compile(a, b)
	require.NoError(t, err)
	without := func(n Norm) *Constitution {
		return c.Successor(Revision{Edition: 1, Version: 2, Change: Repeal(n.Name)})
	}
	require.Empty(t, without(a).Check(Action{Verb: "cross", Location: "bridge"}))
	require.Len(t, without(b).Check(Action{Verb: "cross", Location: "bridge"}), 1)
	require.Len(t, without(a).Check(Action{Verb: "cross", Location: "gate"}), 1)
}

// A check does not search actions for tokens that no norm in force uses.
func TestOnlyWhatNormsAskForIsPaidFor(t *testing.T) {
	plain := Norm{Name: "plain", Condition: "bridge location:gate", Unless: "agent:staff* ferry*", Prohibited: "cross"}
	m, err := NewMonitor(plain)
	require.NoError(t, err)
	asked := func() features { return m.Constitution().forbid.features }
	require.Equal(t, features{}, asked(), "words, fields but the agent's, and Unless ask for nothing more")
	for _, n := range []Norm{
		{Name: "special", Condition: "bri*", Prohibited: "cross"},
		{Name: "special", Condition: "location:bri*", Prohibited: "cross"},
		{Name: "special", Prohibited: "cro*"},
		{Name: "special", Condition: "action:cro*", Prohibited: "cross"},
		{Name: "special", Condition: "agent:troll", Prohibited: "cross"},
		{Name: "special", Condition: "agent:troll*", Prohibited: "cross"},
	} {
		for _, changes := range [][]Change{{Enact(n)}, {Amend(Norm{Name: "special", Prohibited: "cross"})}, {Amend(n)}, {Repeal("special")}} {
			_, err := m.Apply(t.Context(), changes...)
			require.NoError(t, err)
			special := changes[0].Norm.Name == "special" && changes[0].Norm == n
			require.Equal(t, special, asked().any, "%s %+v", changes[0].Kind, changes[0].Norm)
			if !special {
				require.Equal(t, features{}, asked(), "what was asked for is forgotten with the norm")
			}
		}
	}
	_, err = m.Apply(t.Context(), Enact(Norm{Name: "permit", Condition: "tick* agent:troll", Permitted: "cro*"}))
	require.NoError(t, err)
	require.Equal(t, features{}, asked(), "what permits ask for is looked for when a prohibition has matched")
}

// The longest prefix that Validate lets through has MaxPrefix bytes.
func TestTheLongestPrefixesAreFound(t *testing.T) {
	long := strings.Repeat("x", token.MaxPrefix)
	for _, n := range []Norm{
		{Name: "any field", Condition: long + "*", Prohibited: "cross"},
		{Name: "one field", Condition: "location:" + long[len("location:"):] + "*", Prohibited: "cross"},
		{Name: "verb", Prohibited: long + "*"},
		{Name: "agent", Condition: "agent:" + long[len("agent:"):] + "*", Prohibited: "cross"},
	} {
		t.Run(n.Name, func(t *testing.T) {
			require.NoError(t, n.Validate())
			c, err := Compile(n)
			require.NoError(t, err)
			a := Action{Agent: long, Verb: "cross " + long + "y", Location: long}
			require.Len(t, c.Check(a), 1)
			for _, field := range []*string{&a.Agent, &a.Verb, &a.Location} {
				*field = strings.ReplaceAll(*field, "x", "z")
			}
			require.Empty(t, c.Check(a))
		})
	}
}

func TestPrefixesInConditionsCountNotAsVerbs(t *testing.T) {
	a := Action{Verb: "cross", Location: "bridge"}
	verbs := func(n Norm) uint64 {
		c, err := Compile(n)
		require.NoError(t, err)
		_, _, verbs := c.forbid.features.grownKeys(nil, subject{action: &a})
		return verbs
	}
	plain := verbs(Norm{Name: "n", Condition: "bridge", Prohibited: "cross"})
	require.Equal(t, plain, verbs(Norm{Name: "n", Condition: "br*", Prohibited: "cross"}))
	prefix := index.Verbs([]uint64{token.ParseVerb("cr*").Hash()})
	require.Equal(t, plain|prefix, verbs(Norm{Name: "n", Condition: "bridge", Prohibited: "cr*"}))
}

func TestVerbsAreThoseOfTheNormsInForce(t *testing.T) {
	c, err := Compile(
		Norm{Name: "b", Prohibited: "Attack cast_*"},
		Norm{Name: "a", Permitted: "attack heal", Priority: 1},
		Norm{Name: "c", Condition: "verb:steal", Prohibited: "HEAL CAST_* cast_"},
	)
	require.NoError(t, err)
	require.Equal(t, []string{"attack", "heal", "cast_*", "cast_"}, slices.Collect(c.Verbs()))
	for verb := range c.Verbs() {
		require.Equal(t, "attack", verb)
		break
	}
	require.Empty(t, slices.Collect(new(Constitution).Verbs()))
}

func TestAnyOfTokenHasAnEntryForEachAlternative(t *testing.T) {
	for condition, entries := range map[string]int{"forest": 2, "forest|swamp|marsh": 6, "forest|swamp|marsh night": 2} {
		c, err := Compile(Norm{Name: "camping", Condition: condition, Prohibited: "camp fish"})
		require.NoError(t, err)
		require.Equal(t, entries, c.forbid.clauses.Len(), condition)
	}
}

// A norm that was replaced or repealed leaves nothing behind in the index, whatever
// alternatives it was filed under.
func TestNormsWithAlternativesComeAndGo(t *testing.T) {
	var m Monitor
	norms := []Norm{
		Norm{Name: "a", Condition: "forest|swamp|swamp", Prohibited: "attack"},
		Norm{Name: "b", Condition: "town forest|town", Prohibited: "attack loot"},
		Norm{Name: "c", Condition: "attack|x", Prohibited: "attack"},
		Norm{Name: "d", Condition: "a|b|c a|b", Prohibited: "trade"},
		Norm{Name: "e", Condition: "agent:zoe|gm-* location:a*|b*", Prohibited: "trade"},
	}
	apply := func(c Change) {
		_, err := m.Apply(t.Context(), c)
		require.NoError(t, err)
	}
	violated := func(a Action) (names []string) {
		for _, v := range m.Check(a) {
			names = append(names, v.NormName)
		}
		return names
	}
	for range 3 {
		for _, n := range norms {
			apply(Enact(n))
		}
		require.NotZero(t, m.Constitution().forbid.clauses.Len())
		require.Equal(t, []string{"a", "c"}, violated(Action{Verb: "attack", Location: "dark swamp"}))
		require.Equal(t, []string{"e"}, violated(Action{Agent: "GM-7", Verb: "trade", Location: "beach"}))
		for i, n := range norms {
			if i%2 == 0 {
				n.Condition = "elsewhere|nowhere"
				apply(Amend(n))
			}
			apply(Repeal(n.Name))
		}
		require.Zero(t, m.Constitution().forbid.clauses.Len(), "nothing is left in the index")
		require.Nil(t, m.Constitution().forbid.features.counts, "no feature is in use any more")
	}
}

// The same for a short action, whose candidates are each named once.
func TestCostOfAShortActionIsThatOfItsDifferentWords(t *testing.T) {
	c, err := Compile(Norm{Name: "n", Condition: "bridge", Prohibited: "cross"})
	require.NoError(t, err)
	var found candidates
	c.forbid.findCandidates(&found, &Action{Verb: "cross", Location: strings.Repeat("bridge ", 20)})
	require.Equal(t, 1, found.n)
}

func TestPrefixesAndAgentsAddHashes(t *testing.T) {
	a := Action{Agent: "sir robin", Verb: "cross", Location: "old bridge", Target: "troll", Faction: "knights"}
	keys := func(norms ...Norm) int {
		c, err := Compile(norms...)
		require.NoError(t, err)
		_, keys, _ := c.forbid.features.grownKeys(nil, subject{action: &a})
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
		_, keys, _ := c.forbid.features.grownKeys(nil, subject{action: &a})
		require.Len(t, keys, words)
		require.LessOrEqual(t, len(new(scratch).findCandidates(nil, &c.forbid, subject{action: &a})), 1)
	}
}

func TestReplayHoldsARevisionForEachNameOnly(t *testing.T) {
	p := replay{from: emptyConstitution}
	for i := range 20000 {
		r := Revision{Edition: uint64(i + 1), Version: i + 1, Change: Amend(Norm{Name: "n", Condition: fmt.Sprint(i), Prohibited: "x"})}
		if i == 0 {
			r.Kind = KindEnact
		}
		require.NoError(t, p.add(identify(r)))
		require.Equal(t, 1, p.latest.len())
	}
	c := p.constitution()
	require.Equal(t, 1, c.Len())
	n, version, ok := c.versioned("n")
	require.True(t, ok)
	require.Equal(t, 20000, version)
	require.Equal(t, "19999", n.Condition)
}

func TestReplayHoldsTheLastRevisionOfEachOfManyNames(t *testing.T) {
	p := replay{from: emptyConstitution}
	const names = 50_000
	for i := range 2 * names {
		r := Revision{Edition: uint64(i + 1), Version: i/names + 1, Change: Enact(Norm{Name: fmt.Sprint(i % names), Condition: fmt.Sprint(i), Prohibited: "x"})}
		if i >= names {
			r.Kind = KindAmend
		}
		require.NoError(t, p.add(identify(r)))
	}
	i := names
	for last := range p.latest.all() {
		n := Norm{Name: fmt.Sprint(i % names), Condition: fmt.Sprint(i), Prohibited: "x"}
		require.Equal(t, outcome{n, n.ID(), 2}, *last)
		i++
	}
	require.Equal(t, 2*names, i)
}

// agree checks a set against the norms by name that it must hold.
func (s *normSet) agree(t *testing.T, want map[string]Norm) {
	t.Helper()
	require.Equal(t, len(want), s.size)
	names := []string{}
	slots := map[uint32]bool{}
	for slot := range s.all() {
		n := s.at(slot).unpack()
		require.Equal(t, want[n.Name], n)
		require.Equal(t, n.ID(), s.at(slot).id)
		found, ok := s.find(n.Name)
		require.True(t, ok)
		require.Equal(t, slot, found)
		names = append(names, n.Name)
		slots[slot] = true
	}
	require.Equal(t, slices.Sorted(maps.Keys(want)), append([]string(nil), names...), "in order of name")
	require.Len(t, slots, len(want), "no number is given twice")
	for _, name := range []string{"", "a", "n50x", "~"} {
		_, ok := s.find(name)
		require.Equal(t, want[name].Name != "", ok, name)
	}
	for _, page := range s.names.pages {
		require.NotEmpty(t, page)
		require.LessOrEqual(t, len(page), namesPerPage)
	}
}

func TestNormSetAgreesWithItsModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 7))
	var set normSet
	want := map[string]Norm{}
	type past struct {
		normSet
		want map[string]Norm
	}
	var history []past
	for round, size := range []int{0, 1, 3000, 1, 5, 2000, 1, 1, 400, 10, 10, 3000} {
		txn := set.txn()
		touched := map[string]bool{}
		for range size {
			n := Norm{Name: fmt.Sprintf("n%d", r.IntN(6000)), Condition: fmt.Sprint(r.IntN(9)), Prohibited: "v"}
			_, there := want[n.Name]
			switch m := (normMeta{id: n.ID(), version: 1}); {
			case touched[n.Name]:
			case !there:
				txn.insert(n, m)
				want[n.Name] = n
			case round == 5 || r.IntN(2) == 0:
				txn.delete(n.Name)
				delete(want, n.Name)
			default:
				slot, _ := set.find(n.Name)
				txn.replace(slot, n, m)
				want[n.Name] = n
			}
			touched[n.Name] = true
		}
		set = txn.commit()
		set.agree(t, want)
		history = append(history, past{set, maps.Clone(want)})
	}
	for _, p := range history {
		p.agree(t, p.want) // an edit leaves the old normSet as it was
	}
	used := set.next
	txn := set.txn()
	for name := range want {
		txn.delete(name)
	}
	set = txn.commit()
	set.agree(t, nil)
	require.Empty(t, set.names.pages)
	for _, p := range set.pages {
		require.Equal(t, &normPage{owner: p.owner}, p, "what is removed is not kept alive")
	}
	txn = set.txn()
	for name := range maps.Clone(want) {
		txn.insert(want[name], normMeta{})
	}
	require.Equal(t, used, txn.commit().next, "numbers that were given back are given again")
}

func TestNamesEnteredOneByOneKeepTheirOrder(t *testing.T) {
	var set normSet
	want := map[string]Norm{}
	for i := range 3 * namesPerPage {
		n := Norm{Name: fmt.Sprint(i * 7919 % (3 * namesPerPage)), Prohibited: "v"}
		want[n.Name] = n
		txn := set.txn()
		txn.insert(n, normMeta{id: n.ID()})
		set = txn.commit()
	}
	set.agree(t, want)
	require.Greater(t, len(set.names.pages), 3)
}

// Sorting all names for each batch would make a batch of a thousand slow.
func TestManyNamesAreMergedIntoTheirPages(t *testing.T) {
	var set normSet
	want := map[string]Norm{}
	enter := func(n int, name func(i int) string) {
		txn := set.txn()
		for i := range n {
			n := Norm{Name: name(i), Prohibited: "v"}
			want[n.Name] = n
			txn.insert(n, normMeta{id: n.ID()})
		}
		set = txn.commit()
	}
	enter(100_000, func(i int) string { return fmt.Sprintf("n%06d", i*7919%100_000) })
	before := map[*uint32]bool{}
	for _, page := range set.names.pages {
		before[&page[0]] = true
	}
	enter(1_000, func(i int) string { return fmt.Sprintf("n050%03dx", i*7919%1_000) })
	made := 0
	for _, page := range set.names.pages {
		if !before[&page[0]] {
			made += len(page)
		}
	}
	require.Less(t, made, 3*1_000, "only the pages in which the names belong are made anew")
	enter(1_000, func(i int) string { return fmt.Sprintf("n%06dy", i*100) })
	enter(1_000, func(i int) string { return fmt.Sprintf("a%06d", i) })
	enter(1_000, func(i int) string { return fmt.Sprintf("z%06d", i) })
	enter(1_000, func(i int) string { return fmt.Sprintf("%d is followed by the same words %03d", i%2, i*7919%1_000) })
	set.agree(t, want)
}
