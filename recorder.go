package normsync

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// RecorderOptions are those of [NewRecorder]. A nil *RecorderOptions means the
// defaults.
type RecorderOptions struct {
	Buffer int           // violations held in memory; 0: 65536
	Delay  time.Duration // longest wait before a batch is stored; 0: 100ms

	// OnError, if set, is called with each error of the store, in the
	// background and with no lock held. While it runs nothing is stored. It
	// must not call Flush or Close, which wait for it.
	OnError func(error)
}

// RecorderStats counts violations: of those offered to Record, Recorded were
// taken and Dropped were not; of those taken, Stored are in the store, Failed
// are not, as far as is known, and the rest is on its way.
type RecorderStats struct{ Recorded, Dropped, Stored, Failed uint64 }

// Recorder stores violations from a tick loop without ever blocking it: Record
// takes them into memory, and a goroutine brings them to a store in batches,
// in the order in which they were recorded. When the store cannot keep up,
// Buffer violations are held, and the rest is dropped and counted.
//
// Any number of goroutines may use every method at once. A Recorder has to be
// closed; the store stays the caller's to close, after that.
type Recorder struct {
	store   Store
	buffer  int
	delay   time.Duration
	onError func(error)
	wake    chan struct{}   // has a token when there is news for the goroutine
	ended   chan struct{}   // closed when the goroutine has ended
	ctx     context.Context // of the store's calls
	abandon context.CancelFunc

	mu       sync.Mutex // guards what follows; never held while the store or OnError runs
	stats    RecorderStats
	first    *tray         // of those that wait to be stored, oldest first
	last     *tray         // the one that is being filled
	spare    *tray         // empty ones, kept for use
	held     int           // violations in memory, those in the store's hands included
	settled  uint64        // violations whose fate is known, also to OnError
	urgent   uint64        // violations up to this number are stored without delay
	closed   bool          // nothing is recorded any more
	progress chan struct{} // closed when settled grows; nil while nobody waits for it
	errs     []error       // since the last Flush
	more     int           // errors beyond those in errs
}

// A tray holds the violations of one batch.
type tray struct {
	next *tray
	vs   []Violation // allocated once, at full capacity
}

const (
	trayCapacity = 1024 // violations: enough to make an fsync cheap, and a failed batch small
	errorsKept   = 16   // between two calls of Flush
)

// NewRecorder returns a recorder that stores into s, and starts its goroutine,
// which Close ends.
func NewRecorder(s Store, o *RecorderOptions) *Recorder {
	if o == nil {
		o = new(RecorderOptions)
	}
	r := &Recorder{store: s, buffer: o.Buffer, delay: o.Delay, onError: o.OnError, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	if r.buffer <= 0 {
		r.buffer = 1 << 16
	}
	if r.delay <= 0 {
		r.delay = 100 * time.Millisecond
	}
	r.ctx, r.abandon = context.WithCancel(context.Background())
	go r.run()
	return r
}

// Record takes violations to be stored, and reports whether it took all of
// them. It takes what fits, the first ones; it drops and counts the rest, and
// everything once Close was called, when it always reports false. The slice is
// not kept.
//
// Record never waits for the store, and the time that it takes is that of
// copying vs. It allocates only while more violations wait than ever before.
func (r *Recorder) Record(vs ...Violation) bool {
	r.mu.Lock()
	n := min(len(vs), r.buffer-r.held)
	if r.closed {
		n = 0
	}
	all := n == len(vs) && !r.closed
	r.stats.Recorded += uint64(n)
	r.stats.Dropped += uint64(len(vs) - n)
	r.held += n
	news := n > 0 && r.first == nil
	for vs = vs[:n]; len(vs) > 0; {
		t := r.last
		if t == nil || len(t.vs) == cap(t.vs) {
			t = r.tray()
		}
		k := min(len(vs), cap(t.vs)-len(t.vs))
		t.vs = append(t.vs, vs[:k]...)
		vs = vs[k:]
		news = news || len(t.vs) == cap(t.vs)
	}
	r.mu.Unlock()
	if news {
		r.tell()
	}
	return all
}

// tray puts an empty tray behind the last one. It is called with mu held.
func (r *Recorder) tray() *tray {
	t := r.spare
	if t == nil {
		t = &tray{vs: make([]Violation, 0, min(r.buffer, trayCapacity))}
	} else {
		r.spare, t.next = t.next, nil
	}
	if r.first == nil {
		r.first = t
	} else {
		r.last.next = t
	}
	r.last = t
	return t
}

// tell wakes the goroutine, or sees to it that it looks once more.
func (r *Recorder) tell() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Flush waits until the store has taken or refused everything that was
// recorded before, without delay, and returns the errors since the last Flush,
// joined; of a great many it returns the first, and says how many more there
// were. When ctx ends first, its error is returned, and the others are kept for
// the next Flush.
func (r *Recorder) Flush(ctx context.Context) error {
	r.mu.Lock()
	target := r.stats.Recorded
	r.urgent = max(r.urgent, target)
	r.mu.Unlock()
	r.tell()
	if err := r.await(ctx, target); err != nil {
		return while("flush", err)
	}
	return r.errors()
}

// await waits until the first n violations are settled.
func (r *Recorder) await(ctx context.Context, n uint64) error {
	for {
		r.mu.Lock()
		if r.settled >= n {
			r.mu.Unlock()
			return nil
		}
		left := n - r.settled
		if r.progress == nil {
			r.progress = make(chan struct{})
		}
		progress := r.progress
		r.mu.Unlock()
		select {
		case <-progress:
		case <-ctx.Done():
			return fmt.Errorf("%d violations are not stored yet: %w", left, ctx.Err())
		}
	}
}

// errors returns what went wrong since it was last called.
func (r *Recorder) errors() error {
	r.mu.Lock()
	errs, more := r.errs, r.more
	r.errs, r.more = nil, 0
	r.mu.Unlock()
	if more > 0 {
		errs = append(errs, fmt.Errorf("normsync: record: and %d more errors", more))
	}
	return errors.Join(errs...)
}

// Close ends the recorder: it takes nothing more, stores what was recorded, and
// returns the errors since the last Flush, as Flush does. When ctx ends first,
// Close gives up and returns its error: the store's call that is under way is
// told so by its context, and what still waits is counted as failed. Either
// way, no goroutine is left once the store has come back.
//
// Calls after the first wait for the same end.
func (r *Recorder) Close(ctx context.Context) error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.tell()
	select {
	case <-r.ended:
		return r.errors()
	default:
	}
	select {
	case <-r.ended:
		return r.errors()
	case <-ctx.Done():
		r.mu.Lock()
		done := r.settled == r.stats.Recorded
		r.mu.Unlock()
		if done { // the goroutine has nothing left but to end
			<-r.ended
			return r.errors()
		}
		r.abandon()
		s := r.Stats()
		return while("close", fmt.Errorf("%d violations are not stored: %w", s.Recorded-s.Stored-s.Failed, ctx.Err()))
	}
}

// Stats returns the counts as they are now.
func (r *Recorder) Stats() RecorderStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stats
}

// run is the goroutine: it stores what is due, until the recorder is closed
// and nothing is left.
func (r *Recorder) run() {
	over := false
	defer func() {
		if over {
			r.abandon()
			close(r.ended)
		} else { // the store or OnError has ended the goroutine, by runtime.Goexit
			go r.run()
		}
	}()
	since := time.Now() // what waits without being urgent was recorded after it
	timer := time.NewTimer(r.delay)
	defer timer.Stop()
	for !over {
		var t *tray
		var idle bool
		switch t, idle, over = r.due(); {
		case t != nil:
			r.settle(t)
		case idle:
			<-r.wake
			since = time.Now()
		case !over:
			timer.Reset(r.delay - time.Since(since))
			select {
			case <-r.wake:
			case since = <-timer.C:
				r.mu.Lock()
				r.urgent = r.stats.Recorded
				r.mu.Unlock()
			}
		}
	}
}

// due takes the batch that is to be stored now, if there is one. Otherwise it
// tells whether nothing waits, and whether nothing will.
func (r *Recorder) due() (t *tray, idle, over bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t = r.first; t == nil {
		return nil, !r.closed, r.closed
	}
	if full := len(t.vs) == cap(t.vs); !full && !r.closed && r.settled >= r.urgent {
		return nil, false, false
	}
	if r.first = t.next; r.first == nil {
		r.last = nil
	}
	return t, false, false
}

// settle gives a batch to the store, counts what became of it, and puts the
// tray back. It does so, too, when the store or OnError panics, or ends the
// goroutine.
func (r *Recorder) settle(t *tray) {
	n := len(t.vs)
	defer func() {
		clear(t.vs) // lets go of the texts
		t.vs = t.vs[:0]
		r.mu.Lock()
		defer r.mu.Unlock()
		r.held -= n
		r.settled += uint64(n)
		t.next, r.spare = r.spare, t
		if r.progress != nil {
			close(r.progress)
			r.progress = nil
		}
	}()
	// A single violation that no store takes must not cost the others.
	batch, refused := storable(t.vs)
	if refused != nil {
		defer r.failed(n-len(batch), refused)
	}
	if len(batch) == 0 {
		return
	}
	var err error
	defer func() {
		if err != nil {
			r.failed(len(batch), err)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.stats.Stored += uint64(len(batch))
	}()
	if err = r.ctx.Err(); err != nil {
		err = fmt.Errorf("closed before they were stored: %w", err)
		return
	}
	err = errors.New("the store has ended the goroutine that called it")
	err = caught(func() error { return r.store.AppendViolations(r.ctx, batch...) })
}

// failed counts violations that are not stored, and reports why.
func (r *Recorder) failed(n int, err error) {
	err = while(fmt.Sprintf("record %d violations", n), err)
	r.mu.Lock()
	r.stats.Failed += uint64(n)
	r.mu.Unlock()
	r.keep(err)
	if r.onError == nil {
		return
	}
	if err := caught(func() error { r.onError(err); return nil }); err != nil {
		r.keep(while("record: OnError", err))
	}
}

// keep keeps an error for Flush.
func (r *Recorder) keep(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.errs) < errorsKept {
		r.errs = append(r.errs, err)
	} else {
		r.more++
	}
}

// storable moves the violations that a store can take to the front of vs, and
// returns them, and what is wrong with the first of the others.
func storable(vs []Violation) (batch []Violation, refused error) {
	batch = vs[:0]
	for _, v := range vs {
		if err := v.Action.storable(); err == nil {
			batch = append(batch, v)
		} else if refused == nil {
			refused = err
		}
	}
	return batch, refused
}
