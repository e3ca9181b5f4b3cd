// Package rest serves a constitution over HTTP: the endpoints of the REST API, an
// OpenAPI document, server-sent events, metrics, and, if they are given, a live page
// and an MCP server.
package rest

import (
	"cmp"
	"log/slog"
	"net/http"
	"time"
)

// Options configures [Handler] and [Serve]. The zero value serves on 127.0.0.1:8000
// and asks nobody for a token.
type Options struct {
	Addr     string   // host:port to listen on; empty: 127.0.0.1:8000; port 0: any free port
	Token    string   // asked for on every request that writes; empty: none, which only a loopback address may have
	CertFile string   // with KeyFile: serve HTTPS with this certificate
	KeyFile  string   // of the private key of CertFile
	CORS     []string // origins, such as https://example.org, whose pages may use the API; empty: none
	Version  string   // of the program, for /health and the OpenAPI document

	Page http.Handler // serves / and /page/...; nil: a link to /docs
	MCP  http.Handler // serves /mcp; nil: 404

	Log     *slog.Logger     // nil: slog.Default()
	Started func(url string) // Serve calls it once, when it listens
	Limits  Limits           // zero fields have sensible values
}

func (o Options) withDefaults() Options {
	o.Addr = cmp.Or(o.Addr, "127.0.0.1:8000")
	if o.Log == nil {
		o.Log = slog.Default()
	}
	o.Limits = o.Limits.withDefaults()
	return o
}

// Limits bounds what a client can cost. A field that is 0 has the value in its comment.
type Limits struct {
	Header      time.Duration // for the header of a request; 10 s
	Read        time.Duration // for a whole request, and for each line of a batch; 30 s
	Write       time.Duration // for a response, and for each part of a streamed one; 30 s
	Idle        time.Duration // of a connection between two requests; 2 min
	Shutdown    time.Duration // for requests in progress and recorded violations when Serve ends; 10 s
	Poll        time.Duration // between two queries for new violations; 250 ms
	Body        int64         // bytes in a request, and in a line of a batch; 1 MiB
	Subscribers int           // clients of /events at a time; 1,000
	Queue       int           // events that wait for one of them before it reads from the store; 256
	Recent      int           // checked actions that are kept for /compliance; 100,000
}

func (l Limits) withDefaults() Limits {
	return Limits{
		Header:      cmp.Or(l.Header, 10*time.Second),
		Read:        cmp.Or(l.Read, 30*time.Second),
		Write:       cmp.Or(l.Write, 30*time.Second),
		Idle:        cmp.Or(l.Idle, 2*time.Minute),
		Shutdown:    cmp.Or(l.Shutdown, 10*time.Second),
		Poll:        cmp.Or(l.Poll, 250*time.Millisecond),
		Body:        cmp.Or(l.Body, 1<<20),
		Subscribers: cmp.Or(l.Subscribers, 1000),
		Queue:       cmp.Or(l.Queue, 256),
		Recent:      cmp.Or(l.Recent, 100_000),
	}
}
