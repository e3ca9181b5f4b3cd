package cli_test

import (
	"encoding/json"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

// everyField has norms that use all fields, and characters that JSON, HTML or a
// terminal treat in a special way.
func everyField() []normsync.Norm {
	return []normsync.Norm{
		{Name: `a "b" \c <i> & [red]`, Description: "Line 1\n\tline 2\r\n</script>", Condition: `x\|y location:a|b*`, Unless: "agent:bob night",
			Prohibited: "attack steal*", Scope: "north", Priority: -7, Severity: normsync.SeverityError, Advice: "ask <someone> & wait",
			From: time.Date(2026, 1, 2, 3, 4, 5, 123456789, time.UTC), Until: time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC), Shadow: true},
		{Name: "жест 💥", Permitted: "*", Priority: 2147483647, Severity: normsync.SeverityWarn},
		{Name: "least", Prohibited: "x"},
	}
}

func TestImportReadsBackWhatExportWrites(t *testing.T) {
	inEmptyFolder(t)
	text, err := json.Marshal(everyField())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile("rules.json", text, 0o600))
	require.Equal(t, "Imported: 3 added, 0 amended, 0 repealed, 0 unchanged.\n", ok(t, "import", "rules.json"))

	exported := ok(t, "export")
	norms, err := normsync.ReadNorms(strings.NewReader(exported))
	require.NoError(t, err)
	require.ElementsMatch(t, everyField(), norms)

	require.NoError(t, os.WriteFile("exported.json", []byte(exported), 0o600))
	require.Equal(t, "Plan: 0 to add, 0 to amend, 0 to repeal, 3 unchanged.\n", ok(t, "import", "exported.json", "--prune", "--plan"))
	require.Equal(t, "Imported: 3 added, 0 amended, 0 repealed, 0 unchanged.\n", ok(t, "import", "exported.json", "--db", "other.db"))
	require.Equal(t, exported, ok(t, "export", "--db", "other.db"))
	require.NotContains(t, ok(t, "export", "--scope", "global"), "north")
}

func TestAnEmptyStoreExportsAnEmptyList(t *testing.T) {
	inEmptyFolder(t)
	ok(t, "add", "peace", "", "", "attack")
	ok(t, "repeal", "peace")
	norms, err := normsync.ReadNorms(strings.NewReader(ok(t, "export")))
	require.NoError(t, err)
	require.Empty(t, norms)
}

// Imports of the same file at the same time, by several processes, add each norm once.
func TestImportsAtTheSameTimeAgree(t *testing.T) {
	inEmptyFolder(t)
	text, err := json.Marshal(everyField())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile("rules.json", text, 0o600))
	ok(t, "add", "first", "", "", "sing")
	var all sync.WaitGroup
	results := make([]result, 4)
	for i := range results {
		all.Go(func() { results[i] = run(t, "", "import", "rules.json") })
	}
	all.Wait()
	added := 0
	for _, r := range results {
		require.Equal(t, 0, r.code, r.stderr)
		if r.stdout != "Imported: 0 added, 0 amended, 0 repealed, 3 unchanged.\n" {
			require.Equal(t, "Imported: 3 added, 0 amended, 0 repealed, 0 unchanged.\n", r.stdout)
			added++
		}
	}
	require.Equal(t, 1, added)
	require.Contains(t, ok(t, "status"), "Norms: 4\nViolations: 0\nRevisions: 4\n")
}

// A norm's name and a file's name can end neither a line nor a workflow command.
func TestAnnotationsAreSafe(t *testing.T) {
	inEmptyFolder(t)
	name := "a,b::stop-commands::x%0A.json"
	require.NoError(t, os.WriteFile(name, []byte(`[{"name": "::error::%0Ax", "condition": "!a", "prohibited": "x"},
		{"name": "y", "prohibited": "x\ny\u001b[31m"}]`), 0o600))
	r := run(t, "", "lint", name, "--format", "github")
	require.Equal(t, 1, r.code)
	require.Equal(t, `::error file=a%2Cb%3A%3Astop-commands%3A%3Ax%250A.json,line=2,col=31,title=normsync lint::norm "y": Prohibited: byte 1 is the control character U+000A; remove it`+"\n", r.stdout)

	require.NoError(t, os.WriteFile(name, []byte(`[{"name": "::error::%0Ax", "condition": "!a", "prohibited": "x"}]`), 0o600))
	r = run(t, "", "lint", name, "--format", "github")
	require.Equal(t, `::warning file=a%2Cb%3A%3Astop-commands%3A%3Ax%250A.json,line=1,col=42,title=normsync lint::norm "::error::%250Ax": Condition "!a": the ! is part of the word; write: Unless: a`+"\n", r.stdout)
}
