package natsstore_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
	switch text := os.Getenv("NATSSTORE_TEST_PROCESS"); {
	case text == "":
		os.Exit(m.Run())
	case strings.HasPrefix(text, "{"):
		serve(text)
	default:
		write(text)
	}
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

// startServer starts a server in this process. Its port is free if c.Port is -1.
func startServer(t testing.TB, c serverConfig) *server.Server {
	t.Helper()
	return runServer(t, c.options())
}

func runServer(t testing.TB, o *server.Options) *server.Server {
	t.Helper()
	s, err := server.NewServer(o)
	require.NoError(t, err)
	s.Start()
	require.True(t, s.ReadyForConnections(10*time.Second), "the server starts")
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return s
}

// serve is the main function of a server process.
func serve(text string) {
	var c serverConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		panic(err)
	}
	s, err := server.NewServer(c.options())
	if err != nil {
		panic(err)
	}
	s.Start()
	if !s.ReadyForConnections(20 * time.Second) {
		panic("the server does not start")
	}
	fmt.Println("ready")
	bufio.NewReader(os.Stdin).ReadByte() // until the test ends
	os.Exit(0)
}

// process starts this binary as another process, which ends with the test.
func process(t testing.TB, task string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "NATSSTORE_TEST_PROCESS="+task)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		in.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ready\n", line)
	return cmd
}

func serverProcess(t testing.TB, c serverConfig) *exec.Cmd {
	text, err := json.Marshal(c)
	require.NoError(t, err)
	return process(t, string(text))
}

func freePort(t testing.TB) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func urlOf(port int) string { return fmt.Sprintf("nats://127.0.0.1:%d", port) }

var stores atomic.Int64

// newName returns a name that no store has yet.
func newName() string { return fmt.Sprintf("world-%d-%d", os.Getpid(), stores.Add(1)) }

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
// and appends violations until it has done so many, and says what was acknowledged.
// Its task is URL|name|writer|count|log.
func write(task string) {
	parts := strings.Split(task, "|")
	url, name, writer := parts[0], parts[1], parts[2]
	var count int
	fmt.Sscan(parts[3], &count)
	log, err := os.OpenFile(parts[4], os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	s, err := natsstore.Open(ctx, url, name, &natsstore.Options{Timeout: 20 * time.Second})
	if err != nil {
		panic(err)
	}
	m, err := normsync.Open(ctx, s, nil)
	if err != nil {
		panic(err)
	}
	fmt.Println("ready")
	for i := 0; i < count; {
		a, b := fmt.Sprintf("%s-%d-a", writer, i), fmt.Sprintf("%s-%d-b", writer, i)
		revs, err := m.Apply(ctx, normsync.Enact(forbid(a, "attack")), normsync.Enact(forbid(b, "heal")))
		switch {
		case err == nil:
			for _, r := range revs {
				fmt.Fprintf(log, "revision %d %s\n", r.Edition, r.ID())
			}
			i++
		default:
			// The outcome may be unknown: take other names.
			fmt.Fprintf(log, "failed %v\n", err)
			time.Sleep(50 * time.Millisecond)
			if _, err := m.Sync(ctx); err == nil {
				i++
			}
			continue
		}
		v := violation(i)
		v.NormName = a
		if err := s.AppendViolations(ctx, v); err == nil {
			fmt.Fprintf(log, "violation %s\n", v.ID())
		}
	}
	fmt.Fprintln(log, "done")
	os.Exit(0)
}

// acknowledged checks that all that the writers' logs say was acknowledged is in the
// store, and returns the number of revisions and violations and of failed calls.
func acknowledged(t testing.TB, s normsync.Store, dir string) (revs, vs, failed int) {
	t.Helper()
	stored := map[string]bool{}
	for _, r := range wholeLog(t, s) {
		stored[fmt.Sprintf("revision %d %s", r.Edition, r.ID())] = true
	}
	for _, v := range violations(t, s, 0) {
		stored["violation "+v.ID().String()] = true
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.log"))
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSuffix(line, "\n")
			switch word, _, _ := strings.Cut(line, " "); word {
			case "revision":
				revs++
				require.True(t, stored[line], "acknowledged and not there: %s", line)
			case "violation":
				vs++
				require.True(t, stored[line], "acknowledged and not there: %s", line)
			case "failed":
				failed++
			}
		}
	}
	return revs, vs, failed
}
