package normsync

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// RecorderOptions configures [NewRecorder]. A nil *RecorderOptions means the
// defaults.
type RecorderOptions struct {
	Buffer int           // violations held in memory; 0: 65536
	Delay  time.Duration // longest wait before a batch is stored; 0: 100ms

	// OnError, if it is set, is called with each error of the store, in the
	// background, with no lock held. Nothing is stored until it returns. It must
	// not call Flush or Close, which wait for it.
	OnError func(error)
}

// RecorderStats counts violations. Record has taken Recorded violations and dropped
// Dropped. Of the violations taken, Stored are in the store, Failed are probably not,
// and the others are still waiting.
type RecorderStats struct{ Recorded, Dropped, Stored, Failed uint64 }

// Recorder stores violations from a tick loop without ever blocking it. Record
// copies them into memory, and a goroutine appends them to a store in batches, in
// the order in which they were recorded. If the store is too slow, up to Buffer
// violations are held; more are dropped and counted.
//
// Any number of goroutines may call any methods at the same time. A Recorder must be
// closed. Close does not close the store: do that afterwards.
type Recorder struct {
	store   Store
	buffer  int
	delay   time.Duration
	onError func(error)
	wakeups chan struct{}   // holds a token if the goroutine has to check for work
	ended   chan struct{}   // closed when the goroutine has ended
	ctx     context.Context // of the store's calls
	abandon context.CancelFunc

	mu       sync.Mutex // guards what follows; never held while the store or OnError runs
	stats    RecorderStats
	first    *batch        // the oldest of the batches that wait to be stored
	last     *batch        // the newest one, which Record fills
	spare    *batch        // empty batches, kept for reuse
	held     int           // violations in memory, including those passed to the store
	finished uint64        // violations that were stored or have failed, after OnError returned
	urgent   uint64        // the first urgent violations recorded are stored without delay
	closed   bool          // nothing is recorded any more
	progress chan struct{} // closed when finished grows; nil if nobody waits for that
	errs     []error       // since the last Flush
	more     int           // errors beyond those in errs
}

// batch holds the violations that are stored by one call.
type batch struct {
	next *batch
	vs   []Violation // allocated once, at full capacity
}

const (
	maxBatch      = 1024 // violations: enough to make an fsync cheap, and a failed batch small
	maxKeptErrors = 16   // between two calls of Flush
)

// NewRecorder returns a recorder that appends to s, and starts its goroutine, which
// Close ends.
func NewRecorder(s Store, o *RecorderOptions) *Recorder {
	if o == nil {
		o = new(RecorderOptions)
	}
	r := &Recorder{store: s, buffer: o.Buffer, delay: o.Delay, onError: o.OnError, wakeups: make(chan struct{}, 1), ended: make(chan struct{})}
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

// Record takes violations to be stored, and reports whether it took all of them. If
// they do not all fit into the buffer, it takes the first ones, and drops and counts
// the others. After Close it drops everything, and always returns false. Record does
// not keep the slice.
//
// Record never waits for the store. It takes the time that copying vs takes. It
// allocates only if more violations are waiting than ever before.
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
	wake := n > 0 && r.first == nil
	for vs = vs[:n]; len(vs) > 0; {
		b := r.last
		if b == nil || len(b.vs) == cap(b.vs) {
			b = r.addBatch()
		}
		k := min(len(vs), cap(b.vs)-len(b.vs))
		b.vs = append(b.vs, vs[:k]...)
		vs = vs[k:]
		wake = wake || len(b.vs) == cap(b.vs)
	}
	r.mu.Unlock()
	if wake {
		r.wake()
	}
	return all
}

// addBatch adds an empty batch to the waiting ones. mu must be held.
func (r *Recorder) addBatch() *batch {
	b := r.spare
	if b == nil {
		b = &batch{vs: make([]Violation, 0, min(r.buffer, maxBatch))}
	} else {
		r.spare, b.next = b.next, nil
	}
	if r.first == nil {
		r.first = b
	} else {
		r.last.next = b
	}
	r.last = b
	return b
}

// wake makes the goroutine check for work. If it is checking now, it checks again.
func (r *Recorder) wake() {
	select {
	case r.wakeups <- struct{}{}:
	default:
	}
}

// Flush stores everything that was recorded before the call without delay, waits
// until the store has accepted or refused it, and returns the errors since the last
// Flush, joined. If there are very many, it returns the first ones and says how many
// more there were. If ctx ends first, Flush returns the error of ctx, and keeps the
// others for the next Flush.
func (r *Recorder) Flush(ctx context.Context) error {
	r.mu.Lock()
	target := r.stats.Recorded
	r.urgent = max(r.urgent, target)
	r.mu.Unlock()
	r.wake()
	if err := r.await(ctx, target); err != nil {
		return opError("flush", err)
	}
	return r.errors()
}

// await waits until the first n violations recorded are finished.
func (r *Recorder) await(ctx context.Context, n uint64) error {
	for {
		r.mu.Lock()
		if r.finished >= n {
			r.mu.Unlock()
			return nil
		}
		left := n - r.finished
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

// errors returns the errors since the last call.
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

// Close stops recording, stores what was recorded, and returns the errors since the
// last Flush, as Flush does. If ctx ends first, Close gives up and returns the error
// of ctx: it cancels the context of the store's current call, and the violations that
// are still waiting count as failed. In either case the goroutine ends as soon as the
// store returns.
//
// Later calls wait for the same end.
func (r *Recorder) Close(ctx context.Context) error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.wake()
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
		done := r.finished == r.stats.Recorded
		r.mu.Unlock()
		if done { // the goroutine has nothing left to do but end
			<-r.ended
			return r.errors()
		}
		r.abandon()
		s := r.Stats()
		return opError("close", fmt.Errorf("%d violations are not stored: %w", s.Recorded-s.Stored-s.Failed, ctx.Err()))
	}
}

// Stats returns the current counts.
func (r *Recorder) Stats() RecorderStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stats
}

// run is the goroutine. It stores the batches that are due, until the recorder is
// closed and no batch is left.
func (r *Recorder) run() {
	over := false
	defer func() {
		if over {
			r.abandon()
			close(r.ended)
		} else { // the store or OnError has ended the goroutine by runtime.Goexit
			go r.run()
		}
	}()
	since := time.Now() // violations that are not urgent were recorded after it
	timer := time.NewTimer(r.delay)
	defer timer.Stop()
	for !over {
		var b *batch
		var idle bool
		switch b, idle, over = r.due(); {
		case b != nil:
			r.flush(b)
		case idle:
			<-r.wakeups
			since = time.Now()
		case !over:
			timer.Reset(r.delay - time.Since(since))
			select {
			case <-r.wakeups:
			case since = <-timer.C:
				r.mu.Lock()
				r.urgent = r.stats.Recorded
				r.mu.Unlock()
			}
		}
	}
}

// due removes the batch that has to be stored now from the waiting batches, and
// returns it. If there is none, due reports whether nothing is waiting, and whether nothing
// ever will.
func (r *Recorder) due() (b *batch, idle, over bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b = r.first; b == nil {
		return nil, !r.closed, r.closed
	}
	if full := len(b.vs) == cap(b.vs); !full && !r.closed && r.finished >= r.urgent {
		return nil, false, false
	}
	if r.first = b.next; r.first == nil {
		r.last = nil
	}
	return b, false, false
}

// flush appends a batch to the store, counts the result, and keeps the batch for
// reuse. It does all of that even if the store or OnError panics or ends the
// goroutine.
func (r *Recorder) flush(b *batch) {
	defer r.release(b)
	vs := b.vs
	err := r.append(vs)
	if errors.Is(err, ErrInvalid) {
		// Nothing was stored, by the rules of a Store. One violation that no store
		// accepts must not make the others fail.
		if accepted, refused := storable(vs); refused != nil {
			defer r.failed(len(b.vs)-len(accepted), refused)
			vs, err = accepted, r.append(accepted)
		}
	}
	if err != nil {
		r.failed(len(vs), err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Stored += uint64(len(vs))
}

// append passes violations to the store, unless Close gave up.
func (r *Recorder) append(vs []Violation) error {
	if err := r.ctx.Err(); err != nil {
		return fmt.Errorf("closed before they were stored: %w", err)
	}
	if len(vs) == 0 {
		return nil
	}
	returned := false
	defer func() {
		if !returned {
			r.failed(len(vs), errors.New("the store has ended the goroutine that called it"))
		}
	}()
	err := catchPanic(func() error { return r.store.AppendViolations(r.ctx, vs...) })
	returned = true
	return err
}

// storable returns the violations that a store accepts, and the error of the first of
// the others.
func storable(vs []Violation) (accepted []Violation, refused error) {
	for _, v := range vs {
		if _, err := v.Canonical(); err == nil {
			accepted = append(accepted, v)
		} else if refused == nil {
			refused = err
		}
	}
	return accepted, refused
}

// release keeps a batch for reuse, and lets go of its violations.
func (r *Recorder) release(b *batch) {
	n := len(b.vs)
	clear(b.vs) // frees the texts
	b.vs = b.vs[:0]
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held -= n
	r.finished += uint64(n)
	b.next, r.spare = r.spare, b
	if r.progress != nil {
		close(r.progress)
		r.progress = nil
	}
}

// failed counts n violations that are not stored because of err, and reports it.
func (r *Recorder) failed(n int, err error) {
	err = opError(fmt.Sprintf("record %d violations", n), err)
	r.mu.Lock()
	r.stats.Failed += uint64(n)
	r.mu.Unlock()
	r.keep(err)
	if r.onError == nil {
		return
	}
	if err := catchPanic(func() error { r.onError(err); return nil }); err != nil {
		r.keep(opError("record: OnError", err))
	}
}

// keep keeps an error for the next Flush.
func (r *Recorder) keep(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.errs) < maxKeptErrors {
		r.errs = append(r.errs, err)
	} else {
		r.more++
	}
}
