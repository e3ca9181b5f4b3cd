package service

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/normsync/normsync/stores/natsstore"
	"github.com/normsync/normsync/stores/sqlstore/postgres"
)

// connectTimeout is how long a server may take to answer first.
const connectTimeout = 10 * time.Second

func openPostgres(ctx context.Context, location string, mode Mode) (Store, error) {
	if err := checkPostgres(ctx, location, mode); err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w; check that the server runs, and the address, the user and the database", err)
		}
		return nil, fmt.Errorf("normsync: open store %s: %w", Redact(location), err)
	}
	return postgres.Open(ctx, location)
}

// checkPostgres checks that the server answers, and that it has a store unless one is to
// be created. The package postgres would create it in any case.
func checkPostgres(ctx context.Context, location string, mode Mode) (err error) {
	config, err := pgx.ParseConfig(location)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	db := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, db.Close()) }()
	if mode == Create {
		return db.PingContext(ctx)
	}
	var table sql.NullString
	if err := db.QueryRowContext(ctx, "SELECT to_regclass('normsync_schema')::text").Scan(&table); err != nil {
		return err
	}
	if !table.Valid {
		return fmt.Errorf("%w; create it by normsync add or normsync import", missing("there is no store in the database"))
	}
	return nil
}

func openNATS(ctx context.Context, location string, mode Mode) (Store, error) {
	servers, name, found := cutLast(location, "/")
	if u, err := url.Parse(location); err != nil && !strings.Contains(location, ",") || !found || name == "" || err == nil && strings.Trim(u.Path, "/") == "" {
		return nil, fmt.Errorf("normsync: open store %s: no name of a store; write nats://HOST:PORT/NAME", Redact(location))
	}
	if err := checkNATS(ctx, servers, name, mode); err != nil {
		return nil, fmt.Errorf("normsync: open store %s: %w", Redact(location), err)
	}
	return natsstore.Open(ctx, servers, name, nil)
}

// checkNATS checks that the server answers, and that it has the stream of revisions of a
// store unless that is to be created. The package natsstore would create it in any case.
func checkNATS(ctx context.Context, servers, name string, mode Mode) error {
	nc, err := nats.Connect(servers, nats.Name("normsync "+name), nats.Timeout(connectTimeout))
	if err != nil {
		return fmt.Errorf("connect: %w; check that the server runs, and the address", err)
	}
	defer nc.Close()
	if mode == Create {
		return nil
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	_, err = js.Stream(ctx, name+"_REVISIONS")
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("%w; create it by normsync add or normsync import", missing("the server has no store of that name"))
	}
	return err
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

var (
	userAndPassword = regexp.MustCompile(`([/,][^/:@,]*):[^/,][^,]*@`)
	passwordOption  = regexp.MustCompile(`([?&]password)=[^&]*`)
)

// Redact returns a location with xxxxx for each password.
func Redact(location string) string {
	scheme, _, found := strings.Cut(location, "://")
	if !found {
		return location
	}
	location = passwordOption.ReplaceAllString(location, "$1=xxxxx")
	if u, err := url.Parse(location); err == nil && scheme != "nats" && scheme != "tls" { // one host
		return u.Redacted()
	}
	return userAndPassword.ReplaceAllString(location, "$1:xxxxx@")
}
