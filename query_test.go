package normsync

import (
	"context"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// queried returns 2,000 violations with a few agents, norms, severities and times.
func queried() (vs []Violation) {
	r := rand.New(rand.NewPCG(21, 21))
	of := func(list ...string) string { return list[r.IntN(len(list))] }
	for range 2000 {
		a := Action{Agent: of("zoe", "ZOE", "bo\u017Fs", "boss", "", "a\xff"), Verb: "attack", Time: time.Unix(int64(r.IntN(50)), 0).UTC()}
		vs = append(vs, Violation{NormName: of("peace", "Peace", "toll"), Severity: Severity(of("warn", "info", "error")), Action: a})
	}
	return vs
}

// slowQuery compares all violations, which are in order of number.
func slowQuery(stored []StoredViolation, q ViolationQuery) []StoredViolation {
	out := []StoredViolation{}
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
	stores := map[string]Store{
		"MemStore":                          new(MemStore),
		"a MemStore that has dropped some":  &MemStore{MaxViolations: 700},
		"FileStore":                         openFileStore(t, t.TempDir(), nil),
		"a FileStore with small segments":   openFileStore(t, t.TempDir(), &FileOptions{SegmentBytes: 20_000}),
		"a FileStore that has deleted some": openFileStore(t, t.TempDir(), &FileOptions{SegmentBytes: 20_000, MaxBytes: 200_000}),
		"a store without queries":           onlyStore{new(MemStore)},
	}
	r := rand.New(rand.NewPCG(22, 22))
	for name, s := range stores {
		t.Run(name, func(t *testing.T) {
			require.Empty(t, all(t, QueryViolations(t.Context(), s, ViolationQuery{Newest: true})))
			for batch := range slices.Chunk(queried(), 100) {
				require.NoError(t, s.AppendViolations(t.Context(), batch...))
			}
			stored := all(t, s.Violations(t.Context(), 0))
			for range 150 {
				var q ViolationQuery
				set := func(one int, f func()) {
					if r.IntN(one) == 0 {
						f()
					}
				}
				set(3, func() { q.Agent = []string{"zoe", "Boss", "bo\u017Fs", "a\xff", "nobody"}[r.IntN(5)] })
				q.Agent = strings.ToValidUTF8(q.Agent, "\uFFFD")
				set(3, func() { q.Norm = "peace" })
				set(4, func() { q.Severity = SeverityError })
				set(4, func() { q.Since = time.Unix(int64(r.IntN(50)), 0) })
				set(4, func() { q.Until = time.Unix(int64(r.IntN(50)), 0) })
				set(2, func() { q.After = uint64(r.IntN(2200)) })
				set(2, func() { q.Limit = 1 + r.IntN(50) })
				set(2, func() { q.Newest = true })
				require.Equal(t, slowQuery(stored, q), all(t, QueryViolations(t.Context(), s, q)), "%+v", q)
			}
			done, cancel := context.WithCancel(t.Context())
			cancel()
			for _, newest := range []bool{false, true} {
				pairs := collect(QueryViolations(done, s, ViolationQuery{Newest: newest}), 5, nil)
				require.Len(t, pairs, 1)
				require.ErrorIs(t, pairs[0].err, context.Canceled)
				for range QueryViolations(t.Context(), s, ViolationQuery{Newest: newest}) {
					break
				}
			}
		})
	}
}

func TestQueryWithTheGreatestLimit(t *testing.T) {
	for _, s := range []Store{new(MemStore), onlyStore{new(MemStore)}} {
		require.NoError(t, s.AppendViolations(t.Context(), queried()[:5]...))
		for _, newest := range []bool{false, true} {
			require.Len(t, all(t, QueryViolations(t.Context(), s, ViolationQuery{Newest: newest, Limit: math.MaxInt})), 5)
		}
	}
}

// The newest ten are found without reading the rest.
func TestQueryReadsFromTheEnd(t *testing.T) {
	s := new(MemStore)
	const n = 100_000
	for range n / 1000 {
		require.NoError(t, s.AppendViolations(t.Context(), slices.Repeat([]Violation{{NormName: "n", Action: Action{Agent: "zoe"}}}, 1000)...))
	}
	read := 0
	counting := func(ctx context.Context, after uint64) iter.Seq2[StoredViolation, error] {
		return func(yield func(StoredViolation, error) bool) {
			for v, err := range s.Violations(ctx, after) {
				read++
				if !yield(v, err) {
					return
				}
			}
		}
	}
	q := ViolationQuery{Agent: "zoe", Newest: true, Limit: 10}
	found := all(t, q.from(t.Context(), counting, func() (uint64, uint64, error) { return 1, n, nil }))
	require.Len(t, found, 10)
	require.Equal(t, uint64(n), found[0].Number)
	require.LessOrEqual(t, read, firstBlock)
}

func TestQueryOfAStoreThatReturnsNoSequence(t *testing.T) {
	none := &faultyStore{stored: func(*faultyStore, context.Context, uint64) iter.Seq2[StoredViolation, error] { return nil }}
	for _, newest := range []bool{false, true} {
		pairs := collect(QueryViolations(t.Context(), onlyStore{none}, ViolationQuery{Newest: newest}), 5, nil)
		require.Len(t, pairs, 1)
		require.EqualError(t, pairs[0].err, "normsync: the store's Violations returned no sequence")
	}
	querier := &querierBy{query: func(*MemStore, context.Context, ViolationQuery) iter.Seq2[StoredViolation, error] { return nil }}
	pairs := collect(QueryViolations(t.Context(), querier, ViolationQuery{}), 5, nil)
	require.Len(t, pairs, 1)
	require.EqualError(t, pairs[0].err, "normsync: the store's QueryViolations returned no sequence")
}

func BenchmarkQueryViolations(b *testing.B) {
	s := new(MemStore)
	const n = 100_000
	for i := range n {
		require.NoError(b, s.AppendViolations(b.Context(), Violation{NormName: "n", Action: Action{Agent: fmt.Sprint("agent-", i%1000)}}))
	}
	b.Run(fmt.Sprintf("violations=%d/newest=10", n), func(b *testing.B) {
		for b.Loop() {
			require.Len(b, all(b, s.QueryViolations(b.Context(), ViolationQuery{Agent: "agent-7", Newest: true, Limit: 10})), 10)
		}
	})
}
