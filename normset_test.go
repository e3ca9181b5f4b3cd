package normsync

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// agree checks a register against the norms by name that it must hold.
func (r *register) agree(t *testing.T, want map[string]Norm) {
	t.Helper()
	require.Equal(t, len(want), r.size)
	names := []string{}
	slots := map[uint32]bool{}
	for slot := range r.all() {
		n := r.norm(slot)
		require.Equal(t, want[n.Name], *n)
		require.Equal(t, n.ID(), r.mark(slot).id)
		found, ok := r.find(n.Name)
		require.True(t, ok)
		require.Equal(t, slot, found)
		names = append(names, n.Name)
		slots[slot] = true
	}
	require.Equal(t, slices.Sorted(maps.Keys(want)), append([]string(nil), names...), "in order of name")
	require.Len(t, slots, len(want), "no number is given twice")
	for _, name := range []string{"", "a", "n50x", "~"} {
		_, ok := r.find(name)
		require.Equal(t, want[name].Name != "", ok, name)
	}
	for _, page := range r.names {
		require.NotEmpty(t, page)
		require.LessOrEqual(t, len(page), namesPage)
	}
}

func TestRegisterFollowsItsModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 7))
	var reg register
	want := map[string]Norm{}
	type past struct {
		register
		want map[string]Norm
	}
	var history []past
	for round, size := range []int{0, 1, 3000, 1, 5, 2000, 1, 1, 400, 10, 10, 3000} {
		e := reg.edit()
		touched := map[string]bool{}
		for range size {
			n := Norm{Name: fmt.Sprintf("n%d", r.IntN(6000)), Condition: fmt.Sprint(r.IntN(9)), Prohibited: "v"}
			_, there := want[n.Name]
			switch m := (mark{n.ID(), 1}); {
			case touched[n.Name]:
			case !there:
				e.add(n, m)
				want[n.Name] = n
			case round == 5 || r.IntN(2) == 0:
				e.remove(n.Name)
				delete(want, n.Name)
			default:
				slot, _ := reg.find(n.Name)
				e.replace(slot, n, m)
				want[n.Name] = n
			}
			touched[n.Name] = true
		}
		reg = e.done()
		reg.agree(t, want)
		history = append(history, past{reg, maps.Clone(want)})
	}
	for _, p := range history {
		p.agree(t, p.want) // an edit leaves the old register as it was
	}
	used := reg.next
	e := reg.edit()
	for name := range want {
		e.remove(name)
	}
	reg = e.done()
	reg.agree(t, nil)
	require.Empty(t, reg.names)
	for _, p := range reg.pages {
		require.Equal(t, [perPage]Norm{}, p.norms, "what is removed is not kept alive")
	}
	e = reg.edit()
	for name := range maps.Clone(want) {
		e.add(want[name], mark{})
	}
	require.Equal(t, used, e.done().next, "numbers that were given back are given again")
}

func TestNamesEnteredOneByOneKeepTheirOrder(t *testing.T) {
	var reg register
	want := map[string]Norm{}
	for i := range 3 * namesPage {
		n := Norm{Name: fmt.Sprint(i * 7919 % (3 * namesPage)), Prohibited: "v"}
		want[n.Name] = n
		e := reg.edit()
		e.add(n, mark{id: n.ID()})
		reg = e.done()
	}
	reg.agree(t, want)
	require.Greater(t, len(reg.names), 3)
}

// Sorting all names for each batch would make a batch of a thousand slow.
func TestManyNamesAreMergedIntoTheirPages(t *testing.T) {
	var reg register
	want := map[string]Norm{}
	enter := func(n int, name func(i int) string) {
		e := reg.edit()
		for i := range n {
			n := Norm{Name: name(i), Prohibited: "v"}
			want[n.Name] = n
			e.add(n, mark{id: n.ID()})
		}
		reg = e.done()
	}
	enter(100_000, func(i int) string { return fmt.Sprintf("n%06d", i*7919%100_000) })
	before := map[*uint32]bool{}
	for _, page := range reg.names {
		before[&page[0]] = true
	}
	enter(1_000, func(i int) string { return fmt.Sprintf("n050%03dx", i*7919%1_000) })
	made := 0
	for _, page := range reg.names {
		if !before[&page[0]] {
			made += len(page)
		}
	}
	require.Less(t, made, 3*1_000, "only the pages in which the names belong are made anew")
	enter(1_000, func(i int) string { return fmt.Sprintf("n%06dy", i*100) })
	enter(1_000, func(i int) string { return fmt.Sprintf("a%06d", i) })
	enter(1_000, func(i int) string { return fmt.Sprintf("z%06d", i) })
	reg.agree(t, want)
}
