package normsync

import (
	"cmp"
	"strconv"
	"time"

	"github.com/normsync/normsync/internal/strictjson"
	"github.com/normsync/normsync/internal/unixtime"
)

// Each type has MarshalJSON and an appendJSON that it calls. They write the
// canonical form of a value, so that it has the same ID when it is read again.

// MarshalJSON returns n as an object with the keys id, name, description,
// condition, prohibited, scope, active and priority. The keys unless, permitted,
// severity, shadow, advice, from and until follow if they are set. An empty scope is
// written as "global", and times as RFC 3339 text in UTC. If From or Until is not in
// the years 1 to 9999, which that text can hold, the error wraps [ErrInvalid].
func (n Norm) MarshalJSON() ([]byte, error) {
	if err := n.checkBounds(); err != nil {
		return nil, err
	}
	return n.appendJSON(nil, n.ID()), nil
}

// appendJSON appends n as an object. The ID is n's. n must pass checkBounds.
func (n Norm) appendJSON(b []byte, id ID) []byte {
	start := len(b)
	b = appendID(b, keyID, id)
	b = appendText(b, keyName, n.Name)
	b = appendText(b, keyDescription, n.Description)
	b = appendText(b, keyCondition, n.Condition)
	b = appendText(b, keyProhibited, n.Prohibited)
	b = appendText(b, keyScope, cmp.Or(n.Scope, globalScope))
	b = appendBool(b, keyActive, !n.Repealed)
	b = appendInt(b, keyPriority, n.Priority)
	b = appendTextIfSet(b, keyUnless, n.Unless)
	b = appendTextIfSet(b, keyPermitted, n.Permitted)
	b = appendTextIfSet(b, keySeverity, string(n.Severity))
	if n.Shadow {
		b = appendBool(b, keyShadow, true)
	}
	b = appendTextIfSet(b, keyAdvice, n.Advice)
	b = appendTextIfSet(b, keyFrom, timeText(n.From))
	b = appendTextIfSet(b, keyUntil, timeText(n.Until))
	return appendEnd(b, start)
}

// MarshalJSON returns a as an object with the keys id, agent_id, action, location,
// target, faction and timestamp. The keys facts and metadata follow if they are set.
// The timestamp is the number of seconds since 1970, in decimal and exact to the
// nanosecond; it is 0 for the zero time. Metadata is written as it is, without
// white space between its parts. If it is not a single JSON text, the error wraps
// [ErrInvalid].
//
// Note that [encoding/json.Marshal] escapes <, > and & in the result, and so in
// metadata, unless SetEscapeHTML turns that off.
func (a Action) MarshalJSON() ([]byte, error) { return a.appendJSON(nil, a.ID()) }

// appendJSON appends a as an object. The ID is a's. With an error it returns b
// with a part of the object.
func (a Action) appendJSON(b []byte, id ID) ([]byte, error) {
	start := len(b)
	b = appendID(b, keyID, id)
	b = appendText(b, keyAgentID, a.Agent)
	b = appendText(b, keyAction, a.Verb)
	b = appendText(b, keyLocation, a.Location)
	b = appendText(b, keyTarget, a.Target)
	b = appendText(b, keyFaction, a.Faction)
	b = appendTime(b, keyTimestamp, a.Time)
	b = appendTextIfSet(b, keyFacts, a.Facts)
	if a.Metadata != "" {
		var err error
		if b, err = appendMetadata(appendKey(b, keyMetadata), a.Metadata); err != nil {
			return b, err
		}
	}
	return appendEnd(b, start), nil
}

// MarshalJSON returns v as an object with the keys id, norm_id, norm_name,
// action_id, agent_id, description, severity and timestamp, then shadow and advice
// if they are set, edition, and action with the whole action. The description is the
// result of String, agent_id and timestamp repeat the action's, and an empty severity
// is written as "warn". It returns the errors of [Action.MarshalJSON].
func (v Violation) MarshalJSON() ([]byte, error) { return v.appendJSON(nil) }

// appendJSON appends v as an object. It does not allocate if b has room. With an
// error it returns b with a part of the object.
func (v Violation) appendJSON(b []byte) ([]byte, error) {
	start := len(b)
	actionID := v.Action.ID()
	b = appendID(b, keyID, violationID(v.NormID, actionID))
	b = appendID(b, keyNormID, v.NormID)
	b = appendText(b, keyNormName, v.NormName)
	b = appendID(b, keyActionID, actionID)
	b = appendText(b, keyAgentID, v.Action.Agent)
	b = append(appendKey(b, keyDescription), '"')
	for _, p := range v.sentence() {
		b = strictjson.AppendEscaped(append(b, p.before...), p.text)
	}
	b = append(b, `'"`...)
	b = appendText(b, keySeverity, string(cmp.Or(v.Severity, SeverityWarn)))
	b = appendTime(b, keyTimestamp, v.Action.Time)
	if v.Shadow {
		b = appendBool(b, keyShadow, true)
	}
	b = appendTextIfSet(b, keyAdvice, v.Advice)
	b = appendUint(b, keyEdition, v.Edition)
	b, err := v.Action.appendJSON(appendKey(b, keyAction), actionID)
	return appendEnd(b, start), err
}

// MarshalJSON returns r as an object with the keys id, edition, norm_id,
// revision_type, version, by, reason, timestamp, and norm with the whole norm. The
// key prev follows if Prev is set. It returns the errors of [Norm.MarshalJSON].
func (r Revision) MarshalJSON() ([]byte, error) {
	if err := r.Norm.checkBounds(); err != nil {
		return nil, err
	}
	return identify(r).appendJSON(nil), nil
}

// appendJSON appends r as an object.
func (r identified) appendJSON(b []byte) []byte {
	start := len(b)
	b = appendID(b, keyID, r.id)
	b = appendUint(b, keyEdition, r.Edition)
	b = appendID(b, keyNormID, r.normID)
	b = appendText(b, keyType, string(r.Kind))
	b = appendInt(b, keyVersion, r.Version)
	b = appendText(b, keyBy, r.By)
	b = appendText(b, keyReason, r.Reason)
	b = appendTime(b, keyTimestamp, r.Time)
	b = r.Norm.appendJSON(appendKey(b, keyNorm), r.normID)
	if r.Prev != (ID{}) {
		b = appendID(b, keyPrev, r.Prev)
	}
	return appendEnd(b, start)
}

// appendKey appends a comma, a key and a colon. [appendEnd] turns the comma before
// the first key of an object into its brace.
func appendKey(b []byte, key string) []byte {
	b = append(b, `,"`...)
	b = append(b, key...)
	return append(b, `":`...)
}

func appendEnd(b []byte, start int) []byte {
	b[start] = '{'
	return append(b, '}')
}

func appendText(b []byte, key, s string) []byte {
	return strictjson.AppendQuote(appendKey(b, key), s)
}

func appendTextIfSet(b []byte, key, s string) []byte {
	if s == "" {
		return b
	}
	return appendText(b, key, s)
}

func appendID(b []byte, key string, id ID) []byte {
	b, _ = id.AppendText(append(appendKey(b, key), '"'))
	return append(b, '"')
}

func appendTime(b []byte, key string, t time.Time) []byte {
	return unixtime.AppendSeconds(appendKey(b, key), t)
}

func appendBool(b []byte, key string, v bool) []byte { return strconv.AppendBool(appendKey(b, key), v) }

func appendInt(b []byte, key string, n int) []byte {
	return strconv.AppendInt(appendKey(b, key), int64(n), 10)
}

func appendUint(b []byte, key string, n uint64) []byte {
	return strconv.AppendUint(appendKey(b, key), n, 10)
}
