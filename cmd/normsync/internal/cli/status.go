package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

// status is what a store holds.
type status struct {
	Store      string `json:"store"`
	Norms      int    `json:"norms"`
	Violations uint64 `json:"violations"`
	Revisions  uint64 `json:"revisions"`
}

func newStatusCommand(a *app) *cobra.Command {
	var fail bool
	cmd := &cobra.Command{
		Use:   "status [--fail-on-violation]",
		Short: "count what is stored",
		Long: `Status prints the number of norms in force, of stored violations, and of
revisions.

With --fail-on-violation the exit code is 1 if a stored violation denied its
action. Violations of shadow norms do not count for that.`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withService(cmd.Context(), service.Read, func(s *service.Service) error {
				return a.status(cmd.Context(), s, fail)
			})
		},
	}
	cmd.Flags().BoolVar(&fail, "fail-on-violation", false, "exit with 1 if a stored violation denied its action")
	return cmd
}

func (a *app) status(ctx context.Context, s *service.Service, fail bool) error {
	constitution := s.Monitor().Constitution()
	count, err := countViolations(ctx, s.Store())
	if err != nil {
		return err
	}
	st := status{a.shownLocation(), constitution.Len(), count, constitution.Edition()}
	if a.json {
		err = a.writeJSON(st)
	} else {
		err = a.printf("Store: %s\nNorms: %d\nViolations: %d\nRevisions: %d\n", st.Store, st.Norms, st.Violations, st.Revisions)
	}
	if err != nil || !fail {
		return err
	}
	for v, err := range s.Store().Violations(ctx, 0) {
		if err != nil {
			return err
		}
		if !v.Shadow {
			return errFound
		}
	}
	return nil
}

// countViolations counts the stored violations by the numbers of the first and the
// last one, so that it need not read those between them.
func countViolations(ctx context.Context, s normsync.Store) (uint64, error) {
	var first uint64
	for v, err := range s.Violations(ctx, 0) {
		if err != nil {
			return 0, err
		}
		first = v.Number
		break
	}
	last, err := lastViolation(ctx, s)
	if err != nil {
		return 0, err
	}
	if first == 0 || last < first {
		return 0, nil
	}
	return last - first + 1, nil
}

// lastViolation returns the number of the newest violation, or 0 if there is none.
func lastViolation(ctx context.Context, s normsync.Store) (uint64, error) {
	for v, err := range normsync.QueryViolations(ctx, s, normsync.ViolationQuery{Newest: true, Limit: 1}) {
		return v.Number, err
	}
	return 0, nil
}
