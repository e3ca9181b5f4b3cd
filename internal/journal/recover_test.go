package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTornTailsAreKeptOneBehindTheOther(t *testing.T) {
	m := newMemFS()
	w := open(t, m, nil)
	write(t, w, "1")
	name := w.path(w.segments[0].name)
	require.NoError(t, w.Close())
	kept := ""
	for i, tail := range []string{`{"v":1,`, "\x00\x00\x00", strings.Repeat("x", 3<<20), "nonsense\nmore nonsense"} {
		whole := m.files()[name]
		m.names[name].perm = 0o640
		f, err := m.OpenFile(name, writeOld, 0)
		require.NoError(t, err)
		_, err = f.WriteAt([]byte(tail), int64(len(whole)))
		require.NoError(t, err)

		r := follow(t, m, nil)
		require.Equal(t, numbers(1, i+1), texts(t, r, 0), "a reader stops at a torn tail")
		require.Equal(t, whole+tail, m.files()[name], "and leaves it")
		require.Equal(t, kept, m.files()[name+tornSuffix])

		w := open(t, m, nil)
		kept += tail
		require.Equal(t, &TornTail{Path: name, Offset: int64(len(whole)), Size: int64(len(tail)), Kept: name + tornSuffix}, w.TornTail())
		require.Equal(t, whole, m.files()[name])
		require.Equal(t, kept, m.files()[name+tornSuffix])
		require.Equal(t, fs.FileMode(0o640), m.names[name+tornSuffix].perm)
		write(t, w, numbers(i+2, i+2)...)
		require.NoError(t, w.Close())
	}
	require.Equal(t, numbers(1, 5), texts(t, open(t, m, nil), 0))
}

// Append had not returned, since the newline is written with the line.
func TestALineThatLacksItsNewlineIsATornTail(t *testing.T) {
	m := newMemFS()
	w := open(t, m, nil)
	write(t, w, "1", "2")
	name := w.path(w.segments[0].name)
	require.NoError(t, w.Close())
	whole := m.files()[name]
	m.put(name, strings.TrimSuffix(whole, "\n"))
	w = open(t, m, nil)
	require.Equal(t, firstLine(whole), m.files()[name])
	require.Equal(t, strings.TrimSuffix(whole, "\n"), firstLine(whole)+m.files()[name+tornSuffix])
	write(t, w, "3")
	require.Equal(t, []string{"1", "3"}, texts(t, w, 0))
}

// The power is lost before each operation of a recovery. The tail is still in the log, or
// it is in the file beside it.
func TestATornTailIsOnDiskBeforeItIsCut(t *testing.T) {
	whole := newMemFS()
	w := open(t, whole, nil)
	write(t, w, "1")
	name := w.path(w.segments[0].name)
	require.NoError(t, w.Close())
	before := whole.files()[name]
	whole.put(name, before+"torn")
	r := rand.New(rand.NewPCG(1, 2))
	for k := 0; ; k++ {
		m := whole.clone()
		fsys, happened := off(m, k)
		_, o := optionsOf(fsys, "/data")
		if l, err := Open(o); err == nil {
			l.Recover()
			l.Close()
		}
		require.Zero(t, m.open)
		for range 50 {
			files := m.crash(r).files()
			require.True(t, files[name] == before+"torn" || files[name+tornSuffix] == "torn", "the power is lost before operation %d: %q", k, files)
		}
		if !*happened {
			return
		}
	}
}

func TestATornTailThatCannotBeKeptIsCutAndTold(t *testing.T) {
	for _, op := range []string{"create", "write", "sync", "stat"} {
		for _, had := range []string{"", "an earlier tail"} {
			t.Run(fmt.Sprintf("%s/%q is there", op, had), func(t *testing.T) {
				m := newMemFS()
				w := open(t, m, nil)
				write(t, w, "1")
				name := w.path(w.segments[0].name)
				require.NoError(t, w.Close())
				whole := m.files()[name]
				m.put(name, whole+"torn")
				if had != "" {
					m.put(name+tornSuffix, had)
				}
				_, o := optionsOf(hookFS{m, func(now, name string) error {
					if isTornName(name) && now == op {
						return pathError(op, name, fs.ErrInvalid)
					}
					return nil
				}}, "/data")
				l, err := Open(o)
				require.NoError(t, err)
				require.NoError(t, l.Recover())
				tail := *l.TornTail()
				require.ErrorIs(t, tail.Err, fs.ErrInvalid)
				require.Equal(t, TornTail{Path: name, Offset: int64(len(whole)), Size: 4, Err: tail.Err}, tail)
				require.Equal(t, whole, m.files()[name])
				require.Equal(t, had, m.files()[name+tornSuffix])
				write(t, l, "2")
				require.Equal(t, []string{"1", "2"}, texts(t, l, 0))
			})
		}
	}
}

// The deletion of old segments is what makes room on a full disk.
func TestRoomIsMadeBeforeATornTailIsKept(t *testing.T) {
	m := newMemFS()
	w := open(t, m, nil)
	write(t, w, numbers(1, 40)...)
	name := w.path(w.segments[len(w.segments)-1].name)
	require.NoError(t, w.Close())
	m.put(name, m.files()[name]+"torn")
	removed := false
	l := follow(t, m, func(o *Options) {
		o.MaxBytes = 800
		o.FS = hookFS{m, func(op, name string) error {
			removed = removed || op == "remove"
			if isTornName(name) && !removed {
				return pathError(op, name, errors.New("no space"))
			}
			return nil
		}}
	})
	require.NoError(t, l.Recover())
	require.NoError(t, l.TornTail().Err)
	require.Equal(t, name+tornSuffix, l.TornTail().Kept)
	require.Equal(t, "torn", m.files()[name+tornSuffix])
}

func TestEmptyFiles(t *testing.T) {
	m := newMemFS()
	m.put("/data/violations-00000000000000000007.jsonl", "")
	w := open(t, m, nil)
	write(t, w, "7")
	for line, err := range w.Read(t.Context(), 0) {
		require.NoError(t, err)
		require.Equal(t, uint64(7), line.First)
	}
}

func TestMakeDirGivesUp(t *testing.T) {
	for _, c := range []struct {
		name, op string
		err      error
		dir      string
		is       error
	}{
		{"there is no root", "mkdir", fs.ErrNotExist, "/a/b", fs.ErrNotExist},
		{"the parent of a directory that is there may not be opened", "syncdir", fs.ErrPermission, "/data", nil},
		{"the parent of a directory that is there cannot be synced", "syncdir", fs.ErrInvalid, "/data", fs.ErrInvalid},
		{"the parent of a new directory may not be opened", "syncdir", fs.ErrPermission, "/data/world", fs.ErrPermission},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMemFS()
			m.put("/data/other", "")
			err := MakeDir(hookFS{m, func(op, name string) error {
				if op == c.op {
					return pathError(op, name, c.err)
				}
				return nil
			}}, c.dir)
			require.ErrorIs(t, err, c.is)
		})
	}
}

func TestAFileSystemWithoutFsyncOfDirectoriesIsNoError(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("such a file system is at hand on Linux")
	}
	require.NoError(t, OS.SyncDir("/proc/self"))
	require.NoError(t, OS.SyncDir(t.TempDir()))
	require.ErrorIs(t, OS.SyncDir(filepath.Join(t.TempDir(), "missing")), fs.ErrNotExist)
}

// FuzzOpen opens arbitrary bytes as each file of a log.
func FuzzOpen(f *testing.F) {
	m := newMemFS()
	m.put("/data/other", "")
	var h history
	if err := h.live(m, 1, nil); err != nil {
		f.Fatal(err)
	}
	for name, content := range m.files() {
		if strings.HasPrefix(name, storeDir) {
			f.Add([]byte(content), uint8(len(name)%3))
			f.Add([]byte(content[:len(content)/2]), uint8(1))
		}
	}
	f.Add([]byte(`{"v":3,"n":1}`+"\n"), uint8(0))
	f.Fuzz(func(t *testing.T, content []byte, which uint8) {
		m := newMemFS()
		m.put("/data/other", "")
		name := "/data/violations-00000000000000000001.jsonl"
		switch which % 3 {
		case 1: // the older of two segments
			m.put("/data/violations-00000000000000000009.jsonl", "")
		case 2: // the newer of two
			line := appendLine(nil, "violation", parsed{1, 1, 0, []byte("1"), 0})
			m.put(name, string(line))
			name = "/data/violations-00000000000000000002.jsonl"
		}
		m.put(name, string(content))
		before := m.files()
		_, o := optionsOf(m, "/data")
		l, err := Open(o)
		if err != nil {
			require.Equal(t, before, m.files())
			return
		}
		require.Equal(t, before, m.files())
		count := func(l *Log) (n int, err error) {
			for _, err := range l.Read(t.Context(), 0) {
				if err != nil {
					return n, err
				}
				n++
			}
			return n, nil
		}
		read, rerr := count(l)
		require.NoError(t, l.Recover())
		again, err := count(l)
		require.Equal(t, rerr == nil, err == nil)
		require.Equal(t, read, again, "recovery changes nothing that can be read")
		if err != nil {
			return
		}
		require.Equal(t, string(content), m.files()[name]+m.files()[name+tornSuffix], "no byte is lost")
		write(t, l, "1")
		l, err = Open(o)
		require.NoError(t, err)
		again, err = count(l)
		require.NoError(t, err)
		require.Equal(t, read+1, again)
	})
}
