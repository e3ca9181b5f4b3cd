package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

// actionFlags are the flags of an action's fields.
type actionFlags struct {
	target  string
	faction string
	facts   string
	time    time.Time
}

func (f *actionFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.target, "target", "", "`WORDS`: whom or what the action is done to")
	flags.StringVar(&f.faction, "faction", "", "`WORDS`: faction of the agent")
	flags.StringVar(&f.facts, "facts", "", "`WORDS` that hold now, such as \"night war\"")
	flags.Var(instant{&f.time}, "time", "time of the action (default now)")
}

// action returns the action that the arguments AGENT ACTION [LOCATION] and the flags of
// a command describe. An agent without a name is refused, other than in a log: an unset
// variable in a script gives one, and nobody could say later whose violations they are.
func (f *actionFlags) action(command string, args []string) (normsync.Action, error) {
	if !service.HasWord(args[0]) {
		return normsync.Action{}, usageErrorf("%s: AGENT is empty; name the agent that acts, such as hero", command)
	}
	for _, field := range []struct{ name, text string }{
		{"AGENT", args[0]}, {"ACTION", args[1]}, {"LOCATION", strings.Join(args[2:], " ")},
		{"--target", f.target}, {"--faction", f.faction}, {"--facts", f.facts},
	} {
		if !utf8.ValidString(field.text) {
			return normsync.Action{}, usageErrorf("%s: %s is not valid UTF-8, but %s; set the terminal, or the program that runs normsync, to UTF-8", command, field.name, quote(field.text))
		}
	}
	a := normsync.Action{Agent: args[0], Verb: args[1], Target: f.target, Faction: f.faction, Facts: f.facts, Time: f.time}
	if len(args) > 2 {
		a.Location = args[2]
	}
	if a.Time.IsZero() {
		a.Time = time.Now().UTC()
	}
	return a, service.RequireVerb(a)
}

// openActions opens a log of actions, or the standard input for "-".
func (a *app) openActions(ctx context.Context, path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(&interruptible{ctx: ctx, r: a.stdin}), nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("normsync: read actions: there is no file %s; name a file of JSON Lines, or - for the standard input", quote(path))
	}
	if err != nil {
		return nil, fmt.Errorf("normsync: read actions: %w", err)
	}
	return f, nil
}

// interruptible is a reader whose Read returns when a context ends, even if the reader
// behind it goes on waiting, as for a terminal.
type interruptible struct {
	ctx context.Context
	r   io.Reader
	buf []byte // the caller's own buffer must not be written to once the context has ended
}

func (i *interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err // the last Read may still be using buf
	}
	type result struct {
		n   int
		err error
	}
	done := make(chan result, 1)
	i.buf = slices.Grow(i.buf[:0], len(p))[:len(p)]
	go func() {
		n, err := i.r.Read(i.buf)
		done <- result{n, err}
	}()
	select {
	case r := <-done:
		return copy(p, i.buf[:r.n]), r.err
	case <-i.ctx.Done():
		return 0, i.ctx.Err()
	}
}

// readActions yields the actions of a log until the first error, and then sets err.
func (a *app) readActions(r io.Reader, err *error) iter.Seq[normsync.Action] {
	return func(yield func(normsync.Action) bool) {
		for action, readErr := range normsync.ReadActions(r) {
			if readErr != nil {
				*err = readErr
				return
			}
			if !yield(action) {
				return
			}
		}
	}
}

// noteUnknownVerb says on the standard error that no norm has a verb, if a norm has a
// similar one.
func (a *app) noteUnknownVerb(c *normsync.Constitution, action normsync.Action) {
	if len(c.Explain(action)) > 0 {
		return // a norm has the verb
	}
	var verbs []string
	for verb := range c.Verbs() {
		verbs = append(verbs, verb)
	}
	if near, ok := nearestOf(action.Verb, verbs); ok {
		a.notef("normsync: note: no norm has the verb %s; the nearest one is %s", quote(action.Verb), quote(near))
	}
}
