package main

import (
	"context"
	"fmt"
	"math"
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
	log     actionLog
}

// actionLog is a log of actions, and the norms that it is judged by.
type actionLog struct {
	norms   []normsync.Norm
	actions []normsync.Action
}

func (b *bench) run() {
	printHead(os.Stdout, "What must hold")
	b.sizes()
	b.uniform()
	g := newFixture(workload.World{Size: 100_000})
	b.allocations(g)
	b.long(g)
	b.changes(g)
	b.batches(g)
	b.memory()
	b.goroutines(g)
	b.latency(g)
	b.tick()
	b.words()

	printHead(os.Stdout, "What else costs")
	b.cold(1_000)
	b.cold(100_000)
	b.scripts()
	b.collector()
	if b.log.actions != nil {
		b.judge()
	}

	printHead(os.Stdout, "Hostile worlds: a check at 100,000 norms ÷ at 1,000")
	b.hostile()

	printHead(os.Stdout, "100,000 norms of which a tenth have more than words: a check ÷ one if none has")
	b.features()
}

func (b *bench) print(r row) { fmt.Println(r) }

// sizes measures check, floor, scan and verb map at each number of norms.
func (b *bench) sizes() {
	check, hit := curve{name: "check"}, curve{name: "check, violated"}
	bottom, scans, maps := curve{name: "split and hash only"}, curve{name: "scan"}, curve{name: "map by verb"}
	small := newFixture(workload.World{Size: 100})
	for n := 100; n <= b.million; n *= 10 {
		g := newFixture(workload.World{Size: n})
		split := splitNorms(g.norms)
		f, c, h := splitOnly(g.misses), g.check(g.misses), g.check(g.hits)
		s, m := g.scan(split), g.verbMap(split)
		measure(b.rounds, f, c, h)
		check.add(n, c.time())
		hit.add(n, h.time())
		bottom.add(n, f.time())
		switch n {
		case 1_000:
			b.print(row{"a check that finds nothing ÷ splitting and hashing alone, 1,000 norms", atMost(3), atMost(2), c.over(f), fmt.Sprintf("%.0f ns ÷ %.0f ns", c.time(), f.time())})
			b.print(row{"a check that finds one violation ÷ one that finds none, 1,000 norms", atMost(3.3), atMost(2.2), h.over(c), fmt.Sprintf("%.0f ns ÷ %.0f ns", h.time(), c.time())})
		case b.million:
			b.print(row{"a check that finds one violation ÷ one that finds none, " + figure(float64(b.million)) + " norms", atMost(12), atMost(6), h.over(c), fmt.Sprintf("%.0f ns ÷ %.0f ns", h.time(), c.time())})
			few := small.check(small.misses)
			measure(b.rounds, few, c)
			b.print(row{"a check at " + figure(float64(n)) + " norms ÷ at 100", atMost(4), atMost(2.5), c.over(few), fmt.Sprintf("%.0f ns ÷ %.0f ns", c.time(), few.time())})
		}
		run(b.rounds/10, c, s, m)
		scans.add(n, s.mean())
		maps.add(n, m.mean())
		if n == 1_000 || n == 100_000 {
			b.baselines(g, c, s, m)
		}
	}
	b.curves = []curve{scans, maps, hit, check, bottom}
}

func (b *bench) uniform() {
	for _, n := range []int{1_000, 100_000} {
		g := newFixture(workload.World{Size: n, Distribution: workload.Uniform})
		split := splitNorms(g.norms)
		c, s, m := g.check(g.misses), g.scan(split), g.verbMap(split)
		run(b.rounds/10, c, s, m)
		b.baselines(g, c, s, m)
	}
}

// law says how the verbs of a world are distributed.
var law = map[workload.Distribution]string{workload.Zipf: "Zipf's law", workload.Uniform: "equal chance"}

func (b *bench) baselines(g *fixture, check, scan, verbs *task) {
	overScan, overMap, aim := atLeast(100), atLeast(8), atLeast(20)
	if g.Size > 1_000 {
		overScan, overMap, aim = atLeast(10_000), atLeast(900), atLeast(3_000)
	}
	if g.Distribution != workload.Zipf {
		aim = bound{}
	}
	where := fmt.Sprintf(" ÷ check, %s norms, verbs by %s", figure(float64(g.Size)), law[g.Distribution])
	b.print(row{"scan" + where, overScan, bound{}, scan.mean() / check.mean(), nanoseconds(scan.mean()) + " ÷ " + nanoseconds(check.mean())})
	b.print(row{"map by verb" + where, overMap, aim, verbs.mean() / check.mean(), nanoseconds(verbs.mean()) + " ÷ " + nanoseconds(check.mean())})
}

func nanoseconds(x float64) string {
	return time.Duration(x).Round(time.Duration(max(1, x/100))).String()
}

func (b *bench) allocations(g *fixture) {
	room := make([]normsync.Violation, 0, 1024)
	long := actionOf(g.Long(0, 64<<10))
	for _, c := range []struct {
		when string
		a    normsync.Action
	}{{"nothing is violated", g.misses[0]}, {"the slice has room for what is violated", g.hits[0]}, {"the action has 64 KiB", long}} {
		n := testing.AllocsPerRun(100, func() { room = g.c.AppendCheck(room[:0], c.a) })
		b.print(row{"allocations of a check if " + c.when, atMost(0), bound{}, n, ""})
	}
}

func (b *bench) long(g *fixture) {
	var actions []normsync.Action
	for i := range 8 {
		actions = append(actions, actionOf(g.Long(i, 64<<10)))
	}
	c, f := g.check(actions), splitOnly(actions)
	measure(b.rounds, c, f)
	b.print(row{"an action of 64 KiB of known words ÷ splitting and hashing it, 100,000 norms", atMost(30), atMost(15), c.over(f), nanoseconds(c.time())})
}

// changes compares a change with compiling everything. Both make garbage, so here it is collected.
func (b *bench) changes(g *fixture) {
	m, err := normsync.NewMonitor(g.norms...)
	if err != nil {
		panic(err)
	}
	compile := newTask(func(n int) {
		for range n {
			if _, err := normsync.Compile(g.norms...); err != nil {
				panic(err)
			}
		}
	})
	next := 0
	apply := newTask(func(n int) {
		for range n {
			amend(m, g, next)
			next++
		}
	})
	compile.n, apply.n = 1, 2_000
	wall := func(c *task) float64 { // the collector has goroutines of its own
		settle()
		start := time.Now()
		c.run(c.n)
		return float64(time.Since(start)) / float64(c.n)
	}
	for range b.rounds / 40 {
		compile.samples = append(compile.samples, wall(compile))
		apply.samples = append(apply.samples, wall(apply))
	}
	keepQuiet([]*task{compile, apply})
	b.print(row{"compiling all ÷ Apply of one change, 100,000 norms", atLeast(1_000), atLeast(5_000), compile.over(apply), nanoseconds(compile.time()) + " ÷ " + nanoseconds(apply.time())})
}

// batches compares Apply of a thousand new norms with ten times Apply of a hundred.
func (b *bench) batches(g *fixture) {
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
	hundred, thousand := new(task), new(task)
	for range b.rounds / 20 {
		hundred.samples = append(hundred.samples, 10*apply(100))
		thousand.samples = append(thousand.samples, apply(1_000))
	}
	keepQuiet([]*task{hundred, thousand})
	b.print(row{"Apply of 1,000 changes ÷ ten times Apply of 100, 100,000 norms", atMost(2), atMost(1.2), thousand.over(hundred), nanoseconds(thousand.time()) + " ÷ " + nanoseconds(hundred.time())})
}

// amend gives a norm the condition of another.
func amend(m *normsync.Monitor, g *fixture, i int) {
	n := g.norms[i*7919%len(g.norms)]
	n.Condition = g.norms[(i*7919+i+1)%len(g.norms)].Condition
	n.Priority = i + 1
	if _, err := m.Apply(context.Background(), normsync.Amend(n)); err != nil {
		panic(err)
	}
}

// memory compares the heap before and after compiling. The constitution has its own
// copy of the norms' texts, so the caller lets go of the norms.
func (b *bench) memory() {
	w := workload.World{Size: b.million}
	settle()
	before := heap()
	c, texts := compileOnly(w)
	bytes := float64(heap()-before-texts)/float64(w.Size) - float64(unsafe.Sizeof(normsync.Norm{}))
	runtime.KeepAlive(c)
	b.print(row{"bytes per norm beyond its strings and its struct, " + figure(float64(b.million)) + " norms", atMost(64), atMost(40), bytes, ""})
}

// compileOnly compiles a world three times, sets compileTime, and returns the constitution
// and the bytes of the norms' texts.
func compileOnly(w workload.World) (c *normsync.Constitution, bytes uint64) {
	norms := make([]normsync.Norm, w.Size)
	texts := 0
	for i := range norms {
		norms[i] = normOf(w.Norm(i))
		n := &norms[i]
		texts += len(n.Name) + len(n.Condition) + len(n.Prohibited)
	}
	compileTime = math.MaxInt64
	for range 3 {
		start := time.Now()
		var err error
		if c, err = normsync.Compile(norms...); err != nil {
			panic(err)
		}
		compileTime = min(compileTime, time.Since(start))
	}
	return c, uint64(texts)
}

// compileTime is how long the fastest compilation of the last call of compileOnly took.
var compileTime time.Duration

// collector measures what a constitution of a million norms costs the garbage collector.
func (b *bench) collector() {
	w := workload.World{Size: b.million}
	var before, after runtime.MemStats
	settle()
	runtime.ReadMemStats(&before)
	empty := b.collect()
	c, _ := compileOnly(w)
	settle()
	runtime.ReadMemStats(&after)
	full := b.collect()
	n := figure(float64(b.million)) + " norms"
	b.print(row{"seconds to compile " + n + " on " + fmt.Sprint(runtime.GOMAXPROCS(0)) + " processors", atMost(1), bound{}, compileTime.Seconds(), ""})
	b.print(row{"objects that the garbage collector has for each of " + n, atMost(0.1), bound{}, float64(after.HeapObjects-before.HeapObjects) / float64(w.Size), ""})
	b.print(row{"milliseconds of a full collection while " + n + " are held", bound{}, bound{}, full, fmt.Sprintf("%.2f without them", empty)})
	runtime.ReadMemStats(&after)
	worst := uint64(0)
	for i := range uint32(16) {
		worst = max(worst, after.PauseNs[(after.NumGC-i+255)%256])
	}
	b.print(row{"microseconds of the longest of its last 16 pauses", bound{}, bound{}, float64(worst) / 1e3, ""})
	runtime.KeepAlive(c)
}

// collect returns the median time of a collection, in milliseconds.
func (b *bench) collect() float64 {
	var times []float64
	for range 15 {
		start := time.Now()
		runtime.GC()
		times = append(times, float64(time.Since(start))/1e6)
	}
	return median(times)
}

// words measures actions of more words.
func (b *bench) words() {
	g := newFixture(workload.World{Size: 1_000})
	for _, n := range []int{4, 16, 64} {
		var actions []normsync.Action
		for i := 0; len(actions) < enough; i++ {
			if a := actionOf(g.Words(i, n)); g.c.Allows(a) {
				actions = append(actions, a)
			}
		}
		c, f := g.check(actions), splitOnly(actions)
		measure(b.rounds/2, c, f)
		b.print(row{fmt.Sprintf("a check of a verb and %d words ÷ splitting and hashing them, 1,000 norms", n), atMost(4), bound{}, c.over(f), fmt.Sprintf("%.0f ns ÷ %.0f ns", c.time(), f.time())})
	}
}

// scripts compares an action of Chinese words with an English one of as many words.
func (b *bench) scripts() {
	c, err := normsync.Compile(
		normsync.Norm{Name: "quiet", Condition: "图书馆 夜晚", Prohibited: "说话"}, normsync.Norm{Name: "peace", Condition: "library night", Prohibited: "talk"})
	if err != nil {
		panic(err)
	}
	g := &fixture{c: c}
	chinese := g.check([]normsync.Action{{Agent: "伊莎贝拉", Verb: "谈论 生日派对", Location: "霍布斯咖啡馆 吧台 后面", Target: "玛丽亚", Faction: "居民", Facts: "夜晚 下雨"}})
	english := g.check([]normsync.Action{{Agent: "isabella", Verb: "discuss birthday", Location: "hobbs_cafe counter behind", Target: "maria", Faction: "resident", Facts: "night rain"}})
	measure(b.rounds, chinese, english)
	b.print(row{"a check of nine Chinese words ÷ of nine English ones", bound{}, bound{}, chinese.over(english), fmt.Sprintf("%.0f ns ÷ %.0f ns", chinese.time(), english.time())})
}

// judge checks the actions of a log against its norms.
func (b *bench) judge() {
	c, err := normsync.Compile(b.log.norms...)
	if err != nil {
		panic(err)
	}
	g := &fixture{c: c}
	violating := 0
	for _, a := range b.log.actions {
		if len(c.Check(a)) > 0 {
			violating++
		}
	}
	check, split := g.check(b.log.actions), splitOnly(b.log.actions)
	measure(b.rounds/2, check, split)
	b.print(row{fmt.Sprintf("a check of the log's %s actions against its %d norms ÷ splitting and hashing", figure(float64(len(b.log.actions))), len(b.log.norms)), bound{}, bound{},
		check.over(split), fmt.Sprintf("%.0f ns ÷ %.0f ns, %.1f %% violate a norm", check.time(), split.time(), 100*float64(violating)/float64(len(b.log.actions)))})
}

func heap() uint64 {
	settle()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// goroutines compares what two goroutines check with what one does. Two goroutines
// that share nothing show how much of a second core there is.
func (b *bench) goroutines(g *fixture) {
	gain := func(make func() *task) float64 {
		one, two := make(), make()
		measure(4, one, two) // for how often each is done
		n := one.n
		alone, together := new(task), new(task) // on the wall: they have threads of their own
		for range b.rounds {
			start := time.Now()
			one.run(n)
			one.run(n)
			alone.samples = append(alone.samples, float64(time.Since(start)))
			var wg sync.WaitGroup
			start = time.Now()
			for _, c := range []*task{one, two} {
				wg.Go(func() { c.run(n) })
			}
			wg.Wait()
			together.samples = append(together.samples, float64(time.Since(start)))
		}
		keepQuiet([]*task{alone, together})
		return alone.over(together)
	}
	checks := gain(func() *task { return g.check(g.misses) })
	possible := gain(func() *task {
		return newTask(func(n int) {
			x := 1
			for range n {
				x = x*1664525 + 1
			}
			if x == 0 {
				sink = x
			}
		})
	})
	b.print(row{"checks by two goroutines ÷ by one", atLeast(1.7), atLeast(1.9), checks, fmt.Sprintf("%.2f if goroutines share nothing", possible)})
}

// latency takes the time of single checks, with and without another goroutine that applies changes without pause.
func (b *bench) latency(g *fixture) {
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
		kind := workload.OneVerb + workload.Distribution(i)
		small, large := newFixture(workload.World{Size: 1_000, Distribution: kind}), newFixture(workload.World{Size: 100_000, Distribution: kind})
		c, d := small.check(small.misses), large.check(large.misses)
		measure(b.rounds, c, d)
		must, aim := bound{}, bound{}
		if kind == workload.EightOf32 {
			must, aim = atMost(7), atMost(3)
		}
		b.print(row{what, must, aim, d.over(c), nanoseconds(d.time()) + " ÷ " + nanoseconds(c.time())})
	}
	small, large := newFixture(workload.World{Size: 1_000}), newFixture(workload.World{Size: 100_000})
	c := small.check([]normsync.Action{actionOf(small.Long(0, 64<<10))})
	d := large.check([]normsync.Action{actionOf(large.Long(0, 64<<10))})
	measure(b.rounds, c, d)
	b.print(row{"a location of 64 KiB of known words", bound{}, bound{}, d.over(c), nanoseconds(d.time()) + " ÷ " + nanoseconds(c.time())})
}

// features compiles both worlds several times, because two compilations of the same
// world differ by their placement in memory. The first row shows by how much.
func (b *bench) features() {
	for feature, what := range []string{"nothing more (the noise of this table)", "a prefix", "`field:` tokens", "an `agent:` token", "`Unless`", "`Permitted`", "`From`", "a token of two alternatives", "a `facts:` token"} {
		var misses, hits []float64
		for range 7 {
			plain, g := newFixture(workload.World{Size: 100_000}), newFixture(workload.World{Size: 100_000, Feature: workload.Feature(feature)})
			miss, hit, c, h := plain.check(plain.misses), plain.check(plain.hits), g.check(g.misses), g.check(g.hits)
			measure(b.rounds/8, miss, c, hit, h)
			misses, hits = append(misses, c.over(miss)), append(hits, h.over(hit))
		}
		must, aim := bound{}, bound{}
		switch workload.Feature(feature) {
		case workload.Prefixed:
			must, aim = atMost(2.2), atMost(1.5)
		case workload.Windowed:
			must = atMost(1.05)
		}
		b.print(row{what, must, aim, median(misses), figure(median(hits)) + " if one norm is violated"})
	}
}
