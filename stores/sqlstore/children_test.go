package sqlstore_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	roleVariable = "NORMSYNC_TEST_ROLE"
	argsVariable = "NORMSYNC_TEST_ARGS"
)

// limit is how long a test waits for anything. No test takes so long unless
// something is broken.
const limit = 90 * time.Second

// receive returns what comes from a channel.
func receive[T any](t testing.TB, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(limit):
		require.FailNow(t, "it did not happen in time", "%s, within %v", what, limit)
	}
	return v
}

// roleCommand returns a command by which this program plays a role. It ends with the
// test, and when its standard input ends.
func roleCommand(t testing.TB, role string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), roleVariable+"="+role, argsVariable+"="+strings.Join(args, "\n"))
	_, err = cmd.StdinPipe() // also the end of this program closes it
	require.NoError(t, err)
	return cmd
}

// process is this program in a role.
type process struct {
	name     string
	cmd      *exec.Cmd
	out, err output
	ended    chan struct{} // closed when it has ended
	exit     error         // of cmd.Wait, once it has ended
}

// startRole starts a process that plays a role.
func startRole(t testing.TB, role string, args ...string) *process {
	t.Helper()
	p := &process{name: role, cmd: roleCommand(t, role, args...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	require.NoError(t, p.cmd.Start())
	go func() {
		p.exit = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() { p.kill(t) })
	return p
}

// kill kills the process with SIGKILL, as a crash would, and waits until it is gone.
func (p *process) kill(t testing.TB) {
	t.Helper()
	p.cmd.Process.Kill()
	receive(t, p.ended, "the process "+p.name+" is gone after SIGKILL")
}

// hasEnded reports whether the process has ended, and fails the test if it has failed.
func (p *process) hasEnded(t testing.TB) bool {
	t.Helper()
	select {
	case <-p.ended:
		require.NoError(t, p.exit, "the process %s ended by itself; its errors: %s", p.name, p.err.tail())
		return true
	default:
		return false
	}
}

// await waits until a condition holds. It fails the test if one of the processes
// fails before that, or if they all end.
func await(t testing.TB, ps []*process, what string, holds func() bool) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		running := false
		for _, p := range ps {
			running = !p.hasEnded(t) || running
		}
		switch {
		case holds():
			return
		case !running:
			require.FailNow(t, "all processes have ended", "before this: %s", what)
		case time.Since(start) > limit:
			text := fmt.Sprintf("not within %v: %s", limit, what)
			for _, p := range ps {
				text += fmt.Sprintf("\nthe last lines of the process %s: %q, and its errors: %q", p.name, p.out.tail(), p.err.tail())
			}
			require.FailNow(t, "it did not happen in time", text)
		}
	}
}

// awaitEnd waits until all processes have ended without an error.
func awaitEnd(t testing.TB, ps []*process) {
	t.Helper()
	await(t, ps, "the processes end", func() bool {
		return !slices.ContainsFunc(ps, func(p *process) bool { return !p.hasEnded(t) })
	})
}

// line waits for the i-th line that the process says, and returns it.
func (p *process) line(t testing.TB, i int) string {
	t.Helper()
	await(t, []*process{p}, fmt.Sprintf("it says line %d", i), func() bool { return p.out.count() > i })
	return p.out.from(i)[0]
}

// endWithParent ends this process when its standard input does.
func endWithParent() {
	io.Copy(io.Discard, os.Stdin)
	os.Exit(3)
}

// output keeps the lines that a process writes.
type output struct {
	mu    sync.Mutex
	part  string // of a line
	lines []string
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := strings.Split(o.part+string(b), "\n")
	o.part = lines[len(lines)-1]
	o.lines = append(o.lines, lines[:len(lines)-1]...)
	return len(b), nil
}

func (o *output) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.lines)
}

// from returns the lines from the i-th on.
func (o *output) from(i int) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.lines[i:])
}

// tail returns the last lines.
func (o *output) tail() string {
	lines := o.from(0)
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}
