package normsync_test

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/normsync/normsync"
)

// storeFault makes a store that breaks one rule.
type storeFault struct {
	rule  int
	fault string
	make  func() *faultyStore
}

// always returns a function that makes a new store with the faults of s, which have no
// state outside the store.
func always(s *faultyStore) func() *faultyStore {
	return func() *faultyStore {
		return &faultyStore{appendRevisions: s.appendRevisions, revisions: s.revisions, stored: s.stored, appendViolations: s.appendViolations, violations: s.violations}
	}
}

// numberFaults are in the numbers of violations.
var numberFaults = []storeFault{
	{2, "violations are numbered from 0", always(storedBy(func(v *normsync.StoredViolation) { v.Number-- }, func(after uint64) uint64 { return after }))},
	{2, "all violations have the same number", always(storedBy(func(v *normsync.StoredViolation) { v.Number = 1 }, func(after uint64) uint64 { return after }))},
	{5, "Violations begins with the number itself", always(storedBy(nil, func(after uint64) uint64 { return max(after, 1) - 1 }))},
	{5, "Violations begins anew each time", always(storedBy(nil, func(uint64) uint64 { return 0 }))},
	{5, "Violations passes over the one after the number", always(storedBy(nil, func(after uint64) uint64 {
		if after > 0 && after < 1<<40 {
			after++
		}
		return after
	}))},
}

// storedBy returns a store that yields its violations after another number, each
// changed by f.
func storedBy(f func(*normsync.StoredViolation), after func(uint64) uint64) *faultyStore {
	return &faultyStore{stored: func(s *faultyStore, ctx context.Context, n uint64) iter.Seq2[normsync.StoredViolation, error] {
		return eachBy(s.MemStore.Violations(ctx, after(n)), func(v *normsync.StoredViolation) {
			if f != nil {
				f(v)
			}
		})
	}}
}

// valueFaults break the rules 1 to 5, about values.
var valueFaults = []storeFault{
	{1, "Revisions of an empty store yields an error", always(revisionSequence(func(s *faultyStore, ctx context.Context, after uint64, yield func(normsync.Revision, error) bool) {
		if s.size() == 0 {
			yield(normsync.Revision{}, errors.New("no such file"))
			return
		}
		s.MemStore.Revisions(ctx, after)(yield)
	}))},
	{1, "Revisions after the end yields a zero value", always(revisionSequence(func(s *faultyStore, ctx context.Context, after uint64, yield func(normsync.Revision, error) bool) {
		if after > uint64(s.size()) {
			yield(normsync.Revision{}, nil)
			return
		}
		s.MemStore.Revisions(ctx, after)(yield)
	}))},
	{1, "AppendRevisions of nothing is an error", always(appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
		if len(revs) == 0 {
			return errors.New("nothing to do")
		}
		return s.MemStore.AppendRevisions(ctx, revs...)
	}))},
	{1, "AppendViolations of nothing stores an empty one", always(appendsViolations(func(s *faultyStore, ctx context.Context, vs []normsync.Violation) error {
		if len(vs) == 0 {
			vs = make([]normsync.Violation, 1)
		}
		return s.MemStore.AppendViolations(ctx, vs...)
	}))},
	{2, "violations lose nanoseconds", always(violationsBy(func(v *normsync.Violation) { v.Action.Time = v.Action.Time.Truncate(time.Microsecond) }))},
	{2, "revisions lose nanoseconds", always(revisionsBy(func(r *normsync.Revision) { r.Time = r.Time.Truncate(time.Microsecond) }))},
	{2, "times come back in another zone", always(revisionsBy(func(r *normsync.Revision) { r.Time = r.Time.In(time.FixedZone("there", 3600)) }))},
	{2, "times are kept as 64 bits of nanoseconds", always(violationsBy(func(v *normsync.Violation) { v.Action.Time = time.Unix(0, v.Action.Time.UnixNano()).UTC() }))},
	{2, "newlines become blanks", always(violationsBy(func(v *normsync.Violation) { v.NormName = strings.ReplaceAll(v.NormName, "\n", " ") }))},
	{2, "the reason loses what is not ASCII", always(revisionsBy(func(r *normsync.Revision) {
		r.Reason = strings.Map(func(c rune) rune { return min(c, '~') }, r.Reason)
	}))},
	{2, "HTML is escaped", always(violationsBy(func(v *normsync.Violation) { v.Action.Faction = strings.ReplaceAll(v.Action.Faction, "<", `\u003c`) }))},
	{2, "long texts are cut at 64 KiB", always(violationsBy(func(v *normsync.Violation) { v.Action.Verb = v.Action.Verb[:min(len(v.Action.Verb), 1<<16)] }))},
	{2, "blanks around are trimmed", always(revisionsBy(func(r *normsync.Revision) { r.By = strings.TrimSpace(r.By) }))},
	{2, "the edition is kept as a float", always(violationsBy(func(v *normsync.Violation) {
		if v.Edition > 1<<53 {
			v.Edition &^= 1<<12 - 1
		}
	}))},
	{2, "metadata is parsed and printed", always(violationsBy(func(v *normsync.Violation) { v.Action.Metadata = strings.ReplaceAll(v.Action.Metadata, "2.50", "2.5") }))},
	{2, "shadow is lost", always(violationsBy(func(v *normsync.Violation) { v.Shadow = false }))},
	{2, "repealed is lost", always(revisionsBy(func(r *normsync.Revision) { r.Norm.Repealed = false }))},
	{2, "prev is lost", always(revisionsBy(func(r *normsync.Revision) { r.Prev = normsync.ID{} }))},
	{2, "priority is lost", always(revisionsBy(func(r *normsync.Revision) { r.Norm.Priority = 0 }))},
	{2, "From is lost", always(revisionsBy(func(r *normsync.Revision) { r.Norm.From = time.Time{} }))},
	{2, "a From of 1970 is lost", always(revisionsBy(func(r *normsync.Revision) {
		if r.Norm.From.Equal(time.Unix(0, 0)) {
			r.Norm.From = time.Time{}
		}
	}))},
	{2, "Until loses nanoseconds", always(revisionsBy(func(r *normsync.Revision) { r.Norm.Until = r.Norm.Until.Truncate(time.Microsecond) }))},
	{2, "the advice of norms is lost", always(revisionsBy(func(r *normsync.Revision) { r.Norm.Advice = "" }))},
	{2, "the advice of violations is lost", always(violationsBy(func(v *normsync.Violation) { v.Advice = "" }))},
	{2, "facts are lost", always(violationsBy(func(v *normsync.Violation) { v.Action.Facts = "" }))},
	{2, "violations come back newest first", always(sequence(func(s *faultyStore, ctx context.Context, yield func(normsync.Violation, error) bool) {
		pairs := results(consecutive(s.MemStore.Violations(ctx, 0)), nil)
		slices.Reverse(pairs)
		for _, p := range pairs {
			if !yield(p.value, p.err) {
				return
			}
		}
	}))},
	{2, "one violation of a batch is lost", always(appendsViolations(func(s *faultyStore, ctx context.Context, vs []normsync.Violation) error {
		return s.MemStore.AppendViolations(ctx, vs[:min(len(vs), 24)]...)
	}))},
	{3, "the beginning of a wrong batch is stored", always(appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
		for _, r := range revs {
			if err := s.MemStore.AppendRevisions(ctx, r); err != nil {
				return err
			}
		}
		return ctx.Err()
	}))},
	{3, "what fits of a wrong batch is taken without a word", always(appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
		if len(revs) < 2 {
			return s.MemStore.AppendRevisions(ctx, revs...)
		}
		for _, r := range revs {
			_ = s.MemStore.AppendRevisions(ctx, r)
		}
		return nil
	}))},
	{4, "a wrong edition is refused with another error", always(appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
		if err := s.MemStore.AppendRevisions(ctx, revs...); errors.Is(err, normsync.ErrConflict) {
			return errors.New("duplicate key")
		} else {
			return err
		}
	}))},
	{4, "an edition that is there is taken without a word", always(appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
		if len(revs) == 1 && revs[0].Edition <= uint64(s.size()) && ctx.Err() == nil {
			return nil
		}
		return s.MemStore.AppendRevisions(ctx, revs...)
	}))},
	{4, "the last edition but one is taken again without a word", always(appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
		if len(revs) == 1 && revs[0].Edition > 0 && revs[0].Edition+1 == uint64(s.size()) && ctx.Err() == nil {
			return nil
		}
		return s.MemStore.AppendRevisions(ctx, revs...)
	}))},
	{4, "a single edition that is too great is stored as the next", always(appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
		if n := uint64(s.size()); len(revs) == 1 && revs[0].Edition > n {
			revs[0].Edition = n + 1
		}
		return s.MemStore.AppendRevisions(ctx, revs...)
	}))},
	{4, "the first edition may be any", always(appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
		if len(revs) == 1 && s.size() == 0 && revs[0].Edition > 1 {
			revs = slices.Clone(revs)
			revs[0].Edition = 1
		}
		return s.MemStore.AppendRevisions(ctx, revs...)
	}))},
	{4, "editions are compared in 32 bits", always(appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
		revs = slices.Clone(revs)
		for i := range revs {
			revs[i].Edition &= 1<<32 - 1
		}
		return s.MemStore.AppendRevisions(ctx, revs...)
	}))},
	{4, "Prev is not looked at", func() *faultyStore { return looksAtPrev(func(int) bool { return false }) }},
	{4, "of a batch only the first Prev is looked at", func() *faultyStore { return looksAtPrev(func(i int) bool { return i == 0 }) }},
	{4, "of a batch the first Prev is not looked at", func() *faultyStore { return looksAtPrev(func(i int) bool { return i > 0 }) }},
	{5, "Revisions(after) yields that edition, too", always(&faultyStore{revisions: func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[normsync.Revision, error] {
		return s.MemStore.Revisions(ctx, max(after, 1)-1)
	}})},
	{5, "Revisions(after) yields everything", always(&faultyStore{revisions: func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[normsync.Revision, error] {
		return s.MemStore.Revisions(ctx, 0)
	}})},
	{5, "Revisions(after) yields one too few", always(&faultyStore{revisions: func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[normsync.Revision, error] {
		if after > 0 {
			after++
		}
		return s.MemStore.Revisions(ctx, after)
	}})},
	{5, "after is a signed number", always(&faultyStore{revisions: func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[normsync.Revision, error] {
		return s.MemStore.Revisions(ctx, uint64(max(int64(after), 0)))
	}})},
}

// looksAtPrev returns a store that checks the Prev of only some revisions of a batch.
func looksAtPrev(looks func(i int) bool) *faultyStore {
	prevs := map[uint64]normsync.ID{} // by edition
	var last normsync.ID
	return &faultyStore{
		appendRevisions: func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			plain, tip := slices.Clone(revs), last
			for i, r := range revs {
				if looks(i) && r.Prev != tip && r.Prev != (normsync.ID{}) {
					return normsync.ErrConflict
				}
				plain[i].Prev, tip = normsync.ID{}, r.ID()
			}
			if err := s.MemStore.AppendRevisions(ctx, plain...); err != nil {
				return err
			}
			for _, r := range revs {
				prevs[r.Edition] = r.Prev
			}
			last = tip
			return nil
		},
		revisions: func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[normsync.Revision, error] {
			return eachBy(s.MemStore.Revisions(ctx, after), func(r *normsync.Revision) {
				s.mu.RLock()
				defer s.mu.RUnlock()
				r.Prev = prevs[r.Edition]
			})
		},
	}
}

// useFaults break the rules 6 to 12, about the use of a store.
var useFaults = []storeFault{
	{6, "AppendRevisions does not look at its context", always(appendsRevisions(func(s *faultyStore, _ context.Context, revs []normsync.Revision) error {
		return s.MemStore.AppendRevisions(background, revs...)
	}))},
	{6, "AppendViolations reports its context, and stores all the same", always(appendsViolations(func(s *faultyStore, ctx context.Context, vs []normsync.Violation) error {
		return errors.Join(s.MemStore.AppendViolations(background, vs...), ctx.Err())
	}))},
	{6, "AppendViolations reports every context as cancelled", always(appendsViolations(func(s *faultyStore, ctx context.Context, vs []normsync.Violation) error {
		if ctx.Err() != nil {
			return context.Canceled
		}
		return s.MemStore.AppendViolations(ctx, vs...)
	}))},
	{6, "Revisions does not look at its context", always(&faultyStore{revisions: func(s *faultyStore, _ context.Context, after uint64) iter.Seq2[normsync.Revision, error] {
		return s.MemStore.Revisions(background, after)
	}})},
	{6, "Violations yields a value before it looks at its context", always(sequence(func(s *faultyStore, ctx context.Context, yield func(normsync.Violation, error) bool) {
		for v, err := range consecutive(s.MemStore.Violations(background, 0)) {
			if !yield(v, err) {
				return
			}
			if err := ctx.Err(); err != nil {
				yield(normsync.Violation{}, err)
				return
			}
		}
	}))},
	{6, "Violations with a context that is done is empty", always(sequence(func(s *faultyStore, ctx context.Context, yield func(normsync.Violation, error) bool) {
		if ctx.Err() == nil {
			consecutive(s.MemStore.Violations(ctx, 0))(yield)
		}
	}))},
	{7, "Violations goes on after it was stopped", always(sequence(func(s *faultyStore, ctx context.Context, yield func(normsync.Violation, error) bool) {
		for v, err := range consecutive(s.MemStore.Violations(ctx, 0)) {
			yield(v, err)
		}
	}))},
	{7, "Revisions can be ranged over once", always(&faultyStore{revisions: func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[normsync.Revision, error] {
		var used atomic.Bool
		return func(yield func(normsync.Revision, error) bool) {
			if !used.Swap(true) {
				s.MemStore.Revisions(ctx, after)(yield)
			}
		}
	}})},
	{7, "a sequence goes on where it was stopped", always(&faultyStore{violations: func(s *faultyStore, ctx context.Context) iter.Seq2[normsync.Violation, error] {
		next, _ := iter.Pull2(consecutive(s.MemStore.Violations(ctx, 0)))
		return func(yield func(normsync.Violation, error) bool) {
			for v, err, ok := next(); ok && yield(v, err); v, err, ok = next() {
			}
		}
	}})},
	{7, "two sequences at once share their place", func() *faultyStore {
		var place atomic.Int64
		return sequence(func(s *faultyStore, ctx context.Context, yield func(normsync.Violation, error) bool) {
			place.Store(0)
			for pairs := results(consecutive(s.MemStore.Violations(ctx, 0)), nil); int(place.Load()) < len(pairs); {
				if p := pairs[place.Add(1)-1]; !yield(p.value, p.err) {
					return
				}
			}
		})
	}},
	{7, "after a sequence was stopped nothing can be appended", func() *faultyStore {
		var stopped atomic.Bool
		s := appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
			if stopped.Load() {
				return errors.New("the log is busy")
			}
			return s.MemStore.AppendRevisions(ctx, revs...)
		})
		s.revisions = func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[normsync.Revision, error] {
			return func(yield func(normsync.Revision, error) bool) {
				for r, err := range s.MemStore.Revisions(ctx, after) {
					if !yield(r, err) {
						stopped.Store(true)
						return
					}
				}
			}
		}
		return s
	}},
	{8, "Revisions yields an error twice", always(revisionSequence(func(s *faultyStore, ctx context.Context, after uint64, yield func(normsync.Revision, error) bool) {
		for r, err := range s.MemStore.Revisions(ctx, after) {
			if !yield(r, err) || err != nil && !yield(r, err) {
				return
			}
		}
	}))},
	{8, "Violations yields an error with a value", always(sequence(func(s *faultyStore, ctx context.Context, yield func(normsync.Violation, error) bool) {
		for v, err := range consecutive(s.MemStore.Violations(ctx, 0)) {
			if err != nil {
				v.NormName = "half"
			}
			if !yield(v, err) {
				return
			}
		}
	}))},
	{8, "Violations goes on after an error", always(sequence(func(s *faultyStore, ctx context.Context, yield func(normsync.Violation, error) bool) {
		if err := ctx.Err(); err != nil && !yield(normsync.Violation{}, err) {
			return
		}
		consecutive(s.MemStore.Violations(background, 0))(yield)
	}))},
	{8, "Violations ends without an error when its context ends", always(sequence(func(s *faultyStore, ctx context.Context, yield func(normsync.Violation, error) bool) {
		done := ctx.Err() != nil
		for v, err := range consecutive(s.MemStore.Violations(ctx, 0)) {
			if err != nil && !done || !yield(v, err) {
				return
			}
		}
	}))},
	{9, "a lock is held while violations are ranged over", always(&faultyStore{
		violations: lockedRange,
		appendViolations: func(s *faultyStore, ctx context.Context, vs []normsync.Violation) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.MemStore.AppendViolations(ctx, vs...)
		},
	})},
	{9, "ranging over violations keeps revisions from being appended", always(&faultyStore{
		violations: lockedRange,
		appendRevisions: func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.MemStore.AppendRevisions(ctx, revs...)
		},
	})},
	{9, "a sequence begins again when something was appended", always(revisionSequence(func(s *faultyStore, ctx context.Context, after uint64, yield func(normsync.Revision, error) bool) {
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
	}))},
	{9, "a sequence ends when something was appended", always(revisionSequence(func(s *faultyStore, ctx context.Context, after uint64, yield func(normsync.Revision, error) bool) {
		old := s.size()
		for r, err := range s.MemStore.Revisions(ctx, after) {
			if s.size() != old || !yield(r, err) {
				return
			}
		}
	}))},
	{10, "the slice of violations is kept", always(keeping(func(s *faultyStore, vs []normsync.Violation) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.kept) == 0 {
			s.kept = vs
		} else {
			s.kept = append(s.kept[:len(s.kept):len(s.kept)], vs...)
		}
	}))},
	{10, "the slice that was given is grown in place", always(appendsViolations(func(s *faultyStore, ctx context.Context, vs []normsync.Violation) error {
		if vs = append(vs, normsync.Violation{NormName: "end of batch"}); len(vs) == 1 {
			return ctx.Err()
		}
		return s.MemStore.AppendViolations(ctx, vs[:len(vs)-1]...)
	}))},
	{10, "the slice that was given is wiped", always(appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
		defer clear(revs)
		return s.MemStore.AppendRevisions(ctx, revs...)
	}))},
	{11, "appends at the same time lose each other", func() *faultyStore {
		var arrived atomic.Int64
		return keeping(func(s *faultyStore, vs []normsync.Violation) {
			s.mu.RLock()
			old := s.kept
			s.mu.RUnlock()
			// If others are appending, let them read the same slice.
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
		return appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
			defer busy.Add(-1)
			if err := s.MemStore.AppendRevisions(ctx, revs...); busy.Add(1) == 1 || !errors.Is(err, normsync.ErrConflict) || len(revs) != 2 || revs[0].Edition != uint64(s.size()-1) {
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
		return appendsViolations(func(s *faultyStore, ctx context.Context, vs []normsync.Violation) error {
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
		var half atomic.Pointer[normsync.Revision]
		var seen atomic.Bool
		s := appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
			if len(revs) == 2 && revs[0].Edition == uint64(s.size()+1) && revs[1].Edition == revs[0].Edition+1 {
				if !half.CompareAndSwap(nil, &revs[0]) {
					return normsync.ErrConflict
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
		s.revisions = func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[normsync.Revision, error] {
			return func(yield func(normsync.Revision, error) bool) {
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
	{12, "a revision of an unknown kind is taken without a word", always(appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
		if err := s.MemStore.AppendRevisions(ctx, revs...); !errors.Is(err, normsync.ErrInvalid) {
			return err
		}
		return nil
	}))},
	{12, "a revision of an unknown kind is refused with another error", always(appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
		if err := s.MemStore.AppendRevisions(ctx, revs...); !errors.Is(err, normsync.ErrInvalid) {
			return err
		}
		return errors.New("check constraint")
	}))},
	{12, "metadata that is not JSON is dropped", always(appendsViolations(func(s *faultyStore, ctx context.Context, vs []normsync.Violation) error {
		vs = slices.Clone(vs)
		for i := range vs {
			if _, err := vs[i].Canonical(); err != nil {
				vs[i].Action.Metadata = ""
			}
		}
		return s.MemStore.AppendViolations(ctx, vs...)
	}))},
	{12, "the violations before an invalid one are stored", always(appendsViolations(func(s *faultyStore, ctx context.Context, vs []normsync.Violation) error {
		for i, v := range vs {
			if _, err := v.Canonical(); err != nil {
				return errors.Join(err, s.MemStore.AppendViolations(ctx, vs[:i]...))
			}
		}
		return s.MemStore.AppendViolations(ctx, vs...)
	}))},
}

// lockedRange holds a lock while it yields the violations of a store.
func lockedRange(s *faultyStore, ctx context.Context) iter.Seq2[normsync.Violation, error] {
	return func(yield func(normsync.Violation, error) bool) {
		s.mu.RLock()
		defer s.mu.RUnlock()
		consecutive(s.MemStore.Violations(ctx, 0))(yield)
	}
}

// keeping returns a store that keeps its violations in a slice.
func keeping(add func(s *faultyStore, vs []normsync.Violation)) *faultyStore {
	return &faultyStore{
		appendViolations: func(s *faultyStore, ctx context.Context, vs []normsync.Violation) error {
			if ctx.Err() == nil {
				add(s, vs)
			}
			return ctx.Err()
		},
		violations: func(s *faultyStore, ctx context.Context) iter.Seq2[normsync.Violation, error] {
			return func(yield func(normsync.Violation, error) bool) {
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
					yield(normsync.Violation{}, ctx.Err())
				}
			}
		},
	}
}
