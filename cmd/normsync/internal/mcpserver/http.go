package mcpserver

import (
	"context"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

const (
	maxBody     = 1 << 20        // bytes of a request
	maxSessions = 1000           // at a time; the one that was idle for the longest time makes room
	idleTime    = 24 * time.Hour // until a session without requests is closed
)

// Handler returns a handler for the path /mcp, by MCP's streamable HTTP transport.
//
// When ctx ends, the handler closes all sessions. Streams of notifications stay
// open until then, so end ctx before you call http.Server.Shutdown. The handler
// refuses requests to a loopback address with another host name. It checks neither
// tokens nor origins.
func Handler(ctx context.Context, s *service.Service, o Options) http.Handler {
	o = o.forService(s)
	h := newSessions(New(s, o), maxSessions)
	go Notify(ctx, s, s.Monitor().Constitution().Edition(), h.server, o.Logger)
	context.AfterFunc(ctx, h.close)
	return h
}

// sessions is a handler for one server that bounds the number of its sessions.
type sessions struct {
	server  *mcp.Server
	handler http.Handler
	limit   int

	mu     sync.Mutex
	closed bool
	used   map[string]*use // by the ID of a session
}

// use says when a session was last used.
type use struct {
	requests int // in progress, an open stream of notifications included
	last     time.Time
}

func newSessions(server *mcp.Server, limit int) *sessions {
	return &sessions{
		server: server,
		limit:  limit,
		used:   map[string]*use{},
		handler: mcp.NewStreamableHTTPHandler(
			func(*http.Request) *mcp.Server { return server },
			&mcp.StreamableHTTPOptions{MaxRequestBodyBytes: maxBody, SessionTimeout: idleTime}),
	}
}

const sessionID = "Mcp-Session-Id"

func (s *sessions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get(sessionID)
	if id == "" && !s.makeRoom() {
		w.Header().Set("Retry-After", "10")
		http.Error(w, "normsync: serve MCP: no session is free; end one, or try again later", http.StatusServiceUnavailable)
		return
	}
	s.count(id, 1)
	s.handler.ServeHTTP(w, r)
	s.count(id, -1)
	if started := w.Header().Get(sessionID); id == "" && started != "" {
		s.mu.Lock()
		s.used[started] = &use{last: time.Now()}
		s.mu.Unlock()
	}
}

// count counts the requests of a session that are in progress.
func (s *sessions) count(id string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.used[id]; u != nil {
		u.requests += n
		u.last = time.Now()
	}
}

// makeRoom reports whether a new session may start. It closes the session that was
// idle for the longest time if there are too many.
func (s *sessions) makeRoom() bool {
	live := map[string]*mcp.ServerSession{}
	for session := range s.server.Sessions() {
		live[session.ID()] = session
	}
	s.mu.Lock()
	maps.DeleteFunc(s.used, func(id string, _ *use) bool { return live[id] == nil })
	if s.closed || len(live) < s.limit {
		defer s.mu.Unlock()
		return !s.closed
	}
	var idle *mcp.ServerSession
	var since time.Time
	for id, u := range s.used {
		if u.requests == 0 && (idle == nil || u.last.Before(since)) {
			idle, since = live[id], u.last
		}
	}
	s.mu.Unlock()
	if idle == nil {
		return false
	}
	idle.Close() // the client starts a new one when it hears of it
	return true
}

func (s *sessions) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	for session := range s.server.Sessions() {
		session.Close()
	}
}
