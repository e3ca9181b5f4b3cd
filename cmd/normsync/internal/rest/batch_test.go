package rest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// stream is a batch that a test writes and reads line by line.
type stream struct {
	t    *testing.T
	in   *io.PipeWriter
	out  *bufio.Scanner
	resp *http.Response
}

func (w *world) batch() *stream {
	w.t.Helper()
	body, in := io.Pipe()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+"/check/batch", body)
	require.NoError(w.t, err)
	r.Header.Set("Authorization", "Bearer "+w.token)
	r.Header.Set("Content-Type", "application/x-ndjson")
	s := &stream{t: w.t, in: in}
	got := make(chan error, 1)
	go func() {
		var err error
		s.resp, err = w.client.Do(r)
		got <- err
	}()
	s.send("\n") // an empty line, with which the request begins
	require.NoError(w.t, <-got)
	w.t.Cleanup(func() { s.resp.Body.Close(); in.Close() })
	require.Equal(w.t, http.StatusOK, s.resp.StatusCode)
	require.Equal(w.t, "application/x-ndjson", s.resp.Header.Get("Content-Type"))
	s.out = bufio.NewScanner(s.resp.Body)
	s.out.Buffer(nil, 1<<20)
	return s
}

func (s *stream) send(text string) {
	s.t.Helper()
	_, err := io.WriteString(s.in, text)
	require.NoError(s.t, err)
}

func (s *stream) next() map[string]any {
	s.t.Helper()
	require.True(s.t, s.out.Scan(), s.out.Err())
	var v map[string]any
	require.NoError(s.t, json.Unmarshal(s.out.Bytes(), &v), s.out.Text())
	return v
}

func TestABatchAnswersEachLineAsItComes(t *testing.T) {
	w := open(t, "", Options{})
	w.object("POST", "/norm", peace)
	s := w.batch()
	s.send(attack + "\n" + walk[:20]) // the second line is not whole, and does not keep the answer to the first back
	got := s.next()
	require.Equal(t, 2.0, got["line"])
	require.Equal(t, false, got["allowed"])
	require.Equal(t, 1.0, got["violation_count"])
	require.Len(t, w.list("/violations"), 1, "it is stored when the answer comes")

	s.send(walk[20:] + "\r\n")
	got = s.next()
	require.Equal(t, map[string]any{"line": 3.0, "violation_count": 0.0, "has_violations": false, "violations": []any{}, "allowed": true}, got)

	w.object("POST", "/norm", `{"name":"stay","prohibited":"walk"}`)
	s.send(walk) // the last line needs no newline
	require.NoError(t, s.in.Close())
	require.Equal(t, "stay", s.next()["violations"].([]any)[0].(map[string]any)["norm_name"], "norms change during a batch")
	require.False(t, s.out.Scan())
	require.NoError(t, s.out.Err())
	require.Equal(t, 3.0, w.list("/compliance")[0].(map[string]any)["actions"])
}

func TestABatchRefusesWrongLinesAndGoesOn(t *testing.T) {
	w := open(t, "", Options{})
	w.object("POST", "/norm", peace)
	var text strings.Builder
	for _, c := range wrongActions {
		fmt.Fprintf(&text, "%s\n%s\n", c.body, attack)
	}
	resp, out := w.do("POST", "/check/batch", text.String())
	require.Equal(t, http.StatusOK, resp.StatusCode)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, 2*len(wrongActions))
	for i, c := range wrongActions {
		var p lineProblem
		require.NoError(t, json.Unmarshal([]byte(lines[2*i]), &p))
		require.Equal(t, 2*i+1, p.Line)
		require.Equal(t, 422, p.Status, c.body)
		require.False(t, p.Allowed)
		require.NotEmpty(t, p.Errors)
		require.Contains(t, lines[2*i], `"allowed":false`)
		require.Contains(t, lines[2*i+1], fmt.Sprintf(`{"line":%d,"allowed":false,"violation_count":1,`, 2*i+2))
	}
	require.Len(t, w.list("/violations"), len(wrongActions))
}

func TestABatchKeepsTheOrder(t *testing.T) {
	w := open(t, "", Options{})
	w.object("POST", "/norm", peace)
	var text strings.Builder
	const n = 10*maxStored + 7
	for i := range n {
		if i%3 == 0 {
			fmt.Fprintln(&text, attack)
		} else {
			fmt.Fprintln(&text, walk)
		}
	}
	_, out := w.do("POST", "/check/batch", text.String())
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, n)
	for i, line := range lines {
		require.True(t, strings.HasPrefix(line, fmt.Sprintf(`{"line":%d,"allowed":%v,`, i+1, i%3 != 0)), line)
	}
	require.Len(t, w.list("/violations"), (n+2)/3)
}

func TestALineOfABatchIsBounded(t *testing.T) {
	w := open(t, "", Options{Limits: Limits{Body: 100 << 10}})
	long := `{"agent_id":"a","action":"x","metadata":"` + strings.Repeat("m", 99<<10) + `"}`
	_, out := w.do("POST", "/check/batch", long+"\n"+walk)
	require.Equal(t, 2, strings.Count(out, `"allowed":true`), "a line can be longer than a buffer")

	s := w.batch()
	s.send(walk + "\n")
	s.next()
	go func() { _, _ = io.WriteString(s.in, strings.Repeat("x", 1<<20)) }() // ends with the request
	got := s.next()
	require.Equal(t, 413.0, got["status"])
	require.Equal(t, 3.0, got["line"])
	require.False(t, s.out.Scan())
}

// All that the client sends arrives at once, and the rest never does, so the first line
// is in time however slow the machine is.
func TestASlowBatchEnds(t *testing.T) {
	w := open(t, "", Options{Limits: Limits{Read: 100 * time.Millisecond}})
	c := w.dial()
	text := walk + "\n" + walk[:10]
	_, err := fmt.Fprintf(c, "POST /check/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(text), text)
	require.NoError(t, err)
	resp, err := answer(t, c)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	s := &stream{t: t, out: bufio.NewScanner(resp.Body)}
	require.Equal(t, true, s.next()["allowed"])
	got := s.next()
	require.Equal(t, 408.0, got["status"])
	require.False(t, s.out.Scan())
}
