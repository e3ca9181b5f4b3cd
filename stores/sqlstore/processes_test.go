package sqlstore_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/stores/sqlstore/internal/pgserver"
)

var (
	applies     = flag.Int("applies", 10, "how many changes each of eight processes applies")
	kills       = flag.Int("kills", 6, "how often a process that writes to SQLite is killed")
	serverKills = flag.Int("serverkills", 3, "how often the server of PostgreSQL is killed")
)

func TestEightProcessesApplyAtOnce(t *testing.T) {
	eachEngine(t, func(t *testing.T, place string) {
		const processes = 8
		editions := processes * *applies
		start := time.Now()
		var ps []*process
		for i := range processes { // none of which finds the tables there
			ps = append(ps, startRole(t, "apply", place, fmt.Sprint("process ", i), fmt.Sprint(*applies), fmt.Sprint(editions)))
		}
		awaitEnd(t, ps)
		t.Logf("%d editions in %v", editions, time.Since(start))

		s := mustOpen(t, place)
		seen := map[string]int{}
		for i, r := range all(t, s.Revisions(t.Context(), 0)) {
			require.Equal(t, uint64(i)+1, r.Edition)
			seen[r.Norm.Name]++
		}
		require.Len(t, seen, editions)
		for name, n := range seen {
			require.Equal(t, 1, n, name)
		}
		m, err := normsync.Open(t.Context(), s, nil)
		require.NoError(t, err)
		for _, p := range ps {
			require.Equal(t, []string{fingerprint(m.Constitution())}, p.out.from(0))
		}
	})
}

// Processes that begin at the same moment create the tables once.
func TestManyProcessesOpenANewStoreAtOnce(t *testing.T) {
	for range 10 {
		eachEngine(t, func(t *testing.T, place string) {
			const openers = 12
			opened := make(chan error, openers)
			for range openers {
				go func() {
					s, err := open(context.Background(), place)
					if err == nil {
						err = s.Close()
					}
					opened <- err
				}()
			}
			for range openers {
				require.NoError(t, receive(t, opened, "the store is open"))
			}
		})
	}
}

// batches are what processes of the role "write" said, by outcome and batch.
type batches map[string]map[string]bool

func (b batches) add(line string) bool {
	outcome, batch, ok := strings.Cut(line, " ")
	if !ok || b[outcome] == nil {
		return false
	}
	b[outcome][batch] = true
	return true
}

func newBatches() batches { return batches{"stored": {}, "failed": {}, "unknown": {}} }

// check compares a store with what was said: each batch that is there is whole,
// all that were stored are there, and none that failed.
func (b batches) check(t *testing.T, place string) {
	t.Helper()
	s := mustOpen(t, place)
	found := map[string]int{}
	// The server may still be carrying out a COMMIT of a writer that was killed.
	revs := all(t, s.Revisions(t.Context(), 0))
	for _, r := range revs {
		require.Equal(t, fmt.Sprintf("%s %d", r.By, found[r.By]), r.Norm.Name)
		found[r.By]++
	}
	c, err := normsync.AtEdition(t.Context(), s, uint64(len(revs))) // checks that the log is a chain
	require.NoError(t, err)
	require.Equal(t, len(revs), c.Len())
	for i, v := range all(t, s.Violations(t.Context(), 0)) {
		require.Equal(t, uint64(i)+1, v.Number)
		require.Equal(t, fmt.Sprint(found[v.Action.Agent]), v.Action.Target)
		found[v.Action.Agent]++
	}
	for batch, n := range found {
		require.Equal(t, batch[strings.LastIndexByte(batch, '-')+1:], fmt.Sprint(n), "batch %s is not whole", batch)
		require.NotContains(t, b["failed"], batch, "a batch that failed is there")
	}
	for batch := range b["stored"] {
		require.Contains(t, found, batch, "a batch that was acknowledged is lost")
	}
	require.NoError(t, s.Close())
}

func TestKilledWriterLosesNothing(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	place, said, total := "", newBatches(), 0
	for i := range *kills {
		if i == 0 || random.IntN(10) == 0 { // a new store, so that checking stays quick
			place, said = "sqlite "+filepath.Join(t.TempDir(), "world.db"), newBatches()
		}
		p := startRole(t, "write", place)
		left := 1 + random.IntN(60)
		await(t, []*process{p}, "the process says a number of lines", func() bool { return p.out.count() >= left })
		p.kill(t) // what it has said by now still counts
		for _, line := range p.out.from(0) {
			require.True(t, said.add(line), line)
			total++
		}
		said.check(t, place)
	}
	t.Logf("%d kills, %d batches acknowledged", *kills, total)
}

func TestKilledServerLosesNothing(t *testing.T) {
	server := postgresServer(t, pgserver.Start) // one of its own
	defer func() { require.NoError(t, server.Remove()) }()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	place, said := "postgres "+newSchema(t, server), newBatches()
	require.NoError(t, mustOpen(t, place).Close())
	var writers []*process
	for range 2 {
		writers = append(writers, startRole(t, "write", place))
	}
	heard := make([]int, len(writers)) // how many lines of each are in said
	listen := func() {
		for i, w := range writers {
			for _, line := range w.out.from(heard[i]) {
				require.True(t, said.add(line), line)
				heard[i]++
			}
		}
	}
	// goOn waits until n more batches are stored.
	goOn := func(n int) {
		listen()
		n += len(said["stored"])
		await(t, writers, "more batches are stored", func() bool {
			listen()
			return len(said["stored"]) >= n
		})
	}
	for _, w := range writers {
		w.line(t, 0) // it has opened the store
	}
	for range *serverKills {
		goOn(1 + random.IntN(100))
		server.Kill()
		require.NoError(t, server.Restart())
		goOn(50) // the writers go on with the store that they have
	}
	for _, w := range writers {
		w.hasEnded(t)
		w.kill(t)
	}
	listen()
	said.check(t, place)
	require.NotEmpty(t, said["failed"])
	t.Logf("%d kills, batches: %d stored, %d failed, %d unknown", *serverKills, len(said["stored"]), len(said["failed"]), len(said["unknown"]))
}

// follower starts a process that follows.
func follower(t testing.TB, place string) *process {
	t.Helper()
	p := startRole(t, "follow", place)
	require.Equal(t, "ready 0", p.line(t, 0))
	return p
}

func TestFollowBringsRevisionsInForceInAnotherProcess(t *testing.T) {
	eachEngine(t, func(t *testing.T, place string) {
		m, err := normsync.Open(t.Context(), mustOpen(t, place), nil)
		require.NoError(t, err)
		p := follower(t, place)
		for i := range 10 {
			_, err := m.Apply(t.Context(), enact(fmt.Sprint("norm ", i), ""))
			require.NoError(t, err)
			line := p.line(t, i+1)
			require.True(t, strings.HasPrefix(line, fmt.Sprintf("force %d ", i+1)), line)
		}
	})
}
