package sqlstore_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

// BenchmarkFollow measures the time from the call of Apply in one process until
// the revision is in force in another. Each iteration is one Apply.
func BenchmarkFollow(b *testing.B) {
	for _, e := range engines {
		b.Run("store="+e.name, func(b *testing.B) {
			place := e.place(b)
			m, err := normsync.Open(b.Context(), mustOpen(b, place), nil)
			require.NoError(b, err)
			p := follower(b, place)
			var took []time.Duration
			for b.Loop() {
				edition := m.Constitution().Edition() + 1
				start := time.Now()
				_, err := m.Apply(b.Context(), enact(fmt.Sprint("norm ", edition), ""))
				require.NoError(b, err)
				line := p.line(b, len(took)+1)
				var got uint64
				var force int64
				_, err = fmt.Sscanf(line, "force %d %d", &got, &force)
				require.NoError(b, err)
				require.Equal(b, edition, got)
				took = append(took, time.Duration(force-start.UnixNano()))
				time.Sleep(time.Duration(len(took)%20) * time.Millisecond) // so that Apply falls into any moment of a poll
			}
			slices.Sort(took)
			b.ReportMetric(took[len(took)/2].Seconds()*1000, "p50-ms")
			b.ReportMetric(took[len(took)*99/100].Seconds()*1000, "p99-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkRecorder measures how many violations a second a Recorder brings to a
// store. Each iteration is 1000 violations.
func BenchmarkRecorder(b *testing.B) {
	stores := map[string]func(b *testing.B) normsync.Store{
		"FileStore": func(b *testing.B) normsync.Store {
			s, err := normsync.OpenFile(b.TempDir(), nil)
			require.NoError(b, err)
			b.Cleanup(func() { s.Close() })
			return s
		},
	}
	names := []string{"FileStore"}
	for _, e := range engines {
		names = append(names, e.name)
		stores[e.name] = func(b *testing.B) normsync.Store { return mustOpen(b, e.place(b)) }
	}
	for _, name := range names {
		b.Run("store="+name, func(b *testing.B) {
			r := normsync.NewRecorder(stores[name](b), nil)
			vs := make([]normsync.Violation, 1000)
			for i := range vs {
				vs[i] = violation(i)
			}
			start := time.Now()
			for b.Loop() {
				for i := range vs { // time passes, as it does in a world
					vs[i].Action.Time = vs[i].Action.Time.Add(1000 * time.Second)
				}
				for rest := vs; len(rest) > 0; {
					before := r.Stats().Recorded
					if !r.Record(rest...) { // the buffer is full
						require.NoError(b, r.Flush(b.Context()))
					}
					rest = rest[r.Stats().Recorded-before:]
				}
			}
			require.NoError(b, r.Close(context.Background())) // stores what waits; b.Elapsed would leave it out
			b.ReportMetric(float64(r.Stats().Stored)/time.Since(start).Seconds(), "violations/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkApply measures one Apply of one change.
func BenchmarkApply(b *testing.B) {
	for _, e := range engines {
		b.Run("store="+e.name, func(b *testing.B) {
			m, err := normsync.Open(b.Context(), mustOpen(b, e.place(b)), nil)
			require.NoError(b, err)
			for b.Loop() {
				_, err := m.Apply(b.Context(), enact(fmt.Sprint("norm ", m.Constitution().Edition()), ""))
				require.NoError(b, err)
			}
		})
	}
}

// BenchmarkQueryViolations measures how long the newest 50 violations of an agent
// take to be read, of many.
func BenchmarkQueryViolations(b *testing.B) {
	const stored = 100_000
	for _, e := range engines {
		b.Run(fmt.Sprintf("store=%s/violations=%d", e.name, stored), func(b *testing.B) {
			s := mustOpen(b, e.place(b))
			vs := make([]normsync.Violation, 10_000)
			for n := 0; n < stored; n += len(vs) {
				for i := range vs {
					vs[i] = violation(n + i)
				}
				require.NoError(b, s.AppendViolations(b.Context(), vs...))
			}
			for b.Loop() {
				n := 0
				for _, err := range s.QueryViolations(b.Context(), normsync.ViolationQuery{Agent: "agent 7", Newest: true, Limit: 50}) {
					require.NoError(b, err)
					n++
				}
				require.Equal(b, 50, n)
			}
		})
	}
}
