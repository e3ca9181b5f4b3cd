package cli

import (
	"cmp"
	"slices"

	"github.com/spf13/cobra"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/rules"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

func newExportCommand(a *app) *cobra.Command {
	var scope string
	cmd := &cobra.Command{
		Use:   "export [--scope LABEL]",
		Short: "write a rule file",
		Long: `Export writes the norms in force as a rule file in JSON, by name, to the
standard output. The file is made to be edited and kept in git: it has a line
per field, and no fields with their default. When import reads it back, nothing
changes.`,
		Example: `  normsync export > rules.json
  normsync export --scope north`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withService(cmd.Context(), service.Read, func(s *service.Service) error {
				norms := slices.Collect(s.Monitor().Constitution().All())
				if cmd.Flags().Changed("scope") {
					norms = slices.DeleteFunc(norms, func(n normsync.Norm) bool {
						return cmp.Or(n.Scope, "global") != cmp.Or(scope, "global")
					})
				}
				for _, err := range s.Monitor().Refused() {
					a.notef("normsync: warning: import will refuse a norm that an earlier version has accepted: %s", plain(err.Error()))
				}
				return rules.Write(a.stdout, norms)
			})
		},
	}
	cmd.Flags().StringVar(&scope, "scope", "", "only norms of the scope with this `LABEL`")
	return cmd
}
