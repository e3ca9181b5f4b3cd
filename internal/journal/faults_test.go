package journal

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// faulty is a file system under which a log behaves as if its author had made a
// mistake. The tests of crashes, failures and damage must notice each.
type faulty struct {
	FS
	open    func(f File, name string) File
	syncDir func(name string) error
}

func (b faulty) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := b.FS.OpenFile(name, flag, perm)
	if err != nil || b.open == nil || !strings.HasSuffix(name, suffix) {
		return f, err
	}
	return faultyFile{File: b.open(f, name), real: f}, nil
}

func (b faulty) SyncDir(name string) error {
	if b.syncDir != nil {
		return b.syncDir(name)
	}
	return b.FS.SyncDir(name)
}

func (b faulty) SameFile(name string, f File) (bool, int64, error) {
	if wrapped, ok := f.(faultyFile); ok {
		f = wrapped.real
	}
	return b.FS.SameFile(name, f)
}

type faultyFile struct {
	File
	real File
}

// noSync: what is written is never fsynced.
type noSync struct{ File }

func (noSync) Sync() error { return nil }

// lateSync: what is written is fsynced before the next write, and acknowledged
// before that.
type lateSync struct {
	File
	due *bool
}

func (f lateSync) Sync() error { *f.due = true; return nil }

func (f lateSync) WriteAt(b []byte, off int64) (int, error) {
	if *f.due {
		*f.due = false
		if err := f.File.Sync(); err != nil {
			return 0, err
		}
	}
	return f.File.WriteAt(b, off)
}

// retriedSync: an fsync that fails is tried again.
type retriedSync struct{ File }

func (f retriedSync) Sync() error {
	if err := f.File.Sync(); err != nil {
		return f.File.Sync()
	}
	return nil
}

// uncut: a tail is left where it is, and the next append goes behind it.
type uncut struct{ File }

func (uncut) Truncate(int64) error { return nil }

func (f uncut) WriteAt(b []byte, off int64) (int, error) {
	info, err := f.File.Stat()
	if err != nil {
		return 0, err
	}
	return f.File.WriteAt(b, info.Size())
}

// unsyncedRemovals: the directory is not fsynced when a file was removed.
type unsyncedRemovals struct {
	FS
	removed bool
}

func (u *unsyncedRemovals) Remove(name string) error {
	u.removed = true
	return u.FS.Remove(name)
}

func (u *unsyncedRemovals) SyncDir(name string) error {
	if u.removed {
		u.removed = false
		return nil
	}
	return u.FS.SyncDir(name)
}

// staySealed: a seal is never removed.
type staySealed struct{ FS }

func (f staySealed) Remove(name string) error {
	if filepath.Base(name) == sealName {
		return nil
	}
	return f.FS.Remove(name)
}

// unsyncedUnseal: a seal is removed from the disk after the first segment is.
type unsyncedUnseal struct {
	FS
	seal string
}

func (f *unsyncedUnseal) Remove(name string) error {
	if filepath.Base(name) == sealName {
		f.seal = name
		return nil
	}
	return f.FS.Remove(name)
}

func (f *unsyncedUnseal) SyncDir(name string) error {
	if err := f.FS.SyncDir(name); err != nil || f.seal == "" {
		return err
	}
	seal := f.seal
	f.seal = ""
	return f.FS.Remove(seal)
}

// unsyncedSeal: the bytes of a seal are not fsynced.
type unsyncedSeal struct{ FS }

func (f unsyncedSeal) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	file, err := f.FS.OpenFile(name, flag, perm)
	if err == nil && strings.HasPrefix(filepath.Base(name), sealName) {
		return faultyFile{File: noSync{file}, real: file}, nil
	}
	return file, err
}

func (f unsyncedSeal) SameFile(name string, file File) (bool, int64, error) {
	if wrapped, ok := file.(faultyFile); ok {
		file = wrapped.real
	}
	return f.FS.SameFile(name, file)
}

// eachLine visits the lines of a file, and says of each what is wrong with it.
func eachLine(f File, name string, visit func(line string, p parsed, err error) bool) {
	info, err := f.Stat()
	if err != nil {
		return
	}
	b := make([]byte, info.Size())
	f.ReadAt(b, 0)
	key := "revisions"
	if strings.HasPrefix(filepath.Base(name), "violations") {
		key = "violation"
	}
	for _, line := range strings.SplitAfter(string(b), "\n") {
		p, err := parseLine([]byte(strings.TrimSuffix(line, "\n")), key)
		if !strings.HasSuffix(line, "\n") {
			err = errNoEnd
		}
		if line != "" && !visit(line, p, err) {
			return
		}
	}
}

func TestFaultsAreNoticed(t *testing.T) {
	crashes := func(wrap func(FS) FS) error { return testCrashes(wrap, 1, 6, nil) }
	deletions := func(wrap func(FS) FS) error { return testCrashes(wrap, 1, 6, littleRoom) }
	failures := func(wrap func(FS) FS) error {
		return errors.Join(testFailures(wrap, 1, syscall.EIO, false, false), testFailures(wrap, 2, syscall.EIO, false, true))
	}
	files := func(open func(f File, name string) File) func(FS) FS {
		return func(fsys FS) FS { return faulty{FS: fsys, open: open} }
	}
	// A wrong repair happens before the log opens its file.
	mended := func(mend func(f, torn File, name string)) func(FS) FS {
		return func(fsys FS) FS {
			return faulty{FS: fsys, open: func(f File, name string) File {
				rw, err1 := fsys.OpenFile(name, writeOld, 0)
				torn, err2 := fsys.OpenFile(name+tornSuffix, writeAny, 0o600)
				if err1 == nil && err2 == nil {
					mend(rw, torn, name)
				}
				return f
			}}
		}
	}
	for _, c := range []struct {
		fault string
		test  func(func(FS) FS) error
		wrap  func(FS) FS
	}{
		{"nothing is fsynced", crashes, files(func(f File, _ string) File { return noSync{f} })},
		{"no directory is fsynced", crashes, func(fsys FS) FS {
			return faulty{FS: fsys, syncDir: func(string) error { return nil }}
		}},
		{"the parent of a new directory is not fsynced", crashes, func(fsys FS) FS {
			return faulty{FS: fsys, syncDir: func(name string) error {
				if name != storeDir {
					return nil
				}
				return fsys.SyncDir(name)
			}}
		}},
		{"deletions are not fsynced one by one", deletions, func(fsys FS) FS {
			return &unsyncedRemovals{FS: fsys}
		}},
		{"a seal stays when segments are deleted", deletions, func(fsys FS) FS { return staySealed{fsys} }},
		{"the removal of a seal is not fsynced", deletions, func(fsys FS) FS { return &unsyncedUnseal{FS: fsys} }},
		{"a seal is not fsynced before it gets its name", crashes, func(fsys FS) FS { return unsyncedSeal{fsys} }},
		{"an append is acknowledged before its fsync", crashes, files(func(f File, _ string) File { return lateSync{f, new(bool)} })},
		{"a failed fsync is tried again", failures, files(func(f File, _ string) File { return retriedSync{f} })},
		{"a torn tail is not cut before the next append", crashes, files(func(f File, _ string) File { return uncut{f} })},
		{"a failed write is not taken back", failures, files(func(f File, _ string) File { return uncut{f} })},
		{"recovery stops at the first bad line", testDamage, mended(func(f, torn File, name string) {
			var end int64
			var tail []byte
			eachLine(f, name, func(line string, _ parsed, err error) bool {
				if err == nil && tail == nil {
					end += int64(len(line))
				} else {
					tail = append(tail, line...)
				}
				return true
			})
			torn.WriteAt(tail, 0)
			f.Truncate(end)
		})},
		{"recovery skips bad lines", testDamage, mended(func(f, torn File, name string) {
			var good []byte
			next := uint64(0)
			eachLine(f, name, func(line string, p parsed, err error) bool {
				if err == nil {
					if next == 0 {
						next = p.first
					}
					key := "revisions"
					if strings.HasPrefix(filepath.Base(name), "violations") {
						key = "violation"
					}
					n := p.last - p.first
					good = appendLine(good, key, parsed{next, next + n, next - 1, p.json, 0})
					next += n + 1
				}
				return true
			})
			f.Truncate(int64(len(good)))
			f.WriteAt(good, 0)
		})},
		{"a torn tail is not kept", testDamage, mended(func(f, torn File, name string) {
			var end, size int64
			proof := false
			next := uint64(1)
			eachLine(f, name, func(line string, p parsed, err error) bool {
				size += int64(len(line))
				if err == nil && size-int64(len(line)) == end {
					end, next = size, p.last+1
				}
				proof = proof || err == nil && p.durable >= next
				return true
			})
			if !proof {
				f.Truncate(end)
			}
		})},
	} {
		t.Run(c.fault, func(t *testing.T) {
			t.Parallel()
			err := c.test(c.wrap)
			require.Error(t, err, "the test lets this pass")
			t.Log(err)
		})
	}
}
