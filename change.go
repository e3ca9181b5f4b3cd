package normsync

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ChangeKind says what a [Change] does.
type ChangeKind string

const (
	KindEnact  ChangeKind = "add"
	KindAmend  ChangeKind = "modify"
	KindRepeal ChangeKind = "repeal"
)

func (k ChangeKind) known() bool { return k == KindEnact || k == KindAmend || k == KindRepeal }

// Change is a request to change the constitution; [Monitor.Apply] carries it out.
// [Enact], [Amend] and [Repeal] return one; [Change.Attributed] adds an author and a
// reason. Apply refuses the zero Change, which has no kind. Changes can be
// compared with == and share no mutable state.
type Change struct {
	Kind   ChangeKind
	Norm   Norm   // a repeal uses only the name
	By     string // who makes the change, as the caller says; for people
	Reason string // for people
}

// Enact returns the change that puts n in force.
func Enact(n Norm) Change { return Change{Kind: KindEnact, Norm: n} }

// Amend returns the change that replaces the norm in force with n's name by n.
func Amend(n Norm) Change { return Change{Kind: KindAmend, Norm: n} }

// Repeal returns the change that takes the norm with that name out of force.
func Repeal(name string) Change { return Change{Kind: KindRepeal, Norm: Norm{Name: name}} }

// Attributed returns a copy of c that has that author and reason.
func (c Change) Attributed(by, reason string) Change {
	c.By, c.Reason = by, reason
	return c
}

// Diff returns the changes that turn the norms in from into those in to: first
// repeals, then amendments, then enactments, each sorted by name. The order of from
// and to does not matter, repealed norms count as absent, and every change has an
// effect.
//
// To reload a list of norms, apply Diff(current, wanted). If others change the
// constitution after you read current, their changes may survive the reload, or Apply
// may refuse it with [ErrNotFound] or [ErrExists]; then read current again and retry.
//
// Diff does not validate norms. If to has two different norms with one name, the
// result enacts the second, too, which Apply refuses with [ErrExists].
//
// The time is O(n log n) for n norms. Diff does not modify from and to.
func Diff(from, to []Norm) []Change {
	current := inForce(from)
	wanted := make(map[string]Norm, len(to))
	var repeals, amendments, enactments []Change
	for _, n := range to {
		if n.Repealed {
			continue
		}
		n = n.canonicalIfValid()
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

// inForce returns the norms that are not repealed, by name, with canonical scopes.
func inForce(norms []Norm) map[string]Norm {
	m := make(map[string]Norm, len(norms))
	for _, n := range norms {
		if !n.Repealed {
			n = n.canonicalIfValid()
			m[n.Name] = n
		}
	}
	return m
}

// FieldDiff is a field in which two norms differ: its name in [Norm] and both values
// as text.
type FieldDiff struct{ Field, From, To string }

// DiffFields returns the fields in which two norms differ, in the order of Norm's
// fields. The scope "global" equals the empty one. The result is empty only if the
// norms are equal.
func DiffFields(from, to Norm) []FieldDiff {
	from, to = from.canonicalIfValid(), to.canonicalIfValid()
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
	add("Advice", from.Advice, to.Advice)
	add("From", timeText(from.From), timeText(to.From))
	add("Until", timeText(from.Until), timeText(to.Until))
	add("Shadow", strconv.FormatBool(from.Shadow), strconv.FormatBool(to.Shadow))
	add("Repealed", strconv.FormatBool(from.Repealed), strconv.FormatBool(to.Repealed))
	return diffs
}

// timeText returns t as RFC 3339 text in UTC, and the zero time as the empty text.
func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// Revision is a change that was made. Prev links each revision to the one before it,
// so a log of revisions is a hash chain: if two logs have a revision in common, all
// revisions before it are the same. Revisions can be compared with == and share no
// mutable state, provided that their times are in UTC without a monotonic clock
// reading, as Apply and the stores return them.
type Revision struct {
	Edition uint64 // 1, 2, 3, ... over the whole constitution
	Prev    ID     // of the revision before it; zero in the first, and in logs of version 0.1
	Version int    // 1, 2, 3, ... of the norm with this name
	Change
	Time time.Time
}

// ID returns the ID of r. Its payload is
//
//	edition|kind|norm ID|time
//
// followed by |prev=… if Prev is set, and escaped as for [Norm.ID]. The time is in
// nanoseconds since 1970, 0 for the zero time. ID does not allocate unless [Norm.ID]
// does.
func (r Revision) ID() ID { return r.idWith(r.Norm.ID()) }

// idWith is ID, given the ID of the norm.
func (r Revision) idWith(norm ID) ID {
	p := strconv.AppendUint(make(payload, 0, payloadSize), r.Edition, 10)
	p = payload(p).next(string(r.Kind)).nextID(norm).nextTime(r.Time)
	if r.Prev != (ID{}) {
		p = hex.AppendEncode(append(p, "|prev="...), r.Prev[:])
	}
	return payload(p).id()
}

// follows reports whether r can follow the revision with the ID last: Prev is that ID
// or not set.
func (r Revision) follows(last ID) bool { return r.Prev == last || r.Prev == (ID{}) }
