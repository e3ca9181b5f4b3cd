package normsync

import (
	"cmp"
	"slices"
	"strings"

	"github.com/normsync/normsync/internal/token"
)

// patience bounds how many rules a rule is compared with in vain, so that
// Conflicts is linear in the number of norms however much they are alike.
const patience = 200

// shelf finds the rules that may cover another: each is filed under a token
// that the other must imply, the rarest of its condition, or its verbs where
// one of those is rarer. A list begins with the widest.
type shelf struct {
	common          map[asked]int // in how many places a token is
	words, prefixes map[spot][]*rule
	lengths         []int // of the prefixes
}

// spot is a word in a field, asked what a norm asks for there.
type spot struct {
	field token.Field
	word  string
}

type asked struct {
	spot
	prefix bool
}

func (w word) asked() asked { return asked{spot{w.Field, w.folded}, w.Prefix} }

func newShelf(rules []*rule) shelf {
	s := shelf{common: map[asked]int{}, words: map[spot][]*rule{}, prefixes: map[spot][]*rule{}}
	for _, r := range rules {
		for _, w := range slices.Concat(r.verbs, r.condition) {
			s.common[w.asked()]++
		}
	}
	for _, r := range slices.SortedFunc(slices.Values(rules), compareWidth) {
		under := r.verbs
		rarest := s.rarest(r.verbs)
		if w := s.rarest(r.condition); w != nil && s.common[w[0].asked()] <= s.common[rarest[0].asked()] {
			under = w
		}
		for _, w := range under {
			list := s.words
			if w.Prefix {
				list = s.prefixes
				s.lengths = append(s.lengths, len(w.folded))
			}
			at := w.asked().spot
			list[at] = append(list[at], r)
		}
	}
	slices.Sort(s.lengths)
	s.lengths = slices.Compact(s.lengths)
	return s
}

// compareWidth puts the rules first that are likely to cover others: those with
// the fewest tokens in Unless, then in Condition, then by the order of
// violations.
func compareWidth(a, b *rule) int {
	return cmp.Or(
		cmp.Compare(len(a.unless), len(b.unless)),
		cmp.Compare(len(a.condition), len(b.condition)),
		compareNorms(&a.Norm, &b.Norm))
}

// rarest returns the part of ws with the rarest token alone.
func (s shelf) rarest(ws []word) (part []word) {
	for i, w := range ws {
		if part == nil || s.common[w.asked()] < s.common[part[0].asked()] {
			part = ws[i : i+1 : i+1]
		}
	}
	return part
}

// first returns the widest of the rules that may cover r for which good holds.
func (s shelf) first(r *rule, good func(*rule) bool) *rule {
	var best *rule
	left := patience
	look := func(list []*rule) {
		for _, b := range list {
			if left--; left < 0 || best != nil && compareWidth(b, best) >= 0 {
				return
			}
			if good(b) {
				best = b
				return
			}
		}
	}
	// What covers r has each of r's verbs: one is enough to look for.
	live := slices.DeleteFunc(slices.Clone(r.verbs), r.lifted)
	for _, w := range append(s.rarest(live), r.condition...) {
		places := []token.Field{w.Field, token.Any}
		if w.Field == token.Any || w.Field == token.Agent {
			places = places[:1]
		}
		for _, f := range places {
			if !w.Prefix {
				look(s.words[spot{f, w.folded}])
			}
			for _, n := range s.lengths {
				if n <= len(w.folded) {
					look(s.prefixes[spot{f, w.folded[:n]}])
				}
			}
		}
	}
	return best
}

// verbs finds the rules of one priority that share a verb with another.
type verbs struct {
	byWord map[string][]entry
	words  []string // keys of byWord, sorted
}

type entry struct {
	*rule
	verb word
}

func newVerbs(rules []*rule) map[int]*verbs {
	all := map[int]*verbs{}
	for _, r := range slices.SortedFunc(slices.Values(rules), func(a, b *rule) int { return compareNorms(&a.Norm, &b.Norm) }) {
		v := all[r.Priority]
		if v == nil {
			v = &verbs{byWord: map[string][]entry{}}
			all[r.Priority] = v
		}
		for _, w := range r.verbs {
			if v.byWord[w.folded] == nil {
				v.words = append(v.words, w.folded)
			}
			v.byWord[w.folded] = append(v.byWord[w.folded], entry{r, w})
		}
	}
	for _, v := range all {
		slices.Sort(v.words)
	}
	return all
}

// each calls try with the rules that share a verb with r, in the order of
// violations for each verb, and with what they share. Try returns what it
// cost; each stops when patience is at an end.
func (v *verbs) each(r *rule, try func(b *rule, verb word) int) {
	if v == nil {
		return
	}
	left := patience
	look := func(u word, list []entry) {
		for _, e := range list {
			switch {
			case left < 0:
				return
			case u.implies(e.verb):
				left -= try(e.rule, u)
			case e.verb.implies(u):
				left -= try(e.rule, e.verb)
			default:
				left--
			}
		}
	}
	for _, u := range r.verbs {
		for n := range len(u.folded) + 1 {
			look(u, v.byWord[u.folded[:n]])
		}
		if !u.Prefix {
			continue
		}
		i, _ := slices.BinarySearch(v.words, u.folded)
		for ; i < len(v.words) && left >= 0 && strings.HasPrefix(v.words[i], u.folded); i++ {
			if v.words[i] != u.folded {
				look(u, v.byWord[v.words[i]])
			}
		}
	}
}
