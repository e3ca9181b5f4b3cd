package normsync_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/internal/implication"
)

// smallWorld judges all the norms that can be written with a few tokens on all
// the actions that can be done with a few words, a bit per action. It does so at one
// time; see smallTimes.
type smallWorld struct {
	now              time.Time
	actions          []normsync.Action
	conditions, verb map[string]bitset // by token: the actions it is found in
	words            map[string]bitset // by word: the actions that have it in the verb
}

// smallTimes are times of actions between all bounds of windows, and no time.
var smallTimes = []time.Time{{}, time.Unix(1, 0).UTC(), time.Unix(3, 0).UTC(), time.Unix(5, 0).UTC()}

type bitset []uint64

func (b bitset) empty() bool { return !slices.ContainsFunc(b, func(w uint64) bool { return w != 0 }) }

func (b bitset) each(o bitset, f func(x, y uint64) uint64) bitset {
	out := make(bitset, len(b))
	for i := range b {
		out[i] = f(b[i], o[i])
	}
	return out
}

func (b bitset) and(o bitset) bitset    { return b.each(o, func(x, y uint64) uint64 { return x & y }) }
func (b bitset) or(o bitset) bitset     { return b.each(o, func(x, y uint64) uint64 { return x | y }) }
func (b bitset) andNot(o bitset) bitset { return b.each(o, func(x, y uint64) uint64 { return x &^ y }) }
func (b bitset) within(o bitset) bool   { return b.andNot(o).empty() }

func newSmallWorld() *smallWorld {
	w := &smallWorld{conditions: map[string]bitset{}, verb: map[string]bitset{}, words: map[string]bitset{}}
	var verbs []string
	for _, verb := range []string{"u", "v", "uv", "ux", "x"} {
		for _, more := range []string{"", " u", " ux", " a", " u a", " ux a", " b ab ax"} {
			verbs = append(verbs, verb+more)
		}
	}
	for _, verb := range verbs {
		for _, location := range []string{"", "a", "b", "ab", "ax", "x", "u", "a b"} {
			for _, target := range []string{"", "a", "b", "ab", "ax", "u"} {
				for _, faction := range []string{"", "a", "ax", "u"} {
					for _, facts := range []string{"", "a", "b", "x", "ax"} {
						for _, agent := range []string{"", "a", "ax", "ab"} {
							w.actions = append(w.actions, normsync.Action{Verb: verb, Location: location, Target: target, Faction: faction, Facts: facts, Agent: agent})
						}
					}
				}
			}
		}
	}
	for _, t := range strings.Fields("a A b ab a* * u location:a location:b location:* faction:a faction:a* target:ab target:a* action:u verb:u* action:a agent:a agent:a* agent:A " +
		"facts:a facts:* a|b A|ab|a b|u* location:a|b target:ab|a facts:x|a agent:a|ax x|a\u200Bb") {
		w.conditions[t] = w.violating(normsync.Norm{Name: "n", Condition: t, Prohibited: "*"})
	}
	for _, t := range strings.Fields("u v uv u* * V") {
		w.verb[t] = w.violating(normsync.Norm{Name: "n", Prohibited: t})
	}
	for _, a := range w.actions {
		for _, word := range strings.Fields(a.Verb) {
			if w.words[word] == nil {
				w.words[word] = w.where(func(a normsync.Action) bool { return slices.Contains(strings.Fields(a.Verb), word) })
			}
		}
	}
	return w
}

func (w *smallWorld) none() bitset { return make(bitset, (len(w.actions)+63)/64) }

// violating is the actions that violate a norm by itself.
func (w *smallWorld) violating(n normsync.Norm) bitset {
	c, err := normsync.Compile(n)
	if err != nil {
		panic(err)
	}
	return w.where(func(a normsync.Action) bool { return !c.Allows(a) })
}

func (w *smallWorld) where(found func(normsync.Action) bool) bitset {
	b := w.none()
	for i, a := range w.actions {
		if found(a) {
			b[i/64] |= 1 << (i % 64)
		}
	}
	return b
}

// meets is the actions that have a verb of n, and that n applies to.
func (w *smallWorld) meets(n normsync.Norm) bitset {
	b := w.none()
	if !twinActive(n, w.now) {
		return b
	}
	for _, t := range strings.Fields(n.Prohibited + " " + n.Permitted) {
		b = b.or(w.verb[t])
	}
	for _, t := range strings.Fields(n.Condition) {
		b = b.and(w.conditions[t])
	}
	for _, t := range strings.Fields(n.Unless) {
		b = b.andNot(w.conditions[t])
	}
	return b
}

// breaks is the actions that break each of the norms.
func (w *smallWorld) breaks(norms []normsync.Norm) map[string]bitset {
	broken := map[string]bitset{}
	for _, n := range norms {
		if n.Permitted != "" {
			continue
		}
		broken[n.Name] = w.left(n, norms)
	}
	return broken
}

// left is the actions that break a prohibition, given the permits among norms.
func (w *smallWorld) left(n normsync.Norm, norms []normsync.Norm) bitset {
	permits := slices.DeleteFunc(slices.Clone(norms), func(p normsync.Norm) bool { return p.Permitted == "" || p.Shadow || p.Priority <= n.Priority })
	left := w.none()
	for _, tok := range strings.Fields(n.Prohibited) {
		if tok == "*" {
			whole := w.verb["*"]
			for _, p := range permits {
				whole = whole.andNot(w.meets(p))
			}
			left = left.or(whole)
			continue
		}
		for word, b := range w.words {
			if !twinNames(tok, word) {
				continue
			}
			for _, p := range permits {
				if twinNames(p.Permitted, word) {
					b = b.andNot(w.meets(p))
				}
			}
			left = left.or(b)
		}
	}
	return left.and(w.meets(n))
}

// reported is the actions that break any of the norms; denied those that break
// one that is no dry run.
func (w *smallWorld) reported(norms []normsync.Norm) (reported, denied bitset) {
	reported, denied = w.none(), w.none()
	broken := w.breaks(norms)
	for _, n := range norms {
		if b := broken[n.Name]; b != nil {
			reported = reported.or(b)
			if !n.Shadow {
				denied = denied.or(b)
			}
		}
	}
	return reported, denied
}

func (w *smallWorld) norms(r *rand.Rand, count int, permits, windows bool) []normsync.Norm {
	bounds := []time.Time{{}, time.Unix(2, 0).UTC(), time.Unix(4, 0).UTC()}
	conditions, verbs := slices.Sorted(maps.Keys(w.conditions)), slices.Sorted(maps.Keys(w.verb))
	list := func(n int, from []string) string {
		var ts []string
		for range n {
			ts = append(ts, from[r.IntN(len(from))])
		}
		return strings.Join(ts, " ")
	}
	var norms []normsync.Norm
	for i := range count {
		n := normsync.Norm{Name: fmt.Sprint("n", i), Priority: r.IntN(3), Shadow: r.IntN(6) == 0, Condition: list(r.IntN(3), conditions)}
		if r.IntN(3) == 0 {
			n.Unless = list(1+r.IntN(2), conditions)
		}
		if n.Prohibited = list(1+r.IntN(2), verbs); permits && r.IntN(3) == 0 {
			n.Prohibited, n.Permitted = "", n.Prohibited
		}
		if i > 0 && r.IntN(8) == 0 { // the tokens of another one
			n.Condition, n.Unless = norms[i-1].Condition, norms[i-1].Unless
		}
		if windows && r.IntN(2) == 0 {
			n.From, n.Until = bounds[r.IntN(3)], bounds[r.IntN(3)]
			if n.Validate() != nil { // it ends before it begins
				n.From = time.Time{}
			}
		}
		norms = append(norms, n)
	}
	return norms
}

// verdictsAt holds the verdicts of norms at one of smallTimes, by the norm's name.
type verdictsAt struct {
	*smallWorld
	met, broken map[string]bitset
}

// judge returns the verdicts at all times at which they can differ.
func (w smallWorld) judge(norms []normsync.Norm) (verdicts []verdictsAt) {
	for _, w.now = range smallTimes {
		v := verdictsAt{&smallWorld{w.now, w.actions, w.conditions, w.verb, w.words}, map[string]bitset{}, nil}
		for _, n := range norms {
			v.met[n.Name] = v.meets(n)
		}
		v.broken = v.breaks(norms)
		verdicts = append(verdicts, v)
		if !slices.ContainsFunc(norms, func(n normsync.Norm) bool { return n.From != n.Until }) {
			break
		}
	}
	return verdicts
}

// Conflicts in random small worlds: what is reported holds for every action,
// and what holds for every action is reported. With a small budget less is
// reported, and all of it holds.
func TestConflictsAreTrueAndComplete(t *testing.T) {
	w := newSmallWorld()
	r := rand.New(rand.NewPCG(5, uint64(len(w.actions))))
	counts := map[normsync.ConflictKind]int{}
	fewer := 0 // conflicts that were not found for want of a budget
	worlds := 2000
	if testing.Short() || raceEnabled {
		worlds = 600
	}
	for world := range worlds {
		permits, windows := world%3 > 0, world%4 == 0
		norms := w.norms(r, 2+r.IntN(4), permits, windows)
		byName := map[string]normsync.Norm{}
		for _, n := range norms {
			byName[n.Name] = n
		}
		verdicts := w.judge(norms)
		always := func(holds func(verdictsAt) bool) bool {
			return !slices.ContainsFunc(verdicts, func(v verdictsAt) bool { return !holds(v) })
		}
		unmet := func(name string) bool { return always(func(v verdictsAt) bool { return v.met[name].empty() }) }

		// requireTrue returns the kinds of conflicts by the norm's name.
		requireTrue := func(conflicts []normsync.Conflict) map[string][]normsync.ConflictKind {
			kinds := map[string][]normsync.ConflictKind{}
			for _, c := range conflicts {
				kinds[c.A] = append(kinds[c.A], c.Kind)
				requireShown(t, norms, c)
				a, b := byName[c.A], byName[c.B]
				holds := true
				switch c.Kind {
				case normsync.ConflictDead:
					holds = unmet(c.A)
				case normsync.ConflictDuplicate:
					holds = always(func(v verdictsAt) bool { return slices.Equal(v.met[c.A], v.met[c.B]) }) &&
						(a.Permitted == "") == (b.Permitted == "") && a.Priority <= b.Priority && (a.Shadow || !b.Shadow)
				case normsync.ConflictOverruled:
					holds = !unmet(c.A) && always(func(v verdictsAt) bool { return v.left(a, []normsync.Norm{b}).empty() })
				case normsync.ConflictRedundant:
					holds = always(func(v verdictsAt) bool { return v.broken[c.A].within(v.broken[c.B]) }) && (a.Shadow || !b.Shadow)
				case normsync.ConflictContradiction:
					holds = a.Prohibited != "" && b.Permitted != "" && a.Priority == b.Priority
				}
				require.True(t, holds, "%+v\nin %+v", c, norms)
			}
			// All norms that should be repealed can be repealed at once.
			kept := slices.DeleteFunc(slices.Clone(norms), func(n normsync.Norm) bool {
				return slices.ContainsFunc(kinds[n.Name], func(k normsync.ConflictKind) bool { return k != normsync.ConflictContradiction })
			})
			for _, v := range verdicts {
				reported, denied := v.reported(norms)
				reportedThen, deniedThen := v.reported(kept)
				require.Equal(t, denied, deniedThen, "the same actions are denied without what is reported: %v\nin %+v", conflicts, norms)
				require.Equal(t, reported, reportedThen, "the same actions are reported without what is reported: %v\nin %+v", conflicts, norms)
			}
			return kinds
		}

		starved, starvedGaveUp, _, err := normsync.SearchConflicts(norms, 1+r.IntN(300))
		require.NoError(t, err)
		requireTrue(starved)

		conflicts, gaveUp, err := normsync.FindConflicts(norms)
		require.NoError(t, err)
		require.Empty(t, gaveUp)
		for _, c := range conflicts {
			counts[c.Kind]++
		}
		if missed := len(conflicts) - len(starved); missed > 0 {
			fewer += missed
			require.NotEmpty(t, starvedGaveUp, "it says when it gave up")
		}
		kinds := requireTrue(conflicts)
		has := func(name string, kind normsync.ConflictKind) bool { return slices.Contains(kinds[name], kind) }

		for _, n := range norms {
			require.Equal(t, unmet(n.Name), has(n.Name, normsync.ConflictDead), "dead is what no action meets: %+v", n)
			if n.Permitted != "" || has(n.Name, normsync.ConflictDead) || has(n.Name, normsync.ConflictDuplicate) {
				continue
			}
			overruled, higher := false, false
			for _, p := range norms {
				if p.Permitted != "" && !p.Shadow && p.Priority > n.Priority {
					higher = true
					overruled = overruled || always(func(v verdictsAt) bool { return v.left(n, []normsync.Norm{p}).empty() })
				}
			}
			require.Equal(t, overruled, has(n.Name, normsync.ConflictOverruled), "overruled is what one permit always silences: %+v\nin %+v", n, norms)
			if higher {
				continue // which action shows the rest is not searched for in full
			}
			contradicted, redundant := false, false
			for _, o := range norms {
				switch {
				case o.Name == n.Name || has(o.Name, normsync.ConflictDuplicate) || unmet(o.Name):
				case o.Permitted != "":
					meet := !always(func(v verdictsAt) bool { return v.met[n.Name].and(v.met[o.Name]).empty() })
					contradicted = contradicted || !o.Shadow && o.Priority == n.Priority && shareVerb(n, o) && meet
				case !permits:
					within := func(a, b normsync.Norm) bool {
						return always(func(v verdictsAt) bool { return v.met[a.Name].within(v.met[b.Name]) }) && (a.Shadow || !b.Shadow)
					}
					first := n.Priority > o.Priority || n.Priority == o.Priority && n.Name < o.Name
					redundant = redundant || within(n, o) && !(within(o, n) && first)
				}
			}
			if contradicted {
				require.True(t, has(n.Name, normsync.ConflictContradiction), "a contradiction of %+v\nin %+v", n, norms)
			}
			if !permits {
				require.Equal(t, redundant, has(n.Name, normsync.ConflictRedundant), "redundant is %+v\nin %+v", n, norms)
			}
		}
	}
	t.Logf("%d actions, %d worlds: %v, %d fewer with a small budget", len(w.actions), worlds, counts, fewer)
	require.Greater(t, fewer, worlds/10, "the small budgets are small enough")
	for _, kind := range []normsync.ConflictKind{normsync.ConflictDead, normsync.ConflictDuplicate, normsync.ConflictOverruled, normsync.ConflictRedundant, normsync.ConflictContradiction} {
		require.Greater(t, counts[kind], worlds/100, "the worlds are rich enough in %s", kind)
	}
}

// Conflicts in the worlds of the twin, with words that fold in odd ways, bars, and
// invisible characters: the twin finds no action that disproves what is reported.
func TestConflictsAgreeWithTheTwin(t *testing.T) {
	counts := map[normsync.ConflictKind]int{}
	for seed := range uint64(600) {
		w := plainWorld(seed)
		if seed%2 == 1 {
			w = hostileWorld(seed)
			w.words = w.words[w.IntN(len(w.words)-3):][:3] // so that much is alike
		}
		norms := w.norms(5)
		for i := range norms {
			if i > 0 && w.IntN(3) == 0 { // nearly the same
				norms[i].Condition = norms[i-1].Condition + " " + norms[i].Condition
				norms[i].Unless = norms[i-1].Unless
				norms[i].From, norms[i].Until = norms[i-1].From, norms[i-1].Until
			}
		}
		conflicts, gaveUp, err := normsync.FindConflicts(norms)
		require.NoError(t, err)
		require.Empty(t, gaveUp)
		byName := map[string]normsync.Norm{}
		for _, n := range norms {
			byName[n.Name] = n
		}
		actions := make([]normsync.Action, 100)
		for i := range actions {
			actions[i] = w.action()
		}
		for _, c := range conflicts { // and actions near the border of what the norms meet
			a := c.Witness
			actions = append(actions, a)
			for _, field := range []*string{&a.Verb, &a.Location, &a.Agent, &a.Facts} {
				*field += " " + w.of(w.words...)
				actions = append(actions, a)
			}
			a.Time = w.time()
			actions = append(actions, a)
		}
		for _, c := range conflicts {
			counts[c.Kind]++
			requireShown(t, norms, c)
			a, b := byName[c.A], byName[c.B]
			for _, action := range actions {
				broken := twin(norms).check(action)
				breaks := func(n normsync.Norm) bool {
					return slices.Contains(broken, verdict(n.Name, n.Shadow))
				}
				f := twinSplit(action)
				holds := true
				switch c.Kind {
				case normsync.ConflictDead:
					holds = !f.applies(a)
				case normsync.ConflictDuplicate:
					holds = f.applies(a) == f.applies(b)
				case normsync.ConflictOverruled:
					holds = !breaks(a)
				case normsync.ConflictRedundant:
					holds = !breaks(a) || breaks(b)
				}
				require.True(t, holds, "%+v\nis disproved by %+v\nin %+v", c, action, norms)
			}
		}
	}
	t.Log(counts)
	for _, kind := range []normsync.ConflictKind{normsync.ConflictDead, normsync.ConflictDuplicate, normsync.ConflictOverruled, normsync.ConflictRedundant, normsync.ConflictContradiction} {
		require.Greater(t, counts[kind], 5, "the worlds are rich enough in %s", kind)
	}
}

// shareVerb reports whether two norms have a verb in common that
// neither's Unless exempts.
func shareVerb(a, b normsync.Norm) bool {
	split := func(rank int, n normsync.Norm) *implication.Norm {
		return implication.New(rank, n.Prohibited+n.Permitted, n.Condition, n.Unless, implication.Window{})
	}
	r, s := split(0, a), split(1, b)
	both := &implication.Norm{Unless: slices.Concat(r.Unless, s.Unless)}
	budget, shared := implication.NewBudget(math.MaxInt), false
	implication.NewOverlaps([]*implication.Norm{s}).Each(r, budget, func(_ *implication.Norm, verb *implication.Token) {
		shared = shared || !both.Exempts(verb, budget)
	})
	return shared
}
