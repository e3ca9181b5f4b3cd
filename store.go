package normsync

import (
	"context"
	"errors"
	"iter"
)

// Store keeps the two logs of a world: the revisions of its constitution and
// the violations of its norms.
type Store interface {
	AppendRevisions(ctx context.Context, revs ...Revision) error
	Revisions(ctx context.Context, after uint64) iter.Seq2[Revision, error]
	AppendViolations(ctx context.Context, vs ...Violation) error
	Violations(ctx context.Context) iter.Seq2[Violation, error]
}

// Errors to branch on with errors.Is.
var (
	ErrInvalid  = errors.New("normsync: invalid")          // a value is refused: Validate, Compile, Apply, reading JSON, storing
	ErrExists   = errors.New("normsync: norm exists")      // another norm of that name is in force: Compile, Apply
	ErrNotFound = errors.New("normsync: norm not found")   // no such norm or edition: Apply, History, AtEdition
	ErrConflict = errors.New("normsync: edition conflict") // the edition is not the next: AppendRevisions, Apply
	ErrLocked   = errors.New("normsync: store is locked")  // another opener writes: OpenFile
	ErrBroken   = errors.New("normsync: store is broken")  // an fsync failed earlier: FileStore, until it is opened again
)
