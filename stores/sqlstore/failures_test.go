package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/stores/sqlstore"
	"github.com/normsync/normsync/stores/sqlstore/internal/pgserver"
	"github.com/normsync/normsync/stores/sqlstore/postgres"
	"github.com/normsync/normsync/stores/sqlstore/sqlite"
)

func TestOpenSQLiteSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "notes.txt")
	require.NoError(t, os.WriteFile(text, make([]byte, 5000), 0o600))
	for _, c := range []struct {
		name, path string
		is         error
		want       string
	}{
		{"an empty path", "", normsync.ErrInvalid, "name a file, or use normsync.MemStore"},
		{"a database in memory", ":memory:", normsync.ErrInvalid, "name a file, or use normsync.MemStore"},
		{"a folder that is not there", filepath.Join(dir, "none", "world.db"), fs.ErrNotExist, "create the folder first"},
		{"a folder", dir, nil, "check that the path is that of a file"},
		{"a file of something else", text, nil, "the file is not an SQLite database; check the path"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := sqlite.Open(t.Context(), c.path)
			require.ErrorContains(t, err, "normsync: open store: ")
			require.ErrorContains(t, err, c.want)
			if c.is != nil {
				require.ErrorIs(t, err, c.is)
			}
		})
	}
	content, err := os.ReadFile(text)
	require.NoError(t, err)
	require.Equal(t, make([]byte, 5000), content, "a file that is not ours stays as it is")
}

func TestSQLiteFileNames(t *testing.T) {
	for _, name := range []string{"a b.db", "50%.db", "a?b=c&d.db", "#1.db", "睡觉.db", "+.db"} {
		path := filepath.Join(t.TempDir(), name)
		s, err := sqlite.Open(t.Context(), path)
		require.NoError(t, err, name)
		require.NoError(t, s.AppendViolations(t.Context(), violation(0)))
		require.NoError(t, s.Close())
		entries, err := os.ReadDir(filepath.Dir(path))
		require.NoError(t, err)
		require.Len(t, entries, 1)
		require.Equal(t, name, entries[0].Name())
		info, err := entries[0].Info()
		require.NoError(t, err)
		if info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
			t.Errorf("%s has mode %v: others must not read it", name, info.Mode())
		}
	}
}

func TestSQLiteLockedByAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "world.db")
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(20)")
	require.NoError(t, err)
	defer db.Close()
	s, err := sqlstore.New(t.Context(), db, sqlstore.SQLite, nil)
	require.NoError(t, err)
	tx, err := openDB(t, "sqlite "+path).BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "UPDATE normsync_counters SET last = last")
	require.NoError(t, err)
	err = s.AppendViolations(t.Context(), violation(0))
	require.ErrorIs(t, err, normsync.ErrLocked)
	require.ErrorContains(t, err, "try again")
	require.Empty(t, all(t, s.Violations(t.Context(), 0)), "reading needs no lock")
	require.NoError(t, tx.Rollback())
	require.NoError(t, s.AppendViolations(t.Context(), violation(0)))
}

// The file may be in use in another journal mode: by another process that has just
// created it, or by the Python tool.
func TestOpenSQLiteWaitsToChangeTheJournalMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "world.db")
	db := openDB(t, "sqlite "+path)
	_, err := db.ExecContext(t.Context(), "CREATE TABLE norms (id TEXT)")
	require.NoError(t, err)
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "INSERT INTO norms (id) VALUES ('1')")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = sqlite.Open(ctx, path)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	opened := make(chan error, 4)
	go func() {
		s, err := sqlite.Open(t.Context(), path)
		if err == nil {
			err = s.Close()
		}
		opened <- err
	}()
	require.NoError(t, tx.Rollback())
	require.NoError(t, receive(t, opened, "the store is open"))
}

// The context may end between any two statements of a call.
func TestACallThatRunsOutOfTimeSaysSo(t *testing.T) {
	eachEngine(t, func(t *testing.T, place string) {
		s := mustOpen(t, place)
		m, err := normsync.Open(t.Context(), s, nil)
		require.NoError(t, err)
		tx, err := openDB(t, place).BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(t.Context(), "UPDATE normsync_counters SET last = last") // so that nothing can be appended
		require.NoError(t, err)
		for limit := time.Duration(0); limit < 8*time.Millisecond; limit += 100 * time.Microsecond {
			for name, call := range map[string]func(context.Context) error{
				"AppendViolations": func(ctx context.Context) error { return s.AppendViolations(ctx, violation(0)) },
				"Apply":            func(ctx context.Context) error { _, err := m.Apply(ctx, enact("late", "")); return err },
				"WaitRevisions":    func(ctx context.Context) error { return s.WaitRevisions(ctx, 0) },
			} {
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				err := call(ctx)
				require.ErrorIs(t, err, context.DeadlineExceeded, "%s within %v", name, limit)
				require.NotErrorIs(t, err, sqlstore.ErrUnknownOutcome, "%s within %v", name, limit)
				cancel()
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			if other, err := open(ctx, place); err == nil {
				require.NoError(t, other.Close())
			} else {
				require.ErrorIs(t, err, context.DeadlineExceeded, "open within %v", limit)
			}
			cancel()
		}
		require.NoError(t, tx.Rollback())
		require.Empty(t, all(t, s.Violations(t.Context(), 0)))
		require.NoError(t, s.AppendViolations(t.Context(), violation(0)))
	})
}

func TestOpenPostgresSaysWhatIsWrong(t *testing.T) {
	server := postgresServer(t, server)
	admin := openDB(t, "postgres "+server.DSN("postgres"))
	for _, statement := range []string{
		"CREATE ROLE guest LOGIN",
		"CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0",
		"CREATE SCHEMA closed",
		"GRANT USAGE ON SCHEMA closed TO guest",
	} {
		_, err := admin.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	for _, c := range []struct{ name, dsn, want string }{
		{"a DSN that cannot be read", "host=/tmp port=many", "invalid port"},
		{"no server", "host=" + t.TempDir() + " user=postgres dbname=postgres", "there is no connection to the server"},
		{"no database", server.DSN("nowhere"), "create the database, or correct the name in the DSN"},
		{"no role", "host=" + server.Dir() + " user=nobody dbname=postgres", "check the user, the password"},
		{"no right to create tables", "host=" + server.Dir() + " user=guest dbname=postgres search_path=closed", "grant the role the right to create tables"},
		{"a server that cannot write", server.DSN("postgres", "search_path=closed", "default_transaction_read_only=on"), "on a server that is not a replica"},
		{"an encoding that cannot hold every text", server.DSN("latin"), "create one with ENCODING 'UTF8'"},
		{"commits that do not wait for the disk", server.DSN("postgres", "search_path=closed", "synchronous_commit=off"), "synchronous_commit is off"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := postgres.Open(t.Context(), c.dsn)
			require.ErrorContains(t, err, "normsync: open store: ")
			require.ErrorContains(t, err, c.want)
		})
	}
	t.Run("no right to write", func(t *testing.T) {
		dsn := newSchema(t, server)
		s, err := postgres.Open(t.Context(), dsn)
		require.NoError(t, err)
		require.NoError(t, s.AppendViolations(t.Context(), violation(0)))
		require.NoError(t, s.Close())
		reader, err := postgres.Open(t.Context(), dsn+" default_transaction_read_only=on")
		require.NoError(t, err, "a replica can be read")
		defer reader.Close()
		require.Len(t, all(t, reader.Violations(t.Context(), 0)), 1)
		require.ErrorContains(t, reader.AppendViolations(t.Context(), violation(1)), "on a server that is not a replica")
	})
}

// While the server is away, violations are lost, and the Recorder counts them.
// Nothing else is lost.
func TestServerThatGoesAway(t *testing.T) {
	server := postgresServer(t, pgserver.Start) // one of its own
	defer func() { require.NoError(t, server.Remove()) }()
	s := mustOpen(t, "postgres "+newSchema(t, server))
	m, err := normsync.Open(t.Context(), s, nil)
	require.NoError(t, err)
	follower, err := normsync.Open(t.Context(), s, nil)
	require.NoError(t, err)

	followed, failed := make(chan normsync.Revision, 10), make(chan error, 1)
	go func() {
		for revs, err := range follower.Follow(t.Context()) {
			if err != nil {
				select {
				case failed <- err:
				default:
				}
			}
			for _, r := range revs {
				followed <- r
			}
		}
	}()
	_, err = m.Apply(t.Context(), enact("before", ""))
	require.NoError(t, err)
	require.Equal(t, "before", receive(t, followed, "the change is in force").Norm.Name)

	var reported atomic.Int64
	r := normsync.NewRecorder(s, &normsync.RecorderOptions{OnError: func(error) { reported.Add(1) }})
	record := func(n int) error {
		for i := range n {
			r.Record(violation(i))
		}
		return r.Flush(t.Context())
	}
	require.NoError(t, record(100))
	require.NoError(t, server.Stop())
	require.Error(t, receive(t, failed, "the goroutine reports"), "Follow reports that the server is gone")
	err = record(70)
	require.ErrorContains(t, err, "there is no connection to the server; try again when it is back")
	require.NotErrorIs(t, err, sqlstore.ErrUnknownOutcome)
	require.NotErrorIs(t, err, normsync.ErrConflict)
	require.NotZero(t, reported.Load())
	_, err = m.Apply(t.Context(), enact("meanwhile", ""))
	require.ErrorContains(t, err, "there is no connection to the server")
	for _, err := range s.Violations(t.Context(), 0) {
		require.ErrorContains(t, err, "there is no connection to the server")
	}
	require.Error(t, s.WaitRevisions(t.Context(), 1))

	require.NoError(t, server.Restart())
	require.NoError(t, record(30))
	_, err = m.Apply(t.Context(), enact("after", ""))
	require.NoError(t, err)
	require.Equal(t, "after", receive(t, followed, "the change is in force").Norm.Name)
	require.Equal(t, normsync.RecorderStats{Recorded: 200, Stored: 130, Failed: 70}, r.Stats())
	require.Len(t, all(t, s.Violations(t.Context(), 0)), 130)
	require.NoError(t, r.Close(t.Context()))
}

// whenCommitting makes COMMIT of a transaction that inserts violations run
// statements of PL/pgSQL.
func whenCommitting(t *testing.T, db *sql.DB, statements string) {
	t.Helper()
	for _, statement := range []string{
		"CREATE SEQUENCE commits",
		"CREATE FUNCTION committing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " + statements + " RETURN NULL; END $$",
		"CREATE CONSTRAINT TRIGGER committing AFTER INSERT ON normsync_violations DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION committing()",
	} {
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
}

func TestSerializationFailureIsTriedAgain(t *testing.T) {
	place := engines[1].place(t)
	s := mustOpen(t, place)
	whenCommitting(t, openDB(t, place), "IF nextval('commits') <= 2 THEN RAISE 'not serializable' USING ERRCODE = '40001'; END IF;")
	require.NoError(t, s.AppendViolations(t.Context(), violation(0)))
	require.Len(t, all(t, s.Violations(t.Context(), 0)), 1)

	_, err := openDB(t, place).ExecContext(t.Context(), "ALTER SEQUENCE commits RESTART INCREMENT -1 MINVALUE -99 START -1")
	require.NoError(t, err)
	err = s.AppendViolations(t.Context(), violation(1))
	require.ErrorContains(t, err, "the server rolled the transaction back, so nothing was stored; try again")
	require.NotErrorIs(t, err, normsync.ErrConflict)
	require.NotErrorIs(t, err, sqlstore.ErrUnknownOutcome)
	require.Len(t, all(t, s.Violations(t.Context(), 0)), 1)
}

func TestConnectionLostDuringCommitLeavesTheOutcomeUnknown(t *testing.T) {
	place := engines[1].place(t)
	s := mustOpen(t, place)
	whenCommitting(t, openDB(t, place), "IF nextval('commits') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;")
	err := s.AppendViolations(t.Context(), violation(0))
	require.ErrorIs(t, err, sqlstore.ErrUnknownOutcome)
	require.ErrorContains(t, err, "normsync: append violations: outcome unknown: ")
	require.ErrorContains(t, err, "read the store to see whether the batch is there")
	require.NotErrorIs(t, err, normsync.ErrConflict)
	require.NoError(t, s.AppendViolations(t.Context(), violation(1)), "the store has other connections")
}

// commitError is an error of the driver, such as a COMMIT may meet.
type commitError struct{ state string }

func (e commitError) Error() string    { return "state " + e.state }
func (e commitError) SQLState() string { return e.state }

func TestOutcomesOfACommitAreToldApart(t *testing.T) {
	for _, c := range []struct {
		name    string
		err     error
		unknown bool
	}{
		{"the connection is lost", errors.New("unexpected EOF"), true},
		{"the server says that it does not know", commitError{"40003"}, true},
		{"the server is shut down", commitError{"57P01"}, true},
		{"the server rolled back", commitError{"40001"}, false},
		{"a constraint is broken", commitError{"23505"}, false},
		{"the end of a context rolled back", sql.ErrTxDone, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.unknown, sqlstore.IsUnknown(sqlstore.PostgreSQL, fmt.Errorf("commit: %w", c.err)))
		})
	}
	require.ErrorIs(t, sqlstore.Explain(sqlstore.PostgreSQL, commitError{"53100"}), syscall.ENOSPC)
	require.True(t, sqlstore.IsTransient(sqlstore.PostgreSQL, commitError{"40P01"}))
	require.False(t, sqlstore.IsTransient(sqlstore.PostgreSQL, commitError{"23505"}))
}
