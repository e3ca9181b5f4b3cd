package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/normsync/normsync"
)

// demo runs a world under a constitution, and checks the result.
type demo struct {
	out                 io.Writer
	agents, ticks, rate int

	actions int             // checked
	offered map[string]int  // violations by norm, as the checks found them
	dropped bool            // the recorder said so
	costs   []time.Duration // of the checks of a tick
	whole   []time.Duration // of deciding on the actions, making them, checking and recording
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }

func (d *demo) run(ctx context.Context) (err error) {
	if d.agents < 1 || d.ticks < 1 || d.rate < 1 {
		return errors.New("agents, ticks and rate are at least 1")
	}
	dir, err := os.MkdirTemp("", "normsync-demo-")
	if err != nil {
		return err
	}
	defer func() {
		if e := os.RemoveAll(dir); e != nil {
			err = errors.Join(err, e)
		} else if err == nil {
			d.say("The folder %s is removed.", dir)
		}
	}()
	d.say("A file store is opened in %s.", dir)
	stats, err := d.live(ctx, dir)
	if err != nil {
		return err
	}
	return d.lookBack(ctx, dir, stats)
}

// live runs the world with a store in dir, and closes the store.
func (d *demo) live(ctx context.Context, dir string) (stats normsync.RecorderStats, err error) {
	store, err := normsync.OpenFile(dir, nil)
	if err != nil {
		return stats, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	for _, tail := range store.TornTails() {
		d.say("A crash has left %d bytes at the end of %s.", tail.Size, tail.Path)
	}
	monitor, err := normsync.Open(ctx, store, nil)
	if err != nil {
		return stats, err
	}
	var enactments []normsync.Change
	for _, n := range constitution() {
		enactments = append(enactments, normsync.Enact(n).Attributed("founders", "the world begins"))
	}
	revs, err := monitor.Apply(ctx, enactments...)
	if err != nil {
		return stats, err
	}
	d.say("%d norms are enacted at once: edition %d is in force.", len(revs), monitor.Constitution().Edition())

	recorder := normsync.NewRecorder(store, nil)
	err = d.tickLoop(ctx, monitor, recorder)
	if e := recorder.Close(context.WithoutCancel(ctx)); err == nil {
		err = e
	}
	stats = recorder.Stats()
	d.say("The recorder is closed: of %d violations offered %d are recorded, %d dropped, %d stored, %d failed.",
		sum(d.offered), stats.Recorded, stats.Dropped, stats.Stored, stats.Failed)
	return stats, err
}

// script is what happens to the constitution, and at which part of the run.
var script = []struct {
	at     float64
	what   string
	change normsync.Change
}{
	{0.2, "enact the curfew", normsync.Enact(curfew).Attributed("zoe", "thieves at night")},
	{0.5, "amend it", normsync.Amend(amended()).Attributed("zoe", "mages need candles")},
	{0.8, "repeal it", normsync.Repeal(curfew.Name).Attributed("yan", "bad for business")},
}

func amended() normsync.Norm {
	n := curfew
	n.Unless = "faction:mages"
	return n
}

// tickLoop lets the agents act, tick by tick. It never waits for a change: the
// changes are made by another goroutine, and found in force when they are.
func (d *demo) tickLoop(ctx context.Context, monitor *normsync.Monitor, recorder *normsync.Recorder) error {
	orders := make(chan normsync.Change, len(script))
	made := make(chan error, 1)
	go func() {
		var err error
		for c := range orders {
			if err == nil {
				_, err = monitor.Apply(ctx, c)
			}
		}
		made <- err
	}()

	d.say("%d agents act for %d ticks, %d a second.", d.agents, d.ticks, d.rate)
	d.offered = map[string]int{}
	w := newWorld(d.agents)
	var actions []normsync.Action
	var violations []normsync.Violation
	edition := monitor.Constitution().Edition()
	ticker := time.NewTicker(time.Second / time.Duration(d.rate))
	defer ticker.Stop()
	next := 0
	for tick := range d.ticks {
		if err := ctx.Err(); err != nil {
			close(orders)
			return errors.Join(err, <-made)
		}
		if next < len(script) && tick >= int(script[next].at*float64(d.ticks)) {
			c := script[next]
			d.say("  tick %3d: %s asks to %s: %s.", tick, c.change.By, c.what, c.change.Reason)
			orders <- c.change
			next++
		}
		begin := time.Now()
		actions = w.actions(actions[:0])

		// One constitution for the whole tick, one slice for all ticks.
		start := time.Now()
		c := monitor.Constitution()
		violations = violations[:0]
		for i := range actions {
			violations = c.AppendCheck(violations, actions[i])
		}
		d.costs = append(d.costs, time.Since(start))
		if !recorder.Record(violations...) {
			d.dropped = true
		}
		d.whole = append(d.whole, time.Since(begin))

		d.actions += len(actions)
		for _, v := range violations {
			d.offered[v.NormName]++
		}
		if c.Edition() != edition {
			edition = c.Edition()
			_, there := c.Norm(curfew.Name)
			d.say("  tick %3d: edition %d is in force, with %d norms (curfew: %t).", tick, edition, c.Len(), there)
		}
		<-ticker.C
	}
	close(orders)
	if err := <-made; err != nil {
		return err
	}
	if got := monitor.Constitution().Edition(); got != uint64(len(constitution())+len(script)) {
		return fmt.Errorf("edition %d is in force after %d changes", got, len(constitution())+len(script))
	}
	return nil
}

// lookBack opens the store again, counts, judges the violations once more, and
// reports.
func (d *demo) lookBack(ctx context.Context, dir string, stats normsync.RecorderStats) error {
	store, err := normsync.OpenFile(dir, &normsync.FileOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer store.Close()
	size, err := bytesIn(dir)
	if err != nil {
		return err
	}
	d.say("The store is opened again, read-only: %d KiB in JSON Lines.", size/1024)

	var violations []normsync.Violation
	stored := map[string]int{}
	for v, err := range store.Violations(ctx, 0) {
		if err != nil {
			return err
		}
		violations = append(violations, v.Violation)
		stored[v.NormName]++
	}
	if err := d.agree(stats, stored); err != nil {
		return err
	}
	d.say("It holds the %d violations of %d actions that the checks found, norm by norm.", len(violations), d.actions)
	editions, err := replay(ctx, store, violations)
	if err != nil {
		return err
	}
	d.say("Each is judged again by the constitution of its time, %d editions in all: the verdicts are the same.", editions)

	history, err := normsync.History(ctx, store, curfew.Name)
	if err != nil {
		return err
	}
	d.say("")
	if err := d.table(violations, history); err != nil {
		return err
	}
	if err := d.explain(ctx, store, violations); err != nil {
		return err
	}
	if err := d.cover(); err != nil {
		return err
	}
	d.cost()
	return nil
}

// agree says which of the counts differs from another.
func (d *demo) agree(stats normsync.RecorderStats, stored map[string]int) error {
	offered := uint64(sum(d.offered))
	switch {
	case offered != stats.Recorded+stats.Dropped:
		return fmt.Errorf("%d violations were offered, but %d recorded and %d dropped", offered, stats.Recorded, stats.Dropped)
	case stats.Recorded != stats.Stored+stats.Failed:
		return fmt.Errorf("%d violations were recorded, but %d stored and %d failed", stats.Recorded, stats.Stored, stats.Failed)
	case d.dropped != (stats.Dropped > 0):
		return fmt.Errorf("the recorder said that it dropped some: %t, but counts %d", d.dropped, stats.Dropped)
	case stats.Failed > 0 || stats.Dropped > 0:
		return fmt.Errorf("%d violations were dropped and %d failed, where the store is a match for this world", stats.Dropped, stats.Failed)
	case !maps.Equal(stored, d.offered):
		return fmt.Errorf("the store holds %v, but the checks found %v", stored, d.offered)
	}
	return nil
}

// replay checks the action of each violation against the constitution that
// judged it, and returns the number of these.
func replay(ctx context.Context, store normsync.Store, violations []normsync.Violation) (editions int, err error) {
	var c *normsync.Constitution
	for _, v := range violations {
		if c == nil || c.Edition() != v.Edition {
			if c, err = normsync.AtEdition(ctx, store, v.Edition); err != nil {
				return 0, err
			}
			editions++
		}
		if !slices.Contains(c.Check(v.Action), v) {
			return 0, fmt.Errorf("edition %d does not find again: %v", v.Edition, v)
		}
	}
	return editions, nil
}

// table prints the last violation of each kind, and the history of the curfew.
func (d *demo) table(violations []normsync.Violation, history []normsync.Revision) error {
	r := normsync.Report{Revisions: history}
	seen := map[string]bool{}
	for _, v := range slices.Backward(violations) {
		if kind, _, _ := strings.Cut(v.NormName, "-"); !seen[kind] { // one plot stands for all
			seen[kind] = true
			r.Violations = append(r.Violations, v)
		}
	}
	return r.WriteText(d.out)
}

// explain prints why the last fight in a safe zone was denied.
func (d *demo) explain(ctx context.Context, store normsync.Store, violations []normsync.Violation) error {
	for _, v := range slices.Backward(violations) {
		if v.NormName != "peace" || v.Action.Verb != "Attack" {
			continue
		}
		c, err := normsync.AtEdition(ctx, store, v.Edition)
		if err != nil {
			return err
		}
		d.say("\nWhy may %s not %s the %s in %q?\n", v.Action.Agent, v.Action.Verb, v.Action.Target, v.Action.Location)
		for _, f := range c.Explain(v.Action) {
			d.say("  %-8s %s", f.Norm.Name, because(f))
		}
		return nil
	}
	return errors.New("nobody attacks in a safe zone, so there is no denial to explain: let more agents act for longer")
}

func because(f normsync.Finding) string {
	switch f.Outcome {
	case normsync.OutcomeUnmet:
		return fmt.Sprintf("does not apply: there is no %q", f.Missing)
	case normsync.OutcomeExempt, normsync.OutcomeOverridden:
		return fmt.Sprintf("%s by %q", f.Outcome, f.By)
	}
	return fmt.Sprintf("%s: found %q", f.Outcome, f.Matched)
}

// cover prints which norm no action of the world can meet, and which word in it is
// probably misspelled.
func (d *demo) cover() error {
	c, err := normsync.Compile(constitution()...)
	if err != nil {
		return err
	}
	w := newWorld(d.agents)
	var actions []normsync.Action
	for range 10 {
		actions = w.actions(actions)
	}
	for _, n := range normsync.Cover(c, slices.Values(actions)) {
		for _, u := range n.Unseen {
			if u.Nearest != "" && !strings.HasPrefix(n.Norm, "plot-") {
				d.say("\nThe norm %q never applies: no action has %q. Was %q meant?", n.Norm, u.Token, u.Nearest)
			}
		}
	}
	return nil
}

// cost prints what the checks of a tick took, and the whole tick.
func (d *demo) cost() {
	median := func(times []time.Duration) time.Duration {
		slices.Sort(times)
		return times[len(times)/2]
	}
	const tick = time.Second / 60
	checks, whole := median(d.costs), median(d.whole)
	d.say("\nThe %d checks of a tick take %v (median; at worst %v), which is %d ns each and %.2f %% of the 16.7 ms of a tick.",
		d.agents, checks.Round(time.Microsecond), d.costs[len(d.costs)-1].Round(time.Microsecond), checks.Nanoseconds()/int64(d.agents), 100*float64(checks)/float64(tick))
	d.say("With deciding on the actions, making them and recording violations it is %v, which is %.2f %%.", whole.Round(time.Microsecond), 100*float64(whole)/float64(tick))
}

func sum(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// bytesIn returns the size of the files in a directory.
func bytesIn(dir string) (size int64, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	for _, f := range files {
		info, e := os.Stat(f)
		if e != nil {
			return 0, e
		}
		size += info.Size()
	}
	return size, err
}
