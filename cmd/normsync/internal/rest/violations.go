package rest

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

type violationsInput struct {
	Agent    string `query:"agent" doc:"Only this agent's. The case of ASCII letters does not matter." example:"hero"`
	Norm     string `query:"norm" doc:"Only those of the norm with this name." example:"peace"`
	Severity string `query:"severity" enum:"info,warn,error"`
	Since    string `query:"since" doc:"Only actions at this time or later: RFC 3339, or seconds since 1970." example:"2026-01-01T00:00:00Z"`
	Until    string `query:"until" doc:"Only actions before this time."`
	After    uint64 `query:"after" doc:"Only numbers greater than this one; with newest, only smaller ones."`
	Limit    int    `query:"limit" minimum:"1" maximum:"10000" doc:"At most so many; the header Link then has the address of the next ones. Without it, all."`
	Newest   bool   `query:"newest" doc:"Newest first."`
	URL      url.URL
}

// Resolve implements huma.Resolver.
func (in *violationsInput) Resolve(ctx huma.Context) []error {
	in.URL = ctx.URL()
	return nil
}

// listOutput is a list that is written while it is read from the store.
type listOutput[T any] struct {
	Link string `header:"Link" doc:"The address of what follows, with rel=next, if limit was reached."`
	Body func(huma.Context)
}

func (s *server) addViolations() {
	op := operation(http.MethodGet, "/violations", "listViolations", "Recorded violations, oldest first", "")
	op.Responses = listResponse[Violation](s.api)
	register(s, op, s.listViolations)
}

// listResponse documents a response that is a list of T.
func listResponse[T any](api huma.API) map[string]*huma.Response {
	return map[string]*huma.Response{
		"200": {Description: "OK", Content: map[string]*huma.MediaType{
			"application/json": {Schema: &huma.Schema{Type: huma.TypeArray, Items: schemaOf[T](api.OpenAPI().Components.Schemas)}},
		}},
		"default": {Description: "Error", Content: map[string]*huma.MediaType{
			"application/problem+json": {Schema: schemaOf[huma.ErrorModel](api.OpenAPI().Components.Schemas)},
		}},
	}
}

func (s *server) listViolations(ctx context.Context, in *violationsInput) (*listOutput[Violation], error) {
	q := normsync.ViolationQuery{
		Agent: in.Agent, Norm: in.Norm, Severity: normsync.Severity(in.Severity),
		After: in.After, Limit: in.Limit, Newest: in.Newest,
	}
	var err error
	if q.Since, err = timeParam("since", in.Since); err != nil {
		return nil, err
	}
	if q.Until, err = timeParam("until", in.Until); err != nil {
		return nil, err
	}
	// What was recorded before the request is in its answer.
	if err := s.service.Flush(ctx); err != nil {
		s.hub.recordFailed(err)
		if ctx.Err() != nil {
			return nil, err
		}
	}
	read := func(after uint64, limit int) (page []Violation, next uint64, err error) {
		q.After, q.Limit = after, limit
		for v, err := range normsync.QueryViolations(ctx, s.service.Store(), q) {
			if err != nil {
				return nil, 0, err
			}
			page = append(page, Violation{v})
			next = v.Number
		}
		return page, next, nil
	}
	return writeList(s, in.URL, in.After, in.Limit, read)
}

// pageSize is the number of values that are read from a store at a time, so that a slow
// client does not make a store wait.
const pageSize = 500

// writeList returns an output with the values that read returns: at most limit of
// them, or all if limit is 0. read gets the cursor at which to go on, and returns the
// next one.
func writeList[T any](s *server, u url.URL, after uint64, limit int, read func(after uint64, limit int) ([]T, uint64, error)) (*listOutput[T], error) {
	size := pageSize
	if limit > 0 {
		size = limit + 1 // one more tells whether there is a next page
	}
	page, next, err := read(after, size)
	if err != nil {
		return nil, err
	}
	out := &listOutput[T]{}
	more := len(page) == size
	if limit > 0 && more {
		page, more = page[:limit], false
		query := u.Query()
		query.Set("after", strconv.FormatUint(cursorOf(page[limit-1]), 10))
		out.Link = fmt.Sprintf("<%s?%s>; rel=\"next\"", u.EscapedPath(), query.Encode())
	}
	out.Body = func(ctx huma.Context) {
		ctx.SetHeader("Content-Type", "application/json")
		w := s.patientWriter(ctx)
		l := listWriter{w: w}
		for {
			for _, v := range page {
				l.add(v)
			}
			if !more || l.err != nil {
				break
			}
			if page, next, err = read(next, size); err != nil {
				s.log.ErrorContext(ctx.Context(), "cannot go on with a list", "path", u.Path, "error", err)
				panic(http.ErrAbortHandler) // so that the client does not take a part for the whole
			}
			more = len(page) == size
		}
		l.end()
		if l.err != nil {
			panic(http.ErrAbortHandler)
		}
	}
	return out, nil
}

// cursorOf returns the number after which a list goes on behind v.
func cursorOf(v any) uint64 {
	switch v := v.(type) {
	case Violation:
		return v.Number
	case Revision:
		return v.Edition
	}
	panic(fmt.Sprintf("no cursor for %T", v))
}

// timeParam reads a time in a query.
func timeParam(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		var a normsync.Action // has the timestamps of the API
		err = a.UnmarshalJSON([]byte(`{"timestamp":` + text + `}`))
		t = a.Time
	}
	if err == nil && !t.IsZero() {
		if err := service.RequireTime(t); err != nil {
			return time.Time{}, fieldProblem("query."+name, err.Error())
		}
		return t, nil
	}
	return time.Time{}, fieldProblem("query."+name, fmt.Sprintf("%.40q is not a time; write it as 2026-01-31T12:00:00Z or in seconds since 1970", text))
}
