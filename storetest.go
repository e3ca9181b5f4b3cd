package normsync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
)

// TestStore checks that a [Store] follows the rules of the interface. Its error names
// the first rule that is broken, by number and in words. TestStore stops there, since
// later rules build on earlier ones.
//
// If the store is a [RevisionWaiter] or a [ViolationQuerier], TestStore checks that, too,
// after the rules.
//
// The function open must return an empty store. TestStore calls it once or twice for
// each rule. The caller must close the stores, if they have to be closed.
//
// TestStore also reports a store that panics, and one that hangs: it abandons a check
// in which the store does nothing for half a minute. Run TestStore with the race detector:
// for rule 11 it can only try a number of concurrent calls.
func TestStore(open func() (Store, error)) error { return testStore(open, 30*time.Second) }

func testStore(open func() (Store, error), limit time.Duration) error {
	run := func(rule string, check storeCheck) error {
		var s Store
		err := withLimit(limit, func(context.Context, func()) (err error) { s, err = open(); return err })
		if err == nil && s == nil {
			err = errors.New("the store is nil, and so is the error")
		}
		if err != nil {
			return fmt.Errorf("normsync: open a store to test: %w", err)
		}
		err = withLimit(limit, func(ctx context.Context, progress func()) error { return check(ctx, watchedStore{s, progress}) })
		if err != nil {
			return fmt.Errorf("normsync: %s: %w", rule, err)
		}
		return nil
	}
	for i, rule := range storeRules {
		for _, check := range rule.checks {
			if err := run(fmt.Sprintf("rule %d: %s", i+1, rule.words), check); err != nil {
				return err
			}
		}
	}
	return cmp.Or(run("RevisionWaiter", checkWaiter), run("ViolationQuerier", checkQuerier))
}

// withLimit calls f and returns its error, or an error that says that f panics or hangs.
// A function hangs if it neither returns nor calls progress within the limit. A slow store
// may take longer in all.
func withLimit(limit time.Duration, f func(ctx context.Context, progress func()) error) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	done := make(chan error, 1)
	go func() {
		done <- catchPanic(func() error { return f(ctx, func() { timer.Reset(limit) }) })
	}()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fmt.Errorf("it hangs: nothing has happened for %v", limit)
	}
}

// watchedStore calls progress whenever a method of the store returns, and while a sequence
// is ranged over.
type watchedStore struct {
	Store
	progress func()
}

func (s watchedStore) AppendRevisions(ctx context.Context, revs ...Revision) error {
	defer s.progress()
	return s.Store.AppendRevisions(ctx, revs...)
}

func (s watchedStore) Revisions(ctx context.Context, after uint64) iter.Seq2[Revision, error] {
	return watched(s.Store.Revisions(ctx, after), s.progress)
}

func (s watchedStore) AppendViolations(ctx context.Context, vs ...Violation) error {
	defer s.progress()
	return s.Store.AppendViolations(ctx, vs...)
}

func (s watchedStore) Violations(ctx context.Context, after uint64) iter.Seq2[StoredViolation, error] {
	return watched(s.Store.Violations(ctx, after), s.progress)
}

// watched is seq, with a call of progress at each value, and at the end. A sequence that
// was stopped has to end: it makes no progress by further values.
func watched[T any](seq iter.Seq2[T, error], progress func()) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		defer progress()
		stopped := false
		seq(func(v T, err error) bool {
			if !stopped {
				progress()
			}
			more := yield(v, err)
			stopped = stopped || !more
			return more
		})
	}
}

// catchPanic calls f, and returns a panic as an error.
func catchPanic(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it panics: %v", p)
		}
	}()
	return f()
}

// storeRules has the rules of a Store, in the order and with the words of its comment.
// Each check gets a new store.
var storeRules = [...]struct {
	words  string
	checks []storeCheck
}{
	{"an empty store yields nothing", []storeCheck{checkEmpty}},
	{"revisions and violations come back equal, in the order appended, violations with the numbers 1, 2, 3, and so on", []storeCheck{onRevisions(checkEqual), onViolations(checkEqual)}},
	{"a batch of revisions is all or nothing", []storeCheck{onRevisions(checkBatches)}},
	{"a revision that does not follow the last one is refused with ErrConflict, and changes nothing", []storeCheck{onRevisions(checkEditions), onRevisions(checkPrev)}},
	{"Revisions(after) yields exactly the editions after it, and Violations(after) exactly the violations with a greater number", []storeCheck{checkAfter}},
	{"a context that is already done changes nothing and is reported", []storeCheck{onRevisions(checkDone), onViolations(checkDone)}},
	{"a sequence can be stopped early, and ranged over again", []storeCheck{onRevisions(checkStop), onViolations(checkStop)}},
	{"an error ends a sequence", []storeCheck{onRevisions(checkEnd), onViolations(checkEnd)}},
	{"appending while ranging neither deadlocks nor repeats or skips", []storeCheck{onRevisions(checkRanging), onViolations(checkRanging)}},
	{"arguments are not kept", []storeCheck{onRevisions(checkArguments), onViolations(checkArguments)}},
	{"a store is safe for concurrent use", []storeCheck{checkConcurrent}},
	{"a value that could not be read back is refused with ErrInvalid, and nothing is stored", []storeCheck{onRevisions(checkUnknownKind), onViolations(checkMetadata)}},
}

type storeCheck = func(context.Context, watchedStore) error

// storeLog is one of the two logs of a store, with the values to append to it.
type storeLog[T comparable] struct {
	name   string // of the method that yields it
	append func(context.Context, ...T) error
	all    func(context.Context) iter.Seq2[T, error]
	values func(from, to int) []T                 // the values with the indexes from <= i < to
	other  func(ctx context.Context, i int) error // appends the value with index i to the other log
}

// onRevisions makes a check of the log of revisions.
func onRevisions(check func(context.Context, storeLog[Revision]) error) storeCheck {
	return func(ctx context.Context, s watchedStore) error {
		return check(ctx, storeLog[Revision]{
			"Revisions",
			s.AppendRevisions,
			func(ctx context.Context) iter.Seq2[Revision, error] { return s.Revisions(ctx, 0) },
			sampleRevisions,
			func(ctx context.Context, i int) error { return s.AppendViolations(ctx, sampleViolations(i, i+1)...) },
		})
	}
}

// onViolations makes a check of the log of violations.
func onViolations(check func(context.Context, storeLog[Violation]) error) storeCheck {
	return func(ctx context.Context, s watchedStore) error {
		return check(ctx, storeLog[Violation]{
			"Violations",
			s.AppendViolations,
			func(ctx context.Context) iter.Seq2[Violation, error] { return unnumbered(s.Violations(ctx, 0)) },
			sampleViolations,
			func(ctx context.Context, i int) error { return s.AppendRevisions(ctx, sampleRevisions(i, i+1)...) },
		})
	}
}

// unnumbered yields the violations of a whole log without their numbers, and an error
// if these are not 1, 2, 3, and so on.
func unnumbered(seq iter.Seq2[StoredViolation, error]) iter.Seq2[Violation, error] {
	return func(yield func(Violation, error) bool) {
		number := uint64(0)
		for v, err := range seq {
			number++
			if err == nil && v.Number != number {
				yield(Violation{}, fmt.Errorf("violation %d has the number %d", number, v.Number))
				return
			}
			if !yield(v.Violation, err) {
				return
			}
		}
	}
}

// add appends values that a store has to accept.
func (l storeLog[T]) add(ctx context.Context, values []T) error {
	if err := l.append(ctx, values...); err != nil {
		return fmt.Errorf("calling Append%s with %d values: %w", l.name, len(values), err)
	}
	return nil
}

// expect returns an error if the log does not hold exactly these values.
func (l storeLog[T]) expect(ctx context.Context, values []T) error {
	return compare(l.name, collect(l.all(ctx), len(values), nil), values)
}

// pair is what a sequence yields at a time.
type pair[T any] struct {
	value T
	err   error
}

// collect returns the pairs of a sequence. It stops after limit+1 pairs, in case the
// sequence never ends. It calls each, if it is not nil, after every pair.
func collect[T any](seq iter.Seq2[T, error], limit int, each func(n int)) []pair[T] {
	var pairs []pair[T]
	for v, err := range seq {
		pairs = append(pairs, pair[T]{v, err})
		if each != nil {
			each(len(pairs))
		}
		if len(pairs) > limit {
			break
		}
	}
	return pairs
}

// compare returns an error if a sequence did not yield exactly these values.
func compare[T comparable](what string, pairs []pair[T], values []T) error {
	for i, p := range pairs {
		switch {
		case p.err != nil:
			return fmt.Errorf("%s yields an error after %d of %d values: %w", what, i, len(values), p.err)
		case i >= len(values):
			return fmt.Errorf("%s yields more than the %d values it should, number %d being %.500s", what, len(values), i+1, fmt.Sprintf("%+v", p.value))
		case p.value != values[i]:
			return fmt.Errorf("%s yields as number %d of %d %.500s, which should be %.500s", what, i+1, len(values), fmt.Sprintf("%+v", p.value), fmt.Sprintf("%+v", values[i]))
		}
	}
	if len(pairs) < len(values) {
		return fmt.Errorf("%s ends after %d of %d values", what, len(pairs), len(values))
	}
	return nil
}
