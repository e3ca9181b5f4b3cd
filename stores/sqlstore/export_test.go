package sqlstore

import (
	"context"
	"slices"
	"time"

	"github.com/normsync/normsync"
)

// SelectViolations returns the statement for a page of q, and its arguments.
func (s *Store) SelectViolations(q normsync.ViolationQuery) (query string, args []any) {
	query, args = s.selectViolations(q)
	return s.engine.bind(query + " LIMIT ?"), append(args, 50)
}

// SelectWindow returns the statement for the bounds of time of q, and its
// arguments.
func (s *Store) SelectWindow(q normsync.ViolationQuery) (query string, args []any) {
	query, args = s.selectWindow(q)
	return s.engine.bind(query), args
}

// IsUnknown, IsTransient and Explain are what a store makes of an error.
func IsUnknown(d Dialect, err error) bool   { return engines[d].isUnknown(err) }
func IsTransient(d Dialect, err error) bool { return engines[d].isTransient(err) }
func Explain(d Dialect, err error) error    { return engines[d].explain(err) }

// PollPause is how long a store pauses between two looks at an SQLite file.
func PollPause(poll time.Duration, unchanged int) time.Duration { return pollPause(poll, unchanged) }

// MigrateBy migrates the tables as a later version of this package would, that has
// more migrations.
func (s *Store) MigrateBy(ctx context.Context, more ...string) error {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return s.migrate(ctx, conn, append(slices.Clone(migrations), more...))
}
