package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"iter"
	"math"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/normsync/normsync"
)

// Options configures [New]. A nil *Options means the defaults.
type Options struct {
	// Prefix begins the names of the tables: at most 30 lower-case letters,
	// digits and underscores. Worlds with different prefixes can share a
	// database. The default is "normsync_".
	Prefix string

	// Poll is how often WaitRevisions asks the database if there are no
	// notifications. The default is 5 ms for SQLite, which answers without
	// reading the file, and 100 ms for PostgreSQL. SQLite is asked a tenth as often
	// while nothing changes for long.
	Poll time.Duration

	// WaitForNotification, if set, waits on a connection of PostgreSQL until a
	// notification arrives or ctx ends. The database/sql API has no such call,
	// so this is up to the driver; for pgx, use postgres.WaitForNotification.
	WaitForNotification func(ctx context.Context, conn *sql.Conn) error

	// CloseDB makes Close close the [*sql.DB], too.
	CloseDB bool
}

// Store is a [normsync.Store] in an SQL database. It is also a
// [normsync.RevisionWaiter] and a [normsync.ViolationQuerier]. All methods are
// safe for concurrent use, also by many processes on the same tables.
type Store struct {
	db     *sql.DB
	engine engine
	t      tables
	poll   time.Duration
	notify func(context.Context, *sql.Conn) error
	closes bool // Close closes db

	writing chan struct{}   // holds a token while a goroutine of this process writes; nil: no limit
	closed  context.Context // done once Close is called
	end     context.CancelFunc

	mu      sync.Mutex     // orders the beginning of waits and the call of end
	waiting sync.WaitGroup // calls of WaitRevisions
}

var (
	_ normsync.Store            = (*Store)(nil)
	_ normsync.RevisionWaiter   = (*Store)(nil)
	_ normsync.ViolationQuerier = (*Store)(nil)
)

// tables are the names of the tables.
type tables struct{ schema, counters, revisions, violations string }

var prefixSyntax = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,29}$`)

// New returns a store in db. It creates the tables if there are none. It migrates
// tables of an older version, and refuses tables of a newer version. Close the
// store first, then db.
//
// If db has a limit of open connections, it must be greater than the number of
// calls of WaitRevisions at a time, because each of them occupies a connection.
//
// An SQLite database is put in WAL mode. Its connections must have synchronous
// set to FULL and a busy_timeout, which New checks on one of them; set both in the
// data source name, so that they hold for every connection.
func New(ctx context.Context, db *sql.DB, d Dialect, o *Options) (*Store, error) {
	if o == nil {
		o = new(Options)
	}
	e, ok := engines[d]
	if !ok {
		return nil, opError("open store", fmt.Errorf("%v is unknown; use SQLite or PostgreSQL", d))
	}
	prefix := o.Prefix
	if prefix == "" {
		prefix = "normsync_"
	}
	if !prefixSyntax.MatchString(prefix) {
		return nil, opError("open store", fmt.Errorf("%w: Prefix %q; use at most 30 lower-case letters, digits and underscores", normsync.ErrInvalid, prefix))
	}
	s := &Store{
		db:     db,
		engine: e,
		t:      tables{prefix + "schema", prefix + "counters", prefix + "revisions", prefix + "violations"},
		poll:   o.Poll,
		notify: o.WaitForNotification,
		closes: o.CloseDB,
	}
	if s.poll <= 0 {
		s.poll = e.poll
	}
	if e.oneWriter {
		s.writing = make(chan struct{}, 1)
	}
	s.closed, s.end = context.WithCancel(context.Background())
	if err := s.prepare(ctx); err != nil {
		return nil, opError("open store", s.explain(ctx, err))
	}
	return s, nil
}

// prepare checks the database, and creates or migrates the tables.
func (s *Store) prepare(ctx context.Context) error {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := s.engine.check(ctx, conn); err != nil {
		return err
	}
	return s.migrate(ctx, conn, migrations)
}

// Close ends the calls of WaitRevisions that are under way, and waits until they have
// returned. Then it closes the database if Open opened it. A database that was passed
// to [New] stays open unless Options.CloseDB is set. Every later call returns an error
// that is [fs.ErrClosed].
func (s *Store) Close() error {
	s.mu.Lock()
	closed := s.closed.Err() != nil
	s.end()
	s.mu.Unlock()
	if closed {
		return opError("close store", fs.ErrClosed)
	}
	s.waiting.Wait() // a connection that is in use would outlive the database
	if !s.closes {
		return nil
	}
	return opError("close store", s.db.Close())
}

// ready returns the error of a store that is closed, or of a context that is done.
func (s *Store) ready(ctx context.Context) error {
	if s.closed.Err() != nil {
		return fs.ErrClosed
	}
	return ctx.Err()
}

// AppendRevisions appends revisions, all or none, in one transaction.
func (s *Store) AppendRevisions(ctx context.Context, revs ...normsync.Revision) error {
	return opError("append revisions", s.appendRevisions(ctx, revs))
}

func (s *Store) appendRevisions(ctx context.Context, revs []normsync.Revision) error {
	if err := s.ready(ctx); err != nil || len(revs) == 0 {
		return err
	}
	batch := make([]normsync.Revision, len(revs))
	rows := make([]revisionRow, len(revs))
	for i, r := range revs {
		r, err := r.Canonical()
		if err != nil {
			return err
		}
		data, err := r.MarshalJSON()
		if err != nil {
			return err
		}
		batch[i] = r
		rows[i] = revisionRow{int64(r.Edition), r.ID().String(), string(data)}
		if i > 0 {
			if err := follows(r, batch[i-1].Edition, rows[i-1].ID); err != nil {
				return err
			}
		}
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		// Updating the counter locks its row until the transaction ends, so
		// what is read after it is the end of the log.
		last, err := s.advance(ctx, tx, "revisions", len(rows))
		if err != nil {
			return err
		}
		var id string
		if last > 0 {
			query := s.engine.bind("SELECT id FROM " + s.t.revisions + " WHERE edition = ?")
			if err := tx.QueryRowContext(ctx, query, last).Scan(&id); err != nil {
				return fmt.Errorf("edition %d in table %s: %w", last, s.t.revisions, err)
			}
		}
		if err := follows(batch[0], uint64(last), id); err != nil {
			return err
		}
		err = s.engine.insertRevisions(ctx, tx, s.t, rows)
		if s.engine.isDuplicate(err) { // the counter prevents it, unless somebody has changed it
			err = fmt.Errorf("%w: edition %d is taken, but table %s says that the last one is %d; restore both tables from the same backup (%w)",
				normsync.ErrConflict, batch[0].Edition, s.t.counters, last, err)
		}
		return err
	})
}

// follows returns an error that is ErrConflict unless r can be appended after
// the revision with this edition and ID, which is empty in an empty log.
func follows(r normsync.Revision, edition uint64, id string) error {
	if r.Edition != edition+1 || r.Edition > math.MaxInt64 {
		return fmt.Errorf("%w: edition %d is not the next one after edition %d", normsync.ErrConflict, r.Edition, edition)
	}
	if r.Prev != (normsync.ID{}) && r.Prev.String() != id {
		return fmt.Errorf("%w: edition %d has Prev %v, but the revision before it is %q", normsync.ErrConflict, r.Edition, r.Prev, id)
	}
	return nil
}

// AppendViolations appends violations, all or none, in one transaction.
func (s *Store) AppendViolations(ctx context.Context, vs ...normsync.Violation) error {
	return opError("append violations", s.appendViolations(ctx, vs))
}

func (s *Store) appendViolations(ctx context.Context, vs []normsync.Violation) error {
	if err := s.ready(ctx); err != nil || len(vs) == 0 {
		return err
	}
	rows := make([]violationRow, len(vs))
	for i, v := range vs {
		v, err := v.Canonical()
		if err != nil {
			return err
		}
		data, err := v.MarshalJSON()
		if err != nil {
			return err
		}
		rows[i] = violationRow{
			Agent:    agentKey(v.Action.Agent),
			Norm:     textKey(v.NormName),
			Severity: textKey(string(v.Severity)),
			Time:     instant(v.Action.Time).UnixMicro(),
			Data:     string(data),
		}
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		// The row of the counter stays locked until the transaction ends, so
		// violations become visible in the order of their numbers.
		last, err := s.advance(ctx, tx, "violations", len(rows))
		if err != nil {
			return err
		}
		for i := range rows {
			rows[i].Number = last + int64(i) + 1
		}
		return s.engine.insertViolations(ctx, tx, s.t, rows)
	})
}

// advance adds n to the counter of a log, locks it, and returns what it was.
func (s *Store) advance(ctx context.Context, tx *sql.Tx, log string, n int) (last int64, err error) {
	query := s.engine.bind("UPDATE " + s.t.counters + " SET last = last + ? WHERE log = ? RETURNING last")
	if err := tx.QueryRowContext(ctx, query, n, log).Scan(&last); err != nil {
		return 0, fmt.Errorf("counter %q in table %s: %w", log, s.t.counters, err)
	}
	return last - int64(n), nil
}

// write calls f in a transaction, and once more after an error that the database
// asks to be retried. f may be called several times.
func (s *Store) write(ctx context.Context, f func(*sql.Tx) error) error {
	if s.writing != nil {
		select {
		case s.writing <- struct{}{}:
			defer func() { <-s.writing }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	const tries = 5
	for try := 1; ; try++ {
		err := s.transact(ctx, f)
		if !s.engine.isTransient(err) || try == tries {
			return err
		}
	}
}

func (s *Store) transact(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, s.engine.txOptions)
	if err != nil {
		return s.explain(ctx, err)
	}
	if err := f(tx); err != nil {
		// Without a COMMIT the database stores nothing, also if the
		// connection is gone and Rollback fails.
		_ = tx.Rollback()
		return s.explain(ctx, err)
	}
	if err := ctx.Err(); err != nil {
		_ = tx.Rollback()
		return err
	}
	if err := tx.Commit(); err != nil {
		explained := s.explain(ctx, err)
		if s.engine.isUnknown(err) {
			return fmt.Errorf("%w: %w; read the store to see whether the batch is there", ErrUnknownOutcome, explained)
		}
		return explained
	}
	return nil
}

// Revisions yields the revisions with an edition greater than after.
func (s *Store) Revisions(ctx context.Context, after uint64) iter.Seq2[normsync.Revision, error] {
	query := "SELECT edition, data FROM " + s.t.revisions + " WHERE edition > ? ORDER BY edition"
	return func(yield func(normsync.Revision, error) bool) {
		for row, err := range s.pages(ctx, query, []any{clamp(after)}, 0, pageRows) {
			var r normsync.Revision
			if err == nil {
				if err = r.UnmarshalJSON(row.data); err == nil && r.Edition != uint64(row.key) {
					err = fmt.Errorf("the row holds edition %d", r.Edition)
				}
				if err != nil {
					err = fmt.Errorf("edition %d in table %s: %w; restore the table from a backup", row.key, s.t.revisions, err)
				}
			}
			if err != nil {
				yield(normsync.Revision{}, opError("read revisions", err))
				return
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

// Violations yields the violations with a number greater than after, oldest
// first.
func (s *Store) Violations(ctx context.Context, after uint64) iter.Seq2[normsync.StoredViolation, error] {
	return s.QueryViolations(ctx, normsync.ViolationQuery{After: after})
}

// row is a row of one of the two logs.
type row struct {
	key  int64 // edition or number
	data []byte
}

// A page has at most so many rows, and hardly more bytes.
const (
	pageRows  = 1000
	pageBytes = 4 << 20
)

// pages yields the rows that a query selects, page by page. The argument of the
// query with this index is a bound on the key that moves with every page.
func (s *Store) pages(ctx context.Context, query string, args []any, bound, limit int) iter.Seq2[row, error] {
	query = s.engine.bind(query + " LIMIT ?")
	return func(yield func(row, error) bool) {
		args := append([]any(nil), args...) // the sequence may be ranged over again
		args = append(args, limit)
		for {
			page, more, err := s.page(ctx, query, args, limit)
			if err != nil {
				yield(row{}, err)
				return
			}
			for _, r := range page {
				if err := s.ready(ctx); err != nil {
					yield(row{}, err)
					return
				}
				if !yield(r, nil) {
					return
				}
			}
			if !more {
				if err := s.ready(ctx); err != nil {
					yield(row{}, err)
				}
				return
			}
			args[bound] = page[len(page)-1].key
		}
	}
}

// page reads one page, and reports whether there may be more rows.
func (s *Store) page(ctx context.Context, query string, args []any, limit int) (page []row, more bool, err error) {
	if err := s.ready(ctx); err != nil {
		return nil, false, err
	}
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, false, s.explain(ctx, err)
	}
	defer rows.Close()
	for size := 0; size < pageBytes && rows.Next(); {
		var r row
		if err := rows.Scan(&r.key, &r.data); err != nil {
			return nil, false, err
		}
		size += len(r.data)
		page = append(page, r)
		more = len(page) == limit || size >= pageBytes
	}
	if err := rows.Err(); err != nil {
		return nil, false, s.explain(ctx, err)
	}
	return page, more, nil
}

// instant returns t, or the time that the zero time is stored as: 1970.
func instant(t time.Time) time.Time {
	if t.IsZero() {
		return time.Unix(0, 0)
	}
	return t
}

// clamp returns n as the databases can hold it.
func clamp(n uint64) int64 { return int64(min(n, math.MaxInt64)) }

// Keys are for indexes, so they are short, and without U+0000, which PostgreSQL
// does not take. Two texts may have the same key.

const maxKey = 200 // bytes

func textKey(s string) string {
	if len(s) > maxKey {
		s = strings.ToValidUTF8(s[:maxKey], "")
	}
	return strings.ReplaceAll(s, "\x00", "\uFFFD")
}

func agentKey(s string) string { return textKey(foldAgent(s)) }

// foldAgent maps ASCII letters to lower case, as agent: tokens are compared.
func foldAgent(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}
