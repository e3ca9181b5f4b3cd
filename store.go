package normsync

import (
	"context"
	"iter"
)

// Store keeps two append-only logs: the revisions of a constitution, and the
// violations of its norms. The constitution in force is the result of the
// revisions, so there is no other state to keep.
//
// A Store follows these rules. [TestStore] checks them.
//
//  1. An empty store yields nothing, and appending nothing changes nothing.
//  2. Revisions and violations come back equal, in the order appended, violations
//     with the numbers 1, 2, 3, and so on. Nanoseconds, newlines and any valid UTF-8
//     are kept.
//  3. A batch of revisions is all or nothing, also for concurrent readers.
//  4. A revision that does not follow the last one is refused with [ErrConflict],
//     and changes nothing. Its Edition must be the next one (1, then 2, and so
//     on), and its Prev must be the ID of the last revision, or zero. In a batch
//     each revision must follow the one before it.
//  5. Revisions(after) yields exactly the editions after it, and Violations(after)
//     exactly the violations with a greater number, also if the oldest violations
//     were deleted.
//  6. A context that is already done changes nothing and is reported. Ranging
//     with such a context yields its error, and nothing else.
//  7. A sequence can be stopped early, and ranged over again, even by two loops
//     at once.
//  8. An error ends a sequence. It is yielded once, with a zero value.
//  9. Appending while ranging neither deadlocks nor repeats or skips what was
//     there when the range began.
//  10. Arguments are not kept. The caller may overwrite the slice.
//  11. A store is safe for concurrent use.
//  12. A value that could not be read back is refused with [ErrInvalid], and
//     nothing is stored. Examples are a revision of an unknown kind, and metadata
//     that is not JSON.
//
// A nil error means that the values are kept as safely as the store can keep
// them. After ErrConflict, ErrInvalid, or the error of a context that was done
// before the call, nothing was stored. After any other error the outcome may be
// unknown: a batch of revisions may have been stored as a whole, and a batch of
// violations may have been stored in part, from its beginning.
type Store interface {
	// AppendRevisions appends a batch of revisions.
	AppendRevisions(ctx context.Context, revs ...Revision) error
	// Revisions returns an iterator over the revisions with an edition greater
	// than after.
	Revisions(ctx context.Context, after uint64) iter.Seq2[Revision, error]
	// AppendViolations appends a batch of violations.
	AppendViolations(ctx context.Context, vs ...Violation) error
	// Violations returns an iterator over the violations with a number greater than
	// after, oldest first.
	Violations(ctx context.Context, after uint64) iter.Seq2[StoredViolation, error]
}

// StoredViolation is a violation with its number in its store. Numbers are 1, 2, 3, …
// in the order in which the violations were appended. A store that deletes the oldest
// violations does not use their numbers again, so a gap between two numbers, or in
// front of the first, tells how many violations are missing.
type StoredViolation struct {
	Number uint64
	Violation
}
