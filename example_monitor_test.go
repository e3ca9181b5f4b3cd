package normsync_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/normsync/normsync"
)

func ExampleNewMonitor() {
	m, err := normsync.NewMonitor(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"})
	if err != nil {
		panic(err)
	}
	fmt.Println(m.Allows(normsync.Action{Verb: "attack", Location: "safe_zone"}), m.Constitution().Edition())
	// Output: false 1
}

func ExampleOpen() {
	ctx := context.Background()
	store := new(normsync.MemStore)
	monitor, err := normsync.Open(ctx, store, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	monitor.Apply(ctx, normsync.Enact(normsync.Norm{Name: "peace", Prohibited: "attack"}))

	// Opening the store again puts its norms in force again.
	again, err := normsync.Open(ctx, store, nil)
	fmt.Println(again.Constitution().Edition(), again.Allows(normsync.Action{Verb: "attack"}), err)
	// Output: 1 false <nil>
}

func ExampleMonitor_Apply() {
	ctx := context.Background()
	var m normsync.Monitor // the zero value is empty and keeps its log in memory
	attack := normsync.Action{Agent: "hero", Verb: "attack", Location: "town safe_zone"}
	fmt.Println("before:", m.Allows(attack))

	revs, err := m.Apply(ctx,
		normsync.Enact(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"}).Attributed("zoe", "new players"),
		normsync.Enact(normsync.Norm{Name: "no-looting", Condition: "town", Prohibited: "loot"}),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range revs {
		fmt.Printf("edition %d: %s %s, version %d\n", r.Edition, r.Kind, r.Norm.Name, r.Version)
	}
	fmt.Println("after:", m.Allows(attack))

	// All or nothing: the second change fails, so the first is not carried out either.
	_, err = m.Apply(ctx, normsync.Repeal("peace"), normsync.Repeal("taxes"))
	fmt.Println(err)
	fmt.Println(errors.Is(err, normsync.ErrNotFound), m.Constitution().Len(), "norms in force")
	// Output:
	// before: true
	// edition 1: add peace, version 1
	// edition 2: add no-looting, version 1
	// after: false
	// normsync: apply change 2 (repeal "taxes"): norm not found: no norm with that name is in force; check the name, or enact it first
	// true 2 norms in force
}

func ExampleMonitor_Sync() {
	ctx := context.Background()
	store := new(normsync.MemStore)
	server1, _ := normsync.Open(ctx, store, nil)
	server2, _ := normsync.Open(ctx, store, nil)

	server1.Apply(ctx, normsync.Enact(normsync.Norm{Name: "peace", Prohibited: "attack"}))
	fmt.Println("server 2 has", server2.Constitution().Len(), "norms")
	n, err := server2.Sync(ctx)
	fmt.Println("revisions brought in:", n, err)
	fmt.Println("server 2 has", server2.Constitution().Len(), "norms")
	// Output:
	// server 2 has 0 norms
	// revisions brought in: 1 <nil>
	// server 2 has 1 norms
}

func ExampleMonitor_Reload() {
	ctx := context.Background()
	var m normsync.Monitor
	peace := normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"}
	curfew := normsync.Norm{Name: "curfew", Condition: "night", Prohibited: "trade"}
	for _, list := range [][]normsync.Norm{{peace, curfew}, {peace, curfew}, {peace}} {
		revs, err := m.Reload(ctx, "town", list)
		fmt.Println(len(revs), err)
		for _, r := range revs {
			fmt.Println(" ", r.Kind, r.Norm.Name, "by", r.By)
		}
	}
	// Output:
	// 2 <nil>
	//   add curfew by reload
	//   add peace by reload
	// 0 <nil>
	// 1 <nil>
	//   repeal curfew by reload
}

func ExampleMonitor_Follow() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	store := new(normsync.MemStore)
	server1, _ := normsync.Open(ctx, store, nil)
	server2, _ := normsync.Open(ctx, store, nil)

	server1.Apply(ctx, normsync.Enact(normsync.Norm{Name: "peace", Prohibited: "attack"}))
	for revs, err := range server2.Follow(ctx) { // in a goroutine of its own, until ctx ends
		fmt.Println(revs[0].Kind, revs[0].Norm.Name, err)
		fmt.Println("server 2 has", server2.Constitution().Len(), "norm")
		break
	}
	// Output:
	// add peace <nil>
	// server 2 has 1 norm
}

func ExampleMonitor_Explain() {
	m, err := normsync.NewMonitor(normsync.Norm{Name: "curfew", Condition: "facts:night", Prohibited: "trade"})
	if err != nil {
		panic(err)
	}
	for _, f := range m.Explain(normsync.Action{Agent: "cook", Verb: "trade", Location: "market"}) {
		fmt.Println(f.Norm.Name, f.Outcome, "missing:", f.Missing)
	}
	// Output: curfew unmet missing: [facts:night]
}

// threeDays returns a store with a history of three days.
func threeDays() normsync.Store {
	ctx := context.Background()
	store := new(normsync.MemStore)
	day := time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)
	m, _ := normsync.Open(ctx, store, &normsync.Options{Now: func() time.Time { return day }})
	m.Apply(ctx, normsync.Enact(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"}).Attributed("zoe", "new players"))
	day = day.AddDate(0, 0, 1)
	m.Apply(ctx, normsync.Amend(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack steal"}).Attributed("yan", "thieves"))
	day = day.AddDate(0, 0, 1)
	m.Apply(ctx, normsync.Repeal("peace").Attributed("zoe", "war"))
	return store
}

func ExampleHistory() {
	revs, err := normsync.History(context.Background(), threeDays(), "peace")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range revs {
		fmt.Printf("%s version %d: %s by %s: %s\n", r.Time.Format(time.DateOnly), r.Version, r.Kind, r.By, r.Reason)
	}
	// Output:
	// 2030-05-01 version 1: add by zoe: new players
	// 2030-05-02 version 2: modify by yan: thieves
	// 2030-05-03 version 3: repeal by zoe: war
}

func ExampleAt() {
	c, err := normsync.At(context.Background(), threeDays(), time.Date(2030, 5, 1, 18, 0, 0, 0, time.UTC))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Edition(), c.Allows(normsync.Action{Verb: "attack", Location: "safe_zone"}), c.Allows(normsync.Action{Verb: "steal", Location: "safe_zone"}))
	// Output: 1 false true
}

func ExampleAtEdition() {
	ctx, store := context.Background(), threeDays()
	for edition := range uint64(5) {
		c, err := normsync.AtEdition(ctx, store, edition)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(edition, c.Allows(normsync.Action{Verb: "steal", Location: "safe_zone"}))
	}
	// Output:
	// 0 true
	// 1 true
	// 2 false
	// 3 true
	// normsync: constitution at edition 4: norm not found: the last edition is 3
}

func ExampleEditions() {
	for c, err := range normsync.Editions(context.Background(), threeDays()) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(c.Edition(), c.Len(), c.Allows(normsync.Action{Verb: "steal", Location: "safe_zone"}))
	}
	// Output:
	// 1 1 true
	// 2 1 false
	// 3 0 true
}
