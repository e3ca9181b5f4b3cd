package normsync

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"iter"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// faultyStore is a MemStore of which some methods are replaced.
type faultyStore struct {
	MemStore
	appendRevisions  func(s *faultyStore, ctx context.Context, revs []Revision) error
	revisions        func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[Revision, error]
	appendViolations func(s *faultyStore, ctx context.Context, vs []Violation) error
	violations       func(s *faultyStore, ctx context.Context) iter.Seq2[Violation, error]

	mu   sync.RWMutex // for the faults
	kept []Violation
}

func (s *faultyStore) AppendRevisions(ctx context.Context, revs ...Revision) error {
	if s.appendRevisions != nil {
		return s.appendRevisions(s, ctx, revs)
	}
	return s.MemStore.AppendRevisions(ctx, revs...)
}

func (s *faultyStore) Revisions(ctx context.Context, after uint64) iter.Seq2[Revision, error] {
	if s.revisions != nil {
		return s.revisions(s, ctx, after)
	}
	return s.MemStore.Revisions(ctx, after)
}

func (s *faultyStore) AppendViolations(ctx context.Context, vs ...Violation) error {
	if s.appendViolations != nil {
		return s.appendViolations(s, ctx, vs)
	}
	return s.MemStore.AppendViolations(ctx, vs...)
}

func (s *faultyStore) Violations(ctx context.Context) iter.Seq2[Violation, error] {
	if s.violations != nil {
		return s.violations(s, ctx)
	}
	return s.MemStore.Violations(ctx)
}

// size is the number of revisions.
func (s *faultyStore) size() int {
	return len(collect(s.MemStore.Revisions(context.Background(), 0), 1<<20, nil))
}

// revisionsBy is the fault that f makes of each revision that comes back.
func revisionsBy(f func(*Revision)) *faultyStore {
	return &faultyStore{revisions: func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[Revision, error] {
		return eachBy(s.MemStore.Revisions(ctx, after), f)
	}}
}

func violationsBy(f func(*Violation)) *faultyStore {
	return &faultyStore{violations: func(s *faultyStore, ctx context.Context) iter.Seq2[Violation, error] {
		return eachBy(s.MemStore.Violations(ctx), f)
	}}
}

func eachBy[T any](seq iter.Seq2[T, error], f func(*T)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for v, err := range seq {
			if err == nil {
				f(&v)
			}
			if !yield(v, err) {
				return
			}
		}
	}
}

// sequence is the fault of a store that ranges over its violations by f.
func sequence(f func(s *faultyStore, ctx context.Context, yield func(Violation, error) bool)) *faultyStore {
	return &faultyStore{violations: func(s *faultyStore, ctx context.Context) iter.Seq2[Violation, error] {
		return func(yield func(Violation, error) bool) { f(s, ctx, yield) }
	}}
}

// revisionSequence is the same for revisions.
func revisionSequence(f func(s *faultyStore, ctx context.Context, after uint64, yield func(Revision, error) bool)) *faultyStore {
	return &faultyStore{revisions: func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[Revision, error] {
		return func(yield func(Revision, error) bool) { f(s, ctx, after, yield) }
	}}
}

func appendsRevisions(f func(s *faultyStore, ctx context.Context, revs []Revision) error) *faultyStore {
	return &faultyStore{appendRevisions: f}
}

func appendsViolations(f func(s *faultyStore, ctx context.Context, vs []Violation) error) *faultyStore {
	return &faultyStore{appendViolations: f}
}

var background = context.Background()

// storeFault is a store that breaks one rule.
type storeFault struct {
	rule  int
	fault string
	make  func() *faultyStore
}

func TestTestStoreNamesTheRuleThatIsBroken(t *testing.T) {
	for _, f := range slices.Concat(valueFaults, useFaults) {
		t.Run(fmt.Sprintf("rule %d/%s", f.rule, f.fault), func(t *testing.T) {
			t.Parallel()
			err := testStore(func() (Store, error) { return f.make(), nil }, 3*time.Second)
			require.ErrorContains(t, err, fmt.Sprintf("normsync: rule %d: %s: ", f.rule, storeRules[f.rule-1].words))
		})
	}
}

func TestTestStoreHasAFaultForEveryRule(t *testing.T) {
	for i, rule := range storeRules {
		n := 0
		for _, f := range slices.Concat(valueFaults, useFaults) {
			if f.rule == i+1 {
				n++
			}
		}
		require.GreaterOrEqual(t, n, 2, rule.words)
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
	require.Len(t, rules, len(storeRules))
	for i, rule := range rules {
		require.Equal(t, strconv.Itoa(i+1), rule[1])
		words := strings.Join(strings.Fields(rule[2]), " ")
		require.True(t, strings.HasPrefix(words, strings.ToLower(storeRules[i].words)), "rule %d is %q", i+1, words)
	}
}

func TestTestStorePassesMemStore(t *testing.T) {
	require.NoError(t, TestStore(func() (Store, error) { return new(MemStore), nil }))
}

func TestTestStoreReportsWhatItCannotOpen(t *testing.T) {
	boom := errors.New("boom")
	require.ErrorIs(t, TestStore(func() (Store, error) { return nil, boom }), boom)
	require.ErrorContains(t, TestStore(func() (Store, error) { return nil, nil }), "open a store to test: the store is nil")
	require.ErrorContains(t, TestStore(func() (Store, error) { panic("boom") }), "open a store to test: it panics: boom")
}

func TestTestStoreReportsAStoreThatPanicsOrHangs(t *testing.T) {
	never := make(chan struct{})
	t.Cleanup(func() { close(never) })
	for name, do := range map[string]func(){"panics": func() { panic("boom") }, "hangs": func() { <-never }} {
		for method, make := range map[string]func() *faultyStore{
			"AppendRevisions": func() *faultyStore {
				return appendsRevisions(func(*faultyStore, context.Context, []Revision) error { do(); return nil })
			},
			"Revisions": func() *faultyStore {
				return revisionSequence(func(*faultyStore, context.Context, uint64, func(Revision, error) bool) { do() })
			},
			"AppendViolations": func() *faultyStore {
				return appendsViolations(func(*faultyStore, context.Context, []Violation) error { do(); return nil })
			},
			"Violations": func() *faultyStore {
				return sequence(func(*faultyStore, context.Context, func(Violation, error) bool) { do() })
			},
		} {
			t.Run(method+" "+name, func(t *testing.T) {
				t.Parallel()
				err := testStore(func() (Store, error) { return make(), nil }, time.Second)
				require.ErrorContains(t, err, "normsync: rule 1: ")
				require.ErrorContains(t, err, "it "+name+": ")
			})
		}
	}
}
