package cli

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

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

// The help of a command fits the width of a screen.
func TestHelpOfCommandsIsNotTooWide(t *testing.T) {
	for _, c := range newRootCommand(&app{}, nil).Commands() {
		var out, same, stderr bytes.Buffer
		require.Equal(t, exitFine, Main(t.Context(), []string{c.Name(), "--help"}, strings.NewReader(""), &out, &stderr))
		require.Equal(t, exitFine, Main(t.Context(), []string{"help", c.Name()}, strings.NewReader(""), &same, &stderr))
		require.Equal(t, out.String(), same.String())
		require.Empty(t, stderr.String())
		for line := range strings.Lines(out.String()) {
			require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), 80, "%s: %s", c.Name(), line)
		}
	}
}

// fullWriter is a disk without room.
type fullWriter struct{}

var errFull = errors.New("no space left on device")

func (fullWriter) Write([]byte) (int, error) { return 0, errFull }

// A program that runs normsync help > FILE must hear that the file is not whole.
func TestHelpThatCannotBeWrittenIsAnError(t *testing.T) {
	for _, args := range []string{"", "help", "--help", "help check", "check --help", "completion bash", "version", "--version", "completion --help"} {
		var stderr bytes.Buffer
		require.Equal(t, exitError, Main(t.Context(), strings.Fields(args), strings.NewReader(""), fullWriter{}, &stderr), args)
		require.Equal(t, "normsync: no space left on device\n", stderr.String(), args)
	}
}

// A program that starts a server with --addr 127.0.0.1:0 learns the address from it.
func TestServeEndsIfItCannotWriteItsAddress(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, args := range []string{"serve", "serve --json"} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var stderr bytes.Buffer
		args := append(strings.Fields(args), "--store", "memory", "--addr", "127.0.0.1:0")
		require.Equal(t, exitError, Main(ctx, args, strings.NewReader(""), fullWriter{}, &stderr), args)
		require.NoError(t, ctx.Err(), "it ends by itself")
		require.Contains(t, stderr.String(), "normsync: no space left on device\n", args)
	}
}
