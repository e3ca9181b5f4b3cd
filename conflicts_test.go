package normsync_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

func conflictsOf(t *testing.T, norms ...normsync.Norm) []string {
	t.Helper()
	conflicts, err := normsync.Conflicts(norms)
	require.NoError(t, err)
	list := []string{}
	for _, c := range conflicts {
		requireShown(t, norms, c)
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s %s %s", c.Kind, c.A, c.B)))
	}
	return list
}

// requireShown requires that Check and Explain show a conflict on its witness,
// in the world of all the norms.
func requireShown(t *testing.T, norms []normsync.Norm, conflict normsync.Conflict) {
	t.Helper()
	c, err := normsync.Compile(norms...)
	require.NoError(t, err)
	outcomes := map[string]normsync.Outcome{}
	for _, f := range c.Explain(conflict.Witness) {
		outcomes[f.Norm.Name] = f.Outcome
	}
	broken := map[string]bool{}
	for _, v := range c.Check(conflict.Witness) {
		broken[v.NormName] = true
	}
	a, b := outcomes[conflict.A], outcomes[conflict.B]
	shown := false
	switch conflict.Kind {
	case normsync.ConflictDead:
		shown = a == normsync.OutcomeExempt && conflict.B == ""
	case normsync.ConflictDuplicate:
		met := func(o normsync.Outcome) bool {
			return o != "" && o != normsync.OutcomeInactive && o != normsync.OutcomeUnmet && o != normsync.OutcomeExempt
		}
		shown = met(a) && met(b)
	case normsync.ConflictOverruled:
		shown = a == normsync.OutcomeOverridden && b == normsync.OutcomePermits
	case normsync.ConflictRedundant:
		shown = broken[conflict.A] && broken[conflict.B]
	case normsync.ConflictContradiction:
		shown = broken[conflict.A] && b == normsync.OutcomePermits
	}
	require.True(t, shown, "witness %+v does not show %+v: outcomes %v\nnorms %+v", conflict.Witness, conflict, outcomes, norms)
	require.NotEmpty(t, conflict.Detail)
}

func TestConflictsFinds(t *testing.T) {
	for _, c := range []struct {
		why   string
		norms []normsync.Norm
		want  []string
	}{
		{"the same tokens, in another order, number and case",
			[]normsync.Norm{prohibition("x", "zone red", "attack loot"), prohibition("y", "RED zone  Red", "LOOT attack")}, []string{"duplicate y x"}},
		{"the same tokens by folding beyond ASCII",
			[]normsync.Norm{prohibition("x", "kelvin \u03C3", "ma\u017Fk"), prohibition("y", "\u212Aelvin \u03C2", "MASK")}, []string{"duplicate y x"}},
		{"of the same tokens at two priorities the lower is the copy",
			[]normsync.Norm{prohibition("x", "zone", "attack"), prohibition("y", "zone", "attack", priority(1))}, []string{"duplicate x y"}},
		{"of the same tokens in three norms two are copies of one",
			[]normsync.Norm{prohibition("x", "zone", "attack"), prohibition("y", "zone", "attack"), prohibition("z", "zone", "attack")}, []string{"duplicate y x", "duplicate z x"}},
		{"a dry run of what is denied already is a copy",
			[]normsync.Norm{prohibition("x", "zone", "attack", dryRun), prohibition("y", "zone", "attack")}, []string{"duplicate x y"}},
		{"a dry run at a higher priority is not: it tells what the priority would change",
			[]normsync.Norm{prohibition("x", "zone", "attack", dryRun, priority(3)), prohibition("y", "zone", "attack"), permission("p", "arena", "attack", 2)}, []string{}},
		{"a dry run at a higher priority, where no permit makes a difference",
			[]normsync.Norm{prohibition("x", "zone", "attack", dryRun, priority(3)), prohibition("y", "zone", "attack")}, []string{"redundant x y"}},
		{"copies of a permit", []normsync.Norm{permission("x", "zone", "attack", 1), permission("y", "zone", "attack", 2)}, []string{"duplicate x y"}},
		{"a qualified token is not the plain one", []normsync.Norm{permission("x", "zone", "attack", 1), permission("y", "location:zone", "attack", 1)}, []string{}},
		{"a prefix is not the word", []normsync.Norm{permission("x", "zone", "attack", 1), permission("y", "zone*", "attack", 1)}, []string{}},

		{"one token more", []normsync.Norm{prohibition("narrow", "zone red", "attack"), prohibition("wide", "zone", "attack")}, []string{"redundant narrow wide"}},
		{"one verb less", []normsync.Norm{prohibition("narrow", "zone", "loot"), prohibition("wide", "zone", "attack loot")}, []string{"redundant narrow wide"}},
		{"a word for a prefix", []normsync.Norm{prohibition("narrow", "zone", "attack"), prohibition("wide", "zo*", "a*")}, []string{"redundant narrow wide"}},
		{"a word for *, which a permit overrides if it names another word", []normsync.Norm{prohibition("narrow", "zone", "attack"), prohibition("wide", "zo*", "*")}, []string{}},
		{"a word for *, which no permit is above", []normsync.Norm{prohibition("narrow", "zone", "attack", priority(10)), prohibition("wide", "zo*", "*", priority(10))}, []string{"redundant narrow wide"}},
		{"a longer prefix for a prefix", []normsync.Norm{prohibition("narrow", "location:zon*", "att*"), prohibition("wide", "zo*", "at*")}, []string{"redundant narrow wide"}},
		{"any verb, and a condition on the verb", []normsync.Norm{prohibition("narrow", "action:attack", "*"), prohibition("wide", "", "attack loot")}, []string{"redundant narrow wide"}},
		{"a verb in the condition", []normsync.Norm{prohibition("narrow", "", "attack"), prohibition("wide", "action:att*", "a*")}, []string{"redundant narrow wide"}},
		{"a verb that its own Unless exempts", []normsync.Norm{prohibition("narrow", "zone", "attack loot", unless("loot")), prohibition("wide", "zone", "attack")}, []string{"redundant narrow wide"}},
		{"one exemption more", []normsync.Norm{prohibition("narrow", "zone", "attack", unless("duel spar*")), prohibition("wide", "zone", "attack", unless("sparring"))}, []string{"redundant narrow wide"}},
		{"at a lower priority, with a permit that silences both or none",
			[]normsync.Norm{prohibition("narrow", "zone red", "attack", priority(4)), prohibition("wide", "zone", "attack"), permission("p", "white flag", "attack", 5)},
			[]string{"redundant narrow wide"}},
		{"at a lower priority, with a permit between",
			[]normsync.Norm{prohibition("narrow", "zone red", "attack", priority(4)), prohibition("wide", "zone", "attack"), permission("p", "white flag", "attack", 4)},
			[]string{"contradiction narrow p"}},
		{"two that are redundant to each other: one stays", []normsync.Norm{prohibition("x", "zone zo*", "attack"), prohibition("y", "zone", "attack")}, []string{"redundant y x"}},
		{"a denial is not redundant to a dry run", []normsync.Norm{prohibition("narrow", "zone red", "attack"), prohibition("wide", "zone", "attack", dryRun)}, []string{}},
		{"a dry run is redundant to a denial", []normsync.Norm{prohibition("narrow", "zone red", "attack", dryRun), prohibition("wide", "zone", "attack")}, []string{"redundant narrow wide"}},
		{"the verb that a permit silences is not what shows it",
			[]normsync.Norm{prohibition("narrow", "zone", "attack loot"), prohibition("wide", "", "attack loot"), permission("p", "", "attack", 7)},
			[]string{"redundant narrow wide"}},

		{"a permit of the same tokens", []normsync.Norm{permission("p", "zone", "attack", 3), prohibition("f", "zone", "attack", priority(3))}, []string{"contradiction f p"}},
		{"a permit for elsewhere, and an action that is in both places", []normsync.Norm{permission("p", "arena", "attack", 0), prohibition("f", "zone", "attack")}, []string{"contradiction f p"}},
		{"verbs that share a prefix", []normsync.Norm{permission("p", "arena", "att*", 0), prohibition("f", "zone", "attack")}, []string{"contradiction f p"}},
		{"prefixes of each other", []normsync.Norm{permission("p", "arena", "attack*", 0), prohibition("f", "zone", "att*")}, []string{"contradiction f p"}},
		{"a word behind a prefix", []normsync.Norm{permission("p", "arena", "attack", 0), prohibition("f", "zone", "att*")}, []string{"contradiction f p"}},
		{"each permit is named, and each prohibition",
			[]normsync.Norm{permission("p", "a", "attack", 0), permission("q", "b", "attack", 0), prohibition("f", "c", "attack"), prohibition("g", "d", "attack")},
			[]string{"contradiction f p", "contradiction f q", "contradiction g p"}},
		{"Unless keeps them apart", []normsync.Norm{permission("p", "arena", "attack", 0), prohibition("f", "zone", "attack", unless("arena"))}, []string{}},
		{"Unless in one field does not", []normsync.Norm{permission("p", "arena", "attack", 0), prohibition("f", "zone", "attack", unless("location:arena"))}, []string{"contradiction f p"}},
		{"Unless in every field does",
			[]normsync.Norm{permission("p", "arena", "attack", 0, unless("location:arena action:arena")), prohibition("f", "zone", "attack", unless("target:ar* faction:* facts:arena"))}, []string{}},
		{"a shadow permit contradicts nobody", []normsync.Norm{permission("p", "zone", "attack", 0, dryRun), prohibition("f", "zone", "attack")}, []string{}},
		{"a higher permit that decides it",
			[]normsync.Norm{permission("p", "arena", "attack", 0), prohibition("f", "zone", "attack"), permission("q", "arena", "attack", 1)}, []string{"duplicate p q"}},

		{"a permit for everywhere", []normsync.Norm{permission("p", "", "*", 4), prohibition("f", "zone", "attack loot", priority(3))}, []string{"overruled f p"}},
		{"the widest permit is named", []normsync.Norm{permission("p", "", "attack", 4), permission("q", "zo*", "attack", 5), prohibition("f", "zone", "attack")}, []string{"overruled f p"}},
		{"a permit whose Unless is the prohibition's", []normsync.Norm{permission("p", "", "attack", 4, unless("duel")), prohibition("f", "zone", "attack", unless("du*"))}, []string{"overruled f p"}},
		{"a permit with an Unless of its own", []normsync.Norm{permission("p", "", "attack", 4, unless("duel")), prohibition("f", "zone", "attack")}, []string{}},
		{"a shadow permit overrules nothing", []normsync.Norm{permission("p", "", "attack", 4, dryRun), prohibition("f", "zone", "attack")}, []string{}},

		{"Unless is in Condition", []normsync.Norm{prohibition("d", "zone red", "attack", unless("other RED"))}, []string{"dead d"}},
		{"Unless is a prefix of Condition", []normsync.Norm{prohibition("d", "location:zone", "attack", unless("zo*"))}, []string{"dead d"}},
		{"Unless is the verb", []normsync.Norm{permission("d", "zone", "attack", 0, unless("action:attack"))}, []string{"dead d"}},
		{"Unless is any token: there is a verb", []normsync.Norm{prohibition("d", "zone", "attack", unless("*"))}, []string{"dead d"}},
		{"Unless is one verb of two", []normsync.Norm{prohibition("d", "zone", "attack loot", unless("loot"))}, []string{}},
		{"Unless is each of the verbs", []normsync.Norm{prohibition("d", "zone", "attack loot", unless("loot att*"))}, []string{"dead d"}},
		{"Unless is in one field, Condition in any", []normsync.Norm{prohibition("d", "zone", "attack", unless("location:zone"))}, []string{}},
		{"Unless is in each of the fields", []normsync.Norm{prohibition("d", "zone", "attack", unless("location:zone target:* faction:zon* facts:zone action:zone"))}, []string{"dead d"}},
		{"a permit of one verb of two does not overrule", []normsync.Norm{permission("p", "", "attack", 4), prohibition("f", "", "attack loot")}, []string{}},
		{"a permit of a word does not name all that a prefix does", []normsync.Norm{permission("p", "", "attack", 4), prohibition("f", "", "att*")}, []string{}},
		{"* is overridden by any word, which the condition ensures", []normsync.Norm{permission("p", "", "attack", 4), prohibition("f", "verb:attack", "*")}, []string{"overruled f p"}},
		{"* beside a word that is not permitted", []normsync.Norm{permission("p", "", "attack", 4), prohibition("f", "verb:attack", "* loot")}, []string{}},
		{"* below a permit of one verb is the default to deny", []normsync.Norm{permission("p", "", "attack", 4), prohibition("f", "", "*")}, []string{}},

		{"alternatives in another order", []normsync.Norm{prohibition("x", "a|B|c*", "v"), prohibition("y", "c*|b|a|a", "v")}, []string{"duplicate y x"}},
		{"an alternative is not both", []normsync.Norm{prohibition("x", "a|b", "v"), prohibition("y", "a b", "v")}, []string{"redundant y x"}},
		{"an alternative is one of more", []normsync.Norm{prohibition("x", "a|b|c", "v"), prohibition("y", "b|a*", "v")}, []string{}},
		{"fewer alternatives", []normsync.Norm{prohibition("x", "a|b|c", "v"), prohibition("y", "target:c|a", "v")}, []string{"redundant y x"}},
		{"a prefix of each alternative", []normsync.Norm{prohibition("x", "z*", "v"), prohibition("y", "zone|zoo", "v")}, []string{"redundant y x"}},
		{"an alternative that Unless exempts does not count", []normsync.Norm{prohibition("x", "a", "v", unless("c")), prohibition("y", "a|b", "v", unless("b|c"))}, []string{"redundant y x"}},
		{"Unless exempts each alternative", []normsync.Norm{prohibition("d", "z a|b", "v", unless("b|q a*"))}, []string{"dead d"}},
		{"Unless exempts one alternative", []normsync.Norm{prohibition("d", "z a|b", "v", unless("b|q"))}, []string{}},
		{"a bar that is part of a word", []normsync.Norm{prohibition("x", `a\|b`, "v"), prohibition("y", "a|b", "v")}, []string{}},
		{"a permit for one alternative", []normsync.Norm{permission("p", "a", "v", 4), prohibition("f", "a|b", "v")}, []string{}},
		{"a permit for each alternative", []normsync.Norm{permission("p", "a|b|c", "v", 4), prohibition("f", "a|b", "v")}, []string{"overruled f p"}},
		{"alternatives that Unless keeps apart", []normsync.Norm{permission("p", "a|b", "v", 0), prohibition("f", "", "v", unless("a|b"))}, []string{}},
		{"alternatives of which Unless leaves one", []normsync.Norm{permission("p", "a|b", "v", 0), prohibition("f", "", "v", unless("a"))}, []string{"contradiction f p"}},
		{"an alternative for which a higher permit decides it",
			[]normsync.Norm{permission("p", "a|b", "v", 0), prohibition("f", "", "v"), permission("q", "a", "v", 1)}, []string{"contradiction f p"}},

		{"verb: is action:", []normsync.Norm{prohibition("x", "verb:a", "*"), prohibition("y", "action:a", "*")}, []string{"duplicate y x"}},
		{"a fact", []normsync.Norm{prohibition("x", "facts:night", "v"), prohibition("y", "night", "v")}, []string{"redundant x y"}},
		{"invisible characters do not count", []normsync.Norm{prohibition("x", "zo\u200Bne \u00AD", "v"), prohibition("y", "zone", "v\u2060")}, []string{"duplicate y x"}},
		{"they count in agents", []normsync.Norm{prohibition("x", "agent:zo\u200Be", "v"), prohibition("y", "agent:zoe", "v")}, []string{}},
		{"agents differ if more than the case of ASCII letters does", []normsync.Norm{prohibition("x", "agent:bo\u017Fs", "v"), prohibition("y", "agent:BOSS", "v"), prohibition("z", "agent:boss", "v")},
			[]string{"duplicate z y"}},

		{"the same window", []normsync.Norm{prohibition("x", "", "v", within(1, 5)), prohibition("y", "", "v", within(1, 5))}, []string{"duplicate y x"}},
		{"a window within another", []normsync.Norm{prohibition("x", "", "v", within(1, 5)), prohibition("y", "", "v", within(2, 5))}, []string{"redundant y x"}},
		{"a window within none", []normsync.Norm{prohibition("x", "a", "v", within(0, 5)), prohibition("y", "", "v")}, []string{"redundant x y"}},
		{"windows that overlap", []normsync.Norm{prohibition("x", "", "v", within(1, 5)), prohibition("y", "", "v", within(2, 6))}, []string{}},
		{"a permit in the window", []normsync.Norm{permission("p", "", "v", 0, within(1, 5)), prohibition("f", "", "v")}, []string{"contradiction f p"}},
		{"windows that do not meet", []normsync.Norm{permission("p", "", "v", 0, within(1, 5)), prohibition("f", "", "v", within(5, 9))}, []string{}},
		{"windows that meet for a moment", []normsync.Norm{permission("p", "", "v", 0, within(1, 5)), prohibition("f", "", "v", within(4, 9))}, []string{"contradiction f p"}},
		{"a permit with a window leaves actions without a time", []normsync.Norm{permission("p", "", "v", 4, within(1, 5)), prohibition("f", "", "v", within(1, 5))}, []string{}},
		{"a permit without one does not", []normsync.Norm{permission("p", "", "v", 4), prohibition("f", "", "v", within(1, 5))}, []string{"overruled f p"}},
		{"a dead permit with a window", []normsync.Norm{permission("d", "a", "v", 4, unless("a"), within(0, 5))}, []string{"dead d"}},
		{"copies of a permit with a window", []normsync.Norm{permission("x", "a", "v", 4, within(3, 5)), permission("y", "a", "v", 5, within(3, 5))}, []string{"duplicate x y"}},
		{"a higher permit that decides it at the beginning of the window",
			[]normsync.Norm{permission("p", "", "v", 0, within(1, 9)), prohibition("f", "", "v"), permission("q", "", "v", 1, within(1, 5))}, []string{"contradiction f p"}},

		{"two dead norms are no duplicates", []normsync.Norm{prohibition("d", "a", "attack", unless("a")), prohibition("e", "a", "attack", unless("a"))}, []string{"dead d", "dead e"}},
		{"an agent is no plain token", []normsync.Norm{prohibition("d", "agent:red", "attack", unless("red")), prohibition("e", "red agent:blue", "attack", unless("agent:red"))}, []string{}},
	} {
		t.Run(c.why, func(t *testing.T) {
			norms := append(c.norms, prohibition("elsewhere", "elsewhere", "quaff", priority(9)), permission("elsewhere too", "elsewhere", "sing", 9))
			require.Equal(t, c.want, conflictsOf(t, norms...))
			slices.Reverse(norms)
			require.Equal(t, c.want, conflictsOf(t, norms...), "whatever the order of the norms")
		})
	}
}

func TestConflictsSaysWhy(t *testing.T) {
	conflicts, err := normsync.Conflicts([]normsync.Norm{
		prohibition("d", "zone", "attack", unless("location:zone target:* faction:zon* facts:zone action:zone")),
		prohibition("e", "", "Attack loot", unless("lo* attack")),
		prohibition("x", "a", "sing"), prohibition("y", "a", "sing", priority(2)),
		prohibition("z", "agent:a|B", "dance", unless("agent:A* agent:c|b")),
	})
	require.NoError(t, err)
	details := []string{}
	for _, c := range conflicts {
		details = append(details, c.A+": "+c.Detail)
	}
	require.Equal(t, []string{
		`d: no action has "zone" without "location:zone" or "target:*" or "facts:zone" or "faction:zon*" or "action:zone", which Unless exempts`,
		`e: no action has "Attack" or "loot" without "attack" or "lo*", which Unless exempts`,
		`x: both have the same tokens, and the other has priority 2 over 0`,
		`z: no action has "agent:a" or "agent:B" without "agent:A*" or "agent:b", which Unless exempts`,
	}, details)
}

func TestConflictsRefusesWhatCompileRefuses(t *testing.T) {
	_, err := normsync.Conflicts([]normsync.Norm{prohibition("a", "x == y", "attack")})
	require.ErrorIs(t, err, normsync.ErrInvalid)
	_, err = normsync.Conflicts([]normsync.Norm{prohibition("a", "x", "attack"), prohibition("a", "y", "attack")})
	require.ErrorIs(t, err, normsync.ErrExists)
	repealed := prohibition("a", "zone", "attack")
	repealed.Repealed = true
	require.Empty(t, conflictsOf(t, repealed, prohibition("b", "zone", "attack")))
}

func TestConflictsBearsTheExtremes(t *testing.T) {
	require.Equal(t, []string{"redundant a b"}, conflictsOf(t, prohibition("a", "x y", "v", priority(math.MaxInt32)), prohibition("b", "x", "v", priority(math.MinInt32))))
	require.Equal(t, []string{"overruled b p"}, conflictsOf(t, permission("p", "", "v", math.MaxInt32), prohibition("b", "x", "v", priority(math.MinInt32))))
	// An Unless for every letter that a prefix could go on with, but one.
	letters := strings.Join(strings.Split("abcdefghijklmnopqrstuvwxyz0123456789", ""), "* zone")
	require.Empty(t, conflictsOf(t, prohibition("a", "zone*", "v", unless("zone zone"+letters+"*"))))
}

// conflictWorlds are sets of n norms in which much looks alike.
var conflictWorlds = map[string]func(n int) []normsync.Norm{
	"plain": func(n int) []normsync.Norm {
		return manyNorms(n, func(i int) normsync.Norm {
			return prohibition("", fmt.Sprintf("cell-%d faction:f%d", i, i%7), fmt.Sprintf("attack v%d", i%11), priority(i%5))
		})
	},
	"one-verb": func(n int) []normsync.Norm {
		return manyNorms(n, func(i int) normsync.Norm { return prohibition("", fmt.Sprintf("zone-%d red", i), "attack") })
	},
	"copies": func(n int) []normsync.Norm {
		return manyNorms(n, func(i int) normsync.Norm { return prohibition("", "zone", "attack", priority(i)) })
	},
	"one-condition": func(n int) []normsync.Norm {
		return manyNorms(n, func(i int) normsync.Norm { return prohibition("", "zone", fmt.Sprintf("verb-%d attack", i)) })
	},
	"exemptions": func(n int) []normsync.Norm {
		return manyNorms(n, func(i int) normsync.Norm { return prohibition("", "", "attack", unless(fmt.Sprintf("u-%d", i))) })
	},
	"redundant": func(n int) []normsync.Norm {
		return append(manyNorms(n-1, func(i int) normsync.Norm { return prohibition("", "", "attack", unless(fmt.Sprintf("u-%d", i))) }),
			prohibition(fmt.Sprintf("norm-%05d", n-1), "", "attack", priority(-1)))
	},
	"permits": func(n int) []normsync.Norm {
		return manyNorms(n, func(i int) normsync.Norm {
			if i%2 == 0 {
				return permission("", fmt.Sprintf("zone-%d", i), "attack", 0)
			}
			return prohibition("", fmt.Sprintf("zone-%d", i), "attack")
		})
	},
	"switches": func(n int) []normsync.Norm {
		return manyNorms(n, func(i int) normsync.Norm {
			if i%2 == 0 {
				return permission("", fmt.Sprintf("zone-%d", i), "attack", 0, unless("war"))
			}
			return prohibition("", fmt.Sprintf("zone-%d war", i), "attack")
		})
	},
	"silenced": func(n int) []normsync.Norm {
		return manyNorms(n, func(i int) normsync.Norm {
			switch {
			case i == 0:
				return permission("", "calm", "attack", 1)
			case i%2 == 0:
				return permission("", fmt.Sprintf("zone-%d calm", i), "attack", 0)
			}
			return prohibition("", fmt.Sprintf("zone-%d", i), "attack")
		})
	},
	"prefixes": func(n int) []normsync.Norm {
		return manyNorms(n, func(i int) normsync.Norm {
			return prohibition("", strings.Repeat("z", 1+i%100)+"* "+fmt.Sprintf("location:c%d", i), "at*", unless(fmt.Sprintf("w%d*", i%10)))
		})
	},
}

func manyNorms(n int, norm func(i int) normsync.Norm) []normsync.Norm {
	norms := make([]normsync.Norm, n)
	for i := range norms {
		norms[i] = norm(i)
		norms[i].Name = fmt.Sprintf("norm-%05d", i)
	}
	return norms
}

func TestConflictsFindsTheWideAmongTheMany(t *testing.T) {
	conflicts, err := normsync.Conflicts(conflictWorlds["redundant"](3000))
	require.NoError(t, err)
	require.Len(t, conflicts, 2999)
	for _, c := range conflicts {
		require.Equal(t, []any{normsync.ConflictRedundant, "norm-02999"}, []any{c.Kind, c.B})
	}
}

// Conflicts of ten times the norms may take ten times as long, and somewhat
// more for what no longer fits a cache; what is quadratic takes a hundred times.
func TestConflictsIsNotQuadratic(t *testing.T) {
	for name, world := range conflictWorlds {
		t.Run(name, func(t *testing.T) {
			work := func(n int) int {
				found, _, work, err := normsync.SearchConflicts(world(n), 0)
				require.NoError(t, err)
				require.LessOrEqual(t, len(found), 2*n)
				return work
			}
			small, large := work(1000), work(10_000)
			require.LessOrEqual(t, large, 15*small, "1,000 norms took %d units", small)
			require.LessOrEqual(t, large, normsync.Questions*2*normsync.LeastUnits*10_000)
		})
	}
}

// hostileNorms are norms as large as Validate allows, which are alike.
var hostileNorms = map[string]func(i int) normsync.Norm{
	"words": func(i int) normsync.Norm {
		return prohibition("", listOf(func(k int) string { return fmt.Sprint("c", k) }), listOf(func(k int) string { return fmt.Sprint("v", (k+i)%70) }),
			unless(listOf(func(k int) string { return fmt.Sprint("u", (k+i)%100) })))
	},
	"prefixes that Unless leaves no letter": func(i int) normsync.Norm {
		return prohibition("", listOf(func(k int) string { return fmt.Sprint("c", k, "*") }), listOf(func(k int) string { return fmt.Sprint("v", k, "*") }),
			unless(listOf(func(k int) string { return fmt.Sprintf("c%d%c*", k, 'a'+(k+i)%26) })))
	},
	"tokens of many alternatives": func(i int) normsync.Norm {
		all := func(letter string) string {
			return strings.ReplaceAll(listOf(func(k int) string { return fmt.Sprint(letter, (k+i)%70) }), " ", "|")
		}
		return prohibition("", all("c"), listOf(func(k int) string { return fmt.Sprint("v", (k+i)%70) }), unless(all("facts:u")))
	},
	"tokens of two alternatives in windows": func(i int) normsync.Norm {
		pairs := strings.Fields(listOf(func(k int) string { return fmt.Sprintf("c%d*|c%d", k/2, (k+i)%70) }))[:maxTokens/2]
		n := prohibition("", strings.Join(pairs, " "), listOf(func(k int) string { return fmt.Sprint("v", k, "*") }),
			unless(listOf(func(k int) string { return fmt.Sprintf("c%d%c*", k, 'a'+(k+i)%26) })))
		n.From = time.Unix(int64(i), 0).UTC()
		n.Until = n.From.Add(time.Hour)
		return n
	},
	"prefixes of all lengths": func(i int) normsync.Norm {
		all := func(letter string) string {
			return listOf(func(k int) string { return strings.Repeat(letter, 1+(k+i)%120) + "*" })
		}
		return prohibition("", all("z"), all("x"), unless(all("y")))
	},
}

func alikeNorms(name string, n int) []normsync.Norm {
	return manyNorms(n, func(i int) normsync.Norm {
		n := hostileNorms[name](i)
		if n.Priority = i % 3; i%2 == 0 {
			n.Prohibited, n.Permitted = "", n.Prohibited
		}
		return n
	})
}

// listOf returns as many words as a field may have.
func listOf(word func(k int) string) string {
	words := make([]string, maxTokens)
	for k := range words {
		words[k] = word(k)
	}
	return strings.Join(words, " ")
}

// The work for each norm is bounded, whatever the norms are, and Conflicts says
// when that was not enough.
func TestConflictsGivesUpOnHostileNorms(t *testing.T) {
	for name := range hostileNorms {
		t.Run(name, func(t *testing.T) {
			norms := alikeNorms(name, 600)
			found, gaveUp, work, err := normsync.SearchConflicts(norms, normsync.LeastUnits) // as for many norms
			require.NoError(t, err)
			require.LessOrEqual(t, work, 2*normsync.Questions*normsync.LeastUnits*len(norms))
			require.NotEmpty(t, gaveUp)
			for _, c := range found[:min(3, len(found))] {
				requireShown(t, norms, c)
			}
		})
	}
}

func BenchmarkConflicts(b *testing.B) {
	run := func(name string, norms []normsync.Norm) {
		b.Run("norms=10000/world="+name, func(b *testing.B) {
			for b.Loop() {
				if _, err := normsync.Conflicts(norms); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for _, name := range slices.Sorted(maps.Keys(conflictWorlds)) {
		run(name, conflictWorlds[name](10_000))
	}
	for _, name := range slices.Sorted(maps.Keys(hostileNorms)) {
		run("hostile "+name, alikeNorms(name, 10_000))
	}
}
