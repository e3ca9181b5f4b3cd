package natsstore_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

// Violations in batches, beside a FileStore on the same disk.
func BenchmarkAppendViolations(b *testing.B) {
	open := map[string]func(b *testing.B) normsync.Store{
		"file": func(b *testing.B) normsync.Store {
			s, err := normsync.OpenFile(b.TempDir(), nil)
			require.NoError(b, err)
			b.Cleanup(func() { s.Close() })
			return s
		},
		"nats/sync=always": func(b *testing.B) normsync.Store {
			return openStore(b, runServer(b, serverConfig{Dir: b.TempDir(), Port: -1}.options()).ClientURL(), newName(), nil)
		},
		"nats/sync=2m": func(b *testing.B) normsync.Store {
			o := serverConfig{Dir: b.TempDir(), Port: -1}.options()
			o.SyncAlways = false
			return openStore(b, runServer(b, o).ClientURL(), newName(), nil)
		},
	}
	for _, name := range []string{"file", "nats/sync=always", "nats/sync=2m"} {
		b.Run("store="+name, func(b *testing.B) {
			s := open[name](b)
			batch := make([]normsync.Violation, 256) // what a Recorder makes of a busy tick
			for i := range batch {
				batch[i] = violation(i)
			}
			for b.Loop() {
				require.NoError(b, s.AppendViolations(b.Context(), batch...))
			}
			b.ReportMetric(float64(256*b.N)/b.Elapsed().Seconds(), "violations/s")
		})
	}
}

func BenchmarkQueryNewest(b *testing.B) {
	o := serverConfig{Dir: b.TempDir(), Port: -1}.options()
	o.SyncAlways = false
	s := openStore(b, runServer(b, o).ClientURL(), newName(), nil)
	const n = 20_000
	for i := 0; i < n; i += 1000 {
		batch := make([]normsync.Violation, 1000)
		for j := range batch {
			batch[j] = violation(i + j)
		}
		require.NoError(b, s.AppendViolations(b.Context(), batch...))
	}
	b.Run(fmt.Sprintf("violations=%d/limit=10", n), func(b *testing.B) {
		for b.Loop() {
			found := 0
			for _, err := range s.QueryViolations(b.Context(), normsync.ViolationQuery{Agent: "agent-7", Newest: true, Limit: 10}) {
				require.NoError(b, err)
				found++
			}
			require.Equal(b, 10, found)
		}
	})
}
