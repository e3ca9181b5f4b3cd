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
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	return cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}
