package journal

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// The bytes of a seal are a file format. The checksum is another program's.
func TestSealFormat(t *testing.T) {
	s := seal{"revisions": {1, 7}, "violations": {31, 90}}
	text := `{"v":1,"crc":"7fe9316b","logs":{"revisions":{"first":1,"last":7},"violations":{"first":31,"last":90}}}` + "\n"
	require.Equal(t, text, string(s.encode()))
	for _, ok := range []string{text, strings.TrimSuffix(text, "\n") + "\r\n"} {
		got, err := decodeSeal([]byte(ok))
		require.NoError(t, err)
		require.Equal(t, s, got)
	}
	for i := range text {
		_, err := decodeSeal([]byte(text[:i]))
		require.ErrorIs(t, err, errSeal, "cut to %d", i)
		for bit := range 8 {
			bad := []byte(text)
			bad[i] ^= 1 << bit
			_, err := decodeSeal(bad)
			require.Error(t, err, "bit %d of byte %d", bit, i)
		}
	}
	for _, bad := range []string{text + " ", " " + text, text + "\n", text + text} {
		_, err := decodeSeal([]byte(bad))
		require.ErrorIs(t, err, errSeal, bad)
	}
	_, err := decodeSeal([]byte(`{"v":2,"logs":{}}`))
	require.ErrorAs(t, err, new(versionError))
}

// sealedStore is a store that was closed several times, and what was appended to it. Its
// seal is all that proves the last record of the first log.
func sealedStore(t *testing.T) (*memFS, *history) {
	m, h := newMemFS(), new(history)
	m.put("/data/other", "")
	require.NoError(t, h.live(m, 2, nil))
	s, err := openStore(m, nil)
	require.NoError(t, err)
	require.NoError(t, h.append(s, 0, 1))
	require.NoError(t, s.Close())
	require.Contains(t, m.files(), storeDir+"/seal.json")
	return m, h
}

func TestASealedStoreMissesNoFile(t *testing.T) {
	whole, _ := sealedStore(t)
	for _, missing := range slices.Sorted(maps.Keys(whole.files())) {
		if filepath.Dir(missing) != storeDir || filepath.Base(missing) == sealName {
			continue
		}
		t.Run(filepath.Base(missing), func(t *testing.T) {
			m := whole.clone()
			require.NoError(t, m.Remove(missing))
			before := m.files()
			_, err := openStore(m, nil)
			require.ErrorAs(t, err, new(*CorruptError))
			require.Equal(t, before, m.files())
		})
	}
	t.Run("all segments of one log", func(t *testing.T) {
		m := whole.clone()
		for name := range m.files() {
			if strings.HasPrefix(filepath.Base(name), "violations") {
				require.NoError(t, m.Remove(name))
			}
		}
		_, err := openStore(m, nil)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.ErrorContains(t, err, "seal.json")
	})
	t.Run("only the seal", func(t *testing.T) {
		m := whole.clone()
		require.NoError(t, m.Remove(storeDir+"/seal.json"))
		_, err := openStore(m, nil)
		require.NoError(t, err)
	})
}

// What is appended behind the sealed records, by a program that knows no seal or
// one that was killed, is judged as if there were no seal.
func TestASealedStoreMayHaveGrown(t *testing.T) {
	m, h := sealedStore(t)
	sealed := m.files()[storeDir+"/seal.json"]
	s, err := openStore(m, nil)
	require.NoError(t, err)
	require.NoError(t, h.append(s, 0, 2))
	require.NoError(t, h.append(s, 1, 2))
	require.Equal(t, sealed, m.files()[storeDir+"/seal.json"], "it is still true")

	killed := m.clone()
	name := storeDir + "/revisions.jsonl"
	killed.put(name, killed.files()[name]+"torn")
	r, err := readStore(killed, nil)
	require.NoError(t, err)
	require.NoError(t, h.check(r))
	s, err = openStore(killed, nil)
	require.NoError(t, err)
	require.NoError(t, h.check(s))
	require.NotNil(t, s.Log(0).TornTail())
	require.NoError(t, s.Close())
	require.NotEqual(t, sealed, killed.files()[storeDir+"/seal.json"])
}

// The first segment may hold one record, and a log none.
func TestASealedStoreMissesNotTheSmallestFile(t *testing.T) {
	m, h := newMemFS(), new(history)
	m.put("/data/other", "")
	s, err := openStore(m, nil)
	require.NoError(t, err)
	require.NoError(t, h.append(s, 0, 1))
	require.NoError(t, s.Close())
	empty := m.clone()
	require.NoError(t, empty.Remove(storeDir+"/violations-00000000000000000001.jsonl"))
	_, err = openStore(empty, nil)
	require.ErrorAs(t, err, new(*CorruptError))

	s, err = openStore(m, nil)
	require.NoError(t, err)
	long := []byte(`"` + strings.Repeat("x", 300) + `"`)
	for range 3 {
		require.NoError(t, s.logs[1].Append(t.Context(), 0, Entry{1, long}))
	}
	require.Len(t, s.logs[1].segments, 3)
	require.NoError(t, s.Close())
	require.NoError(t, m.Remove(storeDir+"/violations-00000000000000000001.jsonl"))
	_, err = openStore(m, nil)
	require.ErrorAs(t, err, new(*CorruptError))
	require.ErrorContains(t, err, "numbers 1 to 1 are missing before it")
}

func TestASealIsOnDiskWhenCloseReturns(t *testing.T) {
	m, _ := sealedStore(t)
	m.put(storeDir+"/seal.json.new", strings.Repeat("x", 4096)) // what a crash left
	s, err := openStore(m, nil)
	require.NoError(t, err)
	require.NoError(t, s.logs[0].Append(t.Context(), 0, Entry{1, []byte("1")}))
	require.NoError(t, s.Close())
	want := m.files()[storeDir+"/seal.json"]
	r := rand.New(rand.NewPCG(1, 3))
	for range 50 {
		after := m.crash(r)
		require.Equal(t, want, after.files()[storeDir+"/seal.json"])
		_, err := openStore(after, nil)
		require.NoError(t, err)
	}
}

func TestASealThatCannotBeReadIsReported(t *testing.T) {
	for _, op := range []string{"open", "stat", "read"} {
		m, _ := sealedStore(t)
		_, err := openStore(hookFS{m, func(now, name string) error {
			if now == op && filepath.Base(name) == sealName {
				return pathError(op, name, syscall.EIO)
			}
			return nil
		}}, nil)
		require.ErrorIs(t, err, syscall.EIO, op)
	}
}

// A program may open only the first log of a directory.
func TestASealKeepsWhatItSaysOfLogsThatAreNotOpen(t *testing.T) {
	m, _ := sealedStore(t)
	before, err := readSeal(m, storeDir)
	require.NoError(t, err)
	first, _ := optionsOf(m, storeDir)
	d, err := OpenDir(first)
	require.NoError(t, err)
	require.NoError(t, d.Recover())
	require.NoError(t, d.Log(0).Append(t.Context(), 0, Entry{1, []byte("1")}))
	require.NoError(t, d.Close())
	after, err := readSeal(m, storeDir)
	require.NoError(t, err)
	require.Equal(t, before["violations"], after["violations"])
	require.Equal(t, before["revisions"].Last+1, after["revisions"].Last)
}

func TestCloseReportsAFileThatCannotBeClosed(t *testing.T) {
	m, _ := sealedStore(t)
	s, err := openStore(hookFS{m, func(op, name string) error {
		if op == "close" && filepath.Base(name) == "revisions.jsonl" {
			return pathError(op, name, syscall.EIO)
		}
		return nil
	}}, nil)
	require.NoError(t, err)
	require.ErrorIs(t, s.Close(), syscall.EIO)
	require.Zero(t, m.open)
}

func TestClosingAgainWritesNoSealAgain(t *testing.T) {
	m, _ := sealedStore(t)
	s, err := openStore(hookFS{m, func(op, name string) error {
		if op == "create" {
			return pathError(op, name, errors.New("not now"))
		}
		return nil
	}}, nil)
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

func TestWhenAStoreIsNotSealed(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(t *testing.T, m *memFS, s *store)
		err  error
	}{
		{"an append has failed", func(t *testing.T, m *memFS, s *store) {
			require.NoError(t, m.Remove(storeDir+"/revisions.jsonl"))
			require.ErrorIs(t, s.logs[0].Append(t.Context(), 0, Entry{1, []byte("1")}), ErrBroken)
		}, nil},
		{"a file is gone", func(t *testing.T, m *memFS, s *store) {
			require.NoError(t, m.Remove(storeDir+"/revisions.jsonl"))
		}, ErrBroken},
		{"a file was truncated", func(t *testing.T, m *memFS, s *store) {
			require.NoError(t, s.logs[1].file.Truncate(0))
		}, ErrBroken},
		{"another store has taken its place", func(t *testing.T, m *memFS, s *store) {
			m.put(storeDir+"/revisions.jsonl", "")
		}, ErrBroken},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, h := sealedStore(t)
			sealed := m.files()[storeDir+"/seal.json"]
			s, err := openStore(m, nil)
			require.NoError(t, err)
			require.NoError(t, h.append(s, 1, 1))
			c.do(t, m, s)
			require.ErrorIs(t, s.Close(), c.err)
			require.Equal(t, sealed, m.files()[storeDir+"/seal.json"], "the earlier seal stays")
		})
	}
	t.Run("it was only read", func(t *testing.T) {
		m, _ := sealedStore(t)
		require.NoError(t, m.Remove(storeDir+"/seal.json"))
		s, err := readStore(m, nil)
		require.NoError(t, err)
		require.NoError(t, s.Close())
		require.NotContains(t, m.files(), storeDir+"/seal.json")
	})
	full := []error{syscall.ENOSPC, syscall.EDQUOT}
	switch runtime.GOOS {
	case "windows":
		full = []error{syscall.Errno(39), syscall.Errno(112)}
	case "js", "wasip1":
		full = nil // not known there
	}
	for _, cause := range append(full, syscall.EIO) {
		for _, op := range []string{"create", "write", "sync", "rename"} {
			t.Run(op+" fails: "+cause.Error(), func(t *testing.T) {
				m, h := sealedStore(t)
				sealed := m.files()[storeDir+"/seal.json"]
				s, err := openStore(hookFS{m, func(now, name string) error {
					if now == op && strings.Contains(name, sealName) {
						return pathError(op, name, cause)
					}
					return nil
				}}, nil)
				require.NoError(t, err)
				require.NoError(t, h.append(s, 1, 1))
				if err = s.Close(); cause != syscall.EIO {
					require.NoError(t, err, "a full disk is no reason to fail")
				} else {
					require.ErrorIs(t, err, cause)
					require.ErrorContains(t, err, "everything is on disk")
				}
				require.Equal(t, sealed, m.files()[storeDir+"/seal.json"])
				require.NotContains(t, m.files(), storeDir+"/seal.json.new")
			})
		}
	}
}

func TestTheSealIsRemovedBeforeOldSegmentsAre(t *testing.T) {
	m, h := sealedStore(t)
	var ops []string
	s, err := openStore(hookFS{m, func(op, name string) error {
		if op == "remove" || op == "syncdir" {
			ops = append(ops, op+" "+filepath.Base(name))
		}
		return nil
	}}, func(o *Options) {
		if o.SegmentBytes > 0 {
			o.MaxBytes = 800
		}
	})
	require.NoError(t, err)
	require.Equal(t, []string{"remove seal.json", "syncdir world", "remove violations-00000000000000000001.jsonl"}, ops[slices.Index(ops, "remove seal.json"):][:3])
	require.NotContains(t, m.files(), storeDir+"/seal.json")
	require.NoError(t, h.append(s, 1, 1))
	require.NoError(t, s.Close())
	got, err := readSeal(m, storeDir)
	require.NoError(t, err)
	require.Greater(t, got["violations"].First, uint64(1))
}

func TestCloseSealsAStoreAgainIfNoSegmentCouldBeDeleted(t *testing.T) {
	m, _ := sealedStore(t)
	sealed := m.files()[storeDir+"/seal.json"]
	s, err := openStore(hookFS{m, func(op, name string) error {
		if op == "remove" && strings.HasPrefix(filepath.Base(name), "violations-") {
			return pathError(op, name, fs.ErrPermission)
		}
		return nil
	}}, littleRoom)
	require.NoError(t, err)
	require.NotContains(t, m.files(), storeDir+"/seal.json", "it was removed first")
	require.NoError(t, s.Close())
	require.Equal(t, sealed, m.files()[storeDir+"/seal.json"])
}

func TestASealThatSomebodyHasRemovedIsNotMissed(t *testing.T) {
	m, h := sealedStore(t)
	s, err := openStore(m, func(o *Options) {
		if o.SegmentBytes > 0 {
			o.MaxBytes = 1 << 20
		}
	})
	require.NoError(t, err)
	require.NoError(t, m.Remove(storeDir+"/seal.json"))
	s.logs[1].MaxBytes = 800
	for range 10 {
		require.NoError(t, h.append(s, 1, 1))
	}
	require.Greater(t, s.logs[1].segments[0].first, uint64(1))
	require.NoError(t, s.Close())
}

func TestASealThatCannotBeRemovedBreaksTheLog(t *testing.T) {
	m, _ := sealedStore(t)
	before := m.files()
	_, err := openStore(hookFS{m, func(op, name string) error {
		if op == "remove" && filepath.Base(name) == sealName {
			return pathError(op, name, syscall.EIO)
		}
		return nil
	}}, littleRoom)
	require.ErrorIs(t, err, syscall.EIO)
	require.Equal(t, before, m.files(), "no segment is deleted")
}

// A reader that opens while the writer deletes segments, or closes, sees a seal
// and files of different moments. It looks again.
func TestAReaderOpensWhileTheSealChanges(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(t *testing.T, m *memFS, h *history)
	}{
		{"old segments are deleted", func(t *testing.T, m *memFS, h *history) {
			s, err := openStore(m, littleRoom)
			require.NoError(t, err)
			require.NoError(t, s.Close())
		}},
		{"old segments of a store without a seal are deleted", func(t *testing.T, m *memFS, h *history) {
			_, err := openStore(m, littleRoom)
			require.NoError(t, err)
		}},
		{"the store grows and is closed", func(t *testing.T, m *memFS, h *history) {
			s, err := openStore(m, nil)
			require.NoError(t, err)
			for range 5 {
				require.NoError(t, h.append(s, 0, 1))
				require.NoError(t, h.append(s, 1, 3))
			}
			require.NoError(t, s.Close())
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for at := 1; ; at++ {
				m, h := sealedStore(t)
				sealed, err := readSeal(m, storeDir)
				require.NoError(t, err)
				if strings.Contains(c.name, "without a seal") {
					require.NoError(t, removeSeal(m, storeDir))
				}
				n, happened := 0, false
				r, err := readStore(hookFS{m, func(string, string) error {
					if n++; n == at {
						happened = true
						c.change(t, m, h)
					}
					return nil
				}}, nil)
				require.NoError(t, err, "changed before operation %d", at)
				for i := range r.logs {
					require.GreaterOrEqual(t, r.logs[i].durable(), sealed[r.logs[i].Name].Last, "changed before operation %d", at)
					for _, err := range r.logs[i].Read(context.Background(), 0) {
						require.NoError(t, err)
					}
				}
				if !happened {
					return
				}
			}
		})
	}
}

// A flip in the only line of the first log looks like a torn tail. The lines of
// the other log say that it is none.
func TestLinesOfOneLogAreEvidenceForAnother(t *testing.T) {
	m, h := newMemFS(), new(history)
	m.put("/data/other", "")
	s, err := openStore(m, nil)
	require.NoError(t, err)
	require.NoError(t, h.append(s, 0, 2))
	require.NoError(t, h.append(s, 1, 1))
	require.NoError(t, h.append(s, 0, 1))
	revisions, violations := storeDir+"/revisions.jsonl", storeDir+"/violations-00000000000000000001.jsonl"
	whole := m.files()[revisions]
	first := firstLine(whole)
	flipped := []byte(whole)
	flipped[len(first)/2] ^= 1
	for name, c := range map[string]struct {
		bad  string
		want bool
	}{
		"a bit is flipped in the only line":                                                 {string(flipped[:len(first)]), true},
		"a bit is flipped in the last line that a violation knows, and a later one is gone": {string(flipped[:len(first)]) + "to", true},
		"the file is cut to nothing":                                                        {"", true},
		"the file is cut in the line":                                                       {first[:20], true},
		"what no violation knows is cut in the last line":                                   {whole[:len(whole)-5], false},
		"what no violation knows is missing":                                                {first, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := m.clone()
			m.put(revisions, c.bad)
			before := m.files()
			_, err := openStore(m, nil)
			if !c.want {
				require.NoError(t, err)
				return
			}
			var ce *CorruptError
			require.ErrorAs(t, err, &ce)
			require.Equal(t, revisions, ce.Path)
			require.Equal(t, 1, ce.Line)
			require.Zero(t, ce.Offset)
			require.ErrorContains(t, err, "number 2 is lost: a line of the violations says that it was on disk; if this is a copy")
			require.Equal(t, before, m.files())
			_, err = readStore(m, nil)
			require.ErrorAs(t, err, &ce)
		})
	}
	t.Run("the line that knows is the last of an older segment", func(t *testing.T) {
		m := m.clone()
		m.put(storeDir+"/violations-00000000000000000002.jsonl", "")
		m.put(revisions, "")
		_, err := openStore(m, nil)
		require.ErrorAs(t, err, new(*CorruptError))
	})
	t.Run("a record names what its line does not", func(t *testing.T) {
		names := func(o *Options) {
			if o.Name == "violations" {
				o.Edition = func(record []byte) uint64 {
					require.Contains(t, string(record), "text")
					return 3
				}
			}
		}
		m := m.clone()
		old := string(appendLine(nil, "violation", parsed{1, 1, 0, []byte(`{"text":1}`), 0}))
		m.put(violations, old)
		m.put(revisions, whole[:len(whole)-5])
		_, err := openStore(m, names)
		require.ErrorContains(t, err, "a record of the violations names it")
		m.put(revisions, first)
		_, err = openStore(m, names)
		require.NoError(t, err, "without a torn tail the record may come from elsewhere")
	})
}

func TestTheHighestNumberThatALineNamesCounts(t *testing.T) {
	l := &Log{Options: Options{Edition: func(record []byte) uint64 { return uint64(record[0] - '0') }}}
	l.note([]byte("7"), 5)
	l.note([]byte("1"), 2)
	require.Equal(t, []uint64{5, 7}, []uint64{l.edition, l.named})
}
