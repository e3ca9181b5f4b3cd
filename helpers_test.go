package normsync

import (
	"context"
	"fmt"
	"iter"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func ban(name, condition, verbs string) Norm {
	return Norm{Name: name, Condition: condition, Prohibited: verbs}
}

// handClock is a clock that a test sets.
type handClock struct{ t time.Time }

func (c *handClock) options() *Options { return &Options{Now: func() time.Time { return c.t }} }

func openOn(t testing.TB, s Store) *Monitor {
	t.Helper()
	m, err := Open(t.Context(), s, nil)
	require.NoError(t, err)
	return m
}

func applyTo(t testing.TB, m *Monitor, changes ...Change) []Revision {
	t.Helper()
	revs, err := m.Apply(t.Context(), changes...)
	require.NoError(t, err)
	return revs
}

// normsOf returns the norms in force, by name.
func normsOf(c *Constitution) map[string]Norm {
	m := make(map[string]Norm)
	for n := range c.All() {
		m[n.Name] = n
	}
	return m
}

// all returns the values of a sequence, which must not yield an error.
func all[T any](t testing.TB, seq iter.Seq2[T, error]) []T {
	t.Helper()
	out := []T{}
	for v, err := range seq {
		if err != nil {
			t.Fatalf("after %d values: %v", len(out), err)
		}
		out = append(out, v)
	}
	return out
}

// numbered returns violations with the editions from <= i < to.
func numbered(from, to int) []Violation {
	var vs []Violation
	for i := from; i < to; i++ {
		vs = append(vs, Violation{NormName: "n", Severity: SeverityWarn, Edition: uint64(i)})
	}
	return vs
}

var background = context.Background()

// replacedStore is a store that can be replaced while a monitor uses it, as if a
// backup were restored.
type replacedStore struct{ Store }

// copyOf returns a new store with the revisions of s before an edition.
func copyOf(t testing.TB, s Store, before uint64) *MemStore {
	t.Helper()
	c := new(MemStore)
	for _, r := range all(t, s.Revisions(t.Context(), 0)) {
		if r.Edition < before {
			require.NoError(t, c.AppendRevisions(t.Context(), r))
		}
	}
	return c
}

// plainCopyOf returns a copy without Prev, as version 0.1 would have written it.
func plainCopyOf(t testing.TB, s Store) *MemStore {
	t.Helper()
	c := new(MemStore)
	for _, r := range all(t, s.Revisions(t.Context(), 0)) {
		r.Prev = ID{}
		require.NoError(t, c.AppendRevisions(t.Context(), r))
	}
	return c
}

// spyStore counts the calls of Revisions and the revisions read.
type spyStore struct {
	MemStore
	after []uint64
	read  int
}

func (s *spyStore) Revisions(ctx context.Context, after uint64) iter.Seq2[Revision, error] {
	s.after = append(s.after, after)
	return eachBy(s.MemStore.Revisions(ctx, after), func(*Revision) { s.read++ })
}

// broken returns a sequence of revisions after f has changed them.
func broken(revs []Revision, f func([]Revision)) iter.Seq2[Revision, error] {
	f(revs)
	return func(yield func(Revision, error) bool) {
		for _, r := range revs {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// faultyStore is a MemStore with some methods replaced.
type faultyStore struct {
	MemStore
	appendRevisions  func(s *faultyStore, ctx context.Context, revs []Revision) error
	revisions        func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[Revision, error]
	stored           func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[StoredViolation, error]
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

func (s *faultyStore) Violations(ctx context.Context, after uint64) iter.Seq2[StoredViolation, error] {
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
func consecutive(seq iter.Seq2[StoredViolation, error]) iter.Seq2[Violation, error] {
	return func(yield func(Violation, error) bool) {
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
func withNumbers(seq iter.Seq2[Violation, error], after uint64) iter.Seq2[StoredViolation, error] {
	return func(yield func(StoredViolation, error) bool) {
		number := uint64(0)
		for v, err := range seq {
			number++
			stored := StoredViolation{number, v}
			if err != nil && v == (Violation{}) {
				stored = StoredViolation{}
			}
			if (err != nil || number > after) && !yield(stored, err) {
				return
			}
		}
	}
}

// size returns the number of revisions.
func (s *faultyStore) size() int {
	return len(collect(s.MemStore.Revisions(context.Background(), 0), 1<<20, nil))
}

func appendsRevisions(f func(s *faultyStore, ctx context.Context, revs []Revision) error) *faultyStore {
	return &faultyStore{appendRevisions: f}
}

// revisionSequence returns a store that yields its revisions by f.
func revisionSequence(f func(s *faultyStore, ctx context.Context, after uint64, yield func(Revision, error) bool)) *faultyStore {
	return &faultyStore{revisions: func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[Revision, error] {
		return func(yield func(Revision, error) bool) { f(s, ctx, after, yield) }
	}}
}

// revisionsBy returns a store that applies f to each revision that it yields.
func revisionsBy(f func(*Revision)) *faultyStore {
	return &faultyStore{revisions: func(s *faultyStore, ctx context.Context, after uint64) iter.Seq2[Revision, error] {
		return eachBy(s.MemStore.Revisions(ctx, after), f)
	}}
}

func appendsViolations(f func(s *faultyStore, ctx context.Context, vs []Violation) error) *faultyStore {
	return &faultyStore{appendViolations: f}
}

// sequence returns a store that yields its violations by f.
func sequence(f func(s *faultyStore, ctx context.Context, yield func(Violation, error) bool)) *faultyStore {
	return &faultyStore{violations: func(s *faultyStore, ctx context.Context) iter.Seq2[Violation, error] {
		return func(yield func(Violation, error) bool) { f(s, ctx, yield) }
	}}
}

func violationsBy(f func(*Violation)) *faultyStore {
	return &faultyStore{violations: func(s *faultyStore, ctx context.Context) iter.Seq2[Violation, error] {
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
			case ChangeKind:
				field.Set(reflect.ValueOf(KindRepeal))
			case Severity:
				field.Set(reflect.ValueOf(SeverityError))
			case string:
				field.SetString("1") // JSON, too
			case bool:
				field.SetBool(!old)
			case int:
				field.SetInt(1)
			case uint64:
				field.SetUint(1)
			case ID:
				field.Set(reflect.ValueOf(ID{1}))
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
