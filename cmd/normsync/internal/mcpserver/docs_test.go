package mcpserver

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the files that are generated")

// The table of tools in docs/mcp.md says what the tools say of themselves.
func TestDocsListTheTools(t *testing.T) {
	const path, begin, end = "../../../../docs/mcp.md", "| --- | --- | --- |\n", "<!-- end of tools -->"
	page, err := os.ReadFile(path)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(strings.ReplaceAll(string(page), "\r\n", "\n"), begin)
	require.True(t, ok)
	table, after, ok := strings.Cut(rest, end)
	require.True(t, ok)

	var want strings.Builder
	for _, t := range tools() {
		var arguments []string
		for _, name := range t.input.PropertyOrder {
			if slices.Contains(t.input.Required, name) {
				arguments = append(arguments, "`"+name+"`")
			} else {
				arguments = append(arguments, "*`"+name+"`*")
			}
		}
		fmt.Fprintf(&want, "| `%s` | %s | %s |\n", t.name, strings.Join(arguments, ", "), t.description)
	}
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(before+begin+want.String()+end+after), 0o644))
		return
	}
	require.Equal(t, want.String(), table, "to write it again, run: go test ./internal/mcpserver -run TestDocs -update")
}
