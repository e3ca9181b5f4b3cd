package cli

import (
	"bufio"
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
	"github.com/normsync/normsync/internal/texttable"
)

func newCheckCommand(a *app) *cobra.Command {
	var f actionFlags
	var path, ruleFile string
	var dryRun, summary bool
	cmd := &cobra.Command{
		Use:   "check AGENT ACTION [LOCATION] | check --actions FILE",
		Short: "judge, and record",
		Long: `Check judges an action by the norms in force and records its violations. The
exit code is 1 if the action is denied. Violations of shadow norms deny nothing.

With --actions, check judges each action of a file, which has JSON objects such
as {"agent_id": "hero", "action": "attack", "location": "safe_zone"}, one after
another. It writes a JSON object per action: the number of the action, whether
it is allowed, and its violations. A summary follows on the standard error. On a
terminal, check shows its progress and writes only the summary. The exit code is
1 if an action is denied. An action without a timestamp counts as done now.

With --actions and --rules, the facts that a rule file declares remember the
actions of the log: those that are allowed have happened, and violations count.
Without --actions, the facts that count violations count those in the store, and
other facts are those in --facts. The norms of the file are passed over.`,
		Example: `  normsync check hero attack safe_zone --facts night
  normsync check --actions log.jsonl --dry-run
  normsync check --actions - < log.jsonl | grep '"allowed":false'`,
		Args: func(cmd *cobra.Command, args []string) error {
			if path == "" && summary {
				return usageErrorf("check: --summary needs --actions, since it sums up the actions of a log")
			}
			if path == "" {
				return takes("AGENT", "ACTION", "[LOCATION]")(cmd, args)
			}
			if len(args) > 0 {
				return usageErrorf("check: %q does not go with --actions, which has the actions in a file", args[0])
			}
			for _, name := range []string{"target", "faction", "facts", "time"} {
				if cmd.Flags().Changed(name) {
					return usageErrorf("check: --%s does not go with --actions, which has the actions in a file", name)
				}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			mode := service.Write
			if dryRun {
				mode = service.Read
			}
			ctx := cmd.Context()
			if path != "" {
				log, err := a.openActions(ctx, path)
				if err != nil {
					return err
				}
				defer log.Close()
				return a.withService(ctx, mode, func(s *service.Service) error {
					if err := a.remember(s, ruleFile); err != nil {
						return err
					}
					b := batch{app: a, summaryOnly: summary || isTerminal(a.stdout) && !a.json}
					return b.check(ctx, s, log, dryRun)
				})
			}
			action, err := f.action(cmd.Name(), args)
			if err != nil {
				return err
			}
			return a.withService(ctx, mode, func(s *service.Service) error {
				if err := a.rememberViolations(ctx, s, ruleFile); err != nil {
					return err
				}
				return a.check(ctx, s, action, dryRun)
			})
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&path, "actions", "", "judge the actions in this `FILE`; - is the standard input")
	cmd.Flags().StringVar(&ruleFile, "rules", "", "remember the facts that this `FILE` declares")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "do not record violations")
	cmd.Flags().BoolVar(&summary, "summary", false, "with --actions, write only the summary")
	return cmd
}

// check judges one action, records its violations and writes the verdict.
func (a *app) check(ctx context.Context, s *service.Service, action normsync.Action, dryRun bool) error {
	v := s.Judge(action)
	if !dryRun {
		if err := s.Store().AppendViolations(ctx, v.Violations...); err != nil {
			return err
		}
	}
	if err := a.writeVerdict(v); err != nil {
		return err
	}
	if len(v.Violations) == 0 {
		a.noteUnknownVerb(s.Monitor().Constitution(), action)
	}
	if !v.Allowed {
		return errFound
	}
	return nil
}

func (a *app) writeVerdict(v service.Verdict) error {
	if a.json {
		return a.writeJSON(v)
	}
	if len(v.Violations) == 0 {
		return a.printf("%s\n", a.paint(green, "No violations detected."))
	}
	table := &texttable.Table{
		Columns: []string{"Norm", "Severity", "State", "Advice", "Description"},
		Rows:    len(v.Violations),
		Row: func(i int) []string {
			v, state := v.Violations[i], ""
			if v.Shadow {
				state = "dry run"
			}
			return []string{v.NormName, string(v.Severity), state, v.Advice, v.String()}
		},
	}
	verdict := a.paint(red, "The action is denied.")
	if v.Allowed {
		verdict = a.paint(green, "The action is allowed:") + " only shadow norms are violated, which are dry runs."
	}
	out := bufio.NewWriter(a.stdout)
	_, err := out.WriteString(a.paint(red, countOf(len(v.Violations))) + "\n\n")
	return errors.Join(err, table.WriteText(out), writeLine(out, "\n"+verdict), out.Flush())
}
