package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// migrations bring the tables from each version to the next: the first creates
// version 1 in an empty database. A migration that was once released is never
// changed. {x} stands for the name of a table.
var migrations = []string{
	`CREATE TABLE {schema} (version BIGINT NOT NULL);
	INSERT INTO {schema} (version) VALUES (1);
	CREATE TABLE {counters} (log TEXT PRIMARY KEY, last BIGINT NOT NULL);
	INSERT INTO {counters} (log, last) VALUES ('revisions', 0), ('violations', 0);
	CREATE TABLE {revisions} (edition INTEGER PRIMARY KEY, id TEXT NOT NULL, data TEXT NOT NULL);
	CREATE TABLE {violations} (number INTEGER PRIMARY KEY, agent TEXT NOT NULL, norm TEXT NOT NULL, severity TEXT NOT NULL, time_us BIGINT NOT NULL, data TEXT NOT NULL);
	CREATE INDEX {violations}_agent ON {violations} (agent, number);
	CREATE INDEX {violations}_norm ON {violations} (norm, number);
	CREATE INDEX {violations}_severity ON {violations} (severity, number);
	CREATE INDEX {violations}_time ON {violations} (time_us, number)`,
}

// migrate brings the tables to the last version, in one transaction.
func (s *Store) migrate(ctx context.Context, conn *sql.Conn, migrations []string) error {
	// Mostly there is nothing to do, and a file that cannot be written can be
	// read.
	version, err := s.version(ctx, conn)
	if err != nil || version == int64(len(migrations)) {
		return err
	}
	tx, err := conn.BeginTx(ctx, s.engine.txOptions)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if s.engine.lockSchema != "" {
		if _, err := tx.ExecContext(ctx, s.engine.lockSchema); err != nil {
			return err
		}
	}
	// Another process may have done it meanwhile.
	if version, err = s.version(ctx, tx); err != nil {
		return err
	}
	if version > int64(len(migrations)) {
		return fmt.Errorf("table %s has version %d, but this program knows versions up to %d; update the program", s.t.schema, version, len(migrations))
	}
	names := strings.NewReplacer("{schema}", s.t.schema, "{counters}", s.t.counters, "{revisions}", s.t.revisions, "{violations}", s.t.violations)
	for ; version < int64(len(migrations)); version++ {
		for statement := range strings.SplitSeq(migrations[version], ";") {
			if _, err := tx.ExecContext(ctx, s.engine.types(names.Replace(statement))); err != nil {
				return fmt.Errorf("migrate to version %d: %w", version+1, err)
			}
		}
		if _, err := tx.ExecContext(ctx, s.engine.bind("UPDATE "+s.t.schema+" SET version = ?"), version+1); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// version returns the version of the tables, 0 if there are none.
func (s *Store) version(ctx context.Context, q interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}) (version int64, err error) {
	var n int
	if err := q.QueryRowContext(ctx, s.engine.hasTable, s.t.schema).Scan(&n); err != nil || n == 0 {
		return 0, err
	}
	err = q.QueryRowContext(ctx, "SELECT version FROM "+s.t.schema).Scan(&version)
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("table %s is empty; restore the tables from a backup, or use another Prefix", s.t.schema)
	}
	return version, err
}

// types returns a statement with the engine's name of a type: SQLite keeps rows
// in the order of an INTEGER PRIMARY KEY only if the type is spelled like this.
func (e engine) types(statement string) string {
	if e.numbered {
		statement = strings.ReplaceAll(statement, "INTEGER PRIMARY KEY", "BIGINT PRIMARY KEY")
	}
	return statement
}
