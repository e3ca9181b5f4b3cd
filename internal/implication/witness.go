package implication

import (
	"cmp"
	"slices"
	"strings"

	"github.com/normsync/normsync/internal/token"
)

// Witness is an action that shows something about norms.
type Witness []Token // words, each in its field

// Smallest returns an action with as few tokens as possible that has the verb,
// all of condition and none of avoid. There may be none, or the budget may be
// exhausted. avoid is the Unless of one norm or of two.
//
// It adds a word for each token in turn, unless the token is found already. A
// prefix becomes a word as it is, or with one more letter if that is avoided. A
// word goes into a field in which it implies nothing of avoid. If there are
// several, it goes where it also satisfies the most tokens that still need a word
// in that field.
func Smallest(verb *Token, condition, avoid []Token, b *Budget) (w Witness, ok bool) {
	ts := append([]Token{*verb}, condition...)
	slices.SortStableFunc(ts, func(a, b Token) int { return compareVagueness(&a, &b) })
	for i := range ts {
		if w.has(&ts[i], b) {
			continue
		}
		word, ok := w.place(&ts[i], ts[i+1:], avoid, b)
		if !ok {
			return nil, false
		}
		w = append(w, word)
	}
	return w, !b.Exhausted()
}

// compareVagueness orders tokens that leave little choice before tokens that
// they may satisfy: words before prefixes, long prefixes before short ones,
// tokens with a field before those without.
func compareVagueness(a, b *Token) int {
	order := func(t *Token) (vagueness, length, field int) {
		if t.Field == token.Any {
			field = 1
		}
		if !t.Prefix {
			return field, 0, 0
		}
		return 2, -len(t.Folded), field
	}
	aVagueness, aLength, aField := order(a)
	bVagueness, bLength, bField := order(b)
	return cmp.Or(cmp.Compare(aVagueness, bVagueness), cmp.Compare(aLength, bLength), cmp.Compare(aField, bField))
}

// place returns a word to add to the action, in which t is found and nothing of
// avoid is. The tokens of rest come after t.
func (w Witness) place(t *Token, rest, avoid []Token, b *Budget) (word Token, ok bool) {
	if t.Field != token.Any {
		rest = nil // there is no choice of fields
	}
	best := -1
	try := func(text string) {
		for _, f := range fieldsOf(t) {
			p := Token{Pattern: token.Pattern{Field: f, Word: text}, Text: text}
			p.Folded = p.Fold()
			gain := w.gain(&p, rest, b)
			if gain > best && !b.impliesOne(&p, f, avoid) {
				word, best = p, gain
			}
		}
	}
	if t.Word != "" {
		try(t.Word)
	}
	if t.Prefix {
		// A longer word may be allowed where the prefix as a word is not.
		most := 0
		for _, f := range fieldsOf(t) {
			most = max(most, w.gain(&Token{Pattern: token.Pattern{Field: f}, Folded: t.Folded}, rest, b))
		}
		for i := 0; i < len(letters) && best < most && !b.Exhausted(); i++ {
			try(t.Word + string(letters[i]))
		}
	}
	return word, best >= 0 && !b.Exhausted()
}

// gain returns how many prefixes of one field the word satisfies that nothing
// else in the action satisfies.
func (w Witness) gain(word *Token, rest []Token, b *Budget) (gain int) {
	for i := range rest {
		if q := &rest[i]; q.Prefix && q.Field == word.Field && b.implies(word, word.Field, q) && !w.has(q, b) {
			gain++
		}
	}
	return gain
}

// letters differ from each other even if case is ignored. A token of avoid rules
// out one letter at most, so that one more letter than avoid has tokens is
// enough.
var letters = func() (letters [2*MaxTokens + 1]rune) {
	n := copy(letters[:], []rune("xyzabcdefghijklmnopqrstuvw0123456789"))
	for i := range letters[n:] {
		letters[n+i] = '\u4E00' + rune(i)
	}
	return letters
}()

// Texts returns the texts of the action.
func (w Witness) Texts() (texts token.Texts) {
	var words [token.Any][]string
	for _, t := range w {
		words[t.Field] = append(words[t.Field], t.Word)
	}
	for f := range words {
		texts[f] = strings.Join(words[f], " ")
	}
	return texts
}

// Meets reports whether the action meets a norm.
func (w Witness) Meets(n *Norm, b *Budget) bool {
	return slices.ContainsFunc(n.Verbs, func(t Token) bool { return w.has(&t, b) }) &&
		!slices.ContainsFunc(n.Condition, func(t Token) bool { return !w.has(&t, b) }) &&
		!slices.ContainsFunc(n.Unless, func(t Token) bool { return w.has(&t, b) }) &&
		!b.Exhausted()
}

// has reports whether a token of a norm is found in the action.
func (w Witness) has(q *Token, b *Budget) bool {
	for i := range w {
		if b.implies(&w[i], w[i].Field, q) {
			return true
		}
	}
	return false
}
