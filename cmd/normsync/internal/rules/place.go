package rules

import (
	"bytes"
	"fmt"
	"sort"
)

// Place is a place in a file. Lines, and the bytes in a line, count from 1.
type Place struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

// String returns p in the form that editors and compilers use: file:line:column.
func (p Place) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }

// source is a file that was read.
type source struct {
	name  string
	text  []byte // without a byte-order mark
	mark  int    // length of the byte-order mark
	lines []int  // offset of the beginning of each line
}

func newSource(name string, text []byte) *source {
	f := &source{name: name, text: bytes.TrimPrefix(text, []byte(byteOrderMark)), lines: []int{0}}
	f.mark = len(text) - len(f.text)
	for i, c := range f.text {
		if c == '\n' {
			f.lines = append(f.lines, i+1)
		}
	}
	return f
}

// place returns the place of an offset in the text.
func (f *source) place(offset int) Place {
	line := sort.SearchInts(f.lines, offset+1) // the number of lines that begin at offset or before it
	column := 1 + offset - f.lines[line-1]
	if line == 1 {
		column += f.mark
	}
	return Place{f.name, line, column}
}

// span is a part of a text.
type span struct{ start, end int }
