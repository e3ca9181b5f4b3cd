package normsync

import (
	"context"
	"fmt"
	"iter"
	"sync"
)

// MemStore is a Store in memory. The zero value is an empty store, ready for
// use. It keeps every revision, and the newest violations: when there are more
// than MaxViolations, the oldest are dropped, and counted.
//
// Appending takes amortized time in proportion to what is appended. A sequence
// yields what was there when the range began, whatever is appended or dropped
// meanwhile, and holds no lock while it yields.
//
// A MemStore must not be copied after first use.
type MemStore struct {
	// MaxViolations is how many violations are kept; the zero value means
	// 1<<20. It is set before first use.
	MaxViolations int

	mu      sync.Mutex // guards what follows
	revs    []Revision // whose elements never change
	last    ID         // of the last revision
	oldest  *block     // of violations
	newest  *block
	used    int // violations in newest
	skip    int // violations of oldest that were dropped
	kept    int
	dropped uint64
}

// A block holds some of the violations. What is in one never changes, and next
// is set before anything is put behind a full one; so who knows that there are
// violations after some place can read them without a lock.
type block struct {
	vs   []Violation // made at full length
	next *block
}

// AppendRevisions appends revisions, all or none.
func (s *MemStore) AppendRevisions(ctx context.Context, revs ...Revision) error {
	if err := ctx.Err(); err != nil {
		return while("append revisions", err)
	}
	batch, err := canonicalAll(revs)
	if err != nil {
		return while("append revisions", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, r := range batch {
		if next := uint64(len(s.revs)+i) + 1; r.Edition != next {
			return while("append revisions", fmt.Errorf("%w: edition %d where %d is the next", ErrConflict, r.Edition, next))
		}
	}
	last, err := chained(batch, s.last)
	if err != nil {
		return while("append revisions", err)
	}
	s.revs = append(s.revs, batch...)
	s.last = last
	return nil
}

// Revisions yields the revisions with an edition greater than after.
func (s *MemStore) Revisions(ctx context.Context, after uint64) iter.Seq2[Revision, error] {
	return func(yield func(Revision, error) bool) {
		s.mu.Lock()
		revs := s.revs
		s.mu.Unlock()
		revs = revs[min(after, uint64(len(revs))):]
		for i := 0; ; i++ {
			if err := ctx.Err(); err != nil {
				yield(Revision{}, while("read revisions", err))
				return
			}
			if i == len(revs) || !yield(revs[i], nil) {
				return
			}
		}
	}
}

// AppendViolations appends violations, all or none, and drops the oldest of
// those that are too many.
func (s *MemStore) AppendViolations(ctx context.Context, vs ...Violation) error {
	if err := ctx.Err(); err != nil {
		return while("append violations", err)
	}
	batch, err := canonicalAll(vs)
	if err != nil {
		return while("append violations", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for limit := s.limit(); len(batch) > 0; {
		if s.newest == nil || s.used == len(s.newest.vs) {
			// Blocks grow with what is kept, so that small stores stay small.
			b := &block{vs: make([]Violation, min(max(16, s.kept), 1024))}
			if s.newest == nil {
				s.oldest = b
			} else {
				s.newest.next = b
			}
			s.newest, s.used = b, 0
		}
		n := copy(s.newest.vs[s.used:], batch)
		batch = batch[n:]
		s.used += n
		s.kept += n
		if s.kept > limit {
			s.drop(s.kept - limit)
		}
	}
	return nil
}

// limit is how many violations are kept.
func (s *MemStore) limit() int {
	if s.MaxViolations > 0 {
		return s.MaxViolations
	}
	return 1 << 20
}

// drop forgets the n oldest violations.
func (s *MemStore) drop(n int) {
	s.kept -= n
	s.dropped += uint64(n)
	s.skip += n
	for s.oldest != s.newest && s.skip >= len(s.oldest.vs) {
		s.skip -= len(s.oldest.vs)
		s.oldest = s.oldest.next
	}
}

// Violations yields the violations that are kept, oldest first.
func (s *MemStore) Violations(ctx context.Context) iter.Seq2[Violation, error] {
	return func(yield func(Violation, error) bool) {
		s.mu.Lock()
		b, skip, left := s.oldest, s.skip, s.kept
		s.mu.Unlock()
		for {
			if err := ctx.Err(); err != nil {
				yield(Violation{}, while("read violations", err))
				return
			}
			if left == 0 {
				return
			}
			if skip == len(b.vs) {
				b, skip = b.next, 0
			}
			if !yield(b.vs[skip], nil) {
				return
			}
			skip++
			left--
		}
	}
}

// Dropped returns how many violations were dropped because there were more
// than MaxViolations.
func (s *MemStore) Dropped() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropped
}

// canonicalAll returns the canonical forms of values, in a new slice.
func canonicalAll[T interface{ canonical() (T, error) }](values []T) ([]T, error) {
	out := make([]T, len(values))
	for i, v := range values {
		var err error
		if out[i], err = v.canonical(); err != nil {
			return nil, err
		}
	}
	return out, nil
}
