// Package rules reads rule files: norms, the facts that they use, and tests of them, with the place of each
// in its file.
package rules

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/internal/invisible"
	"github.com/normsync/normsync/internal/strictjson"
)

// Set is what a number of rule files hold.
type Set struct {
	Norms    []normsync.Norm // in the order of the files and of their places there
	Cases    []Case
	Problems []Problem

	files      []*source
	entries    []entry        // of Norms, in the same order
	byName     map[string]int // index of the norm in force with that name
	facts      []fact
	thresholds []threshold
}

// entry is where a norm, a fact or a threshold is.
type entry struct {
	file *source
	at   span
}

// Stdin is the path that stands for the standard input.
const Stdin = "-"

// maxFileBytes is the size of the largest file that Read reads.
const maxFileBytes = 64 << 20

// Read reads rule files. A file has a JSON array of norms, or an object with the keys
// "norms", "facts", "numbers" and "tests", of which one is enough. The path "-" is the standard input. A
// file that is named twice is read once.
//
// The error is about a file that cannot be read. What is wrong within the files is in
// the set's Problems, and what is not wrong is in the set all the same. Read checks
// what [normsync.ReadRules] checks, and that no two norms in force share a name.
func Read(stdin io.Reader, paths ...string) (*Set, error) {
	s := &Set{byName: map[string]int{}}
	read := map[string]bool{}
	for _, path := range paths {
		if name := filepath.Clean(path); read[name] {
			continue
		} else {
			read[name] = true
		}
		text, err := readFile(stdin, path)
		if err != nil {
			return nil, fmt.Errorf("normsync: read rules: %w", err)
		}
		s.add(path, text)
	}
	s.checkNames()
	s.checkFacts()
	slices.SortStableFunc(s.Problems, func(a, b Problem) int {
		return s.fileIndex(a.File) - s.fileIndex(b.File)
	})
	return s, nil
}

// Err returns an error that lists the set's problems, or nil if there are none. It
// wraps [normsync.ErrInvalid].
func (s *Set) Err() error {
	if len(s.Problems) == 0 {
		return nil
	}
	return problemError(s.Problems)
}

func (s *Set) fileIndex(name string) int {
	return slices.IndexFunc(s.files, func(f *source) bool { return f.name == name })
}

func readFile(stdin io.Reader, path string) ([]byte, error) {
	in, name := stdin, "the standard input"
	if path != Stdin {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &noFileError{path}
		}
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil && info.IsDir() {
			return nil, fmt.Errorf("%s is a directory; name the files in it, such as %s", path, filepath.Join(path, "*.json"))
		}
		in, name = f, path
	}
	text, err := io.ReadAll(io.LimitReader(in, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(text) > maxFileBytes {
		return nil, fmt.Errorf("%s has more than %d MiB; divide it into several files", name, maxFileBytes>>20)
	}
	return text, nil
}

// noFileError is fs.ErrNotExist for a rule file.
type noFileError struct{ path string }

func (e *noFileError) Error() string {
	return fmt.Sprintf("there is no file %s; name a JSON file of rules", invisible.Quote(e.path))
}

func (e *noFileError) Is(target error) bool { return target == fs.ErrNotExist }

const byteOrderMark = "\uFEFF"

// add adds what a file holds.
func (s *Set) add(path string, text []byte) {
	if path == Stdin {
		path = "stdin"
	}
	f := newSource(path, text)
	s.files = append(s.files, f)
	if bytes.HasPrefix(text, []byte("\xFF\xFE")) || bytes.HasPrefix(text, []byte("\xFE\xFF")) {
		s.report(f, 0, "", "the file is in UTF-16; save it as UTF-8")
		return
	}
	if len(bytes.TrimSpace(f.text)) == 0 {
		s.report(f, 0, "", `the file is empty; write an array of norms, or [] if there are none`)
		return
	}
	found, err := scan(f.text)
	if err != nil {
		s.report(f, err.ByteOffset, "", err.Text())
		return
	}
	for i, at := range found.norms {
		s.addNorm(f, at, i+1)
	}
	s.addFacts(f, found)
	s.addCases(f, found.cases)
}

func (s *Set) report(f *source, offset int, norm, text string) {
	s.Problems = append(s.Problems, Problem{f.place(offset), norm, text})
}

// addNorm adds the norm of a file that is at a place there, and has a number.
func (s *Set) addNorm(f *source, at span, number int) {
	var n normsync.Norm
	text := f.text[at.start:at.end]
	err := n.UnmarshalJSON(text)
	if e := (*strictjson.Error)(nil); errors.As(err, &e) {
		s.report(f, at.start+e.ByteOffset, "", fmt.Sprintf("norm %d: %s", number, e.Text()))
		return
	}
	if err == nil {
		err = n.Validate()
	}
	if err != nil {
		problem := withoutName(err)
		field, _, _ := strings.Cut(problem, ":")
		s.report(f, at.start+fieldOffset(text, field), n.Name, fmt.Sprintf("norm %s: %s", quote(n.Name), problem))
		return
	}
	s.Norms = append(s.Norms, n)
	s.entries = append(s.entries, entry{f, at})
}

// invalid matches the beginning of an error of [normsync.Norm.Validate], and of the
// methods Validate of facts and thresholds.
var invalid = regexp.MustCompile(`^normsync: invalid \w+ "(?:[^"\\]|\\.)*": `)

// withoutName returns the text of an error of a method Validate from the field on.
func withoutName(err error) string { return invalid.ReplaceAllLiteralString(err.Error(), "") }

// quote returns the beginning of a text of users as a Go string.
func quote(s string) string { return invisible.Quote(fmt.Sprintf("%.60s", s)) }

// checkNames reports norms that share a name. A norm that is marked as repealed is not
// in force, so it may have the name of another one.
func (s *Set) checkNames() {
	for i, n := range s.Norms {
		if n.Repealed {
			continue
		}
		first, ok := s.byName[n.Name]
		if !ok {
			s.byName[n.Name] = i
			continue
		}
		s.Problems = append(s.Problems, Problem{s.entries[i].place("name", ""), n.Name, fmt.Sprintf(
			"norm %s: a norm of that name is at %s, too; rename one of them, or remove it", quote(n.Name), s.entries[first].place("name", ""))})
	}
}
