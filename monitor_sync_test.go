package normsync_test

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

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
					_, err := m.Apply(t.Context(), enact("n5"))
					return err
				},
				"Apply that cannot be carried": func(m *normsync.Monitor) error { _, err := m.Apply(t.Context(), normsync.Repeal("nobody")); return err },
			} {
				t.Run(call, func(t *testing.T) {
					s := &replacedStore{new(normsync.MemStore)}
					m := openOn(t, s)
					for i := range 5 {
						applyTo(t, m, enact(fmt.Sprint("n", i+1)))
					}
					restored := copyOf(t, s, c.backup+1)
					writer := openOn(t, restored)
					for i := range c.others {
						applyTo(t, writer, enact(fmt.Sprint("other", i)))
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
	applyTo(t, m, enact("a"))
	last := applyTo(t, m, enact("b"))[0]
	s.Store = copyOf(t, s, 2)
	_, err := m.Sync(t.Context())
	require.EqualError(t, err, "normsync: sync: store is not the one that was followed: it ends before edition 2; if a backup was restored, open a new monitor on the store")
	other := applyTo(t, openOn(t, s), enact("c"))[0]
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
	write(enact("a"), enact("b"), enact("c"))
	backup, err := os.ReadFile(log)
	require.NoError(t, err)
	write(enact("d"), normsync.Repeal("a"))
	follower := openOn(t, openFileStore(t, dir, &normsync.FileOptions{ReadOnly: true}))
	require.EqualValues(t, 5, follower.Constitution().Edition())
	require.NoError(t, os.WriteFile(log, backup, 0o644))
	require.NoError(t, os.Remove(filepath.Join(dir, "seal.json"))) // it is that of the newer log
	_, err = follower.Sync(t.Context())
	require.ErrorIs(t, err, normsync.ErrDiverged)
	write(enact("e"), enact("f"), enact("g"))
	_, err = follower.Sync(t.Context())
	require.ErrorIs(t, err, normsync.ErrDiverged)
	require.EqualValues(t, 5, follower.Constitution().Edition())
}

// The store still has the monitor's last revision, but the next one names another
// predecessor: the log is broken, it is not another log.
func TestSyncTellsABrokenLogFromAnother(t *testing.T) {
	s := new(faultyStore)
	m := openOn(t, s)
	applyTo(t, m, enact("a"))
	s.revisions = func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[normsync.Revision, error] {
		return eachBy(s.MemStore.Revisions(ctx, after), func(r *normsync.Revision) {
			if r.Edition == 2 {
				r.Prev = normsync.ID{1}
			}
		})
	}
	applyTo(t, openOn(t, &s.MemStore), enact("b"))
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
				last = applyTo(t, m, enact(fmt.Sprint(i)))[0]
			}
			follower := openOn(t, s)
			s.after, s.read = nil, 0
			for i := range c.news {
				r := normsync.Revision{Edition: uint64(51 + i), Version: 1, Change: enact(fmt.Sprint("new", i)), Time: last.Time}
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
