// Package nearest finds the word that a misspelled one was probably meant to be.
package nearest

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"
)

// Words is a dictionary of words to choose from. The zero value is empty. Words
// compares texts exactly: the caller folds them, if case is to be ignored. It is
// not safe for concurrent use.
type Words struct {
	words []word
	rows  [3][]int // memory for distance
}

type word struct {
	text    string
	runes   []rune
	letters uint64 // a bit for each rune that occurs, by a hash of it
	count   int
}

// maxRunes is the length beyond which a word is taken for no word at all.
const maxRunes = 128

// Add puts a word into the dictionary. The count says how common it is: of
// words that are equally near, Find prefers the more common one.
func (ws *Words) Add(text string, count int) {
	runes := []rune(text)
	if len(runes) > maxRunes {
		runes = runes[:maxRunes+1] // too long to be near anything but a prefix
	}
	ws.words = append(ws.words, word{text, runes, letters(runes), count})
}

// letters has a bit set for each rune of rs. Two runes may share a bit.
func letters(rs []rune) (set uint64) {
	for _, r := range rs {
		set |= 1 << (uint32(r) * 0x9E3779B1 >> 26)
	}
	return set
}

// Find returns the word of the dictionary that is nearest to text, if one is
// near: at most one edit away from a text of 3 to 5 runes, two edits up to 9
// runes, three beyond. An edit adds, removes or replaces one rune, or swaps two
// neighbors. If several are equally near, Find returns the most common one, then
// the first in the order of their bytes. With prefix set, text is compared with
// the beginnings of the words.
//
// Find runs a few instructions for each word of the dictionary, and compares only
// the few words that share most letters with text.
func (ws *Words) Find(text string, prefix bool) (nearest string, ok bool) {
	runes := []rune(text)
	limit := limit(len(runes))
	if len(runes) == 0 || len(runes) > maxRunes {
		return "", false
	}
	set := letters(runes)
	best := word{}
	least := limit + 1
	for _, w := range ws.words {
		// An edit brings in at most one rune that text lacks, and takes out at most one.
		if bits.OnesCount64(set&^w.letters) > limit || len(w.runes) < len(runes)-limit {
			continue
		}
		if !prefix && (bits.OnesCount64(w.letters&^set) > limit || len(w.runes) > len(runes)+limit) {
			continue
		}
		d := ws.distance(runes, w.runes, prefix, least)
		if d < least || d == least && d <= limit && before(w, best) {
			least, best = d, w
		}
	}
	return best.text, least <= limit
}

func limit(runes int) int {
	switch {
	case runes < 3:
		return 0
	case runes <= 5:
		return 1
	case runes <= 9:
		return 2
	}
	return 3
}

func before(a, b word) bool {
	return cmp.Or(cmp.Compare(b.count, a.count), strings.Compare(a.text, b.text)) < 0
}

// distance returns the number of edits between a and b, or between a and the
// beginning of b that is nearest to it. If that is more than most, it returns
// some number above most.
//
// It is the optimal string alignment distance: the distance of Wagner and Fischer ("The
// String-to-String Correction Problem", Journal of the ACM 21 (1974)), computed
// row by row, with swaps of neighbors.
func (ws *Words) distance(a, b []rune, prefix bool, most int) int {
	if prefix {
		b = b[:min(len(b), len(a)+limit(len(a)))]
	}
	// row[j] is the distance of a[:i] and b[:j]; above and above2 are the rows before it.
	for i := range ws.rows {
		ws.rows[i] = slices.Grow(ws.rows[i][:0], len(b)+1)[:len(b)+1]
	}
	row, above, above2 := ws.rows[0], ws.rows[1], ws.rows[2]
	for j := range row {
		row[j] = j
	}
	least := 0 // of the row
	for i := 1; i <= len(a); i++ {
		row, above, above2 = above2, row, above
		row[0] = i
		least = i
		for j := 1; j <= len(b); j++ {
			replaced := above[j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			row[j] = min(replaced, above[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], above2[j-2]+1)
			}
			least = min(least, row[j])
		}
		// Later rows have no smaller number than the least of this row and the
		// one above, less one for a swap.
		if least > most+1 {
			return least
		}
	}
	if prefix {
		return least
	}
	return row[len(b)]
}
