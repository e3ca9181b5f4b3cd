package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/stores/sqlstore"
	"github.com/normsync/normsync/stores/sqlstore/internal/pgserver"
	"github.com/normsync/normsync/stores/sqlstore/postgres"
	"github.com/normsync/normsync/stores/sqlstore/sqlite"
)

// TestMain runs the tests, or, in a process that a test has started, one of the
// roles.
func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		go endWithParent()
		if err := roles[role](context.Background(), strings.Split(os.Getenv(argsVariable), "\n")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	code := m.Run()
	if s, err := server(); err == nil && serverStarted.Load() {
		if err := s.Remove(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// server is the server that the tests share.
var (
	serverStarted atomic.Bool
	server        = sync.OnceValues(func() (*pgserver.Server, error) {
		serverStarted.Store(true)
		return pgserver.Start()
	})
)

// postgresServer returns a server, and skips the test if PostgreSQL is not
// installed, except in CI.
func postgresServer(t testing.TB, start func() (*pgserver.Server, error)) *pgserver.Server {
	t.Helper()
	s, err := start()
	if errors.Is(err, pgserver.ErrNotInstalled) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
	return s
}

var schemas atomic.Int64

// newSchema returns the DSN of a new schema of a server.
func newSchema(t testing.TB, s *pgserver.Server) string {
	t.Helper()
	name := fmt.Sprintf("world%d", schemas.Add(1))
	db, err := sql.Open("pgx", s.DSN("postgres"))
	require.NoError(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), "CREATE SCHEMA "+name)
	require.NoError(t, err)
	return s.DSN("postgres", "search_path="+name)
}

// engines are the database engines under test: place returns the path or the DSN
// of a place without a store.
var engines = []struct {
	name  string
	place func(t testing.TB) string
}{
	{"SQLite", func(t testing.TB) string { return "sqlite " + filepath.Join(t.TempDir(), "world.db") }},
	{"PostgreSQL", func(t testing.TB) string { return "postgres " + newSchema(t, postgresServer(t, server)) }},
}

// open opens the store at a place.
func open(ctx context.Context, place string) (*sqlstore.Store, error) {
	if path, ok := strings.CutPrefix(place, "sqlite "); ok {
		return sqlite.Open(ctx, path)
	}
	return postgres.Open(ctx, strings.TrimPrefix(place, "postgres "))
}

// openDB opens the database at a place, for tests that use SQL.
func openDB(t testing.TB, place string) *sql.DB {
	t.Helper()
	driver, source := "pgx", strings.TrimPrefix(place, "postgres ")
	if path, ok := strings.CutPrefix(place, "sqlite "); ok {
		driver, source = "sqlite", path
	}
	db, err := sql.Open(driver, source)
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

func mustOpen(t testing.TB, place string) *sqlstore.Store {
	t.Helper()
	s, err := open(t.Context(), place)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// eachEngine runs a test on each engine, with a place that has no store yet.
func eachEngine(t *testing.T, test func(t *testing.T, place string)) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) { test(t, e.place(t)) })
	}
}

// all gathers a sequence.
func all[T any](t testing.TB, seq iter.Seq2[T, error]) []T {
	t.Helper()
	var values []T
	for v, err := range seq {
		require.NoError(t, err)
		values = append(values, v)
	}
	return values
}

func norm(name string) normsync.Norm {
	return normsync.Norm{Name: name, Condition: "location:town", Prohibited: "attack"}
}

func enact(name, by string) normsync.Change {
	return normsync.Enact(norm(name)).Attributed(by, "")
}
