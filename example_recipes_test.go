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

// The examples that README.md and the pages in docs show. A test keeps both the
// same; go test -run TestDocs . -update copies the examples into the pages.

// check stands for the error handling of a program.
func check(err error) {
	if err != nil {
		panic(err)
	}
}

func Example_store() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "constitution")
	check(err)
	defer os.RemoveAll(dir)

	store, err := normsync.OpenFile(dir, nil) // a directory of JSON Lines
	check(err)
	defer store.Close()
	monitor, err := normsync.Open(ctx, store, nil) // puts the stored norms in force
	check(err)
	peace := normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"}
	revisions, err := monitor.Apply(ctx, normsync.Enact(peace).Attributed("zoe", "new players"))
	check(err)
	fmt.Println(revisions[0].Edition, revisions[0].Kind, monitor.Constitution().Len())
	// Output:
	// 1 add 1
}

func Example_recorder() {
	monitor, err := normsync.NewMonitor(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"})
	check(err)
	recorder := normsync.NewRecorder(monitor.Store(), nil)
	var violations []normsync.Violation // reused, so that ticks allocate nothing
	for range 3 {                       // ticks
		rules := monitor.Constitution() // the same norms for all agents of a tick
		attack := normsync.Action{Agent: "hero", Verb: "attack", Location: "safe_zone", Time: time.Now()}
		violations = rules.AppendCheck(violations[:0], attack)
		recorder.Record(violations...) // never waits for the store
	}
	check(recorder.Close(context.Background())) // stores the rest
	fmt.Printf("%+v\n", recorder.Stats())
	// Output:
	// {Recorded:3 Dropped:0 Stored:3 Failed:0}
}

func Example_server() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "server")
	check(err)
	defer os.RemoveAll(dir)

	store, err := normsync.OpenFile(dir, nil)
	check(err)
	monitor, err := normsync.Open(ctx, store, nil)
	check(err)
	wanted, err := normsync.ReadNorms(strings.NewReader(`[{"name": "peace", "condition": "safe_zone", "prohibited": "attack"}]`))
	check(err)
	changes := normsync.Diff(slices.Collect(monitor.Constitution().All()), wanted)
	_, err = monitor.Apply(ctx, changes...)
	check(err)
	recorder := normsync.NewRecorder(store, nil)

	var violations []normsync.Violation
	for range 3 { // ticks
		rules := monitor.Constitution()
		action := normsync.Action{Agent: "hero", Verb: "attack", Location: "safe_zone", Time: time.Now()}
		if violations = rules.AppendCheck(violations[:0], action); len(violations) > 0 {
			recorder.Record(violations...)
		}
	}

	check(recorder.Close(ctx)) // before the store, because it still writes to it
	fmt.Printf("%+v\n", recorder.Stats())
	check(store.Close())
	// Output:
	// {Recorded:3 Dropped:0 Stored:3 Failed:0}
}

func Example_tick() {
	monitor, err := normsync.NewMonitor(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"})
	check(err)
	actions := []normsync.Action{
		{Agent: "hero", Verb: "attack", Location: "town safe_zone", Target: "goblin"},
		{Agent: "goblin", Verb: "flee", Location: "town safe_zone"},
	}

	var violations []normsync.Violation
	for tick := range 2 {
		rules := monitor.Constitution() // for all agents, even if a change comes in during the tick
		violations = violations[:0]
		for _, action := range actions {
			before := len(violations)
			violations = rules.AppendCheck(violations, action)
			if !normsync.Denied(violations[before:]) {
				fmt.Println(tick, action.Agent, "does", action.Verb)
			}
		}
		fmt.Println(tick, len(violations), "violations") // pass them to a Recorder
	}
	// Output:
	// 0 goblin does flee
	// 0 1 violations
	// 1 goblin does flee
	// 1 1 violations
}

func Example_factions() {
	rules, err := normsync.Compile(
		normsync.Norm{Name: "allies", Condition: "target:ally", Prohibited: "attack steal"},
		normsync.Norm{Name: "truce", Condition: "faction:horde target:alliance", Unless: "war", Prohibited: "attack"},
	)
	check(err)
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

func Example_arena() {
	rules, err := normsync.Compile(
		normsync.Norm{Name: "peace", Condition: "location:safe_zone", Prohibited: "attack cast_*"},
		normsync.Norm{Name: "arena", Condition: "location:arena", Permitted: "attack", Priority: 10},
	)
	check(err)
	fmt.Println("in town:", rules.Allows(normsync.Action{Verb: "attack", Location: "town safe_zone"}))
	fmt.Println("in the arena:", rules.Allows(normsync.Action{Verb: "attack", Location: "town safe_zone arena"}))
	fmt.Println("by magic:", rules.Allows(normsync.Action{Verb: "cast_fireball", Location: "town safe_zone arena"}))
	// Output:
	// in town: false
	// in the arena: true
	// by magic: false
}

func Example_staff() {
	rules, err := normsync.Compile(
		normsync.Norm{Name: "no-teleport", Unless: "agent:zoe agent:gm-*", Prohibited: "/tp /teleport"},
	)
	check(err)
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

func Example_dryRun() {
	ctx := context.Background()
	var monitor normsync.Monitor // the zero value has no norms and keeps its log in memory
	toll := normsync.Norm{Name: "toll", Condition: "bridge", Unless: "ticket", Prohibited: "cross", Shadow: true}
	_, err := monitor.Apply(ctx, normsync.Enact(toll).Attributed("zoe", "try it for a day"))
	check(err)
	cross := normsync.Action{Agent: "hero", Verb: "cross", Location: "bridge"}
	for _, v := range monitor.Check(cross) {
		fmt.Println(v.NormName, "shadow:", v.Shadow)
	}
	fmt.Println("hero may:", monitor.Allows(cross))

	toll.Shadow = false
	_, err = monitor.Apply(ctx, normsync.Amend(toll).Attributed("zoe", "it works"))
	check(err)
	fmt.Println("hero may:", monitor.Allows(cross))
	// Output:
	// toll shadow: true
	// hero may: true
	// hero may: false
}

func Example_reload() {
	ctx := context.Background()
	monitor, err := normsync.NewMonitor(
		normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"},
		normsync.Norm{Name: "curfew", Condition: "night", Prohibited: "trade"},
	)
	check(err)
	reload := func(file string) error {
		wanted, err := normsync.ReadNorms(strings.NewReader(file)) // usually an *os.File
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

func Example_servers() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "constitution")
	check(err)
	defer os.RemoveAll(dir)

	store, err := normsync.OpenFile(dir, nil) // a second writer gets ErrLocked
	check(err)
	defer store.Close()
	first, err := normsync.Open(ctx, store, nil)
	check(err)

	follower, err := normsync.OpenFile(dir, &normsync.FileOptions{ReadOnly: true}) // usually in another process
	check(err)
	defer follower.Close()
	second, err := normsync.Open(ctx, follower, nil)
	check(err)

	_, err = first.Apply(ctx, normsync.Enact(normsync.Norm{Name: "peace", Prohibited: "attack"}))
	check(err)
	n, err := second.Sync(ctx) // once a second, for example
	fmt.Println("revisions brought in:", n, err)
	fmt.Println("the second server allows it:", second.Allows(normsync.Action{Verb: "attack"}))
	// Output:
	// revisions brought in: 1 <nil>
	// the second server allows it: false
}

func Example_test() {
	norms := []normsync.Norm{
		{Name: "peace", Condition: "safe_zone", Prohibited: "attack"},
		{Name: "arena", Condition: "arena", Permitted: "attack", Priority: 10},
	}
	rules, err := normsync.Compile(norms...)
	check(err)
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
	//   peace violated found: [attack safe_zone] missing: []
	//   arena unmet found: [attack] missing: [arena]
}

func Example_whatIf() {
	now, err := normsync.Compile(
		normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"},
		normsync.Norm{Name: "curfew", Condition: "night", Prohibited: "trade"},
	)
	check(err)
	then, err := normsync.Compile(
		normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"},
		normsync.Norm{Name: "property", Prohibited: "steal"},
	)
	check(err)
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

func Example_replay() {
	ctx := context.Background()
	var monitor normsync.Monitor
	apply := func(c normsync.Change) {
		_, err := monitor.Apply(ctx, c.Attributed("zoe", ""))
		check(err)
	}
	apply(normsync.Enact(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"}))
	hit := normsync.Action{Agent: "hero", Verb: "attack", Location: "safe_zone", Time: time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)}
	found := monitor.Check(hit)
	apply(normsync.Repeal("peace"))
	fmt.Println("now:", monitor.Check(hit))

	for _, v := range found {
		rules, err := normsync.AtEdition(ctx, monitor.Store(), v.Edition)
		check(err)
		fmt.Println("at edition", v.Edition, "again:", slices.Contains(rules.Check(v.Action), v))
	}
	// Output:
	// now: []
	// at edition 1 again: true
}

func Example_python() {
	ctx := context.Background()
	norm := normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"}
	action := normsync.Action{Agent: "hero", Verb: "attack", Location: "safe_zone"}
	monitor, err := normsync.NewMonitor(norm)
	check(err)
	violations := monitor.Check(action)
	store := monitor.Store()
	check(store.AppendViolations(ctx, violations...))
	revisions, err := normsync.History(ctx, store, "peace")
	check(err)

	rules, err := normsync.AtEdition(ctx, store, 1)
	check(err)
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

func ExampleCopy() {
	ctx := context.Background()
	old := new(normsync.MemStore) // or any other store
	monitor, err := normsync.Open(ctx, old, nil)
	check(err)
	_, err = monitor.Apply(ctx, normsync.Enact(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"}))
	check(err)
	attack := normsync.Action{Agent: "hero", Verb: "attack", Location: "safe_zone"}
	check(old.AppendViolations(ctx, monitor.Check(attack)...))

	dir, err := os.MkdirTemp("", "constitution")
	check(err)
	defer os.RemoveAll(dir)
	store, err := normsync.OpenFile(dir, nil) // or any other store
	check(err)
	defer store.Close()
	check(normsync.Copy(ctx, old, store))

	monitor, err = normsync.Open(ctx, store, nil)
	check(err)
	fmt.Println("edition", monitor.Constitution().Edition(), "is in force:", monitor.Check(attack))
	// Output:
	// edition 1 is in force: [Agent 'hero' performed 'attack' in 'safe_zone', violating norm 'peace']
}
