package demo

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/normsync/normsync"
)

// plots is the number of plots of land, each with a norm of its own.
const plots = 12

// constitution returns the norms with which the world begins.
func constitution(began time.Time) []normsync.Norm {
	norms := []normsync.Norm{
		{Name: "peace", Description: "No fights in safe zones.", Condition: "location:safe_zone", Prohibited: "attack cast_*", Severity: normsync.SeverityError, Advice: "Put your weapon away."},
		{Name: "arena", Description: "The arena is in a safe zone, and is for fights.", Condition: "location:arena", Permitted: "attack cast_*", Priority: 10},
		{Name: "guards", Description: "Guards may fight outlaws anywhere.", Condition: "agent:guard* target:outlaw", Permitted: "attack", Priority: 20},
		{Name: "property", Description: "What lies in the market belongs to somebody.", Condition: "market", Unless: "faction:thieves_guild", Prohibited: "steal loot"},
		{Name: "no-fire", Description: "A dry run: is it worth a rule?", Condition: "forest", Prohibited: "cast_fireball", Severity: normsync.SeverityInfo, Shadow: true},
		{Name: "wilderness", Description: "Nobody digs in the wilderness.", Condition: "forest|dungeon", Prohibited: "dig"},
		{Name: "festival", Description: "For a moment everybody may take from the market.", Condition: "market", Permitted: "steal loot", Priority: 5, From: began.Add(time.Second), Until: began.Add(3 * time.Second)},
		{Name: "no-camping", Description: "Its author has misspelled the dungeon.", Condition: "dungoen", Prohibited: "dig"},
	}
	for i := range plots {
		norms = append(norms, normsync.Norm{
			Name:      fmt.Sprintf("plot-%02d", i+1),
			Condition: fmt.Sprintf("plot_%02d", i+1), Unless: "permit", Prohibited: "dig build",
			Scope: "land",
		})
	}
	return norms
}

// curfew is the norm that is enacted, amended and repealed while the world runs.
var curfew = normsync.Norm{Name: "curfew", Description: "No trade at night.", Condition: "market facts:night", Prohibited: "trade"}

func amendedCurfew() normsync.Norm {
	n := curfew
	n.Unless = "faction:mages"
	n.Advice = "Come back in the morning."
	return n
}

// world makes the actions of its agents. The same seed gives the same actions.
type world struct {
	random *rand.Rand
	agents []agent
	tick   int
}

type agent struct {
	name, faction, place string
	unruly               int // out of 100 actions, about how many may break a norm
}

var (
	names    = []string{"alda", "borin", "celia", "doran", "edda", "falk", "gerda", "hanno", "ilse", "jorn", "kaya", "lorin", "mira", "nils", "olga", "piet", "quinn", "runa", "sven", "tilda"}
	places   = []string{"town safe_zone", "town safe_zone arena", "market safe_zone", "market safe_zone", "forest", "forest", "dungeon"}
	factions = []string{"merchants", "merchants", "mages", "bandits", "thieves_guild"}
	targets  = []string{"goblin", "outlaw bandit", "chest", "well"}
)

func newWorld() *world {
	const seed = 2030
	w := &world{random: rand.New(rand.NewPCG(seed, seed))}
	for i := range 4 {
		w.agents = append(w.agents, agent{name: fmt.Sprintf("guard-%d", i+1), faction: "watch", unruly: 4})
	}
	for i, name := range names {
		w.agents = append(w.agents, agent{name: name, faction: pick(w, factions), unruly: []int{0, 1, 3, 6, 15}[i%5]})
	}
	for i := range w.agents {
		w.agents[i].place = w.place()
	}
	return w
}

func pick[T any](w *world, from []T) T { return from[w.random.IntN(len(from))] }

func (w *world) place() string {
	if w.random.IntN(4) == 0 {
		return fmt.Sprintf("land plot_%02d", w.random.IntN(plots)+1)
	}
	return pick(w, places)
}

// ticksADay is the number of ticks of a day and a night.
const ticksADay = 20

// actions returns what every agent does in the next tick, at the time now.
func (w *world) actions(now time.Time) []normsync.Action {
	hour := "day"
	if w.tick%ticksADay >= ticksADay/2 {
		hour = "night"
	}
	w.tick++
	actions := make([]normsync.Action, 0, len(w.agents))
	for i := range w.agents {
		a := &w.agents[i]
		if w.random.IntN(20) == 0 {
			a.place = w.place()
		}
		verb := pick(w, []string{"move", "move", "move", "look", "trade"})
		if w.random.IntN(100) < a.unruly {
			verb = pick(w, []string{"attack", "cast_fireball", "steal", "dig", "build", "dig quickly"})
		}
		do := normsync.Action{Agent: a.name, Verb: verb, Location: a.place, Faction: a.faction, Facts: hour, Time: now}
		switch verb {
		case "attack", "cast_fireball", "steal":
			do.Target = pick(w, targets)
		case "dig", "build":
			do.Target = pick(w, []string{"", "", "permit"})
		}
		actions = append(actions, do)
	}
	return actions
}
