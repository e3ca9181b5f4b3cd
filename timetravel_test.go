package normsync

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What a violation was, it still is: its edition's constitution judges its
// action again, and comes to the same.
func TestTimeTravel(t *testing.T) {
	ctx := t.Context()
	r := rand.New(rand.NewPCG(8, 1))
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	norm := func(name string) Norm {
		n := Norm{Name: name, Condition: pick("", "zone", "zone red", "location:z*"), Unless: pick("", "", "duel", "agent:b"), Priority: r.IntN(3), Shadow: r.IntN(4) == 0}
		if n.Prohibited = pick("attack", "loot", "attack loot", "l*"); r.IntN(4) == 0 {
			n.Prohibited, n.Permitted = "", n.Prohibited
		}
		return n
	}
	now := time.Unix(1_700_000_000, 0).UTC()
	store := new(MemStore)
	m, err := Open(ctx, store, &Options{Now: func() time.Time { now = now.Add(time.Second); return now }})
	require.NoError(t, err)

	type judged struct {
		action  Action
		edition uint64
		at      time.Time
		verdict []Violation
	}
	var log []judged
	for range 50 {
		var change Change
		switch name := fmt.Sprint("norm-", r.IntN(12)); {
		case !has(m, name):
			change = Enact(norm(name))
		case r.IntN(3) == 0:
			change = Repeal(name)
		default:
			change = Amend(norm(name))
		}
		_, err := m.Apply(ctx, change)
		require.NoError(t, err)
		for range 20 {
			a := Action{Agent: pick("a", "b"), Verb: pick("attack", "loot", "lift", "sing"), Location: pick("zone", "zoo", ""), Target: pick("", "duel"), Faction: pick("", "red"), Time: now}
			verdict := m.Check(a)
			log = append(log, judged{a, m.Constitution().Edition(), now, verdict})
			require.NoError(t, store.AppendViolations(ctx, verdict...))
		}
	}

	seen := 0
	for _, j := range log {
		seen += len(j.verdict)
		c, err := AtEdition(ctx, store, j.edition)
		require.NoError(t, err)
		require.Equal(t, j.verdict, c.Check(j.action))
		c, err = At(ctx, store, j.at)
		require.NoError(t, err)
		require.Equal(t, j.edition, c.Edition())
		require.Equal(t, j.verdict, c.Check(j.action))
	}
	require.Greater(t, seen, 200)
	for v, err := range store.Violations(ctx) {
		require.NoError(t, err)
		c, err := AtEdition(ctx, store, v.Edition)
		require.NoError(t, err)
		require.True(t, slices.Contains(c.Check(v.Action), v), "a recorded violation names its edition")
	}
}

func has(m *Monitor, name string) bool {
	_, ok := m.Constitution().Norm(name)
	return ok
}
