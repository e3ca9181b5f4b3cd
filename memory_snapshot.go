package normsync

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/normsync/normsync/internal/strictjson"
	"github.com/normsync/normsync/internal/token"
	"github.com/normsync/normsync/internal/unixtime"
)

// Snapshot writes what the memory remembers as a JSON object, with a key per line, the one
// that has not acted for the longest time first. The same memory is written as the same
// bytes. Each key is written as it is at one moment. If other goroutines call Happened or
// Violated meanwhile, some keys may have been written before an action, and others after
// it; so take snapshots between two ticks.
//
// Snapshot copies all keys before it writes, so a slow w delays no other goroutine. An
// error of w is wrapped.
func (m *Memory) Snapshot(w io.Writer) error {
	records := m.records()
	out := bufio.NewWriter(w)
	out.WriteString(`{"format":1,"keys":[`) // an error is kept, and reported by Flush
	for i, r := range records {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteByte('\n')
		out.Write(r.appendJSON(nil))
	}
	out.WriteString("\n]}\n")
	if err := out.Flush(); err != nil {
		return fmt.Errorf("normsync: write snapshot: %w", err)
	}
	return nil
}

// Restore replaces what the memory remembers by a snapshot, which a memory with other
// facts may have written. It restores a fact of the snapshot if a fact with the same Name
// and Per is declared now, as far as its Count and Within need that, and leaves out other
// facts. If there are more keys than the memory may have, it forgets those that have not
// acted for the longest time.
//
// An error of r is wrapped. All other errors wrap [ErrInvalid] and name the place. After an
// error the memory is unchanged. Other goroutines that use the memory meanwhile may see a
// part of the keys. Restore reads all of r into memory.
func (m *Memory) Restore(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("normsync: read snapshot: %w", err)
	}
	records, err := readSnapshot(text)
	if err != nil {
		return position{1, 1}.locate(text, err, "snapshot")
	}
	m.clear()
	for i := range records {
		m.restore(&records[i])
	}
	return nil
}

// keyRecord is a key in a snapshot.
type keyRecord struct {
	per    string
	key    []string // the words of each field of per, separated by blanks
	states []stateRecord
	used   uint64
}

// stateRecord is what a key knows of a fact.
type stateRecord struct {
	name        string
	n           int
	last, ended *moment // nil: never
	times       []moment
}

// records returns all keys, the one that was used longest ago first.
func (m *Memory) records() []keyRecord {
	var records []keyRecord
	for i := range m.groups {
		if g := &m.groups[i]; g.world != nil {
			g.world.view(func(k *memoryKey) { records = append(records, k.record(g)) })
		}
	}
	for i := range m.keys.shards {
		s := &m.keys.shards[i]
		s.mu.RLock()
		for k := s.oldest; k != nil; k = k.newer {
			records = append(records, k.record(k.group))
		}
		s.mu.RUnlock()
	}
	slices.SortStableFunc(records, func(a, b keyRecord) int { return cmp.Compare(a.used, b.used) })
	return records
}

func (k *memoryKey) record(g *factGroup) keyRecord {
	r := keyRecord{per: g.per, used: k.used, key: make([]string, 0, len(g.fields))}
	rest := k.words
	for range g.fields {
		end := slices.Index(rest, "")
		if end < 0 {
			end = len(rest)
		}
		r.key = append(r.key, strings.Join(rest[:end], " "))
		rest = rest[min(end+1, len(rest)):]
	}
	for i, f := range g.facts {
		s := k.states[i]
		if s.last == never {
			continue
		}
		state := stateRecord{name: f.Name, n: int(s.n), last: &s.last, times: s.times(k.times[f.ring[0]:f.ring[1]])}
		if s.wasEnded {
			state.ended = &s.ended
		}
		r.states = append(r.states, state)
	}
	return r
}

// clear forgets all keys.
func (m *Memory) clear() {
	for i := range m.groups {
		if g := &m.groups[i]; g.world != nil {
			g.world.update(func(k *memoryKey) { k.reset(g) })
		}
	}
	for i := range m.keys.shards {
		s := &m.keys.shards[i]
		s.mu.Lock()
		m.keys.size.Add(-int64(s.n))
		s.buckets, s.n, s.oldest, s.newest = nil, 0, nil, nil
		s.oldestUse.Store(noUse)
		s.mu.Unlock()
	}
}

// restore adds a key of a snapshot, if one of its facts is declared.
func (m *Memory) restore(r *keyRecord) {
	var p Prepared
	fields := strings.Fields(r.per)
	for i, text := range r.key {
		words := AppendWords(nil, text)
		switch perFields[perField(fields[i])].field {
		case token.Agent:
			p.Agent = words
		case token.Action:
			p.Verb = words
		case token.Location:
			p.Location = words
		case token.Target:
			p.Target = words
		case token.Faction:
			p.Faction = words
		}
	}
	for i := range m.groups {
		g := &m.groups[i]
		if g.per != r.per || !slices.ContainsFunc(r.states, func(s stateRecord) bool { return g.fact(s.name) != nil }) {
			continue
		}
		if g.world != nil {
			g.world.update(func(k *memoryKey) { k.restore(g, r.states) })
			continue
		}
		hash := g.hash(&p)
		s, k := m.keys.lock(g, hash, &p, m.keys.stamps(1), true)
		k.restore(g, r.states)
		s.mu.Unlock()
	}
}

// fact returns the fact of the group with that name, nil if there is none.
func (g *factGroup) fact(name string) *memoryFact {
	for _, f := range g.facts {
		if token.Equal(f.Name, name) {
			return f
		}
	}
	return nil
}

func (k *memoryKey) restore(g *factGroup, states []stateRecord) {
	for _, r := range states {
		f := g.fact(r.name)
		if f == nil {
			continue
		}
		s, ring := &k.states[f.at], k.times[f.ring[0]:f.ring[1]]
		*s = factState{until: never, last: *r.last}
		if r.ended != nil {
			s.ended, s.wasEnded = *r.ended, true
		}
		s.n = int32(min(r.n, f.Count))
		times := r.times[max(0, len(r.times)-len(ring)):]
		if f.Within > 0 {
			s.n = min(s.n, int32(len(times)))
			times = times[len(times)-int(s.n):]
		}
		for i, t := range times {
			ring[(i+1)%len(ring)] = t
		}
		s.head = int32(len(times) % len(ring))
		s.until = s.deadline(f, ring)
	}
}

const (
	keyFormat = "format"
	keyKeys   = "keys"
	keyKey    = "key"
	keyTimes  = "times"
	keyLast   = "last"
	keyEnded  = "ended"
)

var (
	snapshotKeys = strictjson.Keys{Unknown: strictjson.RejectUnknown, Known: []string{keyFormat, keyKeys}, Required: []string{keyFormat, keyKeys}}
	recordKeys   = strictjson.Keys{Unknown: strictjson.RejectUnknown, Known: []string{keyPer, keyKey, keyFacts}, Required: []string{keyPer, keyKey, keyFacts}}
	stateKeys    = strictjson.Keys{Unknown: strictjson.RejectUnknown, Known: []string{keyName, keyCount, keyLast, keyEnded, keyTimes},
		Required: []string{keyName, keyCount, keyLast, keyTimes}}
)

func (r keyRecord) appendJSON(b []byte) []byte {
	start := len(b)
	b = appendText(b, keyPer, r.per)
	b = append(appendKey(b, keyKey), '[')
	for i, text := range r.key {
		if i > 0 {
			b = append(b, ',')
		}
		b = strictjson.AppendQuote(b, text)
	}
	b = append(appendKey(append(b, ']'), keyFacts), '[')
	for i, s := range r.states {
		if i > 0 {
			b = append(b, ',')
		}
		b = s.appendJSON(b)
	}
	return appendEnd(append(b, ']'), start)
}

func (s stateRecord) appendJSON(b []byte) []byte {
	start := len(b)
	b = appendText(b, keyName, s.name)
	b = appendInt(b, keyCount, s.n)
	b = appendTime(b, keyLast, s.last.time())
	if s.ended != nil {
		b = appendTime(b, keyEnded, s.ended.time())
	}
	b = append(appendKey(b, keyTimes), '[')
	for i, t := range s.times {
		if i > 0 {
			b = append(b, ',')
		}
		b = unixtime.AppendSeconds(b, t.time())
	}
	return appendEnd(append(b, ']'), start)
}

func readSnapshot(text []byte) (records []keyRecord, err error) {
	d := strictjson.NewDecoder(text)
	err = d.ReadObject(&snapshotKeys, func(key string) error {
		at := d.NextOffset()
		if key == keyFormat {
			format, err := d.ReadUint()
			if err == nil && format != 1 {
				err = d.Errorf(at, "format %d is unknown; read the snapshot with a newer version of normsync", format)
			}
			return err
		}
		return d.ReadArray(func() error {
			r, err := readRecord(d)
			records = append(records, r)
			return err
		})
	})
	if err == nil {
		err = d.CheckEOF()
	}
	return records, err
}

func readRecord(d *strictjson.Decoder) (r keyRecord, err error) {
	start := d.NextOffset()
	err = d.ReadObject(&recordKeys, func(key string) (err error) {
		at := d.NextOffset()
		switch key {
		case keyPer:
			if r.per, err = d.ReadString(); err == nil && (perProblem(r.per) != "" || Fact{Per: r.per}.canonical().Per != r.per) {
				err = d.Errorf(at, "want the Per of a fact, found %.40q", r.per)
			}
		case keyKey:
			err = d.ReadArray(func() error {
				text, err := d.ReadString()
				r.key = append(r.key, text)
				return err
			})
		case keyFacts:
			err = d.ReadArray(func() error {
				s, err := readState(d)
				r.states = append(r.states, s)
				return err
			})
		}
		return err
	})
	if fields := strings.Fields(r.per); err == nil && len(r.key) != len(fields) && !(r.per == perWorld && len(r.key) == 0) {
		err = d.Errorf(start, "the key has %d texts, and Per has %d fields", len(r.key), len(fields))
	} else if err == nil && r.per == perWorld && len(r.key) > 0 {
		err = d.Errorf(start, "the key of the world has no texts")
	}
	return r, err
}

func readState(d *strictjson.Decoder) (s stateRecord, err error) {
	start := d.NextOffset()
	readMoment := func() (moment, error) {
		t, err := readTime(d)
		return momentOf(t), err
	}
	err = d.ReadObject(&stateKeys, func(key string) (err error) {
		at := d.NextOffset()
		var t moment
		switch key {
		case keyName:
			s.name, err = d.ReadString()
		case keyCount:
			if s.n, err = readInt(d); err == nil && (s.n < 0 || s.n > maxFactCount) {
				err = d.Errorf(at, "%d is not between 0 and %d", s.n, maxFactCount)
			}
		case keyLast:
			t, err = readMoment()
			s.last = &t
		case keyEnded:
			t, err = readMoment()
			s.ended = &t
		case keyTimes:
			err = d.ReadArray(func() error {
				at := d.NextOffset()
				t, err := readMoment()
				if n := len(s.times); err == nil && n > 0 && t.before(s.times[n-1]) {
					err = d.Errorf(at, "the times are not in order")
				}
				s.times = append(s.times, t)
				return err
			})
		}
		return err
	})
	switch n := len(s.times); {
	case err != nil:
	case n > s.n || s.n > 0 && n == 0:
		err = d.Errorf(start, "there are %d times for a count of %d", n, s.n)
	case n > 0 && s.last.before(s.times[n-1]), s.ended != nil && s.last.before(*s.ended):
		err = d.Errorf(start, "the last time is before another one")
	}
	return s, err
}
