package rest

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

// world is a server on a store of its own.
type world struct {
	t       *testing.T
	url     string
	service *service.Service
	server  *server
	client  *http.Client
	token   string       // sent with each request, if it is set
	stop    func() error // ends the server and returns what Serve did
}

// open starts a server on the store at location, which is an SQLite database in a new
// folder if it is empty.
func open(t *testing.T, location string, o Options) *world {
	t.Helper()
	if location == "" {
		location = filepath.Join(t.TempDir(), "norms.db")
	}
	s, err := service.Open(t.Context(), location, service.Create)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close(context.Background()) }) // some tests take the store away
	return serve(t, s, o)
}

func serve(t *testing.T, s *service.Service, o Options) *world {
	t.Helper()
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	o.Version = "0.3.0"
	started := make(chan string, 1)
	o.Started = func(url string) { started <- url }
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	server, err := newServer(ctx, s, o)
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- server.serve(ctx) }()
	w := &world{t: t, service: s, server: server, client: &http.Client{Transport: &http.Transport{}}, token: o.Token}
	select {
	case w.url = <-started:
	case err := <-ended:
		require.NoError(t, err)
		require.FailNow(t, "the server has ended")
	}
	stopped := false
	w.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		w.client.CloseIdleConnections()
		cancel()
		return <-ended
	}
	t.Cleanup(func() { _ = w.stop() }) // tests that care have called it
	return w
}

// do sends a request and returns its response, with the body read.
func (w *world) do(method, path, body string, headers ...string) (*http.Response, string) {
	w.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, reader)
	require.NoError(w.t, err)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if w.token != "" {
		r.Header.Set("Authorization", "Bearer "+w.token)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := w.client.Do(r)
	require.NoError(w.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(w.t, err)
	return resp, string(text)
}

// ok sends a request that succeeds and returns its JSON.
func (w *world) ok(method, path, body string) any {
	w.t.Helper()
	resp, text := w.do(method, path, body)
	require.Equal(w.t, http.StatusOK, resp.StatusCode, text)
	require.Equal(w.t, "application/json", resp.Header.Get("Content-Type"))
	var v any
	require.NoError(w.t, json.Unmarshal([]byte(text), &v), text)
	return v
}

// object is ok for a response that is an object.
func (w *world) object(method, path, body string) map[string]any {
	w.t.Helper()
	return w.ok(method, path, body).(map[string]any)
}

// list is ok for a response that is a list.
func (w *world) list(path string) []any {
	w.t.Helper()
	return w.ok(http.MethodGet, path, "").([]any)
}

// refused sends a request that is refused and returns the problem.
func (w *world) refused(status int, method, path, body string, headers ...string) huma.ErrorModel {
	w.t.Helper()
	resp, text := w.do(method, path, body, headers...)
	require.Equal(w.t, status, resp.StatusCode, text)
	require.Equal(w.t, "application/problem+json", resp.Header.Get("Content-Type"), text)
	var p huma.ErrorModel
	require.NoError(w.t, json.Unmarshal([]byte(text), &p), text)
	require.Equal(w.t, status, p.Status)
	require.Equal(w.t, http.StatusText(status), p.Title)
	require.True(w.t, strings.HasPrefix(p.Detail, "normsync: "), p.Detail)
	return p
}

const (
	peace  = `{"name":"peace","description":"No fights.","condition":"safe_zone","prohibited":"attack steal"}`
	attack = `{"agent_id":"hero","action":"attack","location":"town safe_zone"}`
	walk   = `{"agent_id":"hero","action":"walk","location":"town safe_zone"}`
)

// What users of the Python tool send, and the keys that they get.
func TestPythonEndpoints(t *testing.T) {
	w := open(t, "", Options{})
	require.Equal(t, map[string]any{"status": "ok", "version": "0.3.0"}, w.object("GET", "/health", ""))

	norm := map[string]any{
		"id": "e1b1e2bb7ed9a9a5", "name": "peace", "description": "No fights.", "condition": "safe_zone",
		"prohibited": "attack steal", "scope": "global", "active": true, "priority": 0.0,
	}
	got := w.object("POST", "/norm", peace)
	norm["id"] = got["id"]
	require.Equal(t, norm, got)
	require.Equal(t, []any{norm}, w.list("/norms"))

	verdict := w.object("POST", "/check", attack)
	require.Equal(t, 1.0, verdict["violation_count"])
	require.Equal(t, true, verdict["has_violations"])
	violation := verdict["violations"].([]any)[0].(map[string]any)
	for _, key := range []string{"id", "norm_id", "norm_name", "action_id", "agent_id", "description", "severity", "timestamp"} {
		require.Contains(t, violation, key)
	}
	require.Equal(t, "Agent 'hero' performed 'attack' in 'town safe_zone', violating norm 'peace'", violation["description"])
	require.Equal(t, "warn", violation["severity"])

	// It is recorded, and there before anybody can ask.
	violation["number"] = 1.0
	require.Equal(t, []any{violation}, w.list("/violations"))

	verdict = w.object("POST", "/check", walk)
	require.Equal(t, map[string]any{"violation_count": 0.0, "has_violations": false, "violations": []any{}, "allowed": true}, verdict)

	for _, null := range []string{"location", "target", "faction"} { // as Python sends an Optional that is None
		require.Equal(t, true, w.object("POST", "/check", `{"agent_id":"a","action":"wave","`+null+`":null}`)["allowed"])
	}
}

func TestListsAreNeverNull(t *testing.T) {
	w := open(t, "", Options{})
	for _, path := range []string{"/norms", "/violations", "/revisions", "/compliance"} {
		require.Equal(t, []any{}, w.list(path), path)
	}
	require.Equal(t, map[string]any{"conflicts": []any{}, "gave_up": []any{}, "edition": 0.0}, w.object("GET", "/conflicts", ""))
	require.Equal(t, map[string]any{"findings": []any{}, "allowed": true, "edition": 0.0}, w.object("POST", "/explain", walk))
	require.Equal(t, map[string]any{"allowed": []any{}, "edition": 0.0}, w.object("POST", "/allowed", `{"agent_id":"a"}`))
}
