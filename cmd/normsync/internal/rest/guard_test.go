package rest

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

// Every operation of the OpenAPI document asks for the token if it writes, and the
// document says so.
func TestTheTokenIsAskedForWhenARequestWrites(t *testing.T) {
	w := open(t, "", Options{Token: "s3cret", MCP: http.NotFoundHandler(), Page: http.NotFoundHandler()})
	w.object("POST", "/norm", peace)
	w.token = ""
	asked := 0
	for path := range w.server.api.OpenAPI().Paths {
		for _, method := range []string{"POST", "PUT", "DELETE"} {
			concrete := strings.ReplaceAll(path, "{name}", "peace")
			resp, text := w.do(method, concrete, `{}`)
			reads := slices.Contains([]string{"/explain", "/allowed", "/preview"}, path) && method == "POST"
			if reads {
				require.Equal(t, http.StatusUnprocessableEntity, resp.StatusCode, "%s %s", method, path)
				continue
			}
			require.Equal(t, http.StatusUnauthorized, resp.StatusCode, "%s %s: %s", method, path, text)
			require.Equal(t, `Bearer realm="normsync"`, resp.Header.Get("WWW-Authenticate"))
			asked++
		}
	}
	require.Greater(t, asked, 15, "also for methods and paths that do not exist")
	for _, method := range []string{"GET", "POST", "DELETE"} {
		w.refused(http.StatusUnauthorized, method, "/mcp", "{}")
	}
	w.refused(http.StatusUnauthorized, "POST", "/page/anything", "{}")
	for _, path := range []string{"/health", "/norms", "/norms/peace", "/violations", "/revisions", "/compliance", "/conflicts", "/metrics", "/openapi.json", "/docs"} {
		resp, text := w.do("GET", path, "")
		require.Equal(t, http.StatusOK, resp.StatusCode, "%s: %s", path, text)
	}

	for _, authorization := range []string{
		"Bearer wrong", "Bearer s3cre", "Bearer s3crett", "Bearer S3CRET", "Bearer", "Bearer ", "Basic s3cret", "s3cret", "Bearer s3cret s3cret",
	} {
		w.refused(http.StatusUnauthorized, "POST", "/check", attack, "Authorization", authorization)
	}
	require.Empty(t, w.list("/violations"))
	for _, authorization := range []string{"Bearer s3cret", "bearer s3cret", "Bearer  s3cret"} {
		resp, _ := w.do("POST", "/check", attack, "Authorization", authorization)
		require.Equal(t, http.StatusOK, resp.StatusCode, authorization)
	}
}

// The marks of the OpenAPI document agree with what asksForToken asks.
func TestTheDocumentSaysWhatNeedsTheToken(t *testing.T) {
	w := open(t, "", Options{})
	n := 0
	for path, item := range w.server.api.OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Delete} {
			if op == nil {
				continue
			}
			r, err := http.NewRequestWithContext(t.Context(), op.Method, "http://localhost"+path, nil)
			require.NoError(t, err)
			require.Equal(t, asksForToken(r), len(op.Security) > 0, "%s %s", op.Method, path)
			n++
		}
	}
	require.GreaterOrEqual(t, n, 15)
}

func TestPagesOfOtherOriginsAreRefused(t *testing.T) {
	w := open(t, "", Options{CORS: []string{"https://game.example"}})
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"},
		{"Origin", "https://evil.example"},
		{"Origin", "null"},
		{"Origin", "https://game.example.evil.example", "Sec-Fetch-Site", "cross-site"},
	} {
		for _, path := range []string{"/norm", "/check", "/explain"} {
			p := w.refused(http.StatusForbidden, "POST", path, peace, headers...)
			require.Contains(t, p.Detail, "another origin")
		}
	}
	// A form or a script of another page can send these without asking the browser first.
	for _, contentType := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data"} {
		for _, path := range []string{"/norm", "/check"} {
			p := w.refused(http.StatusUnsupportedMediaType, "POST", path, peace, "Content-Type", contentType)
			require.Contains(t, p.Detail, "send Content-Type: application/json (curl --json)")
		}
		p := w.refused(http.StatusUnsupportedMediaType, "POST", "/check/batch", attack, "Content-Type", contentType)
		require.Contains(t, p.Detail, "send Content-Type: application/x-ndjson (curl -H 'Content-Type: application/x-ndjson' --data-binary @FILE)")
	}
	w.refused(http.StatusUnsupportedMediaType, "POST", "/check/batch", attack, "Content-Type", "") // as a script sends bytes
	resp, _ := w.do("POST", "/check/batch", attack, "Content-Type", "application/x-ndjson; charset=utf-8")
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Empty(t, w.list("/norms"))

	resp, _ = w.do("POST", "/norm", peace, "Origin", w.url, "Sec-Fetch-Site", "same-origin")
	require.Equal(t, http.StatusOK, resp.StatusCode, "its own pages may")
	require.Empty(t, resp.Header.Get("Access-Control-Allow-Origin"))
}

func TestOnlyNamedOriginsGetCORS(t *testing.T) {
	w := open(t, "", Options{Token: "t", CORS: []string{"https://game.example"}})
	ask := []string{"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization, content-type"}
	w.token = "" // a browser asks without it
	resp, _ := w.do("OPTIONS", "/check", "", append(ask, "Origin", "https://game.example")...)
	require.Equal(t, http.StatusNoContent, resp.StatusCode)
	require.Equal(t, "https://game.example", resp.Header.Get("Access-Control-Allow-Origin"))
	require.Contains(t, resp.Header.Get("Access-Control-Allow-Headers"), "Authorization")
	require.Equal(t, "Origin", resp.Header.Get("Vary"))

	resp, _ = w.do("OPTIONS", "/check", "", append(ask, "Origin", "https://evil.example")...)
	require.Empty(t, resp.Header.Get("Access-Control-Allow-Origin"))
	resp, _ = w.do("GET", "/norms", "", "Origin", "https://evil.example")
	require.Empty(t, resp.Header.Get("Access-Control-Allow-Origin"))

	w.token = "t"
	resp, _ = w.do("POST", "/check", walk, "Origin", "https://game.example", "Sec-Fetch-Site", "cross-site")
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "https://game.example", resp.Header.Get("Access-Control-Allow-Origin"))
	w.token = ""
	w.refused(http.StatusUnauthorized, "POST", "/check", walk, "Origin", "https://game.example", "Sec-Fetch-Site", "cross-site")
}

// A page can make the name of its own server point to this machine.
func TestOtherHostsAreRefusedWithoutAToken(t *testing.T) {
	w := open(t, "", Options{})
	for _, host := range []string{"evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "[::2]:8000"} {
		w.refused(http.StatusMisdirectedRequest, "GET", "/norms", "", "Host", host)
	}
	for _, host := range []string{"localhost", "LOCALHOST:1", "127.0.0.1", "127.1.2.3:4", "[::1]:8000"} {
		resp, _ := w.do("GET", "/norms", "", "Host", host)
		require.Equal(t, http.StatusOK, resp.StatusCode, host)
	}
	w = open(t, "", Options{Token: "t"}) // behind a proxy, for example
	resp, _ := w.do("GET", "/norms", "", "Host", "norms.example")
	require.Equal(t, http.StatusOK, resp.StatusCode)
}

func TestServeRefusesWhatIsNotSafe(t *testing.T) {
	s, err := service.Open(t.Context(), t.TempDir()+"/norms.db", service.Create)
	require.NoError(t, err)
	defer s.Close(context.Background())
	for _, c := range []struct {
		options Options
		text    string
	}{
		{Options{Addr: ":0"}, "other machines can reach this address, and there is no token"},
		{Options{Addr: "0.0.0.0:0"}, "set --token-file or NORMSYNC_TOKEN, or listen on 127.0.0.1"},
		{Options{Addr: "[::]:0"}, "no token"},
		{Options{Addr: "192.0.2.1:0"}, "no token"},
		{Options{Addr: "127.0.0.1"}, "write HOST:PORT, such as 127.0.0.1:8000"},
		{Options{Addr: "127.0.0.1:0", Token: "secret\n"}, "the token begins or ends with white space"},
		{Options{Addr: "127.0.0.1:0", CORS: []string{"*"}}, `"*" is not an origin`},
		{Options{Addr: "127.0.0.1:0", CORS: []string{"https://a.example/"}}, "is not an origin"},
		{Options{Addr: "127.0.0.1:0", CertFile: "cert.pem"}, "set both --tls-cert and --tls-key"},
		{Options{Addr: "127.0.0.1:0", CertFile: "no.pem", KeyFile: "no.pem"}, "read certificate: open no.pem"},
	} {
		err := Serve(t.Context(), s, c.options)
		require.ErrorContains(t, err, c.text)
		require.ErrorContains(t, err, "normsync: serve")
	}
	w := open(t, "", Options{})
	err = Serve(t.Context(), s, Options{Addr: strings.TrimPrefix(w.url, "http://")})
	require.ErrorContains(t, err, "choose another port")
}

func TestAServerWithATokenMayListenEverywhere(t *testing.T) {
	w := open(t, "", Options{Addr: "0.0.0.0:0", Token: "t"})
	w.url = strings.Replace(w.url, "[::]", "127.0.0.1", 1)
	w.object("POST", "/norm", peace)
}
