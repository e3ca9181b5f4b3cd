package natsstore

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// headerObject names the object that holds the data of a message.
const headerObject = "Normsync-Object"

// maxHeader is how much of a message's payload is left for its headers.
const maxHeader = 2048

// largeObjects keeps records that are beyond the server's maximum payload in an
// object store, which cuts them into pieces. It is created when it is first needed.
type largeObjects struct {
	js       jetstream.JetStream
	bucket   string
	replicas int

	mu    sync.Mutex
	store jetstream.ObjectStore
}

func (l *largeObjects) open(ctx context.Context) (jetstream.ObjectStore, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.store != nil {
		return l.store, nil
	}
	store, err := l.js.ObjectStore(ctx, l.bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		store, err = l.js.CreateObjectStore(ctx, jetstream.ObjectStoreConfig{Bucket: l.bucket, Description: "records beyond the maximum payload", Replicas: l.replicas})
		if errors.Is(err, jetstream.ErrBucketExists) || errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another process was faster
			store, err = l.js.ObjectStore(ctx, l.bucket)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("object store %s: %w", l.bucket, err)
	}
	l.store = store
	return store, nil
}

// message returns a message with that data. Data beyond the maximum payload is put
// into the object store first: if the message is never published, the object is
// left over, and does no harm.
func (s *Store) message(ctx context.Context, subject string, data []byte) (*nats.Msg, error) {
	m := nats.NewMsg(subject)
	if int64(len(data)) <= s.nc.MaxPayload()-maxHeader {
		m.Data = data
		return m, nil
	}
	store, err := ask(ctx, s, patience, s.large.open)
	if err != nil {
		return nil, err
	}
	name := nuid.Next()
	if _, err := ask(ctx, s, 0, func(ctx context.Context) (*jetstream.ObjectInfo, error) { return store.PutBytes(ctx, name, data) }); err != nil {
		return nil, fmt.Errorf("object %s in %s: %w", name, s.large.bucket, err)
	}
	m.Header.Set(headerObject, name)
	return m, nil
}

// data returns the data of a message that was read.
func (s *Store) data(ctx context.Context, header nats.Header, data []byte) ([]byte, error) {
	name := header.Get(headerObject)
	if name == "" {
		return data, nil
	}
	store, err := ask(ctx, s, patience, s.large.open)
	if err != nil {
		return nil, err
	}
	data, err = ask(ctx, s, 0, func(ctx context.Context) ([]byte, error) { return store.GetBytes(ctx, name) })
	if err != nil {
		return nil, fmt.Errorf("object %s in %s: %w", name, s.large.bucket, err)
	}
	return data, nil
}
