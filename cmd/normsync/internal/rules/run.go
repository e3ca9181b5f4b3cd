package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/internal/nearest"
)

// Result is what became of a test.
type Result struct {
	Case
	GotAllowed  bool
	Violated    []string           // names of the norms that the action violates, in the order of the violations
	Differences []string           // from what is expected; empty if the test has passed
	Findings    []normsync.Finding // why, in a failed test
}

// Passed reports whether all is as expected.
func (r Result) Passed() bool { return len(r.Differences) == 0 }

// Run runs a test of a constitution.
func (c Case) Run(constitution *normsync.Constitution) Result {
	violations := constitution.Check(c.Action)
	r := Result{Case: c, GotAllowed: !normsync.Denied(violations)}
	for _, v := range violations {
		r.Violated = append(r.Violated, v.NormName)
	}
	if r.GotAllowed != c.Allowed {
		r.differ("expected %s, but it is %s", verdict(c.Allowed), verdict(r.GotAllowed))
	}
	if c.Violates != nil {
		for _, name := range c.Violates {
			if slices.Contains(r.Violated, name) {
				continue
			}
			if _, ok := constitution.Norm(name); !ok {
				r.differ("no norm is named %s%s", quote(name), suggest(name, normNames(constitution)))
				continue
			}
			r.differ("norm %s is not violated", quote(name))
		}
		for _, name := range r.Violated {
			if !slices.Contains(c.Violates, name) {
				r.differ("norm %s is violated, which is not expected", quote(name))
			}
		}
	}
	if r.Passed() {
		return r
	}
	r.Findings = constitution.Explain(c.Action)
	if len(r.Findings) == 0 {
		verb := strings.TrimSpace(c.Action.Verb)
		r.differ("no norm has the verb %s%s", quote(verb), suggest(verb, slices.Collect(constitution.Verbs())))
	}
	return r
}

func (r *Result) differ(format string, args ...any) {
	r.Differences = append(r.Differences, fmt.Sprintf(format, args...))
}

func verdict(allowed bool) string {
	if allowed {
		return "allowed"
	}
	return "denied"
}

func normNames(c *normsync.Constitution) (names []string) {
	for n := range c.All() {
		names = append(names, n.Name)
	}
	return names
}

// suggest returns the end of a sentence about an unknown word.
func suggest(word string, words []string) string {
	var known nearest.Words
	for _, w := range words {
		known.Add(w, 1)
	}
	if near, ok := known.Find(word, false); ok {
		return "; did you mean " + quote(near) + "?"
	}
	return ""
}

// Unexercised returns the norms that no test exercises, by name: prohibitions that no
// action violates, and permits that apply to no action. A dry run is exercised if it
// would have counted.
func Unexercised(c *normsync.Constitution, cases []Case) ([]normsync.Norm, error) {
	// Check finds prohibitions only, and is much faster than Explain. So the permits
	// become prohibitions of a constitution of their own.
	var permits []normsync.Norm
	for n := range c.All() {
		if n.Permitted != "" {
			n.Prohibited, n.Permitted = n.Permitted, ""
			permits = append(permits, n)
		}
	}
	permitted, err := normsync.Compile(permits...)
	if err != nil {
		return nil, err
	}
	exercised := map[string]bool{}
	for _, test := range cases {
		for _, v := range c.Check(test.Action) {
			exercised[v.NormName] = true
		}
		for _, v := range permitted.Check(test.Action) {
			n, _ := permitted.Norm(v.NormName)
			// An action without a time is outside the window of a permit.
			if !test.Action.Time.IsZero() || n.From.IsZero() && n.Until.IsZero() {
				exercised[n.Name] = true
			}
		}
	}
	norms := []normsync.Norm{}
	for n := range c.All() {
		if !exercised[n.Name] {
			norms = append(norms, n)
		}
	}
	return norms, nil
}
