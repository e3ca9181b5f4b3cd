// Package sqlite opens a store in an SQLite file, which any number of processes
// on one machine can share. It uses the driver modernc.org/sqlite, which needs no
// C compiler.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"

	_ "modernc.org/sqlite" // the driver

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/stores/sqlstore"
)

// Open opens the store in the SQLite file at path. If there is no file, Open
// creates one that only its owner can read and write; the folder must exist.
//
// The file is in WAL mode with synchronous set to FULL, so a nil error of an append
// means that the data is on disk. While another process writes, an append waits
// for up to ten seconds; then its error is [normsync.ErrLocked]. SQLite
// keeps two more files beside the file, with the suffixes -wal and -shm. The disk
// must be a local one: WAL mode does not work on network file systems.
func Open(ctx context.Context, path string) (*sqlstore.Store, error) {
	if path == "" || path == ":memory:" {
		return nil, fmt.Errorf("normsync: open store: %w path %q; name a file, or use normsync.MemStore", normsync.ErrInvalid, path)
	}
	if err := create(path); err != nil {
		return nil, fmt.Errorf("normsync: open store: %w", err)
	}
	db, err := open(path, "_pragma=busy_timeout(10000)&_pragma=synchronous(full)&_txlock=immediate")
	if err != nil {
		return nil, fmt.Errorf("normsync: open store: %w", err)
	}
	db.SetMaxIdleConns(4)
	s, err := sqlstore.New(ctx, db, sqlstore.SQLite, &sqlstore.Options{CloseDB: true})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// create creates the file if it is not there. SQLite would let everybody read it.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case err == nil:
		return f.Close()
	case errors.Is(err, fs.ErrExist):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w; create the folder first", err)
	}
	return err
}

func open(path, query string) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if path = filepath.ToSlash(path); runtime.GOOS == "windows" {
		path = "/" + path // file:///C:/…
	}
	return sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: query}).String())
}
