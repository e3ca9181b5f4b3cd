package normsync_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
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
	_, err = monitor.Reload(ctx, "file", wanted) // keeps what was enacted at run time in other scopes
	check(err)
	recorder := normsync.NewRecorder(store, nil)

	var violations []normsync.Violation
	for range 3 { // ticks
		rules := monitor.Constitution()
		action := normsync.Action{Agent: "hero", Verb: "attack", Location: "safe_zone", Time: time.Now()}
		violations = rules.AppendCheck(violations[:0], action)
		recorder.Record(violations...)
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
	fmt.Println("with both:", rules.Allows(normsync.Action{Verb: "attack cast_fireball", Location: "town safe_zone arena"}))
	// Output:
	// in town: false
	// in the arena: true
	// by magic: false
	// with both: false
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
	var monitor normsync.Monitor
	reload := func(file string) error {
		wanted, err := normsync.ReadNorms(strings.NewReader(file)) // usually an *os.File
		if err != nil {
			return err
		}
		revisions, err := monitor.Reload(ctx, "file", wanted)
		for _, r := range revisions {
			fmt.Println(r.Edition, r.Kind, r.Norm.Name)
		}
		return err
	}
	fmt.Println(reload(`[
		{"name": "peace", "condition": "safe_zone", "prohibited": "attack"},
		{"name": "curfew", "condition": "night", "prohibited": "trade"}
	]`))
	quarantine := normsync.Norm{Name: "quarantine", Prohibited: "travel", Scope: "game masters"}
	_, err := monitor.Apply(ctx, normsync.Enact(quarantine), normsync.Repeal("peace")) // at run time
	check(err)
	fmt.Println(reload(`[
		{"name": "peace", "condition": "safe_zone", "prohibited": "attack"},
		{"name": "no-litter", "prohibited": "litter"}
	]`))
	fmt.Println(reload(`[
		{"name": "peace", "condition": "zone == safe", "prohibited": "attack"}
	]`))
	for n := range monitor.Constitution().All() {
		fmt.Println(n.Name, "of scope", n.Scope)
	}
	// Output:
	// 1 add curfew
	// 2 add peace
	// <nil>
	// 5 repeal curfew
	// 6 add no-litter
	// <nil>
	// normsync: invalid norm 1 "peace" in line 2, column 3: Condition: token "==" is an operator, but this is a list of tokens, not an expression; write "location:safe_zone"
	// no-litter of scope file
	// quarantine of scope game masters
}

func Example_event() {
	friday := time.Date(2030, 5, 3, 18, 0, 0, 0, time.UTC)
	rules, err := normsync.Compile(
		normsync.Norm{Name: "peace", Condition: "town", Prohibited: "attack"},
		normsync.Norm{Name: "brawl", Condition: "town", Permitted: "attack", Priority: 1, From: friday, Until: friday.Add(48 * time.Hour)},
	)
	check(err)
	for _, after := range []time.Duration{-time.Second, 0, 48 * time.Hour} {
		action := normsync.Action{Agent: "hero", Verb: "attack", Location: "town", Time: friday.Add(after)}
		fmt.Println(action.Time.Format("Mon 15:04:05"), rules.Allows(action))
		for _, f := range rules.Explain(action) {
			fmt.Printf("  %s: %s %q\n", f.Norm.Name, f.Outcome, f.By)
		}
	}
	// Output:
	// Fri 17:59:59 false
	//   peace: violated ""
	//   brawl: inactive "from 2030-05-03T18:00:00Z"
	// Fri 18:00:00 true
	//   peace: overridden "brawl"
	//   brawl: permits ""
	// Sun 18:00:00 false
	//   peace: violated ""
	//   brawl: inactive "until 2030-05-05T18:00:00Z"
}

func Example_advice() {
	monitor, err := normsync.NewMonitor(
		normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack", Advice: "say: Put your sword away, this is a safe zone."},
		normsync.Norm{Name: "big-sale", Condition: "target:castle", Prohibited: "sell", Advice: "ask"},
	)
	check(err)
	for _, action := range []normsync.Action{
		{Agent: "hero", Verb: "attack", Location: "safe_zone"},
		{Agent: "king", Verb: "sell", Target: "castle"},
	} {
		for _, v := range monitor.Check(action) {
			switch message, ok := strings.CutPrefix(v.Advice, "say: "); {
			case ok:
				fmt.Println("tell", v.Action.Agent, message)
			case v.Advice == "ask":
				fmt.Println("ask a game master whether", v.Action.Agent, "may", v.Action.Verb, v.Action.Target)
			}
		}
	}
	// Output:
	// tell hero Put your sword away, this is a safe zone.
	// ask a game master whether king may sell castle
}

func Example_shadowWeek() {
	log := strings.NewReader(`{"agent_id": "hero", "action": "cross", "location": "bridge", "timestamp": 1904083200}
{"agent_id": "cook", "action": "cross", "location": "bridge", "target": "ticket", "timestamp": 1904083260}
{"agent_id": "guard", "action": "cross", "location": "bridge", "timestamp": 1904083320}
{"agent_id": "hero", "action": "cross", "location": "ford", "timestamp": 1904083380}
`) // usually a file with the actions of a week
	rules, err := normsync.Compile(
		normsync.Norm{Name: "toll", Condition: "bridge", Unless: "ticket", Prohibited: "cross", Shadow: true},
		normsync.Norm{Name: "no-swimming", Condition: "bridges", Prohibited: "swim", Shadow: true},
	)
	check(err)
	actions := func(yield func(normsync.Action) bool) {
		for action, err := range normsync.ReadActions(log) {
			check(err) // names the line
			if !yield(action) {
				return
			}
		}
	}
	for _, n := range normsync.Cover(rules, actions) {
		fmt.Printf("%s would have been violated by %d agents, in %d of %d actions; %d were exempt\n", n.Norm, n.Agents, n.Violated, n.Actions, n.Exempt)
		for _, unseen := range n.Unseen {
			fmt.Printf("  no action has %q; the nearest word is %q\n", unseen.Token, unseen.Nearest)
		}
	}
	// Output:
	// no-swimming would have been violated by 0 agents, in 0 of 0 actions; 0 were exempt
	//   no action has "swim"; the nearest word is ""
	//   no action has "bridges"; the nearest word is "bridge"
	// toll would have been violated by 2 agents, in 2 of 4 actions; 1 were exempt
}

func Example_oldLog() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "constitution")
	check(err)
	defer os.RemoveAll(dir)
	check(os.CopyFS(dir, os.DirFS("testdata/before-0.2/store"))) // your store of version 0.1
	store, err := normsync.OpenFile(dir, nil)
	check(err)
	defer store.Close()

	monitor, err := normsync.Open(ctx, store, nil)
	check(err)
	refused := monitor.Refused()
	fmt.Println(len(refused), "norms in force would be refused now:", refused[0])

	n, _ := monitor.Constitution().Norm("agent_id")
	n.Condition = "agent:hero"
	_, err = monitor.Apply(ctx, normsync.Amend(n).Attributed("zoe", "the field is agent"))
	check(err)
	fmt.Println(len(monitor.Refused()), "are left")
	// Output:
	// 6 norms in force would be refused now: normsync: invalid norm "agent_id": Condition: token "agent_id:hero" names no field of an action: the agent is the field agent; write "agent:hero"
	// 5 are left
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

func Example_follow() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	dir, err := os.MkdirTemp("", "constitution")
	check(err)
	defer os.RemoveAll(dir)
	store, err := normsync.OpenFile(dir, nil)
	check(err)
	defer store.Close()
	writer, err := normsync.Open(ctx, store, nil)
	check(err)

	reader, err := normsync.OpenFile(dir, &normsync.FileOptions{ReadOnly: true}) // usually in another process
	check(err)
	defer reader.Close()
	follower, err := normsync.Open(ctx, reader, nil)
	check(err)

	peace := normsync.Norm{Name: "peace", Prohibited: "attack"}
	_, err = writer.Apply(ctx, normsync.Enact(peace).Attributed("zoe", "new players"))
	check(err)
	for revisions, err := range follower.Follow(ctx) { // in a goroutine of its own
		check(err) // log it; after ErrDiverged, stop
		for _, r := range revisions {
			fmt.Println(r.Kind, r.Norm.Name, "by", r.By, "because:", r.Reason)
		}
		fmt.Println("in force:", follower.Constitution().Len())
		break // a server goes on until ctx ends
	}
	// Output:
	// add peace by zoe because: new players
	// in force: 1
}

func Example_query() {
	ctx := context.Background()
	monitor, err := normsync.NewMonitor(normsync.Norm{Name: "peace", Prohibited: "attack"}, normsync.Norm{Name: "tidy", Prohibited: "litter"})
	check(err)
	store := monitor.Store()
	for i, action := range []normsync.Action{
		{Agent: "hero", Verb: "attack"}, {Agent: "thief", Verb: "attack"}, {Agent: "hero", Verb: "litter"}, {Agent: "hero", Verb: "attack"},
	} {
		action.Time = time.Date(2030, 5, 1, 12, i, 0, 0, time.UTC)
		check(store.AppendViolations(ctx, monitor.Check(action)...))
	}
	query := normsync.ViolationQuery{Agent: "hero", Newest: true, Limit: 2}
	for range 2 { // pages
		for v, err := range normsync.QueryViolations(ctx, store, query) {
			check(err)
			fmt.Println(v.Number, v.NormName, v.Action.Time.Format(time.TimeOnly))
			query.After = v.Number // the next page begins before it
		}
		fmt.Println("end of page")
	}
	// Output:
	// 4 peace 12:03:00
	// 3 tidy 12:02:00
	// end of page
	// 1 peace 12:00:00
	// end of page
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
	// Violations by norm (1)
	//
	// NORM   HITS  DENIED  AGENTS  EXAMPLE
	// peace     1       1       1  action: attack, location: safe_zone
	//
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

// Tool calls of an agent become actions, and a default-deny constitution judges them.
func Example_toolCalls() {
	// toAction turns a tool call into an action, or refuses what it does not understand.
	toAction := func(agent, faction, tool string, args map[string]string) (normsync.Action, error) {
		a := normsync.Action{Agent: agent, Faction: faction, Verb: tool, Time: time.Now().UTC()}
		if tool == "" || strings.ContainsFunc(tool, func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' }) {
			return a, fmt.Errorf("%q is not the name of a tool", tool) // such as two names with a space between them
		}
		word := func(s string) string { return (&url.URL{Path: s}).EscapedPath() } // escapes white space
		switch tool {
		case "read_file", "list_files", "write_file":
			name := args["path"]
			if !path.IsAbs(name) {
				name = path.Join("/work", name)
			}
			name = path.Clean(name)
			a.Target = word(name)
			if rest, ok := strings.CutPrefix(name+"/", "/work/"); ok {
				a.Facts = "inside"
				if strings.HasPrefix(rest, ".") || strings.Contains(rest, "/.") {
					a.Facts += " hidden"
				}
			}
		case "run":
			command := args["command"]
			if strings.ContainsAny(command, ";&|<>$`\\\"'(){}[]*?~#!\n") {
				return a, fmt.Errorf("%q is for a shell; name one program and its arguments", command)
			}
			program, _, _ := strings.Cut(command, " ")
			program = strings.TrimPrefix(path.Clean(program), "/usr/bin/") // but not another folder: /tmp/df is not df
			a.Target = word(program)
		case "deploy":
			a.Location = word(args["environment"])
		}
		return a, nil
	}

	norms, err := normsync.ReadNormsFS(os.DirFS("testdata/agents"), "tools.json")
	check(err)
	monitor, err := normsync.NewMonitor(norms...)
	check(err)
	for _, call := range []struct{ faction, tool, argument, value string }{
		{"coder", "read_file", "path", "src/main.go"},
		{"coder", "read_file", "path", "../../etc/passwd"},
		{"coder", "write_file", "path", ".git/hooks/pre-commit"},
		{"coder", "run", "command", "/usr/bin/df -h"},
		{"coder", "run", "command", "/tmp/df -h"},
		{"coder", "run", "command", "/bin/rm -rf build"},
		{"coder", "run", "command", "ls;rm -rf /"},
		{"coder", "read_file send_mail", "path", "src/main.go"},
		{"coder", "", "path", "src/main.go"},
		{"coder", "send_mail", "to", "all"},
		{"deployer", "deploy", "environment", "staging"},
		{"deployer", "deploy", "environment", "production"},
	} {
		fmt.Printf("%q %q: ", call.tool, call.value)
		action, err := toAction("agent-7", call.faction, call.tool, map[string]string{call.argument: call.value})
		if err != nil {
			fmt.Println("refused:", err)
			continue
		}
		if monitor.Allows(action) { // now call the tool, with the cleaned path and not with what the agent wrote
			fmt.Println("allowed")
			continue
		}
		fmt.Printf("denied by %q\n", monitor.Check(action)[0].NormName)
	}
	// Output:
	// "read_file" "src/main.go": allowed
	// "read_file" "../../etc/passwd": denied by "deny by default"
	// "write_file" ".git/hooks/pre-commit": denied by "deny by default"
	// "run" "/usr/bin/df -h": allowed
	// "run" "/tmp/df -h": denied by "deny by default"
	// "run" "/bin/rm -rf build": denied by "deny by default"
	// "run" "ls;rm -rf /": refused: "ls;rm -rf /" is for a shell; name one program and its arguments
	// "read_file send_mail" "src/main.go": refused: "read_file send_mail" is not the name of a tool
	// "" "src/main.go": refused: "" is not the name of a tool
	// "send_mail" "all": denied by "deny by default"
	// "deploy" "staging": allowed
	// "deploy" "production": denied by "production needs approval"
}
