package rest

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs.html
var docsHTML string

//go:embed docs.css
var docsCSS string

// docsPage is a page made from the OpenAPI document, without scripts.
type docsPage struct {
	Title, Version, Description string
	CSS                         template.CSS
	Operations                  []docsOperation
}

type docsOperation struct {
	*huma.Operation
	Writes   bool
	Request  string // JSON
	Response string // JSON
}

func (s *server) addDocs() error {
	document, err := json.Marshal(s.api.OpenAPI())
	if err != nil {
		return fmt.Errorf("normsync: serve: write the OpenAPI document: %w", err)
	}
	s.mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(document) // a client that has gone reads no answer
	})
	page, err := renderDocs(s.api.OpenAPI())
	if err != nil {
		return fmt.Errorf("normsync: serve: write the page /docs: %w", err)
	}
	sum := sha256.Sum256([]byte(docsCSS))
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	s.mux.HandleFunc("GET /docs", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", policy)
		_, _ = w.Write(page)
	})
	return nil
}

func renderDocs(document *huma.OpenAPI) ([]byte, error) {
	page := docsPage{Title: document.Info.Title, Version: document.Info.Version, Description: document.Info.Description, CSS: template.CSS(docsCSS)}
	registry := document.Components.Schemas
	var paths []string
	for path := range document.Paths {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for _, path := range paths {
		item := document.Paths[path]
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Delete} {
			if op == nil {
				continue
			}
			d := docsOperation{Operation: op, Writes: len(op.Security) > 0}
			if op.RequestBody != nil {
				d.Request = sample(registry, op.RequestBody.Content)
			}
			if r := op.Responses["200"]; r != nil {
				d.Response = sample(registry, r.Content)
			}
			page.Operations = append(page.Operations, d)
		}
	}
	t, err := template.New("docs").Funcs(template.FuncMap{"name": typeName}).Parse(docsHTML)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, page)
	return b.Bytes(), err
}

// sample describes the schema of a body in a form that looks like the body.
func sample(r huma.Registry, content map[string]*huma.MediaType) string {
	for _, media := range content {
		var b strings.Builder
		outline(&b, r, media.Schema, "")
		return b.String()
	}
	return ""
}

// outline writes a schema as JSON with types in place of values, and comments.
func outline(b *strings.Builder, r huma.Registry, s *huma.Schema, indent string) {
	for s.Ref != "" {
		s = r.SchemaFromRef(s.Ref)
	}
	switch {
	case len(s.OneOf) > 0:
		outline(b, r, s.OneOf[0], indent)
	case s.Type == huma.TypeArray:
		b.WriteString("[")
		outline(b, r, s.Items, indent)
		b.WriteString(", ...]")
	case s.Type == huma.TypeObject && len(s.Properties) > 0:
		b.WriteString("{\n")
		for _, name := range keysOf(s) {
			p := s.Properties[name]
			fmt.Fprintf(b, "%s  %q: ", indent, name)
			outline(b, r, p, indent+"  ")
			var notes []string
			if !slices.Contains(s.Required, name) {
				notes = append(notes, "may be left out")
			}
			if p.Description != "" {
				notes = append(notes, p.Description)
			}
			if len(notes) > 0 {
				fmt.Fprintf(b, "  // %s", strings.Join(notes, "; "))
			}
			b.WriteString("\n")
		}
		b.WriteString(indent + "}")
	default:
		b.WriteString(typeName(s))
	}
}

// keysOf returns the keys of an object: required ones first, then by name.
func keysOf(s *huma.Schema) []string {
	keys := slices.Clone(s.Required)
	var others []string
	for name := range s.Properties {
		if !slices.Contains(keys, name) {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	return append(keys, others...)
}

// typeName names the type of a value for people.
func typeName(s *huma.Schema) string {
	if s == nil || s.Type == "" {
		return "any"
	}
	if len(s.Enum) > 0 {
		var values []string
		for _, v := range s.Enum {
			values = append(values, fmt.Sprint(v))
		}
		return strings.Join(values, " | ")
	}
	if s.Format == "date-time" {
		return "time"
	}
	return s.Type
}
