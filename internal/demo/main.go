// Command demo is the demo of normsync: a small world of agents that act at
// 60 ticks a second under a constitution, which is changed while they do. It
// says each thing that it does in a line, and exits with status 1 if anything
// fails or a count does not agree with another.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	d := demo{out: os.Stdout}
	flag.IntVar(&d.agents, "agents", 1000, "how many agents act in every tick")
	flag.IntVar(&d.ticks, "ticks", 300, "how many ticks the world runs for")
	flag.IntVar(&d.rate, "rate", 60, "ticks per second")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := d.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}
