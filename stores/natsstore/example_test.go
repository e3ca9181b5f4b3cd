package natsstore_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/stores/natsstore"
)

// Two servers of a game share a constitution. The NATS server is part of the program
// here; a fleet runs three of its own.
func Example() {
	dir, err := os.MkdirTemp("", "natsstore-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	nats, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: dir,
		SyncAlways: true, // what is acknowledged survives a loss of power
	})
	if err != nil {
		log.Fatal(err)
	}
	nats.Start()
	defer nats.WaitForShutdown()
	defer nats.Shutdown()
	if !nats.ReadyForConnections(time.Minute) {
		log.Fatal("the NATS server does not start")
	}

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	join := func() (*natsstore.Store, *normsync.Monitor) {
		store, err := natsstore.Open(ctx, nats.ClientURL(), "world", nil)
		if err != nil {
			log.Fatal(err)
		}
		monitor, err := normsync.Open(ctx, store, nil)
		if err != nil {
			log.Fatal(err)
		}
		return store, monitor
	}
	store1, monitor1 := join()
	defer store1.Close()
	store2, monitor2 := join()
	defer store2.Close()

	action := normsync.Action{Agent: "hero", Verb: "attack", Location: "safe_zone"}
	fmt.Println("before:", monitor2.Allows(action))
	applied := make(chan error, 1)
	go func() {
		_, err := monitor1.Apply(ctx, normsync.Enact(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"}))
		applied <- err
	}()
	for revs, err := range monitor2.Follow(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		for _, r := range revs {
			fmt.Printf("edition %d: %s %s\n", r.Edition, r.Kind, r.Norm.Name)
		}
		break
	}
	fmt.Println("after:", monitor2.Allows(action))
	if err := <-applied; err != nil { // it may return later than the change is in force
		log.Fatal(err)
	}
	// Output:
	// before: true
	// edition 1: add peace
	// after: false
}
