package normsync_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/normsync/normsync"
)

func ExampleMonitor_Apply() {
	ctx := context.Background()
	var m normsync.Monitor // the zero value is empty, and keeps its log in memory
	attack := normsync.Action{Agent: "hero", Verb: "attack", Location: "town safe_zone"}
	fmt.Println("before:", m.Allows(attack))

	revs, err := m.Apply(ctx,
		normsync.Enact(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"}).Signed("zoe", "new players"),
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

	// All or nothing: the second change cannot be carried out, so the first is not, either.
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

func ExampleOpen() {
	ctx := context.Background()
	store := new(normsync.MemStore)
	monitor, err := normsync.Open(ctx, store, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	monitor.Apply(ctx, normsync.Enact(normsync.Norm{Name: "peace", Prohibited: "attack"}))

	// What the store holds is in force again when it is opened the next time.
	again, err := normsync.Open(ctx, store, nil)
	fmt.Println(again.Constitution().Edition(), again.Allows(normsync.Action{Verb: "attack"}), err)
	// Output: 1 false <nil>
}

// world is a store with a history of three days.
func world() normsync.Store {
	ctx := context.Background()
	store := new(normsync.MemStore)
	day := time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)
	m, _ := normsync.Open(ctx, store, &normsync.Options{Now: func() time.Time { return day }})
	m.Apply(ctx, normsync.Enact(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"}).Signed("zoe", "new players"))
	day = day.AddDate(0, 0, 1)
	m.Apply(ctx, normsync.Amend(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack steal"}).Signed("yan", "thieves"))
	day = day.AddDate(0, 0, 1)
	m.Apply(ctx, normsync.Repeal("peace").Signed("zoe", "war"))
	return store
}

func ExampleHistory() {
	revs, err := normsync.History(context.Background(), world(), "peace")
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
	c, err := normsync.At(context.Background(), world(), time.Date(2030, 5, 1, 18, 0, 0, 0, time.UTC))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Edition(), c.Allows(normsync.Action{Verb: "attack", Location: "safe_zone"}), c.Allows(normsync.Action{Verb: "steal", Location: "safe_zone"}))
	// Output: 1 false true
}

func ExampleAtEdition() {
	ctx, store := context.Background(), world()
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

func ExampleRecorder() {
	ctx := context.Background()
	m, _ := normsync.NewMonitor(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"})
	recorder := normsync.NewRecorder(m.Store(), &normsync.RecorderOptions{OnError: func(err error) { fmt.Println(err) }})

	var violations []normsync.Violation // used again in every tick
	for range 3 {
		violations = m.AppendCheck(violations[:0], normsync.Action{Agent: "hero", Verb: "attack", Location: "safe_zone"})
		recorder.Record(violations...) // returns at once, whatever the store does
	}

	if err := recorder.Close(ctx); err != nil { // waits until they are stored
		fmt.Println(err)
	}
	fmt.Printf("%+v\n", recorder.Stats())
	for v := range m.Store().Violations(ctx) {
		fmt.Println(v)
	}
	// Output:
	// {Recorded:3 Dropped:0 Stored:3 Failed:0}
	// Agent 'hero' performed 'attack' in 'safe_zone', violating norm 'peace'
	// Agent 'hero' performed 'attack' in 'safe_zone', violating norm 'peace'
	// Agent 'hero' performed 'attack' in 'safe_zone', violating norm 'peace'
}

// forgetful is a store that forgets a violation now and then.
type forgetful struct{ normsync.MemStore }

func (s *forgetful) AppendViolations(ctx context.Context, vs ...normsync.Violation) error {
	return s.MemStore.AppendViolations(ctx, vs[:min(len(vs), 5)]...)
}

// In a test of one's own store, the error goes to t.Fatal.
func ExampleTestStore() {
	err := normsync.TestStore(func() (normsync.Store, error) { return new(normsync.MemStore), nil })
	fmt.Println(err)
	err = normsync.TestStore(func() (normsync.Store, error) { return new(forgetful), nil })
	fmt.Println(err)
	// Output:
	// <nil>
	// normsync: rule 2: revisions and violations come back equal, in the order appended: Violations ends after 8 of 10 values
}
