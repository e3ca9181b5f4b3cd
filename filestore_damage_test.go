package normsync

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
func fileRead(t testing.TB, dir string, o *FileOptions) (revs []Revision, vs []Violation, err error) {
	t.Helper()
	s, err := OpenFile(dir, o)
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
			old := openFileStore(t, t.TempDir(), nil) // without revisions, lines are of version 1
			require.NoError(t, old.AppendViolations(t.Context(), Violation{NormName: "n", Severity: SeverityWarn, Edition: 2}))
			files[violationsName] = fileContents(t, old.dirName(t))[violationsName]
			require.Contains(t, files[violationsName], `{"v":1,`)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			s := openFileStore(t, dir, nil)
			m, err := Open(t.Context(), s, nil)
			require.NoError(t, err)
			_, err = m.Apply(t.Context(), Enact(Norm{Name: "a", Prohibited: "attack"}), Enact(Norm{Name: "b", Prohibited: "steal"}))
			require.NoError(t, err)
			vs := make([]Violation, 1000)
			for i := range vs {
				vs[i] = Violation{NormName: "a", Severity: SeverityWarn, Edition: 2, Action: Action{Verb: "attack"}}
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
			for _, o := range []*FileOptions{nil, {ReadOnly: true}} {
				_, err := OpenFile(dir, o)
				var ce *CorruptError
				require.ErrorAs(t, err, &ce)
				require.Equal(t, CorruptError{Path: filepath.Join(dir, revisionsName), Line: 1, Err: ce.Err}, *ce)
				require.Equal(t, files, fileContents(t, dir), "no byte is changed")
			}
		})
	}
}

// dirName returns the directory of a store.
func (s *FileStore) dirName(t *testing.T) string {
	t.Helper()
	return s.revisions.Dir
}

// A store of several segments, closed or as a kill leaves it.
func fileSmall(t *testing.T, closed bool) map[string]string {
	dir := t.TempDir()
	s := openFileStore(t, dir, &FileOptions{SegmentBytes: 1200})
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
		for _, o := range []*FileOptions{{ReadOnly: true}, {}} {
			if i%10 > 0 && !o.ReadOnly {
				continue // it takes longer
			}
			before := fileContents(t, dir)
			_, _, err := fileRead(t, dir, o)
			require.ErrorAs(t, err, new(*CorruptError), "%s, %+v", what, *o)
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
				revs, vs, err := fileRead(t, dir, &FileOptions{SegmentBytes: 1200})
				if err != nil {
					require.ErrorAs(t, err, new(*CorruptError), "%s at %d of %s", what, i, name)
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
	again, vs2, err := fileRead(t, dir, &FileOptions{ReadOnly: true})
	require.NoError(t, err)
	require.Equal(t, revs, again)
	require.Equal(t, vs, vs2)
	require.NoError(t, os.Truncate(filepath.Join(dir, revisionsName), 0))
	_, _, err = fileRead(t, dir, nil)
	require.ErrorAs(t, err, new(*CorruptError))
}

// A process that is killed at any time after it has opened a sealed store leaves
// a store that opens.
func TestFileStoreSealDoesNotCallAKillDamage(t *testing.T) {
	dir := t.TempDir()
	o := &FileOptions{SegmentBytes: 1200, MaxBytes: 6000}
	check := func() {
		t.Helper()
		files := fileContents(t, dir)
		for _, ro := range []bool{false, true} {
			_, _, err := fileRead(t, fileDir(t, files), &FileOptions{SegmentBytes: 1200, ReadOnly: ro})
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
		_, _, err := fileRead(t, fileDir(t, files), &FileOptions{SegmentBytes: 1200})
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

func TestStoredEditionIsThatOfTheViolation(t *testing.T) {
	for _, v := range []Violation{
		{}, {Edition: 1}, {Edition: 1<<64 - 1},
		{Edition: 7, NormName: `,"edition":9`, Advice: `","edition":9,`, Shadow: true},
		{Edition: 7, Action: Action{Agent: `x","edition":9`, Metadata: `{"a":1,"edition":9}`}},
		{Action: Action{Metadata: `{"a":1,"edition":9}`}},
	} {
		b, err := v.appendJSON(nil)
		require.NoError(t, err)
		require.Equal(t, v.Edition, storedEdition(b), "%s", b)
	}
	for _, text := range []string{"", "{}", `{,"edition":`, `{,"edition":}`, `{,"edition":-1,`, `{,"edition":99999999999999999999}`} {
		require.Zero(t, storedEdition([]byte(text)), text)
	}
}

// docs/stores.md recommends this order for a copy of a store that is open.
func TestFileStoreCopiedInOrderWhileItIsWrittenToOpens(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	store, err := OpenFile(dir, &FileOptions{SegmentBytes: 4 << 10})
	require.NoError(t, err)
	require.NoError(t, store.Close()) // writes a seal
	store, err = OpenFile(dir, &FileOptions{SegmentBytes: 4 << 10})
	require.NoError(t, err)
	m, err := Open(ctx, store, nil)
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
			_, err := m.Apply(ctx, Enact(Norm{Name: fmt.Sprint("n", i), Prohibited: "attack"}))
			if !assert.NoError(t, err) || !assert.NoError(t, store.AppendViolations(ctx, m.Check(Action{Agent: "hero", Verb: "attack"})[:1]...)) {
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
		backup, err := OpenFile(to, nil)
		require.NoError(t, err)
		m, err := Open(ctx, backup, nil)
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
	_, err := OpenFile(dir, nil)
	var ce *CorruptError
	require.ErrorAs(t, err, &ce)
	require.ErrorContains(t, err, "copy it again when the store is closed, or move the copied violations elsewhere")
	require.Equal(t, files, fileContents(t, dir))
	only := openFileStore(t, dir, &FileOptions{RevisionsOnly: true})
	require.Equal(t, fileRevisions(1, 1), fileGather(t, only.Revisions(t.Context(), 0)))
	require.NoError(t, only.Close())
	require.NoError(t, os.Remove(filepath.Join(dir, violationsName)))
	revs, vs, err := fileRead(t, dir, nil)
	require.NoError(t, err)
	require.Equal(t, fileRevisions(1, 1), revs)
	require.Empty(t, vs)
}

func TestFileStoreRevisionsOnly(t *testing.T) {
	for _, closed := range []bool{true, false} {
		for name, spoil := range map[string]func(files map[string]string){
			"violations that are sound": func(map[string]string) {},
			"a flipped byte in the last segment": func(files map[string]string) {
				files[lastSegment(files)] = "x" + files[lastSegment(files)][1:]
			},
			"a compressed segment": func(files map[string]string) {
				files[violationsName+".gz"] = "\x1f\x8b"
				delete(files, violationsName)
			},
			"a torn tail": func(files map[string]string) { files[lastSegment(files)] += "{" },
			"a newer format": func(files map[string]string) {
				files[lastSegment(files)] = `{"v":9,"n":1}` + "\n"
			},
		} {
			t.Run(fmt.Sprintf("%s, closed=%v", name, closed), func(t *testing.T) {
				files := fileSmall(t, closed)
				delete(files, "seal.json")
				if closed {
					files["seal.json"] = fileContents(t, fileDir(t, fileSmall(t, true)))["seal.json"]
				}
				spoil(files)
				dir := fileDir(t, files)
				violations := func() map[string]string {
					all := fileContents(t, dir)
					delete(all, revisionsName)
					delete(all, "seal.json")
					return all
				}
				before := violations()
				_, normal := OpenFile(dir, &FileOptions{ReadOnly: true})
				if normal != nil {
					require.ErrorAs(t, normal, new(*CorruptError))
					require.ErrorContains(t, normal, "open the store with FileOptions.RevisionsOnly")
				}
				for _, readOnly := range []bool{true, false} {
					s := openFileStore(t, dir, &FileOptions{RevisionsOnly: true, ReadOnly: readOnly, MaxBytes: 1})
					require.Equal(t, fileRevisions(1, 4), fileGather(t, s.Revisions(t.Context(), 0)))
					require.Empty(t, s.TornTails())
					err := s.AppendViolations(t.Context(), fileViolation(1))
					require.ErrorIs(t, err, errors.ErrUnsupported)
					require.ErrorContains(t, err, "RevisionsOnly")
					require.NoError(t, s.AppendViolations(t.Context()))
					for v, err := range consecutive(s.Violations(t.Context(), 0)) {
						require.ErrorIs(t, err, errors.ErrUnsupported)
						require.Zero(t, v)
					}
					done, cancel := context.WithCancel(t.Context())
					cancel()
					for _, err := range consecutive(s.Violations(done, 0)) {
						require.ErrorIs(t, err, context.Canceled)
					}
					if !readOnly {
						require.NoError(t, s.AppendRevisions(t.Context(), fileRevision(5)))
						_, err := OpenFile(dir, nil)
						require.ErrorIs(t, err, ErrLocked)
					}
					require.NoError(t, s.Close())
					require.ErrorIs(t, s.AppendViolations(t.Context(), fileViolation(1)), fs.ErrClosed)
					for _, err := range consecutive(s.Violations(t.Context(), 0)) {
						require.ErrorIs(t, err, fs.ErrClosed)
					}
					require.Equal(t, before, violations(), "no file of violations is touched")
				}
				// The revisions are sealed, and what is wrong with the violations
				// still is.
				_, err := OpenFile(dir, &FileOptions{ReadOnly: true})
				require.Equal(t, normal == nil, err == nil, "%v", err)
				require.NoError(t, os.Truncate(filepath.Join(dir, revisionsName), 0))
				_, err = OpenFile(dir, &FileOptions{RevisionsOnly: true})
				require.ErrorAs(t, err, new(*CorruptError))
				require.NotContains(t, err.Error(), "FileOptions.RevisionsOnly")
			})
		}
	}
}

func lastSegment(files map[string]string) (last string) {
	for name := range files {
		if strings.HasPrefix(name, "violations-") && strings.HasSuffix(name, ".jsonl") {
			last = max(last, name)
		}
	}
	return last
}

func TestFileStoreRevisionsOnlyDoesNotOpenWhatItMayNotRead(t *testing.T) {
	dir := fileDir(t, fileSmall(t, true))
	path := filepath.Join(dir, violationsName)
	if os.Getuid() <= 0 {
		// Root may read any file, and Windows knows no modes. A link to nothing
		// cannot be opened by anybody.
		require.NoError(t, os.Remove(path))
		if err := os.Symlink(filepath.Join(dir, "nothing"), path); err != nil {
			t.Skip("no links here:", err)
		}
	} else {
		require.NoError(t, os.Chmod(path, 0))
	}
	_, err := OpenFile(dir, &FileOptions{ReadOnly: true})
	require.Error(t, err)
	require.ErrorContains(t, err, "FileOptions.RevisionsOnly")
	s := openFileStore(t, dir, &FileOptions{ReadOnly: true, RevisionsOnly: true})
	require.Equal(t, fileRevisions(1, 4), fileGather(t, s.Revisions(t.Context(), 0)))
}

// A record's Edition may mean something else in a program. Opening once with
// RevisionsOnly cuts the torn tail off that made it count.
func TestFileStoreRevisionsOnlyCutsATornTailThatARecordContradicts(t *testing.T) {
	dir := t.TempDir()
	s := openFileStore(t, dir, nil)
	require.NoError(t, s.AppendViolations(t.Context(), Violation{NormName: "n", Severity: SeverityWarn, Edition: 5}))
	files := fileContents(t, dir)
	files[revisionsName] = "{"
	dir = fileDir(t, files)
	_, err := OpenFile(dir, nil)
	require.ErrorAs(t, err, new(*CorruptError))
	s = openFileStore(t, dir, &FileOptions{RevisionsOnly: true})
	require.Equal(t, filepath.Join(dir, revisionsName)+".torn", s.TornTails()[0].Kept)
	require.NoError(t, s.Close())
	_, vs, err := fileRead(t, dir, nil)
	require.NoError(t, err)
	require.Len(t, vs, 1)
}

func TestFileStoreRefusesGarbageBehindAnOlderSegment(t *testing.T) {
	dir := t.TempDir()
	s := openFileStore(t, dir, &FileOptions{SegmentBytes: 1000})
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

	var damage *CorruptError
	s, err = OpenFile(dir, &FileOptions{ReadOnly: true})
	if err == nil {
		defer s.Close()
		for _, err = range s.Violations(t.Context(), 0) {
		}
	}
	require.ErrorAs(t, err, &damage)
	require.Equal(t, segments[0], damage.Path)
}
