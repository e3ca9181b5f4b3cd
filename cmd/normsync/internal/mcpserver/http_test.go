package mcpserver_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync/cmd/normsync/internal/mcpserver"
)

func post(t *testing.T, url, body string, headers ...string) *http.Response {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { res.Body.Close() })
	return res
}

func TestBadRequestsAreRefused(t *testing.T) {
	w := newWorld(t)
	url := listen(t, w.service, mcpserver.Options{})
	hello := `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`
	require.Equal(t, http.StatusOK, post(t, url, hello).StatusCode)
	for _, c := range []struct {
		name, body string
		headers    []string
		status     int
	}{
		{"malformed JSON", `{"jsonrpc":`, nil, http.StatusBadRequest},
		{"no message", ``, nil, http.StatusBadRequest},
		{"a huge body", `{"jsonrpc":"2.0","id":1,"method":"` + repeat("x", 1<<20) + `"}`, nil, http.StatusRequestEntityTooLarge},
		{"an unknown session", hello, []string{"Mcp-Session-Id", "guess"}, http.StatusNotFound},
		{"another kind of text", hello, []string{"Content-Type", "text/plain"}, http.StatusUnsupportedMediaType},
		{"another host's name for a loopback address", hello, []string{"Host", "evil.example"}, http.StatusForbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := post(t, url, c.body, c.headers...)
			text, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.Equal(t, c.status, res.StatusCode, "%s", text)
			require.NotEmpty(t, text)
		})
	}
}

// The end of the context ends open streams, so that the server can shut down.
func TestTheEndOfTheContextClosesSessions(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(mcpserver.Handler(ctx, w.service, mcpserver.Options{}))
	session, err := mcp.NewClient(&mcp.Implementation{Name: "tester", Version: "1"}, nil).
		Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: server.URL, MaxRetries: -1}, nil)
	require.NoError(t, err)
	require.NoError(t, session.Subscribe(t.Context(), &mcp.SubscribeParams{URI: mcpserver.ConstitutionURI}))
	cancel()
	limited, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	require.NoError(t, server.Config.Shutdown(limited), "no stream is left open")
	server.Close()
	require.Error(t, session.Ping(t.Context(), nil))
	session.Close()
}
