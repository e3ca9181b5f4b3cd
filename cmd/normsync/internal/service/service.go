// Package service is what the command line, the REST server, the MCP server and
// the live page have in common: a store, the norms in force, and a recorder.
package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/normsync/normsync"
)

// Service holds the norms of one store in force and records violations. All
// methods are safe for concurrent use.
type Service struct {
	store    Store
	monitor  *normsync.Monitor
	recorder *normsync.Recorder
	recent   *recent // nil until KeepRecent
	memory   *memory // nil until Remember
	mode     Mode
}

// Open opens the store at location; see OpenStore.
func Open(ctx context.Context, location string, mode Mode) (*Service, error) {
	store, err := OpenStore(ctx, location, mode)
	if err != nil {
		return nil, err
	}
	s, err := New(ctx, store, mode)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return s, nil
}

// New returns a service on a store, which Close closes.
func New(ctx context.Context, store Store, mode Mode) (*Service, error) {
	monitor, err := normsync.Open(ctx, store, nil)
	if err != nil {
		return nil, err
	}
	s := &Service{store: store, monitor: monitor, mode: mode}
	if mode != Read {
		s.recorder = normsync.NewRecorder(store, nil)
	}
	return s, nil
}

// Store returns the store.
func (s *Service) Store() normsync.Store { return s.store }

// Monitor returns the monitor of the norms in force.
func (s *Service) Monitor() *normsync.Monitor { return s.monitor }

// Warnings returns what is wrong with the store, although it can be used: norms in force
// that this version refuses, and what a crash has left behind.
func (s *Service) Warnings() []error {
	warnings := s.monitor.Refused()
	if files, ok := s.store.(*normsync.FileStore); ok {
		for _, tail := range files.TornTails() {
			if tail.Err != nil {
				warnings = append(warnings, fmt.Errorf("normsync: open store: a crash left %d bytes at the end of %s, which were cut off, and could not be kept: %w", tail.Size, tail.Path, tail.Err))
				continue
			}
			warnings = append(warnings, fmt.Errorf("normsync: open store: a crash left %d bytes at the end of %s, which were cut off; they are kept in %s", tail.Size, tail.Path, tail.Kept))
		}
	}
	return warnings
}

// Recorder returns the recorder, or nil if the service was opened to read.
func (s *Service) Recorder() *normsync.Recorder { return s.recorder }

// ReadOnly reports whether the service was opened to read.
func (s *Service) ReadOnly() bool { return s.mode == Read }

// Judge checks an action without recording anything. An action without a time
// is judged at the time of the call. The action of the verdict has the facts of the
// memory, if there is one; see Remember.
func (s *Service) Judge(a normsync.Action) Verdict { return s.judgeBy(s.monitor.Constitution(), a) }

func (s *Service) judgeBy(c *normsync.Constitution, a normsync.Action) Verdict {
	if a.Time.IsZero() {
		a.Time = time.Now().UTC()
	}
	a = s.WithFacts(a)
	vs := c.Check(a)
	return Verdict{Action: a, Allowed: !normsync.Denied(vs), Violations: vs}
}

// Check is Judge, and records the violations, which are on disk at the latest
// after the next Flush or Close. It reports an error if there was no room for them.
func (s *Service) Check(a normsync.Action) (Verdict, error) {
	v := s.Judge(a)
	s.happened(v)
	s.recent.add(v.Action)
	if s.recorder != nil && len(v.Violations) > 0 && !s.recorder.Record(v.Violations...) {
		return v, errors.New("normsync: record violations: the store is too slow, so some were dropped; try again later")
	}
	return v, nil
}

// Flush waits until all recorded violations are stored.
func (s *Service) Flush(ctx context.Context) error {
	if s.recorder == nil {
		return nil
	}
	return s.recorder.Flush(ctx)
}

// Close stores what was recorded and closes the store.
func (s *Service) Close(ctx context.Context) error {
	var err error
	if s.recorder != nil {
		err = s.recorder.Close(ctx)
	}
	return errors.Join(err, s.store.Close())
}
