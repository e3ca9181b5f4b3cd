package main_test

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// If a program such as head reads the verdicts of a log and ends, the violations that
// were judged are recorded.
func TestAPipeThatIsClosedEarlyLosesNothing(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a closed pipe is another error there")
	}
	normsync := program(t)
	t.Chdir(t.TempDir())
	t.Setenv("NORMSYNC_STORE", "")
	command(t, normsync, "add", "peace", "", "", "attack")
	write(t, "log.jsonl", strings.Repeat(`{"agent_id": "hero", "action": "attack"}`+"\n", 20_000))

	check := exec.CommandContext(t.Context(), normsync, "check", "--actions", "log.jsonl")
	var stderr bytes.Buffer
	check.Stderr = &stderr
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	check.Stdout = writer
	require.NoError(t, check.Start())
	require.NoError(t, writer.Close())
	line, err := bufio.NewReader(reader).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, `{"number":1,"allowed":false`)
	require.NoError(t, reader.Close())
	require.Error(t, check.Wait())
	require.Equal(t, 2, check.ProcessState.ExitCode(), "a signal has ended it")
	stopped := regexp.MustCompile(`^normsync: stopped behind action (\d+); the violations up to it are recorded\n$`).FindStringSubmatch(stderr.String())
	require.NotNil(t, stopped, stderr.String())
	status, err := exec.CommandContext(t.Context(), normsync, "status").Output()
	require.NoError(t, err)
	require.Contains(t, string(status), "Violations: "+stopped[1]+"\n")
}
