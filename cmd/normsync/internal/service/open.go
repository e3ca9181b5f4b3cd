package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/stores/natsstore"
	"github.com/normsync/normsync/stores/sqlstore/postgres"
)

// Mode says what a caller will do with a store.
type Mode int

const (
	// Read opens a store that exists, and changes nothing.
	Read Mode = iota
	// Write opens a store that exists.
	Write
	// Create opens a store, and creates it if it does not exist.
	Create
)

// Store is a normsync.Store that can be closed.
type Store interface {
	normsync.Store
	Close() error
}

// OpenStore opens the store that location names:
//
//	file:DIR                a directory of JSON Lines
//	sqlite:PATH, or PATH    an SQLite database
//	postgres://...          a PostgreSQL database, as package postgres takes it
//	nats://host:port/NAME   the store NAME on a NATS server; several hosts with commas between them
//
// The error wraps fs.ErrNotExist if mode is Read or Write and there is no such
// file or directory.
func OpenStore(ctx context.Context, location string, mode Mode) (Store, error) {
	scheme, rest, found := strings.Cut(location, ":")
	if !found || len(scheme) == 1 { // a path, on Windows perhaps with the letter of a drive
		scheme, rest = "sqlite", location
	}
	if rest == "" {
		return nil, fmt.Errorf("normsync: open store %q: nothing follows %q; name a path, such as %s", location, scheme+":", "sqlite:norms.db")
	}
	switch scheme {
	case "file":
		return openFile(rest, mode)
	case "sqlite":
		return openSQLite(ctx, rest, mode)
	case "postgres", "postgresql":
		return postgres.Open(ctx, location)
	case "nats", "tls":
		return openNATS(ctx, location)
	}
	return nil, fmt.Errorf("normsync: open store %q: unknown kind of store %q; use a path, file:DIR, sqlite:PATH, postgres://... or nats://HOST/NAME", location, scheme)
}

func openFile(dir string, mode Mode) (Store, error) {
	if mode != Create {
		if err := exists(dir, "directory"); err != nil {
			return nil, err
		}
	}
	return normsync.OpenFile(dir, &normsync.FileOptions{ReadOnly: mode == Read})
}

func openNATS(ctx context.Context, location string) (Store, error) {
	servers, name, found := cutLast(location, "/")
	if u, err := url.Parse(location); err != nil && !strings.Contains(location, ",") || !found || name == "" || err == nil && strings.Trim(u.Path, "/") == "" {
		return nil, fmt.Errorf("normsync: open store %q: no name of a store; write nats://HOST:PORT/NAME", location)
	}
	return natsstore.Open(ctx, servers, name, nil)
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// exists returns an error if a file or a directory does not exist.
func exists(path, kind string) error {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w %s; add a norm or import a rule file to create it, or name another store by --db or --store", missing("there is no "+kind), path)
	}
	if err != nil {
		return fmt.Errorf("normsync: open store: %w", err)
	}
	return nil
}

// missing is fs.ErrNotExist with another text.
type missing string

func (m missing) Error() string      { return string(m) }
func (missing) Is(target error) bool { return target == fs.ErrNotExist }
