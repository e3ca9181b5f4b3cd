package mcpserver_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync/cmd/normsync/internal/mcpserver"
)

const hello = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
`

// replies serves what a client writes, all at once, and returns the answers.
func replies(t *testing.T, w *world, input string) (answers []object, err error) {
	var out bytes.Buffer
	err = mcpserver.Serve(t.Context(), w.service, mcpserver.Options{}, strings.NewReader(input), &out)
	for line := range strings.Lines(out.String()) {
		var a object
		require.NoError(t, json.Unmarshal([]byte(line), &a), line)
		answers = append(answers, a)
	}
	return answers, err
}

func TestALineThatIsNoMessageDoesNotEndTheSession(t *testing.T) {
	w := newWorld(t)
	answers, err := replies(t, w, hello+`{"jsonrpc":
not json

[{"jsonrpc":"2.0","id":7,"method":"ping"}]
{}
{"jsonrpc":"1.0","id":8,"method":"ping"}
"text"
{"jsonrpc":"2.0","id":2,"method":"ping"}
`)
	require.NoError(t, err)
	byID := map[any][]object{}
	for _, a := range answers {
		byID[a["id"]] = append(byID[a["id"]], a)
	}
	require.Len(t, byID[nil], 6)
	for _, a := range byID[nil] {
		require.EqualValues(t, -32700, a["error"].(object)["code"])
		require.Contains(t, a["error"].(object)["message"], "send one JSON-RPC message per line")
	}
	require.Contains(t, byID[2.0][0], "result", "what follows is answered")
}

// A client that writes its requests and closes its end at once gets all answers, and
// what it did is stored.
func TestTheEndOfTheInputWaitsForAnswers(t *testing.T) {
	w := newWorld(t)
	w.enact(peace)
	answers, err := replies(t, w, hello+
		`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"check_action","arguments":{"agent_id":"a","action":"attack","location":"safe_zone"}}}`)
	require.NoError(t, err)
	require.Len(t, answers, 2)
	require.Len(t, fine(t, overHTTP(t, w), "list_violations", nil).value["violations"], 1)
}

func TestAHugeMessageDoesNotEndTheSession(t *testing.T) {
	w := newWorld(t)
	w.enact(peace)
	check := `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"check_action","arguments":{"agent_id":"a","action":"attack","location":"safe_zone"}}}` + "\n"
	huge := `{"jsonrpc":"2.0","id":3,"method":"` + repeat("x", 1<<20) + `"}`
	for _, end := range []string{"\n", "\n" + `{"jsonrpc":"2.0","id":4,"method":"ping"}`, ""} {
		answers, err := replies(t, w, hello+check+huge+end)
		require.NoError(t, err)
		byID := map[any]object{}
		for _, a := range answers {
			byID[a["id"]] = a
		}
		require.Equal(t, "normsync: read message: it has more than 1048576 bytes; send one JSON-RPC message per line", byID[nil]["error"].(object)["message"])
		require.Contains(t, byID[2.0], "result")
		if len(end) > 1 {
			require.Contains(t, byID[4.0], "result")
		}
	}
	fits := `{"jsonrpc":"2.0","id":5,"method":"ping","params":{"x":"` + repeat("x", 1<<20-60) + `"}}`
	answers, err := replies(t, w, hello+fits+"\r\n")
	require.NoError(t, err)
	require.EqualValues(t, 5, answers[len(answers)-1]["id"])
}
