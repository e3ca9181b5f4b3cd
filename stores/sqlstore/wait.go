package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io/fs"
	"time"
)

// WaitRevisions returns nil once the store has a revision after the given edition.
// If ctx ends first, it returns the error of ctx. It occupies a connection while it
// waits.
//
// On PostgreSQL it waits for a notification if Options.WaitForNotification is set.
// It also asks the database once a second, because a connection pooler may lose
// notifications. Otherwise it asks every Options.Poll. On SQLite it asks a tenth as
// often once nothing has changed for 200 times Options.Poll, so that an idle program
// needs little of the processor.
func (s *Store) WaitRevisions(ctx context.Context, after uint64) error {
	return opError("wait for revisions", s.waitRevisions(ctx, after))
}

func (s *Store) waitRevisions(ctx context.Context, after uint64) (err error) {
	s.mu.Lock()
	err = s.ready(ctx)
	if err == nil {
		s.waiting.Add(1)
		defer s.waiting.Done()
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.closed, func() { cancel(fs.ErrClosed) })()

	conn, err := s.db.Conn(ctx)
	if err != nil {
		return s.waitError(ctx, err)
	}
	wait, stop, err := s.engine.waiter(ctx, s, conn)
	if err != nil {
		discard(conn)
		return s.waitError(ctx, err)
	}
	defer func() {
		if stop() != nil {
			discard(conn)
		}
		conn.Close()
	}()
	for {
		last, err := s.lastEdition(ctx, conn)
		if err == nil && uint64(last) > after {
			return nil
		}
		if err == nil {
			err = wait(ctx)
		}
		if err != nil {
			return s.waitError(ctx, err)
		}
	}
}

// waitError returns the error of ctx if it has ended, and err otherwise.
func (s *Store) waitError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return s.engine.explain(err)
}

func (s *Store) lastEdition(ctx context.Context, conn *sql.Conn) (last int64, err error) {
	err = conn.QueryRowContext(ctx, "SELECT last FROM "+s.t.counters+" WHERE log = 'revisions'").Scan(&last)
	return last, err
}

// discard closes a connection that must not go back to the pool.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	conn.Close()
}

// pause waits for d or until ctx ends, and returns the error of ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// waitDataVersion polls until another connection, of any process, has changed
// the file.
func waitDataVersion(ctx context.Context, s *Store, conn *sql.Conn) (wait func(context.Context) error, stop func() error, err error) {
	version := func(ctx context.Context) (v int64, err error) {
		err = conn.QueryRowContext(ctx, "PRAGMA data_version").Scan(&v)
		return v, err
	}
	seen, err := version(ctx)
	if err != nil {
		return nil, nil, err
	}
	wait = func(ctx context.Context) error {
		for unchanged := 0; ; unchanged++ {
			now, err := version(ctx)
			if err != nil {
				return err
			}
			if now != seen {
				seen = now
				return nil
			}
			if err := pause(ctx, pollPause(s.poll, unchanged)); err != nil {
				return err
			}
		}
	}
	return wait, func() error { return nil }, nil
}

// pollPause returns how long waitDataVersion pauses when it has found a file unchanged so
// many times before.
func pollPause(poll time.Duration, unchanged int) time.Duration {
	const patience, slower = 200, 10
	if unchanged < patience {
		return poll
	}
	return slower * poll
}

// maxSilence is how long waitNotification relies on notifications.
const maxSilence = time.Second

// waitNotification waits for a notification, or for the next time to look.
func waitNotification(ctx context.Context, s *Store, conn *sql.Conn) (wait func(context.Context) error, stop func() error, err error) {
	if s.notify == nil {
		return func(ctx context.Context) error { return pause(ctx, s.poll) }, func() error { return nil }, nil
	}
	if _, err := conn.ExecContext(ctx, "LISTEN "+s.t.revisions); err != nil {
		return nil, nil, err
	}
	wait = func(ctx context.Context) error {
		silence, cancel := context.WithTimeout(ctx, maxSilence)
		defer cancel()
		err := s.notify(silence, conn)
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			return nil
		}
		return err
	}
	stop = func() error {
		ctx, cancel := context.WithTimeout(context.Background(), maxSilence)
		defer cancel()
		_, err := conn.ExecContext(ctx, "UNLISTEN "+s.t.revisions)
		return err
	}
	return wait, stop, nil
}
