package mcpserver

import (
	"net/http/httptest"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

// When there are too many sessions, the one that was idle for the longest time
// makes room. A session with an open stream is not idle.
func TestIdleSessionsMakeRoom(t *testing.T) {
	s, err := service.Open(t.Context(), filepath.Join(t.TempDir(), "norms.db"), service.Create)
	require.NoError(t, err)
	h := newSessions(New(s, Options{}), Options{}, 3)
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		h.close()
		server.Close()
	})

	dial := func(listens bool) (*mcp.ClientSession, error) {
		return mcp.NewClient(&mcp.Implementation{Name: "tester", Version: "1"}, nil).
			Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: server.URL, DisableStandaloneSSE: !listens, MaxRetries: -1},
				&mcp.ClientSessionOptions{ProtocolVersion: "2025-11-25"}) // a newer one tries another way first, which starts a session, too
	}
	listener, err := dial(true)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.used[listener.ID()] != nil && h.used[listener.ID()].requests > 0
	}, 30*time.Second, time.Millisecond, "its stream is open")

	var idle []*mcp.ClientSession
	for range 4 {
		session, err := dial(false)
		require.NoError(t, err)
		idle = append(idle, session)
	}
	require.NoError(t, listener.Ping(t.Context(), nil))
	require.Error(t, idle[0].Ping(t.Context(), nil))
	require.Error(t, idle[1].Ping(t.Context(), nil))
	require.NoError(t, idle[2].Ping(t.Context(), nil))
	require.NoError(t, idle[3].Ping(t.Context(), nil))
	require.Len(t, slices.Collect(h.server.Sessions()), 3)
	h.mu.Lock()
	defer h.mu.Unlock()
	require.Len(t, h.used, 3, "of sessions that have ended, nothing is kept")
}
