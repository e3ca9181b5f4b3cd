package normsync_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/internal/token"
)

var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// at returns an action some seconds after noon.
func at(seconds float64, agent, verb, target string) normsync.Action {
	return normsync.Action{Agent: agent, Verb: verb, Target: target, Time: noon.Add(time.Duration(seconds * float64(time.Second)))}
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
