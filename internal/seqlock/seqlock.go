// Package seqlock has a sequence lock: readers take no lock, and read again if a writer
// has written meanwhile.
package seqlock

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Lock guards values that are written rarely and read often. The values must be atomic,
// because reads and writes overlap. The zero value is unlocked.
type Lock struct {
	writers sync.Mutex
	version atomic.Uint64 // odd while a writer writes
}

// Write calls write, which may write the values. Calls exclude each other. The function
// must not panic, and must not call methods of l.
func (l *Lock) Write(write func()) {
	l.writers.Lock()
	defer l.writers.Unlock()
	l.version.Add(1)
	write()
	l.version.Add(1)
}

// Exclude calls f while nobody writes. Calls of Exclude and Write exclude each other.
func (l *Lock) Exclude(f func()) {
	l.writers.Lock()
	defer l.writers.Unlock()
	f()
}

// Read calls read, which reads the values, until nobody has written meanwhile: only the
// results of its last call count.
func (l *Lock) Read(read func()) {
	for !l.tryRead(read) {
		runtime.Gosched()
	}
}

// tryRead calls read unless somebody writes. It reports whether nobody has written
// until read returned.
func (l *Lock) tryRead(read func()) bool {
	version := l.version.Load()
	if version%2 != 0 {
		return false
	}
	read()
	return l.version.Load() == version
}
