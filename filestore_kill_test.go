package normsync

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var kills = flag.Int("kills", 20, "how often TestFileStoreKill kills a process that writes")

const killDir = "NORMSYNC_TEST_KILL_DIR"

// TestFileStoreKilled is the process that TestFileStoreKill starts and kills:
// goroutines that append and say so, once it is acknowledged, on the output.
func TestFileStoreKilled(t *testing.T) {
	dir := os.Getenv(killDir)
	if dir == "" {
		t.Skip("TestFileStoreKill runs it")
	}
	s, err := OpenFile(dir, &FileOptions{SegmentBytes: 20000})
	require.NoError(t, err)
	var edition atomic.Uint64
	for r, err := range s.Revisions(t.Context(), 0) {
		require.NoError(t, err)
		edition.Store(r.Edition)
	}
	born := os.Getpid() // distinguishes the records of this process from those of the others
	var out sync.Mutex
	said := func(format string, args ...any) {
		out.Lock()
		defer out.Unlock()
		fmt.Fprintf(os.Stdout, format+"\n", args...)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 1; ; n = n%5 + 1 {
			e := edition.Load()
			revs := fileRevisions(e+1, e+uint64(n))
			for i := range revs {
				revs[i].By = fmt.Sprintf("batch %d of %d", e+1, n)
			}
			require.NoError(t, s.AppendRevisions(t.Context(), revs...))
			edition.Add(uint64(n))
			said("revision %d", e+uint64(n))
		}
	})
	for g := range 4 {
		wg.Go(func() {
			for n := 0; ; n++ {
				var vs []Violation
				var names []string
				for i := range 1 + n%3 {
					v := fileViolation(n)
					v.Edition = edition.Load()
					v.Action.Agent = fmt.Sprintf("%d-%d-%d-%d", born, g, n, i)
					v.Action.Target = strings.Repeat("x", n%200)
					vs, names = append(vs, v), append(names, "violation "+v.Action.Agent)
				}
				require.NoError(t, s.AppendViolations(t.Context(), vs...))
				said("%s", strings.Join(names, "\n"))
			}
		})
	}
	wg.Wait()
}

// A process that is killed at any moment leaves a store that opens, holds
// everything that it said was acknowledged, once and in order, and nothing half.
func TestFileStoreKill(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	dir := filepath.Join(t.TempDir(), "store")
	exe, err := os.Executable()
	require.NoError(t, err)
	violations, revision, total := map[string]bool{}, uint64(0), 0
	for range *kills {
		if random.IntN(10) == 0 { // another store, so that checking stays short
			require.NoError(t, os.RemoveAll(dir))
			violations, revision = map[string]bool{}, 0
		}
		cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestFileStoreKilled$")
		cmd.Env = append(os.Environ(), killDir+"="+dir)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		left := random.IntN(100)
		killed := false
		for sc := bufio.NewScanner(out); sc.Scan(); left-- {
			if left <= 0 && !killed {
				killed = true
				cmd.Process.Kill() // what it has said by now still counts
			}
			var e uint64
			if n, _ := fmt.Sscanf(sc.Text(), "revision %d", &e); n == 1 {
				revision = max(revision, e)
			} else if name, ok := strings.CutPrefix(sc.Text(), "violation "); ok {
				violations[name] = true
			} else {
				require.NotContains(t, sc.Text(), "Error", "%s", stderr.String())
				continue
			}
			if total++; total%100 == 1 && !killed {
				_, err := OpenFile(dir, nil)
				require.ErrorIs(t, err, ErrLocked, "while another process writes")
				fileGather(t, consecutive(openFileStore(t, dir, &FileOptions{ReadOnly: true}).Violations(t.Context(), 0)))
			}
		}
		cmd.Wait()
		fileCheckKilled(t, dir, violations, revision)
	}
	t.Logf("%d kills, %d acknowledgements", *kills, total)
}

func fileCheckKilled(t *testing.T, dir string, acknowledged map[string]bool, revision uint64) {
	s, err := OpenFile(dir, nil)
	require.NoError(t, err)
	batches := map[string]int{}
	last := uint64(0)
	for _, r := range fileGather(t, s.Revisions(t.Context(), 0)) {
		require.Equal(t, last+1, r.Edition)
		last = r.Edition
		batches[r.By]++
		want := fileRevision(r.Edition)
		want.By = r.By
		require.Equal(t, want, r)
	}
	require.GreaterOrEqual(t, last, revision, "an acknowledged revision is lost")
	for by, n := range batches {
		var first, of int
		_, err := fmt.Sscanf(by, "batch %d of %d", &first, &of)
		require.NoError(t, err)
		require.Equal(t, of, n, "half a batch: %s", by)
	}
	seen, next := map[string]bool{}, map[string]int{}
	for _, v := range fileGather(t, consecutive(s.Violations(t.Context(), 0))) {
		var born, g, n, i int
		_, err := fmt.Sscanf(v.Action.Agent, "%d-%d-%d-%d", &born, &g, &n, &i)
		require.NoError(t, err)
		require.False(t, seen[v.Action.Agent], "twice: %s", v.Action.Agent)
		seen[v.Action.Agent] = true
		who := fmt.Sprint(born, g)
		require.GreaterOrEqual(t, n, next[who], "out of order: %s", v.Action.Agent)
		next[who] = n
		require.Len(t, v.Action.Target, n%200)
	}
	for name := range acknowledged {
		require.True(t, seen[name], "an acknowledged violation is lost: %s", name)
	}
	require.NoError(t, s.Close())
}
