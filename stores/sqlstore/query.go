package sqlstore

import (
	"context"
	"fmt"
	"iter"
	"math"

	"github.com/normsync/normsync"
)

// QueryViolations yields the violations that q picks, in the order of their
// numbers. There is an index for each of Agent, Norm, Severity and the time.
func (s *Store) QueryViolations(ctx context.Context, q normsync.ViolationQuery) iter.Seq2[normsync.StoredViolation, error] {
	return func(yield func(normsync.StoredViolation, error) bool) {
		count := 0
		for v, err := range s.queryViolations(ctx, q) {
			if err != nil {
				yield(normsync.StoredViolation{}, opError("read violations", err))
				return
			}
			if !picks(q, v) {
				continue // only its keys match
			}
			count++
			if !yield(v, nil) || count == q.Limit {
				return
			}
		}
	}
}

// queryViolations yields the violations whose keys match q, without a limit.
func (s *Store) queryViolations(ctx context.Context, q normsync.ViolationQuery) iter.Seq2[normsync.StoredViolation, error] {
	return func(yield func(normsync.StoredViolation, error) bool) {
		query, args := s.selectViolations(q)
		if !q.Since.IsZero() || !q.Until.IsZero() {
			first, last, err := s.window(ctx, q)
			if err != nil {
				yield(normsync.StoredViolation{}, err)
				return
			}
			query, args = s.selectViolations(q, first, last)
		}
		limit := pageRows
		if q.Limit > 0 {
			limit = min(limit, q.Limit)
		}
		for row, err := range s.pages(ctx, query, args, 0, limit) {
			v := normsync.StoredViolation{Number: uint64(row.key)}
			if err == nil {
				if err = v.Violation.UnmarshalJSON(row.data); err != nil {
					err = fmt.Errorf("number %d in table %s: %w; restore or delete the row", row.key, s.t.violations, err)
				}
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// selectViolations returns a statement that selects the violations whose keys
// match q, and its arguments: first the bound that moves with every page. window
// holds a first and a last number, or nothing.
func (s *Store) selectViolations(q normsync.ViolationQuery, window ...int64) (query string, args []any) {
	where, order, bound := "number > ?", "number", clamp(q.After)
	if q.Newest {
		where, order = "number < ?", "number DESC"
		if bound == 0 {
			bound = math.MaxInt64
		}
	}
	args = []any{bound}
	add := func(condition string, values ...any) {
		where += " AND " + condition
		args = append(args, values...)
	}
	if q.Agent != "" {
		add("agent = ?", agentKey(q.Agent))
	}
	if q.Norm != "" {
		add("norm = ?", textKey(q.Norm))
	}
	if q.Severity != "" {
		add("severity = ?", textKey(string(q.Severity)))
	}
	if len(window) == 2 {
		add("number BETWEEN ? AND ?", window[0], window[1])
	}
	return fmt.Sprintf("SELECT number, data FROM %s WHERE %s ORDER BY %s", s.t.violations, where, order), args
}

// window returns the lowest and the highest number of the violations within the
// bounds of time. Numbers mostly grow with time, so there are few others between.
func (s *Store) window(ctx context.Context, q normsync.ViolationQuery) (first, last int64, err error) {
	if err := s.ready(ctx); err != nil {
		return 0, 0, err
	}
	query, args := s.selectWindow(q)
	err = s.db.QueryRowContext(ctx, s.engine.bind(query), args...).Scan(&first, &last)
	return first, last, s.explain(ctx, err)
}

func (s *Store) selectWindow(q normsync.ViolationQuery) (query string, args []any) {
	since, until := int64(math.MinInt64), int64(math.MaxInt64)
	if !q.Since.IsZero() {
		since = q.Since.UnixMicro()
	}
	if !q.Until.IsZero() {
		until = q.Until.UnixMicro() // rounded down, so the bound is included
	}
	// Without the fence PostgreSQL scans the primary key until it finds a row
	// within the window, which takes long if the window is far from the start.
	query = "SELECT COALESCE(MIN(number), 1), COALESCE(MAX(number), 0) FROM (SELECT number FROM " + s.t.violations + " WHERE time_us BETWEEN ? AND ? " + s.engine.fence + ") AS w"
	return query, []any{since, until}
}

// picks reports whether q picks v, its limit aside.
func picks(q normsync.ViolationQuery, v normsync.StoredViolation) bool {
	t := instant(v.Action.Time)
	return (q.Agent == "" || foldAgent(q.Agent) == foldAgent(v.Action.Agent)) &&
		(q.Norm == "" || q.Norm == v.NormName) &&
		(q.Severity == "" || q.Severity == v.Severity) &&
		(q.Since.IsZero() || !t.Before(q.Since)) &&
		(q.Until.IsZero() || t.Before(q.Until))
}
