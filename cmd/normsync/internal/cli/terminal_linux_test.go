package cli_test

import (
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync/cmd/normsync/internal/cli"
)

// openTerminal returns a pseudoterminal, and what is shown on it.
func openTerminal(t *testing.T) (terminal *os.File, shown *output, closeAndWait func()) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	var unlocked, number int32
	for request, value := range map[uintptr]*int32{syscall.TIOCSPTLCK: &unlocked, syscall.TIOCGPTN: &number} {
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, keyboard.Fd(), request, uintptr(unsafe.Pointer(value)))
		require.Zero(t, errno)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	shown = new(output)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(shown, keyboard) // an error when the terminal is closed
	}()
	return terminal, shown, func() {
		require.NoError(t, terminal.Close())
		<-ended
		require.NoError(t, keyboard.Close())
	}
}

// onTerminal runs a command on a pseudoterminal, and returns what that shows.
func onTerminal(t *testing.T, args ...string) string {
	t.Helper()
	terminal, shown, closeAndWait := openTerminal(t)
	cli.Main(t.Context(), args, strings.NewReader(""), terminal, terminal)
	closeAndWait()
	return strings.ReplaceAll(shown.String(), "\r\n", "\n")
}

// The progress of a long log is shown on the terminal, also if the verdicts go elsewhere.
func TestProgress(t *testing.T) {
	inEmptyFolder(t)
	ok(t, "add", "peace", "", "", "attack")
	terminal, shown, closeAndWait := openTerminal(t)
	in, game := io.Pipe()
	code := make(chan int)
	go func() {
		code <- cli.Main(t.Context(), []string{"check", "--actions", "-", "--dry-run"}, in, io.Discard, terminal)
	}()
	for !strings.Contains(shown.String(), "denied, ") { // until a tenth of a second is over
		_, err := io.WriteString(game, strings.Repeat(`{"action": "attack"}`+"\n", 1024))
		require.NoError(t, err)
	}
	require.NoError(t, game.Close())
	require.Equal(t, 1, <-code)
	closeAndWait()
	require.Regexp(t, `\r\x1b\[K\d+ actions, \d+ denied, \d+ per second`, shown.String())
	require.Regexp(t, `\r\x1b\[K\d+ actions: 0 allowed, \d+ denied\. \d+ violations, not recorded\.`, shown.String(), "the summary replaces it")
}

func TestOnATerminal(t *testing.T) {
	inEmptyFolder(t)
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "xterm")
	ok(t, "add", "peace", "", "", "attack")
	require.Contains(t, onTerminal(t, "check", "hero", "attack"), "\x1b[31mThe action is denied.\x1b[0m\n")
	require.Contains(t, onTerminal(t, "diff", "0"), "\x1b[32m+ peace: forbids \"attack\"\x1b[0m\n")
	t.Setenv("NO_COLOR", "1")
	require.Contains(t, onTerminal(t, "check", "hero", "attack"), "\nThe action is denied.\n")

	log := strings.Repeat(`{"agent_id": "hero", "action": "attack"}`+"\n", 3)
	require.NoError(t, os.WriteFile("log.jsonl", []byte(log), 0o600))
	shown := onTerminal(t, "check", "--actions", "log.jsonl")
	require.NotContains(t, shown, `{"number":1`, "a terminal shows the summary only")
	require.Contains(t, shown, "3 actions: 0 allowed, 3 denied. 3 violations, recorded.\n\nNORM   VIOLATIONS\npeace           3\n")
	require.Contains(t, onTerminal(t, "check", "--actions", "log.jsonl", "--json"), `{"number":3,"allowed":false`)
}
