package rest

import (
	"fmt"
	"net/http"
	"strings"
)

// problemWriter turns an error that another handler writes as plain text, such as by
// http.Error, into a problem. It passes on everything else.
type problemWriter struct {
	http.ResponseWriter
	status int // of the error; 0: there is none
	text   []byte
}

// maxPlain is the number of bytes of an error that are kept. The MCP SDK repeats a
// malformed request, which may be large.
const maxPlain = 500

// withProblems makes the errors of a handler problems. The verb and object, such as
// "serve MCP", begin their text.
func withProblems(verbObject string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := &problemWriter{ResponseWriter: w}
		h.ServeHTTP(p, r)
		if p.status == 0 {
			return
		}
		text := strings.TrimSpace(strings.ToValidUTF8(string(p.text), ""))
		if text == "" {
			text = http.StatusText(p.status)
		}
		if !strings.HasPrefix(text, "normsync: ") {
			text = fmt.Sprintf("normsync: %s: %s", verbObject, text)
		}
		w.Header().Del("Content-Length") // of the plain text
		writeProblem(w, newProblem(p.status, text))
	})
}

// WriteHeader implements http.ResponseWriter.
func (w *problemWriter) WriteHeader(status int) {
	if status >= 400 && strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		w.status = status
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (w *problemWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		return w.ResponseWriter.Write(b)
	}
	w.text = append(w.text, b[:min(len(b), maxPlain-len(w.text))]...)
	return len(b), nil
}

// Flush implements http.Flusher.
func (w *problemWriter) Flush() { _ = w.FlushError() }

// FlushError sends what was written.
func (w *problemWriter) FlushError() error {
	if w.status != 0 {
		return nil // the problem is written at the end
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (w *problemWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
