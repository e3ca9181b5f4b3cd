package rules

import (
	"errors"

	"github.com/normsync/normsync/internal/strictjson"
)

// contents says where the norms and the tests of a file are.
type contents struct{ norms, cases []span }

const (
	keyNorms  = "norms"
	keyTests  = "tests"
	keySchema = "$schema"
)

// fileKeys are the keys of a file. Others are skipped, as [normsync.ReadNorms] skips
// them, but not "norm" and "test": rules under these would be skipped, too.
var fileKeys = strictjson.Keys{Unknown: strictjson.SkipUnlessMisspelt, Known: []string{keySchema, keyNorms, keyTests, "norm", "test"}}

// scan finds the norms and the tests in the text of a file. It checks the syntax of
// the text, but not what norms and tests hold.
func scan(text []byte) (found contents, problem *strictjson.Error) {
	d := strictjson.NewDecoder(text)
	readList := func(list *[]span) error {
		return d.ReadArray(func() error {
			start := d.NextOffset()
			value, _, err := d.ReadValue()
			*list = append(*list, span{start, start + len(value)})
			return err
		})
	}
	var err error
	switch start := d.NextOffset(); d.PeekKind() {
	case '[':
		err = readList(&found.norms)
	case '{':
		any := false
		err = d.ReadObject(&fileKeys, func(key string) error {
			switch key {
			case keyNorms:
				any = true
				return readList(&found.norms)
			case keyTests:
				any = true
				return readList(&found.cases)
			}
			if key != keySchema {
				return d.Errorf(d.NextOffset(), "unknown key; write %q", key+"s")
			}
			_, err := d.ReadString()
			return err
		})
		if err == nil && !any {
			err = d.Errorf(start, `the object has no key "norms" and no key "tests"; write the norms as an array under "norms", and tests under "tests"`)
		}
	default:
		err = d.Want(`an array of norms, or an object with one under "norms"`)
	}
	if err == nil {
		err = d.CheckEOF()
	}
	if err != nil {
		errors.As(err, &problem)
	}
	return found, problem
}
