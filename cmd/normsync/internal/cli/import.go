package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/spf13/cobra"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/rules"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

// importer brings the norms of rule files into force.
type importer struct {
	*app
	set    *rules.Set
	opts   rules.PlanOptions
	plan   bool
	author normFlags
}

// imported is the result of an import as it is written in JSON.
type imported struct {
	Plan      bool       `json:"plan"` // nothing was changed
	Added     int        `json:"added"`
	Amended   int        `json:"amended"`
	Repealed  int        `json:"repealed"`
	Unchanged int        `json:"unchanged"` // norms of the files that are in force already
	Changes   []normDiff `json:"changes"`
}

func newImportCommand(a *app) *cobra.Command {
	i := importer{app: a}
	cmd := &cobra.Command{
		Use:   "import FILE... [flags]",
		Short: "put files in force",
		Long: `Import puts the norms of rule files in force: it adds those that are new, and
amends those that differ. All of it happens at once, or nothing if a norm is
invalid. A norm with "active": false is repealed. Other norms stay in force,
unless --prune repeals them.

With --scope the norms get that scope, and --prune repeals norms of that scope
only. A norm of that name in another scope is an error.

With --plan it shows each change, field by field, and changes nothing. Import
creates the store if it does not exist. FILE can be - for the standard input.`,
		Example: `  normsync import rules.json --plan
  normsync import rules.json more.json --prune --by ann --reason "New season."`,
		Args: takesFiles,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			i.opts.Scoped = cmd.Flags().Changed("scope")
			if i.set, err = a.readRules(args); err != nil {
				return err
			}
			if _, err := i.set.Plan(nil, i.opts); err != nil {
				return err // before a store is created
			}
			return i.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&i.plan, "plan", false, "show the changes and make none")
	flags.BoolVar(&i.opts.Prune, "prune", false, "repeal norms that are not in the files")
	flags.StringVar(&i.opts.Scope, "scope", "", "give the norms the scope with this `LABEL`")
	i.author.addAuthor(cmd)
	return cmd
}

// takesFiles checks that a command gets the names of files.
func takesFiles(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usageErrorf("%s: FILE is missing; name one or more JSON files of rules, or - for the standard input", cmd.Name())
	}
	return nil
}

// readRules reads rule files that must have no problems.
func (a *app) readRules(paths []string) (*rules.Set, error) {
	set, err := rules.Read(a.stdin, paths...)
	if err != nil {
		return nil, err
	}
	return set, set.Err()
}

func (i *importer) run(ctx context.Context) error {
	if !i.plan {
		return i.withService(ctx, service.Create, func(s *service.Service) error { return i.apply(ctx, s) })
	}
	err := i.withService(ctx, service.Read, func(s *service.Service) error {
		return i.show(slices.Collect(s.Monitor().Constitution().All()))
	})
	if errors.Is(err, fs.ErrNotExist) {
		return i.show(nil) // import would create the store
	}
	return err
}

// show shows what import would change.
func (i *importer) show(current []normsync.Norm) error {
	wanted, err := i.set.Plan(current, i.opts)
	if err != nil {
		return err
	}
	i.warn(wanted)
	return i.write(diffOf(current, wanted))
}

// maxTries is how often an import is tried while others change the same norms.
const maxTries = 3

func (i *importer) apply(ctx context.Context, s *service.Service) error {
	for try := 1; ; try++ {
		current := slices.Collect(s.Monitor().Constitution().All())
		wanted, err := i.set.Plan(current, i.opts)
		if err != nil {
			return err
		}
		changes := normsync.Diff(current, wanted)
		for k := range changes {
			changes[k] = changes[k].Attributed(i.author.by, i.author.reason)
		}
		revisions, err := s.Monitor().Apply(ctx, changes...)
		if changed := errors.Is(err, normsync.ErrExists) || errors.Is(err, normsync.ErrNotFound); changed && try < maxTries {
			continue // Apply has read what another process has changed since
		}
		if err != nil {
			return err
		}
		i.warn(wanted)
		made := map[string]bool{} // another process may have made some of the changes meanwhile
		for _, r := range revisions {
			made[r.Norm.Name] = true
		}
		return i.write(slices.DeleteFunc(diffOf(current, wanted), func(d normDiff) bool { return !made[d.Norm.Name] }))
	}
}

// write writes what the import changes.
func (i *importer) write(changes []normDiff) error {
	r := imported{Plan: i.plan, Changes: changes}
	for _, c := range r.Changes {
		switch c.Change {
		case normsync.KindEnact:
			r.Added++
		case normsync.KindAmend:
			r.Amended++
		case normsync.KindRepeal:
			r.Repealed++
		}
	}
	for _, n := range i.set.Norms {
		if !n.Repealed {
			r.Unchanged++
		}
	}
	r.Unchanged -= r.Added + r.Amended
	if i.json {
		return i.writeJSON(r)
	}
	if !i.plan {
		return i.printf("Imported: %d added, %d amended, %d repealed, %d unchanged.\n", r.Added, r.Amended, r.Repealed, r.Unchanged)
	}
	if err := i.writeDiffs(r.Changes); err != nil {
		return err
	}
	return i.printf("Plan: %d to add, %d to amend, %d to repeal, %d unchanged.\n", r.Added, r.Amended, r.Repealed, r.Unchanged)
}

// warn warns of what is legal in the files and likely not meant.
func (i *importer) warn(wanted []normsync.Norm) {
	if n := i.set.Facts(); n > 0 {
		i.notef("normsync: note: a store keeps norms only; the files declare %s, for which a program reads the files", plural(n, "fact"))
	}
	for _, w := range normsync.Lint(wanted) {
		place := i.set.TokenPlace(w.Norm, w.Field, w.Token)
		if place == (rules.Place{}) {
			continue // the norm is not in the files
		}
		text := fmt.Sprintf("normsync: warning: %s: norm %q: %s %q: %s", place, w.Norm, w.Field, w.Token, w.Detail)
		if w.Suggestion != "" {
			text += "; write: " + w.Suggestion
		}
		i.notef("%s", plain(text))
	}
}
