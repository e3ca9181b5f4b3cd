// Normsync keeps a world's rules in one place and checks actions against them:
// from the command line, over REST, over MCP and on a live page.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/normsync/normsync/cmd/normsync/internal/cli"
)

func main() {
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// If nobody reads the output any more, a write returns an error. Otherwise the program
	// would end at once, and lose violations that it has shown and not yet stored.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	return cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}
