package service

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/normsync/normsync"
)

// maxPending is the number of violations that wait for the store before CheckAll waits
// for it, too.
const maxPending = 1 << 14

// CheckAll judges a log of actions in turn, all by the norms in force at the
// beginning, and yields a verdict for each. An action without a time is judged at the
// time of the call. Unlike Check it drops no violation: it stores them in the
// background, in large batches, and waits for the store if that falls behind. The
// sequence ends when all violations are stored. With dryRun nothing is stored.
//
// An error ends the sequence. It is yielded with the zero Verdict. It is ErrNotRecorded if
// some violations of the verdicts before it could not be stored. Otherwise all of them
// are stored.
func (s *Service) CheckAll(ctx context.Context, actions iter.Seq2[normsync.Action, error], dryRun bool) iter.Seq2[Verdict, error] {
	return func(yield func(Verdict, error) bool) {
		constitution := s.monitor.Constitution()
		var w *writer
		if !dryRun {
			w = newWriter(ctx, s.store)
			defer func() { _ = w.close() }() // if the loop has ended early
		}
		err := func() error {
			number := 0
			for a, err := range actions {
				number++
				if err != nil {
					return err
				}
				if err := ctx.Err(); err != nil {
					return fmt.Errorf("normsync: check actions: %w", err)
				}
				if err := RequireVerb(a); err != nil {
					return fmt.Errorf("%w (action %d of the log)", err, number)
				}
				if err := RequireTime(a.Time); err != nil {
					return fmt.Errorf("%w action of agent %q: %w (action %d of the log)", normsync.ErrInvalid, a.Agent, err, number)
				}
				v := s.judgeBy(constitution, a)
				s.happened(v)
				if w != nil && len(v.Violations) > 0 {
					if err := w.write(v.Violations); err != nil {
						return nil // close returns it
					}
				}
				if !yield(v, nil) {
					return errStopped
				}
			}
			return nil
		}()
		if errors.Is(err, errStopped) {
			return
		}
		if w != nil {
			if failed := w.close(); failed != nil {
				err = errors.Join(err, fmt.Errorf("%w: %w", ErrNotRecorded, failed))
			}
		}
		if err != nil {
			yield(Verdict{}, err)
		}
	}
}

// ErrNotRecorded is the error of CheckAll if violations could not be stored.
var ErrNotRecorded = errors.New("normsync: some violations are not recorded")

var errStopped = errors.New("the loop has ended")

// writer appends violations to a store in the background, in the order of write. It
// appends at once what has come since the last append.
type writer struct {
	store   normsync.Store
	changed sync.Cond // its lock guards the fields below
	pending []normsync.Violation
	spare   []normsync.Violation
	closed  bool
	err     error
	ended   chan struct{}
}

func newWriter(ctx context.Context, store normsync.Store) *writer {
	w := &writer{store: store, ended: make(chan struct{})}
	w.changed.L = new(sync.Mutex)
	// What was judged is stored even if ctx ends.
	go w.run(context.WithoutCancel(ctx))
	return w
}

// write takes violations, and waits if too many are pending. It returns an error if
// an append has failed.
func (w *writer) write(vs []normsync.Violation) error {
	w.changed.L.Lock()
	defer w.changed.L.Unlock()
	for len(w.pending) >= maxPending && w.err == nil {
		w.changed.Wait()
	}
	w.pending = append(w.pending, vs...)
	w.changed.Broadcast()
	return w.err
}

// close waits until everything is stored, and returns the error of the first append
// that has failed.
func (w *writer) close() error {
	w.changed.L.Lock()
	w.closed = true
	w.changed.Broadcast()
	w.changed.L.Unlock()
	<-w.ended
	return w.err
}

func (w *writer) run(ctx context.Context) {
	defer close(w.ended)
	w.changed.L.Lock()
	defer w.changed.L.Unlock()
	for {
		for len(w.pending) == 0 && !w.closed {
			w.changed.Wait()
		}
		if len(w.pending) == 0 || w.err != nil {
			return
		}
		batch := w.pending
		w.pending = w.spare[:0]
		w.changed.Broadcast()
		w.changed.L.Unlock()
		err := w.store.AppendViolations(ctx, batch...)
		w.changed.L.Lock()
		w.spare = batch
		w.err = err
		w.changed.Broadcast()
		if err != nil {
			return
		}
	}
}
