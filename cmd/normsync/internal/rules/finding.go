package rules

import (
	"cmp"
	"fmt"
	"iter"
	"slices"

	"github.com/normsync/normsync"
)

// Check is the kind of check that has found something.
type Check string

const (
	Validate  Check = "validate"  // a file is malformed, or a norm is invalid
	Conflicts Check = "conflicts" // a proven defect of the set of norms
	Lint      Check = "lint"      // legal, and likely not meant
	Cover     Check = "cover"     // a log of actions never has it
)

// Finding is what a check has found at a place in a rule file.
type Finding struct {
	Place
	Check      Check            `json:"check"`
	Norm       string           `json:"norm"`
	Text       string           `json:"text"` // with the name of the norm
	Suggestion string           `json:"suggestion,omitempty"`
	Kind       string           `json:"kind,omitempty"`    // of a conflict
	Other      *Place           `json:"other,omitempty"`   // of the other norm of a conflict
	Witness    *normsync.Action `json:"witness,omitempty"` // an action that shows a conflict
}

// Examine checks a set. If it has problems, these are what it finds: further checks
// would judge a part of the norms only. The actions are nil if there is no log. gaveUp has
// the norms of which conflicts may be missing; see [normsync.FindConflicts].
func Examine(s *Set, actions iter.Seq[normsync.Action]) (found []Finding, gaveUp []string, err error) {
	for _, p := range s.Problems {
		found = append(found, Finding{Place: p.Place, Check: Validate, Norm: p.Norm, Text: p.Text})
	}
	if len(found) > 0 {
		return found, nil, nil
	}
	conflicts, gaveUp, err := normsync.FindConflicts(s.Norms)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range conflicts {
		found = append(found, s.conflict(c))
	}
	for _, w := range normsync.Lint(s.Norms) {
		found = append(found, Finding{
			Place: s.TokenPlace(w.Norm, w.Field, w.Token), Check: Lint, Norm: w.Norm, Suggestion: w.Suggestion,
			Text: fmt.Sprintf("norm %s: %s %s: %s", quote(w.Norm), w.Field, quote(w.Token), w.Detail),
		})
	}
	found = append(found, s.lintFacts()...)
	if actions != nil {
		covered, err := s.cover(actions)
		if err != nil {
			return nil, nil, err
		}
		found = append(found, covered...)
	}
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(s.fileIndex(a.File)-s.fileIndex(b.File), a.Line-b.Line, a.Column-b.Column)
	})
	return found, gaveUp, nil
}

func (s *Set) conflict(c normsync.Conflict) Finding {
	f := Finding{Place: s.NormPlace(c.A), Check: Conflicts, Norm: c.A, Kind: string(c.Kind), Witness: &c.Witness}
	relation := map[normsync.ConflictKind]string{
		normsync.ConflictDuplicate:     "duplicates",
		normsync.ConflictRedundant:     "is redundant to",
		normsync.ConflictContradiction: "is contradicted by",
		normsync.ConflictOverruled:     "is overruled by",
	}[c.Kind]
	if c.B == "" || relation == "" {
		f.Text = fmt.Sprintf("norm %s is %s: %s", quote(c.A), c.Kind, c.Detail)
		return f
	}
	other := s.NormPlace(c.B)
	f.Other = &other
	f.Text = fmt.Sprintf("norm %s %s %s (%s): %s", quote(c.A), relation, quote(c.B), other, c.Detail)
	return f
}
