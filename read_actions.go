package normsync

import (
	"bufio"
	"fmt"
	"io"
	"iter"

	"github.com/normsync/normsync/internal/strictjson"
)

// maxActionBytes is the length of the longest object that ReadActions reads.
const maxActionBytes = 1 << 20

// ReadActions returns an iterator over the actions in r, which has JSON objects, one
// after another, as in JSON Lines, or a JSON array of objects. It reads an action when
// the loop asks for it, so a log can be larger than memory. It reads objects as
// [Action.UnmarshalJSON] does, except that an object without the key "action", or with
// more than 1 MiB, is an error.
//
// An error is yielded with the zero Action, and ends the sequence. An error of r is
// wrapped. All other errors wrap [ErrInvalid] and name the line, and the column in bytes,
// at which r is wrong. A loop over the same sequence continues where the loop before it
// stopped. Only one goroutine may range over the sequence at a time.
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
