package main

import (
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

// race lets contestants run in turn, in slices of time, for some rounds.
func race(rounds int, cs ...*contestant) {
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
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // who makes garbage does not pay for it, nor make others pay
	for round := range rounds {
		for i := range cs {
			c := cs[(i+round)%len(cs)]
			c.laps = append(c.laps, float64(c.lap())/float64(c.n))
		}
	}
}

func (c *contestant) lap() time.Duration {
	start := time.Now()
	c.run(c.n)
	return time.Since(start)
}

// settle sees to it that no garbage of before is left to be collected.
func settle() {
	runtime.GC()
	runtime.GC()
}

// time returns the nanoseconds that a contestant takes when the machine is
// quiet: in the best tenth of its rounds.
func (c *contestant) time() float64 { return quantile(c.laps, 0.1) }

// over returns the median over the rounds of how many times as long c took as d.
func (c *contestant) over(d *contestant) float64 {
	ratios := make([]float64, len(c.laps))
	for i := range ratios {
		ratios[i] = c.laps[i] / d.laps[i]
	}
	return median(ratios)
}

func median(xs []float64) float64 { return quantile(xs, 0.5) }

func quantile(xs []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(xs))
	return sorted[int(q*float64(len(sorted)-1))]
}
