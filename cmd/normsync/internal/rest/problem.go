package rest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"
	"github.com/normsync/normsync"
)

// Every error is a problem of RFC 9457: a huma.ErrorModel, written as
// application/problem+json. Its errors have the location of the field that is wrong,
// such as body.action or query.limit.

func newProblem(status int, detail string, errs ...*huma.ErrorDetail) *huma.ErrorModel {
	return &huma.ErrorModel{Title: http.StatusText(status), Status: status, Detail: detail, Errors: errs}
}

// fieldProblem is a problem with one field.
func fieldProblem(location, message string) *huma.ErrorModel {
	detail := fmt.Sprintf("normsync: read request: %s: %s", location, message)
	return newProblem(http.StatusUnprocessableEntity, detail, &huma.ErrorDetail{Location: location, Message: message})
}

// invalidField and invalidChange find the field in the text of an error of
// Norm.Validate and of Monitor.Apply.
var (
	invalidField  = regexp.MustCompile(`^normsync: invalid norm "(?:[^"\\]|\\.)*": ([A-Z][a-z]+)\b`)
	invalidChange = regexp.MustCompile(`: invalid change: (By|Reason)\b`)
)

// jsonField finds the key in the text of an error of reading JSON.
var jsonField = regexp.MustCompile(`\bkey "([^"]*)"`)

// problemOf says what an error of the library or of a store means to a client.
func problemOf(err error) *huma.ErrorModel {
	var p *huma.ErrorModel
	if errors.As(err, &p) {
		return p
	}
	text := err.Error()
	switch {
	case errors.Is(err, normsync.ErrInvalid):
		location := ""
		if m := invalidField.FindStringSubmatch(text); m != nil {
			location = "body." + strings.ToLower(m[1])
		} else if m := invalidChange.FindStringSubmatch(text); m != nil {
			location = "query." + strings.ToLower(m[1])
		}
		if location != "" {
			return newProblem(http.StatusUnprocessableEntity, text, &huma.ErrorDetail{Location: location, Message: text})
		}
		return newProblem(http.StatusUnprocessableEntity, text)
	case errors.Is(err, normsync.ErrExists), errors.Is(err, normsync.ErrConflict):
		return newProblem(http.StatusConflict, text)
	case errors.Is(err, normsync.ErrNotFound):
		return newProblem(http.StatusNotFound, text)
	case errors.Is(err, context.Canceled):
		return newProblem(http.StatusServiceUnavailable, text+"; the server is stopping or the client has gone, so try again")
	case errors.Is(err, fs.ErrClosed):
		return newProblem(http.StatusServiceUnavailable, text+"; the server is stopping, so try again later")
	}
	return newProblem(http.StatusServiceUnavailable, text+"; the store cannot be used now, so try again, and look at the server's log")
}

// writeProblem writes a problem from outside huma. It must be the first thing that
// is written.
func writeProblem(w http.ResponseWriter, p *huma.ErrorModel) {
	b, err := json.Marshal(p)
	if err != nil { // cannot happen: a problem has only text and numbers
		http.Error(w, p.Detail, p.Status)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	if p.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1")
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(b, '\n')) // a client that has gone reads no answer
}

// maxErrors is the number of errors in a problem.
const maxErrors = 50

const missing = "this key is missing"

// rank is less for an error that is named first.
func rank(e *huma.ErrorDetail) int {
	if e.Message == missing {
		return 0
	}
	return 1
}

// missingKey returns the key that an error of huma says is missing.
func missingKey(message string) (string, bool) {
	key, required := strings.CutPrefix(message, "expected required property ")
	key, present := strings.CutSuffix(key, " to be present")
	return key, required && present
}

// improveProblem is a huma transformer. It makes problems that huma found read like
// the others, and removes echoes of the request, which can be as large as a request.
func improveProblem(ctx huma.Context, _ string, v any) (any, error) {
	p, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	if p.Status == http.StatusServiceUnavailable {
		ctx.SetHeader("Retry-After", "1")
	}
	for _, e := range p.Errors {
		if s, ok := e.Value.(string); !ok || len(s) > 100 || e.Location == "body" {
			e.Value = nil
		}
		e.Message = strings.TrimPrefix(e.Message, "normsync: ")
		if m := jsonField.FindStringSubmatch(e.Message); m != nil && e.Location == "body" {
			e.Location += "." + m[1]
		}
		if key, ok := missingKey(e.Message); ok {
			e.Location += "." + key
			e.Message = missing
		}
		e.Location, e.Message = fmt.Sprintf("%.200s", e.Location), fmt.Sprintf("%.1000s", e.Message)
		if e.Message == validation.MsgUnexpectedProperty {
			e.Message = "this key is unknown; remove it, or write it as /docs has it"
		}
		if e.Message == "unknown query parameter" { // as huma says it
			e.Message = unknownParameter
		}
	}
	// huma finds unknown keys in the order of a map.
	slices.SortStableFunc(p.Errors, func(a, b *huma.ErrorDetail) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Location, b.Location))
	})
	p.Errors = p.Errors[:min(len(p.Errors), maxErrors)]
	switch {
	case strings.HasPrefix(p.Detail, "normsync: "):
	case p.Status == http.StatusUnsupportedMediaType:
		p.Detail = "normsync: read request: the body is not sent as JSON; " + sendJSON
	case len(p.Errors) > 0 && p.Errors[0].Location != "":
		p.Detail = fmt.Sprintf("normsync: read request: %s: %s", p.Errors[0].Location, p.Errors[0].Message)
	case len(p.Errors) > 0:
		p.Detail = fmt.Sprintf("normsync: read request: %s: %s", p.Detail, p.Errors[0].Message)
	default:
		p.Detail = "normsync: read request: " + p.Detail
	}
	return p, nil
}
