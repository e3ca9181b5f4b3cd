package normsync_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

// follow ranges over Follow until ctx ends, and sends what it yields.
func follow(ctx context.Context, m *normsync.Monitor) <-chan result[[]normsync.Revision] {
	out := make(chan result[[]normsync.Revision], 100)
	go func() {
		defer close(out)
		for revs, err := range m.Follow(ctx) {
			out <- result[[]normsync.Revision]{revs, err}
		}
	}()
	return out
}

func TestFollowYieldsEachRevisionOnceAfterItIsInForce(t *testing.T) {
	for name, wrap := range map[string]func(normsync.Store) normsync.Store{
		"a store that can wait":    func(s normsync.Store) normsync.Store { return s },
		"a store that cannot wait": func(s normsync.Store) normsync.Store { return onlyStore{s} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := new(normsync.MemStore)
				writer, follower := openOn(t, s), openOn(t, wrap(s))
				ctx, stop := context.WithCancel(t.Context())
				followed := follow(ctx, follower)
				synctest.Wait()
				var editions []uint64
				for i := range 3 {
					applyTo(t, writer, enact(fmt.Sprint("w", i)), enact(fmt.Sprint("v", i)))
					applyTo(t, follower, enact(fmt.Sprint("f", i)))
					time.Sleep(1100 * time.Millisecond) // the Poll of a monitor that has none is a second
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
		s := new(normsync.MemStore)
		writer, follower := openOn(t, s), openOn(t, s)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		followed := follow(ctx, follower)
		synctest.Wait()
		begin := time.Now()
		applyTo(t, writer, enact("n"))
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
		s.revisions = func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[normsync.Revision, error] {
			if failing.Load() {
				return func(yield func(normsync.Revision, error) bool) { yield(normsync.Revision{}, down) }
			}
			return s.MemStore.Revisions(ctx, after)
		}
		m, err := normsync.Open(t.Context(), onlyStore{s}, &normsync.Options{Poll: time.Minute})
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
		applyTo(t, openOn(t, &s.MemStore), enact("n"))
		p := <-followed
		require.NoError(t, p.err)
		require.Len(t, p.value, 1)
		stop()
		<-followed
	})
}

func TestFollowBeginsAfterWhatIsInForceAndCanBeStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(normsync.MemStore)
		m := openOn(t, s)
		applyTo(t, m, enact("before"))
		stopped := make(chan []normsync.Revision)
		go func() {
			for revs := range m.Follow(t.Context()) {
				stopped <- revs
				break
			}
			close(stopped)
		}()
		synctest.Wait()
		applyTo(t, m, enact("after"))
		require.Equal(t, uint64(2), (<-stopped)[0].Edition)
		<-stopped
	})
}

func TestMemStoreWaitRevisions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(normsync.MemStore)
		m := openOn(t, s)
		woken := make(chan error, 3)
		for after := range uint64(3) {
			go func() { woken <- s.WaitRevisions(t.Context(), after) }()
		}
		synctest.Wait()
		require.Empty(t, woken)
		for range 3 {
			applyTo(t, m, enact(fmt.Sprint("n", m.Constitution().Edition())))
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
	reader, err := normsync.OpenFile(dir, &normsync.FileOptions{ReadOnly: true})
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
	writer, err := normsync.OpenFile(dir, nil)
	require.NoError(t, err)
	m := openOn(t, writer)
	applyTo(t, m, enact("a"))
	require.NoError(t, <-woken, "the file was not there")
	wait(1)
	still()
	applyTo(t, m, enact("b"))
	require.NoError(t, <-woken, "the file has grown")
	require.NoError(t, writer.Close())

	// Another store, whose log goes on after the same two revisions.
	other := t.TempDir()
	copied, err := normsync.OpenFile(other, nil)
	require.NoError(t, err)
	require.NoError(t, normsync.Copy(t.Context(), reader, copied))
	applyTo(t, openOn(t, copied), enact("c"))
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
