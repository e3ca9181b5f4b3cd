package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
	"github.com/normsync/normsync/internal/strictjson"
)

// app is what all commands share: the streams and the global flags.
type app struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer

	db    string // --db
	store string // --store
	json  bool   // --json

	helpErr error // of writing a help text, which cobra does not return
}

const (
	defaultDB = ".normsync/norms.db"
	storeEnv  = "NORMSYNC_STORE"
)

// location returns the store that the flags or the environment name, as
// [service.OpenStore] takes it.
func (a *app) location() (string, error) {
	switch {
	case a.db != "" && a.store != "":
		return "", usageErrorf("--db and --store both name a store; leave one of them out")
	case a.store != "":
		return a.store, nil
	case a.db != "":
		return "sqlite:" + a.db, nil
	}
	return cmp.Or(os.Getenv(storeEnv), "sqlite:"+defaultDB), nil
}

// shownLocation returns the location for people: without a password.
func (a *app) shownLocation() string {
	location, err := a.location()
	if err != nil {
		return ""
	}
	return plain(service.Redact(location))
}

// open opens the store. The caller must close the service.
func (a *app) open(ctx context.Context, mode service.Mode) (*service.Service, error) {
	location, err := a.location()
	if err != nil {
		return nil, err
	}
	s, err := service.Open(ctx, location, mode)
	if err != nil {
		return nil, err
	}
	for _, warning := range s.Warnings() {
		a.notef("%s", errorText(warning))
	}
	return s, nil
}

// withService opens the store, calls do, and closes the store.
func (a *app) withService(ctx context.Context, mode service.Mode, do func(*service.Service) error) error {
	s, err := a.open(ctx, mode)
	if err != nil {
		return err
	}
	err = do(s)
	// What was recorded is stored even if the user has interrupted the command.
	closed := s.Close(context.WithoutCancel(ctx))
	if closed != nil && errors.Is(err, errFound) {
		return closed // a finding must not hide an error
	}
	return errors.Join(err, closed)
}

// printf writes to the standard output. The arguments must be safe for a terminal:
// use plain for what comes from users.
func (a *app) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(a.stdout, format, args...)
	return err
}

// notef writes a remark to the standard error. The arguments must be safe for a
// terminal.
func (a *app) notef(format string, args ...any) {
	fmt.Fprintf(a.stderr, format+"\n", args...)
}

// writeJSON writes v as one JSON object. It does not escape what matters in HTML only.
func (a *app) writeJSON(v any) error {
	return writeJSON(a.stdout, v)
}

func writeJSON(w io.Writer, v any) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("normsync: write JSON: %w", err)
	}
	_, err := w.Write(visible(text.Bytes()))
	return err
}

// visible returns a JSON text in which characters that nobody can see are escaped.
func visible(text []byte) []byte {
	for _, c := range text {
		if c >= 0x7F {
			return strictjson.AppendVisible(nil, text)
		}
	}
	return text
}

// writeReport writes a report as JSON with --json, and otherwise as text.
func (a *app) writeReport(r normsync.Report) error {
	if a.json {
		return r.WriteJSON(a.stdout)
	}
	if r.Violations != nil {
		return r.WriteText(a.stdout)
	}
	// A report without violations says that there are none, which is not what the
	// user has asked.
	var text bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		return err
	}
	sections := strings.Split(text.String(), "\n\n")
	sections = slices.DeleteFunc(sections, func(section string) bool {
		return strings.TrimSpace(section) == "No violations found."
	})
	_, err := io.WriteString(a.stdout, strings.TrimSuffix(strings.Join(sections, "\n\n"), "\n")+"\n")
	return err
}

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// color is the number of a color in an escape sequence of a terminal.
type color int

const (
	red   color = 31
	green color = 32
)

// paint returns text in a color if the standard output is a terminal and NO_COLOR
// is not set.
func (a *app) paint(c color, text string) string {
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" || !isTerminal(a.stdout) {
		return text
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", c, text)
}
