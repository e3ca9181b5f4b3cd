package normsync

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"

	"github.com/normsync/normsync/internal/invisible"
	"github.com/normsync/normsync/internal/strictjson"
	"github.com/normsync/normsync/internal/token"
)

// Rules is what a rule file holds: norms, the facts that they use, and the thresholds of
// numbers.
type Rules struct {
	Norms   []Norm
	Facts   []Fact                 // see [NewMemory]
	Numbers map[string][]Threshold // by the name of the number; see [NewNumbers]
}

// ReadRules reads a rule file: an object with the keys norms, facts and numbers, of which
// one is enough, or a JSON array of norms. It skips the object's other keys, such as
// "tests", but refuses a key that is similar to a key of a rule file, such as "fact",
// since a misspelt key would hide its rules. It reads norms, facts and thresholds as
// strictly as [ReadNorms] reads norms, and validates them as [Rules.Validate] does.
//
// An error of r is wrapped. All other errors wrap [ErrInvalid] and name the place. ReadRules
// reads all of r into memory.
func ReadRules(r io.Reader) (Rules, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return Rules{}, fmt.Errorf("normsync: read rules: %w", err)
	}
	if isUTF16(text) {
		return Rules{}, fmt.Errorf("%w rules: they are in UTF-16; save them as UTF-8", ErrInvalid)
	}
	text = bytes.TrimPrefix(text, []byte(byteOrderMark))
	rules, err := readRules(text)
	if err == nil {
		err = rules.validateTogether()
	}
	if err != nil {
		return Rules{}, position{1, 1}.locate(text, err, "rules")
	}
	return rules, nil
}

// ruleKeys are the keys of a rule file.
var ruleKeys = strictjson.Keys{Unknown: strictjson.SkipUnlessMisspelt, Known: []string{keySchema, keyNorms, keyFacts, keyNumbers}, Near: ruleLists}

// ruleLists are the keys of a rule file that hold rules, and the tests of rules, which the
// program runs. A key that is similar to one of them would hide its rules.
var ruleLists = []string{keyNorms, keyFacts, keyNumbers, keyTests}

const (
	keyNumbers = "numbers"
	keyTests   = "tests"
)

func readRules(text []byte) (r Rules, err error) {
	d := strictjson.NewDecoder(text)
	start, known := d.NextOffset(), false
	switch d.PeekKind() {
	case '[':
		r.Norms, err = readNormArray(d, text)
	case '{':
		err = d.ReadObject(&ruleKeys, func(key string) (err error) {
			known = known || key != keySchema
			switch key {
			case keyNorms:
				r.Norms, err = readNormArray(d, text)
			case keyFacts:
				r.Facts, err = readFactArray(d, text)
			case keyNumbers:
				r.Numbers, err = readNumbers(d, text)
			case keySchema:
				_, err = d.ReadString()
			}
			return err
		})
		if err == nil && !known {
			err = d.Errorf(start, `the object has none of the keys "norms", "facts" and "numbers"; write an array of norms under "norms"`)
		}
	default:
		err = d.Want(`an array of norms, or an object with one under "norms"`)
	}
	if err == nil {
		err = d.CheckEOF()
	}
	return r, err
}

// readFactArray reads an array of facts and validates them one by one.
func readFactArray(d *strictjson.Decoder, text []byte) ([]Fact, error) {
	return readArray(d, text, readFact, Fact.problem,
		func(number int, f Fact) string { return fmt.Sprintf("fact %d %s", number, quote(f.Name)) })
}

// Validate returns an error if a norm, a fact or a threshold is not valid, if two facts
// have the same name, if a fact needs itself, or if a threshold has the name of a fact in
// Facts. It does not check that the names of norms are unique, since a file may have a
// norm that is repealed beside its successor; [Compile] checks that. The error wraps
// [ErrInvalid].
func (r Rules) Validate() error {
	for i, n := range r.Norms {
		if err := n.Validate(); err != nil {
			return opError(fmt.Sprintf("norm %d of %d", i+1, len(r.Norms)), err)
		}
	}
	if err := validateThresholds(r.Numbers); err != nil {
		return err
	}
	return r.validateTogether()
}

// validateTogether checks what concerns several facts.
func (r Rules) validateTogether() error {
	if err := validateFacts(r.Facts); err != nil {
		return err
	}
	names := map[string]bool{}
	for _, f := range r.Facts {
		names[token.Fold(f.Name)] = true
	}
	for _, number := range slices.Sorted(maps.Keys(r.Numbers)) {
		for _, t := range r.Numbers[number] {
			if names[token.Fold(t.Fact)] {
				return fmt.Errorf("%w number %s: the fact %s is declared among the facts, too; rename one of them", ErrInvalid, quote(number), quote(t.Fact))
			}
		}
	}
	return nil
}

// ReadNorms reads a JSON array of norms, or an object with such an array under
// "norms", which is what [Report.WriteJSON] writes. It skips the object's other keys,
// such as "facts", which [ReadRules] reads, but refuses a key that is similar to one that
// ReadRules knows, such as "norm". It reads norms as strictly as [Norm.UnmarshalJSON] and
// validates them. The norms keep their order. ReadNorms does not check that names are
// unique; [Compile] does.
//
// A byte-order mark at the beginning of the text, which some editors write, is
// skipped. An error of r is wrapped. All other errors wrap [ErrInvalid] and name the
// line and the column, and the number and the name of the norm if they are about one.
// ReadNorms reads all of r into memory.
func ReadNorms(r io.Reader) ([]Norm, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("normsync: read norms: %w", err)
	}
	return readNorms(text)
}

// ReadNormsFS reads the files with names that match one of the patterns, as [fs.Glob]
// matches them, and returns the norms of all files. It reads each file as [ReadNorms]
// does, once, in order of name. An error names the file. Without patterns the result is
// empty. A pattern that matches no file
// is an error that wraps [fs.ErrNotExist], since otherwise a misspelt pattern would
// remove all of the rules.
func ReadNormsFS(fsys fs.FS, patterns ...string) ([]Norm, error) {
	var names []string
	for _, pattern := range patterns {
		matches, err := fs.Glob(fsys, pattern)
		if err == nil && len(matches) == 0 {
			err = fmt.Errorf("no file matches it; correct the pattern, or leave it out: %w", fs.ErrNotExist)
		}
		if err != nil {
			return nil, fmt.Errorf("normsync: read norms: pattern %s: %w", invisible.Quote(pattern), err)
		}
		names = append(names, matches...)
	}
	slices.Sort(names)
	norms := []Norm{}
	for _, name := range slices.Compact(names) {
		text, err := fs.ReadFile(fsys, name)
		var more []Norm
		if err == nil {
			more, err = readNorms(text)
		}
		if err != nil {
			return nil, opError("read "+invisible.Quote(name), err)
		}
		norms = append(norms, more...)
	}
	return norms, nil
}

func readNorms(text []byte) ([]Norm, error) {
	if isUTF16(text) {
		return nil, fmt.Errorf("%w list of norms: it is in UTF-16; save it as UTF-8", ErrInvalid)
	}
	text = bytes.TrimPrefix(text, []byte(byteOrderMark))
	d := strictjson.NewDecoder(text)
	var norms []Norm
	readList := func() (err error) {
		norms, err = readNormArray(d, text)
		return err
	}
	var err error
	switch d.PeekKind() {
	case '[':
		err = readList()
	case '{':
		err = d.ReadObject(&normListKeys, func(key string) error {
			if key == keySchema {
				_, err := d.ReadString()
				return err
			}
			return readList()
		})
	default:
		err = d.Want(`an array of norms, or an object with one under "norms"`)
	}
	if err == nil {
		err = d.CheckEOF()
	}
	if err != nil {
		return nil, position{1, 1}.locate(text, err, "list of norms")
	}
	return norms, nil
}

// readNormArray reads an array of norms from a text, and validates them one by one.
func readNormArray(d *strictjson.Decoder, text []byte) ([]Norm, error) {
	return readArray(d, text, readNorm, func(n Norm) string { return n.problem(strict) },
		func(number int, n Norm) string { return fmt.Sprintf("norm %d %s", number, quote(n.Name)) })
}

// readArray reads an array of values from a text, and validates them one by one. An
// error has the name that a function gives the value, which may be read in part only.
func readArray[T any](d *strictjson.Decoder, text []byte, read func(*strictjson.Decoder) (T, error), problem func(T) string, name func(number int, v T) string) ([]T, error) {
	list := []T{}
	err := d.ReadArray(func() error {
		at := d.NextOffset()
		v, err := read(d)
		if err == nil {
			if problem := problem(v); problem != "" {
				err = d.Errorf(at, "%s", problem)
			}
		}
		if err != nil {
			return position{1, 1}.locate(text, err, name(len(list)+1, v))
		}
		list = append(list, v)
		return nil
	})
	return list, err
}

const byteOrderMark = "\uFEFF" // in UTF-8

// isUTF16 reports whether a text begins with a byte-order mark of UTF-16.
func isUTF16(text []byte) bool {
	return bytes.HasPrefix(text, []byte("\xFF\xFE")) || bytes.HasPrefix(text, []byte("\xFE\xFF"))
}
