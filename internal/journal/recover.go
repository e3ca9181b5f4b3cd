package journal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	tornSuffix = ".torn"

	writeNew = os.O_RDWR | os.O_CREATE | os.O_EXCL
	writeOld = os.O_RDWR
	writeAny = os.O_RDWR | os.O_CREATE
)

// Open reads the last file of a log, and the ends of the others. It changes
// nothing: the log can be read, and Recover makes it ready for Append. Damage
// is a *CorruptError.
func Open(o Options) (*Log, error) {
	if o.FS == nil {
		o.FS = OS
	}
	l := &Log{Options: o, lead: make(chan struct{}, 1)}
	if err := confirmed(l.load); err != nil {
		return nil, err
	}
	return l, nil
}

// confirmed calls f until it finds no damage, or the same damage twice in turn.
// Beside a live writer a reader may see a file half before and half after a
// change; what is on disk it sees again.
func confirmed(f func() error) error {
	var seen string
	for {
		err := f()
		var damage *CorruptError
		if !errors.As(err, &damage) || damage.Error() == seen {
			return err
		}
		seen = damage.Error()
	}
}

func (l *Log) load() error {
	segs, err := l.list()
	if err != nil {
		return err
	}
	l.segments, l.end, l.torn = segs, position{sequence: 1, line: 1}, 0
	l.damage, l.edition, l.named = nil, 0, 0
	l.forget()
	if len(segs) == 0 {
		return nil
	}
	last := len(segs) - 1
	for i := range segs[:last] {
		if segs[i].size, err = l.checkEnds(segs[i], segs[i+1]); err != nil {
			return l.loadAgain(segs[i], err)
		}
	}
	f, size, err := l.openRead(segs[last].name)
	if err != nil {
		return l.loadAgain(segs[last], err)
	}
	defer f.Close()
	l.end, err = l.scan(f, segs[last].name, segs[last].begin(), size, func(line Line) bool {
		l.learn(segs[last], line.at)
		l.note(line.JSON, line.edition)
		return true
	})
	l.torn, l.damage = size-l.end.offset, errors.Unwrap(err)
	return l.unlessTorn(f, err, l.end, size)
}

// note remembers what a line says of the first log of the directory.
func (l *Log) note(record []byte, edition uint64) {
	l.edition = max(l.edition, edition)
	if l.Edition != nil {
		l.named = max(l.named, l.Edition(record))
	}
}

// loadAgain loads the log again if a segment is gone because its writer has
// deleted it.
func (l *Log) loadAgain(s segment, err error) error {
	if l.deleted(s, err) {
		return l.load()
	}
	return err
}

// openRead opens a file for reading and returns its size.
func (l *Log) openRead(name string) (File, int64, error) {
	f, err := l.FS.OpenFile(l.path(name), os.O_RDONLY, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// TornTail describes the bytes that Recover cut off behind the last whole line
// of a log: what a crash left of an append that was never acknowledged.
type TornTail struct {
	Path   string // of the file that they were in
	Offset int64  // in that file
	Size   int64  // number of bytes
	Kept   string // path of the file to which they were moved; empty if that failed
	Err    error  // why they could not be kept
}

// Recover makes a log ready for Append: it cuts off a torn tail and creates the
// first file if there is none. The bytes of the tail are appended to a file of
// the same name with the suffix .torn. If they cannot be kept, as on a full
// disk, they are cut off all the same, and TornTail says why. When Recover
// returns nil, everything that can be read is on disk. No other program may
// write to the log meanwhile.
func (l *Log) Recover() (err error) {
	// MaxBytes may be smaller than it was. The disk may be full, so room is made
	// before anything is written.
	if err := l.retain(l.end.offset); err != nil {
		return err
	}
	if len(l.segments) == 0 {
		s := segment{first: 1, name: l.segmentName(1)}
		if l.file, err = l.create(s.name); err != nil {
			return err
		}
		l.segments = []segment{s}
	} else if l.file, err = l.recoverLast(l.segments[len(l.segments)-1].name); err != nil {
		return err
	}
	l.torn = 0
	l.mu.Lock()
	l.writable = true
	l.mu.Unlock()
	return nil
}

// TornTail returns the torn tail that Recover cut off, or nil if there was none.
func (l *Log) TornTail() *TornTail { return l.tornTail }

func (l *Log) recoverLast(name string) (File, error) {
	f, err := l.FS.OpenFile(l.path(name), writeOld, 0)
	if err != nil {
		return nil, err
	}
	err = func() error {
		if l.torn > 0 {
			tail := &TornTail{Path: l.path(name), Offset: l.end.offset, Size: l.torn}
			if tail.Err = l.keepTorn(f, name); tail.Err == nil {
				tail.Kept = tail.Path + tornSuffix
			}
			l.tornTail = tail
			if err := f.Truncate(l.end.offset); err != nil {
				return err
			}
		}
		// The bytes that were read and the file's name may exist only in the
		// system's cache, if the writer was killed before it could fsync them.
		if err := f.Sync(); err != nil {
			return err
		}
		return l.FS.SyncDir(l.Dir)
	}()
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// keepTorn appends the torn tail to a file beside the segment, as closed to
// others as the segment is.
func (l *Log) keepTorn(f File, name string) (err error) {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	to, err := l.FS.OpenFile(l.path(name+tornSuffix), writeAny, info.Mode().Perm())
	if err != nil {
		return err
	}
	defer to.Close()
	had, err := to.Stat()
	if err != nil {
		return err
	}
	defer func() {
		// The tail may be too large for the disk; no part of it stays then.
		if err != nil {
			to.Truncate(had.Size())
			if had.Size() == 0 {
				l.FS.Remove(l.path(name + tornSuffix))
			}
		}
	}()
	buf := make([]byte, min(l.torn, 1<<20))
	for done := int64(0); done < l.torn; done += int64(len(buf)) {
		buf = buf[:min(int64(len(buf)), l.torn-done)]
		if _, err := f.ReadAt(buf, l.end.offset+done); err != nil {
			return err
		}
		if _, err := to.WriteAt(buf, had.Size()+done); err != nil {
			return err
		}
	}
	if err := to.Sync(); err != nil {
		return err
	}
	return l.FS.SyncDir(l.Dir)
}

// MakeDir makes a directory and its missing parents, and fsyncs their names. It
// also fsyncs the name of the first directory that exists, since the process that
// made it may have been killed before it could.
func MakeDir(fsys FS, dir string) error {
	parent := filepath.Dir(dir)
	err := fsys.Mkdir(dir, 0o755)
	if errors.Is(err, fs.ErrNotExist) && parent != dir {
		if err := MakeDir(fsys, parent); err != nil {
			return err
		}
		err = fsys.Mkdir(dir, 0o755)
	}
	if errors.Is(err, fs.ErrExist) {
		// A parent that cannot be opened is not one that we made.
		if err := fsys.SyncDir(parent); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
		return nil
	}
	if err != nil {
		return err
	}
	return fsys.SyncDir(parent)
}
