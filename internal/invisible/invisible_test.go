package invisible

import (
	"strconv"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// ignorable is Default_Ignorable_Code_Point as DerivedCoreProperties.txt of
// Unicode 15.0 lists it.
var ignorable = [][2]rune{
	{0x00AD, 0x00AD}, {0x034F, 0x034F}, {0x061C, 0x061C}, {0x115F, 0x1160}, {0x17B4, 0x17B5}, {0x180B, 0x180F},
	{0x200B, 0x200F}, {0x202A, 0x202E}, {0x2060, 0x206F}, {0x3164, 0x3164}, {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF},
	{0xFFA0, 0xFFA0}, {0xFFF0, 0xFFF8}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF},
}

func TestIgnorableIsTheListOfTheStandard(t *testing.T) {
	want := map[rune]bool{}
	for _, r := range ignorable {
		for c := r[0]; c <= r[1]; c++ {
			want[c] = true
		}
	}
	require.Len(t, want, 4174, "what the file gives as its total")
	for r := rune(-1); r <= unicode.MaxRune+1; r++ {
		if Ignorable(r) != want[r] {
			t.Errorf("%U: Ignorable is %t", r, Ignorable(r))
		}
	}
}

func TestIsHasWhatRendersAsBlankToo(t *testing.T) {
	for _, r := range "\u2800\U00013441\U00013442\U00016FE4\U0001D159\u3164\u200B\uFE0F" {
		require.True(t, Is(r), "%U", r)
	}
	for _, r := range " a\t\n\u00A0\u3000é睡\u0301\u0600\uFFFA\uFFFD\u27FF\u2801\U00013440\U00013443\U00016FE3\U00016FE5\U0001D158\U0001D15A\U0001F600" {
		require.False(t, Is(r), "%U", r)
	}
}

func TestOverride(t *testing.T) {
	var got []rune
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if Override(r) {
			got = append(got, r)
		}
	}
	require.Equal(t, []rune("\u202A\u202B\u202C\u202D\u202E\u2066\u2067\u2068\u2069"), got)
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"no fights":               `"no fights"`,
		"a\"\\\n\xff睡":            `"a\"\\\n\xff睡"`,
		"zoe\uFE0F":               `"zoe\ufe0f"`,
		"\u2800\u3164'\U000E0100": `"\u2800\u3164'\U000e0100"`,
	} {
		require.Equal(t, want, Quote(in))
		back, err := strconv.Unquote(Quote(in))
		require.NoError(t, err)
		require.Equal(t, in, back)
	}
}
