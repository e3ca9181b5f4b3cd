package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync/cmd/normsync/internal/cli"
)

// result is what a command wrote, and its exit code.
type result struct {
	code   int
	stdout string
	stderr string
}

// run runs a command with a standard input.
func run(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := cli.Main(t.Context(), args, strings.NewReader(stdin), &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

// ok runs a command that must succeed and write nothing to the standard error, and
// returns its output.
func ok(t *testing.T, args ...string) string {
	t.Helper()
	r := run(t, "", args...)
	require.Equal(t, 0, r.code, "%s: %s", args, r.stderr)
	require.Empty(t, r.stderr)
	return r.stdout
}

// inEmptyFolder makes a new folder the current one.
func inEmptyFolder(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	t.Setenv("NORMSYNC_STORE", "")
}

// requireNoFiles fails if a command has created anything in the current folder.
func requireNoFiles(t *testing.T) {
	t.Helper()
	files, err := os.ReadDir(".")
	require.NoError(t, err)
	require.Empty(t, files)
}

func TestAddAndStatus(t *testing.T) {
	inEmptyFolder(t)
	require.Equal(t, "Added norm: a[red]b (id=eb775e29242eda27)\n",
		ok(t, "add", "a[red]b", "No fighting.", "safe_zone", "attack"))
	require.Equal(t, "Store: sqlite:.normsync/norms.db\nNorms: 1\nViolations: 0\nRevisions: 1\n", ok(t, "status"))
	require.JSONEq(t, `{"store": "sqlite:.normsync/norms.db", "norms": 1, "violations": 0, "revisions": 1}`, ok(t, "--json", "status"))
	require.Contains(t, ok(t, "norms"), "a[red]b  attack")
}

func TestTheStoreCanBeNamedBeforeAndBehindTheCommand(t *testing.T) {
	inEmptyFolder(t)
	ok(t, "add", "peace", "", "", "attack", "--db", "a.db")
	require.Contains(t, ok(t, "--db", "a.db", "status"), "Norms: 1\n")
	require.Contains(t, ok(t, "status", "--store", "sqlite:a.db"), "Norms: 1\n")
	require.Contains(t, ok(t, "status", "--store=a.db"), "Norms: 1\n")
	t.Setenv("NORMSYNC_STORE", "a.db")
	require.Contains(t, ok(t, "status"), "Store: a.db\nNorms: 1\n")

	ok(t, "add", "peace", "", "", "attack", "--store", "file:dir")
	require.FileExists(t, filepath.Join("dir", "revisions.jsonl"))
	r := run(t, "", "status", "--store", "a.db", "--db", "a.db")
	require.Equal(t, 2, r.code)
	require.Contains(t, r.stderr, "--db and --store both name a store; leave one of them out")
}

func TestAMissingStoreIsAClearError(t *testing.T) {
	inEmptyFolder(t)
	for _, args := range [][]string{{"status"}, {"norms"}, {"status", "--store", "file:dir"}} {
		r := run(t, "", args...)
		require.Equal(t, 2, r.code)
		require.Empty(t, r.stdout)
		require.Contains(t, r.stderr, "create it by normsync add or normsync import, or name another store by --db or --store")
		requireNoFiles(t)
	}
}

func TestAMissingTokenFileIsAClearError(t *testing.T) {
	inEmptyFolder(t)
	r := run(t, "", "serve", "--token-file", "nope")
	require.Equal(t, 2, r.code)
	require.Contains(t, r.stderr, "normsync: read token: open nope: ")
	require.Contains(t, r.stderr, "; write the token into that file, or name another one by --token-file\n")
	requireNoFiles(t)
}

func TestWrongWordsGetASuggestion(t *testing.T) {
	for name, test := range map[string]struct{ args, stderr string }{
		"a command":        {"statsu", `unknown command "statsu"; did you mean "status"?`},
		"a flag":           {"status --fail-on-violations", "unknown flag --fail-on-violations; did you mean --fail-on-violation?"},
		"a value":          {"add a b c d --severity eror", `did you mean "error"?`},
		"command and flag": {"statsu --fail-on-violation", `unknown command "statsu"; did you mean "status"?`},
	} {
		t.Run(name, func(t *testing.T) {
			inEmptyFolder(t)
			r := run(t, "", strings.Fields(test.args)...)
			require.Equal(t, 2, r.code)
			require.Contains(t, r.stderr, test.stderr)
			require.Empty(t, r.stdout)
			requireNoFiles(t)
		})
	}
}
