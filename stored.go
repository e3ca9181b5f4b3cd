package normsync

import (
	"cmp"
	"fmt"

	"github.com/normsync/normsync/internal/epoch"
	"github.com/normsync/normsync/internal/jsontext"
)

// stored returns a as every store keeps it: its time in UTC without a
// monotonic reading, each invalid byte of its texts as U+FFFD, its metadata
// compact. Metadata that is not one JSON text is refused with an error that
// wraps ErrInvalid. The ID stays the same.
func (a Action) stored() (Action, error) {
	if a.Metadata != "" {
		var room [512]byte
		compact, err := appendMetadata(room[:0], a.Metadata)
		if err != nil {
			return a, err
		}
		if string(compact) != a.Metadata {
			a.Metadata = string(compact)
		}
	}
	a.Agent = jsontext.Mend(a.Agent)
	a.Verb = jsontext.Mend(a.Verb)
	a.Location = jsontext.Mend(a.Location)
	a.Target = jsontext.Mend(a.Target)
	a.Faction = jsontext.Mend(a.Faction)
	a.Time = epoch.Plain(a.Time)
	return a, nil
}

// stored returns v as every store keeps it: its action likewise, and never
// with an empty severity.
func (v Violation) stored() (Violation, error) {
	var err error
	v.Action, err = v.Action.stored()
	v.NormName = jsontext.Mend(v.NormName)
	v.Severity = Severity(jsontext.Mend(string(cmp.Or(v.Severity, SeverityWarn))))
	return v, err
}

// stored returns r as every store keeps it. A kind that is none of the three
// is refused with an error that wraps ErrInvalid.
func (r Revision) stored() (Revision, error) {
	if !r.Kind.known() {
		return r, fmt.Errorf("%w revision %d: Kind %q is unknown; make its change with Enact, Amend or Repeal", ErrInvalid, r.Edition, r.Kind)
	}
	r.Norm = r.Norm.stored()
	r.By = jsontext.Mend(r.By)
	r.Reason = jsontext.Mend(r.Reason)
	r.Time = epoch.Plain(r.Time)
	return r, nil
}

func (n Norm) stored() Norm {
	n.Name = jsontext.Mend(n.Name)
	n.Description = jsontext.Mend(n.Description)
	n.Condition = jsontext.Mend(n.Condition)
	n.Unless = jsontext.Mend(n.Unless)
	n.Prohibited = jsontext.Mend(n.Prohibited)
	n.Permitted = jsontext.Mend(n.Permitted)
	n.Scope = jsontext.Mend(n.Scope)
	n.Severity = Severity(jsontext.Mend(string(n.Severity)))
	return n.normal()
}

// appendMetadata appends an action's metadata, which is not empty, as it is
// stored.
func appendMetadata(b []byte, metadata string) ([]byte, error) {
	b, err := jsontext.AppendCompact(b, metadata)
	if err != nil {
		return b, fmt.Errorf("%w action: Metadata is not one JSON text (%w); encode it with json.Marshal, or leave it empty", ErrInvalid, err)
	}
	return b, nil
}
