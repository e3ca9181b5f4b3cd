package service

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/normsync/normsync/stores/sqlstore"
	"github.com/normsync/normsync/stores/sqlstore/sqlite"
)

func openSQLite(ctx context.Context, path string, mode Mode) (Store, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, fmt.Errorf("normsync: open store %s: it is a directory; name an SQLite file in it, or use file:%s for a directory of JSON Lines", path, path)
	}
	if mode == Create {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, fmt.Errorf("normsync: create store: %w", err)
		}
		return sqlite.Open(ctx, path)
	}
	if err := exists(path, "file"); err != nil {
		return nil, err
	}
	if mode == Read {
		return readSQLite(ctx, path)
	}
	db, err := openDB(ctx, path)
	if err == nil {
		err = db.Close()
	}
	if err != nil && !isReadOnly(err) { // otherwise Open says what to do
		return nil, err
	}
	return sqlite.Open(ctx, path)
}

// readSQLite opens an SQLite file and changes nothing, not even if the process may.
func readSQLite(ctx context.Context, path string) (Store, error) {
	s, err := readStore(ctx, path)
	if err == nil || !isReadOnly(err) {
		return s, err
	}
	// Neither the file nor its folder can be written to. SQLite needs the files -wal and
	// -shm beside it, so it can only read a copy.
	copied, copyErr := copyToTemp(path)
	if copyErr != nil {
		return nil, fmt.Errorf("normsync: open store %s: %w; check the permissions of the file", path, copyErr)
	}
	dir := filepath.Dir(copied)
	if s, err = readStore(ctx, copied); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &copiedStore{s, dir}, nil
}

// isReadOnly reports whether SQLite could not create a file that it needs.
func isReadOnly(err error) bool {
	var e interface{ Code() int }
	if !errors.As(err, &e) {
		return false
	}
	const readOnly, cannotOpen = 8, 14 // SQLITE_READONLY, SQLITE_CANTOPEN
	code := e.Code() & 0xFF
	return code == readOnly || code == cannotOpen
}

func readStore(ctx context.Context, path string) (*sqlstore.Store, error) {
	db, err := openDB(ctx, path)
	if err != nil {
		return nil, err
	}
	s, err := sqlstore.New(ctx, db, sqlstore.SQLite, &sqlstore.Options{CloseDB: true})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// copiedStore is a store in a temporary folder, which Close removes.
type copiedStore struct {
	*sqlstore.Store
	dir string
}

func (s *copiedStore) Close() error {
	return errors.Join(s.Store.Close(), os.RemoveAll(s.dir))
}

// copyToTemp copies a file into a new temporary folder, and returns its path there.
func copyToTemp(path string) (copied string, err error) {
	from, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer from.Close()
	dir, err := os.MkdirTemp("", "normsync-")
	if err != nil {
		return "", err
	}
	copied = filepath.Join(dir, filepath.Base(path))
	to, err := os.Create(copied)
	if err == nil {
		_, err = io.Copy(to, from)
		err = errors.Join(err, to.Close())
	}
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return copied, nil
}

// readOnlyQuery has the options of a connection that changes nothing. Its mode is
// rw, since a connection with mode ro leaves the files -wal and -shm behind.
const readOnlyQuery = "mode=rw&_pragma=busy_timeout(10000)&_pragma=synchronous(full)&_pragma=query_only(true)"

// openDB opens an SQLite file for reading, and checks that it holds a store.
func openDB(ctx context.Context, path string) (*sql.DB, error) {
	fullPath, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("normsync: open store %s: %w", path, err)
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(fullPath), RawQuery: readOnlyQuery}
	if runtime.GOOS == "windows" {
		u.Path = "/" + u.Path // file:///C:/...
	}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, fmt.Errorf("normsync: open store %s: %w", path, err)
	}
	tables, err := tablesOf(ctx, db)
	switch {
	case err != nil:
		err = fmt.Errorf("%w; check the path and the permissions, and that the file is an SQLite database", err)
	case slices.Contains(tables, "normsync_schema"):
		return db, nil
	case slices.Contains(tables, "norms") && slices.Contains(tables, "violations"):
		err = fmt.Errorf("%w; run: normsync import-python %q", errPythonTables, path)
	case len(tables) == 0:
		err = fmt.Errorf("%w: it is empty; add a norm, or import a rule file", errNoStore)
	default:
		err = fmt.Errorf("%w: its tables are those of another program; name another file, or add a norm to keep a store in this one, too", errNoStore)
	}
	return nil, errors.Join(fmt.Errorf("normsync: open store %s: %w", path, err), db.Close())
}

// The errors of a database that has no store.
const (
	errNoStore      = missing("there is no store in the file")
	errPythonTables = missing("there is no store in the file: its tables are those of the Python tool")
)

func tablesOf(ctx context.Context, db *sql.DB) (tables []string, err error) {
	rows, err := db.QueryContext(ctx, "SELECT name FROM sqlite_schema WHERE type = 'table'")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		tables = append(tables, name)
	}
	return tables, rows.Err()
}

// PythonTables reports whether a location is an SQLite file that has tables of the
// Python tool, and no store.
func PythonTables(ctx context.Context, location string) bool {
	path, found := strings.CutPrefix(location, "sqlite:")
	if !found && strings.Contains(location, "://") || exists(path, "file") != nil {
		return false
	}
	db, err := openDB(ctx, path)
	if err == nil {
		_ = db.Close() // it was only read
	}
	return errors.Is(err, errPythonTables)
}
