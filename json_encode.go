package normsync

import (
	"cmp"
	"strconv"

	"github.com/normsync/normsync/internal/strictjson"
	"github.com/normsync/normsync/internal/unixtime"
)

// The encoders append; the value that is encoded is the one that a store
// keeps, so that it has the ID that it is written with when it is read again.

// MarshalJSON writes n with the keys id, name, description, condition,
// prohibited, scope, active and priority, always, and then unless, permitted,
// severity and shadow where they are set. An empty scope is written "global".
// The error is always nil.
func (n Norm) MarshalJSON() ([]byte, error) { return n.appendJSON(nil) }

func (n Norm) appendJSON(b []byte) ([]byte, error) { return n.appendJSONWith(b, n.ID()), nil }

func (n Norm) appendJSONWith(b []byte, id ID) []byte {
	b = appendID(b, `{"id":`, id)
	b = appendText(b, `,"name":`, n.Name)
	b = appendText(b, `,"description":`, n.Description)
	b = appendText(b, `,"condition":`, n.Condition)
	b = appendText(b, `,"prohibited":`, n.Prohibited)
	b = appendText(b, `,"scope":`, cmp.Or(n.Scope, globalScope))
	b = strconv.AppendBool(append(b, `,"active":`...), !n.Repealed)
	b = strconv.AppendInt(append(b, `,"priority":`...), int64(n.Priority), 10)
	if n.Unless != "" {
		b = appendText(b, `,"unless":`, n.Unless)
	}
	if n.Permitted != "" {
		b = appendText(b, `,"permitted":`, n.Permitted)
	}
	if n.Severity != "" {
		b = appendText(b, `,"severity":`, string(n.Severity))
	}
	if n.Shadow {
		b = append(b, `,"shadow":true`...)
	}
	return append(b, '}')
}

// MarshalJSON writes a with the keys id, agent_id, action, location, target,
// faction and timestamp, always, and then metadata where it is set. The
// timestamp is the number of seconds since 1970, in decimal and exact to the
// nanosecond, 0 for the zero time. Metadata is written as it is, without white
// space between its parts; what is not one JSON text is refused with an error
// that wraps [ErrInvalid].
//
// Like all of encoding/json, [encoding/json.Marshal] writes <, > and & in what
// MarshalJSON returns as escapes, in metadata too; SetEscapeHTML turns it off.
func (a Action) MarshalJSON() ([]byte, error) { return a.appendJSON(nil) }

func (a Action) appendJSON(b []byte) ([]byte, error) { return a.appendJSONWith(b, a.ID()) }

func (a Action) appendJSONWith(b []byte, id ID) ([]byte, error) {
	b = appendID(b, `{"id":`, id)
	b = appendText(b, `,"agent_id":`, a.Agent)
	b = appendText(b, `,"action":`, a.Verb)
	b = appendText(b, `,"location":`, a.Location)
	b = appendText(b, `,"target":`, a.Target)
	b = appendText(b, `,"faction":`, a.Faction)
	b = unixtime.AppendSeconds(append(b, `,"timestamp":`...), a.Time)
	if a.Metadata != "" {
		var err error
		if b, err = appendMetadata(append(b, `,"metadata":`...), a.Metadata); err != nil {
			return b, err
		}
	}
	return append(b, '}'), nil
}

// MarshalJSON writes v with the keys id, norm_id, norm_name, action_id,
// agent_id, description, severity and timestamp, then shadow where it is set,
// edition, and action: the whole action. The description is v's String, the
// agent_id and timestamp are the action's, and an empty severity is written
// "warn". It fails where [Action.MarshalJSON] does.
func (v Violation) MarshalJSON() ([]byte, error) { return v.appendJSON(nil) }

// appendJSON appends what MarshalJSON writes. It does not allocate where b has
// room. With an error it returns b with some of it.
func (v Violation) appendJSON(b []byte) ([]byte, error) {
	action := v.Action.ID()
	b = appendID(b, `{"id":`, violationID(v.NormID, action))
	b = appendID(b, `,"norm_id":`, v.NormID)
	b = appendText(b, `,"norm_name":`, v.NormName)
	b = appendID(b, `,"action_id":`, action)
	b = appendText(b, `,"agent_id":`, v.Action.Agent)
	b = append(b, `,"description":"`...)
	for i, part := range v.sentence() {
		b = strictjson.AppendEscaped(append(b, sentence[i]...), part)
	}
	b = appendText(append(b, `'"`...), `,"severity":`, string(cmp.Or(v.Severity, SeverityWarn)))
	b = unixtime.AppendSeconds(append(b, `,"timestamp":`...), v.Action.Time)
	if v.Shadow {
		b = append(b, `,"shadow":true`...)
	}
	b = strconv.AppendUint(append(b, `,"edition":`...), v.Edition, 10)
	b, err := v.Action.appendJSONWith(append(b, `,"action":`...), action)
	return append(b, '}'), err
}

// MarshalJSON writes r with the keys id, edition, norm_id, revision_type,
// version, by, reason, timestamp and norm: the whole norm. The key prev follows
// if Prev is set. The error is always nil.
func (r Revision) MarshalJSON() ([]byte, error) { return r.appendJSON(nil) }

func (r Revision) appendJSON(b []byte) ([]byte, error) {
	norm := r.Norm.ID()
	b = appendID(b, `{"id":`, r.idWith(norm))
	b = strconv.AppendUint(append(b, `,"edition":`...), r.Edition, 10)
	b = appendID(b, `,"norm_id":`, norm)
	b = appendText(b, `,"revision_type":`, string(r.Kind))
	b = strconv.AppendInt(append(b, `,"version":`...), int64(r.Version), 10)
	b = appendText(b, `,"by":`, r.By)
	b = appendText(b, `,"reason":`, r.Reason)
	b = unixtime.AppendSeconds(append(b, `,"timestamp":`...), r.Time)
	b = r.Norm.appendJSONWith(append(b, `,"norm":`...), norm)
	if r.Prev != (ID{}) {
		b = appendID(b, `,"prev":`, r.Prev)
	}
	return append(b, '}'), nil
}

func appendText(b []byte, key, s string) []byte { return strictjson.AppendString(append(b, key...), s) }

func appendID(b []byte, key string, id ID) []byte {
	b = append(append(b, key...), '"')
	b, _ = id.AppendText(b)
	return append(b, '"')
}
