// Package table writes lists as tables, in Markdown and for a terminal, such
// that nothing in a cell can break the table, the page or the terminal.
package table

import (
	"bufio"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Table is a list to be written as a table. Its cells are raw, as users wrote
// them; what writes them escapes them. Columns without content are left out.
type Table struct {
	Name    string
	Columns []string // a column of numbers is marked by a leading #
	Rows    int
	Row     func(i int) []string // a cell for each column; called again for each pass
}

// maxPad bounds what one long cell makes the other rows of its column grow to.
const maxPad = 40

// used reports for each column whether any cell in it has content.
func (t *Table) used() []bool {
	used := make([]bool, len(t.Columns))
	for i := range t.Rows {
		for c, cell := range t.Row(i) {
			used[c] = used[c] || cell != ""
		}
	}
	return used
}

// WriteMarkdown writes t as a table of GitHub Flavored Markdown. It returns the
// first error of out.
func (t *Table) WriteMarkdown(out *bufio.Writer) error {
	used := t.used()
	var head, rule strings.Builder
	for c, name := range t.Columns {
		if !used[c] {
			continue
		}
		name, number := strings.CutPrefix(name, "#")
		head.WriteString("| " + name + " ")
		if number {
			rule.WriteString("| ---: ")
		} else {
			rule.WriteString("| --- ")
		}
	}
	if _, err := out.WriteString(head.String() + "|\n" + rule.String() + "|\n"); err != nil {
		return err
	}
	var line []byte
	for i := range t.Rows {
		line = line[:0]
		for c, cell := range t.Row(i) {
			if !used[c] {
				continue
			}
			line = append(line, "| "...)
			if n := len(line); cell != "" {
				if line = appendMarkdown(line, cell); len(line) > n {
					line = append(line, ' ')
				}
			}
		}
		if _, err := out.Write(append(line, "|\n"...)); err != nil {
			return err
		}
	}
	return nil
}

// WriteText writes t aligned by the cells a terminal draws characters in, with
// no blanks at the end of a line. It returns the first error of out.
func (t *Table) WriteText(out *bufio.Writer) error {
	used := t.used()
	widths := make([]int, len(t.Columns))
	for c, name := range t.Columns {
		widths[c] = len(strings.TrimPrefix(name, "#"))
	}
	var text []byte
	for i := range t.Rows {
		for c, cell := range t.Row(i) {
			text = appendVisible(text[:0], cell)
			widths[c] = max(widths[c], min(width(text), maxPad))
		}
	}

	var line []byte
	write := func(cells []string) error {
		line = line[:0]
		for c, cell := range cells {
			if !used[c] {
				continue
			}
			text = appendVisible(text[:0], cell)
			pad := strings.Repeat(" ", max(widths[c]-width(text), 0))
			if t.Columns[c][0] == '#' {
				line = append(append(line, pad...), text...)
			} else {
				line = append(append(line, text...), pad...)
			}
			line = append(line, "  "...)
		}
		for len(line) > 0 && line[len(line)-1] == ' ' {
			line = line[:len(line)-1]
		}
		line = append(line, '\n')
		_, err := out.Write(line)
		return err
	}
	head := make([]string, len(t.Columns))
	for c, name := range t.Columns {
		head[c] = strings.ToUpper(strings.TrimPrefix(name, "#"))
	}
	if err := write(head); err != nil {
		return err
	}
	for i := range t.Rows {
		if err := write(t.Row(i)); err != nil {
			return err
		}
	}
	return nil
}

// visible reports whether a terminal draws r as itself. Of the invisible
// characters only the joiners are let through: emoji and Persian need them,
// and they move nothing.
func visible(r rune) bool {
	return strconv.IsPrint(r) && r != '\\' || r == '\u200C' || r == '\u200D'
}

// appendVisible appends s with everything that is not visible, broken UTF-8
// and backslashes written as in a Go string. No two texts come out the same.
func appendVisible(b []byte, s string) []byte {
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		b = appendRune(b, r, s[:n])
		s = s[n:]
	}
	return b
}

// appendRune appends r, which was decoded from raw, as appendVisible has it.
func appendRune(b []byte, r rune, raw string) []byte {
	if visible(r) && !(r == utf8.RuneError && len(raw) == 1) {
		return append(b, raw...)
	}
	quoted := strconv.Quote(raw)
	return append(b, quoted[1:len(quoted)-1]...)
}

// appendMarkdown appends s as the content of a cell: visible, and without
// meaning as Markdown or HTML.
func appendMarkdown(b []byte, s string) []byte {
	if reference.MatchString(s) {
		return appendCode(b, s) // GitHub looks past every other escape
	}
	before := ' '
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch r {
		case '<':
			b = append(b, "&lt;"...)
		case '>':
			b = append(b, "&gt;"...)
		case '&':
			b = append(b, "&amp;"...)
		case '\\':
			b = append(b, `\\\\`...) // the visible form is two, each of them escaped
		case '|', '`', '*', '~', '[', ']', '$':
			b = append(b, '\\', byte(r))
		case '_':
			// Inside a word it is no emphasis, and names are full of it.
			if after, _ := utf8.DecodeRuneInString(s[n:]); !isWord(before) || !isWord(after) {
				b = append(b, '\\')
			}
			b = append(b, '_')
		default:
			from := len(b)
			if b = appendRune(b, r, s[:n]); b[from] == '\\' {
				b = slices.Insert(b, from, '\\')
			}
		}
		before = r
		s = s[n:]
	}
	return b
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// reference is what a forge could take for a mention, a link or the number of
// an issue.
var reference = regexp.MustCompile(`@|://|(?i:www\.)|#[0-9]|(?i:GH-[0-9])`)

// appendCode appends s as a code span. Nothing can be escaped in one but the
// bar of the table around it, so what would end it is written as in a Go string.
func appendCode(b []byte, s string) []byte {
	b = append(b, '`')
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch r {
		case '|':
			b = append(b, `\|`...)
		case '`', '<':
			b = append(b, `\x`...)
			b = strconv.AppendInt(b, int64(r), 16)
		default:
			b = appendRune(b, r, s[:n])
		}
		s = s[n:]
	}
	return append(b, '`')
}

// width is the number of cells a terminal draws text in.
func width(text []byte) int {
	cells := 0
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		text = text[n:]
		switch {
		case r < 0x300:
			cells++
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case unicode.Is(wide, r):
			cells += 2
		default:
			cells++
		}
	}
	return cells
}

// wide is what Unicode's East Asian Width calls wide or fullwidth, by blocks.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x1100, 0x115F, 1}, {0x2E80, 0x303E, 1}, {0x3041, 0xA4CF, 1}, {0xA960, 0xA97C, 1}, {0xAC00, 0xD7A3, 1},
		{0xF900, 0xFAFF, 1}, {0xFE30, 0xFE6F, 1}, {0xFF01, 0xFF60, 1}, {0xFFE0, 0xFFE6, 1},
	},
	R32: []unicode.Range32{{0x1F300, 0x1F64F, 1}, {0x1F680, 0x1F6FF, 1}, {0x1F900, 0x1FAFF, 1}, {0x20000, 0x3FFFD, 1}},
}
