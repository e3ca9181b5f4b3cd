package rest

import (
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// This file refuses requests that huma would read in another way than they were
// meant.

// strict is a huma middleware that refuses such requests.
func strict(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	p := queryProblem(r)
	if p == nil && ctx.Operation().RequestBody != nil {
		p = typeProblem(r)
	}
	if p != nil {
		writeProblem(w, p)
		return
	}
	next(ctx)
}

// queryProblem returns a problem with the query of a request, or nil. A parameter that is
// there twice is refused, since only its first value would count.
func queryProblem(r *http.Request) *huma.ErrorModel {
	if r.URL.RawQuery == "" {
		return nil
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		detail := fmt.Sprintf("normsync: read request: query: %v; write %% as %%25 and ; as %%3B, and separate parameters by &", err)
		return newProblem(http.StatusBadRequest, detail, &huma.ErrorDetail{Location: "query", Message: err.Error()})
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		location := fmt.Sprintf("query.%.100s", strings.ToValidUTF8(name, "\uFFFD"))
		if values := query[name]; len(values) > 1 {
			return fieldProblem(location, fmt.Sprintf("it is there %d times, and has one value; send it once", len(values)))
		}
		if !utf8.ValidString(name) || !utf8.ValidString(query[name][0]) {
			return fieldProblem(location, notUTF8)
		}
	}
	return nil
}

const notUTF8 = "it is not valid UTF-8; encode the text as UTF-8, and then with %"

// onlyParameters is queryProblem for what is served without huma. It also refuses
// parameters with other names.
func onlyParameters(r *http.Request, names ...string) *huma.ErrorModel {
	if p := queryProblem(r); p != nil {
		return p
	}
	for _, name := range slices.Sorted(maps.Keys(r.URL.Query())) {
		if !slices.Contains(names, name) {
			return fieldProblem(fmt.Sprintf("query.%.100s", name), unknownParameter)
		}
	}
	return nil
}

const unknownParameter = "this parameter is unknown; remove it, or write it as /docs has it"

// typeProblem returns a problem with the type of a body, or nil. A body without a type is
// refused, since a page of another origin can send one without asking the server. Of
// the other types, huma refuses those that are no JSON.
func typeProblem(r *http.Request) *huma.ErrorModel {
	if r.ContentLength == 0 {
		return nil // huma says that the body is missing
	}
	given := r.Header.Get("Content-Type")
	_, parameters, err := mime.ParseMediaType(given)
	charset := parameters["charset"]
	switch {
	case given == "":
		return newProblem(http.StatusUnsupportedMediaType, "normsync: read request: the body has no type; "+sendJSON)
	case err != nil:
		return newProblem(http.StatusUnsupportedMediaType, fmt.Sprintf("normsync: read request: the Content-Type %.100q cannot be read: %v; %s", given, err, sendJSON))
	case charset != "" && !strings.EqualFold(charset, "utf-8"):
		return newProblem(http.StatusUnsupportedMediaType, fmt.Sprintf("normsync: read request: the charset of the body is %.100q; encode it as UTF-8, and %s", charset, sendJSON))
	}
	return nil
}

const sendJSON = "send Content-Type: application/json (curl --json)"
