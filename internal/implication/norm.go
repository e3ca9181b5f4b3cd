// Package implication reasons about norms without an action: which norm covers
// which, which norm no action can meet, and which smallest action meets a norm.
//
// It knows a norm by its tokens and its window only. A token implies another one
// if the other is found in every action in which the first is found. The tokens of
// an action are independent of each other, so a norm can be judged token by token.
//
// The time of a proof is bounded by a [Budget]. Results are meaningless if the
// budget is exhausted.
package implication

import (
	"slices"
	"strings"

	"github.com/normsync/normsync/internal/token"
)

// MaxTokens is the greatest number of tokens in a field of a norm. Alternatives
// count.
const MaxTokens = 64

// Norm is a norm taken apart into tokens. An action meets it if the action has
// one of Verbs, one token of each clause of Condition, no token of Unless, and a
// time within Window.
type Norm struct {
	Rank      int // a unique number; of several equally good norms the one of lowest rank is preferred
	Verbs     Clause
	Condition []Clause
	Unless    []Token
	Window    Window
}

// Clause holds the alternatives of a token such as a|b, or the only one of a token
// without a bar.
type Clause []Token

// Token is an alternative of a token of a norm, or a word of a witness.
type Token struct {
	token.Pattern
	Text   string // as written in the norm; of a|b the alternative, with the field
	Folded string // Word, folded: equal for words that match the same tokens
}

// New returns the norm with these tokens and this window.
func New(rank int, verbs, condition, unless string, w Window) *Norm {
	n := &Norm{Rank: rank, Verbs: VerbTokens(verbs), Condition: Clauses(condition), Window: w}
	n.Unless, _ = parse(unless) // one of them is enough
	return n
}

// Clauses returns the tokens of Condition or Unless, each with its alternatives. It
// skips tokens of invisible characters only.
func Clauses(s string) []Clause {
	ts, ends := parse(s)
	clauses := make([]Clause, len(ends))
	begin := 0
	for i, end := range ends {
		clauses[i] = Clause(ts[begin:end:end])
		begin = end
	}
	return clauses
}

// parse returns the alternatives of all tokens of Condition or Unless in one list,
// and the index in the list at which each token ends.
func parse(s string) (ts []Token, ends []int) {
	ts = make([]Token, 0, capacity(s)+strings.Count(s, "|"))
	ends = make([]int, 0, capacity(s))
	for text := range token.All(s) {
		p, more := token.Parse(text)
		switch {
		case more != "":
			for {
				if !p.Empty() {
					ts = append(ts, Token{p, p.String(), p.Fold()})
				}
				if more == "" {
					break
				}
				p, more = p.Or(more)
			}
		case p.Empty():
			continue
		default:
			ts = append(ts, Token{p, text, p.Fold()})
		}
		ends = append(ends, len(ts))
	}
	return ts, ends
}

// capacity returns about how many tokens s has.
func capacity(s string) int {
	if s == "" {
		return 0
	}
	return 1 + strings.Count(s, " ")
}

// VerbTokens returns the tokens of Prohibited or Permitted.
func VerbTokens(s string) Clause {
	c := make(Clause, 0, capacity(s))
	for text := range token.All(s) {
		if p := token.ParseVerb(text); !p.Empty() {
			c = append(c, Token{p, text, p.Fold()})
		}
	}
	return c
}

// IsWhole reports whether a verb token of a prohibition is *, which forbids the
// action as a whole.
func (t *Token) IsWhole() bool { return t.Prefix && t.Word == "" }

// Key returns a text that is the same for norms with the same tokens, in any
// order, number and case, and the same window.
func (n *Norm) Key() string {
	var single []Token
	var anyOf []string
	for _, c := range n.Condition {
		if len(c) == 1 {
			single = append(single, c[0])
		} else {
			anyOf = append(anyOf, string(appendKey(nil, c)))
		}
	}
	slices.Sort(anyOf)
	size := 64
	for _, ts := range [][]Token{n.Verbs, single, n.Unless} {
		for i := range ts {
			size += len(ts[i].Folded) + len("f* ")
		}
	}
	key := appendKey(make([]byte, 0, size), n.Verbs)
	key = appendKey(key, single)
	key = append(key, strings.Join(slices.Compact(anyOf), "|")...)
	key = appendKey(append(key, '\n'), n.Unless)
	return string(n.Window.appendKey(key))
}

// appendKey appends a line that is the same for the same tokens in any order,
// number and case.
func appendKey(key []byte, ts []Token) []byte {
	sorted := make([]*Token, len(ts))
	for i := range ts {
		sorted[i] = &ts[i]
	}
	slices.SortFunc(sorted, compareTokens)
	for i, t := range sorted {
		if i > 0 && compareTokens(sorted[i-1], t) == 0 {
			continue
		}
		key = append(append(key, 'a'+byte(t.Field)), t.Folded...)
		if t.Prefix {
			key = append(key, '*')
		}
		key = append(key, ' ')
	}
	return append(key, '\n')
}

// compareTokens orders tokens, in any order in which those that match the same words
// are equal. It compares texts last, because that takes longest.
func compareTokens(a, b *Token) int {
	switch {
	case len(a.Folded) != len(b.Folded):
		return len(a.Folded) - len(b.Folded)
	case a.Field != b.Field:
		return int(a.Field) - int(b.Field)
	case a.Prefix != b.Prefix && a.Prefix:
		return 1
	case a.Prefix != b.Prefix:
		return -1
	}
	return strings.Compare(a.Folded, b.Folded)
}

// Dead reports whether no action can meet n. It returns the tokens one of which
// an action would need, and the tokens of Unless that each of them implies. Both
// are empty if some action can meet n.
//
// It removes from n the verbs and the alternatives that no action which meets n
// can have, as far as the budget allows.
func (n *Norm) Dead(b *Budget) (needed, exempting []string) {
	if len(n.Unless) == 0 {
		return nil, nil
	}
	for i := -1; i < len(n.Condition) && !b.Exhausted(); i++ {
		c := &n.Verbs
		if i >= 0 {
			c = &n.Condition[i]
		}
		live := n.live(*c, b)
		switch {
		case b.Exhausted():
			return nil, nil
		case len(live) == 0:
			return n.exempting(*c)
		}
		*c = live
	}
	return nil, nil
}

// live returns the tokens of a clause that n does not exempt.
func (n *Norm) live(c Clause, b *Budget) Clause {
	var live Clause // nil as long as it is all of c so far
	for i := range c {
		switch exempt := n.Exempts(&c[i], b); {
		case exempt && live == nil:
			live = append(make(Clause, 0, len(c)), c[:i]...)
		case !exempt && live != nil:
			live = append(live, c[i])
		}
	}
	if live == nil {
		return c
	}
	return live
}

// exempting returns the texts of tokens that are exempt, and of those that exempt them.
func (n *Norm) exempting(c Clause) (needed, exempting []string) {
	for i := range c {
		t := &c[i]
		needed = append(needed, t.Text)
		for _, f := range fieldsOf(t) {
			i := slices.IndexFunc(n.Unless, func(q Token) bool { return implies(t, f, &q) })
			if text := n.Unless[i].Text; !slices.Contains(exempting, text) {
				exempting = append(exempting, text)
			}
		}
	}
	return needed, exempting
}

// Exempts reports whether a token of n's Unless is found in every action that has
// t, so that no action with t meets n.
func (n *Norm) Exempts(t *Token, b *Budget) bool { return b.alwaysImpliesOne(t, n.Unless) }

// ExemptsAll reports whether n exempts every token of a clause, so that no action that
// satisfies the clause meets n.
func (n *Norm) ExemptsAll(c Clause, b *Budget) bool {
	for i := range c {
		if !n.Exempts(&c[i], b) {
			return false
		}
	}
	return true
}

// Covers reports whether every action that meets m also meets n.
func (n *Norm) Covers(m *Norm, b *Budget) bool {
	if !n.Window.Contains(m.Window) {
		return false
	}
	for i := range n.Unless {
		if !b.alwaysImpliesOne(&n.Unless[i], m.Unless) {
			return false
		}
	}
	for _, q := range n.Condition {
		if !m.needs(q, b) {
			return false
		}
	}
	return m.needs(n.Verbs, b) && !b.Exhausted()
}

// needs reports whether every action that meets n has a token of q.
func (n *Norm) needs(q Clause, b *Budget) bool {
	for _, c := range n.Condition {
		if b.allImplyOne(c, q) {
			return true
		}
	}
	return b.allImplyOne(n.Verbs, q)
}

// CoversWords reports whether n names each single word of the verb that m names, in
// every action that meets m. What m's * names does not count, because it names no
// single word. Unless whole is set, * of n does not count either.
func (n *Norm) CoversWords(m *Norm, whole bool, b *Budget) bool {
	verbs := n.Verbs
	if !whole {
		verbs = slices.DeleteFunc(slices.Clone(verbs), func(t Token) bool { return t.IsWhole() })
	}
	for i := range m.Verbs {
		v := &m.Verbs[i]
		if !v.IsWhole() && !b.impliesOne(v, v.Field, verbs) {
			return false
		}
	}
	return !b.Exhausted()
}

// Implies reports whether q is found in every action in which t is found.
func (t *Token) Implies(q *Token) bool { return implies(t, t.Field, q) }

// Implies reports whether every action that has a token of c has one of q.
func (c Clause) Implies(q Clause) bool {
	return !slices.ContainsFunc(c, func(t Token) bool {
		return !slices.ContainsFunc(q, func(u Token) bool { return t.Implies(&u) })
	})
}

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

// allImplyOne reports whether each of ts implies one of qs.
func (b *Budget) allImplyOne(ts, qs Clause) bool {
	for i := range ts {
		if !b.impliesOne(&ts[i], ts[i].Field, qs) {
			return false
		}
	}
	return true
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
