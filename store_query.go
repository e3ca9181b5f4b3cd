package normsync

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/normsync/normsync/internal/token"
)

// ViolationQuery picks violations of a store. The zero value picks all of them, oldest
// first.
type ViolationQuery struct {
	Agent, Norm  string    // empty: any; Agent is compared as a whole, and only the case of ASCII letters is ignored
	Severity     Severity  // empty: any
	Since, Until time.Time // of the action: Since <= Time < Until; zero: without that bound
	After        uint64    // numbers greater than it; with Newest: numbers below it, 0 meaning all
	Limit        int       // the greatest number of violations; 0: no limit
	Newest       bool      // newest first
}

// ViolationQuerier is an interface that a [Store] may implement, too, if it has a
// faster way than reading all violations. [QueryViolations] uses it.
type ViolationQuerier interface {
	// QueryViolations returns an iterator over the violations that q picks, in the order
	// of their numbers, or in the opposite order if q.Newest is set.
	QueryViolations(ctx context.Context, q ViolationQuery) iter.Seq2[StoredViolation, error]
}

// QueryViolations returns an iterator over the violations that q picks. To go on where
// a query with a Limit ended, set After to the last number that it yielded.
//
// If the store is a [ViolationQuerier], QueryViolations asks it. Otherwise it reads the
// violations with numbers greater than q.After. If Newest is set, it reads all violations
// with numbers below q.After, or all if that is 0, and keeps those that q picks in memory,
// at most twice Limit of them if there is a Limit. An error of the store ends the sequence.
func QueryViolations(ctx context.Context, s Store, q ViolationQuery) iter.Seq2[StoredViolation, error] {
	if s, ok := s.(ViolationQuerier); ok {
		return orNoSequence(s.QueryViolations(ctx, q), "QueryViolations")
	}
	if !q.Newest {
		return q.pick(s.Violations(ctx, q.After))
	}
	return func(yield func(StoredViolation, error) bool) {
		var found []StoredViolation // the newest, oldest first
		for v, err := range orNoSequence(s.Violations(ctx, 0), "Violations") {
			if err != nil {
				yield(StoredViolation{}, err)
				return
			}
			if q.After > 0 && v.Number >= q.After {
				break
			}
			if q.matches(&v.Violation) {
				if found = append(found, v); q.Limit > 0 && len(found)/2 >= q.Limit {
					found = append(found[:0], found[len(found)-q.Limit:]...)
				}
			}
		}
		yieldNewest(ctx, found, q.Limit, yield)
	}
}

// matches reports whether q picks v, as far as After and Limit do not decide.
func (q *ViolationQuery) matches(v *Violation) bool {
	at := instant(v.Action.Time)
	return (q.Norm == "" || v.NormName == q.Norm) &&
		(q.Severity == "" || v.Severity == q.Severity) &&
		(q.Since.IsZero() || !at.Before(q.Since)) &&
		(q.Until.IsZero() || at.Before(q.Until)) &&
		(q.Agent == "" || token.EqualAgent(token.Valid(v.Action.Agent), token.Valid(q.Agent)))
}

// pick yields the violations of a sequence that q matches, at most Limit.
func (q ViolationQuery) pick(seq iter.Seq2[StoredViolation, error]) iter.Seq2[StoredViolation, error] {
	return func(yield func(StoredViolation, error) bool) {
		n := 0
		for v, err := range orNoSequence(seq, "Violations") {
			if err != nil {
				yield(StoredViolation{}, err)
				return
			}
			if !q.matches(&v.Violation) {
				continue
			}
			n++
			if !yield(v, nil) || n == q.Limit {
				return
			}
		}
	}
}

// yieldNewest yields the last of found, at most limit if that is not 0, newest first.
// It reports whether to go on.
func yieldNewest(ctx context.Context, found []StoredViolation, limit int, yield func(StoredViolation, error) bool) bool {
	if limit > 0 {
		found = found[max(0, len(found)-limit):]
	}
	for _, v := range slices.Backward(found) {
		if err := ctx.Err(); err != nil {
			yield(StoredViolation{}, opError("read violations", err))
			return false
		}
		if !yield(v, nil) {
			return false
		}
	}
	return true
}

// firstBlock is how many violations from reads first at the end of a log, and maxBlock
// how many it keeps in memory at most.
const (
	firstBlock = 256
	maxBlock   = 1 << 16
)

// from answers q for a store that can read violations after any number, and that knows
// the numbers of its first and last one. If Newest is set, it reads blocks from the last
// one backwards, each twice as long as the one before, up to maxBlock.
func (q ViolationQuery) from(ctx context.Context, read func(ctx context.Context, after uint64) iter.Seq2[StoredViolation, error], bounds func() (first, last uint64, err error)) iter.Seq2[StoredViolation, error] {
	if !q.Newest {
		return q.pick(read(ctx, q.After))
	}
	return func(yield func(StoredViolation, error) bool) {
		first, last, err := bounds()
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			yield(StoredViolation{}, opError("read violations", err))
			return
		}
		if q.After > 0 {
			last = min(last, q.After-1)
		}
		left := q.Limit
		for block := uint64(firstBlock); last >= first; block = min(2*block, maxBlock) {
			start := max(first, last-min(last, block)+1)
			var found []StoredViolation
			for v, err := range read(ctx, start-1) {
				if err != nil {
					yield(StoredViolation{}, err)
					return
				}
				if v.Number > last {
					break
				}
				if q.matches(&v.Violation) {
					found = append(found, v)
				}
			}
			if !yieldNewest(ctx, found, left, yield) {
				return
			}
			if q.Limit > 0 {
				if left -= len(found); left <= 0 {
					return
				}
			}
			last = start - 1
		}
	}
}
