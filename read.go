package normsync

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"

	"github.com/normsync/normsync/internal/invisible"
	"github.com/normsync/normsync/internal/strictjson"
)

// ReadNorms reads a JSON array of norms, or an object with such an array under
// "norms", which is what [Report.WriteJSON] writes. It skips the object's other keys,
// such as "facts", which [ReadRules] reads, but refuses a key that is similar to one that
// ReadRules knows, such as "norm". It reads norms as strictly as [Norm.UnmarshalJSON] and
// validates them. The norms keep their order. ReadNorms does not check that names are
// unique; [Compile] does.
//
// A byte-order mark at the beginning of the text, which some editors write, is
// skipped. An error of r is wrapped. All other errors wrap [ErrInvalid] and identify
// the norm by its number, name and line. ReadNorms reads all of r into memory.
func ReadNorms(r io.Reader) ([]Norm, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("normsync: read norms: %w", err)
	}
	return readNorms(text)
}

// ReadNormsFS reads the files with names that match one of the patterns, as [fs.Glob]
// matches them, and returns the norms of all files. It reads each file as [ReadNorms]
// does, once, in order of name. An error names the file. A pattern that matches no file
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

// position is a place in a text. Lines, and the bytes in a line, count from 1.
type position struct{ line, column int }

// locate returns an error of a Decoder with the line and column instead of the offset.
// The text of the Decoder begins at p. locate returns any other error as it is.
func (p position) locate(text []byte, err error, what string) error {
	e, ok := err.(*strictjson.Error)
	if !ok {
		return err
	}
	at := p.after(text[:e.ByteOffset])
	return fmt.Errorf("%w %s in line %d, column %d: %s", ErrInvalid, what, at.line, at.column, e.Text())
}

// after returns the position behind a text that begins at p.
func (p position) after(text []byte) position {
	if newlines := bytes.Count(text, []byte("\n")); newlines > 0 {
		return position{p.line + newlines, len(text) - bytes.LastIndexByte(text, '\n')}
	}
	return position{p.line, p.column + len(text)}
}

// maxActionBytes is the length of the longest object that ReadActions reads.
const maxActionBytes = 1 << 20

// ReadActions returns an iterator over the actions in r, which has JSON objects, one
// after another, as in JSON Lines, or a JSON array of objects. It reads an action when
// the loop asks for it, so a log can be larger than memory. It reads objects as
// [Action.UnmarshalJSON] does, except that an object without the key "action", or with
// more than 1 MiB, is an error.
//
// An error is yielded with the zero Action, and ends the sequence. An error of r is
// wrapped. All other errors wrap [ErrInvalid] and name the line and the byte in it at
// which r is wrong. A loop over the same sequence continues where the loop before it
// stopped.
func ReadActions(r io.Reader) iter.Seq2[Action, error] {
	in := &actionReader{r: bufio.NewReader(r), at: position{1, 1}}
	return func(yield func(Action, error) bool) {
		for in.err == nil {
			var a Action
			if a, in.err = in.read(); in.err == nil {
				if !yield(a, nil) {
					return
				}
			}
		}
		if in.err != io.EOF {
			yield(Action{}, in.err)
		}
	}
}

// actionReader reads actions from a stream.
type actionReader struct {
	r    *bufio.Reader
	at   position // of the next byte
	list listState
	text []byte // of an action; reused
	err  error  // that ended the sequence
}

// listState is the place between two actions.
type listState int

const (
	atStart listState = iota
	inLines           // between the objects of JSON Lines
	inArray           // at the beginning of the array
	inRest            // behind an object of the array
	atEnd             // behind the array
)

// read returns the next action. The error is io.EOF if there is none.
func (in *actionReader) read() (Action, error) {
	if in.list == atStart {
		if err := in.skipMark(); err != nil {
			return Action{}, err
		}
	}
	c, err := in.peek()
	if in.list == atStart {
		in.list = inLines
		if c == '[' {
			in.list = inArray
			in.skip()
			c, err = in.peek()
		}
	}
	switch in.list {
	case inLines:
		if err != nil {
			return Action{}, err
		}
	case inArray, inRest:
		if c == ']' {
			in.list = atEnd
			in.skip()
			return in.read()
		}
		if in.list == inRest {
			if c != ',' {
				return Action{}, in.want("a comma or the end of the array", err)
			}
			in.skip()
			c, err = in.peek()
		}
		in.list = inRest
	case atEnd:
		if err == nil {
			return Action{}, in.want("the end of the text", nil)
		}
		return Action{}, err
	}
	if c != '{' {
		return Action{}, in.want("an action, which is an object", err)
	}
	return in.object()
}

// object reads an action, which begins at the next byte.
func (in *actionReader) object() (Action, error) {
	start := in.at
	if err := in.scan(); err != nil {
		return Action{}, err
	}
	d := strictjson.NewDecoder(in.text)
	d.AllowInvalidUTF8 = true
	a, named, err := readNamedAction(d)
	if err == nil && !named {
		err = d.Errorf(0, "key %q is missing; write the verb under it", keyAction)
	}
	if err != nil {
		return Action{}, start.locate(in.text, err, "action")
	}
	return a, nil
}

// scan sets text to the object that begins at the next byte, or to the rest of the
// stream if the object has no end.
func (in *actionReader) scan() error {
	start := in.at
	in.text = in.text[:0]
	depth, quoted, escaped := 0, false, false
	for {
		c, err := in.r.ReadByte()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return in.failed(err)
		}
		if len(in.text) == maxActionBytes {
			return fmt.Errorf("%w action in line %d, column %d: it has more than %d bytes; shorten it", ErrInvalid, start.line, start.column, maxActionBytes)
		}
		in.text = append(in.text, c)
		switch {
		case escaped:
			escaped = false
		case quoted:
			escaped, quoted = c == '\\', c != '"'
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				in.at = start.after(in.text)
				return nil
			}
		}
	}
}

// skipMark skips a byte-order mark at the beginning of the stream.
func (in *actionReader) skipMark() error {
	mark, _ := in.r.Peek(len(byteOrderMark))
	if isUTF16(mark) {
		return fmt.Errorf("%w list of actions: it is in UTF-16; save it as UTF-8", ErrInvalid)
	}
	if string(mark) == byteOrderMark {
		in.r.Discard(len(mark)) // cannot fail: it is in the buffer
	}
	return nil
}

// peek skips white space and returns the next byte. The error is io.EOF or an error of
// the stream.
func (in *actionReader) peek() (byte, error) {
	for {
		b, err := in.r.Peek(1)
		switch {
		case err == io.EOF:
			return 0, err
		case err != nil:
			return 0, in.failed(err)
		case b[0] != ' ' && b[0] != '\t' && b[0] != '\n' && b[0] != '\r':
			return b[0], nil
		}
		in.skip()
	}
}

// skip skips the next byte, which peek has seen.
func (in *actionReader) skip() {
	c, _ := in.r.ReadByte()
	in.at = in.at.after([]byte{c})
}

// want returns an error that says what was wanted instead of the next byte. The
// argument err is the error of peek. If it is an error of the stream, want returns it.
func (in *actionReader) want(what string, err error) error {
	if err != nil && err != io.EOF {
		return err
	}
	next, _ := in.r.Peek(8) // enough for any word of JSON
	return in.at.locate(next, strictjson.NewDecoder(next).Want(what), "list of actions")
}

func (in *actionReader) failed(err error) error {
	return fmt.Errorf("normsync: read actions: line %d: %w", in.at.line, err)
}
