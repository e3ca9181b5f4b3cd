package rest_test

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync/cmd/normsync/internal/cli"
)

var update = flag.Bool("update", false, "write the output of the commands into docs/rest.md")

// block is a part of a page between two lines with three backticks.
var block = regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$")

// The commands of docs/rest.md write what the page says.
func TestRESTPage(t *testing.T) {
	for _, tool := range []string{"bash", "curl", "jq", "python3", "grep"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	const page = "../../../../docs/rest.md"
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	path, err := filepath.Abs(page)
	require.NoError(t, err)
	t.Chdir(t.TempDir())
	t.Setenv("NORMSYNC_STORE", "")
	t.Setenv("NORMSYNC_TOKEN", "")
	session := &session{t: t, urls: map[string]string{}}
	commands := 0
	got := block.ReplaceAllStringFunc(string(text), func(b string) string {
		m := block.FindStringSubmatch(b)
		switch m[1] {
		case "python":
			require.NoError(t, os.WriteFile("client.py", []byte(session.real(m[2])), 0o600))
			return b
		case "console":
			var out strings.Builder
			for line := range strings.Lines(m[2]) {
				if command, ok := strings.CutPrefix(line, "$ "); ok {
					out.WriteString(line)
					out.WriteString(session.run(strings.TrimSpace(command)))
					commands++
				}
			}
			return "```console\n" + out.String() + "```"
		}
		require.Fail(t, "a block that no test runs", b)
		return b
	})
	require.Greater(t, commands, 15)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
		return
	}
	require.Equal(t, timeless(string(text)), timeless(got), "to accept the change, run: go test -run TestRESTPage ./internal/rest -update")
}

// timeless replaces what is different each time.
func timeless(s string) string {
	return regexp.MustCompile(`"timestamp":[0-9]{10}\.[0-9]+`).ReplaceAllString(s, `"timestamp":0`)
}

// session runs commands of a page.
type session struct {
	t    *testing.T
	urls map[string]string // addresses of the page and what they really are
}

// real replaces the addresses of the page in a command, and page does the opposite.
func (s *session) real(text string) string {
	for page, real := range s.urls {
		_, port, _ := strings.Cut(page, ":")
		text = strings.NewReplacer(page, real, "localhost:"+port, real).Replace(text)
	}
	return text
}

func (s *session) page(text string) string {
	for page, real := range s.urls {
		text = strings.ReplaceAll(text, real, page)
	}
	return text
}

// run runs a command and returns its output.
func (s *session) run(command string) string {
	s.t.Helper()
	if args, ok := strings.CutPrefix(command, "normsync "); ok {
		args, background := strings.CutSuffix(args, " &")
		if background {
			return s.serve(strings.Fields(args))
		}
		var out bytes.Buffer
		cli.Main(s.t.Context(), strings.Fields(args), strings.NewReader(""), &out, &out)
		return out.String()
	}
	out, err := exec.CommandContext(s.t.Context(), "bash", "-c", s.real(command)).CombinedOutput()
	require.NoError(s.t, err, "%s: %s", command, out)
	if len(out) > 0 && out[len(out)-1] != '\n' {
		out = append(out, '\n')
	}
	return s.page(string(out))
}

// serve starts a server in the background on any port and returns what it writes.
func (s *session) serve(args []string) string {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	read, write := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Main(ctx, append(args, "--addr", "127.0.0.1:0"), strings.NewReader(""), write, os.Stderr)
		write.Close()
	}()
	s.t.Cleanup(func() {
		cancel()
		require.Zero(s.t, <-ended)
	})
	line, err := bufio.NewReader(read).ReadString('\n')
	require.NoError(s.t, err)
	address := regexp.MustCompile(`127\.0\.0\.1:[0-9]+`).FindString(line)
	s.urls[[]string{"127.0.0.1:8000", "127.0.0.1:8001"}[len(s.urls)]] = address
	return s.page(line)
}
