package normsync

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func inForceNames(m *Monitor) []string { return slices.Sorted(maps.Keys(normsOf(m.Constitution()))) }

func TestReloadMakesTheNormsOfAScopeThoseOfTheList(t *testing.T) {
	s := new(MemStore)
	m := openOn(t, s)
	peace, property := ban("peace", "safe_zone", "attack"), ban("property", "", "steal")
	curfew := ban("curfew", "night", "trade")
	applyTo(t, m, Enact(curfew))
	reload := func(norms ...Norm) []Revision {
		t.Helper()
		revs, err := m.Reload(t.Context(), "file", norms)
		require.NoError(t, err)
		for _, r := range revs {
			require.Equal(t, "reload", r.By)
		}
		return revs
	}
	require.Len(t, reload(property, peace), 2)
	require.Equal(t, []string{"curfew", "peace", "property"}, inForceNames(m))
	n, _ := m.Constitution().Norm("peace")
	require.Equal(t, "file", n.Scope)
	require.Empty(t, reload(peace, property), "the same list makes no revision")

	peace.Priority = 3
	require.Equal(t, KindAmend, reload(peace, property)[0].Kind)
	require.Equal(t, KindRepeal, reload(peace)[0].Kind)
	require.Equal(t, KindEnact, reload(peace, property)[0].Kind, "what Reload itself repealed comes back with the list")

	applyTo(t, m, Repeal("property").Attributed("zoe", "a day of theft"))
	require.Empty(t, reload(peace, property), "what somebody else repealed stays repealed")
	m = openOn(t, s)
	require.Empty(t, reload(peace, property), "after a restart, too")
	repealed := property
	repealed.Repealed = true
	require.Empty(t, reload(peace, repealed), "a norm that is marked Repealed is not in the list")
	property.Condition = "market"
	require.Len(t, reload(peace, property), 1, "until the list has another text for it")
	require.Equal(t, []string{"curfew", "peace", "property"}, inForceNames(m))

	// An admin's amendment within the scope does not outlive the next reload.
	changed := peace
	changed.Scope, changed.Condition = "file", "everywhere"
	applyTo(t, m, Amend(changed))
	require.Len(t, reload(peace, property), 1)
}

// What the list said is found in the log, even if somebody changed the norm before
// repealing it.
func TestReloadLeavesANormRepealedThatWasAmendedBefore(t *testing.T) {
	s := new(MemStore)
	m := openOn(t, s)
	keep, peace := ban("keep", "", "loot"), ban("peace", "safe_zone", "attack")
	reload := func(norms ...Norm) int {
		t.Helper()
		m = openOn(t, s) // as after a restart
		revs, err := m.Reload(t.Context(), "file", norms)
		require.NoError(t, err)
		return len(revs)
	}
	require.Equal(t, 2, reload(keep, peace))
	milder := peace
	milder.Scope, milder.Shadow = "file", true
	applyTo(t, m, Amend(milder))
	applyTo(t, m, Repeal("peace").Attributed("zoe", ""))
	require.Zero(t, reload(keep, peace), "the text of the list has not changed")
	require.Zero(t, reload(keep, milder), "nor is the norm that zoe repealed another one")
	peace.Priority = 1
	require.Equal(t, 1, reload(keep, peace))

	// A norm that leaves the list and is repealed by Reload is new when it is listed again.
	require.Equal(t, 1, reload(keep))
	applyTo(t, m, Enact(ban("peace", "", "shout")), Repeal("peace"))
	require.Equal(t, 1, reload(keep, peace))
}

// Another monitor appends between the reading and the append of a Reload.
func TestReloadDecidesAnewAfterAConflict(t *testing.T) {
	peace, property := ban("peace", "", "attack"), ban("property", "", "steal")
	for name, c := range map[string]struct {
		meanwhile Change
		inForce   []string
		err       error
	}{
		"another scope":                   {Enact(ban("curfew", "", "walk")), []string{"curfew", "peace", "property"}, nil},
		"the same scope":                  {Enact(scoped(ban("draft", "", "walk"), "file")), []string{"peace", "property"}, nil},
		"the same norm":                   {Enact(scoped(property, "file")), []string{"peace", "property"}, nil},
		"the same name in another scope":  {Enact(property), []string{"peace", "property"}, ErrExists},
		"a norm of the list is repealed":  {Repeal("peace"), []string{"property"}, nil},
		"a norm of the list is different": {Amend(scoped(ban("peace", "", "dance"), "file")), []string{"peace", "property"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := new(faultyStore)
			m := openOn(t, s)
			_, err := m.Reload(t.Context(), "file", []Norm{peace})
			require.NoError(t, err)
			other, raced := openOn(t, &s.MemStore), false
			s.appendRevisions = func(s *faultyStore, ctx context.Context, revs []Revision) error {
				if !raced {
					raced = true
					applyTo(t, other, c.meanwhile)
				}
				return s.MemStore.AppendRevisions(ctx, revs...)
			}
			_, err = m.Reload(t.Context(), "file", []Norm{peace, property})
			require.ErrorIs(t, err, c.err)
			require.True(t, raced)
			require.Equal(t, c.inForce, inForceNames(m))
			if n, ok := m.Constitution().Norm("peace"); ok {
				require.Equal(t, scoped(peace, "file"), n)
			}
		})
	}
}

func scoped(n Norm, scope string) Norm {
	n.Scope = scope
	return n
}

func TestReloadRefuses(t *testing.T) {
	m := openOn(t, new(MemStore))
	applyTo(t, m, Enact(ban("curfew", "", "walk")))
	_, err := m.Reload(t.Context(), "file", nil)
	require.NoError(t, err, "an empty list for an empty scope")
	peace := ban("peace", "", "attack")
	_, err = m.Reload(t.Context(), "file", []Norm{peace})
	require.NoError(t, err)
	before := m.Constitution()
	for _, c := range []struct {
		why   string
		norms []Norm
		is    error
		text  string
	}{
		{"an empty list", nil, ErrInvalid, `normsync: reload: invalid list: it is empty, but scope "file" has norms in force; to repeal them, use Repeal`},
		{"a name of another scope", []Norm{peace, ban("curfew", "", "run")}, ErrExists, `normsync: reload: norm exists: norm "curfew" of scope "file" is in force in scope "global"; rename one of them, or repeal that one`},
		{"a name twice", []Norm{peace, peace}, ErrExists, `normsync: reload: norm exists: two norms of the list have the name "peace"; rename one of them`},
		{"a norm that is invalid", []Norm{peace, {Name: "n"}}, ErrInvalid, `normsync: reload: invalid norm "n": Prohibited and Permitted are both empty`},
	} {
		t.Run(c.why, func(t *testing.T) {
			revs, err := m.Reload(t.Context(), "file", c.norms)
			require.ErrorIs(t, err, c.is)
			require.ErrorContains(t, err, c.text)
			require.Empty(t, revs)
			require.Same(t, before, m.Constitution(), "nothing has changed")
		})
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = m.Reload(done, "file", []Norm{peace})
	require.ErrorIs(t, err, context.Canceled)
}

func TestReloadOfTheGlobalScope(t *testing.T) {
	m := openOn(t, new(MemStore))
	applyTo(t, m, Enact(ban("curfew", "", "walk")))
	revs, err := m.Reload(t.Context(), "global", []Norm{ban("peace", "", "attack")})
	require.NoError(t, err)
	require.Len(t, revs, 2)
	require.Equal(t, []string{"peace"}, inForceNames(m))
}

// Two processes reload and change the same store: each Reload sees what the other did.
func TestReloadAgainstAnotherMonitor(t *testing.T) {
	s := new(MemStore)
	a, b := openOn(t, s), openOn(t, s)
	peace, property := ban("peace", "", "attack"), ban("property", "", "steal")
	_, err := a.Reload(t.Context(), "file", []Norm{peace, property})
	require.NoError(t, err)
	revs, err := b.Reload(t.Context(), "file", []Norm{peace, property})
	require.NoError(t, err)
	require.Empty(t, revs, "b did not know what a had enacted")
	applyTo(t, a, Repeal("peace").Attributed("zoe", ""))
	revs, err = b.Reload(t.Context(), "file", []Norm{peace, property})
	require.NoError(t, err)
	require.Empty(t, revs, "b did not know what zoe had repealed")
	require.Equal(t, []string{"property"}, inForceNames(b))
}
