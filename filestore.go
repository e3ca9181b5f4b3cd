package normsync

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/normsync/normsync/internal/journal"
)

// FileOptions are the options of OpenFile.
type FileOptions struct {
	ReadOnly bool // no lock, nothing is written or repaired

	// RevisionsOnly opens the revisions and does not touch the files of
	// violations: they are not opened, checked, written or deleted. Revisions can be
	// read and appended, so a game server can go on when its violations are
	// damaged, and a process that may not read the violations can follow the
	// constitution. AppendViolations and Violations fail with
	// [errors.ErrUnsupported]. Damage to the revisions is refused as always, but
	// the violations are not compared with them, so check TornTails.
	RevisionsOnly bool

	// SegmentBytes is the size beyond which a segment of violations is closed
	// and the next one begun; 0 means 64 MiB. What one fsync commits is never
	// divided.
	SegmentBytes int64

	// MaxBytes is the size beyond which the oldest segments of violations are
	// deleted, whenever one is begun; 0 keeps all. A segment is closed at a
	// quarter of it at the latest. Revisions are never deleted.
	MaxBytes int64
}

const defaultSegmentBytes = 64 << 20

// FileStore is a [Store] in a directory of JSON Lines, made to be read with jq
// and kept in git. In revisions.jsonl a line is one Apply, all or nothing. In
// violations-<first number>.jsonl a line is one violation. A line has a format
// version, the numbers of its records and a checksum, and must not be edited.
//
// Concurrent appends share an fsync. A sequence yields the records that are on
// disk when the range begins. It needs memory for one line, however long the
// log is. Any number of goroutines may use a FileStore.
//
// # Guarantees
//
//	nil                     All is on disk: written and fsynced, and the names
//	                        of its file and directory before it.
//	ErrConflict, ErrInvalid Nothing has changed.
//	the context's error     Nothing has changed. If the text says that the
//	                        outcome is unknown, the records may be there or
//	                        come yet, each line whole.
//	no space, write failed  What was written is taken back; the store can be
//	                        used.
//	ErrBroken               An fsync has failed, or what a failed write left
//	                        cannot be taken back, or another program has
//	                        deleted, moved, truncated or extended the files.
//	                        For the append that met it, the outcome is
//	                        unknown; all later ones are refused until the
//	                        store is opened again. No fsync is tried twice.
//	process killed          All that was acknowledged is there, and no line is
//	                        half there. A prefix of the appends in progress may
//	                        be there.
//	power lost              The same, if the drive keeps what it says it has
//	                        flushed.
//	damage                  *CorruptError, and no byte of any file is changed:
//	                        by OpenFile if the damage is in revisions.jsonl or
//	                        the last segment, or a segment is missing or does
//	                        not fit between the others; by Violations if it is
//	                        within an older segment.
//	a newer format          The same.
//
// A batch of violations is not a transaction: without nil, a prefix of it may be
// there. What a crash leaves behind the last whole line was never acknowledged.
// OpenFile cuts it off, keeps it in a file with the suffix .torn if there is
// room, and reports it through [FileStore.TornTails].
//
// # Damage and crashes
//
// Close writes seal.json, which says how many records each log has. After a
// clean Close, any damage to any file is refused: a changed byte, a file that is
// cut, also between two lines, and a missing file. Damage within an older
// segment is refused when it is read. Bytes added behind the last line hide
// nothing and are treated as a torn tail.
//
// The seal stays true while more is appended, since logs only grow, and a crash
// cannot make it wrong. It is removed before MaxBytes deletes a segment, until
// the next Close. For records that no seal covers, because the process was killed
// or its system crashed, the lines of both logs are the evidence: each says up to
// which record its log was on disk when it was written, and each violation also
// says up to which revision. If records are missing that these lines prove, the
// store is refused.
//
// So after a crash, damage can take away without an error only records at the end
// of a log that no later line of either log proves: revisions of the last Apply if
// no violation was stored after it, and the violations of the last append, or any
// number of violations at the end if their file is cut exactly between two lines
// or is missing. Before a torn tail of revisions is cut off, the Edition of the
// stored violations counts as evidence, too. If Edition means something else in
// your program, open the store once with RevisionsOnly, which cuts the tail off.
//
// To copy a store that is being written to, copy seal.json first, then
// violations-*.jsonl, and revisions.jsonl last. In another order the copy can have
// violations that are newer than its revisions, and is then refused, as is one from
// which MaxBytes has just deleted a segment: copy again. To use such a copy without
// its violations, delete seal.json and open it with RevisionsOnly, or move the
// violations-*.jsonl files elsewhere.
//
// A program that changes line ends damages every line; OpenFile says so. A store
// in git needs a .gitattributes with *.jsonl -text.
//
// # Platforms
//
// The guarantees hold on Linux, macOS and the BSDs, on a local file system. On Windows
// there is no fsync of a directory, so it depends on NTFS whether a new file's name
// survives a power loss; the lock is a file named lock; and a segment that somebody is
// reading is deleted later than MaxBytes says. On other systems only openers within
// the same process are kept apart. On network file systems there are no guarantees:
// NFS neither locks nor syncs as a FileStore needs it. After a failed fsync whose
// bytes could not be cut off either, as on a drive that is gone, restart the system
// before you open the store: its cache may show what the drive does not have.
//
// Permissions are 0755 for the directory, 0644 for revisions, 0600 for
// violations, less the umask.
type FileStore struct {
	dir        *journal.Dir
	revisions  *journal.Log
	violations *journal.Log
	unlock     func() error
	closed     atomic.Bool
	broken     atomic.Pointer[error] // the error that broke one of the logs; both are on the same disk
	last       atomic.Pointer[tip]   // of the revisions that this store appended; nil if that is not known
}

// CorruptError reports a damaged line of a [FileStore]. Restore the files from a
// backup or from git, seal.json among them: a seal that is newer than the logs says
// that records are missing. A FileStore never repairs by guessing what was
// acknowledged.
type CorruptError struct {
	Path   string
	Line   int   // counted from 1
	Offset int64 // of the beginning of the line
	Err    error
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("normsync: corrupt store: %s:%d (byte %d): %v; restore the file from a backup", e.Path, e.Line, e.Offset, e.Err)
}

func (e *CorruptError) Unwrap() error { return e.Err }

// TornTail describes bytes that [OpenFile] cut off behind the last whole line of
// a file: what a crash left of an append that was never acknowledged.
type TornTail struct {
	Path   string // of the file that they were in
	Offset int64  // in that file
	Size   int64  // number of bytes
	Kept   string // path of the file to which they were moved; empty if that failed
	Err    error  // why they could not be kept, as on a full disk
}

// TornTails returns the torn tails that OpenFile cut off: at most one of the
// revisions and one of the violations, and none if the store was closed
// properly. A program should log them. The fields of a TornTail tell where its
// bytes are now.
func (s *FileStore) TornTails() []TornTail {
	var all []TornTail
	for _, l := range []*journal.Log{s.revisions, s.violations} {
		if l == nil {
			continue // RevisionsOnly
		}
		if tail := l.TornTail(); tail != nil {
			all = append(all, TornTail(*tail))
		}
	}
	return all
}

// OpenFile opens the store in a directory. It creates the directory and its parents
// if they do not exist. It reads all revisions and the last segment of violations. A
// nil o means the zero FileOptions.
//
// A store has one writer: a second one gets [ErrLocked] at once, in this process or
// another. With ReadOnly, any number of readers may open it beside the writer. They
// see what it appends, perhaps a moment before the append is acknowledged. A reader
// treats a torn tail as the end of the log, and a directory that does not exist as
// an error that wraps [fs.ErrNotExist]. Damage is a [*CorruptError]. A negative size
// in o is [ErrInvalid].
func OpenFile(dir string, o *FileOptions) (*FileStore, error) {
	if o == nil {
		o = &FileOptions{}
	}
	s, err := openFile(dir, *o)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) && !o.ReadOnly {
			err = fmt.Errorf("%w (ReadOnly opens a store without writing to it)", err)
		}
		err = fileError("open store "+dir, err)
		if aboutViolations(err) {
			err = fmt.Errorf("%w; to go on without the violations, open the store with FileOptions.RevisionsOnly", err)
		}
		return nil, err
	}
	return s, nil
}

// aboutViolations reports whether an error is about a file of violations.
func aboutViolations(err error) bool {
	path := ""
	var damage *CorruptError
	var failed *fs.PathError
	if errors.As(err, &damage) {
		path = damage.Path
	} else if errors.As(err, &failed) {
		path = failed.Path
	}
	return strings.HasPrefix(filepath.Base(path), "violations-")
}

func openFile(dir string, o FileOptions) (_ *FileStore, err error) {
	if dir == "" {
		return nil, fmt.Errorf("no directory is named: %w", fs.ErrNotExist)
	}
	if o.SegmentBytes < 0 || o.MaxBytes < 0 {
		return nil, fmt.Errorf("%w: SegmentBytes and MaxBytes are sizes, not less than 0", ErrInvalid)
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = defaultSegmentBytes
	}
	// The store stays where it is when the process changes its directory.
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	if !o.ReadOnly {
		if err := journal.MakeDir(journal.OS, dir); err != nil {
			return nil, err
		}
	}
	if info, err := os.Stat(dir); err != nil {
		return nil, err
	} else if !info.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: errors.New("a file, where a directory is needed")}
	}

	s := &FileStore{unlock: func() error { return nil }}
	if !o.ReadOnly {
		if s.unlock, err = journal.LockDir(dir); err != nil {
			return nil, err
		}
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	logs := fileLogs(dir, o)
	if o.RevisionsOnly {
		logs = logs[:1]
	}
	if s.dir, err = journal.OpenDir(logs...); err != nil {
		return nil, err
	}
	s.revisions = s.dir.Log(0)
	if !o.RevisionsOnly {
		s.violations = s.dir.Log(1)
	}
	if o.ReadOnly {
		return s, nil
	}
	if err = s.dir.Recover(); err != nil {
		return nil, err
	}
	return s, nil
}

// fileLogs are the two logs of a store: revisions, a batch in a line, and
// violations, a line each.
func fileLogs(dir string, o FileOptions) []journal.Options {
	return []journal.Options{
		{Dir: dir, Name: "revisions", Key: "revisions", Perm: 0o644},
		{Dir: dir, Name: "violations", Key: "violation", Perm: 0o600, Edition: storedEdition, SegmentBytes: o.SegmentBytes, MaxBytes: o.MaxBytes},
	}
}

// storedEdition returns the Edition of a violation as it is stored, without
// decoding the rest. Nothing but the key can look like the key: a quote within a
// string is escaped, and the key comes before all nested values.
func storedEdition(violation []byte) (edition uint64) {
	key := []byte(`,"edition":`)
	i := bytes.Index(violation, key)
	if i < 0 {
		return 0
	}
	digits := violation[i+len(key):]
	if end := bytes.IndexAny(digits, ",}"); end >= 0 {
		digits = digits[:end]
	}
	edition, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil {
		return 0 // decoding the violation reports it
	}
	return edition
}

// AppendRevisions appends a batch of revisions as one line. The first must have the
// next edition. If a Prev is set, it must be the ID of the previous revision.
// [FileStore] explains its errors.
func (s *FileStore) AppendRevisions(ctx context.Context, revs ...Revision) error {
	const verb = "append revisions"
	if err := ctx.Err(); err != nil || len(revs) == 0 {
		return fileError(verb, err)
	}
	if err := s.unbroken(verb); err != nil {
		return err
	}
	before, err := s.tipBefore(ctx, revs[0])
	if err != nil {
		return opError(verb, err)
	}
	last, err := before.extend(revs)
	if err != nil {
		return opError(verb, err)
	}
	b := []byte{'['}
	for i, r := range revs {
		r, err := r.Canonical()
		if err != nil {
			return err
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = identify(r).appendJSON(b)
	}
	err = s.append(ctx, verb, s.revisions, revs[0].Edition, journal.Entry{Count: len(revs), JSON: append(b, ']')})
	if err == nil {
		s.last.Store(&last)
	}
	return err
}

// tipBefore returns the tip that r has to follow, with its ID if r has a Prev. A
// revision in the log never changes, so the log can be read before the append:
// the append refuses an edition that is not the next one by then.
func (s *FileStore) tipBefore(ctx context.Context, r Revision) (tip, error) {
	before := tip{edition: r.Edition - 1}
	if known := s.last.Load(); known != nil && known.edition == before.edition {
		return *known, nil
	}
	if r.Prev != (ID{}) && r.Edition > 1 {
		for r, err := range s.identified(ctx, before.edition-1) {
			return r.tip(), err
		}
	}
	return before, nil
}

// Revisions yields the revisions with an edition greater than after, and reads
// little more than those.
func (s *FileStore) Revisions(ctx context.Context, after uint64) iter.Seq2[Revision, error] {
	return func(yield func(Revision, error) bool) {
		for r, err := range s.identified(ctx, after) {
			if !yield(r.Revision, err) {
				return
			}
		}
	}
}

// identified is Revisions with the IDs, which decoding computes to check them.
func (s *FileStore) identified(ctx context.Context, after uint64) iter.Seq2[identified, error] {
	return func(yield func(identified, error) bool) {
		var revs []identified
		for line, err := range s.revisions.Read(ctx, after) {
			if err == nil {
				revs, err = readRevisions(revs[:0], line)
			}
			if err != nil {
				yield(identified{}, fileError("read revisions", err))
				return
			}
			for _, r := range revs {
				if r.Edition > after && !yield(r, nil) {
					return
				}
			}
		}
	}
}

// readRevisions appends the revisions of a line to revs. It refuses a line with a
// correct checksum if its editions are not those that its numbers say.
func readRevisions(revs []identified, line journal.Line) ([]identified, error) {
	revs, err := appendRevisions(revs, line.JSON)
	if err != nil {
		return nil, unreadable(line, err)
	}
	if uint64(len(revs)) != line.Last-line.First+1 {
		return nil, line.Corrupt(fmt.Errorf("%d revisions for the numbers %d to %d", len(revs), line.First, line.Last))
	}
	for i, r := range revs {
		if want := line.First + uint64(i); r.Edition != want {
			return nil, line.Corrupt(fmt.Errorf("edition %d where %d comes next", r.Edition, want))
		}
	}
	return revs, nil
}

// unreadable returns the error of decoding a line: that the line is corrupt,
// unless only this platform cannot hold its values.
func unreadable(line journal.Line, err error) error {
	corrupt := line.Corrupt(err)
	var at *journal.CorruptError
	if errors.Is(err, errPriority) && errors.As(corrupt, &at) {
		return fmt.Errorf("%s:%d: %w", at.Path, at.Line, err)
	}
	return corrupt
}

// AppendViolations appends violations, a line for each. [FileStore] explains its errors.
func (s *FileStore) AppendViolations(ctx context.Context, vs ...Violation) error {
	const verb = "append violations"
	if err := ctx.Err(); err != nil || len(vs) == 0 {
		return fileError(verb, err)
	}
	var b []byte
	ends := make([]int, len(vs))
	for i, v := range vs {
		v, err := v.Canonical()
		if err != nil {
			return err
		}
		if b, err = v.appendJSON(b); err != nil {
			return err
		}
		if ends[i] = len(b); i == 0 {
			b = slices.Grow(b, min(len(b), 4<<10)*(len(vs)-1)) // the others may be much the same
		}
	}
	entries, from := make([]journal.Entry, len(vs)), 0
	for i, end := range ends {
		entries[i] = journal.Entry{Count: 1, JSON: b[from:end]}
		from = end
	}
	return s.append(ctx, verb, s.violations, 0, entries...)
}

// unbroken returns what broke the store, if anything did.
func (s *FileStore) unbroken(verb string) error {
	if broken := s.broken.Load(); broken != nil && !s.closed.Load() {
		return fileError(verb, *broken)
	}
	return nil
}

func (s *FileStore) append(ctx context.Context, verb string, to *journal.Log, first uint64, entries ...journal.Entry) error {
	if err := s.unbroken(verb); err != nil {
		return err
	}
	if to == nil {
		return fileError(verb, s.noViolations())
	}
	err := to.Append(ctx, first, entries...)
	if errors.Is(err, journal.ErrBroken) {
		s.broken.CompareAndSwap(nil, &err)
	}
	return fileError(verb, err)
}

// Violations yields the violations with a number greater than after, oldest first.
func (s *FileStore) Violations(ctx context.Context, after uint64) iter.Seq2[StoredViolation, error] {
	return func(yield func(StoredViolation, error) bool) {
		if s.violations == nil {
			yield(StoredViolation{}, fileError("read violations", cmp.Or(ctx.Err(), s.noViolations())))
			return
		}
		for line, err := range s.violations.Read(ctx, after) {
			v := StoredViolation{Number: line.First}
			if err == nil {
				if err = v.Violation.UnmarshalJSON(line.JSON); err != nil {
					err = line.Corrupt(err)
				}
			}
			if err != nil {
				yield(StoredViolation{}, fileError("read violations", err))
				return
			}
			if !yield(v, nil) {
				return
			}
		}
	}
}

// QueryViolations yields the violations that q picks. It reads each violation after
// q.After, or, if Newest is set, from the end backwards, until it has found enough.
func (s *FileStore) QueryViolations(ctx context.Context, q ViolationQuery) iter.Seq2[StoredViolation, error] {
	return q.from(ctx, s.Violations, func() (first, last uint64, err error) {
		if s.violations == nil {
			return 1, 0, cmp.Or(ctx.Err(), s.noViolations())
		}
		return s.violations.Bounds(ctx)
	})
}

// waitInterval is how often WaitRevisions checks for new revisions.
const waitInterval = 5 * time.Millisecond

// WaitRevisions returns nil once there is a revision with an edition greater than
// after, and the error of ctx if ctx ends first. It checks every 5 ms. In a store that was
// opened with ReadOnly it checks the size and the modification time of the file of
// revisions, and reads the file if they have changed.
func (s *FileStore) WaitRevisions(ctx context.Context, after uint64) error {
	path := filepath.Join(s.revisions.Dir, s.revisions.Name+".jsonl")
	for {
		seen, _ := os.Stat(path) // the file may not be there yet
		if last, writer := s.revisions.Appended(); !writer || last > after {
			for _, err := range s.Revisions(ctx, after) {
				return err
			}
		}
		for same := true; same; {
			if err := pause(ctx, waitInterval); err != nil {
				return fileError("wait for revisions", err)
			}
			if s.closed.Load() {
				return fileError("wait for revisions", fs.ErrClosed)
			}
			if last, writer := s.revisions.Appended(); writer {
				same = last <= after
			} else {
				now, _ := os.Stat(path)
				same = sameState(seen, now)
			}
		}
	}
}

// sameState reports whether a file, which may not exist, looks unchanged.
func sameState(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && os.SameFile(a, b)
}

// noViolations is the error of a store that was opened with RevisionsOnly.
func (s *FileStore) noViolations() error {
	if s.closed.Load() {
		return fs.ErrClosed
	}
	return fmt.Errorf("the store was opened with RevisionsOnly, without its violations: %w", errors.ErrUnsupported)
}

// Close waits for the append in progress, refuses those that wait behind it, writes
// seal.json, and releases the lock. Later calls of any method that can fail return an
// error that wraps [fs.ErrClosed].
func (s *FileStore) Close() error {
	if s.closed.Swap(true) {
		return fileError("close store", fs.ErrClosed)
	}
	var err error
	if s.dir != nil { // OpenFile came that far
		err = s.dir.Close()
	}
	return fileError("close store", errors.Join(err, s.unlock()))
}

// fileError returns an error of a log as one of this package.
func fileError(verb string, err error) error {
	var damage *journal.CorruptError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &damage):
		return (*CorruptError)(damage)
	case errors.Is(err, journal.ErrConflict):
		return fmt.Errorf("%w: %s: %w", ErrConflict, verb, err)
	case errors.Is(err, journal.ErrLocked):
		return fmt.Errorf("%w: %s: %w (close that one first, or open with ReadOnly and follow it)", ErrLocked, verb, err)
	case errors.Is(err, journal.ErrBroken):
		return fmt.Errorf("%w: %s: %w", ErrBroken, verb, err)
	}
	return fmt.Errorf("normsync: %s: %w", verb, err)
}
