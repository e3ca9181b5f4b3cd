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
// A word is put where it implies nothing of avoid. A prefix is used as a word,
// or with one more letter if that is avoided.
func Smallest(verb *Token, condition, avoid []Token, b *Budget) (w Witness, ok bool) {
	ts := append([]Token{*verb}, condition...)
	slices.SortStableFunc(ts[1:], func(a, b Token) int { return cmp.Compare(vagueness(&a), vagueness(&b)) })
	for i := range ts {
		if w.has(&ts[i], b) {
			continue
		}
		word, ok := place(&ts[i], avoid, b)
		if !ok {
			return nil, false
		}
		w = append(w, word)
	}
	return w, !b.Exhausted()
}

// vagueness orders tokens that leave no choice before tokens that they may
// satisfy.
func vagueness(t *Token) int {
	v := 0
	if t.Prefix {
		v = 2
	}
	if t.Field == token.Any {
		v++
	}
	return v
}

// place returns a word of an action in which t is found and nothing of avoid is.
func place(t *Token, avoid []Token, b *Budget) (word Token, ok bool) {
	try := func(text string) bool {
		word = Token{token.Pattern{Word: text}, text, token.Fold(text)}
		for _, word.Field = range fieldsOf(t) {
			if !b.impliesOne(&word, word.Field, avoid) {
				return !b.Exhausted()
			}
		}
		return false
	}
	if t.Word != "" {
		if ok := try(t.Word); ok || !t.Prefix {
			return word, ok
		}
	}
	for _, letter := range letters {
		if try(t.Word + string(letter)) {
			return word, true
		}
		if b.Exhausted() {
			break
		}
	}
	return Token{}, false
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
