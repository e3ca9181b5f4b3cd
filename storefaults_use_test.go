package normsync

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"slices"
	"sync/atomic"
)

// useFaults break the rules about how a store is used, 6 to 11.
var useFaults = []storeFault{
	{6, "AppendRevisions does not look at its context", func() *faultyStore {
		return appendsRevisions(func(s *faultyStore, _ context.Context, revs []Revision) error {
			return s.MemStore.AppendRevisions(background, revs...)
		})
	}},
	{6, "AppendViolations reports its context, and stores all the same", func() *faultyStore {
		return appendsViolations(func(s *faultyStore, ctx context.Context, vs []Violation) error {
			return errors.Join(s.MemStore.AppendViolations(background, vs...), ctx.Err())
		})
	}},
	{6, "AppendViolations reports every context as cancelled", func() *faultyStore {
		return appendsViolations(func(s *faultyStore, ctx context.Context, vs []Violation) error {
			if ctx.Err() != nil {
				return context.Canceled
			}
			return s.MemStore.AppendViolations(ctx, vs...)
		})
	}},
	{6, "Revisions does not look at its context", func() *faultyStore {
		return &faultyStore{revisions: func(s *faultyStore, _ context.Context, after uint64) iter.Seq2[Revision, error] {
			return s.MemStore.Revisions(background, after)
		}}
	}},
	{6, "Violations yields a value before it looks at its context", func() *faultyStore {
		return sequence(func(s *faultyStore, ctx context.Context, yield func(Violation, error) bool) {
			for v, err := range s.MemStore.Violations(background) {
				if !yield(v, err) {
					return
				}
				if err := ctx.Err(); err != nil {
					yield(Violation{}, err)
					return
				}
			}
		})
	}},
	{6, "Violations with a context that is done is empty", func() *faultyStore {
		return sequence(func(s *faultyStore, ctx context.Context, yield func(Violation, error) bool) {
			if ctx.Err() == nil {
				s.MemStore.Violations(ctx)(yield)
			}
		})
	}},
	{7, "Violations goes on after it was stopped", func() *faultyStore {
		return sequence(func(s *faultyStore, ctx context.Context, yield func(Violation, error) bool) {
			for v, err := range s.MemStore.Violations(ctx) {
				yield(v, err)
			}
		})
	}},
	{7, "Revisions can be ranged over once", func() *faultyStore {
		return &faultyStore{revisions: func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[Revision, error] {
			var used atomic.Bool
			return func(yield func(Revision, error) bool) {
				if !used.Swap(true) {
					s.MemStore.Revisions(ctx, after)(yield)
				}
			}
		}}
	}},
	{7, "a sequence goes on where it was stopped", func() *faultyStore {
		return &faultyStore{violations: func(s *faultyStore, ctx context.Context) iter.Seq2[Violation, error] {
			next, _ := iter.Pull2(s.MemStore.Violations(ctx))
			return func(yield func(Violation, error) bool) {
				for v, err, ok := next(); ok && yield(v, err); v, err, ok = next() {
				}
			}
		}}
	}},
	{8, "Revisions yields an error twice", func() *faultyStore {
		return revisionSequence(func(s *faultyStore, ctx context.Context, after uint64, yield func(Revision, error) bool) {
			for r, err := range s.MemStore.Revisions(ctx, after) {
				if !yield(r, err) || err != nil && !yield(r, err) {
					return
				}
			}
		})
	}},
	{8, "Violations yields an error with a value", func() *faultyStore {
		return sequence(func(s *faultyStore, ctx context.Context, yield func(Violation, error) bool) {
			for v, err := range s.MemStore.Violations(ctx) {
				if err != nil {
					v.NormName = "half"
				}
				if !yield(v, err) {
					return
				}
			}
		})
	}},
	{8, "Violations goes on after an error", func() *faultyStore {
		return sequence(func(s *faultyStore, ctx context.Context, yield func(Violation, error) bool) {
			if err := ctx.Err(); err != nil && !yield(Violation{}, err) {
				return
			}
			s.MemStore.Violations(background)(yield)
		})
	}},
	{8, "Violations ends without an error when its context ends", func() *faultyStore {
		return sequence(func(s *faultyStore, ctx context.Context, yield func(Violation, error) bool) {
			done := ctx.Err() != nil
			for v, err := range s.MemStore.Violations(ctx) {
				if err != nil && !done || !yield(v, err) {
					return
				}
			}
		})
	}},
	{9, "a lock is held while violations are ranged over", func() *faultyStore {
		s := appendsViolations(func(s *faultyStore, ctx context.Context, vs []Violation) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.MemStore.AppendViolations(ctx, vs...)
		})
		s.violations = func(s *faultyStore, ctx context.Context) iter.Seq2[Violation, error] {
			return func(yield func(Violation, error) bool) {
				s.mu.RLock()
				defer s.mu.RUnlock()
				s.MemStore.Violations(ctx)(yield)
			}
		}
		return s
	}},
	{9, "ranging over violations keeps revisions from being appended", func() *faultyStore {
		s := appendsRevisions(func(s *faultyStore, ctx context.Context, revs []Revision) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.MemStore.AppendRevisions(ctx, revs...)
		})
		s.violations = func(s *faultyStore, ctx context.Context) iter.Seq2[Violation, error] {
			return func(yield func(Violation, error) bool) {
				s.mu.RLock()
				defer s.mu.RUnlock()
				s.MemStore.Violations(ctx)(yield)
			}
		}
		return s
	}},
	{9, "a sequence begins again when something was appended", func() *faultyStore {
		return revisionSequence(func(s *faultyStore, ctx context.Context, after uint64, yield func(Revision, error) bool) {
			for old := -1; old < s.size(); {
				old = s.size()
				for r, err := range s.MemStore.Revisions(ctx, after) {
					if !yield(r, err) {
						return
					}
				}
				if ctx.Err() != nil || after > 0 {
					return
				}
			}
		})
	}},
	{9, "a sequence ends when something was appended", func() *faultyStore {
		return revisionSequence(func(s *faultyStore, ctx context.Context, after uint64, yield func(Revision, error) bool) {
			old := s.size()
			for r, err := range s.MemStore.Revisions(ctx, after) {
				if s.size() != old || !yield(r, err) {
					return
				}
			}
		})
	}},
	{10, "the slice of violations is kept", func() *faultyStore {
		return keeping(func(s *faultyStore, vs []Violation) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(s.kept) == 0 {
				s.kept = vs
			} else {
				s.kept = append(s.kept[:len(s.kept):len(s.kept)], vs...)
			}
		})
	}},
	{10, "the slice that was given is grown in place", func() *faultyStore {
		return appendsViolations(func(s *faultyStore, ctx context.Context, vs []Violation) error {
			if vs = append(vs, Violation{NormName: "end of batch"}); len(vs) == 1 {
				return ctx.Err()
			}
			return s.MemStore.AppendViolations(ctx, vs[:len(vs)-1]...)
		})
	}},
	{10, "the slice that was given is wiped", func() *faultyStore {
		return appendsRevisions(func(s *faultyStore, ctx context.Context, revs []Revision) error {
			defer clear(revs)
			return s.MemStore.AppendRevisions(ctx, revs...)
		})
	}},
	{11, "appends at the same time lose each other", func() *faultyStore {
		var arrived atomic.Int64
		return keeping(func(s *faultyStore, vs []Violation) {
			s.mu.RLock()
			old := s.kept
			s.mu.RUnlock()
			// Where others append as well, let them read the same.
			if arrived.Add(1); len(vs) == 1 {
				for range 1000 {
					if arrived.Load() > 1 {
						break
					}
					runtime.Gosched()
				}
			}
			s.mu.Lock()
			s.kept = append(old[:len(old):len(old)], vs...)
			s.mu.Unlock()
			arrived.Add(-1)
		})
	}},
	{11, "two may append the same edition at once", func() *faultyStore {
		var busy atomic.Int64
		return appendsRevisions(func(s *faultyStore, ctx context.Context, revs []Revision) error {
			defer busy.Add(-1)
			if err := s.MemStore.AppendRevisions(ctx, revs...); busy.Add(1) == 1 || !errors.Is(err, ErrConflict) || len(revs) != 2 || revs[0].Edition != uint64(s.size()-1) {
				for range 100 {
					runtime.Gosched()
				}
				return err
			}
			return nil
		})
	}},
	{11, "it panics when it is used by two at once", func() *faultyStore {
		var busy atomic.Int64
		return appendsViolations(func(s *faultyStore, ctx context.Context, vs []Violation) error {
			defer busy.Add(-1)
			if busy.Add(1) > 1 {
				panic("concurrent use")
			}
			for range 100 {
				runtime.Gosched()
			}
			return s.MemStore.AppendViolations(ctx, vs...)
		})
	}},
	{11, "half a batch is to be seen while it is appended", func() *faultyStore {
		var half atomic.Pointer[Revision]
		var seen atomic.Bool
		s := appendsRevisions(func(s *faultyStore, ctx context.Context, revs []Revision) error {
			if len(revs) == 2 && revs[0].Edition == uint64(s.size()+1) && revs[1].Edition == revs[0].Edition+1 {
				if !half.CompareAndSwap(nil, &revs[0]) {
					return ErrConflict
				}
				for range 10000 {
					if runtime.Gosched(); seen.Load() {
						break
					}
				}
				defer half.Store(nil)
			}
			return s.MemStore.AppendRevisions(ctx, revs...)
		})
		s.revisions = func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[Revision, error] {
			return func(yield func(Revision, error) bool) {
				last := after
				for r, err := range s.MemStore.Revisions(ctx, after) {
					last = r.Edition
					if !yield(r, err) || err != nil {
						return
					}
				}
				if r := half.Load(); r != nil && r.Edition == last+1 {
					seen.Store(true)
					yield(*r, nil)
				}
			}
		}
		return s
	}},
	{12, "a revision of an unknown kind is taken without a word", func() *faultyStore {
		return appendsRevisions(func(s *faultyStore, ctx context.Context, revs []Revision) error {
			if err := s.MemStore.AppendRevisions(ctx, revs...); !errors.Is(err, ErrInvalid) {
				return err
			}
			return nil
		})
	}},
	{12, "a revision of an unknown kind is refused with another error", func() *faultyStore {
		return appendsRevisions(func(s *faultyStore, ctx context.Context, revs []Revision) error {
			if err := s.MemStore.AppendRevisions(ctx, revs...); !errors.Is(err, ErrInvalid) {
				return err
			}
			return errors.New("check constraint")
		})
	}},
	{12, "metadata that is not JSON is dropped", func() *faultyStore {
		return appendsViolations(func(s *faultyStore, ctx context.Context, vs []Violation) error {
			vs = slices.Clone(vs)
			for i := range vs {
				if _, err := vs[i].canonical(); err != nil {
					vs[i].Action.Metadata = ""
				}
			}
			return s.MemStore.AppendViolations(ctx, vs...)
		})
	}},
	{12, "the violations before an invalid one are stored", func() *faultyStore {
		return appendsViolations(func(s *faultyStore, ctx context.Context, vs []Violation) error {
			for i, v := range vs {
				if _, err := v.canonical(); err != nil {
					return errors.Join(err, s.MemStore.AppendViolations(ctx, vs[:i]...))
				}
			}
			return s.MemStore.AppendViolations(ctx, vs...)
		})
	}},
}

// keeping is a store of violations with a slice in place of a MemStore.
func keeping(add func(s *faultyStore, vs []Violation)) *faultyStore {
	return &faultyStore{
		appendViolations: func(s *faultyStore, ctx context.Context, vs []Violation) error {
			if ctx.Err() == nil {
				add(s, vs)
			}
			return ctx.Err()
		},
		violations: func(s *faultyStore, ctx context.Context) iter.Seq2[Violation, error] {
			return func(yield func(Violation, error) bool) {
				s.mu.RLock()
				all := s.kept
				s.mu.RUnlock()
				for _, v := range all {
					if ctx.Err() != nil {
						break
					}
					if !yield(v, nil) {
						return
					}
				}
				if ctx.Err() != nil {
					yield(Violation{}, ctx.Err())
				}
			}
		},
	}
}
