package normsync

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Reload makes the norms of one scope those of a list, in one Apply, and leaves the
// norms of other scopes alone. It is for a file of rules beside norms that people enact
// at run time: call it at the start and whenever the file has changed. The norms get
// the scope, whatever their own is. Norms marked Repealed count as not in the list.
//
// Reload enacts what the list has and the constitution does not, amends what differs,
// and repeals what is in the scope but not in the list. A norm of the list that
// somebody else repealed stays repealed until the list has another text for it. If
// there is nothing to do, Reload makes no revision. Its revisions have the By "reload".
//
// Reload fails with [ErrInvalid] if a norm is invalid, or if the list is empty while
// norms of the scope are in force: a file that was cut off must not repeal everything.
// It fails with [ErrExists] if the list has a name twice, or a name that is in force in
// another scope. Otherwise it fails like [Monitor.Apply]. If it fails, nothing changes.
//
// Reload reads the log of the store if a norm of the list is not in force but was.
func (m *Monitor) Reload(ctx context.Context, scope string, norms []Norm) ([]Revision, error) {
	list, err := normList(scope, norms)
	if err != nil {
		return nil, opError("reload", err)
	}
	return m.apply(ctx, "reload", func(c *Constitution) ([]Change, error) { return m.reload(ctx, c, scope, list) })
}

// reloadBy is the By of the revisions that Reload makes.
const reloadBy = "reload"

// notListed is the Reason of the repeals that Reload makes.
func notListed(scope string) string {
	return fmt.Sprintf("no longer in the list of scope %q", shownScope(scope))
}

// normList returns the norms that are not Repealed, with a scope, in order of name.
func normList(scope string, norms []Norm) ([]Norm, error) {
	var list []Norm
	for _, n := range norms {
		if n.Repealed {
			continue
		}
		n.Scope = scope
		if err := n.Validate(); err != nil {
			return nil, err
		}
		list = append(list, n.canonicalIfValid())
	}
	slices.SortFunc(list, func(a, b Norm) int { return strings.Compare(a.Name, b.Name) })
	for i := range list {
		if i > 0 && list[i].Name == list[i-1].Name {
			return nil, fmt.Errorf("%w: two norms of the list have the name %q; rename one of them", ErrExists, list[i].Name)
		}
	}
	return list, nil
}

// reload returns the changes from c to the list. mu must be held.
func (m *Monitor) reload(ctx context.Context, c *Constitution, scope string, list []Norm) ([]Change, error) {
	scope = (Norm{Scope: scope}).canonicalIfValid().Scope
	var current []Norm // of the scope
	for n := range c.All() {
		if n.Scope == scope {
			current = append(current, n)
		}
	}
	if len(list) == 0 && len(current) > 0 {
		return nil, fmt.Errorf("%w list: it is empty, but %d norms of scope %q are in force; to repeal them, use Repeal", ErrInvalid, len(current), shownScope(scope))
	}
	retired := map[string]bool{} // names of the list that were in force and are not
	for _, n := range list {
		old, inForce := c.Norm(n.Name)
		switch {
		case inForce && old.Scope != scope:
			return nil, fmt.Errorf("%w: norm %q of scope %q is in force in scope %q; rename one of them, or repeal that one", ErrExists, n.Name, shownScope(scope), shownScope(old.Scope))
		case !inForce && m.retired[n.Name] > 0:
			retired[n.Name] = true
		}
	}
	repealed, err := m.repealedByOthers(ctx, scope, retired)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(slices.Clone(list), func(n Norm) bool { return repealed[n.Name] == n })
	changes := Diff(current, list)
	for i, change := range changes {
		reason := fmt.Sprintf("the list of scope %q", shownScope(scope))
		if change.Kind == KindRepeal {
			reason = notListed(scope)
		}
		changes[i] = change.Attributed(reloadBy, reason)
	}
	return changes, nil
}

func shownScope(scope string) string {
	if scope == "" {
		return globalScope
	}
	return scope
}

// repealedByOthers returns, of the given names, those that somebody other than Reload
// has repealed last, with the norm as it was. It reads the log if there are any names.
func (m *Monitor) repealedByOthers(ctx context.Context, scope string, names map[string]bool) (map[string]Norm, error) {
	repealed := map[string]Norm{}
	if len(names) == 0 {
		return repealed, nil
	}
	for r, err := range readLog(ctx, m.Store(), tip{}) {
		if err != nil {
			return nil, err
		}
		if r.Edition > m.tip.edition {
			break
		}
		if !names[r.Norm.Name] {
			continue
		}
		delete(repealed, r.Norm.Name)
		if r.Kind == KindRepeal && (r.By != reloadBy || r.Reason != notListed(scope)) {
			n := r.Norm.canonicalIfValid()
			n.Repealed = false
			repealed[n.Name] = n
		}
	}
	return repealed, nil
}
