package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/stores/sqlstore"
)

// A program that has a database of its own keeps two worlds in it.
func ExampleNew() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "game")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := sql.Open("sqlite", filepath.Join(dir, "game.db")+"?_pragma=busy_timeout(10000)&_pragma=synchronous(full)&_txlock=immediate")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	for _, world := range []string{"north", "south"} {
		s, err := sqlstore.New(ctx, db, sqlstore.SQLite, &sqlstore.Options{Prefix: world + "_"})
		if err != nil {
			log.Fatal(err)
		}
		m, err := normsync.Open(ctx, s, nil)
		if err != nil {
			log.Fatal(err)
		}
		revs, err := m.Apply(ctx, normsync.Enact(normsync.Norm{Name: "peace in the " + world, Condition: "town", Prohibited: "attack"}))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(revs[0].Edition, revs[0].Norm.Name)
		if err := s.Close(); err != nil { // db stays open
			log.Fatal(err)
		}
	}

	var n int
	if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM north_revisions").Scan(&n); err != nil {
		log.Fatal(err)
	}
	fmt.Println(n, "row")

	// Output:
	// 1 peace in the north
	// 1 peace in the south
	// 1 row
}
