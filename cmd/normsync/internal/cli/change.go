package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

// normFlags are the flags of a norm's fields.
type normFlags struct {
	norm     normsync.Norm
	severity string
	by       string
	reason   string
}

// add adds the flags that add and amend have in common.
func (f *normFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.norm.Unless, "unless", "", "words that exempt an action; any of them is enough")
	flags.StringVar(&f.norm.Scope, "scope", "", "label for people and reports (default \"global\")")
	flags.IntVar(&f.norm.Priority, "priority", 0, "a permit lifts its verbs from prohibitions of lower priority")
	choiceVar(cmd, &f.severity, "severity", "how much a violation matters (default \"warn\")", "info", "warn", "error")
	flags.StringVar(&f.norm.Advice, "advice", "", "text for the host, which is copied into violations")
	flags.Var(instant{&f.norm.From}, "from", "in force for actions from this time on")
	flags.Var(instant{&f.norm.Until}, "until", "in force for actions before this time")
	flags.BoolVar(&f.norm.Shadow, "shadow", false, "dry run: violations are reported, but deny nothing")
	f.addAuthor(cmd)
}

// addAuthor adds the flags that say who makes a change, and why.
func (f *normFlags) addAuthor(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.by, "by", "", "who makes the change")
	cmd.Flags().StringVar(&f.reason, "reason", "", "why the change is made")
}

func newAddCommand(a *app) *cobra.Command {
	var f normFlags
	var permit bool
	cmd := &cobra.Command{
		Use:   "add NAME DESCRIPTION CONDITION PROHIBITED [flags]",
		Short: "put a norm in force",
		Long: `Add puts a norm in force. CONDITION has the words that an action must have, and
PROHIBITED has the verbs that are then forbidden. An empty CONDITION always applies.
With --permit the norm permits the verbs, and so lifts them from prohibitions of lower
priority.

Add creates the store if it does not exist.`,
		Example: `  normsync add peace "No fighting in town." safe_zone "attack steal"
  normsync add duel "Duels are fine." arena attack --permit --priority 1`,
		Args: func(cmd *cobra.Command, args []string) error {
			if permit && len(args) == 5 && args[3] == "" {
				return nil // "" for PROHIBITED, and the verbs behind --permit
			}
			return takes("NAME", "DESCRIPTION", "CONDITION", "PROHIBITED")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			n := f.norm
			n.Name, n.Description, n.Condition, n.Severity = args[0], args[1], args[2], normsync.Severity(f.severity)
			if verbs := args[len(args)-1]; permit {
				n.Permitted = verbs
			} else {
				n.Prohibited = verbs
			}
			if err := n.Validate(); err != nil {
				return err // before a store is created
			}
			return a.withService(cmd.Context(), service.Create, func(s *service.Service) error {
				err := a.change(cmd.Context(), s, normsync.Enact(n), f)
				if errors.Is(err, normsync.ErrExists) {
					return fmt.Errorf("%w: normsync amend %q", err, n.Name)
				}
				return err
			})
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&permit, "permit", false, "permit the verbs instead of forbidding them")
	return cmd
}

// past says what a change did.
var past = map[normsync.ChangeKind]string{
	normsync.KindEnact:  "Added",
	normsync.KindAmend:  "Amended",
	normsync.KindRepeal: "Repealed",
}

// change carries out one change and says so.
func (a *app) change(ctx context.Context, s *service.Service, change normsync.Change, f normFlags) error {
	revisions, err := s.Monitor().Apply(ctx, change.Attributed(f.by, f.reason))
	if err != nil {
		return err
	}
	n := change.Norm
	done := "Unchanged"
	if len(revisions) > 0 {
		n, done = revisions[0].Norm, past[change.Kind]
	}
	if change.Kind != normsync.KindRepeal {
		a.lint(s, n.Name)
	}
	if a.json {
		return a.writeJSON(n)
	}
	return a.printf("%s norm: %s (id=%s)\n", done, plain(n.Name), n.ID())
}

// lint warns of what is legal in a norm in force and likely not meant.
func (a *app) lint(s *service.Service, name string) {
	for _, w := range normsync.Lint(slices.Collect(s.Monitor().Constitution().All())) {
		if w.Norm != name {
			continue
		}
		text := fmt.Sprintf("normsync: warning: %s %q: %s", w.Field, w.Token, w.Detail)
		if w.Suggestion != "" {
			text += "; write: " + w.Suggestion
		}
		a.notef("%s", plain(text))
	}
}
