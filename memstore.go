package normsync

import (
	"context"
	"iter"
	"sync"
)

// MemStore is a [Store] in memory. The zero value is an empty store. It keeps all
// revisions, and the newest violations: if there are more than MaxViolations, it
// drops the oldest and counts them.
//
// Any number of goroutines may call any methods at the same time. The amortized
// time of an append is proportional to the number of values appended. A sequence
// yields what was in the store when the range began, even if violations are dropped
// meanwhile, and holds no lock while it yields.
//
// A MemStore must not be copied after first use.
type MemStore struct {
	// MaxViolations limits the number of violations that are kept; 0 means 1<<20.
	// It must not change after first use.
	MaxViolations int

	mu      sync.Mutex      // guards what follows
	revs    []Revision      // its elements never change
	tip     tip             // the last of revs
	grown   chan struct{}   // closed by the next append of revisions; nil if nobody waits
	oldest  *violationBlock // the first of a list of blocks; nil if there are no violations
	newest  *violationBlock // the last one
	used    int             // violations in newest
	skip    int             // violations at the beginning of oldest that were dropped
	kept    int             // violations in all blocks, without those
	dropped uint64
}

// violationBlock holds some of the violations. An element never changes once it is
// written, and next is set before anything is written to the next block. A reader
// that knows how many violations follow can therefore read them without a lock.
type violationBlock struct {
	vs   []Violation // allocated at full length
	next *violationBlock
}

// AppendRevisions appends revisions, all of them or none.
func (s *MemStore) AppendRevisions(ctx context.Context, revs ...Revision) error {
	if err := ctx.Err(); err != nil {
		return opError("append revisions", err)
	}
	batch, err := canonicalAll(revs)
	if err != nil {
		return opError("append revisions", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	tip, err := s.tip.extend(batch)
	if err != nil {
		return opError("append revisions", err)
	}
	s.revs = append(s.revs, batch...)
	s.tip = tip
	if s.grown != nil {
		close(s.grown)
		s.grown = nil
	}
	return nil
}

// WaitRevisions returns nil once there is a revision with an edition greater than
// after, and the error of ctx if ctx ends first. An append wakes all waiters at once.
func (s *MemStore) WaitRevisions(ctx context.Context, after uint64) error {
	for {
		s.mu.Lock()
		last := s.tip.edition
		if s.grown == nil {
			s.grown = make(chan struct{})
		}
		grown := s.grown
		s.mu.Unlock()
		if err := ctx.Err(); err != nil {
			return opError("wait for revisions", err)
		}
		if last > after {
			return nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
		}
	}
}

// Revisions returns an iterator over the revisions with an edition greater than
// after.
func (s *MemStore) Revisions(ctx context.Context, after uint64) iter.Seq2[Revision, error] {
	return func(yield func(Revision, error) bool) {
		s.mu.Lock()
		revs := s.revs
		s.mu.Unlock()
		revs = revs[min(after, uint64(len(revs))):]
		for i := 0; ; i++ {
			if err := ctx.Err(); err != nil {
				yield(Revision{}, opError("read revisions", err))
				return
			}
			if i == len(revs) || !yield(revs[i], nil) {
				return
			}
		}
	}
}

// AppendViolations appends violations, all of them or none, and drops the oldest
// violations beyond MaxViolations.
func (s *MemStore) AppendViolations(ctx context.Context, vs ...Violation) error {
	if err := ctx.Err(); err != nil {
		return opError("append violations", err)
	}
	batch, err := canonicalAll(vs)
	if err != nil {
		return opError("append violations", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for limit := s.limit(); len(batch) > 0; {
		if s.newest == nil || s.used == len(s.newest.vs) {
			// A block is as large as all others together, so a small store stays small.
			b := &violationBlock{vs: make([]Violation, min(max(16, s.kept), 1024))}
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

// limit returns how many violations are kept.
func (s *MemStore) limit() int {
	if s.MaxViolations > 0 {
		return s.MaxViolations
	}
	return 1 << 20
}

// drop drops the n oldest violations.
func (s *MemStore) drop(n int) {
	s.kept -= n
	s.dropped += uint64(n)
	s.skip += n
	for s.oldest != s.newest && s.skip >= len(s.oldest.vs) {
		s.skip -= len(s.oldest.vs)
		s.oldest = s.oldest.next
	}
}

// Violations returns an iterator over the violations that are kept and have a number
// greater than after, oldest first. It passes over the others in blocks of up to 1,024.
func (s *MemStore) Violations(ctx context.Context, after uint64) iter.Seq2[StoredViolation, error] {
	return func(yield func(StoredViolation, error) bool) {
		s.mu.Lock()
		b, skip, last := s.oldest, s.skip, s.dropped+uint64(s.kept)
		number := s.dropped + 1 // of the violation at b.vs[skip]
		s.mu.Unlock()
		switch {
		case after >= last:
			number = last + 1 // the block after the last one may be being added
		case after >= number:
			pass := after - number + 1
			number += pass
			for pass >= uint64(len(b.vs)-skip) {
				pass -= uint64(len(b.vs) - skip)
				b, skip = b.next, 0
			}
			skip += int(pass)
		}
		for ; ; number++ {
			if err := ctx.Err(); err != nil {
				yield(StoredViolation{}, opError("read violations", err))
				return
			}
			if number > last {
				return
			}
			if skip == len(b.vs) {
				b, skip = b.next, 0
			}
			if !yield(StoredViolation{number, b.vs[skip]}, nil) {
				return
			}
			skip++
		}
	}
}

// QueryViolations returns an iterator over the violations that q picks. It compares
// each violation that is kept, from the end if Newest is set.
func (s *MemStore) QueryViolations(ctx context.Context, q ViolationQuery) iter.Seq2[StoredViolation, error] {
	return q.from(ctx, s.Violations, func() (first, last uint64, err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.dropped + 1, s.dropped + uint64(s.kept), nil
	})
}

// Dropped returns the number of violations that were dropped because there were
// more than MaxViolations.
func (s *MemStore) Dropped() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropped
}

// canonicalAll returns the canonical forms of values, in a new slice.
func canonicalAll[T interface{ Canonical() (T, error) }](values []T) ([]T, error) {
	out := make([]T, len(values))
	for i, v := range values {
		var err error
		if out[i], err = v.Canonical(); err != nil {
			return nil, err
		}
	}
	return out, nil
}
