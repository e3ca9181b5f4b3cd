package normsync

import (
	"cmp"
	"iter"
	"math"
	"math/bits"
	"slices"
	"strings"

	"github.com/normsync/normsync/internal/token"
)

// Compliance is how well one agent kept the norms.
type Compliance struct {
	Agent      string         `json:"agent_id"`
	Actions    int            `json:"actions"`
	Violating  int            `json:"violating"`  // actions with at least one violation that is not of severity info
	Violations int            `json:"violations"` // of all norms and severities together
	ByNorm     map[string]int `json:"by_norm"`    // violations by the norm's name; never nil
	Errors     int            `json:"errors"`     // violations of severity error
	Rate       float64        `json:"rate"`       // 1 - Violating/Actions
	Risk       string         `json:"risk"`       // compliant, low_risk, medium_risk, high_risk, non_compliant
	Trend      string         `json:"trend"`      // improving, stable, degrading
}

// Audit judges a log of actions and returns a Compliance per agent, worst
// first. Violations of shadow norms do not count. Violations of severity info
// are counted in Violations and ByNorm only: they do not lower Rate.
//
// The order goes by the lower end of the 95 % confidence interval of the share
// of violating actions, so that an agent with one violating action out of three
// does not rank above one with seventy out of 447. Ties go by name. The
// interval is Wilson's score interval: E. B. Wilson, "Probable Inference, the
// Law of Succession, and Statistical Inference", Journal of the American
// Statistical Association 22 (1927), 209–212.
//
// Agents whose names differ only by case are one agent, which is reported under
// the name that came first.
//
// Risk is compliant at a rate of 1, low_risk from 0.9, medium_risk from 0.7,
// high_risk from 0.5, and non_compliant below. Trend compares the rate of the
// first half of an agent's actions with the rate in the second half. It is
// improving or degrading if they differ by more than 0.1, and stable otherwise.
// If the number of actions is odd, the first half is the smaller one; a single
// action is stable. These bounds are exact: no rounding moves an agent across
// one.
//
// All actions are judged by the one constitution, and each action by its own
// Time. A Store holds violations only, so an audit needs a log of all actions.
//
// Audit ranges over actions once. Its memory grows with the number of agents,
// and by at most one bit per action.
func Audit(c *Constitution, actions iter.Seq[Action]) []Compliance {
	tallies := map[string]*tally{}
	var found []Violation
	for a := range actions {
		t := tallies[a.Agent]
		if t == nil {
			// The name outlives the action, which may be a piece of a larger text.
			name := strings.Clone(a.Agent)
			folded := token.Fold(name)
			if t = tallies[folded]; t == nil {
				t = &tally{Compliance: Compliance{Agent: name, ByNorm: map[string]int{}}}
				tallies[folded] = t
			}
			tallies[name] = t
		}
		found = c.AppendCheck(found[:0], a)
		t.add(found)
	}

	report := make([]Compliance, 0, len(tallies))
	for name, t := range tallies {
		if name != t.Agent {
			continue // another spelling of the same agent
		}
		t.Rate = float64(t.Actions-t.Violating) / float64(t.Actions)
		t.Risk, t.Trend = t.risk(), t.trend()
		report = append(report, t.Compliance)
	}
	slices.SortFunc(report, func(a, b Compliance) int {
		return cmp.Or(
			cmp.Compare(wilsonLowerBound(b.Violating, b.Actions), wilsonLowerBound(a.Violating, a.Actions)),
			strings.Compare(a.Agent, b.Agent))
	})
	return report
}

// wilsonLowerBound returns the lower end of Wilson's 95 % score interval for a
// proportion of which k of n trials were observed. It is 0 if k is 0.
func wilsonLowerBound(k, n int) float64 {
	if k == 0 {
		return 0
	}
	const z = 1.959963984540054 // the 97.5 % quantile of the normal distribution
	// The conversions keep compilers from fusing a product and a sum, which
	// would round differently on some processors.
	trials := float64(n)
	p := float64(k) / trials
	center := p + float64(z*z/(2*trials))
	spread := z * math.Sqrt(float64(p*(1-p)/trials)+float64(z*z/(4*trials*trials)))
	return (center - float64(spread)) / (1 + float64(z*z/trials))
}

// tally is a Compliance that is being counted.
type tally struct {
	Compliance
	bad []uint64 // a bit per action, set if it was violating; may end early
}

func (t *tally) add(vs []Violation) {
	violating := false
	for i := range vs {
		if vs[i].Shadow {
			continue
		}
		t.Violations++
		t.ByNorm[vs[i].NormName]++
		switch vs[i].Severity {
		case SeverityInfo:
			continue
		case SeverityError:
			t.Errors++
		}
		violating = true
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
