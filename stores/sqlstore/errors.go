package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/normsync/normsync"
)

// ErrUnknownOutcome is the error of an append whose transaction may or may not
// have been committed, because the connection was lost, or the disk failed, before
// the database said so.
var ErrUnknownOutcome = errors.New("normsync: outcome unknown")

// opError says during what an error happened, or returns nil if there is none.
// The package's name stands in front of the text once.
func opError(verb string, err error) error {
	if err == nil {
		return nil
	}
	return &storeError{verb, err}
}

type storeError struct {
	verb string
	err  error
}

func (e *storeError) Error() string {
	return "normsync: " + e.verb + ": " + strings.TrimPrefix(e.err.Error(), "normsync: ")
}

func (e *storeError) Unwrap() error { return e.err }

// hint adds to an error what to do about it, and a value for errors.Is.
func hint(err error, is error, advice string) error {
	if is == nil {
		return fmt.Errorf("%w; %s", err, advice)
	}
	return fmt.Errorf("%w: %w; %s", is, err, advice)
}

// Primary result codes of SQLite.
const (
	sqliteBusy       = 5
	sqliteReadOnly   = 8
	sqliteIOErr      = 10
	sqliteCorrupt    = 11
	sqliteFull       = 13
	sqliteCantOpen   = 14
	sqliteConstraint = 19
	sqliteNotADB     = 26
)

// sqliteCode returns the primary result code of an error of SQLite, or 0.
func sqliteCode(err error) int {
	var coded interface{ Code() int } // *sqlite.Error of modernc.org/sqlite
	if errors.As(err, &coded) {
		return coded.Code() & 0xff
	}
	return 0
}

// explain says what an error of a call with this context means, and what to do. The end of
// the context may close the connection, and then the next statement says that only.
func (s *Store) explain(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		err = fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return s.engine.explain(err)
}

func explainSQLite(err error) error {
	switch sqliteCode(err) {
	case sqliteBusy:
		return hint(err, normsync.ErrLocked, "another process kept the database locked for longer than the busy_timeout; try again")
	case sqliteReadOnly:
		return hint(err, nil, "make the file and its folder writable")
	case sqliteIOErr:
		return hint(err, nil, "check the disk")
	case sqliteCorrupt:
		return hint(err, nil, "the file is damaged; restore it from a backup")
	case sqliteFull:
		return hint(err, syscall.ENOSPC, "make room; the store stays usable")
	case sqliteCantOpen:
		return hint(err, nil, "check that the path is that of a file, in a folder that exists, and that both are writable, since SQLite keeps files beside it")
	case sqliteNotADB:
		return hint(err, nil, "the file is not an SQLite database; check the path")
	}
	return err
}

// isUnknownSQLite reports whether a COMMIT with this error may have reached the
// disk. All other errors, and the end of a context, roll back.
func isUnknownSQLite(err error) bool { return sqliteCode(err) == sqliteIOErr }

func isDuplicateSQLite(err error) bool { return sqliteCode(err) == sqliteConstraint }

func isDuplicatePostgres(err error) bool { return sqlState(err) == "23505" }

// sqlState returns the SQLSTATE of an error that the server of PostgreSQL sent,
// or "".
func sqlState(err error) string {
	var coded interface{ SQLState() string } // *pgconn.PgError, *pq.Error
	if errors.As(err, &coded) {
		return coded.SQLState()
	}
	return ""
}

func explainPostgres(err error) error {
	state := sqlState(err)
	class := state
	if len(class) > 2 {
		class = class[:2]
	}
	var network net.Error
	switch {
	case err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	case state == "53100":
		return hint(err, syscall.ENOSPC, "make room on the server; the store stays usable")
	case state == "42501" || state == "25006":
		return hint(err, nil, "grant the role the right to create tables, or to read and write those that are there, on a server that is not a replica")
	case state == "3D000":
		return hint(err, nil, "create the database, or correct the name in the DSN")
	case class == "28":
		return hint(err, nil, "check the user, the password, and the server's pg_hba.conf")
	case class == "57" || class == "53":
		return hint(err, nil, "the server is shutting down, starting or out of resources; try again later")
	case class == "40":
		return hint(err, nil, "the server rolled the transaction back, so nothing was stored; try again")
	case state == "" && (errors.Is(err, driver.ErrBadConn) || errors.As(err, &network) || errors.Is(err, net.ErrClosed)):
		return hint(err, nil, "there is no connection to the server; try again when it is back")
	}
	return err
}

// isTransientPostgres reports whether the server asks for the transaction to be
// tried again: a serialization failure or a deadlock. It has stored nothing.
func isTransientPostgres(err error) bool {
	state := sqlState(err)
	return state == "40001" || state == "40P01"
}

// isUnknownPostgres reports whether the transaction of a failed COMMIT may be
// stored. Only the server can say that it is not, unless the context ended and the
// transaction was rolled back instead.
func isUnknownPostgres(err error) bool {
	if errors.Is(err, sql.ErrTxDone) {
		return false
	}
	switch state := sqlState(err); state {
	case "40003", "": // statement completion unknown, no answer
		return true
	default:
		return !strings.HasPrefix(state, "40") && !strings.HasPrefix(state, "23")
	}
}
