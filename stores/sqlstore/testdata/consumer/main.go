// The consumer is a program of another module that keeps its world in SQLite.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/stores/sqlstore/sqlite"
)

func main() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "consumer")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	s, err := sqlite.Open(ctx, filepath.Join(dir, "world.db"))
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	m, err := normsync.Open(ctx, s, nil)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := m.Apply(ctx, normsync.Enact(normsync.Norm{Name: "peace", Condition: "town", Prohibited: "attack"})); err != nil {
		log.Fatal(err)
	}
	fmt.Println("edition", m.Constitution().Edition(), "is in force")
}
