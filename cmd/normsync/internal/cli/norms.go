package cli

import (
	"cmp"
	"slices"

	"github.com/spf13/cobra"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

func newNormsCommand(a *app) *cobra.Command {
	var scope string
	cmd := &cobra.Command{
		Use:   "norms [--scope SCOPE]",
		Short: "list the norms in force",
		Long: `Norms lists the norms in force, by name. With --json the output is a file that
normsync import reads.`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withService(cmd.Context(), service.Read, func(s *service.Service) error {
				return a.writeNorms(s.Monitor().Constitution(), scope, cmd.Flags().Changed("scope"))
			})
		},
	}
	cmd.Flags().StringVar(&scope, "scope", "", "only norms of this scope")
	return cmd
}

// writeNorms writes the norms of a constitution, or those of one scope.
func (a *app) writeNorms(c *normsync.Constitution, scope string, scoped bool) error {
	norms := slices.AppendSeq([]normsync.Norm{}, c.All())
	if scoped {
		norms = slices.DeleteFunc(norms, func(n normsync.Norm) bool {
			return cmp.Or(n.Scope, "global") != cmp.Or(scope, "global")
		})
	}
	return a.writeReport(normsync.Report{Norms: norms, MaxRows: -1})
}
