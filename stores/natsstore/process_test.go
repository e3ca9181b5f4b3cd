package natsstore_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/stores/natsstore"
)

var (
	applies = flag.Int("applies", 10, "Applies of each of the eight processes; the full test has 250")
	kills   = flag.Int("kills", 3, "kills of the server; the full test has 20")
	latency = flag.Int("latency", 20, "Applies that a follower is timed over; the full test has 500")
)

func TestEightProcesses(t *testing.T) {
	srv := startServer(t, serverConfig{Dir: t.TempDir(), Port: -1})
	name := newName()
	ws := startWriters(t, srv.ClientURL(), name, 8, *applies)
	awaitEnd(t, ws)
	s := openStore(t, srv.ClientURL(), name, nil)
	revs, vs, failed := acknowledged(t, s, ws)
	require.Equal(t, []int{8 * *applies * 2, 8 * *applies, 0}, []int{revs, vs, failed})
	require.Len(t, revisions(t, s), revs, "none lost, none twice")
	t.Logf("%d Applies of 8 processes, %d revisions", 8**applies, revs)
}

// The server is killed in the middle of Applies and violations.
func TestKilledServer(t *testing.T) {
	c := serverConfig{Dir: t.TempDir(), Port: freePort(t)}
	srv := serverProcess(t, c)
	url, name := urlOf(c.Port), newName()
	s := openStore(t, url, name, nil)
	ws := startWriters(t, url, name, 2, 0)
	for range *kills {
		goOn(t, ws)
		srv.kill(t)
		srv = serverProcess(t, c)
	}
	goOn(t, ws)
	endWriters(t, ws)
	checkKilled(t, s, ws)
}

// checkKilled compares a store with what was said by writers whose server was killed.
func checkKilled(t *testing.T, s normsync.Store, ws []*process) {
	t.Helper()
	revs, vs, failed := acknowledged(t, s, ws)
	require.NotZero(t, revs)
	require.NotZero(t, vs)
	total := len(revisions(t, s))
	require.LessOrEqual(t, total-revs, 2*failed, "only what a failed Apply made is there beyond what was acknowledged")
	t.Logf("%d revisions and %d violations acknowledged, %d Applies failed; the store has %d revisions", revs, vs, failed, total)
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
	var servers []*process
	for i := range configs {
		configs[i].Routes = strings.Join(routes, ",")
		servers = append(servers, serverProcess(t, configs[i]))
	}
	url, name := strings.Join(urls, ","), newName()
	var s *natsstore.Store
	require.Eventually(t, func() (ok bool) {
		var err error
		s, err = natsstore.Open(context.Background(), url, name, &natsstore.Options{Replicas: 3})
		return err == nil
	}, limit, 100*time.Millisecond, "the cluster elects a leader")
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
		}, limit, 100*time.Millisecond, "the stream has a leader")
		return i
	}
	ws := startWriters(t, url, name, 2, 0)
	for range (*kills + 1) / 2 {
		goOn(t, ws)
		i := leader()
		servers[i].kill(t)
		servers[i] = serverProcess(t, configs[i])
	}
	goOn(t, ws)
	endWriters(t, ws)
	checkKilled(t, s, ws)
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
				select {
				case inForce <- time.Now():
				case <-ctx.Done():
				}
			}
		}
	}()
	times := make([]time.Duration, *latency)
	for i := range times {
		_, err := writer.Apply(t.Context(), normsync.Enact(forbid(fmt.Sprint("norm ", i), "attack")))
		require.NoError(t, err)
		applied := time.Now()
		times[i] = receive(t, inForce, "the change is in force").Sub(applied)
	}
	slices.Sort(times)
	t.Logf("from Apply in one connection to in force by another: p50 %v, p99 %v of %d", times[len(times)/2], times[len(times)*99/100], len(times))

	srv.kill(t)
	serverProcess(t, c)
	_, err = writer.Apply(t.Context(), normsync.Enact(forbid("after the kill", "attack")))
	require.NoError(t, err)
	receive(t, inForce, "the change after the kill is in force")
	stop()
	receive(t, ended, "Follow ends")
}
