package normsync_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/normsync/normsync"
)

func ExampleQueryViolations() {
	ctx := context.Background()
	store := new(normsync.MemStore)
	for _, agent := range []string{"hero", "thief", "hero"} {
		if err := store.AppendViolations(ctx, normsync.Violation{NormName: "peace", Action: normsync.Action{Agent: agent, Verb: "attack"}}); err != nil {
			panic(err)
		}
	}
	for v, err := range normsync.QueryViolations(ctx, store, normsync.ViolationQuery{Agent: "hero", Newest: true, Limit: 10}) {
		fmt.Println(v.Number, v.Action.Agent, err)
	}
	// Output:
	// 3 hero <nil>
	// 1 hero <nil>
}

func ExampleMemStore_WaitRevisions() {
	ctx := context.Background()
	store := new(normsync.MemStore)
	m, err := normsync.Open(ctx, store, nil)
	if err != nil {
		panic(err)
	}
	go m.Apply(ctx, normsync.Enact(normsync.Norm{Name: "peace", Prohibited: "attack"}))
	fmt.Println(store.WaitRevisions(ctx, 0)) // until there is a revision after edition 0
	// Output:
	// <nil>
}

func ExampleMemStore() {
	ctx := context.Background()
	store := &normsync.MemStore{MaxViolations: 2}
	for _, agent := range []string{"hero", "thief", "cook"} {
		if err := store.AppendViolations(ctx, normsync.Violation{NormName: "peace", Action: normsync.Action{Agent: agent}}); err != nil {
			panic(err)
		}
	}
	for v := range store.Violations(ctx, 0) {
		fmt.Println(v.Action.Agent)
	}
	fmt.Println(store.Dropped(), "dropped")
	// Output:
	// thief
	// cook
	// 1 dropped
}

func ExampleOpenFile() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "constitution")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	// The first run of a server:
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

	// The next run:
	store, err = normsync.OpenFile(dir, nil)
	if err != nil {
		panic(err)
	}
	defer store.Close()
	m, err = normsync.Open(ctx, store, nil)
	fmt.Println(m.Constitution().Len(), "norm in force", err)
	for v, err := range store.Violations(ctx, 0) {
		if err != nil {
			panic(err)
		}
		fmt.Println(v)
	}
	// Output:
	// 1 norm in force <nil>
	// Agent 'hero' performed 'attack' in 'safe_zone', violating norm 'peace'
}

// A crash leaves bytes behind the last whole line. They were never acknowledged.
func ExampleFileStore_TornTails() {
	dir, err := os.MkdirTemp("", "constitution")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "revisions.jsonl")
	if err := os.WriteFile(file, []byte(`{"v":1,"n":1,"dur`), 0o644); err != nil {
		panic(err)
	}
	store, err := normsync.OpenFile(dir, nil)
	if err != nil {
		panic(err)
	}
	defer store.Close()
	for _, tail := range store.TornTails() {
		fmt.Println(tail.Size, "bytes behind byte", tail.Offset, "of", filepath.Base(tail.Path), "are kept in", filepath.Base(tail.Kept))
	}
	// Output:
	// 17 bytes behind byte 0 of revisions.jsonl are kept in revisions.jsonl.torn
}

// A server can go on if its violations are damaged.
func ExampleFileOptions_revisionsOnly() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "constitution")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "violations-00000000000000000001.jsonl"), []byte("damaged\n"), 0o600); err != nil {
		panic(err)
	}
	_, err = normsync.OpenFile(dir, nil)
	var damage *normsync.CorruptError
	fmt.Println(errors.As(err, &damage))

	store, err := normsync.OpenFile(dir, &normsync.FileOptions{RevisionsOnly: true})
	if err != nil {
		panic(err)
	}
	defer store.Close()
	m, err := normsync.Open(ctx, store, nil)
	if err != nil {
		panic(err)
	}
	_, err = m.Apply(ctx, normsync.Enact(normsync.Norm{Name: "peace", Prohibited: "attack"}))
	fmt.Println(m.Constitution().Len(), err)
	fmt.Println(errors.Is(store.AppendViolations(ctx, normsync.Violation{NormName: "peace"}), errors.ErrUnsupported))
	// Output:
	// true
	// 1 <nil>
	// true
}

func ExampleRecorder() {
	ctx := context.Background()
	m, _ := normsync.NewMonitor(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"})
	recorder := normsync.NewRecorder(m.Store(), &normsync.RecorderOptions{OnError: func(err error) { fmt.Println(err) }})

	var violations []normsync.Violation // reused in every tick
	for range 3 {
		violations = m.AppendCheck(violations[:0], normsync.Action{Agent: "hero", Verb: "attack", Location: "safe_zone"})
		recorder.Record(violations...) // never waits for the store
	}

	if err := recorder.Close(ctx); err != nil { // waits until all are stored
		fmt.Println(err)
	}
	fmt.Printf("%+v\n", recorder.Stats())
	for v := range m.Store().Violations(ctx, 0) {
		fmt.Println(v)
	}
	// Output:
	// {Recorded:3 Dropped:0 Stored:3 Failed:0}
	// Agent 'hero' performed 'attack' in 'safe_zone', violating norm 'peace'
	// Agent 'hero' performed 'attack' in 'safe_zone', violating norm 'peace'
	// Agent 'hero' performed 'attack' in 'safe_zone', violating norm 'peace'
}

// forgetful is a store that drops all but the first five violations of a batch.
type forgetful struct{ normsync.MemStore }

func (s *forgetful) AppendViolations(ctx context.Context, vs ...normsync.Violation) error {
	return s.MemStore.AppendViolations(ctx, vs[:min(len(vs), 5)]...)
}

// In a test of your own store, pass the error to t.Fatal.
func ExampleTestStore() {
	err := normsync.TestStore(func() (normsync.Store, error) { return new(normsync.MemStore), nil })
	fmt.Println(err)
	err = normsync.TestStore(func() (normsync.Store, error) { return new(forgetful), nil })
	fmt.Println(err)
	// Output:
	// <nil>
	// normsync: rule 2: revisions and violations come back equal, in the order appended, violations with the numbers 1, 2, 3, and so on: Violations ends after 8 of 10 values
}
