package natsstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// silence is how long read waits for a message before it asks whether the
	// stream still has it.
	silence = 2 * time.Second

	// longWait is how long a wait for a new message lasts before it is begun again.
	longWait = 30 * time.Second

	// readAhead is how many messages are asked for at a time.
	readAhead = 500
)

// reader reads the messages of a stream in order. It makes a new consumer, which
// starts at the next message, whenever the one that it has loses a message or fails.
type reader struct {
	s           *Store
	stream      jetstream.Stream
	next        uint64 // the least sequence of the next message
	filter      string // the subject of the messages; empty: all
	headersOnly bool

	consumer  jetstream.Consumer // nil if there is none
	delivered uint64             // how many messages it has delivered
	failures  int                // of fetch, since it last worked
	failed    error              // the last of them
	since     time.Time          // when the first of them was
}

// fetch asks for up to n messages and calls each with those that come, in order,
// until it returns false. It returns when it has them, after the wait, or when the
// consumer fails, which the next call mends. So it may return without any message.
// An error is one that a further call would meet, too.
func (r *reader) fetch(ctx context.Context, n int, wait time.Duration, each func(m jetstream.Msg, sequence uint64) bool) error {
	if r.failures > 0 {
		if err := pause(ctx, retryDelay); err != nil {
			return err
		}
	}
	if r.consumer == nil {
		if err := r.consume(ctx); err != nil {
			return err
		}
	}
	one, end := r.s.attempt(ctx, wait)
	defer end()
	batch, err := r.consumer.Fetch(n, jetstream.FetchContext(one))
	if err != nil {
		r.fail(ctx, err)
		return ctx.Err()
	}
	for m := range batch.Messages() {
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		if meta.Sequence.Consumer != r.delivered+1 {
			r.drop(ctx) // a message was lost on its way
			return nil
		}
		r.delivered, r.failures = meta.Sequence.Consumer, 0
		r.next = meta.Sequence.Stream + 1
		if !each(m, meta.Sequence.Stream) {
			return nil
		}
	}
	if err := batch.Error(); err != nil {
		r.fail(ctx, err)
	} else {
		r.failures = 0
	}
	return ctx.Err()
}

// consume makes a consumer that starts at the next message.
func (r *reader) consume(ctx context.Context) (err error) {
	r.delivered = 0
	r.consumer, err = ask(ctx, r.s, patience, func(ctx context.Context) (jetstream.Consumer, error) {
		return r.stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
			DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
			OptStartSeq:       max(r.next, 1),
			AckPolicy:         jetstream.AckNonePolicy,
			FilterSubject:     r.filter,
			InactiveThreshold: time.Minute,
			Replicas:          1,
			MemoryStorage:     true,
			HeadersOnly:       r.headersOnly,
		})
	})
	if err != nil {
		r.consumer = nil
	}
	return err
}

// fail prepares the next call of fetch after an error of this one.
func (r *reader) fail(ctx context.Context, err error) {
	if r.failures == 0 {
		r.since = time.Now()
	}
	r.failures++
	r.failed = err
	// In a cluster, the server of this connection may not know a new consumer at
	// another server yet, and says then that nobody takes the request.
	if noLeader(err) && r.failures == 1 {
		return
	}
	r.drop(ctx)
}

// drop deletes the consumer. The server deletes it anyway, a minute after it was
// last used.
func (r *reader) drop(ctx context.Context) {
	if r.consumer == nil {
		return
	}
	name := r.consumer.CachedInfo().Name
	r.consumer = nil
	if r.s.nc.IsConnected() {
		one, end := r.s.attempt(context.WithoutCancel(ctx), silence)
		defer end()
		_ = r.stream.DeleteConsumer(one, name)
	}
}

// few is the number of messages up to which read asks for one by one, which costs less
// than a consumer. In a cluster, the servers have to agree on a consumer first.
const few = 4

// read yields the messages of a stream with sequences from first to last, both
// included. Messages with other subjects than the filter, if it is not empty, are
// left out; the message with the sequence last has to pass the filter.
func (s *Store) read(ctx context.Context, stream jetstream.Stream, first, last uint64, filter string) iter.Seq2[*jetstream.RawStreamMsg, error] {
	return func(yield func(*jetstream.RawStreamMsg, error) bool) {
		if first > last {
			return
		}
		if last-first >= few {
			s.readMany(ctx, stream, first, last, filter, yield)
			return
		}
		for sequence := first; sequence <= last; sequence++ {
			m, err := s.get(ctx, stream, sequence)
			switch {
			case errors.Is(err, jetstream.ErrMsgNotFound):
				// The stream's limits have deleted it.
			case err != nil:
				yield(nil, err)
				return
			case (filter == "" || m.Subject == filter) && !yield(m, nil):
				return
			}
		}
	}
}

// get returns the message with a sequence.
func (s *Store) get(ctx context.Context, stream jetstream.Stream, sequence uint64) (*jetstream.RawStreamMsg, error) {
	return ask(ctx, s, patience, func(ctx context.Context) (*jetstream.RawStreamMsg, error) { return stream.GetMsg(ctx, sequence) })
}

// readMany is read by a consumer. It gives up if no message comes until ctx or, if
// ctx has no deadline, Options.Timeout ends.
func (s *Store) readMany(ctx context.Context, stream jetstream.Stream, first, last uint64, filter string, yield func(*jetstream.RawStreamMsg, error) bool) {
	r := &reader{s: s, stream: stream, next: first, filter: filter}
	defer func() { r.drop(ctx) }()
	progress := time.Now()
	for r.next <= last {
		n := readAhead
		if filter == "" {
			n = int(min(last-r.next+1, readAhead))
		}
		before, stopped := r.next, false
		err := r.fetch(ctx, n, silence, func(m jetstream.Msg, sequence uint64) bool {
			stopped = sequence > last || !yield(&jetstream.RawStreamMsg{Subject: m.Subject(), Sequence: sequence, Header: m.Headers(), Data: m.Data()}, nil)
			return !stopped && sequence < last
		})
		if stopped {
			return
		}
		if err == nil {
			err = s.ready(ctx)
		}
		if r.next > before {
			progress = time.Now()
		} else if err == nil {
			var info *jetstream.StreamInfo
			info, err = ask(ctx, s, patience, func(ctx context.Context) (*jetstream.StreamInfo, error) { return stream.Info(ctx) })
			if err == nil && info.State.FirstSeq > last {
				return // the stream's limits have deleted the rest
			}
			if _, ok := ctx.Deadline(); err == nil && !ok && time.Since(progress) > s.timeout {
				err = fmt.Errorf("message %d does not come: %w", r.next, nats.ErrTimeout)
			}
		}
		if err != nil {
			yield(nil, err)
			return
		}
	}
}
