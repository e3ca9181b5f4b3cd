package normsync

import (
	"bytes"
	"fmt"

	"github.com/normsync/normsync/internal/strictjson"
)

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
