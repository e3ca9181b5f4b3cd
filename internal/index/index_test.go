package index

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// model is a list of clauses: what an Index must agree with.
type model []Clause

// holding returns the slots of the clauses that hold of an action, each once.
func (m model) holding(keys, verbs []uint64) []uint32 {
	out := []uint32{}
	for _, c := range m {
		missing := func(h uint64) bool { return !slices.Contains(keys, h) }
		allMissing := func(list []uint64) bool {
			return !slices.ContainsFunc(list, func(h uint64) bool { return !missing(h) })
		}
		if slices.Contains(verbs, c.Verb) && !slices.ContainsFunc(c.Tokens, missing) && !slices.ContainsFunc(c.AnyOf, allMissing) {
			out = append(out, c.Slot)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// found returns the slots that an index does not rule out.
func found(x *Index, keys, verbs []uint64) []uint32 {
	listed := func(key uint64) bool { return x.Lists(key, Verbs(verbs)) }
	out := scan(x, keep(keys, listed), Verbs(verbs), Signature(keys))
	slices.Sort(out)
	return slices.Compact(out)
}

func keep(keys []uint64, ok func(uint64) bool) []uint64 {
	return slices.DeleteFunc(slices.Clone(keys), func(key uint64) bool { return !ok(key) })
}

func scan(x *Index, keys []uint64, verbs, signature uint64) []uint32 {
	dst := make([]uint32, 1+len(keys)*x.Len())
	n := 1
	for _, key := range keys {
		start := n
		n = x.Scan(dst, start, key, verbs, signature)
		if n > start && x.Scan(dst[:n-1], start, key, verbs, signature) != -1 || x.Scan(dst[:n], start, key, verbs, signature) != n || x.Scan(dst, -1, key, verbs, signature) != -1 {
			panic("Scan says -1 when, and only when, there is no room")
		}
	}
	return dst[1:n]
}

// subset reports whether all of a is in b, which is sorted.
func subset(a, b []uint32) bool {
	return !slices.ContainsFunc(a, func(x uint32) bool {
		_, ok := slices.BinarySearch(b, x)
		return !ok
	})
}

type generator struct {
	*rand.Rand
	verbs, tokens []uint64
	next          uint32
	alternatives  bool // whether clauses have AnyOf
}

func newGenerator(seed uint64, verbs, tokens int) *generator {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 9))}
	for range verbs {
		g.verbs = append(g.verbs, g.Uint64())
	}
	for range tokens {
		g.tokens = append(g.tokens, g.Uint64())
	}
	return g
}

func (g *generator) some(from []uint64, n int) (out []uint64) {
	for range n {
		out = append(out, from[g.IntN(len(from))])
	}
	return out
}

func (g *generator) clause() Clause {
	g.next++
	c := Clause{Slot: g.next, Verb: g.some(g.verbs, 1)[0], Tokens: g.some(g.tokens, g.IntN(4))}
	for g.alternatives && g.IntN(3) == 0 {
		c.AnyOf = append(c.AnyOf, g.some(append(g.tokens, g.verbs...), 1+g.IntN(4)))
	}
	return c
}

// action returns the keys of an action, which include its verbs.
func (g *generator) action() (keys, verbs []uint64) {
	verbs = g.some(g.verbs, 1+g.IntN(2))
	return append(slices.Clone(verbs), g.some(g.tokens, g.IntN(8))...), verbs
}

func (g *generator) agree(t *testing.T, x *Index, m model) {
	t.Helper()
	require.Equal(t, len(m) == 0, x.Len() == 0)
	for _, p := range x.pages {
		require.True(t, slices.IsSortedFunc(p.entries, func(a, b entry) int { return cmp.Compare(a.tag, b.tag) }))
	}
	for range 20 {
		keys, verbs := g.action()
		want, got := m.holding(keys, verbs), found(x, keys, verbs)
		require.True(t, subset(want, got), "no clause that holds is ruled out")
		first := x.First(keys, Verbs(verbs))
		if x.Len() > 0 {
			require.Empty(t, scan(x, keys[:first], Verbs(verbs), Signature(keys)), "First passes over nothing")
		}
		require.True(t, first == len(keys) || x.Lists(keys[first], Verbs(verbs)), "and stops at a key that may have something")
		for _, key := range keys[:first] {
			require.Zero(t, x.Probed(key, Verbs(verbs)))
		}
		var with []uint32
		for slot := range x.WithVerbs(Verbs(verbs)) {
			with = append(with, slot)
		}
		slices.Sort(with)
		require.True(t, subset(want, with))
	}
}

func TestIndexAgreesWithItsModel(t *testing.T) {
	for _, size := range []struct{ verbs, tokens int }{{1, 1}, {3, 8}, {60, 500}, {400, 5}} {
		t.Run(fmt.Sprintf("%d verbs, %d tokens", size.verbs, size.tokens), func(t *testing.T) {
			g := newGenerator(uint64(size.tokens), size.verbs, size.tokens)
			g.alternatives = true
			var x Index
			var m model
			type past struct {
				index Index
				m     model
			}
			var history []past
			for range 60 {
				txn := x.Txn(len(m))
				for range g.IntN(40) {
					if len(m) > 0 && g.IntN(3) == 0 {
						i := g.IntN(len(m))
						txn.Delete(m[i])
						m = slices.Delete(slices.Clone(m), i, i+1)
					} else {
						c := g.clause()
						txn.Insert(c)
						m = append(slices.Clone(m), c)
					}
				}
				x = txn.Commit()
				g.agree(t, &x, m)
				history = append(history, past{x, m})
			}
			for _, p := range history {
				g.agree(t, &p.index, p.m) // a change leaves the old index as it was
			}
			txn := x.Txn(0)
			for _, c := range m {
				txn.Delete(c)
			}
			x = txn.Commit()
			g.agree(t, &x, nil)
			for _, p := range x.pages {
				require.Equal(t, page{owner: p.owner, entries: p.entries[:0]}, *p, "nothing is left of what was removed")
			}
		})
	}
}

func TestEmptyIndexHoldsNothing(t *testing.T) {
	var x Index
	require.Equal(t, 2, x.First([]uint64{1, 2}, ^uint64(0)))
	require.False(t, x.Lists(1, ^uint64(0)))
	require.Zero(t, x.Probed(1, ^uint64(0)))
}

func TestRulesOutWhatDoesNotHold(t *testing.T) {
	g := newGenerator(4, 60, 3000)
	var x Index
	var m model
	txn := x.Txn(10000)
	for range 10000 {
		c := g.clause()
		txn.Insert(c)
		m = append(m, c)
	}
	x = txn.Commit()
	suspected, holding := 0, 0
	for range 3000 {
		keys, verbs := g.action()
		suspected += len(found(&x, keys, verbs))
		holding += len(m.holding(keys, verbs))
	}
	require.Less(t, suspected, 2*holding, "the index is of use when little comes through that does not hold")
}

// If no word is rare, most entries filed under a word of the action, with the
// action's verb, need another word that the action lacks. The signatures rule
// most of these entries out before any text is compared.
func TestSignaturesRuleOutWhatLacksAWord(t *testing.T) {
	g := newGenerator(11, 5, 32)
	var x Index
	var m model
	txn := x.Txn(10000)
	for slot := range uint32(10000) {
		c := Clause{Slot: slot, Verb: g.some(g.verbs, 1)[0], Tokens: g.some(g.tokens, 8)}
		txn.Insert(c)
		m = append(m, c)
	}
	x = txn.Commit()
	probed, candidates, holding := 0, 0, 0
	for range 200 {
		verb := g.some(g.verbs, 1)
		keys := g.some(g.tokens, 12)
		slices.Sort(keys)
		keys = append(slices.Compact(keys), verb[0])
		for _, key := range keys {
			probed += x.Probed(key, Verbs(verb))
		}
		candidates += len(found(&x, keys, verb))
		holding += len(m.holding(keys, verb))
	}
	require.Positive(t, holding)
	require.Less(t, candidates-holding, probed/400, "%d of %d entries come through, and %d hold", candidates, probed, holding)
}

// If a bucket lists a verb that it does not have, a check reads its entries for nothing.
func TestAVerbThatIsNotThereIsSeldomListed(t *testing.T) {
	g := newGenerator(7, 60, 5000)
	var x Index
	txn := x.Txn(10000)
	for range 10000 {
		txn.Insert(g.clause())
	}
	x = txn.Commit()
	listed := func(verbs int) (n int) {
		for range 20000 {
			if x.Lists(g.Uint64(), Verbs(g.some(g.tokens, verbs))) {
				n++
			}
		}
		return n
	}
	require.Less(t, listed(1), 20000/100, "with one bit for each clause it would be one of 10")
	require.Less(t, listed(3), 20000/22, "nor one of three: with both bits anywhere in the word it would be one of 18")
}

// The highest tag has none behind it.
func TestALongBucketOfTheHighestTagIsFound(t *testing.T) {
	var x Index
	var m model
	for range 2 {
		txn := x.Txn(0)
		for range 2 * long {
			c := Clause{Slot: uint32(len(m)), Verb: ^uint64(0)}
			txn.Insert(c)
			m = append(m, c)
		}
		x = txn.Commit()
	}
	highest := []uint64{^uint64(0)}
	require.Equal(t, m.holding(highest, highest), found(&x, highest, highest))
	require.Equal(t, len(m), x.Probed(highest[0], Verbs(highest)))
}

// An index that is being filled has no pages, so no clause moves those behind it.
func TestMakingALongBucketTakesNoTimeForEachPair(t *testing.T) {
	txn := new(Index).Txn(0)
	g := newGenerator(8, 200, 0)
	var m model
	for slot := range uint32(20000) {
		c := Clause{Slot: slot, Verb: g.some(g.verbs, 1)[0], Tokens: []uint64{^uint64(0)}}
		txn.Insert(c)
		m = append(m, c)
	}
	require.Empty(t, txn.index.pages)
	x := txn.Commit()
	require.True(t, slices.IsSortedFunc(x.pages[len(x.pages)-1].entries, func(a, b entry) int { return cmp.Compare(a.tag, b.tag) }))
	require.Equal(t, 20000, x.Len())
	keys := []uint64{^uint64(0), m[0].Verb}
	require.Subset(t, found(&x, keys, keys[1:]), m.holding(keys, keys[1:]))
}

// A transaction that fills an index can delete what it has inserted.
func TestDeleteWhileAnIndexIsFilled(t *testing.T) {
	txn := new(Index).Txn(0)
	g := newGenerator(9, 20, 100)
	var kept model
	for slot := range uint32(500) {
		c := g.clause()
		c.Slot = slot
		txn.Insert(c)
		if slot%3 == 0 {
			txn.Delete(c)
		} else {
			kept = append(kept, c)
		}
	}
	x := txn.Commit()
	for _, c := range kept {
		keys := append([]uint64{c.Verb}, c.Tokens...)
		for _, list := range c.AnyOf {
			keys = append(keys, list[0])
		}
		require.Subset(t, found(&x, keys, keys[:1]), []uint32{c.Slot})
	}
	all := 0
	for range x.WithVerbs(^uint64(0)) {
		all++
	}
	require.Equal(t, x.Len(), all)
}

func TestClausesSpreadOverTheirTokens(t *testing.T) {
	common, verb := uint64(0x0123456789abcdef), uint64(0xfedcba9876543210)
	g := newGenerator(5, 1, 1)
	var x Index
	txn := x.Txn(10000)
	for slot := range uint32(10000) {
		txn.Insert(Clause{Slot: slot, Verb: verb, Tokens: []uint64{common, g.Uint64()}})
	}
	x = txn.Commit()
	require.Less(t, x.Probed(common, verbBitsOf(verb)), 20, "a token that all share makes no long list")
	require.Less(t, x.Probed(verb, verbBitsOf(verb)), 20, "nor does a verb that all share")

	txn = new(Index).Txn(10000)
	for slot := range uint32(10000) {
		txn.Insert(Clause{Slot: slot, Verb: g.Uint64(), Tokens: []uint64{common}})
	}
	x = txn.Commit()
	require.Less(t, x.Probed(common, ^uint64(0)), 60, "where the verb is rarer, the clause is filed under it")
}

func TestAChangeCopiesWhatItTouches(t *testing.T) {
	g := newGenerator(6, 60, 100000)
	txn := new(Index).Txn(100000)
	for range 100000 {
		txn.Insert(g.clause())
	}
	x := txn.Commit()
	c := g.clause()
	txn = x.Txn(x.Len() + 1)
	txn.Insert(c)
	changed := txn.Commit()
	txn = changed.Txn(0)
	txn.Delete(c)
	back := txn.Commit()
	copied := func(a, b *Index) (n int) {
		for i := range a.pages {
			if a.pages[i] != b.pages[i] {
				n++
			}
		}
		return n
	}
	require.Equal(t, 1, copied(&x, &changed))
	require.Equal(t, 1, copied(&changed, &back))
	require.Equal(t, x, back)
}
