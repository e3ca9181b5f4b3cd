package rest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

const checkPath = "/check"

// Verdict is what became of an action.
type Verdict struct{ service.Verdict }

type verdict struct {
	Allowed        bool        `json:"allowed" doc:"The verdict. Norms with shadow set do not count."`
	ViolationCount int         `json:"violation_count"`
	HasViolations  bool        `json:"has_violations" doc:"Whether a norm is violated, those that only report included. It is not the verdict: see allowed."`
	Violations     []violation `json:"violations"`
}

// Schema implements huma.SchemaProvider.
func (*Verdict) Schema(r huma.Registry) *huma.Schema { return schemaOf[verdict](r) }

type checkInput struct{ Body Action }

type checkOutput struct{ Body Verdict }

func (s *server) addCheck() {
	register(s, writing(http.MethodPost, checkPath, "check", "Check an action, and record its violations",
		"Violations are stored at most a tenth of a second after the answer. Use /explain to judge an action without recording anything."), s.check)
	s.addBatch()
}

// check is the slow way of quickCheck. It names all faults of a request.
func (s *server) check(_ context.Context, in *checkInput) (*checkOutput, error) {
	v, err := s.checkAction(in.Body.Action)
	return &checkOutput{Body: v}, err
}

func (s *server) checkAction(a normsync.Action) (Verdict, error) {
	if s.service.ReadOnly() {
		return Verdict{}, newProblem(http.StatusForbidden, "normsync: check action: the server was started with --read-only, and a check records violations; use /explain")
	}
	v, err := s.service.Check(a)
	if err != nil {
		s.hub.recordFailed(err) // which logs it once
		return Verdict{}, newProblem(http.StatusServiceUnavailable, err.Error())
	}
	s.metrics.checked(v)
	return Verdict{v}, nil
}

// maxQuick is the size of a body up to which quickCheck reads it.
const maxQuick = 64 << 10

// scratch is the memory of one quickCheck.
type scratch struct{ body, answer []byte }

var scratches = sync.Pool{New: func() any {
	return &scratch{body: make([]byte, 0, 1024), answer: make([]byte, 0, 2048)}
}}

// quickCheck answers an ordinary, correct POST /check, without the reflection of huma.
// It reports whether it has done so. If not, the request is as it was, and huma says
// what is wrong with it, or answers it.
func (s *server) quickCheck(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodPost || r.URL.RawQuery != "" || r.ContentLength <= 0 || r.ContentLength > min(maxQuick, s.options.Limits.Body-1) {
		return false
	}
	ct := r.Header["Content-Type"]
	if len(ct) != 1 || ct[0] != jsonType[0] && !strings.EqualFold(ct[0], "application/json; charset=utf-8") || s.service.ReadOnly() {
		return false
	}
	m := scratches.Get().(*scratch)
	defer func() {
		if cap(m.body) <= maxQuick && cap(m.answer) <= maxQuick {
			scratches.Put(m)
		}
	}()
	if n := int(r.ContentLength); cap(m.body) < n {
		m.body = make([]byte, n)
	}
	m.body = m.body[:r.ContentLength]
	n, err := io.ReadFull(r.Body, m.body)
	var a Action
	if err == nil {
		err = a.UnmarshalJSON(m.body)
	}
	if err != nil {
		// What follows the part that was read fails again in the same way.
		r.Body = readCloser{io.MultiReader(bytes.NewReader(bytes.Clone(m.body[:n])), r.Body), r.Body}
		return false
	}
	v, err := s.checkAction(a.Action)
	if err == nil {
		m.answer, err = v.AppendJSON(append(m.answer[:0], '{'))
	}
	if err != nil {
		writeProblem(w, problemOf(err))
		return true
	}
	m.answer = append(m.answer, '\n')
	w.Header()["Content-Type"] = jsonType
	_, _ = w.Write(m.answer) // a client that has gone reads no answer
	return true
}

var jsonType = []string{"application/json"}

type readCloser struct {
	io.Reader
	io.Closer
}
