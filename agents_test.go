package normsync

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The rows of docs/agents.md say what becomes of actions that agents write
// themselves.
func TestAgentsTable(t *testing.T) {
	rows := tableRows(t, "docs/agents.md", "| Norms | Action | Verdict | Why |")
	require.GreaterOrEqual(t, len(rows), 10)
	for _, cells := range rows {
		require.Len(t, cells, 4)
		norms, err := ReadNorms(strings.NewReader("[" + strings.ReplaceAll(cells[0], "`", "") + "]"))
		require.NoError(t, err, cells[0])
		require.NotEmpty(t, norms)
		c, err := Compile(norms...)
		require.NoError(t, err)
		var a Action
		require.NoError(t, json.Unmarshal([]byte(strings.TrimSpace(strings.Trim(cells[1], "`"))), &a), cells[1])
		require.NotEmpty(t, a.Verb)
		require.Equal(t, cells[2], map[bool]string{true: "allowed", false: "denied"}[c.Allows(a)], "%s %s", cells[0], cells[1])
	}
}

// The page has the rules that its example reads, and they have no defects.
func TestAgentsPageHasTheRulesOfItsExample(t *testing.T) {
	text, err := os.ReadFile("testdata/agents/tools.json")
	require.NoError(t, err)
	require.Contains(t, docPages(t)["docs/agents.md"], "```json\n"+string(text)+"```\n")
	norms, err := ReadNorms(strings.NewReader(string(text)))
	require.NoError(t, err)
	require.Empty(t, Lint(norms))
	conflicts, err := Conflicts(norms)
	require.NoError(t, err)
	require.Empty(t, conflicts)
}
