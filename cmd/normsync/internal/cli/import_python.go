package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
	"github.com/normsync/normsync/stores/sqlstore/sqlite"
)

func newImportPythonCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "import-python PATH",
		Short: "from the Python tool",
		Long: `Import-python takes the norms and the violations of a database of the Python
tool normsync, by default .normsync/norms.db, over into the store. It does not
change the tables of the Python tool, also if the store is in the same file.
Norms that are not active are left out.

A norm that this program refuses is not taken over, and import-python says why.
The exit code is 1 then. If you run the command again, it takes over only what
is new.

The Python tool found words anywhere in the text of an action. This program
matches whole words: attack does not match counterattack. Write attack* for
words that begin with attack.`,
		Example: `  normsync import-python python.db --db world.db`,
		Args:    takes("PATH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if info, err := os.Stat(args[0]); errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("normsync: import: there is no file %s; the Python tool's is %s", quote(args[0]), defaultDB)
			} else if err == nil && info.IsDir() {
				return fmt.Errorf("normsync: import: %s is a directory; the Python tool's file is %s", quote(args[0]), defaultDB)
			}
			data, err := sqlite.ImportPython(ctx, args[0])
			if err != nil {
				return err
			}
			return a.withService(ctx, service.Create, func(s *service.Service) error {
				return a.importPython(ctx, s, data, args[0])
			})
		},
	}
}

// importedPython is the result of import-python as it is written in JSON.
type importedPython struct {
	Norms      int           `json:"norms"`      // that were added
	Violations int           `json:"violations"` // that were added
	Known      int           `json:"known"`      // norms and violations that were taken over before
	Inactive   int           `json:"inactive"`   // norms that were left out
	Refused    []refusedNorm `json:"refused"`
}

type refusedNorm struct {
	Norm   normsync.Norm `json:"norm"`
	Reason string        `json:"reason"`
}

func (a *app) importPython(ctx context.Context, s *service.Service, data *sqlite.PythonData, path string) error {
	r := importedPython{Refused: []refusedNorm{}}
	for _, n := range data.Refused {
		r.refuse(n.Norm, n.Err)
	}
	changes, err := r.changes(ctx, s, data.Norms)
	if err != nil {
		return err
	}
	for i := range changes {
		changes[i] = changes[i].Attributed("import-python", "From "+strings.ToValidUTF8(plain(path), "\uFFFD"))
	}
	if _, err := s.Monitor().Apply(ctx, changes...); err != nil {
		return err
	}
	r.Norms = len(changes)
	added, err := addViolations(ctx, s.Store(), data.Violations)
	if err != nil {
		return err
	}
	r.Violations = added
	r.Known += len(data.Violations) - added
	if err := a.writePython(r); err != nil {
		return err
	}
	if len(r.Refused) > 0 {
		return errFound
	}
	return nil
}

func (r *importedPython) refuse(n normsync.Norm, err error) {
	r.Refused = append(r.Refused, refusedNorm{n, strings.TrimPrefix(err.Error(), "normsync: ")})
}

// changes returns the changes that put those norms in force that never were. A norm
// that was amended or repealed since it was taken over stays as it is.
func (r *importedPython) changes(ctx context.Context, s *service.Service, norms []normsync.Norm) (changes []normsync.Change, err error) {
	known := map[normsync.Norm]bool{}
	for revision, err := range s.Store().Revisions(ctx, 0) {
		if err != nil {
			return nil, err
		}
		n := revision.Norm
		n.Repealed = false
		known[n] = true
	}
	for _, n := range norms {
		_, taken := s.Monitor().Constitution().Norm(n.Name)
		switch {
		case n.Repealed:
			r.Inactive++
		case known[n]:
			r.Known++
		case taken:
			r.refuse(n, fmt.Errorf("another norm named %s is in force in the store; amend it, or repeal it and import again", quote(n.Name)))
		default:
			changes = append(changes, normsync.Enact(n))
		}
	}
	return changes, nil
}

// addViolations appends those violations that the store does not have, and returns their
// number. Several violations may be equal, since the Python tool does not store actions.
func addViolations(ctx context.Context, store normsync.Store, violations []normsync.Violation) (added int, err error) {
	has := map[normsync.Violation]int{}
	for v, err := range store.Violations(ctx, 0) {
		if err != nil {
			return 0, err
		}
		if v.Edition == 0 { // this program sets it
			has[v.Violation]++
		}
	}
	missing := violations[:0:0]
	for _, v := range violations {
		if has[v] > 0 {
			has[v]--
			continue
		}
		missing = append(missing, v)
	}
	return len(missing), store.AppendViolations(ctx, missing...)
}

func (a *app) writePython(r importedPython) error {
	if a.json {
		return a.writeJSON(r)
	}
	err := a.printf("Imported: %s, %s. %d known before, %s left out, %d refused.\n",
		plural(r.Norms, "norm"), plural(r.Violations, "violation"), r.Known, plural(r.Inactive, "inactive norm"), len(r.Refused))
	for _, n := range r.Refused {
		err = errors.Join(err, a.printf("Refused: %s\n", plain(n.Reason)))
	}
	return err
}
