package normsync

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"
)

// Store keeps the two append-only logs of a world: the revisions of its
// constitution and the violations of its norms. The constitution in force is
// what the revisions add up to, so a Store is all that a world has to keep.
//
// These are the rules of a Store. [TestStore] checks that they are kept.
//
//  1. An empty store yields nothing, and appending nothing changes nothing.
//  2. Revisions and violations come back equal, in the order appended:
//     nanoseconds, newlines and any valid UTF-8 are kept.
//  3. A batch of revisions is all or nothing, for those who read meanwhile,
//     too.
//  4. A revision that does not follow the last one is refused with an error
//     that is [ErrConflict], and changes nothing: its edition must be the next
//     (1, then 2, and so on), and its Prev the ID of the last revision, or
//     zero. In a batch each revision follows the one before it.
//  5. Revisions(after) yields exactly the editions after it.
//  6. A context that is already done changes nothing and is reported; ranging
//     with one yields its error, and nothing else.
//  7. A sequence can be stopped early, and ranged over again, also twice at
//     once.
//  8. An error ends a sequence: it comes once, with a zero value, and nothing
//     follows it.
//  9. Appending while a sequence is ranged over neither deadlocks nor makes
//     the sequence repeat or skip what was there when the range began.
//  10. Arguments are not kept: the caller may overwrite the slice.
//  11. All methods are safe for concurrent use.
//
// A nil error means that the values are kept as safely as the store can keep
// them. An error other than ErrConflict and that of a context which was done
// beforehand may leave the outcome unknown: a batch of revisions may be there,
// then whole, and of a batch of violations the beginning may be there.
type Store interface {
	// AppendRevisions appends a batch of revisions.
	AppendRevisions(ctx context.Context, revs ...Revision) error
	// Revisions yields the revisions with an edition greater than after.
	Revisions(ctx context.Context, after uint64) iter.Seq2[Revision, error]
	// AppendViolations appends a batch of violations.
	AppendViolations(ctx context.Context, vs ...Violation) error
	// Violations yields the violations, oldest first.
	Violations(ctx context.Context) iter.Seq2[Violation, error]
}

// Errors to branch on with errors.Is.
var (
	ErrInvalid  = errors.New("normsync: invalid")                                // a value is refused: Validate, Compile, Apply, reading JSON, storing
	ErrExists   = errors.New("normsync: norm exists")                            // another norm of that name is in force: Compile, Apply
	ErrNotFound = errors.New("normsync: norm not found")                         // no such norm or edition: Apply, History, AtEdition
	ErrConflict = errors.New("normsync: edition conflict")                       // a revision does not follow the last one: AppendRevisions, Apply
	ErrDiverged = errors.New("normsync: store is not the one that was followed") // as after a backup was restored: Sync, Apply
	ErrLocked   = errors.New("normsync: store is locked")                        // another opener writes: OpenFile
	ErrBroken   = errors.New("normsync: store is broken")                        // an fsync failed earlier: FileStore, until it is opened again
)

// History returns the revisions of the norm of that name, oldest first, across
// repeals. It reads the whole log. The error of a name that was never enacted
// is [ErrNotFound].
func History(ctx context.Context, s Store, name string) ([]Revision, error) {
	what := fmt.Sprintf("history of %q", name)
	var revs []Revision
	for r, err := range inOrder(ctx, s, new(tip)) {
		if err != nil {
			return nil, while(what, err)
		}
		if r.Norm.Name == name {
			revs = append(revs, r.Revision)
		}
	}
	if len(revs) == 0 {
		return nil, while(what, fmt.Errorf("%w: no revision has that name", ErrNotFound))
	}
	return revs, nil
}

// At returns the constitution as it stood at time t, with the revisions made
// at that very instant. It reads the log up to there. Checking the same
// actions against it gives the same violations again.
//
// The times are those that [Monitor.Apply] stamped the revisions with. If a clock
// once ran ahead, say to 2099, that revision and all later ones bear a time of
// 2099 or later, so At of the present time is the constitution before them, though
// they are in force. [AtEdition] does not depend on clocks.
func At(ctx context.Context, s Store, t time.Time) (*Constitution, error) {
	p := replay{from: emptyConstitution}
	for r, err := range inOrder(ctx, s, &p.tip) {
		if err == nil {
			if instant(r.Time).After(instant(t)) {
				break
			}
			err = p.add(r)
		}
		if err != nil {
			return nil, while("constitution at "+t.Format(time.RFC3339Nano), err)
		}
	}
	return p.constitution(), nil
}

// AtEdition returns the constitution as it stood after that many revisions,
// which may be in the middle of an Apply. It reads the log up to there. The
// error of an edition that the store does not have yet is [ErrNotFound].
func AtEdition(ctx context.Context, s Store, edition uint64) (*Constitution, error) {
	what := fmt.Sprintf("constitution at edition %d", edition)
	if err := ctx.Err(); err != nil {
		return nil, while(what, err)
	}
	p := replay{from: emptyConstitution}
	if edition == 0 {
		return p.constitution(), nil
	}
	for r, err := range inOrder(ctx, s, &p.tip) {
		if err == nil {
			err = p.add(r)
		}
		if err != nil {
			return nil, while(what, err)
		}
		if r.Edition == edition {
			return p.constitution(), nil
		}
	}
	return nil, while(what, fmt.Errorf("%w: the last edition is %d", ErrNotFound, p.edition))
}

// tip is the last revision of a log, as far as the log is known. The zero tip is
// the beginning of every log.
type tip struct {
	edition uint64
	id      ID
}

// identified is a revision with its ID and its norm's, so that they are computed
// once on the way from a store to a constitution.
type identified struct {
	Revision
	id, normID ID
}

func identify(r Revision) identified {
	normID := r.Norm.ID()
	return identified{r, r.idWith(normID), normID}
}

func (r identified) tip() tip { return tip{r.Edition, r.id} }

// inOrder yields the revisions of s after last, and moves last along with them.
// A revision that does not follow the one before it is an error.
func inOrder(ctx context.Context, s Store, last *tip) iter.Seq2[identified, error] {
	return func(yield func(identified, error) bool) {
		for r, err := range revisions(ctx, s, last.edition) {
			switch {
			case err != nil:
			case r.Edition != last.edition+1:
				err = fmt.Errorf("%w log: edition %d follows edition %d: editions are 1, 2, 3, …", ErrInvalid, r.Edition, last.edition)
			case !r.follows(last.id):
				err = fmt.Errorf("%w log: edition %d has Prev %v, but the revision before it is %v: revisions were replaced or removed; restore the log from a backup", ErrInvalid, r.Edition, r.Prev, last.id)
			}
			if err != nil {
				yield(identified{}, err)
				return
			}
			*last = r.tip()
			if !yield(r, nil) {
				return
			}
		}
	}
}

// confirm returns an error that is ErrDiverged unless the tip, which is not the
// zero one, is a revision of s. It reads this one revision.
func (t tip) confirm(ctx context.Context, s Store) error {
	for r, err := range revisions(ctx, s, t.edition-1) {
		if err == nil && r.tip() != t {
			err = diverged("its edition %d is %v, but edition %d was %v", r.Edition, r.id, t.edition, t.id)
		}
		return err
	}
	return diverged("it ends before edition %d", t.edition)
}

func diverged(format string, args ...any) error {
	return fmt.Errorf("%w: %s; if a backup was restored, open a new monitor on the store", ErrDiverged, fmt.Sprintf(format, args...))
}

// revisions is s.Revisions with the IDs of the revisions. It accepts a store that
// returns no sequence.
func revisions(ctx context.Context, s Store, after uint64) iter.Seq2[identified, error] {
	if s, ok := s.(*FileStore); ok {
		return s.identified(ctx, after) // it has checked the IDs, and so computed them
	}
	seq := s.Revisions(ctx, after)
	return func(yield func(identified, error) bool) {
		if seq == nil {
			yield(identified{}, errors.New("normsync: the store's Revisions returned no sequence"))
			return
		}
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

// while says during what an error happened. Its text has the package's name
// in front once, however often an error was wrapped.
func while(what string, err error) error { return &whileError{what, err} }

type whileError struct {
	what string
	err  error
}

func (e *whileError) Error() string {
	return "normsync: " + e.what + ": " + strings.TrimPrefix(e.err.Error(), "normsync: ")
}

func (e *whileError) Unwrap() error { return e.err }
