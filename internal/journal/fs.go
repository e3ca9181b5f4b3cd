package journal

import (
	"io"
	"io/fs"
	"os"
)

// FS is the file system of a log. Tests replace it with one that fails at a chosen
// call, and one that loses everything that was not synced.
type FS interface {
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	Mkdir(name string, perm fs.FileMode) error
	ReadDir(name string) (names []string, err error)
	Remove(name string) error
	// Rename replaces a file of the new name, all at once.
	Rename(old, new string) error
	// SyncDir has the names in a directory on disk when it returns nil.
	SyncDir(name string) error
	// SameFile reports whether a name still leads to an open file, and the
	// size of the open file.
	SameFile(name string, f File) (same bool, size int64, err error)
}

// File is an open file.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Sync() error
	Stat() (fs.FileInfo, error)
}

// OS is the operating system's file system.
var OS FS = osFS{}

type osFS struct{}

func (osFS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err // not f: a nil *os.File is not a nil File
	}
	return f, nil
}

func (osFS) Mkdir(name string, perm fs.FileMode) error { return os.Mkdir(name, perm) }

func (osFS) ReadDir(name string) (names []string, err error) {
	entries, err := os.ReadDir(name)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func (osFS) Remove(name string) error { return os.Remove(name) }

func (osFS) Rename(old, new string) error { return os.Rename(old, new) }

func (osFS) SyncDir(name string) error { return syncDir(name) }

func (osFS) SameFile(name string, f File) (same bool, size int64, err error) {
	open, err := f.Stat()
	if err != nil {
		return false, 0, err
	}
	named, err := os.Stat(name)
	if os.IsNotExist(err) {
		return false, open.Size(), nil
	}
	return err == nil && os.SameFile(open, named), open.Size(), err
}
