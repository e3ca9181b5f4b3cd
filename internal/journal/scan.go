package journal

import (
	"bytes"
	"errors"
	"io"
	"math"
)

// lineReader reads the lines of a file from off up to limit. Its memory is that
// of the longest line.
type lineReader struct {
	file  io.ReaderAt
	off   int64 // of what is behind buf
	limit int64
	buf   []byte // read, and not yet returned
	space []byte // buf lies in it
}

const readBytes = 128 << 10

// next returns the next line without its newline, valid until it is called
// again; io.EOF when there is none; with errNoEnd what there is of a line.
func (r *lineReader) next() ([]byte, error) {
	seen := 0
	for {
		if i := bytes.IndexByte(r.buf[seen:], '\n'); i >= 0 {
			line := r.buf[:seen+i]
			r.buf = r.buf[seen+i+1:]
			return line, nil
		}
		seen = len(r.buf)
		want := min(int64(max(readBytes, seen)), r.limit-r.off)
		if want <= 0 {
			if seen == 0 {
				return nil, io.EOF
			}
			line := r.buf
			r.buf = nil
			return line, errNoEnd
		}
		if need := seen + int(want); need > len(r.space) {
			r.space = make([]byte, need)
		}
		copy(r.space, r.buf)
		n, err := r.file.ReadAt(r.space[seen:seen+int(want)], r.off)
		r.buf = r.space[:seen+n]
		r.off += int64(n)
		switch {
		case err == io.EOF:
			r.limit = r.off // the file ends early
		case err != nil:
			return nil, err
		}
	}
}

// scan reads the lines of a file from a position on and calls visit with each,
// until it returns false. It returns the position behind the last line that it
// called visit with, and a *CorruptError when the next one is none.
func (l *Log) scan(f File, name string, at position, limit int64, visit func(Line) bool) (position, error) {
	r := lineReader{file: f, off: at.offset, limit: limit}
	for {
		text, err := r.next()
		switch {
		case err == io.EOF:
			return at, nil
		case err == errNoEnd:
			return at, l.corrupt(name, at, "%w", err)
		case err != nil:
			return at, err
		}
		p, err := parseLine(text, l.Key)
		if err != nil {
			return at, l.corrupt(name, at, "%w", err)
		}
		if p.first != at.sequence {
			return at, l.corrupt(name, at, "number %d where %d comes next", p.first, at.sequence)
		}
		line := Line{First: p.first, Last: p.last, JSON: p.json, log: l, name: name, at: at, edition: p.edition}
		at = position{p.last + 1, at.line + 1, at.offset + int64(len(text)) + 1}
		if !visit(line) {
			return at, nil
		}
	}
}

// unlessTorn returns the error with which scan ended at a position of the last
// segment, or nil if what follows there may be what a crash left of a commit:
// nothing in it proves that a record there was acknowledged.
func (l *Log) unlessTorn(f File, err error, at position, limit int64) error {
	var damage *CorruptError
	var newer versionError
	if !errors.As(err, &damage) || errors.As(err, &newer) {
		return err
	}
	r := lineReader{file: f, off: at.offset, limit: limit}
	for first := true; ; first = false {
		line, rerr := r.next()
		switch {
		case rerr == io.EOF:
			return nil
		case rerr != nil && rerr != errNoEnd:
			return rerr
		case padded(line, l.Key):
			damage.Err = errPadded
			return err
		case proves(line, l.Key, at.sequence, first):
			return err
		}
	}
}

// near returns a position near the record after a number in an older segment, of
// so many bytes, from which scan may begin. It reads a few lines, by bisection. If it
// meets something that is no line, it stops looking, so that scan reports it if it
// matters. The number of the line is not known.
func (l *Log) near(f File, s segment, size int64, after uint64) position {
	at := s.begin()
	for low, high := int64(0), size; high-low > 2*readBytes; {
		r := lineReader{file: f, off: low + (high-low)/2, limit: high}
		if _, err := r.next(); err != nil { // the rest of a line
			break
		}
		offset := r.off - int64(len(r.buf))
		text, err := r.next()
		if err != nil {
			break
		}
		p, err := parseLine(text, l.Key)
		if err != nil {
			break
		}
		if p.first-1 <= after {
			at, low = position{p.first, math.MinInt32, offset}, offset
		} else {
			high = low + (high-low)/2
		}
	}
	return at
}

// lineAt returns the number of the line at an offset, or 0 if the file cannot be read.
func (l *Log) lineAt(name string, offset int64) int {
	f, size, err := l.openRead(name)
	if err != nil {
		return 0
	}
	defer f.Close()
	line := 1
	for r := (lineReader{file: f, limit: min(size, offset)}); ; line++ {
		if _, err := r.next(); err != nil {
			return line
		}
	}
}

// checkpointEvery is the distance of checkpoints.
const checkpointEvery = 64 << 10

// checkpoints are the positions of some lines of the last segment, so that reading
// the latest records does not begin at the first line. Reading adds them.
type checkpoints struct {
	segment uint64
	at      []position
}

// start returns the checkpoint from which to look for the record after a number.
func (l *Log) start(seg segment, after uint64) position {
	l.mu.Lock()
	defer l.mu.Unlock()
	best := seg.begin()
	if l.checkpoints.segment == seg.first {
		for i := len(l.checkpoints.at) - 1; i >= 0; i-- {
			if l.checkpoints.at[i].sequence-1 <= after {
				return l.checkpoints.at[i]
			}
		}
	}
	return best
}

// learn adds a checkpoint in the last segment if it is far from the others.
func (l *Log) learn(seg segment, at position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.checkpoints.segment != seg.first {
		l.checkpoints = checkpoints{segment: seg.first}
	}
	if n := len(l.checkpoints.at); n == 0 || at.offset >= l.checkpoints.at[n-1].offset+checkpointEvery {
		l.checkpoints.at = append(l.checkpoints.at, at)
	}
}

func (l *Log) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.checkpoints = checkpoints{}
}
