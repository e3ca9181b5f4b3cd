package service

import (
	"context"
	"fmt"
	"strings"

	"github.com/normsync/normsync"
)

// memory adds facts about what happened before to actions.
type memory struct {
	*normsync.Memory
	names *normsync.Constitution // has a norm for each fact, which forbids actions that claim it
}

// Remember lets the service judge actions with the facts that a memory adds to them, and
// tells the memory what happens. It must be called before the service is used.
func (s *Service) Remember(m *normsync.Memory) error {
	var norms []normsync.Norm
	for f := range m.All() {
		norms = append(norms, normsync.Norm{Name: f.Name, Condition: "facts:" + f.Name, Prohibited: "claim"})
	}
	names, err := normsync.Compile(norms...)
	if err != nil {
		return err
	}
	s.memory = &memory{m, names}
	return nil
}

// RememberStored tells the memory of the violations of the store.
func (s *Service) RememberStored(ctx context.Context) error {
	if _, err := s.memory.ReplayViolations(s.store.Violations(ctx, 0)); err != nil {
		return fmt.Errorf("normsync: remember the violations of the store: %w", err)
	}
	return nil
}

// WithFacts returns an action as Judge judges it: with the facts that the memory adds. It
// takes out facts with the same names, so that no agent can claim one. The action
// should have a time.
func (s *Service) WithFacts(a normsync.Action) normsync.Action {
	if s.memory == nil {
		return a
	}
	var words []string
	for _, word := range strings.Fields(a.Facts) {
		if s.memory.names.Allows(normsync.Action{Verb: "claim", Facts: word}) {
			words = append(words, word)
		}
	}
	if facts := s.memory.Facts(a); facts != "" {
		words = append(words, facts)
	}
	a.Facts = strings.Join(words, " ")
	return a
}

// happened tells the memory of a verdict: an action that is allowed is carried out.
func (s *Service) happened(v Verdict) {
	if s.memory == nil {
		return
	}
	s.memory.Violated(v.Violations...)
	if v.Allowed {
		s.memory.Happened(v.Action)
	}
}
