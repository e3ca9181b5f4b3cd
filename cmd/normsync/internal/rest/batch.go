package rest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/normsync/normsync"
)

const batchPath = "/check/batch"

// maxStored is the number of actions whose violations are stored at a time.
const maxStored = 256

func (s *server) addBatch() {
	s.mux.HandleFunc("POST "+batchPath, s.batch)
	op := writing(http.MethodPost, batchPath, "checkBatch", "Check actions as they come",
		"Takes an action per line, and answers with a line for each, in order. A line that is no action gets a problem, with allowed false, and the others go on. "+
			"The violations of an action are stored when its line comes.")
	jsonl := func(schema *huma.Schema) map[string]*huma.MediaType {
		return map[string]*huma.MediaType{ndjson: {Schema: schema}}
	}
	r := s.api.OpenAPI().Components.Schemas
	op.RequestBody = &huma.RequestBody{Required: true, Content: jsonl(schemaOf[Action](r))}
	op.Responses = listResponse[Verdict](s.api)
	op.Responses["200"].Content = jsonl(&huma.Schema{OneOf: []*huma.Schema{schemaOf[lineVerdict](r), schemaOf[lineProblem](r)}})
	s.api.OpenAPI().AddOperation(&op)
}

const ndjson = "application/x-ndjson"

// batchTypes are the types of a body that a batch takes.
var batchTypes = []string{ndjson, "application/jsonl", "application/json"}

type lineVerdict struct {
	Line           int         `json:"line" doc:"Of the request, from 1 on."`
	Allowed        bool        `json:"allowed"`
	ViolationCount int         `json:"violation_count"`
	HasViolations  bool        `json:"has_violations"`
	Violations     []violation `json:"violations"`
}

type lineProblem struct {
	Line    int                 `json:"line" doc:"Of the request, from 1 on."`
	Allowed bool                `json:"allowed" doc:"Always false."`
	Title   string              `json:"title"`
	Status  int                 `json:"status"`
	Detail  string              `json:"detail"`
	Errors  []*huma.ErrorDetail `json:"errors,omitempty"`
}

// batch checks an action per line.
func (s *server) batch(w http.ResponseWriter, r *http.Request) {
	if s.service.ReadOnly() {
		writeProblem(w, newProblem(http.StatusForbidden, "normsync: check actions: the server was started with --read-only, and a check records violations; use /explain"))
		return
	}
	if p := onlyParameters(r); p != nil {
		writeProblem(w, p)
		return
	}
	// As with JSON elsewhere: a form of another page cannot send a body of this type, not
	// even one in a browser that does not name the origin.
	kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if charset := parameters["charset"]; err != nil || !slices.Contains(batchTypes, kind) || charset != "" && !strings.EqualFold(charset, "utf-8") {
		writeProblem(w, newProblem(http.StatusUnsupportedMediaType, "normsync: read request: the body is not sent as JSON Lines in UTF-8; send Content-Type: "+ndjson+" (curl -H 'Content-Type: "+ndjson+"' --data-binary @FILE)"))
		return
	}
	out := newPatientWriter(w, s.options.Limits.Write)
	// HTTP/1 needs to be told that both directions are used at a time; HTTP/2 always can.
	_ = out.control.EnableFullDuplex()
	w.Header().Set("Content-Type", ndjson)
	b := &batchReader{
		server:  s,
		request: r,
		out:     bufio.NewWriterSize(out, 32<<10),
		flush:   out.FlushError,
		lines:   bufio.NewReaderSize(r.Body, int(min(s.options.Limits.Body, 64<<10))),
		extend:  func() { _ = out.control.SetReadDeadline(time.Now().Add(s.options.Limits.Read)) },
	}
	if err := b.run(); err != nil && r.Context().Err() == nil {
		s.log.WarnContext(r.Context(), "a batch of actions ended early", "line", b.line, "error", err)
	}
}

// batchReader reads actions and answers them. Actions wait until there are maxStored
// of them or no more input has arrived, so that one append stores the violations of
// many.
type batchReader struct {
	server  *server
	request *http.Request
	lines   *bufio.Reader
	out     *bufio.Writer
	flush   func() error // sends what was written to out
	extend  func()       // gives the client time for another line
	line    int          // number of the last line read
	waiting []normsync.Action
	numbers []int // of the lines of the waiting actions
}

func (b *batchReader) run() error {
	for {
		b.extend()
		text, readErr := b.readLine()
		whole := readErr == nil || readErr == io.EOF
		if whole && len(bytes.TrimSpace(text)) > 0 {
			if err := b.take(text); err != nil {
				return err
			}
		}
		if readErr == nil && len(b.waiting) < maxStored && b.hasLine() {
			continue
		}
		if err := b.answerAll(); err != nil {
			return err
		}
		if !whole {
			if err := b.refuse(readProblem(readErr, b.server.options.Limits)); err != nil {
				return err
			}
		}
		if err := errors.Join(b.out.Flush(), b.flush()); err != nil {
			return err
		}
		if readErr == io.EOF {
			return nil
		}
		if readErr != nil {
			return readErr
		}
	}
}

// take adds the action of a line to those that wait, or refuses the line.
func (b *batchReader) take(text []byte) error {
	var a Action
	if invalid := a.UnmarshalJSON(text); invalid != nil {
		if err := b.answerAll(); err != nil {
			return err
		}
		return b.refuse(lineError(invalid))
	}
	b.waiting, b.numbers = append(b.waiting, a.Action), append(b.numbers, b.line)
	return nil
}

// hasLine reports whether another line has arrived as a whole.
func (b *batchReader) hasLine() bool {
	text, _ := b.lines.Peek(b.lines.Buffered())
	return bytes.IndexByte(text, '\n') >= 0
}

var errLongLine = errors.New("the line is too long")

// readLine returns the next line, which is valid until the next call.
func (b *batchReader) readLine() ([]byte, error) {
	b.line++
	text, err := b.lines.ReadSlice('\n')
	if err != bufio.ErrBufferFull {
		return text, err
	}
	long := bytes.Clone(text)
	for err == bufio.ErrBufferFull {
		if int64(len(long)) > b.server.options.Limits.Body {
			return nil, errLongLine
		}
		text, err = b.lines.ReadSlice('\n')
		long = append(long, text...)
	}
	return long, err
}

// answerAll stores the violations of the waiting actions and writes their verdicts.
func (b *batchReader) answerAll() error {
	if len(b.waiting) == 0 {
		return nil
	}
	verdicts, err := b.server.service.CheckStored(b.request.Context(), b.waiting...)
	if err != nil {
		b.line = b.numbers[0]
		return errors.Join(err, b.refuse(problemOf(err)), b.out.Flush(), b.flush())
	}
	for i, v := range verdicts {
		b.server.metrics.checked(v)
		text := strconv.AppendInt([]byte(`{"line":`), int64(b.numbers[i]), 10)
		text, err := v.AppendJSON(append(text, ','))
		if err != nil {
			return err
		}
		if _, err := b.out.Write(append(text, '\n')); err != nil {
			return err
		}
	}
	b.waiting, b.numbers = b.waiting[:0], b.numbers[:0]
	return nil
}

// refuse writes a problem with the last line.
func (b *batchReader) refuse(p *huma.ErrorModel) error {
	return writeJSON(b.out, lineProblem{Line: b.line, Title: p.Title, Status: p.Status, Detail: p.Detail, Errors: p.Errors})
}

// lineError is the problem of a line that is no action.
func lineError(err error) *huma.ErrorModel {
	location := "line"
	if m := jsonField.FindStringSubmatch(err.Error()); m != nil {
		location += "." + m[1]
	}
	return newProblem(http.StatusUnprocessableEntity, err.Error(), &huma.ErrorDetail{Location: location, Message: err.Error()})
}

// readProblem is the problem of a request that cannot be read on.
func readProblem(err error, l Limits) *huma.ErrorModel {
	var timeout net.Error
	switch {
	case errors.Is(err, errLongLine):
		return newProblem(http.StatusRequestEntityTooLarge, fmt.Sprintf("normsync: read request: the line has more than %d bytes; send shorter actions", l.Body))
	case errors.As(err, &timeout) && timeout.Timeout():
		return newProblem(http.StatusRequestTimeout, fmt.Sprintf("normsync: read request: no whole line came for %v; send lines faster, or end the request", l.Read))
	}
	return newProblem(http.StatusBadRequest, "normsync: read request: "+err.Error()+"; send the lines that were not answered again")
}
