package normsync_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/internal/journal"
)

func openFileStore(t testing.TB, dir string, o *normsync.FileOptions) *normsync.FileStore {
	t.Helper()
	s, err := normsync.OpenFile(dir, o)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func fileRevision(edition uint64) normsync.Revision {
	n := normsync.Norm{Name: fmt.Sprint("norm ", edition), Condition: "zone", Prohibited: "attack", Description: "two\nlines, \"quotes\", </script> and \u2028"}
	return normsync.Revision{Edition: edition, Version: 1, Change: normsync.Enact(n).Attributed("zoë", "because"), Time: time.Unix(1700000000, int64(edition)).UTC()}
}

func fileRevisions(from, to uint64) (all []normsync.Revision) {
	for e := from; e <= to; e++ {
		all = append(all, fileRevision(e))
	}
	return all
}

func fileViolation(i int) normsync.Violation {
	a := normsync.Action{Agent: fmt.Sprint("hero ", i), Verb: "attack", Location: "safe_zone", Metadata: `{"k":[1,2.50]}`, Time: time.Unix(1700000000, int64(i)).UTC()}
	return normsync.Violation{NormID: normsync.ID{byte(i)}, NormName: "no-attack", Severity: normsync.SeverityError, Edition: uint64(i), Action: a}
}

func fileViolations(from, to int) (all []normsync.Violation) {
	for i := from; i <= to; i++ {
		all = append(all, fileViolation(i))
	}
	return all
}

func fileLines(t testing.TB, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return strings.SplitAfter(string(b), "\n")
}

func TestFileStoreLinesHoldTheRecordsAsJSON(t *testing.T) {
	dir := t.TempDir()
	s := openFileStore(t, dir, nil)
	require.NoError(t, s.AppendRevisions(t.Context(), fileRevisions(1, 3)...))
	require.NoError(t, s.AppendViolations(t.Context(), fileViolations(1, 2)...))
	line := fileLines(t, filepath.Join(dir, "revisions.jsonl"))[0]
	var r struct {
		V, N, To, Durable uint64
		CRC               string
		Revisions         []normsync.Revision
	}
	require.NoError(t, json.Unmarshal([]byte(line), &r))
	require.Equal(t, fileRevisions(1, 3), r.Revisions)
	require.Equal(t, []uint64{1, 1, 3, 0}, []uint64{r.V, r.N, r.To, r.Durable})
	line = fileLines(t, filepath.Join(dir, "violations-00000000000000000001.jsonl"))[1]
	var v struct{ Violation normsync.Violation }
	require.NoError(t, json.Unmarshal([]byte(line), &v))
	require.Equal(t, fileViolation(2), v.Violation)
}

func TestFileStoreRefusesWhatWasEditedByHand(t *testing.T) {
	dir := t.TempDir()
	s := openFileStore(t, dir, nil)
	for e := range uint64(5) {
		require.NoError(t, s.AppendRevisions(t.Context(), fileRevision(e+1)))
	}
	require.NoError(t, s.Close())
	path := filepath.Join(dir, "revisions.jsonl")
	lines := fileLines(t, path)
	edited := slices.Clone(lines)
	edited[2] = strings.Replace(edited[2], "attack", "steal", 1)
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(edited, "")), 0o644))
	for _, o := range []*normsync.FileOptions{nil, {ReadOnly: true}} {
		_, err := normsync.OpenFile(dir, o)
		var ce *normsync.CorruptError
		require.ErrorAs(t, err, &ce)
		require.Equal(t, normsync.CorruptError{Path: path, Line: 3, Offset: int64(len(lines[0] + lines[1])), Err: ce.Err}, *ce)
		require.ErrorContains(t, err, "revisions.jsonl:3")
		require.Equal(t, edited, fileLines(t, path))
	}
}

// A line with a right checksum and wrong records is refused when it is read.
func TestFileStoreRefusesLinesWithOtherRecords(t *testing.T) {
	one, err := fileRevision(1).MarshalJSON()
	require.NoError(t, err)
	two, err := fileRevision(2).MarshalJSON()
	require.NoError(t, err)
	for _, text := range []string{"[]", "[1]", "{}", "null", "[" + string(two) + "]", "[" + string(one) + "," + string(two) + "]", "[{}]"} {
		dir := t.TempDir()
		for _, o := range normsync.FileLogs(dir, normsync.FileOptions{SegmentBytes: 1000}) {
			l, err := journal.Open(o)
			require.NoError(t, err)
			require.NoError(t, l.Recover())
			require.NoError(t, l.Append(t.Context(), 0, journal.Entry{Count: 1, JSON: []byte(text)}))
			require.NoError(t, l.Close())
		}
		s := openFileStore(t, dir, nil)
		for r, err := range s.Revisions(t.Context(), 0) {
			require.ErrorAs(t, err, new(*normsync.CorruptError), text)
			require.ErrorContains(t, err, "revisions.jsonl:1")
			require.Zero(t, r)
		}
		for v, err := range consecutive(s.Violations(t.Context(), 0)) {
			require.ErrorAs(t, err, new(*normsync.CorruptError), text)
			require.Zero(t, v)
		}
	}
}

func TestFileStoreSituations(t *testing.T) {
	anything := os.Getuid() <= 0 // root, and Windows, where modes mean little
	for _, c := range []struct {
		name string
		make func(dir string) error
		o    *normsync.FileOptions
		want error
		said []string
	}{
		{"a directory that is a file", func(dir string) error { return os.WriteFile(dir, nil, 0o644) }, nil, nil, []string{"a directory is needed"}},
		{"a parent that is a file", func(dir string) error { return os.WriteFile(filepath.Dir(dir)+"/parent", nil, 0o644) }, nil, nil, []string{"not a directory"}},
		{"a directory that cannot be written", func(dir string) error { return os.Mkdir(dir, 0o555) }, nil, fs.ErrPermission, []string{"ReadOnly"}},
		{"a directory that cannot be made", func(dir string) error { return os.Chmod(filepath.Dir(dir), 0o555) }, nil, fs.ErrPermission, []string{"ReadOnly"}},
		{"nothing to read", func(string) error { return nil }, &normsync.FileOptions{ReadOnly: true}, fs.ErrNotExist, nil},
		{"a dangling symlink", func(dir string) error { return os.Symlink(dir+"gone", dir) }, nil, fs.ErrNotExist, nil},
		{"revisions that are missing", func(dir string) error {
			s, err := normsync.OpenFile(dir, nil)
			return errors.Join(err, s.Close(), os.Remove(filepath.Join(dir, "revisions.jsonl")))
		}, nil, fs.ErrNotExist, []string{"revisions.jsonl", "missing"}},
		{"sizes below 0", func(string) error { return nil }, &normsync.FileOptions{MaxBytes: -1}, normsync.ErrInvalid, []string{"MaxBytes"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if anything && errors.Is(c.want, fs.ErrPermission) {
				t.Skip("whoever runs this may do anything")
			}
			dir := filepath.Join(t.TempDir(), "store")
			require.NoError(t, c.make(dir))
			t.Cleanup(func() { os.Chmod(filepath.Dir(dir), 0o755) })
			if c.name == "a parent that is a file" {
				dir = filepath.Join(filepath.Dir(dir), "parent", "store")
			}
			_, err := normsync.OpenFile(dir, c.o)
			require.Error(t, err)
			if c.want != nil {
				require.ErrorIs(t, err, c.want)
			}
			for _, text := range append(c.said, "normsync: ", dir) {
				require.ErrorContains(t, err, text)
			}
			if c.o != nil {
				_, err := os.Lstat(dir)
				require.ErrorIs(t, err, fs.ErrNotExist, "nothing is made")
			}
		})
	}
	_, err := normsync.OpenFile("", nil)
	require.Error(t, err)
}

func TestFileStoreOpensEmptyFilesAndALinkedDirectory(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "revisions.jsonl"), nil, 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "violations-1.jsonl"), nil, 0o600))
	link := filepath.Join(t.TempDir(), "link")
	if os.Symlink(dir, link) != nil {
		link = dir // on Windows it is a privilege
	}
	s := openFileStore(t, link, nil)
	require.NoError(t, s.AppendRevisions(t.Context(), fileRevision(1)))
	require.NoError(t, s.AppendViolations(t.Context(), fileViolation(1)))
	_, err := normsync.OpenFile(dir, nil)
	require.ErrorIs(t, err, normsync.ErrLocked)
	require.NoError(t, s.Close())
	s = openFileStore(t, dir, nil)
	require.Equal(t, fileRevisions(1, 1), all(t, s.Revisions(t.Context(), 0)))
	require.Equal(t, fileViolations(1, 1), all(t, consecutive(s.Violations(t.Context(), 0))))
}

func TestFileStoreStaysWhereItIs(t *testing.T) {
	t.Chdir(t.TempDir())
	s := openFileStore(t, "store", &normsync.FileOptions{SegmentBytes: 1})
	require.NoError(t, s.AppendViolations(t.Context(), fileViolation(1)))
	t.Chdir(t.TempDir())
	require.NoError(t, s.AppendViolations(t.Context(), fileViolation(2)))
	require.Equal(t, fileViolations(1, 2), all(t, consecutive(s.Violations(t.Context(), 0))))
	require.NoError(t, s.Close())
	_, err := os.Stat("store")
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestFileStoreDeletedUnderIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s := openFileStore(t, dir, nil)
	require.NoError(t, s.AppendRevisions(t.Context(), fileRevision(1)))
	require.NoError(t, s.AppendViolations(t.Context(), fileViolation(1)))
	if err := os.Remove(filepath.Join(dir, "revisions.jsonl")); err != nil {
		t.Skip("files that are open cannot be deleted here")
	}
	err := s.AppendRevisions(t.Context(), fileRevision(2))
	require.ErrorIs(t, err, normsync.ErrBroken)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "revisions.jsonl: the file is no longer there under its name")
	require.ErrorIs(t, s.AppendViolations(t.Context(), fileViolation(2)), normsync.ErrBroken, "nor can the other log be appended to")
	require.Equal(t, fileViolations(1, 1), all(t, consecutive(s.Violations(t.Context(), 0))), "it can be read")
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, s.Close())
	// Another store in its place is another store.
	s = openFileStore(t, dir, nil)
	require.Empty(t, all(t, s.Revisions(t.Context(), 0)))
}

func TestFileStoreTellsOfTornTails(t *testing.T) {
	for _, blocked := range []bool{false, true} {
		t.Run(fmt.Sprintf("a directory is in the place of the .torn file=%v", blocked), func(t *testing.T) {
			dir := t.TempDir()
			s := openFileStore(t, dir, nil)
			require.NoError(t, s.AppendRevisions(t.Context(), fileRevision(1)))
			require.NoError(t, s.AppendViolations(t.Context(), fileViolation(1)))
			require.Empty(t, s.TornTails())
			require.NoError(t, s.Close())
			var want []normsync.TornTail
			for _, name := range []string{"revisions.jsonl", "violations-00000000000000000001.jsonl"} {
				path := filepath.Join(dir, name)
				whole := strings.Join(fileLines(t, path), "")
				require.NoError(t, os.WriteFile(path, []byte(whole+`{"half`), 0o600))
				tail := normsync.TornTail{Path: path, Offset: int64(len(whole)), Size: 6, Kept: path + ".torn"}
				if blocked {
					tail.Kept = ""
					require.NoError(t, os.MkdirAll(filepath.Join(path+".torn", "in use"), 0o755))
				}
				want = append(want, tail)
			}
			require.Empty(t, openFileStore(t, dir, &normsync.FileOptions{ReadOnly: true}).TornTails(), "nothing is cut off")
			s = openFileStore(t, dir, nil)
			got := s.TornTails()
			require.Len(t, got, 2)
			for i := range got {
				require.Equal(t, blocked, got[i].Err != nil)
				got[i].Err = nil
			}
			require.Equal(t, want, got)
			require.Equal(t, fileRevisions(1, 1), all(t, s.Revisions(t.Context(), 0)))
			require.Equal(t, fileViolations(1, 1), all(t, consecutive(s.Violations(t.Context(), 0))))
			require.NoError(t, s.AppendViolations(t.Context(), fileViolation(2)))
			require.NoError(t, s.Close())
			require.Empty(t, openFileStore(t, dir, nil).TornTails())
		})
	}
}

func TestFileStoreBreaksWhenAnotherProgramChangesItsFiles(t *testing.T) {
	for _, name := range []string{"revisions.jsonl", "violations-00000000000000000001.jsonl"} {
		for how, change := range map[string]func(path string) error{
			"truncated, as copytruncate does": func(path string) error { return os.Truncate(path, 0) },
			"appended to": func(path string) error {
				f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
				if err != nil {
					return err
				}
				_, err = f.WriteString("# a note\n")
				return errors.Join(err, f.Close())
			},
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				dir := t.TempDir()
				s := openFileStore(t, dir, nil)
				require.NoError(t, s.AppendRevisions(t.Context(), fileRevision(1)))
				require.NoError(t, s.AppendViolations(t.Context(), fileViolation(1)))
				require.NoError(t, change(filepath.Join(dir, name)))
				add := func() error { return s.AppendViolations(t.Context(), fileViolation(2)) }
				if name == "revisions.jsonl" {
					add = func() error { return s.AppendRevisions(t.Context(), fileRevision(2)) }
				}
				for range 2 {
					require.ErrorIs(t, add(), normsync.ErrBroken)
				}
				require.ErrorIs(t, s.AppendRevisions(t.Context(), fileRevision(2)), normsync.ErrBroken)
				require.ErrorIs(t, s.AppendViolations(t.Context(), fileViolation(2)), normsync.ErrBroken)
			})
		}
	}
}

func TestFileStoreLongLinesAndClocksThatGoBack(t *testing.T) {
	dir := t.TempDir()
	s := openFileStore(t, dir, nil)
	long := fileViolation(1)
	long.Action.Target = strings.Repeat("睡", 10<<20/3)
	r := fileRevision(1)
	r.Reason = strings.Repeat("x", 10<<20)
	early := fileRevision(2)
	early.Time = time.Unix(5, 0).UTC()
	require.NoError(t, s.AppendViolations(t.Context(), long, fileViolation(2)))
	require.NoError(t, s.AppendRevisions(t.Context(), r, early))
	require.NoError(t, s.Close())
	s = openFileStore(t, dir, nil)
	require.Equal(t, []normsync.Violation{long, fileViolation(2)}, all(t, consecutive(s.Violations(t.Context(), 0))))
	require.Equal(t, []normsync.Revision{r, early}, all(t, s.Revisions(t.Context(), 0)))
}

func TestFileStoreRefusesAWrongPrevAfterItWasOpenedAgain(t *testing.T) {
	dir := t.TempDir()
	s := openFileStore(t, dir, nil)
	m := openOn(t, s)
	revs := applyTo(t, m, enact("a"), enact("b"), enact("c"))
	next := normsync.Revision{Edition: 4, Prev: revs[2].ID(), Version: 1, Change: enact("d"), Time: revs[2].Time}
	wrong := next
	wrong.Prev = revs[1].ID()
	for range 2 {
		err := s.AppendRevisions(t.Context(), wrong)
		require.ErrorIs(t, err, normsync.ErrConflict)
		require.EqualError(t, err, fmt.Sprintf("normsync: append revisions: edition conflict: edition 4 has Prev %v, but the revision before it is %v", revs[1].ID(), revs[2].ID()))
		require.Len(t, all(t, s.Revisions(t.Context(), 0)), 3)
		require.NoError(t, s.Close())
		require.ErrorIs(t, s.AppendRevisions(t.Context(), next), os.ErrClosed)
		s = openFileStore(t, dir, nil)
	}
	early := next
	early.Edition = 5
	require.ErrorIs(t, s.AppendRevisions(t.Context(), early), normsync.ErrConflict)
	require.NoError(t, s.AppendRevisions(t.Context(), next))
	require.ErrorIs(t, s.AppendRevisions(t.Context(), next), normsync.ErrConflict)
}

// An append for which its caller stopped to wait may be stored. The store then knows
// an older end of the log than the caller, who has read the log again.
func TestFileStoreGoesOnAfterAnAppendThatWasGivenUp(t *testing.T) {
	s := openFileStore(t, t.TempDir(), nil)
	revs := applyTo(t, openOn(t, s), enact("a"))
	given := normsync.Revision{Edition: 2, Prev: revs[0].ID(), Version: 1, Change: enact("b"), Time: revs[0].Time}
	require.NoError(t, s.AppendApplies(t.Context(), []normsync.Revision{given}))
	next := normsync.Revision{Edition: 3, Prev: given.ID(), Version: 1, Change: enact("c"), Time: revs[0].Time}
	require.NoError(t, s.AppendRevisions(t.Context(), next))
	require.Len(t, all(t, s.Revisions(t.Context(), 0)), 3)
}

func TestFileStoreAfterCloseAndReadOnly(t *testing.T) {
	dir := t.TempDir()
	s := openFileStore(t, dir, nil)
	require.NoError(t, s.AppendRevisions(t.Context(), fileRevision(1)))
	r := openFileStore(t, dir, &normsync.FileOptions{ReadOnly: true})
	require.ErrorIs(t, r.AppendRevisions(t.Context(), fileRevision(2)), fs.ErrPermission)
	require.ErrorIs(t, r.AppendViolations(t.Context(), fileViolation(2)), fs.ErrPermission)
	for _, s := range []*normsync.FileStore{r, s} {
		require.NoError(t, s.Close())
		require.ErrorIs(t, s.Close(), fs.ErrClosed)
		require.ErrorIs(t, s.AppendRevisions(t.Context(), fileRevision(2)), fs.ErrClosed)
		require.ErrorIs(t, s.AppendViolations(t.Context(), fileViolation(2)), fs.ErrClosed)
		for r, err := range s.Revisions(t.Context(), 0) {
			require.ErrorIs(t, err, fs.ErrClosed)
			require.Zero(t, r)
		}
		for v, err := range consecutive(s.Violations(t.Context(), 0)) {
			require.ErrorIs(t, err, fs.ErrClosed)
			require.Zero(t, v)
		}
	}
}

// fileModel is the simplest store: two slices.
type fileModel struct {
	revs []normsync.Revision
	vs   []normsync.Violation
}

func (m *fileModel) appendRevisions(revs []normsync.Revision) error {
	for i, r := range revs {
		if r.Edition != uint64(len(m.revs)+i+1) {
			return normsync.ErrConflict
		}
	}
	m.revs = append(m.revs, revs...)
	return nil
}

// Random operations do to a FileStore what they do to the model, over any
// number of reopenings, for its readers too.
func TestFileStoreAgreesWithAModel(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 0))
			dir := filepath.Join(t.TempDir(), "store")
			o := &normsync.FileOptions{SegmentBytes: int64(1 + r.IntN(5000))}
			m := fileModel{}
			s := openFileStore(t, dir, o)
			reader := openFileStore(t, dir, &normsync.FileOptions{ReadOnly: true, SegmentBytes: 1})
			done, cancel := context.WithCancel(t.Context())
			cancel()
			for range 150 {
				switch r.IntN(8) {
				case 0, 1:
					first := uint64(len(m.revs) + 1)
					if r.IntN(4) == 0 {
						first = uint64(r.IntN(len(m.revs) + 3))
					}
					revs := fileRevisions(first, first+uint64(r.IntN(4)))
					require.ErrorIs(t, s.AppendRevisions(done, revs...), context.Canceled)
					err := s.AppendRevisions(t.Context(), revs...)
					if want := m.appendRevisions(revs); want != nil {
						require.ErrorIs(t, err, want)
					} else {
						require.NoError(t, err)
					}
				case 2, 3, 4:
					vs := fileViolations(len(m.vs), len(m.vs)+r.IntN(6)-1)
					require.NoError(t, s.AppendViolations(t.Context(), vs...))
					m.vs = append(m.vs, vs...)
				case 5:
					for _, s := range []*normsync.FileStore{s, reader} {
						after := r.IntN(len(m.revs) + 2)
						got := all(t, s.Revisions(t.Context(), uint64(after)))
						require.True(t, slices.Equal(m.revs[min(after, len(m.revs)):], got), "%v after %d", got, after)
					}
				case 6:
					for _, s := range []*normsync.FileStore{s, reader} {
						require.Equal(t, m.vs, all(t, consecutive(s.Violations(t.Context(), 0))))
					}
				case 7:
					require.NoError(t, s.Close())
					s = openFileStore(t, dir, o)
				}
			}
		})
	}
}

// Whatever bytes lie in its files, a store opens or says where they are
// corrupt, and then leaves them as they are.
func FuzzFileStoreOpen(f *testing.F) {
	dir := f.TempDir()
	s := openFileStore(f, dir, nil)
	require.NoError(f, s.AppendRevisions(f.Context(), fileRevisions(1, 2)...))
	require.NoError(f, s.AppendRevisions(f.Context(), fileRevision(3)))
	require.NoError(f, s.AppendViolations(f.Context(), fileViolations(1, 2)...))
	names := []string{filepath.Join(dir, "revisions.jsonl"), filepath.Join(dir, "violations-00000000000000000001.jsonl")}
	seeds := [2]string{strings.Join(fileLines(f, names[0]), ""), strings.Join(fileLines(f, names[1]), "")}
	f.Add(seeds[0], seeds[1])
	f.Add(seeds[0][:len(seeds[0])-9], seeds[1][:9])
	f.Add(seeds[0][9:], "\x00\x00")
	f.Add(`{"v":2,"n":1}`+"\n", "")
	memory := "/dev/shm" // where an fsync costs nothing
	if _, err := os.Stat(memory); err != nil {
		memory = ""
	}
	f.Fuzz(func(t *testing.T, revisions, violations string) {
		dir, err := os.MkdirTemp(memory, "normsync")
		require.NoError(t, err)
		defer os.RemoveAll(dir)
		for name, content := range map[string]string{names[0]: revisions, names[1]: violations} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.Base(name)), []byte(content), 0o600))
		}
		for _, o := range []*normsync.FileOptions{{ReadOnly: true}, {}} {
			s, err := normsync.OpenFile(dir, o)
			if err != nil {
				require.ErrorAs(t, err, new(*normsync.CorruptError))
				require.Equal(t, revisions, strings.Join(fileLines(t, filepath.Join(dir, filepath.Base(names[0]))), ""))
				require.Equal(t, violations, strings.Join(fileLines(t, filepath.Join(dir, filepath.Base(names[1]))), ""))
				continue
			}
			next := uint64(1)
			for r, err := range s.Revisions(t.Context(), 0) {
				if err != nil {
					require.ErrorAs(t, err, new(*normsync.CorruptError))
				} else {
					require.Equal(t, next, r.Edition)
					next++
				}
			}
			for _, err := range consecutive(s.Violations(t.Context(), 0)) {
				if err != nil {
					require.ErrorAs(t, err, new(*normsync.CorruptError))
				}
			}
			require.NoError(t, s.Close())
		}
	})
}

func TestFileStoreMemoryOfABatchIsThatOfItsLines(t *testing.T) {
	s, err := normsync.OpenFile(t.TempDir(), nil)
	require.NoError(t, err)
	defer s.Close()
	vs := make([]normsync.Violation, 1024)
	vs[0].Action.Location = strings.Repeat("x", 1<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	require.NoError(t, s.AppendViolations(t.Context(), vs...))
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(40<<20), "one long violation does not count for all that follow")
}

// What programs do to every line of a file that is kept in git, or edited.
func TestFileStoreRefusesAFileThatWasRewritten(t *testing.T) {
	every := func(old, new string) func(string) string {
		return func(s string) string { return strings.ReplaceAll(s, old, new) }
	}
	rewritten(t, 8, map[string]func(string) string{
		"line ends of Windows":            every("\n", "\r\n"),
		"line ends of an old Mac":         every("\n", "\r"),
		"a word replaced":                 every("attack", "strike"),
		"a blank at the end of each line": every("\n", " \n"),
		"blanks between keys and values":  func(s string) string { return strings.NewReplacer(`":`, `": `, `,"`, `, "`).Replace(s) },
		"every line but the first few": func(s string) string {
			i := strings.Index(s, "n3")
			return s[:i] + strings.ReplaceAll(s[i:], "attack", "strike")
		},
		"a tab before each line but the last": func(s string) string { return strings.ReplaceAll(s, "\n{", "\n\t{") },
	})
	// A constitution that was enacted at once is one line.
	rewritten(t, 1, map[string]func(string) string{
		"line ends of Windows":            every("\n", "\r\n"),
		"a blank at the end of each line": every("\n", " \n"),
	})
}

func rewritten(t *testing.T, lines uint64, ways map[string]func(string) string) {
	for name, rewrite := range ways {
		t.Run(name, func(t *testing.T) {
			for _, log := range []string{"revisions.jsonl", "violations-00000000000000000001.jsonl"} {
				dir := t.TempDir()
				s := openFileStore(t, dir, nil)
				for i := range lines {
					r := normsync.Revision{Edition: i + 1, Version: 1, Change: normsync.Enact(normsync.Norm{Name: fmt.Sprint("n", i), Prohibited: "attack"})}
					require.NoError(t, s.AppendRevisions(t.Context(), r))
					require.NoError(t, s.AppendViolations(t.Context(), normsync.Violation{NormName: r.Norm.Name, Severity: normsync.SeverityWarn, Action: normsync.Action{Verb: "attack"}}))
				}
				require.NoError(t, s.Close())
				path := filepath.Join(dir, log)
				b, err := os.ReadFile(path)
				require.NoError(t, err)
				bad := rewrite(string(b))
				require.NotEqual(t, string(b), bad)
				require.NoError(t, os.WriteFile(path, []byte(bad), 0o600))
				for _, o := range []*normsync.FileOptions{nil, {ReadOnly: true}} {
					_, err := normsync.OpenFile(dir, o)
					require.ErrorAs(t, err, new(*normsync.CorruptError), "%s, %+v", log, o)
					now, err := os.ReadFile(path)
					require.NoError(t, err)
					require.Equal(t, bad, string(now), "not a byte is changed")
				}
			}
		})
	}
}

func TestFileStoreDeletesWhatALowerMaxBytesNoLongerAllows(t *testing.T) {
	dir := t.TempDir()
	s := openFileStore(t, dir, &normsync.FileOptions{SegmentBytes: 2000})
	for i := range uint64(50) {
		require.NoError(t, s.AppendViolations(t.Context(), normsync.Violation{Edition: i}))
	}
	require.NoError(t, s.Close())
	size := func() (n int64) {
		files, err := filepath.Glob(filepath.Join(dir, "violations-*"))
		require.NoError(t, err)
		for _, f := range files {
			info, err := os.Stat(f)
			require.NoError(t, err)
			n += info.Size()
		}
		return n
	}
	all := size()
	openFileStore(t, dir, &normsync.FileOptions{SegmentBytes: 2000, MaxBytes: all}).Close()
	require.Equal(t, all, size(), "what is allowed stays")
	s = openFileStore(t, dir, &normsync.FileOptions{SegmentBytes: 2000, MaxBytes: all / 2})
	require.LessOrEqual(t, size(), all/2, "at once, since on a full disk nothing else helps")
	last := uint64(0)
	for v, err := range consecutive(s.Violations(t.Context(), 0)) {
		require.NoError(t, err)
		last = v.Edition
	}
	require.EqualValues(t, 49, last)
}

func TestFileStoreClosesASegmentAt64MiBByDefault(t *testing.T) {
	dir := t.TempDir()
	s := openFileStore(t, dir, nil)
	of1MiB := normsync.Violation{Action: normsync.Action{Metadata: `"` + strings.Repeat("x", 1<<20) + `"`}}
	for _, c := range []struct{ violations, segments int }{{60, 1}, {3, 1}, {3, 2}} {
		require.NoError(t, s.AppendViolations(t.Context(), slices.Repeat([]normsync.Violation{of1MiB}, c.violations)...))
		files, err := filepath.Glob(filepath.Join(dir, "violations-*"))
		require.NoError(t, err)
		require.Len(t, files, c.segments)
	}
}

func TestStoredEditionIsThatOfTheViolation(t *testing.T) {
	for _, v := range []normsync.Violation{
		{}, {Edition: 1}, {Edition: 1<<64 - 1},
		{Edition: 7, NormName: `,"edition":9`, Advice: `","edition":9,`, Shadow: true},
		{Edition: 7, Action: normsync.Action{Agent: `x","edition":9`, Metadata: `{"a":1,"edition":9}`}},
		{Action: normsync.Action{Metadata: `{"a":1,"edition":9}`}},
	} {
		b, err := v.MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, v.Edition, normsync.StoredEdition(b), "%s", b)
	}
	for _, text := range []string{"", "{}", `{,"edition":`, `{,"edition":}`, `{,"edition":-1,`, `{,"edition":99999999999999999999}`} {
		require.Zero(t, normsync.StoredEdition([]byte(text)), text)
	}
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
				_, normal := normsync.OpenFile(dir, &normsync.FileOptions{ReadOnly: true})
				if normal != nil {
					require.ErrorAs(t, normal, new(*normsync.CorruptError))
					require.ErrorContains(t, normal, "open the store with FileOptions.RevisionsOnly")
				}
				for _, readOnly := range []bool{true, false} {
					s := openFileStore(t, dir, &normsync.FileOptions{RevisionsOnly: true, ReadOnly: readOnly, MaxBytes: 1})
					require.Equal(t, fileRevisions(1, 4), all(t, s.Revisions(t.Context(), 0)))
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
						_, err := normsync.OpenFile(dir, nil)
						require.ErrorIs(t, err, normsync.ErrLocked)
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
				_, err := normsync.OpenFile(dir, &normsync.FileOptions{ReadOnly: true})
				require.Equal(t, normal == nil, err == nil, "%v", err)
				require.NoError(t, os.Truncate(filepath.Join(dir, revisionsName), 0))
				_, err = normsync.OpenFile(dir, &normsync.FileOptions{RevisionsOnly: true})
				require.ErrorAs(t, err, new(*normsync.CorruptError))
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
	_, err := normsync.OpenFile(dir, &normsync.FileOptions{ReadOnly: true})
	require.Error(t, err)
	require.ErrorContains(t, err, "FileOptions.RevisionsOnly")
	s := openFileStore(t, dir, &normsync.FileOptions{ReadOnly: true, RevisionsOnly: true})
	require.Equal(t, fileRevisions(1, 4), all(t, s.Revisions(t.Context(), 0)))
}

// A record's Edition may mean something else in a program. Opening once with
// RevisionsOnly cuts the torn tail off that made it count.
func TestFileStoreRevisionsOnlyCutsATornTailThatARecordContradicts(t *testing.T) {
	dir := t.TempDir()
	s := openFileStore(t, dir, nil)
	require.NoError(t, s.AppendViolations(t.Context(), normsync.Violation{NormName: "n", Severity: normsync.SeverityWarn, Edition: 5}))
	files := fileContents(t, dir)
	files[revisionsName] = "{"
	dir = fileDir(t, files)
	_, err := normsync.OpenFile(dir, nil)
	require.ErrorAs(t, err, new(*normsync.CorruptError))
	s = openFileStore(t, dir, &normsync.FileOptions{RevisionsOnly: true})
	require.Equal(t, filepath.Join(dir, revisionsName)+".torn", s.TornTails()[0].Kept)
	require.NoError(t, s.Close())
	_, vs, err := fileRead(t, dir, nil)
	require.NoError(t, err)
	require.Len(t, vs, 1)
}
