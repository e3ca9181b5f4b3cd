package normsync_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/internal/token"
	"github.com/normsync/normsync/internal/workload"
)

// fixture is a world that is compiled, with actions to check in it.
type fixture struct {
	workload.World
	*normsync.Constitution
	misses, hits []normsync.Action
}

// fixtures are made when first used, and shared by benchmarks and tests.
var fixtures sync.Map

func fixtureOf(tb testing.TB, w workload.World) *fixture {
	tb.Helper()
	if f := flag.Lookup("test.benchtime"); w.Size >= 1_000_000 && f != nil && f.Value.String() == "1x" {
		tb.Skip("a million norms are too many to be looked at once")
	}
	made, _ := fixtures.LoadOrStore(w, sync.OnceValues(func() (*fixture, error) { return newFixture(w) }))
	g, err := made.(func() (*fixture, error))()
	require.NoError(tb, err)
	return g
}

func newFixture(w workload.World) (*fixture, error) {
	c, err := normsync.Compile(normsOfWorld(w)...)
	if err != nil {
		return nil, err
	}
	g := &fixture{World: w, Constitution: c}
	const enough = 2048
	for i := 0; len(g.misses) < enough && i < 4*enough; i++ {
		if a := actionOf(w.Action(i)); c.Check(a) == nil {
			g.misses = append(g.misses, a)
		}
	}
	for i := 0; len(g.hits) < enough && i < 4*enough; i++ {
		if a := actionOf(w.Violating(i * 7919 % w.Size)); len(c.Check(a)) == 1 || w.Distribution == workload.EightOf32 {
			g.hits = append(g.hits, a)
		}
	}
	if len(g.misses) == 0 {
		g.misses = g.hits // if everything is forbidden
	}
	return g, nil
}

func normsOfWorld(w workload.World) []normsync.Norm {
	norms := make([]normsync.Norm, w.Size)
	for i := range norms {
		norms[i] = normOf(w.Norm(i))
	}
	return norms
}

func normOf(n workload.Norm) normsync.Norm {
	return normsync.Norm{Name: n.Name, Condition: n.Condition, Unless: n.Unless, Prohibited: n.Prohibited, Permitted: n.Permitted, Priority: n.Priority, From: n.From}
}

// benchTime is the time of all actions.
var benchTime = time.Unix(43_200, 0).UTC()

func actionOf(a workload.Action) normsync.Action {
	return normsync.Action{Agent: a.Agent, Verb: a.Verb, Location: a.Location, Target: a.Target, Faction: a.Faction, Facts: a.Facts, Time: benchTime}
}

// benchmarkCheck checks actions in turn.
func benchmarkCheck(b *testing.B, c *normsync.Constitution, actions []normsync.Action) {
	dst := make([]normsync.Violation, 0, 1<<10)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		dst = c.AppendCheck(dst[:0], actions[i])
		if i++; i == len(actions) {
			i = 0
		}
	}
}

func BenchmarkAppendCheck(b *testing.B) {
	for _, kind := range []workload.Distribution{workload.Zipf, workload.Uniform} {
		for _, n := range []int{100, 1_000, 10_000, 100_000, 1_000_000} {
			if kind == workload.Uniform && n > 100_000 {
				continue
			}
			b.Run(fmt.Sprintf("distribution=%v/norms=%d", kind, n), func(b *testing.B) {
				g := fixtureOf(b, workload.World{Size: n, Distribution: kind})
				b.Run("miss", func(b *testing.B) { benchmarkCheck(b, g.Constitution, g.misses) })
				b.Run("hit", func(b *testing.B) { benchmarkCheck(b, g.Constitution, g.hits) })
			})
		}
	}
}

// What a tenth of the norms costs that is more than words.
func BenchmarkAppendCheckFeature(b *testing.B) {
	for feature := range workload.Feature(len(workload.Features)) {
		b.Run(fmt.Sprintf("norms=100000/feature=%v", feature), func(b *testing.B) {
			g := fixtureOf(b, workload.World{Size: 100_000, Feature: feature})
			b.Run("miss", func(b *testing.B) { benchmarkCheck(b, g.Constitution, g.misses) })
			b.Run("hit", func(b *testing.B) { benchmarkCheck(b, g.Constitution, g.hits) })
		})
	}
}

func BenchmarkAppendCheckHostile(b *testing.B) {
	for kind := workload.OneVerb; kind <= workload.Colliding; kind++ {
		for _, n := range []int{1_000, 100_000} {
			b.Run(fmt.Sprintf("distribution=%v/norms=%d", kind, n), func(b *testing.B) {
				benchmarkCheck(b, fixtureOf(b, workload.World{Size: n, Distribution: kind}).Constitution, fixtureOf(b, workload.World{Size: n, Distribution: kind}).misses)
			})
		}
	}
}

func BenchmarkAppendCheckLong(b *testing.B) {
	g := fixtureOf(b, workload.World{Size: 100_000})
	for _, size := range []int{1 << 10, 64 << 10} {
		a := actionOf(g.Long(0, size))
		b.Run(fmt.Sprintf("norms=100000/bytes=%d", size), func(b *testing.B) {
			b.SetBytes(int64(size))
			benchmarkCheck(b, g.Constitution, []normsync.Action{a})
		})
		b.Run(fmt.Sprintf("floor/bytes=%d", size), func(b *testing.B) {
			b.SetBytes(int64(size))
			benchmarkFloor(b, []normsync.Action{a})
		})
	}
}

// An action of Chinese words, and of English ones.
func BenchmarkAppendCheckScripts(b *testing.B) {
	c, err := normsync.Compile(prohibition("quiet", "图书馆 夜晚", "说话"), prohibition("peace", "library night", "talk"))
	require.NoError(b, err)
	for name, a := range map[string]normsync.Action{
		"chinese": {Agent: "伊莎贝拉", Verb: "谈论 生日派对", Location: "霍布斯咖啡馆 吧台 后面", Target: "玛丽亚", Faction: "居民", Facts: "夜晚 下雨"},
		"english": {Agent: "isabella", Verb: "discuss birthday", Location: "hobbs_cafe counter behind", Target: "maria", Faction: "resident", Facts: "night rain"},
	} {
		b.Run("script="+name, func(b *testing.B) { benchmarkCheck(b, c, []normsync.Action{a}) })
	}
}

// An action with more words that violates nothing, beside splitting and hashing it.
func BenchmarkAppendCheckWords(b *testing.B) {
	g := fixtureOf(b, workload.World{Size: 1_000})
	for _, n := range []int{4, 16, 64} {
		var actions []normsync.Action
		for i := 0; len(actions) < 1024; i++ {
			if a := actionOf(g.Words(i, n)); g.Allows(a) {
				actions = append(actions, a)
			}
		}
		b.Run(fmt.Sprintf("words=%d/check", n), func(b *testing.B) { benchmarkCheck(b, g.Constitution, actions) })
		b.Run(fmt.Sprintf("words=%d/floor", n), func(b *testing.B) { benchmarkFloor(b, actions) })
	}
}

// BenchmarkFloor splits, folds and hashes the words of an action, and looks nothing up.
func BenchmarkFloor(b *testing.B) {
	benchmarkFloor(b, fixtureOf(b, workload.World{Size: 1_000}).misses)
}

func benchmarkFloor(b *testing.B, actions []normsync.Action) {
	buf := make([]uint64, 64<<10)
	i := 0
	for b.Loop() {
		a := &actions[i]
		n := token.Hashes(buf, 0, a.Verb)
		n = token.Hashes(buf, n, a.Location)
		n = token.Hashes(buf, n, a.Target)
		token.Hashes(buf, n, a.Faction)
		if i++; i == len(actions) {
			i = 0
		}
	}
}

func BenchmarkAllows(b *testing.B) {
	for _, n := range []int{100, 1_000, 100_000} {
		b.Run(fmt.Sprintf("norms=%d", n), func(b *testing.B) {
			g := fixtureOf(b, workload.World{Size: n})
			for name, actions := range map[string][]normsync.Action{"miss": g.misses, "hit": g.hits} {
				b.Run(name, func(b *testing.B) {
					b.ReportAllocs()
					i := 0
					for b.Loop() {
						g.Allows(actions[i])
						if i++; i == len(actions) {
							i = 0
						}
					}
				})
			}
		})
	}
}

func BenchmarkAppendCheckParallel(b *testing.B) {
	g := fixtureOf(b, workload.World{Size: 100_000})
	b.Run(fmt.Sprintf("norms=%d/goroutines=%d", g.Size, runtime.GOMAXPROCS(0)), func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			dst := make([]normsync.Violation, 0, 1<<10)
			for i := 0; pb.Next(); i++ {
				dst = g.AppendCheck(dst[:0], g.misses[i%len(g.misses)])
			}
		})
	})
}

func BenchmarkApply(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("norms=%d", n), func(b *testing.B) {
			w := workload.World{Size: n}
			norms := normsOfWorld(w)
			m, err := normsync.NewMonitor(norms...)
			require.NoError(b, err)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				n := &norms[i*7919%len(norms)]
				n.Condition = normOf(w.Norm((i + 1) % len(norms))).Condition
				n.Priority++
				if _, err := m.Apply(b.Context(), normsync.Amend(*n)); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("norms=%d", n), func(b *testing.B) {
			norms := normsOfWorld(workload.World{Size: n})
			b.ReportAllocs()
			for b.Loop() {
				if _, err := normsync.Compile(norms...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

var openRevisions = flag.Int("revisions", 10_000, "revisions in the store that BenchmarkOpen opens")

// BenchmarkOpen opens a FileStore and a monitor on it: all that lies between the
// disk and a compiled constitution. The revisions are Applies of one change or of
// 1,000; they enact as many norms, or enact and then amend 1,000 norms in turn.
// For a million revisions:
//
//	go test -run '^$' -bench '^BenchmarkOpen$' -benchtime 1x . -revisions 1000000
func BenchmarkOpen(b *testing.B) {
	for _, perApply := range []int{1, 1_000} {
		for _, norms := range []int{1_000, *openRevisions} {
			b.Run(fmt.Sprintf("revisions=%d/norms=%d/changes=%d", *openRevisions, norms, perApply), func(b *testing.B) {
				dir := b.TempDir()
				writeRevisions(b, dir, *openRevisions, norms, perApply)
				b.ReportAllocs()
				for b.Loop() {
					s, err := normsync.OpenFile(dir, nil)
					require.NoError(b, err)
					m, err := normsync.Open(b.Context(), s, nil)
					require.NoError(b, err)
					require.Equal(b, norms, m.Constitution().Len())
					require.NoError(b, s.Close())
				}
			})
		}
	}
}

// writeRevisions writes a store of n revisions that enact norms, and then amend
// them in turn. Unlike AppendRevisions it writes many Applies with one fsync.
func writeRevisions(tb testing.TB, dir string, n, norms, perApply int) {
	tb.Helper()
	s, err := normsync.OpenFile(dir, nil)
	require.NoError(tb, err)
	w := workload.World{Size: norms}
	start := time.Unix(1_700_000_000, 0)
	var applies [][]normsync.Revision
	var apply []normsync.Revision
	var last normsync.Revision
	for i := range n {
		r := normsync.Revision{Edition: last.Edition + 1, Version: i/norms + 1, Time: start.Add(time.Duration(i) * time.Second)}
		if i > 0 {
			r.Prev = last.ID()
		}
		norm := normOf(w.Norm(i % norms))
		if r.Change = normsync.Enact(norm); i >= norms {
			norm.Priority = i
			r.Change = normsync.Amend(norm)
		}
		r.Change = r.Change.Attributed("warden", "season "+fmt.Sprint(i/1_000))
		last, err = r.Canonical()
		require.NoError(tb, err)
		apply = append(apply, last)
		if (i+1)%perApply == 0 || i == n-1 {
			applies = append(applies, apply)
			apply = nil
		}
		if (i+1)%10_000 == 0 && apply == nil || i == n-1 {
			require.NoError(tb, s.AppendApplies(tb.Context(), applies...))
			applies = nil
		}
	}
	require.NoError(tb, s.Close())
}

// With room in the buffer, and when it is full because the store hangs.
func BenchmarkRecorderRecord(b *testing.B) {
	for _, n := range []int{1, 100} {
		for _, room := range []bool{true, false} {
			b.Run(fmt.Sprintf("violations=%d/room=%v", n, room), func(b *testing.B) {
				hung := make(chan struct{})
				r := normsync.NewRecorder(appendsViolations(func(*faultyStore, context.Context, []normsync.Violation) error {
					if !room {
						<-hung
					}
					return nil
				}), nil)
				vs := numbered(0, n)
				for r.Record(vs...) { // warm
				}
				taken := 1 << 16
				b.ReportAllocs()
				for b.Loop() {
					if taken += n; room && taken > 1<<16-n {
						b.StopTimer()
						require.NoError(b, r.Flush(b.Context()))
						taken = 0
						b.StartTimer()
					}
					r.Record(vs...)
				}
				close(hung)
				require.NoError(b, r.Close(b.Context()))
			})
		}
	}
}

func BenchmarkMonitorApply(b *testing.B) {
	for _, n := range []int{100, 10000, 100000} {
		b.Run(fmt.Sprintf("norms=%d", n), func(b *testing.B) {
			norms := make([]normsync.Norm, n)
			for i := range norms {
				norms[i] = prohibition(fmt.Sprint("n", i), fmt.Sprintf("zone-%d faction-%d", i, i%7), "attack")
			}
			m, err := normsync.NewMonitor(norms...)
			if err != nil {
				b.Fatal(err)
			}
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				norms[i%n].Priority++
				if _, err := m.Apply(b.Context(), normsync.Amend(norms[i%n])); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

// someViolation returns a violation as a game has it: 500 bytes of JSON.
func someViolation() normsync.Violation {
	n := normsync.Norm{Name: "no-attack-in-safe-zone", Condition: "safe_zone", Prohibited: "attack"}
	return normsync.Violation{NormID: n.ID(), NormName: n.Name, Severity: normsync.SeverityWarn, Edition: 12, Action: normsync.Action{
		Agent: "hero-17", Verb: "attack", Location: "town safe_zone", Target: "merchant", Faction: "red",
		Time: time.Unix(1700000000, 123456789).UTC(),
	}}
}

var actionSizes = []struct {
	name   string
	action normsync.Action
}{
	{"metadata=none", someViolation().Action},
	{"metadata=small", normsync.Action{Agent: "hero-17", Verb: "attack", Metadata: `{"mood":["grim",12345678901234567890],"weapon":"<sword>"}`}},
	{"script=chinese", normsync.Action{Agent: "伊莎贝拉", Verb: "睡觉", Location: "霍布斯咖啡馆 柜台", Target: "沙发"}},
}

func BenchmarkActionID(b *testing.B) {
	for _, c := range actionSizes {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.action.ID()
			}
		})
	}
}

func BenchmarkViolationAppendJSON(b *testing.B) {
	for _, c := range actionSizes {
		v := someViolation()
		v.Action = c.action
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			room := make([]byte, 0, 4096)
			for b.Loop() {
				text, err := v.AppendJSON(room)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(text)))
			}
		})
	}
}

func BenchmarkViolationUnmarshalJSON(b *testing.B) {
	for _, c := range actionSizes {
		v := someViolation()
		v.Action = c.action
		text, err := v.AppendJSON(nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if err := v.UnmarshalJSON(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkNormValidate(b *testing.B) {
	n := normsync.Norm{Name: "no-attack-in-safe-zone", Description: "Safe zones are safe.", Condition: "safe_zone location:town", Unless: "war", Prohibited: "attack steal"}
	b.ReportAllocs()
	for b.Loop() {
		if err := n.Validate(); err != nil {
			b.Fatal(err)
		}
	}
}

var stored = flag.Int("stored", 1_000_000, "violations in the store that the benchmarks open and stream")

// One iteration is one violation.
func BenchmarkFileStoreAppendViolations(b *testing.B) {
	for _, goroutines := range []int{1, 8, 64} {
		for _, batch := range []int{1, 100, 1000} {
			b.Run(fmt.Sprintf("goroutines=%d/batch=%d", goroutines, batch), func(b *testing.B) {
				s := openFileStore(b, filepath.Join(b.TempDir(), "store"), &normsync.FileOptions{MaxBytes: 1 << 30})
				vs := fileViolations(1, batch)
				b.ResetTimer()
				var wg sync.WaitGroup
				calls := (b.N + batch - 1) / batch
				for g := range goroutines {
					wg.Go(func() {
						for range (calls + g) / goroutines {
							if err := s.AppendViolations(b.Context(), vs...); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(calls*batch)/b.Elapsed().Seconds(), "violations/s")
			})
		}
	}
}

func BenchmarkFileStoreAppendRevisions(b *testing.B) {
	s := openFileStore(b, filepath.Join(b.TempDir(), "store"), nil)
	e := uint64(0)
	for b.Loop() {
		e++
		require.NoError(b, s.AppendRevisions(b.Context(), fileRevision(e)))
	}
}

func BenchmarkFileStoreStored(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "store")
	s := openFileStore(b, dir, nil)
	for i := 0; i < *stored; i += 1000 {
		require.NoError(b, s.AppendViolations(b.Context(), fileViolations(i, min(i+999, *stored-1))...))
	}
	require.NoError(b, s.Close())
	for _, readOnly := range []bool{false, true} {
		b.Run(fmt.Sprintf("open/violations=%d/readonly=%v", *stored, readOnly), func(b *testing.B) {
			used := fileHeap()
			for b.Loop() {
				s := openFileStore(b, dir, &normsync.FileOptions{ReadOnly: readOnly})
				used = max(used, fileHeap()) // whatever is garbage by now included
				s.Close()
			}
			b.ReportMetric(float64(used)/(1<<20), "heap-MiB")
		})
	}
	b.Run(fmt.Sprintf("stream/violations=%d", *stored), func(b *testing.B) {
		s := openFileStore(b, dir, nil)
		used := uint64(0)
		for b.Loop() {
			n := 0
			for _, err := range consecutive(s.Violations(b.Context(), 0)) {
				require.NoError(b, err)
				if n++; n%100_000 == 0 {
					used = max(used, fileHeap())
				}
			}
			require.Equal(b, *stored, n)
		}
		b.ReportMetric(float64(*stored)*float64(b.N)/b.Elapsed().Seconds(), "violations/s")
		b.ReportMetric(float64(used)/(1<<20), "heap-MiB")
	})
	entries, err := os.ReadDir(dir)
	require.NoError(b, err)
	size := int64(0)
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(b, err)
		size += info.Size()
	}
	b.Logf("%d bytes per violation on disk", size/int64(*stored))
}

func fileHeap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// tenFacts are ten facts, of which a few count for some actions.
var tenFacts = []normsync.Fact{
	{Name: "authenticated", After: "verb:login", Until: "verb:logout"},
	{Name: "confirmed", After: "verb:confirm", Until: "verb:update*"},
	{Name: "third_strike", Broke: "peace", Count: 3, Within: 10 * time.Minute},
	{Name: "cooling_down", After: "verb:attack", Within: 3 * time.Second},
	{Name: "exchanged", After: "verb:exchange"},
	{Name: "hunted", After: "verb:attack target:deer*"},
	{Name: "warned", Broke: "no_spam", Count: 10, Within: 10 * time.Second},
	{Name: "paid", After: "verb:pay", Until: "verb:leave"},
	{Name: "late", After: "facts:night verb:knock|ring"},
	{Name: "cursed", After: "verb:loot location:temple", Until: "verb:pray"},
}

func BenchmarkMemory(b *testing.B) {
	pers := map[string]func(i int) string{
		"one": func(int) string { return "agent" },
		"few": func(i int) string { return []string{"agent", "agent target", "location", "world"}[i%4] },
	}
	for _, kind := range []string{"one", "few"} {
		facts := make([]normsync.Fact, len(tenFacts))
		for i, f := range tenFacts {
			f.Per = pers[kind](i)
			facts[i] = f
		}
		m := memoryOf(b, nil, facts...)
		action := func(i int, verb string) *normsync.Prepared {
			return prepare(normsync.Action{Agent: fmt.Sprint("agent", i), Verb: verb, Location: "market", Target: "wolf", Time: benchTime})
		}
		var idle, busy, acts []*normsync.Prepared
		for i := range 1024 {
			idle = append(idle, action(i+1024, "walk"))
			busy = append(busy, action(i, "walk"))
			acts = append(acts, action(i, []string{"login", "attack", "pay", "walk"}[i%4]))
		}
		for _, p := range acts {
			m.HappenedPrepared(p)
		}
		room := make([]normsync.Word, 0, 16)
		for _, bench := range []struct {
			name string
			do   func(i int)
		}{
			{"AppendFacts/none", func(i int) { room = m.AppendFacts(room[:0], idle[i%1024]) }},
			{"AppendFacts/some", func(i int) { room = m.AppendFacts(room[:0], busy[i%1024]) }},
			{"Happened/none", func(i int) { m.HappenedPrepared(idle[i%1024]) }},
			{"Happened/some", func(i int) { m.HappenedPrepared(acts[i%1024]) }},
		} {
			b.Run("facts=10/pers="+kind+"/"+bench.name, func(b *testing.B) {
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					bench.do(i)
					i++
				}
			})
		}
	}
	m := memoryOf(b, nil, tenFacts...)
	b.Run("facts=10/parallel/AppendFacts", func(b *testing.B) {
		var goroutines atomic.Int64
		b.RunParallel(func(pb *testing.PB) {
			p := prepare(normsync.Action{Agent: fmt.Sprint("agent", goroutines.Add(1)), Verb: "walk", Location: "market", Time: benchTime})
			room := make([]normsync.Word, 0, 16)
			for pb.Next() {
				room = m.AppendFacts(room[:0], p)
			}
		})
	})
}

// BenchmarkFileStoreFollow is the time from the call of Apply in one store to in force in another one
// that follows the same directory.
func BenchmarkFileStoreFollow(b *testing.B) {
	dir := b.TempDir()
	store, err := normsync.OpenFile(dir, nil)
	require.NoError(b, err)
	defer store.Close()
	writer, err := normsync.Open(b.Context(), store, nil)
	require.NoError(b, err)
	reader, err := normsync.OpenFile(dir, &normsync.FileOptions{ReadOnly: true})
	require.NoError(b, err)
	defer reader.Close()
	follower, err := normsync.Open(b.Context(), reader, nil)
	require.NoError(b, err)
	inForce := make(chan time.Time)
	go func() {
		for _, err := range follower.Follow(b.Context()) {
			if err == nil {
				inForce <- time.Now()
			}
		}
	}()
	var times []time.Duration
	for b.Loop() {
		n := normsync.Norm{Name: "n", Prohibited: "attack", Priority: len(times) + 1}
		change := normsync.Amend(n)
		if len(times) == 0 {
			change = normsync.Enact(n)
		}
		start := time.Now()
		_, err := writer.Apply(b.Context(), change)
		require.NoError(b, err)
		times = append(times, (<-inForce).Sub(start))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2])/1e6, "p50-ms")
	b.ReportMetric(float64(times[len(times)*99/100])/1e6, "p99-ms")
}
