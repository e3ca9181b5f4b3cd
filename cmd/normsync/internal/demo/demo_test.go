package demo_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync/cmd/normsync/internal/demo"
)

// running is a demo that runs in the background.
type running struct {
	t     *testing.T
	url   string
	text  bytes.Buffer // what it has written
	lines *bufio.Scanner
	ended chan error
}

// start starts a demo and waits for the address of its page.
func start(t *testing.T, ctx context.Context, o demo.Options) *running {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	out, in := io.Pipe()
	r := &running{t: t, ended: make(chan error, 1)}
	r.lines = bufio.NewScanner(io.TeeReader(out, &r.text))
	go func() {
		err := demo.Run(ctx, in, o)
		in.Close()
		r.ended <- err
	}()
	require.True(t, r.lines.Scan())
	url, ok := strings.CutPrefix(r.lines.Text(), "The page:   ")
	require.True(t, ok, r.lines.Text())
	r.url = url
	return r
}

// end waits until the demo has ended, and returns what it has written.
func (r *running) end() string {
	r.t.Helper()
	for r.lines.Scan() {
	}
	require.NoError(r.t, <-r.ended)
	files, err := os.ReadDir(os.Getenv("TMPDIR"))
	require.NoError(r.t, err)
	require.Empty(r.t, files, "it leaves no file behind")
	return r.text.String()
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	return string(body)
}

func TestADemoEndsAndSaysWhatItShowed(t *testing.T) {
	r := start(t, t.Context(), demo.Options{For: 1500 * time.Millisecond})
	require.Contains(t, get(t, r.url), "<title>normsync</title>")
	for r.lines.Scan() && !strings.Contains(r.lines.Text(), "norms are in force") {
	}
	require.Contains(t, get(t, r.url+"norms"), `"plot-12"`)
	text := r.end()
	for _, part := range []string{
		"20 norms are in force, and 24 agents act.",
		"zoe enacts the curfew: thieves at night.",
		"zoe amends it: mages need candles.",
		"yan repeals it: bad for business.",
		"and 23 editions.",
		"It was opened once.",
		"Violations by norm (",
		"Revisions (3)",
		"Agents (5)",
	} {
		require.Contains(t, text, part)
	}
	require.NotContains(t, text, "showed 0 violations")
}

func TestADemoRunsWhileItsPageIsOpen(t *testing.T) {
	r := start(t, t.Context(), demo.Options{Idle: 10 * time.Millisecond})
	resp, err := http.Get(r.url + "events")
	require.NoError(t, err)
	go func() { // the demo must not wait for its reader
		for r.lines.Scan() {
		}
	}()
	events := bufio.NewScanner(resp.Body)
	// The agents act five times a second, so a few of their violations take longer
	// than the time after which the demo ends when nobody looks.
	for seen := 0; seen < 3; {
		require.True(t, events.Scan(), "the demo has ended while somebody looked")
		if events.Text() == "event: violation" {
			seen++
		}
	}
	require.NoError(t, resp.Body.Close())
	require.NoError(t, <-r.ended)
}

func TestAnInterruptedDemoStillHasASummary(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := start(t, ctx, demo.Options{})
	for r.lines.Scan() && !strings.Contains(r.lines.Text(), "norms are in force") {
	}
	cancel()
	require.Contains(t, r.end(), "It was opened by nobody.")
}

func TestADemoEndsWhenItCannotWrite(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	out, in := io.Pipe()
	require.NoError(t, out.Close())
	require.ErrorIs(t, demo.Run(t.Context(), in, demo.Options{For: time.Hour}), io.ErrClosedPipe)
	files, err := os.ReadDir(os.Getenv("TMPDIR"))
	require.NoError(t, err)
	require.Empty(t, files)
}

func TestADemoSaysThatItsAddressIsTaken(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	err = demo.Run(t.Context(), io.Discard, demo.Options{Addr: taken.Addr().String(), For: time.Second})
	require.ErrorContains(t, err, "choose another address by --addr")
	require.ErrorContains(t, demo.Run(t.Context(), io.Discard, demo.Options{Addr: "0.0.0.0:0", For: time.Second}), "no token", "a demo is for this machine")
	files, err := os.ReadDir(os.Getenv("TMPDIR"))
	require.NoError(t, err)
	require.Empty(t, files)
}
