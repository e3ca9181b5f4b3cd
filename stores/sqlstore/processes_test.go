package sqlstore_test

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/stores/sqlstore/internal/pgserver"
)

var (
	applies     = flag.Int("applies", 20, "how many changes each of eight processes applies")
	kills       = flag.Int("kills", 10, "how often a process that writes to SQLite is killed")
	serverKills = flag.Int("serverkills", 3, "how often the server of PostgreSQL is killed")
)

func TestEightProcessesApplyAtOnce(t *testing.T) {
	eachEngine(t, func(t *testing.T, place string) {
		const processes = 8
		editions := processes * *applies
		start := time.Now()
		var outs [processes]bytes.Buffer
		ended := make(chan error, processes)
		for i := range processes { // none of which finds the tables there
			cmd := startRole(t, "apply", place, fmt.Sprint("process ", i), fmt.Sprint(*applies), fmt.Sprint(editions))
			cmd.Stdout = &outs[i]
			require.NoError(t, cmd.Start())
			go func() { ended <- cmd.Wait() }()
		}
		for range processes {
			require.NoError(t, <-ended) // the end of the test kills the others
		}
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
		for i := range outs {
			require.Equal(t, fingerprint(m.Constitution())+"\n", outs[i].String())
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
				require.NoError(t, <-opened)
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
		cmd := startRole(t, "write", place)
		cmd.Stderr = nil
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		left := random.IntN(60)
		for sc := bufio.NewScanner(out); sc.Scan(); left-- {
			if left == 0 {
				cmd.Process.Kill() // what it has said by now still counts
			}
			require.True(t, said.add(sc.Text()), sc.Text())
			total++
		}
		cmd.Wait()
		require.LessOrEqual(t, left, 0, "the process ended by itself")
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
	var writers []*exec.Cmd
	lines := make(chan string)
	var reading sync.WaitGroup
	for range 2 {
		cmd := startRole(t, "write", place)
		cmd.Stderr = nil
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		writers = append(writers, cmd)
		reading.Go(func() {
			for sc := bufio.NewScanner(out); sc.Scan(); {
				lines <- sc.Text()
			}
		})
	}
	go func() { reading.Wait(); close(lines) }()
	// listen takes in what the writers say until n more batches are stored.
	listen := func(n int) {
		for n > 0 {
			line, ok := <-lines
			require.True(t, ok, "the writers have ended")
			require.True(t, said.add(line), line)
			if strings.HasPrefix(line, "stored ") {
				n--
			}
		}
	}
	for range *serverKills {
		listen(1 + random.IntN(200))
		killed := make(chan error)
		go func() {
			server.Kill()
			killed <- server.Restart()
		}()
		for restarted := false; !restarted; {
			select {
			case line := <-lines:
				require.True(t, said.add(line), line)
			case err := <-killed:
				require.NoError(t, err)
				restarted = true
			}
		}
		listen(50) // the writers go on with the store that they have
	}
	for _, cmd := range writers {
		cmd.Process.Kill()
	}
	for line := range lines {
		said.add(line)
	}
	for _, cmd := range writers {
		cmd.Wait()
	}
	said.check(t, place)
	require.NotEmpty(t, said["failed"])
	t.Logf("%d kills, batches: %d stored, %d failed, %d unknown", *serverKills, len(said["stored"]), len(said["failed"]), len(said["unknown"]))
}

// follower starts a process that follows, and returns its lines.
func follower(t testing.TB, place string) *bufio.Scanner {
	t.Helper()
	cmd := startRole(t, "follow", place)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		io.Copy(io.Discard, out)
		cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan())
	require.Equal(t, "ready 0", lines.Text())
	return lines
}

func TestFollowBringsRevisionsInForceInAnotherProcess(t *testing.T) {
	eachEngine(t, func(t *testing.T, place string) {
		m, err := normsync.Open(t.Context(), mustOpen(t, place), nil)
		require.NoError(t, err)
		lines := follower(t, place)
		for i := range 10 {
			_, err := m.Apply(t.Context(), enact(fmt.Sprint("norm ", i), ""))
			require.NoError(t, err)
			require.True(t, lines.Scan())
			require.True(t, strings.HasPrefix(lines.Text(), fmt.Sprintf("force %d ", i+1)), lines.Text())
		}
	})
}
