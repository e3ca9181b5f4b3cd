package cli

import (
	"bufio"
	"cmp"
	"context"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
	"github.com/normsync/normsync/internal/texttable"
	"github.com/normsync/normsync/internal/token"
)

func newComplianceCommand(a *app) *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "compliance [AGENT] [--actions FILE]",
		Short: "rank agents",
		Long: `Compliance says how well agents keep the norms, worst first.

With --actions it judges the actions of a log, without recording anything, and
prints for each agent the share of actions that violate nothing, the risk and
the trend. Without --actions it counts the recorded violations. A store has no
actions that violate nothing, so it cannot tell rates.`,
		Args: takes("[AGENT]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			agent := ""
			if len(args) > 0 {
				agent = args[0]
				if agent == "" {
					return usageErrorf("compliance: AGENT is empty; name an agent, or leave it out for all agents")
				}
			}
			if path == "" {
				return a.withService(cmd.Context(), service.Read, func(s *service.Service) error {
					return a.tally(cmd.Context(), s.Store(), agent)
				})
			}
			log, err := a.openActions(cmd.Context(), path)
			if err != nil {
				return err
			}
			defer log.Close()
			return a.withService(cmd.Context(), service.Read, func(s *service.Service) error {
				return a.compliance(s.Monitor().Constitution(), log, agent)
			})
		},
	}
	cmd.Flags().StringVar(&path, "actions", "", "`FILE` of JSON objects, one per action; - is the standard input")
	return cmd
}

// compliance audits a log and writes the result for one agent or for all.
func (a *app) compliance(c *normsync.Constitution, log io.Reader, agent string) error {
	var readErr error
	list := append([]normsync.Compliance{}, normsync.Audit(c, a.readActions(log, &readErr))...)
	if readErr != nil {
		return readErr
	}
	if agent != "" {
		list = slices.DeleteFunc(list, func(c normsync.Compliance) bool { return token.Fold(c.Agent) != token.Fold(agent) })
		if len(list) == 0 {
			a.notef("normsync: note: the log has no action of the agent %s", quote(agent))
		}
	}
	if a.json {
		return a.writeJSON(struct {
			Compliance []normsync.Compliance `json:"compliance"`
		}{list})
	}
	return a.writeReport(normsync.Report{Compliance: list, MaxRows: -1})
}

// tally counts recorded violations by agent.
type tally struct {
	Agent      string         `json:"agent_id"`
	Violations int            `json:"violations"`
	Denied     int            `json:"denied"` // violations of norms that are not dry runs
	Errors     int            `json:"errors"` // of severity error
	ByNorm     map[string]int `json:"by_norm"`

	last time.Time
}

func (a *app) tally(ctx context.Context, s normsync.Store, agent string) error {
	byAgent := map[string]*tally{}
	for v, err := range normsync.QueryViolations(ctx, s, normsync.ViolationQuery{Agent: agent}) {
		if err != nil {
			return err
		}
		key := token.Fold(v.Action.Agent)
		t := byAgent[key]
		if t == nil {
			t = &tally{Agent: v.Action.Agent, ByNorm: map[string]int{}}
			byAgent[key] = t
		}
		t.add(v.Violation)
	}
	list := slices.SortedFunc(maps.Values(byAgent), func(x, y *tally) int {
		return cmp.Or(cmp.Compare(y.Denied, x.Denied), cmp.Compare(y.Violations, x.Violations), cmp.Compare(x.Agent, y.Agent))
	})
	if a.json {
		return a.writeJSON(struct {
			Agents []*tally `json:"agents"`
		}{append([]*tally{}, list...)})
	}
	if len(list) == 0 {
		return a.printf("No violations found.\n")
	}
	out := bufio.NewWriter(a.stdout)
	if err := tallyTable(list).WriteText(out); err != nil {
		return err
	}
	out.WriteString("\nThe store has violations only. For rates, name a log of all actions by --actions.\n")
	return out.Flush()
}

func (t *tally) add(v normsync.Violation) {
	t.Violations++
	t.ByNorm[v.NormName]++
	if !v.Shadow {
		t.Denied++
	}
	if v.Severity == normsync.SeverityError {
		t.Errors++
	}
	if v.Action.Time.After(t.last) {
		t.last = v.Action.Time
	}
}

func tallyTable(list []*tally) *texttable.Table {
	return &texttable.Table{
		Columns: []string{"Agent", "#Violations", "#Denied", "#Errors", "Last", "By norm"},
		Rows:    len(list),
		Row: func(i int) []string {
			t := list[i]
			return []string{t.Agent, strconv.Itoa(t.Violations), strconv.Itoa(t.Denied), strconv.Itoa(t.Errors), showTime(t.last), texttable.Counts(t.ByNorm)}
		},
	}
}
