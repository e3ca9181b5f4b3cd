// Package strictjson reads and writes JSON texts where encoding/json is not
// exact enough: it reports unknown, repeated and misspelt keys with their
// place, reads a text in one pass, and writes without escaping HTML.
package strictjson

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// maxDepth is how deep arrays and objects may nest in a value that
// [Reader.Value] passes over. It is far from what encoding/json allows, so
// that a value may be put inside others.
const maxDepth = 1000

// Error is what is wrong with a JSON text, and where.
type Error struct {
	Offset  int    // in bytes, from the beginning of the text
	Path    string // keys from the outermost object, joined by dots; may be empty
	Problem string
	Err     error // the kind of problem, for errors.Is; may be nil
}

func (e *Error) Unwrap() error { return e.Err }

func (e *Error) Error() string { return fmt.Sprintf("at offset %d: %s", e.Offset, e.Text()) }

// Text is the error without the offset, for who has a better place to name.
func (e *Error) Text() string {
	if e.Path == "" {
		return e.Problem
	}
	return fmt.Sprintf("key %q: %s", e.Path, e.Problem)
}

// Reader reads a JSON text from front to back. Each method skips white space
// and reads one value; after an error the Reader is of no more use. What the
// methods return does not share memory with the text, unless they say so.
type Reader struct {
	// Strict refuses strings that stand for no valid UTF-8, which are mended
	// with U+FFFD otherwise.
	Strict bool

	text []byte
	pos  int
}

// NewReader returns a Reader of text, which it neither changes nor keeps
// beyond its own life.
func NewReader(text []byte) *Reader { return &Reader{text: text} }

// Errorf returns an error about what is at offset.
func (r *Reader) Errorf(offset int, format string, args ...any) error {
	return &Error{Offset: offset, Problem: fmt.Sprintf(format, args...)}
}

// Offset returns where the next value begins.
func (r *Reader) Offset() int {
	r.peek()
	return r.pos
}

// End reports an error unless the text is at its end.
func (r *Reader) End() error {
	if r.peek() != 0 || r.pos < len(r.text) {
		return r.Errorf(r.pos, "want the end of the text, found %s", r.found())
	}
	return nil
}

// peek skips white space and returns the byte that follows, 0 at the end.
func (r *Reader) peek() byte {
	for r.pos < len(r.text) {
		switch c := r.text[r.pos]; c {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return c
		}
	}
	return 0
}

// eat skips white space and then c, if that is what follows.
func (r *Reader) eat(c byte) bool {
	if r.peek() != c || r.pos == len(r.text) {
		return false
	}
	r.pos++
	return true
}

// Want returns an error about what follows, which is not what was wanted.
func (r *Reader) Want(what string) error {
	r.peek()
	return r.Errorf(r.pos, "want %s, found %s", what, r.found())
}

// found names what follows, for people.
func (r *Reader) found() string {
	if r.pos >= len(r.text) {
		return "the end of the text"
	}
	switch c := r.text[r.pos]; {
	case c == '{':
		return "an object"
	case c == '[':
		return "an array"
	case c == '"':
		return "a string"
	case c == '-' || '0' <= c && c <= '9':
		return "a number"
	}
	for _, word := range [...]string{"null", "true", "false"} {
		if r.hasWord(word) {
			return word
		}
	}
	c, _ := utf8.DecodeRune(r.text[r.pos:])
	return strconv.QuoteRune(c)
}

func (r *Reader) hasWord(word string) bool {
	return len(r.text)-r.pos >= len(word) && string(r.text[r.pos:r.pos+len(word)]) == word
}

func (r *Reader) word(word string) bool {
	r.peek()
	if !r.hasWord(word) {
		return false
	}
	r.pos += len(word)
	return true
}

// Null skips a null and reports whether there was one.
func (r *Reader) Null() bool { return r.word("null") }

// Bool reads true or false.
func (r *Reader) Bool() (bool, error) {
	if r.word("true") {
		return true, nil
	}
	if r.word("false") {
		return false, nil
	}
	return false, r.Want("true or false")
}

// Number reads a number and returns its text, which is part of the Reader's.
func (r *Reader) Number() ([]byte, error) {
	c := r.peek()
	start := r.pos
	if c == '-' {
		r.pos++
	}
	if !r.digits() {
		r.pos = start
		return nil, r.Want("a number")
	}
	if whole := r.text[start:r.pos]; len(whole) > 1 && whole[0] == '0' || len(whole) > 2 && whole[0] == '-' && whole[1] == '0' {
		return nil, r.Errorf(start, "want a number, found one that begins with 0")
	}
	if r.pos < len(r.text) && r.text[r.pos] == '.' {
		if r.pos++; !r.digits() {
			return nil, r.Errorf(start, "want a number, found one that ends in a point")
		}
	}
	if r.pos < len(r.text) && r.text[r.pos]|0x20 == 'e' {
		if r.pos++; r.pos < len(r.text) && (r.text[r.pos] == '-' || r.text[r.pos] == '+') {
			r.pos++
		}
		if !r.digits() {
			return nil, r.Errorf(start, "want a number, found one without digits in its exponent")
		}
	}
	return r.text[start:r.pos], nil
}

func (r *Reader) digits() bool {
	start := r.pos
	for r.pos < len(r.text) && '0' <= r.text[r.pos] && r.text[r.pos] <= '9' {
		r.pos++
	}
	return r.pos > start
}

// Int reads a whole number of so many bits, without fraction and exponent.
func (r *Reader) Int(bits int) (int64, error) {
	start := r.Offset()
	text, err := r.Number()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(string(text), 10, bits)
	if err != nil {
		return 0, r.Errorf(start, "want a whole number of at most %d bits, found %.40s", bits, text)
	}
	return n, nil
}

// Uint is Int for numbers that are never negative.
func (r *Reader) Uint() (uint64, error) {
	start := r.Offset()
	text, err := r.Number()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil {
		return 0, r.Errorf(start, "want a whole number from 0 to %d, found %.40s", uint64(1<<64-1), text)
	}
	return n, nil
}

// Array reads an array; element is called to read each of its elements.
func (r *Reader) Array(element func() error) error {
	if !r.eat('[') {
		return r.Want("an array")
	}
	if r.eat(']') {
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		if r.eat(']') {
			return nil
		}
		if !r.eat(',') {
			return r.Want("a comma or the end of the array")
		}
	}
}

// Value passes over any value and returns its text, which is part of the
// Reader's, and whether it is free of white space between its parts.
func (r *Reader) Value() (text []byte, compact bool, err error) {
	start := r.Offset()
	compact = true
	err = r.skip(&compact, 0)
	return r.text[start:r.pos], compact, err
}

func (r *Reader) skip(compact *bool, depth int) error {
	start := r.pos
	c := r.peek()
	*compact = *compact && r.pos == start
	switch {
	case c == '"':
		_, _, err := r.quoted()
		return err
	case c == '{' || c == '[':
		return r.skipList(c+2, compact, depth+1)
	case r.word("null") || r.word("true") || r.word("false"):
		return nil
	case c == '-' || '0' <= c && c <= '9':
		_, err := r.Number()
		return err
	}
	return r.Want("a value")
}

// skipList passes over an array or object up to its closing bracket.
func (r *Reader) skipList(closing byte, compact *bool, depth int) error {
	if depth > maxDepth {
		return r.Errorf(r.pos, "arrays and objects are nested more than %d deep", maxDepth)
	}
	// eat skips white space before c; there is none where it moves by one.
	eat := func(c byte) bool {
		start := r.pos
		ok := r.eat(c)
		*compact = *compact && (r.pos == start || ok && r.pos == start+1)
		return ok
	}
	r.pos++
	if eat(closing) {
		return nil
	}
	for {
		if closing == '}' {
			start := r.pos
			if r.peek() != '"' {
				return r.Want("a key in quotes")
			}
			*compact = *compact && r.pos == start
			if _, _, err := r.quoted(); err != nil {
				return err
			}
			if !eat(':') {
				return r.Want("a colon")
			}
		}
		if err := r.skip(compact, depth); err != nil {
			return err
		}
		if eat(closing) {
			return nil
		}
		if !eat(',') {
			return r.Want("a comma or a closing bracket")
		}
	}
}

// AppendCompact appends the JSON text without the white space between its
// parts, and everything else byte for byte. It refuses what is not one JSON
// text in valid UTF-8; b is returned as it was then.
func AppendCompact(b []byte, text string) ([]byte, error) {
	start := len(b)
	b = append(b, text...)
	r := NewReader(b[start:])
	part, compact, err := r.Value()
	if err == nil {
		err = r.End()
	}
	if err == nil && !utf8.Valid(part) {
		err = r.Errorf(0, "the text is not valid UTF-8")
	}
	if err != nil {
		return b[:start], err
	}
	if !compact {
		part = squeeze(part)
	}
	return b[:start+copy(b[start:], part)], nil
}

// squeeze takes the white space out of a JSON value, in place.
func squeeze(text []byte) []byte {
	out := text[:0]
	inString := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			out = append(out, c, text[i+1])
			i++
		case c == '"':
			inString = !inString
			out = append(out, c)
		case inString || c > ' ':
			out = append(out, c)
		}
	}
	return out
}
