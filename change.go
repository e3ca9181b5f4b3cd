package normsync

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ChangeKind says what a Change does. There are three.
type ChangeKind string

const (
	KindAdd    ChangeKind = "add"
	KindModify ChangeKind = "modify"
	KindRepeal ChangeKind = "repeal"
)

func (k ChangeKind) known() bool { return k == KindAdd || k == KindModify || k == KindRepeal }

// Change is a request to change the constitution; [Monitor.Apply] carries it
// out. Enact, Amend and Repeal make one, Signed says who asked for it and why.
// The zero Change has no kind, and Apply refuses it. Changes can be compared
// with == and share nothing mutable.
type Change struct {
	Kind   ChangeKind
	Norm   Norm // of a repeal only the name counts
	By     string
	Reason string
}

// Enact is the change that puts n in force.
func Enact(n Norm) Change { return Change{Kind: KindAdd, Norm: n} }

// Amend is the change that puts n in the place of the norm in force that has
// its name.
func Amend(n Norm) Change { return Change{Kind: KindModify, Norm: n} }

// Repeal is the change that takes the norm of that name out of force.
func Repeal(name string) Change { return Change{Kind: KindRepeal, Norm: Norm{Name: name}} }

// Signed returns a copy of c that says who made it and why.
func (c Change) Signed(by, reason string) Change {
	c.By, c.Reason = by, reason
	return c
}

// Diff returns the changes that turn the norms in force in from into those in
// force in to: first repeals, then amendments, then enactments, each in order
// of names, however the norms are ordered. It gives no change that changes
// nothing. A repealed norm, in from or to, counts as absent.
//
// Applying Diff(current, wanted) is a reload. Diff knows nothing of what others
// change after current was read: that may survive the reload, or have Apply
// refuse it with [ErrNotFound] or [ErrExists]; then begin anew.
//
// Diff validates nothing. Where to has two different norms of one name, it gives
// an enactment of the second as well, which Apply refuses with [ErrExists].
//
// The time is O(n log n) in the number of norms; from and to are not changed.
func Diff(from, to []Norm) []Change {
	current := inForce(from)
	wanted := make(map[string]Norm, len(to))
	var repeals, amendments, enactments []Change
	for _, n := range to {
		if n.Repealed {
			continue
		}
		n.Scope = canonicalScope(n.Scope)
		old, isOld := current[n.Name]
		twin, isTwin := wanted[n.Name]
		switch {
		case isTwin && n == twin || !isTwin && isOld && n == old:
		case isTwin || !isOld:
			enactments = append(enactments, Enact(n))
		default:
			amendments = append(amendments, Amend(n))
		}
		wanted[n.Name] = n
	}
	for name := range current {
		if _, ok := wanted[name]; !ok {
			repeals = append(repeals, Repeal(name))
		}
	}
	for _, changes := range [...][]Change{repeals, amendments, enactments} {
		slices.SortStableFunc(changes, func(a, b Change) int { return strings.Compare(a.Norm.Name, b.Norm.Name) })
	}
	return slices.Concat(repeals, amendments, enactments)
}

// inForce returns the norms that are not repealed, by name.
func inForce(norms []Norm) map[string]Norm {
	m := make(map[string]Norm, len(norms))
	for _, n := range norms {
		if !n.Repealed {
			n.Scope = canonicalScope(n.Scope)
			m[n.Name] = n
		}
	}
	return m
}

// FieldDiff is one field in which two norms differ: its name in Norm, and both
// values as text.
type FieldDiff struct{ Field, From, To string }

// DiffFields lists the fields in which two norms differ, in the order of
// Norm's fields. It is empty when, and only when, the norms are equal, an
// explicit global scope being equal to the empty one.
func DiffFields(from, to Norm) []FieldDiff {
	from.Scope, to.Scope = canonicalScope(from.Scope), canonicalScope(to.Scope)
	var diffs []FieldDiff
	add := func(field, from, to string) {
		if from != to {
			diffs = append(diffs, FieldDiff{field, from, to})
		}
	}
	add("Name", from.Name, to.Name)
	add("Description", from.Description, to.Description)
	add("Condition", from.Condition, to.Condition)
	add("Unless", from.Unless, to.Unless)
	add("Prohibited", from.Prohibited, to.Prohibited)
	add("Permitted", from.Permitted, to.Permitted)
	add("Scope", from.Scope, to.Scope)
	add("Priority", strconv.Itoa(from.Priority), strconv.Itoa(to.Priority))
	add("Severity", string(from.Severity), string(to.Severity))
	add("Shadow", strconv.FormatBool(from.Shadow), strconv.FormatBool(to.Shadow))
	add("Repealed", strconv.FormatBool(from.Repealed), strconv.FormatBool(to.Repealed))
	return diffs
}

// Revision is a change that was made. Prev links each revision to the one
// before it, so a log of revisions is a hash chain: two logs that hold the same
// revision hold the same revisions before it. Revisions can be compared with ==
// and share nothing mutable; their times compare so when they are UTC without a
// monotonic reading, as Apply and the stores make them.
type Revision struct {
	Edition uint64 // 1, 2, 3, ... over the whole constitution
	Prev    ID     // of the revision before it; zero in the first, and in what 0.1 wrote
	Version int    // 1, 2, 3, ... of the norm of this name
	Change
	Time time.Time
}

// ID returns the ID of r: that of the payload
//
//	edition|kind|norm ID|time
//
// followed by |prev=… if Prev is set, and escaped like that of [Norm.ID]. The
// time is in nanoseconds since 1970, 0 for the zero time. ID does not allocate
// unless [Norm.ID] does.
func (r Revision) ID() ID { return r.idWith(r.Norm.ID()) }

func (r Revision) idWith(norm ID) ID {
	p := strconv.AppendUint(make(payload, 0, payloadSize), r.Edition, 10)
	p = payload(p).next(string(r.Kind)).nextID(norm).nextTime(r.Time)
	if r.Prev != (ID{}) {
		p = hex.AppendEncode(append(p, "|prev="...), r.Prev[:])
	}
	return payload(p).id()
}

// follows reports whether r can come after the revision with the ID last: Prev
// is that ID, or r was written without one.
func (r Revision) follows(last ID) bool { return r.Prev == last || r.Prev == (ID{}) }
