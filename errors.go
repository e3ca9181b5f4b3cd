package normsync

import (
	"errors"
	"strings"
)

// Errors to test for with [errors.Is].
var (
	ErrInvalid  = errors.New("normsync: invalid")                                // a value is refused: Validate, Compile, Apply, reading JSON, storing
	ErrExists   = errors.New("normsync: norm exists")                            // another norm with that name is in force: Compile, Apply
	ErrNotFound = errors.New("normsync: norm not found")                         // no such norm or edition: Apply, History, AtEdition
	ErrConflict = errors.New("normsync: edition conflict")                       // a revision does not follow the last one: AppendRevisions, Apply
	ErrDiverged = errors.New("normsync: store is not the one that was followed") // for example, a backup was restored: Sync, Apply
	ErrLocked   = errors.New("normsync: store is locked")                        // another process or FileStore writes to it: OpenFile
	ErrBroken   = errors.New("normsync: store is broken")                        // an fsync failed, or another program changed its files: FileStore, until it is opened again
)

// opError returns err with the operation that failed. An error of this package can
// be wrapped several times: its text has the prefix "normsync: " only once.
func opError(op string, err error) error { return &operationError{op, err} }

type operationError struct {
	op  string
	err error
}

func (e *operationError) Error() string {
	return "normsync: " + e.op + ": " + strings.TrimPrefix(e.err.Error(), "normsync: ")
}

func (e *operationError) Unwrap() error { return e.err }
