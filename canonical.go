package normsync

import (
	"cmp"
	"fmt"
	"time"

	"github.com/normsync/normsync/internal/strictjson"
	"github.com/normsync/normsync/internal/unixtime"
)

// Canonical returns v in its canonical form. A [Store] keeps violations in this form, and
// MarshalJSON and UnmarshalJSON turn v into it. All text is valid UTF-8, with U+FFFD for
// each invalid byte, the time is in UTC without a monotonic clock reading, the metadata
// is compact, and an empty severity is "warn". A value and its canonical form have the
// same ID.
//
// If the metadata is not a single JSON text, v could not be read back, and the error
// wraps [ErrInvalid].
func (v Violation) Canonical() (Violation, error) {
	var err error
	v.NormName = strictjson.ReplaceInvalid(v.NormName)
	v.Severity = Severity(strictjson.ReplaceInvalid(string(cmp.Or(v.Severity, SeverityWarn))))
	v.Advice = strictjson.ReplaceInvalid(v.Advice)
	v.Action, err = v.Action.canonical()
	return v, err
}

// Canonical returns r in its canonical form, as [Violation.Canonical] does for a
// violation. The scope "global" of the norm is the empty one, and From and Until of the
// norm are in UTC.
//
// If the kind is unknown, or From or Until of the norm is not in the years 1 to 9999, r
// could not be read back, and the error wraps [ErrInvalid]. Canonical does not call
// [Norm.Validate].
func (r Revision) Canonical() (Revision, error) {
	if !r.Kind.known() {
		return r, fmt.Errorf("%w revision %d: Kind %q is unknown; make the change with Enact, Amend or Repeal", ErrInvalid, r.Edition, r.Kind)
	}
	if err := r.Norm.checkBounds(); err != nil {
		return r, fmt.Errorf("%w (revision %d)", err, r.Edition)
	}
	r.Norm = r.Norm.canonical()
	r.By = strictjson.ReplaceInvalid(r.By)
	r.Reason = strictjson.ReplaceInvalid(r.Reason)
	r.Time = unixtime.Canonical(r.Time)
	return r, nil
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

// canonical returns the canonical form of a norm, with "global" as the empty scope. See
// [Violation.Canonical].
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
