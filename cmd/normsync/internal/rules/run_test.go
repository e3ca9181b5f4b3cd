package rules_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/rules"
)

// Unexercised agrees with Explain.
func TestUnexercised(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c, err := normsync.Compile(
		normsync.Norm{Name: "violated", Condition: "a", Prohibited: "x"},
		normsync.Norm{Name: "overridden", Condition: "b", Prohibited: "x"},
		normsync.Norm{Name: "permits", Condition: "b", Permitted: "x", Priority: 1},
		normsync.Norm{Name: "permits anything", Condition: "c", Permitted: "*"},
		normsync.Norm{Name: "exempt permit", Condition: "a", Unless: "a", Permitted: "x"},
		normsync.Norm{Name: "permit with a window", Permitted: "x", From: from},
		normsync.Norm{Name: "prohibition with a window", Condition: "c", Prohibited: "y", From: from},
		normsync.Norm{Name: "dry run", Condition: "a", Prohibited: "x", Shadow: true},
		normsync.Norm{Name: "permit as a dry run", Condition: "a", Permitted: "x", Shadow: true},
		normsync.Norm{Name: "other verb", Prohibited: "z"},
	)
	require.NoError(t, err)
	for _, now := range []time.Time{{}, from.Add(-1), from} {
		var cases []rules.Case
		exercised := map[string]bool{}
		for _, a := range []normsync.Action{{Verb: "x", Location: "a"}, {Verb: "x", Location: "b"}, {Verb: "y", Location: "c"}} {
			a.Time = now
			cases = append(cases, rules.Case{Action: a})
			for _, f := range c.Explain(a) {
				switch f.Outcome {
				case normsync.OutcomeViolated, normsync.OutcomeShadow, normsync.OutcomePermits:
					exercised[f.Norm.Name] = true
				}
			}
		}
		var want []string
		for n := range c.All() {
			if !exercised[n.Name] {
				want = append(want, n.Name)
			}
		}
		norms, err := rules.Unexercised(c, cases)
		require.NoError(t, err)
		var got []string
		for _, n := range norms {
			got = append(got, n.Name)
		}
		require.Equal(t, want, got)
		require.Contains(t, got, "other verb")
		require.NotContains(t, got, "permits")
	}
}

func TestRunSaysWhatDiffers(t *testing.T) {
	c, err := normsync.Compile(
		normsync.Norm{Name: "peace", Condition: "town", Prohibited: "attack"},
		normsync.Norm{Name: "quiet", Condition: "town", Prohibited: "attack shout", Shadow: true})
	require.NoError(t, err)
	attack := normsync.Action{Verb: "attack", Location: "town"}
	for name, test := range map[string]struct {
		c    rules.Case
		want []string
	}{
		"all is well":         {rules.Case{Action: attack, Violates: []string{"quiet", "peace"}}, nil},
		"any norms":           {rules.Case{Action: attack}, nil},
		"a shadow norm":       {rules.Case{Action: normsync.Action{Verb: "shout", Location: "town"}, Allowed: true, Violates: []string{"quiet"}}, nil},
		"denied":              {rules.Case{Action: attack, Allowed: true}, []string{"expected allowed, but it is denied"}},
		"another norm, too":   {rules.Case{Action: attack, Violates: []string{"peace"}}, []string{`norm "quiet" is violated, which is not expected`}},
		"a norm is not":       {rules.Case{Action: normsync.Action{Verb: "shout", Location: "town"}, Allowed: true, Violates: []string{"quiet", "peace"}}, []string{`norm "peace" is not violated`}},
		"no norm of the name": {rules.Case{Action: attack, Violates: []string{"peace", "quite", "quiet"}}, []string{`no norm is named "quite"; did you mean "quiet"?`}},
		"an unknown verb":     {rules.Case{Action: normsync.Action{Verb: "atack"}}, []string{"expected denied, but it is allowed", `no norm has the verb "atack"; did you mean "attack"?`}},
	} {
		t.Run(name, func(t *testing.T) {
			r := test.c.Run(c)
			require.Equal(t, test.want, r.Differences)
			require.Equal(t, len(test.want) == 0, r.Passed())
		})
	}
}
