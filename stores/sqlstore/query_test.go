package sqlstore_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

var queries = flag.Int("queries", 100, "how many queries are compared; the full test has 1000")

// plainStore hides the indexes of a store: the library reads through all
// violations, which is the definition of a query.
type plainStore struct{ normsync.Store }

func TestQueryViolationsAgreesWithReadingAll(t *testing.T) {
	eachEngine(t, func(t *testing.T, place string) {
		s := mustOpen(t, place)
		random := rand.New(rand.NewPCG(1, 2))
		pick := func(texts []string) string { return texts[random.IntN(len(texts))] }
		long := strings.Repeat("长", 100) // two names with the same key
		agents := []string{"zoe", "Zoe", "ZOË", "zoë", "zoe two", "a\x00b", "a\uFFFDb", long + "1", long + "2", "ſ", "s", ""}
		norms := []string{"peace", "Peace", "curfew", long + "a", long + "b"}
		severities := []string{"info", "warn", "error"}
		times := []time.Time{{}, time.Unix(0, 0), time.Unix(0, 1), time.Date(2400, 1, 1, 0, 0, 0, 1, time.UTC), time.Unix(-86400, 7)}
		for i := range 60 {
			times = append(times, time.Unix(1_700_000_000+int64(i), int64(random.IntN(1000))))
		}
		var vs []normsync.Violation
		for range 300 {
			vs = append(vs, normsync.Violation{NormName: pick(norms), Severity: normsync.Severity(pick(severities)),
				Action: normsync.Action{Agent: pick(agents), Verb: "attack", Time: times[random.IntN(len(times))].UTC()}})
		}
		require.NoError(t, s.AppendViolations(t.Context(), vs...))
		_, err := openDB(t, place).ExecContext(t.Context(), "DELETE FROM normsync_violations WHERE number < 20")
		require.NoError(t, err)
		some := 0
		for range *queries {
			var q normsync.ViolationQuery
			if random.IntN(3) == 0 {
				q.Agent = pick(agents)
			}
			if random.IntN(4) == 0 {
				q.Norm = pick(norms)
			}
			if random.IntN(4) == 0 {
				q.Severity = normsync.Severity(pick(severities))
			}
			if random.IntN(4) == 0 {
				q.Since = times[random.IntN(len(times))]
			}
			if random.IntN(4) == 0 {
				q.Until = times[random.IntN(len(times))]
			}
			if random.IntN(3) == 0 {
				q.After = random.Uint64N(350)
			}
			if random.IntN(2) == 0 {
				q.Limit = 1 + random.IntN(20)
			}
			q.Newest = random.IntN(2) == 0
			want := all(t, normsync.QueryViolations(t.Context(), plainStore{s}, q))
			require.Equal(t, want, all(t, normsync.QueryViolations(t.Context(), s, q)), "%+v", q)
			some += len(want)
		}
		require.Greater(t, some, *queries)

		done, cancel := context.WithCancel(t.Context())
		cancel()
		n := 0
		for v, err := range s.QueryViolations(done, normsync.ViolationQuery{Since: times[9]}) {
			require.ErrorIs(t, err, context.Canceled)
			require.Zero(t, v)
			n++
		}
		require.Equal(t, 1, n)
	})
}

func TestQueryViolationsFollowsItsCursor(t *testing.T) {
	eachEngine(t, func(t *testing.T, place string) {
		s := mustOpen(t, place)
		var vs []normsync.Violation
		for i := range 2500 {
			vs = append(vs, violation(i))
		}
		require.NoError(t, s.AppendViolations(t.Context(), vs...))
		for _, newest := range []bool{false, true} {
			q := normsync.ViolationQuery{Agent: "AGENT 7", Newest: newest, Limit: 9}
			var got []uint64
			for {
				page := all(t, s.QueryViolations(t.Context(), q))
				for _, v := range page {
					got = append(got, v.Number)
				}
				if len(page) < q.Limit {
					break
				}
				q.After = page[len(page)-1].Number
			}
			var want []uint64
			for _, v := range all(t, s.QueryViolations(t.Context(), normsync.ViolationQuery{Agent: "agent 7", Newest: newest})) {
				want = append(want, v.Number)
			}
			require.Len(t, want, 50)
			require.Equal(t, want, got)
			require.Len(t, all(t, s.QueryViolations(t.Context(), normsync.ViolationQuery{Newest: newest})), 2500, "more than a page")
		}
	})
}

// The plans of the statements that QueryViolations makes use its indexes.
func TestQueryViolationsUsesIndexes(t *testing.T) {
	eachEngine(t, func(t *testing.T, place string) {
		s := mustOpen(t, place)
		var vs []normsync.Violation
		for i := range 20_000 {
			vs = append(vs, violation(i))
			vs[i].NormName = fmt.Sprint("norm ", i%100)
			if i%100 == 0 {
				vs[i].Severity = normsync.SeverityError
			}
		}
		require.NoError(t, s.AppendViolations(t.Context(), vs...))
		db := openDB(t, place)
		explain := "EXPLAIN QUERY PLAN "
		if strings.HasPrefix(place, "postgres") {
			explain = "EXPLAIN "
			_, err := db.ExecContext(t.Context(), "ANALYZE normsync_violations")
			require.NoError(t, err)
		}
		check := func(index, query string, args []any) {
			rows, err := db.QueryContext(t.Context(), explain+query, args...)
			require.NoError(t, err)
			columns, err := rows.Columns()
			require.NoError(t, err)
			var plan []string
			for rows.Next() {
				values := make([]any, len(columns))
				for i := range values {
					values[i] = new(any)
				}
				require.NoError(t, rows.Scan(values...))
				plan = append(plan, fmt.Sprint(*values[len(values)-1].(*any)))
			}
			require.NoError(t, rows.Err())
			require.Contains(t, strings.Join(plan, "\n"), index)
			require.NotContains(t, strings.Join(plan, "\n"), "Sort")
			require.NotContains(t, strings.Join(plan, "\n"), "TEMP B-TREE")
		}
		for index, q := range map[string]normsync.ViolationQuery{
			"normsync_violations_agent":    {Agent: "agent 7", Newest: true},
			"normsync_violations_norm":     {Norm: "norm 7"},
			"normsync_violations_severity": {Severity: normsync.SeverityError, Newest: true},
		} {
			query, args := s.SelectViolations(q)
			check(index, query, args)
		}
		query, args := s.SelectWindow(normsync.ViolationQuery{Since: time.Unix(1_700_001_000, 0), Until: time.Unix(1_700_001_100, 0)})
		check("normsync_violations_time", query, args)
	})
}
