package rest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync/cmd/normsync/internal/mcpserver"
	"github.com/normsync/normsync/cmd/normsync/internal/page"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

// The MCP SDK and the standard library write their errors as plain text.
func TestErrorsOfOtherHandlersAreProblems(t *testing.T) {
	s, err := service.Open(t.Context(), filepath.Join(t.TempDir(), "norms.db"), service.Create)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close(context.Background())) })
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	w := serve(t, s, Options{MCP: mcpserver.Handler(ctx, s, mcpserver.Options{}), Page: page.Handler()})
	json := []string{"Accept", "application/json, text/event-stream"}
	for _, c := range []struct {
		status             int
		method, path, body string
		headers            []string
		detail             string
	}{
		{http.StatusBadRequest, "GET", "/mcp", "", json, "normsync: serve MCP: Bad Request: GET requires an Mcp-Session-Id header"},
		{http.StatusMethodNotAllowed, "PUT", "/mcp", "x", json, "normsync: serve MCP: "},
		{http.StatusUnsupportedMediaType, "POST", "/mcp", "x", []string{"Content-Type", "text/plain"}, "normsync: serve MCP: Content-Type must be 'application/json'"},
		{http.StatusBadRequest, "POST", "/mcp", "x", json, "normsync: serve MCP: malformed payload"},
		{http.StatusBadRequest, "POST", "/mcp", strings.Repeat("x", 100_000), json, "normsync: serve MCP: malformed payload"},
		{http.StatusNotFound, "POST", "/mcp", `{"jsonrpc":"2.0","id":1,"method":"ping"}`, append(json, "Mcp-Session-Id", "guess"), "normsync: serve MCP: session not found"},
		{http.StatusNotFound, "GET", "/page/nope.js", "", nil, "normsync: serve page: 404 page not found"},
		{http.StatusNotFound, "GET", "/nope", "", nil, `normsync: serve "/nope": there is nothing at this path`},
	} {
		p := w.refused(c.status, c.method, c.path, c.body, c.headers...)
		require.Contains(t, p.Detail, c.detail)
		require.Less(t, len(p.Detail), 1000)
	}
	resp, text := w.do("POST", "/page/app.js", "x")
	require.Equal(t, "application/problem+json", resp.Header.Get("Content-Type"), text)
	require.NotEmpty(t, resp.Header.Get("Allow"))

	// What is no error of this kind passes as it is, at once.
	resp, text = w.do("GET", "/page/app.js", "")
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.NotContains(t, text, `"status":`)
	recorder := httptest.NewRecorder()
	withProblems("serve page", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, err := io.WriteString(w, "{}")
		require.NoError(t, err)
		require.False(t, recorder.Flushed)
		w.(http.Flusher).Flush()
		require.True(t, recorder.Flushed)
	})).ServeHTTP(recorder, httptest.NewRequest("GET", "/", nil))
	require.Equal(t, http.StatusBadRequest, recorder.Code)
	require.Equal(t, "{}", recorder.Body.String())
}
