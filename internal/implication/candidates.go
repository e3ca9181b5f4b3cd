package implication

import (
	"cmp"
	"slices"

	"github.com/normsync/normsync/internal/token"
)

// Candidates finds the norms that may cover another norm, or that a witness may
// meet, among many. Each norm is filed under a token that the other must imply:
// the rarest token of its condition, or all of its verbs if one of these is
// rarer. Each list begins with the widest norm.
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
		for i := range n.Verbs {
			c.count[n.Verbs[i].key()]++
		}
		for i := range n.Condition {
			c.count[n.Condition[i].key()]++
		}
	}
	for _, n := range slices.SortedFunc(slices.Values(norms), compareWidth) {
		under := n.Verbs
		verb, rarest := c.rarest(n.Verbs), c.rarest(n.Condition)
		if len(rarest) > 0 && c.count[rarest[0].key()] <= c.count[verb[0].key()] {
			under = rarest
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

// rarest returns the part of ts that holds only the rarest token.
func (c *Candidates) rarest(ts []Token) (part []Token) {
	fewest := 0
	for i := range ts {
		if n := c.count[ts[i].key()]; part == nil || n < fewest {
			part, fewest = ts[i:i+1:i+1], n
		}
	}
	return part
}

// Covering returns the widest norm that may cover n and that accept accepts, or
// nil if there is none. If the budget is exhausted it returns the widest norm
// found so far. Accept must return false if the budget is exhausted.
func (c *Candidates) Covering(n *Norm, b *Budget, accept func(*Norm) bool) *Norm {
	// A norm that covers n has all of n's verbs, so one verb is enough to find it.
	live := slices.DeleteFunc(slices.Clone(n.Verbs), func(t Token) bool { return n.Lifts(&t, b) })
	b.spend(lookupUnits * len(live))
	return c.first(append(c.rarest(live), n.Condition...), b, accept)
}

// Met is like Covering, for the norms that w may meet.
func (c *Candidates) Met(w Witness, b *Budget, accept func(*Norm) bool) *Norm {
	return c.first(w, b, accept)
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
