package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/stores/sqlstore/sqlite"
)

// Two processes share a file: what one enacts comes into force in the other.
func ExampleOpen() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	dir, err := os.MkdirTemp("", "world")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "world.db")

	// The first process.
	s, err := sqlite.Open(ctx, path)
	if err != nil {
		panic(err)
	}
	defer s.Close()
	m, err := normsync.Open(ctx, s, nil)
	if err != nil {
		panic(err)
	}

	// The second process.
	other, err := sqlite.Open(ctx, path)
	if err != nil {
		panic(err)
	}
	defer other.Close()
	agent, err := normsync.Open(ctx, other, nil)
	if err != nil {
		panic(err)
	}

	_, err = m.Apply(ctx, normsync.Enact(normsync.Norm{Name: "peace", Condition: "town", Prohibited: "attack"}))
	if err != nil {
		panic(err)
	}
	for revs, err := range agent.Follow(ctx) {
		if err != nil {
			panic(err)
		}
		fmt.Println(revs[0].Norm.Name, "is in force in the second process, too")
		break
	}
	attack := normsync.Action{Agent: "hero", Verb: "attack", Location: "town"}
	vs := agent.Check(attack)
	if err := other.AppendViolations(ctx, vs...); err != nil {
		panic(err)
	}
	for v, err := range normsync.QueryViolations(ctx, s, normsync.ViolationQuery{Agent: "hero", Newest: true, Limit: 10}) {
		if err != nil {
			panic(err)
		}
		fmt.Println(v.Number, v.Violation)
	}

	// Output:
	// peace is in force in the second process, too
	// 1 Agent 'hero' performed 'attack' in 'town', violating norm 'peace'
}
