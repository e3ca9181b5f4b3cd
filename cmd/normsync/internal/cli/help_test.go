package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The list of commands fits on a screen of 24 lines by 80 columns.
func TestHelpFitsOnAScreen(t *testing.T) {
	var out, stderr bytes.Buffer
	require.Equal(t, exitFine, Main(t.Context(), []string{"help"}, strings.NewReader(""), &out, &stderr))
	require.Empty(t, stderr.String())
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	require.LessOrEqual(t, len(lines), 24)
	for _, line := range lines {
		require.LessOrEqual(t, len(line), 80, line)
	}
	for _, c := range newRootCommand(&app{stdout: &out, stderr: &out}, nil).Commands() {
		require.Contains(t, out.String(), "  "+c.Name()+" ")
		require.LessOrEqual(t, len(c.Short), 23, "the Short of %s is too long for the list of commands", c.Name())
		require.NotEmpty(t, c.Long, "%s has no Long", c.Name())
	}
	for _, args := range [][]string{{}, {"--help"}, {"-h"}} {
		var same bytes.Buffer
		require.Equal(t, exitFine, Main(t.Context(), args, strings.NewReader(""), &same, &stderr))
		require.Equal(t, out.String(), same.String())
	}
}
