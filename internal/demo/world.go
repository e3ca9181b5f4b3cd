package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/normsync/normsync"
)

const (
	seed  = 2030
	plots = 1000 // each has a norm of its own
)

// constitution returns the norms with which the world begins: some that
// concern everybody, and one for each plot of land.
func constitution() []normsync.Norm {
	norms := []normsync.Norm{
		{Name: "peace", Description: "No fights in safe zones.", Condition: "location:safe_zone", Prohibited: "attack cast_*", Severity: normsync.SeverityError, Advice: "Put your weapon away."},
		{Name: "arena", Description: "The arena stands in a safe zone, and is for fights.", Condition: "location:arena", Permitted: "attack cast_*", Priority: 10},
		{Name: "guards", Description: "Guards may fight outlaws anywhere.", Condition: "agent:guard* outlaw", Permitted: "attack", Priority: 20},
		{Name: "property", Condition: "market", Unless: "faction:thieves_guild", Prohibited: "steal loot"},
		{Name: "no-fire", Description: "Is it worth a rule?", Condition: "forest", Prohibited: "cast_fireball", Severity: normsync.SeverityInfo, Shadow: true},
		{Name: "wilderness", Description: "Nobody digs in the wilderness.", Condition: "forest|dungeon", Prohibited: "dig"},
		{Name: "festival", Description: "For a second everybody may take from the market.", Condition: "market", Permitted: "steal loot", Priority: 5, From: began.Add(time.Second), Until: began.Add(2 * time.Second)},
		{Name: "no-camping", Description: "Its author has mistyped the place.", Condition: "dungoen", Prohibited: "dig"},
	}
	for i := range plots {
		norms = append(norms, normsync.Norm{
			Name:      fmt.Sprintf("plot-%03d", i),
			Condition: fmt.Sprintf("plot_%03d", i), Unless: "permit", Prohibited: "dig build",
			Scope: "land",
		})
	}
	return norms
}

// curfew is the norm that is enacted, amended and repealed while the world runs.
var curfew = normsync.Norm{Name: "curfew", Description: "No trade at night.", Condition: "market facts:night", Prohibited: "trade"}

// world makes the actions of its agents. The same seed gives the same actions.
type world struct {
	random *rand.Rand
	agents []agent
	tick   int
}

type agent struct{ name, faction, place string }

var (
	places   = []string{"town safe_zone", "town safe_zone arena", "market safe_zone", "market safe_zone", "forest", "forest", "dungeon"}
	factions = []string{"merchants", "merchants", "mages", "outlaw bandits", "thieves_guild"}
	targets  = []string{"goblin", "Goblin king", "outlaw", "chest", "well"}
)

// began is when the world's clock starts: a world has its own time, which no
// check reads.
var began = time.Date(2030, 5, 1, 18, 0, 0, 0, time.UTC)

func newWorld(agents int) *world {
	w := &world{random: rand.New(rand.NewPCG(seed, seed))}
	for i := range agents {
		a := agent{name: fmt.Sprintf("agent-%04d", i), faction: pick(w, factions)}
		if i%50 == 0 {
			a.name, a.faction = fmt.Sprintf("guard-%02d", i/50), "watch"
		}
		a.place = w.place()
		w.agents = append(w.agents, a)
	}
	return w
}

func pick[T any](w *world, from []T) T { return from[w.random.IntN(len(from))] }

func (w *world) place() string {
	if w.random.IntN(3) == 0 {
		return fmt.Sprintf("land plot_%03d", w.random.IntN(plots))
	}
	return pick(w, places)
}

// actions appends to dst what every agent does in the next tick.
func (w *world) actions(dst []normsync.Action) []normsync.Action {
	now := began.Add(time.Duration(w.tick) * time.Second / 60)
	hour := "day"
	if w.tick/30%2 == 1 {
		hour = "night"
	}
	w.tick++
	for i := range w.agents {
		a := &w.agents[i]
		if w.random.IntN(60) == 0 {
			a.place = w.place()
		}
		do := normsync.Action{Agent: a.name, Verb: w.verb(), Location: a.place, Faction: a.faction, Facts: hour, Time: now}
		switch do.Verb {
		case "move":
		case "dig", "dig quickly":
			do.Target = pick(w, []string{"", "", "permit"})
		default:
			do.Target = pick(w, targets)
		}
		dst = append(dst, do)
	}
	return dst
}

// verb returns what somebody does: mostly nothing that anybody would mind.
func (w *world) verb() string {
	switch n := w.random.IntN(1000); {
	case n < 900:
		return "move"
	case n < 960:
		return "trade"
	case n < 970:
		return "Attack"
	case n < 980:
		return "cast_fireball"
	case n < 985:
		return "steal"
	case n < 995:
		return "dig"
	}
	return "dig quickly"
}
