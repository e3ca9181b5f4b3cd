package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/internal/workload"
)

// bench measures, row by row.
type bench struct {
	rounds  int
	million int // the greatest number of norms
	curves  []curve
}

func (b *bench) run() {
	printHead(os.Stdout, "What must hold")
	b.sizes()
	b.uniform()
	g := newGround(workload.World{Size: 100_000})
	b.allocations(g)
	b.long(g)
	b.changes(g)
	b.batches(g)
	b.memory()
	b.goroutines(g)
	b.latency(g)

	printHead(os.Stdout, "Hostile worlds: a check at 100,000 norms ÷ at 1,000")
	b.hostile()

	printHead(os.Stdout, "100,000 norms of which a tenth have more than words: a check ÷ one where none has")
	b.twists()
}

func (b *bench) print(r row) { fmt.Println(r) }

// sizes races check, floor, scan and verb map at each number of norms.
func (b *bench) sizes() {
	check, hit := curve{name: "check"}, curve{name: "check, violated"}
	bottom, scans, maps := curve{name: "split and hash only"}, curve{name: "scan"}, curve{name: "map by verb"}
	small := newGround(workload.World{Size: 100})
	for n := 100; n <= b.million; n *= 10 {
		g := newGround(workload.World{Size: n})
		split := rules(g.norms)
		f, c, h := splitOnly(g.misses), g.check(g.misses), g.check(g.hits)
		s, m := g.scan(split), g.verbMap(split)
		race(b.rounds, f, c, h)
		check.add(n, c.time())
		hit.add(n, h.time())
		bottom.add(n, f.time())
		switch n {
		case 1_000:
			b.print(row{"a check that finds nothing ÷ splitting and hashing alone, 1,000 norms", atMost(3), atMost(2), c.over(f), fmt.Sprintf("%.0f ns ÷ %.0f ns", c.time(), f.time())})
			b.print(row{"a check that finds one violation ÷ splitting and hashing alone, 1,000 norms", bound{}, bound{}, h.over(f), fmt.Sprintf("%.0f ns ÷ %.0f ns", h.time(), f.time())})
		case b.million:
			few := small.check(small.misses)
			race(b.rounds, few, c)
			b.print(row{"a check at " + figure(float64(n)) + " norms ÷ at 100", atMost(4), atMost(2.5), c.over(few), fmt.Sprintf("%.0f ns ÷ %.0f ns", c.time(), few.time())})
		}
		run(b.rounds/10, c, s, m)
		scans.add(n, s.mean())
		maps.add(n, m.mean())
		if n == 1_000 || n == 100_000 {
			b.rivals(g, c, s, m)
		}
	}
	b.curves = []curve{scans, maps, hit, check, bottom}
}

func (b *bench) uniform() {
	for _, n := range []int{1_000, 100_000} {
		g := newGround(workload.World{Size: n, Kind: workload.Uniform})
		split := rules(g.norms)
		c, s, m := g.check(g.misses), g.scan(split), g.verbMap(split)
		run(b.rounds/10, c, s, m)
		b.rivals(g, c, s, m)
	}
}

// law says how often a world's verbs are.
var law = map[workload.Kind]string{workload.Zipf: "Zipf's law", workload.Uniform: "equal chance"}

func (b *bench) rivals(g *ground, check, scan, verbs *contestant) {
	overScan, overMap, aim := atLeast(100), atLeast(8), atLeast(20)
	if g.Size > 1_000 {
		overScan, overMap, aim = atLeast(10_000), atLeast(900), atLeast(3_000)
	}
	if g.Kind != workload.Zipf {
		aim = bound{}
	}
	where := fmt.Sprintf(" ÷ check, %s norms, verbs by %s", figure(float64(g.Size)), law[g.Kind])
	b.print(row{"scan" + where, overScan, bound{}, scan.mean() / check.mean(), nanoseconds(scan.mean()) + " ÷ " + nanoseconds(check.mean())})
	b.print(row{"map by verb" + where, overMap, aim, verbs.mean() / check.mean(), nanoseconds(verbs.mean()) + " ÷ " + nanoseconds(check.mean())})
}

func nanoseconds(x float64) string {
	return time.Duration(x).Round(time.Duration(max(1, x/100))).String()
}

func (b *bench) allocations(g *ground) {
	room := make([]normsync.Violation, 0, 1024)
	long := actionOf(g.Long(0, 64<<10))
	for _, c := range []struct {
		where string
		a     normsync.Action
	}{{"nothing is violated", g.misses[0]}, {"the slice has room for what is violated", g.hits[0]}, {"the action has 64 KiB", long}} {
		n := testing.AllocsPerRun(100, func() { room = g.c.AppendCheck(room[:0], c.a) })
		b.print(row{"allocations of a check where " + c.where, atMost(0), bound{}, n, ""})
	}
}

func (b *bench) long(g *ground) {
	var actions []normsync.Action
	for i := range 8 {
		actions = append(actions, actionOf(g.Long(i, 64<<10)))
	}
	c, f := g.check(actions), splitOnly(actions)
	race(b.rounds, c, f)
	b.print(row{"an action of 64 KiB of known words ÷ splitting and hashing it, 100,000 norms", atMost(30), atMost(15), c.over(f), nanoseconds(c.time())})
}

// changes compares a change with compiling everything. Both make garbage, so here it is collected.
func (b *bench) changes(g *ground) {
	m, err := normsync.NewMonitor(g.norms...)
	if err != nil {
		panic(err)
	}
	compile := enter(func(n int) {
		for range n {
			if _, err := normsync.Compile(g.norms...); err != nil {
				panic(err)
			}
		}
	})
	next := 0
	apply := enter(func(n int) {
		for range n {
			amend(m, g, next)
			next++
		}
	})
	compile.n, apply.n = 1, 2_000
	wall := func(c *contestant) float64 { // the collector has goroutines of its own
		settle()
		start := time.Now()
		c.run(c.n)
		return float64(time.Since(start)) / float64(c.n)
	}
	for range b.rounds / 40 {
		compile.laps = append(compile.laps, wall(compile))
		apply.laps = append(apply.laps, wall(apply))
	}
	keepQuiet([]*contestant{compile, apply})
	b.print(row{"compiling all ÷ Apply of one change, 100,000 norms", atLeast(1_000), atLeast(5_000), compile.over(apply), nanoseconds(compile.time()) + " ÷ " + nanoseconds(apply.time())})
}

// batches compares Apply of a thousand new norms with ten times Apply of a hundred.
func (b *bench) batches(g *ground) {
	m, err := normsync.NewMonitor(g.norms...)
	if err != nil {
		panic(err)
	}
	next := 0
	apply := func(size int) float64 {
		changes, undo := make([]normsync.Change, size), make([]normsync.Change, size)
		for i := range changes {
			n := g.norms[next*7919%len(g.norms)]
			n.Name += " too"
			changes[i], undo[i] = normsync.Enact(n), normsync.Repeal(n.Name)
			next++
		}
		settle()
		start := time.Now()
		if _, err := m.Apply(context.Background(), changes...); err != nil {
			panic(err)
		}
		took := time.Since(start)
		if _, err := m.Apply(context.Background(), undo...); err != nil {
			panic(err)
		}
		return float64(took)
	}
	hundred, thousand := new(contestant), new(contestant)
	for range b.rounds / 20 {
		hundred.laps = append(hundred.laps, 10*apply(100))
		thousand.laps = append(thousand.laps, apply(1_000))
	}
	keepQuiet([]*contestant{hundred, thousand})
	b.print(row{"Apply of 1,000 changes ÷ ten times Apply of 100, 100,000 norms", atMost(2), atMost(1.2), thousand.over(hundred), nanoseconds(thousand.time()) + " ÷ " + nanoseconds(hundred.time())})
}

// amend gives a norm the condition of another.
func amend(m *normsync.Monitor, g *ground, i int) {
	n := g.norms[i*7919%len(g.norms)]
	n.Condition = g.norms[(i*7919+i+1)%len(g.norms)].Condition
	n.Priority = i + 1
	if _, err := m.Apply(context.Background(), normsync.Amend(n)); err != nil {
		panic(err)
	}
}

// memory compares the heap before and after compiling. The caller keeps
// the norms' strings, so they do not count.
func (b *bench) memory() {
	g := newGround(workload.World{Size: b.million})
	g.c = nil
	before := heap()
	c, err := normsync.Compile(g.norms...)
	if err != nil {
		panic(err)
	}
	bytes := float64(heap()-before)/float64(len(g.norms)) - float64(unsafe.Sizeof(g.norms[0]))
	runtime.KeepAlive(c)
	runtime.KeepAlive(g)
	b.print(row{"bytes per norm beyond its strings and its struct, " + figure(float64(b.million)) + " norms", atMost(64), atMost(40), bytes, ""})
}

func heap() uint64 {
	settle()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// goroutines compares what two goroutines check with what one does. What two
// can do that share nothing tells how much of a second core there is.
func (b *bench) goroutines(g *ground) {
	gain := func(make func() *contestant) float64 {
		one, two := make(), make()
		race(4, one, two) // for how often each is done
		n := one.n
		alone, together := new(contestant), new(contestant) // on the wall: they have threads of their own
		for range b.rounds {
			start := time.Now()
			one.run(n)
			one.run(n)
			alone.laps = append(alone.laps, float64(time.Since(start)))
			var wg sync.WaitGroup
			start = time.Now()
			for _, c := range []*contestant{one, two} {
				wg.Go(func() { c.run(n) })
			}
			wg.Wait()
			together.laps = append(together.laps, float64(time.Since(start)))
		}
		keepQuiet([]*contestant{alone, together})
		return alone.over(together)
	}
	checks := gain(func() *contestant { return g.check(g.misses) })
	possible := gain(func() *contestant {
		return enter(func(n int) {
			x := 1
			for range n {
				x = x*1664525 + 1
			}
			if x == 0 {
				sink = x
			}
		})
	})
	b.print(row{"checks by two goroutines ÷ by one", atLeast(1.7), atLeast(1.9), checks, fmt.Sprintf("%.2f where goroutines share nothing", possible)})
}

// latency takes the time of single checks, with and without another goroutine that applies changes without pause.
func (b *bench) latency(g *ground) {
	m, err := normsync.NewMonitor(g.norms...)
	if err != nil {
		panic(err)
	}
	var quiet, busy []float64
	found := make([]normsync.Violation, 0, 1024)
	next := 0
	measure := func(times []float64) []float64 {
		for end := time.Now().Add(25 * slice); time.Now().Before(end); {
			a := &g.misses[next%len(g.misses)]
			next++
			start := time.Now()
			found = m.AppendCheck(found[:0], *a)
			times = append(times, float64(time.Since(start)))
		}
		return times
	}
	changes := 0
	for range b.rounds / 8 {
		quiet = measure(quiet)
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for {
				select {
				case <-stop:
					return
				default:
					amend(m, g, changes)
					changes++
				}
			}
		}()
		busy = measure(busy)
		close(stop)
		<-stopped
	}
	quantiles := func(xs []float64) string {
		return fmt.Sprintf("p50 %.0f, p99 %.0f, p99.9 %.0f ns", quantile(xs, 0.5), quantile(xs, 0.99), quantile(xs, 0.999))
	}
	b.print(row{"p99 of a check while changes are applied without pause ÷ without, 100,000 norms", atMost(2), atMost(1.2),
		quantile(busy, 0.99) / quantile(quiet, 0.99), quantiles(busy) + " ÷ " + quantiles(quiet)})
}

func (b *bench) hostile() {
	for i, what := range []string{
		"all norms share one verb",
		"all conditions share a word, and have one of their own",
		"all conditions are one word, and verbs differ",
		"conditions of 8 out of 32 words, actions with 16 of them",
		"all words share their 32-bit FNV-1a hash",
	} {
		kind := workload.OneVerb + workload.Kind(i)
		small, large := newGround(workload.World{Size: 1_000, Kind: kind}), newGround(workload.World{Size: 100_000, Kind: kind})
		c, d := small.check(small.misses), large.check(large.misses)
		race(b.rounds, c, d)
		b.print(row{what, bound{}, bound{}, d.over(c), nanoseconds(d.time()) + " ÷ " + nanoseconds(c.time())})
	}
	small, large := newGround(workload.World{Size: 1_000}), newGround(workload.World{Size: 100_000})
	c := small.check([]normsync.Action{actionOf(small.Long(0, 64<<10))})
	d := large.check([]normsync.Action{actionOf(large.Long(0, 64<<10))})
	race(b.rounds, c, d)
	b.print(row{"a location of 64 KiB of known words", bound{}, bound{}, d.over(c), nanoseconds(d.time()) + " ÷ " + nanoseconds(c.time())})
}

// twists compiles both worlds several times, because two compilations of the same
// world differ by their placement in memory. The first row shows by how much.
func (b *bench) twists() {
	for twist, what := range []string{"nothing more (the noise of this table)", "a prefix", "`field:` tokens", "an `agent:` token", "`Unless`", "`Permitted`"} {
		var misses, hits []float64
		for range 7 {
			plain, g := newGround(workload.World{Size: 100_000}), newGround(workload.World{Size: 100_000, Twist: workload.Twist(twist)})
			miss, hit, c, h := plain.check(plain.misses), plain.check(plain.hits), g.check(g.misses), g.check(g.hits)
			race(b.rounds/8, miss, c, hit, h)
			misses, hits = append(misses, c.over(miss)), append(hits, h.over(hit))
		}
		b.print(row{what, bound{}, bound{}, median(misses), figure(median(hits)) + " where one norm is violated"})
	}
}
