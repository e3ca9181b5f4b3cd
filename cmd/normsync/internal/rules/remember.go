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
	return s.newMemory(func(normsync.Fact) bool { return true })
}

// NewMemoryOfViolations returns an empty memory of the facts that count violations. The
// violations of a store are enough to know which of them hold.
func (s *Set) NewMemoryOfViolations() (*normsync.Memory, error) {
	return s.newMemory(func(f normsync.Fact) bool { return f.Broke != "" })
}

func (s *Set) newMemory(has func(normsync.Fact) bool) (*normsync.Memory, error) {
	var facts []normsync.Fact
	for _, f := range s.facts {
		if has(f.Fact) {
			facts = append(facts, f.Fact)
		}
	}
	return normsync.NewMemory(facts, nil)
}

// FactsOfNumbers returns the facts that thresholds of numbers declare. Only a Go program
// knows the numbers.
func (s *Set) FactsOfNumbers() (names []string) {
	for _, t := range s.thresholds {
		names = append(names, t.Fact)
	}
	return names
}

func joinWords(a, b string) string { return strings.TrimSpace(a + " " + b) }
