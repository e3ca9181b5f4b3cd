package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
)

// Dir is the logs of one directory. They are opened, made ready for Append and
// closed together, so that what one file proves about another is seen before
// anything is changed.
type Dir struct {
	fsys FS
	path string
	logs []*Log
	seal seal // as it is on disk; nil if there is none
}

// OpenDir opens the logs of a directory, which have the same Dir and FS. It
// changes nothing. Damage is a *CorruptError: in a log itself, against the seal,
// or against what the other logs say of the first one.
func OpenDir(options ...Options) (*Dir, error) {
	d := &Dir{fsys: options[0].FS, path: options[0].Dir}
	if d.fsys == nil {
		d.fsys = OS
	}
	if err := confirmed(func() error { return d.load(options) }); err != nil {
		return nil, err
	}
	return d, nil
}

// Log returns a log of the directory, in the order of the options.
func (d *Dir) Log(i int) *Log { return d.logs[i] }

func (d *Dir) load(options []Options) (err error) {
	// The seal comes first: beside a live writer, the logs that are read after it
	// can only be longer than it says. The first log comes last: a line of
	// another one that is read before it can only name records that it has.
	if d.seal, err = readSeal(d.fsys, d.path); err != nil {
		return err
	}
	d.logs = make([]*Log, len(options))
	for i := len(options) - 1; i >= 0; i-- {
		if d.logs[i], err = Open(options[i]); err != nil {
			return err
		}
		d.logs[i].beforeDelete = d.unseal
	}
	for _, l := range d.logs {
		if err := d.seal.check(l); err != nil {
			return err
		}
	}
	for _, l := range d.logs[1:] {
		l.first = d.logs[0]
		if err := l.checkFirst(); err != nil {
			return err
		}
	}
	return nil
}

// checkFirst compares the first log of the directory with what the lines of this
// one say about it.
func (l *Log) checkFirst() error {
	first := l.first
	if len(first.segments) == 0 && len(l.segments) > 0 {
		return &CorruptError{Path: first.path(first.segmentName(1)), Line: 1,
			Err: fmt.Errorf("%w: the %s are missing, though there are %s", fs.ErrNotExist, first.Name, l.Name)}
	}
	if err := first.reaches(l.edition, fmt.Sprintf(
		"a line of the %s says that it was on disk; if this is a copy of a store that was being written to, copy it again when the store is closed, or move the copied %s elsewhere", l.Name, l.Name)); err != nil {
		return err
	}
	if first.damage == nil {
		return nil
	}
	// Bytes are about to be cut off. What the records themselves say counts now,
	// too. At other times it does not, since a program may store records that
	// come from elsewhere.
	return first.reaches(l.named, fmt.Sprintf("a record of the %s names it", l.Name))
}

// reaches returns an error if the log ends before a record that was on disk.
func (l *Log) reaches(sequence uint64, why string) error {
	if l.end.sequence > sequence {
		return nil
	}
	name := l.segmentName(1)
	if n := len(l.segments); n > 0 {
		name = l.segments[n-1].name
	}
	cause := fmt.Errorf("the file is cut short: numbers %d to %d are missing", l.end.sequence, sequence)
	if l.damage != nil {
		cause = l.damage
	}
	return l.corrupt(name, l.end, "%w (number %d is lost: %s)", cause, sequence, why)
}

// Recover makes the logs ready for Append. It comes after the checks of OpenDir,
// so nothing has been changed if one of them is damaged.
func (d *Dir) Recover() error {
	for _, l := range d.logs {
		if err := l.Recover(); err != nil {
			return err
		}
	}
	return nil
}

// unseal removes the seal, since old segments are about to be deleted.
func (d *Dir) unseal() error {
	if d.seal == nil {
		return nil
	}
	if err := removeSeal(d.fsys, d.path); err != nil {
		return err
	}
	d.seal = nil
	return nil
}

// Close closes the logs. If they were ready for Append and none is broken, it
// first seals the directory. A full disk leaves the earlier seal, which is still
// true.
func (d *Dir) Close() error {
	var errs []error
	for _, l := range d.logs {
		errs = append(errs, l.stop())
	}
	if errors.Join(errs...) == nil {
		errs = append(errs, d.writeSeal())
	}
	for _, l := range d.logs {
		errs = append(errs, l.closeFile())
	}
	return errors.Join(errs...)
}

// writeSeal seals the directory, unless it was only read or a log is broken.
// The seal keeps what the earlier one says of logs that are not open.
func (d *Dir) writeSeal() error {
	for _, l := range d.logs {
		if !l.writable || l.broken != nil {
			return nil
		}
	}
	next := seal{}
	maps.Copy(next, d.seal)
	for _, l := range d.logs {
		// The seal must not get into another store that has taken the place of
		// this one, nor promise what another program has cut off.
		if err := l.sameFile(l.end.offset); err != nil {
			return fmt.Errorf("%w: %w", ErrBroken, err)
		}
		next[l.Name] = extent{l.segments[0].first, l.end.sequence - 1}
	}
	if maps.Equal(next, d.seal) {
		return nil
	}
	if err := next.write(d.fsys, d.path, d.logs[0].Perm); err != nil && !isFull(err) {
		return fmt.Errorf("everything is on disk, but %s could not be written: %w", filepath.Join(d.path, sealName), err)
	}
	return nil
}
