package normsync_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

func TestMemStoreIsLikeItsModel(t *testing.T) {
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := &normsync.MemStore{MaxViolations: []int{1, 2, 15, 16, 17, 100, 1500, 5000}[r.IntN(8)]}
		var revs []normsync.Revision
		var vs []normsync.Violation // the model: all violations; the store keeps the last MaxViolations
		type open struct {
			next func() (normsync.Violation, error, bool)
			want []normsync.Violation
		}
		var ranges []open // that have not ended
		for range 300 {
			switch r.IntN(5) {
			case 0:
				from := len(revs) - r.IntN(2)*r.IntN(2) + r.IntN(2)*r.IntN(2)
				batch := normsync.SampleRevisions(max(from, 0), max(from, 0)+r.IntN(4))
				err := s.AppendRevisions(t.Context(), batch...)
				if len(batch) > 0 && batch[0].Edition != uint64(len(revs)+1) {
					require.ErrorIs(t, err, normsync.ErrConflict)
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
	var s normsync.MemStore
	bad := normsync.Violation{Action: normsync.Action{Metadata: "{"}}
	err := s.AppendViolations(t.Context(), append(numbered(0, 3), bad)...)
	require.ErrorIs(t, err, normsync.ErrInvalid)
	require.Regexp(t, `^normsync: append violations: invalid action: Metadata`, err.Error())
	require.Empty(t, all(t, consecutive(s.Violations(t.Context(), 0))))
}

func TestMemStoreKeepsValuesAsEveryStoreDoes(t *testing.T) {
	var s normsync.MemStore
	there := time.FixedZone("there", 3600)
	v := normsync.Violation{NormName: "a\xffb", Action: normsync.Action{Verb: "\xc3", Metadata: ` { "a" : 1 } `, Time: time.Unix(5, 6).In(there)}}
	require.NoError(t, s.AppendViolations(t.Context(), v))
	v.NormName, v.Severity, v.Action.Verb, v.Action.Metadata, v.Action.Time = "a\uFFFDb", normsync.SeverityWarn, "\uFFFD", `{"a":1}`, time.Unix(5, 6).UTC()
	require.Equal(t, []normsync.Violation{v}, all(t, consecutive(s.Violations(t.Context(), 0))))

	r := normsync.SampleRevisions(0, 1)[0]
	r.Reason, r.Time = "\xff", time.Now()
	require.NoError(t, s.AppendRevisions(t.Context(), r))
	r.Reason, r.Time = "\uFFFD", r.Time.Round(0).UTC()
	require.True(t, r == all(t, s.Revisions(t.Context(), 0))[0])
}

func TestMemStoreSaysWhichEditionIsNext(t *testing.T) {
	var s normsync.MemStore
	require.NoError(t, s.AppendRevisions(t.Context(), normsync.SampleRevisions(0, 2)...))
	err := s.AppendRevisions(t.Context(), normsync.SampleRevisions(3, 4)...)
	require.EqualError(t, err, "normsync: append revisions: edition conflict: edition 4 does not follow edition 2")
}

func TestMemStoreReadsWhileItIsAppendedTo(t *testing.T) {
	s := &normsync.MemStore{MaxViolations: 300}
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
	s := &normsync.MemStore{MaxViolations: 10}
	for i := range 3000 {
		require.NoError(t, s.AppendViolations(t.Context(), numbered(i, i+1)...))
	}
	require.LessOrEqual(t, s.Room(), 3*16, "violations that the blocks have room for")
}

func TestMemStoreEndsASequenceWithItsContext(t *testing.T) {
	var s normsync.MemStore
	require.NoError(t, s.AppendViolations(t.Context(), numbered(0, 5)...))
	require.NoError(t, s.AppendRevisions(t.Context(), normsync.SampleRevisions(0, 5)...))
	ctx, cancel := context.WithCancel(t.Context())
	pairs := results(consecutive(s.Violations(ctx, 0)), func(n int) {
		if n == 2 {
			cancel()
		}
	})
	require.Len(t, pairs, 3)
	require.ErrorIs(t, pairs[2].err, context.Canceled)
	require.True(t, strings.HasPrefix(pairs[2].err.Error(), "normsync: read violations: "))
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	require.Len(t, results(s.Revisions(ctx, 0), nil), 1)
}

// The amortized time per violation does not grow with the number kept.
func BenchmarkMemStoreAppendViolations(b *testing.B) {
	for _, kept := range []string{"kept=100", "kept=1000000"} {
		b.Run(kept, func(b *testing.B) {
			s := &normsync.MemStore{MaxViolations: 100}
			if kept == "kept=1000000" {
				s.MaxViolations = 1000000
				require.NoError(b, s.AppendViolations(b.Context(), make([]normsync.Violation, 1000000)...))
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
	s := new(normsync.MemStore)
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

// queried returns 2,000 violations with a few agents, norms, severities and times.
func queried() (vs []normsync.Violation) {
	r := rand.New(rand.NewPCG(21, 21))
	of := func(list ...string) string { return list[r.IntN(len(list))] }
	for range 2000 {
		a := normsync.Action{Agent: of("zoe", "ZOE", "bo\u017Fs", "boss", "", "a\xff"), Verb: "attack", Time: time.Unix(int64(r.IntN(50)), 0).UTC()}
		vs = append(vs, normsync.Violation{NormName: of("peace", "Peace", "toll"), Severity: normsync.Severity(of("warn", "info", "error")), Action: a})
	}
	return vs
}

// slowQuery compares all violations, which are in order of number.
func slowQuery(stored []normsync.StoredViolation, q normsync.ViolationQuery) []normsync.StoredViolation {
	var out []normsync.StoredViolation
	stored = slices.Clone(stored)
	if q.Newest {
		slices.Reverse(stored)
	}
	lower := func(s string) string {
		return strings.Map(func(r rune) rune {
			if 'A' <= r && r <= 'Z' {
				r += 32
			}
			return r
		}, s)
	}
	for _, v := range stored {
		at := v.Action.Time
		if at.IsZero() {
			at = time.Unix(0, 0)
		}
		switch {
		case q.Agent != "" && lower(v.Action.Agent) != lower(q.Agent):
		case q.Norm != "" && v.NormName != q.Norm:
		case q.Severity != "" && v.Severity != q.Severity:
		case !q.Since.IsZero() && at.Before(q.Since), !q.Until.IsZero() && !at.Before(q.Until):
		case q.Newest && q.After > 0 && v.Number >= q.After, !q.Newest && v.Number <= q.After:
		case q.Limit > 0 && len(out) == q.Limit:
		default:
			out = append(out, v)
		}
	}
	return out
}

func TestQueryViolationsAgreesWithLookingAtAll(t *testing.T) {
	stores := map[string]normsync.Store{
		"MemStore":                          new(normsync.MemStore),
		"a MemStore that has dropped some":  &normsync.MemStore{MaxViolations: 700},
		"FileStore":                         openFileStore(t, t.TempDir(), nil),
		"a FileStore with small segments":   openFileStore(t, t.TempDir(), &normsync.FileOptions{SegmentBytes: 20_000}),
		"a FileStore that has deleted some": openFileStore(t, t.TempDir(), &normsync.FileOptions{SegmentBytes: 20_000, MaxBytes: 200_000}),
		"a store without queries":           onlyStore{new(normsync.MemStore)},
	}
	r := rand.New(rand.NewPCG(22, 22))
	for name, s := range stores {
		t.Run(name, func(t *testing.T) {
			require.Empty(t, all(t, normsync.QueryViolations(t.Context(), s, normsync.ViolationQuery{Newest: true})))
			for batch := range slices.Chunk(queried(), 100) {
				require.NoError(t, s.AppendViolations(t.Context(), batch...))
			}
			stored := all(t, s.Violations(t.Context(), 0))
			for range 150 {
				var q normsync.ViolationQuery
				set := func(one int, f func()) {
					if r.IntN(one) == 0 {
						f()
					}
				}
				set(3, func() { q.Agent = []string{"zoe", "Boss", "bo\u017Fs", "a\xff", "nobody"}[r.IntN(5)] })
				q.Agent = strings.ToValidUTF8(q.Agent, "\uFFFD")
				set(3, func() { q.Norm = "peace" })
				set(4, func() { q.Severity = normsync.SeverityError })
				set(4, func() { q.Since = time.Unix(int64(r.IntN(50)), 0) })
				set(4, func() { q.Until = time.Unix(int64(r.IntN(50)), 0) })
				set(2, func() { q.After = uint64(r.IntN(2200)) })
				set(2, func() { q.Limit = 1 + r.IntN(50) })
				set(2, func() { q.Newest = true })
				require.Equal(t, slowQuery(stored, q), all(t, normsync.QueryViolations(t.Context(), s, q)), "%+v", q)
			}
			done, cancel := context.WithCancel(t.Context())
			cancel()
			for _, newest := range []bool{false, true} {
				pairs := results(normsync.QueryViolations(done, s, normsync.ViolationQuery{Newest: newest}), nil)
				require.Len(t, pairs, 1)
				require.ErrorIs(t, pairs[0].err, context.Canceled)
				for range normsync.QueryViolations(t.Context(), s, normsync.ViolationQuery{Newest: newest}) {
					break
				}
			}
		})
	}
}

func TestQueryWithTheGreatestLimit(t *testing.T) {
	for _, s := range []normsync.Store{new(normsync.MemStore), onlyStore{new(normsync.MemStore)}} {
		require.NoError(t, s.AppendViolations(t.Context(), queried()[:5]...))
		for _, newest := range []bool{false, true} {
			require.Len(t, all(t, normsync.QueryViolations(t.Context(), s, normsync.ViolationQuery{Newest: newest, Limit: math.MaxInt})), 5)
		}
	}
}

// The newest ten are found without reading the rest.
func TestQueryReadsFromTheEnd(t *testing.T) {
	s := new(normsync.MemStore)
	const n = 100_000
	for range n / 1000 {
		require.NoError(t, s.AppendViolations(t.Context(), slices.Repeat([]normsync.Violation{{NormName: "n", Action: normsync.Action{Agent: "zoe"}}}, 1000)...))
	}
	read := 0
	counting := func(ctx context.Context, after uint64) iter.Seq2[normsync.StoredViolation, error] {
		return func(yield func(normsync.StoredViolation, error) bool) {
			for v, err := range s.Violations(ctx, after) {
				read++
				if !yield(v, err) {
					return
				}
			}
		}
	}
	q := normsync.ViolationQuery{Agent: "zoe", Newest: true, Limit: 10}
	found := all(t, q.From(t.Context(), counting, func() (uint64, uint64, error) { return 1, n, nil }))
	require.Len(t, found, 10)
	require.Equal(t, uint64(n), found[0].Number)
	require.LessOrEqual(t, read, normsync.FirstBlock)
}

func TestQueryOfAStoreThatReturnsNoSequence(t *testing.T) {
	none := &faultyStore{stored: func(*faultyStore, context.Context, uint64) iter.Seq2[normsync.StoredViolation, error] { return nil }}
	for _, newest := range []bool{false, true} {
		pairs := results(normsync.QueryViolations(t.Context(), onlyStore{none}, normsync.ViolationQuery{Newest: newest}), nil)
		require.Len(t, pairs, 1)
		require.EqualError(t, pairs[0].err, "normsync: the store's Violations returned no sequence")
	}
	querier := &querierBy{query: func(*normsync.MemStore, context.Context, normsync.ViolationQuery) iter.Seq2[normsync.StoredViolation, error] {
		return nil
	}}
	pairs := results(normsync.QueryViolations(t.Context(), querier, normsync.ViolationQuery{}), nil)
	require.Len(t, pairs, 1)
	require.EqualError(t, pairs[0].err, "normsync: the store's QueryViolations returned no sequence")
}

func BenchmarkQueryViolations(b *testing.B) {
	s := new(normsync.MemStore)
	const n = 100_000
	for i := range n {
		require.NoError(b, s.AppendViolations(b.Context(), normsync.Violation{NormName: "n", Action: normsync.Action{Agent: fmt.Sprint("agent-", i%1000)}}))
	}
	b.Run(fmt.Sprintf("violations=%d/newest=10", n), func(b *testing.B) {
		for b.Loop() {
			require.Len(b, all(b, s.QueryViolations(b.Context(), normsync.ViolationQuery{Agent: "agent-7", Newest: true, Limit: 10})), 10)
		}
	})
}

// worldToCopy returns a store with Applies of one to three changes, and
// violations of which the oldest were dropped if limit is set.
func worldToCopy(t *testing.T, applies, violations, limit int) *normsync.MemStore {
	t.Helper()
	s := &normsync.MemStore{MaxViolations: limit}
	clock := time.Unix(1_700_000_000, 0)
	m, err := normsync.Open(t.Context(), s, &normsync.Options{Now: func() time.Time { clock = clock.Add(time.Second); return clock }})
	require.NoError(t, err)
	for i := range applies {
		var changes []normsync.Change
		for j := range 1 + i%3 {
			changes = append(changes, normsync.Enact(normsync.Norm{Name: fmt.Sprint("norm ", i, " ", j), Prohibited: "attack"}))
		}
		_, err := m.Apply(t.Context(), changes...)
		require.NoError(t, err)
	}
	for i := range violations {
		v := normsync.Violation{NormName: "norm 0 0", Severity: normsync.SeverityWarn, Action: normsync.Action{Agent: "hero", Verb: fmt.Sprint("attack ", i)}}
		require.NoError(t, s.AppendViolations(t.Context(), v))
	}
	return s
}

// requireCopy requires that to holds what from does, numbered from 1.
func requireCopy(t *testing.T, from, to normsync.Store) {
	t.Helper()
	require.Equal(t, all(t, from.Revisions(t.Context(), 0)), all(t, to.Revisions(t.Context(), 0)))
	want := all(t, from.Violations(t.Context(), 0))
	got := all(t, to.Violations(t.Context(), 0))
	require.Len(t, got, len(want))
	for i, v := range got {
		require.Equal(t, uint64(i)+1, v.Number)
		require.Equal(t, want[i].Violation, v.Violation)
	}
}

func TestCopy(t *testing.T) {
	for _, c := range []struct {
		name                       string
		applies, violations, limit int
	}{
		{"nothing", 0, 0, 0},
		{"revisions only", 5, 0, 0},
		{"a few of both", 5, 7, 0},
		{"more than a batch", 1300, 2500, 0},
		{"a source that has dropped its oldest violations", 2, 1500, 1100},
	} {
		t.Run(c.name, func(t *testing.T) {
			from, to := worldToCopy(t, c.applies, c.violations, c.limit), new(normsync.MemStore)
			require.NoError(t, normsync.Copy(t.Context(), from, to))
			requireCopy(t, from, to)
			require.NoError(t, normsync.Copy(t.Context(), from, to), "there is nothing left to copy")
			requireCopy(t, from, to)

			m, err := normsync.Open(t.Context(), from, nil)
			require.NoError(t, err)
			_, err = m.Apply(t.Context(), normsync.Enact(normsync.Norm{Name: "late", Prohibited: "steal"}))
			require.NoError(t, err)
			if c.limit == 0 {
				require.NoError(t, from.AppendViolations(t.Context(), normsync.Violation{NormName: "late", Severity: normsync.SeverityInfo}))
			}
			require.NoError(t, normsync.Copy(t.Context(), from, to), "what was appended meanwhile")
			requireCopy(t, from, to)
		})
	}
}

// interruptedStore fails at an append, after the beginning of a batch of
// violations, as rule 3 allows.
type interruptedStore struct {
	*normsync.MemStore
	left    int // appends that succeed
	appends []int
}

var errInterrupted = errors.New("interrupted")

func (s *interruptedStore) AppendRevisions(ctx context.Context, revs ...normsync.Revision) error {
	if s.left--; s.left < 0 {
		return errInterrupted
	}
	s.appends = append(s.appends, len(revs))
	return s.MemStore.AppendRevisions(ctx, revs...)
}

func (s *interruptedStore) AppendViolations(ctx context.Context, vs ...normsync.Violation) error {
	if s.left--; s.left < 0 {
		return errors.Join(errInterrupted, s.MemStore.AppendViolations(ctx, vs[:len(vs)/3]...))
	}
	return s.MemStore.AppendViolations(ctx, vs...)
}

func TestCopyContinuesAfterAnInterruption(t *testing.T) {
	from := worldToCopy(t, 1300, 2500, 0)
	to := &interruptedStore{MemStore: new(normsync.MemStore)}
	calls := 0
	for {
		to.left = calls % 2 // none, then one
		calls++
		err := normsync.Copy(t.Context(), from, to)
		if err == nil {
			break
		}
		require.ErrorIs(t, err, errInterrupted)
		require.ErrorContains(t, err, "normsync: copy ")
		require.Less(t, calls, 50)
	}
	require.Greater(t, calls, 5)
	requireCopy(t, from, to)
}

// A reader of the target sees whole Applies in the meantime.
func TestCopyKeepsAppliesTogether(t *testing.T) {
	from := worldToCopy(t, 1300, 0, 0)
	to := &interruptedStore{MemStore: new(normsync.MemStore), left: 100}
	require.NoError(t, normsync.Copy(t.Context(), from, to))
	revs := all(t, from.Revisions(t.Context(), 0))
	end := 0
	require.Greater(t, len(to.appends), 2)
	for _, n := range to.appends {
		if end > 0 && end < len(revs) {
			require.NotEqual(t, revs[end-1].Time, revs[end].Time, "an append ends within an Apply")
		}
		end += n
	}
	require.Equal(t, len(revs), end)
}

func TestCopyRefusesATargetOfAnotherWorld(t *testing.T) {
	from := worldToCopy(t, 5, 7, 0)
	change := func(n normsync.Norm) *normsync.MemStore {
		s := new(normsync.MemStore)
		m, err := normsync.Open(t.Context(), s, nil)
		require.NoError(t, err)
		_, err = m.Apply(t.Context(), normsync.Enact(n))
		require.NoError(t, err)
		return s
	}
	ahead := new(normsync.MemStore)
	require.NoError(t, normsync.Copy(t.Context(), from, ahead))
	m, err := normsync.Open(t.Context(), ahead, nil)
	require.NoError(t, err)
	_, err = m.Apply(t.Context(), normsync.Enact(normsync.Norm{Name: "new", Prohibited: "steal"}))
	require.NoError(t, err)
	others := new(normsync.MemStore)
	require.NoError(t, others.AppendViolations(t.Context(), normsync.Violation{NormName: "other", Severity: normsync.SeverityWarn}))
	more := worldToCopy(t, 0, 8, 0)
	for name, to := range map[string]*normsync.MemStore{
		"another revision":                         change(normsync.Norm{Name: "other", Prohibited: "attack"}),
		"a revision that the source does not have": ahead,
		"another violation":                        others,
		"more violations than the source":          more,
	} {
		t.Run(name, func(t *testing.T) {
			vs := all(t, to.Violations(t.Context(), 0))
			require.ErrorIs(t, normsync.Copy(t.Context(), from, to), normsync.ErrDiverged)
			require.Equal(t, vs, all(t, to.Violations(t.Context(), 0)))
		})
	}
}

func TestCopyReportsAContextThatIsDone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, normsync.Copy(ctx, worldToCopy(t, 1, 1, 0), new(normsync.MemStore)), context.Canceled)
}
