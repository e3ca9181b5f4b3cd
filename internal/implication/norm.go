// Package implication reasons about norms without an action: which norm covers
// which, which norm no action can meet, and which smallest action meets a norm.
//
// It knows a norm by its tokens only. A token implies another one if the other
// is found in every action in which the first is found. The tokens of an action
// are independent of each other, so a norm can be judged token by token.
//
// The time of a proof is bounded by a [Budget]. Results are meaningless if the
// budget is exhausted.
package implication

import (
	"slices"
	"strings"

	"github.com/normsync/normsync/internal/token"
)

// MaxTokens is the greatest number of tokens in a field of a norm.
const MaxTokens = 64

// Norm is a norm taken apart into tokens. An action meets it if the action has
// one of Verbs, all of Condition and none of Unless.
type Norm struct {
	Rank                     int // a unique number; of several equally good norms the one of lowest rank is preferred
	Verbs, Condition, Unless []Token
}

// Token is a token of a norm or of a witness.
type Token struct {
	token.Pattern
	Text   string // as written in the norm
	Folded string // Word, Folded: equal for words that differ in case only
}

// New returns the norm with these tokens.
func New(rank int, verbs, condition, unless string) *Norm {
	return &Norm{
		Rank:      rank,
		Verbs:     VerbTokens(verbs),
		Condition: Tokens(condition),
		Unless:    Tokens(unless),
	}
}

// Tokens returns the tokens of Condition or Unless, except those with several
// alternatives.
func Tokens(s string) (ts []Token) {
	for text := range token.All(s) {
		if p, more := token.Parse(text); more == "" && !p.Empty() {
			ts = append(ts, Token{p, text, p.Fold()})
		}
	}
	return ts
}

// VerbTokens returns the tokens of Prohibited or Permitted.
func VerbTokens(s string) (ts []Token) {
	for text := range token.All(s) {
		if p := token.ParseVerb(text); !p.Empty() {
			ts = append(ts, Token{p, text, p.Fold()})
		}
	}
	return ts
}

// HaveAlternatives reports whether a token of Condition or Unless has several
// alternatives.
func HaveAlternatives(s string) bool {
	for text := range token.All(s) {
		if _, more := token.Parse(text); more != "" {
			return true
		}
	}
	return false
}

// NamesVerbsOf reports whether every verb token of m, other than * and those that m's
// own Unless lifts, implies a verb token of n. If whole is not set, * of n does not
// count.
func (n *Norm) NamesVerbsOf(m *Norm, whole bool, b *Budget) bool {
	isWhole := func(t *Token) bool { return t.Prefix && t.Word == "" }
	for i := range m.Verbs {
		v := &m.Verbs[i]
		named := isWhole(v) || m.Lifts(v, b)
		for j := range n.Verbs {
			q := &n.Verbs[j]
			named = named || (whole || !isWhole(q)) && b.implies(v, v.Field, q)
		}
		if !named {
			return false
		}
	}
	return !b.Exhausted()
}

// Key returns a text that is the same for norms with the same tokens, in any
// order, number and case.
func (n *Norm) Key() string {
	var b strings.Builder
	for _, ts := range [3][]Token{n.Verbs, n.Condition, n.Unless} {
		keys := make([]string, len(ts))
		for i, t := range ts {
			keys[i] = string('a'+rune(t.Field)) + t.Folded
			if t.Prefix {
				keys[i] += "*"
			}
		}
		slices.Sort(keys)
		b.WriteString(strings.Join(slices.Compact(keys), " "))
		b.WriteByte('\n')
	}
	return b.String()
}

// Dead reports whether no action can meet n. It returns the tokens one of which
// an action would need, and the tokens of Unless that each of them implies. Both
// are empty if some action can meet n.
func (n *Norm) Dead(b *Budget) (needed, lifting []string) {
	var without []Token
	if i := slices.IndexFunc(n.Condition, func(t Token) bool { return n.Lifts(&t, b) }); i >= 0 {
		without = n.Condition[i : i+1]
	} else if !slices.ContainsFunc(n.Verbs, func(t Token) bool { return !n.Lifts(&t, b) }) {
		without = n.Verbs
	}
	if b.Exhausted() {
		return nil, nil
	}
	for i := range without {
		t := &without[i]
		needed = append(needed, t.Text)
		for _, f := range fieldsOf(t) {
			i := slices.IndexFunc(n.Unless, func(q Token) bool { return implies(t, f, &q) })
			if text := n.Unless[i].Text; !slices.Contains(lifting, text) {
				lifting = append(lifting, text)
			}
		}
	}
	return needed, lifting
}

// Lifts reports whether a token of n's Unless is found in every action that has
// t, so that no action with t meets n.
func (n *Norm) Lifts(t *Token, b *Budget) bool { return b.alwaysImpliesOne(t, n.Unless) }

// Covers reports whether every action that meets m also meets n.
func (n *Norm) Covers(m *Norm, b *Budget) bool {
	for i := range n.Unless {
		if !b.alwaysImpliesOne(&n.Unless[i], m.Unless) {
			return false
		}
	}
	// Every action that meets m has m's condition, and one of its verbs.
	everyActionHas := func(implied func(t *Token) bool) bool {
		for i := range m.Condition {
			if implied(&m.Condition[i]) {
				return true
			}
		}
		for i := range m.Verbs {
			if v := &m.Verbs[i]; !implied(v) && !m.Lifts(v, b) {
				return false
			}
		}
		return true
	}
	for i := range n.Condition {
		q := &n.Condition[i]
		if !everyActionHas(func(t *Token) bool { return b.implies(t, t.Field, q) }) {
			return false
		}
	}
	return everyActionHas(func(t *Token) bool { return b.impliesOne(t, t.Field, n.Verbs) }) && !b.Exhausted()
}

// Implies reports whether q is found in every action in which t is found.
func (t *Token) Implies(q *Token) bool { return implies(t, t.Field, q) }

// implies reports whether q is found in every action that has t in field f. The
// field of t is ignored.
func implies(t *Token, f token.Field, q *Token) bool {
	if q.Field != f && (q.Field != token.Any || f == token.Agent) {
		return false
	}
	if q.Prefix {
		return strings.HasPrefix(t.Folded, q.Folded)
	}
	return !t.Prefix && t.Folded == q.Folded
}

// fieldsOf returns the fields in which t can be found, the most natural one
// first.
func fieldsOf(t *Token) []token.Field {
	if t.Field == token.Any {
		return plainFields
	}
	return allFields[t.Field : t.Field+1]
}

var (
	plainFields = []token.Field{token.Location, token.Target, token.Facts, token.Faction, token.Action}
	allFields   = []token.Field{token.Action, token.Location, token.Target, token.Faction, token.Facts, token.Agent}
)

// These fail to compile if a field is missing above.
const (
	_ = uint(5 - int(token.Agent))
	_ = uint(6 - int(token.Any))
)

// Budget bounds the work of proofs. A unit is about one comparison of two
// tokens.
type Budget struct{ left int }

// NewBudget returns a budget of so many units.
func NewBudget(units int) *Budget { return &Budget{units} }

// Exhausted reports whether more work was asked for than the budget allows.
func (b *Budget) Exhausted() bool { return b.left < 0 }

// Left returns the number of units left. It is negative if the budget is
// exhausted.
func (b *Budget) Left() int { return b.left }

// Units that some steps cost.
const (
	pairUnits   = 40 // beginning the comparison of two norms
	lookupUnits = 8  // a lookup in a map
)

// spend takes units from the budget and reports whether there were enough.
func (b *Budget) spend(units int) bool {
	b.left -= units
	return b.left >= 0
}

func (b *Budget) implies(t *Token, f token.Field, q *Token) bool {
	return b.spend(1) && implies(t, f, q)
}

// impliesOne reports whether t in field f implies one of qs.
func (b *Budget) impliesOne(t *Token, f token.Field, qs []Token) bool {
	if b.Exhausted() {
		return false
	}
	for i := range qs {
		if implies(t, f, &qs[i]) {
			return b.spend(i + 1)
		}
	}
	b.spend(len(qs))
	return false
}

// alwaysImpliesOne reports whether t implies one of qs in whichever field t is
// found.
func (b *Budget) alwaysImpliesOne(t *Token, qs []Token) bool {
	if len(qs) == 0 {
		return false
	}
	for _, f := range fieldsOf(t) {
		if !b.impliesOne(t, f, qs) {
			return false
		}
	}
	return true
}
