package normsync

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// replacedStore is a store that can be replaced under its users, as when a
// backup is restored.
type replacedStore struct{ Store }

// copyOf returns a new store with the revisions of s that come before an edition.
func copyOf(t testing.TB, s Store, before uint64) *MemStore {
	t.Helper()
	c := new(MemStore)
	for _, r := range all(t, s.Revisions(t.Context(), 0)) {
		if r.Edition < before {
			require.NoError(t, c.AppendRevisions(t.Context(), r))
		}
	}
	return c
}

// plainCopyOf returns a copy as version 0.1 would have written it: without Prev.
func plainCopyOf(t testing.TB, s Store) *MemStore {
	t.Helper()
	c := new(MemStore)
	for _, r := range all(t, s.Revisions(t.Context(), 0)) {
		r.Prev = ID{}
		require.NoError(t, c.AppendRevisions(t.Context(), r))
	}
	return c
}

func TestApplyLinksEachRevisionToTheOneBeforeIt(t *testing.T) {
	s := new(MemStore)
	m, other := openOn(t, s), openOn(t, s)
	applyTo(t, m, Enact(ban("a", "", "x")), Enact(ban("b", "", "x")), Amend(ban("a", "zone", "x")))
	applyTo(t, other, Repeal("a"), Enact(ban("c", "", "x"))) // which syncs before
	applyTo(t, m, Repeal("b"))
	var last ID
	revs := all(t, s.Revisions(t.Context(), 0))
	require.Len(t, revs, 6)
	for _, r := range revs {
		require.Equal(t, last, r.Prev, "edition %d", r.Edition)
		last = r.ID()
	}
}

func TestRevisionIDEndsWithPrev(t *testing.T) {
	r := Revision{Edition: 2, Change: Enact(ban("n", "zone", "attack")), Time: time.Unix(1, 2)}
	require.Equal(t, payload("2|add|"+r.Norm.ID().String()+"|1000000002").id(), r.ID())
	r.Prev = ID{0xab, 1}
	require.Equal(t, payload("2|add|"+r.Norm.ID().String()+"|1000000002|prev=ab01000000000000").id(), r.ID())
}

// The store of a monitor at edition 5 is replaced by a restored one, which
// others carry on in their own way.
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
			for call, f := range map[string]func(m *Monitor) error{
				"Sync":                         func(m *Monitor) error { _, err := m.Sync(t.Context()); return err },
				"Apply":                        func(m *Monitor) error { _, err := m.Apply(t.Context(), Repeal("n5")); return err },
				"Apply that changes nothing":   func(m *Monitor) error { _, err := m.Apply(t.Context(), Enact(ban("n5", "", "x"))); return err },
				"Apply that cannot be carried": func(m *Monitor) error { _, err := m.Apply(t.Context(), Repeal("nobody")); return err },
			} {
				t.Run(call, func(t *testing.T) {
					s := &replacedStore{new(MemStore)}
					m := openOn(t, s)
					for i := range 5 {
						applyTo(t, m, Enact(ban(fmt.Sprint("n", i+1), "", "x")))
					}
					restored := copyOf(t, s, c.backup+1)
					writer := openOn(t, restored)
					for i := range c.others {
						applyTo(t, writer, Enact(ban(fmt.Sprint("other", i), "", "x")))
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
						require.ErrorIs(t, err, ErrDiverged)
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
	s := &replacedStore{new(MemStore)}
	m := openOn(t, s)
	applyTo(t, m, Enact(ban("a", "", "x")))
	last := applyTo(t, m, Enact(ban("b", "", "x")))[0]
	s.Store = copyOf(t, s, 2)
	_, err := m.Sync(t.Context())
	require.EqualError(t, err, "normsync: sync: store is not the one that was followed: it ends before edition 2; if a backup was restored, open a new monitor on the store")
	other := applyTo(t, openOn(t, s), Enact(ban("c", "", "x")))[0]
	_, err = m.Sync(t.Context())
	require.EqualError(t, err, fmt.Sprintf("normsync: sync: store is not the one that was followed: its edition 2 is %v, but edition 2 was %v; if a backup was restored, open a new monitor on the store", other.ID(), last.ID()))
	_, err = m.Apply(t.Context(), Repeal("a"))
	require.EqualError(t, err, fmt.Sprintf("normsync: apply: sync after a conflict: store is not the one that was followed: its edition 2 is %v, but edition 2 was %v; if a backup was restored, open a new monitor on the store", other.ID(), last.ID()))
}

// A follower reads the files of a live writer, whose directory somebody
// restores from a backup.
func TestAFollowerOfFilesNoticesARestoredStore(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "revisions.jsonl")
	write := func(changes ...Change) {
		s := openFileStore(t, dir, nil)
		defer s.Close()
		for _, c := range changes {
			applyTo(t, openOn(t, s), c)
		}
	}
	write(Enact(ban("a", "", "x")), Enact(ban("b", "", "x")), Enact(ban("c", "", "x")))
	backup, err := os.ReadFile(log)
	require.NoError(t, err)
	write(Enact(ban("d", "", "x")), Repeal("a"))
	follower := openOn(t, openFileStore(t, dir, &FileOptions{ReadOnly: true}))
	require.EqualValues(t, 5, follower.Constitution().Edition())
	require.NoError(t, os.WriteFile(log, backup, 0o644))
	_, err = follower.Sync(t.Context())
	require.ErrorIs(t, err, ErrDiverged)
	write(Enact(ban("e", "", "x")), Enact(ban("f", "", "x")), Enact(ban("g", "", "x")))
	_, err = follower.Sync(t.Context())
	require.ErrorIs(t, err, ErrDiverged)
	require.EqualValues(t, 5, follower.Constitution().Edition())
}

func TestAReplayRefusesALogWhoseChainIsBroken(t *testing.T) {
	m, err := NewMonitor()
	require.NoError(t, err)
	for i := range 5 {
		applyTo(t, m, Enact(ban(fmt.Sprint("n", i+1), "", "x")))
	}
	good := all(t, m.Store().Revisions(t.Context(), 0))
	for name, c := range map[string]struct {
		damage func(revs []Revision)
		at     int // the edition that does not follow; 0: all do
	}{
		"nothing is wrong":                     {func([]Revision) {}, 0},
		"a revision was replaced":              {func(r []Revision) { r[2].Norm.Prohibited = "y" }, 4},
		"a Prev was replaced":                  {func(r []Revision) { r[4].Prev = r[2].ID() }, 5},
		"the first revision has Prev":          {func(r []Revision) { r[0].Prev = ID{1} }, 1},
		"a Prev was taken out":                 {func(r []Revision) { r[2].Prev = ID{} }, 4},
		"Prev begins in the middle of the log": {func(r []Revision) { r[1].Prev, r[2].Prev = ID{}, ID{}; r[3].Prev = r[2].ID(); r[4].Prev = r[3].ID() }, 0},
		"Prev ends in the middle of the log":   {func(r []Revision) { r[3].Prev, r[4].Prev = ID{}, ID{} }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			revs := append([]Revision(nil), good...)
			s := &faultyStore{revisions: func(_ *faultyStore, _ context.Context, after uint64) iter.Seq2[Revision, error] {
				return broken(revs[min(after, uint64(len(revs))):], func([]Revision) {})
			}}
			c.damage(revs)
			_, open := Open(t.Context(), s, nil)
			_, at := At(t.Context(), s, time.Now().Add(time.Hour))
			_, atEdition := AtEdition(t.Context(), s, 5)
			_, history := History(t.Context(), s, "n5")
			for call, err := range map[string]error{"Open": open, "At": at, "AtEdition": atEdition, "History": history} {
				if c.at == 0 {
					require.NoError(t, err, call)
					continue
				}
				require.ErrorIs(t, err, ErrInvalid, call)
				require.ErrorContains(t, err, fmt.Sprintf("invalid log: edition %d has Prev %v, but the revision before it is ", c.at, revs[c.at-1].Prev), call)
				require.ErrorContains(t, err, "restore the log from a backup", call)
			}
		})
	}
}

// The store still has what the monitor followed, and goes on with something
// else: the log is broken, not another one.
func TestSyncTellsABrokenLogFromAnother(t *testing.T) {
	s := new(faultyStore)
	m := openOn(t, s)
	applyTo(t, m, Enact(ban("a", "", "x")))
	s.revisions = func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[Revision, error] {
		return eachBy(s.MemStore.Revisions(ctx, after), func(r *Revision) {
			if r.Edition == 2 {
				r.Prev = ID{1}
			}
		})
	}
	applyTo(t, openOn(t, &s.MemStore), Enact(ban("b", "", "x")))
	_, err := m.Sync(t.Context())
	require.NotErrorIs(t, err, ErrDiverged)
	require.ErrorIs(t, err, ErrInvalid)
	require.ErrorContains(t, err, "normsync: sync: invalid log: edition 2 has Prev 0100000000000000, but the revision before it is ")
}

// What version 0.1 wrote opens, is carried on, and is followed.
func TestALogWithoutPrevIsCarriedOn(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/store-0.1")))
	s := openFileStore(t, dir, nil)
	m, other := openOn(t, s), openOn(t, s)
	require.EqualValues(t, 9, m.Constitution().Edition())
	old := all(t, s.Revisions(t.Context(), 0))
	require.Zero(t, old[8].Prev)
	require.Equal(t, "7672acff2be296f3", old[8].ID().String(), "the ID of a revision without Prev is that of 0.1")

	r := applyTo(t, m, Enact(ban("new", "", "x")))[0]
	require.Equal(t, old[8].ID(), r.Prev)
	n, err := other.Sync(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n)
	applyTo(t, other, Repeal("new"))
	require.NoError(t, s.Close())
	s = openFileStore(t, dir, nil)
	require.EqualValues(t, 11, openOn(t, s).Constitution().Edition())
	history, err := History(t.Context(), s, "new")
	require.NoError(t, err)
	require.Len(t, history, 2)
}

// spyStore counts what is read of it.
type spyStore struct {
	MemStore
	after []uint64
	read  int
}

func (s *spyStore) Revisions(ctx context.Context, after uint64) iter.Seq2[Revision, error] {
	s.after = append(s.after, after)
	return eachBy(s.MemStore.Revisions(ctx, after), func(*Revision) { s.read++ })
}

func TestSyncReadsWhatIsNewAndAtMostOneRevisionMore(t *testing.T) {
	s := new(spyStore)
	m := openOn(t, s)
	for i := range 50 {
		applyTo(t, m, Enact(ban(fmt.Sprint(i), "", "x")))
	}
	other := openOn(t, s)
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
			s.after, s.read = nil, 0
			follower := &Monitor{store: s}
			follower.current.Store(other.Constitution())
			follower.tip = other.tip
			for i := range c.news {
				r := Revision{Edition: uint64(51 + i), Version: 1, Change: Enact(ban(fmt.Sprint("new", i), "", "x")), Time: m.tip.time}
				if c.prev {
					r.Prev = s.tip.id
				}
				require.NoError(t, s.AppendRevisions(t.Context(), r))
			}
			n, err := follower.Sync(t.Context())
			require.NoError(t, err)
			require.Equal(t, c.news, n)
			require.Equal(t, c.after, s.after)
			require.Equal(t, c.read, s.read)
			s.revs, s.tip = s.revs[:50], other.tip // for the next case
		})
	}
}

func TestFileStoreRefusesAWrongPrevAfterItWasOpenedAgain(t *testing.T) {
	dir := t.TempDir()
	s := openFileStore(t, dir, nil)
	m := openOn(t, s)
	revs := applyTo(t, m, Enact(ban("a", "", "x")), Enact(ban("b", "", "x")), Enact(ban("c", "", "x")))
	next := Revision{Edition: 4, Prev: revs[2].ID(), Version: 1, Change: Enact(ban("d", "", "x")), Time: revs[2].Time}
	wrong := next
	wrong.Prev = revs[1].ID()
	for range 2 {
		err := s.AppendRevisions(t.Context(), wrong)
		require.ErrorIs(t, err, ErrConflict)
		require.EqualError(t, err, fmt.Sprintf("normsync: append revisions: edition conflict: edition 4 has Prev %v, but the revision before it is %v", revs[1].ID(), revs[2].ID()))
		require.Len(t, all(t, s.Revisions(t.Context(), 0)), 3)
		require.NoError(t, s.Close())
		require.ErrorIs(t, s.AppendRevisions(t.Context(), next), os.ErrClosed)
		s = openFileStore(t, dir, nil)
	}
	early := next
	early.Edition = 5
	require.ErrorIs(t, s.AppendRevisions(t.Context(), early), ErrConflict)
	require.NoError(t, s.AppendRevisions(t.Context(), next))
	require.ErrorIs(t, s.AppendRevisions(t.Context(), next), ErrConflict)
}

func TestApplyReturnsASliceThatTheStoreDoesNotHave(t *testing.T) {
	s := appendsRevisions(func(s *faultyStore, ctx context.Context, revs []Revision) error {
		err := s.MemStore.AppendRevisions(ctx, revs...)
		clear(revs)
		return err
	})
	m := openOn(t, s)
	revs := applyTo(t, m, Enact(ban("a", "", "x")), Enact(ban("b", "", "x")))
	require.Equal(t, all(t, s.MemStore.Revisions(t.Context(), 0)), revs)
	require.Equal(t, revs[1].ID(), applyTo(t, m, Repeal("a"))[0].Prev)
}

// Apply looks for what others changed before it refuses; that it could not is
// the error then.
func TestApplyReportsThatItCouldNotLookForWhatOthersChanged(t *testing.T) {
	lost := errors.New("connection lost")
	var fail atomic.Bool
	s := revisionSequence(func(s *faultyStore, ctx context.Context, after uint64, yield func(Revision, error) bool) {
		if fail.Load() {
			yield(Revision{}, lost)
			return
		}
		s.MemStore.Revisions(ctx, after)(yield)
	})
	m := openOn(t, s)
	applyTo(t, m, Enact(ban("a", "", "x")))
	fail.Store(true)
	for name, c := range map[string]Change{
		"a name that is not in force": Repeal("nobody"),
		"a name that is in force":     Enact(ban("a", "zone", "x")),
		"nothing to do":               Enact(ban("a", "", "x")),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := m.Apply(t.Context(), c)
			require.ErrorIs(t, err, lost)
			require.NotErrorIs(t, err, ErrNotFound)
			require.NotErrorIs(t, err, ErrExists)
			require.EqualError(t, err, "normsync: apply: sync: connection lost")
		})
	}
}
