package rest

import (
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

// remembering opens a server whose service has a memory.
func remembering(t *testing.T, path string) *world {
	t.Helper()
	s, err := service.Open(t.Context(), path, service.Create)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	m, err := normsync.NewMemory([]normsync.Fact{
		{Name: "authenticated", After: "verb:login", Until: "verb:logout"},
		{Name: "third_strike", Broke: "peace", Count: 3},
	}, nil)
	require.NoError(t, err)
	require.NoError(t, s.Remember(m))
	require.NoError(t, s.RememberStored(t.Context()))
	return serve(t, s, Options{Log: slog.New(slog.DiscardHandler)})
}

func (w *world) allows(path, body string) bool {
	w.t.Helper()
	resp, text := w.do("POST", path, body)
	require.Equal(w.t, 200, resp.StatusCode, text)
	var out struct{ Allowed bool }
	require.NoError(w.t, json.Unmarshal([]byte(text), &out), text)
	return out.Allowed
}

func TestAnAgentLogsInFirst(t *testing.T) {
	w := remembering(t, filepath.Join(t.TempDir(), "norms.db"))
	w.do("POST", "/norm", `{"name":"log-in","description":"","condition":"","prohibited":"buy sell","unless":"facts:authenticated"}`)
	buy := `{"agent_id":"ann","action":"buy"}`
	for range 2 {
		require.False(t, w.allows("/check", buy))
		require.False(t, w.allows("/explain", buy))
		for _, claim := range []string{"authenticated", "AUTHENTICATED day", "auth\u200Benticated", "authenticated authenticated"} {
			require.False(t, w.allows("/check", `{"agent_id":"ann","action":"buy","facts":"`+claim+`"}`), "no agent can claim a fact: %q", claim)
		}
		require.True(t, w.allows("/check", `{"agent_id":"ann","action":"login"}`))
		require.True(t, w.allows("/check", buy))
		require.True(t, w.allows("/explain", buy))
		_, text := w.do("POST", "/allowed", `{"agent_id":"ann","verbs":["buy","sell"]}`)
		require.Contains(t, text, `"allowed":["buy","sell"]`)
		require.False(t, w.allows("/check", `{"agent_id":"bob","action":"buy"}`), "nobody else is logged in")
		require.True(t, w.allows("/check", `{"agent_id":"ann","action":"logout"}`))
	}

	// The actions of a batch happen one after the other.
	_, text := w.do("POST", "/check/batch", `{"agent_id":"cid","action":"buy"}
{"agent_id":"cid","action":"login"}
{"agent_id":"cid","action":"buy"}
`, "Content-Type", "application/x-ndjson")
	var allowed []bool
	for line := range strings.Lines(text) {
		var out struct{ Allowed *bool }
		require.NoError(t, json.Unmarshal([]byte(line), &out), line)
		if out.Allowed != nil {
			allowed = append(allowed, *out.Allowed)
		}
	}
	require.Equal(t, []bool{false, true, true}, allowed, text)
}

func TestStrikesSurviveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "norms.db")
	w := remembering(t, path)
	w.do("POST", "/norm", `{"name":"peace","description":"","condition":"safe_zone","prohibited":"attack"}`)
	w.do("POST", "/norm", `{"name":"out","description":"","condition":"facts:third_strike","prohibited":"enter"}`)
	enter := `{"agent_id":"eve","action":"enter"}`
	for range 2 {
		require.False(t, w.allows("/check", `{"agent_id":"eve","action":"attack","location":"safe_zone"}`))
	}
	require.True(t, w.allows("/check", enter))
	require.NoError(t, w.stop())
	require.NoError(t, w.service.Close(context.Background()))

	w = remembering(t, path)
	require.True(t, w.allows("/explain", enter), "two strikes")
	require.False(t, w.allows("/check", `{"agent_id":"eve","action":"attack","location":"safe_zone"}`))
	require.False(t, w.allows("/check", enter), "the third strike")
	_, text := w.do("POST", "/check", enter)
	require.Contains(t, text, `"facts":"third_strike"`, "the violation shows it")
}
