package normsync

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
)

// History returns the revisions of the norm with that name, oldest first. A
// norm that was repealed and enacted again has one history. History reads the
// whole log. It fails with [ErrNotFound] if no revision has the name, and with
// [ErrInvalid] if an edition is missing from the log, or the log is not a hash chain.
func History(ctx context.Context, s Store, name string) ([]Revision, error) {
	op := fmt.Sprintf("history of %q", name)
	var revs []Revision
	for r, err := range readLog(ctx, s, tip{}) {
		if err != nil {
			return nil, opError(op, err)
		}
		if r.Norm.Name == name {
			revs = append(revs, r.Revision)
		}
	}
	if len(revs) == 0 {
		return nil, opError(op, fmt.Errorf("%w: no revision has that name", ErrNotFound))
	}
	return revs, nil
}

// At returns the constitution as it stood at time t, including the revisions
// made at exactly t. Checking the same actions against it gives the same
// violations again. At reads the log up to t. It fails with [ErrInvalid] if that part of
// the log is not valid.
//
// At goes by the times that [Monitor.Apply] stamped the revisions with, which
// never run backwards. If a clock once ran ahead, say to 2099, then that revision
// and all later ones have a time of 2099 or later. At of the present time is then
// the constitution before them, although they are in force. [AtEdition] does not
// depend on clocks.
func At(ctx context.Context, s Store, t time.Time) (*Constitution, error) {
	p := replay{from: emptyConstitution}
	for r, err := range readLog(ctx, s, tip{}) {
		if err == nil && instant(r.Time).After(instant(t)) {
			break
		}
		if err == nil {
			err = p.add(r)
		}
		if err != nil {
			return nil, opError("constitution at "+t.Format(time.RFC3339Nano), err)
		}
	}
	return p.constitution(), nil
}

// AtEdition returns the constitution as it stood after the revision with that
// edition, which may be one of several revisions of an Apply. Edition 0 is the
// empty constitution. AtEdition reads the log up to that edition. It fails with
// [ErrNotFound] if the store does not have the edition, and with [ErrInvalid] if
// that part of the log is not valid.
func AtEdition(ctx context.Context, s Store, edition uint64) (*Constitution, error) {
	op := fmt.Sprintf("constitution at edition %d", edition)
	if err := ctx.Err(); err != nil {
		return nil, opError(op, err)
	}
	if edition == 0 {
		return emptyConstitution, nil
	}
	p := replay{from: emptyConstitution}
	for r, err := range readLog(ctx, s, tip{}) {
		if err == nil {
			err = p.add(r)
		}
		if err != nil {
			return nil, opError(op, err)
		}
		if r.Edition == edition {
			return p.constitution(), nil
		}
	}
	return nil, opError(op, fmt.Errorf("%w: the last edition is %d", ErrNotFound, p.tip.edition))
}

// Editions yields the constitution after each Apply of the store's log, oldest first.
// It reads the log once. A log does not say where an Apply ended, but all revisions of
// an Apply have the same time: so revisions with the same time count as one Apply.
//
// The constitutions share memory for what they have in common. An error ends the
// sequence. It wraps [ErrInvalid] if the log is not valid.
func Editions(ctx context.Context, s Store) iter.Seq2[*Constitution, error] {
	return func(yield func(*Constitution, error) bool) {
		var m Monitor // carries on the constitution; nothing else uses it
		p := m.replay()
		for r, err := range readLog(ctx, s, tip{}) {
			if err == nil && p.tip.edition > m.tip.edition && !instant(r.Time).Equal(instant(p.tip.time)) {
				m.commit(p)
				if !yield(m.Constitution(), nil) {
					return
				}
				p = m.replay()
			}
			if err == nil {
				err = p.add(r)
			}
			if err != nil {
				yield(nil, opError("editions", err))
				return
			}
		}
		if p.tip.edition > m.tip.edition {
			m.commit(p)
			yield(m.Constitution(), nil)
		}
	}
}

// readLog yields the revisions of s after a tip. It is the one place where a log
// is checked to be a chain. A revision that does not follow the one before it is
// an error, and ends the sequence.
func readLog(ctx context.Context, s Store, after tip) iter.Seq2[identified, error] {
	return func(yield func(identified, error) bool) {
		last := after
		for r, err := range identifiedRevisions(ctx, s, after.edition) {
			if err == nil {
				if err = last.precedes(r.Revision); err != nil {
					err = fmt.Errorf("%w log: %w; restore the log from a backup", ErrInvalid, err)
				}
			}
			if err != nil {
				yield(identified{}, err)
				return
			}
			last = r.tip()
			if !yield(r, nil) {
				return
			}
		}
	}
}

// identified is a revision with its ID and the ID of its norm. Each is computed
// once on the way from a store to a constitution.
type identified struct {
	Revision
	id, normID ID
}

func identify(r Revision) identified {
	normID := r.Norm.ID()
	return identified{r, r.idWith(normID), normID}
}

func (r identified) tip() tip { return tip{r.Edition, r.id, r.Time} }

// identifiedRevisions is s.Revisions with the IDs of the revisions.
func identifiedRevisions(ctx context.Context, s Store, after uint64) iter.Seq2[identified, error] {
	if s, ok := s.(*FileStore); ok {
		return s.identified(ctx, after) // decoding has computed the IDs to check them
	}
	seq := orNoSequence(s.Revisions(ctx, after), "Revisions")
	return func(yield func(identified, error) bool) {
		for r, err := range seq {
			if err != nil {
				yield(identified{}, err)
				return
			}
			if !yield(identify(r), nil) {
				return
			}
		}
	}
}

// orNoSequence returns seq, or, if a method of a store has returned nil, a sequence that
// yields an error.
func orNoSequence[T any](seq iter.Seq2[T, error], method string) iter.Seq2[T, error] {
	if seq != nil {
		return seq
	}
	return func(yield func(T, error) bool) {
		var zero T
		yield(zero, fmt.Errorf("normsync: the store's %s returned no sequence", method))
	}
}

// tip is the last revision of a log, which the next revision has to follow. An
// empty log has the zero tip.
type tip struct {
	edition uint64
	id      ID
	time    time.Time
}

// precedes returns an error if r cannot follow the tip: if its edition is not the
// next one, or if it has a Prev that is not the ID of the tip.
func (t tip) precedes(r Revision) error {
	switch {
	case r.Edition == 0:
		return errors.New("edition 0: the first edition is 1")
	case r.Edition != t.edition+1:
		return fmt.Errorf("edition %d does not follow edition %d", r.Edition, t.edition)
	case !r.follows(t.id):
		return fmt.Errorf("edition %d has Prev %v, but the revision before it is %v", r.Edition, r.Prev, t.id)
	}
	return nil
}

// extend returns the tip after a batch of revisions. It fails with ErrConflict if
// one of them does not follow the one before it.
func (t tip) extend(batch []Revision) (tip, error) {
	for _, r := range batch {
		if err := t.precedes(r); err != nil {
			return t, fmt.Errorf("%w: %w", ErrConflict, err)
		}
		t = identify(r).tip()
	}
	return t, nil
}

// confirm returns an error that is ErrDiverged if s does not have the tip. It
// reads one revision. The tip must not be zero.
func (t tip) confirm(ctx context.Context, s Store) error {
	for r, err := range identifiedRevisions(ctx, s, t.edition-1) {
		if err == nil && (r.Edition != t.edition || r.id != t.id) {
			err = diverged("its edition %d is %v, but edition %d was %v", r.Edition, r.id, t.edition, t.id)
		}
		return err
	}
	return diverged("it ends before edition %d", t.edition)
}

func diverged(format string, args ...any) error {
	return fmt.Errorf("%w: %s; if a backup was restored, open a new monitor on the store", ErrDiverged, fmt.Sprintf(format, args...))
}

// replay carries a constitution on through a log of revisions. At and AtEdition
// replay from the empty constitution. Monitor replays on top of its current state
// and commits the result only on success.
type replay struct {
	from    *Constitution
	retired map[string]int // last versions of names that are not in force in from; only read
	latest  outcomes       // of the revisions after from
	tip     tip            // the last revision
}

// add checks the next revision of readLog and carries it out. readLog has checked
// that the revision follows the one before it; add checks all else that a
// constitution depends on, since a log may have been written by other programs or
// by hand.
func (p *replay) add(r identified) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w log: edition %d (%s %q) %s; restore the log from a backup", ErrInvalid, r.Edition, r.Kind, r.Norm.Name, fmt.Sprintf(format, args...))
	}
	_, version, inForce, last := p.norm(r.Norm.Name)
	switch r.Kind {
	case KindEnact:
		if inForce {
			return bad("adds a norm with a name that is in force")
		}
	case KindAmend, KindRepeal:
		if !inForce {
			return bad("is about a name that is not in force")
		}
	default:
		return bad("has an unknown kind: the kinds are add, modify and repeal")
	}
	if r.Version != version+1 {
		return bad("has version %d after version %d", r.Version, version)
	}
	if r.Kind != KindRepeal {
		if r.Norm.Repealed {
			return bad("puts a norm in force that is marked as repealed")
		}
		if err := r.Norm.validateStored(); err != nil {
			return fmt.Errorf("%w (edition %d of the log)", err, r.Edition)
		}
		r.Norm = r.Norm.canonicalIfValid()
	}
	if r.Edition > 1 && instant(r.Time).Before(instant(p.tip.time)) {
		return bad("has the time %s, before its predecessor's %s: times never run backwards", r.Time.Format(time.RFC3339Nano), p.tip.time.Format(time.RFC3339Nano))
	}
	p.push(r, last)
	return nil
}

// norm returns the norm in force with that name, if there is one, the last version
// of the name, and the outcome of the name to pass to push.
func (p *replay) norm(name string) (n Norm, version int, inForce bool, last *outcome) {
	if last = p.latest.of(name); last != nil {
		return last.norm, last.version, !last.norm.Repealed, last
	}
	if n, version, ok := p.from.versioned(name); ok {
		return n, version, true, nil
	}
	return Norm{}, p.retired[name], false, nil
}

// push carries out a revision that is known to be valid. The outcome is the one
// that norm returned for its name.
func (p *replay) push(r identified, last *outcome) {
	p.latest.put(r, last)
	p.tip = r.tip()
}

// constitution returns the constitution after the last revision. It compiles each
// name once, however many revisions the name has.
func (p *replay) constitution() *Constitution { return p.from.after(p.tip.edition, &p.latest) }

// outcomes holds the result of the last revision of each name. Its memory grows
// with the number of names, not with the number of revisions.
type outcomes struct {
	byName map[string]*outcome
	blocks [][]outcome // hold what byName points to; an outcome never moves
}

// outcome is the result of the last revision of a name.
type outcome struct {
	norm    Norm // if it is not in force: only its name, and Repealed
	id      ID   // of norm
	version int
}

const outcomesPerBlock = 256

// put replaces last, which is the outcome of r's name, or adds one if last is nil.
func (o *outcomes) put(r identified, last *outcome) {
	next := outcome{r.Norm, r.normID, r.Version}
	if r.Kind == KindRepeal {
		next.norm = Norm{Name: r.Norm.Name, Repealed: true}
	}
	if last != nil {
		*last = next
		return
	}
	if o.byName == nil {
		o.byName = make(map[string]*outcome)
	}
	n := len(o.blocks) - 1
	if n < 0 || len(o.blocks[n]) == cap(o.blocks[n]) {
		n++
		o.blocks = append(o.blocks, make([]outcome, 0, min(1+len(o.byName), outcomesPerBlock)))
	}
	o.blocks[n] = append(o.blocks[n], next)
	o.byName[r.Norm.Name] = &o.blocks[n][len(o.blocks[n])-1]
}

// of returns the outcome of a name, or nil if the name has none.
func (o *outcomes) of(name string) *outcome { return o.byName[name] }

// len returns the number of names.
func (o *outcomes) len() int { return len(o.byName) }

// all yields the outcomes in the order in which their names were first put.
func (o *outcomes) all() iter.Seq[*outcome] {
	return func(yield func(*outcome) bool) {
		for _, block := range o.blocks {
			for i := range block {
				if !yield(&block[i]) {
					return
				}
			}
		}
	}
}

// instant returns t, or the time that the zero time is stored as: 1970.
func instant(t time.Time) time.Time {
	if t.IsZero() {
		return time.Unix(0, 0)
	}
	return t
}
