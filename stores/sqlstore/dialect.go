package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Dialect names the database engine behind a [*sql.DB].
type Dialect int

const (
	SQLite     Dialect = iota + 1 // version 3.35 or later
	PostgreSQL                    // version 12 or later
)

func (d Dialect) String() string {
	switch d {
	case SQLite:
		return "SQLite"
	case PostgreSQL:
		return "PostgreSQL"
	}
	return fmt.Sprintf("Dialect(%d)", int(d))
}

// engine is what the store needs to know of a database engine.
type engine struct {
	poll      time.Duration // default of Options.Poll
	oneWriter bool          // only one transaction can write at a time, so the goroutines of a process queue up
	numbered  bool          // parameters are $1, $2, …; otherwise ?
	fence     string        // keeps the planner from merging a subquery into the query around it
	txOptions *sql.TxOptions

	check            func(context.Context, *sql.Conn) error
	hasTable         string // query that counts the tables of a name
	lockSchema       string // statement that lets one process migrate at a time
	insertRevisions  func(context.Context, *sql.Tx, tables, []revisionRow) error
	insertViolations func(context.Context, *sql.Tx, tables, []violationRow) error

	// waiter prepares a connection to wait for revisions. wait returns when
	// there may be a new one; stop makes the connection fit for other use.
	waiter func(context.Context, *Store, *sql.Conn) (wait func(context.Context) error, stop func() error, err error)

	explain     func(error) error // says what an error of the driver means and what to do
	isDuplicate func(error) bool  // a primary key is taken
	isTransient func(error) bool  // the transaction was rolled back and is to be tried again
	isUnknown   func(error) bool  // a COMMIT with this error may have been carried out
}

var engines = map[Dialect]engine{SQLite: sqlite, PostgreSQL: postgres}

// bind returns a query, which has ? for each parameter, in the engine's syntax.
func (e engine) bind(query string) string {
	if !e.numbered {
		return query
	}
	var b strings.Builder
	for i, part := range strings.Split(query, "?") {
		if i > 0 {
			b.WriteString("$" + strconv.Itoa(i))
		}
		b.WriteString(part)
	}
	return b.String()
}

// revisionRow and violationRow are rows to be inserted. The JSON names are the
// columns.
type revisionRow struct {
	Edition int64  `json:"edition"`
	ID      string `json:"id"`
	Data    string `json:"data"`
}

type violationRow struct {
	Number   int64  `json:"number"`
	Agent    string `json:"agent"`
	Norm     string `json:"norm"`
	Severity string `json:"severity"`
	Time     int64  `json:"time_us"`
	Data     string `json:"data"`
}

// sqlite is the engine SQLite.
var sqlite = engine{
	poll:      5 * time.Millisecond,
	oneWriter: true,
	check:     checkSQLite,
	hasTable:  "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = ?",
	waiter:    waitDataVersion,

	explain:     explainSQLite,
	isDuplicate: isDuplicateSQLite,
	isTransient: func(error) bool { return false }, // the busy_timeout has waited
	isUnknown:   isUnknownSQLite,

	insertRevisions: func(ctx context.Context, tx *sql.Tx, t tables, rows []revisionRow) error {
		insert, err := tx.PrepareContext(ctx, "INSERT INTO "+t.revisions+" (edition, id, data) VALUES (?, ?, ?)")
		if err != nil {
			return err
		}
		defer insert.Close()
		for _, r := range rows {
			if _, err := insert.ExecContext(ctx, r.Edition, r.ID, r.Data); err != nil {
				return err
			}
		}
		return nil
	},
	insertViolations: func(ctx context.Context, tx *sql.Tx, t tables, rows []violationRow) error {
		insert, err := tx.PrepareContext(ctx, "INSERT INTO "+t.violations+" (number, agent, norm, severity, time_us, data) VALUES (?, ?, ?, ?, ?, ?)")
		if err != nil {
			return err
		}
		defer insert.Close()
		for _, r := range rows {
			if _, err := insert.ExecContext(ctx, r.Number, r.Agent, r.Norm, r.Severity, r.Time, r.Data); err != nil {
				return err
			}
		}
		return nil
	},
}

// checkSQLite puts the database in WAL mode, and checks that the connection
// keeps what a nil error promises.
func checkSQLite(ctx context.Context, conn *sql.Conn) error {
	var synchronous, timeout int
	if err := conn.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&synchronous); err != nil {
		return err
	}
	if err := conn.QueryRowContext(ctx, "PRAGMA busy_timeout").Scan(&timeout); err != nil {
		return err
	}
	// If several processes change the mode at once, all but one fail without
	// delay: SQLite does not apply the busy_timeout to this lock.
	var mode string
	deadline := time.Now().Add(time.Duration(timeout) * time.Millisecond)
	for {
		err := setWAL(ctx, conn, &mode)
		if err == nil {
			break
		}
		if sqliteCode(err) != sqliteBusy || time.Now().After(deadline) {
			return err
		}
		if err := pause(ctx, time.Millisecond); err != nil {
			return err
		}
	}
	switch {
	case mode != "wal":
		return fmt.Errorf("the database stays in journal mode %q instead of wal; it must be a file on a local disk, and not in memory", mode)
	case synchronous < 2:
		return fmt.Errorf("PRAGMA synchronous is %d, so a power loss could undo a commit; set it to FULL in the data source name", synchronous)
	case timeout == 0:
		return fmt.Errorf("PRAGMA busy_timeout is 0, so an append would fail while another process writes; set it to 10000 in the data source name")
	}
	return nil
}

// setWAL changes the journal mode if it is another one, and returns it.
func setWAL(ctx context.Context, conn *sql.Conn, mode *string) error {
	err := conn.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(mode)
	if err != nil || *mode == "wal" {
		return err
	}
	return conn.QueryRowContext(ctx, "PRAGMA journal_mode = wal").Scan(mode)
}

// postgres is the engine PostgreSQL.
var postgres = engine{
	poll:       100 * time.Millisecond,
	numbered:   true,
	fence:      "OFFSET 0",
	txOptions:  &sql.TxOptions{Isolation: sql.LevelReadCommitted},
	check:      checkPostgres,
	hasTable:   "SELECT COUNT(*) FROM pg_class WHERE oid = to_regclass($1)",
	lockSchema: "SELECT pg_advisory_xact_lock(7741893360216)", // any number that others are unlikely to use
	waiter:     waitNotification,

	explain:     explainPostgres,
	isDuplicate: isDuplicatePostgres,
	isTransient: isTransientPostgres,
	isUnknown:   isUnknownPostgres,

	insertRevisions: func(ctx context.Context, tx *sql.Tx, t tables, rows []revisionRow) error {
		if err := insertJSON(ctx, tx, t.revisions, "edition, id, data", "edition bigint, id text, data text", rows); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "NOTIFY "+t.revisions)
		return err
	},
	insertViolations: func(ctx context.Context, tx *sql.Tx, t tables, rows []violationRow) error {
		return insertJSON(ctx, tx, t.violations, "number, agent, norm, severity, time_us, data", "number bigint, agent text, norm text, severity text, time_us bigint, data text", rows)
	},
}

// insertJSON inserts rows by one statement with one parameter, whatever their
// number. That spares round trips, and needs no support from the driver.
func insertJSON[R any](ctx context.Context, tx *sql.Tx, table, columns, types string, rows []R) error {
	for len(rows) > 0 {
		n := min(len(rows), 10_000) // PostgreSQL takes up to 1 GB
		data, err := json.Marshal(rows[:n])
		if err != nil {
			return err
		}
		rows = rows[n:]
		query := "INSERT INTO " + table + " (" + columns + ") SELECT " + columns + " FROM json_to_recordset($1::json) AS r(" + types + ")"
		if _, err := tx.ExecContext(ctx, query, string(data)); err != nil {
			return err
		}
	}
	return nil
}

// checkPostgres checks that the database can hold any text, and that commits
// wait for the disk.
func checkPostgres(ctx context.Context, conn *sql.Conn) error {
	var encoding, commit string
	if err := conn.QueryRowContext(ctx, "SELECT current_setting('server_encoding'), current_setting('synchronous_commit')").Scan(&encoding, &commit); err != nil {
		return err
	}
	switch {
	case encoding != "UTF8":
		return fmt.Errorf("the database has encoding %s, which cannot hold every text; create one with ENCODING 'UTF8'", encoding)
	case commit == "off":
		return fmt.Errorf("synchronous_commit is off, so a crash could undo a commit; set it to on for this role or database")
	}
	return nil
}
