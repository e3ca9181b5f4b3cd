package cli

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"

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
	cmd.Flags().StringVar(&scope, "scope", "", "only norms of the scope with this `LABEL`")
	return cmd
}

// writeNorms writes the norms of a constitution. If scoped is set, it writes the norms
// of one scope only.
func (a *app) writeNorms(c *normsync.Constitution, scope string, scoped bool) error {
	norms := slices.AppendSeq([]normsync.Norm{}, c.All())
	if scoped {
		norms = slices.DeleteFunc(norms, func(n normsync.Norm) bool {
			return cmp.Or(n.Scope, "global") != cmp.Or(scope, "global")
		})
	}
	return a.writeReport(normsync.Report{Norms: norms, MaxRows: -1})
}

func newShowCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "show NAME",
		Short:             "show a norm's history",
		Long:              `Show prints the fields of a norm that is or was in force, and each change to it.`,
		Args:              takes("NAME"),
		ValidArgsFunction: a.completeNorms,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withService(cmd.Context(), service.Read, func(s *service.Service) error {
				history, err := normsync.History(cmd.Context(), s.Store(), args[0])
				if errors.Is(err, normsync.ErrNotFound) {
					return unknownNorm(s.Monitor().Constitution(), args[0])
				}
				if err != nil {
					return err
				}
				return a.show(history)
			})
		},
	}
}

// show writes a norm as it is after its last revision, and its history.
func (a *app) show(history []normsync.Revision) error {
	n := history[len(history)-1].Norm
	if a.json {
		return a.writeJSON(struct {
			Norm      normsync.Norm       `json:"norm"`
			Revisions []normsync.Revision `json:"revisions"`
		}{n, history})
	}
	state := "in force"
	switch {
	case n.Repealed:
		state = "repealed"
	case n.Shadow:
		state = "in force as a dry run"
	}
	lines := [][2]string{
		{"Norm", n.Name}, {"ID", n.ID().String()}, {"State", state}, {"Description", n.Description},
		{"Condition", n.Condition}, {"Unless", n.Unless}, {"Forbids", n.Prohibited}, {"Permits", n.Permitted},
		{"Scope", cmp.Or(n.Scope, "global")}, {"Priority", strconv.Itoa(n.Priority)},
		{"Severity", string(cmp.Or(n.Severity, normsync.SeverityWarn))}, {"Advice", n.Advice},
		{"From", showTime(n.From)}, {"Until", showTime(n.Until)},
	}
	for _, line := range lines {
		if line[1] == "" {
			continue
		}
		if err := a.printf("%-12s %s\n", line[0]+":", plain(line[1])); err != nil {
			return err
		}
	}
	if err := a.printf("\n"); err != nil {
		return err
	}
	return a.writeReport(normsync.Report{Revisions: history, MaxRows: -1})
}

// unknownNorm returns the error for a name that no norm in force has.
func unknownNorm(c *normsync.Constitution, name string) error {
	var names []string
	for n := range c.All() {
		names = append(names, n.Name)
	}
	if near, ok := nearestOf(name, names); ok {
		return fmt.Errorf("%w: %s; did you mean %s?", normsync.ErrNotFound, quote(name), quote(near))
	}
	return fmt.Errorf("%w: %s; normsync norms lists the names of the norms in force", normsync.ErrNotFound, quote(name))
}

// completeNorms completes the name of a norm in force.
func (a *app) completeNorms(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.normNames(cmd, args, "")
}

// normNames returns the names of the norms in force, for the completion of a flag.
func (a *app) normNames(cmd *cobra.Command, _ []string, _ string) (names []string, _ cobra.ShellCompDirective) {
	err := a.withService(cmd.Context(), service.Read, func(s *service.Service) error {
		for n := range s.Monitor().Constitution().All() {
			names = append(names, n.Name)
		}
		return nil
	})
	if err != nil { // there is nothing to complete
		return nil, cobra.ShellCompDirectiveError
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
