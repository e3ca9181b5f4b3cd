// Package invisible classifies characters that people cannot see. It is the only
// place that lists them: names, reports and matching use it.
package invisible

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Is reports whether r is invisible: whether it is displayed as nothing or as a blank,
// but is not white space. It is either [Ignorable] or one of the few visible characters
// that Unicode defines as blank.
func Is(r rune) bool { return r >= utf8.RuneSelf && (Ignorable(r) || unicode.Is(blank, r)) }

// blank has the characters that Unicode encodes as visible symbols or letters but
// defines as blank. No property lists them; their names in UnicodeData.txt and their
// glyphs in the code charts show it.
var blank = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x2800, 0x2800, 1}, // BRAILLE PATTERN BLANK
	},
	R32: []unicode.Range32{
		{0x13441, 0x13442, 1}, // EGYPTIAN HIEROGLYPH FULL BLANK, HALF BLANK
		{0x16FE4, 0x16FE4, 1}, // KHITAN SMALL SCRIPT FILLER
		{0x1D159, 0x1D159, 1}, // MUSICAL SYMBOL NULL NOTEHEAD
	},
}

// Ignorable reports whether r is a Default_Ignorable_Code_Point: a character that a
// renderer displays as nothing unless it supports it, such as a zero width space, a
// variation selector or a Hangul filler. The property is derived from the tables of
// package unicode as the header of DerivedCoreProperties.txt describes. Ignorable is
// fast for runes in blocks of 256 that have no such character.
func Ignorable(r rune) bool {
	block := uint32(r) >> 8
	return r >= utf8.RuneSelf && block < uint32(len(blocks)) && blocks[block] && derived(r)
}

var sources = []*unicode.RangeTable{unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point}

func derived(r rune) bool {
	switch {
	case !unicode.In(r, sources...):
		return false
	case 0xFFF9 <= r && r <= 0xFFFB: // interlinear annotation
		return false
	case 0x13430 <= r && r <= 0x13440: // Egyptian hieroglyph format controls
		return false
	}
	return !unicode.In(r, unicode.White_Space, unicode.Prepended_Concatenation_Mark)
}

// blocks tells, for each block of 256 runes, whether sources contain any of them.
var blocks = func() (has [(unicode.MaxRune + 1) / 256]bool) {
	mark := func(lo, hi uint32) {
		for b := lo / 256; b <= hi/256; b++ {
			has[b] = true
		}
	}
	for _, t := range sources {
		for _, r := range t.R16 {
			mark(uint32(r.Lo), uint32(r.Hi))
		}
		for _, r := range t.R32 {
			mark(r.Lo, r.Hi)
		}
	}
	return has
}()

// Override reports whether r overrides the direction of writing for what
// follows, so that a text can be made to look like another: the embeddings,
// overrides and isolates of the bidirectional algorithm.
func Override(r rune) bool {
	return 0x202A <= r && r <= 0x202E || 0x2066 <= r && r <= 0x2069
}

// Quote returns s as a Go string, like strconv.Quote, but also escapes all invisible
// characters.
func Quote(s string) string {
	quoted := strconv.Quote(s)
	if strings.IndexFunc(quoted, Is) < 0 {
		return quoted
	}
	var b strings.Builder
	for _, r := range quoted {
		if !Is(r) {
			b.WriteRune(r)
			continue
		}
		escaped := strconv.QuoteRuneToASCII(r)
		b.WriteString(escaped[1 : len(escaped)-1])
	}
	return b.String()
}
