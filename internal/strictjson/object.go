package strictjson

import (
	"slices"
	"strings"
)

// Rule says what becomes of the keys of an object that it is not known to
// have. A known key that is there twice is always an error.
type Rule int

const (
	Exact Rule = iota // unknown keys are errors
	Open              // unknown keys are passed over, but for known ones in another case
	Loose             // unknown keys are passed over
)

// Keys are the keys that an object may have.
type Keys struct {
	Rule     Rule
	Known    []string // at most 64; it is best when they are in the order in which they are written
	Required []string // those of them that must be there
}

// Object reads an object. For each known key it calls value, which reads what
// the key stands for. Keys are compared as what they stand for, whether or
// not they are written with escapes. An error of value is given the key.
func (r *Reader) Object(keys *Keys, value func(key string) error) error {
	if r.peek() != '{' {
		return r.Want("an object")
	}
	start := r.pos
	r.pos++
	var seen uint64
	next := 0 // the key to expect, by its place among the known
	for first := true; ; first = false {
		if first && r.eat('}') {
			break
		}
		if r.peek() != '"' {
			return r.Want("a key in quotes")
		}
		at := r.pos
		key, err := r.Text()
		if err != nil {
			return err
		}
		if !r.eat(':') {
			return r.Want("a colon")
		}
		if k := keys.find(key, next); k < 0 {
			if err := r.unknown(keys, string(key), at); err != nil {
				return err
			}
		} else {
			name := keys.Known[k]
			if seen&(1<<k) != 0 {
				return r.Errorf(at, "key %q is there twice", name)
			}
			seen |= 1 << k
			next = k + 1
			if err := value(name); err != nil {
				return within(err, name)
			}
		}
		if r.eat('}') {
			break
		}
		if !r.eat(',') {
			return r.Want("a comma or the end of the object")
		}
	}
	for _, name := range keys.Required {
		if k := slices.Index(keys.Known, name); seen&(1<<k) == 0 {
			return r.Errorf(start, "key %q is missing", name)
		}
	}
	return nil
}

// find returns the place of key among the known keys, or -1. It begins to
// look at next, where a key is that comes in its turn.
func (k *Keys) find(key []byte, next int) int {
	for i := range k.Known {
		if i += next; i >= len(k.Known) {
			i -= len(k.Known)
		}
		if string(key) == k.Known[i] {
			return i
		}
	}
	return -1
}

// unknown passes over the value of a key that is not known, or refuses it.
func (r *Reader) unknown(keys *Keys, key string, at int) error {
	if keys.Rule != Loose {
		for _, name := range keys.Known {
			if strings.EqualFold(name, key) {
				return r.Errorf(at, "key %.40q is unknown; it is written %q", key, name)
			}
		}
	}
	if keys.Rule == Exact {
		return r.Errorf(at, "key %.40q is unknown; the keys are %s", key, strings.Join(keys.Known, ", "))
	}
	_, _, err := r.Value()
	return err
}

// within gives an error the key in whose value it is.
func within(err error, key string) error {
	if e, ok := err.(*Error); ok {
		if e.Path != "" {
			key += "." + e.Path
		}
		e.Path = key
	}
	return err
}
