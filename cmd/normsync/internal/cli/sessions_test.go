package cli_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSessions runs the command lines of each file in testdata/sessions, in a folder
// with the files of testdata/example, and compares what they write: the standard
// output, the lines of the standard error behind "! ", and the exit code. Run it with
// -update to accept changes.
func TestSessions(t *testing.T) {
	files, err := filepath.Glob("testdata/sessions/*.console")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	example, err := filepath.Abs("testdata/example")
	require.NoError(t, err)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".console"), func(t *testing.T) {
			file, err := filepath.Abs(file)
			require.NoError(t, err)
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			want := strings.ReplaceAll(string(text), "\r\n", "\n")
			inEmptyFolder(t)
			require.NoError(t, os.CopyFS(".", os.DirFS(example)))
			got := runSession(t, want)
			if flag.Lookup("update").Value.String() == "true" {
				require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
				return
			}
			require.Equal(t, want, got)
		})
	}
}

// runSession runs the command lines of a session and returns the session with what
// they write now. Comments are kept.
func runSession(t *testing.T, session string) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(session) {
		if strings.HasPrefix(line, "# ") || line == "#\n" {
			b.WriteString(line)
		}
		command, ok := strings.CutPrefix(strings.TrimSpace(line), "$ normsync ")
		if !ok {
			continue
		}
		b.WriteString(line)
		command, input, redirected := strings.Cut(command, " < ")
		stdin := ""
		if redirected {
			text, err := os.ReadFile(input)
			require.NoError(t, err)
			stdin = string(text)
		}
		r := run(t, stdin, splitArgs(t, command)...)
		b.WriteString(withoutNow(r.stdout))
		for line := range strings.Lines(withoutNow(r.stderr)) {
			b.WriteString("! " + line)
		}
		fmt.Fprintf(&b, "[%d]\n", r.code)
	}
	return b.String()
}

var wordSyntax = regexp.MustCompile(`"[^"]*"|'[^']*'|[^ ]+`)

func splitArgs(t *testing.T, line string) []string {
	t.Helper()
	words := wordSyntax.FindAllString(line, -1)
	for i, word := range words {
		if word[0] == '"' || word[0] == '\'' {
			words[i] = word[1 : len(word)-1]
		}
	}
	return words
}

var (
	timeSyntax = regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:.]+Z`)
	unixSyntax = regexp.MustCompile(`"timestamp":(\d+\.\d+)`)
	idSyntax   = regexp.MustCompile(`\b[0-9a-f]{16}\b`)
	padding    = regexp.MustCompile(`   +`)
)

// withoutNow replaces the present time, and in the same line all IDs, which may depend on
// it.
func withoutNow(text string) string {
	recent := func(t time.Time) bool { return time.Since(t).Abs() < time.Hour }
	var b strings.Builder
	changed := false
	for line := range strings.Lines(text) {
		now := timeSyntax.ReplaceAllStringFunc(line, func(s string) string {
			if t, err := time.Parse(time.RFC3339Nano, s); err != nil || !recent(t) {
				return s
			}
			return "NOW"
		})
		now = unixSyntax.ReplaceAllStringFunc(now, func(s string) string {
			seconds, err := strconv.ParseFloat(unixSyntax.FindStringSubmatch(s)[1], 64)
			if err != nil || !recent(time.Unix(int64(seconds), 0)) {
				return s
			}
			return `"timestamp":NOW`
		})
		if now != line {
			changed = true
			now = idSyntax.ReplaceAllString(now, "ID")
		}
		b.WriteString(now)
	}
	if !changed {
		return text
	}
	return padding.ReplaceAllString(b.String(), "  ") // the columns are as wide as the times
}
