package normsync

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"
	"time"
)

// TestStore checks that a [Store] keeps the rules of the interface. Its error
// names the first rule that is broken, by its number and in words. The rules
// build on one another, so those that follow are not checked then.
//
// open returns an empty store. TestStore calls it once or twice per rule, and
// leaves it to the caller to close what was opened. A store that panics is
// reported, and one that hangs, too: a check that has not come to its end in
// ten seconds is left behind. What rule 11 asks can only be tried: run
// TestStore with the race detector.
func TestStore(open func() (Store, error)) error { return testStore(open, 10*time.Second) }

func testStore(open func() (Store, error), limit time.Duration) error {
	for i, rule := range storeRules {
		for _, check := range rule.checks {
			var s Store
			err := guard(limit, func(context.Context) (err error) { s, err = open(); return err })
			if err == nil && s == nil {
				err = errors.New("it is nil, and so is the error")
			}
			if err != nil {
				return fmt.Errorf("normsync: open a store to test: %w", err)
			}
			if err := guard(limit, func(ctx context.Context) error { return check(ctx, s) }); err != nil {
				return fmt.Errorf("normsync: rule %d: %s: %w", i+1, rule.words, err)
			}
		}
	}
	return nil
}

// guard calls f and returns its error, or says that it panics or hangs.
func guard(limit time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- caught(func() error { return f(ctx) }) }()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fmt.Errorf("it hangs: it has not come back after %v", limit)
	}
}

// caught calls f and makes an error of a panic.
func caught(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it panics: %v", p)
		}
	}()
	return f()
}

// probe is one of the two logs of a store, as the checks see it.
type probe[T comparable] struct {
	name   string // of the method that yields it
	append func(context.Context, ...T) error
	all    func(context.Context) iter.Seq2[T, error]
	values func(from, to int) []T                 // the log's values number from up to to
	other  func(ctx context.Context, i int) error // appends value number i to the other log
}

type storeCheck = func(context.Context, Store) error

// onRevisions applies a check to the log of revisions.
func onRevisions(check func(context.Context, probe[Revision]) error) storeCheck {
	return func(ctx context.Context, s Store) error {
		return check(ctx, probe[Revision]{
			"Revisions",
			s.AppendRevisions,
			func(ctx context.Context) iter.Seq2[Revision, error] { return s.Revisions(ctx, 0) },
			probeRevisions,
			func(ctx context.Context, i int) error { return s.AppendViolations(ctx, probeViolations(i, i+1)...) },
		})
	}
}

// onViolations applies a check to the log of violations.
func onViolations(check func(context.Context, probe[Violation]) error) storeCheck {
	return func(ctx context.Context, s Store) error {
		return check(ctx, probe[Violation]{
			"Violations",
			s.AppendViolations,
			s.Violations,
			probeViolations,
			func(ctx context.Context, i int) error { return s.AppendRevisions(ctx, probeRevisions(i, i+1)...) },
		})
	}
}

// pair is what a sequence yields.
type pair[T any] struct {
	value T
	err   error
}

// draw ranges over a sequence, and calls each, if given, after every pair. It
// draws more than limit pairs of no sequence, so that it ends.
func draw[T any](seq iter.Seq2[T, error], limit int, each func(n int)) []pair[T] {
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

// wants says in what the pairs that a sequence yielded differ from values.
func wants[T comparable](what string, pairs []pair[T], values []T) error {
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

// holds says in what a log differs from values.
func (p probe[T]) holds(ctx context.Context, values []T) error {
	return wants(p.name, draw(p.all(ctx), len(values), nil), values)
}

// add appends values to a log, where nothing is in the way.
func (p probe[T]) add(ctx context.Context, values []T) error {
	if err := p.append(ctx, values...); err != nil {
		return fmt.Errorf("calling Append%s with %d values: %w", p.name, len(values), err)
	}
	return nil
}

// Texts and times that a store has to keep, and that formats are known to lose.
var (
	probeTexts = [...]string{
		"", "plain", "two\nlines,\r\ntab\t.", `"quoted" \ 'and' {"more": [1]}`, "睡觉 zoë \U0001F409", "\u2028</script>&amp;%d\u00a0",
		"\x00\x01\x1b[31m\x7f", "\u202eedoc\ufeff\ufffd", " blanks around ", strings.Repeat("long ", 1<<14),
	}
	probeTimes = [...]time.Time{
		{}, time.Unix(1700000000, 1), time.Unix(1700000000, 999999999), time.Unix(1700000000, 123456789), time.Unix(1700000000, 0),
		time.Unix(-86400, 7), time.Date(2400, 2, 29, 23, 59, 59, 1, time.UTC),
	}
)

func probeText(i int) string { return probeTexts[i%len(probeTexts)] }

func probeTime(i int) time.Time { return probeTimes[i%len(probeTimes)].UTC() }

// probeRevisions returns the revisions number from up to to, counted from
// zero: number i has edition i+1. The first three have no Prev, as in a log that
// version 0.1 began; the others name the revision before them.
func probeRevisions(from, to int) []Revision {
	var revs []Revision
	var last ID
	for i := range to {
		n := Norm{Name: fmt.Sprintf("norm %d 睡觉", i), Description: "two\nlines\tand \"quotes\" \\ </script> \u2028", Condition: "zone", Prohibited: "attack"}
		c := Enact(n)
		switch i % 4 {
		case 1:
			n.Unless, n.Scope, n.Priority, n.Severity, n.Shadow = "faction:guard", "town", -1<<31, SeverityError, true
			c = Amend(n)
		case 2:
			n.Prohibited, n.Permitted, n.Priority = "", "at* loot", math.MaxInt32
			c = Amend(n)
		case 3:
			c = Repeal(n.Name)
			c.Norm = n
			c.Norm.Repealed = true
		}
		r := Revision{Edition: uint64(i) + 1, Version: i + 1, Change: c.Signed(probeText(i), probeText(i+3)), Time: probeTime(i)}
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

// probeViolations returns the violations number from up to to.
func probeViolations(from, to int) []Violation {
	var vs []Violation
	for i := from; i < to; i++ {
		v := Violation{
			NormID: ID{1, byte(i), byte(i >> 8)}, NormName: fmt.Sprintf("norm\n%d", i), Severity: SeverityWarn, Shadow: i%2 == 1, Edition: uint64(i),
			Action: Action{Agent: fmt.Sprintf("agent %d", i), Verb: probeText(i), Location: probeText(i + 1), Target: probeText(i + 2), Faction: probeText(i + 4), Time: probeTime(i)},
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
