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
		"1,000", ",", "?", "location:*", "FACTION:red", "type=creeper", "org", "nothing", "location:", "[a,b]", `"`, "verbose:x",
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

// Lint survives what Validate refuses.
func FuzzLint(f *testing.F) {
	f.Add("!", "a,", "x<", "agent:", "*")
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
