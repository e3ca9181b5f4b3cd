package normsync_test

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

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

func TestRestoreForgetsWhatTheSnapshotDoesNotHave(t *testing.T) {
	m := memoryOf(t, nil, normsync.Fact{Name: "alarm", After: "*", Per: "world"}, normsync.Fact{Name: "seen", After: "*"})
	empty := snapshotOf(t, m)
	m.Happened(at(0, "a", "run", ""))
	require.Equal(t, "alarm seen", m.Facts(at(1, "a", "run", "")))
	require.NoError(t, m.Restore(strings.NewReader(empty)))
	require.Empty(t, m.Facts(at(1, "a", "run", "")))
}

func TestRestoreCountsKeysAnewBehindEvictions(t *testing.T) {
	m := memoryOf(t, &normsync.MemoryOptions{Keys: 2}, normsync.Fact{Name: "seen", After: "*"})
	empty := snapshotOf(t, m)
	for i := range 50 {
		m.Happened(at(float64(i), fmt.Sprint("a", i), "run", ""))
	}
	require.Equal(t, normsync.MemoryStats{Keys: 2, Evicted: 48}, m.Stats())
	require.NoError(t, m.Restore(strings.NewReader(empty)))
	require.Zero(t, m.Stats().Keys)
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

// A snapshot that Restore reads is written in the same way after it is read back.
func FuzzRestore(f *testing.F) {
	facts := []normsync.Fact{{Name: "a", After: "x", Per: "agent target"}, {Name: "b", After: "x", Count: 3, Within: time.Second, Per: "world"}, {Name: "c", Broke: "*", Count: 2, Within: time.Minute, Until: "y"}}
	m := memoryOf(f, nil, facts...)
	for i := range 5 {
		m.Happened(at(float64(i), "bob the\u200bbuilder", "x", "orc chief"))
		m.Violated(normsync.Violation{NormName: "n", Action: at(float64(i), "eve", "y", "")})
	}
	f.Add([]byte(snapshotOf(f, m)))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, again := memoryOf(t, nil, facts...), memoryOf(t, nil, facts...)
		if err := m.Restore(bytes.NewReader(text)); err != nil {
			require.ErrorIs(t, err, normsync.ErrInvalid)
			return
		}
		written := snapshotOf(t, m)
		require.NoError(t, again.Restore(strings.NewReader(written)))
		require.Equal(t, written, snapshotOf(t, again))
		m.Happened(at(9, "bob", "x", ""))
		m.Facts(at(9, "bob", "x", ""))
	})
}
