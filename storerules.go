package normsync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"sync"
	"time"
)

// storeRules are the rules of a Store, in the order of its comment, each with
// the checks that TestStore makes on a new store.
var storeRules = [...]struct {
	words  string
	checks []storeCheck
}{
	{"an empty store yields nothing", []storeCheck{checkEmpty}},
	{"revisions and violations come back equal, in the order appended", []storeCheck{onRevisions(checkEqual), onViolations(checkEqual)}},
	{"a batch of revisions is all or nothing", []storeCheck{checkBatches}},
	{"a revision that does not follow the last one is refused with ErrConflict and changes nothing", []storeCheck{checkEditions, checkPrev}},
	{"Revisions(after) yields exactly the editions after it", []storeCheck{checkAfter}},
	{"a context that is already done changes nothing and is reported", []storeCheck{onRevisions(checkDone), onViolations(checkDone)}},
	{"a sequence can be stopped early, and ranged over again", []storeCheck{onRevisions(checkStop), onViolations(checkStop)}},
	{"an error ends a sequence, once, with a zero value", []storeCheck{onRevisions(checkEnd), onViolations(checkEnd)}},
	{"appending while ranging neither deadlocks nor repeats nor skips", []storeCheck{onRevisions(checkRanging), onViolations(checkRanging)}},
	{"arguments are not kept: the caller may overwrite the slice", []storeCheck{onRevisions(checkArguments), onViolations(checkArguments)}},
	{"a store is safe for concurrent use", []storeCheck{checkConcurrent}},
}

func checkEmpty(ctx context.Context, s Store) error {
	empty := func() error {
		return cmp.Or(
			wants("Revisions(0)", draw(s.Revisions(ctx, 0), 0, nil), nil),
			wants("Revisions(5)", draw(s.Revisions(ctx, 5), 0, nil), nil),
			wants("Violations", draw(s.Violations(ctx), 0, nil), nil))
	}
	if err := empty(); err != nil {
		return err
	}
	if err := s.AppendRevisions(ctx); err != nil {
		return fmt.Errorf("AppendRevisions of nothing: %w", err)
	}
	if err := s.AppendViolations(ctx); err != nil {
		return fmt.Errorf("AppendViolations of nothing: %w", err)
	}
	if err := empty(); err != nil {
		return fmt.Errorf("after appending nothing, %w", err)
	}
	return nil
}

func checkEqual[T comparable](ctx context.Context, p probe[T]) error {
	n := 0
	for _, size := range []int{1, 2, 0, 7, 1, 25} {
		if err := p.add(ctx, p.values(n, n+size)); err != nil {
			return err
		}
		n += size
		if err := p.holds(ctx, p.values(0, n)); err != nil {
			return err
		}
	}
	return nil
}

// editionsOf returns revisions with these editions, without Prev.
func editionsOf(editions ...uint64) []Revision {
	revs := probeRevisions(0, len(editions))
	for i, e := range editions {
		revs[i].Edition, revs[i].Prev = e, ID{}
	}
	return revs
}

func checkBatches(ctx context.Context, s Store) error {
	return onRevisions(func(ctx context.Context, p probe[Revision]) error {
		if err := p.add(ctx, p.values(0, 2)); err != nil {
			return err
		}
		for _, batch := range [][]uint64{{3, 5}, {3, 3}, {3, 2}, {3, 4, 4}, {3, 4, 5, 0}, {4, 3}, {2, 3}, {1, 2, 3}} {
			if err := s.AppendRevisions(ctx, editionsOf(batch...)...); err == nil {
				return fmt.Errorf("after edition 2, AppendRevisions takes the editions %v", batch)
			}
			if err := p.holds(ctx, p.values(0, 2)); err != nil {
				return fmt.Errorf("after edition 2, AppendRevisions refuses the editions %v, and then %w", batch, err)
			}
		}
		return cmp.Or(p.add(ctx, p.values(2, 9)), p.holds(ctx, p.values(0, 9)))
	})(ctx, s)
}

func checkEditions(ctx context.Context, s Store) error {
	return onRevisions(func(ctx context.Context, p probe[Revision]) error {
		refuses := func(last int, editions ...uint64) error {
			if err := s.AppendRevisions(ctx, editionsOf(editions...)...); !errors.Is(err, ErrConflict) {
				return fmt.Errorf("after edition %d, AppendRevisions of the editions %v returns %v", last, editions, err)
			}
			if err := p.holds(ctx, p.values(0, last)); err != nil {
				return fmt.Errorf("after edition %d, AppendRevisions refuses the editions %v, and then %w", last, editions, err)
			}
			return nil
		}
		if err := cmp.Or(refuses(0, 0), refuses(0, 2), p.add(ctx, p.values(0, 5))); err != nil {
			return err
		}
		for _, e := range []uint64{0, 1, 4, 5, 7, 8, 1<<32 + 6, 1 << 63, math.MaxUint64} {
			if err := refuses(5, e); err != nil {
				return err
			}
		}
		return cmp.Or(refuses(5, 6, 8), p.add(ctx, p.values(5, 6)), p.holds(ctx, p.values(0, 6)))
	})(ctx, s)
}

func checkPrev(ctx context.Context, s Store) error {
	return onRevisions(func(ctx context.Context, p probe[Revision]) error {
		revs := p.values(0, 9)
		with := func(i int, prev ID) Revision { r := revs[i]; r.Prev = prev; return r }
		refuses := func(last int, what string, batch ...Revision) error {
			if err := s.AppendRevisions(ctx, batch...); !errors.Is(err, ErrConflict) {
				return fmt.Errorf("after edition %d, AppendRevisions of %d revisions, the last of which has %s as its Prev, returns %v", last, len(batch), what, err)
			}
			if err := p.holds(ctx, p.values(0, last)); err != nil {
				return fmt.Errorf("after edition %d, AppendRevisions refuses a revision with a wrong Prev, and then %w", last, err)
			}
			return nil
		}
		nobody := ID{1, 2, 3}
		if err := refuses(0, "an ID that no revision has", with(0, nobody)); err != nil {
			return err
		}
		have := 0
		for _, last := range []int{2, 6} { // the one has no Prev, the other has
			if err := p.add(ctx, p.values(have, last)); err != nil {
				return err
			}
			if err := cmp.Or(
				refuses(last, "an ID that no revision has", with(last, nobody)),
				refuses(last, "the ID of the last revision but one", with(last, revs[last-2].ID())),
				refuses(last, "an ID that no revision has", revs[last], with(last+1, nobody)),
				refuses(last, "the ID of the revision before the batch", revs[last], with(last+1, revs[last-1].ID())),
			); err != nil {
				return err
			}
			have = last
		}
		revs[8].Prev = ID{} // as an older program has it
		return cmp.Or(p.add(ctx, p.values(6, 8)), p.add(ctx, []Revision{revs[8]}), p.holds(ctx, revs))
	})(ctx, s)
}

func checkAfter(ctx context.Context, s Store) error {
	const last = 9
	for _, batch := range [][2]int{{0, 3}, {3, 4}, {4, last}} {
		if err := s.AppendRevisions(ctx, probeRevisions(batch[0], batch[1])...); err != nil {
			return fmt.Errorf("AppendRevisions: %w", err)
		}
	}
	for _, after := range []uint64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1 << 32, 1 << 63, math.MaxUint64} {
		values := probeRevisions(int(min(after, last)), last)
		if err := wants(fmt.Sprintf("Revisions(%d)", after), draw(s.Revisions(ctx, after), len(values), nil), values); err != nil {
			return err
		}
	}
	return nil
}

func checkDone[T comparable](ctx context.Context, p probe[T]) error {
	if err := p.add(ctx, p.values(0, 3)); err != nil {
		return err
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	late, cancel := context.WithDeadline(ctx, time.Unix(1, 0))
	defer cancel()
	for _, done := range []context.Context{cancelled, late} {
		if err := p.append(done, p.values(3, 4)...); !errors.Is(err, done.Err()) {
			return fmt.Errorf("calling Append%s with a context that is done (%v) returns %v", p.name, done.Err(), err)
		}
		if err := p.holds(ctx, p.values(0, 3)); err != nil {
			return fmt.Errorf("after Append%s with a context that is done, %w", p.name, err)
		}
		pairs := draw(p.all(done), 3, nil)
		if len(pairs) == 0 || !errors.Is(pairs[0].err, done.Err()) {
			return fmt.Errorf("%s with a context that is done yields %.500s, and not its error (%v)", p.name, fmt.Sprintf("%+v", pairs), done.Err())
		}
	}
	return cmp.Or(p.add(ctx, p.values(3, 4)), p.holds(ctx, p.values(0, 4)))
}

func checkStop[T comparable](ctx context.Context, p probe[T]) error {
	const n = 6
	if err := p.add(ctx, p.values(0, n)); err != nil {
		return err
	}
	seq := p.all(ctx)
	for stop := 1; stop <= n; stop++ {
		calls := 0
		seq(func(T, error) bool { calls++; return calls < stop })
		if calls != stop {
			return fmt.Errorf("%s, stopped at value %d of %d, has yielded %d", p.name, stop, n, calls)
		}
	}
	if err := wants(p.name+", ranged over again,", draw(seq, n, nil), p.values(0, n)); err != nil {
		return err
	}
	// Twice at once, in step, with one of the two stopped before its end.
	next1, stop1 := iter.Pull2(seq)
	next2, stop2 := iter.Pull2(seq)
	defer stop1()
	defer stop2()
	var first, second []pair[T]
	for i := range n + 1 {
		if v, err, ok := next1(); ok {
			first = append(first, pair[T]{v, err})
		}
		if i < n/2 {
			v, err, _ := next2()
			second = append(second, pair[T]{v, err})
		}
	}
	stop2()
	return cmp.Or(
		wants(p.name+", ranged over twice at once,", first, p.values(0, n)),
		wants(p.name+", ranged over twice at once,", second, p.values(0, n/2)),
		p.add(ctx, p.values(n, n+1)), // a sequence that was stopped has let go of the store
		p.holds(ctx, p.values(0, n+1)))
}

func checkEnd[T comparable](ctx context.Context, p probe[T]) error {
	const n = 6
	if err := p.add(ctx, p.values(0, n)); err != nil {
		return err
	}
	for after := range n + 1 {
		// The context ends after some values. The sequence need not notice.
		ending, cancel := context.WithCancel(ctx)
		if after == 0 {
			cancel()
		}
		pairs := draw(p.all(ending), n+1, func(i int) {
			if i == after {
				cancel()
			}
		})
		cancel()
		values := p.values(0, n)
		if i := slices.IndexFunc(pairs, func(p pair[T]) bool { return p.err != nil }); i >= 0 {
			var zero T
			switch {
			case len(pairs) > i+1:
				return fmt.Errorf("%s goes on after the error that it yields when its context ends after %d values (%w)", p.name, after, pairs[i].err)
			case pairs[i].value != zero:
				return fmt.Errorf("%s yields an error (%w) with a value: %.500s", p.name, pairs[i].err, fmt.Sprintf("%+v", pairs[i].value))
			}
			pairs, values = pairs[:i], values[:min(i, n)]
		}
		if err := wants(p.name, pairs, values); err != nil {
			return fmt.Errorf("when its context ends after %d values, %w", after, err)
		}
	}
	return nil
}

func checkRanging[T comparable](ctx context.Context, p probe[T]) error {
	const n = 4
	if err := p.add(ctx, p.values(0, n)); err != nil {
		return err
	}
	var failed error
	pairs := draw(p.all(ctx), 2*n, func(i int) {
		if i <= n {
			failed = cmp.Or(failed, p.add(ctx, p.values(n+i-1, n+i)), p.other(ctx, i-1))
		}
	})
	if failed != nil {
		return fmt.Errorf("while %s is ranged over, %w", p.name, failed)
	}
	// Whether it yields what was appended meanwhile is its own affair.
	return cmp.Or(
		wants(p.name+", appended to meanwhile,", pairs, p.values(0, min(max(n, len(pairs)), 2*n))),
		p.holds(ctx, p.values(0, 2*n)))
}

func checkArguments[T comparable](ctx context.Context, p probe[T]) error {
	const n = 3
	buffer := make([]T, 2*n)
	for round := range 2 {
		values := p.values(round*n, round*n+n)
		clear(buffer)
		copy(buffer, values)
		if err := p.add(ctx, buffer[:n]); err != nil {
			return err
		}
		if !slices.Equal(buffer[:n], values) || !slices.Equal(buffer[n:], make([]T, n)) {
			return fmt.Errorf("calling Append%s has written to the slice that it was given", p.name)
		}
	}
	clear(buffer)
	if err := p.holds(ctx, p.values(0, 2*n)); err != nil {
		return fmt.Errorf("after the slice was overwritten, %w", err)
	}
	return nil
}

func checkConcurrent(ctx context.Context, s Store) error {
	const goroutines, each = 8, 6
	var (
		wg    sync.WaitGroup
		start = make(chan struct{})
		errs  [goroutines]error
		wins  [goroutines][each]bool // of the batches of revisions that all of them try to append
	)
	for g := range goroutines {
		wg.Go(func() {
			<-start
			errs[g] = caught(func() error {
				for i := range each {
					mine := probeViolations(g*each+i, g*each+i+1)
					if err := s.AppendViolations(ctx, mine...); err != nil {
						return fmt.Errorf("AppendViolations: %w", err)
					}
					batch := editionsOf(uint64(2*i+1), uint64(2*i+2))
					batch[0].Version, batch[1].Version = g+1, g+1
					err := s.AppendRevisions(ctx, batch...)
					if wins[g][i] = err == nil; err != nil && !errors.Is(err, ErrConflict) {
						return fmt.Errorf("AppendRevisions: %w", err)
					}
					if n := len(draw(s.Revisions(ctx, 0), 2*each, nil)); n%2 == 1 {
						return fmt.Errorf("Revisions yields %d revisions while batches of two are appended", n)
					}
				}
				return nil
			})
		})
	}
	close(start)
	wg.Wait()
	if err := cmp.Or(errs[:]...); err != nil {
		return err
	}
	var revs []Revision
	for i := range each {
		winner := slices.IndexFunc(wins[:], func(w [each]bool) bool { return w[i] })
		if winner < 0 {
			return fmt.Errorf("no goroutine could append the editions %d and %d, which all of them tried to", 2*i+1, 2*i+2)
		}
		for g := range wins {
			if wins[g][i] != (g == winner) {
				return fmt.Errorf("two goroutines have both appended the editions %d and %d", 2*i+1, 2*i+2)
			}
		}
		batch := editionsOf(uint64(2*i+1), uint64(2*i+2))
		batch[0].Version, batch[1].Version = winner+1, winner+1
		revs = append(revs, batch...)
	}
	if err := wants("Revisions", draw(s.Revisions(ctx, 0), len(revs), nil), revs); err != nil {
		return err
	}
	// The goroutines' violations are interleaved in any way; put together by goroutine they are in order.
	pairs := draw(s.Violations(ctx), goroutines*each, nil)
	slices.SortStableFunc(pairs, func(a, b pair[Violation]) int { return cmp.Compare(number(a.value)/each, number(b.value)/each) })
	return wants("Violations, sorted by who appended them,", pairs, probeViolations(0, goroutines*each))
}

// number is which of probeViolations v is.
func number(v Violation) int { return int(v.NormID[1]) | int(v.NormID[2])<<8 }
