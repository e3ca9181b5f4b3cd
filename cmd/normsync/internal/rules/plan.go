package rules

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/normsync/normsync"
)

// PlanOptions says how the norms of files take their place among others.
type PlanOptions struct {
	Scoped bool   // the norms get Scope, and norms of other scopes stay as they are
	Scope  string // empty means "global"
	Prune  bool   // norms that the files do not have are repealed; if Scoped, only in Scope
}

// Plan returns the norms that are in force after the set was imported beside the
// current norms. Pass it to [normsync.Diff]. A norm of the set that is marked
// as repealed, and that is in force, is left out. The set must have no problems.
func (s *Set) Plan(current []normsync.Norm, o PlanOptions) ([]normsync.Norm, error) {
	if o.Prune && len(s.byName) == 0 {
		return nil, errors.New("normsync: import rules: the files have no norms in force, so pruning would repeal everything; check the files, or repeal the norms by name")
	}
	wanted := make(map[string]normsync.Norm, len(current)+len(s.Norms))
	for _, n := range current {
		_, listed := s.byName[n.Name]
		if !o.Prune || listed || o.Scoped && scopeOf(n) != cmp.Or(o.Scope, globalScope) {
			wanted[n.Name] = n
		}
	}
	for _, repealed := range []bool{true, false} { // a norm in force counts more than a repealed one of its name
		for i, n := range s.Norms {
			if n.Repealed != repealed {
				continue
			}
			if old, ok := wanted[n.Name]; ok && o.Scoped && scopeOf(old) != cmp.Or(o.Scope, globalScope) {
				return nil, fmt.Errorf("%w in another scope: %s: norm %s is in force in the scope %s; rename it, or import it into that scope",
					normsync.ErrExists, s.entries[i].place("name", ""), quote(n.Name), quote(scopeOf(old)))
			}
			if o.Scoped {
				n.Scope = o.Scope
			}
			if n.Scope == globalScope {
				n.Scope = "" // the same, as normsync has it
			}
			if repealed {
				delete(wanted, n.Name)
			} else {
				wanted[n.Name] = n
			}
		}
	}
	return slices.SortedFunc(maps.Values(wanted), func(a, b normsync.Norm) int { return cmp.Compare(a.Name, b.Name) }), nil
}

const globalScope = "global"

func scopeOf(n normsync.Norm) string { return cmp.Or(n.Scope, globalScope) }
