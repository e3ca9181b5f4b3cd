package token

import (
	"strings"
	"unicode"
)

// folds has the folded forms of the runes that most scripts with capital letters
// use.
var folds = func() (t [0x800]uint16) {
	for r := range t {
		t[r] = uint16(foldSlowly(rune(r)))
	}
	return t
}()

// cased reports for each block of 256 runes whether one of them has another
// case, so that scripts without capital letters skip the search.
var cased = func() (t [(unicode.MaxRune + 1) / 256]bool) {
	for _, c := range unicode.CaseRanges {
		for r := c.Lo / 256; r <= c.Hi/256; r++ {
			t[r] = true
		}
	}
	return t
}()

// Fold returns s with each rune replaced by one rune that stands for all of its
// cases. Two tokens are equal if, and only if, they fold to the same text.
func Fold(s string) string { return strings.Map(fold, s) }

// FoldAgent returns a word of an agent's name with its ASCII letters in lower case.
// Two words are equal by EqualAgent if, and only if, they fold to the same text.
func FoldAgent(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

// fold returns the rune that stands for all cases of r under simple folding. An
// ASCII letter folds to its lower case.
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
