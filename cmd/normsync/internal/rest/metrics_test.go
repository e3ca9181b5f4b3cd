package rest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// metric returns the value of a metric, which has the labels that its name has.
func (w *world) metric(name string) string {
	w.t.Helper()
	for line := range strings.Lines(w.metrics()) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	require.Fail(w.t, "no such metric", name)
	return ""
}

func (w *world) metrics() string {
	w.t.Helper()
	resp, text := w.do("GET", "/metrics", "")
	require.Equal(w.t, http.StatusOK, resp.StatusCode)
	return text
}

func TestMetricsCountWhatHappens(t *testing.T) {
	w := open(t, "", Options{})
	w.object("POST", "/norm", peace)
	w.object("POST", "/norm", `{"name":"dry","prohibited":"walk","shadow":true}`)
	w.object("POST", "/norm", `{"name":"grave","prohibited":"kill","severity":"error"}`)
	w.object("POST", "/check", attack)
	w.object("POST", "/check", walk)
	w.refused(422, "POST", "/check", "{}")
	w.do("POST", "/check/batch", walk+"\n"+`{"agent_id":"a","action":"kill"}`)
	w.refused(404, "GET", "/some/path/of/no/end", "")
	w.list("/violations")
	for name, want := range map[string]string{
		`normsync_checks_total{verdict="allowed"}`:                           "2",
		`normsync_checks_total{verdict="denied"}`:                            "2",
		`normsync_violations_total{severity="shadow"}`:                       "2",
		`normsync_violations_total{severity="warn"}`:                         "1",
		`normsync_violations_total{severity="error"}`:                        "1",
		`normsync_http_requests_total{code="200",route="POST /check"}`:       "2",
		`normsync_http_requests_total{code="422",route="POST /check"}`:       "1",
		`normsync_http_requests_total{code="200",route="POST /check/batch"}`: "1",
		`normsync_http_requests_total{code="404",route="none"}`:              "1",
		`normsync_http_request_seconds_count{route="POST /check"}`:           "3",
		`normsync_norms`:                  "3",
		`normsync_edition`:                "3",
		`normsync_healthy`:                "1",
		`normsync_recorder_stored_total`:  "2",
		`normsync_recorder_dropped_total`: "0",
	} {
		require.Equal(t, want, w.metric(name), name)
	}
}
