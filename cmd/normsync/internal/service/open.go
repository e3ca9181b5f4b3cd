package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/normsync/normsync"
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
// store. Errors do not show passwords.
func OpenStore(ctx context.Context, location string, mode Mode) (Store, error) {
	scheme, rest := splitLocation(location)
	if rest == "" {
		return nil, fmt.Errorf("normsync: open store %q: nothing follows %q; name a path, such as %s", location, scheme+":", "sqlite:norms.db")
	}
	if host, ok := strings.CutPrefix(rest, "//"); ok && (scheme == "file" || scheme == "sqlite") && !strings.HasPrefix(host, "/") {
		return nil, fmt.Errorf("normsync: open store %q: two slashes begin the name of a server, but this store is a path; write %s:%s, or three slashes before a full path", location, scheme, host)
	}
	switch scheme {
	case "file":
		return openFile(rest, mode)
	case "sqlite":
		return openSQLite(ctx, rest, mode)
	case "postgres", "postgresql":
		return openPostgres(ctx, location, mode)
	case "nats", "tls":
		return openNATS(ctx, location, mode)
	}
	return nil, fmt.Errorf("normsync: open store %q: unknown kind of store %q; use a path, file:DIR, sqlite:PATH, postgres://... or nats://HOST/NAME", Redact(location), scheme)
}

func splitLocation(location string) (scheme, rest string) {
	scheme, rest, found := strings.Cut(location, ":")
	if !found || len(scheme) == 1 { // a path, on Windows perhaps with the letter of a drive
		return "sqlite", location
	}
	return scheme, rest
}

// SameStore reports whether two locations name one store that exists. Paths are the same
// if they lead to the same file, however they are spelled. Addresses of servers are
// compared as text, without users and passwords, so two names of one machine differ.
func SameStore(a, b string) bool {
	schemeA, restA := splitLocation(a)
	schemeB, restB := splitLocation(b)
	switch schemeA {
	case "file", "sqlite":
		infoA, errA := os.Stat(restA)
		infoB, errB := os.Stat(restB)
		return schemeA == schemeB && errA == nil && errB == nil && os.SameFile(infoA, infoB)
	}
	urlA, errA := url.Parse(strings.Replace(a, "postgresql:", "postgres:", 1))
	urlB, errB := url.Parse(strings.Replace(b, "postgresql:", "postgres:", 1))
	if errA != nil || errB != nil {
		return a == b
	}
	return urlA.Scheme == urlB.Scheme && urlA.Host == urlB.Host && urlA.Path == urlB.Path && urlA.RawQuery == urlB.RawQuery
}

func openFile(dir string, mode Mode) (Store, error) {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("normsync: open store %s: it is a file; name a directory, or use sqlite:%s for an SQLite file", dir, dir)
	}
	if mode != Create {
		if err := exists(dir, "directory"); err != nil {
			return nil, err
		}
		if entries, err := os.ReadDir(dir); err == nil && !slices.ContainsFunc(entries, isOfFileStore) {
			return nil, fmt.Errorf("normsync: open store %s: %w; create it by normsync add or normsync import, or name another directory",
				dir, missing("there is no store in the directory, since it has no file revisions.jsonl"))
		}
	}
	return normsync.OpenFile(dir, &normsync.FileOptions{ReadOnly: mode == Read})
}

// isOfFileStore reports whether a file has revisions or violations of a FileStore. A
// damaged store may have one of them only, and OpenFile says what is wrong.
func isOfFileStore(f fs.DirEntry) bool {
	return f.Name() == "revisions.jsonl" || strings.HasPrefix(f.Name(), "violations-") && strings.HasSuffix(f.Name(), ".jsonl")
}

// exists returns an error if a file or a directory does not exist.
func exists(path, kind string) error {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w %s; create it by normsync add or normsync import, or name another store by --db or --store", missing("there is no "+kind), path)
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
