package rest

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

// cursor is a place in both logs of a store. Its text is the ID of an event.
type cursor struct{ edition, number uint64 }

func (c cursor) String() string { return fmt.Sprintf("%d-%d", c.edition, c.number) }

func parseCursor(s string) (cursor, error) {
	edition, number, _ := strings.Cut(s, "-")
	e, err1 := strconv.ParseUint(edition, 10, 64)
	n, err2 := strconv.ParseUint(number, 10, 64)
	if err1 != nil || err2 != nil {
		return cursor{}, fmt.Errorf("%.40q is not an ID of an event; send the last one that you got, or 0-0 for all events", s)
	}
	return cursor{e, n}, nil
}

// event is a new revision or violation.
type event struct {
	at   cursor // of the logs, up to this event
	name string // revision or violation
	data []byte // JSON
}

// subscriber is a client of /events. Its queue is closed when it is full: the client
// then reads what it missed from the store.
type subscriber struct{ queue chan event }

// hub finds what this server and others have added to a store, and passes it to
// subscribers. It never waits for one.
type hub struct {
	service *service.Service
	log     *slog.Logger
	limits  Limits
	wake    chan struct{}

	mu          sync.Mutex
	at          cursor // of the last event that was passed on
	subscribers map[*subscriber]struct{}
	faults      map[string]error // by what is wrong now: follow, read, record
	failed      uint64           // violations that the recorder had lost when hub last looked
	stored      uint64           // violations that it had stored
}

// newHub returns a hub that begins at the end of the store's logs.
func newHub(ctx context.Context, s *service.Service, o Options) (*hub, error) {
	h := &hub{
		service: s, log: o.Log, limits: o.Limits, wake: make(chan struct{}, 1),
		subscribers: map[*subscriber]struct{}{}, faults: map[string]error{},
	}
	h.at.edition = s.Monitor().Constitution().Edition()
	for v, err := range normsync.QueryViolations(ctx, s.Store(), normsync.ViolationQuery{Newest: true, Limit: 1}) {
		if err != nil {
			return nil, fmt.Errorf("normsync: serve: read the last violation: %w", err)
		}
		h.at.number = v.Number
	}
	return h, nil
}

// start runs the hub until ctx ends.
func (h *hub) start(ctx context.Context) {
	go func() {
		for _, err := range h.service.Monitor().Follow(ctx) {
			h.setFault("follow", err)
			select {
			case h.wake <- struct{}{}:
			default:
			}
		}
	}()
	go func() {
		ticker := time.NewTicker(h.limits.Poll)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			case <-h.wake:
			}
			h.checkRecorder(ctx)
			if err := h.pull(ctx); ctx.Err() == nil {
				h.setFault("read", err)
			}
		}
	}()
}

// pull passes on what is new in the store. Only one goroutine may call it.
func (h *hub) pull(ctx context.Context) error {
	at := h.position()
	for {
		events, err := h.read(ctx, at, h.service.Monitor().Constitution().Edition())
		if err != nil || len(events) == 0 {
			return err
		}
		for _, e := range events {
			h.publish(e)
		}
		at = events[len(events)-1].at
	}
}

// read returns the next events after a place, at most pageSize of each kind, and
// revisions up to an edition.
func (h *hub) read(ctx context.Context, at cursor, edition uint64) (events []event, err error) {
	add := func(name string, v any) error {
		var data strings.Builder
		if err := writeJSON(&data, v); err != nil {
			return err
		}
		events = append(events, event{at, name, []byte(strings.TrimSpace(data.String()))})
		return nil
	}
	if at.edition < edition {
		for r, err := range h.service.Store().Revisions(ctx, at.edition) {
			if err != nil {
				return nil, err
			}
			if r.Edition > edition || len(events) == pageSize {
				break
			}
			at.edition = r.Edition
			if err := add("revision", Revision{r}); err != nil {
				return nil, err
			}
		}
	}
	q := normsync.ViolationQuery{After: at.number, Limit: pageSize}
	for v, err := range normsync.QueryViolations(ctx, h.service.Store(), q) {
		if err != nil {
			return nil, err
		}
		at.number = v.Number
		if err := add("violation", Violation{v}); err != nil {
			return nil, err
		}
	}
	return events, nil
}

func (h *hub) publish(e event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = e.at
	for s := range h.subscribers {
		select {
		case s.queue <- e:
		default:
			close(s.queue)
			delete(h.subscribers, s)
		}
	}
}

// subscribe returns a subscriber, and the place after which it gets every event. It
// returns nil if there are too many subscribers.
func (h *hub) subscribe() (*subscriber, cursor) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.subscribers) >= h.limits.Subscribers {
		return nil, cursor{}
	}
	s := &subscriber{queue: make(chan event, h.limits.Queue)}
	h.subscribers[s] = struct{}{}
	return s, h.at
}

func (h *hub) unsubscribe(s *subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.subscribers, s)
}

func (h *hub) position() cursor {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

func (h *hub) subscribed() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.subscribers)
}

// checkRecorder takes the errors of the recorder if it has lost violations.
func (h *hub) checkRecorder(ctx context.Context) {
	if h.service.Recorder() == nil {
		return
	}
	stats := h.service.Recorder().Stats()
	h.mu.Lock()
	lost, recovered := stats.Failed > h.failed, stats.Stored > h.stored
	h.failed, h.stored = stats.Failed, stats.Stored
	h.mu.Unlock()
	switch {
	case lost:
		if err := h.service.Flush(ctx); err != nil && ctx.Err() == nil {
			h.setFault("record", err)
		}
	case recovered:
		h.setFault("record", nil)
	}
}

// setFault notes an error of one kind of work, or that it works again, and logs what
// has changed.
func (h *hub) setFault(work string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	was := h.faults[work]
	switch {
	case err == nil && was != nil:
		delete(h.faults, work)
		h.log.Info("the store works again", "work", work)
	case err != nil && (was == nil || was.Error() != err.Error()):
		h.faults[work] = err
		h.log.Error("the store does not work", "work", work, "error", err)
	}
}

// recordFailed notes an error of the recorder.
func (h *hub) recordFailed(err error) { h.setFault("record", err) }

// problem returns what does not work now, nil if everything does.
func (h *hub) problem() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, work := range []string{"follow", "read", "record"} {
		if err := h.faults[work]; err != nil {
			return err
		}
	}
	return nil
}
