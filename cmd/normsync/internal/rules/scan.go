package rules

import (
	"errors"

	"github.com/normsync/normsync/internal/strictjson"
)

// contents says where the parts of a file are.
type contents struct {
	norms, facts, cases []span
	thresholds          []numberSpan
}

// numberSpan is a threshold of a number.
type numberSpan struct {
	number string
	at     span
}

const (
	keyNorms   = "norms"
	keyFacts   = "facts"
	keyNumbers = "numbers"
	keyTests   = "tests"
	keySchema  = "$schema"
)

// ruleLists are the keys of a file that hold something.
var ruleLists = []string{keyNorms, keyFacts, keyNumbers, keyTests}

// fileKeys are the keys of a file. Others are skipped, as [normsync.ReadRules] skips them,
// but not those that are similar to one of these, such as "norm".
var fileKeys = strictjson.Keys{Unknown: strictjson.SkipUnlessMisspelt, Known: append([]string{keySchema}, ruleLists...), Near: ruleLists}

// scan finds the parts of a file in its text. It checks the syntax of the text, but not
// what the parts hold.
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
	readNumbers := func() error {
		names := map[string]bool{}
		return d.ReadMap(func(name string, at int) error {
			if name == "" || names[name] {
				return d.Errorf(at, "the name is empty, or it is there twice; give each number a name of its own")
			}
			names[name] = true
			var list []span
			err := readList(&list)
			for _, at := range list {
				found.thresholds = append(found.thresholds, numberSpan{name, at})
			}
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
			case keyFacts:
				any = true
				return readList(&found.facts)
			case keyNumbers:
				any = true
				return readNumbers()
			case keyTests:
				any = true
				return readList(&found.cases)
			}
			_, err := d.ReadString() // of $schema
			return err
		})
		if err == nil && !any {
			err = d.Errorf(start, `the object has none of the keys "norms", "facts", "numbers" and "tests"; write an array of norms under "norms"`)
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
