package cli_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A backup that is the store itself is none.
func TestCopyToTheSameStoreIsRefused(t *testing.T) {
	inEmptyFolder(t)
	ok(t, "add", "peace", "", "", "attack", "--db", "a.db")
	ok(t, "add", "peace", "", "", "attack", "--store", "file:world")
	here, err := os.Getwd()
	require.NoError(t, err)
	same := [][2]string{
		{"a.db", "a.db"}, {"a.db", "sqlite:a.db"}, {"sqlite:a.db", "./a.db"}, {"a.db", "world/../a.db"}, {"a.db", filepath.Join(here, "a.db")},
		{"file:world", "file:world/"}, {"file:world", "file:" + filepath.Join(here, "world")},
	}
	if os.Symlink("a.db", "link.db") == nil && os.Symlink("world", "link") == nil { // on Windows it may not be allowed
		same = append(same, [2]string{"link.db", "a.db"}, [2]string{"file:world", "file:link"})
	}
	for _, c := range same {
		r := run(t, "", "copy", c[0], c[1])
		require.Equal(t, 2, r.code, "%s: %s", c, r.stdout)
		require.Empty(t, r.stdout)
		require.Contains(t, r.stderr, ": both are the same store; name another one to copy to\n")
	}
	require.Equal(t, "Copied 1 revision(s) and 0 violation(s).\n", ok(t, "copy", "a.db", "b.db"))
	require.Equal(t, "Copied 0 revision(s) and 0 violation(s).\n", ok(t, "copy", "a.db", "b.db"), "it may be run again")
	require.Equal(t, "Copied 1 revision(s) and 0 violation(s).\n", ok(t, "copy", "a.db", "file:a"))
}
