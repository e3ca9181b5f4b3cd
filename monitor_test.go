package normsync_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

func TestMonitorZeroValueIsEmptyAndUsable(t *testing.T) {
	var m normsync.Monitor
	require.Zero(t, m.Constitution().Len())
	require.True(t, m.Allows(normsync.Action{Verb: "attack"}))
	n, err := m.Sync(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
	require.IsType(t, new(normsync.MemStore), m.Store())
	applyTo(t, &m, normsync.Enact(prohibition("n", "", "attack")))
	require.False(t, m.Allows(normsync.Action{Verb: "attack"}))
	require.Len(t, m.Check(normsync.Action{Verb: "attack"}), 1)
	require.Len(t, all(t, m.Store().Revisions(t.Context(), 0)), 1)
}

func TestMonitorZeroValueIsReadyForManyAtOnce(t *testing.T) {
	var m normsync.Monitor
	var wg sync.WaitGroup
	var stores [8]normsync.Store
	for i := range stores {
		wg.Go(func() {
			_, err := m.Apply(t.Context(), normsync.Enact(prohibition(fmt.Sprint(i), "", "attack")))
			stores[i] = m.Store()
			if err != nil || m.Allows(normsync.Action{Verb: "attack"}) {
				t.Errorf("monitor %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	for _, s := range stores {
		require.Same(t, m.Store(), s)
	}
	require.Equal(t, len(stores), m.Constitution().Len())
}

func TestMonitorErrorsNameThePlaceAndTheMend(t *testing.T) {
	m, err := normsync.NewMonitor(prohibition("n", "", "attack"))
	require.NoError(t, err)
	fine := normsync.Enact(prohibition("fine", "", "loot"))
	gone := prohibition("gone", "", "loot")
	gone.Repealed = true
	for _, c := range []struct {
		name   string
		change normsync.Change
		is     error
		text   string
	}{
		{"another norm is in force", normsync.Enact(prohibition("n", "zone", "attack")), normsync.ErrExists,
			`normsync: apply change 2 (enact "n"): norm exists: a different norm with that name is in force, or an earlier change enacts one; amend or repeal it, or rename this one`},
		{"nothing to amend", normsync.Amend(prohibition("x", "", "attack")), normsync.ErrNotFound,
			`normsync: apply change 2 (amend "x"): norm not found: no norm with that name is in force; check the name, or enact it first`},
		{"nothing to repeal", normsync.Repeal("x"), normsync.ErrNotFound,
			`normsync: apply change 2 (repeal "x"): norm not found: no norm with that name is in force; check the name, or enact it first`},
		{"a repeal without a name", normsync.Repeal(""), normsync.ErrInvalid,
			`normsync: apply change 2 (repeal ""): invalid change: Norm: it has no name; name the norm to repeal`},
		{"a norm marked as repealed", normsync.Enact(gone), normsync.ErrInvalid,
			`normsync: apply change 2 (enact "gone"): invalid norm: Repealed: it is set; clear it to put the norm in force, or use Repeal to take one out of force`},
		{"an amendment marked as repealed", normsync.Amend(gone), normsync.ErrInvalid,
			`normsync: apply change 2 (amend "gone"): invalid norm: Repealed: it is set; clear it to put the norm in force, or use Repeal to take one out of force`},
		{"an unknown kind", normsync.Change{Kind: "annul", Norm: prohibition("n", "", "x")}, normsync.ErrInvalid,
			`normsync: apply change 2 (annul "n"): invalid change: Kind "annul" is unknown; make changes with Enact, Amend and Repeal`},
		{"By is not UTF-8", normsync.Repeal("n").Attributed("a\xff", ""), normsync.ErrInvalid,
			`normsync: apply change 2 (repeal "n"): invalid change: By: byte 1 (0xff) is not valid UTF-8; save the text as UTF-8`},
		{"Reason has an escape", normsync.Repeal("n").Attributed("a\n", "\x1b[2J"), normsync.ErrInvalid,
			`normsync: apply change 2 (repeal "n"): invalid change: Reason: byte 0 is the control character U+001B; remove it`},
	} {
		t.Run(c.name, func(t *testing.T) {
			revs, err := m.Apply(t.Context(), fine, c.change)
			require.ErrorIs(t, err, c.is)
			require.EqualError(t, err, c.text)
			require.Nil(t, revs)
			require.EqualValues(t, 1, m.Constitution().Edition())
		})
	}
	_, err = m.Apply(t.Context(), normsync.Enact(prohibition("x", "a == b", "attack")))
	require.ErrorIs(t, err, normsync.ErrInvalid)
	require.ErrorContains(t, err, `normsync: apply change 1 (enact "x"): invalid norm "x": Condition: `)
	require.Len(t, all(t, m.Store().Revisions(t.Context(), 0)), 1)

	_, err = normsync.NewMonitor(prohibition("a", "", "x"), prohibition("a", "", "y"))
	require.ErrorIs(t, err, normsync.ErrExists)
	_, err = normsync.NewMonitor(prohibition("a", "", "x"), prohibition("a", "", "x"))
	require.ErrorIs(t, err, normsync.ErrExists, "as Compile has it, even where both are equal")
	_, err = normsync.Open(t.Context(), nil, nil)
	require.ErrorIs(t, err, normsync.ErrInvalid)
}

func TestMonitorPassesOverWhatChangesNothing(t *testing.T) {
	m, err := normsync.NewMonitor(prohibition("n", "", "attack"))
	require.NoError(t, err)
	global := prohibition("n", "", "attack")
	global.Scope = "global"
	require.Empty(t, applyTo(t, m, normsync.Enact(prohibition("n", "", "attack")), normsync.Amend(prohibition("n", "", "attack")), normsync.Enact(global), normsync.Amend(global)))
	global.Name = "g"
	revs := applyTo(t, m, normsync.Enact(global), normsync.Amend(prohibition("n", "", "attack")), normsync.Amend(prohibition("n", "", "loot")), normsync.Amend(prohibition("n", "", "loot")))
	require.Len(t, revs, 2)
	require.Empty(t, revs[0].Norm.Scope)
	require.Equal(t, []uint64{2, 3}, []uint64{revs[0].Edition, revs[1].Edition})
	require.Equal(t, revs, all(t, m.Store().Revisions(t.Context(), 1)))
	require.Equal(t, map[string]normsync.Norm{"n": prohibition("n", "", "loot"), "g": prohibition("g", "", "attack")}, normsOf(m.Constitution()))
	require.Empty(t, applyTo(t, m))
}

func TestMonitorCarriesOutChangesInTurn(t *testing.T) {
	var m normsync.Monitor
	a, b := prohibition("n", "a", "attack"), prohibition("n", "b", "attack")
	revs := applyTo(t, &m, normsync.Enact(a), normsync.Amend(b), normsync.Repeal("n").Attributed("zoe", "done"), normsync.Enact(a))
	repealed := b
	repealed.Repealed = true
	var prev normsync.ID
	for i, want := range []normsync.Change{normsync.Enact(a), normsync.Amend(b), {normsync.KindRepeal, repealed, "zoe", "done"}, normsync.Enact(a)} {
		require.Equal(t, normsync.Revision{uint64(i + 1), prev, i + 1, want, revs[0].Time}, revs[i])
		prev = revs[i].ID()
	}
	require.Equal(t, map[string]normsync.Norm{"n": a}, normsOf(m.Constitution()))
	require.EqualValues(t, 4, m.Constitution().Edition())
	_, err := m.Apply(t.Context(), normsync.Repeal("n"), normsync.Repeal("n"))
	require.ErrorIs(t, err, normsync.ErrNotFound)
	require.ErrorContains(t, err, "change 2")
}

func TestApplyLinksEachRevisionToTheOneBeforeIt(t *testing.T) {
	s := new(normsync.MemStore)
	m, other := openOn(t, s), openOn(t, s)
	applyTo(t, m, enact("a"), enact("b"), normsync.Amend(prohibition("a", "zone", "x")))
	applyTo(t, other, normsync.Repeal("a"), enact("c")) // which syncs before
	applyTo(t, m, normsync.Repeal("b"))
	var last normsync.ID
	revs := all(t, s.Revisions(t.Context(), 0))
	require.Len(t, revs, 6)
	for _, r := range revs {
		require.Equal(t, last, r.Prev, "edition %d", r.Edition)
		last = r.ID()
	}
}

// Versions continue after a repeal, whichever monitor made the changes, and however
// the other monitor learned of them.
func TestMonitorCountsVersionsAcrossRepeals(t *testing.T) {
	s := new(normsync.MemStore)
	follower := openOn(t, s)
	want := 0
	for round := range 6 {
		for _, m := range []*normsync.Monitor{follower, openOn(t, s)} {
			_, err := m.Sync(t.Context())
			require.NoError(t, err)
			for _, c := range []normsync.Change{normsync.Enact(prohibition("n", fmt.Sprint("c", round), "x")), normsync.Amend(prohibition("n", "d", "x")), normsync.Repeal("n")} {
				want++
				require.Equal(t, want, applyTo(t, m, c, enact(fmt.Sprint("other", want)))[0].Version)
			}
		}
	}
	history, err := normsync.History(t.Context(), s, "n")
	require.NoError(t, err)
	require.Len(t, history, want)
	for i, r := range history {
		require.Equal(t, i+1, r.Version)
	}
	require.Len(t, follower.Retired(), 1)
	applyTo(t, follower, enact("n"))
	require.Empty(t, follower.Retired(), "names in force take no room here")
	_, err = normsync.History(t.Context(), s, "nobody")
	require.ErrorIs(t, err, normsync.ErrNotFound)
	require.EqualError(t, err, `normsync: history of "nobody": norm not found: no revision has that name`)
}

func TestMonitorReadersSeeAllOfAnApplyOrNothing(t *testing.T) {
	m, err := normsync.NewMonitor(prohibition("even", "zone", "attack"))
	require.NoError(t, err)
	other := openOn(t, m.Store())
	var stop atomic.Bool
	var wg sync.WaitGroup
	for _, m := range []*normsync.Monitor{m, other} {
		wg.Go(func() {
			var vs []normsync.Violation
			a := normsync.Action{Verb: "attack", Location: "zone"}
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
		applyTo(t, m, normsync.Repeal(names[i%2]), normsync.Enact(prohibition(names[(i+1)%2], "zone", "attack")))
	}
	stop.Store(true)
	wg.Wait()
}

func TestMonitorPublishesNothingThatTheStoreDoesNotHold(t *testing.T) {
	boom := errors.New("boom")
	var fail atomic.Bool
	s := appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
		if fail.Load() {
			return boom
		}
		return s.MemStore.AppendRevisions(ctx, revs...)
	})
	m := openOn(t, s)
	applyTo(t, m, enact("a"))
	before := m.Constitution()
	fail.Store(true)
	_, err := m.Apply(t.Context(), enact("b"), normsync.Repeal("a"))
	require.ErrorIs(t, err, boom)
	require.EqualError(t, err, "normsync: apply: boom")
	require.Same(t, before, m.Constitution())
	fail.Store(false)
	revs := applyTo(t, m, normsync.Repeal("a"), normsync.Enact(prohibition("a", "y", "x")))
	require.Equal(t, 3, revs[1].Version, "what failed has left no trace")
}

func TestApplyReturnsASliceThatTheStoreDoesNotHave(t *testing.T) {
	s := appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
		err := s.MemStore.AppendRevisions(ctx, revs...)
		clear(revs)
		return err
	})
	m := openOn(t, s)
	revs := applyTo(t, m, enact("a"), enact("b"))
	require.Equal(t, all(t, s.MemStore.Revisions(t.Context(), 0)), revs)
	require.Equal(t, revs[1].ID(), applyTo(t, m, normsync.Repeal("a"))[0].Prev)
}

// A store may have stored what it could not acknowledge.
func TestMonitorBringsInWhatWasStoredAfterAll(t *testing.T) {
	lost := errors.New("connection lost")
	for _, next := range []string{"Sync", "the same Apply", "another Apply"} {
		t.Run(next, func(t *testing.T) {
			var fail atomic.Bool
			s := appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
				err := s.MemStore.AppendRevisions(ctx, revs...)
				if fail.Swap(false) {
					return lost
				}
				return err
			})
			m := openOn(t, s)
			fail.Store(true)
			_, err := m.Apply(t.Context(), enact("a"), enact("b"))
			require.ErrorIs(t, err, lost)
			require.Zero(t, m.Constitution().Len())
			switch next {
			case "Sync":
				n, err := m.Sync(t.Context())
				require.NoError(t, err)
				require.Equal(t, 2, n)
			case "the same Apply":
				require.Empty(t, applyTo(t, m, enact("a"), enact("b")))
			default:
				require.EqualValues(t, 3, applyTo(t, m, normsync.Amend(prohibition("a", "c", "x")))[0].Edition)
			}
			require.Equal(t, 2, m.Constitution().Len())
		})
	}
}

func TestMonitorGivesUpOnAConflictThatBringsNothingNew(t *testing.T) {
	calls := 0
	s := appendsRevisions(func(*faultyStore, context.Context, []normsync.Revision) error { calls++; return normsync.ErrConflict })
	m := openOn(t, s)
	_, err := m.Apply(t.Context(), enact("a"))
	require.ErrorIs(t, err, normsync.ErrConflict)
	require.EqualError(t, err, "normsync: apply: edition conflict (the store has nothing after edition 0, and refuses the next edition)")
	require.Equal(t, 1, calls)
}

// Another monitor is always faster: each time, this one catches up and retries.
func TestMonitorTriesAgainWhileItsChangesAreValid(t *testing.T) {
	var s *faultyStore
	rival := new(normsync.Monitor)
	races := 0
	s = appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
		if revs[0].By == "slow" && races < 5 {
			races++
			applyTo(t, rival, enact(fmt.Sprint("fast", races)).Attributed("fast", ""))
		}
		return s.MemStore.AppendRevisions(ctx, revs...)
	})
	rival = openOn(t, s)
	m := openOn(t, s)
	revs := applyTo(t, m, enact("slow").Attributed("slow", ""))
	require.EqualValues(t, 6, revs[0].Edition)
	require.Equal(t, 6, m.Constitution().Len())

	races = 4
	_, err := m.Apply(t.Context(), normsync.Enact(prohibition("fast5", "elsewhere", "x")).Attributed("slow", ""))
	require.ErrorIs(t, err, normsync.ErrExists, "what another enacted meanwhile counts")
	races = 4
	applyTo(t, rival, normsync.Repeal("fast5"))
	_, err = m.Apply(t.Context(), enact("fast5").Attributed("slow", ""))
	require.NoError(t, err, "another enacted the same")
	require.Equal(t, normsOf(rival.Constitution()), normsOf(m.Constitution()))
}

func TestMonitorLooksForWhatOthersChangedBeforeItRefuses(t *testing.T) {
	s := new(normsync.MemStore)
	a, b := openOn(t, s), openOn(t, s)
	applyTo(t, a, enact("n"))
	require.Len(t, applyTo(t, b, normsync.Repeal("n")), 1, "b has not seen n before")
	require.Len(t, applyTo(t, a, normsync.Enact(prohibition("n", "other", "x"))), 1, "a has not seen the repeal")
	applyTo(t, b, normsync.Repeal("n"))
	require.Len(t, applyTo(t, a, normsync.Enact(prohibition("n", "other", "x"))), 1, "n is not in force, though a thinks so")
}

// Apply reads what others changed before it refuses. If it cannot, that is the error.
func TestApplyReportsThatItCouldNotLookForWhatOthersChanged(t *testing.T) {
	lost := errors.New("connection lost")
	var fail atomic.Bool
	s := revisionSequence(func(s *faultyStore, ctx context.Context, after uint64, yield func(normsync.Revision, error) bool) {
		if fail.Load() {
			yield(normsync.Revision{}, lost)
			return
		}
		s.MemStore.Revisions(ctx, after)(yield)
	})
	m := openOn(t, s)
	applyTo(t, m, enact("a"))
	fail.Store(true)
	for name, c := range map[string]normsync.Change{
		"a name that is not in force": normsync.Repeal("nobody"),
		"a name that is in force":     normsync.Enact(prohibition("a", "zone", "x")),
		"nothing to do":               enact("a"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := m.Apply(t.Context(), c)
			require.ErrorIs(t, err, lost)
			require.NotErrorIs(t, err, normsync.ErrNotFound)
			require.NotErrorIs(t, err, normsync.ErrExists)
			require.EqualError(t, err, "normsync: apply: sync: connection lost")
		})
	}
}

func TestMonitorWithAContextThatIsDone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var m normsync.Monitor
	for name, call := range map[string]func() error{
		"Apply":     func() error { _, err := m.Apply(ctx, enact("a")); return err },
		"Sync":      func() error { _, err := m.Sync(ctx); return err },
		"Open":      func() error { _, err := normsync.Open(ctx, m.Store(), nil); return err },
		"At":        func() error { _, err := normsync.At(ctx, m.Store(), time.Now()); return err },
		"AtEdition": func() error { _, err := normsync.AtEdition(ctx, m.Store(), 0); return err },
		"History":   func() error { _, err := normsync.History(ctx, m.Store(), "a"); return err },
	} {
		require.ErrorIs(t, call(), context.Canceled, name)
	}
	require.Zero(t, m.Constitution().Len())

	// A store need not look at ctx before it writes.
	s := appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
		return s.MemStore.AppendRevisions(context.WithoutCancel(ctx), revs...)
	})
	_, err := openOn(t, s).Apply(ctx, enact("a"))
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, s.size())
}

func TestMonitorAddsNoAllocationToACheck(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	m, err := normsync.NewMonitor(prohibition("n", "zone", "attack"))
	require.NoError(t, err)
	c := m.Constitution()
	hit, miss := normsync.Action{Verb: "attack", Location: "zone"}, normsync.Action{Verb: "heal", Location: "zone"}
	vs := make([]normsync.Violation, 0, 8)
	for _, call := range []struct {
		name       string
		bare, with func()
	}{
		{"Constitution", func() {}, func() { m.Constitution() }},
		{"Store", func() {}, func() { m.Store() }},
		{"Allows", func() { c.Allows(hit) }, func() { m.Allows(hit) }},
		{"Check without a violation", func() { c.Check(miss) }, func() { m.Check(miss) }},
		{"AppendCheck into a slice with room", func() { vs = c.AppendCheck(vs[:0], hit) }, func() { vs = m.AppendCheck(vs[:0], hit) }},
	} {
		t.Run(call.name, func(t *testing.T) {
			require.Equal(t, testing.AllocsPerRun(100, call.bare), testing.AllocsPerRun(100, call.with))
		})
	}
}
