package normsync_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
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
	applyTo(t, m, normsync.Enact(prohibition("a", "", "x")), normsync.Enact(prohibition("b", "", "x")), normsync.Amend(prohibition("a", "zone", "x")))
	applyTo(t, other, normsync.Repeal("a"), normsync.Enact(prohibition("c", "", "x"))) // which syncs before
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
				require.Equal(t, want, applyTo(t, m, c, normsync.Enact(prohibition(fmt.Sprint("other", want), "", "x")))[0].Version)
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
	applyTo(t, follower, normsync.Enact(prohibition("n", "", "x")))
	require.Empty(t, follower.Retired(), "names in force take no room here")
	_, err = normsync.History(t.Context(), s, "nobody")
	require.ErrorIs(t, err, normsync.ErrNotFound)
	require.EqualError(t, err, `normsync: history of "nobody": norm not found: no revision has that name`)
}

func TestMonitorStampsTimesThatNeverRunBackwards(t *testing.T) {
	there := time.FixedZone("there", 3600)
	s := new(normsync.MemStore)
	c := &handClock{time.Date(2030, 1, 2, 3, 4, 5, 6, there)}
	m, err := normsync.Open(t.Context(), s, c.options())
	require.NoError(t, err)
	first := c.t.UTC()
	require.Equal(t, first, applyTo(t, m, normsync.Enact(prohibition("a", "", "x")))[0].Time)
	c.t = c.t.Add(-time.Hour)
	require.Equal(t, first, applyTo(t, m, normsync.Enact(prohibition("b", "", "x")))[0].Time)
	m2, err := normsync.Open(t.Context(), s, c.options())
	require.NoError(t, err)
	require.Equal(t, first, applyTo(t, m2, normsync.Enact(prohibition("c", "", "x")))[0].Time)

	// A clock that starts at 1970, which a store keeps as the zero time.
	c.t = time.Unix(0, 0)
	s = new(normsync.MemStore)
	m, err = normsync.Open(t.Context(), s, c.options())
	require.NoError(t, err)
	require.True(t, applyTo(t, m, normsync.Enact(prohibition("a", "", "x")))[0].Time.IsZero())
	c.t = time.Unix(-5, 0)
	require.True(t, applyTo(t, m, normsync.Enact(prohibition("b", "", "x")))[0].Time.IsZero())
	c.t = time.Unix(0, 1)
	require.Equal(t, c.t.UTC(), applyTo(t, m, normsync.Enact(prohibition("c", "", "x")))[0].Time)
	for at, want := range map[time.Time]int{time.Unix(-1, 0): 0, {}: 2, time.Unix(0, 0): 2, time.Unix(0, 1): 3, time.Unix(9, 0): 3} {
		c, err := normsync.At(t.Context(), s, at)
		require.NoError(t, err)
		require.Equal(t, want, c.Len(), at)
	}
	real := applyTo(t, new(normsync.Monitor), normsync.Enact(prohibition("a", "", "x")))[0].Time
	require.True(t, real == real.Round(0).UTC())
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
	applyTo(t, m, normsync.Enact(prohibition("a", "", "x")))
	before := m.Constitution()
	fail.Store(true)
	_, err := m.Apply(t.Context(), normsync.Enact(prohibition("b", "", "x")), normsync.Repeal("a"))
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
	revs := applyTo(t, m, normsync.Enact(prohibition("a", "", "x")), normsync.Enact(prohibition("b", "", "x")))
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
			_, err := m.Apply(t.Context(), normsync.Enact(prohibition("a", "", "x")), normsync.Enact(prohibition("b", "", "x")))
			require.ErrorIs(t, err, lost)
			require.Zero(t, m.Constitution().Len())
			switch next {
			case "Sync":
				n, err := m.Sync(t.Context())
				require.NoError(t, err)
				require.Equal(t, 2, n)
			case "the same Apply":
				require.Empty(t, applyTo(t, m, normsync.Enact(prohibition("a", "", "x")), normsync.Enact(prohibition("b", "", "x"))))
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
	_, err := m.Apply(t.Context(), normsync.Enact(prohibition("a", "", "x")))
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
			applyTo(t, rival, normsync.Enact(prohibition(fmt.Sprint("fast", races), "", "x")).Attributed("fast", ""))
		}
		return s.MemStore.AppendRevisions(ctx, revs...)
	})
	rival = openOn(t, s)
	m := openOn(t, s)
	revs := applyTo(t, m, normsync.Enact(prohibition("slow", "", "x")).Attributed("slow", ""))
	require.EqualValues(t, 6, revs[0].Edition)
	require.Equal(t, 6, m.Constitution().Len())

	races = 4
	_, err := m.Apply(t.Context(), normsync.Enact(prohibition("fast5", "elsewhere", "x")).Attributed("slow", ""))
	require.ErrorIs(t, err, normsync.ErrExists, "what another enacted meanwhile counts")
	races = 4
	applyTo(t, rival, normsync.Repeal("fast5"))
	_, err = m.Apply(t.Context(), normsync.Enact(prohibition("fast5", "", "x")).Attributed("slow", ""))
	require.NoError(t, err, "another enacted the same")
	require.Equal(t, normsOf(rival.Constitution()), normsOf(m.Constitution()))
}

func TestMonitorLooksForWhatOthersChangedBeforeItRefuses(t *testing.T) {
	s := new(normsync.MemStore)
	a, b := openOn(t, s), openOn(t, s)
	applyTo(t, a, normsync.Enact(prohibition("n", "", "x")))
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
	applyTo(t, m, normsync.Enact(prohibition("a", "", "x")))
	fail.Store(true)
	for name, c := range map[string]normsync.Change{
		"a name that is not in force": normsync.Repeal("nobody"),
		"a name that is in force":     normsync.Enact(prohibition("a", "zone", "x")),
		"nothing to do":               normsync.Enact(prohibition("a", "", "x")),
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
	_, err := m.Apply(ctx, normsync.Enact(prohibition("a", "", "x")))
	require.ErrorIs(t, err, context.Canceled)
	_, err = m.Sync(ctx)
	require.ErrorIs(t, err, context.Canceled)
	_, err = normsync.Open(ctx, m.Store(), nil)
	require.ErrorIs(t, err, context.Canceled)
	_, err = normsync.At(ctx, m.Store(), time.Now())
	require.ErrorIs(t, err, context.Canceled)
	_, err = normsync.AtEdition(ctx, m.Store(), 0)
	require.ErrorIs(t, err, context.Canceled)
	_, err = normsync.History(ctx, m.Store(), "a")
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, m.Constitution().Len())

	// A store need not look at ctx before it writes.
	s := appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
		return s.MemStore.AppendRevisions(context.WithoutCancel(ctx), revs...)
	})
	_, err = openOn(t, s).Apply(ctx, normsync.Enact(prohibition("a", "", "x")))
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, s.size())
}

// The store of a monitor at edition 5 is replaced by a backup, to which another
// monitor has appended other revisions.
func TestARestoredStoreIsNoticed(t *testing.T) {
	for name, c := range map[string]struct {
		backup uint64 // the last edition that the restored store has
		others int    // revisions that are made in it
		plain  bool   // the store is as version 0.1 wrote it
	}{
		"the log is empty":                                  {0, 0, false},
		"the log is shorter, and nothing is new":            {3, 0, false},
		"the log is shorter, and something is new":          {3, 1, false},
		"the log ends with another revision of the edition": {4, 1, false},
		"the log goes on from another revision":             {3, 3, false},
		"the log is another one from the beginning":         {0, 9, false},
		"a log without Prev is shorter":                     {3, 0, true},
		"a log without Prev ends with another revision":     {4, 1, true},
		"a log without Prev goes on from another revision":  {3, 3, true},
		"a log without Prev is another one":                 {0, 9, true},
	} {
		t.Run(name, func(t *testing.T) {
			for call, f := range map[string]func(m *normsync.Monitor) error{
				"Sync":  func(m *normsync.Monitor) error { _, err := m.Sync(t.Context()); return err },
				"Apply": func(m *normsync.Monitor) error { _, err := m.Apply(t.Context(), normsync.Repeal("n5")); return err },
				"Apply that changes nothing": func(m *normsync.Monitor) error {
					_, err := m.Apply(t.Context(), normsync.Enact(prohibition("n5", "", "x")))
					return err
				},
				"Apply that cannot be carried": func(m *normsync.Monitor) error { _, err := m.Apply(t.Context(), normsync.Repeal("nobody")); return err },
			} {
				t.Run(call, func(t *testing.T) {
					s := &replacedStore{new(normsync.MemStore)}
					m := openOn(t, s)
					for i := range 5 {
						applyTo(t, m, normsync.Enact(prohibition(fmt.Sprint("n", i+1), "", "x")))
					}
					restored := copyOf(t, s, c.backup+1)
					writer := openOn(t, restored)
					for i := range c.others {
						applyTo(t, writer, normsync.Enact(prohibition(fmt.Sprint("other", i), "", "x")))
					}
					if c.plain {
						s.Store = plainCopyOf(t, s)
						m = openOn(t, s)
						restored = plainCopyOf(t, restored)
					}
					before := all(t, restored.Revisions(t.Context(), 0))
					known := m.Constitution()
					s.Store = restored
					for range 2 {
						err := f(m)
						require.ErrorIs(t, err, normsync.ErrDiverged)
						require.ErrorContains(t, err, "; if a backup was restored, open a new monitor on the store")
					}
					require.Same(t, known, m.Constitution(), "the monitor stays as it is")
					require.Equal(t, before, all(t, restored.Revisions(t.Context(), 0)), "and so does the store")
					require.EqualValues(t, len(before), openOn(t, s).Constitution().Edition())
				})
			}
		})
	}
}

func TestErrDivergedSaysWhatDiffers(t *testing.T) {
	s := &replacedStore{new(normsync.MemStore)}
	m := openOn(t, s)
	applyTo(t, m, normsync.Enact(prohibition("a", "", "x")))
	last := applyTo(t, m, normsync.Enact(prohibition("b", "", "x")))[0]
	s.Store = copyOf(t, s, 2)
	_, err := m.Sync(t.Context())
	require.EqualError(t, err, "normsync: sync: store is not the one that was followed: it ends before edition 2; if a backup was restored, open a new monitor on the store")
	other := applyTo(t, openOn(t, s), normsync.Enact(prohibition("c", "", "x")))[0]
	_, err = m.Sync(t.Context())
	require.EqualError(t, err, fmt.Sprintf("normsync: sync: store is not the one that was followed: its edition 2 is %v, but edition 2 was %v; if a backup was restored, open a new monitor on the store", other.ID(), last.ID()))
	_, err = m.Apply(t.Context(), normsync.Repeal("a"))
	require.EqualError(t, err, fmt.Sprintf("normsync: apply: sync after a conflict: store is not the one that was followed: its edition 2 is %v, but edition 2 was %v; if a backup was restored, open a new monitor on the store", other.ID(), last.ID()))
}

// A follower reads the files of a live writer when somebody restores them from a
// backup.
func TestAFollowerOfFilesNoticesARestoredStore(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "revisions.jsonl")
	write := func(changes ...normsync.Change) {
		s := openFileStore(t, dir, nil)
		defer s.Close()
		for _, c := range changes {
			applyTo(t, openOn(t, s), c)
		}
	}
	write(normsync.Enact(prohibition("a", "", "x")), normsync.Enact(prohibition("b", "", "x")), normsync.Enact(prohibition("c", "", "x")))
	backup, err := os.ReadFile(log)
	require.NoError(t, err)
	write(normsync.Enact(prohibition("d", "", "x")), normsync.Repeal("a"))
	follower := openOn(t, openFileStore(t, dir, &normsync.FileOptions{ReadOnly: true}))
	require.EqualValues(t, 5, follower.Constitution().Edition())
	require.NoError(t, os.WriteFile(log, backup, 0o644))
	require.NoError(t, os.Remove(filepath.Join(dir, "seal.json"))) // it is that of the newer log
	_, err = follower.Sync(t.Context())
	require.ErrorIs(t, err, normsync.ErrDiverged)
	write(normsync.Enact(prohibition("e", "", "x")), normsync.Enact(prohibition("f", "", "x")), normsync.Enact(prohibition("g", "", "x")))
	_, err = follower.Sync(t.Context())
	require.ErrorIs(t, err, normsync.ErrDiverged)
	require.EqualValues(t, 5, follower.Constitution().Edition())
}

// The store still has the monitor's last revision, but the next one names another
// predecessor: the log is broken, it is not another log.
func TestSyncTellsABrokenLogFromAnother(t *testing.T) {
	s := new(faultyStore)
	m := openOn(t, s)
	applyTo(t, m, normsync.Enact(prohibition("a", "", "x")))
	s.revisions = func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[normsync.Revision, error] {
		return eachBy(s.MemStore.Revisions(ctx, after), func(r *normsync.Revision) {
			if r.Edition == 2 {
				r.Prev = normsync.ID{1}
			}
		})
	}
	applyTo(t, openOn(t, &s.MemStore), normsync.Enact(prohibition("b", "", "x")))
	_, err := m.Sync(t.Context())
	require.NotErrorIs(t, err, normsync.ErrDiverged)
	require.ErrorIs(t, err, normsync.ErrInvalid)
	require.ErrorContains(t, err, "normsync: sync: invalid log: edition 2 has Prev 0100000000000000, but the revision before it is ")
}

func TestSyncReadsWhatIsNewAndAtMostOneRevisionMore(t *testing.T) {
	for name, c := range map[string]struct {
		prev  bool
		news  int
		after []uint64
		read  int
	}{
		"what is new names the revision before it": {true, 2, []uint64{50}, 2},
		"what is new has no Prev":                  {false, 2, []uint64{50, 49}, 3},
		"nothing is new":                           {true, 0, []uint64{50, 49}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := new(spyStore)
			m := openOn(t, s)
			var last normsync.Revision
			for i := range 50 {
				last = applyTo(t, m, normsync.Enact(prohibition(fmt.Sprint(i), "", "x")))[0]
			}
			follower := openOn(t, s)
			s.after, s.read = nil, 0
			for i := range c.news {
				r := normsync.Revision{Edition: uint64(51 + i), Version: 1, Change: normsync.Enact(prohibition(fmt.Sprint("new", i), "", "x")), Time: last.Time}
				if c.prev {
					r.Prev = last.ID()
				}
				require.NoError(t, s.AppendRevisions(t.Context(), r))
				last = r
			}
			n, err := follower.Sync(t.Context())
			require.NoError(t, err)
			require.Equal(t, c.news, n)
			require.Equal(t, c.after, s.after)
			require.Equal(t, c.read, s.read)
		})
	}
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

func TestMonitorRefusesAClockThatIsADayBehind(t *testing.T) {
	const text = "normsync: apply: invalid clock: it says 2026-01-01T00:00:00Z, but the time of the last revision is 2099-01-01T00:00:00Z; " +
		"correct the clock, or, if the last revision's time is wrong, set Options.Now to a function that returns that time"
	ahead, now := time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := new(normsync.MemStore)
	c := &handClock{ahead}
	m, err := normsync.Open(t.Context(), s, c.options())
	require.NoError(t, err)
	other, err := normsync.Open(t.Context(), s, c.options())
	require.NoError(t, err)
	applyTo(t, m, normsync.Enact(prohibition("a", "", "x")))
	c.t = now
	for name, m := range map[string]*normsync.Monitor{"the monitor knows the last revision": m, "the monitor has not seen the last revision": other} {
		t.Run(name, func(t *testing.T) {
			revs, err := m.Apply(t.Context(), normsync.Enact(prohibition("b", "", "x")))
			require.ErrorIs(t, err, normsync.ErrInvalid)
			require.EqualError(t, err, text)
			require.Nil(t, revs)
			require.Len(t, all(t, s.Revisions(t.Context(), 0)), 1)
			require.EqualValues(t, 1, m.Constitution().Edition())
			require.Empty(t, applyTo(t, m, normsync.Enact(prohibition("a", "", "x"))), "what changes nothing is not stamped")
			_, err = m.Apply(t.Context(), normsync.Repeal("nobody"))
			require.ErrorIs(t, err, normsync.ErrNotFound)
		})
	}

	c.t = ahead.Add(-24*time.Hour - 1)
	_, err = m.Apply(t.Context(), normsync.Enact(prohibition("b", "", "x")))
	require.ErrorIs(t, err, normsync.ErrInvalid)
	c.t = ahead.Add(-24 * time.Hour)
	require.Equal(t, ahead, applyTo(t, m, normsync.Enact(prohibition("b", "", "x")))[0].Time, "a day is not too much")

	c.t = now
	_, err = m.Apply(t.Context(), normsync.Enact(prohibition("c", "", "x")))
	require.EqualError(t, err, text)
	_, stamped, _ := strings.Cut(text, "the last revision is ")
	stamped, _, _ = strings.Cut(stamped, ";")
	asTheErrorSays, err := time.Parse(time.RFC3339, stamped)
	require.NoError(t, err)
	m, err = normsync.Open(t.Context(), s, &normsync.Options{Now: func() time.Time { return asTheErrorSays }})
	require.NoError(t, err)
	require.Equal(t, ahead, applyTo(t, m, normsync.Enact(prohibition("c", "", "x")))[0].Time)
	then, err := normsync.At(t.Context(), s, now)
	require.NoError(t, err)
	require.Zero(t, then.Len(), "At goes by the times of the log")
	last, err := normsync.AtEdition(t.Context(), s, 3)
	require.NoError(t, err)
	require.Equal(t, 3, last.Len())
}
