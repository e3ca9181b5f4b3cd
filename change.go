package normsync

import "time"

// ChangeKind says what a Change does.
type ChangeKind string

const (
	KindAdd    ChangeKind = "add"
	KindModify ChangeKind = "modify"
	KindRepeal ChangeKind = "repeal"
)

// Change is a request to change the constitution; Monitor.Apply carries it
// out. Enact, Amend and Repeal make one, Signed says who asked for it and why.
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

// Revision is a change that was made. Revisions can be compared with == and
// share nothing mutable.
type Revision struct {
	Edition uint64 // 1, 2, 3, ... over the whole constitution
	Version int    // 1, 2, 3, ... of the norm of this name
	Change
	Time time.Time
}
