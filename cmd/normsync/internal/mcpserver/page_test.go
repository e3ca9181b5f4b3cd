package mcpserver_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

func TestViolationsComeInPages(t *testing.T) {
	overBothTransports(t, func(t *testing.T, w *world) {
		w.enact(peace)
		const n = 60
		for i := range n {
			_, err := w.service.Check(normsync.Action{Agent: fmt.Sprint("agent ", i), Verb: "attack", Location: "safe_zone", Time: time.Unix(int64(i), 0)})
			require.NoError(t, err)
		}
		require.NoError(t, w.service.Flush(t.Context()))
		session := w.connect(false, nil)

		var agents []string
		arguments := object{"limit": 25}
		for pages := 1; ; pages++ {
			a := fine(t, session, "list_violations", arguments)
			for _, v := range a.value["violations"].([]any) {
				agents = append(agents, v.(object)["agent_id"].(string))
			}
			next, more := a.value["next_cursor"]
			if !more {
				require.Equal(t, 3, pages)
				break
			}
			require.Contains(t, a.texts[0], fmt.Sprintf("call list_violations with cursor %q", next))
			arguments["cursor"] = next
		}
		require.Len(t, agents, n)
		for i, agent := range agents {
			require.Equal(t, fmt.Sprint("agent ", n-1-i), agent)
		}
		require.Len(t, fine(t, session, "list_violations", nil).value["violations"], 50)
		require.Contains(t, fine(t, session, "list_violations", object{"limit": 60}).texts[0], "Total violations: 60\n")
		require.Len(t, fine(t, session, "list_violations", object{"agent_id": "agent 7", "norm": "peace", "severity": "warn"}).value["violations"], 1)
		require.Empty(t, fine(t, session, "list_violations", object{"norm": "war"}).value["violations"])
		require.Empty(t, fine(t, session, "list_violations", object{"severity": "error"}).value["violations"])
	})
}

func TestNormsComeInPages(t *testing.T) {
	overBothTransports(t, func(t *testing.T, w *world) {
		const n = 60
		for i := range n {
			w.enact(normsync.Norm{Name: fmt.Sprintf("norm %02d", i), Prohibited: "x"})
		}
		session := w.connect(false, nil)
		for _, activeOnly := range []bool{true, false} {
			var names []string
			arguments := object{"limit": 25, "active_only": activeOnly}
			for {
				a := fine(t, session, "list_norms", arguments)
				for _, n := range a.value["norms"].([]any) {
					names = append(names, n.(object)["name"].(string))
				}
				next, more := a.value["next_cursor"]
				if !more {
					break
				}
				arguments["cursor"] = next
			}
			require.Len(t, names, n)
			for i, name := range names {
				require.Equal(t, fmt.Sprintf("norm %02d", i), name)
			}
		}
	})
}

// Whatever agents and authors write, a result has a bounded size.
func TestResultsAreBounded(t *testing.T) {
	overBothTransports(t, func(t *testing.T, w *world) {
		const limit = 200 << 10 // the structured result, and the text
		for i := range 100 {
			w.enact(normsync.Norm{Name: fmt.Sprintf("%03d%s", i, repeat("n", 190)), Description: repeat("d", 4<<10), Advice: repeat("a", 4<<10),
				Condition: repeat("c ", 60), Prohibited: "x"})
		}
		large := normsync.Action{Agent: repeat("g", 1<<20), Verb: "x", Location: "c", Time: time.Unix(1, 0)}
		small := normsync.Action{Agent: repeat("g", 9<<10), Verb: "x", Location: "c", Time: time.Unix(2, 0)}
		vs := []normsync.Violation{{NormName: "n", Severity: "warn", Action: large}}
		for range 20 {
			vs = append(vs, normsync.Violation{NormName: "n", Severity: "warn", Action: small})
		}
		require.NoError(t, w.service.Store().AppendViolations(t.Context(), vs...))

		session := w.connect(false, nil)
		for tool, arguments := range map[string]object{
			"check_action":    {"agent_id": repeat("g", 8<<10), "action": "x", "location": "c"},
			"explain_action":  {"agent_id": "a", "action": "x", "location": "c"},
			"allowed_actions": {"agent_id": "a", "actions": []string{repeat("v", 8<<10)}},
			"list_violations": {"limit": 500},
			"list_norms":      {"limit": 500},
			"conflicts":       {"limit": 500},
		} {
			a := fine(t, session, tool, arguments)
			text, err := json.Marshal(a.CallToolResult)
			require.NoError(t, err)
			require.Less(t, len(text), limit, tool)
		}
		a := fine(t, session, "check_action", object{"agent_id": "a", "action": "x", "location": "c"})
		require.Less(t, len(a.value["violations"].([]any)), 100)
		require.EqualValues(t, 100-len(a.value["violations"].([]any)), a.value["more"], "violations that are left out are counted")
		require.Contains(t, a.texts[0], "Found 100 violation(s):")
	})
}

func TestAViolationThatIsTooLargeIsNamed(t *testing.T) {
	w := newWorld(t)
	vs := []normsync.Violation{{NormName: "n", Severity: "warn", Action: normsync.Action{Agent: "first", Verb: "x"}},
		{NormName: "n", Severity: "warn", Action: normsync.Action{Agent: repeat("g", 1<<20), Verb: "x"}},
		{NormName: "n", Severity: "warn", Action: normsync.Action{Agent: "last", Verb: "x"}}}
	require.NoError(t, w.service.Store().AppendViolations(t.Context(), vs...))
	session := overHTTP(t, w)
	a := fine(t, session, "list_violations", nil)
	require.Len(t, a.value["violations"], 2)
	require.Equal(t, []any{2.0}, a.value["too_large"])
	require.Contains(t, a.texts[0], "Total violations: 3\n")
	require.Contains(t, a.texts[0], "number 2 is too large to list")

	a = fine(t, session, "list_violations", object{"limit": 2})
	require.Equal(t, "2", a.value["next_cursor"])
	a = fine(t, session, "list_violations", object{"limit": 2, "cursor": "2"})
	require.Len(t, a.value["violations"], 1)
	require.NotContains(t, a.value, "next_cursor")
}
