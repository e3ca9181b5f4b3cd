package service

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/normsync/normsync"
)

// recent is a ring of the newest actions that were checked. A store holds
// violations only, and a rate of compliance needs the other actions, too.
type recent struct {
	mu      sync.Mutex
	actions []normsync.Action // up to its capacity
	next    int               // where the next action goes once the ring is full
}

// add does nothing if the ring is nil.
func (r *recent) add(a normsync.Action) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.actions) < cap(r.actions) {
		r.actions = append(r.actions, a)
		return
	}
	r.actions[r.next] = a
	r.next = (r.next + 1) % len(r.actions)
}

// KeepRecent keeps the last n actions that are checked from now on in memory, for
// Recent. Call it before the service is shared. Without it none are kept.
func (s *Service) KeepRecent(n int) { s.recent = &recent{actions: make([]normsync.Action, 0, n)} }

// Recent returns the actions that KeepRecent keeps, oldest first.
func (s *Service) Recent() iter.Seq[normsync.Action] {
	return func(yield func(normsync.Action) bool) {
		if s.recent == nil {
			return
		}
		s.recent.mu.Lock()
		old := append(make([]normsync.Action, 0, len(s.recent.actions)), s.recent.actions[s.recent.next:]...)
		old = append(old, s.recent.actions[:s.recent.next]...)
		s.recent.mu.Unlock()
		for _, a := range old {
			if !yield(a) {
				return
			}
		}
	}
}

// CheckStored checks actions as Check does, and stores their violations before it
// returns. After an error some of the violations may be stored, from the first on.
func (s *Service) CheckStored(ctx context.Context, actions ...normsync.Action) ([]Verdict, error) {
	verdicts := make([]Verdict, 0, len(actions))
	var violations []normsync.Violation
	for _, a := range actions {
		v := s.Judge(a)
		verdicts = append(verdicts, v)
		violations = append(violations, v.Violations...)
		s.recent.add(v.Action)
	}
	if s.recorder == nil || len(violations) == 0 {
		return verdicts, nil
	}
	if err := s.store.AppendViolations(ctx, violations...); err != nil {
		return nil, fmt.Errorf("normsync: store %d violations: %w", len(violations), err)
	}
	return verdicts, nil
}
