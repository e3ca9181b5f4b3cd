package normsync

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// ConflictKind says what is wrong with a norm.
type ConflictKind string

const (
	ConflictDuplicate     ConflictKind = "duplicate"     // same tokens under two names
	ConflictRedundant     ConflictKind = "redundant"     // whatever breaks A breaks B
	ConflictContradiction ConflictKind = "contradiction" // a permit and a prohibition of equal priority meet
	ConflictOverruled     ConflictKind = "overruled"     // a permit silences the prohibition wherever it applies
	ConflictDead          ConflictKind = "dead"          // no action can ever meet it
)

// Conflict is a proven defect of a set of norms, with an action that shows it.
type Conflict struct {
	Kind    ConflictKind `json:"kind"`
	A       string       `json:"a"` // name of the defective norm; of a contradiction, the prohibition
	B       string       `json:"b"` // name of the norm it is measured by; empty for ConflictDead
	Detail  string       `json:"detail"`
	Witness Action       `json:"witness"`
}

// Conflicts reports what is wrong with a set of norms as a whole, permits,
// priorities and shadow norms included. It reports only what it can prove, each
// with an action on which Check and Explain show it:
//
//	dead           A's Unless is found in every action that has a verb of A and
//	               its condition.
//	duplicate      A and B, both prohibitions or both permits, have the same
//	               tokens, and B counts wherever A does: its priority is at
//	               least A's, and it is no shadow norm unless A is. A duplicate
//	               is reported once, and as nothing else.
//	overruled      B is a permit of higher priority that silences A wherever
//	               A applies.
//	redundant      Whatever breaks A breaks B. A norm that denies is not
//	               redundant to a shadow norm. Of two norms that are redundant
//	               to each other, one is reported: all the redundant norms can
//	               be repealed at once, and the same actions are denied.
//	contradiction  The permit B permits what the prohibition A forbids, at the
//	               same priority. The prohibition wins. Norms without a verb in
//	               common, or whose Unless keeps them apart, do not contradict
//	               each other.
//
// A norm that has several such counterparts is reported with one: the one with
// the fewest tokens in Unless, then in Condition, then the first in the order
// of violations. Each permit that contradicts is named at least once. Norms
// that are dead, duplicates or overruled are looked at no further. The list is
// in order of A, then of kind as above, then of B.
//
// The time is proportional to the number of norms: a norm is compared with
// those it shares a rare token with, and with no more than 200 of them in
// vain. Where more are that much alike, some conflicts may go unreported.
//
// Repealed norms are passed over. An error is one that Compile reports of the
// norms.
func Conflicts(norms []Norm) ([]Conflict, error) {
	c, err := Compile(norms...)
	if err != nil {
		return nil, err
	}
	f := &finder{found: []Conflict{}, silenced: map[Action]int{}}
	if err := f.search(c); err != nil {
		return nil, err
	}
	return f.found, nil
}

// search finds the conflicts of a constitution.
func (f *finder) search(c *Constitution) error {
	var rules []*rule
	for n := range c.All() {
		if r := newRule(n); !f.dead(r) {
			rules = append(rules, r)
		}
	}
	rules, copies := distinct(rules)
	if err := f.index(rules); err != nil {
		return err
	}
	for _, pair := range copies {
		f.duplicate(pair[0], pair[1])
	}
	for _, r := range rules {
		if r.Prohibited == "" || f.overruled(r) {
			continue
		}
		f.redundant(r)
		f.contradictions(r)
	}
	rank := []ConflictKind{ConflictDead, ConflictDuplicate, ConflictOverruled, ConflictRedundant, ConflictContradiction}
	slices.SortFunc(f.found, func(a, b Conflict) int {
		return cmp.Or(
			strings.Compare(a.A, b.A),
			cmp.Compare(slices.Index(rank, a.Kind), slices.Index(rank, b.Kind)),
			strings.Compare(a.B, b.B))
	})
	return nil
}

// distinct parts the rules into those without a double that counts wherever
// they do, and pairs of a rule and such a double.
func distinct(rules []*rule) (kept []*rule, copies [][2]*rule) {
	type best struct{ bites, shadow *rule }
	groups := map[string]*best{}
	keys := make([]string, len(rules))
	for i, r := range rules {
		keys[i] = r.key()
		g := groups[keys[i]]
		if g == nil {
			g = &best{}
			groups[keys[i]] = g
		}
		first := &g.bites
		if r.Shadow {
			first = &g.shadow
		}
		if *first == nil || r.before(*first) {
			*first = r
		}
	}
	for i, r := range rules {
		g := groups[keys[i]]
		switch {
		case g.bites != nil && r != g.bites && r.Priority <= g.bites.Priority:
			copies = append(copies, [2]*rule{r, g.bites})
		case r.Shadow && r != g.shadow:
			copies = append(copies, [2]*rule{r, g.shadow})
		default:
			kept = append(kept, r)
		}
	}
	return kept, copies
}

// finder looks for conflicts among distinct rules that are not dead.
type finder struct {
	found    []Conflict
	compared int // pairs of rules: what the search costs

	prohibitions, permits shelf // permits that count: no shadow norms
	byVerb                map[int]*verbs
	priorities            []int // of those permits, ascending
	named                 map[*rule]bool

	// asks is the permits as if they prohibited, so that Check tells which of
	// them match.
	asks     *Constitution
	buf      []Violation
	silenced map[Action]int // answers of silencedUpTo
}

func (f *finder) index(rules []*rule) error {
	var asks []Norm
	var permits, prohibitions []*rule
	for _, r := range rules {
		switch {
		case r.Prohibited != "":
			prohibitions = append(prohibitions, r)
		case !r.Shadow:
			permits = append(permits, r)
			f.priorities = append(f.priorities, r.Priority)
			n := r.Norm
			n.Prohibited, n.Permitted = n.Permitted, ""
			asks = append(asks, n)
		}
	}
	slices.Sort(f.priorities)
	f.priorities = slices.Compact(f.priorities)
	f.prohibitions, f.permits = newShelf(prohibitions), newShelf(permits)
	f.byVerb, f.named = newVerbs(permits), map[*rule]bool{}
	var err error
	f.asks, err = Compile(asks...)
	return err
}

func (f *finder) report(kind ConflictKind, a, b *rule, witness Action, detail string) {
	c := Conflict{Kind: kind, A: a.Name, Detail: detail, Witness: witness}
	if b != nil {
		c.B = b.Name
	}
	f.found = append(f.found, c)
}

func (f *finder) dead(r *rule) bool {
	because, lifting := r.dead()
	if because == nil {
		return false
	}
	w, _ := smallest(r.verbs[0], r.condition, nil)
	f.report(ConflictDead, r, nil, w, fmt.Sprintf("no action has %s without %s, which lifts the norm", either(because), either(lifting)))
	return true
}

func either(tokens []string) string {
	return `"` + strings.Join(tokens, `" or "`) + `"`
}

func (f *finder) duplicate(r, b *rule) {
	detail := "both have the same tokens"
	if r.Priority != b.Priority {
		detail += fmt.Sprintf(", and the other has priority %d over %d", b.Priority, r.Priority)
	}
	if r.Shadow != b.Shadow {
		detail += ", and the other is no dry run"
	}
	w, _ := f.show(r)
	f.report(ConflictDuplicate, r, b, w, detail)
}

// overruled looks for a permit that silences r wherever it applies.
func (f *finder) overruled(r *rule) bool {
	b := f.permits.first(r, func(b *rule) bool {
		f.compared++
		return b.Priority > r.Priority && b.covers(r)
	})
	if b == nil {
		return false
	}
	w, _ := f.show(r)
	f.report(ConflictOverruled, r, b, w, fmt.Sprintf("a permit of priority %d over %d matches wherever the prohibition applies", b.Priority, r.Priority))
	return true
}

// redundant looks for a prohibition that everything breaks that breaks r.
func (f *finder) redundant(r *rule) {
	b := f.prohibitions.first(r, func(b *rule) bool {
		f.compared++
		return r != b && f.breaks(r, b) && !(r.before(b) && f.breaks(b, r))
	})
	if b == nil {
		return
	}
	if w, breaks := f.show(r); breaks {
		f.report(ConflictRedundant, r, b, w, "whatever breaks it breaks the other norm, too")
	}
}

// breaks reports whether whatever breaks r breaks b.
func (f *finder) breaks(r, b *rule) bool {
	if b.Shadow && !r.Shadow || !b.covers(r) {
		return false
	}
	// Between the two priorities a permit silences b and not r.
	i, at := slices.BinarySearch(f.priorities, b.Priority)
	if at {
		i++
	}
	return i == len(f.priorities) || f.priorities[i] > r.Priority
}

// contradictions looks for permits of r's priority that permit what r denies:
// the first, and any that no other prohibition has named.
func (f *finder) contradictions(r *rule) {
	reported := false
	f.byVerb[r.Priority].each(r, func(b *rule, verb word) (cost int) {
		f.compared++
		if reported && f.named[b] || r.lifted(verb) || b.lifted(verb) {
			return 1
		}
		if slices.ContainsFunc(r.condition, b.lifted) || slices.ContainsFunc(b.condition, r.lifted) {
			return 2
		}
		w, ok := smallest(verb, slices.Concat(r.condition, b.condition), slices.Concat(r.unless, b.unless))
		if !ok || f.silencedUpTo(w) > r.Priority {
			return 40
		}
		reported, f.named[b] = true, true
		f.report(ConflictContradiction, r, b, w, fmt.Sprintf("at priority %d one forbids and one permits it, and the prohibition wins", r.Priority))
		return 1
	})
}

// show returns a smallest action that meets r, and whether no permit silences
// r there.
func (f *finder) show(r *rule) (Action, bool) {
	var shown Action
	found := false
	for _, verb := range r.verbs {
		if w, ok := smallest(verb, r.condition, r.unless); ok {
			if f.silencedUpTo(w) <= r.Priority {
				return w, true
			}
			if !found {
				shown, found = w, true
			}
		}
	}
	return shown, false
}

// silencedUpTo returns the highest priority of a permit that permits the
// action: prohibitions below it are silent. It asks the matcher itself.
func (f *finder) silencedUpTo(a Action) int {
	if f.asks.Len() == 0 {
		return math.MinInt
	}
	p, ok := f.silenced[a]
	if !ok {
		p = math.MinInt
		if f.buf = f.asks.AppendCheck(f.buf[:0], a); len(f.buf) > 0 {
			n, _ := f.asks.Norm(f.buf[0].NormName)
			p = n.Priority
		}
		f.silenced[a] = p
	}
	return p
}
