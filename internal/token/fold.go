package token

import (
	"strings"
	"unicode"
)

// folds has the folded form of the runes that scripts with capital letters use most.
var folds = func() (t [0x800]uint16) {
	for r := range t {
		t[r] = uint16(foldSlowly(rune(r)))
	}
	return t
}()

// cased says of each block of 256 runes whether any of them has another case, so that scripts without capital letters skip the search.
var cased = func() (t [(unicode.MaxRune + 1) / 256]bool) {
	for _, c := range unicode.CaseRanges {
		for r := c.Lo / 256; r <= c.Hi/256; r++ {
			t[r] = true
		}
	}
	return t
}()

// Fold returns s with each rune replaced by the one that stands for all that
// are equal to it: two tokens are equal when they fold to the same.
func Fold(s string) string { return strings.Map(fold, s) }

// fold returns the one rune that stands for all runes that are equal to r under simple folding. Of ASCII letters it is the small one.
func fold(r rune) rune {
	switch {
	case int(r) < len(folds):
		return rune(folds[r])
	case !cased[r/256]:
		return r
	}
	return foldSlowly(r)
}

func foldSlowly(r rune) rune {
	least := r
	for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
		least = min(least, o)
	}
	if 'A' <= least && least <= 'Z' {
		least += 'a' - 'A'
	}
	return least
}
