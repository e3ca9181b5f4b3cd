// Package sqlstore keeps a world's constitution and violations in an SQL
// database, so that any number of processes can share them: an SQLite file for
// agents on one machine, PostgreSQL for a fleet of servers.
//
// Most programs call Open of package [sqlite] or [postgres]. Only these packages
// import a database driver. A program that has a [*sql.DB] passes it to [New].
//
// # Promises
//
// A nil error from AppendRevisions or AppendViolations means that the database
// has committed the batch to disk. A batch is one transaction: all of it is
// stored, or none of it.
//
// An error that is [normsync.ErrConflict] means that another process has appended
// the edition first. Nothing was stored; [normsync.Monitor.Apply] syncs and retries.
// An error that is [ErrUnknownOutcome] means that the connection was lost, or the
// disk failed, while the transaction was committing: the batch is stored, then
// whole, or it is not. To find out, read the store. After any other error, nothing
// was stored.
//
// Violations are numbered 1, 2, 3, … in the order in which they become visible.
// A reader that has seen violation n will never find a new one before it.
//
// Sequences read pages of rows, and hold neither a cursor nor a connection while
// the caller works on a value.
//
// # Tables
//
// The tables' names begin with a prefix, "normsync_" unless [Options] says
// otherwise:
//
//	normsync_schema      version
//	normsync_counters    log, last: the last edition, and the last violation's number
//	normsync_revisions   edition, id, data
//	normsync_violations  number, agent, norm, severity, time_us, data
//
// The column data holds the revision or the violation in JSON. The other columns
// of the violations are for the indexes: the name of the agent in lower-case ASCII
// letters, the name of the norm (both cut to 200 bytes), the severity, and the time
// of the action in microseconds since 1970. You may delete old violations with an
// SQL statement; their numbers are not used again. Never change the other tables.
//
// [sqlite]: https://pkg.go.dev/github.com/normsync/normsync/stores/sqlstore/sqlite
// [postgres]: https://pkg.go.dev/github.com/normsync/normsync/stores/sqlstore/postgres
package sqlstore
