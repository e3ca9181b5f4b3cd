package cli

import (
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/normsync/normsync/cmd/normsync/internal/demo"
)

func newDemoCommand(a *app) *cobra.Command {
	var o demo.Options
	cmd := &cobra.Command{
		Use:   "demo [--for DURATION] [--addr HOST:PORT]",
		Short: "a small world to watch",
		Long: `Demo runs a small world for a while: agents act under norms, which change
meanwhile, and break some of them. It prints the address of a live page of it,
and a summary at the end. Its store is a temporary one, whatever --db and
--store say.

On a terminal it runs until it is interrupted, or until no page has been open
for a minute. Otherwise it runs for 5 seconds.`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case o.For < 0:
				return usageErrorf("demo: --for is negative; use a duration such as 30s")
			case a.json:
				return usageErrorf("demo: it has no JSON; leave out --json")
			case o.For == 0 && !isTerminal(a.stdout):
				o.For = 5 * time.Second
			}
			o.Version = version()
			signal.Ignore(syscall.SIGPIPE) // a demo that cannot write ends by itself, and tidies up
			return demo.Run(cmd.Context(), a.stdout, o)
		},
	}
	cmd.Flags().DurationVar(&o.For, "for", 0, "end after this time (default 5s without a terminal)")
	cmd.Flags().StringVar(&o.Addr, "addr", "127.0.0.1:0", "address of the page; port 0 is any free one")
	return cmd
}
