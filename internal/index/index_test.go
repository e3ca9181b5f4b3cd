package index

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// model is a list of clauses: what a Table must agree with.
type model []Clause

// holding returns the slots of the clauses that hold of an action, each once.
func (m model) holding(keys, verbs []uint64) []uint32 {
	out := []uint32{}
	for _, c := range m {
		missing := func(h uint64) bool { return !slices.Contains(keys, h) }
		if slices.Contains(verbs, c.Verb) && !slices.ContainsFunc(c.Tokens, missing) {
			out = append(out, c.Slot)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// found returns the slots that a table does not rule out.
func found(t *Table, keys, verbs []uint64) []uint32 {
	listed := func(key uint64) bool { return t.Lists(key, Verbs(verbs)) }
	out := scan(t, keep(keys, listed), Verbs(verbs), Signature(keys))
	slices.Sort(out)
	return slices.Compact(out)
}

func keep(keys []uint64, ok func(uint64) bool) []uint64 {
	return slices.DeleteFunc(slices.Clone(keys), func(key uint64) bool { return !ok(key) })
}

func scan(t *Table, keys []uint64, verbs, signature uint64) []uint32 {
	dst := make([]uint32, 1+len(keys)*t.Len())
	n := 1
	for _, key := range keys {
		start := n
		n = t.Scan(dst, start, key, verbs, signature)
		if n > start && t.Scan(dst[:n-1], start, key, verbs, signature) != -1 || t.Scan(dst[:n], start, key, verbs, signature) != n || t.Scan(dst, -1, key, verbs, signature) != -1 {
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

type world struct {
	*rand.Rand
	verbs, tokens []uint64
	next          uint32
}

func newWorld(seed uint64, verbs, tokens int) *world {
	w := &world{Rand: rand.New(rand.NewPCG(seed, 9))}
	for range verbs {
		w.verbs = append(w.verbs, w.Uint64())
	}
	for range tokens {
		w.tokens = append(w.tokens, w.Uint64())
	}
	return w
}

func (w *world) some(from []uint64, n int) (out []uint64) {
	for range n {
		out = append(out, from[w.IntN(len(from))])
	}
	return out
}

func (w *world) clause() Clause {
	w.next++
	return Clause{w.next, w.some(w.verbs, 1)[0], w.some(w.tokens, w.IntN(4))}
}

// action returns the keys of an action, those of its verbs among them.
func (w *world) action() (keys, verbs []uint64) {
	verbs = w.some(w.verbs, 1+w.IntN(2))
	return append(slices.Clone(verbs), w.some(w.tokens, w.IntN(8))...), verbs
}

func (w *world) agree(t *testing.T, table *Table, m model) {
	t.Helper()
	require.Equal(t, len(m), table.Len())
	for _, p := range table.pages {
		require.True(t, slices.IsSortedFunc(p.entries, func(a, b entry) int { return cmp.Compare(a.tag, b.tag) }))
	}
	for range 20 {
		keys, verbs := w.action()
		want, got := m.holding(keys, verbs), found(table, keys, verbs)
		require.True(t, subset(want, got), "no clause that holds is ruled out")
		first := table.First(keys, Verbs(verbs))
		if table.Len() > 0 {
			require.Empty(t, scan(table, keys[:first], Verbs(verbs), Signature(keys)), "First passes over nothing")
		}
		require.True(t, first == len(keys) || table.Lists(keys[first], Verbs(verbs)), "and stops at a key that may have something")
		for _, key := range keys[:first] {
			require.Zero(t, table.Probed(key, Verbs(verbs)))
		}
		var with []uint32
		for slot := range table.WithVerbs(Verbs(verbs)) {
			with = append(with, slot)
		}
		slices.Sort(with)
		require.True(t, subset(want, with))
	}
}

func TestTableFollowsItsModel(t *testing.T) {
	for _, size := range []struct{ verbs, tokens int }{{1, 1}, {3, 8}, {60, 500}, {400, 5}} {
		t.Run(fmt.Sprintf("%d verbs, %d tokens", size.verbs, size.tokens), func(t *testing.T) {
			w := newWorld(uint64(size.tokens), size.verbs, size.tokens)
			var table Table
			var m model
			type past struct {
				table Table
				m     model
			}
			var history []past
			for range 60 {
				e := table.Edit(len(m))
				for range w.IntN(40) {
					if len(m) > 0 && w.IntN(3) == 0 {
						i := w.IntN(len(m))
						e.Remove(m[i])
						m = slices.Delete(slices.Clone(m), i, i+1)
					} else {
						c := w.clause()
						e.Insert(c)
						m = append(slices.Clone(m), c)
					}
				}
				table = e.Table()
				w.agree(t, &table, m)
				history = append(history, past{table, m})
			}
			for _, p := range history {
				w.agree(t, &p.table, p.m) // a change leaves the old table as it was
			}
			e := table.Edit(0)
			for _, c := range m {
				e.Remove(c)
			}
			table = e.Table()
			w.agree(t, &table, nil)
			for _, p := range table.pages {
				require.Equal(t, page{entries: p.entries[:0]}, *p, "nothing is left of what was removed")
			}
		})
	}
}

func TestEmptyTableHoldsNothing(t *testing.T) {
	var table Table
	require.Equal(t, 2, table.First([]uint64{1, 2}, ^uint64(0)))
	require.False(t, table.Lists(1, ^uint64(0)))
	require.Zero(t, table.Probed(1, ^uint64(0)))
}

func TestRulesOutWhatDoesNotHold(t *testing.T) {
	w := newWorld(4, 60, 3000)
	var table Table
	var m model
	e := table.Edit(10000)
	for range 10000 {
		c := w.clause()
		e.Insert(c)
		m = append(m, c)
	}
	table = e.Table()
	suspected, holding := 0, 0
	for range 3000 {
		keys, verbs := w.action()
		suspected += len(found(&table, keys, verbs))
		holding += len(m.holding(keys, verbs))
	}
	require.Less(t, suspected, 2*holding, "the index is of use when little comes through that does not hold")
}

// If no word is rare, most entries filed under a word of the action, with the
// action's verb, need another word that the action lacks. The signatures rule
// most of these entries out before any text is compared.
func TestSignaturesRuleOutWhatLacksAWord(t *testing.T) {
	w := newWorld(11, 5, 32)
	var table Table
	var m model
	e := table.Edit(10000)
	for slot := range uint32(10000) {
		c := Clause{slot, w.some(w.verbs, 1)[0], w.some(w.tokens, 8)}
		e.Insert(c)
		m = append(m, c)
	}
	table = e.Table()
	probed, candidates, holding := 0, 0, 0
	for range 200 {
		verb := w.some(w.verbs, 1)
		keys := w.some(w.tokens, 12)
		slices.Sort(keys)
		keys = append(slices.Compact(keys), verb[0])
		for _, key := range keys {
			probed += table.Probed(key, Verbs(verb))
		}
		candidates += len(found(&table, keys, verb))
		holding += len(m.holding(keys, verb))
	}
	require.Positive(t, holding)
	require.Less(t, candidates-holding, probed/400, "%d of %d entries come through, and %d hold", candidates, probed, holding)
}

// A bucket that lists a verb in vain makes a check look at its entries.
func TestAVerbThatIsNotThereIsSeldomListed(t *testing.T) {
	w := newWorld(7, 60, 5000)
	var table Table
	e := table.Edit(10000)
	for range 10000 {
		e.Insert(w.clause())
	}
	table = e.Table()
	listed := func(verbs int) (n int) {
		for range 20000 {
			if table.Lists(w.Uint64(), Verbs(w.some(w.tokens, verbs))) {
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
	var table Table
	var m model
	for range 2 {
		e := table.Edit(0)
		for range 2 * long {
			c := Clause{Slot: uint32(len(m)), Verb: ^uint64(0)}
			e.Insert(c)
			m = append(m, c)
		}
		table = e.Table()
	}
	highest := []uint64{^uint64(0)}
	require.Equal(t, m.holding(highest, highest), found(&table, highest, highest))
	require.Equal(t, len(m), table.Probed(highest[0], Verbs(highest)))
}

// Where a bucket is long and has many tags, a clause that comes must not move those behind it.
func TestMakingALongBucketTakesNoTimeForEachPair(t *testing.T) {
	e := new(Table).Edit(0)
	w := newWorld(8, 200, 0)
	moved := 0
	for slot := range uint32(20000) {
		e.Insert(Clause{Slot: slot, Verb: w.some(w.verbs, 1)[0], Tokens: []uint64{^uint64(0)}})
		last := e.t.pages[len(e.t.pages)-1].bucket(pageSize - 1)
		if n := len(last); n > 0 && last[n-1].slot != slot && slices.ContainsFunc(last, func(x entry) bool { return x.slot == slot }) {
			moved++
		}
	}
	require.Zero(t, moved)
	table := e.Table()
	require.True(t, slices.IsSortedFunc(table.pages[len(table.pages)-1].entries, func(a, b entry) int { return cmp.Compare(a.tag, b.tag) }))
}

func TestClausesSpreadOverTheirTokens(t *testing.T) {
	common, verb := uint64(0x0123456789abcdef), uint64(0xfedcba9876543210)
	w := newWorld(5, 1, 1)
	var table Table
	e := table.Edit(0)
	for slot := range uint32(10000) {
		e.Insert(Clause{slot, verb, []uint64{common, w.Uint64()}})
	}
	table = e.Table()
	require.Less(t, table.Probed(common, pair(verb)), 20, "a token that all share makes no long list")
	require.Less(t, table.Probed(verb, pair(verb)), 20, "nor does a verb that all share")

	e = new(Table).Edit(0)
	for slot := range uint32(10000) {
		e.Insert(Clause{slot, w.Uint64(), []uint64{common}})
	}
	table = e.Table()
	require.Less(t, table.Probed(common, ^uint64(0)), 60, "where the verb is rarer, the clause is filed under it")
}

func TestAChangeCopiesWhatItTouches(t *testing.T) {
	w := newWorld(6, 60, 100000)
	e := new(Table).Edit(100000)
	for range 100000 {
		e.Insert(w.clause())
	}
	table := e.Table()
	c := w.clause()
	e = table.Edit(table.Len() + 1)
	e.Insert(c)
	changed := e.Table()
	e = changed.Edit(0)
	e.Remove(c)
	back := e.Table()
	copied := func(a, b *Table) (n int) {
		for i := range a.pages {
			if a.pages[i] != b.pages[i] {
				n++
			}
		}
		return n
	}
	require.Equal(t, 1, copied(&table, &changed))
	require.Equal(t, 1, copied(&changed, &back))
	require.Equal(t, table, back)
}
