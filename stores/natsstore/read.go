package natsstore

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// silence is how long read waits for a message before it asks whether the stream
// still has it.
const silence = 2 * time.Second

// read yields the messages of a stream with sequences from first to last, both
// included. Messages with other subjects than the filter, if it is not empty, are
// left out; the message with the sequence last has to pass the filter.
func (s *Store) read(ctx context.Context, stream jetstream.Stream, first, last uint64, filter string) iter.Seq2[jetstream.Msg, error] {
	return func(yield func(jetstream.Msg, error) bool) {
		consumer, messages, err := s.consume(ctx, stream, first, filter, false)
		if err != nil {
			yield(nil, err)
			return
		}
		defer s.stop(stream, consumer, messages)
		for {
			m, err := next(ctx, messages)
			if errors.Is(err, nats.ErrTimeout) {
				info, infoErr := stream.Info(ctx)
				if infoErr == nil && info.State.FirstSeq <= last {
					continue
				}
				if infoErr == nil {
					return // the stream's limits have deleted the rest
				}
				err = infoErr
			}
			if err != nil {
				yield(nil, err)
				return
			}
			sequence, err := sequenceOf(m)
			if err != nil {
				yield(nil, err)
				return
			}
			if sequence > last || !yield(m, nil) || sequence == last {
				return
			}
		}
	}
}

// consume starts to read a stream at a sequence. The caller has to call stop.
func (s *Store) consume(ctx context.Context, stream jetstream.Stream, first uint64, filter string, headersOnly bool) (jetstream.Consumer, jetstream.MessagesContext, error) {
	config := jetstream.OrderedConsumerConfig{
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       max(first, 1),
		InactiveThreshold: time.Minute,
		HeadersOnly:       headersOnly,
	}
	if filter != "" {
		config.FilterSubjects = []string{filter}
	}
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	consumer, err := stream.OrderedConsumer(ctx, config)
	if err != nil {
		return nil, nil, err
	}
	messages, err := consumer.Messages()
	if err != nil {
		return nil, nil, err
	}
	return consumer, messages, nil
}

// stop ends what consume began.
func (s *Store) stop(stream jetstream.Stream, consumer jetstream.Consumer, messages jetstream.MessagesContext) {
	messages.Stop()
	if info := consumer.CachedInfo(); info != nil && s.nc.IsConnected() {
		ctx, cancel := context.WithTimeout(context.Background(), silence)
		defer cancel()
		// The server deletes it anyway, a minute after it was last used.
		_ = stream.DeleteConsumer(ctx, info.Name)
	}
}

// next returns the next message, or an error that is nats.ErrTimeout if there is
// none for a while.
func next(ctx context.Context, messages jetstream.MessagesContext) (jetstream.Msg, error) {
	quiet, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	m, err := messages.Next(jetstream.NextContext(quiet))
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil && quiet.Err() != nil {
		return nil, nats.ErrTimeout
	}
	return m, err
}

func sequenceOf(m jetstream.Msg) (uint64, error) {
	meta, err := m.Metadata()
	if err != nil {
		return 0, err
	}
	return meta.Sequence.Stream, nil
}
