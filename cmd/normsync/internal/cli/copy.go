package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

func newCopyCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "copy FROM TO",
		Short: "copy a store to another",
		Long: `Copy copies all revisions and violations of one store to another one, which it
creates if it does not exist. FROM and TO are written as for --store. If TO has
a part of FROM already, copy goes on where that ends; so you can run it again
after an error, or to copy what is new. No other program may write to TO
meanwhile.`,
		Example: `  normsync copy .normsync/norms.db file:world
  normsync copy file:world postgres://user:password@host/world`,
		Args: func(cmd *cobra.Command, args []string) error {
			if a.db != "" || a.store != "" {
				return usageErrorf("copy: --db and --store do not go with it; write copy FROM TO")
			}
			return takes("FROM", "TO")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			ctx := cmd.Context()
			from, err := service.OpenStore(ctx, args[0], service.Read)
			if err != nil {
				return err
			}
			defer closeStore(from, &err)
			if service.SameStore(args[0], args[1]) {
				return fmt.Errorf("normsync: copy %s to %s: both are the same store; name another one to copy to", quote(service.Redact(args[0])), quote(service.Redact(args[1])))
			}
			to, err := service.OpenStore(ctx, args[1], service.Create)
			if err != nil {
				return err
			}
			defer closeStore(to, &err)
			before, err := countStore(ctx, to)
			if err != nil {
				return err
			}
			if err := normsync.Copy(ctx, from, to); err != nil {
				return err
			}
			after, err := countStore(ctx, to)
			if err != nil {
				return err
			}
			copied := storeCount{after.Revisions - before.Revisions, after.Violations - before.Violations}
			if a.json {
				return a.writeJSON(copied)
			}
			return a.printf("Copied %d revision(s) and %d violation(s).\n", copied.Revisions, copied.Violations)
		},
	}
}

// storeCount counts what a store holds.
type storeCount struct {
	Revisions  uint64 `json:"revisions"`
	Violations uint64 `json:"violations"`
}

func countStore(ctx context.Context, s normsync.Store) (c storeCount, err error) {
	for _, err := range s.Revisions(ctx, 0) {
		if err != nil {
			return c, err
		}
		c.Revisions++
	}
	c.Violations, err = countViolations(ctx, s)
	return c, err
}

// closeStore closes a store, and adds the error to err.
func closeStore(s service.Store, err *error) { *err = errors.Join(*err, s.Close()) }
