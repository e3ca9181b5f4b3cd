package rest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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
	resp, _ := w.do("GET", "/health", "", "X-Long", strings.Repeat("x", 128<<10))
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, resp.StatusCode)
}

// Clients that stop in the middle do not keep a connection.
func TestSlowClientsAreCutOff(t *testing.T) {
	w := open(t, "", Options{Limits: Limits{Header: 30 * time.Millisecond, Read: 60 * time.Millisecond, Idle: 30 * time.Millisecond}})
	for name, text := range map[string]string{
		"nothing":     "",
		"half a line": "GET /hea",
		"half header": "GET /health HTTP/1.1\r\nHost: local",
	} {
		c := w.dial()
		_, err := io.WriteString(c, text)
		require.NoError(t, err)
		resp, err := answer(t, c)
		if err == nil { // the header did not come in time
			require.Contains(t, []int{http.StatusRequestTimeout, http.StatusBadRequest}, resp.StatusCode, name)
		}
	}
	for _, path := range []string{"/check", "/norm", "/explain"} {
		c := w.dial()
		_, err := fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", path)
		require.NoError(t, err)
		resp, err := answer(t, c)
		require.NoError(t, err)
		require.Equal(t, http.StatusRequestTimeout, resp.StatusCode, path)
		require.Equal(t, "application/problem+json", resp.Header.Get("Content-Type"))
	}
	// A connection that says nothing more is closed.
	c := w.dial()
	_, err := io.WriteString(c, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
	require.NoError(t, err)
	_, err = io.ReadAll(c)
	require.NoError(t, err)
}

// A client that does not read its list is cut off, and holds nothing up.
func TestAClientThatDoesNotReadIsCutOff(t *testing.T) {
	w := open(t, "", Options{Limits: Limits{Write: 50 * time.Millisecond, Read: 50 * time.Millisecond}})
	w.object("POST", "/norm", peace)
	padded := strings.Replace(attack, `}`, `,"metadata":"`+strings.Repeat("m", 8<<10)+`"}`, 1)
	_, out := w.do("POST", "/check/batch", strings.Repeat(padded+"\n", 2000)) // more than the buffers of a connection hold
	require.Equal(t, 2000, strings.Count(out, `"allowed":false`))
	c := w.dial()
	_, err := io.WriteString(c, "GET /violations HTTP/1.1\r\nHost: localhost\r\n\r\n")
	require.NoError(t, err)
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
