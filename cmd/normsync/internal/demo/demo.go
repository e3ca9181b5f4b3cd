// Package demo runs a small world under norms, with its live page.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/page"
	"github.com/normsync/normsync/cmd/normsync/internal/rest"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

// Options configures Run.
type Options struct {
	Addr    string        // of the page; empty: a free port of this machine
	For     time.Duration // how long the world runs; 0: until no page has been open for Idle
	Idle    time.Duration // 0: a minute
	Version string        // of the program
}

// demo is a run of the world.
type demo struct {
	out     io.Writer
	options Options
	service *service.Service
	watch   *watch
	passed  time.Duration // in the world, tick by tick, so that a slow machine misses nothing

	unsaid  error // of the first line that could not be written
	actions int
	broken  []normsync.Violation
}

// Run runs the world, tells what happens on out, and ends with a summary. It
// leaves no file behind.
func Run(ctx context.Context, out io.Writer, o Options) (err error) {
	if o.Idle == 0 {
		o.Idle = time.Minute
	}
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	dir, err := os.MkdirTemp("", "normsync-demo-")
	if err != nil {
		return fmt.Errorf("normsync: run demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "norms.db")
	s, err := service.Open(ctx, "sqlite:"+path, service.Create)
	if err != nil {
		return err
	}
	d := &demo{out: out, options: o, service: s}
	err = d.serve(ctx, path)
	if err = errors.Join(err, d.unsaid); err == nil {
		err = d.summary(context.WithoutCancel(ctx))
	}
	return errors.Join(err, s.Close(context.WithoutCancel(ctx)))
}

// say writes a line. The demo ends if nobody can read it.
func (d *demo) say(format string, args ...any) {
	if _, err := fmt.Fprintf(d.out, format+"\n", args...); err != nil && d.unsaid == nil {
		d.unsaid = fmt.Errorf("normsync: run demo: %w", err)
	}
}

// serve runs the world behind its page.
func (d *demo) serve(ctx context.Context, path string) (err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	listener, err := net.Listen("tcp", d.options.Addr)
	if err != nil {
		return fmt.Errorf("normsync: run demo: %w; choose another address by --addr", err)
	}
	handler, err := rest.Handler(ctx, d.service, rest.Options{
		Addr:    listener.Addr().String(),
		Version: d.options.Version,
		Page:    page.Handler(),
		Log:     slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	d.watch = &watch{handler: handler, since: time.Now()}
	server := &http.Server{Handler: d.watch, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer func() {
		stop() // ends the streams of events, for which Shutdown would wait
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if e := server.Shutdown(end); e != nil {
			err = errors.Join(err, e, server.Close())
		}
		if e := <-served; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
	}()

	d.say("The page:   http://%s/", listener.Addr())
	d.say("The store:  sqlite:%s, which is removed at the end", path)
	if d.options.For > 0 {
		d.say("It ends after %s.", d.options.For)
	} else {
		d.say("It ends when you press Ctrl-C, or when the page has not been open for %s.", d.options.Idle)
	}
	d.say("")
	return d.run(ctx)
}

// tick is the time between two actions of an agent.
const tick = 200 * time.Millisecond

// script is what happens to the norms, and at which part of a run or of a cycle.
var script = []struct {
	at     float64
	what   string
	change normsync.Change
}{
	{0.2, "enacts the curfew", normsync.Enact(curfew).Attributed("zoe", "thieves at night")},
	{0.5, "amends it", normsync.Amend(amendedCurfew()).Attributed("zoe", "mages need candles")},
	{0.8, "repeals it", normsync.Repeal(curfew.Name).Attributed("yan", "bad for business")},
}

// run lets the agents act until the demo is over.
func (d *demo) run(ctx context.Context) error {
	var begin []normsync.Change
	for _, n := range constitution(time.Now().UTC().Truncate(time.Second)) {
		begin = append(begin, normsync.Enact(n).Attributed("founders", "the world begins"))
	}
	if _, err := d.service.Monitor().Apply(ctx, begin...); err != nil {
		return err
	}
	w := newWorld()
	d.tell("%d norms are in force, and %d agents act.", len(begin), len(w.agents))

	cycle := d.options.For
	if cycle == 0 {
		cycle = 40 * time.Second
	}
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	next := 0
	for ; !d.over(); d.passed += tick {
		for ; ; next++ {
			event := script[next%len(script)]
			if d.passed < time.Duration((float64(next/len(script))+event.at)*float64(cycle)) {
				break
			}
			if err := d.carryOut(ctx, event.what, event.change); err != nil {
				return err
			}
		}
		if err := d.act(w); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil // the user has seen enough
		case <-ticker.C:
		}
	}
	return nil
}

func (d *demo) tell(format string, args ...any) {
	d.say("%6.1f s  %s", d.passed.Seconds(), fmt.Sprintf(format, args...))
}

// over reports whether the demo has to end.
func (d *demo) over() bool {
	if d.unsaid != nil {
		return true
	}
	if d.options.For > 0 {
		return d.passed >= d.options.For
	}
	return d.watch.unseen() >= d.options.Idle
}

// carryOut makes a change of the script. Visitors of the page may have changed the
// same norm, which is fine.
func (d *demo) carryOut(ctx context.Context, what string, change normsync.Change) error {
	_, err := d.service.Monitor().Apply(ctx, change)
	if errors.Is(err, normsync.ErrExists) || errors.Is(err, normsync.ErrNotFound) {
		return nil
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	d.tell("%s %s: %s.", change.By, what, change.Reason)
	return nil
}

// act lets every agent act once.
func (d *demo) act(w *world) error {
	for _, a := range w.actions(time.Now().UTC().Truncate(time.Millisecond)) {
		v, err := d.service.Check(a)
		if err != nil {
			return err
		}
		d.actions++
		d.broken = append(d.broken, v.Violations...)
	}
	return nil
}

// summary says what the page has shown.
func (d *demo) summary(ctx context.Context) error {
	if err := d.service.Flush(ctx); err != nil {
		return err
	}
	denied := 0
	norms := map[string]bool{}
	for _, v := range d.broken {
		norms[v.NormName] = true
		if !v.Shadow {
			denied++
		}
	}
	c := d.service.Monitor().Constitution()
	d.say("")
	d.say("The page showed %d violations of %d norms in %d actions (%d of them on a dry run), and %d editions.", len(d.broken), len(norms), d.actions, len(d.broken)-denied, c.Edition())
	d.say("It was opened %s.", times(d.watch.opened()))
	d.say("")

	history, err := normsync.History(ctx, d.service.Store(), curfew.Name)
	if err != nil && !errors.Is(err, normsync.ErrNotFound) {
		return err
	}
	compliance := normsync.Audit(c, d.service.Recent())
	report := normsync.Report{
		Violations: d.broken,
		Revisions:  history,
		Compliance: compliance[:min(5, len(compliance))],
		MaxRows:    5,
	}
	return report.WriteText(d.out)
}

func times(n int) string {
	switch n {
	case 0:
		return "by nobody"
	case 1:
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// watch passes requests on, and notes when the page is open.
type watch struct {
	handler http.Handler

	mu    sync.Mutex
	open  int       // streams of events, of which every open page has one
	since time.Time // when the last of them ended
	count int       // of pages that were loaded
}

// ServeHTTP implements http.Handler.
func (w *watch) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	if r.URL.Path == "/" {
		w.count++
	}
	w.since = time.Now()
	stream := strings.HasPrefix(r.URL.Path, "/events")
	if stream {
		w.open++
	}
	w.mu.Unlock()
	if stream {
		defer func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.open--
			w.since = time.Now()
		}()
	}
	w.handler.ServeHTTP(rw, r)
}

// unseen returns for how long nobody has looked.
func (w *watch) unseen() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open > 0 {
		return 0
	}
	return time.Since(w.since)
}

func (w *watch) opened() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count
}
