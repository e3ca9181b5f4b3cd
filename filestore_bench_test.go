package normsync

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

var stored = flag.Int("stored", 1_000_000, "violations in the store that the benchmarks open and stream")

// One iteration is one violation.
func BenchmarkFileStoreAppendViolations(b *testing.B) {
	for _, goroutines := range []int{1, 8, 64} {
		for _, batch := range []int{1, 100, 1000} {
			b.Run(fmt.Sprintf("goroutines=%d/batch=%d", goroutines, batch), func(b *testing.B) {
				s := openFileStore(b, filepath.Join(b.TempDir(), "store"), &FileOptions{MaxBytes: 1 << 30})
				vs := fileViolations(1, batch)
				b.ResetTimer()
				var wg sync.WaitGroup
				calls := (b.N + batch - 1) / batch
				for g := range goroutines {
					wg.Go(func() {
						for range (calls + g) / goroutines {
							if err := s.AppendViolations(b.Context(), vs...); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(calls*batch)/b.Elapsed().Seconds(), "violations/s")
			})
		}
	}
}

func BenchmarkFileStoreAppendRevisions(b *testing.B) {
	s := openFileStore(b, filepath.Join(b.TempDir(), "store"), nil)
	e := uint64(0)
	for b.Loop() {
		e++
		require.NoError(b, s.AppendRevisions(b.Context(), fileRevision(e)))
	}
}

func BenchmarkFileStoreStored(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "store")
	s := openFileStore(b, dir, nil)
	for i := 0; i < *stored; i += 1000 {
		require.NoError(b, s.AppendViolations(b.Context(), fileViolations(i, min(i+999, *stored-1))...))
	}
	require.NoError(b, s.Close())
	for _, readOnly := range []bool{false, true} {
		b.Run(fmt.Sprintf("open/violations=%d/readonly=%v", *stored, readOnly), func(b *testing.B) {
			used := fileHeap()
			for b.Loop() {
				s := openFileStore(b, dir, &FileOptions{ReadOnly: readOnly})
				used = max(used, fileHeap()) // whatever is garbage by now included
				s.Close()
			}
			b.ReportMetric(float64(used)/(1<<20), "heap-MiB")
		})
	}
	b.Run(fmt.Sprintf("stream/violations=%d", *stored), func(b *testing.B) {
		s := openFileStore(b, dir, nil)
		used := uint64(0)
		for b.Loop() {
			n := 0
			for _, err := range consecutive(s.Violations(b.Context(), 0)) {
				require.NoError(b, err)
				if n++; n%100_000 == 0 {
					used = max(used, fileHeap())
				}
			}
			require.Equal(b, *stored, n)
		}
		b.ReportMetric(float64(*stored)*float64(b.N)/b.Elapsed().Seconds(), "violations/s")
		b.ReportMetric(float64(used)/(1<<20), "heap-MiB")
	})
	entries, err := os.ReadDir(dir)
	require.NoError(b, err)
	size := int64(0)
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(b, err)
		size += info.Size()
	}
	b.Logf("%d bytes per violation on disk", size/int64(*stored))
}

func fileHeap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}
