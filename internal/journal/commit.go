package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
)

// Entry is what goes into one line: one record, or several that belong
// together.
type Entry struct {
	Count int    // of records
	JSON  []byte // without a newline
}

// request is a call of Append that waits for its commit.
type request struct {
	first   uint64
	entries []Entry
	done    chan error // takes one without blocking
}

// Append appends lines and returns nil when they are on disk. The first record
// gets the number first, or Append returns ErrConflict; if first is 0, it gets the
// number that comes next. The entries' bytes belong to the log from now on.
//
// An error means that nothing was appended, unless it says that the outcome is
// unknown. Without nil, a prefix of the lines may be there after a crash, each
// of them whole.
//
// Calls that arrive while the disk is busy share one fsync: one of them becomes
// the leader and commits for all, in order of arrival.
func (l *Log) Append(ctx context.Context, first uint64, entries ...Entry) error {
	for _, e := range entries {
		if e.Count < 1 || len(e.JSON) == 0 || bytes.IndexByte(e.JSON, '\n') >= 0 {
			return errors.New("an entry is JSON on one line")
		}
	}
	r := &request{first: first, entries: entries, done: make(chan error, 1)}
	if err := l.enqueue(ctx, r); err != nil {
		return err
	}
	select {
	case err := <-r.done:
		return err
	case l.lead <- struct{}{}:
		l.commit()
		<-l.lead
		return <-r.done
	case <-ctx.Done():
		return l.withdraw(ctx, r)
	}
}

func (l *Log) enqueue(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return fs.ErrClosed
	case !l.writable:
		return fmt.Errorf("opened for reading only, only its writer may change it: %w", fs.ErrPermission)
	}
	l.queue = append(l.queue, r)
	return nil
}

// withdraw takes a request out of the queue. A request that is no longer queued
// is being committed, and its outcome is not known yet.
func (l *Log) withdraw(ctx context.Context, r *request) error {
	l.mu.Lock()
	i := slices.Index(l.queue, r)
	if i >= 0 {
		l.queue = slices.Delete(l.queue, i, i+1)
	}
	l.mu.Unlock()
	if i >= 0 {
		return ctx.Err()
	}
	select {
	case err := <-r.done:
		return err
	default:
		return fmt.Errorf("the outcome is unknown, since the wait for it was given up: %w", ctx.Err())
	}
}

// commit commits the requests in the queue: those that came since the previous
// commit. Its caller holds lead.
func (l *Log) commit() {
	if l.crowded {
		// The goroutines that were just served may append again and share this
		// fsync.
		runtime.Gosched()
	}
	l.mu.Lock()
	batch := l.queue
	l.queue = nil
	l.mu.Unlock()
	if len(batch) == 0 {
		return // another leader has done it
	}
	l.crowded = len(batch) > 1
	if l.broken != nil {
		for _, r := range batch {
			r.done <- l.broken
		}
		return
	}
	var conflicts []*request
	edition := uint64(0)
	if l.first != nil {
		edition = l.first.durable()
	}
	next, lines, b := l.end.sequence, 0, l.buf[:0]
	for _, r := range batch {
		if r.first != 0 && r.first != next {
			conflicts = append(conflicts, r)
			continue
		}
		for _, e := range r.entries {
			last := next + uint64(e.Count) - 1
			b = appendLine(b, l.Key, parsed{next, last, l.end.sequence - 1, e.JSON, edition})
			next = last + 1
			lines++
		}
	}
	err := l.write(b, next, lines)
	if l.buf = b; cap(b) > 1<<20 {
		l.buf = nil
	}
	for _, r := range batch {
		// Whether there is a conflict depends on what came before it in the batch.
		if err == nil && slices.Contains(conflicts, r) {
			r.done <- fmt.Errorf("%w: %d, where %d comes next", ErrConflict, r.first, next)
		} else {
			r.done <- err
		}
	}
}

// write puts whole lines behind the end of the log, and returns nil when they
// are on disk under the file's name.
func (l *Log) write(b []byte, next uint64, lines int) error {
	if len(b) == 0 {
		return nil
	}
	// A write beyond the end of a file that somebody has cut would leave a hole
	// and look like success.
	if err := l.sameFile(l.end.offset); err != nil {
		return l.breaks(err)
	}
	if limit := l.segmentBytes(); limit > 0 && l.end.offset > 0 && l.end.offset+int64(len(b)) > limit {
		if err := l.rotate(); err != nil {
			return err
		}
	}
	if _, err := l.file.WriteAt(b, l.end.offset); err != nil {
		return l.undo(err)
	}
	if err := l.file.Sync(); err != nil {
		// A second fsync could return nil although the bytes are lost, so there
		// is none. The bytes are cut off, since they may not last.
		l.file.Truncate(l.end.offset)
		return l.breaks(err)
	}
	end := position{next, l.end.line + lines, l.end.offset + int64(len(b))}
	if err := l.sameFile(end.offset); err != nil {
		return l.breaks(err)
	}
	l.mu.Lock()
	l.end = end
	l.mu.Unlock()
	return nil
}

// errGone reports a file that was deleted, moved or replaced while the log was
// open.
var errGone = fmt.Errorf("the file is no longer there under its name: %w", fs.ErrNotExist)

// sameFile returns an error unless the last file of the log is still there under
// its name and has exactly the size that the log gave it.
func (l *Log) sameFile(want int64) error {
	name := l.path(l.segments[len(l.segments)-1].name)
	same, size, err := l.FS.SameFile(name, l.file)
	switch {
	case err != nil:
		return err
	case !same:
		return &fs.PathError{Op: "check", Path: name, Err: errGone}
	case size != want:
		return &fs.PathError{Op: "check", Path: name,
			Err: fmt.Errorf("another program has changed the file: it has %d bytes and should have %d", size, want)}
	}
	return nil
}

// undo cuts off the bytes of a failed write, so that the log stays usable. It
// fsyncs the cut before anything else is written: the next write may be shorter,
// and a crash must not bring back the bytes behind it.
func (l *Log) undo(cause error) error {
	err := l.file.Truncate(l.end.offset)
	if err == nil {
		err = l.file.Sync()
	}
	if err != nil {
		return l.breaks(fmt.Errorf("%w, and undoing what it left: %w", cause, err))
	}
	return cause
}

// breaks ends all appending, because the content of the disk is no longer known.
func (l *Log) breaks(cause error) error {
	l.broken = fmt.Errorf("%w until it is opened again, and the outcome of the append that met this is unknown: %w", ErrBroken, cause)
	return l.broken
}
