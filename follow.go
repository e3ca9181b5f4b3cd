package normsync

import (
	"context"
	"iter"
	"time"
)

// RevisionWaiter is an interface that a [Store] may implement, too. Then
// [Monitor.Follow] waits for the store instead of asking it again and again.
type RevisionWaiter interface {
	// WaitRevisions returns nil once the store has a revision with an edition
	// greater than after, and the error of ctx if ctx ends first.
	WaitRevisions(ctx context.Context, after uint64) error
}

// defaultPoll is the Options.Poll of a monitor that has none.
const defaultPoll = time.Second

// Follow keeps the monitor in sync with its store until ctx ends or the loop stops. It
// yields the revisions that come into force after the range began, also those of the
// monitor's own Apply, each once and in order. They are in force when they are yielded.
// A slice may hold the revisions of several Applies.
//
// If the store is a [RevisionWaiter], Follow waits for it, and notices that a backup was
// restored only when the store has a new edition. Otherwise Follow calls Sync every
// Options.Poll. An error is yielded without revisions, and Follow tries again
// after Options.Poll. It does so even for [ErrDiverged], which does not go away: break
// out of the loop then, and open a new monitor. The end of ctx is not yielded.
//
// Several goroutines may range over Follow at the same time. Each gets all revisions.
func (m *Monitor) Follow(ctx context.Context) iter.Seq2[[]Revision, error] {
	return func(yield func([]Revision, error) bool) {
		last := m.Constitution().Edition()
		for {
			revs, err := m.next(ctx, last)
			if ctx.Err() != nil {
				return
			}
			if len(revs) > 0 {
				last = revs[len(revs)-1].Edition
			}
			if (len(revs) > 0 || err != nil) && !yield(revs, err) {
				return
			}
			if len(revs) == 0 && pause(ctx, m.pollInterval()) != nil {
				return // after an error, or if there was nothing new
			}
		}
	}
}

// next waits until a revision with an edition greater than last is in force, and
// returns all of these. If the store cannot wait, it returns at once.
func (m *Monitor) next(ctx context.Context, last uint64) ([]Revision, error) {
	if w, ok := m.Store().(RevisionWaiter); ok {
		if err := w.WaitRevisions(ctx, last); err != nil {
			return nil, opError("follow", err)
		}
	}
	if _, err := m.Sync(ctx); err != nil {
		return nil, err
	}
	inForce := m.Constitution().Edition()
	if inForce <= last {
		return nil, nil
	}
	revs := make([]Revision, 0, inForce-last)
	for r, err := range orNoSequence(m.Store().Revisions(ctx, last), "Revisions") {
		if err != nil {
			return nil, opError("follow", err)
		}
		if r.Edition > inForce {
			break
		}
		revs = append(revs, r)
	}
	return revs, nil
}

func (m *Monitor) pollInterval() time.Duration {
	if m.poll > 0 {
		return m.poll
	}
	return defaultPoll
}

// pause waits for d, or returns the error of ctx if ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
