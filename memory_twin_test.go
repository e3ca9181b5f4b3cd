package normsync_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/internal/token"
)

// twinMemory is the readable definition of a Memory. It keeps the whole history of each key,
// and computes facts from it each time.
type twinMemory struct {
	facts   []normsync.Fact // canonical
	limit   int
	keys    []string // by use, the oldest first
	history map[string][]twinEvent
	evicted uint64
}

// twinEvent says that a fact counted, or ended, at a time.
type twinEvent struct {
	fact int
	at   time.Time
	ends bool
}

// newTwinMemory returns the twin of an empty memory, whose facts have a Count and a Per.
func newTwinMemory(m *normsync.Memory, limit int) *twinMemory {
	return &twinMemory{facts: slices.Collect(m.All()), limit: limit, history: map[string][]twinEvent{}}
}

// pers returns the different Pers in order of declaration.
func (t *twinMemory) pers() (pers []string) {
	for _, f := range t.facts {
		if !slices.Contains(pers, f.Per) {
			pers = append(pers, f.Per)
		}
	}
	return pers
}

func twinKey(per string, a normsync.Action) string {
	key := per
	fields := twinSplit(a)
	for _, field := range strings.Fields(per) {
		key += "\n"
		for _, word := range fields.words[field] {
			if field == "agent" {
				key += " " + token.FoldAgent(word)
			} else {
				key += " " + token.Fold(word)
			}
		}
	}
	return key
}

// twinTime is the time at which an action counts: 1970 if it has none.
func twinTime(a normsync.Action) time.Time {
	if a.Time.IsZero() {
		return time.Unix(0, 0)
	}
	return a.Time
}

func (t *twinMemory) holds(fact int, a normsync.Action) bool {
	f := t.facts[fact]
	var times []time.Time
	var last time.Time // no time that a test has is before it
	for _, e := range t.history[twinKey(f.Per, a)] {
		if e.fact != fact {
			continue
		}
		if e.at.After(last) {
			last = e.at
		}
		if e.ends {
			times = nil
		} else {
			times = append(times, last)
		}
	}
	now := twinTime(a)
	if now.Before(last) {
		now = last
	}
	n := 0
	for _, at := range times {
		if f.Within == 0 || now.Before(at.Add(f.Within)) {
			n++
		}
	}
	return n >= f.Count
}

func (t *twinMemory) holding(a normsync.Action) string {
	names := []string{}
	for _, per := range t.pers() {
		for i, f := range t.facts {
			if f.Per == per && t.holds(i, a) {
				names = append(names, f.Name)
			}
		}
	}
	return strings.Join(names, " ")
}

func (t *twinMemory) happened(a normsync.Action) {
	seen := a // its Facts are those that the memory knows, and no others of the same name
	words := strings.FieldsFunc(twinVisible(a.Facts), unicode.IsSpace)
	words = slices.DeleteFunc(words, func(word string) bool {
		return slices.ContainsFunc(t.facts, func(f normsync.Fact) bool { return strings.EqualFold(f.Name, word) })
	})
	seen.Facts = strings.Join(append(words, t.holding(a)), " ")
	matches := func(tokens string) bool {
		return tokens != "" && twinSplit(seen).applies(normsync.Norm{Condition: tokens, Prohibited: "*"})
	}
	var events []twinEvent
	for i, f := range t.facts {
		if matches(f.Until) {
			events = append(events, twinEvent{i, twinTime(a), true})
		}
		if matches(f.After) {
			events = append(events, twinEvent{i, twinTime(a), false})
		}
	}
	t.change(a, events)
}

func (t *twinMemory) violated(v normsync.Violation) {
	var events []twinEvent
	for i, f := range t.facts {
		for _, name := range strings.Fields(f.Broke) {
			beginning, prefix := strings.CutSuffix(name, "*")
			if !v.Shadow && (name == v.NormName || prefix && strings.HasPrefix(v.NormName, beginning)) {
				events = append(events, twinEvent{i, twinTime(v.Action), false})
				break
			}
		}
	}
	if !v.Shadow {
		t.change(v.Action, events)
	}
}

func (t *twinMemory) change(a normsync.Action, events []twinEvent) {
	for _, per := range t.pers() {
		key := twinKey(per, a)
		var mine []twinEvent
		counts := false
		for _, e := range events {
			if t.facts[e.fact].Per == per {
				mine = append(mine, e)
				counts = counts || !e.ends
			}
		}
		if per != "world" {
			if at := slices.Index(t.keys, key); at >= 0 {
				t.keys = append(slices.Delete(t.keys, at, at+1), key)
			} else if !counts {
				continue
			} else {
				if len(t.keys) == t.limit {
					delete(t.history, t.keys[0])
					t.keys = t.keys[1:]
					t.evicted++
				}
				t.keys = append(t.keys, key)
			}
		}
		t.history[key] = append(t.history[key], mine...)
	}
}

// memoryWorld makes random facts, and a random log in which few agents often do the same.
type memoryWorld struct {
	*twinWorld
	now    time.Time
	agents []string
}

func newMemoryWorld(w *twinWorld) *memoryWorld {
	start := []time.Time{time.Unix(1_000_000, 5), time.Unix(0, 0), time.Date(1247, 3, 1, 0, 0, 0, 0, time.UTC), time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)}
	m := &memoryWorld{w, start[w.IntN(len(start))].UTC(), nil}
	for range 6 {
		m.agents = append(m.agents, w.text(2))
	}
	return m
}

func (w *memoryWorld) fact(i int, others []normsync.Fact) normsync.Fact {
	condition := func() string {
		text := w.condition(2)
		if len(others) > 0 && w.IntN(3) == 0 {
			text += " " + w.of("facts:", "", "FACTS:") + others[w.IntN(len(others))].Name
		}
		return text
	}
	f := normsync.Fact{Name: fmt.Sprint("fact", i), Until: w.of("", condition()), Count: w.IntN(4), Within: time.Duration(w.IntN(3)) * 2500 * time.Millisecond,
		Per: w.of("", "agent", "target", "world", "verb agent", "Location Faction", "agent target")}
	if f.After = condition(); f.After == "" || w.IntN(3) == 0 {
		f.After, f.Broke = "", w.of("n0", "n1 n2", "n*", "n1 n* n", "*")
	}
	if strings.TrimSpace(f.After) == "" {
		f.After = ""
	}
	return f
}

// next returns the next action of the log. Sometimes it comes late, or has no time.
func (w *memoryWorld) next() normsync.Action {
	w.now = w.now.Add(time.Duration(w.IntN(5)) * 500 * time.Millisecond)
	a := w.action()
	a.Agent, a.Time = w.of(w.agents...), w.now
	a.Target = w.of(a.Target, w.agents[0], w.agents[1])
	switch w.IntN(12) {
	case 0:
		a.Time = w.now.Add(-time.Duration(w.IntN(8)) * time.Second)
	case 1:
		a.Time = time.Time{}
	}
	if w.IntN(4) == 0 {
		a.Facts += " fact0 FACT1" // words that the memory decides about
	}
	return a
}

// facts returns n random facts.
func (w *memoryWorld) facts(t *testing.T, n int) []normsync.Fact {
	var facts []normsync.Fact
	for i := range n {
		f := w.fact(i, facts)
		require.NoError(t, f.Validate(), "%+q", f)
		facts = append(facts, f)
	}
	return facts
}

// step lets the next action of the log happen, or be violated, in all of the memories.
func (w *memoryWorld) step(do func(a normsync.Action, vs []normsync.Violation)) {
	a := w.next()
	var vs []normsync.Violation
	for w.IntN(3) == 0 {
		vs = append(vs, normsync.Violation{NormName: fmt.Sprint("n", w.IntN(4)), Shadow: w.IntN(5) == 0, Action: a})
	}
	do(a, vs)
}

// tell passes an action to a memory, and its violations if it has some.
func tell(m *normsync.Memory, a normsync.Action, vs []normsync.Violation, prepared bool) {
	switch {
	case len(vs) > 0:
		m.Violated(vs...)
	case prepared:
		m.HappenedPrepared(prepare(a))
	default:
		m.Happened(a)
	}
}

func (t *twinMemory) tell(a normsync.Action, vs []normsync.Violation) {
	if len(vs) == 0 {
		t.happened(a)
	}
	for _, v := range vs {
		t.violated(v)
	}
}

func memoryOf(t testing.TB, o *normsync.MemoryOptions, facts ...normsync.Fact) *normsync.Memory {
	t.Helper()
	m, err := normsync.NewMemory(facts, o)
	require.NoError(t, err)
	return m
}

// inMemoryWorlds runs a test in plain and in hostile worlds, and when every hash is the same.
func inMemoryWorlds(t *testing.T, count uint64, test func(t *testing.T, w *memoryWorld)) {
	worlds := func(t *testing.T, count uint64) {
		for seed := range count {
			test(t, newMemoryWorld(plainWorld(seed)))
			test(t, newMemoryWorld(hostileWorld(seed)))
		}
	}
	t.Run("in random worlds", func(t *testing.T) { worlds(t, count) })
	t.Run("when every hash is the same", func(t *testing.T) {
		defer token.Blunt()()
		worlds(t, count/3)
	})
}

func TestMemoryAgreesWithItsTwin(t *testing.T) {
	held := 0
	inMemoryWorlds(t, 60, func(t *testing.T, w *memoryWorld) {
		facts := w.facts(t, 1+w.IntN(10))
		limit := []int{3, 8, 1000}[w.IntN(3)]
		m := memoryOf(t, &normsync.MemoryOptions{Keys: limit}, facts...)
		twin := newTwinMemory(m, limit)
		for range 80 {
			w.step(func(a normsync.Action, vs []normsync.Violation) {
				want := twin.holding(a)
				require.Equal(t, want, m.Facts(a), "%+q\n%+q", a, facts)
				if want != "" {
					held++
				}
				var words []string
				for _, word := range m.AppendFacts(nil, prepare(a)) {
					words = append(words, word.String())
				}
				require.Equal(t, want, strings.Join(words, " "), "prepared: %+q", a)
				for i, f := range twin.facts {
					found, err := m.Explain(f.Name, a)
					require.NoError(t, err)
					require.Equal(t, twin.holds(i, a), found.Holds, "%s of %+q", found.Reason, a)
					require.Equal(t, found.Holds, found.Count >= f.Count, "%+v", found)
				}
				tell(m, a, vs, w.IntN(2) == 0)
				twin.tell(a, vs)
			})
		}
		require.Equal(t, normsync.MemoryStats{len(twin.keys), twin.evicted}, m.Stats())
	})
	require.Greater(t, held, 2000, "the worlds are such that facts hold")
}

// A log that is judged again, by a new process or a new memory, gives the same facts.
func TestReplayOfALogGivesTheSameFacts(t *testing.T) {
	type step struct {
		a  normsync.Action
		vs []normsync.Violation
	}
	for seed := range uint64(20) {
		w := newMemoryWorld(hostileWorld(seed))
		facts := w.facts(t, 8)
		var log []step
		for range 300 {
			w.step(func(a normsync.Action, vs []normsync.Violation) { log = append(log, step{a, vs}) })
		}
		replay := func() (lines []string, snapshot string) {
			m := memoryOf(t, &normsync.MemoryOptions{Keys: 10}, facts...)
			for _, s := range log {
				lines = append(lines, m.Facts(s.a))
				tell(m, s.a, s.vs, false)
			}
			return lines, snapshotOf(t, m)
		}
		lines, snapshot := replay()
		restore := token.Reseed(seed) // as in another process
		again, snapshotAgain := replay()
		restore()
		require.Equal(t, lines, again)
		require.Equal(t, snapshot, snapshotAgain)
	}
}
