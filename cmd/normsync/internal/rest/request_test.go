package rest

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A parameter that is there twice, unknown or no text must not be passed over: the
// answer would be to another question.
func TestQueriesThatSaySomethingElseAreRefused(t *testing.T) {
	w := open(t, "", Options{})
	w.object("POST", "/norm", peace)
	for _, c := range []struct {
		method, path string
		status       int
		location     string
		detail       string
	}{
		{"GET", "/violations?limit=1&limit=2", 422, "query.limit", "it is there 2 times, and has one value; send it once"},
		{"GET", "/norms?scope=a&scope=a", 422, "query.scope", "it is there 2 times"},
		{"POST", "/norm?by=ann&by=bob&reason=x", 422, "query.by", "it is there 2 times"},
		{"POST", "/check/batch?by=ann&by=bob", 422, "query.by", "it is there 2 times"},
		{"GET", "/events?after=0-0&after=1-0", 422, "query.after", "it is there 2 times"},
		{"GET", "/violations?limt=1", 422, "query.limt", "this parameter is unknown; remove it, or write it as /docs has it"},
		{"POST", "/check?facts=night", 422, "query.facts", "this parameter is unknown"},
		{"POST", "/check/batch?facts=night", 422, "query.facts", "this parameter is unknown"},
		{"GET", "/events?since=0-0", 422, "query.since", "this parameter is unknown"},
		{"GET", "/norms?scope=%ff", 422, "query.scope", "it is not valid UTF-8; encode the text as UTF-8, and then with %"},
		{"POST", "/norm?by=a%ed%a0%80", 422, "query.by", "it is not valid UTF-8"},
		{"GET", "/events?%ff=1", 422, "query.\uFFFD", "it is not valid UTF-8"},
		{"GET", "/violations?since=-1e18", 422, "query.since", "the time is outside the years 1 to 9999; write seconds since 1970"},
		{"GET", "/violations?until=0000-12-31T00:00:00Z", 422, "query.until", "the time is outside the years 1 to 9999"},
		{"GET", "/norms?scope=100%", 400, "query", `invalid URL escape "%"; write % as %25 and ; as %3B`},
		{"GET", "/norms?scope=a;limit=1", 400, "query", "invalid semicolon separator in query; write % as %25 and ; as %3B"},
	} {
		body := ""
		if c.method == "POST" {
			body = attack
		}
		p := w.refused(c.status, c.method, c.path, body)
		require.Contains(t, p.Detail, "normsync: read request: "+c.location+": "+c.detail, c.path)
		require.Equal(t, c.location, p.Errors[0].Location)
	}
	require.Empty(t, w.list("/violations"), "nothing was judged")
	require.Len(t, w.list("/revisions"), 1)
}

// A page of another origin can send a body of these types without asking the server.
func TestBodiesThatAreNotSentAsJSONAreRefused(t *testing.T) {
	w := open(t, "", Options{})
	for contentType, detail := range map[string]string{
		"application/x-www-form-urlencoded": "normsync: read request: the body is not sent as JSON; send Content-Type: application/json (curl --json)", // curl -d
		"text/plain":                        "normsync: read request: the body is not sent as JSON; send Content-Type: application/json (curl --json)",
		"":                                  "normsync: read request: the body has no type; send Content-Type: application/json (curl --json)",
		"application/json; charset=latin1":  `normsync: read request: the charset of the body is "latin1"; encode it as UTF-8, and send Content-Type: application/json (curl --json)`,
		"application/json; charset":         `normsync: read request: the Content-Type "application/json; charset" cannot be read: mime: invalid media parameter; send Content-Type: application/json (curl --json)`,
	} {
		for _, path := range []string{"/check", "/explain", "/norm"} {
			require.Equal(t, detail, w.refused(http.StatusUnsupportedMediaType, "POST", path, attack, "Content-Type", contentType).Detail)
		}
		require.Contains(t, w.refused(http.StatusUnsupportedMediaType, "POST", "/check/batch", attack, "Content-Type", contentType).Detail, "send Content-Type: application/x-ndjson")
	}
	for _, contentType := range []string{"application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8", `application/json; charset="utf-8"`} {
		resp, text := w.do("POST", "/check", attack, "Content-Type", contentType)
		require.Equal(t, http.StatusOK, resp.StatusCode, text)
	}

	// A body whose length is not known has a type, too.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/check", io.MultiReader(strings.NewReader(attack)))
	require.NoError(t, err)
	resp, err := w.client.Do(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusUnsupportedMediaType, resp.StatusCode)
}
