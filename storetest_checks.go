package normsync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
)

func checkEmpty(ctx context.Context, s watchedStore) error {
	empty := func() error {
		return cmp.Or(
			compare("Revisions(0)", collect(s.Revisions(ctx, 0), 0, nil), nil),
			compare("Revisions(5)", collect(s.Revisions(ctx, 5), 0, nil), nil),
			compare("Violations(0)", collect(s.Violations(ctx, 0), 0, nil), nil),
			compare("Violations(5)", collect(s.Violations(ctx, 5), 0, nil), nil))
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

func checkEqual[T comparable](ctx context.Context, l storeLog[T]) error {
	n := 0
	for _, size := range []int{1, 2, 0, 7, 1, 25} {
		if err := l.add(ctx, l.values(n, n+size)); err != nil {
			return err
		}
		n += size
		if err := l.expect(ctx, l.values(0, n)); err != nil {
			return err
		}
	}
	return nil
}

func checkBatches(ctx context.Context, l storeLog[Revision]) error {
	if err := l.add(ctx, l.values(0, 2)); err != nil {
		return err
	}
	for _, batch := range [][]uint64{{3, 5}, {3, 3}, {3, 2}, {3, 4, 4}, {3, 4, 5, 0}, {4, 3}, {2, 3}, {1, 2, 3}} {
		if err := l.append(ctx, editionsOf(batch...)...); err == nil {
			return fmt.Errorf("after edition 2, AppendRevisions takes the editions %v", batch)
		}
		if err := l.expect(ctx, l.values(0, 2)); err != nil {
			return fmt.Errorf("after edition 2, AppendRevisions refuses the editions %v, and then %w", batch, err)
		}
	}
	return cmp.Or(l.add(ctx, l.values(2, 9)), l.expect(ctx, l.values(0, 9)))
}

// editionsOf returns revisions that have these editions and no Prev.
func editionsOf(editions ...uint64) []Revision {
	revs := sampleRevisions(0, len(editions))
	for i, e := range editions {
		revs[i].Edition, revs[i].Prev = e, ID{}
	}
	return revs
}

func checkEditions(ctx context.Context, l storeLog[Revision]) error {
	refuses := func(last int, editions ...uint64) error {
		if err := l.append(ctx, editionsOf(editions...)...); !errors.Is(err, ErrConflict) {
			return fmt.Errorf("after edition %d, AppendRevisions of the editions %v returns %v", last, editions, err)
		}
		if err := l.expect(ctx, l.values(0, last)); err != nil {
			return fmt.Errorf("after edition %d, AppendRevisions refuses the editions %v, and then %w", last, editions, err)
		}
		return nil
	}
	if err := cmp.Or(refuses(0, 0), refuses(0, 2), l.add(ctx, l.values(0, 5))); err != nil {
		return err
	}
	for _, e := range []uint64{0, 1, 4, 5, 7, 8, 1<<32 + 6, 1 << 63, math.MaxUint64} {
		if err := refuses(5, e); err != nil {
			return err
		}
	}
	return cmp.Or(refuses(5, 6, 8), l.add(ctx, l.values(5, 6)), l.expect(ctx, l.values(0, 6)))
}

func checkPrev(ctx context.Context, l storeLog[Revision]) error {
	revs := l.values(0, 9)
	with := func(i int, prev ID) Revision { r := revs[i]; r.Prev = prev; return r }
	refuses := func(last int, what string, batch ...Revision) error {
		if err := l.append(ctx, batch...); !errors.Is(err, ErrConflict) {
			return fmt.Errorf("after edition %d, AppendRevisions of %d revisions, the last of which has %s as its Prev, returns %v", last, len(batch), what, err)
		}
		if err := l.expect(ctx, l.values(0, last)); err != nil {
			return fmt.Errorf("after edition %d, AppendRevisions refuses a revision with a wrong Prev, and then %w", last, err)
		}
		return nil
	}
	nobody := ID{1, 2, 3}
	if err := refuses(0, "an ID that no revision has", with(0, nobody)); err != nil {
		return err
	}
	have := 0
	for _, last := range []int{2, 6} { // the second has no Prev, the sixth has one
		if err := l.add(ctx, l.values(have, last)); err != nil {
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
	revs[8].Prev = ID{} // as version 0.1 writes it
	return cmp.Or(l.add(ctx, l.values(6, 8)), l.add(ctx, []Revision{revs[8]}), l.expect(ctx, revs))
}

func checkAfter(ctx context.Context, s watchedStore) error {
	const last = 9
	for _, batch := range [][2]int{{0, 3}, {3, 4}, {4, last}} {
		if err := s.AppendRevisions(ctx, sampleRevisions(batch[0], batch[1])...); err != nil {
			return fmt.Errorf("AppendRevisions: %w", err)
		}
		if err := s.AppendViolations(ctx, sampleViolations(batch[0], batch[1])...); err != nil {
			return fmt.Errorf("AppendViolations: %w", err)
		}
	}
	for _, after := range []uint64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1 << 32, 1 << 63, math.MaxUint64} {
		values := sampleRevisions(int(min(after, last)), last)
		if err := compare(fmt.Sprintf("Revisions(%d)", after), collect(s.Revisions(ctx, after), len(values), nil), values); err != nil {
			return err
		}
		var stored []StoredViolation
		for i, v := range sampleViolations(int(min(after, last)), last) {
			stored = append(stored, StoredViolation{after + uint64(i) + 1, v})
		}
		if err := compare(fmt.Sprintf("Violations(%d)", after), collect(s.Violations(ctx, after), len(stored), nil), stored); err != nil {
			return err
		}
	}
	return nil
}

func checkDone[T comparable](ctx context.Context, l storeLog[T]) error {
	if err := l.add(ctx, l.values(0, 3)); err != nil {
		return err
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	late, cancel := context.WithDeadline(ctx, time.Unix(1, 0))
	defer cancel()
	for _, done := range []context.Context{cancelled, late} {
		if err := l.append(done, l.values(3, 4)...); !errors.Is(err, done.Err()) {
			return fmt.Errorf("calling Append%s with a context that is done (%v) returns %v", l.name, done.Err(), err)
		}
		if err := l.expect(ctx, l.values(0, 3)); err != nil {
			return fmt.Errorf("after Append%s with a context that is done, %w", l.name, err)
		}
		pairs := collect(l.all(done), 3, nil)
		if len(pairs) == 0 || !errors.Is(pairs[0].err, done.Err()) {
			return fmt.Errorf("%s with a context that is done yields %.500s, and not its error (%v)", l.name, fmt.Sprintf("%+v", pairs), done.Err())
		}
	}
	return cmp.Or(l.add(ctx, l.values(3, 4)), l.expect(ctx, l.values(0, 4)))
}

func checkStop[T comparable](ctx context.Context, l storeLog[T]) error {
	const n = 6
	if err := l.add(ctx, l.values(0, n)); err != nil {
		return err
	}
	seq := l.all(ctx)
	for stop := 1; stop <= n; stop++ {
		calls := 0
		seq(func(T, error) bool { calls++; return calls < stop })
		if calls != stop {
			return fmt.Errorf("%s, stopped at value %d of %d, has yielded %d", l.name, stop, n, calls)
		}
	}
	if err := compare(l.name+", ranged over again,", collect(seq, n, nil), l.values(0, n)); err != nil {
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
		compare(l.name+", ranged over twice at once,", first, l.values(0, n)),
		compare(l.name+", ranged over twice at once,", second, l.values(0, n/2)),
		l.add(ctx, l.values(n, n+1)), // a sequence that was stopped has let go of the store
		l.expect(ctx, l.values(0, n+1)))
}

func checkEnd[T comparable](ctx context.Context, l storeLog[T]) error {
	const n = 6
	if err := l.add(ctx, l.values(0, n)); err != nil {
		return err
	}
	for after := range n + 1 {
		// The context ends after some values. The sequence need not notice.
		ending, cancel := context.WithCancel(ctx)
		if after == 0 {
			cancel()
		}
		pairs := collect(l.all(ending), n+1, func(i int) {
			if i == after {
				cancel()
			}
		})
		cancel()
		values := l.values(0, n)
		if i := slices.IndexFunc(pairs, func(p pair[T]) bool { return p.err != nil }); i >= 0 {
			var zero T
			switch {
			case len(pairs) > i+1:
				return fmt.Errorf("%s goes on after the error that it yields when its context ends after %d values (%w)", l.name, after, pairs[i].err)
			case pairs[i].value != zero:
				return fmt.Errorf("%s yields an error (%w) with a value: %.500s", l.name, pairs[i].err, fmt.Sprintf("%+v", pairs[i].value))
			}
			pairs, values = pairs[:i], values[:min(i, n)]
		}
		if err := compare(l.name, pairs, values); err != nil {
			return fmt.Errorf("when its context ends after %d values, %w", after, err)
		}
	}
	return nil
}

func checkRanging[T comparable](ctx context.Context, l storeLog[T]) error {
	const n = 4
	if err := l.add(ctx, l.values(0, n)); err != nil {
		return err
	}
	var failed error
	pairs := collect(l.all(ctx), 2*n, func(i int) {
		if i <= n {
			failed = cmp.Or(failed, l.add(ctx, l.values(n+i-1, n+i)), l.other(ctx, i-1))
		}
	})
	if failed != nil {
		return fmt.Errorf("while %s is ranged over, %w", l.name, failed)
	}
	// A store may yield what was appended meanwhile, or not.
	return cmp.Or(
		compare(l.name+", appended to meanwhile,", pairs, l.values(0, min(max(n, len(pairs)), 2*n))),
		l.expect(ctx, l.values(0, 2*n)))
}

func checkArguments[T comparable](ctx context.Context, l storeLog[T]) error {
	const n = 3
	buffer := make([]T, 2*n)
	for round := range 2 {
		values := l.values(round*n, round*n+n)
		clear(buffer)
		copy(buffer, values)
		if err := l.add(ctx, buffer[:n]); err != nil {
			return err
		}
		if !slices.Equal(buffer[:n], values) || !slices.Equal(buffer[n:], make([]T, n)) {
			return fmt.Errorf("calling Append%s has written to the slice that it was given", l.name)
		}
	}
	clear(buffer)
	if err := l.expect(ctx, l.values(0, 2*n)); err != nil {
		return fmt.Errorf("after the slice was overwritten, %w", err)
	}
	return nil
}

func checkConcurrent(ctx context.Context, s watchedStore) error {
	const goroutines, each = 8, 6
	var (
		wg     sync.WaitGroup
		rounds [each]sync.WaitGroup // in each, all goroutines begin at the same time
		errs   [goroutines]error
		wins   [goroutines][each]bool // which goroutine appended which batch of revisions; all try to append each
	)
	for i := range rounds {
		rounds[i].Add(goroutines)
	}
	for g := range goroutines {
		wg.Go(func() {
			begun := 0
			defer func() {
				for ; begun < each; begun++ { // after an error
					rounds[begun].Done()
				}
			}()
			errs[g] = catchPanic(func() error {
				for i := range each {
					begun++
					rounds[i].Done()
					rounds[i].Wait()
					mine := sampleViolations(g*each+i, g*each+i+1)
					if err := s.AppendViolations(ctx, mine...); err != nil {
						return fmt.Errorf("AppendViolations: %w", err)
					}
					batch := editionsOf(uint64(2*i+1), uint64(2*i+2))
					batch[0].Version, batch[1].Version = g+1, g+1
					err := s.AppendRevisions(ctx, batch...)
					if wins[g][i] = err == nil; err != nil && !errors.Is(err, ErrConflict) {
						return fmt.Errorf("AppendRevisions: %w", err)
					}
					if n := len(collect(s.Revisions(ctx, 0), 2*each, nil)); n%2 == 1 {
						return fmt.Errorf("Revisions yields %d revisions while batches of two are appended", n)
					}
				}
				return nil
			})
		})
	}
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
	if err := compare("Revisions", collect(s.Revisions(ctx, 0), len(revs), nil), revs); err != nil {
		return err
	}
	// The goroutines may append in any order, but each appends its violations in order.
	pairs := collect(unnumbered(s.Violations(ctx, 0)), goroutines*each, nil)
	slices.SortStableFunc(pairs, func(a, b pair[Violation]) int {
		return cmp.Compare(sampleIndex(a.value)/each, sampleIndex(b.value)/each)
	})
	return compare("Violations, sorted by goroutine,", pairs, sampleViolations(0, goroutines*each))
}

// sampleIndex returns the index of v in sampleViolations.
func sampleIndex(v Violation) int { return int(v.NormID[1]) | int(v.NormID[2])<<8 }

func checkUnknownKind(ctx context.Context, l storeLog[Revision]) error {
	return checkInvalid(ctx, l, "a revision of an unknown kind", func(r *Revision) { r.Kind = "annul" })
}

func checkMetadata(ctx context.Context, l storeLog[Violation]) error {
	return checkInvalid(ctx, l, "a violation with metadata that is not JSON", func(v *Violation) { v.Action.Metadata = "{" })
}

func checkInvalid[T comparable](ctx context.Context, l storeLog[T], what string, spoil func(*T)) error {
	const n = 3
	if err := l.add(ctx, l.values(0, n)); err != nil {
		return err
	}
	for _, size := range []int{1, 3} {
		batch := l.values(n, n+size)
		spoil(&batch[size-1])
		if err := l.append(ctx, batch...); !errors.Is(err, ErrInvalid) {
			return fmt.Errorf("calling Append%s with %d values, the last of which is %s, returns %v", l.name, size, what, err)
		}
		if err := l.expect(ctx, l.values(0, n)); err != nil {
			return fmt.Errorf("after Append%s has refused %s: %w", l.name, what, err)
		}
	}
	return cmp.Or(l.add(ctx, l.values(n, n+1)), l.expect(ctx, l.values(0, n+1)))
}

// Texts and times that stores are known to lose.
var (
	sampleTexts = [...]string{
		"", "plain", "two\nlines,\r\ntab\t.", `"quoted" \ 'and' {"more": [1]}`, "睡觉 zoë \U0001F409", "\u2028</script>&amp;%d\u00a0",
		"\x00\x01\x1b[31m\x7f", "\u202eedoc\ufeff\ufffd", " blanks around ", strings.Repeat("long ", 1<<14),
	}
	sampleTimes = [...]time.Time{
		{}, time.Unix(1700000000, 1), time.Unix(1700000000, 999999999), time.Unix(1700000000, 123456789), time.Unix(1700000000, 0),
		time.Unix(-86400, 7), time.Date(2400, 2, 29, 23, 59, 59, 1, time.UTC),
	}
)

// sampleRevisions returns the sample revisions with the indexes from <= i < to. The
// edition is i+1. The first three have no Prev, as in a log that version 0.1 began.
func sampleRevisions(from, to int) []Revision {
	var revs []Revision
	var last ID
	for i := range to {
		n := Norm{Name: fmt.Sprintf("norm %d 睡觉", i), Description: "two\nlines\tand \"quotes\" \\ </script> \u2028", Condition: "zone", Prohibited: "attack"}
		c := Enact(n)
		switch i % 4 {
		case 1:
			n.Unless, n.Scope, n.Priority, n.Severity, n.Shadow = "faction:guard", "town", -1<<31, SeverityError, true
			n.Advice, n.From, n.Until = "two\nlines", time.Unix(0, 0).UTC(), time.Unix(1700000000, 1).UTC()
			c = Amend(n)
		case 2:
			n.Prohibited, n.Permitted, n.Priority = "", "at* loot", math.MaxInt32
			n.From = time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC)
			c = Amend(n)
		case 3:
			c = Repeal(n.Name)
			c.Norm = n
			c.Norm.Repealed = true
		}
		r := Revision{Edition: uint64(i) + 1, Version: i + 1, Change: c.Attributed(sampleText(i), sampleText(i+3)), Time: sampleTime(i)}
		if i >= 3 {
			r.Prev = last
		}
		last = r.ID()
		if i >= from {
			revs = append(revs, r)
		}
	}
	return revs
}

// sampleViolations returns the sample violations with the indexes from <= i < to.
func sampleViolations(from, to int) []Violation {
	var vs []Violation
	for i := from; i < to; i++ {
		v := Violation{
			NormID: ID{1, byte(i), byte(i >> 8)}, NormName: fmt.Sprintf("norm\n%d", i), Severity: SeverityWarn, Shadow: i%2 == 1, Advice: sampleText(i + 3), Edition: uint64(i),
			Action: Action{Agent: fmt.Sprintf("agent %d", i), Verb: sampleText(i), Location: sampleText(i + 1), Target: sampleText(i + 2), Faction: sampleText(i + 4), Facts: sampleText(i + 5), Time: sampleTime(i)},
		}
		switch i % 3 {
		case 1:
			v.Severity, v.Action.Metadata = SeverityError, `{"k":[1,2.50,"é"]}`
		case 2:
			v.Severity, v.Edition = SeverityInfo, math.MaxUint64-uint64(i)
		}
		vs = append(vs, v)
	}
	return vs
}

func sampleText(i int) string { return sampleTexts[i%len(sampleTexts)] }

func sampleTime(i int) time.Time { return sampleTimes[i%len(sampleTimes)].UTC() }

// checkWaiter checks a store that is a RevisionWaiter.
func checkWaiter(ctx context.Context, s watchedStore) error {
	w, ok := s.Store.(RevisionWaiter)
	if !ok {
		return nil
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	if err := w.WaitRevisions(done, 0); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("WaitRevisions with a context that is done returns %v", err)
	}
	soon, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if err := w.WaitRevisions(soon, 0); !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("WaitRevisions(0) of an empty store returns %v when its context ends", err)
	}
	for i := range 3 {
		// Two wait before the revision is there, and one asks afterwards.
		waited := make(chan error)
		for range 2 {
			started := make(chan struct{})
			go func() {
				close(started)
				waited <- catchPanic(func() error { return w.WaitRevisions(ctx, uint64(i)) })
			}()
			<-started
		}
		if err := pause(ctx, waiterHeadStart); err != nil {
			return err
		}
		if err := s.AppendRevisions(ctx, sampleRevisions(i, i+1)...); err != nil {
			return fmt.Errorf("AppendRevisions: %w", err)
		}
		if err := cmp.Or(<-waited, <-waited, w.WaitRevisions(ctx, uint64(i)), w.WaitRevisions(ctx, 0)); err != nil {
			return fmt.Errorf("WaitRevisions(%d) after edition %d was appended: %w", i, i+1, err)
		}
	}
	if err := w.WaitRevisions(done, 0); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("WaitRevisions(0) with a context that is done returns %v if there is a revision", err)
	}
	return nil
}

// waiterHeadStart is how long checkWaiter lets a call of WaitRevisions begin to wait.
const waiterHeadStart = 5 * time.Millisecond

// checkQuerier checks a store that is a ViolationQuerier against one that is not.
func checkQuerier(ctx context.Context, s watchedStore) error {
	querier, ok := s.Store.(ViolationQuerier)
	if !ok {
		return nil
	}
	const n = 40
	plain := new(MemStore)
	for _, s := range []Store{s, plain} {
		if err := s.AppendViolations(ctx, sampleViolations(0, n)...); err != nil {
			return fmt.Errorf("AppendViolations: %w", err)
		}
	}
	some := sampleViolations(n/2, n/2+1)[0]
	for _, q := range []ViolationQuery{
		{}, {Agent: some.Action.Agent}, {Norm: some.NormName}, {Severity: some.Severity}, {Since: some.Action.Time}, {Until: some.Action.Time},
		{Since: some.Action.Time, Until: some.Action.Time.Add(1)}, {Agent: strings.ToUpper(some.Action.Agent)}, {Norm: strings.ToUpper(some.NormName)},
		{Agent: some.Action.Agent, Norm: some.NormName, Severity: some.Severity}, {Agent: some.Action.Agent, Norm: "another"},
		{After: 1}, {After: n / 3}, {After: n}, {After: n + 1}, {After: math.MaxUint64}, {Limit: 3}, {Limit: n + 1},
		{After: n / 3, Limit: 3}, {Severity: some.Severity, Limit: 3}, {Severity: some.Severity, After: n / 2, Limit: 3},
		{Agent: "an agent that the store does not know"}, {Agent: "agent"},
	} {
		for _, q.Newest = range []bool{false, true} {
			var want []StoredViolation
			for v, err := range QueryViolations(ctx, struct{ Store }{plain}, q) {
				if err != nil {
					return err
				}
				want = append(want, v)
			}
			seq := watched(querier.QueryViolations(ctx, q), s.progress)
			for range 2 { // it can be ranged over again
				if err := compare(fmt.Sprintf("QueryViolations(%+v)", q), collect(seq, n, nil), want); err != nil {
					return err
				}
			}
		}
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	for _, newest := range []bool{false, true} {
		q := ViolationQuery{Newest: newest}
		pairs := collect(querier.QueryViolations(done, q), 1, nil)
		if len(pairs) != 1 || !errors.Is(pairs[0].err, context.Canceled) || pairs[0].value != (StoredViolation{}) {
			return fmt.Errorf("QueryViolations(%+v) with a context that is done yields %.500s, and not its error", q, fmt.Sprintf("%+v", pairs))
		}
		calls := 0
		querier.QueryViolations(ctx, q)(func(StoredViolation, error) bool { calls++; return false })
		if calls != 1 {
			return fmt.Errorf("QueryViolations(%+v), stopped at the first violation, has yielded %d", q, calls)
		}
	}
	return nil
}
