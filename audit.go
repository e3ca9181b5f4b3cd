package normsync

import (
	"cmp"
	"iter"
	"math/bits"
	"slices"
	"strings"
)

// Compliance is how well one agent kept the norms.
type Compliance struct {
	Agent      string         `json:"agent_id"`
	Actions    int            `json:"actions"`
	Violating  int            `json:"violating"`  // actions with at least one violation
	Violations int            `json:"violations"` // of all norms together
	ByNorm     map[string]int `json:"by_norm"`    // violations by the norm's name; never nil
	Rate       float64        `json:"rate"`       // 1 - Violating/Actions
	Risk       string         `json:"risk"`       // compliant, low_risk, medium_risk, high_risk, non_compliant
	Trend      string         `json:"trend"`      // improving, stable, degrading
}

// Audit judges a log of actions and returns a Compliance per agent: lowest
// rate first, ties by name. Violations of shadow norms do not count.
//
// Risk is compliant at a rate of 1, low_risk from 0.9, medium_risk from 0.7,
// high_risk from 0.5, else non_compliant. Trend compares the rate of the first
// half of an agent's actions with that of the second, and is improving or
// degrading where they differ by more than 0.1; of an odd number of actions
// the first half is the smaller, and one action alone is stable. The bounds
// are exact: no rounding moves an agent across one.
//
// All actions are judged by the one constitution. Stores have those of
// violations only: who wants an audit keeps a log of all.
//
// Audit ranges over actions once. Its memory is per agent, and at most a bit
// per action.
func Audit(c *Constitution, actions iter.Seq[Action]) []Compliance {
	tallies := map[string]*tally{}
	var found []Violation
	for a := range actions {
		t := tallies[a.Agent]
		if t == nil {
			// The name outlives the action, which may be a piece of a larger text.
			t = &tally{Compliance: Compliance{Agent: strings.Clone(a.Agent), ByNorm: map[string]int{}}}
			tallies[t.Agent] = t
		}
		found = c.AppendCheck(found[:0], a)
		t.add(found)
	}

	report := make([]Compliance, 0, len(tallies))
	for _, t := range tallies {
		t.Rate = float64(t.Actions-t.Violating) / float64(t.Actions)
		t.Risk, t.Trend = t.risk(), t.trend()
		report = append(report, t.Compliance)
	}
	slices.SortFunc(report, func(a, b Compliance) int {
		return cmp.Or(
			cmp.Compare(int64(b.Violating)*int64(a.Actions), int64(a.Violating)*int64(b.Actions)),
			strings.Compare(a.Agent, b.Agent))
	})
	return report
}

// tally is a Compliance that is being counted.
type tally struct {
	Compliance
	bad []uint64 // a bit per action, set where it was violating; may end early
}

func (t *tally) add(vs []Violation) {
	violating := false
	for i := range vs {
		if vs[i].Shadow {
			continue
		}
		violating = true
		t.Violations++
		t.ByNorm[vs[i].NormName]++
	}
	if violating {
		t.Violating++
		for len(t.bad) <= t.Actions/64 {
			t.bad = append(t.bad, 0)
		}
		t.bad[t.Actions/64] |= 1 << (t.Actions % 64)
	}
	t.Actions++
}

func (t *tally) risk() string {
	switch tenths, actions := 10*int64(t.Violating), int64(t.Actions); {
	case tenths == 0:
		return "compliant"
	case tenths <= 1*actions:
		return "low_risk"
	case tenths <= 3*actions:
		return "medium_risk"
	case tenths <= 5*actions:
		return "high_risk"
	}
	return "non_compliant"
}

func (t *tally) trend() string {
	first := int64(t.Actions / 2)
	second := int64(t.Actions) - first
	badFirst := int64(t.badBefore(t.Actions / 2))
	badSecond := int64(t.Violating) - badFirst
	// badFirst/first - badSecond/second, times first*second.
	better := badFirst*second - badSecond*first
	switch tenth := first * second / 10; {
	case first == 0:
		return "stable"
	case better > tenth:
		return "improving"
	case -better > tenth:
		return "degrading"
	}
	return "stable"
}

// badBefore counts the violating actions among the first n.
func (t *tally) badBefore(n int) int {
	count := 0
	for i, word := range t.bad {
		if rest := n - 64*i; rest < 64 {
			word &= 1<<max(rest, 0) - 1
		}
		count += bits.OnesCount64(word)
	}
	return count
}
