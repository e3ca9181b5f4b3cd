package normsync_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

// The constitution of a violation's edition judges its action as it was judged then.
func TestTimeTravel(t *testing.T) {
	ctx := t.Context()
	r := rand.New(rand.NewPCG(8, 1))
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	norm := func(name string) normsync.Norm {
		n := normsync.Norm{Name: name, Condition: pick("", "zone", "zone red", "location:z*"), Unless: pick("", "", "duel", "agent:b"), Priority: r.IntN(3), Shadow: r.IntN(4) == 0}
		if n.Prohibited = pick("attack", "loot", "attack loot", "l*"); r.IntN(4) == 0 {
			n.Prohibited, n.Permitted = "", n.Prohibited
		}
		return n
	}
	now := time.Unix(1_700_000_000, 0).UTC()
	store := new(normsync.MemStore)
	m, err := normsync.Open(ctx, store, &normsync.Options{Now: func() time.Time { now = now.Add(time.Second); return now }})
	require.NoError(t, err)

	type judged struct {
		action  normsync.Action
		edition uint64
		at      time.Time
		verdict []normsync.Violation
	}
	var log []judged
	for range 50 {
		var change normsync.Change
		switch name := fmt.Sprint("norm-", r.IntN(12)); {
		case !has(m, name):
			change = normsync.Enact(norm(name))
		case r.IntN(3) == 0:
			change = normsync.Repeal(name)
		default:
			change = normsync.Amend(norm(name))
		}
		_, err := m.Apply(ctx, change)
		require.NoError(t, err)
		for range 20 {
			a := normsync.Action{Agent: pick("a", "b"), Verb: pick("attack", "loot", "lift", "sing"), Location: pick("zone", "zoo", ""), Target: pick("", "duel"), Faction: pick("", "red"), Time: now}
			verdict := m.Check(a)
			log = append(log, judged{a, m.Constitution().Edition(), now, verdict})
			require.NoError(t, store.AppendViolations(ctx, verdict...))
		}
	}

	seen := 0
	for _, j := range log {
		seen += len(j.verdict)
		c, err := normsync.AtEdition(ctx, store, j.edition)
		require.NoError(t, err)
		require.Equal(t, j.verdict, c.Check(j.action))
		c, err = normsync.At(ctx, store, j.at)
		require.NoError(t, err)
		require.Equal(t, j.edition, c.Edition())
		require.Equal(t, j.verdict, c.Check(j.action))
	}
	require.Greater(t, seen, 200)
	for v, err := range consecutive(store.Violations(ctx, 0)) {
		require.NoError(t, err)
		c, err := normsync.AtEdition(ctx, store, v.Edition)
		require.NoError(t, err)
		require.True(t, slices.Contains(c.Check(v.Action), v), "a recorded violation names its edition")
	}
}

func has(m *normsync.Monitor, name string) bool {
	_, ok := m.Constitution().Norm(name)
	return ok
}

func TestMonitorReloadsAndReplays(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	c := &handClock{time.Unix(100, 0)}
	m, err := normsync.Open(t.Context(), new(normsync.MemStore), c.options())
	require.NoError(t, err)
	some := func() []normsync.Norm {
		var norms []normsync.Norm
		for i := range 12 {
			if r.IntN(2) == 0 {
				norms = append(norms, normsync.Norm{Name: fmt.Sprint("n", i), Condition: fmt.Sprint("zone", r.IntN(3)), Prohibited: "attack", Priority: r.IntN(2), Shadow: r.IntN(5) == 0})
			}
		}
		return norms
	}
	type moment struct {
		at   time.Time
		c    *normsync.Constitution
		want [][]normsync.Violation
	}
	actions := []normsync.Action{{Verb: "attack", Location: "zone0"}, {Verb: "attack", Location: "zone1 zone2"}, {Verb: "heal"}}
	check := func(c *normsync.Constitution) (out [][]normsync.Violation) {
		for _, a := range actions {
			out = append(out, c.Check(a))
		}
		return out
	}
	var moments []moment
	for range 60 {
		wanted := some()
		current := slices.Collect(m.Constitution().All())
		revs := applyTo(t, m, normsync.Diff(current, wanted)...)
		require.Len(t, revs, len(normsync.Diff(current, wanted)))
		norms := normsOf(m.Constitution())
		require.Len(t, norms, len(wanted))
		for _, n := range wanted {
			require.Equal(t, n, norms[n.Name])
		}
		moments = append(moments, moment{c.t, m.Constitution(), check(m.Constitution())})
		c.t = c.t.Add(time.Second)
	}
	for _, mo := range moments {
		then, err := normsync.At(t.Context(), m.Store(), mo.at.Add(time.Second-1))
		require.NoError(t, err)
		require.Equal(t, mo.c.Edition(), then.Edition())
		require.Equal(t, mo.want, check(then))
		then, err = normsync.AtEdition(t.Context(), m.Store(), mo.c.Edition())
		require.NoError(t, err)
		require.True(t, maps.Equal(normsOf(mo.c), normsOf(then)))
		require.Equal(t, mo.want, check(then))
	}
	last := m.Constitution().Edition()
	_, err = normsync.AtEdition(t.Context(), m.Store(), last+1)
	require.ErrorIs(t, err, normsync.ErrNotFound)
	require.EqualError(t, err, fmt.Sprintf("normsync: constitution at edition %d: norm not found: the last edition is %d", last+1, last))
}

func TestAtAndAtEditionReadNoFurtherThanTheyNeed(t *testing.T) {
	c := &handClock{time.Unix(0, 1)}
	read := 0
	s := revisionsBy(func(*normsync.Revision) { read++ })
	m, err := normsync.Open(t.Context(), s, c.options())
	require.NoError(t, err)
	for i := range 50 {
		applyTo(t, m, enact(fmt.Sprint(i)))
		c.t = c.t.Add(1)
	}
	read = 0
	_, err = normsync.AtEdition(t.Context(), s, 7)
	require.NoError(t, err)
	require.Equal(t, 7, read)
	read = 0
	_, err = normsync.At(t.Context(), s, time.Unix(0, 7))
	require.NoError(t, err)
	require.Equal(t, 8, read)
	read = 0
	empty, err := normsync.AtEdition(t.Context(), s, 0)
	require.NoError(t, err)
	require.Zero(t, empty.Len())
	require.Zero(t, read)
}

func TestMonitorSyncChangesNothingWhenItFails(t *testing.T) {
	boom := errors.New("boom")
	good := func() []normsync.Revision {
		return []normsync.Revision{{1, normsync.ID{}, 1, enact("a"), time.Unix(5, 0).UTC()}, {2, normsync.ID{}, 1, enact("b"), time.Unix(5, 0).UTC()}, {3, normsync.ID{}, 2, normsync.Amend(prohibition("a", "z", "x")), time.Unix(6, 0).UTC()}}
	}
	for _, c := range []struct {
		name string
		seq  func(yield func(normsync.Revision, error) bool)
		text string
	}{
		{"the store fails midway", func(yield func(normsync.Revision, error) bool) {
			_ = yield(good()[0], nil) && yield(normsync.Revision{}, boom)
		}, "boom"},
		{"an edition is missing", broken(good(), func(r []normsync.Revision) { r[1].Edition = 3 }), "invalid log: edition 3 does not follow edition 1; restore the log from a backup"},
		{"an edition is repeated", broken(good(), func(r []normsync.Revision) { r[1].Edition = 1 }), "invalid log: edition 1 does not follow edition 1; restore the log from a backup"},
		{"the first edition is 0", broken(good(), func(r []normsync.Revision) { r[0].Edition = 0 }), "invalid log: edition 0: the first edition is 1; restore the log from a backup"},
		{"a name is added twice", broken(good(), func(r []normsync.Revision) { r[1].Norm.Name = "a" }), `invalid log: edition 2 (add "a") adds a norm with a name that is in force; restore the log from a backup`},
		{"a name that is not in force is modified", broken(good(), func(r []normsync.Revision) { r[2].Norm.Name = "c" }), `invalid log: edition 3 (modify "c") is about a name that is not in force`},
		{"a name that is not in force is repealed", broken(good(), func(r []normsync.Revision) { r[1].Change = normsync.Repeal("c") }), `invalid log: edition 2 (repeal "c") is about a name that is not in force`},
		{"a kind is unknown", broken(good(), func(r []normsync.Revision) { r[1].Kind = "annul" }), `invalid log: edition 2 (annul "b") has an unknown kind: the kinds are add, modify and repeal`},
		{"a version is skipped", broken(good(), func(r []normsync.Revision) { r[2].Version = 3 }), `invalid log: edition 3 (modify "a") has version 3 after version 1`},
		{"a norm is invalid", broken(good(), func(r []normsync.Revision) { r[1].Norm.Prohibited = "" }), `invalid norm "b": Prohibited and Permitted are both empty`},
		{"a norm put in force is marked as repealed", broken(good(), func(r []normsync.Revision) { r[1].Norm.Repealed = true }), `invalid log: edition 2 (add "b") puts a norm in force that is marked as repealed`},
		{"time runs backwards", broken(good(), func(r []normsync.Revision) { r[1].Time = time.Unix(4, 0).UTC() }), `invalid log: edition 2 (add "b") has the time 1970-01-01T00:00:04Z, before its predecessor's 1970-01-01T00:00:05Z: times never run backwards`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := new(faultyStore)
			m := openOn(t, s)
			empty := m.Constitution()
			s.revisions = func(*faultyStore, context.Context, uint64) iter.Seq2[normsync.Revision, error] { return c.seq }
			n, err := m.Sync(t.Context())
			require.ErrorContains(t, err, "normsync: sync: "+c.text)
			require.Zero(t, n)
			require.Same(t, empty, m.Constitution())
			_, err = normsync.Open(t.Context(), s, nil)
			require.ErrorContains(t, err, "normsync: open: "+c.text)
			_, err = normsync.At(t.Context(), s, time.Unix(9, 0))
			require.ErrorContains(t, err, "normsync: constitution at 1970-01-01T00:00:09Z: "+c.text)
			_, err = normsync.AtEdition(t.Context(), s, 3)
			require.ErrorContains(t, err, "normsync: constitution at edition 3: "+c.text)
			s.revisions = nil
			applyTo(t, m, enact("a"))
		})
	}
}

func TestAReplayRefusesALogWhoseChainIsBroken(t *testing.T) {
	m, err := normsync.NewMonitor()
	require.NoError(t, err)
	for i := range 5 {
		applyTo(t, m, enact(fmt.Sprint("n", i+1)))
	}
	good := all(t, m.Store().Revisions(t.Context(), 0))
	for name, c := range map[string]struct {
		damage func(revs []normsync.Revision)
		at     int // the edition that does not follow; 0: all do
	}{
		"nothing is wrong":            {func([]normsync.Revision) {}, 0},
		"a revision was replaced":     {func(r []normsync.Revision) { r[2].Norm.Prohibited = "y" }, 4},
		"a Prev was replaced":         {func(r []normsync.Revision) { r[4].Prev = r[2].ID() }, 5},
		"the first revision has Prev": {func(r []normsync.Revision) { r[0].Prev = normsync.ID{1} }, 1},
		"a Prev was taken out":        {func(r []normsync.Revision) { r[2].Prev = normsync.ID{} }, 4},
		"Prev begins in the middle of the log": {func(r []normsync.Revision) {
			r[1].Prev, r[2].Prev = normsync.ID{}, normsync.ID{}
			r[3].Prev = r[2].ID()
			r[4].Prev = r[3].ID()
		}, 0},
		"Prev ends in the middle of the log": {func(r []normsync.Revision) { r[3].Prev, r[4].Prev = normsync.ID{}, normsync.ID{} }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			revs := append([]normsync.Revision(nil), good...)
			s := &faultyStore{revisions: func(_ *faultyStore, _ context.Context, after uint64) iter.Seq2[normsync.Revision, error] {
				return broken(revs[min(after, uint64(len(revs))):], func([]normsync.Revision) {})
			}}
			c.damage(revs)
			_, open := normsync.Open(t.Context(), s, nil)
			_, at := normsync.At(t.Context(), s, time.Now().Add(time.Hour))
			_, atEdition := normsync.AtEdition(t.Context(), s, 5)
			_, history := normsync.History(t.Context(), s, "n5")
			for call, err := range map[string]error{"Open": open, "At": at, "AtEdition": atEdition, "History": history} {
				if c.at == 0 {
					require.NoError(t, err, call)
					continue
				}
				require.ErrorIs(t, err, normsync.ErrInvalid, call)
				require.ErrorContains(t, err, fmt.Sprintf("invalid log: edition %d has Prev %v, but the revision before it is ", c.at, revs[c.at-1].Prev), call)
				require.ErrorContains(t, err, "restore the log from a backup", call)
			}
		})
	}
}

// A log that version 0.1 wrote can be opened, continued and followed.
func TestALogWithoutPrevIsCarriedOn(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/store-0.1")))
	s := openFileStore(t, dir, nil)
	m, other := openOn(t, s), openOn(t, s)
	require.EqualValues(t, 9, m.Constitution().Edition())
	old := all(t, s.Revisions(t.Context(), 0))
	require.Zero(t, old[8].Prev)
	require.Equal(t, "7672acff2be296f3", old[8].ID().String(), "the ID of a revision without Prev is that of 0.1")

	r := applyTo(t, m, enact("new"))[0]
	require.Equal(t, old[8].ID(), r.Prev)
	n, err := other.Sync(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n)
	applyTo(t, other, normsync.Repeal("new"))
	require.NoError(t, s.Close())
	s = openFileStore(t, dir, nil)
	require.EqualValues(t, 11, openOn(t, s).Constitution().Edition())
	history, err := normsync.History(t.Context(), s, "new")
	require.NoError(t, err)
	require.Len(t, history, 2)
}

func TestAStoreWithoutASequenceIsAnError(t *testing.T) {
	_, err := normsync.Open(t.Context(), new(storeWithoutSequence), nil)
	require.ErrorContains(t, err, "no sequence")
}

type storeWithoutSequence struct{ normsync.MemStore }

func (*storeWithoutSequence) Revisions(context.Context, uint64) iter.Seq2[normsync.Revision, error] {
	return nil
}

func TestMonitorReplaysALongLog(t *testing.T) {
	s := new(normsync.MemStore)
	m := openOn(t, s)
	for round := range 11 {
		var changes []normsync.Change
		for i := range 1000 {
			n := prohibition(fmt.Sprint("n", i%100), fmt.Sprint("zone", i, " ", round), "x")
			switch {
			case i < 100 && round > 0:
				changes = append(changes, normsync.Repeal(n.Name))
			case i < 200:
				changes = append(changes, normsync.Enact(n))
			default:
				changes = append(changes, normsync.Amend(n))
			}
		}
		if round == 0 {
			changes = changes[100:]
		}
		applyTo(t, m, changes...)
	}
	applyTo(t, m, normsync.Repeal("n1"), normsync.Repeal("n2"), normsync.Enact(prohibition("n2", "", "y")))
	again := openOn(t, s)
	require.Equal(t, normsOf(m.Constitution()), normsOf(again.Constitution()))
	require.Equal(t, m.Retired(), again.Retired())
	for _, name := range []string{"n1", "n2", "n3"} {
		_, err := m.Apply(t.Context(), normsync.Enact(prohibition(name, "q", "x")))
		if name == "n1" {
			require.NoError(t, err)
		}
	}
	history, err := normsync.History(t.Context(), s, "n1")
	require.NoError(t, err)
	require.Equal(t, len(history), history[len(history)-1].Version)
}

func TestChangesAreMadeOfNorms(t *testing.T) {
	n := normsync.Norm{Name: "n", Prohibited: "attack"}
	require.Equal(t, normsync.Change{Kind: normsync.KindEnact, Norm: n}, normsync.Enact(n))
	require.Equal(t, normsync.Change{Kind: normsync.KindAmend, Norm: n}, normsync.Amend(n))
	require.Equal(t, normsync.Change{Kind: normsync.KindRepeal, Norm: normsync.Norm{Name: "n"}}, normsync.Repeal("n"))
	c := normsync.Enact(n)
	require.Equal(t, normsync.Change{Kind: normsync.KindEnact, Norm: n, By: "zoe", Reason: "why"}, c.Attributed("zoe", "why"))
	require.Empty(t, c.By, "Attributed makes a copy")
}

func TestDiff(t *testing.T) {
	a, b, c, d := normsync.Norm{Name: "a", Prohibited: "x"}, normsync.Norm{Name: "b", Prohibited: "x"}, normsync.Norm{Name: "c", Prohibited: "x"}, normsync.Norm{Name: "d", Prohibited: "x"}
	with := func(n normsync.Norm, f func(n *normsync.Norm)) normsync.Norm { f(&n); return n }
	repealed := func(n normsync.Norm) normsync.Norm { n.Repealed = true; return n }
	global := func(n normsync.Norm) normsync.Norm { n.Scope = "global"; return n }
	other := func(n normsync.Norm) normsync.Norm {
		return with(n, func(n *normsync.Norm) { n.Description = "other" })
	}
	for name, tc := range map[string]struct {
		from, to []normsync.Norm
		want     []normsync.Change
	}{
		"nothing is left as it is":                           {nil, nil, nil},
		"the same norms in another order need no change":     {[]normsync.Norm{a, b}, []normsync.Norm{b, a}, nil},
		"what is gone is repealed, by name":                  {[]normsync.Norm{b, a, c}, []normsync.Norm{c}, []normsync.Change{normsync.Repeal("a"), normsync.Repeal("b")}},
		"what is new is enacted, by name":                    {[]normsync.Norm{c}, []normsync.Norm{b, c, a}, []normsync.Change{normsync.Enact(a), normsync.Enact(b)}},
		"what differs in any field is amended":               {[]normsync.Norm{a, b}, []normsync.Norm{other(b), a}, []normsync.Change{normsync.Amend(other(b))}},
		"repeals come before amendments and enactments":      {[]normsync.Norm{b, d}, []normsync.Norm{a, other(b), c}, []normsync.Change{normsync.Repeal("d"), normsync.Amend(other(b)), normsync.Enact(a), normsync.Enact(c)}},
		"a repealed norm in from is absent":                  {[]normsync.Norm{repealed(a)}, []normsync.Norm{a}, []normsync.Change{normsync.Enact(a)}},
		"a repealed norm in to is absent":                    {[]normsync.Norm{a}, []normsync.Norm{repealed(a)}, []normsync.Change{normsync.Repeal("a")}},
		"a repealed norm in both is absent":                  {[]normsync.Norm{repealed(a)}, []normsync.Norm{repealed(a)}, nil},
		"a repealed norm beside one in force is passed over": {[]normsync.Norm{repealed(other(a)), a}, []normsync.Norm{a, repealed(other(a))}, nil},
		"the same window in another time zone is the same":   {[]normsync.Norm{with(a, func(n *normsync.Norm) { n.From = time.Unix(7, 0).UTC() })}, []normsync.Norm{with(a, func(n *normsync.Norm) { n.From = time.Unix(7, 0).In(time.FixedZone("east", 3600)) })}, nil},
		"another window is an amendment":                     {[]normsync.Norm{a}, []normsync.Norm{with(a, func(n *normsync.Norm) { n.Until = time.Unix(7, 0).UTC() })}, []normsync.Change{normsync.Amend(with(a, func(n *normsync.Norm) { n.Until = time.Unix(7, 0).UTC() }))}},
		"an explicit global scope is the empty one":          {[]normsync.Norm{global(a), b}, []normsync.Norm{a, global(b), global(c)}, []normsync.Change{normsync.Enact(c)}},
		"the same norm twice is one":                         {nil, []normsync.Norm{a, global(a)}, []normsync.Change{normsync.Enact(a)}},
		"two norms of one name are left for Apply to refuse": {nil, []normsync.Norm{a, other(a)}, []normsync.Change{normsync.Enact(a), normsync.Enact(other(a))}},
		"a second norm of a name in force likewise":          {[]normsync.Norm{a}, []normsync.Norm{a, other(a)}, []normsync.Change{normsync.Enact(other(a))}},
	} {
		t.Run(name, func(t *testing.T) {
			from, to := slices.Clone(tc.from), slices.Clone(tc.to)
			require.Equal(t, tc.want, normsync.Diff(from, to))
			require.Equal(t, tc.from, from, "from is not changed")
			require.Equal(t, tc.to, to, "to is not changed")
		})
	}
}

func TestDiffOfRandomSetsLeadsFromOneToTheOther(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	some := func() (norms []normsync.Norm) {
		for i := range 10 {
			if r.IntN(3) > 0 {
				norms = append(norms, normsync.Norm{Name: strconv.Itoa(i), Prohibited: "x", Priority: r.IntN(2), Scope: []string{"", "global", "town"}[r.IntN(3)], Repealed: r.IntN(4) == 0})
			}
		}
		r.Shuffle(len(norms), func(i, j int) { norms[i], norms[j] = norms[j], norms[i] })
		return norms
	}
	inForce := func(norms []normsync.Norm) map[string]normsync.Norm {
		byName := map[string]normsync.Norm{}
		for _, n := range norms {
			if !n.Repealed {
				byName[n.Name] = canonicalNorm(t, n)
			}
		}
		return byName
	}
	for range 2000 {
		from, to := some(), some()
		now := inForce(from)
		changes := normsync.Diff(from, to)
		for _, c := range changes {
			old, ok := now[c.Norm.Name]
			require.Equal(t, c.Kind != normsync.KindEnact, ok)
			require.NotEqual(t, old, c.Norm, "every change changes something")
			if now[c.Norm.Name] = c.Norm; c.Kind == normsync.KindRepeal {
				delete(now, c.Norm.Name)
			}
		}
		require.Equal(t, inForce(to), now)
		r.Shuffle(len(from), func(i, j int) { from[i], from[j] = from[j], from[i] })
		r.Shuffle(len(to), func(i, j int) { to[i], to[j] = to[j], to[i] })
		require.Equal(t, changes, normsync.Diff(from, to), "the order does not depend on that of the norms")
	}
}

func TestDiffFieldsListsWhatDiffersInOrder(t *testing.T) {
	a := normsync.Norm{Name: "n", Condition: "a", Prohibited: "attack", Scope: "global"}
	require.Empty(t, normsync.DiffFields(a, a))
	require.Empty(t, normsync.DiffFields(a, canonicalNorm(t, a)), "an explicit global scope is the empty one")
	b := normsync.Norm{"m", "d", "b", "u", "", "heal", "town", -7, normsync.SeverityError, "ask", time.Unix(7, 8).UTC(), time.Unix(9, 0).UTC(), true, true}
	require.Equal(t, []normsync.FieldDiff{
		{"Name", "n", "m"}, {"Description", "", "d"}, {"Condition", "a", "b"}, {"Unless", "", "u"}, {"Prohibited", "attack", ""}, {"Permitted", "", "heal"},
		{"Scope", "", "town"}, {"Priority", "0", "-7"}, {"Severity", "", "error"},
		{"Advice", "", "ask"}, {"From", "", "1970-01-01T00:00:07.000000008Z"}, {"Until", "", "1970-01-01T00:00:09Z"}, {"Shadow", "false", "true"}, {"Repealed", "false", "true"},
	}, normsync.DiffFields(a, b))
	o := oddValues{rand.New(rand.NewPCG(7, 8))}
	for range 2000 {
		x, y := o.norm(), o.norm()
		if o.IntN(2) == 0 {
			y = x
			y.Priority = []int{x.Priority, 5}[o.IntN(2)]
		}
		require.Equal(t, canonicalNorm(t, x) == canonicalNorm(t, y), len(normsync.DiffFields(x, y)) == 0)
	}
}

func TestDiffFieldsFindsEveryField(t *testing.T) {
	for name, n := range eachFieldSet(normsync.Norm{}) {
		diffs := normsync.DiffFields(normsync.Norm{}, n)
		require.Len(t, diffs, 1, name)
		require.Equal(t, name, diffs[0].Field)
	}
}

func TestRevisionIDEndsWithPrev(t *testing.T) {
	r := normsync.Revision{Edition: 2, Change: normsync.Enact(prohibition("n", "zone", "attack")), Time: time.Unix(1, 2)}
	require.Equal(t, slowID("2|add|"+r.Norm.ID().String()+"|1000000002"), r.ID())
	r.Prev = normsync.ID{0xab, 1}
	require.Equal(t, slowID("2|add|"+r.Norm.ID().String()+"|1000000002|prev=ab01000000000000"), r.ID())
}

func BenchmarkDiff(b *testing.B) {
	for _, size := range []int{100, 10000} {
		b.Run("norms="+strconv.Itoa(size), func(b *testing.B) {
			var from []normsync.Norm
			for i := range size {
				from = append(from, normsync.Norm{Name: strconv.Itoa(i), Prohibited: "attack"})
			}
			to := slices.Clone(from)
			to[size/2].Priority = 1
			b.ReportAllocs()
			for b.Loop() {
				normsync.Diff(from, to)
			}
		})
	}
}

func TestEditionsYieldsEachApplyOnce(t *testing.T) {
	s := new(normsync.MemStore)
	now := time.Unix(1000, 0)
	m, err := normsync.Open(t.Context(), s, &normsync.Options{Now: func() time.Time { now = now.Add(1); return now }})
	require.NoError(t, err)
	require.Empty(t, all(t, normsync.Editions(t.Context(), s)))
	applyTo(t, m, enact("a"), enact("b"))
	applyTo(t, m, normsync.Repeal("a"))
	applyTo(t, m, normsync.Enact(prohibition("a", "", "y")), normsync.Amend(prohibition("b", "z", "x")), normsync.Repeal("b"))
	applyTo(t, m, enact("b"))
	var editions []uint64
	for _, c := range all(t, normsync.Editions(t.Context(), s)) {
		at, err := normsync.AtEdition(t.Context(), s, c.Edition())
		require.NoError(t, err)
		require.Equal(t, slices.Collect(at.All()), slices.Collect(c.All()))
		editions = append(editions, c.Edition())
	}
	require.Equal(t, []uint64{2, 3, 6, 7}, editions)
	for range normsync.Editions(t.Context(), s) {
		break
	}
	bad := revisionsBy(func(r *normsync.Revision) { r.Version += int(r.Edition / 5) })
	require.NoError(t, bad.AppendRevisions(t.Context(), all(t, s.Revisions(t.Context(), 0))...))
	pairs := results(normsync.Editions(t.Context(), bad), nil)
	require.Len(t, pairs, 3)
	require.ErrorIs(t, pairs[2].err, normsync.ErrInvalid)
}
