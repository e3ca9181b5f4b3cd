package main

import (
	"cmp"
	"runtime"
	"runtime/debug"
	"slices"
	"time"
)

// task is something whose time is taken.
type task struct {
	run     func(n int) // does it n times
	n       int         // how often it is done in one slice of time
	samples []float64   // nanoseconds for one of it, round by round
}

func newTask(run func(n int)) *task { return &task{run: run} }

// slice is how long a task runs before the next one has its turn:
// short, so that other work on the machine slows all of them down alike.
const slice = 2 * time.Millisecond

// measure lets tasks run in turn, in slices of time, for some rounds, of
// which it keeps the quietest quarter.
func measure(rounds int, cs ...*task) {
	run(rounds, cs...)
	keepQuiet(cs)
}

// run is measure with all rounds kept: for tasks that have time for only
// a few actions in a slice, so that rounds differ by what is in them.
func run(rounds int, cs ...*task) {
	runtime.LockOSThread() // whose time is taken
	defer runtime.UnlockOSThread()
	for _, c := range cs {
		c.samples = nil
		for c.n = 1; ; c.n *= 2 {
			if took := c.sample(); took > slice {
				c.n = max(1, int(float64(c.n)*float64(slice)/float64(took)))
				break
			}
		}
	}
	settle()
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // garbage collection must not distort the rounds of other tasks
	for round := range rounds {
		for i := range cs {
			c := cs[(i+round)%len(cs)]
			c.samples = append(c.samples, float64(c.sample())/float64(c.n))
		}
	}
}

// keepQuiet keeps the quarter of the rounds in which the tasks together were
// nearest to their best, and drops the others. In those, other processes used the
// machine's caches, which slows a check down more than the floor.
func keepQuiet(cs []*task) {
	type round struct {
		number int
		noise  float64
	}
	rounds := make([]round, len(cs[0].samples))
	for i := range rounds {
		rounds[i].number = i
		for _, c := range cs {
			rounds[i].noise += c.samples[i] / slices.Min(c.samples)
		}
	}
	slices.SortFunc(rounds, func(a, b round) int { return cmp.Compare(a.noise, b.noise) })
	for _, c := range cs {
		samples := c.samples
		c.samples = nil
		for _, r := range rounds[:(len(rounds)+3)/4] {
			c.samples = append(c.samples, samples[r.number])
		}
	}
}

func (c *task) sample() time.Duration {
	start := clock()
	c.run(c.n)
	return clock() - start
}

// settle collects the garbage of earlier work.
func settle() {
	runtime.GC()
	runtime.GC()
}

// time returns the median of the rounds in nanoseconds.
func (c *task) time() float64 { return median(c.samples) }

// over returns the median over the rounds of how many times as long c took as d.
func (c *task) over(d *task) float64 {
	ratios := make([]float64, len(c.samples))
	for i := range ratios {
		ratios[i] = c.samples[i] / d.samples[i]
	}
	return median(ratios)
}

// mean returns the mean of the rounds in nanoseconds.
func (c *task) mean() float64 {
	sum := 0.0
	for _, sample := range c.samples {
		sum += sample
	}
	return sum / float64(len(c.samples))
}

func median(xs []float64) float64 { return quantile(xs, 0.5) }

func quantile(xs []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(xs))
	return sorted[int(q*float64(len(sorted)-1))]
}
