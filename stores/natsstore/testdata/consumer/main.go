// Command consumer shows that a program can get the module and use it. It reports
// that no server is there.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/nats-io/nats.go"
	"github.com/normsync/normsync"
	"github.com/normsync/normsync/stores/natsstore"
)

func main() {
	var _ func(context.Context, *natsstore.Store) (*normsync.Monitor, error) = func(ctx context.Context, s *natsstore.Store) (*normsync.Monitor, error) {
		return normsync.Open(ctx, s, nil)
	}
	_, err := natsstore.Open(context.Background(), "nats://127.0.0.1:1", "world", nil)
	if !errors.Is(err, nats.ErrNoServers) {
		fmt.Println("unexpected:", err)
		os.Exit(1)
	}
	fmt.Println("ok:", err)
}
