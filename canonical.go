package normsync

import (
	"cmp"
	"fmt"

	"github.com/normsync/normsync/internal/strictjson"
	"github.com/normsync/normsync/internal/unixtime"
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
	a.Agent = strictjson.Mend(a.Agent)
	a.Verb = strictjson.Mend(a.Verb)
	a.Location = strictjson.Mend(a.Location)
	a.Target = strictjson.Mend(a.Target)
	a.Faction = strictjson.Mend(a.Faction)
	a.Time = unixtime.Plain(a.Time)
	return a, nil
}

// stored returns v as every store keeps it: its action likewise, and never
// with an empty severity.
func (v Violation) stored() (Violation, error) {
	var err error
	v.Action, err = v.Action.stored()
	v.NormName = strictjson.Mend(v.NormName)
	v.Severity = Severity(strictjson.Mend(string(cmp.Or(v.Severity, SeverityWarn))))
	return v, err
}

// stored returns r as every store keeps it. A kind that is none of the three
// is refused with an error that wraps ErrInvalid.
func (r Revision) stored() (Revision, error) {
	if !r.Kind.known() {
		return r, fmt.Errorf("%w revision %d: Kind %q is unknown; make its change with Enact, Amend or Repeal", ErrInvalid, r.Edition, r.Kind)
	}
	r.Norm = r.Norm.stored()
	r.By = strictjson.Mend(r.By)
	r.Reason = strictjson.Mend(r.Reason)
	r.Time = unixtime.Plain(r.Time)
	return r, nil
}

func (n Norm) stored() Norm {
	n.Name = strictjson.Mend(n.Name)
	n.Description = strictjson.Mend(n.Description)
	n.Condition = strictjson.Mend(n.Condition)
	n.Unless = strictjson.Mend(n.Unless)
	n.Prohibited = strictjson.Mend(n.Prohibited)
	n.Permitted = strictjson.Mend(n.Permitted)
	n.Scope = strictjson.Mend(n.Scope)
	n.Severity = Severity(strictjson.Mend(string(n.Severity)))
	return n.normal()
}

// appendMetadata appends an action's metadata, which is not empty, as it is
// stored.
func appendMetadata(b []byte, metadata string) ([]byte, error) {
	b, err := strictjson.AppendCompact(b, metadata)
	if err != nil {
		return b, fmt.Errorf("%w action: Metadata is not one JSON text (%w); encode it with json.Marshal, or leave it empty", ErrInvalid, err)
	}
	return b, nil
}
