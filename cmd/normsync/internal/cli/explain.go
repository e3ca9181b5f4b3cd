package cli

import (
	"github.com/spf13/cobra"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

func newExplainCommand(a *app) *cobra.Command {
	var f actionFlags
	var ruleFile string
	cmd := &cobra.Command{
		Use:   "explain AGENT ACTION [LOCATION]",
		Short: "say why, or why not",
		Long: `Explain judges an action without recording anything, and says for every norm
that has its verb what became of it: violated, or which words are missing, which
word exempts the action, or which permit overrides the norm. The exit code is 1
if the action is denied.

With --rules, the facts of a rule file that count violations count those in the
store. Other facts are those in --facts. The norms of the file are passed over.`,
		Example: `  normsync explain hero attack "town safe_zone" --facts night`,
		Args:    takes("AGENT", "ACTION", "[LOCATION]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			action, err := f.action(cmd.Name(), args)
			if err != nil {
				return err
			}
			return a.withService(cmd.Context(), service.Read, func(s *service.Service) error {
				if err := a.rememberViolations(cmd.Context(), s, ruleFile); err != nil {
					return err
				}
				return a.explain(s, s.WithFacts(action))
			})
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&ruleFile, "rules", "", "remember the facts that this `FILE` declares")
	// Explain takes the flags of check.
	cmd.Flags().Bool("dry-run", false, "explain never records violations")
	_ = cmd.Flags().MarkHidden("dry-run")
	return cmd
}

func (a *app) explain(s *service.Service, action normsync.Action) error {
	c := s.Monitor().Constitution()
	e := service.Explanation{Action: action, Allowed: c.Allows(action), Findings: c.Explain(action)}
	if e.Findings == nil {
		e.Findings = []normsync.Finding{}
	}
	if err := a.writeExplanation(e); err != nil {
		return err
	}
	if len(e.Findings) == 0 {
		a.noteUnknownVerb(c, action)
	}
	if !e.Allowed {
		return errFound
	}
	return nil
}

func (a *app) writeExplanation(e service.Explanation) error {
	if a.json {
		return a.writeJSON(e)
	}
	verdict := a.paint(red, "The action is denied.")
	if e.Allowed {
		verdict = a.paint(green, "The action is allowed.")
	}
	if len(e.Findings) == 0 {
		return a.printf("%s No norm has the verb %s.\n", verdict, quote(e.Action.Verb))
	}
	if err := a.writeReport(normsync.Report{Findings: e.Findings}); err != nil {
		return err
	}
	return a.printf("\n%s\n", verdict)
}
