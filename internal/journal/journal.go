// Package journal keeps an append-only log of numbered JSON records in files
// that people can read: a line is one JSON object with a format version, the
// numbers of its records, and a checksum.
//
// The promise is that what Append acknowledged is there after any crash, and
// that nothing is ever half there. Three things carry it. Append says nil only
// when the bytes have been written and fsynced, and the name of their file
// before them. Each line says which record was the last one known to be on disk
// when it was written, so that a torn tail, which nobody was promised, can be
// told from damage to what was acknowledged. And a log that is damaged is
// refused as it is: recovery cuts off nothing but a torn tail, and keeps even
// that.
//
// The files of the package, in the order in which to read them: line.go is one
// line, scan.go the lines of a file, segment.go the files of a log, recover.go
// what opening does, commit.go what Append does, read.go what Read does, lock_*.go
// who may write, fs*.go the file system underneath.
package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
)

var (
	// ErrConflict says that the first record of an Append is not the next one.
	ErrConflict = errors.New("not the next number")
	// ErrBroken says that what is on disk is no longer known: nothing can be
	// appended until the log is opened again.
	ErrBroken = errors.New("log is broken")
	// ErrLocked says that somebody else holds the lock of the directory.
	ErrLocked = errors.New("locked by another opener")
)

// CorruptError says where a log holds what it cannot hold.
type CorruptError struct {
	Path   string
	Line   int   // counted from 1
	Offset int64 // of the beginning of the line
	Err    error
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s:%d (byte %d): %v", e.Path, e.Line, e.Offset, e.Err)
}

func (e *CorruptError) Unwrap() error { return e.Err }

// Options say where a log lies and how it is cut into files.
type Options struct {
	Dir  string      // must exist
	Name string      // of the log: the file is Name.jsonl, or Name-<first number>.jsonl with segments
	Key  string      // what a record is called in a line
	Perm fs.FileMode // of the files

	SegmentBytes int64 // a new file is begun rather than grow one beyond it; 0: there is one file
	MaxBytes     int64 // the oldest files are deleted beyond it, all together; 0: keep all

	FS FS // nil: the operating system's
}

// Log is one log. It is opened by Open, which changes nothing, and made ready
// for Append by Recover; one that is only read does without, and follows
// whoever writes. Any number of goroutines may use it.
type Log struct {
	Options

	// lead is a lock that can be waited for together with other things.
	// Whoever holds it commits what is in the queue, and owns the fields of
	// this block.
	lead    chan struct{}
	file    File   // the last segment, open for writing
	buf     []byte // kept from one commit to the next
	crowded bool   // the last commit was for several
	broken  error

	tornTail *TornTail // set by Recover

	mu       sync.Mutex // guards what follows; held for moments, never while the disk works
	queue    []*request
	writable bool
	closed   bool
	segments []segment // oldest first
	end      position  // in the last segment, behind what is known to be on disk
	torn     int64     // bytes behind end when the log was opened
	marks    marks
}

// position is a place between two lines of a file.
type position struct {
	number uint64 // of the record that comes next
	line   int    // counted from 1
	offset int64
}

func (l *Log) path(name string) string { return filepath.Join(l.Dir, name) }

func (l *Log) corrupt(name string, at position, format string, args ...any) error {
	return &CorruptError{Path: l.path(name), Line: at.line, Offset: at.offset, Err: fmt.Errorf(format, args...)}
}

// Files returns the number of files that the log had when it was opened.
func (l *Log) Files() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.segments)
}

// Close waits for the commit that is under way, refuses what waits behind it,
// and closes the files. Reading that has begun may go on.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return fs.ErrClosed
	}
	l.closed = true
	l.mu.Unlock()

	l.lead <- struct{}{} // and never given back
	l.mu.Lock()
	late := l.queue
	l.queue = nil
	l.mu.Unlock()
	for _, r := range late {
		r.done <- fs.ErrClosed
	}
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
