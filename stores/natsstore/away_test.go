package natsstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/stores/natsstore"
)

// calls are the calls of a store that need the server.
var calls = map[string]func(ctx context.Context, s *natsstore.Store, m *normsync.Monitor) error{
	"Apply": func(ctx context.Context, s *natsstore.Store, m *normsync.Monitor) error {
		_, err := m.Apply(ctx, normsync.Enact(forbid("while it was away", "attack")))
		return err
	},
	"AppendViolations": func(ctx context.Context, s *natsstore.Store, _ *normsync.Monitor) error {
		return s.AppendViolations(ctx, violation(1))
	},
	"Violations": func(ctx context.Context, s *natsstore.Store, _ *normsync.Monitor) error {
		for _, err := range s.Violations(ctx, 0) {
			return err
		}
		return nil
	},
	"normsync.Open": func(ctx context.Context, s *natsstore.Store, _ *normsync.Monitor) error {
		_, err := normsync.Open(ctx, s, nil)
		return err
	},
	"WaitRevisions": func(ctx context.Context, s *natsstore.Store, _ *normsync.Monitor) error {
		return s.WaitRevisions(ctx, 0) // there is one already
	},
}

// opened returns a store with one revision, a monitor on it, and a channel that
// tells when the connection is lost.
func opened(t testing.TB, url string, o natsstore.Options) (*natsstore.Store, *normsync.Monitor, <-chan error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	lost := make(chan error, 10)
	o.Connect = append(o.Connect, nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { lost <- err }))
	s, err := natsstore.Open(ctx, url, newName(), &o)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	m, err := normsync.Open(ctx, s, nil)
	require.NoError(t, err)
	_, err = m.Apply(ctx, normsync.Enact(forbid("first", "attack")))
	require.NoError(t, err)
	return s, m, lost
}

// A call that is made while the server restarts waits for it.
func TestCallsWaitForTheServer(t *testing.T) {
	c := serverConfig{Dir: t.TempDir(), Port: freePort(t)}
	srv := startServer(t, c)
	s, m, lost := opened(t, srv.ClientURL(), natsstore.Options{Timeout: limit})
	srv.Shutdown()
	srv.WaitForShutdown()
	receive(t, lost, "the client knows that the connection is lost")
	ended := make(chan error, len(calls))
	for name, call := range calls {
		go func() {
			err := call(t.Context(), s, m)
			if err != nil {
				err = fmt.Errorf("%s: %w", name, err)
			}
			ended <- err
		}()
	}
	select {
	case err := <-ended:
		require.FailNow(t, "a call has ended while there was no server", "%v", err)
	case <-time.After(100 * time.Millisecond): // a call that does not wait ends at once
	}
	startServer(t, c)
	for range calls {
		require.NoError(t, receive(t, ended, "the call ends"))
	}
	require.Len(t, wholeLog(t, s), 2)
	require.Len(t, violations(t, s, 0), 1)
}

// Each call ends with its context, after the store's timeout, which may be up before the
// first request, and when the store is closed, also if there is no server.
func TestCallsEndWithoutAServer(t *testing.T) {
	srv := startServer(t, serverConfig{Dir: t.TempDir(), Port: -1})
	late, lateMonitor, lateLost := opened(t, srv.ClientURL(), natsstore.Options{Timeout: 1})
	hasty, hastyMonitor, hastyLost := opened(t, srv.ClientURL(), natsstore.Options{Timeout: 50 * time.Millisecond})
	patient, patientMonitor, patientLost := opened(t, srv.ClientURL(), natsstore.Options{Timeout: time.Hour})
	waits := make(chan error, 1)
	waiting, stopWaiting := context.WithCancel(t.Context())
	defer stopWaiting()
	go func() { waits <- patient.WaitRevisions(waiting, 1) }()
	srv.Shutdown()
	srv.WaitForShutdown()
	for _, lost := range []<-chan error{lateLost, hastyLost, patientLost} {
		receive(t, lost, "the client knows that the connection is lost")
	}
	stopWaiting()
	require.ErrorIs(t, receive(t, waits, "WaitRevisions ends with its context"), context.Canceled)

	ended := make(chan error, len(calls))
	for name, call := range calls {
		for s, m := range map[*natsstore.Store]*normsync.Monitor{late: lateMonitor, hasty: hastyMonitor} {
			go func() { ended <- call(context.Background(), s, m) }()
			err := receive(t, ended, name+" ends after the timeout")
			require.ErrorIs(t, err, context.DeadlineExceeded, name)
			require.ErrorContains(t, err, "there is no connection to a server; try again when it is back", name)
			require.NotErrorIs(t, err, natsstore.ErrUnknownOutcome, name)
		}

		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		go func() { ended <- call(ctx, patient, patientMonitor) }()
		require.ErrorIs(t, receive(t, ended, name+" ends with its context"), context.DeadlineExceeded, name)
		cancel()
	}

	r := normsync.NewRecorder(hasty, nil)
	r.Record(violation(1), violation(2))
	require.Error(t, r.Flush(t.Context()))
	require.NoError(t, r.Close(context.Background()))
	require.Equal(t, normsync.RecorderStats{Recorded: 2, Failed: 2}, r.Stats())

	for _, call := range calls {
		go func() { ended <- call(context.Background(), patient, patientMonitor) }()
	}
	select {
	case err := <-ended:
		require.FailNow(t, "a call has ended while there was no server", "%v", err)
	case <-time.After(20 * time.Millisecond): // so that most have made a request
	}
	require.NoError(t, patient.Close())
	for range calls {
		require.ErrorIs(t, receive(t, ended, "the call ends when the store is closed"), fs.ErrClosed)
	}
}

// faults is a dialer of connections that spoil what the client sends, once each.
type faults struct {
	net.Dialer
	lose atomic.Pointer[string] // a request to a subject that begins so goes astray
	cut  atomic.Pointer[string] // after this text, the connection is cut
}

func (f *faults) Dial(network, address string) (net.Conn, error) {
	c, err := f.Dialer.Dial(network, address)
	if err != nil {
		return nil, err
	}
	return &faultyConn{Conn: c, faults: f}, nil
}

type faultyConn struct {
	net.Conn
	faults *faults
	deaf   atomic.Bool // what comes from the server is lost
}

func (c *faultyConn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err != nil || !c.deaf.Load() {
			return n, err
		}
	}
}

func (c *faultyConn) Write(b []byte) (int, error) {
	if text := c.faults.lose.Load(); text != nil && bytes.Contains(b, []byte(*text)) && c.faults.lose.CompareAndSwap(text, nil) {
		astray := append(bytes.Repeat([]byte("X"), len(*text)-1), '.')
		b = bytes.Replace(b, []byte(*text), astray, 1)
	}
	text := c.faults.cut.Load()
	if text == nil || !bytes.Contains(b, []byte(*text)) || !c.faults.cut.CompareAndSwap(text, nil) {
		return c.Conn.Write(b)
	}
	c.deaf.Store(true) // the server may answer before the connection is closed
	n, err := c.Conn.Write(b)
	return n, errors.Join(err, c.Conn.Close())
}

// In a cluster, the server of a connection may not know a new consumer at another
// server yet when the client asks it for messages: it answers that nobody takes the
// request, which is lost.
func TestReadingAfterALostRequest(t *testing.T) {
	srv := startServer(t, serverConfig{Dir: t.TempDir(), Port: -1})
	f := new(faults)
	s, m, _ := opened(t, srv.ClientURL(), natsstore.Options{Connect: []nats.Option{nats.SetCustomDialer(f)}})
	next := "$JS.API.CONSUMER.MSG.NEXT."
	f.lose.Store(&next)
	var vs []normsync.Violation
	for i := range 20 {
		vs = append(vs, violation(i))
	}
	require.NoError(t, s.AppendViolations(t.Context(), vs...))
	require.Len(t, violations(t, s, 0), len(vs))
	require.Nil(t, f.lose.Load(), "the request was lost")

	f.lose.Store(&next)
	woken := make(chan error, 1)
	go func() { woken <- s.WaitRevisions(t.Context(), 1) }()
	require.Eventually(t, func() bool { return f.lose.Load() == nil }, limit, time.Millisecond, "the request was lost")
	_, err := m.Apply(t.Context(), normsync.Enact(forbid("second", "attack")))
	require.NoError(t, err)
	require.NoError(t, receive(t, woken, "WaitRevisions returns"))
}

// An Apply whose answer is lost is published again, and stored once.
func TestApplyWhoseAnswerIsLost(t *testing.T) {
	srv := startServer(t, serverConfig{Dir: t.TempDir(), Port: -1})
	f := new(faults)
	s, m, _ := opened(t, srv.ClientURL(), natsstore.Options{Timeout: limit, Connect: []nats.Option{nats.SetCustomDialer(f)}})
	published := "Normsync-First-Edition"
	f.cut.Store(&published)
	start := time.Now()
	_, err := m.Apply(t.Context(), normsync.Enact(forbid("second", "attack")))
	require.NoError(t, err)
	require.Nil(t, f.cut.Load(), "the connection was cut")
	require.Less(t, time.Since(start), limit, "it does not wait until the time is up")
	require.Len(t, wholeLog(t, s), 2)

	bucket := "agent"
	f.cut.Store(&bucket)
	require.ErrorIs(t, s.AppendViolations(t.Context(), violation(1)), natsstore.ErrUnknownOutcome)
	require.Nil(t, f.cut.Load(), "the connection was cut")
	require.NoError(t, s.AppendViolations(t.Context(), violation(2)))
}
