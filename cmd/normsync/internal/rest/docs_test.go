package rest

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/require"
)

func TestOpenAPIDescribesEveryPath(t *testing.T) {
	w := open(t, "", Options{})
	document := w.object("GET", "/openapi.json", "")
	require.Equal(t, "3.1.0", document["openapi"])
	paths := document["paths"].(map[string]any)
	for _, path := range []string{"/health", "/norm", "/norms", "/norms/{name}", "/check", "/check/batch", "/violations", "/revisions",
		"/explain", "/allowed", "/compliance", "/conflicts", "/events"} {
		require.Contains(t, paths, path)
	}
	text, err := json.Marshal(document)
	require.NoError(t, err)
	schemas := document["components"].(map[string]any)["schemas"].(map[string]any)
	references := regexp.MustCompile(`"\$ref":"#/components/schemas/([^"]+)"`).FindAllStringSubmatch(string(text), -1)
	require.NotEmpty(t, references)
	for _, m := range references {
		require.Contains(t, schemas, m[1])
	}
}

// The responses are as the OpenAPI document has them: no key is missing, and none is
// there that it does not name.
func TestResponsesMatchTheirSchemas(t *testing.T) {
	w := open(t, "", Options{})
	full := `{"name":"full","description":"d","condition":"safe_zone","unless":"agent:gm","prohibited":"attack","scope":"s","priority":2,` +
		`"severity":"error","advice":"ask","from":"2020-01-01T00:00:00Z","until":"2100-01-01T00:00:00Z"}`
	checkSchema := func(method, path, operation, body string) {
		t.Helper()
		resp, text := w.do(method, path, body)
		require.Equal(t, http.StatusOK, resp.StatusCode, text)
		schema := w.schema(operation, method, resp.Header.Get("Content-Type"))
		for line := range strings.Lines(text) {
			if resp.Header.Get("Content-Type") == "application/json" {
				line = text
			}
			var v any
			require.NoError(t, json.Unmarshal([]byte(line), &v), line)
			var result huma.ValidateResult
			path := huma.NewPathBuffer([]byte("body"), 4)
			huma.Validate(w.server.api.OpenAPI().Components.Schemas, schema, path, huma.ModeReadFromServer, v, &result)
			require.Empty(t, result.Errors, "%s %s: %s", method, operation, line)
		}
	}
	checkSchema("POST", "/norm", "/norm", full)
	checkSchema("POST", "/norm", "/norm", `{"name":"permit","permitted":"attack","condition":"arena","priority":2,"shadow":true}`)
	checkSchema("PUT", "/norms/peace", "/norms/{name}", peace)
	checkSchema("GET", "/norms", "/norms", "")
	checkSchema("GET", "/norms/full", "/norms/{name}", "")
	rich := `{"agent_id":"hero","action":"attack","location":"safe_zone","target":"t","faction":"f","facts":"night","metadata":{"a":1},"timestamp":1767225600.5}`
	checkSchema("POST", "/check", "/check", rich)
	checkSchema("POST", "/check", "/check", walk)
	checkSchema("POST", "/check/batch", "/check/batch", rich+"\n"+walk+"\n{}\n")
	checkSchema("POST", "/explain", "/explain", rich)
	checkSchema("POST", "/allowed", "/allowed", `{"agent_id":"hero","location":"safe_zone"}`)
	checkSchema("GET", "/violations", "/violations", "")
	checkSchema("GET", "/revisions", "/revisions", "")
	checkSchema("GET", "/compliance", "/compliance", "")
	checkSchema("GET", "/conflicts", "/conflicts", "")
	checkSchema("GET", "/health", "/health", "")
	checkSchema("DELETE", "/norms/peace", "/norms/{name}", "")
}

// schema returns the schema of the response of an operation.
func (w *world) schema(path, method, contentType string) *huma.Schema {
	w.t.Helper()
	item := w.server.api.OpenAPI().Paths[path]
	require.NotNil(w.t, item, path)
	op := map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "DELETE": item.Delete}[method]
	require.NotNil(w.t, op, "%s %s", method, path)
	media := op.Responses["200"].Content[contentType]
	require.NotNil(w.t, media, "%s %s: %s", method, path, contentType)
	media.Schema.PrecomputeMessages()
	return media.Schema
}

func TestTheDocsNeedNoScript(t *testing.T) {
	w := open(t, "", Options{})
	resp, page := w.do("GET", "/docs", "")
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "text/html; charset=utf-8", resp.Header.Get("Content-Type"))
	require.Regexp(t, `^default-src 'none'; style-src 'sha256-[^']+'; `, resp.Header.Get("Content-Security-Policy"))
	require.NotContains(t, page, "<script")
	require.NotContains(t, page, "http://")
	require.NotContains(t, page, "https://")
	require.Contains(t, page, `<code>DELETE /norms/{name}</code> <span class="token">(needs the token)</span>`)
	require.Contains(t, page, "<td><code>severity</code></td><td>query</td><td>info | warn | error</td>")
	resp, _ = w.do("GET", "/", "")
	require.Equal(t, "/docs", resp.Request.URL.Path, "without a page, / leads to the docs")
}

func TestOtherPathsAreProblems(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("page " + r.URL.Path)) })
	mcp := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("mcp " + r.Method)) })
	w := open(t, "", Options{Page: page, MCP: mcp})
	for path, want := range map[string]string{"/": "page /", "/page/": "page /page/", "/page/app.css": "page /page/app.css", "/mcp": "mcp GET"} {
		_, text := w.do("GET", path, "")
		require.Equal(t, want, text)
	}
	_, text := w.do("POST", "/mcp", "{}")
	require.Equal(t, "mcp POST", text)

	w.refused(http.StatusNotFound, "GET", "/nothing", "")
	w.refused(http.StatusNotFound, "GET", "/check/other", "")
	for path, allow := range map[string]string{"/norm": "POST", "/check": "POST", "/health": "GET", "/norms/x": "GET, PUT, DELETE"} {
		resp, text := w.do("PATCH", path, "{}")
		require.Equal(t, http.StatusMethodNotAllowed, resp.StatusCode, text)
		require.Equal(t, allow, resp.Header.Get("Allow"))
		require.Equal(t, "application/problem+json", resp.Header.Get("Content-Type"))
	}
}
