package service_test

import (
	"context"
	"fmt"
	"iter"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

// attacks yields n attacks, a second apart.
func attacks(n int) iter.Seq2[normsync.Action, error] {
	return func(yield func(normsync.Action, error) bool) {
		for i := range n {
			if !yield(normsync.Action{Agent: "hero", Verb: "attack", Time: time.Unix(int64(i+1), 0).UTC()}, nil) {
				return
			}
		}
	}
}

func open(t *testing.T) (*service.Service, service.Store) {
	store, err := service.OpenStore(t.Context(), "file:"+t.TempDir(), service.Create)
	require.NoError(t, err)
	s, err := service.New(t.Context(), store, service.Create)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close(context.Background()) }) // some tests close the store
	_, err = s.Monitor().Apply(t.Context(), normsync.Enact(normsync.Norm{Name: "peace", Prohibited: "attack"}))
	require.NoError(t, err)
	return s, store
}

// stored returns how many violations a store has, and fails unless they are in order.
func stored(t *testing.T, s normsync.Store) (n int) {
	t.Helper()
	for v, err := range s.Violations(t.Context(), 0) {
		require.NoError(t, err)
		n++
		require.Equal(t, int64(n), v.Action.Time.Unix())
	}
	return n
}

func TestCheckAllStoresEveryViolationInOrder(t *testing.T) {
	const n = 50_000 // more than may wait at a time
	s, store := open(t)
	count := 0
	for v, err := range s.CheckAll(t.Context(), attacks(n), false) {
		require.NoError(t, err)
		require.False(t, v.Allowed)
		count++
	}
	require.Equal(t, n, count)
	require.Equal(t, n, stored(t, store))
}

func TestCheckAllStoresNothingInADryRun(t *testing.T) {
	s, store := open(t)
	for v, err := range s.CheckAll(t.Context(), attacks(3), true) {
		require.NoError(t, err)
		require.Len(t, v.Violations, 1)
	}
	require.Zero(t, stored(t, store))
}

func TestCheckAllStoresWhatItYieldedBeforeALoopEnds(t *testing.T) {
	s, store := open(t)
	count := 0
	for range s.CheckAll(t.Context(), attacks(100), false) {
		if count++; count == 7 {
			break
		}
	}
	require.Equal(t, 7, stored(t, store))
}

func TestCheckAllStopsAtAnError(t *testing.T) {
	for name, test := range map[string]struct {
		log, want string
	}{
		"in the log":            {`{"action": "attack", "timestamp": 1} {"action": }`, "invalid action in line 1"},
		"an action of no verb":  {`{"action": "attack", "timestamp": 1} {"agent_id": "hero", "action": "\u200b "}`, `it has no verb; say what the agent does (action 2 of the log)`},
		"an object of no verb":  {`{"action": "attack", "timestamp": 1} {"agent": "hero", "verb": "wire"}`, `key "action" is missing`},
		"at the end of the log": {`{"action": "attack", "timestamp": 1} {"action`, "invalid action in line 1"},
	} {
		t.Run(name, func(t *testing.T) {
			s, store := open(t)
			var errs []error
			for v, err := range s.CheckAll(t.Context(), normsync.ReadActions(strings.NewReader(test.log)), false) {
				if err != nil {
					errs = append(errs, err)
					require.Zero(t, v)
				}
			}
			require.Len(t, errs, 1)
			require.ErrorIs(t, errs[0], normsync.ErrInvalid)
			require.NotErrorIs(t, errs[0], service.ErrNotRecorded)
			require.ErrorContains(t, errs[0], test.want)
			require.Equal(t, 1, stored(t, store))
		})
	}
}

func TestCheckAllStopsIfItsContextEnds(t *testing.T) {
	s, store := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	count := 0
	var last error
	for _, err := range s.CheckAll(ctx, attacks(100), false) {
		if last = err; err == nil {
			count++
			cancel()
		}
	}
	require.ErrorIs(t, last, context.Canceled)
	require.Equal(t, 1, count)
	require.Equal(t, 1, stored(t, store), "what was judged is stored")
}

func TestCheckAllReportsAStoreThatFails(t *testing.T) {
	s, store := open(t)
	require.NoError(t, store.Close())
	var last error
	count := 0
	for _, err := range s.CheckAll(t.Context(), attacks(100_000), false) {
		last = err
		count++
	}
	require.ErrorIs(t, last, service.ErrNotRecorded)
	require.ErrorContains(t, last, "append violations")
	require.Less(t, count, 100_000, "it goes on although nothing can be stored")
}

func TestVerdictAsJSON(t *testing.T) {
	s, _ := open(t)
	action := normsync.Action{Agent: "hero", Verb: "attack", Time: time.Unix(1, 0).UTC()}
	text, err := s.Judge(action).MarshalJSON()
	require.NoError(t, err)
	violation, err := s.Monitor().Check(action)[0].MarshalJSON()
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf(`{"allowed":false,"violation_count":1,"has_violations":true,"violations":[%s]}`, violation), string(text))
	text, err = s.Judge(normsync.Action{Verb: "walk"}).MarshalJSON()
	require.NoError(t, err)
	require.Equal(t, `{"allowed":true,"violation_count":0,"has_violations":false,"violations":[]}`, string(text))
}

func TestRequireTime(t *testing.T) {
	for _, seconds := range []int64{math.MinInt64, -1e18, -62135596801, 253402300800, 1767225600123, 1e18, math.MaxInt64} {
		require.EqualError(t, service.RequireTime(time.Unix(seconds, 0)),
			"the time is outside the years 1 to 9999; write seconds since 1970, not milliseconds, from -62135596800 to 253402300799", "%d", seconds)
	}
	for _, good := range []time.Time{{}, time.Time{}.Add(1), time.Unix(-1, 0), time.Unix(0, 0), time.Now(), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)} {
		require.NoError(t, service.RequireTime(good), "%v", good)
	}
}

// A log in milliseconds would be judged outside the windows of norms.
func TestCheckAllRefusesTimesThatAreNone(t *testing.T) {
	s, _ := open(t)
	log := normsync.ReadActions(strings.NewReader(`{"agent_id":"a","action":"walk","timestamp":253402300799}{"agent_id":"b","action":"walk","timestamp":1767225600123}`))
	judged := 0
	for _, err := range s.CheckAll(t.Context(), log, true) {
		if judged++; judged == 1 {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, normsync.ErrInvalid)
		require.ErrorContains(t, err, `action of agent "b": the time is outside the years 1 to 9999`)
		require.ErrorContains(t, err, "(action 2 of the log)")
	}
	require.Equal(t, 2, judged)
}

func TestRequireVerb(t *testing.T) {
	for _, verb := range []string{"", " ", "\t\n", "\u200b", "\u200b \ufe0f"} {
		require.ErrorIs(t, service.RequireVerb(normsync.Action{Verb: verb}), normsync.ErrInvalid, "%q", verb)
	}
	for _, verb := range []string{"a", " a ", "\u200ba", "攻击"} {
		require.NoError(t, service.RequireVerb(normsync.Action{Verb: verb}), "%q", verb)
	}
}
