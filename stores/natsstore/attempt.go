package natsstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// patience is how long a request waits for its answer before it is made again.
	// An answer is lost if the server is killed, and may be lost in a cluster.
	patience = 5 * time.Second

	// retryDelay is the pause before a request is made again.
	retryDelay = 50 * time.Millisecond
)

// attempt returns a context for one request. It ends with ctx, after the limit if
// that is not zero, and when the connection is lost, because no answer to the
// request comes after that. The cause is nats.ErrDisconnected then.
func (s *Store) attempt(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	stop := func() {}
	if limit > 0 {
		ctx, stop = context.WithTimeout(ctx, limit)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	lost := s.nc.StatusChanged(nats.RECONNECTING, nats.CLOSED)
	go func() {
		select {
		case <-lost:
			cancel(nats.ErrDisconnected)
		case <-ctx.Done():
		}
		s.nc.RemoveStatusListener(lost)
	}()
	return ctx, func() { cancel(nil); stop() }
}

// ask makes a request that may be made twice. It makes it again while there is no
// connection, no leader or no answer, until ctx or, if ctx has no deadline,
// Options.Timeout ends. Each request may take as long as the limit says, if that is
// not zero.
func ask[T any](ctx context.Context, s *Store, limit time.Duration, request func(context.Context) (T, error)) (T, error) {
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	for {
		one, end := s.attempt(ctx, limit)
		answer, err := request(one)
		cause := context.Cause(one)
		end()
		if err == nil {
			return answer, nil
		}
		if cause != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
			err = cause
		}
		var none T
		if s.closed.Err() != nil {
			return none, fs.ErrClosed
		}
		if !passing(err) && cause == nil || pause(ctx, retryDelay) != nil {
			return none, ended(ctx, err)
		}
	}
}

// ended returns err together with the error of ctx, if ctx has ended.
func ended(ctx context.Context, err error) error {
	if ctx.Err() == nil || errors.Is(err, ctx.Err()) {
		return err
	}
	return fmt.Errorf("%w: %w", ctx.Err(), err)
}

// passing reports whether a request failed for a reason that goes away by itself.
func passing(err error) bool {
	var api *jetstream.APIError
	return errors.Is(err, nats.ErrReconnectBufExceeded) || errors.Is(err, nats.ErrDisconnected) || noLeader(err) ||
		errors.As(err, &api) && api.ErrorCode == codeClusterNotAvailable
}

// deadline returns ctx with the store's timeout if it has no deadline of its own.
func (s *Store) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	return withTimeout(ctx, s.timeout)
}

func withTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, d)
}

// pause waits for d or, if ctx ends before that, until ctx ends, and returns the
// error of ctx. A pause that is as long as what is left of ctx ends with it: a request
// in the moment after that would fail for the deadline, which hides why the request
// before it failed.
func pause(ctx context.Context, d time.Duration) error {
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		<-ctx.Done()
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
