package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
	"github.com/normsync/normsync/internal/strictjson"
)

func init() {
	huma.DefaultArrayNullable = false // lists are never null
	huma.ValidateStrictCasing = true  // "Action" is not "action"
}

// server is the handler of the API.
type server struct {
	service *service.Service
	options Options
	log     *slog.Logger
	mux     *http.ServeMux
	api     huma.API
	guard   *guard
	hub     *hub
	metrics *metrics
	done    <-chan struct{} // closed when streams have to end
}

// Handler returns a handler of the API. Until ctx ends, it keeps the service in sync
// with its store, and passes news to the clients of /events. The service must stay open
// until then.
func Handler(ctx context.Context, s *service.Service, o Options) (http.Handler, error) {
	return newServer(ctx, s, o)
}

func newServer(ctx context.Context, s *service.Service, o Options) (*server, error) {
	o = o.withDefaults()
	guard, err := newGuard(o)
	if err != nil {
		return nil, err
	}
	hub, err := newHub(ctx, s, o)
	if err != nil {
		return nil, err
	}
	s.KeepRecent(o.Limits.Recent)
	srv := &server{
		service: s,
		options: o,
		log:     o.Log,
		mux:     http.NewServeMux(),
		guard:   guard,
		hub:     hub,
		metrics: newMetrics(s, hub),
		done:    ctx.Done(),
	}
	srv.api = humago.New(srv.mux, apiConfig(o.Version))
	srv.api.UseMiddleware(strict)
	srv.routes()
	if err := srv.addDocs(); err != nil {
		return nil, err
	}
	hub.start(ctx)
	return srv, nil
}

func (s *server) routes() {
	s.addHealth()
	s.addNorms()
	s.addCheck()
	s.addViolations()
	s.addRevisions()
	s.addQuestions()
	s.addPreview()
	s.addEvents()
	s.mux.Handle("GET /metrics", s.metrics.handler())
	if s.options.MCP != nil {
		s.mux.Handle("/mcp", s.patient(withProblems("serve MCP", s.options.MCP)))
	}
	if s.options.Page != nil {
		page := withProblems("serve page", s.options.Page)
		s.mux.Handle("GET /{$}", page)
		s.mux.Handle("/page/", page)
	} else {
		s.mux.Handle("GET /{$}", http.RedirectHandler("/docs", http.StatusFound))
	}
	s.mux.HandleFunc("/", s.notFound)
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.metrics.measure(w, r, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["X-Content-Type-Options"] = noSniff
		if !s.guard.admit(w, r) {
			return
		}
		if r.URL.Path == checkPath && s.quickCheck(w, r) {
			return
		}
		s.mux.ServeHTTP(w, r)
	})
}

var noSniff = []string{"nosniff"}

// notFound serves what no other pattern does.
func (s *server) notFound(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
		other := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := s.mux.Handler(other); pattern != "/" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) > 0 && !slices.Contains(allowed, r.Method) {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		writeProblem(w, newProblem(http.StatusMethodNotAllowed, fmt.Sprintf("normsync: serve %.200q: the method is %.20s; use %s", r.URL.Path, r.Method, strings.Join(allowed, " or "))))
		return
	}
	writeProblem(w, newProblem(http.StatusNotFound, fmt.Sprintf("normsync: serve %.200q: there is nothing at this path; see /docs for those that exist", r.URL.Path)))
}

func apiConfig(version string) huma.Config {
	format := huma.Format{Marshal: writeJSON, Unmarshal: readJSON}
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:       "normsync",
				Version:     version,
				Description: "Checks what agents do against norms that people change while the world runs.",
				License:     &huma.License{Name: "MIT", Identifier: "MIT"},
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{tokenScheme: {
					Type: "http", Scheme: "bearer", Description: "Asked for on requests that write, if the server has a token.",
				}},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": format, "json": format},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{improveProblem},
	}
}

const tokenScheme = "token"

// writes marks an operation as one that asks for the token.
var writes = []map[string][]string{{tokenScheme: {}}}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// readJSON reads the body of a request. huma calls it twice: with a *any to validate
// the body by its schema, and with the type that the operation takes.
func readJSON(b []byte, v any) error {
	if _, ok := v.(*any); ok {
		d := strictjson.NewDecoder(b)
		if err := d.SkipValue(); err != nil {
			return err
		}
		if err := d.CheckEOF(); err != nil {
			return err
		}
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// operation describes one operation of the API. Its errors are problems.
func operation(method, path, id, summary, description string) huma.Operation {
	return huma.Operation{
		OperationID: id,
		Method:      method,
		Path:        path,
		Summary:     summary,
		Description: description,
	}
}

// writing is operation for one that asks for the token.
func writing(method, path, id, summary, description string) huma.Operation {
	op := operation(method, path, id, summary, description)
	op.Security = writes
	return op
}

// bounded sets the bounds of the body of an operation.
func (s *server) bounded(op huma.Operation) huma.Operation {
	op.MaxBodyBytes = s.options.Limits.Body
	op.BodyReadTimeout = s.options.Limits.Read
	return op
}

type health struct {
	Status  string `json:"status" enum:"ok" doc:"ok; otherwise the response is a problem with status 503."`
	Version string `json:"version" doc:"Of the server."`
}

type healthOutput struct{ Body health }

func (s *server) addHealth() {
	op := operation(http.MethodGet, "/health", "health", "Is the server well?",
		"Answers 503 if the store could not be read or written when the server last tried.")
	huma.Register(s.api, op, func(context.Context, *struct{}) (*healthOutput, error) {
		if err := s.hub.problem(); err != nil {
			return nil, problemOf(err)
		}
		return &healthOutput{Body: health{Status: "ok", Version: s.options.Version}}, nil
	})
}

// register adds an operation whose errors may come from the library or a store.
func register[I, O any](s *server, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	huma.Register(s.api, s.bounded(op), func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err != nil {
			p := problemOf(err)
			if p.Status >= 500 {
				s.log.ErrorContext(ctx, "cannot answer", "operation", op.OperationID, "error", err)
			}
			return nil, p
		}
		return out, nil
	})
}
