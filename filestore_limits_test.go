package normsync

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFileStoreMemoryOfABatchIsThatOfItsLines(t *testing.T) {
	s, err := OpenFile(t.TempDir(), nil)
	require.NoError(t, err)
	defer s.Close()
	vs := make([]Violation, 1024)
	vs[0].Action.Location = strings.Repeat("x", 1<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	require.NoError(t, s.AppendViolations(t.Context(), vs...))
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(40<<20), "one long violation does not count for all that follow")
}

// What programs do to every line of a file that is kept in git, or edited.
func TestFileStoreRefusesAFileThatWasRewritten(t *testing.T) {
	every := func(old, new string) func(string) string {
		return func(s string) string { return strings.ReplaceAll(s, old, new) }
	}
	rewritten(t, 8, map[string]func(string) string{
		"line ends of Windows":            every("\n", "\r\n"),
		"line ends of an old Mac":         every("\n", "\r"),
		"a word replaced":                 every("attack", "strike"),
		"a blank at the end of each line": every("\n", " \n"),
		"blanks between keys and values":  func(s string) string { return strings.NewReplacer(`":`, `": `, `,"`, `, "`).Replace(s) },
		"every line but the first few": func(s string) string {
			i := strings.Index(s, "n3")
			return s[:i] + strings.ReplaceAll(s[i:], "attack", "strike")
		},
		"a tab before each line but the last": func(s string) string { return strings.ReplaceAll(s, "\n{", "\n\t{") },
	})
	// A constitution that was enacted at once is one line.
	rewritten(t, 1, map[string]func(string) string{
		"line ends of Windows":            every("\n", "\r\n"),
		"a blank at the end of each line": every("\n", " \n"),
	})
}

func rewritten(t *testing.T, lines uint64, ways map[string]func(string) string) {
	for name, rewrite := range ways {
		t.Run(name, func(t *testing.T) {
			for _, log := range []string{"revisions.jsonl", "violations-00000000000000000001.jsonl"} {
				dir := t.TempDir()
				s := openFileStore(t, dir, nil)
				for i := range lines {
					r := Revision{Edition: i + 1, Version: 1, Change: Enact(Norm{Name: fmt.Sprint("n", i), Prohibited: "attack"})}
					require.NoError(t, s.AppendRevisions(t.Context(), r))
					require.NoError(t, s.AppendViolations(t.Context(), Violation{NormName: r.Norm.Name, Severity: SeverityWarn, Action: Action{Verb: "attack"}}))
				}
				require.NoError(t, s.Close())
				path := filepath.Join(dir, log)
				b, err := os.ReadFile(path)
				require.NoError(t, err)
				bad := rewrite(string(b))
				require.NotEqual(t, string(b), bad)
				require.NoError(t, os.WriteFile(path, []byte(bad), 0o600))
				for _, o := range []*FileOptions{nil, {ReadOnly: true}} {
					_, err := OpenFile(dir, o)
					require.ErrorAs(t, err, new(*CorruptError), "%s, %+v", log, o)
					now, err := os.ReadFile(path)
					require.NoError(t, err)
					require.Equal(t, bad, string(now), "not a byte is changed")
				}
			}
		})
	}
}

func TestFileStoreDeletesWhatALowerMaxBytesNoLongerAllows(t *testing.T) {
	dir := t.TempDir()
	s := openFileStore(t, dir, &FileOptions{SegmentBytes: 2000})
	for i := range uint64(50) {
		require.NoError(t, s.AppendViolations(t.Context(), Violation{Edition: i}))
	}
	require.NoError(t, s.Close())
	size := func() (n int64) {
		files, err := filepath.Glob(filepath.Join(dir, "violations-*"))
		require.NoError(t, err)
		for _, f := range files {
			info, err := os.Stat(f)
			require.NoError(t, err)
			n += info.Size()
		}
		return n
	}
	all := size()
	openFileStore(t, dir, &FileOptions{SegmentBytes: 2000, MaxBytes: all}).Close()
	require.Equal(t, all, size(), "what is allowed stays")
	s = openFileStore(t, dir, &FileOptions{SegmentBytes: 2000, MaxBytes: all / 2})
	require.LessOrEqual(t, size(), all/2, "at once, since on a full disk nothing else helps")
	last := uint64(0)
	for v, err := range consecutive(s.Violations(t.Context(), 0)) {
		require.NoError(t, err)
		last = v.Edition
	}
	require.EqualValues(t, 49, last)
}
