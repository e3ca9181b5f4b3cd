package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/stores/sqlstore/internal/pgserver"
	"github.com/normsync/normsync/stores/sqlstore/postgres"
)

// dsn names a database of a server that runs while the examples do.
var dsn string

func TestMain(m *testing.M) { os.Exit(withServer(m.Run)) }

func withServer(run func() int) int {
	s, err := pgserver.Start()
	if errors.Is(err, pgserver.ErrNotInstalled) && os.Getenv("CI") == "" {
		fmt.Println("skipped:", err)
		return 0
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer s.Remove()
	dsn = s.DSN("postgres")
	return run()
}

// A game server records violations, and an administrator lists the violations by
// one agent. dsn could be "postgres://game@db.example.com/world".
func ExampleOpen() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s, err := postgres.Open(ctx, dsn)
	if err != nil {
		panic(err)
	}
	defer s.Close()
	m, err := normsync.Open(ctx, s, nil)
	if err != nil {
		panic(err)
	}
	_, err = m.Apply(ctx, normsync.Enact(normsync.Norm{Name: "peace", Condition: "town", Prohibited: "attack"}))
	if err != nil {
		panic(err)
	}

	r := normsync.NewRecorder(s, nil)
	for _, agent := range []string{"hero", "thief", "hero"} {
		r.Record(m.Check(normsync.Action{Agent: agent, Verb: "attack", Location: "town"})...)
	}
	if err := r.Close(ctx); err != nil {
		panic(err)
	}

	for v, err := range normsync.QueryViolations(ctx, s, normsync.ViolationQuery{Agent: "hero", Newest: true, Limit: 10}) {
		if err != nil {
			panic(err)
		}
		fmt.Println(v.Number, v.Violation)
	}

	// Output:
	// 3 Agent 'hero' performed 'attack' in 'town', violating norm 'peace'
	// 1 Agent 'hero' performed 'attack' in 'town', violating norm 'peace'
}
