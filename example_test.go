package normsync_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"

	"github.com/normsync/normsync"
)

func Example() {
	rules, err := normsync.NewMonitor(
		normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack steal"},
		normsync.Norm{Name: "arena", Condition: "arena", Permitted: "attack", Priority: 10},
	)
	if err != nil {
		log.Fatal(err)
	}
	for _, v := range rules.Check(normsync.Action{Agent: "hero", Verb: "attack", Location: "town safe_zone"}) {
		fmt.Println(v)
	}
	// Output:
	// Agent 'hero' performed 'attack' in 'town safe_zone', violating norm 'peace'
}

func ExampleCompile() {
	c, err := normsync.Compile(
		normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"},
		normsync.Norm{Name: "old", Prohibited: "dance", Repealed: true},
	)
	fmt.Println(c.Len(), c.Edition(), err)

	_, err = normsync.Compile(normsync.Norm{Name: "peace", Condition: "safe_zone"})
	fmt.Println(err)
	// Output:
	// 1 0 <nil>
	// normsync: compile: norm 1 of 1: invalid norm "peace": Prohibited and Permitted are both empty; name the verbs that the norm forbids in Prohibited, or those that it allows in Permitted
}

func ExampleConstitution_Check() {
	c, err := normsync.Compile(
		normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack", Severity: normsync.SeverityError},
		normsync.Norm{Name: "manners", Prohibited: "attack insult", Priority: -1},
	)
	if err != nil {
		panic(err)
	}
	for _, v := range c.Check(normsync.Action{Agent: "hero", Verb: "attack", Location: "safe_zone"}) {
		fmt.Println(v.NormName, v.Severity)
	}
	fmt.Println(c.Check(normsync.Action{Agent: "hero", Verb: "dance", Location: "safe_zone"}) == nil)
	// Output:
	// peace error
	// manners warn
	// true
}

func ExampleConstitution_AppendCheck() {
	c, err := normsync.Compile(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"})
	if err != nil {
		panic(err)
	}
	violations := make([]normsync.Violation, 0, 64) // made once, used again for every tick
	for range 3 {
		violations = violations[:0]
		violations = c.AppendCheck(violations, normsync.Action{Agent: "hero", Verb: "attack", Location: "safe_zone"})
		violations = c.AppendCheck(violations, normsync.Action{Agent: "goblin", Verb: "attack", Location: "safe_zone"})
	}
	fmt.Println(len(violations), cap(violations))
	// Output: 2 64
}

func ExampleConstitution_Allows() {
	c, err := normsync.Compile(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"})
	if err != nil {
		panic(err)
	}
	fmt.Println(c.Allows(normsync.Action{Verb: "Attack", Location: "Safe_Zone"}))
	fmt.Println(c.Allows(normsync.Action{Verb: "counterattack", Location: "safe_zone"}))
	// Output:
	// false
	// true
}

func ExampleConstitution_All() {
	c, err := normsync.Compile(
		normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"},
		normsync.Norm{Name: "curfew", Condition: "night", Prohibited: "trade"},
	)
	if err != nil {
		panic(err)
	}
	for n := range c.All() {
		fmt.Println(n.Name)
	}
	n, ok := c.Norm("peace")
	fmt.Println(n.Condition, ok)
	// Output:
	// curfew
	// peace
	// safe_zone true
}

func ExampleNewMonitor() {
	m, err := normsync.NewMonitor(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"})
	if err != nil {
		panic(err)
	}
	fmt.Println(m.Allows(normsync.Action{Verb: "attack", Location: "safe_zone"}), m.Constitution().Edition())
	// Output: false 1
}

func ExampleAmend() {
	ctx := context.Background()
	m, err := normsync.NewMonitor(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"})
	if err != nil {
		panic(err)
	}
	n, _ := m.Constitution().Norm("peace")
	n.Prohibited += " steal"
	revs, err := m.Apply(ctx, normsync.Amend(n).Signed("yan", "thieves"))
	fmt.Println(revs[0].Version, revs[0].Norm.Prohibited, err)
	// Output: 2 attack steal <nil>
}

func ExampleRepeal() {
	ctx := context.Background()
	m, err := normsync.NewMonitor(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"})
	if err != nil {
		panic(err)
	}
	_, err = m.Apply(ctx, normsync.Repeal("peace").Signed("zoe", "war"))
	fmt.Println(m.Constitution().Len(), err)
	// Output: 0 <nil>
}

func ExampleAction() {
	var a normsync.Action
	err := json.Unmarshal([]byte(`{"agent_id": "hero", "action": "attack", "location": "town safe_zone", "timestamp": 1700000000.25}`), &a)
	fmt.Println(a.Agent, a.Verb, a.Location, a.Time.Format("15:04:05.00"), err)
	// Output: hero attack town safe_zone 22:13:20.25 <nil>
}

func ExampleOpenFile() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "constitution")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	// The first run of a server.
	store, err := normsync.OpenFile(dir, nil)
	if err != nil {
		panic(err)
	}
	m, err := normsync.Open(ctx, store, nil)
	if err != nil {
		panic(err)
	}
	if _, err := m.Apply(ctx, normsync.Enact(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"})); err != nil {
		panic(err)
	}
	if err := store.AppendViolations(ctx, m.Check(normsync.Action{Agent: "hero", Verb: "attack", Location: "safe_zone"})...); err != nil {
		panic(err)
	}
	if err := store.Close(); err != nil {
		panic(err)
	}

	// The next one.
	store, err = normsync.OpenFile(dir, nil)
	if err != nil {
		panic(err)
	}
	defer store.Close()
	m, err = normsync.Open(ctx, store, nil)
	fmt.Println(m.Constitution().Len(), "norm in force", err)
	for v, err := range store.Violations(ctx) {
		if err != nil {
			panic(err)
		}
		fmt.Println(v)
	}
	// Output:
	// 1 norm in force <nil>
	// Agent 'hero' performed 'attack' in 'safe_zone', violating norm 'peace'
}

func ExampleMemStore() {
	ctx := context.Background()
	store := &normsync.MemStore{MaxViolations: 2}
	for _, agent := range []string{"hero", "thief", "cook"} {
		if err := store.AppendViolations(ctx, normsync.Violation{NormName: "peace", Action: normsync.Action{Agent: agent}}); err != nil {
			panic(err)
		}
	}
	for v := range store.Violations(ctx) {
		fmt.Println(v.Action.Agent)
	}
	fmt.Println(store.Dropped(), "dropped")
	// Output:
	// thief
	// cook
	// 1 dropped
}

func ExampleReport_WriteJSON() {
	norms := []normsync.Norm{{Name: "peace", Condition: "safe_zone", Prohibited: "attack"}}
	if err := (normsync.Report{Norms: norms}).WriteJSON(os.Stdout); err != nil {
		panic(err)
	}
	// Output:
	// {
	// "norms": [
	//   {"id":"ff569b78ca381771","name":"peace","description":"","condition":"safe_zone","prohibited":"attack","scope":"global","active":true,"priority":0}
	// ],
	// "norm_count": 1,
	// "active_count": 1,
	// "violations": [],
	// "violation_count": 0,
	// "has_violations": false
	// }
}
