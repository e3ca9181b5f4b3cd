package normsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/normsync/normsync/internal/unixtime"
)

// Options configures [Open]. A nil *Options means the defaults.
type Options struct {
	Now  func() time.Time // returns the time to stamp revisions with; nil means time.Now
	Poll time.Duration    // how long Follow waits before it reads a store again that is no RevisionWaiter; 0 means a second
}

// Monitor holds the constitution in force, and changes it while other goroutines
// check actions. The zero value is an empty monitor with a MemStore of its own.
//
// Any number of goroutines may call any methods at the same time. A check loads a
// single atomic pointer. It never waits for a change or for the store, and it sees
// either all of an Apply or none of it. Apply and Sync wait for each other.
//
// Any number of monitors can share a store, even in several processes if the store
// allows that. A [FileStore] has one writer; other processes open it with ReadOnly
// and follow the writer by Sync or Follow.
//
// A Monitor stores revisions only. To keep violations, use a [Recorder] or the
// AppendViolations method of the store.
//
// A Monitor must not be copied after first use.
type Monitor struct {
	current atomic.Pointer[Constitution] // in force; nil means the empty one; mu is held to store it

	store Store            // nil means own; set once, by Open
	own   MemStore         // the store of a monitor that Open did not make
	now   func() time.Time // nil means time.Now; set once, by Open
	poll  time.Duration    // 0 means defaultPoll; set once, by Open

	mu      sync.Mutex     // serializes Apply and Sync, and guards what follows
	tip     tip            // the last revision that led to current
	retired map[string]int // last versions of names that were in force and are not
}

// NewMonitor returns a monitor on a MemStore, with the given norms in force,
// except those marked Repealed. It refuses what [Compile] refuses.
func NewMonitor(norms ...Norm) (*Monitor, error) {
	m := new(Monitor)
	changes := make([]Change, 0, len(norms))
	names := make(map[string]bool, len(norms))
	for _, n := range norms {
		if n.Repealed {
			continue
		}
		if names[n.Name] {
			return nil, opError("new monitor", fmt.Errorf("%w: two norms have the name %q; rename one of them", ErrExists, n.Name))
		}
		names[n.Name] = true
		changes = append(changes, Enact(n))
	}
	if _, err := m.Apply(context.Background(), changes...); err != nil {
		return nil, err
	}
	return m, nil
}

// Open returns a monitor on a store. The constitution in force is the result of the
// store's revisions. Open reads all of them, and fails with [ErrInvalid] if they are
// not a valid log. A norm that an earlier version accepted does not make it invalid; see
// [Monitor.Refused]. Closing the store is up to the caller.
func Open(ctx context.Context, s Store, o *Options) (*Monitor, error) {
	if s == nil {
		return nil, opError("open", fmt.Errorf("%w: the store is nil; pass a MemStore, or use new(Monitor)", ErrInvalid))
	}
	m := &Monitor{store: s}
	if o != nil {
		m.now, m.poll = o.Now, o.Poll
	}
	if _, err := m.catchUp(ctx); err != nil {
		return nil, opError("open", err)
	}
	return m, nil
}

// Store returns the store in which the monitor keeps its revisions.
func (m *Monitor) Store() Store {
	if m.store != nil {
		return m.store
	}
	return &m.own
}

// Refused returns an error for each norm in force that [Norm.Validate] refuses, in order
// of name. It returns nil if there is none. Apply does not enact such a norm: it comes
// from a log that an earlier version wrote, which Open accepts. Call Refused after Open,
// log the errors, and amend or repeal the norms. Refused validates every norm in force.
//
// Until then such a norm stays in force. What this version refuses is read as that
// version read it, as an ordinary word, which an action has or has not: OR, AND and NOT,
// a token agent_id:word, a token in which a bar has nothing beside it, the tokens verb:
// and facts:, and, in Prohibited and Permitted, a token with a bar or with the field verb
// or facts. Two things are read as in a new norm: a token a|b is an any-of token, however
// many alternatives it has, and invisible characters do not count.
func (m *Monitor) Refused() []error {
	var refused []error
	for n := range m.Constitution().All() {
		if err := n.Validate(); err != nil {
			refused = append(refused, err)
		}
	}
	return refused
}

// Constitution returns the constitution in force. To check several actions by the
// same norms, call Constitution once and use its result for all of them.
func (m *Monitor) Constitution() *Constitution {
	if c := m.current.Load(); c != nil {
		return c
	}
	return emptyConstitution
}

// Check returns the violations of an action. See [Constitution.Check].
func (m *Monitor) Check(a Action) []Violation { return m.Constitution().Check(a) }

// AppendCheck appends the violations of an action to dst, and returns the extended
// slice. It allocates nothing while dst has room. See [Constitution.AppendCheck].
func (m *Monitor) AppendCheck(dst []Violation, a Action) []Violation {
	return m.Constitution().AppendCheck(dst, a)
}

// Allows reports whether no norm forbids an action. See [Constitution.Allows].
func (m *Monitor) Allows(a Action) bool { return m.Constitution().Allows(a) }

// Explain returns a finding for every norm that has the action's verb. See
// [Constitution.Explain].
func (m *Monitor) Explain(a Action) []Finding { return m.Constitution().Explain(a) }

// Apply carries out all of its changes in order, or none of them, and returns the
// revisions that it made. There is one revision per change, except for an Enact or
// Amend of a norm that is in force already and equal in every field: such a change
// does nothing.
//
// Apply stores the revisions before it publishes the new constitution, so nothing is
// in force that the store does not hold. Apart from the store, the cost depends on the
// number of changes, not on the number of norms in force.
//
// Apply fails with [ErrInvalid] if a change cannot be carried out as it is written:
// the norm is not valid or is marked Repealed, By or Reason has characters that a
// description must not have, or the kind is unknown. It fails with [ErrExists] if a
// different norm with that name is in force, and with [ErrNotFound] if no norm with
// that name is. Before Apply fails with either, or finds that there is nothing to do, it
// reads what other monitors have changed in the store.
//
// If another monitor has already written the next edition, Apply reads what is new
// and retries. It fails with [ErrConflict] if the store refuses the next edition
// although nothing is new, and with [ErrDiverged] as [Monitor.Sync] does.
//
// Apply stamps its revisions with the time of Options.Now, or with the time of the
// last revision if that is later: times never run backwards in a log. If a clock once
// ran ahead, all later revisions therefore have its time or a later one, and [At] of
// the present time does not include them. So that this does not go unnoticed, Apply
// fails with ErrInvalid if its clock is more than a day behind the last revision. To
// continue such a log, set Options.Now to a function that returns the time of the last
// revision.
//
// After any other error the outcome may be unknown, for example if ctx ends during a
// commit. What was stored then comes into force with the next Apply or Sync. Apply
// checks ctx before it begins, and passes it to the store. It does not stop waiting
// for another Apply if ctx ends.
func (m *Monitor) Apply(ctx context.Context, changes ...Change) ([]Revision, error) {
	for i, c := range changes {
		if err := c.validate(); err != nil {
			return nil, c.failed(i, err)
		}
	}
	if len(changes) == 0 && ctx.Err() == nil {
		return nil, nil
	}
	return m.apply(ctx, "apply", func(*Constitution) ([]Change, error) { return changes, nil })
}

// apply is Apply of the changes that a function returns for the constitution in force.
// It calls the function again after each time it has read what is new.
func (m *Monitor) apply(ctx context.Context, op string, changesFrom func(*Constitution) ([]Change, error)) ([]Revision, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, opError(op, err)
	}
	for caughtUp := false; ; caughtUp = true {
		var p *replay
		var revs []Revision
		changes, refusal := changesFrom(m.Constitution())
		if refusal != nil {
			refusal = opError(op, refusal)
		} else {
			p, revs, refusal = m.plan(changes)
		}
		if refusal != nil || len(revs) == 0 {
			if caughtUp {
				return nil, refusal
			}
			// This may differ after what another monitor changed a moment ago.
			if _, err := m.catchUp(ctx); err != nil {
				return nil, opError(op+": sync", err)
			}
			continue
		}

		// The store must not keep its slice, but may write to it: the caller gets another.
		err := m.Store().AppendRevisions(ctx, slices.Clone(revs)...)
		if err == nil {
			m.commit(p)
			return revs, nil
		}
		if !errors.Is(err, ErrConflict) {
			return nil, opError(op, err)
		}

		// Another monitor was faster.
		news, syncErr := m.catchUp(ctx)
		if syncErr != nil {
			return nil, opError(op+": sync after a conflict", syncErr)
		}
		if news == 0 {
			return nil, opError(op, fmt.Errorf("%w (the store has nothing after edition %d, and refuses the next edition)", err, m.tip.edition))
		}
	}
}

// validate returns an error that is ErrInvalid if c can never be carried out.
func (c Change) validate() error {
	switch c.Kind {
	case KindEnact, KindAmend:
		if c.Norm.Repealed {
			return fmt.Errorf("%w norm: Repealed: it is set; clear it to put the norm in force, or use Repeal to take one out of force", ErrInvalid)
		}
		if err := c.Norm.Validate(); err != nil {
			return err
		}
	case KindRepeal:
		if c.Norm.Name == "" {
			return fmt.Errorf("%w change: Norm: it has no name; name the norm to repeal", ErrInvalid)
		}
	default:
		return fmt.Errorf("%w change: Kind %q is unknown; make changes with Enact, Amend and Repeal", ErrInvalid, c.Kind)
	}
	if problem := textProblem(c.By, true); problem != "" {
		return fmt.Errorf("%w change: By: %s", ErrInvalid, problem)
	}
	if problem := textProblem(c.Reason, true); problem != "" {
		return fmt.Errorf("%w change: Reason: %s", ErrInvalid, problem)
	}
	return nil
}

// failed adds to err which change of an Apply failed.
func (c Change) failed(i int, err error) error {
	verb := string(c.Kind)
	switch c.Kind {
	case KindEnact:
		verb = "enact"
	case KindAmend:
		verb = "amend"
	}
	return opError(fmt.Sprintf("apply change %d (%s %q)", i+1, verb, c.Norm.Name), err)
}

// plan returns the revisions that the changes result in, on top of the current state,
// and the replay after them. It changes nothing. mu must be held.
func (m *Monitor) plan(changes []Change) (*replay, []Revision, error) {
	p := m.replay()
	clock := m.clock()
	stamp := unixtime.Canonical(clock)
	if p.tip.edition > 0 && instant(clock).Before(instant(p.tip.time)) {
		stamp = unixtime.Canonical(p.tip.time)
	}
	var revs []Revision
	for i, c := range changes {
		old, version, inForce, last := p.norm(c.Norm.Name)
		c.Norm = c.Norm.canonicalIfValid()
		switch {
		case c.Kind == KindEnact && inForce && c.Norm != old:
			return nil, nil, c.failed(i, fmt.Errorf("%w: a different norm with that name is in force, or an earlier change enacts one; amend or repeal it, or rename this one", ErrExists))
		case c.Kind != KindEnact && !inForce:
			return nil, nil, c.failed(i, fmt.Errorf("%w: no norm with that name is in force; check the name, or enact it first", ErrNotFound))
		case c.Kind != KindRepeal && inForce && c.Norm == old:
			continue
		case c.Kind == KindRepeal:
			c.Norm = old
			c.Norm.Repealed = true
		}
		r := Revision{Edition: p.tip.edition + 1, Prev: p.tip.id, Version: version + 1, Change: c, Time: stamp}
		p.push(identify(r), last)
		revs = append(revs, r)
	}
	if len(revs) > 0 && instant(stamp).Sub(instant(clock)) > maxClockBehind {
		return nil, nil, opError("apply", fmt.Errorf("%w clock: it says %s, but the time of the last revision is %s; correct the clock, or, if the last revision's time is wrong, set Options.Now to a function that returns that time",
			ErrInvalid, clock.UTC().Format(time.RFC3339), stamp.Format(time.RFC3339)))
	}
	return p, revs, nil
}

// maxClockBehind is how far a clock may be behind the last revision, which another
// machine may have stamped.
const maxClockBehind = 24 * time.Hour

func (m *Monitor) clock() time.Time {
	if m.now != nil {
		return m.now()
	}
	return time.Now()
}

// replay starts a replay on top of the current state. mu must be held.
func (m *Monitor) replay() *replay {
	return &replay{from: m.Constitution(), retired: m.retired, tip: m.tip}
}

// commit makes the result of a replay the current state, and publishes its
// constitution. mu must be held.
func (m *Monitor) commit(p *replay) {
	c := p.constitution()
	for last := range p.latest.all() {
		if !last.norm.Repealed {
			delete(m.retired, last.norm.Name)
			continue
		}
		if m.retired == nil {
			m.retired = make(map[string]int)
		}
		m.retired[last.norm.Name] = last.version
	}
	m.tip = p.tip
	m.current.Store(c)
}

// Sync brings into force what other monitors have changed in the store, all at once,
// and returns the number of their revisions. It reads only what is new. If it fails,
// nothing changes.
//
// Sync fails with [ErrDiverged] if the store no longer has the last revision that the
// monitor knows, for example because a backup was restored: the log ends before that
// revision, or continues from another one. Sync finds this out from the Prev of the
// first new revision; if there is none, it reads the monitor's last revision again.
// The monitor then stays as it is. Open a new monitor on the store.
func (m *Monitor) Sync(ctx context.Context) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.catchUp(ctx)
	if err != nil {
		return 0, opError("sync", err)
	}
	return n, nil
}

// catchUp is Sync. mu must be held.
func (m *Monitor) catchUp(ctx context.Context) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	p := m.replay()
	linked, err := m.readNew(ctx, p)
	if m.tip.edition > 0 && !linked {
		// Nothing new proves that the store still has the monitor's last revision.
		// If the store has another one, that explains any other error, too.
		if missing := m.tip.confirm(ctx, m.Store()); err == nil || errors.Is(missing, ErrDiverged) {
			err = missing
		}
	}
	if err != nil {
		return 0, err
	}
	n := int(p.tip.edition - m.tip.edition)
	if n > 0 {
		m.commit(p)
	}
	return n, nil
}

// readNew adds to p the revisions of the store after the monitor's last one. It
// reports whether one of them names that one as its predecessor.
func (m *Monitor) readNew(ctx context.Context, p *replay) (linked bool, err error) {
	for r, err := range readLog(ctx, m.Store(), m.tip) {
		if err != nil {
			return linked, err
		}
		linked = linked || r.Prev == m.tip.id
		if err := p.add(r); err != nil {
			return linked, err
		}
	}
	return linked, nil
}
