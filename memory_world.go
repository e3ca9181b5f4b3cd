package normsync

import (
	"sync/atomic"

	"github.com/normsync/normsync/internal/seqlock"
)

// worldKey is the key of the facts that all agents share. Reading which of them hold
// takes no lock, because all agents would share that, too.
type worldKey struct {
	lock  seqlock.Lock
	key   memoryKey      // guarded by lock
	until []atomicMoment // of the states of key, for lock.Read
}

// atomicMoment is the until of a fact.
type atomicMoment struct {
	sec  atomic.Int64
	nsec atomic.Int32
}

func newWorldKey(g *factGroup) *worldKey {
	w := &worldKey{until: make([]atomicMoment, len(g.facts))}
	w.update(func(k *memoryKey) { k.reset(g) })
	return w
}

// update calls change, which may change the key.
func (w *worldKey) update(change func(*memoryKey)) {
	w.lock.Write(func() {
		change(&w.key)
		for i := range w.until {
			until := w.key.states[i].until
			w.until[i].sec.Store(until.sec)
			w.until[i].nsec.Store(until.nsec)
		}
	})
}

// view calls do with the key, which does not change meanwhile.
func (w *worldKey) view(do func(*memoryKey)) {
	w.lock.Exclude(func() { do(&w.key) })
}

// appendFacts appends the facts of the world that hold.
func (w *worldKey) appendFacts(dst []Word, g *factGroup, at moment) []Word {
	n := len(dst)
	w.lock.Read(func() {
		dst = dst[:n]
		for i := range w.until {
			if until := (moment{w.until[i].sec.Load(), w.until[i].nsec.Load()}); at.before(until) {
				dst = append(dst, g.facts[i].word)
			}
		}
	})
	return dst
}
