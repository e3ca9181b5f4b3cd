package rest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

const eventsPath = "/events"

// keepAlive is the time after which a comment shows a quiet client that the server is
// still there.
const keepAlive = 15 * time.Second

func (s *server) addEvents() {
	s.mux.HandleFunc("GET "+eventsPath, s.events)
	op := operation(http.MethodGet, eventsPath, "events", "Violations and revisions as they come",
		"Server-sent events named violation and revision, whoever caused them. Each has an id. A browser that reconnects sends the last one as Last-Event-ID, "+
			"and gets what it missed. Without it, the stream begins with what is new.")
	op.Parameters = []*huma.Param{
		{Name: "Last-Event-ID", In: "header", Description: "Begin after this event.", Schema: &huma.Schema{Type: huma.TypeString}, Example: "3-120"},
		{Name: "after", In: "query", Description: "The same for clients that cannot set a header; 0-0 begins with the first event.", Schema: &huma.Schema{Type: huma.TypeString}, Example: "0-0"},
	}
	op.Responses = listResponse[Violation](s.api)
	op.Responses["200"].Content = map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}}
	s.api.OpenAPI().AddOperation(&op)
}

// events is a stream of server-sent events.
func (s *server) events(w http.ResponseWriter, r *http.Request) {
	if p := onlyParameters(r, "after"); p != nil {
		writeProblem(w, p)
		return
	}
	place, last := "query.after", r.URL.Query().Get("after")
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		place, last = "header.Last-Event-ID", id
	}
	var from *cursor
	if last != "" {
		c, err := parseCursor(last)
		if err != nil {
			writeProblem(w, fieldProblem(place, err.Error()))
			return
		}
		from = &c
	}
	subscriber, at := s.hub.subscribe()
	if subscriber == nil {
		writeProblem(w, newProblem(http.StatusServiceUnavailable, fmt.Sprintf("normsync: stream events: %d clients have a stream already; try again later", s.options.Limits.Subscribers)))
		return
	}
	if from == nil {
		from = &at
	}
	// An ID from another store may be ahead of this one.
	from.edition, from.number = min(from.edition, at.edition), min(from.number, at.number)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() { // streams have to end before the server can
		select {
		case <-s.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // for nginx
	e := &eventWriter{hub: s.hub, out: newPatientWriter(w, s.options.Limits.Write), at: *from}
	err := e.run(ctx, subscriber, at)
	if ctx.Err() == nil {
		s.log.InfoContext(ctx, "a stream of events ended", "error", err)
	}
}

// eventWriter writes events to one client.
type eventWriter struct {
	hub    *hub
	out    *patientWriter
	at     cursor // of the last event that was written
	buffer bytes.Buffer
}

// run writes events until ctx ends, or the client does not take them, and returns why. The subscriber gets every event after reached.
func (e *eventWriter) run(ctx context.Context, s *subscriber, reached cursor) error {
	e.buffer.WriteString("retry: 2000\n\n")
	for {
		err := e.catchUp(ctx, reached)
		if err == nil {
			err = e.forward(ctx, s.queue)
		}
		e.hub.unsubscribe(s)
		if err != nil {
			return err
		}
		// The queue was full. What it did not take is in the store.
		if s, reached = e.hub.subscribe(); s == nil {
			return fmt.Errorf("normsync: stream events: the client is too slow, and there are too many others")
		}
	}
}

// catchUp writes what the store has between the last event and a place.
func (e *eventWriter) catchUp(ctx context.Context, to cursor) error {
	for e.at.edition < to.edition || e.at.number < to.number {
		events, err := e.hub.read(ctx, e.at, to.edition)
		if err != nil {
			return err
		}
		before := e.at
		for _, v := range events {
			if v.at.number <= to.number {
				e.add(v)
			}
		}
		if e.at == before { // the store no longer has the others
			break
		}
		if err := e.send(); err != nil {
			return err
		}
	}
	return e.send()
}

// forward writes events of the queue until it is closed.
func (e *eventWriter) forward(ctx context.Context, queue <-chan event) error {
	ticker := time.NewTicker(keepAlive)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			e.buffer.WriteString(":\n\n")
		case v, open := <-queue:
			if !open {
				return nil
			}
			e.add(v)
			for range len(queue) { // one write for all that wait
				if v, open = <-queue; open {
					e.add(v)
				}
			}
		}
		if err := e.send(); err != nil {
			return err
		}
	}
}

// add adds an event to what is sent next, unless the client has it.
func (e *eventWriter) add(v event) {
	if v.at.edition <= e.at.edition && v.at.number <= e.at.number {
		return
	}
	e.at = v.at
	fmt.Fprintf(&e.buffer, "id: %s\nevent: %s\ndata: %s\n\n", v.at, v.name, v.data)
}

func (e *eventWriter) send() error {
	if e.buffer.Len() > 0 {
		if _, err := e.out.Write(e.buffer.Bytes()); err != nil {
			return err
		}
		e.buffer.Reset()
	}
	return e.out.FlushError()
}
