package main

import (
	"cmp"
	"runtime"
	"runtime/debug"
	"slices"
	"time"
)

// contestant is something whose time is taken.
type contestant struct {
	run  func(n int) // does it n times
	n    int         // how often it is done in one slice of time
	laps []float64   // nanoseconds for one of it, round by round
}

func enter(run func(n int)) *contestant { return &contestant{run: run} }

// slice is how long a contestant runs before the next one has its turn:
// short, so that what else the machine does befalls all of them alike.
const slice = 2 * time.Millisecond

// race lets contestants run in turn, in slices of time, for some rounds, of
// which it keeps the quietest quarter.
func race(rounds int, cs ...*contestant) {
	run(rounds, cs...)
	keepQuiet(cs)
}

// run is race with all rounds kept: for contestants that have time for only
// a few actions in a slice, so that rounds differ by what is in them.
func run(rounds int, cs ...*contestant) {
	runtime.LockOSThread() // whose time is taken
	defer runtime.UnlockOSThread()
	for _, c := range cs {
		c.laps = nil
		for c.n = 1; ; c.n *= 2 {
			if took := c.lap(); took > slice {
				c.n = max(1, int(float64(c.n)*float64(slice)/float64(took)))
				break
			}
		}
	}
	settle()
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // garbage collection must not distort the rounds of other contestants
	for round := range rounds {
		for i := range cs {
			c := cs[(i+round)%len(cs)]
			c.laps = append(c.laps, float64(c.lap())/float64(c.n))
		}
	}
}

// keepQuiet keeps the quarter of the rounds in which the contestants together were
// nearest to their best, and drops the others. In those, other processes used the
// machine's caches, which slows a check down more than the floor.
func keepQuiet(cs []*contestant) {
	type round struct {
		number int
		noise  float64
	}
	rounds := make([]round, len(cs[0].laps))
	for i := range rounds {
		rounds[i].number = i
		for _, c := range cs {
			rounds[i].noise += c.laps[i] / slices.Min(c.laps)
		}
	}
	slices.SortFunc(rounds, func(a, b round) int { return cmp.Compare(a.noise, b.noise) })
	for _, c := range cs {
		laps := c.laps
		c.laps = nil
		for _, r := range rounds[:(len(rounds)+3)/4] {
			c.laps = append(c.laps, laps[r.number])
		}
	}
}

func (c *contestant) lap() time.Duration {
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
func (c *contestant) time() float64 { return median(c.laps) }

// over returns the median over the rounds of how many times as long c took as d.
func (c *contestant) over(d *contestant) float64 {
	ratios := make([]float64, len(c.laps))
	for i := range ratios {
		ratios[i] = c.laps[i] / d.laps[i]
	}
	return median(ratios)
}

// mean returns the mean of the rounds in nanoseconds.
func (c *contestant) mean() float64 {
	sum := 0.0
	for _, lap := range c.laps {
		sum += lap
	}
	return sum / float64(len(c.laps))
}

func median(xs []float64) float64 { return quantile(xs, 0.5) }

func quantile(xs []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(xs))
	return sorted[int(q*float64(len(sorted)-1))]
}
