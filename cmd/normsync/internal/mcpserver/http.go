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
// checks neither tokens nor origins.
func Handler(ctx context.Context, s *service.Service, o Options) http.Handler {
	o = o.forService(s)
	h := newSessions(New(s, o), o, maxSessions)
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

func newSessions(server *mcp.Server, o Options, limit int) *sessions {
	return &sessions{
		server: server,
		limit:  limit,
		used:   map[string]*use{},
		handler: mcp.NewStreamableHTTPHandler(
			func(*http.Request) *mcp.Server { return server },
			&mcp.StreamableHTTPOptions{MaxRequestBodyBytes: maxBody, SessionTimeout: idleTime, DisableLocalhostProtection: o.AnyHost}),
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
	u := s.begin(id)
	s.handler.ServeHTTP(w, r)
	if u == nil { // the session has just started
		u = s.begin(w.Header().Get(sessionID))
	}
	s.end(u)
}

// begin notes the beginning of a request of a session. It returns nil if there is no
// such session.
func (s *sessions) begin(id string) *use {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.used[id]
	if u == nil {
		if id == "" || !s.isLive(id) {
			return nil
		}
		u = &use{}
		s.used[id] = u
	}
	u.requests++
	u.last = time.Now()
	return u
}

func (s *sessions) isLive(id string) bool {
	for session := range s.server.Sessions() {
		if session.ID() == id {
			return true
		}
	}
	return false
}

// end notes the end of a request.
func (s *sessions) end(u *use) {
	if u == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u.requests--
	u.last = time.Now()
}

// makeRoom reports whether a new session may start. It closes the session that was
// idle for the longest time if there are too many.
func (s *sessions) makeRoom() bool {
	idle, ok := s.leastUsed()
	if idle != nil {
		idle.Close() // its client starts a new one when it hears of it
	}
	return ok
}

// leastUsed returns the session that must end before a new one may start, if one must,
// and whether a new one may start then.
func (s *sessions) leastUsed() (*mcp.ServerSession, bool) {
	live := map[string]*mcp.ServerSession{}
	for session := range s.server.Sessions() {
		live[session.ID()] = session
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.used, func(id string, _ *use) bool { return live[id] == nil })
	if s.closed || len(live) < s.limit {
		return nil, !s.closed
	}
	var idle string
	for id, u := range s.used {
		if u.requests == 0 && (idle == "" || u.last.Before(s.used[idle].last)) {
			idle = id
		}
	}
	delete(s.used, idle)
	return live[idle], idle != ""
}

func (s *sessions) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	for session := range s.server.Sessions() {
		session.Close()
	}
}
