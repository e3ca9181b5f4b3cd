package cli

import (
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/normsync/normsync/cmd/normsync/internal/mcpserver"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

func newMCPCommand(a *app) *cobra.Command {
	var readOnly bool
	var ruleFile string
	cmd := &cobra.Command{
		Use:   "mcp [--read-only]",
		Short: "serve an MCP client",
		Long: `Mcp offers the store to an assistant that speaks the Model Context Protocol. The
assistant starts the command, and talks to it over the standard input and
output. The command ends when the standard input does.

It creates the store if it does not exist. With --read-only it offers only tools
that change nothing, check_action records nothing, and the store must exist.

In the configuration of the assistant, give the store by an absolute path:
programs are started in folders that are hard to foresee.`,
		Example: `  normsync mcp --db /home/zoe/world.db
  normsync mcp --read-only --db /home/zoe/world.db`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withServer(cmd.Context(), readOnly, ruleFile, func(s *service.Service) error {
				if isTerminal(a.stdin) {
					a.notef("normsync: mcp waits for the messages of an MCP client on the standard input; press Ctrl-D to end it")
				}
				return mcpserver.Serve(cmd.Context(), s, mcpserver.Options{
					Version: version(),
					Logger:  slog.New(slog.NewTextHandler(a.stderr, nil)),
				}, a.stdin, a.stdout)
			})
		},
	}
	cmd.Flags().StringVar(&ruleFile, "rules", "", "remember the facts that this `FILE` declares; import its norms by normsync import")
	cmd.Flags().BoolVar(&readOnly, "read-only", false, "change nothing and record nothing")
	return cmd
}
