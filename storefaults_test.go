package normsync

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"
)

// valueFaults break the rules about what is stored, 1 to 5.
var valueFaults = []storeFault{
	{1, "Revisions of an empty store yields an error", func() *faultyStore {
		return revisionSequence(func(s *faultyStore, ctx context.Context, after uint64, yield func(Revision, error) bool) {
			if s.size() == 0 {
				yield(Revision{}, errors.New("no such file"))
				return
			}
			s.MemStore.Revisions(ctx, after)(yield)
		})
	}},
	{1, "Revisions after the end yields a zero value", func() *faultyStore {
		return revisionSequence(func(s *faultyStore, ctx context.Context, after uint64, yield func(Revision, error) bool) {
			if after > uint64(s.size()) {
				yield(Revision{}, nil)
				return
			}
			s.MemStore.Revisions(ctx, after)(yield)
		})
	}},
	{1, "AppendRevisions of nothing is an error", func() *faultyStore {
		return appendsRevisions(func(s *faultyStore, ctx context.Context, revs []Revision) error {
			if len(revs) == 0 {
				return errors.New("nothing to do")
			}
			return s.MemStore.AppendRevisions(ctx, revs...)
		})
	}},
	{1, "AppendViolations of nothing stores an empty one", func() *faultyStore {
		return appendsViolations(func(s *faultyStore, ctx context.Context, vs []Violation) error {
			if len(vs) == 0 {
				vs = make([]Violation, 1)
			}
			return s.MemStore.AppendViolations(ctx, vs...)
		})
	}},
	{2, "violations lose nanoseconds", func() *faultyStore {
		return violationsBy(func(v *Violation) { v.Action.Time = v.Action.Time.Truncate(time.Microsecond) })
	}},
	{2, "revisions lose nanoseconds", func() *faultyStore {
		return revisionsBy(func(r *Revision) { r.Time = r.Time.Truncate(time.Microsecond) })
	}},
	{2, "times come back in another zone", func() *faultyStore {
		return revisionsBy(func(r *Revision) { r.Time = r.Time.In(time.FixedZone("there", 3600)) })
	}},
	{2, "times are kept as 64 bits of nanoseconds", func() *faultyStore {
		return violationsBy(func(v *Violation) { v.Action.Time = time.Unix(0, v.Action.Time.UnixNano()).UTC() })
	}},
	{2, "newlines become blanks", func() *faultyStore {
		return violationsBy(func(v *Violation) { v.NormName = strings.ReplaceAll(v.NormName, "\n", " ") })
	}},
	{2, "the reason loses what is not ASCII", func() *faultyStore {
		return revisionsBy(func(r *Revision) {
			r.Reason = strings.Map(func(c rune) rune { return min(c, '~') }, r.Reason)
		})
	}},
	{2, "HTML is escaped", func() *faultyStore {
		return violationsBy(func(v *Violation) { v.Action.Faction = strings.ReplaceAll(v.Action.Faction, "<", `\u003c`) })
	}},
	{2, "long texts are cut at 64 KiB", func() *faultyStore {
		return violationsBy(func(v *Violation) { v.Action.Verb = v.Action.Verb[:min(len(v.Action.Verb), 1<<16)] })
	}},
	{2, "blanks around are trimmed", func() *faultyStore {
		return revisionsBy(func(r *Revision) { r.By = strings.TrimSpace(r.By) })
	}},
	{2, "the edition is kept as a float", func() *faultyStore {
		return violationsBy(func(v *Violation) {
			if v.Edition > 1<<53 {
				v.Edition &^= 1<<12 - 1
			}
		})
	}},
	{2, "metadata is parsed and printed", func() *faultyStore {
		return violationsBy(func(v *Violation) { v.Action.Metadata = strings.ReplaceAll(v.Action.Metadata, "2.50", "2.5") })
	}},
	{2, "shadow is lost", func() *faultyStore { return violationsBy(func(v *Violation) { v.Shadow = false }) }},
	{2, "repealed is lost", func() *faultyStore { return revisionsBy(func(r *Revision) { r.Norm.Repealed = false }) }},
	{2, "prev is lost", func() *faultyStore { return revisionsBy(func(r *Revision) { r.Prev = ID{} }) }},
	{2, "priority is lost", func() *faultyStore { return revisionsBy(func(r *Revision) { r.Norm.Priority = 0 }) }},
	{2, "violations come back newest first", func() *faultyStore {
		return sequence(func(s *faultyStore, ctx context.Context, yield func(Violation, error) bool) {
			pairs := collect(s.MemStore.Violations(ctx), 1<<20, nil)
			slices.Reverse(pairs)
			for _, p := range pairs {
				if !yield(p.value, p.err) {
					return
				}
			}
		})
	}},
	{2, "one violation of a batch is lost", func() *faultyStore {
		return appendsViolations(func(s *faultyStore, ctx context.Context, vs []Violation) error {
			return s.MemStore.AppendViolations(ctx, vs[:min(len(vs), 24)]...)
		})
	}},
	{3, "the beginning of a wrong batch is stored", func() *faultyStore {
		return appendsRevisions(func(s *faultyStore, ctx context.Context, revs []Revision) error {
			for _, r := range revs {
				if err := s.MemStore.AppendRevisions(ctx, r); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}},
	{3, "what fits of a wrong batch is taken without a word", func() *faultyStore {
		return appendsRevisions(func(s *faultyStore, ctx context.Context, revs []Revision) error {
			if len(revs) < 2 {
				return s.MemStore.AppendRevisions(ctx, revs...)
			}
			for _, r := range revs {
				_ = s.MemStore.AppendRevisions(ctx, r)
			}
			return nil
		})
	}},
	{4, "a wrong edition is refused with another error", func() *faultyStore {
		return appendsRevisions(func(s *faultyStore, ctx context.Context, revs []Revision) error {
			if err := s.MemStore.AppendRevisions(ctx, revs...); errors.Is(err, ErrConflict) {
				return errors.New("duplicate key")
			} else {
				return err
			}
		})
	}},
	{4, "an edition that is there is taken without a word", func() *faultyStore {
		return appendsRevisions(func(s *faultyStore, ctx context.Context, revs []Revision) error {
			if len(revs) == 1 && revs[0].Edition <= uint64(s.size()) && ctx.Err() == nil {
				return nil
			}
			return s.MemStore.AppendRevisions(ctx, revs...)
		})
	}},
	{4, "a single edition that is too great is stored as the next", func() *faultyStore {
		return appendsRevisions(func(s *faultyStore, ctx context.Context, revs []Revision) error {
			if n := uint64(s.size()); len(revs) == 1 && revs[0].Edition > n {
				revs[0].Edition = n + 1
			}
			return s.MemStore.AppendRevisions(ctx, revs...)
		})
	}},
	{4, "the first edition may be any", func() *faultyStore {
		return appendsRevisions(func(s *faultyStore, ctx context.Context, revs []Revision) error {
			if len(revs) == 1 && s.size() == 0 && revs[0].Edition > 1 {
				revs = slices.Clone(revs)
				revs[0].Edition = 1
			}
			return s.MemStore.AppendRevisions(ctx, revs...)
		})
	}},
	{4, "editions are compared in 32 bits", func() *faultyStore {
		return appendsRevisions(func(s *faultyStore, ctx context.Context, revs []Revision) error {
			revs = slices.Clone(revs)
			for i := range revs {
				revs[i].Edition &= 1<<32 - 1
			}
			return s.MemStore.AppendRevisions(ctx, revs...)
		})
	}},
	{4, "Prev is not looked at", func() *faultyStore { return looksAtPrev(func(int) bool { return false }) }},
	{4, "of a batch only the first Prev is looked at", func() *faultyStore { return looksAtPrev(func(i int) bool { return i == 0 }) }},
	{4, "of a batch the first Prev is not looked at", func() *faultyStore { return looksAtPrev(func(i int) bool { return i > 0 }) }},
	{5, "Revisions(after) yields that edition, too", func() *faultyStore {
		return &faultyStore{revisions: func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[Revision, error] {
			return s.MemStore.Revisions(ctx, max(after, 1)-1)
		}}
	}},
	{5, "Revisions(after) yields everything", func() *faultyStore {
		return &faultyStore{revisions: func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[Revision, error] {
			return s.MemStore.Revisions(ctx, 0)
		}}
	}},
	{5, "Revisions(after) yields one too few", func() *faultyStore {
		return &faultyStore{revisions: func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[Revision, error] {
			if after > 0 {
				after++
			}
			return s.MemStore.Revisions(ctx, after)
		}}
	}},
	{5, "after is a signed number", func() *faultyStore {
		return &faultyStore{revisions: func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[Revision, error] {
			return s.MemStore.Revisions(ctx, uint64(max(int64(after), 0)))
		}}
	}},
}

// looksAtPrev is the fault of a store that looks at the Prev of some revisions of
// a batch only.
func looksAtPrev(looks func(i int) bool) *faultyStore {
	prevs := map[uint64]ID{} // by edition
	var last ID
	return &faultyStore{
		appendRevisions: func(s *faultyStore, ctx context.Context, revs []Revision) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			plain, tip := slices.Clone(revs), last
			for i, r := range revs {
				if looks(i) && !r.follows(tip) {
					return ErrConflict
				}
				plain[i].Prev, tip = ID{}, r.ID()
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
		revisions: func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[Revision, error] {
			return eachBy(s.MemStore.Revisions(ctx, after), func(r *Revision) {
				s.mu.RLock()
				defer s.mu.RUnlock()
				r.Prev = prevs[r.Edition]
			})
		},
	}
}
