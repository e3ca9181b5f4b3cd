package cli

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

func newRevisionsCommand(a *app) *cobra.Command {
	var norm string
	var follow bool
	cmd := &cobra.Command{
		Use:   "revisions [--norm NAME] [--follow]",
		Short: "list changes to norms",
		Long: `Revisions lists every change to the norms, oldest first. With --follow it then
prints each change when it comes into force, until it is interrupted.`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withService(cmd.Context(), service.Read, func(s *service.Service) error {
				if follow {
					return a.followRevisions(cmd.Context(), s, norm)
				}
				return a.listRevisions(cmd.Context(), s, norm)
			})
		},
	}
	cmd.Flags().StringVar(&norm, "norm", "", "only changes to the norm with this `NAME`")
	cmd.Flags().BoolVar(&follow, "follow", false, "go on with changes as they are made")
	_ = cmd.RegisterFlagCompletionFunc("norm", a.normNames)
	return cmd
}

// revisionList is a list of revisions as it is written in JSON.
type revisionList struct {
	Revisions []normsync.Revision `json:"revisions"`
}

func (a *app) listRevisions(ctx context.Context, s *service.Service, norm string) error {
	list := revisionList{[]normsync.Revision{}}
	for r, err := range s.Store().Revisions(ctx, 0) {
		if err != nil {
			return err
		}
		if norm == "" || r.Norm.Name == norm {
			list.Revisions = append(list.Revisions, r)
		}
	}
	if norm != "" && len(list.Revisions) == 0 {
		return unknownNorm(s.Monitor().Constitution(), norm)
	}
	if a.json {
		return a.writeJSON(list)
	}
	return a.writeReport(normsync.Report{Revisions: list.Revisions, MaxRows: -1})
}

func (a *app) followRevisions(ctx context.Context, s *service.Service, norm string) error {
	write := func(r normsync.Revision) error {
		if norm != "" && r.Norm.Name != norm {
			return nil
		}
		if a.json {
			return a.writeJSON(r)
		}
		line := strconv.FormatUint(r.Edition, 10) + "  " + showTime(r.Time) + "  " + string(r.Kind) + " " + quote(r.Norm.Name)
		if r.By != "" {
			line += ", by " + plain(r.By)
		}
		if r.Reason != "" {
			line += ": " + plain(r.Reason)
		}
		return writeLine(a.stdout, line)
	}
	last := s.Monitor().Constitution().Edition()
	for r, err := range s.Store().Revisions(ctx, 0) {
		if err != nil {
			return err
		}
		if r.Edition > last {
			break // Follow yields it
		}
		if err := write(r); err != nil {
			return err
		}
	}
	for revisions, err := range s.Monitor().Follow(ctx) {
		if err != nil {
			return err
		}
		for _, r := range revisions {
			if err := write(r); err != nil {
				return err
			}
		}
	}
	return nil
}
