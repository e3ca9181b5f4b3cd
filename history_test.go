package normsync

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMonitorReadersSeeAllOfAnApplyOrNothing(t *testing.T) {
	m, err := NewMonitor(ban("even", "zone", "attack"))
	require.NoError(t, err)
	other := openOn(t, m.Store())
	var stop atomic.Bool
	var wg sync.WaitGroup
	for _, m := range []*Monitor{m, other} {
		wg.Go(func() {
			var vs []Violation
			a := Action{Verb: "attack", Location: "zone"}
			for last := uint64(0); !stop.Load(); {
				vs = m.AppendCheck(vs[:0], a)
				if len(vs) != 1 || vs[0].Edition < last || vs[0].Edition%2 != 1 || m.Allows(a) {
					t.Errorf("after edition %d: %+v", last, vs)
					return
				}
				last = vs[0].Edition
			}
		})
	}
	wg.Go(func() {
		for !stop.Load() {
			if _, err := other.Sync(t.Context()); err != nil {
				t.Error(err)
				return
			}
		}
	})
	names := []string{"even", "odd"}
	for i := range 200 {
		applyTo(t, m, Repeal(names[i%2]), Enact(ban(names[(i+1)%2], "zone", "attack")))
	}
	stop.Store(true)
	wg.Wait()
}

func TestMonitorReloadsAndReplays(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	var m Monitor
	c := &handClock{time.Unix(100, 0)}
	m.now = c.options().Now
	some := func() []Norm {
		var norms []Norm
		for i := range 12 {
			if r.IntN(2) == 0 {
				norms = append(norms, Norm{Name: fmt.Sprint("n", i), Condition: fmt.Sprint("zone", r.IntN(3)), Prohibited: "attack", Priority: r.IntN(2), Shadow: r.IntN(5) == 0})
			}
		}
		return norms
	}
	type moment struct {
		at   time.Time
		c    *Constitution
		want [][]Violation
	}
	actions := []Action{{Verb: "attack", Location: "zone0"}, {Verb: "attack", Location: "zone1 zone2"}, {Verb: "heal"}}
	check := func(c *Constitution) (out [][]Violation) {
		for _, a := range actions {
			out = append(out, c.Check(a))
		}
		return out
	}
	var moments []moment
	for range 60 {
		wanted := some()
		current := slices.Collect(m.Constitution().All())
		revs := applyTo(t, &m, Diff(current, wanted)...)
		require.Len(t, revs, len(Diff(current, wanted)))
		norms := normsOf(m.Constitution())
		require.Len(t, norms, len(wanted))
		for _, n := range wanted {
			require.Equal(t, n, norms[n.Name])
		}
		moments = append(moments, moment{c.t, m.Constitution(), check(m.Constitution())})
		c.t = c.t.Add(time.Second)
	}
	for _, mo := range moments {
		then, err := At(t.Context(), m.Store(), mo.at.Add(time.Second-1))
		require.NoError(t, err)
		require.Equal(t, mo.c.Edition(), then.Edition())
		require.Equal(t, mo.want, check(then))
		then, err = AtEdition(t.Context(), m.Store(), mo.c.Edition())
		require.NoError(t, err)
		require.True(t, maps.Equal(normsOf(mo.c), normsOf(then)))
		require.Equal(t, mo.want, check(then))
	}
	last := m.Constitution().Edition()
	_, err := AtEdition(t.Context(), m.Store(), last+1)
	require.ErrorIs(t, err, ErrNotFound)
	require.EqualError(t, err, fmt.Sprintf("normsync: constitution at edition %d: norm not found: the last edition is %d", last+1, last))
}

func TestMonitorReplaysALongLog(t *testing.T) {
	s := new(MemStore)
	m := openOn(t, s)
	for round := range 11 {
		var changes []Change
		for i := range 1000 {
			n := ban(fmt.Sprint("n", i%100), fmt.Sprint("zone", i, " ", round), "x")
			switch {
			case i < 100 && round > 0:
				changes = append(changes, Repeal(n.Name))
			case i < 200:
				changes = append(changes, Enact(n))
			default:
				changes = append(changes, Amend(n))
			}
		}
		if round == 0 {
			changes = changes[100:]
		}
		applyTo(t, m, changes...)
	}
	applyTo(t, m, Repeal("n1"), Repeal("n2"), Enact(ban("n2", "", "y")))
	again := openOn(t, s)
	require.Equal(t, normsOf(m.Constitution()), normsOf(again.Constitution()))
	require.Equal(t, m.retired, again.retired)
	for _, name := range []string{"n1", "n2", "n3"} {
		_, err := m.Apply(t.Context(), Enact(ban(name, "q", "x")))
		if name == "n1" {
			require.NoError(t, err)
		}
	}
	history, err := History(t.Context(), s, "n1")
	require.NoError(t, err)
	require.Equal(t, len(history), history[len(history)-1].Version)
}

func TestReplayHoldsARevisionForEachNameOnly(t *testing.T) {
	p := replay{from: emptyConstitution}
	for i := range 20000 {
		r := Revision{Edition: uint64(i + 1), Version: i + 1, Change: Amend(ban("n", fmt.Sprint(i), "x"))}
		if i == 0 {
			r.Kind = KindAdd
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
		r := Revision{Edition: uint64(i + 1), Version: i/names + 1, Change: Enact(ban(fmt.Sprint(i%names), fmt.Sprint(i), "x"))}
		if i >= names {
			r.Kind = KindModify
		}
		require.NoError(t, p.add(identify(r)))
	}
	i := names
	for last := range p.latest.all() {
		n := ban(fmt.Sprint(i%names), fmt.Sprint(i), "x")
		require.Equal(t, outcome{n, n.ID(), 2}, *last)
		i++
	}
	require.Equal(t, 2*names, i)
}

func TestAtAndAtEditionReadNoFurtherThanTheyNeed(t *testing.T) {
	c := &handClock{time.Unix(0, 1)}
	read := 0
	s := revisionsBy(func(*Revision) { read++ })
	m, err := Open(t.Context(), s, c.options())
	require.NoError(t, err)
	for i := range 50 {
		applyTo(t, m, Enact(ban(fmt.Sprint(i), "", "x")))
		c.t = c.t.Add(1)
	}
	read = 0
	_, err = AtEdition(t.Context(), s, 7)
	require.NoError(t, err)
	require.Equal(t, 7, read)
	read = 0
	_, err = At(t.Context(), s, time.Unix(0, 7))
	require.NoError(t, err)
	require.Equal(t, 8, read)
	read = 0
	empty, err := AtEdition(t.Context(), s, 0)
	require.NoError(t, err)
	require.Zero(t, empty.Len())
	require.Zero(t, read)
}

func TestMonitorWithAContextThatIsDone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var m Monitor
	_, err := m.Apply(ctx, Enact(ban("a", "", "x")))
	require.ErrorIs(t, err, context.Canceled)
	_, err = m.Sync(ctx)
	require.ErrorIs(t, err, context.Canceled)
	_, err = Open(ctx, m.Store(), nil)
	require.ErrorIs(t, err, context.Canceled)
	_, err = At(ctx, m.Store(), time.Now())
	require.ErrorIs(t, err, context.Canceled)
	_, err = AtEdition(ctx, m.Store(), 0)
	require.ErrorIs(t, err, context.Canceled)
	_, err = History(ctx, m.Store(), "a")
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, m.Constitution().Len())
}

type storeWithoutSequence struct{ MemStore }

func (*storeWithoutSequence) Revisions(context.Context, uint64) iter.Seq2[Revision, error] {
	return nil
}

func TestAStoreWithoutASequenceIsAnError(t *testing.T) {
	_, err := Open(t.Context(), new(storeWithoutSequence), nil)
	require.ErrorContains(t, err, "no sequence")
}
