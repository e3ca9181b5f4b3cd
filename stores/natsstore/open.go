package natsstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/normsync/normsync"
)

// Options configures [Open] and [New]. A nil *Options means the defaults.
type Options struct {
	// Replicas is how many servers of a cluster keep each message: 1, 3 or 5.
	// The default is 1. It is used when the streams are created.
	Replicas int

	// MaxViolationBytes and MaxViolationAge limit what the stream of violations
	// keeps: the oldest are deleted beyond them. The default is no limit. They
	// are used when the streams are created.
	MaxViolationBytes int64
	MaxViolationAge   time.Duration

	// Timeout is how long a call waits for the server if its context has no
	// deadline. A call that reads many messages waits so long for each of its
	// requests. The default is 10 s.
	Timeout time.Duration

	// Connect has more options for the connection that Open makes, such as
	// credentials and TLS.
	Connect []nats.Option
}

func (o *Options) timeout() time.Duration {
	if o.Timeout > 0 {
		return o.Timeout
	}
	return 10 * time.Second
}

// Store is a [normsync.Store] on NATS JetStream. It is also a
// [normsync.RevisionWaiter] and a [normsync.ViolationQuerier]. All methods are
// safe for concurrent use, also by many processes on the same streams.
type Store struct {
	nc         *nats.Conn
	js         jetstream.JetStream
	owned      bool // Close closes nc
	name       string
	timeout    time.Duration
	revisions  jetstream.Stream
	violations jetstream.Stream

	mu   sync.Mutex
	last position // of the last message of the stream of revisions that the store has seen

	large largeObjects

	closed context.Context // done once Close is called
	end    context.CancelFunc
}

var (
	_ normsync.Store            = (*Store)(nil)
	_ normsync.RevisionWaiter   = (*Store)(nil)
	_ normsync.ViolationQuerier = (*Store)(nil)
)

// Open connects to the NATS servers at url, which may be several with commas
// between them, and returns the store of that name there; see [New]. The
// connection is made again whenever it is lost, until Close.
//
// If no server listens at url, Open returns an error at once. If it has to wait for a
// server that starts later, put nats.RetryOnFailedConnect(true) into Options.Connect.
func Open(ctx context.Context, url, name string, o *Options) (*Store, error) {
	if o == nil {
		o = new(Options)
	}
	ctx, cancel := withTimeout(ctx, o.timeout())
	defer cancel()
	nc, err := connect(ctx, url, append([]nats.Option{
		nats.Name("normsync " + name),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(100 * time.Millisecond),
		// Without a buffer, a publish without a connection fails at once, and
		// is not sent behind the caller's back later.
		nats.ReconnectBufSize(-1),
	}, o.Connect...))
	if err != nil {
		return nil, opError("open store", fmt.Errorf("connect to %s: %w", withoutUsers(url), explain(err)))
	}
	s, err := New(ctx, nc, name, o)
	if err != nil {
		nc.Close()
		return nil, err
	}
	s.owned = true
	return s, nil
}

// withoutUsers returns the URLs of servers without the names and passwords of users.
func withoutUsers(urls string) string {
	list := strings.Split(urls, ",")
	for i, u := range list {
		scheme, rest, found := strings.Cut(u, "://")
		if !found {
			scheme, rest = "nats", u
		}
		list[i] = scheme + "://" + rest[strings.LastIndex(rest, "@")+1:]
	}
	return strings.Join(list, ",")
}

// connect connects to a server. While servers are too slow to answer, it tries again
// until ctx ends.
func connect(ctx context.Context, url string, options []nats.Option) (*nats.Conn, error) {
	type result struct {
		nc  *nats.Conn
		err error
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		made := make(chan result, 1)
		go func() {
			nc, err := nats.Connect(url, options...)
			made <- result{nc, err}
		}()
		select {
		case r := <-made:
			if r.err == nil {
				return r.nc, nil
			}
			var slow net.Error
			if !errors.Is(r.err, nats.ErrTimeout) && !(errors.As(r.err, &slow) && slow.Timeout()) || pause(ctx, retryDelay) != nil {
				return nil, ended(ctx, r.err)
			}
		case <-ctx.Done():
			go func() {
				if r := <-made; r.err == nil {
					r.nc.Close()
				}
			}()
			return nil, ctx.Err()
		}
	}
}

var nameSyntax = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)

// New returns the store of that name on the servers that nc is connected to. It
// creates the streams if they are not there. A name has letters, digits, - and _,
// at most 100 of them. Close the store first, then nc.
//
// Set [nats.ReconnectBufSize] to -1 on nc, as [Open] does. Otherwise a publish
// that was made while the connection was lost may be carried out after its call
// has returned an error that says that nothing was stored.
func New(ctx context.Context, nc *nats.Conn, name string, o *Options) (*Store, error) {
	if o == nil {
		o = new(Options)
	}
	if !nameSyntax.MatchString(name) {
		return nil, opError("open store", fmt.Errorf("%w: name %q; use letters, digits, - and _, at most 100 of them", normsync.ErrInvalid, name))
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, opError("open store", explain(err))
	}
	s := &Store{nc: nc, js: js, name: name, timeout: o.timeout()}
	s.closed, s.end = context.WithCancel(context.Background())
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	replicas := max(o.Replicas, 1)
	s.revisions, err = s.stream(ctx, jetstream.StreamConfig{
		Name:        name + "_REVISIONS",
		Description: "the revisions of the constitution " + name + "; never delete any",
		Subjects:    []string{s.revisionSubject()},
		Storage:     jetstream.FileStorage,
		Discard:     jetstream.DiscardNew,
		Replicas:    replicas,
		DenyDelete:  true,
		DenyPurge:   true,
	})
	if err == nil {
		s.violations, err = s.stream(ctx, jetstream.StreamConfig{
			Name:        name + "_VIOLATIONS",
			Description: "the violations recorded under the constitution " + name,
			Subjects:    []string{s.violationSubject("*")},
			Storage:     jetstream.FileStorage,
			Replicas:    replicas,
			MaxBytes:    limit(o.MaxViolationBytes),
			MaxAge:      o.MaxViolationAge,
			DenyDelete:  true,
		})
	}
	if err != nil {
		return nil, opError("open store", explain(err))
	}
	s.large = largeObjects{js: js, bucket: name + "_LARGE", replicas: replicas}
	return s, nil
}

// limit returns what a stream's configuration wants for n: no limit is -1 there.
func limit(n int64) int64 {
	if n <= 0 {
		return -1
	}
	return n
}

// stream returns the stream of that configuration, and creates it if it is not there.
func (s *Store) stream(ctx context.Context, c jetstream.StreamConfig) (jetstream.Stream, error) {
	var absent error // JetStream, probably: an operator has to do something
	stream, err := ask(ctx, s, patience, func(ctx context.Context) (jetstream.Stream, error) {
		stream, err := s.js.Stream(ctx, c.Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			stream, err = s.js.CreateStream(ctx, c)
			if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another process was faster
				stream, err = s.js.Stream(ctx, c.Name)
			}
		}
		if noLeader(err) {
			absent, err = err, nil
		}
		return stream, err
	})
	if err == nil {
		err = absent
	}
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", c.Name, err)
	}
	return stream, nil
}

func (s *Store) revisionSubject() string               { return s.name + ".revisions" }
func (s *Store) violationSubject(bucket string) string { return s.name + ".violations." + bucket }

// Close ends the calls of WaitRevisions that are under way, and the connection if
// Open made it. Every later call returns an error that is [fs.ErrClosed].
func (s *Store) Close() error {
	if s.closed.Err() != nil {
		return opError("close store", fs.ErrClosed)
	}
	s.end()
	if s.owned {
		s.nc.Close()
	}
	return nil
}

// ready returns the error of a store that is closed, or of a context that is done.
func (s *Store) ready(ctx context.Context) error {
	if s.closed.Err() != nil {
		return fs.ErrClosed
	}
	return ctx.Err()
}
