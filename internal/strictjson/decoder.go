// Package strictjson reads and writes JSON texts.
//
// [encoding/json] is not exact enough for rules that people write. It accepts
// repeated keys and keys in another case, it replaces invalid UTF-8 silently, it
// names no place in most of its errors, and it calls an UnmarshalJSON method with
// a text that it has scanned twice already. [Decoder] reports all of these with
// their place, and reads a text in one pass.
//
// Names are those of encoding/json/jsontext. This package can end when encoding/json/v2
// and encoding/json/jsontext leave GOEXPERIMENT.
package strictjson

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// maxDepth is how deep arrays and objects may nest in a value that
// [Decoder.ReadValue] reads. The limit of encoding/json is 10,000, so such a value
// can be put inside others.
const maxDepth = 1000

// Error describes what is wrong with a JSON text, and where.
type Error struct {
	ByteOffset int    // from the beginning of the text
	Path       string // the keys from the outermost object on, joined by dots; may be empty
	Problem    string
	Err        error // the kind of problem, for errors.Is; may be nil
}

func (e *Error) Unwrap() error { return e.Err }

func (e *Error) Error() string { return fmt.Sprintf("at offset %d: %s", e.ByteOffset, e.Text()) }

// Text returns the error without the offset, for a caller that can name a better
// place, such as a line.
func (e *Error) Text() string {
	if e.Path == "" {
		return e.Problem
	}
	return fmt.Sprintf("key %q: %s", e.Path, e.Problem)
}

// Decoder reads a JSON text from front to back. Each method skips white space
// and reads one value. A Decoder must not be used after an error. The results do
// not share memory with the text, unless a method says so.
type Decoder struct {
	// AllowInvalidUTF8 reads each invalid byte, and each unpaired surrogate, of a
	// string as U+FFFD. Otherwise they are errors.
	AllowInvalidUTF8 bool

	text []byte
	pos  int
}

// NewDecoder returns a Decoder of text, which must not change while it is in use.
func NewDecoder(text []byte) *Decoder { return &Decoder{text: text} }

// NextOffset returns the offset at which the next value begins.
func (d *Decoder) NextOffset() int {
	d.peek()
	return d.pos
}

// Kind is the kind of a value: 'n' for null, 'f' and 't' for false and true, '"',
// '0', '{' and '[' for a string, a number, an object and an array, and 0 for
// anything else.
type Kind byte

// PeekKind returns the kind of the next value, judged by its first byte.
func (d *Decoder) PeekKind() Kind {
	switch c := d.peek(); c {
	case 'n', 'f', 't', '"', '{', '[':
		return Kind(c)
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return '0'
	}
	return 0
}

// CheckEOF returns an error unless the whole text has been read.
func (d *Decoder) CheckEOF() error {
	d.peek()
	if d.pos < len(d.text) {
		return d.Want("the end of the text")
	}
	return nil
}

// Errorf returns an error about the text at offset.
func (d *Decoder) Errorf(offset int, format string, args ...any) error {
	return &Error{ByteOffset: offset, Problem: fmt.Sprintf(format, args...)}
}

// Want returns an error that says what was wanted instead of the next value.
func (d *Decoder) Want(what string) error {
	return d.Errorf(d.NextOffset(), "want %s, found %s", what, d.found())
}

// found describes the next value to people.
func (d *Decoder) found() string {
	switch d.PeekKind() {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case '0':
		return "a number"
	}
	if d.pos == len(d.text) {
		return "the end of the text"
	}
	for _, word := range [...]string{"null", "true", "false"} {
		if d.hasWord(word) {
			return word
		}
	}
	c, _ := utf8.DecodeRune(d.text[d.pos:])
	return strconv.QuoteRune(c)
}

// peek skips white space and returns the byte that follows, 0 at the end.
func (d *Decoder) peek() byte {
	for d.pos < len(d.text) {
		switch c := d.text[d.pos]; c {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return c
		}
	}
	return 0
}

// eat skips white space, and then c if that is what follows.
func (d *Decoder) eat(c byte) bool {
	if d.peek() != c || d.pos == len(d.text) {
		return false
	}
	d.pos++
	return true
}

func (d *Decoder) hasWord(word string) bool {
	return len(d.text)-d.pos >= len(word) && string(d.text[d.pos:d.pos+len(word)]) == word
}

func (d *Decoder) eatWord(word string) bool {
	d.peek()
	if !d.hasWord(word) {
		return false
	}
	d.pos += len(word)
	return true
}

// SkipNull skips a null and reports whether there was one.
func (d *Decoder) SkipNull() bool { return d.eatWord("null") }

// ReadBool reads true or false.
func (d *Decoder) ReadBool() (bool, error) {
	if d.eatWord("true") {
		return true, nil
	}
	if d.eatWord("false") {
		return false, nil
	}
	return false, d.Want("true or false")
}

// ReadNumber reads a number and returns its text, which shares memory with the
// Decoder's.
func (d *Decoder) ReadNumber() ([]byte, error) {
	c := d.peek()
	start := d.pos
	if c == '-' {
		d.pos++
	}
	if !d.eatDigits() {
		d.pos = start
		return nil, d.Want("a number")
	}
	if whole := d.text[start:d.pos]; len(whole) > 1 && whole[0] == '0' || len(whole) > 2 && whole[0] == '-' && whole[1] == '0' {
		return nil, d.Errorf(start, "want a number, found one that begins with 0")
	}
	if d.pos < len(d.text) && d.text[d.pos] == '.' {
		if d.pos++; !d.eatDigits() {
			return nil, d.Errorf(start, "want a number, found one that ends in a point")
		}
	}
	if d.pos < len(d.text) && d.text[d.pos]|0x20 == 'e' {
		if d.pos++; d.pos < len(d.text) && (d.text[d.pos] == '-' || d.text[d.pos] == '+') {
			d.pos++
		}
		if !d.eatDigits() {
			return nil, d.Errorf(start, "want a number, found one without digits in its exponent")
		}
	}
	return d.text[start:d.pos], nil
}

func (d *Decoder) eatDigits() bool {
	start := d.pos
	for d.pos < len(d.text) && '0' <= d.text[d.pos] && d.text[d.pos] <= '9' {
		d.pos++
	}
	return d.pos > start
}

// ReadInt reads an integer of that many bits. A fraction or an exponent is an
// error.
func (d *Decoder) ReadInt(bits int) (int64, error) {
	start := d.NextOffset()
	text, err := d.ReadNumber()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(string(text), 10, bits)
	if err != nil {
		return 0, d.Errorf(start, "want a whole number of at most %d bits, found %.40s", bits, text)
	}
	return n, nil
}

// ReadUint reads an integer from 0 to 1<<64 - 1. A fraction or an exponent is an
// error.
func (d *Decoder) ReadUint() (uint64, error) {
	start := d.NextOffset()
	text, err := d.ReadNumber()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil {
		return 0, d.Errorf(start, "want a whole number from 0 to %d, found %.40s", uint64(1<<64-1), text)
	}
	return n, nil
}

// ReadArray reads an array. It calls element to read each element.
func (d *Decoder) ReadArray(element func() error) error {
	if !d.eat('[') {
		return d.Want("an array")
	}
	if d.eat(']') {
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		if d.eat(']') {
			return nil
		}
		if !d.eat(',') {
			return d.Want("a comma or the end of the array")
		}
	}
}
