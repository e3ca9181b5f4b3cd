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
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

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
