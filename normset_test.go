package normsync

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// agree checks a set against the norms by name that it must hold.
func (s *normSet) agree(t *testing.T, want map[string]Norm) {
	t.Helper()
	require.Equal(t, len(want), s.size)
	names := []string{}
	slots := map[uint32]bool{}
	for slot := range s.all() {
		n := s.norm(slot)
		require.Equal(t, want[n.Name], *n)
		require.Equal(t, n.ID(), s.meta(slot).id)
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
		require.Equal(t, [perPage]Norm{}, p.norms, "what is removed is not kept alive")
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
	set.agree(t, want)
}
