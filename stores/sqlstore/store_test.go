package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/stores/sqlstore"
	"github.com/normsync/normsync/stores/sqlstore/postgres"
	"github.com/normsync/normsync/stores/sqlstore/sqlite"
)

func TestStoreKeepsTheRules(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			e.place(t) // skips the test if there is no server
			require.NoError(t, normsync.TestStore(func() (normsync.Store, error) {
				return mustOpen(t, e.place(t)), nil
			}))
		})
	}
}

func TestStoreIsThereWhenItIsOpenedAgain(t *testing.T) {
	eachEngine(t, func(t *testing.T, place string) {
		s := mustOpen(t, place)
		m, err := normsync.Open(t.Context(), s, nil)
		require.NoError(t, err)
		_, err = m.Apply(t.Context(), enact("one", "zoe"), enact("two", "zoe"))
		require.NoError(t, err)
		require.NoError(t, s.AppendViolations(t.Context(), violation(0), violation(1)))
		revs, vs := all(t, s.Revisions(t.Context(), 0)), all(t, s.Violations(t.Context(), 0))
		require.NoError(t, s.Close())

		s = mustOpen(t, place)
		require.Equal(t, revs, all(t, s.Revisions(t.Context(), 0)))
		require.Equal(t, vs, all(t, s.Violations(t.Context(), 0)))
		require.NoError(t, s.AppendViolations(t.Context(), violation(2)))
		require.Equal(t, uint64(3), all(t, s.Violations(t.Context(), 2))[0].Number)
	})
}

// SQLite removes the files beside the database when the last connection is closed.
func TestCloseLeavesNoFilesBesideTheDatabase(t *testing.T) {
	for range 20 {
		dir := t.TempDir()
		s, err := sqlite.Open(t.Context(), filepath.Join(dir, "world.db"))
		require.NoError(t, err)
		waited := make(chan error, 3)
		for range cap(waited) {
			go func() { waited <- s.WaitRevisions(t.Context(), 0) }()
		}
		require.NoError(t, s.AppendViolations(t.Context(), violation(0)))
		require.NoError(t, s.Close())
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		require.NoError(t, err)
		require.Equal(t, []string{filepath.Join(dir, "world.db")}, files)
		for range cap(waited) {
			require.ErrorIs(t, receive(t, waited, "WaitRevisions returns"), fs.ErrClosed)
		}
	}
}

func TestClosedStoreReportsErrClosed(t *testing.T) {
	eachEngine(t, func(t *testing.T, place string) {
		s := mustOpen(t, place)
		waited := make(chan error, 4)
		go func() { waited <- s.WaitRevisions(t.Context(), 0) }()
		require.NoError(t, s.Close())
		require.ErrorIs(t, receive(t, waited, "WaitRevisions returns"), fs.ErrClosed)
		require.ErrorIs(t, s.Close(), fs.ErrClosed)
		require.ErrorIs(t, s.AppendViolations(t.Context(), violation(0)), fs.ErrClosed)
		require.ErrorIs(t, s.AppendRevisions(t.Context()), fs.ErrClosed)
		require.ErrorIs(t, s.WaitRevisions(t.Context(), 0), fs.ErrClosed)
		for _, err := range s.Violations(t.Context(), 0) {
			require.ErrorIs(t, err, fs.ErrClosed)
		}
		for _, err := range s.Revisions(t.Context(), 0) {
			require.ErrorIs(t, err, fs.ErrClosed)
		}
	})
}

// Sequences read pages, by number of rows and by size.
func TestSequencesYieldManyAndLargeValues(t *testing.T) {
	eachEngine(t, func(t *testing.T, place string) {
		s := mustOpen(t, place)
		m, err := normsync.Open(t.Context(), s, nil)
		require.NoError(t, err)
		changes := make([]normsync.Change, 1500)
		for i := range changes {
			changes[i] = enact(fmt.Sprintf("norm %d", i), "zoe")
		}
		_, err = m.Apply(t.Context(), changes...)
		require.NoError(t, err)
		again, err := normsync.Open(t.Context(), s, nil)
		require.NoError(t, err)
		require.Equal(t, uint64(1500), again.Constitution().Edition())
		require.Len(t, all(t, s.Revisions(t.Context(), 1490)), 10)

		vs := make([]normsync.Violation, 2100)
		for i := range vs {
			vs[i] = violation(i)
			if i%700 == 699 {
				vs[i].Action.Facts = strings.Repeat("<word>\x00 ", 1<<20/8)
			}
		}
		require.NoError(t, s.AppendViolations(t.Context(), vs...))
		got := all(t, s.Violations(t.Context(), 0))
		require.Len(t, got, len(vs))
		for i, v := range got {
			require.Equal(t, uint64(i)+1, v.Number)
			require.True(t, v.Violation == vs[i], "violation %d differs", i)
		}
		// A sequence that is stopped holds no connection.
		for range 200 {
			for range s.Violations(t.Context(), 2050) {
				break
			}
		}
	})
}

func TestNumbersOfDeletedViolationsAreNotUsedAgain(t *testing.T) {
	eachEngine(t, func(t *testing.T, place string) {
		s := mustOpen(t, place)
		require.NoError(t, s.AppendViolations(t.Context(), violation(0), violation(1), violation(2)))
		_, err := openDB(t, place).ExecContext(t.Context(), "DELETE FROM normsync_violations")
		require.NoError(t, err)
		require.NoError(t, s.AppendViolations(t.Context(), violation(3)))
		want := []normsync.StoredViolation{{Number: 4, Violation: violation(3)}}
		require.Equal(t, want, all(t, s.Violations(t.Context(), 0)))
		require.Equal(t, want, all(t, s.Violations(t.Context(), 2)))
		require.Empty(t, all(t, s.Violations(t.Context(), 4)))
	})
}

// The counter makes conflicts; the primary key is there for when it is wrong.
func TestRevisionBehindAWrongCounterIsRefused(t *testing.T) {
	eachEngine(t, func(t *testing.T, place string) {
		s := mustOpen(t, place)
		m, err := normsync.Open(t.Context(), s, nil)
		require.NoError(t, err)
		_, err = m.Apply(t.Context(), enact("one", ""), enact("two", ""))
		require.NoError(t, err)
		before := all(t, s.Revisions(t.Context(), 0))
		second := before[1]
		_, err = openDB(t, place).ExecContext(t.Context(), "UPDATE normsync_counters SET last = 1 WHERE log = 'revisions'")
		require.NoError(t, err)
		err = s.AppendRevisions(t.Context(), second)
		require.ErrorIs(t, err, normsync.ErrConflict)
		require.ErrorContains(t, err, "edition 2 is taken, but table normsync_counters says that the last one is 1")
		require.Equal(t, before, all(t, s.Revisions(t.Context(), 0)))
	})
}

func TestRowsThatCannotBeReadAreErrorsWithTheirPlace(t *testing.T) {
	eachEngine(t, func(t *testing.T, place string) {
		s := mustOpen(t, place)
		m, err := normsync.Open(t.Context(), s, nil)
		require.NoError(t, err)
		_, err = m.Apply(t.Context(), enact("one", ""), enact("two", ""))
		require.NoError(t, err)
		require.NoError(t, s.AppendViolations(t.Context(), violation(0), violation(1)))
		db := openDB(t, place)
		for _, statement := range []string{
			"UPDATE normsync_revisions SET data = (SELECT data FROM normsync_revisions WHERE edition = 1) WHERE edition = 2",
			"UPDATE normsync_violations SET data = '{' WHERE number = 2",
		} {
			_, err := db.ExecContext(t.Context(), statement)
			require.NoError(t, err)
		}
		_, err = normsync.AtEdition(t.Context(), s, 2)
		require.ErrorContains(t, err, "edition 2 in table normsync_revisions: the row holds edition 1")
		var got []error
		for _, err := range s.Violations(t.Context(), 0) {
			got = append(got, err)
		}
		require.Len(t, got, 2)
		require.NoError(t, got[0])
		require.ErrorContains(t, got[1], "number 2 in table normsync_violations")
	})
}

func TestNewerTablesAreRefused(t *testing.T) {
	eachEngine(t, func(t *testing.T, place string) {
		require.NoError(t, mustOpen(t, place).Close())
		_, err := openDB(t, place).ExecContext(t.Context(), "UPDATE normsync_schema SET version = 99")
		require.NoError(t, err)
		_, err = open(t.Context(), place)
		require.ErrorContains(t, err, "table normsync_schema has version 99, but this program knows versions up to 1; update the program")
	})
}

func TestOlderTablesAreMigratedInOneTransaction(t *testing.T) {
	eachEngine(t, func(t *testing.T, place string) {
		s := mustOpen(t, place)
		require.NoError(t, s.AppendViolations(t.Context(), violation(0)))
		db := openDB(t, place)
		version := func() (v int) {
			require.NoError(t, db.QueryRowContext(t.Context(), "SELECT version FROM normsync_schema").Scan(&v))
			return v
		}
		const second, third = "ALTER TABLE {violations} ADD COLUMN shard BIGINT", "UPDATE {violations} SET shard = 7"
		err := s.MigrateBy(t.Context(), second, "UPDATE {violations} SET nothing = 7")
		require.ErrorContains(t, err, "migrate to version 3: ")
		require.Equal(t, 1, version())
		migrated := make(chan error, 4)
		for range 4 { // at once
			go func() { migrated <- s.MigrateBy(context.Background(), second, third) }()
		}
		for range 4 {
			require.NoError(t, receive(t, migrated, "the migration ends"))
		}
		require.Equal(t, 3, version())
		var shard int
		require.NoError(t, db.QueryRowContext(t.Context(), "SELECT shard FROM normsync_violations").Scan(&shard))
		require.Equal(t, 7, shard)
		_, err = open(t.Context(), place)
		require.ErrorContains(t, err, "version 3, but this program knows versions up to 1")
	})
}

func TestNewRefusesWhatCannotKeepThePromises(t *testing.T) {
	path := filepath.Join(t.TempDir(), "world.db")
	for _, c := range []struct {
		name, source string
		dialect      sqlstore.Dialect
		options      sqlstore.Options
		want         string
	}{
		{"commits that do not wait for the disk", path + "?_pragma=busy_timeout(1000)&_pragma=synchronous(normal)", sqlstore.SQLite, sqlstore.Options{}, "PRAGMA synchronous is 1"},
		{"appends that do not wait for each other", path, sqlstore.SQLite, sqlstore.Options{}, "PRAGMA busy_timeout is 0"},
		{"a database in memory", ":memory:", sqlstore.SQLite, sqlstore.Options{}, `the database stays in journal mode "memory"`},
		{"an unknown dialect", path, 7, sqlstore.Options{}, "Dialect(7) is unknown; use SQLite or PostgreSQL"},
		{"a prefix that is no name", path, sqlstore.SQLite, sqlstore.Options{Prefix: "x; DROP TABLE y"}, "use at most 30 lower-case letters"},
	} {
		t.Run(c.name, func(t *testing.T) {
			db, err := sql.Open("sqlite", c.source)
			require.NoError(t, err)
			defer db.Close()
			_, err = sqlstore.New(t.Context(), db, c.dialect, &c.options)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestWorldsWithDifferentPrefixesShareADatabase(t *testing.T) {
	eachEngine(t, func(t *testing.T, place string) {
		dialect, driver, source := sqlstore.PostgreSQL, "pgx", strings.TrimPrefix(place, "postgres ")
		if path, ok := strings.CutPrefix(place, "sqlite "); ok {
			dialect, driver, source = sqlstore.SQLite, "sqlite", path+"?_pragma=busy_timeout(10000)"
		}
		db, err := sql.Open(driver, source)
		require.NoError(t, err)
		defer db.Close()
		var stores []*sqlstore.Store
		for i, prefix := range []string{"north_", "south_"} {
			s, err := sqlstore.New(t.Context(), db, dialect, &sqlstore.Options{Prefix: prefix})
			require.NoError(t, err)
			require.NoError(t, s.AppendViolations(t.Context(), violation(i)))
			stores = append(stores, s)
		}
		for i, s := range stores {
			require.Equal(t, []normsync.StoredViolation{{Number: 1, Violation: violation(i)}}, all(t, s.Violations(t.Context(), 0)))
			require.NoError(t, s.Close())
		}
		require.NoError(t, db.PingContext(t.Context()), "the database stays open")
	})
}

// A driver may begin transactions that lock nothing until they write.
func TestStoreOfDeferredTransactionsLosesNothing(t *testing.T) {
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "world.db")+"?_pragma=busy_timeout(10000)&_txlock=deferred")
	require.NoError(t, err)
	defer db.Close()
	const stores, each = 4, 25
	failed := make(chan error, stores)
	for range stores { // each with a line of its own for writers
		s, err := sqlstore.New(t.Context(), db, sqlstore.SQLite, nil)
		require.NoError(t, err)
		go func() {
			var err error
			for i := 0; i < each && err == nil; i++ {
				err = s.AppendViolations(context.Background(), violation(i))
			}
			failed <- err
		}()
	}
	for range stores {
		require.NoError(t, receive(t, failed, "the goroutine reports"))
	}
	s, err := sqlstore.New(t.Context(), db, sqlstore.SQLite, nil)
	require.NoError(t, err)
	require.Len(t, all(t, s.Violations(t.Context(), 0)), stores*each)
}

func TestAppendWaitsForTheLockUntilItsContextEnds(t *testing.T) {
	eachEngine(t, func(t *testing.T, place string) {
		s := mustOpen(t, place)
		tx, err := openDB(t, place).BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(t.Context(), "UPDATE normsync_counters SET last = last")
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		err = s.AppendViolations(ctx, violation(0))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, sqlstore.ErrUnknownOutcome)
		require.NoError(t, tx.Rollback())
		require.Empty(t, all(t, s.Violations(t.Context(), 0)))
		require.NoError(t, s.AppendViolations(t.Context(), violation(0)))
	})
}

// Sequences of a database hand out numbers in an order in which transactions need
// not commit. The numbers of violations become visible in their order.
func TestFollowerOfViolationsMissesNone(t *testing.T) {
	eachEngine(t, func(t *testing.T, place string) {
		const writers, each, size = 4, 40, 5
		failed := make(chan error, writers)
		for w := range writers {
			s := mustOpen(t, place)
			go func() {
				var err error
				for n := 0; n < each && err == nil; n++ {
					vs := make([]normsync.Violation, size)
					for i := range vs {
						vs[i] = violation(i)
						vs[i].Action.Agent = fmt.Sprint(w, " ", n, " ", i)
					}
					err = s.AppendViolations(context.Background(), vs...)
				}
				failed <- err
			}()
		}
		s := mustOpen(t, place)
		var last uint64
		seen := map[string]bool{}
		look := func() {
			for v, err := range s.Violations(t.Context(), last) {
				require.NoError(t, err)
				require.Equal(t, last+1, v.Number)
				last = v.Number
				seen[v.Action.Agent] = true
			}
		}
		for done := 0; done < writers; {
			look()
			select {
			case err := <-failed:
				require.NoError(t, err)
				done++
			default:
			}
		}
		look()
		require.Len(t, seen, writers*each*size)
	})
}

// A store that nobody changes is asked less often, and one that was just changed is not.
func TestAnIdleFileIsAskedLessOften(t *testing.T) {
	for unchanged, want := range map[int]time.Duration{0: 5, 199: 5, 200: 50, 1 << 30: 50} {
		require.Equal(t, want*time.Millisecond, sqlstore.PollPause(5*time.Millisecond, unchanged), unchanged)
	}
}

func TestWaitRevisions(t *testing.T) {
	eachEngine(t, func(t *testing.T, place string) {
		s, other := mustOpen(t, place), mustOpen(t, place)
		done, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, s.WaitRevisions(done, 0), context.Canceled)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, s.WaitRevisions(ctx, 0), context.DeadlineExceeded)

		m, err := normsync.Open(t.Context(), other, nil)
		require.NoError(t, err)
		for edition := range uint64(20) {
			waited := make(chan error, 2)
			for range cap(waited) {
				go func() { waited <- s.WaitRevisions(t.Context(), edition) }()
			}
			require.NoError(t, other.AppendViolations(t.Context(), violation(0))) // wakes nobody for good
			_, err = m.Apply(t.Context(), enact(fmt.Sprint(edition), ""))
			require.NoError(t, err)
			for range cap(waited) {
				require.NoError(t, receive(t, waited, "WaitRevisions returns"))
			}
			require.NoError(t, s.WaitRevisions(t.Context(), edition), "a revision that is there needs no waiting")
		}
		require.NoError(t, s.AppendViolations(t.Context(), violation(1)), "the connections are fit for use")
	})
}

// Nothing but a notification ends the wait of this store.
func TestApplyNotifies(t *testing.T) {
	place := engines[1].place(t)
	s, err := sqlstore.New(t.Context(), openDB(t, place), sqlstore.PostgreSQL, &sqlstore.Options{WaitForNotification: func(ctx context.Context, conn *sql.Conn) error {
		return postgres.WaitForNotification(context.WithoutCancel(ctx), conn)
	}})
	require.NoError(t, err)
	m, err := normsync.Open(t.Context(), mustOpen(t, place), nil)
	require.NoError(t, err)
	for edition := range uint64(10) {
		waited := make(chan error, 4)
		go func() { waited <- s.WaitRevisions(context.Background(), edition) }()
		_, err = m.Apply(t.Context(), enact(fmt.Sprint(edition), ""))
		require.NoError(t, err)
		require.NoError(t, receive(t, waited, "WaitRevisions returns"))
	}
}

// A connection pooler may lose notifications.
func TestWaitRevisionsWithoutNotifications(t *testing.T) {
	place := engines[1].place(t)
	db := openDB(t, place)
	for name, o := range map[string]*sqlstore.Options{
		"a driver that has none": {Poll: time.Millisecond},
		"a pooler that loses them": {WaitForNotification: func(ctx context.Context, _ *sql.Conn) error {
			<-ctx.Done()
			return ctx.Err()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := sqlstore.New(t.Context(), db, sqlstore.PostgreSQL, o)
			require.NoError(t, err)
			m, err := normsync.Open(t.Context(), s, nil)
			require.NoError(t, err)
			waited := make(chan error, 4)
			go func() { waited <- s.WaitRevisions(t.Context(), m.Constitution().Edition()) }()
			_, err = m.Apply(t.Context(), enact(name, ""))
			require.NoError(t, err)
			require.NoError(t, receive(t, waited, "WaitRevisions returns"))
		})
	}
}

func violation(i int) normsync.Violation {
	return normsync.Violation{
		NormID: norm("peace").ID(), NormName: "peace", Severity: normsync.SeverityWarn, Edition: 1,
		Action: normsync.Action{Agent: fmt.Sprintf("agent %d", i%50), Verb: "attack", Location: "town square", Time: time.Unix(1_700_000_000+int64(i), int64(i)).UTC()},
	}
}
