package rules_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

func TestATestSeesWhatHappenedBefore(t *testing.T) {
	write(t, "f.json", `{
  "norms": [
    {"name": "gate", "prohibited": "enter", "unless": "facts:paid"},
    {"name": "ban", "condition": "facts:second_strike", "prohibited": "*", "priority": 1}
  ],
  "facts": [
    {"name": "paid", "after": "verb:pay"},
    {"name": "second_strike", "broke": "gate", "count": 2, "within": "1m"}
  ],
  "tests": [
    {"name": "nobody enters before", "action": {"agent_id": "a", "action": "enter"}, "expect": "denied", "violates": ["gate"]},
    {"name": "pay first", "before": [{"agent_id": "a", "action": "pay"}], "action": {"agent_id": "a", "action": "enter"}, "expect": "allowed"},
    {"name": "of another", "before": [{"agent_id": "b", "action": "pay"}], "action": {"agent_id": "a", "action": "enter", "facts": "night"}, "expect": "denied"},
    {"name": "two strikes", "before": [{"agent_id": "a", "action": "enter", "timestamp": 1}, {"agent_id": "a", "action": "enter", "timestamp": 2}],
      "action": {"agent_id": "a", "action": "pay", "timestamp": 3}, "expect": "denied", "violates": ["ban"]},
    {"name": "what is denied did not happen", "before": [{"agent_id": "a", "action": "enter"}, {"agent_id": "a", "action": "enter"}, {"agent_id": "a", "action": "pay"}],
      "action": {"agent_id": "a", "action": "wait", "timestamp": 100}, "expect": "allowed"}
  ]
}`)
	s := read(t, "f.json")
	require.NoError(t, s.Err())
	c, err := normsync.Compile(s.Norms...)
	require.NoError(t, err)
	require.NoError(t, s.Remember(c))
	for _, test := range s.Cases {
		require.Empty(t, test.Run(c).Differences, test.Name)
	}
	require.Equal(t, []string{"", "paid", "night", "second_strike", ""}, []string{
		s.Cases[0].Action.Facts, s.Cases[1].Action.Facts, s.Cases[2].Action.Facts, s.Cases[3].Action.Facts, s.Cases[4].Action.Facts})
}
