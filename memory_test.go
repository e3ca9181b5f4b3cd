package normsync_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
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

func newTwinMemory(facts []normsync.Fact, limit int) *twinMemory {
	t := &twinMemory{limit: limit, history: map[string][]twinEvent{}}
	for _, f := range facts {
		t.facts = append(t.facts, f.Canonical())
	}
	return t
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

// worldFacts returns random facts.
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
		m, twin := memoryOf(t, &normsync.MemoryOptions{Keys: limit}, facts...), newTwinMemory(facts, limit)
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

func snapshotOf(t testing.TB, m *normsync.Memory) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, m.Snapshot(&b))
	return b.String()
}

func TestRestoreContinuesWhereTheSnapshotWasTaken(t *testing.T) {
	inMemoryWorlds(t, 30, func(t *testing.T, w *memoryWorld) {
		facts := w.facts(t, 1+w.IntN(8))
		limit := []int{4, 1000}[w.IntN(2)]
		m := memoryOf(t, &normsync.MemoryOptions{Keys: limit}, facts...)
		for range 60 {
			w.step(func(a normsync.Action, vs []normsync.Violation) { tell(m, a, vs, false) })
		}
		text := snapshotOf(t, m)
		restored := memoryOf(t, &normsync.MemoryOptions{Keys: limit}, facts...)
		tell(restored, w.next(), nil, false) // is forgotten
		require.NoError(t, restored.Restore(strings.NewReader(text)), text)
		require.Equal(t, text, snapshotOf(t, restored))
		require.Equal(t, m.Stats().Keys, restored.Stats().Keys)
		for range 60 {
			w.step(func(a normsync.Action, vs []normsync.Violation) {
				require.Equal(t, m.Facts(a), restored.Facts(a), "%+q\n%+q\n%s", a, facts, text)
				tell(m, a, vs, false)
				tell(restored, a, vs, false)
			})
		}
		require.Equal(t, snapshotOf(t, m), snapshotOf(t, restored))
	})
}

var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// at returns an action some seconds after noon.
func at(seconds float64, agent, verb, target string) normsync.Action {
	return normsync.Action{Agent: agent, Verb: verb, Target: target, Time: noon.Add(time.Duration(seconds * float64(time.Second)))}
}

func TestRestoreKeepsWhatTheDeclarationsStillNeed(t *testing.T) {
	before := memoryOf(t, nil,
		normsync.Fact{Name: "hot", After: "verb:run", Count: 2, Within: time.Minute},
		normsync.Fact{Name: "seen", After: "*"},
		normsync.Fact{Name: "gone", After: "*"},
		normsync.Fact{Name: "moved", After: "*", Per: "target"})
	for s := range 3 {
		before.Happened(at(float64(s), "a", "run", ""))
	}
	after := memoryOf(t, nil,
		normsync.Fact{Name: "HOT", After: "verb:run", Count: 3, Within: time.Hour},
		normsync.Fact{Name: "seen", After: "*", Count: 3},
		normsync.Fact{Name: "moved", After: "*", Per: "agent"},
		normsync.Fact{Name: "new", After: "*"})
	require.NoError(t, after.Restore(strings.NewReader(snapshotOf(t, before))))
	require.Equal(t, "", after.Facts(at(3, "a", "run", "")), "two times of hot, and one of seen, are known")
	after.Happened(at(4, "a", "run", ""))
	require.Equal(t, "HOT moved new", after.Facts(at(5, "a", "run", "")))
}

func TestRestoreSaysWhatIsWrong(t *testing.T) {
	m := memoryOf(t, nil, normsync.Fact{Name: "f", After: "*"})
	m.Happened(at(0, "a", "run", ""))
	before := snapshotOf(t, m)
	state := func(s string) string {
		return `{"format":1,"keys":[{"per":"agent","key":["a"],"facts":[{"name":"f",` + s + `}]}]}`
	}
	require.NoError(t, m.Restore(strings.NewReader(state(`"count":1,"last":2,"times":[1]`))))
	require.NoError(t, m.Restore(strings.NewReader(before)))
	for text, want := range map[string]string{
		``:                         `snapshot in line 1, column 1: want an object, found the end of the text`,
		`{"keys":[]}`:              `key "format" is missing`,
		`{"format":2,"keys":[]}`:   `format 2 is unknown; read the snapshot with a newer version`,
		`{"format":1,"keys":[]} 1`: `want the end of the text`,
		`{"format":1,"keys":[{"per":"agent","key":[],"facts":[]}]}`:        `the key has 0 texts, and Per has 1 fields`,
		`{"format":1,"keys":[{"per":"world","key":["a"],"facts":[]}]}`:     `the key of the world has no texts`,
		`{"format":1,"keys":[{"per":"target agent","key":[],"facts":[]}]}`: `key "keys.per": want the Per of a fact, found "target agent"`,
		`{"format":1,"keys":[{"per":"clan","key":["a"],"facts":[]}]}`:      `want the Per of a fact`,
		state(`"count":-1,"last":1,"times":[]`):                            `-1 is not between 0 and 1000`,
		state(`"count":1,"last":1,"times":[]`):                             `there are 0 times for a count of 1`,
		state(`"count":1,"last":2,"times":[1,2]`):                          `there are 2 times for a count of 1`,
		state(`"count":2,"last":2,"times":[2,1]`):                          `the times are not in order`,
		state(`"count":1,"last":1,"times":[2]`):                            `the last time is before another one`,
		state(`"count":0,"last":1,"ended":2,"times":[]`):                   `the last time is before another one`,
		state(`"count":1,"last":1,"times":[1],"more":1`):                   `key "more" is unknown`,
	} {
		err := m.Restore(strings.NewReader(text))
		require.ErrorIs(t, err, normsync.ErrInvalid, text)
		require.ErrorContains(t, err, want, text)
	}
	require.Equal(t, before, snapshotOf(t, m), "an error changes nothing")
	broken := errors.New("broken")
	require.ErrorIs(t, m.Restore(brokenReader{broken}), broken)
	require.ErrorIs(t, m.Snapshot(brokenReader{broken}), broken)
}

type brokenReader struct{ err error }

func (r brokenReader) Read([]byte) (int, error)  { return 0, r.err }
func (r brokenReader) Write([]byte) (int, error) { return 0, r.err }

// Facts that count violations are rebuilt from the store after a restart.
func TestReplayViolationsRebuildsAMemory(t *testing.T) {
	var store normsync.MemStore
	facts := []normsync.Fact{{Name: "strike", Broke: "peace", Count: 2, Within: time.Minute}, {Name: "wanted", Broke: "*", Per: "agent location"}}
	m := memoryOf(t, nil, facts...)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 200 {
		v := normsync.Violation{NormName: []string{"peace", "quiet"}[r.IntN(2)], Severity: normsync.SeverityWarn, Shadow: r.IntN(4) == 0, Action: at(float64(5*i), fmt.Sprint("a", r.IntN(5)), "attack", "")}
		m.Violated(v)
		require.NoError(t, store.AppendViolations(t.Context(), v))
	}
	again := memoryOf(t, nil, facts...)
	last, err := again.ReplayViolations(normsync.QueryViolations(t.Context(), &store, normsync.ViolationQuery{}))
	require.NoError(t, err)
	require.Equal(t, uint64(200), last)
	require.Equal(t, snapshotOf(t, m), snapshotOf(t, again))

	broken := errors.New("broken")
	var fails iter.Seq2[normsync.StoredViolation, error] = func(yield func(normsync.StoredViolation, error) bool) {
		_ = yield(normsync.StoredViolation{Number: 7}, nil) && yield(normsync.StoredViolation{}, broken)
	}
	last, err = again.ReplayViolations(fails)
	require.ErrorIs(t, err, broken)
	require.Equal(t, uint64(7), last)
}

func TestWithinIsUpToAndNotIncludingItsEnd(t *testing.T) {
	m := memoryOf(t, nil, normsync.Fact{Name: "tired", After: "verb:run", Within: 10 * time.Second})
	m.Happened(at(0, "a", "run", ""))
	require.Equal(t, "tired", m.Facts(at(9.999, "a", "walk", "")))
	require.Equal(t, "", m.Facts(at(10, "a", "walk", "")))
	require.Equal(t, "tired", m.Facts(at(0, "A", "walk", "")), "the case of letters does not count")
	require.Equal(t, "", m.Facts(at(0, "b", "walk", "")))
}

func TestTimeDoesNotGoBack(t *testing.T) {
	m := memoryOf(t, nil, normsync.Fact{Name: "tired", After: "verb:run", Count: 2, Within: 10 * time.Second, Until: "verb:rest"})
	m.Happened(at(20, "a", "run", ""))
	m.Happened(at(1, "a", "run", "")) // comes late, and counts at 20
	require.Equal(t, "tired", m.Facts(at(0, "a", "walk", "")))
	require.Equal(t, "tired", m.Facts(at(29, "a", "walk", "")))
	require.Equal(t, "tired", m.Facts(normsync.Action{Agent: "a", Verb: "walk"}), "without a time")
	require.Equal(t, "", m.Facts(at(30, "a", "walk", "")))
	m.Happened(at(2, "a", "rest", "")) // late, too: the order of the calls decides
	require.Equal(t, "", m.Facts(at(21, "a", "walk", "")))
}

func TestAnActionThatEndsAFactAndMakesItMakesIt(t *testing.T) {
	m := memoryOf(t, nil, normsync.Fact{Name: "confirmed", After: "verb:confirm", Until: "*"})
	for _, step := range []struct{ verb, facts string }{{"confirm", ""}, {"confirm", "confirmed"}, {"pay", "confirmed"}, {"pay", ""}} {
		a := at(0, "a", step.verb, "")
		require.Equal(t, step.facts, m.Facts(a))
		m.Happened(a)
	}
}

func TestFactsOfFactsSeeWhatHeldBefore(t *testing.T) {
	declarations := []normsync.Fact{
		{Name: "ordered", After: "verb:order"},
		{Name: "paid", After: "verb:pay facts:ordered"},
		{Name: "shipped", After: "verb:ship facts:paid", Until: "facts:shipped"},
	}
	for _, facts := range [][]normsync.Fact{declarations, {declarations[2], declarations[1], declarations[0]}} {
		m := memoryOf(t, nil, facts...)
		m.Happened(normsync.Action{Agent: "a", Verb: "ship", Facts: "paid ordered"}) // the memory knows better
		m.Happened(normsync.Action{Agent: "a", Verb: "pay order"})                   // at once, not one after the other
		require.Equal(t, "ordered", m.Facts(normsync.Action{Agent: "a"}))
		m.Happened(normsync.Action{Agent: "a", Verb: "pay"})
		m.Happened(normsync.Action{Agent: "a", Verb: "ship"})
		require.ElementsMatch(t, []string{"ordered", "paid", "shipped"}, strings.Fields(m.Facts(normsync.Action{Agent: "a"})))
		m.Happened(normsync.Action{Agent: "a", Verb: "wait"})
		require.ElementsMatch(t, []string{"ordered", "paid"}, strings.Fields(m.Facts(normsync.Action{Agent: "a"})))
	}
}

func TestMemoryForgetsTheLeastRecentlyUsed(t *testing.T) {
	m := memoryOf(t, &normsync.MemoryOptions{Keys: 2}, normsync.Fact{Name: "in", After: "verb:login"})
	for _, agent := range []string{"a", "b"} {
		m.Happened(at(0, agent, "login", ""))
	}
	m.Happened(at(1, "a", "walk", ""))
	require.Equal(t, normsync.MemoryStats{Keys: 2}, m.Stats())
	m.Happened(at(2, "c", "login", ""))
	m.Happened(at(2, "d", "walk", "")) // nothing to remember
	require.Equal(t, normsync.MemoryStats{Keys: 2, Evicted: 1}, m.Stats())
	for agent, want := range map[string]string{"a": "in", "b": "", "c": "in", "d": ""} {
		require.Equal(t, want, m.Facts(at(3, agent, "walk", "")), agent)
	}
}

// An action that is violated has been seen, also if no fact counts violations.
func TestAViolationMarksItsKeysAsUsed(t *testing.T) {
	m := memoryOf(t, &normsync.MemoryOptions{Keys: 2}, normsync.Fact{Name: "in", After: "verb:login"})
	m.Happened(at(0, "a", "login", ""))
	m.Happened(at(0, "b", "login", ""))
	m.Violated(normsync.Violation{NormName: "peace", Action: at(1, "a", "attack", "")})
	m.Violated(normsync.Violation{NormName: "peace", Action: at(1, "b", "attack", ""), Shadow: true}) // a dry run
	m.Happened(at(2, "c", "login", ""))
	require.Equal(t, "in", m.Facts(at(3, "a", "walk", "")))
	require.Equal(t, "", m.Facts(at(3, "b", "walk", "")))
}

// Two goroutines that insert the same key at once insert it once.
func TestAKeyIsInsertedOnce(t *testing.T) {
	m := memoryOf(t, &normsync.MemoryOptions{Keys: 4}, normsync.Fact{Name: "in", After: "verb:login"})
	for range 3 {
		require.True(t, m.PutTwice(prepare(at(0, "a", "login", ""))))
		require.Equal(t, normsync.MemoryStats{Keys: 1}, m.Stats())
	}
	m.Happened(at(0, "b", "login", ""))
	require.Equal(t, normsync.MemoryStats{Keys: 2}, m.Stats())
}

// Times beyond those that a fact can end at, and the earliest time that there is.
func TestMemoryKnowsAllTimes(t *testing.T) {
	facts := []normsync.Fact{{Name: "long", After: "*", Within: math.MaxInt64}, {Name: "seen", After: "*", Per: "target"}}
	for _, sec := range []int64{math.MinInt64, math.MinInt64 + 1, 0, math.MaxInt64 - 1, math.MaxInt64} {
		m := memoryOf(t, nil, facts...)
		a := normsync.Action{Agent: "a", Verb: "x", Time: time.Unix(sec, 999_999_999).UTC()}
		m.Happened(a)
		require.Equal(t, "long seen", m.Facts(a))
		finding, err := m.Explain("long", a)
		require.NoError(t, err)
		require.Equal(t, a.Time, finding.Last)
		require.Equal(t, sec >= math.MaxInt64-1, finding.Until.IsZero(), "%s", finding.Reason)
		b, err := json.Marshal(finding)
		require.NoError(t, err)
		var read normsync.FactFinding
		require.NoError(t, json.Unmarshal(b, &read))
		require.Equal(t, finding, read)

		text := snapshotOf(t, m)
		require.Contains(t, text, `"per":"target"`)
		again := memoryOf(t, nil, facts...)
		require.NoError(t, again.Restore(strings.NewReader(text)))
		require.Equal(t, "long seen", again.Facts(a))
		require.Equal(t, text, snapshotOf(t, again))
	}
	m := memoryOf(t, nil, facts...)
	m.Happened(normsync.Action{Agent: "a", Verb: "x", Time: time.Unix(math.MinInt64, 0)})
	require.Contains(t, snapshotOf(t, m), `"facts":[{"name":"long","count":1,`)
}

func TestFactFindingJSON(t *testing.T) {
	m := memoryOf(t, nil, normsync.Fact{Name: "tired", After: "verb:run", Within: time.Minute, Until: "verb:rest"})
	m.Happened(at(0, "a", "run", ""))
	finding, err := m.Explain("tired", at(0, "a", "walk", ""))
	require.NoError(t, err)
	b, err := json.Marshal(finding)
	require.NoError(t, err)
	require.Equal(t, `{"fact":{"name":"tired","after":"verb:run","count":1,"within":"1m0s","per":"agent","until":"verb:rest"},"holds":true,"count":1,`+
		`"reason":"facts:tired holds: verb:run by this agent within 1m0s at 2026-07-01T12:00:00Z, until 2026-07-01T12:01:00Z","last":1782907200,"until":1782907260}`, string(b))
	var read normsync.FactFinding
	require.ErrorContains(t, json.Unmarshal([]byte(`{"last":"noon"}`), &read), "normsync: decode fact finding: ")
}

func TestExplainSaysWhyAFactHolds(t *testing.T) {
	m := memoryOf(t, nil,
		normsync.Fact{Name: "authenticated", After: "verb:login", Until: "verb:logout|quit"},
		normsync.Fact{Name: "third_strike", Broke: "peace", Count: 3, Within: 10 * time.Minute},
		normsync.Fact{Name: "exchanged", After: "verb:exchange", Per: "target agent"},
		normsync.Fact{Name: "alarm", Broke: `peace "no fire"`, Per: "world", Within: time.Hour})
	reason := func(fact string, a normsync.Action) string {
		t.Helper()
		f, err := m.Explain(fact, a)
		require.NoError(t, err)
		require.Equal(t, f.Holds, slices.Contains(strings.Fields(m.Facts(a)), f.Fact.Name))
		return f.Reason
	}
	a := at(0, "bob", "walk", "o1")
	require.Equal(t, "facts:authenticated is missing: no verb:login by this agent", reason("authenticated", a))
	m.Happened(at(0, "bob", "login", ""))
	require.Equal(t, "facts:authenticated holds: verb:login by this agent at 2026-07-01T12:00:00Z", reason("Authenticated", a))
	m.Happened(at(60, "bob", "quit", ""))
	require.Equal(t, "facts:authenticated is missing: no verb:login by this agent since verb:logout|quit at 2026-07-01T12:01:00Z", reason("authenticated", a))
	require.Equal(t, "facts:third_strike is missing: 0 of 3 violations of peace by this agent within 10m0s", reason("third_strike", a))
	for range 3 {
		m.Violated(normsync.Violation{NormName: "peace", Action: a})
	}
	require.Equal(t, "facts:third_strike holds: 3 of 3 violations of peace by this agent within 10m0s, the last at 2026-07-01T12:00:00Z, until 2026-07-01T12:10:00Z", reason("third_strike", a))
	require.Equal(t, "facts:third_strike is missing: 0 of 3 violations of peace by this agent within 10m0s, the last at 2026-07-01T12:00:00Z", reason("third_strike", at(600, "bob", "walk", "")))
	require.Equal(t, `facts:alarm holds: violation of peace "no fire" by anybody within 1h0m0s at 2026-07-01T12:00:00Z, until 2026-07-01T13:00:00Z`, reason("alarm", at(1, "eve", "walk", "")))
	m.Happened(at(0, "bob", "exchange", "O1"))
	require.Equal(t, "facts:exchanged holds: verb:exchange by this agent on this target at 2026-07-01T12:00:00Z", reason("exchanged", a))
	_, err := m.Explain("exchange", a)
	require.ErrorIs(t, err, normsync.ErrInvalid)
	require.ErrorContains(t, err, `fact "exchange": no such fact is declared; the nearest is "exchanged"`)
}

// A memory is used by many goroutines, some of which share keys, while keys are evicted, and
// snapshots are taken. Each goroutine has an agent whose facts it knows.
func TestMemoryIsSafeForManyAtOnce(t *testing.T) {
	m := memoryOf(t, &normsync.MemoryOptions{Keys: 1000},
		normsync.Fact{Name: "mine", After: "verb:count", Count: 50},
		normsync.Fact{Name: "ours", After: "verb:count", Count: 400, Per: "world"},
		normsync.Fact{Name: "odd", After: "verb:flip", Until: "verb:flop", Per: "world"},
		normsync.Fact{Name: "even", After: "verb:flop", Until: "verb:flip", Per: "world"},
		normsync.Fact{Name: "there", After: "verb:count", Per: "target"})
	m.Happened(normsync.Action{Verb: "flip"})
	var wait sync.WaitGroup
	for g := range 8 {
		wait.Go(func() {
			a := normsync.Action{Agent: fmt.Sprint("agent", g), Verb: "count"}
			for i := range 50 {
				if got := m.Facts(a); strings.Contains(got, "mine") {
					t.Errorf("after %d: %s", i, got)
				}
				a.Target = fmt.Sprint("t", i%7, g)
				m.Happened(a)
				m.Happened(normsync.Action{Verb: []string{"flip", "flop"}[i%2]})
				if got := m.Facts(a); !strings.Contains(got, "there") || strings.Contains(got, "odd") == strings.Contains(got, "even") {
					t.Errorf("after %d: %s", i, got)
				}
				if i%10 == 0 {
					if err := m.Snapshot(&bytes.Buffer{}); err != nil {
						t.Error(err)
					}
					if _, err := m.Explain("ours", a); err != nil {
						t.Error(err)
					}
				}
			}
			if got := m.Facts(a); !strings.Contains(got, "mine") {
				t.Errorf("at the end: %s", got)
			}
		})
	}
	wait.Wait()
	require.Contains(t, m.Facts(normsync.Action{}), "ours")

	small := memoryOf(t, &normsync.MemoryOptions{Keys: 3}, normsync.Fact{Name: "seen", After: "*"})
	for g := range 8 {
		wait.Go(func() {
			for i := range 200 {
				small.Happened(normsync.Action{Agent: fmt.Sprint(g, i%9), Verb: "walk"})
				if n := small.Stats().Keys; n > 3 {
					t.Errorf("%d keys", n)
				}
			}
		})
	}
	wait.Wait()
	require.Equal(t, 3, small.Stats().Keys)
}

func TestMemoryAllocatesNothingOnceWarm(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	m := memoryOf(t, &normsync.MemoryOptions{Keys: 100},
		normsync.Fact{Name: "authenticated", After: "verb:login", Until: "verb:logout"},
		normsync.Fact{Name: "again", After: "verb:login facts:authenticated", Per: "agent target"},
		normsync.Fact{Name: "strike", Broke: "peace town-*", Count: 3, Within: time.Minute},
		normsync.Fact{Name: "alarm", After: "verb:login", Per: "world", Count: 5, Within: time.Minute})
	var actions []normsync.Action
	var prepared []*normsync.Prepared
	for i := range 300 { // more than there are keys
		a := normsync.Action{Agent: fmt.Sprint("agent ", i), Verb: []string{"login", "logout", "walk"}[i%3], Location: "town square", Target: "o1", Time: noon}
		actions, prepared = append(actions, a), append(prepared, prepare(a))
	}
	violation := normsync.Violation{NormName: "town-peace", Action: actions[0]}
	room := make([]normsync.Word, 0, 16)
	for name, f := range map[string]func(i int){
		"AppendFacts":      func(i int) { room = m.AppendFacts(room[:0], prepared[i]) },
		"Happened":         func(i int) { m.Happened(actions[i]) },
		"HappenedPrepared": func(i int) { m.HappenedPrepared(prepared[i]) },
		"Violated":         func(i int) { m.Violated(violation) },
		"Facts of nobody":  func(i int) { m.Facts(normsync.Action{Agent: "nobody"}) },
	} {
		t.Run(name, func(t *testing.T) {
			for i := range actions {
				m.Happened(actions[i])
				f(i)
			}
			i := 0
			require.Zero(t, testing.AllocsPerRun(300, func() {
				f(i % len(actions))
				i++
			}))
		})
	}
}

// A world that declares no facts pays nothing.
func TestAMemoryWithoutFactsDoesNothing(t *testing.T) {
	m := memoryOf(t, nil)
	m.Happened(normsync.Action{Agent: "a", Verb: "walk"})
	m.Violated(normsync.Violation{NormName: "n"})
	require.Equal(t, "", m.Facts(normsync.Action{Agent: "a"}))
	require.Nil(t, m.AppendFacts(nil, prepare(normsync.Action{Agent: "a"})))
	require.Equal(t, normsync.MemoryStats{}, m.Stats())
	require.Equal(t, "{\"format\":1,\"keys\":[\n]}\n", snapshotOf(t, m))
}

// Keys are told apart by their text, also if every hash is the same.
func TestKeysAreComparedByText(t *testing.T) {
	defer token.Blunt()()
	for _, test := range []struct {
		name, per string
		a, b      normsync.Action
		same      bool
	}{
		{"the case of letters", "agent", normsync.Action{Agent: "Bob"}, normsync.Action{Agent: "bOB"}, true},
		{"other letters of an agent", "agent", normsync.Action{Agent: "kim"}, normsync.Action{Agent: "\u212Aim"}, false},
		{"other letters of a target", "target", normsync.Action{Target: "kim"}, normsync.Action{Target: "\u212Aim"}, true},
		{"invisible characters of an agent", "agent", normsync.Action{Agent: "bob"}, normsync.Action{Agent: "bo\u200Bb"}, false},
		{"invisible characters of a target", "target", normsync.Action{Target: "bob \u200B"}, normsync.Action{Target: "bo\u200Bb"}, true},
		{"a word more", "agent", normsync.Action{Agent: "bob the"}, normsync.Action{Agent: "bob the builder"}, false},
		{"a word less", "agent", normsync.Action{Agent: "bob the builder"}, normsync.Action{Agent: "bob the"}, false},
		{"another order", "agent", normsync.Action{Agent: "bob the"}, normsync.Action{Agent: "the bob"}, false},
		{"white space", "agent", normsync.Action{Agent: "bob  the"}, normsync.Action{Agent: " bob\tthe "}, true},
		{"a word in another field", "agent target", normsync.Action{Agent: "a b"}, normsync.Action{Agent: "a", Target: "b"}, false},
		{"a word on the other side", "agent target", normsync.Action{Agent: "a", Target: "b c"}, normsync.Action{Agent: "a b", Target: "c"}, false},
		{"an empty field", "agent target", normsync.Action{Agent: "a"}, normsync.Action{Target: "a"}, false},
		{"fields that do not count", "agent", normsync.Action{Agent: "a", Target: "x"}, normsync.Action{Agent: "a", Location: "y"}, true},
	} {
		m := memoryOf(t, nil, normsync.Fact{Name: "f", After: "*", Per: test.per})
		test.a.Verb = "x"
		m.Happened(test.a)
		require.Equal(t, "f", m.Facts(test.a), test.name)
		require.Equal(t, test.same, m.Facts(test.b) == "f", test.name)

		// Without the help of the hash, which depends on the number of words.
		same, otherGroup := m.SameKey(prepare(test.a), prepare(test.b))
		require.Equal(t, test.same, same, test.name)
		require.False(t, otherGroup, "the group is another one")
	}
}

func TestFactValidateSaysWhatToDo(t *testing.T) {
	after := func(f normsync.Fact) normsync.Fact {
		if f.After == "" {
			f.After = "verb:login"
		}
		if f.Name == "" {
			f.Name = "f"
		}
		return f
	}
	for _, f := range []normsync.Fact{
		{Name: "authenticated", After: "verb:login|sso", Until: "verb:logout"},
		{Name: "third_strike", Broke: `peace "no looting" town-* *`, Count: 1000, Within: 10 * time.Minute, Per: " Target  AGENT "},
		{Name: "睡觉", After: "*", Per: "world"},
		{Name: strings.Repeat("x", 128), After: "x", Per: "action"},
		{Name: "f", After: "x", Broke: " "},
	} {
		require.NoError(t, f.Validate(), "%+v", f)
	}
	for _, test := range []struct {
		f    normsync.Fact
		want string
	}{
		{normsync.Fact{After: "x"}, `normsync: invalid fact "": Name: the fact has no name; give it the word that norms look for, such as authenticated`},
		{after(normsync.Fact{Name: "a b"}), `normsync: invalid fact "a b": Name: byte 1 is ' ', so that no token of a norm could name the fact; write a word such as third_strike`},
		{after(normsync.Fact{Name: "a*"}), `Name: byte 1 is '*'`},
		{after(normsync.Fact{Name: "a|b"}), `Name: byte 1 is '|'`},
		{after(normsync.Fact{Name: "facts:a"}), `Name: byte 5 is ':'`},
		{after(normsync.Fact{Name: "a\u200b"}), `Name: byte 1 is U+200B, which is invisible`},
		{after(normsync.Fact{Name: "a\u2003b"}), `Name: byte 1 is U+2003, which looks like a space`},
		{after(normsync.Fact{Name: "a\xff"}), `Name: byte 1 (0xff) is not valid UTF-8`},
		{after(normsync.Fact{Name: "a\x00"}), `Name: byte 1 is the control character U+0000`},
		{after(normsync.Fact{Name: "AND"}), `Name: it is an operator of expressions, which norms refuse as a token; choose another word`},
		{after(normsync.Fact{Name: strings.Repeat("x", 129)}), `Name: it has 129 bytes, and at most 128 are allowed; shorten it`},
		{normsync.Fact{Name: "f"}, `normsync: invalid fact "f": After and Broke are both empty; say in After which action makes the fact, or in Broke which violated norm does`},
		{normsync.Fact{Name: "f", After: "x", Broke: "peace"}, `After and Broke are both set; declare two facts`},
		{after(normsync.Fact{After: "verb == login"}), `After: token "==" is an operator, but this is a list of tokens, not an expression; write "verb:login"`},
		{after(normsync.Fact{After: "login NOT night"}), `After: token "NOT" is an operator, but this is a list of tokens, not an expression; a fact has no exceptions; name what must be found`},
		{after(normsync.Fact{After: "login && night"}), `leave it out: all tokens must be found`},
		{after(normsync.Fact{After: "login OR sso"}), `write "login|sso"`},
		{after(normsync.Fact{After: "agent_id:bob"}), `After: token "agent_id:bob" names no field of an action: the agent is the field agent; write "agent:bob"`},
		{after(normsync.Fact{Until: "verb:"}), `Until: token "verb:" has nothing after the colon`},
		{after(normsync.Fact{Until: "a*b"}), `Until: word "a*b" has a * that is not at its end`},
		{normsync.Fact{Name: "f", Broke: `"no looting`}, `Broke: "\"no looting" has no closing quotation mark; write the name of a norm with blanks as "no looting"`},
		{normsync.Fact{Name: "f", Broke: `"no looting"*`}, `Broke: "*" follows the closing quotation mark of "\"no looting\""; put a blank between two names, and write a prefix without quotation marks`},
		{normsync.Fact{Name: "f", Broke: `"a""b"`}, `Broke: "\"b\"" follows the closing quotation mark`},
		{normsync.Fact{Name: "f", Broke: `x ""`}, `Broke: it has an empty name; name a norm, or write * for all of them`},
		{normsync.Fact{Name: "f", Broke: "a*b"}, `Broke: word "a*b" has a * that is not at its end`},
		{normsync.Fact{Name: "f", Broke: strings.Repeat("n ", 65)}, `Broke: it has 65 names, and at most 64 are allowed`},
		{normsync.Fact{Name: "f", Broke: "a\nb"}, `Broke: byte 1 is the control character U+000A`},
		{after(normsync.Fact{Count: -1}), `Count: -1 is not between 1 and 1000; choose another number, or leave it out for 1`},
		{after(normsync.Fact{Count: 1001}), `Count: 1001 is not between 1 and 1000`},
		{after(normsync.Fact{Within: -1}), `Within: -1ns is negative; choose a positive duration, or leave it out for no limit`},
		{after(normsync.Fact{Per: "clan"}), `Per: "clan" is unknown; use agent, verb, location, target and faction, several of them separated by blanks, or world`},
		{after(normsync.Fact{Per: "facts"}), `Per: "facts" is unknown`},
		{after(normsync.Fact{Per: "agent Agent"}), `Per: "Agent" is there twice; leave one of them out`},
		{after(normsync.Fact{Per: "verb action"}), `Per: "action" is there twice`},
		{after(normsync.Fact{Per: "agent world"}), `Per: world means that everybody shares the fact, so it stands by itself; leave out the other words`},
	} {
		err := test.f.Validate()
		require.ErrorIs(t, err, normsync.ErrInvalid, "%+v", test.f)
		require.ErrorContains(t, err, test.want, "%+v", test.f)
		_, err = normsync.NewMemory([]normsync.Fact{{Name: "fine", After: "x"}, test.f}, nil)
		require.ErrorIs(t, err, normsync.ErrInvalid)
		require.ErrorContains(t, err, "normsync: new memory: invalid fact 2 of 2, ")
	}
}

func TestNewMemoryRefusesFactsThatDoNotGoTogether(t *testing.T) {
	for _, test := range []struct {
		want  string
		facts []normsync.Fact
	}{
		{`fact 2 of 2, "SEEN": Name: fact 1 has it, too; rename one of them`, []normsync.Fact{{Name: "seen", After: "a"}, {Name: "SEEN", After: "b"}}},
		{`fact "a": After: the fact can never hold, because it needs itself: "a" needs "a"; remove one of these facts: tokens`, []normsync.Fact{{Name: "a", After: "verb:x facts:a"}}},
		{`it needs itself: "b" needs "c" needs "b"`, []normsync.Fact{{Name: "a", After: "x facts:b"}, {Name: "b", After: "facts:c"}, {Name: "c", After: "facts:B"}}},
		{`it needs itself: "a" needs "b" needs "a"`, []normsync.Fact{{Name: "a", After: "facts:b|a"}, {Name: "b", After: "facts:a"}}},
	} {
		_, err := normsync.NewMemory(test.facts, nil)
		require.ErrorIs(t, err, normsync.ErrInvalid)
		require.ErrorContains(t, err, test.want)
		require.ErrorContains(t, normsync.Rules{Facts: test.facts}.Validate(), test.want)
	}
	for _, facts := range [][]normsync.Fact{
		{{Name: "on", After: "press|facts:off"}, {Name: "off", After: "facts:on press"}}, // a word with a bar: press, or facts:off
		{{Name: "a", After: "facts:a|other"}},
		{{Name: "a", After: "facts:a*"}},
		{{Name: "a", After: "verb:x", Until: "facts:a"}},
		{{Name: "a", Broke: "peace"}, {Name: "b", After: "facts:a"}},
	} {
		_, err := normsync.NewMemory(facts, nil)
		require.NoError(t, err)
	}
	_, err := normsync.NewMemory(make([]normsync.Fact, 1001), nil)
	require.ErrorContains(t, err, "facts: there are 1001, and at most 1000 are allowed")
	_, err = normsync.NewMemory(nil, &normsync.MemoryOptions{Keys: -1})
	require.ErrorContains(t, err, "normsync: invalid memory: Keys: -1 is negative")
}

func TestBrokeNamesNormsExactly(t *testing.T) {
	for _, test := range []struct {
		broke, norm string
		want        bool
	}{
		{"peace curfew", "curfew", true},
		{"peace curfew", "Curfew", false},
		{"peace curfew", "curfew-2", false},
		{"town-*", "town-peace", true},
		{"town-*", "my-town-peace", false},
		{`"no looting" x`, "no looting", true},
		{`"no looting" x`, "x", true},
		{`"no looting" x`, "no", false},
		{` "no looting"  "a b" `, "no looting", true},
		{` "no looting"  "a b" `, "a b", true},
		{`"a*"`, "a*", true},
		{`"a*"`, "ab", false},
		{"*", "anything at all", true},
	} {
		m := memoryOf(t, nil, normsync.Fact{Name: "f", Broke: test.broke})
		m.Violated(normsync.Violation{NormName: test.norm, Action: normsync.Action{Agent: "a"}})
		require.Equal(t, test.want, m.Facts(normsync.Action{Agent: "a"}) == "f", "%+v", test)
	}
	twice := memoryOf(t, nil, normsync.Fact{Name: "f", Broke: "peace pe* p* *", Count: 2})
	twice.Violated(normsync.Violation{NormName: "peace", Action: normsync.Action{Agent: "a"}})
	require.Equal(t, "", twice.Facts(normsync.Action{Agent: "a"}), "a violation counts once")
}

func TestAMemoryHasItsFactsInCanonicalForm(t *testing.T) {
	m := memoryOf(t, nil, normsync.Fact{Name: "a", After: "*", Per: " Target AGENT"}, normsync.Fact{Name: "b", After: "*", Per: "WORLD"}, normsync.Fact{Name: "c", After: "*"})
	require.Equal(t, []normsync.Fact{
		{Name: "a", After: "*", Count: 1, Per: "agent target"}, {Name: "b", After: "*", Count: 1, Per: "world"}, {Name: "c", After: "*", Count: 1, Per: "agent"},
	}, slices.Collect(m.All()))
}

func TestFactJSONIsTheFact(t *testing.T) {
	for text, f := range map[string]normsync.Fact{
		`{"name":"authenticated","after":"verb:login","until":"verb:logout"}`:                           {Name: "authenticated", After: "verb:login", Until: "verb:logout"},
		`{"name":"f","broke":"peace \"no looting\"","count":3,"within":"10m0s","per":"agent location"}`: {Name: "f", Broke: `peace "no looting"`, Count: 3, Within: 10 * time.Minute, Per: "agent location"},
	} {
		b, err := json.Marshal(f)
		require.NoError(t, err)
		require.Equal(t, text, string(b))
		var read normsync.Fact
		require.NoError(t, json.Unmarshal(b, &read))
		require.Equal(t, f, read)
	}
	for text, want := range map[string]string{
		`{"after":"x"}`:                        `normsync: invalid fact at offset 0: key "name" is missing`,
		`{"name":"f","After":"x"}`:             `key "After" is unknown; it is written "after"`,
		`{"name":"f","when":"x"}`:              `key "when" is unknown; the keys are name, after, broke, count, within, per, until`,
		`{"name":"f","count":0}`:               `key "count": 0 is not between 1 and 1000`,
		`{"name":"f","within":600}`:            `key "within": want a string, found a number`,
		`{"name":"f","within":"0s"}`:           `key "within": "0s" is not a positive duration; write it as 10s, 5m or 1h30m, or leave it out`,
		`{"name":"f","within":"2d"}`:           `"2d" is not a positive duration`,
		`{"name":"f","name":"g","after":null}`: `key "name" is there twice`,
	} {
		f := normsync.Fact{Name: "old"}
		err := f.UnmarshalJSON([]byte(text))
		require.ErrorIs(t, err, normsync.ErrInvalid)
		require.ErrorContains(t, err, want)
		require.Equal(t, normsync.Fact{Name: "old"}, f)
	}
}
