// Package texttable writes lists as tables, in Markdown and for a terminal, such
// that nothing in a cell can break the table, the page or the terminal.
package texttable

import (
	"bufio"
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/normsync/normsync/internal/invisible"
)

// Table is a list to be written as a table. Its cells are raw, as users wrote
// them; what writes them escapes them. Columns without content are left out.
type Table struct {
	Name    string
	Columns []string // a column of numbers is marked by a leading #
	Rows    int
	Row     func(i int) []string // a cell for each column; called again for each pass
}

// Counts returns the text of a cell with counts by name, the greatest first, such as
// "3 peace, 1 curfew".
func Counts(byName map[string]int) string {
	names := slices.SortedFunc(maps.Keys(byName), func(a, b string) int {
		return cmp.Or(cmp.Compare(byName[b], byName[a]), strings.Compare(a, b))
	})
	for i, name := range names {
		names[i] = strconv.Itoa(byName[name]) + " " + name
	}
	return strings.Join(names, ", ")
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
	var line, text []byte
	for i := range t.Rows {
		line = line[:0]
		for c, cell := range t.Row(i) {
			if !used[c] {
				continue
			}
			line = append(line, "| "...)
			if cell == "" {
				continue
			}
			text = appendVisible(text[:0], cell)
			if t.Columns[c][0] == '#' && isNumber(cell) {
				line = append(line, text...) // not the hash of a commit, however long
			} else {
				line = appendMarkdown(line, text)
			}
			line = append(line, ' ')
		}
		if _, err := out.Write(append(line, "|\n"...)); err != nil {
			return err
		}
	}
	return nil
}

// WriteText writes t with aligned columns, and no blanks at the end of a line. It counts
// the cells that a terminal needs for each character. It returns the first error of out.
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

// appendVisible appends s so that all of it can be seen: characters that are
// not visible, broken UTF-8, backslashes, and spaces at the ends are written as
// in a Go string. No two texts come out the same.
func appendVisible(b []byte, s string) []byte {
	for i, size := 0, 0; i < len(s); i += size {
		var r rune
		r, size = utf8.DecodeRuneInString(s[i:])
		switch raw := s[i : i+size]; {
		case r == ' ' && (i == 0 || i == len(s)-1):
			b = append(b, `\x20`...)
		case visible(r) && !(r == utf8.RuneError && size == 1):
			b = append(b, raw...)
		default:
			quoted := strconv.QuoteToASCII(raw)
			b = append(b, quoted[1:len(quoted)-1]...)
		}
	}
	return b
}

// visible reports whether a terminal draws r as itself. Joiners and variation
// selectors are not visible, though emoji and Persian use them: a name with one
// would look like the name without it.
func visible(r rune) bool { return strconv.IsPrint(r) && r != '\\' && !invisible.Is(r) }

// appendMarkdown appends s, which is visible, as the content of a cell, without
// meaning as Markdown or HTML.
func appendMarkdown(b, s []byte) []byte {
	if reference.Match(s) {
		return appendCode(b, s) // GitHub looks past every other escape
	}
	before := ' '
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		switch r {
		case '<':
			b = append(b, "&lt;"...)
		case '>':
			b = append(b, "&gt;"...)
		case '&':
			b = append(b, "&amp;"...)
		case '\\', '|', '`', '*', '~', '[', ']', '$':
			b = append(b, '\\', byte(r))
		case '_':
			// Inside a word it is no emphasis, and names are full of it.
			if after, _ := utf8.DecodeRune(s[n:]); !isWord(before) || !isWord(after) {
				b = append(b, '\\')
			}
			b = append(b, '_')
		default:
			b = append(b, s[:n]...)
		}
		before = r
		s = s[n:]
	}
	return b
}

func isNumber(s string) bool { return strings.Trim(strings.TrimPrefix(s, "-"), "0123456789.") == "" }

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// reference matches what GitHub or another forge could take for more than text:
// a mention or an e-mail address, a link, the number of an issue or the like, an
// advisory, an emoji's name, or the hash of a commit. Two digits between colons
// name no emoji; they are part of a time.
var reference = regexp.MustCompile(`@|://|(?i:www\.)` +
	`|[#!$%&~][0-9]|(?i:GH-[0-9]|GHSA-|CVE-[0-9])` +
	`|:(?:[^\s:]|[0-9]?[^\s:0-9][^\s:]*|[0-9]{2}[^\s:]+):` +
	`|(?i:\b[0-9a-f]{7,}\b)`)

// appendCode appends s, which is visible, as a code span. Nothing can be escaped
// in one but the bar of the table around it, so what would end it is written as
// in a Go string.
func appendCode(b, s []byte) []byte {
	b = append(b, '`')
	for _, c := range s {
		switch c {
		case '|':
			b = append(b, `\|`...)
		case '`', '<':
			b = append(b, `\x`...)
			b = strconv.AppendInt(b, int64(c), 16)
		default:
			b = append(b, c)
		}
	}
	return append(b, '`')
}

// width returns the number of cells that a terminal needs for a text.
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
