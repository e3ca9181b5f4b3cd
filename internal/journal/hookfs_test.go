package journal

import (
	"io/fs"
	"os"
	"strings"
)

// hookFS calls before with every operation on a file system and on its files.
// When it returns an error the operation fails with it and does nothing, but a
// write does most of what it should.
type hookFS struct {
	FS
	before func(op, name string) error
}

func (h hookFS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	op := "open"
	if flag&os.O_CREATE != 0 {
		op = "create"
	}
	if err := h.before(op, name); err != nil {
		return nil, err
	}
	f, err := h.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return hookFile{f, name, h}, nil
}

func (h hookFS) Mkdir(name string, perm fs.FileMode) error {
	if err := h.before("mkdir", name); err != nil {
		return err
	}
	return h.FS.Mkdir(name, perm)
}

func (h hookFS) ReadDir(name string) ([]string, error) {
	if err := h.before("readdir", name); err != nil {
		return nil, err
	}
	return h.FS.ReadDir(name)
}

func (h hookFS) Remove(name string) error {
	if err := h.before("remove", name); err != nil {
		return err
	}
	return h.FS.Remove(name)
}

func (h hookFS) Rename(old, new string) error {
	if err := h.before("rename", new); err != nil {
		return err
	}
	return h.FS.Rename(old, new)
}

func (h hookFS) SyncDir(name string) error {
	if err := h.before("syncdir", name); err != nil {
		return err
	}
	return h.FS.SyncDir(name)
}

func (h hookFS) SameFile(name string, f File) (bool, int64, error) {
	if err := h.before("samefile", name); err != nil {
		return false, 0, err
	}
	return h.FS.SameFile(name, f.(hookFile).File)
}

type hookFile struct {
	File
	name string
	h    hookFS
}

func (f hookFile) ReadAt(b []byte, off int64) (int, error) {
	if err := f.h.before("read", f.name); err != nil {
		return 0, err
	}
	return f.File.ReadAt(b, off)
}

func (f hookFile) WriteAt(b []byte, off int64) (int, error) {
	if err := f.h.before("write", f.name); err != nil {
		n, _ := f.File.WriteAt(b[:len(b)*3/4], off)
		return n, err
	}
	return f.File.WriteAt(b, off)
}

func (f hookFile) Truncate(size int64) error {
	if err := f.h.before("truncate", f.name); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f hookFile) Sync() error {
	if err := f.h.before("sync", f.name); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f hookFile) Stat() (fs.FileInfo, error) {
	if err := f.h.before("stat", f.name); err != nil {
		return nil, err
	}
	return f.File.Stat()
}

func (f hookFile) Close() error {
	if err := f.h.before("close", f.name); err != nil {
		f.File.Close()
		return err
	}
	return f.File.Close()
}

func isTornName(name string) bool { return strings.HasSuffix(name, tornSuffix) }
