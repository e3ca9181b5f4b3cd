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

// onTerminal runs a command on a pseudoterminal, and returns what that shows.
func onTerminal(t *testing.T, args ...string) string {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	defer keyboard.Close()
	var unlocked, number int32
	for request, value := range map[uintptr]*int32{syscall.TIOCSPTLCK: &unlocked, syscall.TIOCGPTN: &number} {
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, keyboard.Fd(), request, uintptr(unsafe.Pointer(value)))
		require.Zero(t, errno)
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	shown := make(chan string)
	go func() {
		text, _ := io.ReadAll(keyboard) // an error when the terminal is closed
		shown <- string(text)
	}()
	cli.Main(t.Context(), args, strings.NewReader(""), terminal, terminal)
	require.NoError(t, terminal.Close())
	return strings.ReplaceAll(<-shown, "\r\n", "\n")
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
