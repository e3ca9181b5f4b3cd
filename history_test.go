package normsync

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The constitution of a violation's edition judges its action as it was judged then.
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
	for v, err := range consecutive(store.Violations(ctx, 0)) {
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

func TestMonitorReloadsAndReplays(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	var m Monitor
	c := &handClock{time.Unix(100, 0)}
	m.now = c.options().Now
	some := func() []Norm {
		var norms []Norm
		for i := range 12 {
			if r.IntN(2) == 0 {
				norms = append(norms, Norm{Name: fmt.Sprint("n", i), Condition: fmt.Sprint("zone", r.IntN(3)), Prohibited: "attack", Priority: r.IntN(2), Shadow: r.IntN(5) == 0})
			}
		}
		return norms
	}
	type moment struct {
		at   time.Time
		c    *Constitution
		want [][]Violation
	}
	actions := []Action{{Verb: "attack", Location: "zone0"}, {Verb: "attack", Location: "zone1 zone2"}, {Verb: "heal"}}
	check := func(c *Constitution) (out [][]Violation) {
		for _, a := range actions {
			out = append(out, c.Check(a))
		}
		return out
	}
	var moments []moment
	for range 60 {
		wanted := some()
		current := slices.Collect(m.Constitution().All())
		revs := applyTo(t, &m, Diff(current, wanted)...)
		require.Len(t, revs, len(Diff(current, wanted)))
		norms := normsOf(m.Constitution())
		require.Len(t, norms, len(wanted))
		for _, n := range wanted {
			require.Equal(t, n, norms[n.Name])
		}
		moments = append(moments, moment{c.t, m.Constitution(), check(m.Constitution())})
		c.t = c.t.Add(time.Second)
	}
	for _, mo := range moments {
		then, err := At(t.Context(), m.Store(), mo.at.Add(time.Second-1))
		require.NoError(t, err)
		require.Equal(t, mo.c.Edition(), then.Edition())
		require.Equal(t, mo.want, check(then))
		then, err = AtEdition(t.Context(), m.Store(), mo.c.Edition())
		require.NoError(t, err)
		require.True(t, maps.Equal(normsOf(mo.c), normsOf(then)))
		require.Equal(t, mo.want, check(then))
	}
	last := m.Constitution().Edition()
	_, err := AtEdition(t.Context(), m.Store(), last+1)
	require.ErrorIs(t, err, ErrNotFound)
	require.EqualError(t, err, fmt.Sprintf("normsync: constitution at edition %d: norm not found: the last edition is %d", last+1, last))
}

func TestAtAndAtEditionReadNoFurtherThanTheyNeed(t *testing.T) {
	c := &handClock{time.Unix(0, 1)}
	read := 0
	s := revisionsBy(func(*Revision) { read++ })
	m, err := Open(t.Context(), s, c.options())
	require.NoError(t, err)
	for i := range 50 {
		applyTo(t, m, Enact(ban(fmt.Sprint(i), "", "x")))
		c.t = c.t.Add(1)
	}
	read = 0
	_, err = AtEdition(t.Context(), s, 7)
	require.NoError(t, err)
	require.Equal(t, 7, read)
	read = 0
	_, err = At(t.Context(), s, time.Unix(0, 7))
	require.NoError(t, err)
	require.Equal(t, 8, read)
	read = 0
	empty, err := AtEdition(t.Context(), s, 0)
	require.NoError(t, err)
	require.Zero(t, empty.Len())
	require.Zero(t, read)
}

func TestMonitorSyncChangesNothingWhenItFails(t *testing.T) {
	boom := errors.New("boom")
	good := func() []Revision {
		return []Revision{{1, ID{}, 1, Enact(ban("a", "", "x")), time.Unix(5, 0).UTC()}, {2, ID{}, 1, Enact(ban("b", "", "x")), time.Unix(5, 0).UTC()}, {3, ID{}, 2, Amend(ban("a", "z", "x")), time.Unix(6, 0).UTC()}}
	}
	for _, c := range []struct {
		name string
		seq  func(yield func(Revision, error) bool)
		text string
	}{
		{"the store fails midway", func(yield func(Revision, error) bool) {
			_ = yield(good()[0], nil) && yield(Revision{}, boom)
		}, "boom"},
		{"an edition is missing", broken(good(), func(r []Revision) { r[1].Edition = 3 }), "invalid log: edition 3 does not follow edition 1; restore the log from a backup"},
		{"an edition is repeated", broken(good(), func(r []Revision) { r[1].Edition = 1 }), "invalid log: edition 1 does not follow edition 1; restore the log from a backup"},
		{"the first edition is 0", broken(good(), func(r []Revision) { r[0].Edition = 0 }), "invalid log: edition 0: the first edition is 1; restore the log from a backup"},
		{"a name is added twice", broken(good(), func(r []Revision) { r[1].Norm.Name = "a" }), `invalid log: edition 2 (add "a") adds a norm with a name that is in force; restore the log from a backup`},
		{"a name that is not in force is modified", broken(good(), func(r []Revision) { r[2].Norm.Name = "c" }), `invalid log: edition 3 (modify "c") is about a name that is not in force`},
		{"a name that is not in force is repealed", broken(good(), func(r []Revision) { r[1].Change = Repeal("c") }), `invalid log: edition 2 (repeal "c") is about a name that is not in force`},
		{"a kind is unknown", broken(good(), func(r []Revision) { r[1].Kind = "annul" }), `invalid log: edition 2 (annul "b") has an unknown kind: the kinds are add, modify and repeal`},
		{"a version is skipped", broken(good(), func(r []Revision) { r[2].Version = 3 }), `invalid log: edition 3 (modify "a") has version 3 after version 1`},
		{"a norm is invalid", broken(good(), func(r []Revision) { r[1].Norm.Prohibited = "" }), `invalid norm "b": Prohibited and Permitted are both empty`},
		{"a norm put in force is marked as repealed", broken(good(), func(r []Revision) { r[1].Norm.Repealed = true }), `invalid log: edition 2 (add "b") puts a norm in force that is marked as repealed`},
		{"time runs backwards", broken(good(), func(r []Revision) { r[1].Time = time.Unix(4, 0).UTC() }), `invalid log: edition 2 (add "b") has the time 1970-01-01T00:00:04Z, before its predecessor's 1970-01-01T00:00:05Z: times never run backwards`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := new(faultyStore)
			m := openOn(t, s)
			s.revisions = func(*faultyStore, context.Context, uint64) iter.Seq2[Revision, error] { return c.seq }
			n, err := m.Sync(t.Context())
			require.ErrorContains(t, err, "normsync: sync: "+c.text)
			require.Zero(t, n)
			require.Same(t, emptyConstitution, m.Constitution())
			_, err = Open(t.Context(), s, nil)
			require.ErrorContains(t, err, "normsync: open: "+c.text)
			_, err = At(t.Context(), s, time.Unix(9, 0))
			require.ErrorContains(t, err, "normsync: constitution at 1970-01-01T00:00:09Z: "+c.text)
			_, err = AtEdition(t.Context(), s, 3)
			require.ErrorContains(t, err, "normsync: constitution at edition 3: "+c.text)
			s.revisions = nil
			applyTo(t, m, Enact(ban("a", "", "x")))
		})
	}
}

func TestAReplayRefusesALogWhoseChainIsBroken(t *testing.T) {
	m, err := NewMonitor()
	require.NoError(t, err)
	for i := range 5 {
		applyTo(t, m, Enact(ban(fmt.Sprint("n", i+1), "", "x")))
	}
	good := all(t, m.Store().Revisions(t.Context(), 0))
	for name, c := range map[string]struct {
		damage func(revs []Revision)
		at     int // the edition that does not follow; 0: all do
	}{
		"nothing is wrong":                     {func([]Revision) {}, 0},
		"a revision was replaced":              {func(r []Revision) { r[2].Norm.Prohibited = "y" }, 4},
		"a Prev was replaced":                  {func(r []Revision) { r[4].Prev = r[2].ID() }, 5},
		"the first revision has Prev":          {func(r []Revision) { r[0].Prev = ID{1} }, 1},
		"a Prev was taken out":                 {func(r []Revision) { r[2].Prev = ID{} }, 4},
		"Prev begins in the middle of the log": {func(r []Revision) { r[1].Prev, r[2].Prev = ID{}, ID{}; r[3].Prev = r[2].ID(); r[4].Prev = r[3].ID() }, 0},
		"Prev ends in the middle of the log":   {func(r []Revision) { r[3].Prev, r[4].Prev = ID{}, ID{} }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			revs := append([]Revision(nil), good...)
			s := &faultyStore{revisions: func(_ *faultyStore, _ context.Context, after uint64) iter.Seq2[Revision, error] {
				return broken(revs[min(after, uint64(len(revs))):], func([]Revision) {})
			}}
			c.damage(revs)
			_, open := Open(t.Context(), s, nil)
			_, at := At(t.Context(), s, time.Now().Add(time.Hour))
			_, atEdition := AtEdition(t.Context(), s, 5)
			_, history := History(t.Context(), s, "n5")
			for call, err := range map[string]error{"Open": open, "At": at, "AtEdition": atEdition, "History": history} {
				if c.at == 0 {
					require.NoError(t, err, call)
					continue
				}
				require.ErrorIs(t, err, ErrInvalid, call)
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

	r := applyTo(t, m, Enact(ban("new", "", "x")))[0]
	require.Equal(t, old[8].ID(), r.Prev)
	n, err := other.Sync(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n)
	applyTo(t, other, Repeal("new"))
	require.NoError(t, s.Close())
	s = openFileStore(t, dir, nil)
	require.EqualValues(t, 11, openOn(t, s).Constitution().Edition())
	history, err := History(t.Context(), s, "new")
	require.NoError(t, err)
	require.Len(t, history, 2)
}

func TestAStoreWithoutASequenceIsAnError(t *testing.T) {
	_, err := Open(t.Context(), new(storeWithoutSequence), nil)
	require.ErrorContains(t, err, "no sequence")
}

type storeWithoutSequence struct{ MemStore }

func (*storeWithoutSequence) Revisions(context.Context, uint64) iter.Seq2[Revision, error] {
	return nil
}

func TestMonitorReplaysALongLog(t *testing.T) {
	s := new(MemStore)
	m := openOn(t, s)
	for round := range 11 {
		var changes []Change
		for i := range 1000 {
			n := ban(fmt.Sprint("n", i%100), fmt.Sprint("zone", i, " ", round), "x")
			switch {
			case i < 100 && round > 0:
				changes = append(changes, Repeal(n.Name))
			case i < 200:
				changes = append(changes, Enact(n))
			default:
				changes = append(changes, Amend(n))
			}
		}
		if round == 0 {
			changes = changes[100:]
		}
		applyTo(t, m, changes...)
	}
	applyTo(t, m, Repeal("n1"), Repeal("n2"), Enact(ban("n2", "", "y")))
	again := openOn(t, s)
	require.Equal(t, normsOf(m.Constitution()), normsOf(again.Constitution()))
	require.Equal(t, m.retired, again.retired)
	for _, name := range []string{"n1", "n2", "n3"} {
		_, err := m.Apply(t.Context(), Enact(ban(name, "q", "x")))
		if name == "n1" {
			require.NoError(t, err)
		}
	}
	history, err := History(t.Context(), s, "n1")
	require.NoError(t, err)
	require.Equal(t, len(history), history[len(history)-1].Version)
}

func TestReplayHoldsARevisionForEachNameOnly(t *testing.T) {
	p := replay{from: emptyConstitution}
	for i := range 20000 {
		r := Revision{Edition: uint64(i + 1), Version: i + 1, Change: Amend(ban("n", fmt.Sprint(i), "x"))}
		if i == 0 {
			r.Kind = KindEnact
		}
		require.NoError(t, p.add(identify(r)))
		require.Equal(t, 1, p.latest.len())
	}
	c := p.constitution()
	require.Equal(t, 1, c.Len())
	n, version, ok := c.versioned("n")
	require.True(t, ok)
	require.Equal(t, 20000, version)
	require.Equal(t, "19999", n.Condition)
}

func TestReplayHoldsTheLastRevisionOfEachOfManyNames(t *testing.T) {
	p := replay{from: emptyConstitution}
	const names = 50_000
	for i := range 2 * names {
		r := Revision{Edition: uint64(i + 1), Version: i/names + 1, Change: Enact(ban(fmt.Sprint(i%names), fmt.Sprint(i), "x"))}
		if i >= names {
			r.Kind = KindAmend
		}
		require.NoError(t, p.add(identify(r)))
	}
	i := names
	for last := range p.latest.all() {
		n := ban(fmt.Sprint(i%names), fmt.Sprint(i), "x")
		require.Equal(t, outcome{n, n.ID(), 2}, *last)
		i++
	}
	require.Equal(t, 2*names, i)
}
