package implication

import (
	"cmp"
	"slices"
	"strings"
)

// Overlaps finds the norms that share a verb with another norm, among many.
type Overlaps struct {
	byVerb  map[string][]verbOf
	sorted  []string // keys of byVerb
	lengths []int    // of the keys of byVerb, sorted
}

type verbOf struct {
	norm *Norm
	verb *Token
}

// NewOverlaps files the norms.
func NewOverlaps(norms []*Norm) *Overlaps {
	o := &Overlaps{byVerb: map[string][]verbOf{}}
	for _, n := range slices.SortedFunc(slices.Values(norms), func(a, b *Norm) int { return cmp.Compare(a.Rank, b.Rank) }) {
		for i := range n.Verbs {
			v := &n.Verbs[i]
			if o.byVerb[v.Folded] == nil {
				o.sorted = append(o.sorted, v.Folded)
				o.lengths = append(o.lengths, len(v.Folded))
			}
			o.byVerb[v.Folded] = append(o.byVerb[v.Folded], verbOf{n, v})
		}
	}
	slices.Sort(o.sorted)
	slices.Sort(o.lengths)
	o.lengths = slices.Compact(o.lengths)
	return o
}

// Each calls try with each norm that shares a verb with n, and with the narrower
// of the two verb tokens. For each verb of n it goes by rank. It ends early if
// the budget is exhausted.
func (o *Overlaps) Each(n *Norm, b *Budget, try func(m *Norm, verb *Token)) {
	tryAll := func(v *Token, list []verbOf) {
		b.spend(lookupUnits)
		for _, m := range list {
			switch {
			case !b.spend(pairUnits):
				return
			case implies(v, v.Field, m.verb):
				try(m.norm, v)
			case implies(m.verb, m.verb.Field, v):
				try(m.norm, m.verb)
			}
		}
	}
	for i := range n.Verbs {
		v := &n.Verbs[i]
		for _, length := range o.lengths {
			if length > len(v.Folded) || b.Exhausted() {
				break
			}
			tryAll(v, o.byVerb[v.Folded[:length]])
		}
		if !v.Prefix {
			continue
		}
		i, _ := slices.BinarySearch(o.sorted, v.Folded)
		for ; i < len(o.sorted) && !b.Exhausted() && strings.HasPrefix(o.sorted[i], v.Folded); i++ {
			if o.sorted[i] != v.Folded {
				tryAll(v, o.byVerb[o.sorted[i]])
			}
		}
	}
}
