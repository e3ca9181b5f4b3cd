// Package journal keeps an append-only log of numbered JSON records in files
// that people can read: a line is one JSON object with a format version, the
// numbers of its records, and a checksum.
//
// Every record that Append acknowledged is there after any crash, and no line is
// ever half there. Append returns nil only after the bytes, and before them the
// name of their file, have been written and fsynced. Each line says which record
// was the last one known to be on disk when it was written, and a seal says it
// for the last clean Close. That distinguishes a torn tail, which was never
// acknowledged, from damage. A damaged log is refused and left unchanged. Opening
// cuts off only a torn tail, and keeps its bytes.
//
// Read the files in this order: line.go (a line), scan.go (the lines of a file),
// segment.go (the files of a log), recover.go (Open and Recover), commit.go
// (Append), read.go (Read), seal.go (the seal), dir.go (the logs of a directory),
// lock_*.go (the writer's lock), fs*.go (the file system).
package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
)

var (
	// ErrConflict reports an Append with a first record that is not the next one.
	ErrConflict = errors.New("not the next number")
	// ErrBroken reports that the content of the disk is no longer known. Nothing
	// can be appended until the log is opened again.
	ErrBroken = errors.New("log is broken")
	// ErrLocked reports that another opener holds the lock of the directory.
	ErrLocked = errors.New("locked by another opener")
)

// CorruptError reports a damaged line.
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

// Options configures Open.
type Options struct {
	Dir  string      // must exist
	Name string      // of the log: the file is Name.jsonl, or Name-<first number>.jsonl with segments
	Key  string      // what a record is called in a line
	Perm fs.FileMode // of the files

	SegmentBytes int64 // a new file is begun rather than grow one beyond it; 0: there is one file
	MaxBytes     int64 // the oldest files are deleted beyond it, all together; 0: keep all

	// Edition returns the number of a record in the first log of the directory
	// that a record of this log names, or 0. Nil means that none does.
	Edition func(record []byte) uint64

	FS FS // nil: the operating system's
}

// Log is one log. Open opens it for reading and changes nothing. Recover makes it
// ready for Append. A log without Recover follows the program that writes to the
// files. Any number of goroutines may use a Log.
type Log struct {
	Options

	// lead is a lock that a select can wait for. Its holder, the leader, commits
	// the requests in the queue and owns the fields of this block.
	lead    chan struct{}
	file    File   // the last segment, open for writing
	buf     []byte // kept from one commit to the next
	crowded bool   // the last commit was for several
	broken  error

	tornTail *TornTail // set by Recover

	// Set by Dir.
	first        *Log         // the first log of the directory, if this is another one
	beforeDelete func() error // called before a segment is deleted

	// What Open has found.
	damage  error  // at the end, where a torn tail begins; nil if there is none
	edition uint64 // the highest that a line names
	named   uint64 // the highest that a record names

	mu          sync.Mutex // guards what follows; held for moments, never while the disk works
	queue       []*request
	writable    bool
	closed      bool
	segments    []segment // oldest first
	end         position  // in the last segment, behind what is known to be on disk
	torn        int64     // bytes behind end when the log was opened
	checkpoints checkpoints
}

// position is a place between two lines of a file.
type position struct {
	sequence uint64 // of the record that comes next
	line     int    // counted from 1; negative if reading did not begin at the first
	offset   int64
}

// durable returns the number of the last record that is known to be on disk.
func (l *Log) durable() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end.sequence - 1
}

func (l *Log) path(name string) string { return filepath.Join(l.Dir, name) }

func (l *Log) corrupt(name string, at position, format string, args ...any) error {
	if at.line < 0 {
		at.line = l.lineAt(name, at.offset)
	}
	return &CorruptError{Path: l.path(name), Line: at.line, Offset: at.offset, Err: fmt.Errorf(format, args...)}
}

// Appended returns the number of the last record that is known to be on disk, if this
// is the log's writer.
func (l *Log) Appended() (last uint64, writer bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end.sequence - 1, l.writable
}

// Bounds returns the numbers of the first and the last record that Read would yield
// now. If there are none, last is less than first. If another program writes the log,
// Bounds reads the last segment.
func (l *Log) Bounds(ctx context.Context) (first, last uint64, err error) {
	segs, end, err := l.snapshot()
	if err != nil || len(segs) == 0 {
		return 1, 0, err
	}
	first = segs[0].first
	if end != nil {
		return first, end.sequence - 1, nil
	}
	last = segs[len(segs)-1].first - 1
	for line, err := range l.Read(ctx, last) {
		if err != nil {
			return first, last, err
		}
		last = line.Last
	}
	return first, last, nil
}

// Files returns the number of files that the log had when it was opened.
func (l *Log) Files() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.segments)
}

// Close waits for the commit that is under way, refuses the appends that wait
// behind it, and closes the file. Reading that has begun may go on.
func (l *Log) Close() error {
	if err := l.stop(); err != nil {
		return err
	}
	return l.closeFile()
}

// stop ends all appending. The fields of the leader belong to its caller from
// then on.
func (l *Log) stop() error {
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
	return nil
}

func (l *Log) closeFile() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
