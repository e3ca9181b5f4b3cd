package normsync

import (
	"cmp"
	"slices"
	"strings"

	"github.com/normsync/normsync/internal/token"
)

// rule is a norm taken apart, to be reasoned about without an action.
type rule struct {
	Norm
	verbs, condition, unless []word
}

// word is a token of a norm.
type word struct {
	token.Pattern
	text   string // as the norm has it
	folded string // Word, such that words are equal where strings.EqualFold says so
}

func newRule(n Norm) *rule {
	return &rule{
		Norm:      n,
		verbs:     words(n.Prohibited+n.Permitted, token.ParseVerb),
		condition: words(n.Condition, token.Parse),
		unless:    words(n.Unless, token.Parse),
	}
}

func words(s string, parse func(string) token.Pattern) []word {
	var ws []word
	for _, t := range strings.Fields(s) {
		p := parse(t)
		ws = append(ws, word{p, t, token.Fold(p.Word)})
	}
	return ws
}

// implies reports whether q is found in every action in which w is.
func (w word) implies(q word) bool {
	if q.Field != w.Field && (q.Field != token.Any || w.Field == token.Agent) {
		return false
	}
	if q.Prefix {
		return strings.HasPrefix(w.folded, q.folded)
	}
	return !w.Prefix && w.folded == q.folded
}

// places are the fields w can be found in; of several the most natural first.
func (w word) places() []token.Field {
	if w.Field == token.Any {
		return []token.Field{token.Location, token.Target, token.Faction, token.Action}
	}
	return []token.Field{w.Field}
}

// in is w found in field f.
func (w word) in(f token.Field) word {
	w.Field = f
	return w
}

// blocked reports whether one of avoid is found wherever w is, whichever field
// w is found in.
func blocked(w word, avoid []word) bool {
	if len(avoid) == 0 {
		return false
	}
	for _, f := range w.places() {
		if !slices.ContainsFunc(avoid, w.in(f).implies) {
			return false
		}
	}
	return true
}

// live reports whether an action can have w and be met by r, as far as r's
// Unless goes.
func (r *rule) live(w word) bool { return !r.lifted(w) }

// lifted reports whether r's Unless is found in every action that has w.
func (r *rule) lifted(w word) bool { return blocked(w, r.unless) }

// dead names the tokens one of which any action that r is for must have, and
// those of Unless without which it cannot have them. Both are empty where some
// action can meet r.
func (r *rule) dead() (because, lifting []string) {
	var without []word
	if i := slices.IndexFunc(r.condition, r.lifted); i >= 0 {
		without = r.condition[i : i+1]
	} else if !slices.ContainsFunc(r.verbs, r.live) {
		without = r.verbs
	}
	for _, w := range without {
		because = append(because, w.text)
		for _, f := range w.places() {
			i := slices.IndexFunc(r.unless, w.in(f).implies)
			if t := r.unless[i].text; !slices.Contains(lifting, t) {
				lifting = append(lifting, t)
			}
		}
	}
	return because, lifting
}

// covers reports whether every action that has a verb of s, and that s applies
// to, has a verb of r, and r applies to it. It tries the tokens one by one: they
// can be in an action independently of each other.
func (r *rule) covers(s *rule) bool {
	for _, q := range r.unless {
		if !blocked(q, s.unless) {
			return false
		}
	}
	// What is in each action that meets s: its condition and one of its verbs.
	always := func(holds func(word) bool) bool {
		return slices.ContainsFunc(s.condition, holds) ||
			!slices.ContainsFunc(s.verbs, func(u word) bool { return s.live(u) && !holds(u) })
	}
	for _, q := range r.condition {
		if !always(func(w word) bool { return w.implies(q) }) {
			return false
		}
	}
	return always(func(w word) bool { return slices.ContainsFunc(r.verbs, w.implies) })
}

// key is the same for norms of the same kind with the same tokens.
func (r *rule) key() string {
	var b strings.Builder
	for _, ws := range [3][]word{r.verbs, r.condition, r.unless} {
		keys := make([]string, len(ws))
		for i, w := range ws {
			keys[i] = string('a'+rune(w.Field)) + w.folded
			if w.Prefix {
				keys[i] += "*"
			}
		}
		slices.Sort(keys)
		b.WriteString(strings.Join(slices.Compact(keys), " "))
		b.WriteByte('\n')
	}
	if r.Permitted != "" {
		b.WriteByte('+')
	}
	return b.String()
}

// before reports whether r comes first in the order of violations.
func (r *rule) before(s *rule) bool { return compareNorms(&r.Norm, &s.Norm) < 0 }

// smallest returns an action of as few tokens as may be that has the verb, all
// of the condition and nothing of avoid. Words go where they bring in nothing
// else, prefixes as they are, or with one more letter where that is avoided.
func smallest(verb word, condition, avoid []word) (Action, bool) {
	ws := append([]word{verb}, condition...)
	slices.SortStableFunc(ws[1:], func(a, b word) int { return cmp.Compare(a.vagueness(), b.vagueness()) })

	var placed []word
	var texts [token.Any][]string
	for _, w := range ws {
		if slices.ContainsFunc(placed, func(p word) bool { return p.implies(w) }) {
			continue
		}
		p, ok := place(w, avoid)
		if !ok {
			return Action{}, false
		}
		placed = append(placed, p)
		texts[p.Field] = append(texts[p.Field], p.Word)
	}
	text := func(f token.Field) string { return strings.Join(texts[f], " ") }
	return Action{
		Agent: text(token.Agent), Verb: text(token.Action), Location: text(token.Location),
		Target: text(token.Target), Faction: text(token.Faction),
	}, true
}

// vagueness puts words that leave no choice before those that they may settle.
func (w word) vagueness() int {
	v := 0
	if w.Prefix {
		v = 2
	}
	if w.Field == token.Any {
		v++
	}
	return v
}

// place returns a word of an action in which w is found, and nothing of avoid.
func place(w word, avoid []word) (word, bool) {
	try := func(text string) (word, bool) {
		p := word{token.Pattern{Word: text}, text, token.Fold(text)}
		for _, p.Field = range w.places() {
			if !slices.ContainsFunc(avoid, p.implies) {
				return p, true
			}
		}
		return word{}, false
	}
	if w.Word != "" {
		if p, ok := try(w.Word); ok || !w.Prefix {
			return p, ok
		}
	}
	// A word of avoid rules out one letter at most, and the list is longer
	// than any two fields of a norm.
	for _, letter := range letters {
		if p, ok := try(w.Word + string(letter)); ok {
			return p, true
		}
	}
	return word{}, false
}

// letters differ from each other by folding, too.
var letters = func() []rune {
	letters := []rune("xyzabcdefghijklmnopqrstuvw0123456789")
	for r := '\u4E00'; len(letters) < 160; r++ {
		letters = append(letters, r)
	}
	return letters
}()
