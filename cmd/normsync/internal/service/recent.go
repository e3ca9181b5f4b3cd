package service

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/normsync/normsync"
)

// recent keeps the newest actions that were checked. A store holds violations only, and
// a rate of compliance needs the other actions, too. The actions are encoded in blocks
// without pointers: as values of Go, 100,000 of them would make each garbage collection
// long enough to be felt by the checks.
type recent struct {
	limit int // actions

	mu     sync.Mutex
	count  int // actions in all blocks: limit, and up to a block more
	blocks []block
}

type block struct {
	data    []byte
	actions int
}

const blockSize = 64 << 10

// add does nothing if r is nil.
func (r *recent) add(a normsync.Action) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.blocks) == 0 || len(r.blocks[len(r.blocks)-1].data) >= blockSize {
		r.addBlock()
	}
	b := &r.blocks[len(r.blocks)-1]
	b.data = appendAction(b.data, a)
	b.actions++
	r.count++
}

// addBlock adds an empty block, and removes blocks that are no longer needed. It uses
// the memory of one of these if there is one.
func (r *recent) addBlock() {
	data := []byte(nil)
	for len(r.blocks) > 0 && r.count-r.blocks[0].actions >= r.limit {
		data = r.blocks[0].data[:0]
		r.count -= r.blocks[0].actions
		r.blocks = slices.Delete(r.blocks, 0, 1)
	}
	if cap(data) < blockSize || cap(data) > 2*blockSize {
		data = make([]byte, 0, blockSize+1<<10) // an action more than blockSize has room, too
	}
	r.blocks = append(r.blocks, block{data: data})
}

// newest returns the blocks, and the number of actions at their beginning that are too
// old.
func (r *recent) newest() (data [][]byte, old int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.blocks {
		data = append(data, slices.Clone(b.data))
	}
	return data, max(0, r.count-r.limit)
}

// appendAction encodes an action without its metadata, which no norm reads.
func appendAction(b []byte, a normsync.Action) []byte {
	for _, s := range [...]string{a.Agent, a.Verb, a.Location, a.Target, a.Faction, a.Facts} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	b = binary.AppendVarint(b, a.Time.Unix())
	return binary.AppendUvarint(b, uint64(a.Time.Nanosecond()))
}

// readAction decodes the first action in b, and returns what follows it.
func readAction(b []byte) (normsync.Action, []byte) {
	var a normsync.Action
	for _, s := range [...]*string{&a.Agent, &a.Verb, &a.Location, &a.Target, &a.Faction, &a.Facts} {
		n, size := binary.Uvarint(b)
		b = b[size:]
		*s, b = string(b[:n]), b[n:]
	}
	sec, size := binary.Varint(b)
	b = b[size:]
	nsec, size := binary.Uvarint(b)
	a.Time = time.Unix(sec, int64(nsec)).UTC()
	return a, b[size:]
}

// KeepRecent keeps the last n actions that are checked from now on in memory, for
// Recent. Call it before the service is shared. Without it none are kept.
func (s *Service) KeepRecent(n int) { s.recent = &recent{limit: n} }

// Recent returns the actions that KeepRecent keeps, oldest first, without metadata.
func (s *Service) Recent() iter.Seq[normsync.Action] {
	return func(yield func(normsync.Action) bool) {
		if s.recent == nil {
			return
		}
		blocks, old := s.recent.newest()
		for _, b := range blocks {
			for len(b) > 0 {
				var a normsync.Action
				a, b = readAction(b)
				if old > 0 {
					old--
				} else if !yield(a) {
					return
				}
			}
		}
	}
}

// CheckStored checks actions as Check does, and stores their violations before it
// returns. After an error some of the violations may be stored, from the first on.
func (s *Service) CheckStored(ctx context.Context, actions ...normsync.Action) ([]Verdict, error) {
	verdicts := make([]Verdict, 0, len(actions))
	var violations []normsync.Violation
	for _, a := range actions {
		v := s.Judge(a)
		s.happened(v)
		verdicts = append(verdicts, v)
		violations = append(violations, v.Violations...)
		s.recent.add(v.Action)
	}
	if s.recorder == nil || len(violations) == 0 {
		return verdicts, nil
	}
	if err := s.store.AppendViolations(ctx, violations...); err != nil {
		return nil, fmt.Errorf("normsync: store %d violations: %w", len(violations), err)
	}
	return verdicts, nil
}
