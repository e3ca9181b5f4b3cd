package journal

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"strings"
)

const suffix = ".jsonl"

// segment is one file of a log. A log without segments has one, whose first
// number is 1.
type segment struct {
	first uint64
	name  string
	size  int64 // of those before the last one, where the log is written
}

func (s segment) begin() position { return position{sequence: s.first, line: 1} }

// segmentName has twenty digits, so that names sort as numbers do.
func (l *Log) segmentName(first uint64) string {
	if l.SegmentBytes == 0 {
		return l.Name + suffix
	}
	return fmt.Sprintf("%s-%020d%s", l.Name, first, suffix)
}

// parseName returns the segment of that name, if it is one of this log.
func (l *Log) parseName(name string) (segment, bool) {
	if l.SegmentBytes == 0 {
		return segment{first: 1, name: name}, name == l.Name+suffix
	}
	digits, ok := strings.CutPrefix(name, l.Name+"-")
	digits, ok2 := strings.CutSuffix(digits, suffix)
	if !ok || !ok2 || strings.Trim(digits, "0123456789") != "" {
		return segment{}, false
	}
	first, err := strconv.ParseUint(digits, 10, 64)
	return segment{first: first, name: name}, err == nil && first > 0 && first < math.MaxUint64
}

// list returns the segments in the directory.
func (l *Log) list() ([]segment, error) {
	names, err := l.FS.ReadDir(l.Dir)
	if err != nil {
		return nil, err
	}
	var segs []segment
	for _, name := range names {
		if s, ok := l.parseName(name); ok {
			segs = append(segs, s)
		}
	}
	slices.SortFunc(segs, func(a, b segment) int { return cmp.Compare(a.first, b.first) })
	for i, s := range segs[min(1, len(segs)):] {
		if s.first == segs[i].first {
			return nil, l.corrupt(s.name, s.begin(), "%s begins with the same number", segs[i].name)
		}
	}
	return segs, nil
}

// checkEnds reads the first and the last line of a segment that another one
// follows, and reports a segment that is misplaced or missing between the two.
// Damage within the segment is found when it is read. It returns the
// segment's size.
func (l *Log) checkEnds(s, next segment) (size int64, err error) {
	f, size, err := l.openRead(s.name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	r := lineReader{file: f, limit: size}
	if first, err := r.next(); err == nil {
		if p, err := parseLine(first, l.Key); err == nil && p.first != s.first {
			return 0, l.corrupt(s.name, s.begin(), "it begins with number %d, against its name", p.first)
		}
	}
	if size == 0 {
		return 0, l.gap(s.first, next)
	}
	last, err := lastLine(f, size)
	if err != nil {
		return 0, err
	}
	if p, err := parseLine(last, l.Key); err == nil {
		if p.last+1 != next.first {
			return 0, l.gap(p.last+1, next)
		}
		l.note(p.json, p.edition)
	}
	return size, nil
}

// gap is the error for a segment that does not begin with the number that
// follows the segment before it.
func (l *Log) gap(want uint64, s segment) error {
	if want > s.first {
		return l.corrupt(s.name, s.begin(), "it begins with number %d, but the file before it ends with %d", s.first, want-1)
	}
	return l.corrupt(s.name, s.begin(), "numbers %d to %d are missing before it", want, s.first-1)
}

// lastLine returns the last line of a file, without its newline.
func lastLine(f File, size int64) ([]byte, error) {
	for n := min(size, readBytes); ; n = min(size, 2*n) {
		b := make([]byte, n)
		if _, err := f.ReadAt(b, size-n); err != nil {
			return nil, err
		}
		b, _ = bytes.CutSuffix(b, []byte("\n"))
		if i := bytes.LastIndexByte(b, '\n'); i >= 0 || n == size {
			return b[i+1:], nil
		}
	}
}

// rotate begins a new segment. Its caller holds lead.
func (l *Log) rotate() error {
	at := position{sequence: l.end.sequence, line: 1}
	s := segment{first: at.sequence, name: l.segmentName(at.sequence)}
	f, err := l.create(s.name)
	if errors.Is(err, errNameUnsure) {
		return l.breaks(err)
	}
	if err != nil {
		return err
	}
	l.file.Close() // all of it is on disk
	l.file = f
	segs := append(slices.Clone(l.segments), s) // readers may be using the old slice
	segs[len(segs)-2].size = l.end.offset
	l.mu.Lock()
	l.segments, l.end = segs, at
	l.mu.Unlock()
	return l.retain(l.segmentBytes())
}

// create makes a new file and has its name on disk.
func (l *Log) create(name string) (File, error) {
	f, err := l.FS.OpenFile(l.path(name), writeNew, l.Perm)
	if err != nil {
		return nil, err
	}
	if err := l.FS.SyncDir(l.Dir); err != nil {
		f.Close()
		return nil, fmt.Errorf("%w: %w", errNameUnsure, err)
	}
	return f, nil
}

// errNameUnsure says that a file was made and may be gone after a power loss.
var errNameUnsure = errors.New("the name of a new file may not be on disk")

// retain deletes the oldest segments until the others, and as many bytes to
// come, fit into MaxBytes. Each deletion is on disk before the next one, so that a
// crash leaves no gap. A file that cannot be deleted is tried again next time.
func (l *Log) retain(coming int64) error {
	if l.MaxBytes == 0 {
		return nil
	}
	total := coming
	for _, s := range l.segments {
		total += s.size
	}
	for len(l.segments) > 1 && total > l.MaxBytes {
		if l.beforeDelete != nil {
			if err := l.beforeDelete(); err != nil {
				return l.breaks(err)
			}
		}
		all := l.segments
		oldest := all[0]
		// Readers must stop looking for the file before it is gone.
		l.setSegments(all[1:])
		if err := l.FS.Remove(l.path(oldest.name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.setSegments(all)
			return nil
		}
		total -= oldest.size
		l.FS.Remove(l.path(oldest.name + tornSuffix))
		if err := l.FS.SyncDir(l.Dir); err != nil {
			return l.breaks(err)
		}
	}
	return nil
}

func (l *Log) setSegments(s []segment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.segments = s
}

// segmentBytes is what a segment may grow to: SegmentBytes, but no more than a
// quarter of MaxBytes, since only whole segments are deleted.
func (l *Log) segmentBytes() int64 {
	if l.MaxBytes > 0 {
		return min(l.SegmentBytes, max(1, l.MaxBytes/4))
	}
	return l.SegmentBytes
}
