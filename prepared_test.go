package normsync

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync/internal/token"
)

// prepare returns an action as words.
func prepare(a Action) *Prepared {
	words := func(text string) []Word { return AppendWords(nil, text) }
	return &Prepared{
		Agent: words(a.Agent), Verb: words(a.Verb), Location: words(a.Location), Target: words(a.Target), Faction: words(a.Faction), Facts: words(a.Facts),
		Metadata: a.Metadata, Time: a.Time,
	}
}

func TestAPreparedActionIsJudgedAsTheAction(t *testing.T) {
	agree := func(t *testing.T, w *twinWorld, size int) {
		norms := w.norms(size)
		c, err := Compile(norms...)
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
		c, err := Compile(w.norms(1 + w.IntN(40))...)
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
	require.Nil(t, new(Constitution).AppendAllowed(nil, Action{}))
	require.Equal(t, []string{"attack"}, new(Constitution).AppendAllowed(nil, Action{Location: strings.Repeat("x ", 100)}, "attack"))
}

func TestWordsAreThoseOfTheText(t *testing.T) {
	require.Nil(t, AppendWords(nil, " \t\u00A0"))
	words := AppendWords(AppendWords(nil, "town  Safe_Zone"), "\u200Bx\u2003\u00AD 睡觉")
	require.Equal(t, "[town Safe_Zone \u200Bx \u00AD 睡觉]", fmt.Sprint(words))
	at := time.Unix(1, 0).UTC()
	p := Prepared{Agent: words[:1], Verb: words[1:2], Location: words, Facts: []Word{{}, words[0], {}, {}, words[1]}, Metadata: "{}", Time: at}
	require.Equal(t, Action{Agent: "town", Verb: "Safe_Zone", Location: "town Safe_Zone \u200Bx \u00AD 睡觉", Facts: "town Safe_Zone", Metadata: "{}", Time: at}, p.Action())
	c, err := Compile(Norm{Name: "a", Condition: "facts:Safe_zone*", Prohibited: "safe_*"})
	require.NoError(t, err)
	require.Len(t, c.AppendCheckPrepared(nil, &p), 1, "zero words are ignored")
	require.Equal(t, Action{}, new(Prepared).Action())
}

func TestWordsSurviveAChangeOfTheConstitution(t *testing.T) {
	p := prepare(Action{Agent: "hero", Verb: "attack", Location: "town safe_zone"})
	m := new(Monitor)
	require.True(t, m.Constitution().AllowsPrepared(p))
	_, err := m.Apply(t.Context(), Enact(prohibition("peace", "safe_zone", "attack")))
	require.NoError(t, err)
	require.False(t, m.Constitution().AllowsPrepared(p))
	require.Equal(t, m.Check(p.Action()), m.Constitution().AppendCheckPrepared(nil, p))
}

func TestPreparedAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	c, err := Compile(
		prohibition("peace", "safe_zone", "attack"), prohibition("no magic", "town*", "cast_*"), prohibition("staff", "agent:gm-*", "trade"),
		Norm{Name: "arena", Condition: "arena", Permitted: "attack", Priority: 9})
	require.NoError(t, err)
	miss := prepare(Action{Agent: "the hero", Verb: "walk slowly", Location: "town safe_zone", Target: "goblin", Faction: "red", Facts: "night war"})
	lifted := prepare(Action{Agent: "the hero", Verb: "attack", Location: "arena safe_zone"})
	hit := prepare(Action{Agent: "hero", Verb: "attack", Location: "safe_zone", Target: "goblin", Faction: "red", Facts: "night"})
	long := prepare(Action{Verb: "walk", Location: strings.Repeat("a bc def ", 50)})
	vs, allowed, words := make([]Violation, 0, 4), make([]string, 0, 4), make([]Word, 0, 8)
	verbs := []string{"walk", "attack", "cast_fire", "trade"}
	for name, f := range map[string]func(){
		"a miss":                   func() { vs = c.AppendCheckPrepared(vs[:0], miss) },
		"a lifted prohibition":     func() { vs = c.AppendCheckPrepared(vs[:0], lifted) },
		"a hit of single words":    func() { vs = c.AppendCheckPrepared(vs[:0], hit) },
		"a long action":            func() { vs = c.AppendCheckPrepared(vs[:0], long) },
		"AllowsPrepared":           func() { c.AllowsPrepared(miss); c.AllowsPrepared(lifted); c.AllowsPrepared(hit) },
		"AppendAllowed":            func() { allowed = c.AppendAllowed(allowed[:0], Action{Location: "town safe_zone"}, verbs...) },
		"AppendAllowedPrepared":    func() { allowed = c.AppendAllowedPrepared(allowed[:0], miss, verbs...) },
		"AppendWords":              func() { words = AppendWords(words[:0], "town safe_zone 睡觉") },
		"the text of single words": func() { _ = hit.Action() },
	} {
		f()
		require.Zero(t, testing.AllocsPerRun(100, f), name)
	}
	require.Equal(t, []string{"walk", "trade"}, allowed)
	require.Equal(t, 1.0, testing.AllocsPerRun(100, func() { _ = miss.Action() }), "one for the texts of all fields")
}
