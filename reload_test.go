package normsync_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

func inForceNames(m *normsync.Monitor) []string {
	return slices.Sorted(maps.Keys(normsOf(m.Constitution())))
}

func TestReloadMakesTheNormsOfAScopeThoseOfTheList(t *testing.T) {
	s := new(normsync.MemStore)
	m := openOn(t, s)
	peace, property := prohibition("peace", "safe_zone", "attack"), prohibition("property", "", "steal")
	curfew := prohibition("curfew", "night", "trade")
	applyTo(t, m, normsync.Enact(curfew))
	reload := func(norms ...normsync.Norm) []normsync.Revision {
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
	require.Equal(t, normsync.KindAmend, reload(peace, property)[0].Kind)
	require.Equal(t, normsync.KindRepeal, reload(peace)[0].Kind)
	require.Equal(t, normsync.KindEnact, reload(peace, property)[0].Kind, "what Reload itself repealed comes back with the list")

	applyTo(t, m, normsync.Repeal("property").Attributed("zoe", "a day of theft"))
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
	applyTo(t, m, normsync.Amend(changed))
	require.Len(t, reload(peace, property), 1)
}

// What the list said is found in the log, even if somebody changed the norm before
// repealing it.
func TestReloadLeavesANormRepealedThatWasAmendedBefore(t *testing.T) {
	s := new(normsync.MemStore)
	m := openOn(t, s)
	keep, peace := prohibition("keep", "", "loot"), prohibition("peace", "safe_zone", "attack")
	reload := func(norms ...normsync.Norm) int {
		t.Helper()
		m = openOn(t, s) // as after a restart
		revs, err := m.Reload(t.Context(), "file", norms)
		require.NoError(t, err)
		return len(revs)
	}
	require.Equal(t, 2, reload(keep, peace))
	milder := peace
	milder.Scope, milder.Shadow = "file", true
	applyTo(t, m, normsync.Amend(milder))
	applyTo(t, m, normsync.Repeal("peace").Attributed("zoe", ""))
	require.Zero(t, reload(keep, peace), "the text of the list has not changed")
	require.Zero(t, reload(keep, milder), "nor is the norm that zoe repealed another one")
	peace.Priority = 1
	require.Equal(t, 1, reload(keep, peace))

	// A norm that leaves the list and is repealed by Reload is new when it is listed again.
	require.Equal(t, 1, reload(keep))
	applyTo(t, m, normsync.Enact(prohibition("peace", "", "shout")), normsync.Repeal("peace"))
	require.Equal(t, 1, reload(keep, peace))
}

// Another monitor appends between the reading and the append of a Reload.
func TestReloadDecidesAnewAfterAConflict(t *testing.T) {
	peace, property := prohibition("peace", "", "attack"), prohibition("property", "", "steal")
	for name, c := range map[string]struct {
		meanwhile normsync.Change
		inForce   []string
		err       error
	}{
		"another scope":                   {normsync.Enact(prohibition("curfew", "", "walk")), []string{"curfew", "peace", "property"}, nil},
		"the same scope":                  {normsync.Enact(scoped(prohibition("draft", "", "walk"), "file")), []string{"peace", "property"}, nil},
		"the same norm":                   {normsync.Enact(scoped(property, "file")), []string{"peace", "property"}, nil},
		"the same name in another scope":  {normsync.Enact(property), []string{"peace", "property"}, normsync.ErrExists},
		"a norm of the list is repealed":  {normsync.Repeal("peace"), []string{"property"}, nil},
		"a norm of the list is different": {normsync.Amend(scoped(prohibition("peace", "", "dance"), "file")), []string{"peace", "property"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := new(faultyStore)
			m := openOn(t, s)
			_, err := m.Reload(t.Context(), "file", []normsync.Norm{peace})
			require.NoError(t, err)
			other, raced := openOn(t, &s.MemStore), false
			s.appendRevisions = func(s *faultyStore, ctx context.Context, revs []normsync.Revision) error {
				if !raced {
					raced = true
					applyTo(t, other, c.meanwhile)
				}
				return s.MemStore.AppendRevisions(ctx, revs...)
			}
			_, err = m.Reload(t.Context(), "file", []normsync.Norm{peace, property})
			require.ErrorIs(t, err, c.err)
			require.True(t, raced)
			require.Equal(t, c.inForce, inForceNames(m))
			if n, ok := m.Constitution().Norm("peace"); ok {
				require.Equal(t, scoped(peace, "file"), n)
			}
		})
	}
}

func scoped(n normsync.Norm, scope string) normsync.Norm {
	n.Scope = scope
	return n
}

func TestReloadRefuses(t *testing.T) {
	m := openOn(t, new(normsync.MemStore))
	applyTo(t, m, normsync.Enact(prohibition("curfew", "", "walk")))
	_, err := m.Reload(t.Context(), "file", nil)
	require.NoError(t, err, "an empty list for an empty scope")
	peace := prohibition("peace", "", "attack")
	_, err = m.Reload(t.Context(), "file", []normsync.Norm{peace})
	require.NoError(t, err)
	before := m.Constitution()
	for _, c := range []struct {
		why   string
		norms []normsync.Norm
		is    error
		text  string
	}{
		{"an empty list", nil, normsync.ErrInvalid, `normsync: reload: invalid list: it is empty, but scope "file" has norms in force; to repeal them, use Repeal`},
		{"a name of another scope", []normsync.Norm{peace, prohibition("curfew", "", "run")}, normsync.ErrExists, `normsync: reload: norm exists: norm "curfew" of scope "file" is in force in scope "global"; rename one of them, or repeal that one`},
		{"a name twice", []normsync.Norm{peace, peace}, normsync.ErrExists, `normsync: reload: norm exists: two norms of the list have the name "peace"; rename one of them`},
		{"a norm that is invalid", []normsync.Norm{peace, {Name: "n"}}, normsync.ErrInvalid, `normsync: reload: invalid norm "n": Prohibited and Permitted are both empty`},
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
	_, err = m.Reload(done, "file", []normsync.Norm{peace})
	require.ErrorIs(t, err, context.Canceled)
}

// Reload must not put a norm in force again only because it could not read who had
// repealed it.
func TestReloadReportsThatItCouldNotReadTheLog(t *testing.T) {
	fail, odd := false, errors.New("odd")
	s := revisionSequence(func(s *faultyStore, ctx context.Context, after uint64, yield func(normsync.Revision, error) bool) {
		if fail {
			yield(normsync.Revision{}, odd)
			return
		}
		s.MemStore.Revisions(ctx, after)(yield)
	})
	m := openOn(t, s)
	list := []normsync.Norm{prohibition("peace", "", "attack"), prohibition("property", "", "steal")}
	_, err := m.Reload(t.Context(), "file", list)
	require.NoError(t, err)
	applyTo(t, m, normsync.Repeal("peace").Attributed("zoe", ""))
	fail = true
	revs, err := m.Reload(t.Context(), "file", list)
	require.ErrorIs(t, err, odd)
	require.Empty(t, revs)
	require.Equal(t, []string{"property"}, inForceNames(m))
}

func TestReloadOfTheGlobalScope(t *testing.T) {
	m := openOn(t, new(normsync.MemStore))
	applyTo(t, m, normsync.Enact(prohibition("curfew", "", "walk")))
	revs, err := m.Reload(t.Context(), "global", []normsync.Norm{prohibition("peace", "", "attack")})
	require.NoError(t, err)
	require.Len(t, revs, 2)
	require.Equal(t, []string{"peace"}, inForceNames(m))
}

// Two processes reload and change the same store: each Reload sees what the other did.
func TestReloadAgainstAnotherMonitor(t *testing.T) {
	s := new(normsync.MemStore)
	a, b := openOn(t, s), openOn(t, s)
	peace, property := prohibition("peace", "", "attack"), prohibition("property", "", "steal")
	_, err := a.Reload(t.Context(), "file", []normsync.Norm{peace, property})
	require.NoError(t, err)
	revs, err := b.Reload(t.Context(), "file", []normsync.Norm{peace, property})
	require.NoError(t, err)
	require.Empty(t, revs, "b did not know what a had enacted")
	applyTo(t, a, normsync.Repeal("peace").Attributed("zoe", ""))
	revs, err = b.Reload(t.Context(), "file", []normsync.Norm{peace, property})
	require.NoError(t, err)
	require.Empty(t, revs, "b did not know what zoe had repealed")
	require.Equal(t, []string{"property"}, inForceNames(b))
}
