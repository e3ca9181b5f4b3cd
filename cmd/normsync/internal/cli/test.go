package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/rules"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
	"github.com/normsync/normsync/internal/texttable"
)

// tester runs the tests of rule files.
type tester struct {
	*app
	inForce  bool
	coverage bool
	verbose  bool
	format   string

	set          *rules.Set
	constitution *normsync.Constitution
	results      []rules.Result
	failed       int
	unexercised  []normsync.Norm // if coverage is set
}

func newTestCommand(a *app) *cobra.Command {
	t := tester{app: a}
	cmd := &cobra.Command{
		Use:   "test FILE... [flags]",
		Short: "run tests of files",
		Long: `Test runs the tests of rule files against their norms, without a store. A test
is an action, whether it must be allowed or denied, and perhaps the norms that
it must violate. Tests are under the key "tests" of a file: beside its norms, or
in a file of their own, which is named rules_test.json if the norms are in
rules.json. Name both files then.

A failed test shows what differs, and what became of each norm that has the
action's verb. The exit code is 1 if a test fails.

With --in-force the norms are those in force in the store, and the norms of the
files are passed over.`,
		Example: `  normsync test rules.json rules_test.json
  normsync test rules.json rules_test.json --coverage --verbose
  normsync test rules_test.json --in-force`,
		Args: takesFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			if a.json {
				t.format = formatJSON
			}
			return t.run(cmd.Context(), args)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&t.coverage, "coverage", false, "list norms that no test violates, and permits that none uses")
	flags.BoolVar(&t.inForce, "in-force", false, "test the norms in force in the store")
	flags.BoolVar(&t.verbose, "verbose", false, "list the tests that pass, too")
	formatVar(cmd, &t.format)
	return cmd
}

func (t *tester) run(ctx context.Context, paths []string) (err error) {
	if t.set, err = t.readRules(paths); err != nil {
		return err
	}
	if t.inForce {
		err = t.withService(ctx, service.Read, func(s *service.Service) error {
			t.constitution = s.Monitor().Constitution()
			return nil
		})
	} else {
		t.constitution, err = normsync.Compile(t.set.Norms...)
	}
	if err != nil {
		return err
	}
	if t.constitution.Len() == 0 && len(t.set.Cases) > 0 && !t.inForce {
		return usageErrorf("test: the files have tests and no norms; name the files with the norms, too, or use --in-force")
	}
	if err := t.set.Remember(t.constitution); err != nil {
		return err
	}
	if len(t.set.Cases) == 0 {
		t.notef(`normsync: note: the files have no tests; write them under the key "tests"`)
	}
	t.results = make([]rules.Result, len(t.set.Cases))
	for i, c := range t.set.Cases {
		t.results[i] = c.Run(t.constitution)
		if !t.results[i].Passed() {
			t.failed++
		}
	}
	if t.coverage {
		if t.unexercised, err = rules.Unexercised(t.constitution, t.set.Cases); err != nil {
			return err
		}
	}
	if err := t.write(); err != nil {
		return err
	}
	if t.failed > 0 {
		return errFound
	}
	return nil
}

// failures returns the results of the tests that have failed.
func (t *tester) failures() (failed []rules.Result) {
	for _, r := range t.results {
		if !r.Passed() {
			failed = append(failed, r)
		}
	}
	return failed
}

func (t *tester) summary() string {
	return fmt.Sprintf("%s: %d passed, %d failed.", plural(len(t.results), "test"), len(t.results)-t.failed, t.failed)
}

func (t *tester) coverageSummary() string {
	all := t.constitution.Len()
	return fmt.Sprintf("The tests exercise %d of %s.", all-len(t.unexercised), plural(all, "norm"))
}

// gap says what no test does with a norm.
func gap(n normsync.Norm) string {
	if n.Permitted != "" {
		return "no test uses this permit"
	}
	return "no test violates it"
}

func (t *tester) write() error {
	switch t.format {
	case formatJSON:
		return t.writeResults()
	case formatMarkdown:
		return t.writeMarkdown()
	case formatGitHub:
		for _, r := range t.failures() {
			text := fmt.Sprintf("test %s: %s", quote(r.Name), strings.Join(r.Differences, "; "))
			if err := writeAnnotation(t.stdout, "error", "normsync test", r.Place, text); err != nil {
				return err
			}
		}
		return nil
	}
	return t.writeText()
}

func (t *tester) writeText() error {
	for _, r := range t.results {
		var err error
		switch {
		case !r.Passed():
			err = t.writeFailure(r)
		case t.verbose:
			err = t.printf("%s %s: %s\n", t.paint(green, "ok  "), plain(r.Place.String()), plain(r.Name))
		}
		if err != nil {
			return err
		}
	}
	if err := t.printf("%s\n", t.summary()); err != nil || !t.coverage {
		return err
	}
	if err := t.printf("%s\n", t.coverageSummary()); err != nil {
		return err
	}
	for _, n := range t.unexercised {
		place := ""
		if at := t.set.NormPlace(n.Name); at != (rules.Place{}) && !t.inForce {
			place = at.String() + ": "
		}
		if err := t.printf("  %snorm %s: %s\n", plain(place), quote(n.Name), gap(n)); err != nil {
			return err
		}
	}
	return nil
}

func (t *tester) writeFailure(r rules.Result) error {
	if err := t.printf("%s %s: %s\n", t.paint(red, "FAIL"), plain(r.Place.String()), plain(r.Name)); err != nil {
		return err
	}
	for _, d := range r.Differences {
		if err := t.printf("     %s\n", plain(d)); err != nil {
			return err
		}
	}
	if len(r.Findings) == 0 {
		return nil
	}
	var table bytes.Buffer
	shown := *t.app
	shown.stdout, shown.json = &table, false
	if err := shown.writeReport(normsync.Report{Findings: r.Findings}); err != nil {
		return err
	}
	for line := range strings.Lines(table.String()) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		if err := t.printf("     %s", line); err != nil {
			return err
		}
	}
	return nil
}

func (t *tester) writeMarkdown() error {
	failed := t.failures()
	err := writeMarkdown(t.stdout, t.summary(), &texttable.Table{
		Columns: []string{"Place", "Failed test", "Difference"},
		Rows:    len(failed),
		Row: func(i int) []string {
			return []string{failed[i].Place.String(), failed[i].Name, strings.Join(failed[i].Differences, "; ")}
		},
	})
	if !t.coverage {
		return err
	}
	return errors.Join(err, t.printf("\n"), writeMarkdown(t.stdout, t.coverageSummary(), &texttable.Table{
		Columns: []string{"Norm", "Gap"},
		Rows:    len(t.unexercised),
		Row:     func(i int) []string { return []string{t.unexercised[i].Name, gap(t.unexercised[i])} },
	}))
}

// listedResult is the result of a test as it is written in JSON.
type listedResult struct {
	rules.Place
	Name        string             `json:"name"`
	Passed      bool               `json:"passed"`
	Allowed     bool               `json:"allowed"`
	Violated    []string           `json:"violated"` // names of norms
	Differences []string           `json:"differences"`
	Findings    []normsync.Finding `json:"findings"` // of a failed test
}

// listedCoverage is the coverage of tests as it is written in JSON.
type listedCoverage struct {
	Norms       int      `json:"norms"`
	Unexercised []string `json:"unexercised"` // names of norms
}

func (t *tester) writeResults() error {
	list := struct {
		Tests    []listedResult  `json:"tests"`
		Passed   int             `json:"passed"`
		Failed   int             `json:"failed"`
		Coverage *listedCoverage `json:"coverage,omitempty"`
	}{make([]listedResult, len(t.results)), len(t.results) - t.failed, t.failed, nil}
	for i, r := range t.results {
		list.Tests[i] = listedResult{
			r.Place, r.Name, r.Passed(), r.GotAllowed, append([]string{}, r.Violated...),
			append([]string{}, r.Differences...), append([]normsync.Finding{}, r.Findings...),
		}
	}
	if t.coverage {
		list.Coverage = &listedCoverage{t.constitution.Len(), []string{}}
		for _, n := range t.unexercised {
			list.Coverage.Unexercised = append(list.Coverage.Unexercised, n.Name)
		}
	}
	return t.writeJSON(list)
}
