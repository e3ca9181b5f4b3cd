package texttable

import (
	"bufio"
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/normsync/normsync/internal/invisible"
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
		{"a joiner in an emoji", "👩\u200D🚀", `👩\\u200d🚀`},
		{"a name that ends in a variation selector", "zoe\uFE0F", `zoe\\ufe0f`},
		{"fillers, a Braille blank, a grapheme joiner", "\u3164\u115F\u1160\uFFA0\u2800\u034F", `\\u3164\\u115f\\u1160\\uffa0\\u2800\\u034f`},
		{"vowels and separators of scripts that draw nothing", "\u17B4\u180B\U000E0100", `\\u17b4\\u180b\\U000e0100`},
		{"letters with marks", "e\u0301 क्ष", "e\u0301 क्ष"},
		{"a space at each end", " a  b ", `\\x20a  b\\x20`},
		{"a space alone", " ", `\\x20`},
		{"a mention", "for @zoe|`<b>", "`for @zoe\\|\\x60\\x3cb>`"},
		{"a link by itself", "see HTTPS://x.y\\", "`see HTTPS://x.y\\\\`"},
		{"another", "WwW.x.y", "`WwW.x.y`"},
		{"the number of an issue", "gpt-4o/t0#0", "`gpt-4o/t0#0`"},
		{"a hash alone", "# a #b", "# a #b"},
		{"an emoji's name", "a:skull:", "`a:skull:`"},
		{"emoji's names of digits and signs", ":8ball: :+1: :100:", "`:8ball: :+1: :100:`"},
		{"an emoji's name behind a time", "12:00:100:", "`12:00:100:`"},
		{"an emoji's name of one digit", ":1:", "`:1:`"},
		{"a time, and colons apart", "2024-05-17T12:00:00.123456789Z a: : b", "2024-05-17T12:00:00.123456789Z a: : b"},
		{"a word with its field", "location:safe_zone faction:x", "location:safe_zone faction:x"},
		{"the hash of a commit", "16c999e8c71134401a78d4d46435517b2271d6ac", "`16c999e8c71134401a78d4d46435517b2271d6ac`"},
		{"a short hash, in a sentence", "see (16C999e)", "`see (16C999e)`"},
		{"hexadecimal digits in a longer word", "x16c999e8 16c999 16c999e_", "x16c999e8 16c999 16c999e\\_"},
		{"a number as a name", "1234567", "`1234567`"},
		{"what GitLab links", "!1 $2 %3 &4 ~5", "`!1 $2 %3 &4 ~5`"},
		{"such signs without a number", "a! 5% b&c", "a! 5% b&amp;c"},
		{"advisories", "cve-2024-1 GHSA-x", "`cve-2024-1 GHSA-x`"},
		{"an e-mail address", "mailto:zoe@x.y", "`mailto:zoe@x.y`"},
		{"a footnote", "a[^1]", `a\[^1\]`},
	} {
		t.Run(c.why, func(t *testing.T) {
			require.Equal(t, "| A |\n| --- |\n| "+c.want+" |\n", markdown(t, one(c.cell)))
		})
	}
}

func TestNumbersInAColumnOfNumbersAreNoCommits(t *testing.T) {
	require.Equal(t, "| A | B |\n| --- | ---: |\n| `1234567` | 1234567 |\n", markdown(t, one("1234567", "1234567")))
	require.Equal(t, "| A | B |\n| --- | ---: |\n| a | `123456a` |\n", markdown(t, one("a", "123456a")))
	require.Equal(t, "| A | B |\n| --- | ---: |\n| a | 0.75 |\n", markdown(t, one("a", "0.75")))
	require.Equal(t, "| A | B |\n| --- | ---: |\n| a | -2147483648 |\n", markdown(t, one("a", "-2147483648")))
}

func TestColumnsWithoutContentAreLeftOut(t *testing.T) {
	table := Table{Columns: []string{"A", "B", "#C"}, Rows: 2, Row: func(i int) []string {
		return [][]string{{"x", "", "1"}, {"", "", "10"}}[i]
	}}
	require.Equal(t, "| A | C |\n| --- | ---: |\n| x | 1 |\n| | 10 |\n", markdown(t, table))
	require.Equal(t, "A   C\nx   1\n   10\n", written(t, table.WriteText))
}

func TestARowWithoutContentIsAnEmptyLine(t *testing.T) {
	table := Table{Columns: []string{"A", "#B"}, Rows: 2, Row: func(i int) []string {
		return [][]string{{"", ""}, {"x", "1"}}[i]
	}}
	require.Equal(t, "A  B\n\nx  1\n", written(t, table.WriteText))
}

func TestTextAlignsByDisplayWidth(t *testing.T) {
	rows := [][]string{
		{"hero", "7", "z", "a b "}, {"阿伊莎", "12345", "睡觉", ""}, {"e\u0301e", "7", "👩🚀", ""}, {strings.Repeat("x", 60), "1", "long", "end"},
	}
	table := Table{Columns: []string{"Agent", "#N", "Where", "Note"}, Rows: 4, Row: func(i int) []string { return rows[i] }}
	pad := strings.Repeat(" ", 40-6)
	require.Equal(t, ""+
		"AGENT "+pad+"      N  WHERE  NOTE\n"+
		"hero  "+pad+"      7  z      a b\\x20\n"+
		"阿伊莎"+pad+"  12345  睡觉\n"+
		"e\u0301e    "+pad+"      7  👩🚀\n"+
		strings.Repeat("x", 60)+"      1  long   end\n", written(t, table.WriteText))
}

// The first and the last character of each range that is two cells wide, and its
// neighbours, which are not in another.
func TestWidthAtTheEndsOfTheRanges(t *testing.T) {
	for _, r := range [][2]rune{
		{0x1100, 0x115F}, {0x2E80, 0x303E}, {0x3041, 0xA4CF}, {0xA960, 0xA97C}, {0xAC00, 0xD7A3},
		{0xF900, 0xFAFF}, {0xFE30, 0xFE6F}, {0xFF01, 0xFF60}, {0xFFE0, 0xFFE6},
		{0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F900, 0x1FAFF}, {0x20000, 0x3FFFD},
	} {
		for c := r[0]; c <= r[1]; c++ {
			if got := width([]byte(string(c))); got != 2 && !unicode.In(c, unicode.Mn, unicode.Me, unicode.Cf) {
				t.Fatalf("%U is %d cells wide, not 2", c, got)
			}
		}
		for _, c := range []rune{r[0] - 1, r[1] + 1} {
			require.Less(t, width([]byte(string(c))), 2, "%U", c)
		}
	}
	for text, want := range map[string]int{"": 0, "a": 1, "\u02FF": 1, "\u0300": 0, "\u036F": 0, "\u0370": 1, "\u0488": 0, "\u302A": 0, "睡": 2, "a睡e\u0301": 4} {
		require.Equal(t, want, width([]byte(text)), "%q", text)
	}
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
	for _, s := range []string{"a|b", `a\|b`, `\`, "``|", "@a|`b", "a\nb", "\x1b]0;x\x07", "\u202Eb", "\u2028", "\xff|", "<!-- x -->", "# h", "```", "a@b\\", "  ", "\u3000", "zoe\uFE0F", "\u2800\u3164", ":skull:", "16c999e8c71134401a78d4d46435517b2271d6ac"} {
		f.Add(s, "x", s)
		f.Add("x", s, "")
	}
	f.Fuzz(func(t *testing.T, a, b, c string) {
		table := one(a, b, c, "end")
		text, page := written(t, table.WriteText), markdown(t, table)
		for what, out := range map[string]string{"text": text, "Markdown": page} {
			require.True(t, utf8.ValidString(out), "%s is valid UTF-8: %q", what, out)
			for _, r := range out {
				require.True(t, r == '\n' || !unicode.Is(unicode.C, r) && !invisible.Is(r), "%s holds %U: %q", what, r, out)
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

func TestCountsBeginWithTheGreatest(t *testing.T) {
	require.Equal(t, "3 peace, 1 a, 1 b", Counts(map[string]int{"b": 1, "peace": 3, "a": 1}))
	require.Empty(t, Counts(nil))
}
