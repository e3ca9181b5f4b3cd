package normsync_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"iter"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

// storeFault makes a store that breaks one rule.
type storeFault struct {
	rule  int
	fault string
	make  func() *faultyStore
}

// requireFault tests a store that has a fault, and requires that the error names it. Some
// faults make a call hang, which a short limit finds out soon. On a slow machine other calls
// may take as long, so a report that something else hangs is checked with a longer limit.
func requireFault(t *testing.T, make func() normsync.Store, want string) {
	t.Helper()
	var err error
	for limit := time.Second; limit < time.Minute; limit *= 4 {
		err = normsync.TestStoreWithin(func() (normsync.Store, error) { return make(), nil }, limit)
		if err == nil || strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "it hangs: ") {
			break
		}
	}
	require.ErrorContains(t, err, want)
}

func TestTestStoreNamesTheRuleThatIsBroken(t *testing.T) {
	for _, f := range slices.Concat(valueFaults, useFaults, numberFaults) {
		t.Run(fmt.Sprintf("rule %d/%s", f.rule, f.fault), func(t *testing.T) {
			t.Parallel()
			requireFault(t, func() normsync.Store { return f.make() }, fmt.Sprintf("normsync: rule %d: %s: ", f.rule, normsync.StoreRules()[f.rule-1]))
		})
	}
}

// numberFaults are in the numbers of violations.
var numberFaults = []storeFault{
	{2, "violations are numbered from 0", func() *faultyStore {
		return storedBy(func(v *normsync.StoredViolation) { v.Number-- }, func(after uint64) uint64 { return after })
	}},
	{2, "all violations have the same number", func() *faultyStore {
		return storedBy(func(v *normsync.StoredViolation) { v.Number = 1 }, func(after uint64) uint64 { return after })
	}},
	{5, "Violations begins with the number itself", func() *faultyStore {
		return storedBy(nil, func(after uint64) uint64 { return max(after, 1) - 1 })
	}},
	{5, "Violations begins anew each time", func() *faultyStore {
		return storedBy(nil, func(uint64) uint64 { return 0 })
	}},
	{5, "Violations passes over the one after the number", func() *faultyStore {
		return storedBy(nil, func(after uint64) uint64 {
			if after > 0 && after < 1<<40 {
				after++
			}
			return after
		})
	}},
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

// waiterBy and querierBy have one method that may be wrong.
type waiterBy struct {
	normsync.MemStore
	wait func(s *normsync.MemStore, ctx context.Context, after uint64) error
}

func (s *waiterBy) WaitRevisions(ctx context.Context, after uint64) error {
	return s.wait(&s.MemStore, ctx, after)
}

type querierBy struct {
	normsync.MemStore
	query func(s *normsync.MemStore, ctx context.Context, q normsync.ViolationQuery) iter.Seq2[normsync.StoredViolation, error]
}

func (s *querierBy) QueryViolations(ctx context.Context, q normsync.ViolationQuery) iter.Seq2[normsync.StoredViolation, error] {
	return s.query(&s.MemStore, ctx, q)
}

func TestTestStoreChecksWaitersAndQueriers(t *testing.T) {
	waiters := map[string]func(s *normsync.MemStore, ctx context.Context, after uint64) error{
		"it never waits": func(s *normsync.MemStore, ctx context.Context, after uint64) error { return nil },
		"it does not see the context": func(s *normsync.MemStore, ctx context.Context, after uint64) error {
			return s.WaitRevisions(context.Background(), after)
		},
		"it waits for one revision more": func(s *normsync.MemStore, ctx context.Context, after uint64) error {
			return s.WaitRevisions(ctx, after+1)
		},
		"it hides why it ended": func(s *normsync.MemStore, ctx context.Context, after uint64) error {
			return discard(s.WaitRevisions(ctx, after))
		},
		"it fails where there is a revision": func(s *normsync.MemStore, ctx context.Context, after uint64) error { return errors.New("no") },
		"it forgets about contexts that are done": func(s *normsync.MemStore, ctx context.Context, after uint64) error {
			return s.WaitRevisions(context.WithoutCancel(ctx), after)
		},
	}
	// A revision that is there is seen, but an append wakes nobody.
	waiters["it does not wake up"] = func(s *normsync.MemStore, ctx context.Context, after uint64) error {
		for range s.Revisions(ctx, after) {
			return ctx.Err()
		}
		<-ctx.Done()
		return ctx.Err()
	}
	waiters["it misses a context that is done if there is a revision"] = func(s *normsync.MemStore, ctx context.Context, after uint64) error {
		for _, err := range s.Revisions(context.Background(), after) {
			return err
		}
		return s.WaitRevisions(ctx, after)
	}
	for name, wait := range waiters {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireFault(t, func() normsync.Store { return &waiterBy{wait: wait} }, "normsync: RevisionWaiter: ")
		})
	}
	for name, change := range map[string]func(q *normsync.ViolationQuery){
		"it ignores the agent":    func(q *normsync.ViolationQuery) { q.Agent = "" },
		"it ignores the norm":     func(q *normsync.ViolationQuery) { q.Norm = "" },
		"it ignores the severity": func(q *normsync.ViolationQuery) { q.Severity = "" },
		"it ignores Since":        func(q *normsync.ViolationQuery) { q.Since = time.Time{} },
		"it ignores Until":        func(q *normsync.ViolationQuery) { q.Until = time.Time{} },
		"it ignores the number":   func(q *normsync.ViolationQuery) { q.After = 0 },
		"it ignores the limit":    func(q *normsync.ViolationQuery) { q.Limit = 0 },
		"it ignores the order":    func(q *normsync.ViolationQuery) { q.Newest = false },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireFault(t, func() normsync.Store {
				return &querierBy{query: func(s *normsync.MemStore, ctx context.Context, q normsync.ViolationQuery) iter.Seq2[normsync.StoredViolation, error] {
					change(&q)
					return s.QueryViolations(ctx, q)
				}}
			}, "normsync: ViolationQuerier: QueryViolations(")
		})
	}
}

// Faults in how a querier yields what it has found.
func TestTestStoreChecksTheSequenceOfAQuerier(t *testing.T) {
	type sequence = iter.Seq2[normsync.StoredViolation, error]
	for name, query := range map[string]func(s *normsync.MemStore, ctx context.Context, q normsync.ViolationQuery) sequence{
		"it stops after Limit violations, whether or not the query picks them": func(s *normsync.MemStore, ctx context.Context, q normsync.ViolationQuery) sequence {
			limit := q.Limit
			q.Limit = 0
			return func(yield func(normsync.StoredViolation, error) bool) {
				first := uint64(0)
				for v, err := range s.QueryViolations(ctx, q) {
					if first == 0 {
						first = v.Number
					}
					if limit > 0 && max(v.Number, first)-min(v.Number, first) >= uint64(limit) || !yield(v, err) {
						return
					}
				}
			}
		},
		"it compares agents exactly": func(s *normsync.MemStore, ctx context.Context, q normsync.ViolationQuery) sequence {
			return func(yield func(normsync.StoredViolation, error) bool) {
				for v, err := range s.QueryViolations(ctx, q) {
					if q.Agent != "" && err == nil && v.Action.Agent != q.Agent {
						continue
					}
					if !yield(v, err) {
						return
					}
				}
			}
		},
		"it does not look at the context": func(s *normsync.MemStore, ctx context.Context, q normsync.ViolationQuery) sequence {
			return s.QueryViolations(context.WithoutCancel(ctx), q)
		},
		"it yields once only": func(s *normsync.MemStore, ctx context.Context, q normsync.ViolationQuery) sequence {
			var ranged bool
			return func(yield func(normsync.StoredViolation, error) bool) {
				if !ranged {
					ranged = true
					s.QueryViolations(ctx, q)(yield)
				}
			}
		},
		"it goes on after it was stopped": func(s *normsync.MemStore, ctx context.Context, q normsync.ViolationQuery) sequence {
			return func(yield func(normsync.StoredViolation, error) bool) {
				for v, err := range s.QueryViolations(ctx, q) {
					yield(v, err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireFault(t, func() normsync.Store { return &querierBy{query: query} }, "normsync: ViolationQuerier: QueryViolations(")
		})
	}
}

// discard puts another error in the place of err.
func discard(err error) error {
	if err != nil {
		err = errors.New("ended")
	}
	return err
}

func TestTestStoreHasAFaultForEveryRule(t *testing.T) {
	for i, rule := range normsync.StoreRules() {
		n := 0
		for _, f := range slices.Concat(valueFaults, useFaults, numberFaults) {
			if f.rule == i+1 {
				n++
			}
		}
		require.GreaterOrEqual(t, n, 2, rule)
	}
}

// An implementer looks up the number of an error in the comment of Store.
func TestTestStoreHasTheRulesOfTheComment(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "store.go", nil, parser.ParseComments)
	require.NoError(t, err)
	var comment string
	for _, decl := range file.Decls {
		if d, ok := decl.(*ast.GenDecl); ok && d.Tok == token.TYPE {
			comment += d.Doc.Text()
		}
	}
	comment = strings.ToLower(strings.NewReplacer("[", "", "]", "").Replace(comment))
	rules := regexp.MustCompile(`(?m)^ *(\d+)\. ([^.]*(?:\n[^.]*)?)`).FindAllStringSubmatch(comment, -1)
	require.Len(t, rules, len(normsync.StoreRules()))
	for i, rule := range rules {
		require.Equal(t, strconv.Itoa(i+1), rule[1])
		words := strings.Join(strings.Fields(rule[2]), " ")
		require.True(t, strings.HasPrefix(words, strings.ToLower(normsync.StoreRules()[i])), "rule %d is %q", i+1, words)
	}
}

func TestTestStorePassesMemStore(t *testing.T) {
	require.NoError(t, normsync.TestStore(func() (normsync.Store, error) { return new(normsync.MemStore), nil }))
}

func TestTestStorePassesFileStore(t *testing.T) {
	n := 0
	require.NoError(t, normsync.TestStore(func() (normsync.Store, error) {
		n++
		s, err := normsync.OpenFile(filepath.Join(t.TempDir(), "store"), nil)
		if err == nil {
			t.Cleanup(func() { s.Close() })
		}
		return s, err
	}))
	require.GreaterOrEqual(t, n, len(normsync.StoreRules()))
}

func TestTestStoreReportsWhatItCannotOpen(t *testing.T) {
	boom := errors.New("boom")
	require.ErrorIs(t, normsync.TestStore(func() (normsync.Store, error) { return nil, boom }), boom)
	require.ErrorContains(t, normsync.TestStore(func() (normsync.Store, error) { return nil, nil }), "open a store to test: the store is nil")
	require.ErrorContains(t, normsync.TestStore(func() (normsync.Store, error) { panic("boom") }), "open a store to test: it panics: boom")
}

func TestTestStoreReportsAStoreThatPanicsOrHangs(t *testing.T) {
	never := make(chan struct{})
	t.Cleanup(func() { close(never) })
	for name, do := range map[string]func(){"panics": func() { panic("boom") }, "hangs": func() { <-never }} {
		for method, make := range map[string]func() *faultyStore{
			"AppendRevisions": func() *faultyStore {
				return appendsRevisions(func(*faultyStore, context.Context, []normsync.Revision) error { do(); return nil })
			},
			"Revisions": func() *faultyStore {
				return revisionSequence(func(*faultyStore, context.Context, uint64, func(normsync.Revision, error) bool) { do() })
			},
			"AppendViolations": func() *faultyStore {
				return appendsViolations(func(*faultyStore, context.Context, []normsync.Violation) error { do(); return nil })
			},
			"Violations": func() *faultyStore {
				return sequence(func(*faultyStore, context.Context, func(normsync.Violation, error) bool) { do() })
			},
		} {
			t.Run(method+" "+name, func(t *testing.T) {
				t.Parallel()
				requireFault(t, func() normsync.Store { return make() }, "normsync: rule 1: an empty store yields nothing: it "+name+": ")
			})
		}
	}
}

// A check may take longer than the limit, if no call of the store does.
func TestTestStoreIsPatientWithASlowStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func() { time.Sleep(20 * time.Second) }
		begin := time.Now()
		require.NoError(t, normsync.TestStore(func() (normsync.Store, error) {
			s := appendsViolations(func(s *faultyStore, ctx context.Context, vs []normsync.Violation) error {
				slow()
				return s.MemStore.AppendViolations(ctx, vs...)
			})
			s.revisions = func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[normsync.Revision, error] {
				return eachBy(s.MemStore.Revisions(ctx, after), func(*normsync.Revision) { slow() })
			}
			return s, nil
		}))
		require.Greater(t, time.Since(begin), time.Hour)
	})
}

func TestTestStoreReportsASequenceThatDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := normsync.TestStore(func() (normsync.Store, error) {
			return revisionSequence(func(s *faultyStore, ctx context.Context, after uint64, yield func(normsync.Revision, error) bool) {
				for r, err := range s.MemStore.Revisions(ctx, after) {
					for !yield(r, err) && ctx.Err() == nil {
						time.Sleep(time.Second)
					}
				}
			}), nil
		})
		require.ErrorContains(t, err, "normsync: rule 7: ")
		require.ErrorContains(t, err, "it hangs: ")
		time.Sleep(2 * time.Second) // until the abandoned check has seen the end of its context
	})
}

// valueFaults break the rules 1 to 5, about values.
var valueFaults = []storeFault{
	{1, "Revisions of an empty store yields an error", func() *faultyStore {
		return revisionSequence(func(s *faultyStore, ctx context.Context, after uint64, yield func(normsync.Revision, error) bool) {
			if s.size() == 0 {
				yield(normsync.Revision{}, errors.New("no such file"))
				return
			}
			s.MemStore.Revisions(ctx, after)(yield)
		})
	}},
	{1, "Revisions after the end yields a zero value", func() *faultyStore {
		return revisionSequence(func(s *faultyStore, ctx context.Context, after uint64, yield func(normsync.Revision, error) bool) {
			if after > uint64(s.size()) {
				yield(normsync.Revision{}, nil)
				return
			}
			s.MemStore.Revisions(ctx, after)(yield)
		})
	}},
	{1, "AppendRevisions of nothing is an error", func() *faultyStore {
		return appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
			if len(revs) == 0 {
				return errors.New("nothing to do")
			}
			return s.MemStore.AppendRevisions(ctx, revs...)
		})
	}},
	{1, "AppendViolations of nothing stores an empty one", func() *faultyStore {
		return appendsViolations(func(s *faultyStore, ctx context.Context, vs []normsync.Violation) error {
			if len(vs) == 0 {
				vs = make([]normsync.Violation, 1)
			}
			return s.MemStore.AppendViolations(ctx, vs...)
		})
	}},
	{2, "violations lose nanoseconds", func() *faultyStore {
		return violationsBy(func(v *normsync.Violation) { v.Action.Time = v.Action.Time.Truncate(time.Microsecond) })
	}},
	{2, "revisions lose nanoseconds", func() *faultyStore {
		return revisionsBy(func(r *normsync.Revision) { r.Time = r.Time.Truncate(time.Microsecond) })
	}},
	{2, "times come back in another zone", func() *faultyStore {
		return revisionsBy(func(r *normsync.Revision) { r.Time = r.Time.In(time.FixedZone("there", 3600)) })
	}},
	{2, "times are kept as 64 bits of nanoseconds", func() *faultyStore {
		return violationsBy(func(v *normsync.Violation) { v.Action.Time = time.Unix(0, v.Action.Time.UnixNano()).UTC() })
	}},
	{2, "newlines become blanks", func() *faultyStore {
		return violationsBy(func(v *normsync.Violation) { v.NormName = strings.ReplaceAll(v.NormName, "\n", " ") })
	}},
	{2, "the reason loses what is not ASCII", func() *faultyStore {
		return revisionsBy(func(r *normsync.Revision) {
			r.Reason = strings.Map(func(c rune) rune { return min(c, '~') }, r.Reason)
		})
	}},
	{2, "HTML is escaped", func() *faultyStore {
		return violationsBy(func(v *normsync.Violation) { v.Action.Faction = strings.ReplaceAll(v.Action.Faction, "<", `\u003c`) })
	}},
	{2, "long texts are cut at 64 KiB", func() *faultyStore {
		return violationsBy(func(v *normsync.Violation) { v.Action.Verb = v.Action.Verb[:min(len(v.Action.Verb), 1<<16)] })
	}},
	{2, "blanks around are trimmed", func() *faultyStore {
		return revisionsBy(func(r *normsync.Revision) { r.By = strings.TrimSpace(r.By) })
	}},
	{2, "the edition is kept as a float", func() *faultyStore {
		return violationsBy(func(v *normsync.Violation) {
			if v.Edition > 1<<53 {
				v.Edition &^= 1<<12 - 1
			}
		})
	}},
	{2, "metadata is parsed and printed", func() *faultyStore {
		return violationsBy(func(v *normsync.Violation) { v.Action.Metadata = strings.ReplaceAll(v.Action.Metadata, "2.50", "2.5") })
	}},
	{2, "shadow is lost", func() *faultyStore { return violationsBy(func(v *normsync.Violation) { v.Shadow = false }) }},
	{2, "repealed is lost", func() *faultyStore { return revisionsBy(func(r *normsync.Revision) { r.Norm.Repealed = false }) }},
	{2, "prev is lost", func() *faultyStore { return revisionsBy(func(r *normsync.Revision) { r.Prev = normsync.ID{} }) }},
	{2, "priority is lost", func() *faultyStore { return revisionsBy(func(r *normsync.Revision) { r.Norm.Priority = 0 }) }},
	{2, "From is lost", func() *faultyStore { return revisionsBy(func(r *normsync.Revision) { r.Norm.From = time.Time{} }) }},
	{2, "a From of 1970 is lost", func() *faultyStore {
		return revisionsBy(func(r *normsync.Revision) {
			if r.Norm.From.Equal(time.Unix(0, 0)) {
				r.Norm.From = time.Time{}
			}
		})
	}},
	{2, "Until loses nanoseconds", func() *faultyStore {
		return revisionsBy(func(r *normsync.Revision) { r.Norm.Until = r.Norm.Until.Truncate(time.Microsecond) })
	}},
	{2, "the advice of norms is lost", func() *faultyStore { return revisionsBy(func(r *normsync.Revision) { r.Norm.Advice = "" }) }},
	{2, "the advice of violations is lost", func() *faultyStore { return violationsBy(func(v *normsync.Violation) { v.Advice = "" }) }},
	{2, "facts are lost", func() *faultyStore { return violationsBy(func(v *normsync.Violation) { v.Action.Facts = "" }) }},
	{2, "violations come back newest first", func() *faultyStore {
		return sequence(func(s *faultyStore, ctx context.Context, yield func(normsync.Violation, error) bool) {
			pairs := results(consecutive(s.MemStore.Violations(ctx, 0)), nil)
			slices.Reverse(pairs)
			for _, p := range pairs {
				if !yield(p.value, p.err) {
					return
				}
			}
		})
	}},
	{2, "one violation of a batch is lost", func() *faultyStore {
		return appendsViolations(func(s *faultyStore, ctx context.Context, vs []normsync.Violation) error {
			return s.MemStore.AppendViolations(ctx, vs[:min(len(vs), 24)]...)
		})
	}},
	{3, "the beginning of a wrong batch is stored", func() *faultyStore {
		return appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
			for _, r := range revs {
				if err := s.MemStore.AppendRevisions(ctx, r); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}},
	{3, "what fits of a wrong batch is taken without a word", func() *faultyStore {
		return appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
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
		return appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
			if err := s.MemStore.AppendRevisions(ctx, revs...); errors.Is(err, normsync.ErrConflict) {
				return errors.New("duplicate key")
			} else {
				return err
			}
		})
	}},
	{4, "an edition that is there is taken without a word", func() *faultyStore {
		return appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
			if len(revs) == 1 && revs[0].Edition <= uint64(s.size()) && ctx.Err() == nil {
				return nil
			}
			return s.MemStore.AppendRevisions(ctx, revs...)
		})
	}},
	{4, "the last edition but one is taken again without a word", func() *faultyStore {
		return appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
			if len(revs) == 1 && revs[0].Edition > 0 && revs[0].Edition+1 == uint64(s.size()) && ctx.Err() == nil {
				return nil
			}
			return s.MemStore.AppendRevisions(ctx, revs...)
		})
	}},
	{4, "a single edition that is too great is stored as the next", func() *faultyStore {
		return appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
			if n := uint64(s.size()); len(revs) == 1 && revs[0].Edition > n {
				revs[0].Edition = n + 1
			}
			return s.MemStore.AppendRevisions(ctx, revs...)
		})
	}},
	{4, "the first edition may be any", func() *faultyStore {
		return appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
			if len(revs) == 1 && s.size() == 0 && revs[0].Edition > 1 {
				revs = slices.Clone(revs)
				revs[0].Edition = 1
			}
			return s.MemStore.AppendRevisions(ctx, revs...)
		})
	}},
	{4, "editions are compared in 32 bits", func() *faultyStore {
		return appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
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
		return &faultyStore{revisions: func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[normsync.Revision, error] {
			return s.MemStore.Revisions(ctx, max(after, 1)-1)
		}}
	}},
	{5, "Revisions(after) yields everything", func() *faultyStore {
		return &faultyStore{revisions: func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[normsync.Revision, error] {
			return s.MemStore.Revisions(ctx, 0)
		}}
	}},
	{5, "Revisions(after) yields one too few", func() *faultyStore {
		return &faultyStore{revisions: func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[normsync.Revision, error] {
			if after > 0 {
				after++
			}
			return s.MemStore.Revisions(ctx, after)
		}}
	}},
	{5, "after is a signed number", func() *faultyStore {
		return &faultyStore{revisions: func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[normsync.Revision, error] {
			return s.MemStore.Revisions(ctx, uint64(max(int64(after), 0)))
		}}
	}},
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
	{6, "AppendRevisions does not look at its context", func() *faultyStore {
		return appendsRevisions(func(s *faultyStore, _ context.Context, revs []normsync.Revision) error {
			return s.MemStore.AppendRevisions(background, revs...)
		})
	}},
	{6, "AppendViolations reports its context, and stores all the same", func() *faultyStore {
		return appendsViolations(func(s *faultyStore, ctx context.Context, vs []normsync.Violation) error {
			return errors.Join(s.MemStore.AppendViolations(background, vs...), ctx.Err())
		})
	}},
	{6, "AppendViolations reports every context as cancelled", func() *faultyStore {
		return appendsViolations(func(s *faultyStore, ctx context.Context, vs []normsync.Violation) error {
			if ctx.Err() != nil {
				return context.Canceled
			}
			return s.MemStore.AppendViolations(ctx, vs...)
		})
	}},
	{6, "Revisions does not look at its context", func() *faultyStore {
		return &faultyStore{revisions: func(s *faultyStore, _ context.Context, after uint64) iter.Seq2[normsync.Revision, error] {
			return s.MemStore.Revisions(background, after)
		}}
	}},
	{6, "Violations yields a value before it looks at its context", func() *faultyStore {
		return sequence(func(s *faultyStore, ctx context.Context, yield func(normsync.Violation, error) bool) {
			for v, err := range consecutive(s.MemStore.Violations(background, 0)) {
				if !yield(v, err) {
					return
				}
				if err := ctx.Err(); err != nil {
					yield(normsync.Violation{}, err)
					return
				}
			}
		})
	}},
	{6, "Violations with a context that is done is empty", func() *faultyStore {
		return sequence(func(s *faultyStore, ctx context.Context, yield func(normsync.Violation, error) bool) {
			if ctx.Err() == nil {
				consecutive(s.MemStore.Violations(ctx, 0))(yield)
			}
		})
	}},
	{7, "Violations goes on after it was stopped", func() *faultyStore {
		return sequence(func(s *faultyStore, ctx context.Context, yield func(normsync.Violation, error) bool) {
			for v, err := range consecutive(s.MemStore.Violations(ctx, 0)) {
				yield(v, err)
			}
		})
	}},
	{7, "Revisions can be ranged over once", func() *faultyStore {
		return &faultyStore{revisions: func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[normsync.Revision, error] {
			var used atomic.Bool
			return func(yield func(normsync.Revision, error) bool) {
				if !used.Swap(true) {
					s.MemStore.Revisions(ctx, after)(yield)
				}
			}
		}}
	}},
	{7, "a sequence goes on where it was stopped", func() *faultyStore {
		return &faultyStore{violations: func(s *faultyStore, ctx context.Context) iter.Seq2[normsync.Violation, error] {
			next, _ := iter.Pull2(consecutive(s.MemStore.Violations(ctx, 0)))
			return func(yield func(normsync.Violation, error) bool) {
				for v, err, ok := next(); ok && yield(v, err); v, err, ok = next() {
				}
			}
		}}
	}},
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
	{8, "Revisions yields an error twice", func() *faultyStore {
		return revisionSequence(func(s *faultyStore, ctx context.Context, after uint64, yield func(normsync.Revision, error) bool) {
			for r, err := range s.MemStore.Revisions(ctx, after) {
				if !yield(r, err) || err != nil && !yield(r, err) {
					return
				}
			}
		})
	}},
	{8, "Violations yields an error with a value", func() *faultyStore {
		return sequence(func(s *faultyStore, ctx context.Context, yield func(normsync.Violation, error) bool) {
			for v, err := range consecutive(s.MemStore.Violations(ctx, 0)) {
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
		return sequence(func(s *faultyStore, ctx context.Context, yield func(normsync.Violation, error) bool) {
			if err := ctx.Err(); err != nil && !yield(normsync.Violation{}, err) {
				return
			}
			consecutive(s.MemStore.Violations(background, 0))(yield)
		})
	}},
	{8, "Violations ends without an error when its context ends", func() *faultyStore {
		return sequence(func(s *faultyStore, ctx context.Context, yield func(normsync.Violation, error) bool) {
			done := ctx.Err() != nil
			for v, err := range consecutive(s.MemStore.Violations(ctx, 0)) {
				if err != nil && !done || !yield(v, err) {
					return
				}
			}
		})
	}},
	{9, "a lock is held while violations are ranged over", func() *faultyStore {
		s := appendsViolations(func(s *faultyStore, ctx context.Context, vs []normsync.Violation) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.MemStore.AppendViolations(ctx, vs...)
		})
		s.violations = func(s *faultyStore, ctx context.Context) iter.Seq2[normsync.Violation, error] {
			return func(yield func(normsync.Violation, error) bool) {
				s.mu.RLock()
				defer s.mu.RUnlock()
				consecutive(s.MemStore.Violations(ctx, 0))(yield)
			}
		}
		return s
	}},
	{9, "ranging over violations keeps revisions from being appended", func() *faultyStore {
		s := appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.MemStore.AppendRevisions(ctx, revs...)
		})
		s.violations = func(s *faultyStore, ctx context.Context) iter.Seq2[normsync.Violation, error] {
			return func(yield func(normsync.Violation, error) bool) {
				s.mu.RLock()
				defer s.mu.RUnlock()
				consecutive(s.MemStore.Violations(ctx, 0))(yield)
			}
		}
		return s
	}},
	{9, "a sequence begins again when something was appended", func() *faultyStore {
		return revisionSequence(func(s *faultyStore, ctx context.Context, after uint64, yield func(normsync.Revision, error) bool) {
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
		return revisionSequence(func(s *faultyStore, ctx context.Context, after uint64, yield func(normsync.Revision, error) bool) {
			old := s.size()
			for r, err := range s.MemStore.Revisions(ctx, after) {
				if s.size() != old || !yield(r, err) {
					return
				}
			}
		})
	}},
	{10, "the slice of violations is kept", func() *faultyStore {
		return keeping(func(s *faultyStore, vs []normsync.Violation) {
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
		return appendsViolations(func(s *faultyStore, ctx context.Context, vs []normsync.Violation) error {
			if vs = append(vs, normsync.Violation{NormName: "end of batch"}); len(vs) == 1 {
				return ctx.Err()
			}
			return s.MemStore.AppendViolations(ctx, vs[:len(vs)-1]...)
		})
	}},
	{10, "the slice that was given is wiped", func() *faultyStore {
		return appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
			defer clear(revs)
			return s.MemStore.AppendRevisions(ctx, revs...)
		})
	}},
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
	{12, "a revision of an unknown kind is taken without a word", func() *faultyStore {
		return appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
			if err := s.MemStore.AppendRevisions(ctx, revs...); !errors.Is(err, normsync.ErrInvalid) {
				return err
			}
			return nil
		})
	}},
	{12, "a revision of an unknown kind is refused with another error", func() *faultyStore {
		return appendsRevisions(func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
			if err := s.MemStore.AppendRevisions(ctx, revs...); !errors.Is(err, normsync.ErrInvalid) {
				return err
			}
			return errors.New("check constraint")
		})
	}},
	{12, "metadata that is not JSON is dropped", func() *faultyStore {
		return appendsViolations(func(s *faultyStore, ctx context.Context, vs []normsync.Violation) error {
			vs = slices.Clone(vs)
			for i := range vs {
				if _, err := vs[i].Canonical(); err != nil {
					vs[i].Action.Metadata = ""
				}
			}
			return s.MemStore.AppendViolations(ctx, vs...)
		})
	}},
	{12, "the violations before an invalid one are stored", func() *faultyStore {
		return appendsViolations(func(s *faultyStore, ctx context.Context, vs []normsync.Violation) error {
			for i, v := range vs {
				if _, err := v.Canonical(); err != nil {
					return errors.Join(err, s.MemStore.AppendViolations(ctx, vs[:i]...))
				}
			}
			return s.MemStore.AppendViolations(ctx, vs...)
		})
	}},
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
