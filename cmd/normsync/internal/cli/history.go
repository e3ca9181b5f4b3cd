package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

// constitutionAt returns the norms as they were at an edition or a time.
func constitutionAt(ctx context.Context, s *service.Service, text string) (*normsync.Constitution, error) {
	if edition, err := strconv.ParseUint(text, 10, 64); err == nil {
		c, err := normsync.AtEdition(ctx, s.Store(), edition)
		if errors.Is(err, normsync.ErrNotFound) {
			return nil, fmt.Errorf("normsync: there is no edition %d; the last one is %d (write a time as 2026-07-01T18:30:00Z)", edition, s.Monitor().Constitution().Edition())
		}
		return c, err
	}
	t, err := parseTime(text)
	if err != nil {
		return nil, usageErrorf("%s is neither an edition, which is a number, nor a time such as 2026-07-01T18:30:00Z or 7d (ago)", quote(text))
	}
	return normsync.At(ctx, s.Store(), t)
}

func newAtCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "at TIME|EDITION",
		Short: "list norms of the past",
		Long: `At lists the norms that were in force at a time, or after the change with that
edition. With --json the output is a file that normsync import reads.`,
		Example: `  normsync at 2
  normsync at 2026-07-01T18:30:00Z
  normsync at 7d`,
		Args: takes("TIME|EDITION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withService(cmd.Context(), service.Read, func(s *service.Service) error {
				c, err := constitutionAt(cmd.Context(), s, args[0])
				if err != nil {
					return err
				}
				return a.writeNorms(c, "", false)
			})
		},
	}
}

func newDiffCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "diff EDITION [EDITION]",
		Short: "compare two editions",
		Long: `Diff shows what has changed between two editions, or between an edition and now.
Instead of an edition you can write a time. Edition 0 has no norms.`,
		Example: `  normsync diff 3
  normsync diff 2026-07-01 2026-08-01`,
		Args: takes("EDITION", "[EDITION]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withService(cmd.Context(), service.Read, func(s *service.Service) error {
				from, err := constitutionAt(cmd.Context(), s, args[0])
				if err != nil {
					return err
				}
				to := s.Monitor().Constitution()
				if len(args) > 1 {
					if to, err = constitutionAt(cmd.Context(), s, args[1]); err != nil {
						return err
					}
				}
				return a.writeDiff(from.Edition(), to.Edition(), diffOf(slices.Collect(from.All()), slices.Collect(to.All())))
			})
		},
	}
}

// normDiff is the difference of a norm between two sets of norms.
type normDiff struct {
	Change normsync.ChangeKind `json:"change"`
	Norm   normsync.Norm       `json:"norm"` // as it is afterwards, or as it was if it is repealed
	Fields []fieldDiff         `json:"fields"`
}

type fieldDiff struct {
	Field string `json:"field"`
	From  string `json:"from"`
	To    string `json:"to"`
}

// diffOf returns the differences between two sets of norms: first repeals, then
// amendments, then new norms, each by name.
func diffOf(from, to []normsync.Norm) []normDiff {
	old := make(map[string]normsync.Norm, len(from))
	for _, n := range from {
		old[n.Name] = n
	}
	diffs := []normDiff{}
	for _, c := range normsync.Diff(from, to) {
		d := normDiff{Change: c.Kind, Norm: c.Norm, Fields: []fieldDiff{}}
		switch c.Kind {
		case normsync.KindRepeal:
			d.Norm = old[c.Norm.Name]
		case normsync.KindAmend:
			for _, f := range normsync.DiffFields(old[c.Norm.Name], c.Norm) {
				d.Fields = append(d.Fields, fieldDiff(f))
			}
		}
		diffs = append(diffs, d)
	}
	return diffs
}

func (a *app) writeDiff(from, to uint64, diffs []normDiff) error {
	if a.json {
		return a.writeJSON(struct {
			From    uint64     `json:"from"`
			To      uint64     `json:"to"`
			Changes []normDiff `json:"changes"`
		}{from, to, diffs})
	}
	if err := a.printf("Edition %d to edition %d: %d norm(s) differ.\n", from, to, len(diffs)); err != nil {
		return err
	}
	return a.writeDiffs(diffs)
}

// writeDiffs writes differences as text, as import --plan shows them.
func (a *app) writeDiffs(diffs []normDiff) error {
	for _, d := range diffs {
		var err error
		switch d.Change {
		case normsync.KindEnact:
			err = a.printf("%s\n", a.paint(green, "+ "+plain(d.Norm.Name)+": "+summary(d.Norm)))
		case normsync.KindRepeal:
			err = a.printf("%s\n", a.paint(red, "- "+plain(d.Norm.Name)+": "+summary(d.Norm)))
		case normsync.KindAmend:
			err = a.printf("~ %s\n", plain(d.Norm.Name))
			for _, f := range d.Fields {
				err = errors.Join(err, a.printf("    %s: %s -> %s\n", f.Field, quote(f.From), quote(f.To)))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// summary says in a few words what a norm does.
func summary(n normsync.Norm) string {
	text := "forbids " + quote(n.Prohibited)
	if n.Permitted != "" {
		text = "permits " + quote(n.Permitted)
	}
	if n.Condition != "" {
		text += " if " + quote(n.Condition)
	}
	if n.Unless != "" {
		text += " unless " + quote(n.Unless)
	}
	return text
}
