// Package postgres opens a store in a PostgreSQL database, which a fleet of
// servers can share. It uses the driver github.com/jackc/pgx/v5.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/normsync/normsync/stores/sqlstore"
)

// Open opens the store in the database that dsn names, such as
// "postgres://user:password@host:5432/world" or "host=/run/postgresql dbname=world".
// The environment variables of libpq, such as PGPASSWORD, hold for what dsn leaves
// out. The tables are in the first schema of the role's search_path.
//
// If the server goes away, calls fail until it is back; there is no need to open
// the store again.
func Open(ctx context.Context, dsn string) (*sqlstore.Store, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("normsync: open store: %w", err)
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxIdleConns(4)
	s, err := sqlstore.New(ctx, db, sqlstore.PostgreSQL, &sqlstore.Options{WaitForNotification: WaitForNotification, CloseDB: true})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// WaitForNotification waits until a notification arrives on a connection of pgx,
// or until ctx ends. It is for the Options of [sqlstore.New], so that the store of
// a caller that has a [*sql.DB] need not poll.
func WaitForNotification(ctx context.Context, conn *sql.Conn) error {
	return conn.Raw(func(driverConn any) error {
		c, ok := driverConn.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("the driver's connection is a %T; open the database with pgx/v5/stdlib", driverConn)
		}
		_, err := c.Conn().WaitForNotification(ctx)
		return err
	})
}
