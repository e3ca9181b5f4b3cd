package normsync_test

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

const (
	revisionsName  = "revisions.jsonl"
	violationsName = "violations-00000000000000000001.jsonl"
)

// fileContents returns the files of a directory by their names.
func fileContents(t testing.TB, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	all := map[string]string{}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		all[e.Name()] = string(b)
	}
	return all
}

// fileDir makes a directory of the given files.
func fileDir(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	return dir
}

// fileRead opens a store and reads all of it.
func fileRead(t testing.TB, dir string, o *normsync.FileOptions) (revs []normsync.Revision, vs []normsync.Violation, err error) {
	t.Helper()
	s, err := normsync.OpenFile(dir, o)
	if err != nil {
		return nil, nil, err
	}
	defer s.Close()
	for r, err := range s.Revisions(t.Context(), 0) {
		if err != nil {
			return nil, nil, err
		}
		revs = append(revs, r)
	}
	for v, err := range consecutive(s.Violations(t.Context(), 0)) {
		if err != nil {
			return nil, nil, err
		}
		vs = append(vs, v)
	}
	return revs, vs, nil
}

// Two norms in one Apply are one line. A flip in it leaves no whole line, as a
// crash during the very first Apply would.
func TestFileStoreRefusesAFlipThatWouldEmptyTheConstitution(t *testing.T) {
	for _, c := range []struct {
		name   string
		closed bool
		change func(files map[string]string) // besides the flip
	}{
		{"after a clean Close", true, nil},
		{"after a clean Close, and the seal is lost", true, func(files map[string]string) { delete(files, "seal.json") }},
		{"after a kill", false, nil},
		{"after a kill, with violations as version 0.1 wrote them", false, func(files map[string]string) {
			oldDir := t.TempDir()
			old := openFileStore(t, oldDir, nil) // without revisions, lines are of version 1
			require.NoError(t, old.AppendViolations(t.Context(), normsync.Violation{NormName: "n", Severity: normsync.SeverityWarn, Edition: 2}))
			files[violationsName] = fileContents(t, oldDir)[violationsName]
			require.Contains(t, files[violationsName], `{"v":1,`)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			s := openFileStore(t, dir, nil)
			m, err := normsync.Open(t.Context(), s, nil)
			require.NoError(t, err)
			_, err = m.Apply(t.Context(), normsync.Enact(normsync.Norm{Name: "a", Prohibited: "attack"}), normsync.Enact(normsync.Norm{Name: "b", Prohibited: "steal"}))
			require.NoError(t, err)
			vs := make([]normsync.Violation, 1000)
			for i := range vs {
				vs[i] = normsync.Violation{NormName: "a", Severity: normsync.SeverityWarn, Edition: 2, Action: normsync.Action{Verb: "attack"}}
			}
			require.NoError(t, s.AppendViolations(t.Context(), vs...))
			if c.closed {
				require.NoError(t, s.Close())
			}
			files := fileContents(t, dir)
			if c.change != nil {
				c.change(files)
			}
			b := []byte(files[revisionsName])
			b[len(b)/2] ^= 1
			files[revisionsName] = string(b)
			dir = fileDir(t, files)
			for _, o := range []*normsync.FileOptions{nil, {ReadOnly: true}} {
				_, err := normsync.OpenFile(dir, o)
				var ce *normsync.CorruptError
				require.ErrorAs(t, err, &ce)
				require.Equal(t, normsync.CorruptError{Path: filepath.Join(dir, revisionsName), Line: 1, Err: ce.Err}, *ce)
				require.Equal(t, files, fileContents(t, dir), "no byte is changed")
			}
		})
	}
}

// fileSmall returns the files of a store of several segments, closed or as a kill leaves it.
func fileSmall(t *testing.T, closed bool) map[string]string {
	dir := t.TempDir()
	s := openFileStore(t, dir, &normsync.FileOptions{SegmentBytes: 1200})
	for i := range 2 {
		require.NoError(t, s.AppendRevisions(t.Context(), fileRevisions(uint64(2*i+1), uint64(2*i+2))...))
		require.NoError(t, s.AppendViolations(t.Context(), fileViolations(2*i, 2*i+1)...))
	}
	if closed {
		require.NoError(t, s.Close())
	}
	files := fileContents(t, dir)
	require.GreaterOrEqual(t, len(files), 3)
	return files
}

func TestFileStoreRefusesAnyDamageAfterAClose(t *testing.T) {
	t.Parallel()
	files := fileSmall(t, true)
	dir := t.TempDir()
	refused := func(i int, what string) {
		for _, o := range []*normsync.FileOptions{{ReadOnly: true}, {}} {
			if i%10 > 0 && !o.ReadOnly {
				continue // it takes longer
			}
			before := fileContents(t, dir)
			_, _, err := fileRead(t, dir, o)
			require.ErrorAs(t, err, new(*normsync.CorruptError), "%s, %+v", what, *o)
			after := fileContents(t, dir)
			require.Equal(t, before, after, "no byte is changed: %s, %+v", what, *o)
		}
	}
	restore := func() {
		for name, content := range files {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
		}
	}
	restore()
	for name, content := range files {
		path := filepath.Join(dir, name)
		for i := range len(content) {
			bad := []byte(content)
			bad[i] ^= 1 << (i % 8)
			require.NoError(t, os.WriteFile(path, bad, 0o600))
			refused(i, fmt.Sprintf("byte %d of %s flipped", i, name))
			require.NoError(t, os.WriteFile(path, []byte(content[:i]), 0o600))
			refused(i, fmt.Sprintf("%s cut to %d bytes", name, i))
		}
		require.NoError(t, os.Remove(path))
		if name != "seal.json" {
			refused(0, name+" is missing")
		}
		restore()
	}
	_, _, err := fileRead(t, dir, nil)
	require.NoError(t, err)
}

// Without a seal, damage is refused or takes away only what no other line
// vouches for.
func TestFileStoreDamageAfterAKill(t *testing.T) {
	t.Parallel()
	files := fileSmall(t, false)
	require.NotContains(t, files, "seal.json")
	opened := 0
	for name, content := range files {
		for i := 0; i < len(content); i += 7 {
			for what, bad := range map[string]string{
				"flipped": content[:i] + string(content[i]^1) + content[i+1:],
				"cut":     content[:i],
			} {
				broken := map[string]string{}
				for n, c := range files {
					broken[n] = c
				}
				broken[name] = bad
				dir := fileDir(t, broken)
				revs, vs, err := fileRead(t, dir, &normsync.FileOptions{SegmentBytes: 1200})
				if err != nil {
					require.ErrorAs(t, err, new(*normsync.CorruptError), "%s at %d of %s", what, i, name)
					after := fileContents(t, dir)
					delete(after, "seal.json") // if the damage is in an older segment, the store was open
					require.Equal(t, broken, after)
					continue
				}
				opened++
				// Every revision is vouched for by a violation that was stored
				// after it.
				require.Equal(t, fileRevisions(1, 4), revs, "%s at %d of %s", what, i, name)
				require.Equal(t, fileViolations(0, 3)[:len(vs)], vs)
			}
		}
	}
	require.Positive(t, opened, "the last violation may be a torn tail")
}

func TestFileStoreOfVersion01IsSealedByClose(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/store-0.1")))
	revs, vs, err := fileRead(t, dir, nil)
	require.NoError(t, err)
	require.NotEmpty(t, revs)
	require.Contains(t, fileContents(t, dir), "seal.json")
	again, vs2, err := fileRead(t, dir, &normsync.FileOptions{ReadOnly: true})
	require.NoError(t, err)
	require.Equal(t, revs, again)
	require.Equal(t, vs, vs2)
	require.NoError(t, os.Truncate(filepath.Join(dir, revisionsName), 0))
	_, _, err = fileRead(t, dir, nil)
	require.ErrorAs(t, err, new(*normsync.CorruptError))
}

// A process that is killed at any time after it has opened a sealed store leaves
// a store that opens.
func TestFileStoreSealDoesNotCallAKillDamage(t *testing.T) {
	dir := t.TempDir()
	o := &normsync.FileOptions{SegmentBytes: 1200, MaxBytes: 6000}
	check := func() {
		t.Helper()
		files := fileContents(t, dir)
		for _, ro := range []bool{false, true} {
			_, _, err := fileRead(t, fileDir(t, files), &normsync.FileOptions{SegmentBytes: 1200, ReadOnly: ro})
			require.NoError(t, err)
		}
		for name, content := range files {
			if strings.HasSuffix(name, ".jsonl") {
				files[name] = content + "{"
			}
		}
		segments := slices.Sorted(func(yield func(string) bool) {
			for name := range files {
				if strings.HasPrefix(name, "violations") && !yield(name) {
					return
				}
			}
		})
		for _, name := range segments[:len(segments)-1] {
			files[name] = strings.TrimSuffix(files[name], "{")
		}
		_, _, err := fileRead(t, fileDir(t, files), &normsync.FileOptions{SegmentBytes: 1200})
		require.NoError(t, err, "torn tails")
	}
	edition := uint64(0)
	for range 3 {
		s := openFileStore(t, dir, o)
		check()
		for range 4 {
			edition++
			require.NoError(t, s.AppendRevisions(t.Context(), fileRevision(edition)))
			check()
			v := fileViolation(1)
			v.Edition = edition
			require.NoError(t, s.AppendViolations(t.Context(), v, v, v))
			check()
		}
		require.NoError(t, s.Close())
		check()
	}
	require.NotContains(t, fileContents(t, dir), violationsName, "old segments were deleted")
}

// docs/stores.md recommends this order for a copy of a store that is open.
func TestFileStoreCopiedInOrderWhileItIsWrittenToOpens(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	store, err := normsync.OpenFile(dir, &normsync.FileOptions{SegmentBytes: 4 << 10})
	require.NoError(t, err)
	require.NoError(t, store.Close()) // writes a seal
	store, err = normsync.OpenFile(dir, &normsync.FileOptions{SegmentBytes: 4 << 10})
	require.NoError(t, err)
	m, err := normsync.Open(ctx, store, nil)
	require.NoError(t, err)
	var applied atomic.Int64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 1; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			_, err := m.Apply(ctx, normsync.Enact(normsync.Norm{Name: fmt.Sprint("n", i), Prohibited: "attack"}))
			if !assert.NoError(t, err) || !assert.NoError(t, store.AppendViolations(ctx, m.Check(normsync.Action{Agent: "hero", Verb: "attack"})[:1]...)) {
				return
			}
			applied.Store(int64(i))
		}
	}()
	for range 30 {
		before, to := applied.Load(), t.TempDir()
		for _, pattern := range []string{"seal.json", "violations-*.jsonl", "revisions.jsonl"} {
			names, err := filepath.Glob(filepath.Join(dir, pattern))
			require.NoError(t, err)
			for _, name := range names {
				text, err := os.ReadFile(name)
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(filepath.Join(to, filepath.Base(name)), text, 0o600))
			}
		}
		backup, err := normsync.OpenFile(to, nil)
		require.NoError(t, err)
		m, err := normsync.Open(ctx, backup, nil)
		require.NoError(t, err)
		require.GreaterOrEqual(t, int64(m.Constitution().Edition()), before)
		violations := int64(0)
		for _, err := range backup.Violations(ctx, 0) {
			require.NoError(t, err)
			violations++
		}
		require.GreaterOrEqual(t, violations, before)
		require.NoError(t, backup.Close())
	}
	close(stop)
	<-stopped
	require.NoError(t, store.Close())
}

// cp -r takes the revisions first and the violations later.
func TestFileStoreHotCopySaysHowToGoOn(t *testing.T) {
	dir := t.TempDir()
	s := openFileStore(t, dir, nil)
	require.NoError(t, s.AppendRevisions(t.Context(), fileRevision(1)))
	old := fileContents(t, dir)
	require.NoError(t, s.AppendRevisions(t.Context(), fileRevision(2)))
	v := fileViolation(2)
	require.NoError(t, s.AppendViolations(t.Context(), v))
	files := fileContents(t, dir)
	files[revisionsName] = old[revisionsName]
	dir = fileDir(t, files)
	_, err := normsync.OpenFile(dir, nil)
	var ce *normsync.CorruptError
	require.ErrorAs(t, err, &ce)
	require.ErrorContains(t, err, "copy it again when the store is closed, or move the copied violations elsewhere")
	require.Equal(t, files, fileContents(t, dir))
	only := openFileStore(t, dir, &normsync.FileOptions{RevisionsOnly: true})
	require.Equal(t, fileRevisions(1, 1), all(t, only.Revisions(t.Context(), 0)))
	require.NoError(t, only.Close())
	require.NoError(t, os.Remove(filepath.Join(dir, violationsName)))
	revs, vs, err := fileRead(t, dir, nil)
	require.NoError(t, err)
	require.Equal(t, fileRevisions(1, 1), revs)
	require.Empty(t, vs)
}

func TestFileStoreRefusesGarbageBehindAnOlderSegment(t *testing.T) {
	dir := t.TempDir()
	s := openFileStore(t, dir, &normsync.FileOptions{SegmentBytes: 1000})
	for i := range 20 {
		require.NoError(t, s.AppendViolations(t.Context(), fileViolation(i)))
	}
	require.NoError(t, s.Close())
	segments, err := filepath.Glob(filepath.Join(dir, "violations-*.jsonl"))
	require.NoError(t, err)
	require.Greater(t, len(segments), 2)
	f, err := os.OpenFile(segments[0], os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(strings.Repeat("garbage\n", 3))
	require.NoError(t, err)
	require.NoError(t, f.Close())

	var damage *normsync.CorruptError
	s, err = normsync.OpenFile(dir, &normsync.FileOptions{ReadOnly: true})
	if err == nil {
		defer s.Close()
		for _, err = range s.Violations(t.Context(), 0) {
		}
	}
	require.ErrorAs(t, err, &damage)
	require.Equal(t, segments[0], damage.Path)
}

var kills = flag.Int("kills", 20, "how often TestFileStoreKill kills a process that writes")

const killDir = "NORMSYNC_TEST_KILL_DIR"

// TestFileStoreKilled is the process that TestFileStoreKill starts and kills:
// goroutines that append and say so, once it is acknowledged, on the output.
func TestFileStoreKilled(t *testing.T) {
	dir := os.Getenv(killDir)
	if dir == "" {
		t.Skip("TestFileStoreKill runs it")
	}
	s, err := normsync.OpenFile(dir, &normsync.FileOptions{SegmentBytes: 20000})
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
				var vs []normsync.Violation
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
				_, err := normsync.OpenFile(dir, nil)
				require.ErrorIs(t, err, normsync.ErrLocked, "while another process writes")
				all(t, consecutive(openFileStore(t, dir, &normsync.FileOptions{ReadOnly: true}).Violations(t.Context(), 0)))
			}
		}
		cmd.Wait()
		fileCheckKilled(t, dir, violations, revision)
	}
	t.Logf("%d kills, %d acknowledgements", *kills, total)
}

func fileCheckKilled(t *testing.T, dir string, acknowledged map[string]bool, revision uint64) {
	s, err := normsync.OpenFile(dir, nil)
	require.NoError(t, err)
	batches := map[string]int{}
	last := uint64(0)
	for _, r := range all(t, s.Revisions(t.Context(), 0)) {
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
	for _, v := range all(t, consecutive(s.Violations(t.Context(), 0))) {
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
