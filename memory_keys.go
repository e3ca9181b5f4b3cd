package normsync

import (
	"math"
	"math/bits"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/normsync/normsync/internal/token"
)

// factState is what a key knows of a fact.
type factState struct {
	n        int32  // how often it counted since it ended, up to Count
	head     int32  // where the last time is in the ring
	until    moment // the fact holds before this time; never and forever are possible
	last     moment // when it counted or ended last
	ended    moment // when it ended last, if wasEnded
	wasEnded bool
}

var (
	never   = moment{math.MinInt64, -1}
	forever = moment{math.MaxInt64, math.MaxInt32}
)

func (m moment) later(o moment) moment {
	if m.before(o) {
		return o
	}
	return m
}

func (m moment) plus(d time.Duration) moment {
	sec, nsec := int64(d/time.Second), m.nsec+int32(d%time.Second)
	if nsec >= 1e9 {
		sec, nsec = sec+1, nsec-1e9
	}
	if m.sec > math.MaxInt64-sec {
		return forever
	}
	return moment{m.sec + sec, nsec}
}

// time returns the time of an action at that moment. It is the zero time at 1970.
func (m moment) time() time.Time {
	if m == (moment{}) || m == never {
		return time.Time{}
	}
	return time.Unix(m.sec, int64(m.nsec)).UTC()
}

// holds reports whether the fact holds for an action at a time. Time does not go
// back: until is never if the last event was not before it.
func (s *factState) holds(at moment) bool { return at.before(s.until) }

// end ends the fact.
func (s *factState) end(at moment) {
	s.last = s.last.later(at)
	s.n, s.until, s.ended, s.wasEnded = 0, never, s.last, true
}

// count counts once more for the fact. The ring has the fact's last times.
func (s *factState) count(f *memoryFact, ring []moment, at moment) {
	s.last = s.last.later(at)
	if s.n < int32(f.Count) {
		s.n++
	}
	if s.head++; int(s.head) >= len(ring) {
		s.head = 0
	}
	ring[s.head] = s.last
	s.until = s.deadline(f, ring)
}

// deadline returns the time until which the fact holds.
func (s *factState) deadline(f *memoryFact, ring []moment) moment {
	if s.n < int32(f.Count) {
		return never
	}
	if f.Within == 0 {
		return forever
	}
	oldest := ring[(int(s.head)+1)%len(ring)]
	if until := oldest.plus(f.Within); s.last.before(until) {
		return until
	}
	return never
}

// times returns the times that are known of the last events, oldest first.
func (s *factState) times(ring []moment) []moment {
	n := min(int(s.n), len(ring))
	times := make([]moment, n)
	for i := range n {
		times[i] = ring[(int(s.head)-(n-1-i)+len(ring))%len(ring)]
	}
	return times
}

// memoryKey is a key with the states of the facts of its group.
type memoryKey struct {
	group  *factGroup
	hash   uint64
	words  []string // of the fields, with an empty text between two fields
	states []factState
	times  []moment // the rings of the facts

	next         *memoryKey // in the bucket
	newer, older *memoryKey // in the shard's list
	used         uint64     // stamp of the last use
}

// change carries out the effects on the facts of k's group, which has this index.
func (k *memoryKey) change(group int, at moment, effects []effect) {
	for _, e := range effects {
		if e.fact.group != group {
			continue
		}
		if s := &k.states[e.fact.at]; e.ends {
			s.end(at)
		} else {
			s.count(e.fact, k.times[e.fact.ring[0]:e.fact.ring[1]], at)
		}
	}
}

// reset makes k an unused key of a group. It reuses the memory of k.
func (k *memoryKey) reset(g *factGroup) {
	k.group = g
	k.states = slices.Grow(k.states[:0], len(g.facts))[:len(g.facts)]
	k.times = slices.Grow(k.times[:0], g.times)[:g.times]
	clear(k.words)
	k.words = k.words[:0]
	for i := range k.states {
		k.states[i] = factState{until: never, last: never}
	}
}

// setWords sets the words to the key that an action has.
func (k *memoryKey) setWords(p *Prepared) {
	for i, f := range k.group.fields {
		if i > 0 {
			k.words = append(k.words, "")
		}
		words := p.words(f)
		for j := range words {
			if text := words[j].keyText(f); text != "" {
				k.words = append(k.words, text)
			}
		}
	}
}

// keyText returns the text by which a word of a field is compared.
func (w *Word) keyText(f token.Field) string {
	if f == token.Agent {
		return w.word.Valid()
	}
	return w.word.Visible()
}

// is reports whether k is the key of an action.
func (k *memoryKey) is(g *factGroup, p *Prepared) bool {
	if k.group != g {
		return false
	}
	rest := k.words
	for i, f := range g.fields {
		if i > 0 {
			if len(rest) == 0 || rest[0] != "" {
				return false
			}
			rest = rest[1:]
		}
		words := p.words(f)
		for j := range words {
			text := words[j].keyText(f)
			if text == "" {
				continue
			}
			if len(rest) == 0 || rest[0] == "" || f == token.Agent && !token.EqualAgent(rest[0], text) || f != token.Agent && !token.Equal(rest[0], text) {
				return false
			}
			rest = rest[1:]
		}
	}
	return len(rest) == 0
}

const keyMultiplier = 0x9E3779B97F4A7C15

// hash returns the hash of the key that an action has in a group. It depends on the
// secret of the process, as the hashes of words do.
func (g *factGroup) hash(p *Prepared) uint64 {
	h := g.seed
	for _, f := range g.fields {
		words := p.words(f)
		for i := range words {
			if w := &words[i]; w.keyText(f) != "" {
				h = (h ^ w.word.Hash) * keyMultiplier
				h ^= h >> 32
			}
		}
		h = bits.RotateLeft64(h, 23) + keyMultiplier
	}
	return h
}

// shards is the number of parts of a keyTable that are locked separately.
const shards = 64

// keyTable is a hash table of keys in shards. If it is full, the least recently used key of
// all shards goes first.
type keyTable struct {
	limit   int64
	size    atomic.Int64 // keys in shards, and keys about to be inserted
	stamp   atomic.Uint64
	evicted atomic.Uint64
	shards  [shards]keyShard
}

// keyShard is a part of a keyTable. Keys with the same hash are in the same shard.
type keyShard struct {
	mu             sync.RWMutex // guards the rest, except that oldestUse may be read without it
	buckets        []*memoryKey // the number is 0 or a power of two
	n              int
	oldest, newest *memoryKey    // the list of keys by use
	oldestUse      atomic.Uint64 // the stamp of oldest, or noUse
	_              [48]byte      // so that two shards do not share a cache line
}

const noUse = math.MaxUint64

func (t *keyTable) init() {
	for i := range t.shards {
		t.shards[i].oldestUse.Store(noUse)
	}
}

func (t *keyTable) shard(hash uint64) *keyShard { return &t.shards[hash>>(64-6)] }

const _ = uint(1<<6-shards) + uint(shards-1<<6) // shard uses 6 bits

// stamps returns the first of n new stamps.
func (t *keyTable) stamps(n int) uint64 { return t.stamp.Add(uint64(n)) - uint64(n) }

// lock returns the key of an action with its shard, which is locked, and marks it as
// used. If there is no such key, lock inserts it if insert is set. Otherwise it returns
// nil, and the shard is not locked.
func (t *keyTable) lock(g *factGroup, hash uint64, p *Prepared, stamp uint64, insert bool) (*keyShard, *memoryKey) {
	s := t.shard(hash)
	s.mu.Lock()
	k := s.find(g, hash, p)
	if k != nil {
		s.unlink(k)
		s.link(k, stamp)
		return s, k
	}
	s.mu.Unlock()
	if !insert {
		return s, nil
	}
	return t.put(t.reserve(), g, hash, p, stamp)
}

// put inserts the key of an action, for which reserve has returned fresh. If another
// goroutine has inserted it meanwhile, put gives fresh up, and returns that one. The shard
// is locked.
func (t *keyTable) put(fresh *memoryKey, g *factGroup, hash uint64, p *Prepared, stamp uint64) (*keyShard, *memoryKey) {
	s := t.shard(hash)
	s.mu.Lock()
	if k := s.find(g, hash, p); k != nil {
		t.size.Add(-1)
		s.unlink(k)
		s.link(k, stamp)
		return s, k
	}
	fresh.reset(g)
	fresh.setWords(p)
	fresh.hash = hash
	s.insert(fresh)
	s.link(fresh, stamp)
	return s, fresh
}

// reserve makes room for a key, and returns the memory for it.
func (t *keyTable) reserve() *memoryKey {
	for {
		n := t.size.Load()
		if n < t.limit {
			if t.size.CompareAndSwap(n, n+1) {
				return new(memoryKey)
			}
			continue
		}
		if k := t.evict(); k != nil {
			return k
		}
		runtime.Gosched() // other goroutines are about to insert all of the keys
	}
}

// evict removes the least recently used key. It returns nil if there is none, or if
// another goroutine has changed the shard meanwhile.
func (t *keyTable) evict() *memoryKey {
	first, use := 0, uint64(noUse)
	for i := range t.shards {
		if u := t.shards[i].oldestUse.Load(); u < use {
			first, use = i, u
		}
	}
	s := &t.shards[first]
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.oldest
	if k == nil || k.used != use {
		return nil
	}
	s.unlink(k)
	s.remove(k)
	t.evicted.Add(1)
	return k
}

// find returns the key of an action, nil if the shard does not have it.
func (s *keyShard) find(g *factGroup, hash uint64, p *Prepared) *memoryKey {
	if s.n == 0 {
		return nil
	}
	for k := s.buckets[hash&uint64(len(s.buckets)-1)]; k != nil; k = k.next {
		if k.hash == hash && k.is(g, p) {
			return k
		}
	}
	return nil
}

// insert puts a key into its bucket.
func (s *keyShard) insert(k *memoryKey) {
	if s.n == len(s.buckets) {
		old := s.buckets
		s.buckets = make([]*memoryKey, max(4, 2*len(old)))
		for _, k := range old {
			for k != nil {
				next := k.next
				s.push(k)
				k = next
			}
		}
	}
	s.push(k)
	s.n++
}

func (s *keyShard) push(k *memoryKey) {
	bucket := &s.buckets[k.hash&uint64(len(s.buckets)-1)]
	k.next, *bucket = *bucket, k
}

// remove takes a key out of its bucket.
func (s *keyShard) remove(k *memoryKey) {
	at := &s.buckets[k.hash&uint64(len(s.buckets)-1)]
	for *at != k {
		at = &(*at).next
	}
	*at, k.next = k.next, nil
	s.n--
}

// link puts a key at the end of the list, as the one that was used last.
func (s *keyShard) link(k *memoryKey, stamp uint64) {
	k.used, k.older, k.newer = stamp, s.newest, nil
	if s.newest != nil {
		s.newest.newer = k
	} else {
		s.oldest = k
		s.oldestUse.Store(stamp)
	}
	s.newest = k
}

// unlink takes a key out of the list.
func (s *keyShard) unlink(k *memoryKey) {
	if k.newer != nil {
		k.newer.older = k.older
	} else {
		s.newest = k.older
	}
	if k.older != nil {
		k.older.newer = k.newer
		return
	}
	if s.oldest = k.newer; s.oldest != nil {
		s.oldestUse.Store(s.oldest.used)
	} else {
		s.oldestUse.Store(noUse)
	}
}
