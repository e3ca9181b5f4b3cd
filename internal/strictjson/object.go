package strictjson

import (
	"slices"
	"strings"

	"github.com/normsync/normsync/internal/nearest"
)

// UnknownKeys says what [Decoder.ReadObject] does with a key that is not one of
// the known keys. A known key that occurs twice is always an error.
type UnknownKeys int

const (
	RejectUnknown      UnknownKeys = iota // an unknown key is an error
	SkipUnlessMisspelt                    // skip an unknown key, unless it is a known one in another case
	SkipUnknown                           // skip every unknown key
)

// Keys describes the keys of an object.
type Keys struct {
	Unknown  UnknownKeys
	Known    []string // at most 64; reading is fastest if objects have them in this order
	Required []string // the known keys that every object must have
	Near     []string // an unknown key that is skipped must not be similar to one of these
}

// ReadObject reads an object. It calls value for each known key, to read the
// key's value. A key that is written with escapes is the same key. Errors of
// value that are [Error]s get the key in front of their path.
func (d *Decoder) ReadObject(keys *Keys, value func(key string) error) error {
	if d.peek() != '{' {
		return d.Want("an object")
	}
	start := d.pos
	d.pos++
	var seen uint64 // a bit for each known key
	next := 0       // the index of the known key that is likely next
	for first := true; ; first = false {
		if first && d.eat('}') {
			break
		}
		if d.peek() != '"' {
			return d.Want("a key in quotes")
		}
		at := d.pos
		key, err := d.ReadStringBytes()
		if err != nil {
			return err
		}
		if !d.eat(':') {
			return d.Want("a colon")
		}
		if i := keys.index(key, next); i < 0 {
			if err := d.skipUnknown(keys, string(key), at); err != nil {
				return err
			}
		} else {
			name := keys.Known[i]
			if seen&(1<<i) != 0 {
				return d.Errorf(at, "key %q is there twice", name)
			}
			seen |= 1 << i
			next = i + 1
			if err := value(name); err != nil {
				return within(err, name)
			}
		}
		if d.eat('}') {
			break
		}
		if !d.eat(',') {
			return d.Want("a comma or the end of the object")
		}
	}
	for _, name := range keys.Required {
		if i := slices.Index(keys.Known, name); seen&(1<<i) == 0 {
			return d.Errorf(start, "key %q is missing", name)
		}
	}
	return nil
}

// ReadMap reads an object with any keys. It calls value for each key, which begins at
// at, to read the key's value. It does not check that keys are unique. Errors of value
// that are [Error]s get the key in front of their path.
func (d *Decoder) ReadMap(value func(key string, at int) error) error {
	if !d.eat('{') {
		return d.Want("an object")
	}
	if d.eat('}') {
		return nil
	}
	for {
		if d.peek() != '"' {
			return d.Want("a key in quotes")
		}
		at := d.pos
		key, err := d.ReadString()
		if err != nil {
			return err
		}
		if !d.eat(':') {
			return d.Want("a colon")
		}
		if err := value(key, at); err != nil {
			return within(err, key)
		}
		if d.eat('}') {
			return nil
		}
		if !d.eat(',') {
			return d.Want("a comma or the end of the object")
		}
	}
}

// index returns the index of a key among the known keys, -1 if it is not known.
// The search begins at next.
func (k *Keys) index(key []byte, next int) int {
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

// skipUnknown skips the value of an unknown key, or returns an error about the
// key, which begins at at.
func (d *Decoder) skipUnknown(keys *Keys, key string, at int) error {
	if keys.Unknown != SkipUnknown {
		for _, name := range keys.Known {
			if strings.EqualFold(name, key) {
				return d.Errorf(at, "key %.40q is unknown; it is written %q", key, name)
			}
		}
	}
	if keys.Unknown == RejectUnknown {
		known := strings.Join(keys.Known, ", ")
		if near, ok := similar(keys.Known, key); ok {
			return d.Errorf(at, "key %.40q is unknown; did you mean %q? The keys are %s", key, near, known)
		}
		return d.Errorf(at, "key %.40q is unknown; the keys are %s", key, known)
	}
	if near, ok := similar(keys.Near, key); ok {
		return d.Errorf(at, "key %.40q is unknown, and similar to %q; write %q, or choose a key that differs more", key, near, near)
	}
	return d.SkipValue()
}

// similar returns the one of several keys that another key is similar to, if it is not
// that key.
func similar(keys []string, key string) (string, bool) {
	if len(keys) == 0 || slices.Contains(keys, key) {
		return "", false
	}
	var words nearest.Words
	for _, name := range keys {
		words.Add(name, 1)
	}
	return words.Find(strings.ToLower(strings.TrimSpace(key)), false)
}

// within puts a key in front of the path of an error in the key's value.
func within(err error, key string) error {
	if e, ok := err.(*Error); ok {
		if e.Path != "" {
			key += "." + e.Path
		}
		e.Path = key
	}
	return err
}
