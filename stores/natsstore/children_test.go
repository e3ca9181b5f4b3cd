package natsstore_test

import (
	"bytes"
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

// taskVariable holds what a process that a test starts has to do.
const taskVariable = "NATSSTORE_TEST_PROCESS"

// limit is how long a test waits for anything. No test takes so long unless
// something is broken.
const limit = 90 * time.Second

// process is this test binary as a server or a writer.
type process struct {
	name     string
	cmd      *exec.Cmd
	in       io.Closer // it ends when this is closed, also by the end of the test binary
	out, err output
	ended    chan struct{} // closed when it has ended
	exit     error         // of cmd.Wait, once it has ended
}

// startProcess starts a process, which ends with the test, and waits until it is
// ready.
func startProcess(t testing.TB, name, task string) *process {
	t.Helper()
	p := &process{name: name, cmd: exec.Command(os.Args[0]), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), taskVariable+"="+task)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	in, err := p.cmd.StdinPipe()
	require.NoError(t, err)
	p.in = in
	require.NoError(t, p.cmd.Start())
	go func() {
		p.exit = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() { p.kill(t) })
	await(t, []*process{p}, "the process is ready", func() bool { return p.said("ready") > 0 })
	return p
}

// kill kills the process with SIGKILL, as a crash would, and waits until it is gone.
func (p *process) kill(t testing.TB) {
	t.Helper()
	p.cmd.Process.Kill()
	receive(t, p.ended, p.name+" is gone after SIGKILL")
}

// said returns how many lines the process has said that begin with a word.
func (p *process) said(word string) (n int) {
	for line := range strings.Lines(p.out.String()) {
		if first, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " "); first == word {
			n++
		}
	}
	return n
}

// hasEnded reports whether the process has ended, and fails the test if it has failed.
func (p *process) hasEnded(t testing.TB) bool {
	t.Helper()
	select {
	case <-p.ended:
		require.NoError(t, p.exit, "%s ended by itself; its errors: %s", p.name, p.err.String())
		return true
	default:
		return false
	}
}

// await waits until a condition holds. It fails the test if one of the processes
// fails before that, or if they all end.
func await(t testing.TB, ps []*process, what string, holds func() bool) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
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
				text += fmt.Sprintf("\n%s said %q, and its errors are %q", p.name, p.out.String(), p.err.String())
			}
			require.FailNow(t, "it did not happen in time", text)
		}
	}
}

// startWriters starts processes that write to a store.
func startWriters(t testing.TB, url, name string, count, applies int) (ws []*process) {
	t.Helper()
	for i := range count {
		writer := fmt.Sprint("writer", i)
		ws = append(ws, startProcess(t, writer, fmt.Sprintf("%s|%s|%s|%d", url, name, writer, applies)))
	}
	return ws
}

// goOn waits until each writer has had some more Applies acknowledged.
func goOn(t testing.TB, ws []*process) {
	t.Helper()
	var want []int
	for _, w := range ws {
		want = append(want, w.said("violation")+10)
	}
	await(t, ws, "each writer goes on", func() bool {
		return !slices.ContainsFunc(ws, func(w *process) bool { return w.said("violation") < want[slices.Index(ws, w)] })
	})
}

// endWriters tells the writers to end, and waits until they have.
func endWriters(t testing.TB, ws []*process) {
	t.Helper()
	for _, w := range ws {
		require.NoError(t, w.in.Close())
	}
	awaitEnd(t, ws)
}

func awaitEnd(t testing.TB, ws []*process) {
	t.Helper()
	await(t, ws, "the writers end", func() bool {
		return !slices.ContainsFunc(ws, func(w *process) bool { return !w.hasEnded(t) })
	})
}

// output keeps what a process writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
