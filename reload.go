package normsync

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Reload replaces the norms of one scope by those of a list, in one Apply, and leaves the
// norms of other scopes as they are. It is for a file of rules beside norms that people enact
// at run time: call it at the start and whenever the file has changed. The norms get
// the scope, whatever their own is. Norms marked Repealed count as not in the list.
//
// Reload enacts what the list has and the constitution does not, amends what differs,
// and repeals what is in the scope but not in the list. A norm of the list that
// somebody else repealed stays repealed until the list changes it, also after a restart:
// it is compared with the norm that was repealed, and with the one that Reload last put
// in force. If there is nothing to do, Reload makes no revision.
//
// The revisions have the By "reload" and a Reason that names the scope. By these two
// Reload recognizes them in the log, so do not use both for other changes.
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

// reloadBy is the By of the revisions that Reload makes. Together with their Reason it
// tells them from those that somebody else made.
const reloadBy = "reload"

// listed is the Reason with which Reload enacts and amends, and notListed that with
// which it repeals.
func listed(scope string) string    { return fmt.Sprintf("the list of scope %q", shownScope(scope)) }
func notListed(scope string) string { return "no longer in " + listed(scope) }

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
		return nil, fmt.Errorf("%w list: it is empty, but scope %q has norms in force; to repeal them, use Repeal", ErrInvalid, shownScope(scope))
	}
	retired := map[string]Norm{} // norms of the list with names that were in force and are not
	for _, n := range list {
		old, inForce := c.Norm(n.Name)
		switch {
		case inForce && old.Scope != scope:
			return nil, fmt.Errorf("%w: norm %q of scope %q is in force in scope %q; rename one of them, or repeal that one", ErrExists, n.Name, shownScope(scope), shownScope(old.Scope))
		case !inForce && m.retired[n.Name] > 0:
			retired[n.Name] = n
		}
	}
	keepOut, err := m.repealedByOthers(ctx, scope, retired)
	if err != nil {
		return nil, err
	}
	wanted := slices.DeleteFunc(slices.Clone(list), func(n Norm) bool { return keepOut[n.Name] })
	changes := Diff(current, wanted)
	for i, change := range changes {
		reason := listed(scope)
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

// repealedByOthers returns the names of those norms of a list that somebody other than
// Reload repealed last, and that the list has not changed since: they equal the norm
// that was repealed, or the one that Reload last put in force. It reads the log if the
// list is not empty.
func (m *Monitor) repealedByOthers(ctx context.Context, scope string, list map[string]Norm) (map[string]bool, error) {
	if len(list) == 0 {
		return nil, nil
	}
	fromList := map[string]Norm{} // as Reload last put it in force
	repealed := map[string]Norm{} // as somebody else repealed it
	for r, err := range readLog(ctx, m.Store(), tip{}) {
		if err != nil {
			return nil, err
		}
		if r.Edition > m.tip.edition {
			break // appended meanwhile
		}
		n := r.Norm.canonicalIfValid()
		if _, ok := list[n.Name]; !ok {
			continue
		}
		delete(repealed, n.Name)
		switch isRepeal := r.Kind == KindRepeal; {
		case isRepeal && r.By == reloadBy && r.Reason == notListed(scope):
			delete(fromList, n.Name)
		case isRepeal:
			n.Repealed = false
			repealed[n.Name] = n
		case r.By == reloadBy && r.Reason == listed(scope):
			fromList[n.Name] = n
		}
	}
	keepOut := map[string]bool{}
	for name, n := range repealed {
		keepOut[name] = list[name] == n || list[name] == fromList[name]
	}
	return keepOut, nil
}
