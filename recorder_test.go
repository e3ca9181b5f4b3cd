package normsync_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

// Each test in a synctest bubble also checks that no goroutine is left: the bubble
// fails if one is.

// sizes is a store that notes the time and the size of each batch of violations.
type sizes struct {
	normsync.MemStore
	start time.Time
	mu    sync.Mutex
	lines []string
}

func (s *sizes) AppendViolations(ctx context.Context, vs ...normsync.Violation) error {
	s.mu.Lock()
	s.lines = append(s.lines, fmt.Sprintf("%d at %v", len(vs), time.Since(s.start)))
	s.mu.Unlock()
	return s.MemStore.AppendViolations(ctx, vs...)
}

func (s *sizes) log() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.lines)
}

func TestRecorderStoresABatchAfterItsDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sizes{start: time.Now()}
		r := normsync.NewRecorder(s, nil)
		time.Sleep(time.Second)
		require.True(t, r.Record(numbered(0, 3)...))
		time.Sleep(60 * time.Millisecond)
		require.True(t, r.Record(numbered(3, 5)...))
		synctest.Wait()
		require.Empty(t, s.log())
		time.Sleep(5 * time.Second)
		require.True(t, r.Record(numbered(5, 6)...))
		time.Sleep(50 * time.Millisecond)
		require.NoError(t, r.Flush(t.Context()))
		require.True(t, r.Record(numbered(6, 7)...))
		time.Sleep(50 * time.Millisecond)
		require.NoError(t, r.Close(t.Context()))
		require.Equal(t, []string{"5 at 1.1s", "1 at 6.11s", "1 at 6.16s"}, s.log())
		require.Equal(t, numbered(0, 7), all(t, consecutive(s.Violations(t.Context(), 0))))
		require.Equal(t, normsync.RecorderStats{Recorded: 7, Stored: 7}, r.Stats())
	})
}

func TestRecorderStoresWithoutDelayWhatIsAFullBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sizes{start: time.Now()}
		r := normsync.NewRecorder(s, &normsync.RecorderOptions{Buffer: normsync.MaxBatch + 100, Delay: time.Hour})
		r.Record(numbered(0, normsync.MaxBatch)...)
		synctest.Wait()
		require.Equal(t, []string{"1024 at 0s"}, s.log(), "a full batch")
		r.Record(numbered(0, 10)...)
		synctest.Wait()
		require.Len(t, s.log(), 1)
		require.False(t, r.Record(numbered(0, 2*normsync.MaxBatch)...))
		synctest.Wait()
		require.Equal(t, []string{"1024 at 0s", "1024 at 0s"}, s.log(), "with room made, the rest can wait")
		require.Equal(t, normsync.RecorderStats{Recorded: 2*normsync.MaxBatch + 100, Dropped: normsync.MaxBatch - 90, Stored: 2 * normsync.MaxBatch}, r.Stats())
		require.NoError(t, r.Close(t.Context()))

		s = &sizes{start: time.Now()}
		r = normsync.NewRecorder(s, &normsync.RecorderOptions{Buffer: 7, Delay: time.Hour})
		r.Record(numbered(0, 5)...)
		r.Record(numbered(5, 9)...)
		synctest.Wait()
		require.Equal(t, []string{"7 at 0s"}, s.log(), "a full buffer")
		require.NoError(t, r.Close(t.Context()))
	})
}

// slow is a store that takes a while, or until its context ends.
type slow struct {
	normsync.MemStore
	time  time.Duration
	deaf  bool // ignores its context
	calls int
}

func (s *slow) AppendViolations(ctx context.Context, vs ...normsync.Violation) error {
	s.calls++
	if s.deaf {
		time.Sleep(s.time)
		return s.MemStore.AppendViolations(context.WithoutCancel(ctx), vs...)
	}
	select {
	case <-time.After(s.time):
	case <-ctx.Done():
	}
	return s.MemStore.AppendViolations(ctx, vs...)
}

func TestRecorderNeverBlocksThoughTheStoreIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{time: time.Hour}
		r := normsync.NewRecorder(s, &normsync.RecorderOptions{Buffer: 100})
		start := time.Now()
		require.True(t, r.Record(numbered(0, 60)...))
		time.Sleep(time.Second) // the store has them in its hands, and they still count
		require.False(t, r.Record(numbered(60, 160)...))
		for range 1000 {
			require.False(t, r.Record(numbered(0, 1)...))
		}
		require.True(t, r.Record(), "nothing is dropped of nothing")
		require.Equal(t, time.Second, time.Since(start))
		require.Equal(t, normsync.RecorderStats{Recorded: 100, Dropped: 1060}, r.Stats())

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.EqualError(t, r.Flush(ctx), "normsync: flush: 100 violations are not stored yet: context deadline exceeded")
		require.NoError(t, r.Flush(t.Context()))
		require.Equal(t, normsync.RecorderStats{Recorded: 100, Dropped: 1060, Stored: 100}, r.Stats())
		require.Equal(t, numbered(0, 100), all(t, consecutive(s.Violations(t.Context(), 0))), "the first ones are taken")
		require.True(t, r.Record(numbered(100, 200)...), "there is room again")
		require.NoError(t, r.Close(t.Context()))
		require.False(t, r.Record())
		require.False(t, r.Record(numbered(0, 5)...))
		require.Equal(t, normsync.RecorderStats{Recorded: 200, Dropped: 1065, Stored: 200}, r.Stats())
		require.NoError(t, r.Flush(t.Context()))
		require.NoError(t, r.Close(t.Context()))
	})
}

func TestRecorderCloseGivesUp(t *testing.T) {
	for _, deaf := range []bool{false, true} {
		t.Run(fmt.Sprintf("the store looks at its context: %v", !deaf), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &slow{time: time.Hour, deaf: deaf}
				r := normsync.NewRecorder(s, &normsync.RecorderOptions{Buffer: 5000})
				r.Record(numbered(0, 3000)...)
				synctest.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				require.EqualError(t, r.Close(ctx), "normsync: close: 3000 violations are not stored: context deadline exceeded")
				require.False(t, r.Record(numbered(0, 1)...))
				require.ErrorIs(t, r.Close(t.Context()), context.Canceled)
				require.Equal(t, 1, s.calls, "the store is not asked again")
				want := normsync.RecorderStats{Recorded: 3000, Dropped: 1, Failed: 3000}
				if deaf {
					want.Stored, want.Failed = 1024, 3000-1024
				}
				require.Equal(t, want, r.Stats())
				require.NoError(t, r.Close(t.Context()), "errors are returned once")
				require.NoError(t, r.Flush(t.Context()))
			})
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := normsync.NewRecorder(new(normsync.MemStore), nil)
	if err := r.Close(ctx); err != nil {
		require.ErrorIs(t, err, context.Canceled)
	}
	require.NoError(t, r.Close(t.Context()))
}

func TestRecorderCountsWhatFailsAndGoesOn(t *testing.T) {
	boom := errors.New("boom")
	for _, c := range []struct {
		name string
		fail func() error
		text string
	}{
		{"an error", func() error { return boom }, "boom"},
		{"a panic", func() error { panic("boom") }, "it panics: boom"},
		{"the end of the goroutine", func() error { runtime.Goexit(); return nil }, "the store has ended the goroutine that called it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				failing := true
				s := appendsViolations(func(s *faultyStore, ctx context.Context, vs []normsync.Violation) error {
					if failing {
						return c.fail()
					}
					return s.MemStore.AppendViolations(ctx, vs...)
				})
				var heard []error
				var r *normsync.Recorder
				r = normsync.NewRecorder(s, &normsync.RecorderOptions{OnError: func(err error) {
					heard = append(heard, err)
					require.EqualValues(t, 20*len(heard), r.Stats().Failed, "no lock is held, and the count is up to date")
				}})
				want := "normsync: record 20 violations: " + c.text
				r.Record(numbered(0, 20)...)
				require.EqualError(t, r.Flush(t.Context()), want)
				require.Len(t, heard, 1)
				require.EqualError(t, heard[0], want)
				require.NoError(t, r.Flush(t.Context()), "errors are returned once")
				for range 2 {
					r.Record(numbered(0, 20)...)
					time.Sleep(time.Second)
				}
				require.EqualError(t, r.Flush(t.Context()), want+"\n"+want)
				failing = false
				r.Record(numbered(60, 90)...)
				require.NoError(t, r.Flush(t.Context()))
				require.Equal(t, normsync.RecorderStats{Recorded: 90, Stored: 30, Failed: 60}, r.Stats())
				require.Equal(t, numbered(60, 90), all(t, consecutive(s.Violations(t.Context(), 0))))
				failing = true
				r.Record(numbered(0, 20)...)
				require.EqualError(t, r.Close(t.Context()), want)
				require.Equal(t, normsync.RecorderStats{Recorded: 110, Stored: 30, Failed: 80}, r.Stats())
			})
		})
	}
}

func TestRecorderOutlivesItsOnError(t *testing.T) {
	for name, onError := range map[string]func(error){"it panics": func(error) { panic("boom") }, "it ends the goroutine": func(error) { runtime.Goexit() }} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := normsync.NewRecorder(appendsViolations(func(*faultyStore, context.Context, []normsync.Violation) error { return errors.New("no") }), &normsync.RecorderOptions{OnError: onError})
				for range 3 {
					r.Record(numbered(0, 2)...)
					err := r.Flush(t.Context())
					require.ErrorContains(t, err, "normsync: record 2 violations: no")
					if name == "it panics" {
						require.ErrorContains(t, err, "normsync: record: OnError: it panics: boom")
					}
				}
				require.NoError(t, r.Close(t.Context()))
				require.Equal(t, normsync.RecorderStats{Recorded: 6, Failed: 6}, r.Stats())
			})
		})
	}
}

func TestRecorderKeepsNoMoreErrorsThanOneCanRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		boom := errors.New("boom")
		r := normsync.NewRecorder(appendsViolations(func(*faultyStore, context.Context, []normsync.Violation) error { return boom }), nil)
		for range 100 {
			r.Record(numbered(0, 1)...)
			time.Sleep(time.Second)
		}
		err := r.Flush(t.Context())
		require.ErrorIs(t, err, boom)
		require.ErrorContains(t, err, "normsync: record: and 84 more errors")
		require.Len(t, err.(interface{ Unwrap() []error }).Unwrap(), 100-84+1)
		require.NoError(t, r.Close(t.Context()))
	})
}

// An agent must not be able to make others' violations vanish.
func TestRecorderLosesAViolationThatNoStoreTakesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s normsync.MemStore
		r := normsync.NewRecorder(&s, nil)
		vs := numbered(0, 10)
		vs[3].Action.Metadata, vs[7].Action.Metadata = "{", "}"
		require.True(t, r.Record(vs...))
		err := r.Close(t.Context())
		require.ErrorIs(t, err, normsync.ErrInvalid)
		require.Regexp(t, "^normsync: record 2 violations: invalid action: Metadata", err.Error())
		require.Equal(t, normsync.RecorderStats{Recorded: 10, Stored: 8, Failed: 2}, r.Stats())
		require.Equal(t, slices.Concat(vs[:3], vs[4:7], vs[8:]), all(t, consecutive(s.Violations(t.Context(), 0))))
	})
}

// The Recorder looks for invalid violations only if the store refuses a batch.
func TestRecorderAppendsABatchAgainOnlyWithoutWhatIsInvalid(t *testing.T) {
	invalid := fmt.Errorf("%w: not for this store", normsync.ErrInvalid)
	for name, c := range map[string]struct {
		spoil func(vs []normsync.Violation)
		fail  error
		sizes []int // of the batches that the store gets
		stats normsync.RecorderStats
	}{
		"all are valid":  {func([]normsync.Violation) {}, nil, []int{5}, normsync.RecorderStats{Recorded: 5, Stored: 5}},
		"one is invalid": {func(vs []normsync.Violation) { vs[2].Action.Metadata = "{" }, nil, []int{5, 4}, normsync.RecorderStats{Recorded: 5, Stored: 4, Failed: 1}},
		"all are invalid": {func(vs []normsync.Violation) {
			vs[2].Action.Metadata = "{"
			copy(vs, []normsync.Violation{vs[2], vs[2], vs[2], vs[2], vs[2]})
		}, nil, []int{5}, normsync.RecorderStats{Recorded: 5, Failed: 5}},
		"the store refuses what others accept":  {func([]normsync.Violation) {}, invalid, []int{5}, normsync.RecorderStats{Recorded: 5, Failed: 5}},
		"the store refuses the valid ones, too": {func(vs []normsync.Violation) { vs[0].Action.Metadata = "{" }, invalid, []int{5, 4}, normsync.RecorderStats{Recorded: 5, Failed: 5}},
		"the store fails for another reason":    {func(vs []normsync.Violation) { vs[0].Action.Metadata = "{" }, errors.New("disk full"), []int{5}, normsync.RecorderStats{Recorded: 5, Failed: 5}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var sizes []int
				r := normsync.NewRecorder(appendsViolations(func(s *faultyStore, ctx context.Context, vs []normsync.Violation) error {
					sizes = append(sizes, len(vs))
					if c.fail != nil {
						return c.fail
					}
					return s.MemStore.AppendViolations(ctx, vs...)
				}), nil)
				vs := numbered(0, 5)
				c.spoil(vs)
				require.True(t, r.Record(vs...))
				err := r.Close(t.Context())
				require.Equal(t, c.stats.Failed > 0, err != nil)
				require.Equal(t, c.sizes, sizes)
				require.Equal(t, c.stats, r.Stats())
			})
		})
	}
}

func TestRecorderWithManyAtOnceAddsUp(t *testing.T) {
	const goroutines, each = 8, 400
	n := 0
	s := appendsViolations(func(s *faultyStore, ctx context.Context, vs []normsync.Violation) error {
		if n++; n%5 == 4 {
			panic("boom")
		}
		return s.MemStore.AppendViolations(ctx, vs...)
	})
	r := normsync.NewRecorder(s, &normsync.RecorderOptions{Buffer: 700, Delay: time.Nanosecond, OnError: func(error) {}})
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range each {
				r.Record(numbered(g*each+i, g*each+i+1)...)
				if s := r.Stats(); s.Stored+s.Failed > s.Recorded || s.Recorded-s.Stored-s.Failed > 700 {
					t.Errorf("the counts do not add up: %+v", s)
				}
				if i%50 == 0 {
					_ = r.Flush(t.Context())
				}
			}
		})
	}
	wg.Wait()
	_ = r.Close(t.Context())
	stats := r.Stats()
	require.EqualValues(t, goroutines*each, stats.Recorded+stats.Dropped)
	require.Equal(t, stats.Recorded, stats.Stored+stats.Failed)
	last := make(map[uint64]uint64)
	stored := all(t, consecutive(s.Violations(t.Context(), 0)))
	require.EqualValues(t, stats.Stored, len(stored))
	for _, v := range stored {
		g := v.Edition / each
		require.GreaterOrEqual(t, v.Edition+1, last[g], "what one goroutine records keeps its order")
		last[g] = v.Edition + 1
	}
}

func TestRecorderHoldsNoMemoryThatItDoesNotNeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := normsync.NewRecorder(new(normsync.MemStore), nil)
		require.Empty(t, r.Spare(), "nothing is allocated ahead")
		for range 3 {
			require.True(t, r.Record(numbered(0, 10000)...))
			require.NoError(t, r.Flush(t.Context()))
		}
		spare := r.Spare()
		require.Len(t, spare, 10, "they are kept for use")
		for _, batch := range spare {
			require.Equal(t, make([]normsync.Violation, cap(batch)), batch[:cap(batch)], "texts are let go of")
		}
		require.NoError(t, r.Close(t.Context()))
	})
}

func TestRecorderAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	hung := make(chan struct{})
	entered := make(chan struct{}, 100)
	r := normsync.NewRecorder(appendsViolations(func(*faultyStore, context.Context, []normsync.Violation) error {
		entered <- struct{}{}
		<-hung
		return nil
	}), &normsync.RecorderOptions{Buffer: 60000, Delay: time.Nanosecond})
	one, some := numbered(0, 1), numbered(0, 7)
	// Warm: as many batches as these calls need have been in use before.
	for range 9 {
		r.Record(numbered(0, 2048)...)
	}
	hung <- struct{}{}
	close(hung)
	require.NoError(t, r.Flush(t.Context()))
	for _, c := range []struct {
		name string
		call func()
	}{
		{"one violation", func() { r.Record(one...) }},
		{"several violations", func() { r.Record(some...) }},
		{"none", func() { r.Record() }},
		{"counts", func() { r.Stats() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Zero(t, testing.AllocsPerRun(1000, c.call))
		})
	}
	require.NoError(t, r.Close(t.Context()))
	t.Run("after Close", func(t *testing.T) {
		require.Zero(t, testing.AllocsPerRun(1000, func() { r.Record(some...) }))
	})
}

func TestRecorderThatHasStoredAllClosesWhateverTheContext(t *testing.T) {
	done, cancel := context.WithCancel(t.Context())
	cancel()
	for range 50 {
		r := normsync.NewRecorder(new(normsync.MemStore), nil)
		require.NoError(t, r.Close(done))
	}
}
