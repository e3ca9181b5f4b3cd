package normsync_test

import (
	"context"
	"fmt"
	"iter"
	"reflect"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

// prohibition returns a norm that forbids verbs.
func prohibition(name, condition, verbs string, options ...func(*normsync.Norm)) normsync.Norm {
	return with(normsync.Norm{Name: name, Condition: condition, Prohibited: verbs}, options...)
}

// permission returns a norm that permits verbs.
func permission(name, condition, verbs string, priority int, options ...func(*normsync.Norm)) normsync.Norm {
	return with(normsync.Norm{Name: name, Condition: condition, Permitted: verbs, Priority: priority}, options...)
}

// with returns a norm with some of its fields changed.
func with(n normsync.Norm, options ...func(*normsync.Norm)) normsync.Norm {
	for _, o := range options {
		o(&n)
	}
	return n
}

// maxTokens is the most words that Norm.Validate accepts in a field.
const maxTokens = 64

// canonicalNorm returns a norm as a store keeps it in a revision.
func canonicalNorm(t testing.TB, n normsync.Norm) normsync.Norm {
	r, err := normsync.Revision{Change: normsync.Enact(n)}.Canonical()
	require.NoError(t, err)
	return r.Norm
}

// canonicalAction returns an action as a store keeps it in a violation.
func canonicalAction(a normsync.Action) (normsync.Action, error) {
	v, err := normsync.Violation{Action: a}.Canonical()
	return v.Action, err
}

// enact returns the change that enacts a norm of that name, which forbids x.
func enact(name string) normsync.Change { return normsync.Enact(prohibition(name, "", "x")) }

func dryRun(n *normsync.Norm)                   { n.Shadow = true }
func priority(p int) func(*normsync.Norm)       { return func(n *normsync.Norm) { n.Priority = p } }
func unless(tokens string) func(*normsync.Norm) { return func(n *normsync.Norm) { n.Unless = tokens } }

// within sets a window, in seconds since 1970; 0 is no bound.
func within(from, until int64) func(*normsync.Norm) {
	return func(n *normsync.Norm) {
		if from > 0 {
			n.From = time.Unix(from, 0).UTC()
		}
		if until > 0 {
			n.Until = time.Unix(until, 0).UTC()
		}
	}
}

// handClock is a clock that a test sets.
type handClock struct{ t time.Time }

func (c *handClock) options() *normsync.Options {
	return &normsync.Options{Now: func() time.Time { return c.t }}
}

func openOn(t testing.TB, s normsync.Store) *normsync.Monitor {
	t.Helper()
	m, err := normsync.Open(t.Context(), s, nil)
	require.NoError(t, err)
	return m
}

func applyTo(t testing.TB, m *normsync.Monitor, changes ...normsync.Change) []normsync.Revision {
	t.Helper()
	revs, err := m.Apply(t.Context(), changes...)
	require.NoError(t, err)
	return revs
}

// normsOf returns the norms in force, by name.
func normsOf(c *normsync.Constitution) map[string]normsync.Norm {
	m := make(map[string]normsync.Norm)
	for n := range c.All() {
		m[n.Name] = n
	}
	return m
}

// all returns the values of a sequence, which must not yield an error.
func all[T any](t testing.TB, seq iter.Seq2[T, error]) []T {
	t.Helper()
	var out []T
	for v, err := range seq {
		if err != nil {
			t.Fatalf("after %d values: %v", len(out), err)
		}
		out = append(out, v)
	}
	return out
}

// result is what a sequence yields: a value and an error.
type result[T any] struct {
	value T
	err   error
}

// results returns the pairs of a sequence. It calls each, if it is not nil, after
// every pair.
func results[T any](seq iter.Seq2[T, error], each func(n int)) (pairs []result[T]) {
	for v, err := range seq {
		pairs = append(pairs, result[T]{v, err})
		if each != nil {
			each(len(pairs))
		}
	}
	return pairs
}

// numbered returns violations with the editions from <= i < to.
func numbered(from, to int) []normsync.Violation {
	var vs []normsync.Violation
	for i := from; i < to; i++ {
		vs = append(vs, normsync.Violation{NormName: "n", Severity: normsync.SeverityWarn, Edition: uint64(i)})
	}
	return vs
}

var background = context.Background()

// replacedStore is a store that can be replaced while a monitor uses it, as if a
// backup were restored.
type replacedStore struct{ normsync.Store }

// copyOf returns a new store with the revisions of s before an edition.
func copyOf(t testing.TB, s normsync.Store, before uint64) *normsync.MemStore {
	t.Helper()
	c := new(normsync.MemStore)
	for _, r := range all(t, s.Revisions(t.Context(), 0)) {
		if r.Edition < before {
			require.NoError(t, c.AppendRevisions(t.Context(), r))
		}
	}
	return c
}

// plainCopyOf returns a copy without Prev, as version 0.1 would have written it.
func plainCopyOf(t testing.TB, s normsync.Store) *normsync.MemStore {
	t.Helper()
	c := new(normsync.MemStore)
	for _, r := range all(t, s.Revisions(t.Context(), 0)) {
		r.Prev = normsync.ID{}
		require.NoError(t, c.AppendRevisions(t.Context(), r))
	}
	return c
}

// spyStore counts the calls of Revisions and the revisions read.
type spyStore struct {
	normsync.MemStore
	after []uint64
	read  int
}

func (s *spyStore) Revisions(ctx context.Context, after uint64) iter.Seq2[normsync.Revision, error] {
	s.after = append(s.after, after)
	return eachBy(s.MemStore.Revisions(ctx, after), func(*normsync.Revision) { s.read++ })
}

// broken returns a sequence of revisions after f has changed them.
func broken(revs []normsync.Revision, f func([]normsync.Revision)) iter.Seq2[normsync.Revision, error] {
	f(revs)
	return func(yield func(normsync.Revision, error) bool) {
		for _, r := range revs {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// faultyStore is a MemStore with some methods replaced.
type faultyStore struct {
	normsync.MemStore
	appendRevisions  func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error
	revisions        func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[normsync.Revision, error]
	stored           func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[normsync.StoredViolation, error]
	appendViolations func(s *faultyStore, ctx context.Context, vs []normsync.Violation) error
	violations       func(s *faultyStore, ctx context.Context) iter.Seq2[normsync.Violation, error]

	mu   sync.RWMutex // for the faults
	kept []normsync.Violation
}

func (s *faultyStore) AppendRevisions(ctx context.Context, revs ...normsync.Revision) error {
	if s.appendRevisions != nil {
		return s.appendRevisions(s, ctx, revs)
	}
	return s.MemStore.AppendRevisions(ctx, revs...)
}

func (s *faultyStore) Revisions(ctx context.Context, after uint64) iter.Seq2[normsync.Revision, error] {
	if s.revisions != nil {
		return s.revisions(s, ctx, after)
	}
	return s.MemStore.Revisions(ctx, after)
}

func (s *faultyStore) AppendViolations(ctx context.Context, vs ...normsync.Violation) error {
	if s.appendViolations != nil {
		return s.appendViolations(s, ctx, vs)
	}
	return s.MemStore.AppendViolations(ctx, vs...)
}

func (s *faultyStore) Violations(ctx context.Context, after uint64) iter.Seq2[normsync.StoredViolation, error] {
	if s.stored != nil {
		return s.stored(s, ctx, after)
	}
	if s.violations != nil {
		return withNumbers(s.violations(s, ctx), after)
	}
	return s.MemStore.Violations(ctx, after)
}

// consecutive yields violations without their numbers, and an error if a number does
// not follow the one before it. The first may be any: older ones were deleted.
func consecutive(seq iter.Seq2[normsync.StoredViolation, error]) iter.Seq2[normsync.Violation, error] {
	return func(yield func(normsync.Violation, error) bool) {
		last := uint64(0)
		for v, err := range seq {
			if err == nil && last > 0 && v.Number != last+1 {
				err = fmt.Errorf("number %d comes after number %d", v.Number, last)
			}
			last = v.Number
			if !yield(v.Violation, err) || err != nil {
				return
			}
		}
	}
}

// withNumbers yields the violations of a whole log with the numbers 1, 2, 3, …, from
// the one after a number on.
func withNumbers(seq iter.Seq2[normsync.Violation, error], after uint64) iter.Seq2[normsync.StoredViolation, error] {
	return func(yield func(normsync.StoredViolation, error) bool) {
		number := uint64(0)
		for v, err := range seq {
			number++
			stored := normsync.StoredViolation{number, v}
			if err != nil && v == (normsync.Violation{}) {
				stored = normsync.StoredViolation{}
			}
			if (err != nil || number > after) && !yield(stored, err) {
				return
			}
		}
	}
}

// size returns the number of revisions.
func (s *faultyStore) size() int {
	return len(results(s.MemStore.Revisions(context.Background(), 0), nil))
}

func appendsRevisions(f func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error) *faultyStore {
	return &faultyStore{appendRevisions: f}
}

// revisionSequence returns a store that yields its revisions by f.
func revisionSequence(f func(s *faultyStore, ctx context.Context, after uint64, yield func(normsync.Revision, error) bool)) *faultyStore {
	return &faultyStore{revisions: func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[normsync.Revision, error] {
		return func(yield func(normsync.Revision, error) bool) { f(s, ctx, after, yield) }
	}}
}

// revisionsBy returns a store that applies f to each revision that it yields.
func revisionsBy(f func(*normsync.Revision)) *faultyStore {
	return &faultyStore{revisions: func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[normsync.Revision, error] {
		return eachBy(s.MemStore.Revisions(ctx, after), f)
	}}
}

func appendsViolations(f func(s *faultyStore, ctx context.Context, vs []normsync.Violation) error) *faultyStore {
	return &faultyStore{appendViolations: f}
}

// sequence returns a store that yields its violations by f.
func sequence(f func(s *faultyStore, ctx context.Context, yield func(normsync.Violation, error) bool)) *faultyStore {
	return &faultyStore{violations: func(s *faultyStore, ctx context.Context) iter.Seq2[normsync.Violation, error] {
		return func(yield func(normsync.Violation, error) bool) { f(s, ctx, yield) }
	}}
}

func violationsBy(f func(*normsync.Violation)) *faultyStore {
	return &faultyStore{violations: func(s *faultyStore, ctx context.Context) iter.Seq2[normsync.Violation, error] {
		return eachBy(consecutive(s.MemStore.Violations(ctx, 0)), f)
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

// fieldsOf yields the fields of a struct by name, given a pointer to it. It goes
// into the structs of this package, so that a name can be "Action.Agent".
func fieldsOf(pointer any) iter.Seq2[string, reflect.Value] {
	return func(yield func(string, reflect.Value) bool) {
		var walk func(prefix string, v reflect.Value) bool
		walk = func(prefix string, v reflect.Value) bool {
			for i := range v.NumField() {
				name, field := prefix+v.Type().Field(i).Name, v.Field(i)
				if field.Kind() == reflect.Struct && field.Type() != reflect.TypeFor[time.Time]() {
					if !walk(name+".", field) {
						return false
					}
				} else if !yield(name, field) {
					return false
				}
			}
			return true
		}
		walk("", reflect.ValueOf(pointer).Elem())
	}
}

// eachFieldSet yields copies of a struct in which one field has another value.
func eachFieldSet[T any](base T) iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		v := base
		for name, field := range fieldsOf(&v) {
			switch old := field.Interface().(type) {
			case normsync.ChangeKind:
				field.Set(reflect.ValueOf(normsync.KindRepeal))
			case normsync.Severity:
				field.Set(reflect.ValueOf(normsync.SeverityError))
			case string:
				field.SetString("1") // JSON, too
			case bool:
				field.SetBool(!old)
			case int:
				field.SetInt(1)
			case uint64:
				field.SetUint(1)
			case normsync.ID:
				field.Set(reflect.ValueOf(normsync.ID{1}))
			case time.Time:
				field.Set(reflect.ValueOf(time.Unix(1, 0).UTC()))
			default:
				panic(fmt.Sprintf("a field of type %T", old))
			}
			if !yield(name, v) {
				return
			}
			v = base
		}
	}
}

// raceEnabled reports whether the race detector is on, under which code allocates
// that otherwise does not.
var raceEnabled = func() bool {
	info, _ := debug.ReadBuildInfo()
	return info != nil && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}()

// onlyStore hides what a store has beside the methods of Store.
type onlyStore struct{ normsync.Store }

type brokenReader struct{ err error }

func (r brokenReader) Read([]byte) (int, error)  { return 0, r.err }
func (r brokenReader) Write([]byte) (int, error) { return 0, r.err }
