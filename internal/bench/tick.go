package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/internal/workload"
)

// agents is the number of agents of the game whose tick is measured.
const agents = 10_000

// entity is an agent of a game that keeps its components as text, or as words.
type entity struct {
	name         string
	zone, region int // of places
	faction      int
	states       [2]int
	verb, target int // of what it does in this tick

	words []normsync.Word // of its name
}

// game is a world of entities with components, as an entity component system has them.
// An action has 12 words: a verb, two zones of two words each, a target of two words, a
// faction, three states of the entity and of the world, and the name.
type game struct {
	c        *normsync.Constitution
	entities []entity
	places   []string // two words each
	verbs    []string
	targets  []string // two words each
	factions []string
	states   []string
	weather  string

	placeWords, verbWords, targetWords, factionWords, stateWords [][]normsync.Word
	weatherWords                                                 []normsync.Word
}

// newGame returns a game with 1,000 norms, prefixes and permits among them, of which
// about violating of the actions violate one.
func newGame(violating float64) *game {
	rng := rand.New(rand.NewPCG(1, 2))
	g := &game{weather: "rain"}
	name := func(kind string, i int) string { return fmt.Sprintf("%s_%d", kind, i) }
	for i := range 200 {
		g.places = append(g.places, name("zone", i)+" "+name("biome", i%12))
		g.targets = append(g.targets, name("creature", i)+" "+name("race", i%9))
	}
	for i := range 60 {
		g.verbs = append(g.verbs, name("verb", i))
	}
	for i := range 12 {
		g.factions = append(g.factions, name("faction", i))
		g.states = append(g.states, name("state", i))
	}
	var norms []normsync.Norm
	for i := range 1_000 {
		n := normsync.Norm{Name: fmt.Sprint("norm ", i), Prohibited: g.verbs[i%60]}
		switch {
		case i%10 == 0: // a permit that nothing asks for
			n.Prohibited, n.Permitted, n.Priority = "", n.Prohibited, 1
			n.Condition = fmt.Sprintf("zone_%d royal_pardon", i%200)
		case i%10 == 1:
			n.Condition = fmt.Sprintf("creat* truce_%d", i)
		case float64(i) < 12_000*violating: // of these, some actions have all words
			n.Condition = fmt.Sprintf("zone_%d", i%200)
		default:
			n.Condition = fmt.Sprintf("zone_%d faction:faction_%d festival_%d", i%200, i%12, i%50)
		}
		norms = append(norms, n)
	}
	c, err := normsync.Compile(norms...)
	if err != nil {
		panic(err)
	}
	g.c = c
	for i := range agents {
		e := entity{name: fmt.Sprint("agent-", i), zone: rng.IntN(200), region: rng.IntN(200), faction: rng.IntN(12), states: [2]int{rng.IntN(12), rng.IntN(12)}}
		e.words = normsync.AppendWords(nil, e.name)
		g.entities = append(g.entities, e)
	}
	words := func(texts []string) (out [][]normsync.Word) {
		for _, text := range texts {
			out = append(out, normsync.AppendWords(nil, text))
		}
		return out
	}
	g.placeWords, g.verbWords, g.targetWords, g.factionWords, g.stateWords = words(g.places), words(g.verbs), words(g.targets), words(g.factions), words(g.states)
	g.weatherWords = normsync.AppendWords(nil, g.weather)
	return g
}

// decide lets every entity choose its next action.
func (g *game) decide(rng *rand.Rand) {
	for i := range g.entities {
		g.entities[i].verb, g.entities[i].target = rng.IntN(len(g.verbs)), rng.IntN(len(g.targets))
	}
}

// byText is a tick that makes the text of each action with a strings.Builder.
func (g *game) byText(found []normsync.Violation, total *int) []normsync.Violation {
	for i := range g.entities {
		e := &g.entities[i]
		var location, facts strings.Builder
		location.WriteString(g.places[e.zone])
		location.WriteByte(' ')
		location.WriteString(g.places[e.region])
		facts.WriteString(g.states[e.states[0]])
		facts.WriteByte(' ')
		facts.WriteString(g.states[e.states[1]])
		facts.WriteByte(' ')
		facts.WriteString(g.weather)
		found = g.c.AppendCheck(found[:0], normsync.Action{
			Agent: e.name, Verb: g.verbs[e.verb], Location: location.String(), Target: g.targets[e.target], Faction: g.factions[e.faction], Facts: facts.String(),
		})
		*total += len(found)
	}
	return found
}

// byWords is the same tick with the words that the components keep.
func (g *game) byWords(p *normsync.Prepared, found []normsync.Violation, total *int) []normsync.Violation {
	for i := range g.entities {
		e := &g.entities[i]
		p.Agent, p.Verb, p.Target, p.Faction = e.words, g.verbWords[e.verb], g.targetWords[e.target], g.factionWords[e.faction]
		p.Location = append(append(p.Location[:0], g.placeWords[e.zone]...), g.placeWords[e.region]...)
		p.Facts = append(append(append(p.Facts[:0], g.stateWords[e.states[0]]...), g.stateWords[e.states[1]]...), g.weatherWords...)
		found = g.c.AppendCheckPrepared(found[:0], p)
		*total += len(found)
	}
	return found
}

// tick measures whole ticks of a game, and a mask of the verbs that an agent may do.
func (b *bench) tick() {
	g := newGame(0.03)
	rng := rand.New(rand.NewPCG(3, 4))
	g.decide(rng)
	var p normsync.Prepared
	found := make([]normsync.Violation, 0, 64)
	texts, words := 0, 0
	text := newTask(func(n int) {
		for range n {
			found = g.byText(found, &texts)
		}
	})
	word := newTask(func(n int) {
		for range n {
			found = g.byWords(&p, found, &words)
		}
	})
	measure(b.rounds/8, text, word)
	violating := 0
	g.byText(found, &violating)
	detail := fmt.Sprintf("%.0f ns ÷ %.0f ns an agent, %.1f %% of the actions violate a norm", word.time()/agents, text.time()/agents, 100*float64(violating)/agents)
	b.print(row{"a tick of 10,000 agents, 12 words an action, 1,000 norms: by Prepared ÷ by strings.Builder", atMost(0.7), atMost(0.5), word.over(text), detail})
	allocs := testing.AllocsPerRun(5, func() { found = g.byWords(&p, found, &words) })
	b.print(row{"allocations an agent in that tick by Prepared", atMost(0.15), atMost(0.05), allocs / agents, ""})
	allocs = testing.AllocsPerRun(5, func() { found = g.byText(found, &texts) })
	b.print(row{"allocations an agent in that tick by strings.Builder", bound{}, bound{}, allocs / agents, ""})

	verbs := g.verbs[:30]
	allowed := make([]string, 0, len(verbs))
	next := 0
	prepare := func() *normsync.Prepared {
		e := &g.entities[next%agents]
		next++
		p.Agent, p.Verb, p.Target, p.Faction = e.words, nil, g.targetWords[e.target], g.factionWords[e.faction]
		p.Location = append(p.Location[:0], g.placeWords[e.zone]...)
		p.Facts = append(p.Facts[:0], g.weatherWords...)
		return &p
	}
	mask := newTask(func(n int) {
		for range n {
			allowed = g.c.AppendAllowedPrepared(allowed[:0], prepare(), verbs...)
		}
	})
	single := newTask(func(n int) {
		for range n {
			a := prepare().Action()
			for _, a.Verb = range verbs {
				if g.c.Allows(a) {
					sink++
				}
			}
		}
	})
	measure(b.rounds, mask, single)
	b.print(row{"AppendAllowedPrepared of 30 verbs ÷ 30 times Allows, 1,000 norms", atMost(0.4), atMost(0.25), mask.over(single), nanoseconds(mask.time()) + " ÷ " + nanoseconds(single.time())})
}

// cold measures checks after something else has used the processor's caches, as the rest
// of a tick does.
func (b *bench) cold(size int) {
	g := newFixture(workload.World{Size: size})
	other := make([]uint64, 8<<20) // 64 MiB
	const checks = 64
	var warm, cold []float64
	found := make([]normsync.Violation, 0, 16)
	some := func(start int) float64 {
		from := clock()
		for i := range checks {
			found = g.c.AppendCheck(found[:0], g.misses[(start+i*61)%len(g.misses)])
		}
		return float64(clock()-from) / checks
	}
	for round := range b.rounds / 8 {
		for i := range other {
			other[i]++
		}
		cold = append(cold, some(round*97))
		warm = append(warm, some(round*97))
	}
	b.print(row{"64 checks after all caches were used by something else ÷ the same again, " + figure(float64(size)) + " norms", bound{}, bound{}, median(cold) / median(warm),
		nanoseconds(median(cold)) + " ÷ " + nanoseconds(median(warm)) + " a check"})
}
