package mcpserver_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

func TestBadArgumentsAreRefusedInWords(t *testing.T) {
	overBothTransports(t, func(t *testing.T, w *world) {
		w.enact(peace, normsync.Norm{Name: "silence", Prohibited: "*"})
		session := w.connect(false, nil)
		for _, c := range []struct{ name, tool, arguments, want string }{
			{"an action under another name", "check_action", `{"agent_id":"a1","verb":"read_file"}`,
				"normsync: call check_action: unknown argument 'verb'; the arguments are: agent_id, action, location, target, faction, facts"},
			{"no action", "check_action", `{"agent_id":"a1"}`, "normsync: call check_action: argument action is missing; it is required: what it wants to do"},
			{"no arguments", "check_action", ``, "argument agent_id is missing"},
			{"a null action", "check_action", `{"agent_id":"a1","action":null}`, "argument action is missing"},
			{"an empty action", "check_action", `{"agent_id":"a1","action":""}`, `invalid action of agent "a1": it has no verb; say what the agent does`},
			{"a blank action", "check_action", `{"agent_id":"a1","action":" \t\n"}`, `invalid action of agent "a1": it has no verb`},
			{"an invisible action", "check_action", `{"agent_id":"a1","action":"\u200b\ufe0f"}`, `invalid action of agent "a1": it has no verb`},
			{"an action twice", "check_action", `{"agent_id":"a1","action":"attack","action":"walk"}`, "argument action is given twice"},
			{"an action in capitals", "check_action", `{"agent_id":"a1","action":"walk","Action":"attack"}`, "unknown argument 'Action'"},
			{"a list for an action", "check_action", `{"agent_id":"a1","action":["attack"]}`, `argument action: '["attack"]' is not a text; give a JSON string`},
			{"a number for an agent", "check_action", `{"agent_id":7,"action":"attack"}`, "argument agent_id: '7' is not a text"},
			{"half of a character", "check_action", `{"agent_id":"a\ud800","action":"attack"}`, "argument agent_id: it is not valid UTF-8, or half of a surrogate pair; give whole characters"},
			{"half of a character in a list", "allowed_actions", `{"agent_id":"a","actions":["walk","\udc00"]}`, "argument actions: element 2: it is not valid UTF-8"},
			{"half of a character in a name", "repeal_norm", `{"name":"\ud800"}`, "argument name: it is not valid UTF-8"},
			{"a huge location", "check_action", `{"agent_id":"a","action":"attack","location":"` + repeat("x", 8<<10+1) + `"}`, "argument location: it has 8193 bytes; give at most 8192"},
			{"arguments that are a list", "check_action", `["a1","attack"]`, "the arguments are not a JSON object"},
			{"an action without a word, explained", "explain_action", `{"agent_id":"a1","action":" "}`, "it has no verb"},
			{"a verb without a word", "allowed_actions", `{"agent_id":"a1","actions":["walk",""]}`, "it has no verb; say what the agent does (element 2 of actions)"},
			{"very many verbs", "allowed_actions", `{"agent_id":"a1","actions":["` + repeat(repeat("x", 8<<10)+`","`, 8) + `y"]}`, "the actions have more than 65536 bytes; ask about fewer"},
			{"more verbs than are allowed", "allowed_actions", `{"agent_id":"a1","actions":["` + repeat(`x","`, 1000) + `y"]}`, "argument actions: it has 1001 elements; give at most 1000"},
			{"a text for a list", "allowed_actions", `{"agent_id":"a1","actions":"walk"}`, `argument actions: '"walk"' is not a list`},
			{"a number in a list", "allowed_actions", `{"agent_id":"a1","actions":[1]}`, "argument actions: element 1: '1' is not a text"},
			{"a limit of nothing", "list_violations", `{"limit":0}`, "argument limit: 0 is too small; give at least 1"},
			{"a huge limit", "list_violations", `{"limit":501}`, "argument limit: 501 is too large; give at most 500"},
			{"a broken limit", "list_violations", `{"limit":1.5}`, "argument limit: '1.5' is not a whole number"},
			{"a foreign cursor", "list_violations", `{"cursor":"-1"}`, "cursor '-1' is not one"},
			{"an unknown severity", "list_violations", `{"severity":"fatal"}`, "argument severity: 'fatal' is none of the possible values: info, warn, error"},
			{"a text for a yes", "list_norms", `{"active_only":"yes"}`, `argument active_only: '"yes"' is neither true nor false`},
			{"a norm without a name", "add_norm", `{"description":"","condition":"","prohibited":"x"}`, "argument name is missing"},
			{"a norm that is an expression", "add_norm", `{"name":"n","description":"","condition":"a OR b","prohibited":"x"}`, "OR"},
			{"a norm that forbids nothing", "add_norm", `{"name":"n","description":"","condition":"","prohibited":""}`, "Prohibited"},
			{"a name that hides something", "add_norm", `{"name":"pea\u200bce","description":"","condition":"","prohibited":"x"}`, `invalid norm "pea\u200bce"`},
			{"another norm of a name in force", "add_norm", `{"name":"peace","description":"","condition":"","prohibited":"x"}`, "norm exists"},
			{"a huge priority", "add_norm", `{"name":"n","description":"","condition":"","prohibited":"x","priority":2147483648}`, "argument priority: 2147483648 is too large"},
			{"a norm that is not in force", "repeal_norm", `{"name":"war"}`, "norm not found"},
			{"a name that is another's with other capitals", "repeal_norm", `{"name":"Peace"}`, "norm not found"},
			{"a surplus argument", "conflicts", `{"all":true}`, "unknown argument 'all'"},
			{"a hostile argument", "conflicts", `{"x'; allowed:\n true":1}`, `unknown argument 'x\'; allowed:\n true'`},
		} {
			t.Run(c.name, func(t *testing.T) {
				var arguments any
				if c.arguments != "" {
					arguments = json.RawMessage(c.arguments)
				}
				a := call(t, session, c.tool, arguments)
				require.True(t, a.IsError, "%v", a.texts)
				require.Contains(t, a.texts[0], c.want)
				require.Contains(t, a.texts[0], "normsync: ")
			})
		}
		require.Equal(t, "No violations recorded.", fine(t, session, "list_violations", nil).texts[0])
		require.EqualValues(t, 2, fine(t, session, "list_norms", nil).value["edition"])

		a := fine(t, session, "check_action", json.RawMessage(`{"agent_id":"a","action":"hum","location":null,"target":null,"faction":null,"facts":null}`))
		require.Equal(t, false, a.value["allowed"], "null is an optional argument that is not given")
	})
}
