package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

func newViolationsCommand(a *app) *cobra.Command {
	var q normsync.ViolationQuery
	var format, severity string
	var limit uint32
	var follow bool
	cmd := &cobra.Command{
		Use:   "violations [flags]",
		Short: "list violations",
		Long: `Violations lists recorded violations, newest first. As a table or in Markdown it
shows at most 100 of them unless --limit says otherwise, below a summary of all
of them by norm. JSON has all of them, and the norms in force.

With --follow it prints the last ten violations, or as many as --limit says, and
then each violation when it is recorded, until it is interrupted.`,
		Example: `  normsync violations --agent hero --since 7d
  normsync violations --format markdown > report.md`,
		Args: func(cmd *cobra.Command, args []string) error {
			if follow && format == "markdown" {
				return usageErrorf("violations: --follow writes lines of text or of JSON; leave out --format markdown")
			}
			if !q.Since.IsZero() && !q.Until.IsZero() && !q.Since.Before(q.Until) {
				return usageErrorf("violations: --since %s is not before --until %s; name an earlier time, or leave one of them out", showTime(q.Since), showTime(q.Until))
			}
			return takes()(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			q.Severity, q.Limit, q.Newest = normsync.Severity(severity), int(min(limit, math.MaxInt32)), true
			if a.json {
				format = "json"
			}
			return a.withService(cmd.Context(), service.Read, func(s *service.Service) error {
				if err := a.noteUnknownNorm(cmd.Context(), s, q.Norm); err != nil {
					return err
				}
				if follow {
					return a.followViolations(cmd.Context(), s.Store(), q, format == "json")
				}
				return a.listViolations(cmd.Context(), s, q, format)
			})
		},
	}
	choiceVar(cmd, &format, "format", "form of the list (default table)", "table", "json", "markdown")
	choiceVar(cmd, &severity, "severity", "only violations of this severity", "info", "warn", "error")
	flags := cmd.Flags()
	flags.StringVar(&q.Agent, "agent", "", "only violations by this `AGENT`")
	flags.StringVar(&q.Norm, "norm", "", "only violations of the norm with this `NAME`")
	flags.Var(instant{&q.Since}, "since", "only actions at or after this time")
	flags.Var(instant{&q.Until}, "until", "only actions before this time")
	flags.Uint32Var(&limit, "limit", 0, "at most this `NUMBER`, the newest ones (default all)")
	flags.BoolVar(&follow, "follow", false, "go on with violations as they are recorded")
	_ = cmd.RegisterFlagCompletionFunc("norm", a.normNames)
	return cmd
}

// noteUnknownNorm writes a remark if no norm has or had a name, which may be empty.
func (a *app) noteUnknownNorm(ctx context.Context, s *service.Service, name string) error {
	if name == "" {
		return nil
	}
	_, err := normsync.History(ctx, s.Store(), name)
	if errors.Is(err, normsync.ErrNotFound) {
		text := strings.TrimPrefix(errorText(unknownNorm(s.Monitor().Constitution(), name)), "normsync: ")
		a.notef("normsync: note: %s", text)
		return nil
	}
	return err
}

func (a *app) listViolations(ctx context.Context, s *service.Service, q normsync.ViolationQuery, format string) error {
	found := normsync.QueryViolations(ctx, s.Store(), q)
	if format == "json" {
		return a.writeViolationsJSON(s.Monitor().Constitution(), found)
	}
	r := normsync.Report{Violations: []normsync.Violation{}}
	for v, err := range found {
		if err != nil {
			return err
		}
		r.Violations = append(r.Violations, v.Violation)
	}
	if q.Limit > 0 {
		r.MaxRows = -1
	}
	if format == "markdown" {
		return r.WriteMarkdown(a.stdout)
	}
	return r.WriteText(a.stdout)
}

// writeViolationsJSON writes what Report.WriteJSON writes for norms and violations, with
// the number of each violation, but does not hold the violations in memory.
func (a *app) writeViolationsJSON(c *normsync.Constitution, found iter.Seq2[normsync.StoredViolation, error]) error {
	var frame bytes.Buffer
	r := normsync.Report{Norms: slices.AppendSeq([]normsync.Norm{}, c.All()), Violations: []normsync.Violation{}}
	if err := r.WriteJSON(&frame); err != nil {
		return err
	}
	// Text of users cannot contain this, since quotes are escaped in it.
	head, _, _ := strings.Cut(frame.String(), `"violations": []`)
	out := bufio.NewWriter(a.stdout)
	out.WriteString(head + `"violations": [`) // an error is kept, and reported by Flush
	count := 0
	for v, err := range found {
		if err != nil {
			return errors.Join(err, out.Flush())
		}
		if count++; count > 1 {
			out.WriteString(",")
		}
		text, err := violationJSON(v)
		if err != nil {
			return err
		}
		out.WriteString("\n  ")
		if _, err := out.Write(text); err != nil {
			return err
		}
	}
	if count > 0 {
		out.WriteString("\n")
	}
	fmt.Fprintf(out, "],\n\"violation_count\": %d,\n\"has_violations\": %t\n}\n", count, count > 0)
	return out.Flush()
}

// violationJSON returns a violation as a JSON object with its number, after which a
// program can go on. The other keys are those of the violation.
func violationJSON(v normsync.StoredViolation) ([]byte, error) {
	text, err := json.Marshal(v.Violation)
	if err != nil {
		return nil, fmt.Errorf("normsync: write violation %d: %w", v.Number, err)
	}
	number := strconv.AppendUint([]byte(`{"number":`), v.Number, 10)
	return visible(append(append(number, ','), text[1:]...)), nil
}

// followPeriod is how often a store is asked for new violations.
const followPeriod = 200 * time.Millisecond

func (a *app) followViolations(ctx context.Context, s normsync.Store, q normsync.ViolationQuery, asJSON bool) error {
	q.Limit = cmp.Or(q.Limit, 10)
	after, err := lastViolation(ctx, s) // first, so that nothing is missed that is recorded meanwhile
	if err != nil {
		return err
	}
	var last []normsync.StoredViolation
	for v, err := range normsync.QueryViolations(ctx, s, q) {
		if err != nil {
			return err
		}
		last = append(last, v)
		after = max(after, v.Number)
	}
	for _, v := range slices.Backward(last) {
		if err := a.writeViolationLine(v, asJSON); err != nil {
			return err
		}
	}
	q.After, q.Limit, q.Newest = after, 0, false
	tick := time.NewTicker(followPeriod)
	defer tick.Stop()
	for {
		for v, err := range normsync.QueryViolations(ctx, s, q) {
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return err
			}
			q.After = v.Number
			if err := a.writeViolationLine(v, asJSON); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (a *app) writeViolationLine(v normsync.StoredViolation, asJSON bool) error {
	if asJSON {
		text, err := violationJSON(v)
		if err != nil {
			return err
		}
		_, err = a.stdout.Write(append(text, '\n'))
		return err
	}
	kind := string(v.Severity)
	if v.Shadow {
		kind += ", dry run"
	}
	return a.printf("%d  %s  %s  %s\n", v.Number, showTime(v.Action.Time), kind, plain(v.String()))
}
