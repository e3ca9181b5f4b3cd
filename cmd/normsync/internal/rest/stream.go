package rest

import (
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// patientWriter writes a response that may take long in all. Each write has the
// time limit that otherwise the whole response has.
type patientWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	limit   time.Duration
}

func newPatientWriter(w http.ResponseWriter, limit time.Duration) *patientWriter {
	control := http.NewResponseController(w)
	// Writers of tests have no deadlines, and need none.
	_ = control.SetReadDeadline(time.Time{})
	p := &patientWriter{ResponseWriter: w, control: control, limit: limit}
	p.extend()
	return p
}

func (w *patientWriter) extend() { _ = w.control.SetWriteDeadline(time.Now().Add(w.limit)) }

// Write implements io.Writer.
func (w *patientWriter) Write(b []byte) (int, error) {
	w.extend()
	return w.ResponseWriter.Write(b)
}

// FlushError sends what was written.
func (w *patientWriter) FlushError() error {
	w.extend()
	return w.control.Flush()
}

// Flush implements http.Flusher.
func (w *patientWriter) Flush() { _ = w.FlushError() }

// Unwrap is for http.ResponseController.
func (w *patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// patient lets the responses of a handler take long.
func (s *server) patient(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(newPatientWriter(w, s.options.Limits.Write), r)
	})
}

func (s *server) patientWriter(ctx huma.Context) *patientWriter {
	_, w := humago.Unwrap(ctx)
	return newPatientWriter(w, s.options.Limits.Write)
}

// listWriter writes a JSON array with a value per line. It keeps the first error.
type listWriter struct {
	w     io.Writer
	begun bool
	err   error
}

func (l *listWriter) add(v any) {
	separator := ",\n"
	if !l.begun {
		l.begun, separator = true, "[\n"
	}
	l.write(separator)
	if l.err == nil {
		l.err = writeJSON(trimNewline{l.w}, v)
	}
}

func (l *listWriter) end() {
	if l.begun {
		l.write("\n]\n")
	} else {
		l.write("[]\n")
	}
}

func (l *listWriter) write(s string) {
	if l.err == nil {
		_, l.err = io.WriteString(l.w, s)
	}
}

// trimNewline removes the newline that an encoder writes behind a value.
type trimNewline struct{ w io.Writer }

// Write implements io.Writer.
func (t trimNewline) Write(b []byte) (int, error) {
	n := len(b)
	if n > 0 && b[n-1] == '\n' {
		b = b[:n-1]
	}
	if _, err := t.w.Write(b); err != nil {
		return 0, err
	}
	return n, nil
}
