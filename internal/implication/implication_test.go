package implication

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync/internal/token"
)

// met is the plain definition: whether an action meets a norm, by its texts.
func met(n *Norm, texts token.Texts) bool {
	found := func(t Token) bool { return has(texts, t.Pattern) }
	return slices.ContainsFunc(n.Verbs, found) &&
		!slices.ContainsFunc(n.Condition, func(c Clause) bool { return !slices.ContainsFunc(c, found) }) &&
		!slices.ContainsFunc(n.Unless, found)
}

// has reports whether a token is found in the texts.
func has(texts token.Texts, p token.Pattern) bool {
	var tokens token.Set
	tokens.Fill(&texts)
	return tokens.Has(p)
}

// always is the window of a norm without bounds.
var always = Window{Untimed: true}

// words has every word that can decide anything about the tokens of randomNorm.
var words = []string{"a", "ab", "b", "x", "ax", "abx"}

// smallActions yields every action of up to most words, fewest first.
func smallActions(most int) (actions []token.Texts) {
	actions = []token.Texts{{}}
	last := actions
	for range most {
		var next []token.Texts
		for _, a := range last {
			for f := token.Action; f < token.Any; f++ {
				for _, w := range words {
					b := a
					b[f] = strings.TrimSpace(b[f] + " " + w)
					next = append(next, b)
				}
			}
		}
		actions = append(actions, next...)
		last = next
	}
	return actions
}

func size(a token.Texts) int { return len(strings.Fields(strings.Join(a[:], " "))) }

// randomNorm returns a norm of a few tokens, with those in anyOf among them.
func randomNorm(r *rand.Rand, rank int, anyOf string) *Norm {
	list := func(n int, from string) string {
		tokens := strings.Fields(from)
		var out []string
		for range n {
			out = append(out, tokens[r.IntN(len(tokens))])
		}
		return strings.Join(out, " ")
	}
	tokens := "a A b ab a* * location:a location:a* location:* action:a action:ab* target:ab facts:a agent:a agent:a* agent:A " + anyOf
	return New(rank, list(1+r.IntN(2), "a b ab a* *"), list(r.IntN(3), tokens), list(r.IntN(3), tokens), always)
}

const alternatives = "a|b location:ab|a|b agent:a|ax facts:b|a* a\u200B|ab"

func plenty() *Budget { return NewBudget(math.MaxInt) }

func TestCoversHoldsForEveryAction(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	actions := smallActions(3)
	covering := 0
	for range 600 {
		n, m := randomNorm(r, 0, alternatives), randomNorm(r, 1, alternatives)
		if n.Covers(m, plenty()) {
			covering++
			for _, a := range actions {
				require.False(t, met(m, a) && !met(n, a), "%+q meets %+v and not %+v", a, m, n)
			}
		}
	}
	require.Greater(t, covering, 40)
}

func TestDeadIsWhatNoActionMeets(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	actions := smallActions(3)
	count := 0
	for range 400 {
		n := randomNorm(r, 0, alternatives)
		needed, exempting := n.Dead(plenty())
		alive := slices.ContainsFunc(actions, func(a token.Texts) bool { return met(n, a) })
		require.Equal(t, !alive, needed != nil, "%+v", n)
		require.Equal(t, needed == nil, exempting == nil)
		if needed != nil {
			count++
		}
	}
	require.Greater(t, count, 20)
}

func TestSmallestIsTheSmallestActionThatMeetsANorm(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	actions := smallActions(3) // a verb and two tokens of Condition, at most
	for i := range 1200 {
		some := ""
		if i%2 == 0 {
			some = alternatives
		}
		n := randomNorm(r, 0, some)
		verb := &n.Verbs[0]
		i := slices.IndexFunc(actions, func(a token.Texts) bool {
			return has(a, verb.Pattern) && met(n, a)
		})
		w, ok := Smallest(verb, n.Condition, n.Unless, plenty())
		require.Equal(t, i >= 0, ok, "%+v", n)
		if ok {
			require.True(t, met(n, w.Texts()), "%+q meets %+v", w.Texts(), n)
			require.True(t, w.Meets(n, plenty()))
			if some == "" {
				require.Equal(t, size(actions[i]), size(w.Texts()), "%+q is as small as %+q for %+v", w.Texts(), actions[i], n)
			}
		}
	}
}

func TestSmallestSaysEachWordOnce(t *testing.T) {
	for condition, want := range map[string]token.Texts{
		"":                                      {token.Action: "hit"},
		"zone* zone-a RED red r*":               {token.Action: "hit", token.Location: "zone-a RED"},
		"zone location:zone-a* target:zone":     {token.Action: "hit", token.Location: "zone-a", token.Target: "zone"},
		"* location:* hi*":                      {token.Action: "hit", token.Location: "x"},
		"agent:bob agent:b* bob":                {token.Action: "hit", token.Agent: "bob", token.Location: "bob"},
		"faction:red red* target:re* action:h*": {token.Action: "hit", token.Faction: "red", token.Target: "re"},
		"night|dark facts:dark":                 {token.Action: "hit", token.Facts: "dark"},
		"night|dark target:red|blue":            {token.Action: "hit", token.Location: "night", token.Target: "red"},
		`c\|d|e`:                                {token.Action: "hit", token.Location: "c|d"},
	} {
		n := New(0, "hit", condition, "", always)
		w, ok := Smallest(&n.Verbs[0], n.Condition, nil, plenty())
		require.True(t, ok)
		require.Equal(t, want, w.Texts(), condition)
	}
}

// As many tokens of Unless as two norms can have rule out as many letters.
func TestSmallestFindsALetterThatIsLeft(t *testing.T) {
	var avoid []string
	for _, letter := range letters[:2*MaxTokens] {
		avoid = append(avoid, "zone"+string(letter)+"*")
	}
	n := New(0, "hit", "location:zone*", "zone "+strings.Join(avoid[1:], " "), always)
	w, ok := Smallest(&n.Verbs[0], n.Condition, n.Unless, plenty())
	require.True(t, ok)
	require.Equal(t, "zone"+string(letters[0]), w.Texts()[token.Location])
	n = New(0, "hit", "location:zone*", strings.Join(avoid, " ")+" zone", always)
	w, ok = Smallest(&n.Verbs[0], n.Condition, n.Unless, plenty())
	require.True(t, ok, "there is one more letter")
	require.True(t, met(n, w.Texts()))

	folded := map[string]bool{}
	for _, letter := range letters {
		folded[token.Fold(string(letter))] = true
	}
	require.Len(t, folded, len(letters), "letters differ even if case is ignored")
}

func TestKeyIsThatOfTheTokens(t *testing.T) {
	key := func(verbs, condition, unless string) string { return New(0, verbs, condition, unless, always).Key() }
	same := key("attack loot", "zone red*", "location:x")
	require.Equal(t, same, key("LOOT attack Loot", "red* zone Red*", "LOCATION:x"))
	for _, other := range []string{
		key("attack", "zone red*", "location:x"), key("attack loot", "zone red", "location:x"), key("attack loot", "zone red*", "target:x"),
		key("attack loot", "zone red*", "x"), key("attack loot zone", "red*", "location:x"), key("attack loot", "zone red* location:x", ""),
		key("attack loot", "zone|red*", "location:x"), key("attack loot", "zone red*|x", "location:x"), key("attack loot", `zone red\|x*`, "location:x"),
		New(0, "attack loot", "zone red*", "location:x", Window{From: time.Unix(1, 0)}).Key(), New(0, "attack loot", "zone red*", "location:x", Window{Until: time.Unix(1, 0)}).Key(),
	} {
		require.NotEqual(t, same, other)
	}
	require.Equal(t, key("a", "x|Y|x z", "u|v"), key("a", "z y|X", "v u"))
	require.NotEqual(t, key("a", `x\|y`, ""), key("a", "x|y", ""))
	require.NotEqual(t, key("a", "agent:\u017F", ""), key("a", "agent:s", ""), "agents are compared by ASCII case only")
}

// The lists of candidates pass over nothing that would be found by comparing
// each norm with each other one.
func TestCandidatesAndOverlapsFindWhatComparingAllFinds(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	found := 0
	for range 200 {
		var norms []*Norm
		for rank := range 1 + r.IntN(30) {
			norms = append(norms, randomNorm(r, rank, alternatives))
		}
		candidates, overlaps := NewCandidates(norms), NewOverlaps(norms)
		for range 10 {
			n := randomNorm(r, -1, alternatives)
			if needed, _ := n.Dead(plenty()); needed != nil {
				continue // everything covers it
			}
			covers := func(m *Norm) bool { return m.Covers(n, plenty()) }
			want := widest(norms, covers)
			got := candidates.Covering(n, plenty(), covers)
			require.Equal(t, want, got, "what covers %+v", n)
			if got != nil {
				found++
			}

			w, ok := Smallest(&n.Verbs[0], n.Condition, n.Unless, plenty())
			if !ok {
				continue
			}
			meets := func(m *Norm) bool { return w.Meets(m, plenty()) }
			require.Equal(t, widest(norms, meets), candidates.Met(w, plenty(), meets), "what %+q meets", w.Texts())
			for _, m := range norms {
				require.Equal(t, met(m, w.Texts()), meets(m), "%+q and %+v", w.Texts(), m)
			}

			var sharing, shared []string
			for _, m := range norms {
				for i := range m.Verbs {
					for k := range n.Verbs {
						switch u, v := &m.Verbs[i], &n.Verbs[k]; {
						case implies(v, v.Field, u):
							sharing = append(sharing, fmt.Sprint(m.Rank, v.Folded, v.Prefix))
						case implies(u, u.Field, v):
							sharing = append(sharing, fmt.Sprint(m.Rank, u.Folded, u.Prefix))
						}
					}
				}
			}
			overlaps.Each(n, plenty(), func(m *Norm, verb *Token) { shared = append(shared, fmt.Sprint(m.Rank, verb.Folded, verb.Prefix)) })
			slices.Sort(sharing)
			slices.Sort(shared)
			require.Equal(t, sharing, shared)
		}
	}
	require.Greater(t, found, 200)
}

// widest compares all.
func widest(norms []*Norm, accept func(*Norm) bool) *Norm {
	fit := slices.DeleteFunc(slices.Clone(norms), func(n *Norm) bool { return !accept(n) })
	if len(fit) == 0 {
		return nil
	}
	return slices.MinFunc(fit, compareWidth)
}

// Whatever the budget is, what is proven within it holds, and it is hardly
// exceeded.
func TestAnExhaustedBudgetProvesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	exhausted := 0
	for range 5000 {
		n, m := randomNorm(r, 0, alternatives), randomNorm(r, 1, alternatives)
		b := NewBudget(r.IntN(20))
		if n.Covers(m, b) {
			require.True(t, n.Covers(m, plenty()))
		}
		if b.Exhausted() {
			exhausted++
			require.False(t, n.Covers(m, b))
			needed, _ := m.Dead(b)
			require.Nil(t, needed)
			_, ok := Smallest(&m.Verbs[0], m.Condition, m.Unless, b)
			require.False(t, ok)
			require.False(t, new(Witness).Meets(m, b))
			require.Nil(t, NewCandidates([]*Norm{m}).Covering(n, b, func(*Norm) bool { return true }))
			NewOverlaps([]*Norm{m}).Each(n, b, func(*Norm, *Token) { t.Error("it goes on") })
		}
	}
	require.Greater(t, exhausted, 400)

	// The largest norms that there can be.
	list := func(format string) string {
		var out []string
		for i := range MaxTokens {
			out = append(out, fmt.Sprintf(format, i))
		}
		return strings.Join(out, " ")
	}
	n := New(0, list("v%d*"), list("c%d*"), list("u%d"), always)
	b := NewBudget(1000)
	n.Covers(n, b)
	require.True(t, b.Exhausted())
	require.Greater(t, b.Left(), -2*MaxTokens*MaxTokens)
}
