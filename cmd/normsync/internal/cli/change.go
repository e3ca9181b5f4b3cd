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
	flags.StringVar(&f.norm.Unless, "unless", "", "`WORDS` that exempt an action; any of them is enough")
	flags.StringVar(&f.norm.Scope, "scope", "", "`LABEL` for people and reports (default \"global\")")
	flags.IntVar(&f.norm.Priority, "priority", 0, "a permit overrides prohibitions with a lower `NUMBER`")
	choiceVar(cmd, &f.severity, "severity", "how much a violation matters (default \"warn\")", "info", "warn", "error")
	flags.StringVar(&f.norm.Advice, "advice", "", "`TEXT` for the host, which is copied into violations")
	flags.Var(instant{&f.norm.From}, "from", "in force for actions from this time on")
	flags.Var(instant{&f.norm.Until}, "until", "in force for actions before this time")
	flags.BoolVar(&f.norm.Shadow, "shadow", false, "dry run: violations are reported, but deny nothing")
	f.addAuthor(cmd)
}

// addAuthor adds the flags for the author of a change and the reason.
func (f *normFlags) addAuthor(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.by, "by", "", "`NAME` of the author of the change")
	cmd.Flags().StringVar(&f.reason, "reason", "", "`TEXT` that says why the change is made")
}

func newAddCommand(a *app) *cobra.Command {
	var f normFlags
	var permit bool
	cmd := &cobra.Command{
		Use:   "add NAME DESCRIPTION CONDITION PROHIBITED [flags]",
		Short: "put a norm in force",
		Long: `Add puts a norm in force. CONDITION has the words that an action must have, and
PROHIBITED has the verbs that are then forbidden. An empty CONDITION always
applies. With --permit the norm permits the verbs, and so overrides their
prohibitions of lower priority.

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
			if location, err := a.location(); err == nil && service.PythonTables(cmd.Context(), location) {
				a.notef("normsync: note: %s has norms of the Python tool, which are not in force; run: normsync import-python", a.shownLocation())
			}
			return a.withService(cmd.Context(), service.Create, func(s *service.Service) error {
				err := a.change(cmd.Context(), s, normsync.Enact(n), f)
				if errors.Is(err, normsync.ErrExists) {
					return fmt.Errorf("%w: another norm with the name %s is in force; change it by normsync amend, or choose another name", normsync.ErrExists, quote(n.Name))
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

func newAmendCommand(a *app) *cobra.Command {
	var f normFlags
	cmd := &cobra.Command{
		Use:   "amend NAME [flags]",
		Short: "change a norm in force",
		Long: `Amend changes the fields of a norm in force that flags name, and leaves the
others as they are. An empty text clears a field. A norm has either forbidden or
permitted verbs, so --prohibited clears the permitted ones, and --permitted the
forbidden ones.`,
		Example: `  normsync amend peace --unless arena --reason "Duels are fine."
  normsync amend peace --shadow=false`,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := takes("NAME")(cmd, args); err != nil {
				return err
			}
			if len(f.changed(cmd)) == 0 {
				return usageErrorf("amend: no flag names a field to change, such as --condition or --priority")
			}
			return nil
		},
		ValidArgsFunction: a.completeNorms,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withService(cmd.Context(), service.Write, func(s *service.Service) error {
				n, ok := s.Monitor().Constitution().Norm(args[0])
				if !ok {
					return unknownNorm(s.Monitor().Constitution(), args[0])
				}
				for _, set := range f.changed(cmd) {
					set(&n)
				}
				return a.change(cmd.Context(), s, normsync.Amend(n), f)
			})
		},
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.norm.Description, "description", "", "`TEXT` for people")
	flags.StringVar(&f.norm.Condition, "condition", "", "`WORDS` that an action must have; all are needed")
	flags.StringVar(&f.norm.Prohibited, "prohibited", "", "`VERBS` that are forbidden")
	flags.StringVar(&f.norm.Permitted, "permitted", "", "`VERBS` that are permitted")
	return cmd
}

// changed returns a function for each flag of a norm's field that the user has set. It
// sets that field of a norm.
func (f *normFlags) changed(cmd *cobra.Command) (set []func(*normsync.Norm)) {
	for _, field := range []struct {
		flag string
		set  func(*normsync.Norm)
	}{
		{"description", func(n *normsync.Norm) { n.Description = f.norm.Description }},
		{"condition", func(n *normsync.Norm) { n.Condition = f.norm.Condition }},
		{"unless", func(n *normsync.Norm) { n.Unless = f.norm.Unless }},
		{"prohibited", func(n *normsync.Norm) {
			if n.Prohibited = f.norm.Prohibited; n.Prohibited != "" {
				n.Permitted = ""
			}
		}},
		{"permitted", func(n *normsync.Norm) {
			if n.Permitted = f.norm.Permitted; n.Permitted != "" && f.norm.Prohibited == "" {
				n.Prohibited = ""
			}
		}},
		{"scope", func(n *normsync.Norm) { n.Scope = f.norm.Scope }},
		{"priority", func(n *normsync.Norm) { n.Priority = f.norm.Priority }},
		{"severity", func(n *normsync.Norm) { n.Severity = normsync.Severity(f.severity) }},
		{"advice", func(n *normsync.Norm) { n.Advice = f.norm.Advice }},
		{"from", func(n *normsync.Norm) { n.From = f.norm.From }},
		{"until", func(n *normsync.Norm) { n.Until = f.norm.Until }},
		{"shadow", func(n *normsync.Norm) { n.Shadow = f.norm.Shadow }},
	} {
		if cmd.Flags().Changed(field.flag) {
			set = append(set, field.set)
		}
	}
	return set
}

func newRepealCommand(a *app) *cobra.Command {
	var f normFlags
	cmd := &cobra.Command{
		Use:   "repeal NAME [flags]",
		Short: "take out of force",
		Long: `Repeal takes a norm out of force. Its history and its violations stay in the
store.`,
		Args:              takes("NAME"),
		ValidArgsFunction: a.completeNorms,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withService(cmd.Context(), service.Write, func(s *service.Service) error {
				err := a.change(cmd.Context(), s, normsync.Repeal(args[0]), f)
				if errors.Is(err, normsync.ErrNotFound) {
					return unknownNorm(s.Monitor().Constitution(), args[0])
				}
				return err
			})
		},
	}
	f.addAuthor(cmd)
	return cmd
}
