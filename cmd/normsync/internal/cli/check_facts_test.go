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
	r := run(t, "", "check", "a", "enter", "--rules", "gate.json")
	require.Equal(t, 2, r.code)
	require.Contains(t, r.stderr, "--rules needs --actions")
	require.Contains(t, run(t, log, "check", "--actions", "-", "--rules", "missing.json").stderr, "missing.json")
}
