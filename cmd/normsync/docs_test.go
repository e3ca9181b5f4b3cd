package main_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the outputs into docs/github-action.md and docs/rules.md")

var lastCode = regexp.MustCompile("`([^`]+)`[^`]*$")

// checkPage compares each block of a page with what it should be. The title of a block
// is the last code in the line above it. With -update it writes the page.
func checkPage(t *testing.T, file string, want func(title, language, block string) string) {
	t.Helper()
	page, err := os.ReadFile(file)
	require.NoError(t, err)
	var out strings.Builder
	var fence, language, title, block string
	for line := range strings.Lines(strings.ReplaceAll(string(page), "\r\n", "\n")) {
		text := strings.TrimSuffix(line, "\n")
		switch {
		case fence == "" && strings.HasPrefix(text, "```"):
			language = strings.TrimLeft(text, "`")
			fence, block = strings.TrimSuffix(text, language), ""
		case fence != "" && text == fence:
			wanted := want(title, language, block)
			if !*update {
				require.Equal(t, wanted, block, "the block %s %s of %s; to accept it, run the test with -update", language, title, file)
			}
			out.WriteString(wanted)
			fence, title = "", ""
		case fence != "":
			block += line
			continue
		case text != "":
			title = ""
			if m := lastCode.FindStringSubmatch(text); m != nil {
				title = m[1]
			}
		}
		out.WriteString(line)
	}
	require.Empty(t, fence, "the last block has no end")
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(out.String()), 0o644))
	}
}

// Blocks of JSON in docs/rules.md are files, and the commands between them write what
// the page says.
func TestDocsOfRules(t *testing.T) {
	file, err := filepath.Abs(filepath.Join(root, "docs", "rules.md"))
	require.NoError(t, err)
	bin := program(t)
	t.Chdir(t.TempDir())
	t.Setenv("NORMSYNC_STORE", "")
	commands := 0
	checkPage(t, file, func(title, language, block string) string {
		if language == "json" {
			require.Regexp(t, `^[a-z_]+\.jsonl?$`, title)
			write(t, title, block)
			return block
		}
		require.Equal(t, "console", language)
		var out strings.Builder
		for line := range strings.Lines(block) {
			words, ok := strings.CutPrefix(strings.TrimSpace(line), "$ normsync ")
			if !ok {
				continue
			}
			commands++
			cmd := exec.CommandContext(t.Context(), bin, strings.Fields(words)...)
			text, err := cmd.CombinedOutput()
			require.Less(t, cmd.ProcessState.ExitCode(), 2, "%s: %v", line, err)
			out.WriteString(line + string(text))
		}
		return out.String()
	})
	require.Positive(t, commands)
}
