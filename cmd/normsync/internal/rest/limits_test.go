package rest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

// dial opens a connection to the server on which a test writes what it likes.
func (w *world) dial() net.Conn {
	w.t.Helper()
	c, err := (&net.Dialer{}).DialContext(w.t.Context(), "tcp", strings.TrimPrefix(w.url, "http://"))
	require.NoError(w.t, err)
	w.t.Cleanup(func() { c.Close() })
	return c
}

// answer reads the response of a connection, or tells that there is none.
func answer(t *testing.T, c net.Conn) (*http.Response, error) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err == nil {
		t.Cleanup(func() { resp.Body.Close() })
	}
	return resp, err
}

func TestHugeBodiesAreRefused(t *testing.T) {
	w := open(t, "", Options{Limits: Limits{Body: 200 << 10}})
	body := func(n int) string {
		return `{"agent_id":"a","action":"x","metadata":"` + strings.Repeat("m", n) + `"}`
	}
	for _, n := range []int{10, maxQuick + 1, 190 << 10} {
		w.object("POST", "/check", body(n))
	}
	for _, path := range []string{"/check", "/explain", "/norm", "/allowed"} {
		p := w.refused(http.StatusRequestEntityTooLarge, "POST", path, body(200<<10))
		require.Contains(t, p.Detail, "too large limit=204800 bytes")
	}
	// Problems do not echo it.
	_, text := w.do("POST", "/explain", `{"agent_id":"a","action":"x","timestamp":"`+strings.Repeat("1", 100<<10)+`"}`)
	require.Less(t, len(text), 1000)
	_, text = w.do("POST", "/explain", strings.Repeat("[", 100<<10))
	require.Less(t, len(text), 1000)
	_, text = w.do("POST", "/explain", `{"agent_id":"a","action":"x","`+strings.Repeat("k", 100<<10)+`":1}`)
	require.Less(t, len(text), 1000)
	var many strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&many, `,"k%d":1`, i)
	}
	_, text = w.do("POST", "/explain", `{"agent_id":"a","action":"x"`+many.String()+`}`)
	require.Less(t, len(text), 10_000)
	// A body that does not say how long it is, and does not end.
	c := w.dial()
	_, err := fmt.Fprintf(c, "POST /norm HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
	require.NoError(t, err)
	go func() { // ends with the connection
		for {
			if _, err := fmt.Fprintf(c, "%x\r\n%s\r\n", 1<<10, strings.Repeat(" ", 1<<10)); err != nil {
				return
			}
		}
	}()
	resp, err := answer(t, c)
	require.NoError(t, err)
	require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
}

func TestHugeHeadersAreRefused(t *testing.T) {
	w := open(t, "", Options{})
	c := w.dial()
	// The server may close the connection before it has read all.
	_, _ = fmt.Fprintf(c, "GET /health HTTP/1.1\r\nHost: localhost\r\nX-Long: %s\r\n\r\n", strings.Repeat("x", 128<<10))
	resp, err := answer(t, c)
	require.NoError(t, err)
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, resp.StatusCode)
}

// Clients that stop in the middle do not keep a connection. Each of the servers has one
// short limit, which the client exceeds however slow the machine is.
func TestSlowClientsAreCutOff(t *testing.T) {
	const short = 100 * time.Millisecond
	send := func(w *world, text string) net.Conn {
		c := w.dial()
		_, err := io.WriteString(c, text)
		require.NoError(t, err)
		return c
	}
	var headers, bodies []net.Conn
	w := open(t, "", Options{Limits: Limits{Header: short}})
	for _, text := range []string{"", "GET /hea", "GET /health HTTP/1.1\r\nHost: local"} {
		headers = append(headers, send(w, text))
	}
	w = open(t, "", Options{Limits: Limits{Read: short}})
	for _, path := range []string{"/check", "/norm", "/explain"} {
		bodies = append(bodies, send(w, "POST "+path+" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"))
	}
	w = open(t, "", Options{Limits: Limits{Idle: short}})
	idle := send(w, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
	for _, c := range headers {
		resp, err := answer(t, c)
		if err == nil { // some get an answer, and the others are only cut off
			require.Contains(t, []int{http.StatusRequestTimeout, http.StatusBadRequest}, resp.StatusCode)
		}
	}
	for _, c := range bodies {
		resp, err := answer(t, c)
		require.NoError(t, err)
		require.Equal(t, http.StatusRequestTimeout, resp.StatusCode)
		require.Equal(t, "application/problem+json", resp.Header.Get("Content-Type"))
	}
	text, err := io.ReadAll(idle) // ends when the server closes the connection
	require.NoError(t, err)
	require.Contains(t, string(text), "200 OK")
}

// A client that does not read its list is cut off, and holds nothing up.
func TestAClientThatDoesNotReadIsCutOff(t *testing.T) {
	w := open(t, "", Options{Limits: Limits{Write: 50 * time.Millisecond, Shutdown: time.Hour}})
	w.object("POST", "/norm", peace)
	action := normsync.Action{Agent: "hero", Verb: "attack", Location: "safe_zone", Metadata: `"` + strings.Repeat("m", 8<<10) + `"`}
	_, err := w.service.CheckStored(t.Context(), slices.Repeat([]normsync.Action{action}, 3000)...) // more than the buffers of a connection hold
	require.NoError(t, err)
	c := w.dial()
	_, err = io.WriteString(c, "GET /violations HTTP/1.1\r\nHost: localhost\r\n\r\n")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return strings.Contains(w.metrics(), `route="GET /violations"`) }, time.Minute, time.Millisecond)
	require.NoError(t, w.stop(), "the server need not wait for it")
}

// deadlines is a response that notes its deadlines.
type deadlines struct {
	*httptest.ResponseRecorder
	read, write time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error  { d.read = t; return nil }
func (d *deadlines) SetWriteDeadline(t time.Time) error { d.write = t; return nil }

// Each part of a long response has the time limit of its own, so that a long list and a
// stream can take longer than a response may.
func TestEachPartOfAStreamHasItsOwnLimit(t *testing.T) {
	d := &deadlines{ResponseRecorder: httptest.NewRecorder(), read: time.Now()}
	w := newPatientWriter(&statusWriter{ResponseWriter: d}, time.Hour)
	require.True(t, d.read.IsZero(), "a client of a stream sends nothing more")
	for _, write := range []func(){
		func() { _, _ = w.Write([]byte("x")) },
		func() { _, _ = w.Write([]byte("x")) },
		w.Flush,
	} {
		d.write = time.Time{}
		write()
		require.Greater(t, time.Until(d.write), 59*time.Minute)
	}
}
