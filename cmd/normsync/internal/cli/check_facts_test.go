package cli_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheckRemembersTheActionsOfALog(t *testing.T) {
	inEmptyFolder(t)
	require.NoError(t, os.WriteFile("gate.json", []byte(`{
  "norms": [
    {"name": "gate", "prohibited": "enter", "unless": "facts:paid"},
    {"name": "ban", "condition": "facts:second_strike", "prohibited": "*", "priority": 1}
  ],
  "facts": [
    {"name": "paid", "after": "verb:pay"},
    {"name": "second_strike", "broke": "gate", "count": 2}
  ]
}`), 0o600))
	require.Equal(t, 0, run(t, "", "import", "gate.json").code)
	log := `{"agent_id":"a","action":"enter","timestamp":1}
{"agent_id":"a","action":"pay","timestamp":2}
{"agent_id":"a","action":"enter","timestamp":3}
{"agent_id":"b","action":"enter","timestamp":4,"facts":"paid"}
{"agent_id":"b","action":"enter"}
{"agent_id":"b","action":"pay"}
`
	verdicts := func(args ...string) (allowed string) {
		t.Helper()
		r := run(t, log, append([]string{"check", "--actions", "-", "--dry-run"}, args...)...)
		require.Equal(t, 1, r.code, r.stderr)
		for line := range strings.Lines(r.stdout) {
			if strings.Contains(line, `"allowed":true`) {
				allowed += "+"
			} else {
				allowed += "-"
			}
		}
		return allowed
	}
	require.Equal(t, "-++---", verdicts("--rules", "gate.json"), "an action cannot claim a fact")
	require.Equal(t, "-+-+-+", verdicts(), "without a memory it can")
	require.Contains(t, run(t, log, "check", "--actions", "-", "--rules", "missing.json").stderr, "missing.json")
}

func TestCheckAndExplainCountTheViolationsOfTheStore(t *testing.T) {
	inEmptyFolder(t)
	require.NoError(t, os.WriteFile("gate.json", []byte(`{
  "norms": [
    {"name": "gate", "condition": "location:gate", "prohibited": "enter", "unless": "facts:paid"},
    {"name": "ban", "condition": "facts:second_strike", "prohibited": "sing"}
  ],
  "facts": [
    {"name": "paid", "after": "verb:pay"},
    {"name": "second_strike", "broke": "gate", "count": 2}
  ],
  "numbers": {"health": [{"below": 20, "fact": "low_health"}]}
}`), 0o600))
	require.Equal(t, 0, run(t, "", "import", "gate.json").code)
	for range 2 {
		require.Equal(t, 0, run(t, "", "check", "a", "sing", "--rules", "gate.json").code)
		require.Equal(t, 0, run(t, "", "explain", "a", "sing", "--rules", "gate.json").code)
		require.Equal(t, 1, run(t, "", "check", "a", "enter", "gate", "--rules", "gate.json").code)
	}
	r := run(t, "", "explain", "a", "sing", "--rules", "gate.json")
	require.Equal(t, 1, r.code, r.stderr)
	require.Contains(t, r.stdout, "ban")
	require.Contains(t, r.stderr, `normsync: note: the program does not apply the thresholds of "gate.json"; write what holds, such as low_health, into the facts of an action`)
	require.Equal(t, 1, run(t, "", "check", "a", "sing", "--rules", "gate.json").code)
	require.Equal(t, 0, run(t, "", "explain", "a", "sing").code, "without a memory")
	require.Equal(t, 0, run(t, "", "explain", "b", "sing", "--facts", "second_strike", "--rules", "gate.json").code, "the store knows better")
	require.Equal(t, 0, run(t, "", "check", "b", "enter", "gate", "--facts", "paid", "--rules", "gate.json").code, "the store does not know who has paid")
	require.Equal(t, 2, run(t, "", "explain", "a", "sing", "--rules", "missing.json").code)
}
