package mcpserver_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/mcpserver"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

func toolNames(t *testing.T, session *mcp.ClientSession) (names []string) {
	for tool, err := range session.Tools(t.Context(), nil) {
		require.NoError(t, err)
		names = append(names, tool.Name)
	}
	return names
}

func TestEachToolSaysWhatItDoes(t *testing.T) {
	overBothTransports(t, func(t *testing.T, w *world) {
		hints := map[string]string{}
		for tool, err := range w.connect(false, nil).Tools(t.Context(), nil) {
			require.NoError(t, err)
			require.NotEmpty(t, tool.Title)
			require.NotEmpty(t, tool.Description)
			input := tool.InputSchema.(object)
			require.Equal(t, "object", input["type"])
			require.Equal(t, false, input["additionalProperties"], tool.Name)
			for name, property := range input["properties"].(object) {
				require.NotEmpty(t, property.(object)["description"], "%s of %s", name, tool.Name)
			}
			require.Equal(t, "object", tool.OutputSchema.(object)["type"])
			a := tool.Annotations
			require.False(t, *a.OpenWorldHint, tool.Name)
			hints[tool.Name] = fmt.Sprintf("readOnly %t destructive %t idempotent %t", a.ReadOnlyHint, *a.DestructiveHint, a.IdempotentHint)
		}
		const reads = "readOnly true destructive false idempotent true"
		require.Equal(t, map[string]string{
			"check_action": "readOnly false destructive false idempotent false", "explain_action": reads, "allowed_actions": reads,
			"list_violations": reads, "list_norms": reads, "conflicts": reads,
			"add_norm":    "readOnly false destructive false idempotent true",
			"repeal_norm": "readOnly false destructive true idempotent true",
		}, hints)
	})
}

func TestTheThreeOldToolsAnswerAsBefore(t *testing.T) {
	overBothTransports(t, func(t *testing.T, w *world) {
		session := w.connect(false, nil)
		require.Equal(t, "No violations recorded.", fine(t, session, "list_violations", nil).texts[0])

		added := fine(t, session, "add_norm", object{"name": "peace", "description": "no fights", "condition": "safe_zone", "prohibited": "attack"})
		require.Equal(t, "Added norm 'peace' (id="+peace.ID().String()+")", added.texts[0])

		ok := fine(t, session, "check_action", object{"agent_id": "hero", "action": "walk", "location": "safe_zone"})
		require.Equal(t, "No violations detected.", ok.texts[0])

		bad := fine(t, session, "check_action", object{"agent_id": "hero", "action": "attack", "location": "safe_zone"})
		require.Equal(t, "Found 1 violation(s):\n  - Agent 'hero' performed 'attack' in 'safe_zone', violating norm 'peace'", bad.texts[0])

		require.Equal(t, "Total violations: 1\n  - [hero] peace: Agent 'hero' performed 'attack' in 'safe_zone', violating norm 'peace'",
			fine(t, session, "list_violations", nil).texts[0])
	})
}

func TestCheckActionGivesTheVerdictWithReasonsAndAdvice(t *testing.T) {
	overBothTransports(t, func(t *testing.T, w *world) {
		w.enact(
			normsync.Norm{Name: "peace", Condition: "safe_zone target:guard facts:night faction:thieves", Prohibited: "attack", Advice: "call the guards"},
			normsync.Norm{Name: "trial", Prohibited: "attack", Shadow: true},
		)
		session := w.connect(false, nil)
		all := object{"agent_id": "hero", "action": "attack", "location": "safe_zone", "target": "city guard", "faction": "thieves", "facts": "war night"}
		a := fine(t, session, "check_action", all)
		require.Equal(t, false, a.value["allowed"])
		require.Equal(t, true, a.value["recorded"])
		vs := a.value["violations"].([]any)
		require.Len(t, vs, 2)
		require.Equal(t, "peace", vs[0].(object)["norm_name"])
		require.Equal(t, "call the guards", vs[0].(object)["advice"])
		require.Equal(t, true, vs[1].(object)["shadow"])
		require.Contains(t, a.value["why"], "Norm 'peace' forbids it: the action has 'attack', 'safe_zone', 'target:guard', 'facts:night', 'faction:thieves'.")
		require.Contains(t, a.value["why"], "Norm 'trial' would count, but it is a dry run.")
		require.Contains(t, a.texts[1], "Denied.\n")
		require.Contains(t, a.texts[1], "Advice of norm 'peace': 'call the guards'")

		for _, left := range []string{"location", "target", "faction", "facts"} {
			some := object{}
			for k, v := range all {
				if k != left {
					some[k] = v
				}
			}
			a := fine(t, session, "check_action", some)
			require.Equal(t, true, a.value["allowed"], "without %s", left)
			require.Len(t, a.value["violations"], 1, "that of the dry run")
		}
	})
}

func TestExplainActionNamesWhatDecided(t *testing.T) {
	overBothTransports(t, func(t *testing.T, w *world) {
		w.enact(peace,
			normsync.Norm{Name: "duel", Condition: "arena", Permitted: "attack", Priority: 1},
			normsync.Norm{Name: "night", Condition: "facts:night", Prohibited: "attack", Unless: "agent:gm"})
		session := w.connect(false, nil)
		a := fine(t, session, "explain_action", object{"agent_id": "gm", "action": "attack", "location": "safe_zone arena", "facts": "night"})
		require.Equal(t, true, a.value["allowed"])
		outcomes := object{}
		for _, f := range a.value["findings"].([]any) {
			outcomes[f.(object)["norm"].(object)["name"].(string)] = f.(object)["outcome"]
		}
		require.Equal(t, object{"peace": "overridden", "duel": "permits", "night": "exempt"}, outcomes)
		require.ElementsMatch(t, []any{
			"Norm 'peace' would forbid it, but norm 'duel' permits it.", "Norm 'duel' permits 'attack', 'arena'.",
			"Norm 'night' does not apply, because the action has 'agent:gm'.",
		}, a.value["why"])

		a = fine(t, session, "explain_action", object{"agent_id": "a", "action": "attack", "location": "town"})
		require.Equal(t, []any{"No norm that has this verb applies."}, a.value["why"])
		require.Contains(t, a.texts[0], "'peace': unmet; found: 'attack'; missing: 'safe_zone'")
		a = fine(t, session, "explain_action", object{"agent_id": "a", "action": "dance"})
		require.Equal(t, []any{"No norm in force has this verb."}, a.value["why"])
		require.Equal(t, "No violations recorded.", fine(t, session, "list_violations", nil).texts[0], "nothing is recorded")
	})
}

func TestAllowedActionsTriesEachVerb(t *testing.T) {
	overBothTransports(t, func(t *testing.T, w *world) {
		w.enact(peace, normsync.Norm{Name: "magic", Condition: "town", Prohibited: "cast_* fly"})
		session := w.connect(false, nil)
		a := fine(t, session, "allowed_actions", object{"agent_id": "hero", "actions": []string{"attack", "walk", "cast_fire"}, "location": "town safe_zone"})
		require.Equal(t, []any{"walk"}, a.value["allowed"])
		require.Equal(t, []any{"attack", "cast_fire"}, a.value["denied"])
		require.Equal(t, "Allowed: 'walk'\nDenied: 'attack', 'cast_fire'", a.texts[0])

		a = fine(t, session, "allowed_actions", object{"agent_id": "hero", "location": "town"})
		require.Equal(t, []any{"attack"}, a.value["allowed"])
		require.Equal(t, []any{"fly"}, a.value["denied"])
		require.Equal(t, true, a.value["more"], "cast_* is no verb that can be tried")

		require.Equal(t, []any{}, fine(t, session, "allowed_actions", object{"agent_id": "hero", "actions": []string{}}).value["allowed"])
		require.Equal(t, "No violations recorded.", fine(t, session, "list_violations", nil).texts[0], "nothing is recorded")
	})
}

func TestNormsAreAddedListedAndRepealed(t *testing.T) {
	overBothTransports(t, func(t *testing.T, w *world) {
		session := w.connect(false, nil)
		add := object{"name": "duel", "description": "", "condition": "arena", "prohibited": "", "permitted": "attack", "unless": "drunk,",
			"priority": 3, "severity": "error", "advice": "bow first", "scope": "arena", "shadow": true, "reason": "players asked"}
		a := fine(t, session, "add_norm", add)
		require.Equal(t, true, a.value["added"])
		require.Contains(t, strings.Join(a.texts, "\n"), "Warning: Unless 'drunk,': ", "the comma")
		require.Equal(t, false, fine(t, session, "add_norm", add).value["added"], "it is in force already")
		fine(t, session, "add_norm", object{"name": "peace", "description": "no fights", "condition": "safe_zone", "prohibited": "attack"})

		want := normsync.Norm{Name: "duel", Condition: "arena", Permitted: "attack", Unless: "drunk,", Priority: 3, Severity: "error",
			Advice: "bow first", Scope: "arena", Shadow: true}
		_, err := w.service.Monitor().Sync(t.Context())
		require.NoError(t, err)
		got, _ := w.service.Monitor().Constitution().Norm("duel")
		require.Equal(t, want, got)
		history, err := normsync.History(t.Context(), w.service.Store(), "duel")
		require.NoError(t, err)
		require.Equal(t, "mcp: tester", history[0].By)
		require.Equal(t, "players asked", history[0].Reason)

		list := fine(t, session, "list_norms", nil)
		require.Equal(t, "Edition 2, 2 norm(s) in force.\n"+
			"  - 'duel' (a dry run) permits 'attack' if 'arena' unless 'drunk,', priority 3\n"+
			"  - 'peace' forbids 'attack' if 'safe_zone': no fights", list.texts[0])

		a = fine(t, session, "repeal_norm", object{"name": "duel", "reason": "enough"})
		require.Equal(t, "Repealed norm 'duel' (id="+want.ID().String()+")", a.texts[0])
		require.Len(t, fine(t, session, "list_norms", nil).value["norms"], 1)
		all := fine(t, session, "list_norms", object{"active_only": false}).value["norms"].([]any)
		require.Len(t, all, 2)
		require.Equal(t, false, all[0].(object)["active"])

		old, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "get_norms", Arguments: object{"active_only": true}})
		require.NoError(t, err)
		require.Len(t, old.StructuredContent.(object)["norms"], 1)
	})
}

func TestConflictsAreShownByAnAction(t *testing.T) {
	overBothTransports(t, func(t *testing.T, w *world) {
		session := w.connect(false, nil)
		require.Equal(t, "No conflicts found.", fine(t, session, "conflicts", nil).texts[0])
		w.enact(peace, normsync.Norm{Name: "peace again", Condition: "SAFE_zone", Prohibited: "attack"})
		a := fine(t, session, "conflicts", nil)
		require.EqualValues(t, 1, a.value["total"])
		c := a.value["conflicts"].([]any)[0].(object)
		require.Equal(t, "duplicate", c["kind"])
		require.Equal(t, "attack", c["witness"].(object)["action"])
		require.Contains(t, a.texts[0], "Found 1 conflict(s):\n  - duplicate: ")
	})
}

func TestAReadOnlyServerHidesWhatWritesAndRecordsNothing(t *testing.T) {
	overBothTransports(t, func(t *testing.T, w *world) {
		w.enact(peace)
		session := w.connect(true, nil)
		require.ElementsMatch(t, []string{"check_action", "explain_action", "allowed_actions", "list_violations", "list_norms", "conflicts"}, toolNames(t, session))
		for tool := range session.Tools(t.Context(), nil) {
			require.True(t, tool.Annotations.ReadOnlyHint, tool.Name)
		}
		for _, name := range []string{"add_norm", "repeal_norm"} {
			_, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: name, Arguments: object{"name": "peace"}})
			require.ErrorContains(t, err, "unknown tool")
		}
		require.Contains(t, session.InitializeResult().Instructions, "read-only")

		a := fine(t, session, "check_action", object{"agent_id": "hero", "action": "attack", "location": "safe_zone"})
		require.Equal(t, false, a.value["allowed"])
		require.Equal(t, false, a.value["recorded"])
		require.Equal(t, "No violations recorded.", fine(t, session, "list_violations", nil).texts[0])
		require.EqualValues(t, 1, w.service.Monitor().Constitution().Edition())
	})
}

func TestTwoClientsWorkAtOnce(t *testing.T) {
	overBothTransports(t, func(t *testing.T, w *world) {
		w.enact(peace)
		const clients, calls = 2, 10
		sessions := make([]*mcp.ClientSession, clients)
		for i := range sessions {
			sessions[i] = w.connect(false, nil)
		}
		var wg sync.WaitGroup
		for i, session := range sessions {
			wg.Go(func() {
				for j := range calls {
					name := fmt.Sprintf("norm %d of client %d", j, i)
					res, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "add_norm",
						Arguments: object{"name": name, "description": "", "condition": "town", "prohibited": "run"}})
					if err == nil && res.IsError {
						err = fmt.Errorf("%s", res.Content[0].(*mcp.TextContent).Text)
					}
					if err == nil {
						_, err = session.CallTool(t.Context(), &mcp.CallToolParams{Name: "check_action",
							Arguments: object{"agent_id": fmt.Sprint("agent ", i), "action": "attack", "location": "safe_zone"}})
					}
					if err != nil {
						t.Errorf("client %d: %v", i, err)
						return
					}
				}
			})
		}
		wg.Wait()
		for _, session := range sessions {
			require.EqualValues(t, 1+clients*calls, fine(t, session, "list_norms", nil).value["in_force"])
			require.Len(t, fine(t, session, "list_violations", nil).value["violations"], clients*calls)
		}
	})
}

// A server whose store cannot be read gives no verdict, so nothing is allowed.
func TestWithoutAStoreEveryToolFails(t *testing.T) {
	store, err := service.OpenStore(t.Context(), "file:"+t.TempDir(), service.Create)
	require.NoError(t, err)
	s, err := service.New(t.Context(), store, service.Create)
	require.NoError(t, err)
	session := connect(t, &mcp.StreamableClientTransport{Endpoint: listen(t, s, mcpserver.Options{})}, nil)
	names := toolNames(t, session)
	require.Len(t, names, 8)
	require.NoError(t, s.Close(t.Context()))
	for _, name := range names {
		arguments := object{}
		switch name {
		case "check_action", "explain_action":
			arguments = object{"agent_id": "a", "action": "walk"}
		case "allowed_actions":
			arguments = object{"agent_id": "a"}
		case "add_norm":
			arguments = object{"name": "n", "description": "", "condition": "", "prohibited": "x"}
		case "repeal_norm":
			arguments = object{"name": "n"}
		}
		a := call(t, session, name, arguments)
		require.True(t, a.IsError, name)
		require.Contains(t, a.texts[0], "closed", name)
	}
	_, err = session.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: mcpserver.ConstitutionURI})
	require.ErrorContains(t, err, "closed")
}
