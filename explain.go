package normsync

import (
	"iter"
	"slices"

	"github.com/normsync/normsync/internal/token"
)

// Outcome is the result of checking an action against one norm.
type Outcome string

const (
	OutcomeViolated   Outcome = "violated"
	OutcomeShadow     Outcome = "shadow"     // would have counted, but is a dry run
	OutcomeOverridden Outcome = "overridden" // a permit of higher priority matched
	OutcomeExempt     Outcome = "exempt"     // an Unless token is present
	OutcomeUnmet      Outcome = "unmet"      // condition tokens are missing
	OutcomePermits    Outcome = "permits"    // a permit that matched
)

// Finding explains the outcome of one norm for an action. Tokens are written as
// in the norm.
type Finding struct {
	Norm    Norm     `json:"norm"`
	Outcome Outcome  `json:"outcome"`
	Matched []string `json:"matched"`           // verb tokens, then condition tokens, that were found
	Missing []string `json:"missing,omitempty"` // condition tokens that were not found
	By      string   `json:"by,omitempty"`      // the Unless token or the name of the permit that decided
}

// Explain returns a finding for every norm that has the action's verb. Its
// outcome is the first of these that holds:
//
//	unmet       condition tokens are missing
//	exempt      an Unless token is present; By is the first such token
//	shadow      a Shadow norm, prohibition or permit, that would have counted
//	permits     a permit that matched
//	overridden  a permit of higher priority matched; By is its name
//	violated    none of the above
//
// If several permits override a norm, By names the one with the highest
// priority, then the first by name. Findings are in the order of violations:
// Priority descending, then Name ascending.
//
// Explain agrees with [Constitution.Check]: Check reports the prohibitions with
// the outcomes violated and shadow, and no others. Check costs nothing extra for
// it. Explain allocates. It reads 16 bytes of the index for each verb of each
// norm, which takes a few milliseconds for a million norms. It then compares the
// texts of each norm that has the verb, and of about one in 250 other norms, or
// more if the action has several verbs.
func (c *Constitution) Explain(a Action) []Finding {
	tokens := splitAction(&a)
	var norms []Norm
	for n := range c.withVerbOf(tokens) {
		norms = append(norms, n)
	}
	slices.SortFunc(norms, func(a, b Norm) int { return compareNorms(&a, &b) })

	// A permit comes before every prohibition that it can override, and the
	// permit to name comes first.
	var permit *Norm
	findings := make([]Finding, 0, len(norms))
	for i := range norms {
		f := tokens.finding(norms[i])
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

// withVerbOf yields the norms that have a verb of the action, in no order.
func (c *Constitution) withVerbOf(tokens *actionTokens) iter.Seq[Norm] {
	return func(yield func(Norm) bool) {
		seen := map[uint32]bool{}
		for _, x := range []*normIndex{&c.forbid, &c.permit} {
			_, _, verbs := x.features.grownKeys(nil, &Action{Verb: tokens.texts[token.Action]})
			for slot := range x.clauses.WithVerbs(verbs) {
				n := c.norms.norm(slot)
				if !seen[slot] && tokens.haveVerbOf(n) && !yield(*n) {
					return
				}
				seen[slot] = true
			}
		}
	}
}

// finding compares the tokens of a norm with the action. The outcome is empty if
// the norm applies.
func (t *actionTokens) finding(n Norm) Finding {
	f := Finding{Norm: n}
	for tok := range token.All(n.verbs()) {
		if t.haveVerb(tok) {
			f.Matched = append(f.Matched, tok)
		}
	}
	for tok := range token.All(n.Condition) {
		if t.have(tok) {
			f.Matched = append(f.Matched, tok)
		} else {
			f.Missing = append(f.Missing, tok)
		}
	}
	if len(f.Missing) > 0 {
		f.Outcome = OutcomeUnmet
		return f
	}
	for tok := range token.All(n.Unless) {
		if t.have(tok) {
			f.Outcome, f.By = OutcomeExempt, tok
			return f
		}
	}
	return f
}
