package normsync

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// With room in the buffer, and when it is full because the store hangs.
func BenchmarkRecorderRecord(b *testing.B) {
	for _, n := range []int{1, 100} {
		for _, room := range []bool{true, false} {
			b.Run(fmt.Sprintf("violations=%d/room=%v", n, room), func(b *testing.B) {
				hung := make(chan struct{})
				r := NewRecorder(appendsViolations(func(*faultyStore, context.Context, []Violation) error {
					if !room {
						<-hung
					}
					return nil
				}), nil)
				vs := numbered(0, n)
				for r.Record(vs...) { // warm
				}
				taken := 1 << 16
				b.ReportAllocs()
				for b.Loop() {
					if taken += n; room && taken > 1<<16-n {
						b.StopTimer()
						require.NoError(b, r.Flush(b.Context()))
						taken = 0
						b.StartTimer()
					}
					r.Record(vs...)
				}
				close(hung)
				require.NoError(b, r.Close(b.Context()))
			})
		}
	}
}

func BenchmarkMonitorApply(b *testing.B) {
	for _, n := range []int{100, 10000, 100000} {
		b.Run(fmt.Sprintf("norms=%d", n), func(b *testing.B) {
			norms := make([]Norm, n)
			for i := range norms {
				norms[i] = ban(fmt.Sprint("n", i), fmt.Sprintf("zone-%d faction-%d", i, i%7), "attack")
			}
			m := new(Monitor)
			p := m.replay()
			for i, n := range norms { // as Apply does it, without the cost of the stand-in
				r := Revision{Edition: uint64(i) + 1, Version: 1, Change: Enact(n)}
				p.push(identify(r), nil)
				if err := m.own.AppendRevisions(b.Context(), r); err != nil {
					b.Fatal(err)
				}
			}
			m.commit(p)
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				norms[i%n].Priority++
				if _, err := m.Apply(b.Context(), Amend(norms[i%n])); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}
