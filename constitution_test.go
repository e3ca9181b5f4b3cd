package normsync

import (
	"fmt"
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

// successor returns the constitution after a revision that is known to fit.
func successor(c *Constitution, r Revision) *Constitution {
	p := replay{from: c}
	p.push(identify(r), nil)
	return p.constitution()
}

// A constitution that follows one with prefixes counts them for itself.
func TestSuccessorsOfAConstitutionShareNoCounts(t *testing.T) {
	a, b := Norm{Name: "a", Condition: "br*", Prohibited: "cross"}, Norm{Name: "b", Condition: "ga*", Prohibited: "cross"}
	c, err := Compile(a, b)
	require.NoError(t, err)
	without := func(n Norm) *Constitution {
		return successor(c, Revision{Edition: 1, Version: 2, Change: Repeal(n.Name)})
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

// probes returns the number of index entries that a check reads. It stands for the
// cost of the check, so that no test depends on time.
func probes(c *Constitution, a Action) (n int) {
	_, keys, verbs := c.forbid.features.grownKeys(nil, subject{action: &a})
	for _, key := range keys {
		n += c.forbid.clauses.Probed(key, verbs)
	}
	return n
}

// underFixedKeys calls f several times, each time with other hash keys. The keys
// are the same in every process, and so are the counts. They vary with the keys
// because a check reads more entries when two verbs share their bits.
func underFixedKeys(f func()) {
	for seed := range uint64(4) {
		func() {
			defer token.Reseed(seed)()
			f()
		}()
	}
}

func TestACheckLooksAtAsMuchAmongManyNormsAsAmongFew(t *testing.T) {
	mean := func(norms int) float64 {
		var all []Norm
		for i := range norms {
			all = append(all, Norm{Name: fmt.Sprint(i), Condition: fmt.Sprintf("faction-%d cell-%d", i%7, i/2), Prohibited: fmt.Sprint("verb-", i%60)})
		}
		total, checks := 0, 0
		underFixedKeys(func() {
			c, err := Compile(all...)
			require.NoError(t, err)
			for i := range 2000 {
				a := Action{Verb: fmt.Sprint("verb-", i%60), Location: fmt.Sprintf("cell-%d", i*7919%(norms/2)), Faction: fmt.Sprintf("faction-%d", i%7)}
				total += probes(c, a)
				checks++
			}
		})
		return float64(total) / float64(checks)
	}
	// The bounds are narrow enough that twice as many entries fail the test.
	few, many := mean(1000), mean(100000)
	require.InDelta(t, 1.28, few, 0.6)
	require.InDelta(t, 1.10, many, 0.6)
	require.Less(t, many, 1.5*few)
}

func TestVerbsAreThoseOfTheNormsInForce(t *testing.T) {
	c, err := Compile(prohibition("b", "", "Attack cast_*"), permission("a", "", "attack heal", 1), prohibition("c", "verb:steal", "HEAL CAST_* cast_"))
	require.NoError(t, err)
	require.Equal(t, []string{"attack", "heal", "cast_*", "cast_"}, slices.Collect(c.Verbs()))
	for verb := range c.Verbs() {
		require.Equal(t, "attack", verb)
		break
	}
	require.Empty(t, slices.Collect(new(Constitution).Verbs()))
}
