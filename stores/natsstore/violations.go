package natsstore

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"iter"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/normsync/normsync"
)

// AppendViolations appends violations, a message each. After an error, any of them
// may be stored.
func (s *Store) AppendViolations(ctx context.Context, vs ...normsync.Violation) error {
	return opError("append violations", s.appendViolations(ctx, vs))
}

func (s *Store) appendViolations(ctx context.Context, vs []normsync.Violation) error {
	if err := s.ready(ctx); err != nil || len(vs) == 0 {
		return err
	}
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	// All of the batch is made ready before any of it is published, so that a
	// violation that is refused leaves nothing behind.
	messages := make([]*nats.Msg, len(vs))
	for i, v := range vs {
		v, err := v.Canonical()
		if err != nil {
			return err
		}
		data, err := v.MarshalJSON()
		if err != nil {
			return err
		}
		if messages[i], err = s.message(ctx, s.violationSubject(agentBucket(v.Action.Agent)), data); err != nil {
			return s.explain(err)
		}
	}
	if err := ctx.Err(); err != nil {
		return s.explain(err)
	}
	for {
		if s.closed.Err() != nil {
			return fs.ErrClosed
		}
		stored, err := s.publishViolations(ctx, messages)
		switch {
		case err == nil || stored:
			return err
		case noConnection(err) && s.closed.Err() != nil:
			return fs.ErrClosed
		case !passing(err):
			return err
		}
		// There is no connection or no leader, so nothing of the batch was stored.
		if pause(ctx, retryDelay) != nil {
			return ended(ctx, err)
		}
	}
}

// publishViolations publishes the messages and waits for the answers. It returns
// whether any message may be stored, and the first error.
func (s *Store) publishViolations(ctx context.Context, messages []*nats.Msg) (stored bool, failed error) {
	fail := func(err error) {
		if failed == nil {
			failed = err
		}
	}
	one, end := s.attempt(ctx, 0)
	defer end()
	acks := make([]jetstream.PubAckFuture, 0, len(messages))
	for _, m := range messages {
		m.Reply = "" // set if the message was published before
		// A message that is tried again would come behind those after it.
		ack, err := s.js.PublishMsgAsync(m, jetstream.WithRetryAttempts(0))
		if err != nil {
			fail(explain(err))
			break
		}
		acks = append(acks, ack)
	}
	for _, ack := range acks {
		select {
		case <-ack.Ok():
			stored = true
		case err := <-ack.Err():
			stored = stored || !isRefused(err) && !noLeader(err)
			fail(unknown(err))
		case <-one.Done():
			stored = true
			fail(unknown(context.Cause(one)))
		}
	}
	return stored, failed
}

// unknown returns the error of a violation that was sent and not acknowledged.
func unknown(err error) error {
	if isRefused(err) || noLeader(err) {
		return explain(err) // it is not stored
	}
	return fmt.Errorf("%w: %w; some of the batch may be stored", ErrUnknownOutcome, explain(err))
}

// agentBucket returns the last part of the subject of an agent's violations: one of
// 4,096, so that a query for an agent passes over most others, and the number of
// subjects stays small.
func agentBucket(agent string) string {
	return fmt.Sprintf("%03x", crc32.ChecksumIEEE([]byte(foldAgent(agent)))&0xfff)
}

// foldAgent maps ASCII letters to lower case, as agent: tokens are compared.
func foldAgent(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

// Violations yields the violations with a number greater than after, oldest first.
func (s *Store) Violations(ctx context.Context, after uint64) iter.Seq2[normsync.StoredViolation, error] {
	return s.QueryViolations(ctx, normsync.ViolationQuery{After: after})
}

// QueryViolations yields the violations that q picks. A query by Agent reads about
// one in 4,096 of the other agents' violations; all other conditions are checked on
// what is read. A query with Newest reads from the end, in blocks that grow, so the
// last ten of an agent cost little if they are recent.
func (s *Store) QueryViolations(ctx context.Context, q normsync.ViolationQuery) iter.Seq2[normsync.StoredViolation, error] {
	return func(yield func(normsync.StoredViolation, error) bool) {
		for v, err := range s.query(ctx, q) {
			if err != nil {
				yield(normsync.StoredViolation{}, opError("read violations", s.explain(err)))
				return
			}
			if !yield(v, nil) {
				return
			}
		}
	}
}

// firstBlock is how many messages a query reads first from the end of the stream.
const firstBlock = 1024

func (s *Store) query(ctx context.Context, q normsync.ViolationQuery) iter.Seq2[normsync.StoredViolation, error] {
	return func(yield func(normsync.StoredViolation, error) bool) {
		fail := func(err error) { yield(normsync.StoredViolation{}, err) }
		if err := s.ready(ctx); err != nil {
			fail(err)
			return
		}
		info, err := ask(ctx, s, patience, func(ctx context.Context) (*jetstream.StreamInfo, error) { return s.violations.Info(ctx) })
		if err != nil {
			fail(err)
			return
		}
		first, last := info.State.FirstSeq, info.State.LastSeq
		filter := ""
		if q.Agent != "" {
			filter = s.violationSubject(agentBucket(q.Agent))
		}
		left := q.Limit
		// emit yields v and reports whether to go on.
		emit := func(v normsync.StoredViolation) bool {
			if !yield(v, nil) {
				return false
			}
			left--
			return left != 0
		}
		if !q.Newest {
			if q.After >= last {
				return
			}
			for v, err := range s.readViolations(ctx, max(first, q.After+1), last, filter) {
				if err != nil {
					fail(err)
					return
				}
				if matches(v, q) && !emit(v) {
					return
				}
			}
			return
		}
		if q.After > 0 {
			last = min(last, q.After-1)
		}
		for block := uint64(firstBlock); last >= first && last > 0; block *= 2 {
			from := max(first, last-min(last, block)+1)
			var found []normsync.StoredViolation
			for v, err := range s.readViolations(ctx, from, last, filter) {
				if err != nil {
					fail(err)
					return
				}
				if matches(v, q) {
					found = append(found, v)
				}
			}
			for i := len(found) - 1; i >= 0; i-- {
				if !emit(found[i]) {
					return
				}
				if err := s.ready(ctx); err != nil {
					fail(err)
					return
				}
			}
			last = from - 1
		}
	}
}

// matches reports whether q picks v, apart from After and Limit.
func matches(v normsync.StoredViolation, q normsync.ViolationQuery) bool {
	t := v.Action.Time
	return (q.Agent == "" || foldAgent(v.Action.Agent) == foldAgent(q.Agent)) &&
		(q.Norm == "" || v.NormName == q.Norm) &&
		(q.Severity == "" || v.Severity == q.Severity) &&
		(q.Since.IsZero() || !t.Before(q.Since)) &&
		(q.Until.IsZero() || t.Before(q.Until))
}

// readViolations yields the violations with numbers from first to last.
func (s *Store) readViolations(ctx context.Context, first, last uint64, filter string) iter.Seq2[normsync.StoredViolation, error] {
	return func(yield func(normsync.StoredViolation, error) bool) {
		fail := func(err error) { yield(normsync.StoredViolation{}, err) }
		if filter != "" {
			// read needs a last message that passes the filter.
			m, err := ask(ctx, s, patience, func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
				return s.violations.GetLastMsgForSubject(ctx, filter)
			})
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				return
			}
			if err != nil {
				fail(err)
				return
			}
			if m.Sequence < first {
				return
			}
			last = min(last, m.Sequence)
		}
		for m, err := range s.read(ctx, s.violations, first, last, filter) {
			if err == nil {
				err = s.ready(ctx)
			}
			var v normsync.StoredViolation
			if err == nil {
				v, err = s.decodeViolation(ctx, m)
			}
			if err != nil {
				fail(err)
				return
			}
			if !yield(v, nil) {
				return
			}
		}
	}
}

func (s *Store) decodeViolation(ctx context.Context, m *jetstream.RawStreamMsg) (v normsync.StoredViolation, err error) {
	v.Number = m.Sequence
	data, err := s.data(ctx, m.Header, m.Data)
	if err == nil {
		err = v.Violation.UnmarshalJSON(data)
	}
	if err != nil {
		return v, fmt.Errorf("stream %s: message %d: %w", s.name+"_VIOLATIONS", v.Number, err)
	}
	return v, nil
}
