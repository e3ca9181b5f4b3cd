package implication

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/normsync/normsync/internal/token"
)

// Witness is an action that shows something about norms.
type Witness struct {
	Words []Token // each in its field
	Time  time.Time
}

// Smallest returns an action without a time, with as few tokens as possible, that
// has the verb, one token of each clause and none of avoid. There may be none, or
// the budget may be exhausted. avoid is the Unless of one norm or of two.
//
// It adds a word for each clause in turn, unless a token of the clause is found
// already: first for clauses with one token, then for the others in their order,
// for the first token that avoid allows. A prefix becomes a word as it is, or with
// one more letter if that is avoided. A word goes into a field in which it implies
// nothing of avoid. If there are several, it goes where it also satisfies the most
// tokens that still need a word in that field. If clauses have several tokens,
// there may be a smaller action.
func Smallest(verb *Token, clauses []Clause, avoid []Token, b *Budget) (w Witness, ok bool) {
	ts := []Token{*verb}
	var anyOf []Clause
	for _, c := range clauses {
		if len(c) == 1 {
			ts = append(ts, c[0])
		} else {
			anyOf = append(anyOf, c)
		}
	}
	slices.SortStableFunc(ts, func(a, b Token) int { return compareVagueness(&a, &b) })
	for i := range ts {
		if !w.add(ts[i:i+1], ts[i+1:], avoid, b) {
			return Witness{}, false
		}
	}
	for _, c := range anyOf {
		if !w.add(c, nil, avoid, b) {
			return Witness{}, false
		}
	}
	return w, !b.Exhausted()
}

// add adds a word for one of the tokens, unless one is found. The tokens of rest
// come later.
func (w *Witness) add(ts, rest, avoid []Token, b *Budget) bool {
	if w.hasOne(ts, b) {
		return true
	}
	for i := range ts {
		if word, ok := w.place(&ts[i], rest, avoid, b); ok {
			w.Words = append(w.Words, word)
			return true
		}
	}
	return false
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
func (w *Witness) place(t *Token, rest, avoid []Token, b *Budget) (word Token, ok bool) {
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
		// A longer word may be allowed even if the prefix as a word is not.
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
func (w *Witness) gain(word *Token, rest []Token, b *Budget) (gain int) {
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
func (w *Witness) Texts() (texts token.Texts) {
	var words [token.Any][]string
	for _, t := range w.Words {
		words[t.Field] = append(words[t.Field], t.Word)
	}
	for f := range words {
		texts[f] = strings.Join(words[f], " ")
	}
	return texts
}

// Meets reports whether the action meets a norm.
func (w *Witness) Meets(n *Norm, b *Budget) bool {
	return n.Window.has(w.Time) && w.hasOne(n.Verbs, b) &&
		!slices.ContainsFunc(n.Condition, func(c Clause) bool { return !w.hasOne(c, b) }) &&
		!w.hasOne(n.Unless, b) && !b.Exhausted()
}

func (w *Witness) hasOne(qs []Token, b *Budget) bool {
	for i := range qs {
		if w.has(&qs[i], b) {
			return true
		}
	}
	return false
}

// has reports whether a token of a norm is found in the action.
func (w *Witness) has(q *Token, b *Budget) bool {
	for i := range w.Words {
		if b.implies(&w.Words[i], w.Words[i].Field, q) {
			return true
		}
	}
	return false
}
