package normsync_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/normsync/normsync"
)

// What README.md shows of this file it shows as it is here. A test compares
// the two, and says how to mend what differs.

// A server applies its file of norms before the first tick, and closes what it
// opened in reverse order.
func Example_server() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "server")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	store, err := normsync.OpenFile(dir, nil)
	if err != nil {
		panic(err)
	}
	monitor, err := normsync.Open(ctx, store, nil)
	if err != nil {
		panic(err)
	}
	wanted, err := normsync.ReadNorms(strings.NewReader(`[{"name": "peace", "condition": "safe_zone", "prohibited": "attack"}]`))
	if err != nil {
		panic(err)
	}
	changes := normsync.Diff(slices.Collect(monitor.Constitution().All()), wanted)
	if _, err := monitor.Apply(ctx, changes...); err != nil {
		panic(err)
	}
	recorder := normsync.NewRecorder(store, nil)

	var violations []normsync.Violation
	for range 3 { // ticks
		rules := monitor.Constitution()
		action := normsync.Action{Agent: "hero", Verb: "attack", Location: "safe_zone", Time: time.Now()}
		if violations = rules.AppendCheck(violations[:0], action); len(violations) > 0 {
			recorder.Record(violations...)
		}
	}

	if err := recorder.Close(ctx); err != nil { // first, since it still stores
		panic(err)
	}
	fmt.Printf("%+v\n", recorder.Stats())
	if err := store.Close(); err != nil {
		panic(err)
	}
	// Output:
	// {Recorded:3 Dropped:0 Stored:3 Failed:0}
}

// One constitution judges everything that happens in a tick, and one slice
// takes the violations of all ticks.
func Example_tick() {
	monitor, err := normsync.NewMonitor(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"})
	if err != nil {
		panic(err)
	}
	actions := []normsync.Action{
		{Agent: "hero", Verb: "attack", Location: "town safe_zone", Target: "goblin"},
		{Agent: "goblin", Verb: "flee", Location: "town safe_zone"},
	}
	isDenial := func(v normsync.Violation) bool { return !v.Shadow }

	var violations []normsync.Violation
	for tick := range 2 {
		rules := monitor.Constitution() // for all agents, though the monitor may get another meanwhile
		violations = violations[:0]
		for _, action := range actions {
			before := len(violations)
			violations = rules.AppendCheck(violations, action)
			if !slices.ContainsFunc(violations[before:], isDenial) {
				fmt.Println(tick, action.Agent, "does", action.Verb)
			}
		}
		fmt.Println(tick, len(violations), "violations") // give them to a Recorder
	}
	// Output:
	// 0 goblin does flee
	// 0 1 violations
	// 1 goblin does flee
	// 1 1 violations
}

// What two parties are to each other becomes a token, which the game adds to
// the action's faction or target before it asks.
func Example_factions() {
	rules, err := normsync.Compile(
		normsync.Norm{Name: "allies", Condition: "target:ally", Prohibited: "attack steal"},
		normsync.Norm{Name: "truce", Condition: "faction:horde target:alliance", Unless: "war", Prohibited: "attack"},
	)
	if err != nil {
		panic(err)
	}
	relation := map[[2]string]string{{"horde", "trolls"}: "ally", {"horde", "alliance"}: "rival"}
	attack := func(from, on, location string) bool {
		return rules.Allows(normsync.Action{Verb: "attack", Location: location, Faction: from, Target: on + " " + relation[[2]string{from, on}]})
	}
	fmt.Println("an ally:", attack("horde", "trolls", "jungle"))
	fmt.Println("a rival in peace:", attack("horde", "alliance", "hills"))
	fmt.Println("a rival at war:", attack("horde", "alliance", "hills war"))
	// Output:
	// an ally: false
	// a rival in peace: false
	// a rival at war: true
}

// A permit of higher priority makes an exception of a place.
func Example_arena() {
	rules, err := normsync.Compile(
		normsync.Norm{Name: "peace", Condition: "location:safe_zone", Prohibited: "attack cast_*"},
		normsync.Norm{Name: "arena", Condition: "location:arena", Permitted: "attack", Priority: 10},
	)
	if err != nil {
		panic(err)
	}
	fmt.Println("in town:", rules.Allows(normsync.Action{Verb: "attack", Location: "town safe_zone"}))
	fmt.Println("in the arena:", rules.Allows(normsync.Action{Verb: "attack", Location: "town safe_zone arena"}))
	fmt.Println("by magic:", rules.Allows(normsync.Action{Verb: "cast_fireball", Location: "town safe_zone arena"}))
	// Output:
	// in town: false
	// in the arena: true
	// by magic: false
}

// The agent is looked at by agent: tokens only. Who may choose a name could
// choose one that begins with gm-: let the server give it, not the player.
func Example_staff() {
	rules, err := normsync.Compile(
		normsync.Norm{Name: "no-teleport", Unless: "agent:zoe agent:gm-*", Prohibited: "/tp /teleport"},
	)
	if err != nil {
		panic(err)
	}
	fmt.Println("hero:", rules.Allows(normsync.Action{Agent: "hero", Verb: "/tp", Target: "zoe"}))
	fmt.Println("zoe:", rules.Allows(normsync.Action{Agent: "zoe", Verb: "/tp"}))
	fmt.Println("gm-7:", rules.Allows(normsync.Action{Agent: "gm-7", Verb: "/teleport"}))
	fmt.Println("hero, with /tpa:", rules.Allows(normsync.Action{Agent: "hero", Verb: "/tpa"}))
	// Output:
	// hero: false
	// zoe: true
	// gm-7: true
	// hero, with /tpa: true
}

// A norm is tried first: a shadow norm reports what it would deny, and denies
// nothing until it is amended.
func Example_dryRun() {
	ctx := context.Background()
	var monitor normsync.Monitor // the zero value has no norms, and keeps its log in memory
	toll := normsync.Norm{Name: "toll", Condition: "bridge", Unless: "ticket", Prohibited: "cross", Shadow: true}
	if _, err := monitor.Apply(ctx, normsync.Enact(toll).Signed("zoe", "try it for a day")); err != nil {
		panic(err)
	}
	cross := normsync.Action{Agent: "hero", Verb: "cross", Location: "bridge"}
	for _, v := range monitor.Check(cross) {
		fmt.Println(v.NormName, "shadow:", v.Shadow)
	}
	fmt.Println("hero may:", monitor.Allows(cross))

	toll.Shadow = false
	if _, err := monitor.Apply(ctx, normsync.Amend(toll).Signed("zoe", "it works")); err != nil {
		panic(err)
	}
	fmt.Println("hero may:", monitor.Allows(cross))
	// Output:
	// toll shadow: true
	// hero may: true
	// hero may: false
}

// A reload changes what differs, all at once. A file with a mistake changes
// nothing, and the error says where the mistake is.
func Example_reload() {
	ctx := context.Background()
	monitor, err := normsync.NewMonitor(
		normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"},
		normsync.Norm{Name: "curfew", Condition: "night", Prohibited: "trade"},
	)
	if err != nil {
		panic(err)
	}
	reload := func(file string) error {
		wanted, err := normsync.ReadNorms(strings.NewReader(file)) // most often an *os.File
		if err != nil {
			return err
		}
		current := slices.Collect(monitor.Constitution().All())
		revisions, err := monitor.Apply(ctx, normsync.Diff(current, wanted)...)
		for _, r := range revisions {
			fmt.Println(r.Edition, r.Kind, r.Norm.Name)
		}
		return err
	}
	fmt.Println(reload(`[
		{"name": "peace", "condition": "safe_zone", "prohibited": "attack steal"},
		{"name": "no-litter", "prohibited": "litter"}
	]`))
	fmt.Println(reload(`[
		{"name": "peace", "condition": "zone == safe", "prohibited": "attack"}
	]`))
	// Output:
	// 3 repeal curfew
	// 4 modify peace
	// 5 add no-litter
	// <nil>
	// normsync: invalid norm 1 "peace" in line 2, column 3: Condition: token "==" is an operator, but this is a list of tokens, not an expression; write "location:safe_zone"
}

// One server changes the rules in a directory, the others follow them. In one
// process, or on a database of one's own behind a Store, all of them may
// change the rules.
func Example_servers() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "constitution")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	store, err := normsync.OpenFile(dir, nil) // a second writer gets ErrLocked
	if err != nil {
		panic(err)
	}
	defer store.Close()
	first, err := normsync.Open(ctx, store, nil)
	if err != nil {
		panic(err)
	}

	follower, err := normsync.OpenFile(dir, &normsync.FileOptions{ReadOnly: true}) // in another process, most often
	if err != nil {
		panic(err)
	}
	defer follower.Close()
	second, err := normsync.Open(ctx, follower, nil)
	if err != nil {
		panic(err)
	}

	if _, err := first.Apply(ctx, normsync.Enact(normsync.Norm{Name: "peace", Prohibited: "attack"})); err != nil {
		panic(err)
	}
	n, err := second.Sync(ctx) // every second, or when told to
	fmt.Println("revisions brought in:", n, err)
	fmt.Println("the second server allows it:", second.Allows(normsync.Action{Verb: "attack"}))
	// Output:
	// revisions brought in: 1 <nil>
	// the second server allows it: false
}

// Rules are tested like code: a table of actions with their verdicts, and the
// explanation of each verdict that is another.
func Example_test() {
	norms := []normsync.Norm{
		{Name: "peace", Condition: "safe_zone", Prohibited: "attack"},
		{Name: "arena", Condition: "arena", Permitted: "attack", Priority: 10},
	}
	rules, err := normsync.Compile(norms...)
	if err != nil {
		panic(err) // in a test: require.NoError, or t.Fatal
	}
	conflicts, err := normsync.Conflicts(norms)
	fmt.Println("conflicts:", conflicts, err)
	for _, test := range []struct {
		action normsync.Action
		allows bool
	}{
		{normsync.Action{Verb: "attack", Location: "safe_zone"}, false},
		{normsync.Action{Verb: "attack", Location: "safe_zone arena"}, true},
		{normsync.Action{Verb: "attack", Location: "Safe_Zone market"}, true}, // a mistake
	} {
		if rules.Allows(test.action) == test.allows {
			continue
		}
		fmt.Println(test.action.Verb, "in", test.action.Location, "should be", test.allows) // t.Errorf
		for _, f := range rules.Explain(test.action) {
			fmt.Println(" ", f.Norm.Name, f.Outcome, "found:", f.Matched, "missing:", f.Missing)
		}
	}
	// Output:
	// conflicts: [] <nil>
	// attack in Safe_Zone market should be true
	//   arena unmet found: [attack] missing: [arena]
	//   peace violated found: [attack safe_zone] missing: []
}

// What would tomorrow's norms change? Yesterday's actions are judged under
// both constitutions before anything is applied.
func Example_whatIf() {
	now, err := normsync.Compile(
		normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"},
		normsync.Norm{Name: "curfew", Condition: "night", Prohibited: "trade"},
	)
	if err != nil {
		panic(err)
	}
	then, err := normsync.Compile(
		normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"},
		normsync.Norm{Name: "property", Prohibited: "steal"},
	)
	if err != nil {
		panic(err)
	}
	for _, a := range []normsync.Action{
		{Agent: "hero", Verb: "attack", Location: "safe_zone"},
		{Agent: "smuggler", Verb: "trade", Location: "harbour night"},
		{Agent: "cook", Verb: "trade", Location: "market"},
		{Agent: "thief", Verb: "steal", Location: "market"},
	} {
		if before, after := now.Allows(a), then.Allows(a); before != after {
			fmt.Println(a.Agent, a.Verb, "allowed before:", before, "after:", after)
		}
	}
	// Output:
	// smuggler trade allowed before: false after: true
	// thief steal allowed before: true after: false
}

// A violation is judged again by the constitution that found it, however often
// the rules have changed since.
func Example_replay() {
	ctx := context.Background()
	var monitor normsync.Monitor
	apply := func(c normsync.Change) {
		if _, err := monitor.Apply(ctx, c.Signed("zoe", "")); err != nil {
			panic(err)
		}
	}
	apply(normsync.Enact(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"}))
	hit := normsync.Action{Agent: "hero", Verb: "attack", Location: "safe_zone", Time: time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)}
	found := monitor.Check(hit)
	apply(normsync.Repeal("peace"))
	fmt.Println("now:", monitor.Check(hit))

	for _, v := range found {
		rules, err := normsync.AtEdition(ctx, monitor.Store(), v.Edition)
		if err != nil {
			panic(err)
		}
		fmt.Println("at edition", v.Edition, "again:", slices.Contains(rules.Check(v.Action), v))
	}
	// Output:
	// now: []
	// at edition 1 again: true
}

// The ten names of the Python tool, in Go.
func Example_python() {
	ctx := context.Background()
	norm := normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"}
	action := normsync.Action{Agent: "hero", Verb: "attack", Location: "safe_zone"}
	monitor, err := normsync.NewMonitor(norm)
	if err != nil {
		panic(err)
	}
	violations := monitor.Check(action)
	store := monitor.Store()
	if err := store.AppendViolations(ctx, violations...); err != nil {
		panic(err)
	}
	revisions, err := normsync.History(ctx, store, "peace")
	if err != nil {
		panic(err)
	}

	rules, err := normsync.AtEdition(ctx, store, 1)
	if err != nil {
		panic(err)
	}
	fmt.Println(rules.Allows(action), len(revisions))

	report := normsync.Report{Norms: []normsync.Norm{norm}, Violations: violations, Revisions: revisions}
	var json, markdown bytes.Buffer
	err = errors.Join(
		normsync.Report{Violations: violations}.WriteText(os.Stdout),
		report.WriteJSON(&json),
		report.WriteMarkdown(&markdown),
	)
	fmt.Println(json.Len() > 0, markdown.Len() > 0, err)
	// Output:
	// false 1
	// Violations (1)
	//
	// AGENT  ACTION  NORM   SEVERITY  LOCATION   EDITION
	// hero   attack  peace  warn      safe_zone        1
	// true true <nil>
}
