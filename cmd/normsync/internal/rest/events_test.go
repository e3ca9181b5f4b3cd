package rest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

// listener is a client of /events.
type listener struct {
	t      *testing.T
	resp   *http.Response
	lines  *bufio.Reader
	cancel context.CancelFunc
}

func (w *world) listen(query string, headers ...string) *listener {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	w.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/events"+query, nil)
	require.NoError(w.t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := w.client.Do(r)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { resp.Body.Close() })
	require.Equal(w.t, http.StatusOK, resp.StatusCode)
	require.Equal(w.t, "text/event-stream", resp.Header.Get("Content-Type"))
	l := &listener{w.t, resp, bufio.NewReader(resp.Body), cancel}
	line, err := l.lines.ReadString('\n')
	require.NoError(w.t, err)
	require.Equal(w.t, "retry: 2000\n", line)
	return l
}

// next returns the next event: its ID, its name and its data.
func (l *listener) next() (id, name string, data map[string]any) {
	l.t.Helper()
	for {
		line, err := l.lines.ReadString('\n')
		require.NoError(l.t, err)
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch field {
		case "id":
			id = value
		case "event":
			name = value
		case "data":
			require.NoError(l.t, json.Unmarshal([]byte(value), &data), value)
		case "":
			if id != "" {
				return id, name, data
			}
		}
	}
}

func TestEventsComeAndAreResumed(t *testing.T) {
	w := open(t, "", Options{})
	w.object("POST", "/norm", `{"name":"old","prohibited":"x"}`)
	w.object("POST", "/check", `{"agent_id":"a","action":"x"}`)
	w.list("/violations") // it is stored now
	require.Eventually(t, func() bool { return w.hub().position() == cursor{1, 1} }, time.Minute, time.Millisecond)

	l := w.listen("") // begins with what is new
	w.object("POST", "/norm", peace)
	id, name, data := l.next()
	require.Equal(t, "2-1", id)
	require.Equal(t, "revision", name)
	require.Equal(t, "add", data["revision_type"])
	require.Equal(t, "peace", data["norm"].(map[string]any)["name"])

	w.object("POST", "/check", attack)
	id, name, data = l.next()
	require.Equal(t, "2-2", id)
	require.Equal(t, "violation", name)
	require.Equal(t, 2.0, data["number"])
	require.Equal(t, "peace", data["norm_name"])
	l.cancel()

	// What happens while nobody listens comes after the client is back.
	w.object("DELETE", "/norms/old", "")
	w.object("POST", "/check", attack)
	require.Eventually(t, func() bool { return w.hub().position() == cursor{3, 3} }, time.Minute, time.Millisecond)
	l = w.listen("", "Last-Event-ID", id)
	id, name, _ = l.next()
	require.Equal(t, "revision", name)
	require.Equal(t, "3-2", id)
	id, name, _ = l.next()
	require.Equal(t, "violation", name)
	require.Equal(t, "3-3", id)
	l.cancel()

	l = w.listen("?after=0-0")
	var ids []string
	for range 6 {
		id, _, _ = l.next()
		ids = append(ids, id)
	}
	require.Equal(t, []string{"1-0", "2-0", "3-0", "3-1", "3-2", "3-3"}, ids)

	// An ID of another store does not make the client deaf.
	l = w.listen("", "Last-Event-ID", "1000-1000")
	w.object("POST", "/check", attack)
	id, _, _ = l.next()
	require.Equal(t, "3-4", id)
}

// hub returns the hub of the server, which a test reaches through a handler.
func (w *world) hub() *hub { return w.server.hub }

func TestEventsOfOtherProcessesCome(t *testing.T) {
	path := filepath.Join(t.TempDir(), "norms.db")
	w := open(t, path, Options{})
	l := w.listen("")
	other, err := service.Open(t.Context(), path, service.Write) // as another process would
	require.NoError(t, err)
	defer other.Close(t.Context())
	_, err = other.Monitor().Apply(t.Context(), normsync.Enact(normsync.Norm{Name: "far", Prohibited: "jump"}))
	require.NoError(t, err)
	id, _, data := l.next()
	require.Equal(t, "1-0", id)
	require.Equal(t, "far", data["norm"].(map[string]any)["name"])
	require.Equal(t, false, w.object("POST", "/explain", `{"agent_id":"a","action":"jump"}`)["allowed"], "it is in force here, too")

	_, err = other.CheckStored(t.Context(), normsync.Action{Agent: "b", Verb: "jump"})
	require.NoError(t, err)
	id, name, data := l.next()
	require.Equal(t, "1-1", id)
	require.Equal(t, "violation", name)
	require.Equal(t, "b", data["agent_id"])
}

// A client that does not read gets everything later, and nobody waits for it.
func TestASlowClientOfEventsMissesNothing(t *testing.T) {
	w := open(t, "", Options{Limits: Limits{Queue: 1, Poll: time.Millisecond}})
	w.object("POST", "/norm", peace)
	l := w.listen("?after=0-0")
	id, _, _ := l.next()
	require.Equal(t, "1-0", id)
	const n = 3000
	_, out := w.do("POST", "/check/batch", strings.Repeat(attack+"\n", n))
	require.Equal(t, n, strings.Count(out, "\n"))
	require.Eventually(t, func() bool { return w.hub().position().number == n }, time.Minute, time.Millisecond)
	for i := range n {
		id, _, data := l.next()
		require.Equal(t, fmt.Sprintf("1-%d", i+1), id)
		require.Equal(t, float64(i+1), data["number"])
	}
}

func TestClientsOfEventsAreBounded(t *testing.T) {
	w := open(t, "", Options{Limits: Limits{Subscribers: 1}})
	l := w.listen("")
	p := w.refused(http.StatusServiceUnavailable, "GET", "/events", "")
	require.Contains(t, p.Detail, "1 clients have a stream already")
	l.cancel()
	require.Eventually(t, func() bool { return w.hub().subscribed() == 0 }, time.Minute, time.Millisecond, "a client that has gone makes room")
	w.listen("")
}

func TestStreamsEndWithTheServer(t *testing.T) {
	w := open(t, "", Options{Limits: Limits{Shutdown: time.Hour}})
	l := w.listen("")
	require.NoError(t, w.stop())
	_, err := io.ReadAll(l.lines)
	require.NoError(t, err, "the stream ends properly")
}
