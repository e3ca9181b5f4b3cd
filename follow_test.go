package normsync

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// onlyStore hides what a store has beside the methods of Store.
type onlyStore struct{ Store }

// follow ranges over Follow until ctx ends, and sends what it yields.
func follow(ctx context.Context, m *Monitor) <-chan pair[[]Revision] {
	out := make(chan pair[[]Revision], 100)
	go func() {
		defer close(out)
		for revs, err := range m.Follow(ctx) {
			out <- pair[[]Revision]{revs, err}
		}
	}()
	return out
}

func TestFollowYieldsEachRevisionOnceAfterItIsInForce(t *testing.T) {
	for name, wrap := range map[string]func(Store) Store{
		"a store that can wait":    func(s Store) Store { return s },
		"a store that cannot wait": func(s Store) Store { return onlyStore{s} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := new(MemStore)
				writer, follower := openOn(t, s), openOn(t, wrap(s))
				ctx, stop := context.WithCancel(t.Context())
				followed := follow(ctx, follower)
				synctest.Wait()
				var editions []uint64
				for i := range 3 {
					applyTo(t, writer, Enact(ban(fmt.Sprint("w", i), "", "x")), Enact(ban(fmt.Sprint("v", i), "", "x")))
					applyTo(t, follower, Enact(ban(fmt.Sprint("f", i), "", "x")))
					time.Sleep(2 * defaultPoll)
					synctest.Wait()
					for len(followed) > 0 {
						p := <-followed
						require.NoError(t, p.err)
						for _, r := range p.value {
							require.LessOrEqual(t, r.Edition, follower.Constitution().Edition())
							editions = append(editions, r.Edition)
						}
					}
				}
				require.Equal(t, []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9}, editions)
				stop()
				_, more := <-followed
				require.False(t, more, "the end of the context is not yielded")
			})
		})
	}
}

func TestFollowLearnsAtOnceFromAStoreThatCanWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(MemStore)
		writer, follower := openOn(t, s), openOn(t, s)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		followed := follow(ctx, follower)
		synctest.Wait()
		begin := time.Now()
		applyTo(t, writer, Enact(ban("n", "", "x")))
		require.Len(t, (<-followed).value, 1)
		require.Zero(t, time.Since(begin), "no clock has to move on")
		stop()
		<-followed
	})
}

func TestFollowGoesOnAfterAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := errors.New("the store is down")
		var failing atomic.Bool
		s := &faultyStore{}
		s.revisions = func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[Revision, error] {
			if failing.Load() {
				return func(yield func(Revision, error) bool) { yield(Revision{}, down) }
			}
			return s.MemStore.Revisions(ctx, after)
		}
		m, err := Open(t.Context(), onlyStore{s}, &Options{Poll: time.Minute})
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		followed := follow(ctx, m)
		synctest.Wait()
		failing.Store(true)
		time.Sleep(3*time.Minute + time.Second)
		synctest.Wait()
		require.Len(t, followed, 3, "one error for each Poll, not a loop without a pause")
		for range 3 {
			require.ErrorIs(t, (<-followed).err, down)
		}
		failing.Store(false)
		applyTo(t, openOn(t, &s.MemStore), Enact(ban("n", "", "x")))
		p := <-followed
		require.NoError(t, p.err)
		require.Len(t, p.value, 1)
		stop()
		<-followed
	})
}

func TestFollowBeginsAfterWhatIsInForceAndCanBeStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(MemStore)
		m := openOn(t, s)
		applyTo(t, m, Enact(ban("before", "", "x")))
		stopped := make(chan []Revision)
		go func() {
			for revs := range m.Follow(t.Context()) {
				stopped <- revs
				break
			}
			close(stopped)
		}()
		synctest.Wait()
		applyTo(t, m, Enact(ban("after", "", "x")))
		require.Equal(t, uint64(2), (<-stopped)[0].Edition)
		<-stopped
	})
}

func TestMemStoreWaitRevisions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(MemStore)
		m := openOn(t, s)
		woken := make(chan error, 3)
		for after := range uint64(3) {
			go func() { woken <- s.WaitRevisions(t.Context(), after) }()
		}
		synctest.Wait()
		require.Empty(t, woken)
		for range 3 {
			applyTo(t, m, Enact(ban(fmt.Sprint("n", m.Constitution().Edition()), "", "x")))
			synctest.Wait()
			require.Len(t, woken, 1, "only those whose revision is there wake up")
			require.NoError(t, <-woken)
		}
		require.NoError(t, s.WaitRevisions(t.Context(), 2))
		done, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, s.WaitRevisions(done, 3), context.Canceled)
		require.ErrorIs(t, s.WaitRevisions(done, 0), context.Canceled, "a context that is already done is reported")
		late, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, s.WaitRevisions(late, 3), context.DeadlineExceeded)
	})
}

// A reader waits for a file that is not there yet, is woken by an append, and notices
// that the file was replaced by one with more revisions.
func TestFileStoreWaitRevisionsOfAReader(t *testing.T) {
	dir := t.TempDir()
	reader, err := OpenFile(dir, &FileOptions{ReadOnly: true})
	require.NoError(t, err)
	defer reader.Close()
	woken := make(chan error, 1)
	wait := func(after uint64) { go func() { woken <- reader.WaitRevisions(t.Context(), after) }() }
	still := func() {
		t.Helper()
		soon, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, reader.WaitRevisions(soon, 4), context.DeadlineExceeded)
		require.Empty(t, woken)
	}

	wait(0)
	still()
	writer, err := OpenFile(dir, nil)
	require.NoError(t, err)
	m := openOn(t, writer)
	applyTo(t, m, Enact(ban("a", "", "x")))
	require.NoError(t, <-woken, "the file was not there")
	wait(1)
	still()
	applyTo(t, m, Enact(ban("b", "", "x")))
	require.NoError(t, <-woken, "the file has grown")
	require.NoError(t, writer.Close())

	// Another store, whose log goes on after the same two revisions.
	other := t.TempDir()
	copied, err := OpenFile(other, nil)
	require.NoError(t, err)
	require.NoError(t, Copy(t.Context(), reader, copied))
	applyTo(t, openOn(t, copied), Enact(ban("c", "", "x")))
	require.NoError(t, copied.Close())
	wait(2)
	still()
	require.NoError(t, os.Remove(filepath.Join(dir, "revisions.jsonl")))
	still()
	require.NoError(t, os.Rename(filepath.Join(other, "revisions.jsonl"), filepath.Join(dir, "revisions.jsonl")))
	require.NoError(t, <-woken, "the file was replaced")
	require.Len(t, all(t, reader.Revisions(t.Context(), 0)), 3)

	wait(3)
	still()
	require.NoError(t, reader.Close())
	require.ErrorIs(t, <-woken, fs.ErrClosed)
}

func TestEditionsYieldsEachApplyOnce(t *testing.T) {
	s := new(MemStore)
	now := time.Unix(1000, 0)
	m, err := Open(t.Context(), s, &Options{Now: func() time.Time { now = now.Add(1); return now }})
	require.NoError(t, err)
	require.Empty(t, all(t, Editions(t.Context(), s)))
	applyTo(t, m, Enact(ban("a", "", "x")), Enact(ban("b", "", "x")))
	applyTo(t, m, Repeal("a"))
	applyTo(t, m, Enact(ban("a", "", "y")), Amend(ban("b", "z", "x")), Repeal("b"))
	applyTo(t, m, Enact(ban("b", "", "x")))
	var editions []uint64
	for _, c := range all(t, Editions(t.Context(), s)) {
		at, err := AtEdition(t.Context(), s, c.Edition())
		require.NoError(t, err)
		require.Equal(t, slices.Collect(at.All()), slices.Collect(c.All()))
		editions = append(editions, c.Edition())
	}
	require.Equal(t, []uint64{2, 3, 6, 7}, editions)
	for range Editions(t.Context(), s) {
		break
	}
	bad := revisionsBy(func(r *Revision) { r.Version += int(r.Edition / 5) })
	require.NoError(t, bad.AppendRevisions(t.Context(), all(t, s.Revisions(t.Context(), 0))...))
	pairs := collect(Editions(t.Context(), bad), 10, nil)
	require.Len(t, pairs, 3)
	require.ErrorIs(t, pairs[2].err, ErrInvalid)
}
