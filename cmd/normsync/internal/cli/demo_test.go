package cli_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDemo(t *testing.T) {
	inEmptyFolder(t)
	text := ok(t, "demo", "--for", "300ms")
	require.Contains(t, text, "The page:   http://127.0.0.1:")
	require.Contains(t, text, "It ends after 300ms.")
	require.Contains(t, text, "The page showed ")
	requireNoFiles(t)

	for _, args := range [][]string{{"demo", "--for", "-1s"}, {"demo", "--json"}, {"demo", "now"}} {
		r := run(t, "", args...)
		require.Equal(t, 2, r.code, args)
		require.Empty(t, r.stdout, args)
		require.Contains(t, r.stderr, "normsync: demo", args)
	}
}
