package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
)

// sealName is the name of the file that holds the seal of a directory:
//
//	{"v":1,"crc":"0a1b2c3d","logs":{"revisions":{"first":1,"last":7},"violations":{"first":1,"last":90}}}
//
// crc is the CRC-32C of the JSON of logs.
const sealName = "seal.json"

const sealVersion = 1

// seal says which records each log of a directory had when the directory was
// last closed properly, by the name of the log. All of them were on disk by
// then. Logs only grow, so a seal stays true while more is appended, and a crash
// cannot make it wrong. Only a deletion of old segments does, so the seal is
// removed before the first one.
type seal map[string]extent

// extent is the range of the records that a log has. Last is less than First if
// it has none.
type extent struct {
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
}

func (s seal) encode() []byte {
	logs, err := json.Marshal(s)
	if err != nil {
		panic(err) // of a map of numbers
	}
	return fmt.Appendf(nil, `{"v":%d,"crc":"%08x","logs":%s}`+"\n", sealVersion, crc32.Checksum(logs, castagnoli), logs)
}

var errSeal = errors.New("the seal is not as it was written, so the logs cannot be checked against it; restore it, or delete it if the logs are known to be whole")

func decodeSeal(text []byte) (seal, error) {
	var file struct {
		V    uint64
		Logs seal
	}
	err := json.Unmarshal(text, &file)
	switch {
	case err == nil && file.V > sealVersion:
		return nil, versionError(file.V)
	// The file is short, so a program that changes line ends may have done so.
	case err != nil || !bytes.Equal(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), file.Logs.encode()):
		return nil, errSeal
	}
	return file.Logs, nil
}

// maxSealSize is far above the size of any seal.
const maxSealSize = 64 << 10

// readSeal returns the seal of a directory, or nil if it has none.
func readSeal(fsys FS, dir string) (seal, error) {
	path := filepath.Join(dir, sealName)
	f, err := fsys.OpenFile(path, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var s seal
	if err = errSeal; info.Size() > 0 && info.Size() <= maxSealSize {
		text := make([]byte, info.Size())
		if _, err := f.ReadAt(text, 0); err != nil {
			return nil, err
		}
		s, err = decodeSeal(text)
	}
	if err != nil {
		return nil, &CorruptError{Path: path, Line: 1, Err: err}
	}
	return s, nil
}

// write replaces the seal of a directory. A crash leaves the old one or the new
// one.
func (s seal) write(fsys FS, dir string, perm fs.FileMode) error {
	path := filepath.Join(dir, sealName)
	next := path + ".new"
	err := writeFile(fsys, next, s.encode(), perm)
	if err == nil {
		err = fsys.Rename(next, path)
	}
	if err != nil {
		fsys.Remove(next)
		return err
	}
	return fsys.SyncDir(dir)
}

// writeFile writes a file and has its bytes on disk when it returns nil.
func writeFile(fsys FS, path string, text []byte, perm fs.FileMode) error {
	f, err := fsys.OpenFile(path, writeAny, perm)
	if err != nil {
		return err
	}
	if err = f.Truncate(0); err == nil {
		_, err = f.WriteAt(text, 0)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// removeSeal removes the seal of a directory, and returns nil when that is on
// disk.
func removeSeal(fsys FS, dir string) error {
	err := fsys.Remove(filepath.Join(dir, sealName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return fsys.SyncDir(dir)
}

// check returns an error if a log lacks a record that it had when the directory
// was closed.
func (s seal) check(l *Log) error {
	had, ok := s[l.Name]
	if !ok {
		return nil
	}
	const since = "when the store was closed properly; if the file was replaced on purpose, delete " + sealName
	if len(l.segments) == 0 {
		return &CorruptError{Path: l.path(l.segmentName(had.First)), Line: 1,
			Err: fmt.Errorf("%w: the file was there "+since, fs.ErrNotExist)}
	}
	if first := l.segments[0]; first.first > had.First {
		return l.corrupt(first.name, first.begin(), "numbers %d to %d are missing before it, which were there "+since, had.First, first.first-1)
	}
	return l.reaches(had.Last, "it was there "+since)
}
