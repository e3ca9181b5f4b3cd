package preview_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/preview"
)

// recorded returns what a monitor recorded of actions.
func recorded(c *normsync.Constitution, actions ...normsync.Action) []normsync.StoredViolation {
	var found []normsync.StoredViolation
	for _, a := range actions {
		for _, v := range c.Check(a) {
			found = append(found, normsync.StoredViolation{Number: uint64(len(found) + 1), Violation: v})
		}
	}
	return found
}

func TestCompare(t *testing.T) {
	peace := normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"}
	calm := normsync.Norm{Name: "calm", Condition: "safe_zone", Prohibited: "shout", Shadow: true}
	old := normsync.Norm{Name: "old", Condition: "!day", Prohibited: "dig"} // Lint warns of it
	c, err := normsync.Compile(peace, calm, old)
	require.NoError(t, err)
	attack := normsync.Action{Agent: "hero", Verb: "attack", Location: "safe_zone"}
	shout := normsync.Action{Agent: "bard", Verb: "shout", Location: "safe_zone"}
	violations := recorded(c, attack, attack, shout)
	require.Len(t, violations, 3)

	of := func(changes ...normsync.Change) preview.Preview {
		t.Helper()
		p, err := preview.Compare(t.Context(), c, violations, changes...)
		require.NoError(t, err)
		require.Equal(t, 3, p.Examined)
		require.Equal(t, 2, p.Actions, "an action counts once")
		return p
	}

	t.Run("a repeal allows", func(t *testing.T) {
		p := of(normsync.Repeal("peace"))
		require.Equal(t, []preview.Effect{{
			Action: attack,
			Before: preview.Verdict{Norms: []string{"peace"}},
			After:  preview.Verdict{Allowed: true, Norms: []string{}},
		}}, p.Effects)
		require.Equal(t, [3]int{1, 1, 0}, [3]int{p.Changed, p.NowAllowed, p.NowDenied})
	})
	t.Run("the end of a dry run denies, although the norms broken are the same", func(t *testing.T) {
		amended := calm
		amended.Shadow = false
		p := of(normsync.Amend(amended))
		require.Equal(t, [3]int{1, 0, 1}, [3]int{p.Changed, p.NowAllowed, p.NowDenied})
		require.Equal(t, "bard", p.Effects[0].Action.Agent)
	})
	t.Run("conflicts are those that come and go", func(t *testing.T) {
		p := of(normsync.Enact(normsync.Norm{Name: "truce", Condition: "safe_zone", Permitted: "attack"}))
		require.Len(t, p.ConflictsAdded, 1)
		require.Equal(t, normsync.ConflictContradiction, p.ConflictsAdded[0].Kind)
		require.Empty(t, p.ConflictsRemoved)
		require.Zero(t, p.Changed, "at the same priority the prohibition wins")
	})
	t.Run("warnings are about the change only", func(t *testing.T) {
		p := of(normsync.Enact(normsync.Norm{Name: "odd", Condition: "!night", Prohibited: "steal"}))
		require.Len(t, p.Warnings, 1)
		require.Equal(t, "!night", p.Warnings[0].Token)
	})
	t.Run("nothing changes", func(t *testing.T) {
		p := of(normsync.Amend(peace))
		require.Zero(t, p.Changed)
		require.Equal(t, []preview.Effect{}, p.Effects, "lists are never null")
	})
	t.Run("a change that cannot be made", func(t *testing.T) {
		_, err := preview.Compare(t.Context(), c, violations, normsync.Repeal("war"))
		require.ErrorIs(t, err, normsync.ErrNotFound)
		_, err = preview.Compare(t.Context(), c, violations, normsync.Enact(normsync.Norm{Name: "peace", Prohibited: "dance"}))
		require.ErrorIs(t, err, normsync.ErrExists)
	})
	require.Equal(t, 3, c.Len(), "a preview changes nothing")
}

func TestCompareResolvesConflicts(t *testing.T) {
	c, err := normsync.Compile(
		normsync.Norm{Name: "a", Condition: "zone", Prohibited: "attack"},
		normsync.Norm{Name: "b", Condition: "zone", Permitted: "attack"},
	)
	require.NoError(t, err)
	p, err := preview.Compare(t.Context(), c, nil, normsync.Repeal("b"))
	require.NoError(t, err)
	require.Len(t, p.ConflictsRemoved, 1)
	require.Empty(t, p.ConflictsAdded)
	require.Equal(t, []string{}, p.GaveUp)
}
