package rules_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/rules"
)

// covered returns what the log of actions shows in a file, without what shows without it.
func covered(t *testing.T, text string, log ...normsync.Action) (list []string) {
	t.Helper()
	write(t, "f.json", text)
	s := read(t, "f.json")
	require.NoError(t, s.Err())
	found, _, err := rules.Examine(s, slices.Values(log))
	require.NoError(t, err)
	return texts(slices.DeleteFunc(found, func(f rules.Finding) bool { return f.Check != rules.Cover }))
}

func does(agent, verb string) normsync.Action { return normsync.Action{Agent: agent, Verb: verb} }

func TestAFactOfTheMemoryIsNotMisspelt(t *testing.T) {
	const gate = `{
  "norms": [
    {"name": "gate", "prohibited": "enter", "unless": "facts:paid"},
    {"name": "ban", "condition": "second_strike", "prohibited": "sing"},
    {"name": "rest", "condition": "facts:low_health", "prohibited": "enter"}
  ],
  "facts": [
    {"name": "paid", "after": "verb:pay"},
    {"name": "second_strike", "broke": "gate", "count": 2}
  ],
  "numbers": {"health": [{"below": 20, "fact": "low_health"}]}
}`
	pay, enter, sing := does("a", "pay"), does("a", "enter"), does("a", "sing")
	require.Empty(t, covered(t, gate, enter, enter, sing, pay), "the memory knows what holds")
	require.Empty(t, covered(t, gate, enter, enter, sing, pay, normsync.Action{Agent: "b", Verb: "sing", Facts: "plaid second_strikes low_healt"}),
		"a fact that is declared is not a misspelling of a word of the log")
	require.Equal(t, []string{
		`f.json:4:14: norm "ban" applies to no action of the log: its Condition is not met by those that have its verb (1)`,
	}, covered(t, gate, sing, enter, enter, pay), "the fact holds behind the last action only")
	require.Empty(t, covered(t, gate, enter, normsync.Action{Agent: "a", Verb: "sing", Facts: "Second_Strike"}, pay),
		"the program that wrote the log knew of an older violation")
}

func TestFactsThatNeverHoldInALog(t *testing.T) {
	for name, test := range map[string]struct {
		fact string
		log  []normsync.Action
		want []string
	}{
		"it holds":                 {`"after": "verb:login"`, []normsync.Action{does("a", "login")}, nil},
		"no such verb":             {`"after": "night verb:sign"`, []normsync.Action{does("a", "login")}, []string{`f.json:1:21: fact "f" never holds in the log: no action has "night"`}},
		"no such place":            {`"after": "verb:login location:gate|bank"`, []normsync.Action{does("a", "login")}, []string{`f.json:1:21: fact "f" never holds in the log: no action has "location:gate|bank"`}},
		"a misspelt verb":          {`"after": "verb:logn"`, []normsync.Action{does("a", "login")}, []string{`f.json:1:36: fact "f": no action of the log has "verb:logn", but one has a similar word; write: login`}},
		"a misspelt choice":        {`"after": "verb:logn|pay"`, []normsync.Action{does("a", "login"), does("a", "pay")}, []string{`f.json:1:41: fact "f": no action of the log has "action:logn", but one has a similar word; write: login`}},
		"a similar choice":         {`"after": "verb:logins|login"`, []normsync.Action{does("a", "login")}, nil},
		"a similar end":            {`"after": "verb:logins", "until": "location:gate verb:Login"`, []normsync.Action{does("a", "login")}, []string{`f.json:1:21: fact "f" never holds in the log: no action has "verb:logins"`}},
		"a misspelt end":           {`"after": "verb:dance", "until": "verb:logn"`, []normsync.Action{does("a", "login")}, []string{`f.json:1:21: fact "f" never holds in the log: no action has "verb:dance"`, `f.json:1:59: fact "f": no action of the log has "verb:logn", but one has a similar word; write: login`}},
		"an end that is not":       {`"after": "verb:login", "until": "verb:dance"`, []normsync.Action{does("a", "login")}, nil},
		"never together":           {`"after": "verb:login agent:b"`, []normsync.Action{does("a", "login"), does("b", "pay")}, []string{`f.json:1:21: fact "f" never holds in the log: no action meets its After`}},
		"denied":                   {`"after": "verb:fly"`, []normsync.Action{does("a", "fly"), does("b", "fly")}, []string{`f.json:1:21: fact "f" never holds in the log: the norms deny all actions that meet its After (2)`}},
		"too few":                  {`"after": "verb:pay", "count": 2`, []normsync.Action{does("a", "pay"), does("b", "pay")}, []string{`f.json:1:21: fact "f" never holds in the log: the actions that meet its After (2) are never 2 with the same agent`}},
		"too few of all":           {`"after": "verb:pay", "count": 2, "within": "1m", "per": "world"`, []normsync.Action{does("a", "pay")}, []string{`f.json:1:21: fact "f" never holds in the log: the actions that meet its After (1) are never 2 within 1m0s`}},
		"enough":                   {`"after": "verb:pay", "count": 2, "per": "world"`, []normsync.Action{does("a", "pay"), does("b", "pay")}, nil},
		"no violation":             {`"broke": "ground dry*"`, []normsync.Action{does("a", "pay"), does("a", "swim")}, []string{`f.json:1:21: fact "f" never holds in the log: nothing violates ground dry*`}},
		"a violation":              {`"broke": "gr*"`, []normsync.Action{does("a", "fly")}, nil},
		"too few violations":       {`"broke": "gr* ground", "count": 3, "per": "agent target"`, []normsync.Action{{Agent: "a", Verb: "fly", Target: "x"}, {Agent: "a", Verb: "fly", Target: "x"}}, []string{`f.json:1:21: fact "f" never holds in the log: the actions that violate gr* ground (2) are never 3 with the same agent and target`}},
		"needs another":            {`"after": "verb:pay facts:g"}, {"name": "g", "after": "verb:dance"`, []normsync.Action{{Verb: "pay", Agent: "a", Facts: "gg"}}, []string{`f.json:1:21: fact "f" never holds in the log: no action has "facts:g"`, `f.json:1:65: fact "g" never holds in the log: no action has "verb:dance"`}},
		"has another":              {`"after": "verb:pay facts:g"}, {"name": "g", "after": "verb:dance"`, []normsync.Action{does("a", "dance"), does("a", "pay")}, nil},
		"only claims it":           {`"after": "verb:pay facts:g"}, {"name": "g", "after": "verb:pay"`, []normsync.Action{{Agent: "a", Verb: "pay", Facts: "G"}}, []string{`f.json:1:21: fact "f" never holds in the log: no action meets its After`}},
		"nobody's":                 {`"after": "verb:pay"`, []normsync.Action{{Verb: "pay"}}, []string{`f.json:1:12: fact "f" counts per agent, but no action that counts for it has one`}},
		"no such field":            {`"after": "verb:pay", "per": "target agent"`, []normsync.Action{{Agent: "a", Verb: "pay"}, {Agent: "a", Verb: "give", Target: "b"}}, []string{`f.json:1:55: fact "f" counts per target, but no action that counts for it has one`}},
		"the field of a violation": {`"broke": "ground", "per": "location"`, []normsync.Action{{Agent: "a", Verb: "fly"}}, []string{`f.json:1:53: fact "f" counts per location, but no action that counts for it has one`}},
		"no field in the log":      {`"after": "verb:dance", "per": "faction"`, []normsync.Action{{Agent: "a", Verb: "pay"}}, []string{`f.json:1:21: fact "f" never holds in the log: no action has "verb:dance"`, `f.json:1:57: fact "f" counts per faction, but no action of the log has one`}},
		"an empty log":             {`"after": "verb:dance", "per": "faction"`, nil, []string{`f.json:1:21: fact "f" never holds in the log: no action has "verb:dance"`}},
	} {
		t.Run(name, func(t *testing.T) {
			got := covered(t, `{"facts": [{"name": "f", `+test.fact+`}], "norms": [
{"name": "token 0", "prohibited": "pay login give dance", "condition": "agent:nobody"},
{"name": "dry run", "prohibited": "swim", "shadow": true},
{"name": "ground", "prohibited": "fly", "unless": "facts:f facts:g"}]}`, test.log...)
			norms := func(text string) bool { return text[:len("f.json:1")] != "f.json:1" }
			require.Equal(t, test.want, append([]string(nil), slices.DeleteFunc(got, norms)...))
		})
	}
}

func TestAWordThatTheNormSpellsRightIsNotMisspelt(t *testing.T) {
	log := []normsync.Action{{Agent: "a", Verb: "change_trip", Target: "market"}}
	require.Empty(t, covered(t, `[{"name": "a", "prohibited": "change_trip cancel_trip"}, {"name": "b", "prohibited": "change_trip", "unless": "verb:cancel_trip"}]`, log...))
	require.Equal(t, []string{
		`f.json:1:31: norm "a": no action of the log has "chang_trip", but one has a similar word; write: change_trip`,
		`f.json:1:73: norm "b": no action of the log has "location:market", but one has a similar word; write: target:market`,
	}, covered(t, `[{"name": "a", "prohibited": "chang_trip"}, {"name": "b", "condition": "location:market", "prohibited": "change_trip"}]`, log...))
}

func TestANormNamesAFactThatNeverHolds(t *testing.T) {
	require.Equal(t, []string{
		`f.json:1:21: fact "f" never holds in the log: no action has "verb:dance"`,
		`f.json:3:10: norm "other" applies to no action of the log: its Condition is not met by those that have its verb (1)`,
		`f.json:4:10: norm "verb" applies to no action of the log: none has its verb`,
	}, covered(t, `{"facts": [{"name": "f", "after": "verb:dance"}], "norms": [
{"name": "waits", "prohibited": "pay", "condition": "night|f"},
{"name": "other", "prohibited": "pay", "condition": "night", "unless": "facts:f"},
{"name": "verb", "prohibited": "sing", "condition": "facts:f"}]}`, does("a", "pay")), "one cause, one finding")
}
