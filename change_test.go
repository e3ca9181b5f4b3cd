package normsync

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestChangesAreMadeOfNorms(t *testing.T) {
	n := Norm{Name: "n", Prohibited: "attack"}
	require.Equal(t, Change{Kind: KindEnact, Norm: n}, Enact(n))
	require.Equal(t, Change{Kind: KindAmend, Norm: n}, Amend(n))
	require.Equal(t, Change{Kind: KindRepeal, Norm: Norm{Name: "n"}}, Repeal("n"))
	c := Enact(n)
	require.Equal(t, Change{Kind: KindEnact, Norm: n, By: "zoe", Reason: "why"}, c.Attributed("zoe", "why"))
	require.Empty(t, c.By, "Attributed makes a copy")
}

func TestDiff(t *testing.T) {
	a, b, c, d := Norm{Name: "a", Prohibited: "x"}, Norm{Name: "b", Prohibited: "x"}, Norm{Name: "c", Prohibited: "x"}, Norm{Name: "d", Prohibited: "x"}
	with := func(n Norm, f func(n *Norm)) Norm { f(&n); return n }
	repealed := func(n Norm) Norm { n.Repealed = true; return n }
	global := func(n Norm) Norm { n.Scope = "global"; return n }
	other := func(n Norm) Norm { return with(n, func(n *Norm) { n.Description = "other" }) }
	for name, tc := range map[string]struct {
		from, to []Norm
		want     []Change
	}{
		"nothing is left as it is":                           {nil, nil, nil},
		"the same norms in another order need no change":     {[]Norm{a, b}, []Norm{b, a}, nil},
		"what is gone is repealed, by name":                  {[]Norm{b, a, c}, []Norm{c}, []Change{Repeal("a"), Repeal("b")}},
		"what is new is enacted, by name":                    {[]Norm{c}, []Norm{b, c, a}, []Change{Enact(a), Enact(b)}},
		"what differs in any field is amended":               {[]Norm{a, b}, []Norm{other(b), a}, []Change{Amend(other(b))}},
		"repeals come before amendments and enactments":      {[]Norm{b, d}, []Norm{a, other(b), c}, []Change{Repeal("d"), Amend(other(b)), Enact(a), Enact(c)}},
		"a repealed norm in from is absent":                  {[]Norm{repealed(a)}, []Norm{a}, []Change{Enact(a)}},
		"a repealed norm in to is absent":                    {[]Norm{a}, []Norm{repealed(a)}, []Change{Repeal("a")}},
		"a repealed norm in both is absent":                  {[]Norm{repealed(a)}, []Norm{repealed(a)}, nil},
		"a repealed norm beside one in force is passed over": {[]Norm{repealed(other(a)), a}, []Norm{a, repealed(other(a))}, nil},
		"the same window in another time zone is the same":   {[]Norm{with(a, func(n *Norm) { n.From = time.Unix(7, 0).UTC() })}, []Norm{with(a, func(n *Norm) { n.From = time.Unix(7, 0).In(time.FixedZone("east", 3600)) })}, nil},
		"another window is an amendment":                     {[]Norm{a}, []Norm{with(a, func(n *Norm) { n.Until = time.Unix(7, 0).UTC() })}, []Change{Amend(with(a, func(n *Norm) { n.Until = time.Unix(7, 0).UTC() }))}},
		"an explicit global scope is the empty one":          {[]Norm{global(a), b}, []Norm{a, global(b), global(c)}, []Change{Enact(c)}},
		"the same norm twice is one":                         {nil, []Norm{a, global(a)}, []Change{Enact(a)}},
		"two norms of one name are left for Apply to refuse": {nil, []Norm{a, other(a)}, []Change{Enact(a), Enact(other(a))}},
		"a second norm of a name in force likewise":          {[]Norm{a}, []Norm{a, other(a)}, []Change{Enact(other(a))}},
	} {
		t.Run(name, func(t *testing.T) {
			from, to := slices.Clone(tc.from), slices.Clone(tc.to)
			require.Equal(t, tc.want, Diff(from, to))
			require.Equal(t, tc.from, from, "from is not changed")
			require.Equal(t, tc.to, to, "to is not changed")
		})
	}
}

func TestDiffOfRandomSetsLeadsFromOneToTheOther(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	some := func() (norms []Norm) {
		for i := range 10 {
			if r.IntN(3) > 0 {
				norms = append(norms, Norm{Name: strconv.Itoa(i), Prohibited: "x", Priority: r.IntN(2), Scope: []string{"", "global", "town"}[r.IntN(3)], Repealed: r.IntN(4) == 0})
			}
		}
		r.Shuffle(len(norms), func(i, j int) { norms[i], norms[j] = norms[j], norms[i] })
		return norms
	}
	for range 2000 {
		from, to := some(), some()
		now := inForce(from)
		changes := Diff(from, to)
		for _, c := range changes {
			old, ok := now[c.Norm.Name]
			require.Equal(t, c.Kind != KindEnact, ok)
			require.NotEqual(t, old, c.Norm, "every change changes something")
			if now[c.Norm.Name] = c.Norm; c.Kind == KindRepeal {
				delete(now, c.Norm.Name)
			}
		}
		require.Equal(t, inForce(to), now)
		r.Shuffle(len(from), func(i, j int) { from[i], from[j] = from[j], from[i] })
		r.Shuffle(len(to), func(i, j int) { to[i], to[j] = to[j], to[i] })
		require.Equal(t, changes, Diff(from, to), "the order does not depend on that of the norms")
	}
}

func TestDiffFieldsListsWhatDiffersInOrder(t *testing.T) {
	a := Norm{Name: "n", Condition: "a", Prohibited: "attack", Scope: "global"}
	require.Empty(t, DiffFields(a, a))
	require.Empty(t, DiffFields(a, a.canonical()), "an explicit global scope is the empty one")
	b := Norm{"m", "d", "b", "u", "", "heal", "town", -7, SeverityError, "ask", time.Unix(7, 8).UTC(), time.Unix(9, 0).UTC(), true, true}
	require.Equal(t, []FieldDiff{
		{"Name", "n", "m"}, {"Description", "", "d"}, {"Condition", "a", "b"}, {"Unless", "", "u"}, {"Prohibited", "attack", ""}, {"Permitted", "", "heal"},
		{"Scope", "", "town"}, {"Priority", "0", "-7"}, {"Severity", "", "error"},
		{"Advice", "", "ask"}, {"From", "", "1970-01-01T00:00:07.000000008Z"}, {"Until", "", "1970-01-01T00:00:09Z"}, {"Shadow", "false", "true"}, {"Repealed", "false", "true"},
	}, DiffFields(a, b))
	o := oddValues{rand.New(rand.NewPCG(7, 8))}
	for range 2000 {
		x, y := o.norm(), o.norm()
		if o.IntN(2) == 0 {
			y = x
			y.Priority = []int{x.Priority, 5}[o.IntN(2)]
		}
		require.Equal(t, x.canonical() == y.canonical(), len(DiffFields(x, y)) == 0)
	}
}

func TestDiffFieldsFindsEveryField(t *testing.T) {
	for name, n := range eachFieldSet(Norm{}) {
		diffs := DiffFields(Norm{}, n)
		require.Len(t, diffs, 1, name)
		require.Equal(t, name, diffs[0].Field)
	}
}

func TestRevisionIDEndsWithPrev(t *testing.T) {
	r := Revision{Edition: 2, Change: Enact(ban("n", "zone", "attack")), Time: time.Unix(1, 2)}
	require.Equal(t, payload("2|add|"+r.Norm.ID().String()+"|1000000002").id(), r.ID())
	r.Prev = ID{0xab, 1}
	require.Equal(t, payload("2|add|"+r.Norm.ID().String()+"|1000000002|prev=ab01000000000000").id(), r.ID())
}

func BenchmarkDiff(b *testing.B) {
	for _, size := range []int{100, 10000} {
		b.Run("norms="+strconv.Itoa(size), func(b *testing.B) {
			var from []Norm
			for i := range size {
				from = append(from, Norm{Name: strconv.Itoa(i), Prohibited: "attack"})
			}
			to := slices.Clone(from)
			to[size/2].Priority = 1
			b.ReportAllocs()
			for b.Loop() {
				Diff(from, to)
			}
		})
	}
}
