package rules_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/rules"
)

func TestReadCases(t *testing.T) {
	write(t, "f_test.json", `{"tests": [
  {"name": "a", "action": {"agent_id": "hero", "action": "attack", "location": "town", "target": "orc", "faction": "elves", "facts": "night"}, "expect": "denied", "violates": ["peace"]},
  {"name": "b", "time": "2026-07-01T20:30:00+02:00", "expect": "allowed", "action": {"action": "sing"}},
  {"name": "c", "action": {"id": "x", "action": "sing", "timestamp": 1.5, "metadata": {"a": [1]}}, "expect": "allowed", "violates": []}
]}`)
	s := read(t, "f_test.json")
	require.NoError(t, s.Err())
	require.Equal(t, []rules.Case{
		{Name: "a", Place: rules.Place{File: "f_test.json", Line: 2, Column: 3}, Violates: []string{"peace"},
			Action: normsync.Action{Agent: "hero", Verb: "attack", Location: "town", Target: "orc", Faction: "elves", Facts: "night"}},
		{Name: "b", Place: rules.Place{File: "f_test.json", Line: 3, Column: 3}, Allowed: true,
			Action: normsync.Action{Verb: "sing", Time: time.Date(2026, 7, 1, 18, 30, 0, 0, time.UTC)}},
		{Name: "c", Place: rules.Place{File: "f_test.json", Line: 4, Column: 3}, Allowed: true, Violates: []string{},
			Action: normsync.Action{Verb: "sing", Time: time.Unix(1, 5e8).UTC(), Metadata: `{"a":[1]}`}},
	}, s.Cases)
}

func TestWhatIsWrongWithACaseHasAPlace(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"no object":       {`1`, `1:12: test 1: want an object, found a number`},
		"no name":         {`{"action": {"action": "a"}, "expect": "denied"}`, `1:12: test 1: key "name" is missing`},
		"empty name":      {`{"name": "", "action": {"action": "a"}, "expect": "denied"}`, `1:21: test 1: key "name": it is empty; name what the test shows`},
		"unknown key":     {`{"name": "n", "expected": "denied"}`, `1:26: test 1 "n": key "expected" is unknown; did you mean "expect"? The keys are name, action, expect, violates, time, before`},
		"unknown verdict": {`{"name": "n", "expect": "deny"}`, `1:36: test 1 "n": key "expect": "deny" is unknown; use allowed or denied`},
		"no action":       {`{"name": "n", "expect": "denied"}`, `1:12: test 1 "n": key "action" is missing`},
		"misspelt action": {`{"name": "n", "action": {"action": "a", "locaton": "b"}, "expect": "denied"}`, `1:52: test 1 "n": key "action": key "locaton" is unknown; did you mean "location"? The keys are id, agent_id, action, location, target, faction, timestamp, facts, metadata`},
		"no verb":         {`{"name": "n", "action": {"agent_id": "a"}, "expect": "denied"}`, `1:36: test 1 "n": key "action": the verb is missing; write it as in {"agent_id": "hero", "action": "attack"}`},
		"blank verb":      {`{"name": "n", "action": {"action": " "}, "expect": "denied"}`, `1:47: test 1 "n": key "action": it has no verb; say what the agent does`},
		"null":            {`{"name": "n", "action": {"action": null}, "expect": "denied"}`, `1:47: test 1 "n": key "action.action": want a string, found null`},
		"wrong timestamp": {`{"name": "n", "action": {"action": "a", "timestamp": "x"}, "expect": "denied"}`, `1:65: test 1 "n": key "action": key "timestamp": want a number, found a string`},
		"wrong time":      {`{"name": "n", "time": "noon", "action": {"action": "a"}, "expect": "denied"}`, `1:34: test 1 "n": key "time": "noon" is not a time; write it as 2026-07-01T18:30:00Z`},
		"a far time":      {`{"name": "n", "action": {"action": "a", "timestamp": -1e18}, "expect": "denied"}`, `1:36: test 1 "n": key "action": timestamp: the time is outside the years 1 to 9999; write seconds since 1970, not milliseconds, from -62135596800 to 253402300799`},
		"two times":       {`{"name": "n", "time": "2026-07-01T18:30:00Z", "action": {"action": "a", "timestamp": 1}, "expect": "denied"}`, `1:12: test 1 "n": time and the action's timestamp are both set; leave one of them out`},
		"denied by none":  {`{"name": "n", "action": {"action": "a"}, "expect": "denied", "violates": []}`, `1:12: test 1 "n": an action that violates nothing is not denied; name the norms in violates, or leave it out`},
		"same name": {`{"name": "n", "action": {"action": "a"}, "expect": "denied"}, {"name": "n", "action": {"action": "b"}, "expect": "denied"}`,
			`1:74: test "n": a test of that name is at f.json:1:12, too; rename one of them`},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, "f.json", `{"tests": [`+test.text+`]}`)
			require.Equal(t, []string{"f.json:" + test.want}, problems(read(t, "f.json")))
		})
	}
}
