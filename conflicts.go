package normsync

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/normsync/normsync/internal/implication"
)

// ConflictKind is a kind of defect of a norm.
type ConflictKind string

const (
	ConflictDuplicate     ConflictKind = "duplicate"     // same tokens under two names
	ConflictRedundant     ConflictKind = "redundant"     // whatever violates A violates B
	ConflictContradiction ConflictKind = "contradiction" // a permit and a prohibition of equal priority meet
	ConflictOverruled     ConflictKind = "overruled"     // a permit overrides the prohibition wherever it applies
	ConflictDead          ConflictKind = "dead"          // no action can ever meet it
)

// Conflict is a proven defect of a set of norms, with an action that shows it.
type Conflict struct {
	Kind    ConflictKind `json:"kind"`
	A       string       `json:"a"` // name of the defective norm; of a contradiction, the prohibition
	B       string       `json:"b"` // name of the other norm; empty for ConflictDead
	Detail  string       `json:"detail"`
	Witness Action       `json:"witness"`
}

// Conflicts reports defects of a set of norms as a whole, with its permits,
// priorities and shadow norms. It reports only what it can prove. Each conflict
// has a witness, an action on which Check and Explain show it. The witness has a
// Time only if it needs one, because a permit has a window.
//
//	dead           Every action that has a verb of A and A's condition also has
//	               a token of A's Unless.
//	duplicate      A and B, both prohibitions or both permits, have the same
//	               tokens and the same window, and B counts wherever A does: its
//	               priority is at least A's, and it is a shadow norm only if A
//	               is. A duplicate is reported once, and as nothing else.
//	overruled      B is a permit of higher priority that overrides A wherever
//	               A applies, for every word of the verb that A forbids.
//	redundant      Every action that violates A also violates B. A norm that
//	               denies is not redundant to a shadow norm. If two norms are
//	               redundant to each other, one is reported, so that you can
//	               repeal all redundant norms at once and the same actions are
//	               denied.
//	contradiction  The permit B permits what the prohibition A forbids, at the
//	               same priority, so the prohibition wins. Norms without a
//	               common verb, with windows that do not meet, or with Unless
//	               tokens that keep them apart, do not contradict each other.
//
// If a norm conflicts in the same way with several others, Conflicts reports the
// one with the fewest tokens in Unless, then in Condition, then the first in the
// order of violations. It names each permit that contradicts at least once. It
// does not examine norms further that are dead, duplicates or overruled. The
// list is in order of A, then of kind as above, then of B.
//
// The time is proportional to the number of norms, because the work for each of
// them is bounded: about 8,000 comparisons of tokens, or 200 of norms, for each
// kind of conflict, and more if there are fewer than 2,000 norms. If that is
// not enough, because very many norms are very much alike, Conflicts gives up on
// that norm and kind. It then misses conflicts, but what it reports is true. Call
// [FindConflicts] to learn whether it gave up.
//
// Repealed norms are ignored. Conflicts fails like [Compile] if the norms are
// invalid or share a name.
func Conflicts(norms []Norm) ([]Conflict, error) {
	found, _, err := FindConflicts(norms)
	return found, err
}

// FindConflicts is like [Conflicts], and also returns the names of the norms that it
// gave up on, in order: conflicts of these may be missing. There are none if the
// bounds on the work were enough, as they are for all but large sets of norms that
// are very much alike.
func FindConflicts(norms []Norm) (found []Conflict, gaveUp []string, err error) {
	f, err := newFinder(norms)
	if err != nil {
		return nil, nil, err
	}
	f.search()
	return f.found, slices.Sorted(maps.Keys(f.gaveUp)), nil
}

// conflictNorm is a norm with its tokens. The rank of the tokens is the position
// of the norm in the order of violations.
type conflictNorm struct {
	Norm
	tokens *implication.Norm
	key    string // of the tokens
}

// finder finds the conflicts of a set of norms.
type finder struct {
	norms []*conflictNorm // by rank
	found []Conflict

	// These hold norms that are neither dead nor duplicates. Permits do not
	// include shadow norms.
	prohibitions, permits *implication.Candidates
	priorities            []int                         // of the permits, ascending
	overlaps              map[int]*implication.Overlaps // the permits, by priority
	named                 map[*conflictNorm]bool        // the permits that a contradiction names

	units  int             // of work that one question may take
	work   int             // units spent on all questions
	gaveUp map[string]bool // names of norms with a question that took more
}

// The witnesses of implication are made for norms as large as Validate allows.
const _ = uint(implication.MaxTokens - maxTokens)

// What one question about one norm may cost, in units of an implication.Budget:
// leastUnits, or more for a small set. These bounds keep 10,000 norms with 64
// tokens in each field within two seconds.
const (
	leastUnits = 1 << 13
	totalUnits = 1 << 26
	questions  = 4 // per norm, about
)

func newFinder(norms []Norm) (*finder, error) {
	f := &finder{found: []Conflict{}, named: map[*conflictNorm]bool{}, gaveUp: map[string]bool{}}
	err := eachInForce("find conflicts", norms, func(n Norm) { f.norms = append(f.norms, &conflictNorm{Norm: n}) })
	slices.SortFunc(f.norms, func(a, b *conflictNorm) int { return compareNorms(&a.Norm, &b.Norm) })
	f.units = max(leastUnits, totalUnits/(questions*max(1, len(f.norms))))
	return f, err
}

func (f *finder) search() {
	var norms []*conflictNorm
	for rank, n := range f.norms {
		n.tokens = implication.New(rank, n.verbs(), n.Condition, n.Unless, n.window())
		n.key = n.tokens.Key()
		if !f.dead(n) {
			norms = append(norms, n)
		}
	}
	slices.SortFunc(norms, func(a, b *conflictNorm) int { return strings.Compare(a.Name, b.Name) })
	norms, duplicates := distinct(norms)
	for _, pair := range duplicates {
		f.duplicate(pair[0], pair[1])
	}
	f.file(norms)
	for _, n := range norms {
		if n.Prohibited != "" && !f.overruled(n) {
			f.redundant(n)
			f.contradictions(n)
		}
	}
	order := []ConflictKind{ConflictDead, ConflictDuplicate, ConflictOverruled, ConflictRedundant, ConflictContradiction}
	slices.SortFunc(f.found, func(a, b Conflict) int {
		return cmp.Or(
			strings.Compare(a.A, b.A),
			cmp.Compare(slices.Index(order, a.Kind), slices.Index(order, b.Kind)),
			strings.Compare(a.B, b.B))
	})
}

// window returns the times of the actions that n can apply to.
func (n *Norm) window() implication.Window {
	always := n.From.IsZero() && n.Until.IsZero()
	return implication.Window{From: n.From, Until: n.Until, Untimed: always || n.Permitted == ""}
}

// distinct separates the norms into those without a duplicate that counts
// wherever they do, and pairs of a norm and such a duplicate.
func distinct(norms []*conflictNorm) (kept []*conflictNorm, duplicates [][2]*conflictNorm) {
	// The norms of each group that come first in the order of violations.
	type first struct{ denying, shadow *conflictNorm }
	groups := map[string]*first{}
	keys := make([]string, len(norms))
	for i, n := range norms {
		keys[i] = n.key
		if n.Permitted != "" {
			keys[i] += "+"
		}
		g := groups[keys[i]]
		if g == nil {
			g = &first{}
			groups[keys[i]] = g
		}
		best := &g.denying
		if n.Shadow {
			best = &g.shadow
		}
		if *best == nil || n.tokens.Rank < (*best).tokens.Rank {
			*best = n
		}
	}
	for i, n := range norms {
		g := groups[keys[i]]
		switch {
		case g.denying != nil && n != g.denying && n.Priority <= g.denying.Priority:
			duplicates = append(duplicates, [2]*conflictNorm{n, g.denying})
		case n.Shadow && n != g.shadow:
			duplicates = append(duplicates, [2]*conflictNorm{n, g.shadow})
		default:
			kept = append(kept, n)
		}
	}
	return kept, duplicates
}

// file prepares the distinct norms for being found.
func (f *finder) file(norms []*conflictNorm) {
	var permits, prohibitions []*implication.Norm
	byPriority := map[int][]*implication.Norm{}
	for _, n := range norms {
		switch {
		case n.Prohibited != "":
			prohibitions = append(prohibitions, n.tokens)
		case !n.Shadow:
			permits = append(permits, n.tokens)
			f.priorities = append(f.priorities, n.Priority)
			byPriority[n.Priority] = append(byPriority[n.Priority], n.tokens)
		}
	}
	slices.Sort(f.priorities)
	f.priorities = slices.Compact(f.priorities)
	f.prohibitions, f.permits = implication.NewCandidates(prohibitions), implication.NewCandidates(permits)
	f.overlaps = map[int]*implication.Overlaps{}
	for priority, list := range byPriority {
		f.overlaps[priority] = implication.NewOverlaps(list)
	}
}

func (f *finder) dead(n *conflictNorm) bool {
	budget, done := f.ask(n)
	defer done()
	needed, exempting := n.tokens.Dead(budget)
	if needed == nil {
		return false
	}
	w, ok := implication.Smallest(&n.tokens.Verbs[0], n.tokens.Condition, nil, budget)
	if ok {
		w.Time = n.tokens.Window.Times()[0]
		f.report(ConflictDead, n, nil, w, fmt.Sprintf("no action has %s without %s, which Unless exempts", either(needed), either(exempting)))
	}
	return ok
}

// ask returns a budget for one question about a norm, and a function that ends it.
func (f *finder) ask(n *conflictNorm) (b *implication.Budget, done func()) {
	b = implication.NewBudget(f.units)
	return b, func() {
		f.work += f.units - b.Left()
		if b.Exhausted() {
			f.gaveUp[n.Name] = true
		}
	}
}

func (f *finder) report(kind ConflictKind, a, b *conflictNorm, witness implication.Witness, detail string) {
	c := Conflict{Kind: kind, A: a.Name, Detail: detail, Witness: actionWith(witness.Texts())}
	c.Witness.Time = witness.Time
	if b != nil {
		c.B = b.Name
	}
	f.found = append(f.found, c)
}

func either(tokens []string) string {
	return `"` + strings.Join(tokens, `" or "`) + `"`
}

func (f *finder) duplicate(n, b *conflictNorm) {
	detail := "both have the same tokens"
	if n.Priority != b.Priority {
		detail += fmt.Sprintf(", and the other has priority %d over %d", b.Priority, n.Priority)
	}
	if n.Shadow != b.Shadow {
		detail += ", and the other is no dry run"
	}
	if w, ok := f.meeting(n, nil); ok {
		f.report(ConflictDuplicate, n, b, w, detail)
	}
}

// overruled looks up a permit that overrides n wherever n applies.
func (f *finder) overruled(n *conflictNorm) bool {
	budget, done := f.ask(n)
	defer done()
	b := f.permits.Covering(n.tokens, budget, func(b *implication.Norm) bool {
		return f.of(b).Priority > n.Priority && b.Covers(n.tokens, budget) && b.CoversWords(n.tokens, true, budget)
	})
	if b == nil {
		return false
	}
	w, ok := f.meeting(n, nil)
	if ok {
		f.report(ConflictOverruled, n, f.of(b), w, fmt.Sprintf("a permit of priority %d over %d matches wherever the prohibition applies", f.of(b).Priority, n.Priority))
	}
	return ok
}

// of returns the norm that has these tokens.
func (f *finder) of(tokens *implication.Norm) *conflictNorm { return f.norms[tokens.Rank] }

// redundant looks up a prohibition that every violation of n also violates.
func (f *finder) redundant(n *conflictNorm) {
	budget, done := f.ask(n)
	defer done()
	b := f.prohibitions.Covering(n.tokens, budget, func(tokens *implication.Norm) bool {
		b := f.of(tokens)
		return n != b && f.implies(n, b, budget) && !(n.tokens.Rank < b.tokens.Rank && f.implies(b, n, budget)) && !budget.Exhausted()
	})
	if b == nil {
		return
	}
	if w, ok := f.meeting(n, f.notOverridden(n.Priority)); ok {
		f.report(ConflictRedundant, n, f.of(b), w, "whatever breaks it breaks the other norm, too")
	}
}

// implies reports whether every violation of n is also one of b.
func (f *finder) implies(n, b *conflictNorm, budget *implication.Budget) bool {
	if b.Shadow && !n.Shadow || !b.tokens.Covers(n.tokens, budget) {
		return false
	}
	// A permit overrides for single words. It overrides * if it names any word, so it may
	// override b, which forbids *, and not n, which forbids another word.
	permitted := len(f.priorities) > 0 && f.priorities[len(f.priorities)-1] > b.Priority
	if permitted && !b.tokens.CoversWords(n.tokens, false, budget) {
		return false
	}
	// A permit with a priority above b's, but not above n's, overrides only b.
	i, equal := slices.BinarySearch(f.priorities, b.Priority)
	if equal {
		i++
	}
	return i == len(f.priorities) || f.priorities[i] > n.Priority
}

// contradictions looks up permits of n's priority that permit what n forbids. It
// reports the first, and each one that no other prohibition has named.
func (f *finder) contradictions(n *conflictNorm) {
	permits := f.overlaps[n.Priority]
	if permits == nil {
		return
	}
	budget, done := f.ask(n)
	defer done()
	reported := false
	accept := f.notOverridden(n.Priority)
	permits.Each(n.tokens, budget, func(b *implication.Norm, verb *implication.Token) {
		if reported && f.named[f.of(b)] || n.tokens.Exempts(verb, budget) || b.Exempts(verb, budget) {
			return
		}
		times := n.tokens.Window.And(b.Window).Times()
		exempted := func(by *implication.Norm) func(implication.Clause) bool {
			return func(c implication.Clause) bool { return by.ExemptsAll(c, budget) }
		}
		if len(times) == 0 || slices.ContainsFunc(n.tokens.Condition, exempted(b)) || slices.ContainsFunc(b.Condition, exempted(n.tokens)) {
			return
		}
		w, ok := shown(verb, slices.Concat(n.tokens.Condition, b.Condition), slices.Concat(n.tokens.Unless, b.Unless), times, accept, budget)
		if !ok {
			return
		}
		reported, f.named[f.of(b)] = true, true
		f.report(ConflictContradiction, n, f.of(b), w, fmt.Sprintf("at priority %d one forbids and one permits it, and the prohibition wins", n.Priority))
	})
}

// A judgement accepts or refuses an action as a witness. It refuses every action if
// the budget is exhausted.
type judgement func(implication.Witness, *implication.Budget) bool

// meeting returns a small action that meets n, for any of its verbs, and that
// accept accepts, unless accept is nil.
func (f *finder) meeting(n *conflictNorm, accept judgement) (implication.Witness, bool) {
	budget, done := f.ask(n)
	defer done()
	times := n.tokens.Window.Times()
	for i := range n.tokens.Verbs {
		if w, ok := shown(&n.tokens.Verbs[i], n.tokens.Condition, n.tokens.Unless, times, accept, budget); ok {
			return w, true
		}
		if budget.Exhausted() {
			break
		}
	}
	return implication.Witness{}, false
}

// shown returns a small action at one of the times that has the verb, satisfies the
// clauses, has nothing of avoid, and is accepted. It tries each alternative of each
// clause, but not all combinations of them.
func shown(verb *implication.Token, clauses []implication.Clause, avoid []implication.Token, times []time.Time, accept judgement, budget *implication.Budget) (implication.Witness, bool) {
	most := 1
	for _, c := range clauses {
		most = max(most, len(c))
	}
	for i := range most {
		if i > 0 {
			clauses = rotated(clauses)
		}
		w, ok := implication.Smallest(verb, clauses, avoid, budget)
		if !ok {
			break // the order of the alternatives makes no difference
		}
		for _, w.Time = range times {
			if accept == nil || accept(w, budget) {
				return w, true
			}
		}
	}
	return implication.Witness{}, false
}

// rotated returns the clauses with the first alternative of each moved to its end.
func rotated(clauses []implication.Clause) []implication.Clause {
	out := make([]implication.Clause, len(clauses))
	for i, c := range clauses {
		out[i] = append(c[1:len(c):len(c)], c[0])
	}
	return out
}

// notOverridden returns a judgement that accepts an action unless a permit above a
// priority permits it. It returns nil if no permit has a higher priority.
func (f *finder) notOverridden(priority int) judgement {
	if len(f.priorities) == 0 || f.priorities[len(f.priorities)-1] <= priority {
		return nil
	}
	return func(w implication.Witness, budget *implication.Budget) bool {
		permit := f.permits.Met(w, budget, func(b *implication.Norm) bool {
			return f.of(b).Priority > priority && w.Meets(b, budget)
		})
		return permit == nil && !budget.Exhausted()
	}
}
