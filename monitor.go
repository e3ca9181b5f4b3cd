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

// Options are those of [Open]. A nil *Options means the defaults.
type Options struct {
	Now func() time.Time // stamps revisions; nil means time.Now

	// AllowClockBehind lets Apply stamp revisions with the time of the last one
	// even if Now is more than a day behind it. Set it if a clock that once ran
	// ahead has stamped the log, and its later editions are right all the same.
	AllowClockBehind bool
}

// Monitor holds the constitution in force, and lets it be changed while others
// check. The zero value is empty, and keeps its log in a MemStore of its own.
//
// Any number of goroutines may use every method at once. Those who check load
// one atomic pointer: they never wait, neither for a change nor for the store,
// and see all of an Apply or nothing of it. Changes wait for one another. Any
// number of monitors can share a store, also in several processes where the
// store can be shared; of a [FileStore] one writes, and the others are opened
// with ReadOnly and follow by Sync.
//
// A Monitor stores revisions only. Violations are kept by who checks, with a
// [Recorder] or AppendViolations.
//
// A Monitor must not be copied after first use.
type Monitor struct {
	current atomic.Pointer[Constitution] // the one in force; nil means the empty one; stored with mu held

	store Store // nil means own; set once, by Open
	own   MemStore
	now   func() time.Time // nil means time.Now; set once, by Open

	allowBehind bool // set once, by Open

	mu      sync.Mutex     // serializes Apply and Sync, and guards what follows
	tip     tip            // the last revision
	last    time.Time      // of the last revision
	retired map[string]int // last versions of names that were in force and are not
}

// NewMonitor returns a monitor, backed by a MemStore, in which norms are in
// force. Those marked as repealed are passed over. It refuses what [Compile]
// refuses.
func NewMonitor(norms ...Norm) (*Monitor, error) {
	m := new(Monitor)
	changes := make([]Change, 0, len(norms))
	names := make(map[string]bool, len(norms))
	for _, n := range norms {
		if n.Repealed {
			continue
		}
		if names[n.Name] {
			return nil, while("new monitor", fmt.Errorf("%w: two norms are named %q: give one another name", ErrExists, n.Name))
		}
		names[n.Name] = true
		changes = append(changes, Enact(n))
	}
	if _, err := m.Apply(context.Background(), changes...); err != nil {
		return nil, err
	}
	return m, nil
}

// Open returns a monitor on a store, with the constitution that the store's
// revisions add up to. It reads all of them, and refuses a log that does not
// add up. The store stays the caller's to close.
func Open(ctx context.Context, s Store, o *Options) (*Monitor, error) {
	if s == nil {
		return nil, while("open", fmt.Errorf("%w: no store: give it a MemStore, or use new(Monitor)", ErrInvalid))
	}
	m := &Monitor{store: s}
	if o != nil {
		m.now, m.allowBehind = o.Now, o.AllowClockBehind
	}
	if _, err := m.bringIn(ctx); err != nil {
		return nil, while("open", err)
	}
	return m, nil
}

// Store returns the store that the monitor keeps its revisions in.
func (m *Monitor) Store() Store {
	if m.store != nil {
		return m.store
	}
	return &m.own
}

// Constitution returns the constitution in force. Who checks an action twice,
// or several actions by the same rules, takes it once.
func (m *Monitor) Constitution() *Constitution {
	if c := m.current.Load(); c != nil {
		return c
	}
	return emptyConstitution
}

// Check returns the violations of an action. See [Constitution.Check].
func (m *Monitor) Check(a Action) []Violation { return m.Constitution().Check(a) }

// AppendCheck appends the violations of an action to dst. It allocates nothing
// while dst has room. See [Constitution.AppendCheck].
func (m *Monitor) AppendCheck(dst []Violation, a Action) []Violation {
	return m.Constitution().AppendCheck(dst, a)
}

// Allows reports whether no norm forbids an action. See
// [Constitution.Allows].
func (m *Monitor) Allows(a Action) bool { return m.Constitution().Allows(a) }

// Sync brings in what others changed in the store, and returns the number of
// their revisions. It reads only what is new, and publishes all of it at once;
// when it fails, nothing has changed.
//
// The error is [ErrDiverged] if the store no longer has the last revision that
// the monitor knows, for example because a backup was restored: the log goes on
// from another one, or ends before it. Sync notices by the Prev of the first new
// revision; if there is none, it reads the monitor's last revision again. The
// monitor stays as it is then. Open a new one on the store.
func (m *Monitor) Sync(ctx context.Context) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.bringIn(ctx)
	if err != nil {
		return 0, while("sync", err)
	}
	return n, nil
}

// bringIn is Sync with mu held.
func (m *Monitor) bringIn(ctx context.Context) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	p := m.replay()
	linked, err := m.readOn(ctx, p)
	if m.tip.edition > 0 && !linked {
		// Nothing that is new proves that the store still has the last
		// revision that the monitor knows. If it has another one, whatever
		// else was found follows from that.
		if unlike := m.tip.confirm(ctx, m.Store()); err == nil || errors.Is(unlike, ErrDiverged) {
			err = unlike
		}
	}
	if err != nil {
		return 0, err
	}
	n := p.edition - m.tip.edition
	m.publish(p)
	return int(n), nil
}

// readOn adds to p what the store has after the monitor's last revision. It
// reports whether a revision of the store names that one as its predecessor.
func (m *Monitor) readOn(ctx context.Context, p *replay) (linked bool, err error) {
	for r, err := range inOrder(ctx, m.Store(), &p.tip) {
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

// Apply carries out all of its changes, one after the other, or none, and
// returns the revisions that it made: one per change, less those that change
// nothing, which are Enact and Amend of a norm that is in force and equal in
// every field. It stores the revisions first and publishes the new
// constitution second, so nothing is ever in force that the store does not
// hold. Beyond the store's part, its cost is that of the changes, not that of
// the norms in force.
//
// Of its errors, [ErrInvalid] says that a change cannot be carried out as it
// is written: its norm is not valid, or marked as repealed, By or Reason has
// characters that a description cannot have, or it is of no known kind. [ErrExists] says that another norm of
// the name is in force, [ErrNotFound] that none is; Apply says so, and that
// there is nothing to do, only after it has looked for what others changed in
// the store. Where others were faster it brings in what they did and tries
// again; [ErrConflict] says that the store refuses the next edition all the
// same, and [ErrDiverged] that its log is not the one that the monitor followed,
// as [Monitor.Sync] has it.
//
// Apply stamps its revisions with Options.Now, or with the time of the last
// revision if that is later: times never run backwards in a log. A clock that
// once ran ahead therefore marks all later revisions, and [At] of the present
// time does not see them. Apply refuses with ErrInvalid to stamp revisions if its
// clock is more than a day behind the last one: set Options.Now to a clock that
// goes on from there, or Options.AllowClockBehind to go on all the same.
//
// The outcome of any other error may be unknown, for example when ctx ends
// while a commit is under way. What was stored then comes into force with the
// next Apply or Sync. Apply looks at ctx before it begins and hands it to the
// store; it does not look at it while it waits for another Apply.
func (m *Monitor) Apply(ctx context.Context, changes ...Change) ([]Revision, error) {
	for i, c := range changes {
		if err := c.check(); err != nil {
			return nil, c.failed(i, err)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, while("apply", err)
	}
	if len(changes) == 0 {
		return nil, nil
	}
	for fresh := false; ; fresh = true {
		p, revs, err := m.plan(changes)
		if err == nil && len(revs) > 0 {
			// The store must not keep the slice, but it may write to it.
			if err = m.Store().AppendRevisions(ctx, slices.Clone(revs)...); err == nil {
				m.publish(p)
				return revs, nil
			}
			if !errors.Is(err, ErrConflict) {
				return nil, while("apply", err)
			}
			n, failed := m.bringIn(ctx)
			if failed != nil {
				return nil, while("apply: sync after a conflict", failed)
			}
			if n == 0 {
				return nil, while("apply", fmt.Errorf("%w (the store has nothing after edition %d, and refuses the next)", err, m.Constitution().Edition()))
			}
			continue
		}
		if fresh {
			return nil, err
		}
		// What another monitor changed a moment ago counts.
		if _, failed := m.bringIn(ctx); failed != nil {
			return nil, while("apply: sync", failed)
		}
	}
}

// maxBehind is how far a clock may be behind the last revision, which another
// machine may have stamped.
const maxBehind = 24 * time.Hour

// plan returns the revisions that changes come to, and the replay after them.
func (m *Monitor) plan(changes []Change) (*replay, []Revision, error) {
	now := time.Now
	if m.now != nil {
		now = m.now
	}
	p := m.replay()
	clock := now()
	stamp := unixtime.Canonical(clock)
	if p.edition > 0 && instant(clock).Before(instant(p.last)) {
		stamp = unixtime.Canonical(p.last)
	}
	var revs []Revision
	for i, c := range changes {
		old, version, ok, last := p.norm(c.Norm.Name)
		c.Norm.Scope = canonicalScope(c.Norm.Scope)
		switch {
		case c.Kind == KindAdd && ok && c.Norm != old:
			return nil, nil, c.failed(i, fmt.Errorf("%w: another norm of that name is in force, or enacted by a change before: amend it, repeal it first, or give this one another name", ErrExists))
		case c.Kind != KindAdd && !ok:
			return nil, nil, c.failed(i, fmt.Errorf("%w: no norm of that name is in force: see to the name, or enact it first", ErrNotFound))
		case c.Kind != KindRepeal && ok && c.Norm == old:
			continue
		case c.Kind == KindRepeal:
			c.Norm = old
			c.Norm.Repealed = true
		}
		r := Revision{Edition: p.edition + 1, Prev: p.tip.id, Version: version + 1, Change: c, Time: stamp}
		known := identify(r)
		p.push(known, last)
		p.tip = known.tip()
		revs = append(revs, r)
	}
	if len(revs) > 0 && !m.allowBehind && instant(stamp).Sub(instant(clock)) > maxBehind {
		return nil, nil, while("apply", fmt.Errorf("%w clock: it says %s, more than a day before the last revision's %s: "+
			"correct the clock, or set Options.Now to one that goes on from there; if the last revision's time is wrong, set Options.AllowClockBehind",
			ErrInvalid, clock.UTC().Format(time.RFC3339), stamp.Format(time.RFC3339)))
	}
	return p, revs, nil
}

// replay starts from what is in force. It is called with mu held.
func (m *Monitor) replay() *replay {
	c := m.Constitution()
	return &replay{from: c, retired: m.retired, edition: c.Edition(), last: m.last, tip: m.tip}
}

// publish puts in force what p has come to. It is called with mu held.
func (m *Monitor) publish(p *replay) {
	if p.edition == m.Constitution().Edition() {
		return
	}
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
	m.tip, m.last = p.tip, p.last
	m.current.Store(c)
}

// check refuses with ErrInvalid a change that could never be carried out.
func (c Change) check() error {
	switch c.Kind {
	case KindAdd, KindModify:
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

// failed says which change of an Apply met err.
func (c Change) failed(i int, err error) error {
	verb := string(c.Kind)
	switch c.Kind {
	case KindAdd:
		verb = "enact"
	case KindModify:
		verb = "amend"
	}
	return while(fmt.Sprintf("apply change %d (%s %q)", i+1, verb, c.Norm.Name), err)
}
