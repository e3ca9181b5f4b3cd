package journal

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"slices"
	"sort"
)

// Line is a line of a log as Read yields it.
type Line struct {
	First, Last uint64 // the numbers of its records
	JSON        []byte // of the record or records, until the next line is asked for

	log     *Log
	name    string
	at      position
	edition uint64 // see parsed
}

// Corrupt returns a *CorruptError that says where the line is.
func (l Line) Corrupt(err error) error { return l.log.corrupt(l.name, l.at, "%w", err) }

var errStop = errors.New("stopped")

// Read yields the lines with records after a number: those that are on disk
// when it begins. If another program writes the log, Read yields the lines in its
// files up to a torn tail. It holds no lock while it yields, and needs memory for
// the longest line. If segments are deleted meanwhile, Read goes on with the oldest
// that is left; the numbers of the lines show the gap.
func (l *Log) Read(ctx context.Context, after uint64) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		done := after // so that the sequence can be ranged over again
		var damaged uint64
		err := confirmed(func() error {
			return l.read(ctx, &done, &damaged, func(line Line) bool { return yield(line, nil) })
		})
		if err != nil && err != errStop {
			yield(Line{}, err)
		}
	}
}

// read yields what comes after *done, and advances it. If an older segment is damaged,
// read sets *damaged to its first number, and begins with that segment when it is called
// again, even if all of its records are done.
func (l *Log) read(ctx context.Context, done, damaged *uint64, yield func(Line) bool) error {
	segs, end, err := l.snapshot()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil || len(segs) == 0 {
		return err
	}
	// The first segment to read is the last one that begins no later than with
	// the record wanted next.
	i := max(0, sort.Search(len(segs), func(i int) bool { return segs[i].first-1 > *done })-1)
	if again := slices.IndexFunc(segs, func(s segment) bool { return s.first == *damaged }); again >= 0 {
		i = min(i, again)
	}
	*damaged = 0
	for ; i < len(segs)-1; i++ {
		at, err := l.readSegment(ctx, segs[i], false, nil, done, yield)
		if l.deleted(segs[i], err) {
			return l.read(ctx, done, damaged, yield)
		}
		if err == nil && at.sequence != segs[i+1].first {
			err = l.gap(at.sequence, segs[i+1])
		}
		if err != nil {
			*damaged = segs[i].first
			return err
		}
	}
	at, err := l.readSegment(ctx, segs[i], true, end, done, yield)
	switch {
	case l.deleted(segs[i], err):
		return l.read(ctx, done, damaged, yield)
	case err == nil && end != nil && at != *end:
		return l.corrupt(segs[i].name, at, "the file is cut short: numbers %d to %d are missing", at.sequence, end.sequence-1)
	}
	return err
}

// snapshot returns the segments, and if l writes the log, the end of what is on disk in
// the last of them.
func (l *Log) snapshot() (segs []segment, end *position, err error) {
	l.mu.Lock()
	closed, writable, segs, at := l.closed, l.writable, l.segments, l.end
	l.mu.Unlock()
	switch {
	case closed:
		return nil, nil, fs.ErrClosed
	case writable:
		return segs, &at, nil
	}
	segs, err = l.list()
	return segs, nil, err
}

// deleted reports whether an error comes from the deletion of a segment by the
// writer of the log.
func (l *Log) deleted(s segment, err error) bool {
	if !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	segs, _, err := l.snapshot()
	return err == nil && !slices.ContainsFunc(segs, func(have segment) bool { return have.first == s.first })
}

// readSegment yields the lines of one segment that come after *done, and
// returns the position behind the last line. For the last segment, end is the
// position up to which the writer of the log reads; it is nil for other readers,
// which stop at a torn tail.
func (l *Log) readSegment(ctx context.Context, s segment, last bool, end *position, done *uint64, yield func(Line) bool) (position, error) {
	at := s.begin()
	f, limit, err := l.openRead(s.name)
	if err != nil {
		return at, err
	}
	defer f.Close()
	if last {
		if end != nil {
			limit = end.offset
		}
		if checkpoint := l.start(s, *done); checkpoint.offset <= limit {
			at = checkpoint
		}
	} else {
		at = l.near(f, s, limit, *done)
	}
	var stopped error
	checkpoint := at.offset
	at, err = l.scan(f, s.name, at, limit, func(line Line) bool {
		if last && line.at.offset >= checkpoint {
			l.learn(s, line.at)
			checkpoint = line.at.offset + checkpointEvery
		}
		if line.Last <= *done {
			return true
		}
		if stopped = ctx.Err(); stopped == nil {
			*done = line.Last
			if !yield(line) {
				stopped = errStop
			}
		}
		return stopped == nil
	})
	if err == nil {
		return at, stopped
	}
	l.forget() // a checkpoint may be out of date if another program writes
	if last && end == nil {
		err = l.unlessTorn(f, err, at, limit)
	}
	return at, err
}
