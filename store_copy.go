package normsync

import (
	"context"
	"fmt"
)

// Copy copies a store to another one: first its revisions, then its violations. Use
// it to move a world to another kind of store.
//
// Copy continues after the last revision and the last violation that the target
// already holds. So call it again after an error, or to copy what was appended
// since the last call. If the source does not hold the target's last revision or
// violation, the error is [ErrDiverged]. No other program may write to the target
// until the move is complete.
//
// An append to the target never ends within an Apply. In the target violations are
// numbered from 1, even if the source has deleted its oldest ones. The source must
// not delete more of them between two calls of Copy, because the numbers tell
// where to continue.
//
// Copy reads all revisions of the target. It holds about 1,000 values in memory, and
// more if an Apply made more revisions.
func Copy(ctx context.Context, from, to Store) error {
	if err := copyRevisions(ctx, from, to); err != nil {
		return opError("copy revisions", err)
	}
	if err := copyViolations(ctx, from, to); err != nil {
		return opError("copy violations", err)
	}
	return nil
}

// copyBatch is how many values are appended at once.
const copyBatch = 1000

func copyRevisions(ctx context.Context, from, to Store) error {
	var last Revision // of the target
	for r, err := range to.Revisions(ctx, 0) {
		if err != nil {
			return err
		}
		last = r
	}
	if last.Edition > 0 {
		if err := holdsRevision(ctx, from, last); err != nil {
			return err
		}
	}
	var batch []Revision
	for r, err := range from.Revisions(ctx, last.Edition) {
		if err != nil {
			return err
		}
		// The revisions of an Apply have the same time. They stay together, so
		// that a reader of the target sees all of an Apply or none of it.
		if n := len(batch); n >= copyBatch && !r.Time.Equal(batch[n-1].Time) {
			if err := to.AppendRevisions(ctx, batch...); err != nil {
				return err
			}
			batch = nil // a faulty store may have kept it
		}
		batch = append(batch, r)
	}
	if len(batch) == 0 {
		return nil
	}
	return to.AppendRevisions(ctx, batch...)
}

// holdsRevision returns an error that is ErrDiverged if from does not hold r.
func holdsRevision(ctx context.Context, from Store, r Revision) error {
	for other, err := range from.Revisions(ctx, r.Edition-1) {
		if err != nil {
			return err
		}
		if other == r {
			return nil
		}
		break
	}
	return fmt.Errorf("%w: edition %d of the target is not in the source; copy to an empty store", ErrDiverged, r.Edition)
}

func copyViolations(ctx context.Context, from, to Store) error {
	after, err := copiedViolations(ctx, from, to)
	if err != nil {
		return err
	}
	var batch []Violation
	for v, err := range from.Violations(ctx, after) {
		if err != nil {
			return err
		}
		batch = append(batch, v.Violation)
		if len(batch) == copyBatch {
			if err := to.AppendViolations(ctx, batch...); err != nil {
				return err
			}
			batch = nil
		}
	}
	if len(batch) == 0 {
		return nil
	}
	return to.AppendViolations(ctx, batch...)
}

// copiedViolations returns the number in from of the last violation that to has.
func copiedViolations(ctx context.Context, from, to Store) (number uint64, err error) {
	first := uint64(1)
	for v, err := range from.Violations(ctx, 0) {
		if err != nil {
			return 0, err
		}
		first = v.Number
		break
	}
	for last, err := range QueryViolations(ctx, to, ViolationQuery{Newest: true, Limit: 1}) {
		if err != nil {
			return 0, err
		}
		number := first - 1 + last.Number
		for v, err := range from.Violations(ctx, number-1) {
			if err != nil {
				return 0, err
			}
			if v.Number == number && v.Violation == last.Violation {
				return number, nil
			}
			break
		}
		return 0, fmt.Errorf("%w: violation %d of the target is not violation %d of the source; copy to an empty store", ErrDiverged, last.Number, number)
	}
	return first - 1, nil
}
