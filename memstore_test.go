package normsync

import (
	"context"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMemStoreIsLikeItsModel(t *testing.T) {
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := &MemStore{MaxViolations: []int{1, 2, 15, 16, 17, 100, 1500, 5000}[r.IntN(8)]}
		var revs []Revision
		var vs []Violation // the model: all violations; the store keeps the last MaxViolations
		type open struct {
			next func() (Violation, error, bool)
			want []Violation
		}
		var ranges []open // that have not ended
		for range 300 {
			switch r.IntN(5) {
			case 0:
				from := len(revs) - r.IntN(2)*r.IntN(2) + r.IntN(2)*r.IntN(2)
				batch := sampleRevisions(max(from, 0), max(from, 0)+r.IntN(4))
				err := s.AppendRevisions(t.Context(), batch...)
				if len(batch) > 0 && batch[0].Edition != uint64(len(revs)+1) {
					require.ErrorIs(t, err, ErrConflict)
					break
				}
				require.NoError(t, err)
				revs = append(revs, batch...)
			case 1, 2:
				n := r.IntN([]int{2, 20, 3000}[r.IntN(3)])
				batch := numbered(len(vs), len(vs)+n)
				vs = append(vs, batch...)
				require.NoError(t, s.AppendViolations(t.Context(), batch...))
				clear(batch)
			case 3:
				next, stop := iter.Pull2(consecutive(s.Violations(t.Context(), 0)))
				defer stop()
				want := vs[max(0, len(vs)-s.MaxViolations):]
				if len(want) > 0 { // the range begins when it yields its first value
					v, err, ok := next()
					require.NoError(t, err)
					require.True(t, ok)
					require.Equal(t, want[0], v)
					ranges = append(ranges, open{next, want[1:]})
				}
			case 4:
				for i := range ranges {
					o := &ranges[i]
					for range min(len(o.want), r.IntN(700)) {
						if v, err, ok := o.next(); err != nil || !ok || v != o.want[0] {
							t.Fatalf("a sequence yields %+v, %v, %v instead of %+v", v, err, ok, o.want[0])
						}
						o.want = o.want[1:]
					}
				}
			}
		}
		for _, o := range ranges {
			for v, err, ok := o.next(); ok; v, err, ok = o.next() {
				if err != nil || v != o.want[0] {
					t.Fatalf("a sequence yields %+v, %v instead of %+v", v, err, o.want[0])
				}
				o.want = o.want[1:]
			}
			require.Empty(t, o.want)
		}
		require.Equal(t, max(0, len(vs)-s.MaxViolations), int(s.Dropped()))
		require.True(t, slices.Equal(vs[max(0, len(vs)-s.MaxViolations):], all(t, consecutive(s.Violations(t.Context(), 0)))))
		require.True(t, slices.Equal(revs, all(t, s.Revisions(t.Context(), 0))))
	}
}

func TestMemStoreTakesABatchOfViolationsWholeOrNotAtAll(t *testing.T) {
	var s MemStore
	bad := Violation{Action: Action{Metadata: "{"}}
	err := s.AppendViolations(t.Context(), append(numbered(0, 3), bad)...)
	require.ErrorIs(t, err, ErrInvalid)
	require.Regexp(t, `^normsync: append violations: invalid action: Metadata`, err.Error())
	require.Empty(t, all(t, consecutive(s.Violations(t.Context(), 0))))
}

func TestMemStoreKeepsValuesAsEveryStoreDoes(t *testing.T) {
	var s MemStore
	there := time.FixedZone("there", 3600)
	v := Violation{NormName: "a\xffb", Action: Action{Verb: "\xc3", Metadata: ` { "a" : 1 } `, Time: time.Unix(5, 6).In(there)}}
	require.NoError(t, s.AppendViolations(t.Context(), v))
	v.NormName, v.Severity, v.Action.Verb, v.Action.Metadata, v.Action.Time = "a\uFFFDb", SeverityWarn, "\uFFFD", `{"a":1}`, time.Unix(5, 6).UTC()
	require.Equal(t, []Violation{v}, all(t, consecutive(s.Violations(t.Context(), 0))))

	r := sampleRevisions(0, 1)[0]
	r.Reason, r.Time = "\xff", time.Now()
	require.NoError(t, s.AppendRevisions(t.Context(), r))
	r.Reason, r.Time = "\uFFFD", r.Time.Round(0).UTC()
	require.True(t, r == all(t, s.Revisions(t.Context(), 0))[0])
}

func TestMemStoreSaysWhichEditionIsNext(t *testing.T) {
	var s MemStore
	require.NoError(t, s.AppendRevisions(t.Context(), sampleRevisions(0, 2)...))
	err := s.AppendRevisions(t.Context(), sampleRevisions(3, 4)...)
	require.EqualError(t, err, "normsync: append revisions: edition conflict: edition 4 does not follow edition 2")
}

func TestMemStoreReadsWhileItIsAppendedTo(t *testing.T) {
	s := &MemStore{MaxViolations: 300}
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 3 {
		wg.Go(func() {
			for {
				last := -1
				for v, err := range consecutive(s.Violations(t.Context(), 0)) {
					if err != nil || last >= 0 && int(v.Edition) != last+1 {
						t.Errorf("violation %d follows %d: %v", v.Edition, last, err)
						return
					}
					last = int(v.Edition)
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := 0; i < 5000; i += 7 {
		require.NoError(t, s.AppendViolations(t.Context(), numbered(i, i+7)...))
	}
	close(done)
	wg.Wait()
}

func TestMemStoreLetsGoOfWhatItDrops(t *testing.T) {
	s := &MemStore{MaxViolations: 10}
	for i := range 3000 {
		require.NoError(t, s.AppendViolations(t.Context(), numbered(i, i+1)...))
	}
	blocks, room := 0, 0
	for b := s.oldest; b != nil; b = b.next {
		blocks++
		room += len(b.vs)
	}
	require.LessOrEqual(t, room, 3*16, "%d blocks hold room for violations", blocks)
}

func TestMemStoreEndsASequenceWithItsContext(t *testing.T) {
	var s MemStore
	require.NoError(t, s.AppendViolations(t.Context(), numbered(0, 5)...))
	require.NoError(t, s.AppendRevisions(t.Context(), sampleRevisions(0, 5)...))
	ctx, cancel := context.WithCancel(t.Context())
	pairs := collect(consecutive(s.Violations(ctx, 0)), 10, func(n int) {
		if n == 2 {
			cancel()
		}
	})
	require.Len(t, pairs, 3)
	require.ErrorIs(t, pairs[2].err, context.Canceled)
	require.True(t, strings.HasPrefix(pairs[2].err.Error(), "normsync: read violations: "))
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	require.Len(t, collect(s.Revisions(ctx, 0), 10, nil), 1)
}

// The amortized time per violation does not grow with the number kept.
func BenchmarkMemStoreAppendViolations(b *testing.B) {
	for _, kept := range []string{"kept=100", "kept=1000000"} {
		b.Run(kept, func(b *testing.B) {
			s := &MemStore{MaxViolations: 100}
			if kept == "kept=1000000" {
				s.MaxViolations = 1000000
				require.NoError(b, s.AppendViolations(b.Context(), make([]Violation, 1000000)...))
			}
			batch := numbered(0, 100)
			b.ReportAllocs()
			for b.Loop() {
				if err := s.AppendViolations(b.Context(), batch...); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/violation")
		})
	}
}

// A reader that asks for what comes next must not touch a block that is being added.
func TestMemStoreIsPolledWhileItIsAppendedTo(t *testing.T) {
	s := new(MemStore)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 3000 {
			if err := s.AppendViolations(t.Context(), numbered(i, i+1)...); err != nil {
				t.Error(err)
			}
		}
	}()
	for last := uint64(0); last < 3000; {
		for v, err := range s.Violations(t.Context(), last) {
			require.NoError(t, err)
			require.Equal(t, last+1, v.Number)
			last = v.Number
		}
		for range s.Violations(t.Context(), math.MaxUint64) {
			t.Fatal("there is none with such a number")
		}
	}
	<-done
}
