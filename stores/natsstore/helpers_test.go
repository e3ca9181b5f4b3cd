package natsstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/stores/natsstore"
)

// TestMain lets the test binary be a server or a writer in a process of its own,
// which a test can kill.
func TestMain(m *testing.M) {
	text := os.Getenv(taskVariable)
	run := write
	switch {
	case text == "":
		os.Exit(m.Run())
	case strings.HasPrefix(text, "{"):
		run = serve
	}
	if err := run(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serverConfig is what a server process is told.
type serverConfig struct {
	Name, Dir   string
	Port        int
	ClusterPort int
	Routes      string
}

// options returns the options of a server that syncs every message to disk.
func (c serverConfig) options() *server.Options {
	o := &server.Options{
		ServerName: c.Name, Host: "127.0.0.1", Port: c.Port,
		JetStream: true, StoreDir: c.Dir, SyncAlways: true,
		NoSigs: true, NoLog: true,
	}
	if c.ClusterPort != 0 {
		o.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: c.ClusterPort}
		o.Routes = server.RoutesFromStr(c.Routes)
	}
	return o
}

// startServer starts a server in this process. Its port is free if c.Port is -1. It
// is never killed, so it need not sync every message.
func startServer(t testing.TB, c serverConfig) *server.Server {
	t.Helper()
	o := c.options()
	o.SyncAlways = false
	return runServer(t, o)
}

func runServer(t testing.TB, o *server.Options) *server.Server {
	t.Helper()
	s, err := server.NewServer(o)
	require.NoError(t, err)
	s.Start()
	require.True(t, s.ReadyForConnections(limit), "the server starts")
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return s
}

// serve is the main function of a server process, which ends with the test.
func serve(text string) error {
	var c serverConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	s, err := server.NewServer(c.options())
	if err != nil {
		return err
	}
	s.Start()
	if !s.ReadyForConnections(limit) {
		return fmt.Errorf("the server does not start on port %d", c.Port)
	}
	fmt.Println("ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func serverProcess(t testing.TB, c serverConfig) *process {
	t.Helper()
	text, err := json.Marshal(c)
	require.NoError(t, err)
	return startProcess(t, "server", string(text))
}

// givenPorts are the ports that freePort has returned.
var givenPorts sync.Map

// freePort returns a port that nothing listens on, another one each time. It is not one
// of those that the system gives to outgoing connections, so it stays free while the
// server is away.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 10_000 + rand.IntN(20_000)
		if _, given := givenPorts.LoadOrStore(port, true); given {
			continue
		}
		l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port))
		if err == nil {
			require.NoError(t, l.Close())
			return port
		}
	}
	require.FailNow(t, "no port is free")
	return 0
}

func urlOf(port int) string { return fmt.Sprintf("nats://127.0.0.1:%d", port) }

var stores atomic.Int64

// newName returns a name that no store has yet.
func newName() string { return fmt.Sprintf("world-%d-%d", os.Getpid(), stores.Add(1)) }

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

func openStore(t testing.TB, url, name string, o *natsstore.Options) *natsstore.Store {
	t.Helper()
	s, err := natsstore.Open(context.Background(), url, name, o)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func forbid(name, verb string) normsync.Norm { return normsync.Norm{Name: name, Prohibited: verb} }

func violation(i int) normsync.Violation {
	return normsync.Violation{
		NormID: normsync.ID{byte(i)}, NormName: fmt.Sprint("norm ", i%7), Severity: normsync.SeverityWarn, Edition: 1,
		Action: normsync.Action{Agent: fmt.Sprint("agent-", i%50), Verb: "attack", Location: fmt.Sprint("place ", i), Time: time.Unix(int64(i)+1, 0).UTC()},
	}
}

func revisions(t testing.TB, s normsync.Store) (revs []normsync.Revision) {
	t.Helper()
	for r, err := range s.Revisions(context.Background(), 0) {
		require.NoError(t, err)
		revs = append(revs, r)
	}
	return revs
}

func violations(t testing.TB, s normsync.Store, after uint64) (vs []normsync.StoredViolation) {
	t.Helper()
	for v, err := range s.Violations(context.Background(), after) {
		require.NoError(t, err)
		vs = append(vs, v)
	}
	return vs
}

// wholeLog checks that the log has the editions 1, 2, 3, … and each names the one before it.
func wholeLog(t testing.TB, s normsync.Store) []normsync.Revision {
	t.Helper()
	revs := revisions(t, s)
	var prev normsync.ID
	for i, r := range revs {
		require.Equal(t, uint64(i+1), r.Edition)
		require.Equal(t, prev, r.Prev)
		prev = r.ID()
	}
	return revs
}

// write is the main function of a writer process: it applies changes of two norms
// and appends violations, and says what was acknowledged. It ends after a number of
// Applies, if that is not 0, or when its standard input ends. Its task is
// URL|name|writer|applies.
func write(task string) error {
	parts := strings.Split(task, "|")
	url, name, writer := parts[0], parts[1], parts[2]
	applies, err := strconv.Atoi(parts[3])
	if err != nil {
		return err
	}
	var told atomic.Bool // to end
	go func() {
		io.Copy(io.Discard, os.Stdin)
		told.Store(true)
	}()
	ctx := context.Background()
	s, m, err := openWriter(ctx, url, name, &told)
	if err != nil {
		return err
	}
	defer s.Close()
	fmt.Println("ready")
	for i := 0; (applies == 0 || i < applies) && !told.Load(); i++ {
		a, b := fmt.Sprintf("%s-%d-a", writer, i), fmt.Sprintf("%s-%d-b", writer, i)
		revs, err := m.Apply(ctx, normsync.Enact(forbid(a, "attack")), normsync.Enact(forbid(b, "heal")))
		if err != nil {
			// The outcome may be unknown: the next Apply takes other names.
			fmt.Println("failed", strings.ReplaceAll(err.Error(), "\n", " "))
			continue
		}
		for _, r := range revs {
			fmt.Println("revision", r.Edition, r.ID())
		}
		v := violation(i)
		v.NormName = a
		if err := s.AppendViolations(ctx, v); err == nil {
			fmt.Println("violation", v.ID())
		}
	}
	return nil
}

// openWriter opens a store and a monitor on it, and tries again while the server is
// away.
func openWriter(ctx context.Context, url, name string, told *atomic.Bool) (*natsstore.Store, *normsync.Monitor, error) {
	for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		s, err := natsstore.Open(ctx, url, name, &natsstore.Options{Timeout: 20 * time.Second})
		if err == nil {
			m, openErr := normsync.Open(ctx, s, nil)
			if openErr == nil {
				return s, m, nil
			}
			err = errors.Join(openErr, s.Close())
		}
		if told.Load() || time.Since(start) > limit {
			return nil, nil, err
		}
	}
}

// acknowledged checks that all that the writers say was acknowledged is in the store,
// and returns the number of revisions and violations and of failed calls.
func acknowledged(t testing.TB, s normsync.Store, writers []*process) (revs, vs, failed int) {
	t.Helper()
	stored := map[string]bool{}
	for _, r := range wholeLog(t, s) {
		stored[fmt.Sprintf("revision %d %s", r.Edition, r.ID())] = true
	}
	for _, v := range violations(t, s, 0) {
		stored["violation "+v.ID().String()] = true
	}
	for _, w := range writers {
		for line := range strings.Lines(w.out.String()) {
			line = strings.TrimSuffix(line, "\n")
			switch word, _, _ := strings.Cut(line, " "); word {
			case "revision":
				revs++
				require.True(t, stored[line], "acknowledged and not there: %s", line)
			case "violation":
				vs++
				require.True(t, stored[line], "acknowledged and not there: %s", line)
			case "failed":
				t.Log(w.name, line)
				failed++
			}
		}
	}
	return revs, vs, failed
}
