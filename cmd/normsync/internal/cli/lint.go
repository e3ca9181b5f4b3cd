package cli

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/spf13/cobra"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/rules"
	"github.com/normsync/normsync/internal/texttable"
)

func newLintCommand(a *app) *cobra.Command {
	var path, format string
	cmd := &cobra.Command{
		Use:   "lint FILE... [flags]",
		Short: "find faults in files",
		Long: `Lint checks rule files, without a store, and names the line and column of each
fault: what is malformed or invalid, norms that share a name, norms that clash
or can never apply, words that are legal and likely not meant, and facts that
nothing names.

With --actions it also says which norms apply to no action of a log, which facts
never hold in it, and which words of both the log has in a similar spelling
only. The memory of the facts that the files declare runs along, as in check
--rules. Facts that are in the log already count, too.

The exit code is 1 if there are faults.`,
		Example: `  normsync lint rules.json more.json
  normsync lint rules.json --actions log.jsonl`,
		Args: takesFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			if a.json {
				format = formatJSON
			}
			return a.lintFiles(cmd.Context(), args, path, format)
		},
	}
	cmd.Flags().StringVar(&path, "actions", "", "`FILE` of JSON objects, one per action; - is the standard input")
	formatVar(cmd, &format)
	return cmd
}

func (a *app) lintFiles(ctx context.Context, paths []string, log, format string) error {
	set, err := rules.Read(a.stdin, paths...)
	if err != nil {
		return err
	}
	var actions iter.Seq[normsync.Action]
	var readErr error
	if log != "" {
		f, err := a.openActions(ctx, log)
		if err != nil {
			return err
		}
		defer f.Close()
		actions = a.readActions(f, &readErr)
	}
	found, gaveUp, err := rules.Examine(set, actions)
	if err == nil {
		err = readErr
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	if err := a.writeFindings(found, gaveUp, len(set.Norms), format); err != nil {
		return err
	}
	if len(found) > 0 {
		return errFound
	}
	return nil
}

// level returns the level of a finding: what is invalid must be corrected, and the rest is
// for people to judge.
func level(f rules.Finding) string {
	if f.Check == rules.Validate {
		return "error"
	}
	return "warning"
}

// findingText returns what a finding says behind its place.
func findingText(f rules.Finding) string {
	if f.Suggestion == "" {
		return f.Text
	}
	return f.Text + "; write: " + f.Suggestion
}

// listedFinding is a finding as it is written in JSON.
type listedFinding struct {
	Level string `json:"level"`
	rules.Finding
}

func (a *app) writeFindings(found []rules.Finding, gaveUp []string, norms int, format string) error {
	if len(gaveUp) > 0 && format != formatJSON {
		a.notef("normsync: note: conflicts of these norms may be missing, since too many norms are much alike: %s", plain(strings.Join(gaveUp, ", ")))
	}
	summary := fmt.Sprintf("%s in %s.", plural(len(found), "fault"), plural(norms, "norm"))
	if len(found) > 0 && found[0].Check == rules.Validate {
		summary = fmt.Sprintf("%s. What else may be wrong is checked when this is corrected.", plural(len(found), "error"))
	}
	switch format {
	case formatJSON:
		list := make([]listedFinding, len(found))
		for i, f := range found {
			list[i] = listedFinding{level(f), f}
		}
		return a.writeJSON(struct {
			Count    int             `json:"finding_count"`
			Findings []listedFinding `json:"findings"`
			GaveUp   []string        `json:"gave_up"` // norms of which conflicts may be missing
		}{len(found), list, append([]string{}, gaveUp...)})
	case formatMarkdown:
		return writeMarkdown(a.stdout, summary, &texttable.Table{
			Columns: []string{"Place", "Level", "Fault"},
			Rows:    len(found),
			Row: func(i int) []string {
				return []string{found[i].Place.String(), level(found[i]), findingText(found[i])}
			},
		})
	case formatGitHub:
		for _, f := range found {
			if err := writeAnnotation(a.stdout, level(f), "normsync lint", f.Place, findingText(f)); err != nil {
				return err
			}
		}
		return nil
	}
	for _, f := range found {
		if err := a.printf("%s: %s: %s\n", plain(f.Place.String()), level(f), plain(findingText(f))); err != nil {
			return err
		}
	}
	return a.printf("%s\n", summary)
}
