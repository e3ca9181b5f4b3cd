package natsstore_test

import (
	"context"
	"flag"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/stores/natsstore"
)

var (
	applies = flag.Int("applies", 25, "Applies of each of the eight processes; the full test has 250")
	kills   = flag.Int("kills", 3, "kills of the server; the full test has 20")
	latency = flag.Int("latency", 50, "Applies that a follower is timed over; the full test has 500")
)

// writers starts processes that write to a store, and returns a channel that is
// closed when all have ended.
func writers(t testing.TB, url, name, dir string, count, applies int) <-chan struct{} {
	t.Helper()
	var cmds []*exec.Cmd
	for i := range count {
		task := strings.Join([]string{url, name, fmt.Sprint("writer", i), fmt.Sprint(applies), filepath.Join(dir, fmt.Sprint(i, ".log"))}, "|")
		cmds = append(cmds, process(t, task))
	}
	ended := make(chan struct{})
	go func() {
		for _, cmd := range cmds {
			cmd.Wait()
		}
		close(ended)
	}()
	return ended
}

func TestEightProcesses(t *testing.T) {
	srv := startServer(t, serverConfig{Dir: t.TempDir(), Port: -1})
	name, dir := newName(), t.TempDir()
	<-writers(t, srv.ClientURL(), name, dir, 8, *applies)
	s := openStore(t, srv.ClientURL(), name, nil)
	revs, vs, failed := acknowledged(t, s, dir)
	require.Equal(t, []int{8 * *applies * 2, 8 * *applies, 0}, []int{revs, vs, failed})
	require.Len(t, revisions(t, s), revs, "none lost, none twice")
	t.Logf("%d Applies of 8 processes, %d revisions", 8**applies, revs)
}

// The server is killed in the middle of Applies and violations.
func TestKilledServer(t *testing.T) {
	c := serverConfig{Dir: t.TempDir(), Port: freePort(t)}
	srv := serverProcess(t, c)
	url, name, dir := urlOf(c.Port), newName(), t.TempDir()
	openStore(t, url, name, nil)
	ended := writers(t, url, name, dir, 2, 100**kills)
	for range *kills {
		time.Sleep(300 * time.Millisecond) // the writers get on
		require.NoError(t, srv.Process.Signal(syscall.SIGKILL))
		srv.Wait()
		srv = serverProcess(t, c)
	}
	<-ended
	s := openStore(t, url, name, nil)
	revs, vs, failed := acknowledged(t, s, dir)
	require.NotZero(t, revs)
	require.NotZero(t, vs)
	total := len(revisions(t, s))
	require.LessOrEqual(t, total-revs, 2*failed, "only what a failed Apply made is there beyond what was acknowledged")
	t.Logf("%d kills: %d revisions and %d violations acknowledged, %d calls failed; the store has %d revisions", *kills, revs, vs, failed, total)
}

// The leader of the stream is killed in a cluster of three.
func TestKilledLeader(t *testing.T) {
	var configs []serverConfig
	var routes, urls []string
	for i := range 3 {
		c := serverConfig{Name: fmt.Sprint("n", i), Dir: t.TempDir(), Port: freePort(t), ClusterPort: freePort(t)}
		routes = append(routes, urlOf(c.ClusterPort))
		urls = append(urls, urlOf(c.Port))
		configs = append(configs, c)
	}
	var servers []*exec.Cmd
	for i := range configs {
		configs[i].Routes = strings.Join(routes, ",")
		servers = append(servers, serverProcess(t, configs[i]))
	}
	url, name, dir := strings.Join(urls, ","), newName(), t.TempDir()
	var s *natsstore.Store
	require.Eventually(t, func() (ok bool) {
		var err error
		s, err = natsstore.Open(context.Background(), url, name, &natsstore.Options{Replicas: 3})
		return err == nil
	}, 30*time.Second, 100*time.Millisecond, "the cluster elects a leader")
	defer s.Close()
	nc, err := nats.Connect(url, nats.MaxReconnects(-1))
	require.NoError(t, err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	leader := func() (i int) {
		require.Eventually(t, func() bool {
			stream, err := js.Stream(context.Background(), name+"_REVISIONS")
			if err != nil || stream.CachedInfo().Cluster == nil {
				return false
			}
			i = slices.IndexFunc(configs, func(c serverConfig) bool { return c.Name == stream.CachedInfo().Cluster.Leader })
			return i >= 0
		}, 60*time.Second, 100*time.Millisecond)
		return i
	}
	ended := writers(t, url, name, dir, 2, 100**kills)
	for range (*kills + 1) / 2 {
		time.Sleep(300 * time.Millisecond)
		i := leader()
		require.NoError(t, servers[i].Process.Signal(syscall.SIGKILL))
		servers[i].Wait()
		servers[i] = serverProcess(t, configs[i])
	}
	<-ended
	revs, vs, failed := acknowledged(t, s, dir)
	require.NotZero(t, revs)
	total := len(revisions(t, s))
	require.LessOrEqual(t, total-revs, 2*failed)
	t.Logf("%d kills of the leader: %d revisions and %d violations acknowledged, %d calls failed; the store has %d revisions", (*kills+1)/2, revs, vs, failed, total)
}

// A follower learns of a change in another process, and goes on when the server
// comes back.
func TestFollow(t *testing.T) {
	c := serverConfig{Dir: t.TempDir(), Port: freePort(t)}
	srv := serverProcess(t, c)
	url, name := urlOf(c.Port), newName()
	writer, err := normsync.Open(t.Context(), openStore(t, url, name, nil), nil)
	require.NoError(t, err)
	follower, err := normsync.Open(t.Context(), openStore(t, url, name, nil), nil)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	inForce := make(chan time.Time, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		edition := uint64(0)
		for revs, err := range follower.Follow(ctx) {
			if err != nil {
				continue // the server is away
			}
			for _, r := range revs {
				edition++
				if r.Edition != edition {
					t.Errorf("edition %d after %d", r.Edition, edition-1)
				}
				inForce <- time.Now()
			}
		}
	}()
	times := make([]time.Duration, *latency)
	for i := range times {
		_, err := writer.Apply(t.Context(), normsync.Enact(forbid(fmt.Sprint("norm ", i), "attack")))
		require.NoError(t, err)
		applied := time.Now()
		times[i] = (<-inForce).Sub(applied)
	}
	slices.Sort(times)
	t.Logf("from Apply in one connection to in force by another: p50 %v, p99 %v of %d", times[len(times)/2], times[len(times)*99/100], len(times))

	require.NoError(t, srv.Process.Signal(syscall.SIGKILL))
	srv.Wait()
	serverProcess(t, c)
	require.Eventually(t, func() bool {
		_, err := writer.Apply(t.Context(), normsync.Enact(forbid("after the kill", "attack")))
		return err == nil
	}, 20*time.Second, 50*time.Millisecond)
	<-inForce
	stop()
	<-ended
}
