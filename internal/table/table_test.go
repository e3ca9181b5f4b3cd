package table

import (
	"bufio"
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func markdown(t *testing.T, table Table) string {
	t.Helper()
	return written(t, table.WriteMarkdown)
}

func written(t *testing.T, write func(*bufio.Writer) error) string {
	t.Helper()
	var b strings.Builder
	out := bufio.NewWriter(&b)
	require.NoError(t, write(out))
	require.NoError(t, out.Flush())
	return b.String()
}

func one(cells ...string) Table {
	columns := strings.Split("A #B C D E F G", " ")[:len(cells)]
	return Table{Name: "things", Columns: columns, Rows: 1, Row: func(int) []string { return cells }}
}

func TestMarkdownCells(t *testing.T) {
	for _, c := range []struct{ why, cell, want string }{
		{"names as they are", "no-attack in safe_zone_2", "no-attack in safe_zone_2"},
		{"emphasis", "_a_ *b* ~c~ __d", `\_a\_ \*b\* \~c\~ \_\_d`},
		{"a bar", "a|b", `a\|b`},
		{"a backslash and a bar", `a\|b`, `a\\\\\|b`},
		{"HTML", "<script>&lt;", "&lt;script&gt;&amp;lt;"},
		{"a link", "[x](http.y)", `\[x\](http.y)`},
		{"code", "`a`", "\\`a\\`"},
		{"mathematics", "$x$", `\$x\$`},
		{"a newline", "a\r\nb", `a\\r\\nb`},
		{"an escape sequence", "\x1b[31m", `\\x1b\[31m`},
		{"a C1 control", "\u009b31m\u0085", `\\u009b31m\\u0085`},
		{"bidirectional overrides", "\u202Ex\u2066\u200F", `\\u202ex\\u2066\\u200f`},
		{"line and paragraph separators", "\u2028\u2029", `\\u2028\\u2029`},
		{"broken UTF-8, and its replacement", "\xe2\x82 \uFFFD", `\\xe2\\x82 ` + "\uFFFD"},
		{"invisible letters", "a\u200bb\u00adc\U000E0041", `a\\u200bb\\u00adc\\U000e0041`},
		{"a joiner in an emoji", "👩\u200D🚀", "👩\u200D🚀"},
		{"a mention", "for @zoe|`<b>", "`for @zoe\\|\\x60\\x3cb>`"},
		{"a link by itself", "see HTTPS://x.y\\", "`see HTTPS://x.y\\\\`"},
		{"another", "WwW.x.y", "`WwW.x.y`"},
		{"the number of an issue", "gpt-4o/t0#0", "`gpt-4o/t0#0`"},
		{"a hash alone", "# a #b", "# a #b"},
	} {
		t.Run(c.why, func(t *testing.T) {
			require.Equal(t, "| A |\n| --- |\n| "+c.want+" |\n", markdown(t, one(c.cell)))
		})
	}
}

func TestColumnsWithoutContentAreLeftOut(t *testing.T) {
	table := Table{Columns: []string{"A", "B", "#C"}, Rows: 2, Row: func(i int) []string {
		return [][]string{{"x", "", "1"}, {"", "", "10"}}[i]
	}}
	require.Equal(t, "| A | C |\n| --- | ---: |\n| x | 1 |\n| | 10 |\n", markdown(t, table))
	require.Equal(t, "A   C\nx   1\n   10\n", written(t, table.WriteText))
}

func TestTextAlignsByDisplayWidth(t *testing.T) {
	rows := [][]string{
		{"hero", "7", "z", "a b "}, {"阿伊莎", "12345", "睡觉", "  "}, {"e\u0301e", "7", "👩\u200D🚀", ""}, {strings.Repeat("x", 60), "1", "long", "end"},
	}
	table := Table{Columns: []string{"Agent", "#N", "Where", "Note"}, Rows: 4, Row: func(i int) []string { return rows[i] }}
	pad := strings.Repeat(" ", 40-6)
	require.Equal(t, ""+
		"AGENT "+pad+"      N  WHERE  NOTE\n"+
		"hero  "+pad+"      7  z      a b\n"+
		"阿伊莎"+pad+"  12345  睡觉\n"+
		"e\u0301e    "+pad+"      7  👩\u200D🚀\n"+
		strings.Repeat("x", 60)+"      1  long   end\n", written(t, table.WriteText))
}

func TestErrorsOfTheWriter(t *testing.T) {
	table := Table{Columns: []string{"A"}, Rows: 10_000, Row: func(i int) []string { return []string{"cell"} }}
	for _, write := range []func(*bufio.Writer) error{table.WriteMarkdown, table.WriteText} {
		w := &full{room: 5000}
		require.ErrorIs(t, write(bufio.NewWriter(w)), errFull)
		require.Equal(t, 2, w.calls, "nothing is written after the first error")
	}
}

type full struct{ room, calls int }

var errFull = errors.New("full")

func (w *full) Write(b []byte) (int, error) {
	w.calls++
	if w.room -= len(b); w.room < 0 {
		return 0, errFull
	}
	return len(b), nil
}

// bars counts the bars of a row that begin or end a cell, as GitHub does and,
// second, as those do that take a bar behind any backslash for escaped.
func bars(line string) (escaping, simple int) {
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '\\':
			i++
		case '|':
			escaping++
		}
	}
	return escaping, strings.Count(line, "|") - strings.Count(line, `\|`)
}

func FuzzTables(f *testing.F) {
	for _, s := range []string{"a|b", `a\|b`, `\`, "``|", "@a|`b", "a\nb", "\x1b]0;x\x07", "\u202Eb", "\u2028", "\xff|", "<!-- x -->", "# h", "```", "a@b\\", "  ", "\u3000"} {
		f.Add(s, "x", s)
		f.Add("x", s, "")
	}
	f.Fuzz(func(t *testing.T, a, b, c string) {
		table := one(a, b, c, "end")
		text, page := written(t, table.WriteText), markdown(t, table)
		for what, out := range map[string]string{"text": text, "Markdown": page} {
			require.True(t, utf8.ValidString(out), "%s is valid UTF-8: %q", what, out)
			for _, r := range out {
				require.True(t, r == '\n' || !unicode.Is(unicode.C, r) || r == '\u200C' || r == '\u200D', "%s holds %U: %q", what, r, out)
				require.False(t, r != ' ' && r != '\n' && unicode.IsSpace(r), "%s holds the space %U: %q", what, r, out)
			}
		}
		require.Equal(t, 2, strings.Count(text, "\n"))
		for line := range strings.Lines(text) {
			require.Equal(t, strings.TrimRight(line, " \n"), strings.TrimSuffix(line, "\n"), "no blanks at the end of a line")
		}
		lines := strings.Split(strings.TrimSuffix(page, "\n"), "\n")
		require.Len(t, lines, 3)
		want, _ := bars(lines[0])
		for _, line := range lines {
			escaping, simple := bars(line)
			require.Equal(t, []int{want, want}, []int{escaping, simple}, "%q", line)
			require.True(t, strings.HasPrefix(line, "| ") && strings.HasSuffix(line, " |"))
		}
		require.NotContains(t, lines[2], "<")
	})
}
