package rules

import (
	"strings"

	"github.com/normsync/normsync"
)

// Remember adds the facts that the files declare to the actions of the tests. Each test has
// a memory of its own, in which the actions of Before come first, in order: those that
// the constitution allows have happened, and the violations of all of them count. The set
// must have no problems.
func (s *Set) Remember(c *normsync.Constitution) error {
	if len(s.facts) == 0 {
		return nil
	}
	for i := range s.Cases {
		test := &s.Cases[i]
		memory, err := s.NewMemory()
		if err != nil {
			return err
		}
		for _, a := range test.Before {
			a.Facts = joinWords(a.Facts, memory.Facts(a))
			violations := c.Check(a)
			memory.Violated(violations...)
			if !normsync.Denied(violations) {
				memory.Happened(a)
			}
		}
		test.Action.Facts = joinWords(test.Action.Facts, memory.Facts(test.Action))
	}
	return nil
}

// NewMemory returns an empty memory of the facts that the files declare.
func (s *Set) NewMemory() (*normsync.Memory, error) {
	facts := make([]normsync.Fact, len(s.facts))
	for i, f := range s.facts {
		facts[i] = f.Fact
	}
	return normsync.NewMemory(facts, nil)
}

func joinWords(a, b string) string { return strings.TrimSpace(a + " " + b) }
