package implication

import (
	"cmp"
	"slices"

	"github.com/normsync/normsync/internal/token"
)

// Candidates finds the norms that may cover another norm, or that a witness may
// meet, among many. Each norm is filed under all tokens of one clause, one of which
// the other must imply: the clause of its condition with the rarest token, or its
// verbs if one of these is rarer. Each list begins with the widest norm.
type Candidates struct {
	count           map[tokenKey]int // how often each token occurs
	words, prefixes map[fieldWord][]*Norm
	lengths         []int // of the prefixes, in bytes
}

// fieldWord is a word in a field.
type fieldWord struct {
	field token.Field
	word  string // folded
}

type tokenKey struct {
	fieldWord
	prefix bool
}

func (t *Token) key() tokenKey { return tokenKey{fieldWord{t.Field, t.Folded}, t.Prefix} }

// NewCandidates files the norms.
func NewCandidates(norms []*Norm) *Candidates {
	c := &Candidates{count: map[tokenKey]int{}, words: map[fieldWord][]*Norm{}, prefixes: map[fieldWord][]*Norm{}}
	for _, n := range norms {
		for _, clause := range append([]Clause{n.Verbs}, n.Condition...) {
			for i := range clause {
				c.count[clause[i].key()]++
			}
		}
	}
	for _, n := range slices.SortedFunc(slices.Values(norms), compareWidth) {
		under, fewest := n.Verbs, c.count[c.rarest(n.Verbs).key()]
		for _, clause := range n.Condition {
			if count := c.count[c.rarest(clause).key()]; count <= fewest {
				under, fewest = clause, count
			}
		}
		for i := range under {
			t := &under[i]
			lists := c.words
			if t.Prefix {
				lists = c.prefixes
				c.lengths = append(c.lengths, len(t.Folded))
			}
			at := t.key().fieldWord
			lists[at] = append(lists[at], n)
		}
	}
	slices.Sort(c.lengths)
	c.lengths = slices.Compact(c.lengths)
	return c
}

// compareWidth orders norms by how likely they are to cover others: first those
// with the fewest tokens in Unless, then in Condition, then by rank.
func compareWidth(a, b *Norm) int {
	return cmp.Or(
		cmp.Compare(len(a.Unless), len(b.Unless)),
		cmp.Compare(len(a.Condition), len(b.Condition)),
		cmp.Compare(a.Rank, b.Rank))
}

// rarest returns the rarest token of a clause.
func (c *Candidates) rarest(clause Clause) (rarest *Token) {
	fewest := 0
	for i := range clause {
		if n := c.count[clause[i].key()]; rarest == nil || n < fewest {
			rarest, fewest = &clause[i], n
		}
	}
	return rarest
}

// Covering returns the widest norm that may cover n and that accept accepts, or
// nil if there is none. If the budget is exhausted it returns the widest norm
// found so far. Accept must return false if the budget is exhausted.
func (c *Candidates) Covering(n *Norm, b *Budget, accept func(*Norm) bool) *Norm {
	// All tokens of a clause of n imply a token of the clause that a norm which
	// covers n is filed under, so one token of each clause is enough to find it.
	ts := make([]Token, 0, len(n.Condition)+1)
	for _, clause := range append([]Clause{n.Verbs}, n.Condition...) {
		if len(clause) > 1 {
			b.spend(lookupUnits * len(clause))
		}
		ts = append(ts, *c.rarest(clause))
	}
	return c.first(ts, b, accept)
}

// Met is like Covering, for the norms that w may meet.
func (c *Candidates) Met(w Witness, b *Budget, accept func(*Norm) bool) *Norm {
	return c.first(w.Words, b, accept)
}

func (c *Candidates) first(ts []Token, b *Budget, accept func(*Norm) bool) *Norm {
	var best *Norm
	try := func(list []*Norm) {
		b.spend(lookupUnits)
		for _, n := range list {
			if best != nil && compareWidth(n, best) >= 0 || !b.spend(pairUnits) {
				return
			}
			if accept(n) {
				best = n
				return
			}
		}
	}
	for i := range ts {
		t := &ts[i]
		fields := []token.Field{t.Field, token.Any}
		if t.Field == token.Any || t.Field == token.Agent {
			fields = fields[:1]
		}
		for _, f := range fields {
			if !t.Prefix {
				try(c.words[fieldWord{f, t.Folded}])
			}
			for _, n := range c.lengths {
				if n > len(t.Folded) || b.Exhausted() {
					break
				}
				try(c.prefixes[fieldWord{f, t.Folded[:n]}])
			}
		}
	}
	return best
}
