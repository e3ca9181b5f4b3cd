package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

func newConflictsCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "conflicts",
		Short: "find norms that clash",
		Long: `Conflicts reports norms in force that duplicate, contradict or overrule each
other, or that can never apply, each with an action that shows it. It reports
only what it can prove. The exit code is 1 if there are conflicts.`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withService(cmd.Context(), service.Read, func(s *service.Service) error {
				return a.conflicts(slices.Collect(s.Monitor().Constitution().All()))
			})
		},
	}
}

// conflictList is the result of conflicts as it is written in JSON.
type conflictList struct {
	Conflicts []normsync.Conflict `json:"conflicts"`
	GaveUp    []string            `json:"gave_up"` // norms of which conflicts may be missing
}

func (a *app) conflicts(norms []normsync.Norm) error {
	found, gaveUp, err := normsync.FindConflicts(norms)
	if err != nil {
		return err
	}
	list := conflictList{append([]normsync.Conflict{}, found...), append([]string{}, gaveUp...)}
	if a.json {
		err = a.writeJSON(list)
	} else {
		err = a.writeReport(normsync.Report{Conflicts: list.Conflicts, MaxRows: -1})
		if len(gaveUp) > 0 {
			a.notef("normsync: note: conflicts of these norms may be missing, since too many norms are much alike: %s", plain(strings.Join(gaveUp, ", ")))
		}
	}
	if err == nil && len(found) > 0 {
		err = errFound
	}
	return err
}
