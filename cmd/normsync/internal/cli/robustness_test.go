package cli_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/cli"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

// readers are command lines that only read, for a store with the norm peace.
var readers = []string{
	"status", "status --fail-on-violation", "norms", "show peace", "violations", "violations --json", "revisions", "at 1", "diff 0",
	"compliance", "compliance --actions log.jsonl", "conflicts", "cover --actions log.jsonl", "explain hero attack safe_zone",
	"check hero attack safe_zone --dry-run", "check --actions log.jsonl --dry-run",
}

// files returns the names and contents of all files below the current folder.
func files(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(".", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all[filepath.ToSlash(path)] = string(text)
		return err
	}))
	return all
}

func TestCommandsThatOnlyReadChangeNothing(t *testing.T) {
	for _, store := range []string{"sqlite:world.db", "file:world"} {
		t.Run(store, func(t *testing.T) {
			inEmptyFolder(t)
			require.NoError(t, os.WriteFile("log.jsonl", []byte(`{"agent_id": "hero", "action": "attack", "location": "safe_zone"}`), 0o600))
			t.Setenv("NORMSYNC_STORE", store)
			before := files(t)
			for _, reader := range readers {
				r := run(t, "", strings.Fields(reader)...)
				require.Equal(t, 2, r.code, reader)
				require.Contains(t, r.stderr, "create it by normsync add or normsync import", reader)
				require.Empty(t, r.stdout, reader)
				require.Equal(t, before, files(t), "%s has created a file", reader)
			}
			ok(t, "add", "peace", "", "safe_zone", "attack")
			require.Equal(t, 1, run(t, "", "check", "hero", "attack", "safe_zone").code)
			before = files(t)
			for _, reader := range readers {
				r := run(t, "", strings.Fields(reader)...)
				require.Less(t, r.code, 2, "%s: %s", reader, r.stderr)
				require.NotEmpty(t, r.stdout, reader)
				require.Equal(t, before, files(t), "%s has changed a file", reader)
			}
		})
	}
}

// Nothing that an agent is called can control the terminal or break a table.
func TestHostileNamesAreShownLiterally(t *testing.T) {
	inEmptyFolder(t)
	const agent = "a[red]\x1b[31m\r\n\u202e\u200b|<script>"
	const bytes = agent + "\xff" // which a log may have, and an argument may not
	ok(t, "add", "[bold]peace[/bold] | <b>", "[red]", "safe_zone", "attack")
	log, err := normsync.Action{Agent: bytes, Verb: "attack", Location: "safe_zone"}.MarshalJSON()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile("log.jsonl", log, 0o600))
	require.Equal(t, 1, run(t, "", "check", agent, "attack", "safe_zone").code)
	for _, args := range [][]string{
		{"check", agent, "attack", "safe_zone"}, {"check", agent, "attack", "safe_zone", "--json"}, {"check", bytes, "attack"},
		{"check", "--actions", "log.jsonl"}, {"check", "--actions", "log.jsonl", "--summary"},
		{"explain", agent, "attack", "safe_zone"}, {"explain", agent, "\x1b[31mattack"}, {"explain", agent, "attack", "safe_zone", "--json"},
		{"violations"}, {"violations", "--format", "markdown"}, {"violations", "--format", "json"},
		{"compliance"}, {"compliance", "--json"}, {"compliance", bytes, "--actions", "log.jsonl"}, {"compliance", "\x1b", "--actions", "log.jsonl"},
		{"norms"}, {"show", "[bold]peace[/bold] | <b>"}, {"diff", "0"}, {"revisions"}, {"cover", "--actions", "log.jsonl"},
		{"repeal", "\x1b[31m"}, {"\x1b[31m"}, {"status", "\x1b[31m"}, {"status", "--\x1b[31m"}, {"at", "\x1b[31m"},
		{"status", "--db", "\x1b[31m"}, {"status", "--store", "\x1b[31m:x"}, {"cover", "--actions", "\x1b[31m"}, {"violations", "--format", "\x1b[31m"},
	} {
		r := run(t, "", args...)
		require.NotEmpty(t, r.stdout+r.stderr)
		for _, c := range r.stdout + r.stderr {
			require.True(t, c == '\n' || unicode.IsPrint(c), "%q writes %q: %s", args, c, r.stdout+r.stderr)
		}
	}
	require.Contains(t, run(t, "", "check", agent, "attack", "safe_zone").stdout, `Agent 'a[red]\x1b[31m\r\n\u202e\u200b|<script>`)
	require.Contains(t, ok(t, "norms"), "[bold]peace[/bold] | <b>  attack")
	require.Contains(t, ok(t, "show", "[bold]peace[/bold] | <b>"), "Description: [red]\n")
}

// The violations are streamed, in the form of a report, with their numbers in the store.
func TestViolationsInJSONAreAReport(t *testing.T) {
	inEmptyFolder(t)
	number := regexp.MustCompile(`(?m)^  \{"number":([0-9]+),`)
	ok(t, "add", `"violations": [] & <b>`, `"violations": []`, "", "attack")
	for _, agents := range [][]string{{}, {"a"}, {"<b>&", "\u200b\x7f\u00ff", "\n  {\"number\":7,", `"violations": []`}} {
		for _, agent := range agents {
			run(t, "", "check", agent, "attack")
		}
		s, err := service.Open(t.Context(), ".normsync/norms.db", service.Read)
		require.NoError(t, err)
		report := normsync.Report{Norms: slices.Collect(s.Monitor().Constitution().All()), Violations: []normsync.Violation{}}
		for v, err := range normsync.QueryViolations(t.Context(), s.Store(), normsync.ViolationQuery{Newest: true}) {
			require.NoError(t, err)
			report.Violations = append(report.Violations, v.Violation)
		}
		require.NoError(t, s.Close(t.Context()))
		var want strings.Builder
		require.NoError(t, report.WriteJSON(&want))
		got := ok(t, "violations", "--json")
		require.Equal(t, want.String(), number.ReplaceAllString(got, "  {"))
		var numbers []string
		for i := range report.Violations {
			numbers = append(numbers, strconv.Itoa(len(report.Violations)-i))
		}
		var found []string
		for _, m := range number.FindAllStringSubmatch(got, -1) {
			found = append(found, m[1])
		}
		require.Equal(t, numbers, found)
	}
}

// output collects what a command writes while it runs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// background is a command that runs until it is interrupted.
type background struct {
	t         *testing.T
	stdout    output
	stderr    output
	interrupt context.CancelFunc
	code      chan int
}

func start(t *testing.T, stdin io.Reader, args ...string) *background {
	ctx, cancel := context.WithCancel(t.Context())
	b := &background{t: t, interrupt: cancel, code: make(chan int, 1)}
	go func() { b.code <- cli.Main(ctx, args, stdin, &b.stdout, &b.stderr) }()
	t.Cleanup(cancel)
	return b
}

// await waits until the command has written a text.
func (b *background) await(text string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool { return strings.Contains(b.stdout.String(), text) }, 30*time.Second, 5*time.Millisecond,
		"want %s, got %s %s", text, &b.stdout, &b.stderr)
}

// stop interrupts the command and returns its exit code.
func (b *background) stop() int {
	b.interrupt()
	return <-b.code
}

func TestFollow(t *testing.T) {
	for _, store := range []string{"sqlite:world.db", "file:world"} {
		t.Run(store, func(t *testing.T) {
			inEmptyFolder(t)
			t.Setenv("NORMSYNC_STORE", store)
			ok(t, "add", "peace", "", "", "attack")
			violations := start(t, nil, "violations", "--follow", "--agent", "hero")
			lines := start(t, nil, "violations", "--follow", "--json", "--limit", "1")
			revisions := start(t, nil, "revisions", "--follow")
			records := start(t, nil, "revisions", "--follow", "--json", "--norm", "noise")
			revisions.await(`add "peace"`)
			run(t, "", "check", "hero", "attack", "here")
			violations.await("1  ")
			violations.await("warn  Agent 'hero' performed 'attack' in 'here'")
			lines.await(`{"number":1,"id":`)
			run(t, "", "check", "thief", "attack", "there")
			run(t, "", "check", "hero", "attack", "there")
			ok(t, "add", "noise", "", "", "shout", "--shadow", "--by", "zoe", "--reason", "It is loud.")
			run(t, "", "check", "hero", "shout", "there")
			revisions.await(`add "noise", by zoe: It is loud.`)
			records.await(`"revision_type":"add"`)
			violations.await("warn, dry run  Agent 'hero' performed 'shout'")
			lines.await(`{"number":4,"id":`)
			for _, b := range []*background{violations, lines, revisions, records} {
				require.Equal(t, 0, b.stop(), &b.stderr)
				require.Empty(t, b.stderr.String())
			}
			require.NotContains(t, violations.stdout.String(), "thief")
			require.Equal(t, 4, strings.Count(lines.stdout.String(), "\n"))
			require.NotContains(t, records.stdout.String(), "peace")

			last := start(t, nil, "violations", "--follow", "--limit", "2")
			last.await("4  ")
			require.Equal(t, 0, last.stop())
			require.Equal(t, 2, strings.Count(last.stdout.String(), "\n"))
		})
	}
}

// A program can send an action and wait for its verdict. An interruption loses nothing
// that was judged.
func TestCheckAnswersEachActionAtOnce(t *testing.T) {
	inEmptyFolder(t)
	ok(t, "add", "peace", "", "", "attack")
	in, game := io.Pipe()
	defer game.Close()
	check := start(t, in, "check", "--actions", "-")
	for i := range 3 {
		fmt.Fprintf(game, "{\"agent_id\": \"hero\", \"action\": \"attack\", \"timestamp\": %d}\n", i+1)
		check.await(fmt.Sprintf(`{"number":%d,"allowed":false`, i+1))
	}
	require.Equal(t, 2, check.stop())
	require.Contains(t, check.stderr.String(), "stopped behind action 3; the violations up to it are recorded\nnormsync: interrupted\n")
	require.Contains(t, ok(t, "status"), "Violations: 3\n")
}

// A long log does not lose violations, however slow the store is.
func TestCheckRecordsAllViolationsOfALongLog(t *testing.T) {
	inEmptyFolder(t)
	ok(t, "add", "peace", "", "", "attack", "--store", "file:world")
	const n = 40_000
	var log strings.Builder
	for i := range n {
		fmt.Fprintf(&log, "{\"agent_id\": \"agent %d\", \"action\": \"attack\", \"timestamp\": %d}\n", i%7, i+1)
	}
	r := run(t, log.String(), "check", "--actions", "-", "--store", "file:world")
	require.Equal(t, 1, r.code)
	require.Equal(t, n, strings.Count(r.stdout, "\n"))
	require.Contains(t, r.stderr, "40000 actions: 0 allowed, 40000 denied. 40000 violations, recorded.")
	require.Contains(t, ok(t, "status", "--store", "file:world"), "Violations: 40000\n")
	require.Contains(t, ok(t, "violations", "--follow=false", "--limit", "1", "--format", "json", "--store", "file:world"), `"timestamp":40000,`)
}

func TestLogsOfAnyKind(t *testing.T) {
	for name, test := range map[string]struct {
		log  string
		code int
		want string
	}{
		"line ends of Windows":        {"{\"action\": \"attack\"}\r\n{\"action\": \"walk\"}\r\n", 1, "2 actions: 1 allowed, 1 denied."},
		"a byte-order mark":           {"\ufeff{\"action\": \"attack\"}", 1, "1 action: 0 allowed, 1 denied."},
		"UTF-16":                      {"\xff\xfe{\x00}\x00", 2, "it is in UTF-16; save it as UTF-8"},
		"an array":                    {`[{"action": "walk"}, {"action": "walk"}]`, 0, "2 actions: 2 allowed, 0 denied."},
		"an array that is cut off":    {`[{"action": "walk"}, `, 2, "line 1, column 22"},
		"an action of more than 1 MB": {`{"action": "` + strings.Repeat("attack ", 1<<18) + `"}`, 2, "it has more than 1048576 bytes; shorten it"},
		"not JSON":                    {"hero attacks", 2, "line 1, column 1"},
		"a repeated key":              {`{"action": "walk", "action": "attack"}`, 2, `key "action"`},
		"a time that is text":         {`{"action": "walk", "timestamp": "now"}`, 2, `key "timestamp"`},
	} {
		t.Run(name, func(t *testing.T) {
			inEmptyFolder(t)
			ok(t, "add", "peace", "", "", "attack")
			r := run(t, test.log, "check", "--actions", "-")
			require.Equal(t, test.code, r.code, r.stderr)
			require.Contains(t, r.stderr, test.want)
		})
	}
}

func TestAStoreInTheWay(t *testing.T) {
	setup := func(t *testing.T) {
		inEmptyFolder(t)
		ok(t, "add", "peace", "", "", "attack", "--store", "file:world")
		ok(t, "add", "peace", "", "", "attack", "--db", "world.db")
	}
	execute := func(t *testing.T, statement string) {
		db, err := sql.Open("sqlite", "world.db")
		require.NoError(t, err)
		_, err = db.ExecContext(t.Context(), statement)
		require.NoError(t, err)
		require.NoError(t, db.Close())
	}
	t.Run("another process writes to the directory", func(t *testing.T) {
		setup(t)
		s, err := normsync.OpenFile("world", nil)
		require.NoError(t, err)
		defer s.Close()
		r := run(t, "", "check", "hero", "attack", "--store", "file:world")
		require.Equal(t, 2, r.code)
		require.Contains(t, r.stderr, "locked")
		require.Contains(t, ok(t, "status", "--store", "file:world"), "Norms: 1\n", "a reader needs no lock")
	})
	t.Run("a damaged directory", func(t *testing.T) {
		setup(t)
		text, err := os.ReadFile("world/revisions.jsonl")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile("world/revisions.jsonl", bytes.Replace(text, []byte("peace"), []byte("paece"), 1), 0o600))
		r := run(t, "", "status", "--store", "file:world")
		require.Equal(t, 2, r.code)
		require.Contains(t, r.stderr, "revisions.jsonl")
	})
	t.Run("bytes that a crash has left are reported", func(t *testing.T) {
		setup(t)
		require.NoError(t, os.Remove("world/seal.json"))
		f, err := os.OpenFile("world/revisions.jsonl", os.O_APPEND|os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = f.WriteString(`{"v":`)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		r := run(t, "", "check", "hero", "walk", "--store", "file:world")
		require.Equal(t, 0, r.code, r.stderr)
		require.Contains(t, r.stderr, "a crash left 5 bytes at the end of")
	})
	t.Run("a directory of something else", func(t *testing.T) {
		setup(t)
		require.NoError(t, os.Mkdir("logs", 0o700))
		require.NoError(t, os.WriteFile("logs/actions.jsonl", nil, 0o600))
		for _, command := range []string{"status", "check hero attack"} {
			r := run(t, "", append(strings.Fields(command), "--store", "file:logs")...)
			require.Equal(t, 2, r.code, r.stdout)
			require.Contains(t, r.stderr, "there is no store in the directory, since it has no file revisions.jsonl; create it by normsync add")
		}
		ok(t, "add", "peace", "", "", "attack", "--store", "file:logs")
		require.Contains(t, ok(t, "status", "--store", "file:logs"), "Norms: 1\n")
	})
	t.Run("a database of a newer version", func(t *testing.T) {
		setup(t)
		execute(t, "UPDATE normsync_schema SET version = 99")
		for _, command := range []string{"status", "check hero attack", "add new a b c"} {
			r := run(t, "", append(strings.Fields(command), "--db", "world.db")...)
			require.Equal(t, 2, r.code)
			require.Contains(t, r.stderr, "update the program")
		}
	})
	t.Run("a damaged database", func(t *testing.T) {
		setup(t)
		execute(t, `UPDATE normsync_revisions SET data = replace(data, 'peace', 'paece')`)
		r := run(t, "", "status", "--db", "world.db")
		require.Equal(t, 2, r.code)
		require.Contains(t, r.stderr, "restore the table from a backup")
	})
	t.Run("a database of the Python tool", func(t *testing.T) {
		setup(t)
		require.NoError(t, os.Remove("world.db"))
		execute(t, `CREATE TABLE norms (id TEXT PRIMARY KEY, name TEXT); CREATE TABLE violations (id TEXT PRIMARY KEY)`)
		r := run(t, "", "status", "--db", "world.db")
		require.Equal(t, 2, r.code)
		require.Contains(t, r.stderr, `its tables are those of the Python tool; run: normsync import-python "world.db"`)
		r = run(t, "", "add", "peace", "", "", "attack", "--db", "world.db")
		require.Equal(t, 0, r.code, "a store can be in the same file")
		require.Equal(t, "normsync: note: sqlite:world.db has norms of the Python tool, which are not in force; run: normsync import-python\n", r.stderr)
		require.Empty(t, run(t, "", "add", "noise", "", "", "shout", "--db", "world.db").stderr)
	})
	t.Run("a database of another program", func(t *testing.T) {
		setup(t)
		require.NoError(t, os.Remove("world.db"))
		execute(t, `CREATE TABLE players (name TEXT)`)
		r := run(t, "", "status", "--db", "world.db")
		require.Equal(t, 2, r.code)
		require.Contains(t, r.stderr, "its tables are those of another program")
	})
	t.Run("a database that the process may not write to", func(t *testing.T) {
		if os.Geteuid() <= 0 {
			t.Skip("this user may write to every file, or the system has no such users")
		}
		setup(t)
		run(t, "", "check", "hero", "attack", "--db", "world.db")
		require.NoError(t, os.Chmod("world.db", 0o400))
		require.NoError(t, os.Chmod(".", 0o500))
		defer os.Chmod(".", 0o700)
		require.Contains(t, ok(t, "status", "--db", "world.db"), "Violations: 1\n")
		r := run(t, "", "check", "hero", "attack", "--db", "world.db")
		require.Equal(t, 2, r.code)
		require.Contains(t, r.stderr, "make the file and its folder writable")
	})
}

func TestCompletion(t *testing.T) {
	inEmptyFolder(t)
	r := run(t, "", "__complete", "repeal", "")
	require.NotContains(t, r.stdout, "peace", "there is no store")
	requireNoFiles(t)
	ok(t, "add", "peace", "", "", "attack")
	require.Contains(t, run(t, "", "__complete", "repeal", "").stdout, "peace\n")
	require.Contains(t, run(t, "", "__complete", "violations", "--norm", "").stdout, "peace\n")
	require.Contains(t, run(t, "", "__complete", "violations", "--format", "").stdout, "table\njson\nmarkdown\n")
	require.Contains(t, run(t, "", "__complete", "viol").stdout, "violations")
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		require.Contains(t, ok(t, "completion", shell), "normsync")
	}
}

func TestVersion(t *testing.T) {
	require.Regexp(t, `^normsync, version \S+\n$`, ok(t, "version"))
	require.Equal(t, ok(t, "version"), ok(t, "--version"))
	require.Regexp(t, `^{"go":"go.*","version":".+"}\n$`, ok(t, "version", "--json"))
}
