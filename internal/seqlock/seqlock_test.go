package seqlock

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAReadDuringAWriteDoesNotCount(t *testing.T) {
	var l Lock
	calls := 0
	read := func() { calls++ }
	require.True(t, l.tryRead(read))
	l.Write(func() {
		require.False(t, l.tryRead(read))
	})
	require.Equal(t, 1, calls, "no value is read while it is written")
	require.True(t, l.tryRead(read), "the write has ended")

	require.False(t, l.tryRead(func() { l.Write(func() {}) }), "a write came between")
}

func TestReadReadsAgainAfterAWrite(t *testing.T) {
	var l Lock
	calls := 0
	l.Read(func() {
		if calls++; calls < 3 {
			l.Write(func() {})
		}
	})
	require.Equal(t, 3, calls)
}

func TestExcludeDoesNotDisturbReads(t *testing.T) {
	var l Lock
	l.Exclude(func() {
		require.True(t, l.tryRead(func() {}))
		require.False(t, l.writers.TryLock())
	})
}

func TestReadsSeeAllOfAWriteOrNothing(t *testing.T) {
	var l Lock
	var a, b atomic.Int64
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			for range 1000 {
				l.Write(func() {
					a.Add(1)
					b.Add(1)
				})
			}
		})
		wait.Go(func() {
			for range 1000 {
				var x, y int64
				l.Read(func() { x, y = a.Load(), b.Load() })
				if x != y {
					t.Errorf("%d and %d", x, y)
				}
			}
		})
	}
	wait.Wait()
	require.Equal(t, int64(2000), a.Load())
}
