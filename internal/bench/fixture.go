package main

import (
	"time"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/internal/workload"
)

// fixture is a world that is compiled, with actions to check in it.
type fixture struct {
	workload.World
	norms        []normsync.Norm
	c            *normsync.Constitution
	misses, hits []normsync.Action // that break nothing, and one norm
}

// enough is how many different actions are checked in turn: too many for their part of the index to be in the nearest cache.
const enough = 4096

func newFixture(w workload.World) *fixture {
	g := &fixture{World: w, norms: make([]normsync.Norm, w.Size)}
	for i := range g.norms {
		g.norms[i] = normOf(w.Norm(i))
	}
	c, err := normsync.Compile(g.norms...)
	if err != nil {
		panic(err) // the world is at fault
	}
	g.c = c
	for i := 0; len(g.misses) < enough && i < 10*enough; i++ {
		if a := actionOf(w.Action(i)); c.Allows(a) {
			g.misses = append(g.misses, a)
		}
	}
	for i := 0; len(g.hits) < enough && i < 10*enough; i++ {
		if a := actionOf(w.Violating(i * 7919 % w.Size)); len(c.Check(a)) == 1 {
			g.hits = append(g.hits, a)
		}
	}
	return g
}

func normOf(n workload.Norm) normsync.Norm {
	return normsync.Norm{Name: n.Name, Condition: n.Condition, Unless: n.Unless, Prohibited: n.Prohibited, Permitted: n.Permitted, Priority: n.Priority, From: n.From}
}

// noon is the time of all actions.
var noon = time.Unix(43_200, 0).UTC()

func actionOf(a workload.Action) normsync.Action {
	return normsync.Action{Agent: a.Agent, Verb: a.Verb, Location: a.Location, Target: a.Target, Faction: a.Faction, Facts: a.Facts, Time: noon}
}

// check returns a task that checks actions in turn. It has a loop of its own,
// as floor has, because a call through a function value costs as much as some words of
// an action.
func (g *fixture) check(actions []normsync.Action) *task {
	room := make([]normsync.Violation, 0, 1024)
	next := 0
	return newTask(func(n int) {
		i, found := next, room // on the stack: goroutines that do the same share no cache line
		for range n {
			found = g.c.AppendCheck(found[:0], actions[i])
			if i++; i == len(actions) {
				i = 0
			}
		}
		next = i
	})
}

var sink int // uses results, so that the compiler does not leave out what makes them

// splitOnly returns a task that calls floor for each action.
func splitOnly(actions []normsync.Action) *task {
	buf := make([]uint64, 32<<10)
	next := 0
	return newTask(func(n int) {
		i, sum := next, 0
		for range n {
			sum += floor(buf, &actions[i])
			if i++; i == len(actions) {
				i = 0
			}
		}
		next, sink = i, sum
	})
}

func (g *fixture) scan(norms []splitNorm) *task {
	return g.baseline(func(a *normsync.Action) []normsync.Violation { return scan(norms, a) })
}

func (g *fixture) verbMap(norms []splitNorm) *task {
	return g.baseline(mapVerbs(norms).check)
}

// baseline returns a task that passes actions that break nothing to check, in turn.
func (g *fixture) baseline(check func(a *normsync.Action) []normsync.Violation) *task {
	next := 0
	return newTask(func(n int) {
		for range n {
			sink += len(check(&g.misses[next]))
			next = (next + 1) % len(g.misses)
		}
	})
}
