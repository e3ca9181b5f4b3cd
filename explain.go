package normsync

import (
	"slices"
	"strings"
)

// Outcome says what became of one norm when an action was checked.
type Outcome string

const (
	OutcomeViolated   Outcome = "violated"
	OutcomeShadow     Outcome = "shadow"     // would have counted, but is a dry run
	OutcomeOverridden Outcome = "overridden" // a permit of higher priority matched
	OutcomeExempt     Outcome = "exempt"     // an Unless token is present
	OutcomeUnmet      Outcome = "unmet"      // condition tokens are missing
	OutcomePermits    Outcome = "permits"    // a permit that matched
)

// Finding is why one norm did or did not bind an action. Tokens are written as
// the norm has them.
type Finding struct {
	Norm    Norm     `json:"norm"`
	Outcome Outcome  `json:"outcome"`
	Matched []string `json:"matched"`           // verb tokens, then condition tokens, that were found
	Missing []string `json:"missing,omitempty"` // condition tokens that were not
	By      string   `json:"by,omitempty"`      // the Unless token or the name of the permit that decided
}

// Explain reports, for every norm that has the action's verb, what became of
// it. The first of these that holds is its outcome:
//
//	unmet       condition tokens are missing
//	exempt      an Unless token is there: By names the first
//	shadow      a dry run, prohibition or permit, that would have counted
//	permits     a permit that matched
//	overridden  a permit of higher priority matched: By names it
//	violated    none of the above
//
// Of several permits the one of highest priority, then first by name, is
// named. Findings are in the order of violations: Priority descending, then
// Name ascending.
//
// Explain agrees with Check: the prohibitions it calls violated or shadow are
// those Check reports. It allocates, and judges each norm that has the verb, or
// about one in 250 of those that have another, by its texts (of an action with
// several verbs, more); to find them it runs through 16 bytes of the index per
// verb of each norm, a few milliseconds for a million. Check pays nothing for it.
func (c *Constitution) Explain(a Action) []Finding {
	v := newView(a)
	var norms []Norm
	for n := range c.withVerb(v) {
		norms = append(norms, n)
	}
	slices.SortFunc(norms, func(a, b Norm) int { return compareNorms(&a, &b) })

	// A permit comes before whatever it can override, and the one to name
	// comes first of all.
	var permit *Norm
	findings := make([]Finding, 0, len(norms))
	for i := range norms {
		f := v.finding(norms[i])
		if f.Outcome == "" {
			n := &norms[i]
			overridden := n.Permitted == "" && permit != nil && permit.Priority > n.Priority
			switch {
			case n.Shadow && !overridden:
				f.Outcome = OutcomeShadow
			case n.Permitted != "":
				f.Outcome = OutcomePermits
				if permit == nil {
					permit = n
				}
			case overridden:
				f.Outcome, f.By = OutcomeOverridden, permit.Name
			default:
				f.Outcome = OutcomeViolated
			}
		}
		findings = append(findings, f)
	}
	return findings
}

// finding looks for the tokens of n. The outcome is empty where n applies.
func (v *view) finding(n Norm) Finding {
	f := Finding{Norm: n}
	for _, t := range strings.Fields(n.Prohibited + n.Permitted) {
		if v.hasVerb(t) {
			f.Matched = append(f.Matched, t)
		}
	}
	for _, t := range strings.Fields(n.Condition) {
		if v.has(t) {
			f.Matched = append(f.Matched, t)
		} else {
			f.Missing = append(f.Missing, t)
		}
	}
	if len(f.Missing) > 0 {
		f.Outcome = OutcomeUnmet
		return f
	}
	for _, t := range strings.Fields(n.Unless) {
		if v.has(t) {
			f.Outcome, f.By = OutcomeExempt, t
			return f
		}
	}
	return f
}
