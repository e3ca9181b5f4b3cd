package normsync

import (
	"cmp"
	"fmt"
	"time"

	"github.com/normsync/normsync/internal/strictjson"
	"github.com/normsync/normsync/internal/unixtime"
)

// A store returns values in their canonical form: all text is valid UTF-8, with U+FFFD
// for each invalid byte, and times are in UTC without a monotonic clock reading. A value
// and its canonical form have the same ID. A store converts the values that it is given.

// canonical returns the canonical form of a norm, with "global" as the empty scope.
func (n Norm) canonical() Norm {
	n.Name = strictjson.ReplaceInvalid(n.Name)
	n.Description = strictjson.ReplaceInvalid(n.Description)
	n.Condition = strictjson.ReplaceInvalid(n.Condition)
	n.Unless = strictjson.ReplaceInvalid(n.Unless)
	n.Prohibited = strictjson.ReplaceInvalid(n.Prohibited)
	n.Permitted = strictjson.ReplaceInvalid(n.Permitted)
	n.Scope = strictjson.ReplaceInvalid(n.Scope)
	n.Severity = Severity(strictjson.ReplaceInvalid(string(n.Severity)))
	n.Advice = strictjson.ReplaceInvalid(n.Advice)
	return n.canonicalIfValid()
}

// globalScope is how the empty scope is written.
const globalScope = "global"

// canonicalIfValid returns the canonical form of a valid norm, which differs from
// the norm in the scope and the time zones only.
func (n Norm) canonicalIfValid() Norm {
	if n.Scope == globalScope {
		n.Scope = ""
	}
	n.From, n.Until = canonicalBound(n.From), canonicalBound(n.Until)
	return n
}

// canonicalBound returns From or Until of a canonical norm. Unlike the time of an
// action, it can be the beginning of 1970.
func canonicalBound(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}

// canonical returns the canonical form of an action, with compact metadata. The
// error wraps ErrInvalid if the metadata is not a single JSON text.
func (a Action) canonical() (Action, error) {
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
	a.Agent = strictjson.ReplaceInvalid(a.Agent)
	a.Verb = strictjson.ReplaceInvalid(a.Verb)
	a.Location = strictjson.ReplaceInvalid(a.Location)
	a.Target = strictjson.ReplaceInvalid(a.Target)
	a.Faction = strictjson.ReplaceInvalid(a.Faction)
	a.Facts = strictjson.ReplaceInvalid(a.Facts)
	a.Time = unixtime.Canonical(a.Time)
	return a, nil
}

// appendMetadata appends the metadata of an action, which is not empty, in its
// canonical form.
func appendMetadata(b []byte, metadata string) ([]byte, error) {
	b, err := strictjson.AppendCompact(b, metadata)
	if err != nil {
		return b, fmt.Errorf("%w action: Metadata is not a single JSON text (%w); encode it with json.Marshal, or leave it empty", ErrInvalid, err)
	}
	return b, nil
}

// canonical returns the canonical form of a violation, with "warn" as the empty
// severity. It returns the errors of [Action.canonical].
func (v Violation) canonical() (Violation, error) {
	var err error
	v.NormName = strictjson.ReplaceInvalid(v.NormName)
	v.Severity = Severity(strictjson.ReplaceInvalid(string(cmp.Or(v.Severity, SeverityWarn))))
	v.Advice = strictjson.ReplaceInvalid(v.Advice)
	v.Action, err = v.Action.canonical()
	return v, err
}

// canonical returns the canonical form of a revision. The error wraps ErrInvalid if
// its kind is unknown.
func (r Revision) canonical() (Revision, error) {
	if !r.Kind.known() {
		return r, fmt.Errorf("%w revision %d: Kind %q is unknown; make the change with Enact, Amend or Repeal", ErrInvalid, r.Edition, r.Kind)
	}
	r.Norm = r.Norm.canonical()
	r.By = strictjson.ReplaceInvalid(r.By)
	r.Reason = strictjson.ReplaceInvalid(r.Reason)
	r.Time = unixtime.Canonical(r.Time)
	return r, nil
}
