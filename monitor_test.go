package normsync

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func ban(name, condition, verbs string) Norm {
	return Norm{Name: name, Condition: condition, Prohibited: verbs}
}

// handClock is a clock that is set by hand.
type handClock struct{ t time.Time }

func (c *handClock) options() *Options { return &Options{Now: func() time.Time { return c.t }} }

func openOn(t testing.TB, s Store) *Monitor {
	t.Helper()
	m, err := Open(t.Context(), s, nil)
	require.NoError(t, err)
	return m
}

func applyTo(t testing.TB, m *Monitor, changes ...Change) []Revision {
	t.Helper()
	revs, err := m.Apply(t.Context(), changes...)
	require.NoError(t, err)
	return revs
}

// normsOf returns the norms in force, by name.
func normsOf(c *Constitution) map[string]Norm {
	m := make(map[string]Norm)
	for n := range c.All() {
		m[n.Name] = n
	}
	return m
}

func TestMonitorZeroValueIsEmptyAndUsable(t *testing.T) {
	var m Monitor
	require.Zero(t, m.Constitution().Len())
	require.True(t, m.Allows(Action{Verb: "attack"}))
	n, err := m.Sync(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
	require.IsType(t, new(MemStore), m.Store())
	applyTo(t, &m, Enact(ban("n", "", "attack")))
	require.False(t, m.Allows(Action{Verb: "attack"}))
	require.Len(t, m.Check(Action{Verb: "attack"}), 1)
	require.Len(t, all(t, m.Store().Revisions(t.Context(), 0)), 1)
}

func TestMonitorZeroValueIsReadyForManyAtOnce(t *testing.T) {
	var m Monitor
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			_, err := m.Apply(t.Context(), Enact(ban(fmt.Sprint(i), "", "attack")))
			if err != nil || m.Store() != Store(&m.own) || m.Allows(Action{Verb: "attack"}) {
				t.Errorf("monitor %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	require.Equal(t, 8, m.Constitution().Len())
}

func TestMonitorErrorsNameThePlaceAndTheMend(t *testing.T) {
	m, err := NewMonitor(ban("n", "", "attack"))
	require.NoError(t, err)
	fine := Enact(ban("fine", "", "loot"))
	gone := ban("gone", "", "loot")
	gone.Repealed = true
	for _, c := range []struct {
		name   string
		change Change
		is     error
		text   string
	}{
		{"another norm is in force", Enact(ban("n", "zone", "attack")), ErrExists,
			`normsync: apply change 2 (enact "n"): norm exists: a different norm with that name is in force, or an earlier change enacts one; amend or repeal it, or rename this one`},
		{"nothing to amend", Amend(ban("x", "", "attack")), ErrNotFound,
			`normsync: apply change 2 (amend "x"): norm not found: no norm with that name is in force; check the name, or enact it first`},
		{"nothing to repeal", Repeal("x"), ErrNotFound,
			`normsync: apply change 2 (repeal "x"): norm not found: no norm with that name is in force; check the name, or enact it first`},
		{"a repeal without a name", Repeal(""), ErrInvalid,
			`normsync: apply change 2 (repeal ""): invalid change: Norm: it has no name; name the norm to repeal`},
		{"a norm marked as repealed", Enact(gone), ErrInvalid,
			`normsync: apply change 2 (enact "gone"): invalid norm: Repealed: it is set; clear it to put the norm in force, or use Repeal to take one out of force`},
		{"an amendment marked as repealed", Amend(gone), ErrInvalid,
			`normsync: apply change 2 (amend "gone"): invalid norm: Repealed: it is set; clear it to put the norm in force, or use Repeal to take one out of force`},
		{"an unknown kind", Change{Kind: "annul", Norm: ban("n", "", "x")}, ErrInvalid,
			`normsync: apply change 2 (annul "n"): invalid change: Kind "annul" is unknown; make changes with Enact, Amend and Repeal`},
		{"By is not UTF-8", Repeal("n").Signed("a\xff", ""), ErrInvalid,
			`normsync: apply change 2 (repeal "n"): invalid change: By: byte 1 (0xff) is not valid UTF-8; save the text as UTF-8`},
		{"Reason has an escape", Repeal("n").Signed("a\n", "\x1b[2J"), ErrInvalid,
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
	_, err = m.Apply(t.Context(), Enact(ban("x", "a == b", "attack")))
	require.ErrorIs(t, err, ErrInvalid)
	require.ErrorContains(t, err, `normsync: apply change 1 (enact "x"): invalid norm "x": Condition: `)
	require.Len(t, all(t, m.Store().Revisions(t.Context(), 0)), 1)

	_, err = NewMonitor(ban("a", "", "x"), ban("a", "", "y"))
	require.ErrorIs(t, err, ErrExists)
	_, err = NewMonitor(ban("a", "", "x"), ban("a", "", "x"))
	require.ErrorIs(t, err, ErrExists, "as Compile has it, even where both are equal")
	_, err = Open(t.Context(), nil, nil)
	require.ErrorIs(t, err, ErrInvalid)
}

func TestMonitorPassesOverWhatChangesNothing(t *testing.T) {
	m, err := NewMonitor(ban("n", "", "attack"))
	require.NoError(t, err)
	global := ban("n", "", "attack")
	global.Scope = "global"
	require.Empty(t, applyTo(t, m, Enact(ban("n", "", "attack")), Amend(ban("n", "", "attack")), Enact(global), Amend(global)))
	global.Name = "g"
	revs := applyTo(t, m, Enact(global), Amend(ban("n", "", "attack")), Amend(ban("n", "", "loot")), Amend(ban("n", "", "loot")))
	require.Len(t, revs, 2)
	require.Empty(t, revs[0].Norm.Scope)
	require.Equal(t, []uint64{2, 3}, []uint64{revs[0].Edition, revs[1].Edition})
	require.Equal(t, revs, all(t, m.Store().Revisions(t.Context(), 1)))
	require.Equal(t, map[string]Norm{"n": ban("n", "", "loot"), "g": ban("g", "", "attack")}, normsOf(m.Constitution()))
	require.Empty(t, applyTo(t, m))
}

func TestMonitorCarriesOutChangesInTurn(t *testing.T) {
	var m Monitor
	a, b := ban("n", "a", "attack"), ban("n", "b", "attack")
	revs := applyTo(t, &m, Enact(a), Amend(b), Repeal("n").Signed("zoe", "done"), Enact(a))
	repealed := b
	repealed.Repealed = true
	var prev ID
	for i, want := range []Change{Enact(a), Amend(b), {KindRepeal, repealed, "zoe", "done"}, Enact(a)} {
		require.Equal(t, Revision{uint64(i + 1), prev, i + 1, want, revs[0].Time}, revs[i])
		prev = revs[i].ID()
	}
	require.Equal(t, map[string]Norm{"n": a}, normsOf(m.Constitution()))
	require.EqualValues(t, 4, m.Constitution().Edition())
	_, err := m.Apply(t.Context(), Repeal("n"), Repeal("n"))
	require.ErrorIs(t, err, ErrNotFound)
	require.ErrorContains(t, err, "change 2")
}

// Versions go on after a repeal, whoever made the changes, and whichever way a
// monitor came to know them.
func TestMonitorCountsVersionsAcrossRepeals(t *testing.T) {
	s := new(MemStore)
	follower := openOn(t, s)
	want := 0
	for round := range 6 {
		for _, m := range []*Monitor{follower, openOn(t, s)} {
			_, err := m.Sync(t.Context())
			require.NoError(t, err)
			for _, c := range []Change{Enact(ban("n", fmt.Sprint("c", round), "x")), Amend(ban("n", "d", "x")), Repeal("n")} {
				want++
				require.Equal(t, want, applyTo(t, m, c, Enact(ban(fmt.Sprint("other", want), "", "x")))[0].Version)
			}
		}
	}
	history, err := History(t.Context(), s, "n")
	require.NoError(t, err)
	require.Len(t, history, want)
	for i, r := range history {
		require.Equal(t, i+1, r.Version)
	}
	require.Len(t, follower.retired, 1)
	applyTo(t, follower, Enact(ban("n", "", "x")))
	require.Empty(t, follower.retired, "names in force take no room here")
	_, err = History(t.Context(), s, "nobody")
	require.ErrorIs(t, err, ErrNotFound)
	require.EqualError(t, err, `normsync: history of "nobody": norm not found: no revision has that name`)
}

func TestMonitorStampsTimesThatNeverRunBackwards(t *testing.T) {
	there := time.FixedZone("there", 3600)
	s := new(MemStore)
	c := &handClock{time.Date(2030, 1, 2, 3, 4, 5, 6, there)}
	m, err := Open(t.Context(), s, c.options())
	require.NoError(t, err)
	first := c.t.UTC()
	require.Equal(t, first, applyTo(t, m, Enact(ban("a", "", "x")))[0].Time)
	c.t = c.t.Add(-time.Hour)
	require.Equal(t, first, applyTo(t, m, Enact(ban("b", "", "x")))[0].Time)
	m2, err := Open(t.Context(), s, c.options())
	require.NoError(t, err)
	require.Equal(t, first, applyTo(t, m2, Enact(ban("c", "", "x")))[0].Time)

	// A world whose clock starts at 1970, which a store keeps as the zero time, and goes on.
	c.t = time.Unix(0, 0)
	s = new(MemStore)
	m, err = Open(t.Context(), s, c.options())
	require.NoError(t, err)
	require.True(t, applyTo(t, m, Enact(ban("a", "", "x")))[0].Time.IsZero())
	c.t = time.Unix(-5, 0)
	require.True(t, applyTo(t, m, Enact(ban("b", "", "x")))[0].Time.IsZero())
	c.t = time.Unix(0, 1)
	require.Equal(t, c.t.UTC(), applyTo(t, m, Enact(ban("c", "", "x")))[0].Time)
	for at, want := range map[time.Time]int{time.Unix(-1, 0): 0, {}: 2, time.Unix(0, 0): 2, time.Unix(0, 1): 3, time.Unix(9, 0): 3} {
		c, err := At(t.Context(), s, at)
		require.NoError(t, err)
		require.Equal(t, want, c.Len(), at)
	}
	real := applyTo(t, new(Monitor), Enact(ban("a", "", "x")))[0].Time
	require.True(t, real == real.Round(0).UTC())
}

func TestMonitorPublishesNothingThatTheStoreDoesNotHold(t *testing.T) {
	boom := errors.New("boom")
	var fail atomic.Bool
	s := appendsRevisions(func(s *faultyStore, ctx context.Context, revs []Revision) error {
		if fail.Load() {
			return boom
		}
		return s.MemStore.AppendRevisions(ctx, revs...)
	})
	m := openOn(t, s)
	applyTo(t, m, Enact(ban("a", "", "x")))
	before := m.Constitution()
	fail.Store(true)
	_, err := m.Apply(t.Context(), Enact(ban("b", "", "x")), Repeal("a"))
	require.ErrorIs(t, err, boom)
	require.EqualError(t, err, "normsync: apply: boom")
	require.Same(t, before, m.Constitution())
	fail.Store(false)
	revs := applyTo(t, m, Repeal("a"), Enact(ban("a", "y", "x")))
	require.Equal(t, 3, revs[1].Version, "what failed has left no trace")
}

// A store may have kept what it could not acknowledge.
func TestMonitorBringsInWhatWasStoredAfterAll(t *testing.T) {
	lost := errors.New("connection lost")
	for _, next := range []string{"Sync", "the same Apply", "another Apply"} {
		t.Run(next, func(t *testing.T) {
			var fail atomic.Bool
			s := appendsRevisions(func(s *faultyStore, ctx context.Context, revs []Revision) error {
				err := s.MemStore.AppendRevisions(ctx, revs...)
				if fail.Swap(false) {
					return lost
				}
				return err
			})
			m := openOn(t, s)
			fail.Store(true)
			_, err := m.Apply(t.Context(), Enact(ban("a", "", "x")), Enact(ban("b", "", "x")))
			require.ErrorIs(t, err, lost)
			require.Zero(t, m.Constitution().Len())
			switch next {
			case "Sync":
				n, err := m.Sync(t.Context())
				require.NoError(t, err)
				require.Equal(t, 2, n)
			case "the same Apply":
				require.Empty(t, applyTo(t, m, Enact(ban("a", "", "x")), Enact(ban("b", "", "x"))))
			default:
				require.EqualValues(t, 3, applyTo(t, m, Amend(ban("a", "c", "x")))[0].Edition)
			}
			require.Equal(t, 2, m.Constitution().Len())
		})
	}
}

func TestMonitorGivesUpOnAConflictThatBringsNothingNew(t *testing.T) {
	calls := 0
	s := appendsRevisions(func(*faultyStore, context.Context, []Revision) error { calls++; return ErrConflict })
	m := openOn(t, s)
	_, err := m.Apply(t.Context(), Enact(ban("a", "", "x")))
	require.ErrorIs(t, err, ErrConflict)
	require.EqualError(t, err, "normsync: apply: edition conflict (the store has nothing after edition 0, and refuses the next edition)")
	require.Equal(t, 1, calls)
}

// Others are always faster: each time, the monitor catches up and tries again.
func TestMonitorTriesAgainWhileItsChangesAreValid(t *testing.T) {
	var s *faultyStore
	rival := new(Monitor)
	races := 0
	s = appendsRevisions(func(s *faultyStore, ctx context.Context, revs []Revision) error {
		if revs[0].By == "slow" && races < 5 {
			races++
			applyTo(t, rival, Enact(ban(fmt.Sprint("fast", races), "", "x")).Signed("fast", ""))
		}
		return s.MemStore.AppendRevisions(ctx, revs...)
	})
	rival = openOn(t, s)
	m := openOn(t, s)
	revs := applyTo(t, m, Enact(ban("slow", "", "x")).Signed("slow", ""))
	require.EqualValues(t, 6, revs[0].Edition)
	require.Equal(t, 6, m.Constitution().Len())

	races = 4
	_, err := m.Apply(t.Context(), Enact(ban("fast5", "elsewhere", "x")).Signed("slow", ""))
	require.ErrorIs(t, err, ErrExists, "what another enacted meanwhile counts")
	races = 4
	applyTo(t, rival, Repeal("fast5"))
	_, err = m.Apply(t.Context(), Enact(ban("fast5", "", "x")).Signed("slow", ""))
	require.NoError(t, err, "another enacted the same")
	require.Equal(t, normsOf(rival.Constitution()), normsOf(m.Constitution()))
}

func TestMonitorLooksForWhatOthersChangedBeforeItRefuses(t *testing.T) {
	s := new(MemStore)
	a, b := openOn(t, s), openOn(t, s)
	applyTo(t, a, Enact(ban("n", "", "x")))
	require.Len(t, applyTo(t, b, Repeal("n")), 1, "b has not seen n before")
	require.Len(t, applyTo(t, a, Enact(ban("n", "other", "x"))), 1, "a has not seen the repeal")
	applyTo(t, b, Repeal("n"))
	require.Len(t, applyTo(t, a, Enact(ban("n", "other", "x"))), 1, "n is not in force, though a thinks so")
}

func TestMonitorSyncChangesNothingWhenItFails(t *testing.T) {
	boom := errors.New("boom")
	good := func() []Revision {
		return []Revision{{1, ID{}, 1, Enact(ban("a", "", "x")), time.Unix(5, 0).UTC()}, {2, ID{}, 1, Enact(ban("b", "", "x")), time.Unix(5, 0).UTC()}, {3, ID{}, 2, Amend(ban("a", "z", "x")), time.Unix(6, 0).UTC()}}
	}
	for _, c := range []struct {
		name string
		seq  func(yield func(Revision, error) bool)
		text string
	}{
		{"the store fails midway", func(yield func(Revision, error) bool) {
			_ = yield(good()[0], nil) && yield(Revision{}, boom)
		}, "boom"},
		{"an edition is missing", broken(good(), func(r []Revision) { r[1].Edition = 3 }), "invalid log: edition 3 does not follow edition 1; restore the log from a backup"},
		{"an edition is repeated", broken(good(), func(r []Revision) { r[1].Edition = 1 }), "invalid log: edition 1 does not follow edition 1; restore the log from a backup"},
		{"the first edition is 0", broken(good(), func(r []Revision) { r[0].Edition = 0 }), "invalid log: edition 0: the first edition is 1; restore the log from a backup"},
		{"a name is added twice", broken(good(), func(r []Revision) { r[1].Norm.Name = "a" }), `invalid log: edition 2 (add "a") adds a norm with a name that is in force; restore the log from a backup`},
		{"a name that is not in force is modified", broken(good(), func(r []Revision) { r[2].Norm.Name = "c" }), `invalid log: edition 3 (modify "c") is about a name that is not in force`},
		{"a name that is not in force is repealed", broken(good(), func(r []Revision) { r[1].Change = Repeal("c") }), `invalid log: edition 2 (repeal "c") is about a name that is not in force`},
		{"a kind is unknown", broken(good(), func(r []Revision) { r[1].Kind = "annul" }), `invalid log: edition 2 (annul "b") has an unknown kind: the kinds are add, modify and repeal`},
		{"a version is skipped", broken(good(), func(r []Revision) { r[2].Version = 3 }), `invalid log: edition 3 (modify "a") has version 3 after version 1`},
		{"a norm is invalid", broken(good(), func(r []Revision) { r[1].Norm.Prohibited = "" }), `invalid norm "b": Prohibited and Permitted are both empty`},
		{"a norm put in force is marked as repealed", broken(good(), func(r []Revision) { r[1].Norm.Repealed = true }), `invalid log: edition 2 (add "b") puts a norm in force that is marked as repealed`},
		{"time runs backwards", broken(good(), func(r []Revision) { r[1].Time = time.Unix(4, 0).UTC() }), `invalid log: edition 2 (add "b") has the time 1970-01-01T00:00:04Z, before its predecessor's 1970-01-01T00:00:05Z: times never run backwards`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := new(faultyStore)
			m := openOn(t, s)
			s.revisions = func(*faultyStore, context.Context, uint64) iter.Seq2[Revision, error] { return c.seq }
			n, err := m.Sync(t.Context())
			require.ErrorContains(t, err, "normsync: sync: "+c.text)
			require.Zero(t, n)
			require.Same(t, emptyConstitution, m.Constitution())
			_, err = Open(t.Context(), s, nil)
			require.ErrorContains(t, err, "normsync: open: "+c.text)
			_, err = At(t.Context(), s, time.Unix(9, 0))
			require.ErrorContains(t, err, "normsync: constitution at 1970-01-01T00:00:09Z: "+c.text)
			_, err = AtEdition(t.Context(), s, 3)
			require.ErrorContains(t, err, "normsync: constitution at edition 3: "+c.text)
			s.revisions = nil
			applyTo(t, m, Enact(ban("a", "", "x")))
		})
	}
}

// broken is a sequence of revisions to which something was done.
func broken(revs []Revision, f func([]Revision)) iter.Seq2[Revision, error] {
	f(revs)
	return func(yield func(Revision, error) bool) {
		for _, r := range revs {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func TestMonitorAddsNoAllocationToACheck(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	m, err := NewMonitor(ban("n", "zone", "attack"))
	require.NoError(t, err)
	c := m.Constitution()
	hit, miss := Action{Verb: "attack", Location: "zone"}, Action{Verb: "heal", Location: "zone"}
	vs := make([]Violation, 0, 8)
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
	s := new(MemStore)
	c := &handClock{ahead}
	m, err := Open(t.Context(), s, c.options())
	require.NoError(t, err)
	other, err := Open(t.Context(), s, c.options())
	require.NoError(t, err)
	applyTo(t, m, Enact(ban("a", "", "x")))
	c.t = now
	for name, m := range map[string]*Monitor{"the monitor knows the last revision": m, "the monitor has not seen the last revision": other} {
		t.Run(name, func(t *testing.T) {
			revs, err := m.Apply(t.Context(), Enact(ban("b", "", "x")))
			require.ErrorIs(t, err, ErrInvalid)
			require.EqualError(t, err, text)
			require.Nil(t, revs)
			require.Len(t, all(t, s.Revisions(t.Context(), 0)), 1)
			require.EqualValues(t, 1, m.Constitution().Edition())
			require.Empty(t, applyTo(t, m, Enact(ban("a", "", "x"))), "what changes nothing is not stamped")
			_, err = m.Apply(t.Context(), Repeal("nobody"))
			require.ErrorIs(t, err, ErrNotFound)
		})
	}

	c.t = ahead.Add(-24*time.Hour - 1)
	_, err = m.Apply(t.Context(), Enact(ban("b", "", "x")))
	require.ErrorIs(t, err, ErrInvalid)
	c.t = ahead.Add(-24 * time.Hour)
	require.Equal(t, ahead, applyTo(t, m, Enact(ban("b", "", "x")))[0].Time, "a day is not too much")

	c.t = now
	_, err = m.Apply(t.Context(), Enact(ban("c", "", "x")))
	require.EqualError(t, err, text)
	_, stamped, _ := strings.Cut(text, "the last revision is ")
	stamped, _, _ = strings.Cut(stamped, ";")
	asTheErrorSays, err := time.Parse(time.RFC3339, stamped)
	require.NoError(t, err)
	m, err = Open(t.Context(), s, &Options{Now: func() time.Time { return asTheErrorSays }})
	require.NoError(t, err)
	require.Equal(t, ahead, applyTo(t, m, Enact(ban("c", "", "x")))[0].Time)
	then, err := At(t.Context(), s, now)
	require.NoError(t, err)
	require.Zero(t, then.Len(), "At goes by the times of the log")
	last, err := AtEdition(t.Context(), s, 3)
	require.NoError(t, err)
	require.Equal(t, 3, last.Len())
}
