package rest

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

func TestANormIsEnactedAmendedAndRepealed(t *testing.T) {
	w := open(t, "", Options{})
	got := w.object("PUT", "/norms/peace?by=zoe&reason=new+players", `{"condition":"safe_zone","prohibited":"attack"}`)
	require.Equal(t, "peace", got["name"])
	got = w.object("PUT", "/norms/peace", `{"name":"peace","condition":"safe_zone","prohibited":"attack steal","severity":"error","until":"2030-01-01T00:00:00Z"}`)
	require.Equal(t, "error", got["severity"])
	require.Equal(t, got, w.object("GET", "/norms/peace", ""))
	require.Equal(t, got, w.object("PUT", "/norms/peace", `{"condition":"safe_zone","prohibited":"attack steal","severity":"error","until":"2030-01-01T00:00:00Z"}`), "nothing to do")

	repealed := w.object("DELETE", "/norms/peace?by=max", "")
	got["active"] = false
	require.Equal(t, got, repealed)
	require.Empty(t, w.list("/norms"))
	w.refused(http.StatusNotFound, "DELETE", "/norms/peace", "")
	w.refused(http.StatusNotFound, "GET", "/norms/peace", "")

	var kinds []any
	for _, r := range w.list("/revisions") {
		r := r.(map[string]any)
		kinds = append(kinds, r["revision_type"], r["by"], r["reason"])
	}
	require.Equal(t, []any{"add", "zoe", "new players", "modify", "", "", "repeal", "max", ""}, kinds)
}

func TestAnEqualNormIsEnactedTwiceAndADifferentOneIsNot(t *testing.T) {
	w := open(t, "", Options{})
	first := w.object("POST", "/norm", peace)
	require.Equal(t, first, w.object("POST", "/norm", peace))
	p := w.refused(http.StatusConflict, "POST", "/norm", `{"name":"peace","prohibited":"trade"}`)
	require.Contains(t, p.Detail, `"peace"`)
	require.Equal(t, []any{first}, w.list("/norms"))
}

func TestNormsAreListedByScope(t *testing.T) {
	w := open(t, "", Options{})
	w.object("POST", "/norm", peace)
	w.object("POST", "/norm", `{"name":"toll","prohibited":"pass","scope":"bridge"}`)
	require.Len(t, w.list("/norms"), 2)
	require.Len(t, w.list("/norms?scope=bridge"), 1)
	require.Equal(t, "peace", w.list("/norms?scope=global")[0].(map[string]any)["name"])
	require.Empty(t, w.list("/norms?scope=none"))
}

func TestAnyNameCanStandInAPath(t *testing.T) {
	w := open(t, "", Options{})
	for _, name := range []string{
		"a[red]b", "a/b", "../../etc/passwd", "..", ".", "%2F", "100% sure?", "a b", "#1", "ruhe im städtchen", "世界", "a//b", "x;y", "a+b", `"`, "<script>",
	} {
		path := "/norms/" + url.PathEscape(name)
		if name == "." || name == ".." { // which clients resolve
			path = "/norms/" + map[string]string{".": "%2E", "..": "%2E%2E"}[name]
		}
		require.Equal(t, name, w.object("PUT", path, `{"prohibited":"x"}`)["name"])
		require.Equal(t, name, w.object("GET", path, "")["name"])
		require.Equal(t, name, w.object("DELETE", path, "")["name"])
	}
}

// Each request is wrong in one field, and the problem names it.
func TestProblemsNameTheField(t *testing.T) {
	w := open(t, "", Options{})
	w.object("POST", "/norm", peace)
	for _, c := range []struct {
		method, path, body string
		status             int
		location           string
	}{
		{"POST", "/norm", `{"name":"x","prohibited":"a","condition":"a OR b"}`, 422, "body.condition"},
		{"POST", "/norm", `{"name":"x","prohibited":"a","unless":"a ||"}`, 422, "body.unless"},
		{"POST", "/norm", `{"name":"x","prohibited":"target:a"}`, 422, "body.prohibited"},
		{"POST", "/norm", `{"name":"x"}`, 422, "body.prohibited"},
		{"POST", "/norm", `{"name":"x ","prohibited":"a"}`, 422, "body.name"},
		{"POST", "/norm", `{"name":"a\": Description: b","prohibited":"a","condition":"=="}`, 422, "body.condition"},
		{"POST", "/norm", `{"prohibited":"a"}`, 422, "body.name"},
		{"POST", "/norm", `{"name":"x","prohibitd":"a"}`, 422, "body.prohibitd"},
		{"POST", "/norm", `{"name":"x","Prohibited":"a"}`, 422, "body.Prohibited"},
		{"POST", "/norm", `{"name":"x","name":"y","prohibited":"a"}`, 422, "body.name"},
		{"POST", "/norm", `{"name":1,"prohibited":"a"}`, 422, "body.name"},
		{"POST", "/norm", `{"name":"x","prohibited":"a","priority":1.5}`, 422, "body.priority"},
		{"POST", "/norm", `{"name":"x","prohibited":"a","priority":3000000000}`, 422, "body.priority"},
		{"POST", "/norm", `{"name":"x","prohibited":"a","priority":null}`, 422, "body.priority"},
		{"POST", "/norm", `{"name":"x","prohibited":"a","severity":"fatal"}`, 422, "body.severity"},
		{"POST", "/norm", `{"name":"x","prohibited":"a","until":"tomorrow"}`, 422, "body.until"},
		{"POST", "/norm", `{"name":"x","prohibited":"a","from":"2026-01-02T00:00:00Z","until":"2026-01-01T00:00:00Z"}`, 422, "body.until"},
		{"POST", "/norm", `{"name":"x","prohibited":"a","id":"0123456789abcdef"}`, 422, "body.id"},
		{"POST", "/norm", `{"name":"x","prohibited":"a","active":false}`, 422, "body.active"},
		{"POST", "/norm?by=%00", peace2, 422, "query.by"},
		{"POST", "/norm?reason=%E2%80%AE", peace2, 422, "query.reason"},
		{"POST", "/norm?author=x", peace2, 422, "query.author"},
		{"POST", "/norm", `{`, 400, "body"},
		{"POST", "/norm", `{"name":"x","prohibited":"a"} 1`, 400, "body"},
		{"POST", "/norm", `[]`, 422, "body"},
		{"PUT", "/norms/a", `{"name":"b","prohibited":"a"}`, 422, "body.name"},
		{"GET", "/violations?limit=0", "", 422, "query.limit"},
		{"GET", "/violations?limit=many", "", 422, "query.limit"},
		{"GET", "/violations?limit=20000", "", 422, "query.limit"},
		{"GET", "/violations?after=-1", "", 422, "query.after"},
		{"GET", "/violations?severity=fatal", "", 422, "query.severity"},
		{"GET", "/violations?since=yesterday", "", 422, "query.since"},
		{"GET", "/violations?until=2026-13-01T00:00:00Z", "", 422, "query.until"},
		{"GET", "/violations?agnet=hero", "", 422, "query.agnet"},
		{"GET", "/revisions?limit=-1", "", 422, "query.limit"},
		{"POST", "/allowed", `{"agent_id":"a","verbs":["x","\u200b"]}`, 422, "body.verbs[1]"},
		{"POST", "/allowed", `{"agent_id":"a","action":"x"}`, 422, "body.action"},
		{"POST", "/allowed", `{"agent_id":"a","verbs":["x"],"verbs":["y"]}`, 422, "body.verbs"},
		{"POST", "/allowed", `{"verbs":["x"]}`, 422, "body.agent_id"},
		{"POST", "/allowed", `{"agent_id":"a","verbs":[1]}`, 422, "body.verbs[0]"},
		{"POST", "/allowed", `{"agent_id":"a","timestamp":1e300}`, 422, "body.timestamp"},
		{"GET", "/events?after=x", "", 422, "query.after"},
	} {
		p := w.refused(c.status, c.method, c.path, c.body)
		require.NotEmpty(t, p.Errors, "%s %s %s: %s", c.method, c.path, c.body, p.Detail)
		require.Equal(t, c.location, p.Errors[0].Location, "%s %s %s: %s", c.method, c.path, c.body, p.Detail)
	}
	require.Len(t, w.list("/norms"), 1, "nothing of it has come into force")
}

const peace2 = `{"name":"peace2","prohibited":"attack"}`

// A page of the library's own words for each field, which problems turn into keys.
func TestTheFieldsOfTheLibraryAreFound(t *testing.T) {
	for field, n := range map[string]normsync.Norm{
		"name": {}, "description": {Name: "n", Description: "\x00"}, "condition": {Name: "n", Condition: "=="}, "unless": {Name: "n", Unless: "=="},
		"prohibited": {Name: "n", Prohibited: "=="}, "permitted": {Name: "n", Permitted: "=="}, "scope": {Name: "n", Scope: "\x00"},
		"priority": {Name: "n", Priority: 1 << 40}, "severity": {Name: "n", Severity: "x"}, "advice": {Name: "n", Advice: "\x00"},
	} {
		err := n.Validate()
		require.Error(t, err)
		require.Equal(t, "body."+field, problemOf(err).Errors[0].Location, err)
	}
}
