package normsync

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLintTokens(t *testing.T) {
	for _, c := range []struct {
		field, text     string
		tok, suggestion string // of the one warning
	}{
		{"Condition", "dusk|!night", "dusk|!night", "Unless: dusk|night"},
		{"Condition", "town|inn,|market", "town|inn,|market", "town|inn|market"},
		{"Condition", "facts:hungry|health<20", "facts:hungry|health<20", "a fact that the host sets, such as facts:low_health"},
		{"Condition", "loc:town|market", "loc:town|market", "location:town|market"},
		{"Condition", "location:town|location:market|inn", "location:town|location:market|inn", "location:town|market|inn"},
		{"Unless", "Location:town|location:market", "Location:town|location:market", "Location:town|market"},
		{"Condition", "inn|location:town", "inn|location:town", ""},
		{"Unless", "location:town|target:inn", "location:town|target:inn", ""},
		{"Condition", "a|a*", "a", "leave it out"},
		{"Condition", "facts:a|b|A", "facts:A", "leave it out"},
		{"Condition", "a|b b|c|a", "b|c|a", "leave it out"},
		{"Condition", "location:a|b b*|a|c", "b*|a|c", "leave it out"},
		{"Condition", "a|b location:c|b faction:b", "a|b", "leave it out"},
		{"Unless", "facts:duel|peace peac*", "facts:peace", "leave it out"},
		{"Condition", "zone\u200B zone", "zone", "leave it out"},
		{"Condition", "zone \u200B\u00AD", "\u200B\u00AD", "leave it out"},
		{"Unless", "agent:bo\u200Bss", "agent:bo\u200Bss", "agent:boss"},
		{"Condition", "agent:anna|bo\u200Bss", "agent:anna|bo\u200Bss", "agent:anna|boss"},
		{"Permitted", "heal \u2060", "\u2060", "leave it out"},
		{"Condition", "!night", "!night", "Unless: night"},
		{"Condition", "zone location:!night", "location:!night", "Unless: location:night"},
		{"Unless", "!night", "!night", "Condition: night"},
		{"Condition", "safe_zone,market", "safe_zone,market", "safe_zone|market"},
		{"Condition", "location:safe_zone,market", "location:safe_zone,market", "location:safe_zone|market"},
		{"Prohibited", "attack, steal", "attack,", "attack"},
		{"Permitted", "attack,steal", "attack,steal", "attack steal"},
		{"Condition", "safe_zone; night", "safe_zone;", "safe_zone"},
		{"Condition", "health<20", "health<20", "a fact that the host sets, such as facts:low_health"},
		{"Condition", "gold>=1,000", "gold>=1,000", "a fact that the host sets, such as facts:low_health"},
		{"Unless", "level!=max", "level!=max", "a fact that the host sets, such as facts:low_health"},
		{"Condition", "loc:town", "loc:town", "location:town"},
		{"Condition", "locaton:town", "locaton:town", "location:town"},
		{"Condition", "Loc:town", "Loc:town", "location:town"},
		{"Unless", "agents:gm-*", "agents:gm-*", "agent:gm-*"},
		{"Condition", "factoin:red", "factoin:red", "faction:red"},
		{"Condition", "safe_zone or arena", "or", "a|b"},
		{"Condition", "not night", "not", "Unless for what must not be found"},
		{"Condition", `"safe`, `"safe`, "safe"},
		{"Condition", `"zone"`, `"zone"`, "zone"},
		{"Condition", "faction:werewolf werewolf*", "werewolf*", "leave it out"},
		{"Condition", "zone zone", "zone", "leave it out"},
		{"Condition", "ZONE* location:zones", "ZONE*", "leave it out"},
		{"Unless", "agent:gm-1 agent:GM-*", "agent:gm-1", "leave it out"},
		{"Prohibited", "attack attack*", "attack", "leave it out"},
		{"Prohibited", "* attack", "attack", "leave it out"},
		{"Permitted", "heal HEAL", "HEAL", "leave it out"},
	} {
		t.Run(c.field+" "+c.text, func(t *testing.T) {
			n := prohibition("n", "market", "walk")
			switch c.field {
			case "Condition":
				n.Condition = c.text
			case "Unless":
				n.Unless = c.text
			case "Prohibited":
				n.Prohibited = c.text
			case "Permitted":
				n.Prohibited, n.Permitted, n.Priority = "", c.text, 1
			}
			ws := Lint([]Norm{prohibition("everything", "", "*"), n})
			require.Len(t, ws, 1)
			require.Equal(t, Warning{"n", c.field, c.tok, ws[0].Detail, c.suggestion}, ws[0])
			require.NotEmpty(t, ws[0].Detail)
		})
	}
}

// What real worlds are full of.
func TestLintLeavesRealWordsAlone(t *testing.T) {
	for _, tok := range []string{
		"minecraft:tnt", "10:30", "zone.safe*", "http://x", "weapon:sword", "herb:basil", "age:20", "a;b", ">>Agent[02]", "!", "!!", "->", "a->b", "<b>", "x<", "<3",
		"1,000", ",", "?", "location:*", "FACTION:red", "type=creeper", "org", "nothing", "location:", "[a,b]", `"`, "verbose:x", "a|b|c*", `a\|a`, "location:a|b", "x:a|y:a", "facts:night|war", "agent:anna|ANNE", "10:30|verbs:x", "zo\u200Bne",
	} {
		require.Empty(t, Lint([]Norm{prohibition("n", tok, "walk")}), "Condition %s", tok)
		require.Empty(t, Lint([]Norm{prohibition("n", "", "walk").unless(tok)}), "Unless %s", tok)
	}
	for _, tok := range []string{"!attack", "@e[type=minecraft:creeper,limit=5]", ">>", "x<5", "or", "loc:town", "/tp", "say:hello"} {
		require.Empty(t, Lint([]Norm{prohibition("n", "", tok)}), "Prohibited %s", tok)
	}
	require.Empty(t, Lint([]Norm{prohibition("n", "agent:zoe zoe", "walk")}), "zoe is not found in the agent's name")
	require.Equal(t, []Warning{}, Lint(nil))
}

func TestLintAConditionThatEveryVerbMeets(t *testing.T) {
	ws := Lint([]Norm{prohibition("n", "attack* action:attack", "attack")})
	require.Len(t, ws, 3)
	require.Equal(t, []string{"attack*", "attack*", "action:attack"}, []string{ws[0].Token, ws[1].Token, ws[2].Token})
	require.Empty(t, Lint([]Norm{prohibition("n", "attack", "attack steal")}))
	ws = Lint([]Norm{prohibition("n", "verb:attack|steal|x", "attack steal")})
	require.Len(t, ws, 1)
	require.Equal(t, "verb:attack|steal|x", ws[0].Token)
	require.Empty(t, Lint([]Norm{prohibition("n", "location:attack|steal facts:* agent:*", "attack steal")}))
}

func TestLintAnAlternativeThatUnlessLifts(t *testing.T) {
	ws := Lint([]Norm{prohibition("n", "town|market inn", "walk").unless("mark*")})
	require.Len(t, ws, 1)
	require.Equal(t, Warning{"n", "Condition", "market", "Unless lifts the norm whenever market is found, so it makes no difference here", "leave it out"}, ws[0])
	require.Empty(t, Lint([]Norm{prohibition("n", "town|market", "walk").unless("location:market")}), "it may be the target")
	require.Empty(t, Lint([]Norm{prohibition("n", "town|market", "walk").unless("*")}), "Conflicts proves that it never applies")
}

func TestLintPermitsThatLiftNothing(t *testing.T) {
	repealed := prohibition("gone", "", "attack")
	repealed.Repealed = true
	for _, c := range []struct {
		why        string
		norms      []Norm
		field      string // of the warning; empty if there is none
		suggestion string
	}{
		{"a prohibition of lower priority has the verb", []Norm{permission("p", "", "attack", 1), prohibition("f", "", "attack")}, "", ""},
		{"in another case", []Norm{permission("p", "", "ATTACK", 1), prohibition("f", "", "attack")}, "", ""},
		{"by a prefix of the prohibition", []Norm{permission("p", "", "attack", 1), prohibition("f", "", "att*")}, "", ""},
		{"by everything", []Norm{permission("p", "", "attack", 1), prohibition("f", "", "*")}, "", ""},
		{"by a prefix of the permit", []Norm{permission("p", "", "att*", 1), prohibition("f", "", "attack")}, "", ""},
		{"by prefixes of each other", []Norm{permission("p", "", "attack*", 1), permission("q", "", "a*", 1), prohibition("f", "", "att*")}, "", ""},
		{"by a permit for everything", []Norm{permission("p", "", "*", 1), prohibition("f", "", "attack")}, "", ""},
		{"one of several verbs", []Norm{permission("p", "", "heal attack", 1), prohibition("f", "", "attack walk")}, "", ""},
		{"a shadow prohibition", []Norm{permission("p", "", "attack", 1), prohibition("f", "", "attack").dryRun()}, "", ""},
		{"a shadow permit lifts nothing by design", []Norm{permission("p", "", "attack", 1).dryRun()}, "", ""},
		{"another verb", []Norm{permission("p", "", "attack", 1), prohibition("f", "", "steal counterattack attacks")}, "Permitted", ""},
		{"the same priority", []Norm{permission("p", "", "attack", 1), prohibition("f", "", "attack").at(7), prohibition("g", "", "attack").at(3)}, "Priority", "a Priority above 3"},
		{"a repealed prohibition", []Norm{permission("p", "", "attack", 1), repealed}, "Permitted", ""},
		{"windows that meet", []Norm{permission("p", "", "attack", 1).within(1, 5), prohibition("f", "", "attack").within(4, 9)}, "", ""},
		{"windows that do not meet", []Norm{permission("p", "", "attack", 1).within(1, 5), prohibition("f", "", "attack").within(5, 9)}, "Until", ""},
		{"windows that do not meet, without an end", []Norm{permission("p", "", "attack", 1).within(5, 0), prohibition("f", "", "attack").within(1, 5)}, "From", ""},
		{"a prohibition without a window", []Norm{permission("p", "", "attack", 1).within(1, 5), prohibition("f", "", "attack")}, "", ""},
		{"a permit without a window", []Norm{permission("p", "", "attack", 1), prohibition("f", "", "attack").within(5, 9)}, "", ""},
		{"one window of two", []Norm{permission("p", "", "att*", 1).within(1, 5), prohibition("f", "", "attack").within(5, 9), prohibition("g", "", "attend").within(2, 3)}, "", ""},
		{"the same priority in the window, a lower one outside",
			[]Norm{permission("p", "", "attack", 1).within(1, 5), prohibition("f", "", "attack").within(5, 9), prohibition("g", "", "attack").within(2, 3).at(4)}, "Priority", "a Priority above 4"},
		{"no prohibition at all", []Norm{permission("p", "", "*", 1)}, "Permitted", ""},
	} {
		t.Run(c.why, func(t *testing.T) {
			ws := Lint(c.norms)
			if c.field == "" {
				require.Empty(t, ws)
				return
			}
			require.Len(t, ws, 1)
			require.Equal(t, []string{"p", c.field, c.suggestion}, []string{ws[0].Norm, ws[0].Field, ws[0].Suggestion})
		})
	}
}

func TestLintNamesThatDifferByCase(t *testing.T) {
	ws := Lint([]Norm{prohibition("Peace", "", "attack"), prohibition("law", "", "attack"), prohibition("peace", "", "steal"), prohibition("Peace", "", "walk")})
	require.Len(t, ws, 1)
	require.Equal(t, Warning{"peace", "Name", "peace", `it differs from "Peace" by case only`, ""}, ws[0])
}

// More windows than are compared are assumed to meet.
func TestLintBoundsItsTime(t *testing.T) {
	norms := manyNorms(2*maxWindows, func(i int) Norm { return prohibition("", "", "attack").within(int64(9+i), 0) })
	require.Len(t, Lint(append(norms[:maxWindows:maxWindows], permission("p", "", "attack", 1).within(1, 5))), 1)
	require.Empty(t, Lint(append(norms, permission("p", "", "attack", 1).within(1, 5))))
}

// Lint survives what Validate refuses.
func FuzzLint(f *testing.F) {
	f.Add("!", "a,", "x<", "agent:", "*")
	f.Add("a|", "|", "\u200b|\u200b agent:a|", "a\\|", "agent:\u200b")
	f.Add("location:\xff,b", "\u200b|", ":::", `"`, "a*b*")
	f.Fuzz(func(t *testing.T, name, condition, unless, prohibited, permitted string) {
		Lint([]Norm{{Name: name, Condition: condition, Unless: unless, Prohibited: prohibited, Permitted: permitted}})
	})
}

func BenchmarkLint(b *testing.B) {
	b.Run("norms=100000", func(b *testing.B) {
		norms := make([]Norm, 100_000)
		for i := range norms {
			norms[i] = prohibition(fmt.Sprint("norm ", i), fmt.Sprint("zone-", i%977, " night"), strings.Repeat("attack-", 1+i%3)+fmt.Sprint(i))
			if i%4 == 0 {
				norms[i].Prohibited, norms[i].Permitted = "", "att*"
			}
		}
		b.ReportAllocs()
		for b.Loop() {
			Lint(norms)
		}
	})
}

// Lint passes over norms that Validate refuses for their size, which would take long.
func TestLintPassesOverHugeNorms(t *testing.T) {
	words := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "!w%d ", i)
		}
		return b.String()
	}
	require.Len(t, Lint([]Norm{prohibition("n", words(maxTokens), "attack")}), maxTokens)
	for _, n := range []Norm{
		prohibition("n", words(100_000), "attack"),
		prohibition("n", strings.Repeat("a|", 100_000)+"b", "attack"),
		prohibition("n", "!x", strings.Repeat("attack ", 100_000)),
		prohibition("n", "!x", strings.Repeat("attack", 100_000)),
		permission("n", "!x", strings.Repeat("attack", 100_000), 1),
	} {
		require.Error(t, n.Validate())
		require.Empty(t, Lint([]Norm{n, prohibition("other", "", "walk")}))
	}
}
