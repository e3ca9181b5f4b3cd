package natsstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/normsync/normsync"
)

// Headers of a message of revisions.
const (
	headerFirst = "Normsync-First-Edition"
	headerLast  = "Normsync-Last-Edition"
	headerID    = "Normsync-Last-ID" // of the revision with the last edition
)

// position tells where a message is in the stream of revisions. The zero position is
// before the first message.
type position struct {
	sequence    uint64
	first, last uint64      // editions
	id          normsync.ID // of the last revision
	message     string      // Nats-Msg-Id
}

func positionOf(sequence uint64, h nats.Header) (position, error) {
	first, firstErr := strconv.ParseUint(h.Get(headerFirst), 10, 64)
	last, lastErr := strconv.ParseUint(h.Get(headerLast), 10, 64)
	id, idErr := normsync.ParseID(h.Get(headerID))
	if err := errors.Join(firstErr, lastErr, idErr); err != nil {
		return position{}, fmt.Errorf("message %d: headers: %w; something else has published to the stream", sequence, err)
	}
	return position{sequence, first, last, id, h.Get(jetstream.MsgIDHeader)}, nil
}

// endOfLog returns the position of the stream's last message.
func (s *Store) endOfLog(ctx context.Context) (position, error) {
	m, err := ask(ctx, s, patience, func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
		return s.revisions.GetLastMsgForSubject(ctx, s.revisionSubject())
	})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return position{}, nil
	}
	if err != nil {
		return position{}, err
	}
	p, err := positionOf(m.Sequence, m.Header)
	if err == nil {
		s.saw(p)
	}
	return p, err
}

// saw keeps the latest position, which saves a question before the next append.
func (s *Store) saw(p position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.sequence > s.last.sequence {
		s.last = p
	}
}

func (s *Store) latest() position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// AppendRevisions appends revisions, all or none, in one message.
func (s *Store) AppendRevisions(ctx context.Context, revs ...normsync.Revision) error {
	return opError("append revisions", s.appendRevisions(ctx, revs))
}

func (s *Store) appendRevisions(ctx context.Context, revs []normsync.Revision) error {
	if err := s.ready(ctx); err != nil || len(revs) == 0 {
		return err
	}
	batch := make([]normsync.Revision, len(revs))
	var ids [2]normsync.ID // of the revision before and of this one
	for i, r := range revs {
		r, err := r.Canonical()
		if err != nil {
			return err
		}
		if i > 0 {
			if err := follows(r, batch[i-1].Edition, ids[1]); err != nil {
				return err
			}
		}
		batch[i] = r
		ids[1] = r.ID()
	}
	data, err := json.Marshal(batch)
	if err != nil {
		return err
	}
	caller := ctx
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	// Most batches that do not fit are found out before anything is published.
	after := s.latest()
	if follows(batch[0], after.last, after.id) != nil {
		if after, err = s.endOfLog(ctx); err != nil {
			return s.explain(err)
		}
		if err := follows(batch[0], after.last, after.id); err != nil {
			return err
		}
	}
	m, err := s.message(ctx, s.revisionSubject(), data)
	if err != nil {
		return s.explain(err)
	}
	own := position{first: batch[0].Edition, last: batch[len(batch)-1].Edition, id: ids[1], message: nuid.Next()}
	m.Header.Set(headerFirst, strconv.FormatUint(own.first, 10))
	m.Header.Set(headerLast, strconv.FormatUint(own.last, 10))
	m.Header.Set(headerID, own.id.String())
	m.Header.Set(jetstream.MsgIDHeader, own.message)
	if err := caller.Err(); err != nil {
		return err
	}
	return s.publishRevisions(ctx, m, batch[0], after, own)
}

// publishRevisions publishes a batch until it knows what became of it.
func (s *Store) publishRevisions(ctx context.Context, m *nats.Msg, first normsync.Revision, after, own position) error {
	sent := false // whether the server may have got the message
	for {
		if s.closed.Err() != nil && !sent {
			return fs.ErrClosed
		}
		if err := ctx.Err(); err != nil && !sent {
			return s.explain(err)
		}
		one, end := s.attempt(ctx, patience)
		ack, err := s.js.PublishMsg(one, m, jetstream.WithExpectLastSequence(after.sequence), jetstream.WithRetryAttempts(0))
		if cause := context.Cause(one); cause != nil && errors.Is(err, context.Canceled) {
			err = cause
		}
		end()
		if err == nil {
			own.sequence = ack.Sequence
			s.saw(own)
			return nil
		}
		goesAway := true // the reason for the error
		switch {
		case isWrongLastSequence(err):
			// The stream has grown: by another server's batch, or by this
			// one if an earlier answer was lost.
			end, endErr := s.endOfLog(ctx)
			if endErr != nil {
				err = endErr
				break
			}
			stored := end.message == own.message
			if !stored && sent && end.last >= own.last {
				stored, endErr = s.holds(ctx, own)
				if endErr != nil {
					err = endErr
					break
				}
			}
			if stored {
				return nil
			}
			if err := follows(first, end.last, end.id); err != nil {
				return err
			}
			after = end
			continue
		case noLeader(err) || notSent(err) || isRefused(err):
			// This message was not stored. A leader is elected within seconds.
			goesAway = passing(err)
		default:
			sent = true
			goesAway = !errors.Is(err, nats.ErrConnectionClosed)
		}
		if (goesAway || sent) && pause(ctx, retryDelay) == nil && !s.nc.IsClosed() {
			continue
		}
		if noConnection(err) && s.closed.Err() != nil && !sent {
			return fs.ErrClosed
		}
		err = s.explain(ended(ctx, err))
		if sent {
			return fmt.Errorf("%w: %w; read the store to see whether the batch is there", ErrUnknownOutcome, err)
		}
		return err
	}
}

// holds reports whether the message at the position of own's editions is own.
func (s *Store) holds(ctx context.Context, own position) (bool, error) {
	p, err := s.find(ctx, own.last, s.latest())
	return err == nil && p.message == own.message, err
}

// follows returns an error that is ErrConflict unless r can be appended after the
// revision with this edition and ID.
func follows(r normsync.Revision, edition uint64, id normsync.ID) error {
	if r.Edition != edition+1 {
		return fmt.Errorf("%w: edition %d is not the next one after edition %d", normsync.ErrConflict, r.Edition, edition)
	}
	if r.Prev != (normsync.ID{}) && r.Prev != id {
		return fmt.Errorf("%w: edition %d has Prev %v, but the revision before it is %v", normsync.ErrConflict, r.Edition, r.Prev, id)
	}
	return nil
}

// Revisions yields the revisions with an edition greater than after.
func (s *Store) Revisions(ctx context.Context, after uint64) iter.Seq2[normsync.Revision, error] {
	return func(yield func(normsync.Revision, error) bool) {
		for r, err := range s.readRevisions(ctx, after) {
			if err != nil {
				yield(normsync.Revision{}, opError("read revisions", s.explain(err)))
				return
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (s *Store) readRevisions(ctx context.Context, after uint64) iter.Seq2[normsync.Revision, error] {
	return func(yield func(normsync.Revision, error) bool) {
		fail := func(err error) { yield(normsync.Revision{}, err) }
		if err := s.ready(ctx); err != nil {
			fail(err)
			return
		}
		seen := s.latest()
		end, err := s.endOfLog(ctx)
		if err != nil {
			fail(err)
			return
		}
		if end.last <= after {
			return
		}
		start := end
		if end.first > after+1 {
			if start, err = s.find(ctx, after+1, seen); err != nil {
				fail(err)
				return
			}
		}
		edition := start.first - 1
		for m, err := range s.read(ctx, s.revisions, start.sequence, end.sequence, "") {
			if err == nil {
				err = s.ready(ctx)
			}
			var batch []normsync.Revision
			if err == nil {
				batch, err = s.decodeRevisions(ctx, m)
			}
			if err != nil {
				fail(err)
				return
			}
			for _, r := range batch {
				if r.Edition != edition+1 {
					fail(fmt.Errorf("stream %s: edition %d comes after edition %d; restore the stream from a backup", s.name+"_REVISIONS", r.Edition, edition))
					return
				}
				edition = r.Edition
				if r.Edition > after && !yield(r, nil) {
					return
				}
				if err := s.ready(ctx); err != nil {
					fail(err)
					return
				}
			}
		}
	}
}

func (s *Store) decodeRevisions(ctx context.Context, m *jetstream.RawStreamMsg) ([]normsync.Revision, error) {
	data, err := s.data(ctx, m.Header, m.Data)
	if err != nil {
		return nil, err
	}
	var batch []normsync.Revision
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&batch); err != nil {
		return nil, fmt.Errorf("stream %s: message %d: %w; restore the stream from a backup", s.name+"_REVISIONS", m.Sequence, err)
	}
	return batch, nil
}

// find returns the position of the message that holds an edition, which the stream
// has. A position that the store has seen before is a good guess: followers ask for
// the edition after it.
func (s *Store) find(ctx context.Context, edition uint64, guess position) (position, error) {
	// Every message holds at least one edition, so an edition is not behind the
	// sequence of its own number.
	low, high := uint64(1), edition
	probe := (low + high) / 2
	if guess.sequence > 0 && guess.last < edition {
		low, probe = guess.sequence+1, guess.sequence+1
	}
	for low <= high {
		m, err := s.get(ctx, s.revisions, probe)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			high = probe - 1
		} else if err != nil {
			return position{}, err
		} else {
			p, err := positionOf(m.Sequence, m.Header)
			switch {
			case err != nil:
				return position{}, err
			case p.last < edition:
				low = probe + 1
			case p.first > edition:
				high = probe - 1
			default:
				return p, nil
			}
		}
		probe = (low + high) / 2
	}
	return position{}, fmt.Errorf("stream %s: edition %d is not there; restore the stream from a backup", s.name+"_REVISIONS", edition)
}

// WaitRevisions returns nil once there is a revision after that edition, and
// ctx's error when ctx ends first. It does not poll: the server sends the headers of
// the next message when it is stored.
func (s *Store) WaitRevisions(ctx context.Context, after uint64) error {
	return opError("wait for revisions", s.waitRevisions(ctx, after))
}

func (s *Store) waitRevisions(ctx context.Context, after uint64) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.closed, func() { cancel(s.ready(context.Background())) })()
	err := s.waitMessages(ctx, after)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return s.explain(err)
}

func (s *Store) waitMessages(ctx context.Context, after uint64) error {
	end, err := s.endOfLog(ctx)
	if err != nil || end.last > after {
		return err
	}
	r := &reader{s: s, stream: s.revisions, next: end.sequence + 1, headersOnly: true}
	defer func() { r.drop(ctx) }()
	for end.last <= after {
		var bad error
		err := r.fetch(ctx, 1, longWait, func(m jetstream.Msg, sequence uint64) bool {
			end, bad = positionOf(sequence, m.Headers())
			return bad == nil
		})
		if err == nil && r.failures > 1 && time.Since(r.since) > s.timeout {
			err = r.failed
		}
		if err := errors.Join(err, bad); err != nil {
			return err
		}
	}
	return nil
}
