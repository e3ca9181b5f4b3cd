package normsync_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/internal/invisible"
	"github.com/normsync/normsync/internal/token"
	"github.com/normsync/normsync/internal/workload"
)

// twin is the readable definition of matching. It compares every norm with every
// action and splits all text again each time. The index must agree with it.
type twin []normsync.Norm

func (t twin) check(a normsync.Action) []string {
	fields := twinSplit(a)
	var broken, permits []normsync.Norm
	for _, n := range t {
		if n.Permitted != "" && !n.Repealed && !n.Shadow && fields.applies(n) {
			permits = append(permits, n)
		}
	}
	for _, n := range t {
		if n.Prohibited == "" || n.Repealed || !fields.applies(n) {
			continue
		}
		// A permit of higher priority overrides n for the words that it names.
		overridden := func(word string) bool {
			return slices.ContainsFunc(permits, func(p normsync.Norm) bool { return p.Priority > n.Priority && twinNames(p.Permitted, word) })
		}
		left := slices.DeleteFunc(slices.Clone(fields.words["verb"]), overridden)
		for _, tok := range strings.Fields(n.Prohibited) {
			// * is the action as a whole, which is overridden if any word is.
			whole := tok == "*" && len(left) > 0 && len(left) == len(fields.words["verb"])
			if whole || tok != "*" && slices.ContainsFunc(left, func(word string) bool { return twinNames(tok, word) }) {
				broken = append(broken, n)
				break
			}
		}
	}
	slices.SortFunc(broken, func(a, b normsync.Norm) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), strings.Compare(a.Name, b.Name))
	})
	out := []string{}
	for _, n := range broken {
		out = append(out, verdict(n.Name, n.Shadow))
	}
	return out
}

func verdict(name string, shadow bool) string { return fmt.Sprintf("%s, shadow %v", name, shadow) }

func verdicts(vs []normsync.Violation) []string {
	out := []string{}
	for _, v := range vs {
		out = append(out, verdict(v.NormName, v.Shadow))
	}
	return out
}

// twinFields has the tokens of an action by the names of its fields, and its time.
type twinFields struct {
	words map[string][]string
	time  time.Time
}

func twinSplit(a normsync.Action) twinFields {
	f := twinFields{map[string][]string{}, a.Time}
	for name, s := range map[string]string{"verb": a.Verb, "location": a.Location, "target": a.Target, "faction": a.Faction, "facts": a.Facts} {
		f.words[name] = strings.FieldsFunc(twinVisible(s), unicode.IsSpace)
	}
	f.words["action"] = f.words["verb"]
	f.words["agent"] = strings.FieldsFunc(twinValid(a.Agent), unicode.IsSpace)
	return f
}

// twinValid makes U+FFFD of each byte that is not UTF-8, as a conversion to runes does.
func twinValid(s string) string { return string([]rune(s)) }

func twinVisible(s string) string {
	return strings.Map(func(r rune) rune {
		if invisible.Ignorable(r) {
			return -1
		}
		return r
	}, twinValid(s))
}

// applies reports whether a norm has a verb of the action and applies to it.
func (f twinFields) applies(n normsync.Norm) bool {
	if !f.hasVerb(n) {
		return false
	}
	if !twinActive(n, f.time) {
		return false
	}
	for _, tok := range strings.Fields(n.Condition) {
		if twinVisible(tok) != "" && !f.has(tok) {
			return false
		}
	}
	return !slices.ContainsFunc(strings.Fields(n.Unless), f.has)
}

// twinActive reports whether the time of an action is within the window of a norm.
func twinActive(n normsync.Norm, at time.Time) bool {
	if n.From.IsZero() && n.Until.IsZero() {
		return true
	}
	if at.IsZero() {
		return n.Permitted == ""
	}
	return (n.From.IsZero() || !at.Before(n.From)) && (n.Until.IsZero() || at.Before(n.Until))
}

func (f twinFields) hasVerb(n normsync.Norm) bool {
	return slices.ContainsFunc(f.words["verb"], func(word string) bool { return twinNames(n.Prohibited+" "+n.Permitted, word) })
}

// twinNames reports whether one of the verb tokens matches a word.
func twinNames(verbs, word string) bool {
	return slices.ContainsFunc(strings.Fields(verbs), func(tok string) bool {
		return twinMatches(twinVisible(strings.ReplaceAll(tok, `\|`, "|")), word, strings.EqualFold)
	})
}

func (f twinFields) has(tok string) bool {
	words := slices.Concat(f.words["verb"], f.words["location"], f.words["target"], f.words["faction"], f.words["facts"])
	equal, visible := strings.EqualFold, twinVisible
	if name, rest, ok := strings.Cut(tok, ":"); ok {
		if in, ok := f.words[strings.ToLower(name)]; ok {
			words, tok = in, rest
		}
		if strings.EqualFold(name, "agent") {
			equal, visible = twinEqualAgent, twinValid
		}
	}
	// A bar that is part of a word is put aside while the alternatives are split.
	for _, alternative := range strings.Split(strings.ReplaceAll(tok, `\|`, "\x00"), "|") {
		alternative = visible(strings.ReplaceAll(alternative, "\x00", "|"))
		if slices.ContainsFunc(words, func(word string) bool { return twinMatches(alternative, word, equal) }) {
			return true
		}
	}
	return false
}

func twinEqualAgent(a, b string) bool {
	lower := func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	return strings.Map(lower, a) == strings.Map(lower, b)
}

func twinMatches(tok, word string, equal func(a, b string) bool) bool {
	begin, star := strings.CutSuffix(tok, "*")
	if !star {
		return equal(word, begin)
	}
	r := []rune(word)
	n := utf8.RuneCountInString(begin)
	return len(r) >= n && equal(string(r[:n]), begin)
}

// twinWorld makes norms and actions of few words, so that much meets.
type twinWorld struct {
	*rand.Rand
	words, spaces []string
}

// plainWorld has the words of a game, hostileWorld what Unicode holds in store.
func plainWorld(seed uint64) *twinWorld {
	return &twinWorld{rand.New(rand.NewPCG(seed, 1)), strings.Fields("attack loot trade bridge bridgehead gate gateway red redcap blue toll 0123456789abcdef x"), []string{" ", "  "}}
}

func hostileWorld(seed uint64) *twinWorld {
	return &twinWorld{rand.New(rand.NewPCG(seed, 2)), []string{
		"kick", "KICK", "\u212Aic\u212A", "sass", "\u017Fas\u017F", "ΣΊΣΥΦΟΣ", "σίσυφος", "straße", "STRAẞE", "strasse", "İ", "i", "ı", "I", "ǅ", "ǆ",
		"睡觉", "睡", "🐉", "\U00010400\U00010428", "ﬀ", "é", "e\u0301", "a\u200Bb", "@`[{", "x:y", ":", "\uFFFD", "ÿŸ", "µμ", "ᾳᾼ", "abcdefgh", "ABCDEFGHI", "ꙋ\u1C88", "ki\u200Bck", "\u00ADsass", "睡\uFE0F", "a|b",
	}, []string{" ", "\u00A0", "\u2003", "\u3000", "\u1680 ", "\u2028"}}
}

func (w *twinWorld) of(list ...string) string { return list[w.IntN(len(list))] }

func (w *twinWorld) verbs() string {
	return w.list(1+w.IntN(3), func() string {
		switch w.IntN(10) {
		case 0:
			return "*"
		case 1, 2:
			r := []rune(w.of(w.words...))
			return strings.ReplaceAll(string(r[:1+w.IntN(len(r))]), "|", `\|`) + "*"
		}
		return strings.ReplaceAll(w.of(w.words...), "|", `\|`)
	})
}

func (w *twinWorld) condition(most int) string {
	return w.list(w.IntN(most+1), func() string {
		field := w.of("", "", "", "location:", "Target:", "faction:", "facts:", "AGENT:", "action:", "verb:")
		tok := field + strings.Fields(w.verbs())[0]
		for w.IntN(5) == 0 {
			tok += "|" + strings.Fields(w.verbs())[0]
		}
		return tok
	})
}

func (w *twinWorld) list(n int, f func() string) string {
	var b strings.Builder
	for range n {
		b.WriteString(f() + w.of(w.spaces...))
	}
	return b.String()
}

func (w *twinWorld) norm(name string) normsync.Norm {
	n := normsync.Norm{Name: name, Condition: w.condition(3), Unless: w.of("", "", w.condition(2)), Priority: w.IntN(4) - 2, Shadow: w.IntN(5) == 0}
	if n.Prohibited = w.verbs(); w.IntN(4) == 0 {
		n.Prohibited, n.Permitted = "", n.Prohibited
	}
	if w.IntN(4) == 0 {
		n.From = w.time()
	}
	if w.IntN(4) == 0 {
		n.Until = w.time()
	}
	if n.Validate() != nil { // Until is not after From
		n.From = time.Time{}
	}
	return n
}

// time returns one of a few times, or none.
func (w *twinWorld) time() time.Time {
	if n := w.IntN(5); n > 0 {
		return time.Unix(int64(n), 0).UTC()
	}
	return time.Time{}
}

func (w *twinWorld) norms(n int) (out []normsync.Norm) {
	for i := range n {
		out = append(out, w.norm(fmt.Sprint(w.of("a", "b", "Z"), i)))
	}
	return out
}

func (w *twinWorld) text(most int) string {
	if w.IntN(60) == 0 {
		most *= 40 // more than fits on the stack, or is compared one by one
	}
	return w.list(w.IntN(most+1), func() string {
		return w.of(w.words...) + w.of("", "", "", "", "", "", "\xff", "\xe2\x82", "\x00", "\t\n", "\u0085", "\u200B", " \u00AD ")
	})
}

func (w *twinWorld) action() normsync.Action {
	return normsync.Action{Agent: w.text(2), Verb: w.text(3), Location: w.text(3), Target: w.text(2), Faction: w.text(2), Facts: w.text(2), Time: w.time()}
}

func TestCheckAgreesWithItsTwin(t *testing.T) {
	agree := func(t *testing.T, w *twinWorld, size int) {
		norms := w.norms(size)
		c, err := normsync.Compile(norms...)
		require.NoError(t, err)
		m := changedTo(t, w, norms)
		for range 30 {
			a := w.action()
			want := twin(norms).check(a)
			require.Equal(t, want, verdicts(c.Check(a)), "compiled: %+q\n%+q", a, norms)
			require.Equal(t, want, verdicts(m.Check(a)), "changed: %+q\n%+q", a, norms)
			denied := slices.ContainsFunc(want, func(v string) bool { return strings.HasSuffix(v, "false") })
			require.Equal(t, !denied, c.Allows(a), "%+q", a)
		}
	}
	worlds := func(t *testing.T, count uint64) {
		for seed := range count {
			agree(t, plainWorld(seed), 1+int(seed%40))
			agree(t, hostileWorld(seed), 1+int(seed%40))
		}
		agree(t, plainWorld(count), 400)
		agree(t, hostileWorld(count), 400)
	}
	t.Run("in random worlds", func(t *testing.T) { worlds(t, 120) })
	t.Run("when every hash is the same", func(t *testing.T) {
		defer token.Blunt()()
		worlds(t, 40)
	})
}

// changedTo returns a monitor that holds norms after it has held others.
func changedTo(t *testing.T, w *twinWorld, norms []normsync.Norm) *normsync.Monitor {
	m := new(normsync.Monitor)
	for _, wanted := range [][]normsync.Norm{w.norms(len(norms)), norms[len(norms)/3:], w.norms(len(norms)/2 + 1), norms[:len(norms)/2], norms} {
		_, err := m.Apply(t.Context(), normsync.Diff(slices.Collect(m.Constitution().All()), wanted)...)
		require.NoError(t, err)
	}
	return m
}

func TestViolationsCarryTheAdviceOfTheNorm(t *testing.T) {
	n := prohibition("peace", "safe_zone", "attack")
	n.Advice = "ask: a game master"
	c, err := normsync.Compile(n)
	require.NoError(t, err)
	a := normsync.Action{Agent: "hero", Verb: "attack", Location: "safe_zone", Facts: "night"}
	require.Equal(t, []normsync.Violation{{NormID: n.ID(), NormName: "peace", Severity: normsync.SeverityWarn, Advice: n.Advice, Action: a}}, c.Check(a))
}

func TestAWindowWithoutABeginningHoldsForEveryTimeBeforeItsEnd(t *testing.T) {
	until := func(n *normsync.Norm) { n.Until = time.Date(1500, 1, 1, 0, 0, 0, 0, time.UTC) }
	forbidden, err := normsync.Compile(prohibition("n", "", "v", until))
	require.NoError(t, err)
	permitted, err := normsync.Compile(prohibition("n", "", "v"), permission("p", "", "v", 1, until))
	require.NoError(t, err)
	for _, year := range []int{-300_000, -5, 0, 1, 1499} {
		a := normsync.Action{Verb: "v", Time: time.Date(year, 5, 1, 0, 0, 0, 0, time.UTC)}
		require.False(t, forbidden.Allows(a), year)
		require.True(t, permitted.Allows(a), year)
		require.Equal(t, normsync.OutcomeViolated, forbidden.Explain(a)[0].Outcome, year)
	}
}

func TestDeniedIsTheOppositeOfAllows(t *testing.T) {
	for seed := range uint64(20) {
		w := plainWorld(seed)
		c, err := normsync.Compile(w.norms(20)...)
		require.NoError(t, err)
		for range 20 {
			a := w.action()
			require.Equal(t, !c.Allows(a), normsync.Denied(c.Check(a)))
		}
	}
	require.False(t, normsync.Denied(nil))
	require.False(t, normsync.Denied([]normsync.Violation{{Shadow: true}}))
	require.True(t, normsync.Denied([]normsync.Violation{{Shadow: true}, {}}))
}

func FuzzCheck(f *testing.F) {
	f.Add("bridge", "", "attack", "attack", "the bridge", "", "")
	f.Add("location:zone agent:h*", "*", "\u212A*", "KICK", "zone\xff", "hero", "\u3000")
	f.Fuzz(func(t *testing.T, condition, unless, prohibited, verb, location, agent, target string) {
		norms := []normsync.Norm{{Name: "n", Condition: condition, Unless: unless, Prohibited: prohibited}, {Name: "p", Condition: unless, Permitted: prohibited, Priority: 1}}
		norms = slices.DeleteFunc(norms, func(n normsync.Norm) bool { return n.Validate() != nil })
		c, err := normsync.Compile(norms...)
		require.NoError(t, err)
		for _, a := range []normsync.Action{
			{Agent: agent, Verb: verb, Location: location, Target: target},
			{Agent: agent, Verb: prohibited, Location: condition + " " + location, Target: target},
			{Agent: agent, Verb: prohibited, Location: strings.Repeat(location+" ", 40) + condition, Faction: unless},
		} {
			want := twin(norms).check(a)
			require.Equal(t, want, verdicts(c.Check(a)), "%+q", a)
			require.Equal(t, want, verdicts(c.AppendCheckPrepared(nil, prepare(a))), "%+q", a)
			allowed := []string{}
			for _, v := range []string{verb, prohibited} {
				if allowsVerb(c, a, v) {
					allowed = append(allowed, v)
				}
			}
			require.Equal(t, allowed, c.AppendAllowed([]string{}, a, verb, prohibited), "%+q", a)
			require.Equal(t, allowed, c.AppendAllowedPrepared([]string{}, prepare(a), verb, prohibited), "%+q", a)
		}
	})
}

// allowsVerb is Allows with another verb.
func allowsVerb(c *normsync.Constitution, a normsync.Action, verb string) bool {
	a.Verb = verb
	return c.Allows(a)
}

// meanProbes returns the mean number of index entries that a check reads.
func (g *fixture) meanProbes(actions []normsync.Action) float64 {
	total := 0
	for _, a := range actions {
		total += g.Constitution.Probes(a)
	}
	return float64(total) / float64(len(actions))
}

// underFixedKeys calls f several times, each time with other hash keys. The keys
// are the same in every process, and so are the counts. They vary with the keys
// because a check reads more entries when two verbs share their bits.
func underFixedKeys(f func()) {
	for seed := range uint64(4) {
		func() {
			defer token.Reseed(seed)()
			f()
		}()
	}
}

// probesIn is the mean of meanProbes in a world, of actions that break nothing
// and of those that break a norm. It is the same in every process.
func probesIn(t *testing.T, w workload.World) (misses, hits float64) {
	t.Helper()
	worlds := 0.0
	underFixedKeys(func() {
		g, err := newFixture(w) // fixtureOf would keep it for other tests, which have other keys
		require.NoError(t, err)
		misses += g.meanProbes(g.misses)
		hits += g.meanProbes(g.hits)
		worlds++
	})
	return misses / worlds, hits / worlds
}

func TestACheckLooksAtAsMuchAmongManyNormsAsAmongFew(t *testing.T) {
	mean := func(norms int) float64 {
		var all []normsync.Norm
		for i := range norms {
			all = append(all, normsync.Norm{Name: fmt.Sprint(i), Condition: fmt.Sprintf("faction-%d cell-%d", i%7, i/2), Prohibited: fmt.Sprint("verb-", i%60)})
		}
		total, checks := 0, 0
		underFixedKeys(func() {
			c, err := normsync.Compile(all...)
			require.NoError(t, err)
			for i := range 2000 {
				a := normsync.Action{Verb: fmt.Sprint("verb-", i%60), Location: fmt.Sprintf("cell-%d", i*7919%(norms/2)), Faction: fmt.Sprintf("faction-%d", i%7)}
				total += c.Probes(a)
				checks++
			}
		})
		return float64(total) / float64(checks)
	}
	// The bounds are narrow enough that twice as many entries fail the test.
	few, many := mean(1000), mean(100000)
	require.InDelta(t, 1.28, few, 0.6)
	require.InDelta(t, 1.10, many, 0.6)
	require.Less(t, many, 1.5*few)
}

func TestCostDoesNotGrowWithNorms(t *testing.T) {
	if raceEnabled {
		t.Skip("what is counted is the same under the race detector")
	}
	for _, kind := range []workload.Distribution{workload.Zipf, workload.Uniform} {
		t.Run(kind.String(), func(t *testing.T) {
			few, fewHit := probesIn(t, workload.World{Size: 1_000, Distribution: kind})
			many, manyHit := probesIn(t, workload.World{Size: 100_000, Distribution: kind})
			require.Less(t, few, 5.0)
			require.Less(t, fewHit, 12.0)
			require.Less(t, many, 1.2*few)
			require.Less(t, manyHit, 1.2*fewHit)
		})
	}
}

func TestCostIsBoundedInHostileWorlds(t *testing.T) {
	if raceEnabled {
		t.Skip("what is counted is the same under the race detector")
	}
	for _, kind := range []workload.Distribution{workload.OneVerb, workload.OneWord, workload.OnlyWord, workload.Colliding} {
		t.Run(kind.String(), func(t *testing.T) {
			misses, hits := probesIn(t, workload.World{Size: 100_000, Distribution: kind})
			require.Less(t, misses, 30.0)
			require.Less(t, hits, 30.0)
		})
	}
}

// If conditions are 8 out of 32 words and actions have 16 of those, no word is rare. A
// check then reads the entries under the action's words that have its verb, or all of
// these entries if the action has several verbs.
func TestCostWhereNoWordIsRareIsThatOfTheEntriesOfTheVerb(t *testing.T) {
	if raceEnabled {
		t.Skip("what is counted is the same under the race detector")
	}
	for _, n := range []int{1_000, 100_000} {
		defer token.Reseed(0)()
		g, err := newFixture(workload.World{Size: n, Distribution: workload.EightOf32})
		require.NoError(t, err)
		require.Less(t, g.meanProbes(g.misses), 0.1*float64(n))
		compared := 0
		for _, a := range g.misses {
			compared += g.Constitution.Candidates(a)
		}
		require.Less(t, compared, 2*len(g.misses), "a check compares the texts of few norms that do not hold")
		actions := slices.Clone(g.misses)
		for i := range actions {
			actions[i].Verb += " also"
		}
		require.Less(t, g.meanProbes(actions), 0.75*float64(n))
		require.Greater(t, g.meanProbes(actions), 0.03*float64(n), "or the package comment says too little")
	}
}

// A word that stands in an action a thousand times is looked up once.
func TestCostOfALongActionIsThatOfItsDifferentWords(t *testing.T) {
	g := fixtureOf(t, workload.World{Size: 100_000, Distribution: workload.OneVerb})
	a := g.hits[0]
	once := g.Constitution.Probes(a)
	a.Location += strings.Repeat(" "+strings.Fields(a.Location)[0], 1_000)
	require.LessOrEqual(t, g.Constitution.Candidates(a), once)
}

func TestCheckAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	plain := fixtureOf(t, workload.World{Size: 1_000})
	long := actionOf(plain.Long(0, 64<<10))
	crowded := plain.hits[0]
	crowded.Faction = strings.Repeat("word ", 100)
	prefixes, err := normsync.Compile(normsync.Norm{Name: "n", Condition: "w0* w1* w22* wor*", Unless: "zone", Prohibited: "attack"})
	require.NoError(t, err)
	varied := normsync.Action{Verb: "attack", Location: "zone word"}
	for i := range 1_000 {
		varied.Location += fmt.Sprintf(" w%dx", i)
	}
	room := make([]normsync.Violation, 0, 1_024)
	check := func(g *fixture, a normsync.Action) func() { return func() { room = g.AppendCheck(room[:0], a) } }
	with := func(feature workload.Feature) *fixture {
		return fixtureOf(t, workload.World{Size: 1_000, Feature: feature})
	}
	for name, f := range map[string]func(){
		"where nothing is violated":                 check(plain, plain.misses[0]),
		"where nothing is violated, in a new slice": func() { plain.Check(plain.misses[0]) },
		"where the slice has room":                  check(plain, plain.hits[0]),
		"for an action of 64 KiB":                   check(plain, long),
		"for an action of many words":               check(plain, crowded),
		"with prefixes":                             check(with(workload.Prefixed), with(workload.Prefixed).hits[0]),
		"with prefixes, for many different words":   func() { prefixes.Check(varied) },
		"with names of fields":                      check(with(workload.Qualified), with(workload.Qualified).hits[0]),
		"with words of the agent":                   check(with(workload.OfAgents), with(workload.OfAgents).hits[0]),
		"with exceptions":                           check(with(workload.Excepted), with(workload.Excepted).hits[0]),
		"with permits":                              check(with(workload.Permitted), with(workload.Permitted).hits[0]),
		"in Allows, where nothing is violated":      func() { plain.Allows(plain.misses[0]) },
		"in Allows, where something is":             func() { plain.Allows(plain.hits[0]) },
		"in Allows, for an action of 64 KiB":        func() { plain.Allows(long) },
		"without norms":                             func() { new(normsync.Constitution).Check(long) },
	} {
		t.Run(name, func(t *testing.T) { require.Zero(t, testing.AllocsPerRun(100, f)) })
	}
}

func TestACheckCopiesOnlyWordsThatItComparesAndMustChange(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	c, err := normsync.Compile(prohibition("emoji", "⚔️", "attack"), prohibition("bar", `a\|b`, "attack"), prohibition("agent", "agent:gm tower", "attack"))
	require.NoError(t, err)
	room := make([]normsync.Violation, 0, 4)
	for _, test := range []struct {
		why    string
		a      normsync.Action
		copies float64
	}{
		{"no norm is compared", normsync.Action{Agent: "\xff", Verb: "att\u200back", Location: "🛡️ else\u200bwhere"}, 0},
		{"a norm and a location have the same invisible character", normsync.Action{Verb: "attack", Location: "⚔️"}, 2},
		{"a norm has a bar in a word", normsync.Action{Verb: "attack", Location: "a|b"}, 1},
		{"the agent has an invalid byte", normsync.Action{Agent: "gm \xff", Verb: "attack", Location: "tower"}, 1},
	} {
		require.Equal(t, test.copies, testing.AllocsPerRun(100, func() { room = c.AppendCheck(room[:0], test.a) }), test.why)
	}
}

func TestReplacedConstitutionIsFreeOnceNobodyReadsIt(t *testing.T) {
	m, err := normsync.NewMonitor(normsOfWorld(workload.World{Size: 1_000})...)
	require.NoError(t, err)
	freed := make(chan struct{})
	collected := func(within int) bool {
		for range within { // cleanups run some time after a collection, in a goroutine of their own
			runtime.GC()
			select {
			case <-freed:
				return true
			default:
				runtime.Gosched()
			}
		}
		return false
	}
	reader := m.Constitution()
	runtime.AddCleanup(reader, func(c chan struct{}) { close(c) }, freed)

	applyTo(t, m, normsync.Enact(prohibition("one-more", "", "attack")))
	require.False(t, collected(5), "somebody reads it")
	require.Equal(t, 1_000, reader.Len())

	reader = nil
	require.True(t, collected(1_000))
}

// A constitution shares most of its memory with the one before it. Were any
// part of those before kept, memory would grow with the number of changes.
func TestMemoryDoesNotGrowWithChanges(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector keeps memory of its own")
	}
	const n = 10_000
	w := workload.World{Size: n}
	c := fixtureOf(t, w).Constitution
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	change := func(from, to int) {
		for i := from; i < to; i++ {
			norm := normOf(w.Norm(i * 7919 % n))
			norm.Condition = fmt.Sprint("changed-", i)
			c = c.Successor(normsync.Revision{Edition: uint64(i + 1), Version: 2, Change: normsync.Amend(norm)})
		}
	}
	change(0, n) // each norm once, so that all pages are the new constitution's own
	before := heap()
	change(n, 2*n)
	grown := heap() - before
	require.Less(t, grown, int64(n*100), "%d bytes", grown)
	require.Equal(t, n, c.Len())
}

// prepare returns an action as words.
func prepare(a normsync.Action) *normsync.Prepared {
	words := func(text string) []normsync.Word { return normsync.AppendWords(nil, text) }
	return &normsync.Prepared{
		Agent: words(a.Agent), Verb: words(a.Verb), Location: words(a.Location), Target: words(a.Target), Faction: words(a.Faction), Facts: words(a.Facts),
		Metadata: a.Metadata, Time: a.Time,
	}
}

func TestAPreparedActionIsJudgedAsTheAction(t *testing.T) {
	agree := func(t *testing.T, w *twinWorld, size int) {
		norms := w.norms(size)
		c, err := normsync.Compile(norms...)
		require.NoError(t, err)
		for range 30 {
			a := w.action()
			a.Metadata = `{"tick":1}`
			p := prepare(a)
			want := twin(norms).check(a)
			got := c.AppendCheckPrepared(nil, p)
			require.Equal(t, want, verdicts(got), "%+q\n%+q", a, norms)
			require.Equal(t, c.Allows(a), c.AllowsPrepared(p), "%+q", a)
			require.Equal(t, want, verdicts(c.Check(p.Action())), "the text means the same: %+q, %+q", p.Action(), a)
			for _, v := range got {
				require.Equal(t, p.Action(), v.Action)
			}
		}
	}
	worlds := func(t *testing.T, count uint64) {
		for seed := range count {
			agree(t, plainWorld(seed), 1+int(seed%40))
			agree(t, hostileWorld(seed), 1+int(seed%40))
		}
		agree(t, hostileWorld(count), 400)
	}
	t.Run("in random worlds", func(t *testing.T) { worlds(t, 120) })
	t.Run("when every hash is the same", func(t *testing.T) {
		defer token.Blunt()()
		worlds(t, 40)
	})
}

func TestAppendAllowedIsAllowsForEachVerb(t *testing.T) {
	agree := func(t *testing.T, w *twinWorld) {
		c, err := normsync.Compile(w.norms(1 + w.IntN(40))...)
		require.NoError(t, err)
		for range 20 {
			a := w.action()
			verbs := []string{"", "*", " \t", "\u200B"}
			for range w.IntN(12) {
				verbs = append(verbs, w.text(3))
			}
			want := []string{"kept"}
			for _, verb := range verbs {
				b := a
				if b.Verb = verb; c.Allows(b) {
					want = append(want, verb)
				}
			}
			require.Equal(t, want, c.AppendAllowed([]string{"kept"}, a, verbs...), "%+q", a)
			p := prepare(a)
			require.Equal(t, want, c.AppendAllowedPrepared([]string{"kept"}, p, verbs...), "%+q", a)
			require.Equal(t, prepare(a), p, "the argument is left as it was")
		}
	}
	t.Run("in random worlds", func(t *testing.T) {
		for seed := range uint64(150) {
			agree(t, plainWorld(seed))
			agree(t, hostileWorld(seed))
		}
	})
	t.Run("when every hash is the same", func(t *testing.T) {
		defer token.Blunt()()
		for seed := range uint64(50) {
			agree(t, hostileWorld(seed))
		}
	})
	require.Nil(t, new(normsync.Constitution).AppendAllowed(nil, normsync.Action{}))
	require.Equal(t, []string{"attack"}, new(normsync.Constitution).AppendAllowed(nil, normsync.Action{Location: strings.Repeat("x ", 100)}, "attack"))
}

func TestWordsAreThoseOfTheText(t *testing.T) {
	require.Nil(t, normsync.AppendWords(nil, " \t\u00A0"))
	words := normsync.AppendWords(normsync.AppendWords(nil, "town  Safe_Zone"), "\u200Bx\u2003\u00AD 睡觉")
	require.Equal(t, "[town Safe_Zone \u200Bx \u00AD 睡觉]", fmt.Sprint(words))
	at := time.Unix(1, 0).UTC()
	p := normsync.Prepared{Agent: words[:1], Verb: words[1:2], Location: words, Facts: []normsync.Word{{}, words[0], {}, {}, words[1]}, Metadata: "{}", Time: at}
	require.Equal(t, normsync.Action{Agent: "town", Verb: "Safe_Zone", Location: "town Safe_Zone \u200Bx \u00AD 睡觉", Facts: "town Safe_Zone", Metadata: "{}", Time: at}, p.Action())
	c, err := normsync.Compile(normsync.Norm{Name: "a", Condition: "facts:Safe_zone*", Prohibited: "safe_*"})
	require.NoError(t, err)
	require.Len(t, c.AppendCheckPrepared(nil, &p), 1, "zero words are ignored")
	require.Equal(t, normsync.Action{}, new(normsync.Prepared).Action())
}

func TestWordsSurviveAChangeOfTheConstitution(t *testing.T) {
	p := prepare(normsync.Action{Agent: "hero", Verb: "attack", Location: "town safe_zone"})
	m := new(normsync.Monitor)
	require.True(t, m.Constitution().AllowsPrepared(p))
	_, err := m.Apply(t.Context(), normsync.Enact(prohibition("peace", "safe_zone", "attack")))
	require.NoError(t, err)
	require.False(t, m.Constitution().AllowsPrepared(p))
	require.Equal(t, m.Check(p.Action()), m.Constitution().AppendCheckPrepared(nil, p))
}

func TestPreparedAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	c, err := normsync.Compile(
		prohibition("peace", "safe_zone", "attack"), prohibition("no magic", "town*", "cast_*"), prohibition("staff", "agent:gm-*", "trade"),
		normsync.Norm{Name: "arena", Condition: "arena", Permitted: "attack", Priority: 9})
	require.NoError(t, err)
	miss := prepare(normsync.Action{Agent: "the hero", Verb: "walk slowly", Location: "town safe_zone", Target: "goblin", Faction: "red", Facts: "night war"})
	overridden := prepare(normsync.Action{Agent: "the hero", Verb: "attack", Location: "arena safe_zone"})
	hit := prepare(normsync.Action{Agent: "hero", Verb: "attack", Location: "safe_zone", Target: "goblin", Faction: "red", Facts: "night"})
	long := prepare(normsync.Action{Verb: "walk", Location: strings.Repeat("a bc def ", 50)})
	vs, allowed, words := make([]normsync.Violation, 0, 4), make([]string, 0, 4), make([]normsync.Word, 0, 8)
	verbs := []string{"walk", "attack", "cast_fire", "trade"}
	for name, f := range map[string]func(){
		"a miss":                    func() { vs = c.AppendCheckPrepared(vs[:0], miss) },
		"an overridden prohibition": func() { vs = c.AppendCheckPrepared(vs[:0], overridden) },
		"a hit of single words":     func() { vs = c.AppendCheckPrepared(vs[:0], hit) },
		"a long action":             func() { vs = c.AppendCheckPrepared(vs[:0], long) },
		"AllowsPrepared":            func() { c.AllowsPrepared(miss); c.AllowsPrepared(overridden); c.AllowsPrepared(hit) },
		"AppendAllowed":             func() { allowed = c.AppendAllowed(allowed[:0], normsync.Action{Location: "town safe_zone"}, verbs...) },
		"AppendAllowedPrepared":     func() { allowed = c.AppendAllowedPrepared(allowed[:0], miss, verbs...) },
		"AppendWords":               func() { words = normsync.AppendWords(words[:0], "town safe_zone 睡觉") },
		"the text of single words":  func() { _ = hit.Action() },
	} {
		f()
		require.Zero(t, testing.AllocsPerRun(100, f), name)
	}
	require.Equal(t, []string{"walk", "trade"}, allowed)
	require.Equal(t, 1.0, testing.AllocsPerRun(100, func() { _ = miss.Action() }), "one for the texts of all fields")
}
