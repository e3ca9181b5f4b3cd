package natsstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ErrUnknownOutcome is the error of an append that may or may not be stored,
// because the server did not say so before the context ended.
var ErrUnknownOutcome = errors.New("normsync: outcome unknown")

// opError says during what an error happened, or returns nil if there is none.
// The package's name stands in front of the text once.
func opError(verb string, err error) error {
	if err == nil {
		return nil
	}
	return &storeError{verb, err}
}

type storeError struct {
	verb string
	err  error
}

func (e *storeError) Error() string {
	return "normsync: " + e.verb + ": " + strings.TrimPrefix(e.err.Error(), "normsync: ")
}

func (e *storeError) Unwrap() error { return e.err }

// explain is the function explain, for a call of the store. If the call runs out of time
// while there is no connection, the error says that, too: the time may have been up before
// the first request could notice it.
func (s *Store) explain(err error) error {
	if errors.Is(err, context.DeadlineExceeded) && !noConnection(err) && !s.nc.IsConnected() {
		err = fmt.Errorf("%w: %w", err, nats.ErrDisconnected)
	}
	return explain(err)
}

// explain adds to an error of NATS what to do about it.
func explain(err error) error {
	var api *jetstream.APIError
	errors.As(err, &api)
	switch {
	case err == nil:
		return nil
	case noConnection(err):
		return fmt.Errorf("%w; there is no connection to a server; try again when it is back", err)
	case errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired):
		return fmt.Errorf("%w; check the credentials in Options.Connect", err)
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return fmt.Errorf("%w; start the server with JetStream, and enable it for the account", err)
	case noLeader(err):
		return fmt.Errorf("%w; start the server with JetStream or, in a cluster, wait until a majority of the servers is back and the stream has a leader", err)
	case api != nil && (api.ErrorCode == codeInsufficientResources || api.ErrorCode == codeStorageResources || api.ErrorCode == codeStreamStoreFailed):
		return fmt.Errorf("%w: %w; make room on the server's disk, or raise its limits", syscall.ENOSPC, err)
	case errors.Is(err, nats.ErrTimeout) || errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w; the server did not answer: check that it runs, and that the account may publish to $JS.API.> and to the subjects of the store", err)
	}
	return err
}

// Error codes of the JetStream API that the client library does not name.
const (
	codeClusterNotAvailable   jetstream.ErrorCode = 10008
	codeInsufficientResources jetstream.ErrorCode = 10023
	codeStorageResources      jetstream.ErrorCode = 10047
	codeStreamStoreFailed     jetstream.ErrorCode = 10077
)

// noConnection reports whether a request failed because there is no connection.
func noConnection(err error) bool {
	return notSent(err) && !errors.Is(err, nats.ErrMaxPayload) ||
		errors.Is(err, nats.ErrNoServers) || errors.Is(err, nats.ErrDisconnected) || errors.Is(err, nats.ErrConnectionClosed)
}

// notSent reports whether a publish with this error did not leave the process.
func notSent(err error) bool {
	return errors.Is(err, nats.ErrReconnectBufExceeded) || errors.Is(err, nats.ErrInvalidConnection) || errors.Is(err, nats.ErrMaxPayload)
}

// isRefused reports whether the server answered a publish by an error.
func isRefused(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api)
}

// noLeader reports whether a publish found nobody to take the message, so that it
// was not stored.
func noLeader(err error) bool {
	return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrNoStreamResponse)
}

// isWrongLastSequence reports whether the server refused a message because the
// stream has grown.
func isWrongLastSequence(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) &&
		(api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}
