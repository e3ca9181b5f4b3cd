package cli

import (
	"github.com/spf13/cobra"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

func newCoverCommand(a *app) *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "cover --actions FILE",
		Short: "what a log exercises",
		Long: `Cover judges the actions of a log, without recording anything, and says for each
norm in force how often it applied, was violated or overridden, and which of its
words no action has. It answers why a rule never fires, and what a shadow norm
would have denied.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if path == "" {
				return usageErrorf("cover: name the log by --actions FILE; - is the standard input")
			}
			return takes()(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			log, err := a.openActions(cmd.Context(), path)
			if err != nil {
				return err
			}
			defer log.Close()
			return a.withService(cmd.Context(), service.Read, func(s *service.Service) error {
				var readErr error
				coverage := normsync.Cover(s.Monitor().Constitution(), a.readActions(log, &readErr))
				if readErr != nil {
					return readErr
				}
				return a.writeCoverage(coverage)
			})
		},
	}
	cmd.Flags().StringVar(&path, "actions", "", "`FILE` of JSON objects, one per action; - is the standard input")
	return cmd
}

func (a *app) writeCoverage(coverage []normsync.Coverage) error {
	if !a.json {
		return a.writeReport(normsync.Report{Coverage: append([]normsync.Coverage{}, coverage...), MaxRows: -1})
	}
	list := append([]normsync.Coverage{}, coverage...)
	for i := range list {
		if list[i].Unseen == nil {
			list[i].Unseen = []normsync.UnseenToken{}
		}
	}
	return a.writeJSON(struct {
		Coverage []normsync.Coverage `json:"coverage"`
	}{list})
}
