package rest

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// guard decides whether a request may reach the API.
type guard struct {
	token    [sha256.Size]byte // hash of the token
	hasToken bool
	loopback bool // the server can be reached from this machine only
	origins  []string
	csrf     *http.CrossOriginProtection
}

func newGuard(o Options) (*guard, error) {
	g := &guard{csrf: http.NewCrossOriginProtection(), origins: o.CORS, hasToken: o.Token != "", token: sha256.Sum256([]byte(o.Token))}
	if strings.TrimSpace(o.Token) != o.Token {
		return nil, fmt.Errorf("normsync: serve: the token begins or ends with white space, which no client can send; remove it")
	}
	loopback, err := isLoopback(o.Addr)
	if err != nil {
		return nil, err
	}
	if !loopback && !g.hasToken {
		return nil, needsToken(o.Addr)
	}
	g.loopback = loopback
	for _, origin := range o.CORS {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != origin {
			return nil, fmt.Errorf("normsync: serve: %q is not an origin; name a scheme and a host, such as https://example.org", origin)
		}
		if err := g.csrf.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("normsync: serve: trust origin %q: %w", origin, err)
		}
	}
	return g, nil
}

func needsToken(addr string) error {
	return fmt.Errorf("normsync: serve on %s: other machines can reach this address, and there is no token; set --token-file or NORMSYNC_TOKEN, or listen on 127.0.0.1", addr)
}

// isLoopback reports whether only this machine can reach a server that listens on
// addr.
func isLoopback(addr string) (bool, error) {
	a, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return false, fmt.Errorf("normsync: serve on %q: %w; write HOST:PORT, such as 127.0.0.1:8000", addr, err)
	}
	return a.IP.IsLoopback(), nil
}

// readOnlyPosts have a method that usually writes, and write nothing.
var readOnlyPosts = []string{"/explain", "/allowed", "/preview"}

// asksForToken reports whether a request writes. A path that is new is asked for the
// token unless it only reads. MCP asks always, because its sessions can write.
func asksForToken(r *http.Request) bool {
	if r.URL.Path == "/mcp" {
		return true
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	case http.MethodPost:
		return !slices.Contains(readOnlyPosts, r.URL.Path)
	}
	return true
}

// admit reports whether the request may go on. If not, it has answered it.
func (g *guard) admit(w http.ResponseWriter, r *http.Request) bool {
	if !g.hostAllowed(r.Host) {
		writeProblem(w, newProblem(http.StatusMisdirectedRequest, fmt.Sprintf("normsync: serve: the host is %.200q, but this server has no token and is for this machine only; use 127.0.0.1 or localhost, or start it with a token", r.Host)))
		return false
	}
	if origin := r.Header["Origin"]; len(origin) > 0 && g.shareWith(w, r, origin[0]) {
		return false
	}
	if err := g.csrf.Check(r); err != nil {
		writeProblem(w, newProblem(http.StatusForbidden, "normsync: serve: the request comes from a page of another origin; to allow that, start the server with --cors ORIGIN"))
		return false
	}
	if g.hasToken && asksForToken(r) && !g.hasRightToken(r) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="normsync"`)
		detail := "normsync: serve: this request needs the token of the server; send the header Authorization: Bearer TOKEN"
		if r.Header.Get("Authorization") != "" {
			detail = "normsync: serve: the token is wrong; send the one that the server was started with in the header Authorization: Bearer TOKEN"
		}
		writeProblem(w, newProblem(http.StatusUnauthorized, detail))
		return false
	}
	return true
}

// hostAllowed refuses other names of this machine while there is no token, since a
// page in a browser on it could otherwise make its own name point here.
func (g *guard) hostAllowed(host string) bool {
	if !g.loopback || g.hasToken {
		return true
	}
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.Trim(name, "[]")
	return strings.EqualFold(name, "localhost") || net.ParseIP(name).IsLoopback()
}

// shareWith sets the headers of CORS if the origin was named. It reports whether it
// has answered the request, which then was a preflight.
func (g *guard) shareWith(w http.ResponseWriter, r *http.Request, origin string) bool {
	if len(g.origins) == 0 {
		return false
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	if !slices.Contains(g.origins, origin) {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "Link, Retry-After, Mcp-Session-Id")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Last-Event-ID, Mcp-Session-Id, Mcp-Protocol-Version")
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// hasRightToken compares hashes, so that the time tells nothing about the token, not
// even its length.
func (g *guard) hasRightToken(r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return false
	}
	sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
	return subtle.ConstantTimeCompare(sum[:], g.token[:]) == 1
}
