package normsync

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/normsync/normsync/internal/strictjson"
	"github.com/normsync/normsync/internal/unixtime"
)

// Each type has UnmarshalJSON and a read function that it calls. The results are in
// canonical form.

// UnmarshalJSON reads n strictly, since a typo in a rule must not pass unnoticed.
// It refuses unknown and repeated keys, keys in another case, values of another
// type, including null, invalid UTF-8, and an id other than n's. The id may be left
// out, and so may every key with a zero value. The scope "global" is read as the
// empty one. The key $schema, by which an editor finds docs/norms.schema.json, is
// skipped.
//
// The error wraps [ErrInvalid] and names the key and its offset from the beginning
// of b; n is unchanged then. UnmarshalJSON does not call [Norm.Validate], but
// [ReadNorms] does.
func (n *Norm) UnmarshalJSON(b []byte) error {
	d := strictjson.NewDecoder(b)
	return unmarshal("norm", d, n, readNorm)
}

// readNorm reads a norm. With an error it returns the fields that were read before.
func readNorm(d *strictjson.Decoder) (n Norm, err error) {
	var id claim[ID]
	err = d.ReadObject(&normKeys, func(key string) (err error) {
		switch key {
		case keyID:
			id, err = readClaim(d, readID)
		case keyName:
			n.Name, err = d.ReadString()
		case keyDescription:
			n.Description, err = d.ReadString()
		case keyCondition:
			n.Condition, err = d.ReadString()
		case keyProhibited:
			n.Prohibited, err = d.ReadString()
		case keyScope:
			n.Scope, err = d.ReadString()
		case keyActive:
			var active bool
			active, err = d.ReadBool()
			n.Repealed = !active
		case keyPriority:
			n.Priority, err = readPriority(d)
		case keyUnless:
			n.Unless, err = d.ReadString()
		case keyPermitted:
			n.Permitted, err = d.ReadString()
		case keySeverity:
			n.Severity, err = readSeverity(d)
		case keyShadow:
			n.Shadow, err = d.ReadBool()
		case keyAdvice:
			n.Advice, err = d.ReadString()
		case keyFrom:
			n.From, err = readBound(d)
		case keyUntil:
			n.Until, err = readBound(d)
		case keySchema:
			_, err = d.ReadString()
		}
		return err
	})
	if err != nil {
		return n, err
	}
	n = n.canonicalIfValid()
	return n, id.check(keyID, n.ID(), "the norm's ID is %s; leave the id out, and it is computed")
}

// UnmarshalJSON reads a leniently, since actions come from elsewhere. It skips
// unknown keys and the id, which another program may compute differently, reads
// null as a value that is not set, and invalid UTF-8 as U+FFFD. It refuses repeated
// keys and values of another type.
//
// A missing key leaves its field empty, so an object that has only foreign keys is
// the zero Action, which no norm forbids. Refuse an action without a word in its
// Verb.
//
// The metadata is any JSON value. It is kept as text, without white space between
// its parts. The timestamp is rounded to the nearest nanosecond, and 0 is the zero
// time. The error wraps [ErrInvalid] and names the key and its offset from the
// beginning of b; a is unchanged then.
func (a *Action) UnmarshalJSON(b []byte) error {
	if string(bytes.Trim(b, " \t\r\n")) == "null" {
		return nil // the convention of encoding/json
	}
	d := strictjson.NewDecoder(b)
	d.AllowInvalidUTF8 = true
	return unmarshal("action", d, a, readAction)
}

func readAction(d *strictjson.Decoder) (Action, error) {
	a, _, err := readNamedAction(d)
	return a, err
}

// readNamedAction also reports whether the object has the key action.
func readNamedAction(d *strictjson.Decoder) (a Action, named bool, err error) {
	err = d.ReadObject(&actionKeys, func(key string) (err error) {
		if key == keyMetadata {
			a.Metadata, err = readMetadata(d)
			return err
		}
		if d.SkipNull() {
			return nil
		}
		switch key {
		case keyAgentID:
			a.Agent, err = d.ReadString()
		case keyAction:
			named = true
			a.Verb, err = d.ReadString()
		case keyLocation:
			a.Location, err = d.ReadString()
		case keyTarget:
			a.Target, err = d.ReadString()
		case keyFaction:
			a.Faction, err = d.ReadString()
		case keyTimestamp:
			a.Time, err = readTime(d)
		case keyFacts:
			a.Facts, err = d.ReadString()
		}
		return err
	})
	return a, named, err
}

// UnmarshalJSON reads v. It refuses repeated keys, keys in another case and values
// of another type, but it skips unknown keys. The keys norm_id and action are
// required. An empty severity is read as [SeverityWarn]. The description is not
// read, since it follows from the rest. An id, action_id, agent_id or timestamp that
// contradicts the rest is refused: v was tampered with or damaged.
//
// The error wraps [ErrInvalid] and names the key and its offset from the beginning
// of b; v is unchanged then.
func (v *Violation) UnmarshalJSON(b []byte) error {
	return unmarshal("violation", strictjson.NewDecoder(b), v, readViolation)
}

func readViolation(d *strictjson.Decoder) (v Violation, err error) {
	var id, actionID claim[ID]
	var agent claim[string]
	var stamp claim[time.Time]
	err = d.ReadObject(&violationKeys, func(key string) (err error) {
		switch key {
		case keyID:
			id, err = readClaim(d, readID)
		case keyNormID:
			v.NormID, err = readID(d)
		case keyNormName:
			v.NormName, err = d.ReadString()
		case keyActionID:
			actionID, err = readClaim(d, readID)
		case keyAgentID:
			agent, err = readClaim(d, (*strictjson.Decoder).ReadString)
		case keySeverity:
			v.Severity, err = readSeverity(d)
		case keyTimestamp:
			stamp, err = readClaim(d, readTime)
		case keyShadow:
			v.Shadow, err = d.ReadBool()
		case keyAdvice:
			v.Advice, err = d.ReadString()
		case keyEdition:
			v.Edition, err = d.ReadUint()
		case keyAction:
			v.Action, err = readAction(d)
		}
		return err
	})
	if err != nil {
		return v, err
	}
	v.Severity = cmp.Or(v.Severity, SeverityWarn)
	trueActionID := v.Action.ID()
	return v, cmp.Or(
		agent.check(keyAgentID, v.Action.Agent, "the action's agent is %q"),
		stamp.check(keyTimestamp, v.Action.Time, "the action's time is %v"),
		actionID.check(keyActionID, trueActionID, "the action's ID is %s"),
		id.check(keyID, violationID(v.NormID, trueActionID), "the violation's ID is %s"),
	)
}

// UnmarshalJSON reads r as strictly as a violation is read, and its norm as strictly
// as a norm. The keys edition, revision_type, version and norm are required. An id
// or norm_id that contradicts the rest is refused.
//
// The revision_type create, which the Python tool writes, is read as [KindEnact]. The
// id beside it is not checked, because that tool computes it differently.
//
// The error wraps [ErrInvalid] and names the key and its offset from the beginning
// of b; r is unchanged then.
func (r *Revision) UnmarshalJSON(b []byte) error {
	return unmarshal("revision", strictjson.NewDecoder(b), r, func(d *strictjson.Decoder) (Revision, error) {
		known, err := readRevision(d)
		return known.Revision, err
	})
}

func readRevision(d *strictjson.Decoder) (identified, error) {
	var r Revision
	var id, normID claim[ID]
	var foreign bool
	err := d.ReadObject(&revisionKeys, func(key string) (err error) {
		switch key {
		case keyID:
			id, err = readClaim(d, readID)
		case keyEdition:
			r.Edition, err = d.ReadUint()
		case keyNormID:
			normID, err = readClaim(d, readID)
		case keyType:
			r.Kind, foreign, err = readKind(d)
		case keyVersion:
			r.Version, err = readInt(d)
		case keyBy:
			r.By, err = d.ReadString()
		case keyReason:
			r.Reason, err = d.ReadString()
		case keyTimestamp:
			r.Time, err = readTime(d)
		case keyNorm:
			r.Norm, err = readNorm(d)
		case keyPrev:
			r.Prev, err = readID(d)
		}
		return err
	})
	if err != nil {
		return identified{Revision: r}, err
	}
	known := identify(r)
	id.present = id.present && !foreign
	return known, cmp.Or(
		normID.check(keyNormID, known.normID, "the norm's ID is %s"),
		id.check(keyID, known.id, "the revision's ID is %s"),
	)
}

// appendRevisions reads a JSON array of revisions, as strictly as
// Revision.UnmarshalJSON reads one, and appends them to revs.
func appendRevisions(revs []identified, text []byte) ([]identified, error) {
	d := strictjson.NewDecoder(text)
	err := d.ReadArray(func() error {
		r, err := readRevision(d)
		revs = append(revs, r)
		return err
	})
	if err == nil {
		err = d.CheckEOF()
	}
	if err != nil {
		return revs, fmt.Errorf("%w revision %w", ErrInvalid, err)
	}
	return revs, nil
}

// unmarshal sets *into to the only value in a text.
func unmarshal[T any](what string, d *strictjson.Decoder, into *T, read func(*strictjson.Decoder) (T, error)) error {
	v, err := read(d)
	if err == nil {
		err = d.CheckEOF()
	}
	if err != nil {
		return fmt.Errorf("%w %s %w", ErrInvalid, what, err)
	}
	*into = v
	return nil
}

// claim is the value of a key that follows from other keys. It may be absent.
type claim[T comparable] struct {
	value   T
	present bool
	at      int
}

func readClaim[T comparable](d *strictjson.Decoder, read func(*strictjson.Decoder) (T, error)) (claim[T], error) {
	at := d.NextOffset()
	v, err := read(d)
	return claim[T]{v, true, at}, err
}

// check returns an error if the claim is present and its value is not truth.
func (c claim[T]) check(key string, truth T, format string) error {
	if !c.present || c.value == truth {
		return nil
	}
	return &strictjson.Error{ByteOffset: c.at, Path: key, Problem: fmt.Sprintf("it contradicts the rest: "+format, truth)}
}

func readID(d *strictjson.Decoder) (ID, error) {
	at := d.NextOffset()
	text, err := d.ReadStringBytes()
	if err != nil {
		return ID{}, err
	}
	var id ID
	if id.UnmarshalText(text) != nil {
		return ID{}, d.Errorf(at, "want an ID of 16 lower-case hex digits, found %.40q", text)
	}
	return id, nil
}

// errPriority marks a priority that an int of this platform cannot hold. Version
// 0.1 accepted any int.
var errPriority = errors.New("priority beyond 32 bits")

func readPriority(d *strictjson.Decoder) (int, error) {
	at := d.NextOffset()
	n, err := d.ReadInt(64)
	if err == nil && int64(int(n)) != n {
		err = &strictjson.Error{ByteOffset: at, Err: errPriority,
			Problem: beyondPriority(n) + "; only a 64-bit program can read a log that holds it"}
	}
	return int(n), err
}

func readInt(d *strictjson.Decoder) (int, error) {
	n, err := d.ReadInt(strconv.IntSize)
	return int(n), err
}

func readSeverity(d *strictjson.Decoder) (Severity, error) {
	text, err := d.ReadStringBytes()
	for _, s := range [...]Severity{SeverityInfo, SeverityWarn, SeverityError} {
		if string(text) == string(s) {
			return s, err // without allocating
		}
	}
	return Severity(text), err
}

// kindCreate is what the Python tool calls KindEnact.
const kindCreate = "create"

// readKind also reports whether the kind has the name that the Python tool gives it.
func readKind(d *strictjson.Decoder) (kind ChangeKind, foreign bool, err error) {
	at := d.NextOffset()
	text, err := d.ReadStringBytes()
	if err != nil {
		return "", false, err
	}
	for _, k := range [...]ChangeKind{KindEnact, KindAmend, KindRepeal} {
		if string(text) == string(k) {
			return k, false, nil // without allocating
		}
	}
	if string(text) == kindCreate {
		return KindEnact, true, nil
	}
	return "", false, d.Errorf(at, "want add, modify or repeal, found %.40q", text)
}

func readTime(d *strictjson.Decoder) (time.Time, error) {
	at := d.NextOffset()
	text, err := d.ReadNumber()
	if err != nil {
		return time.Time{}, err
	}
	t, err := unixtime.ParseSeconds(text)
	if err != nil {
		return time.Time{}, d.Errorf(at, "%.40s %v", text, err)
	}
	return t, nil
}

// readBound reads From or Until of a norm. The zero time is refused, since it would
// mean that there is no bound.
func readBound(d *strictjson.Decoder) (time.Time, error) {
	at := d.NextOffset()
	text, err := d.ReadStringBytes()
	if err != nil {
		return time.Time{}, err
	}
	var t time.Time
	if t.UnmarshalText(text) != nil || t.IsZero() || boundProblem(t) != "" {
		return time.Time{}, d.Errorf(at, "%.40q is not a time; write it as in RFC 3339, for example 2026-12-24T18:00:00Z, or leave it out", text)
	}
	return t, nil
}

func readMetadata(d *strictjson.Decoder) (string, error) {
	at := d.NextOffset()
	text, compact, err := d.ReadValue()
	if err != nil {
		return "", err
	}
	if compact && utf8.Valid(text) {
		return string(text), nil
	}
	if !utf8.Valid(text) && !d.AllowInvalidUTF8 {
		return "", d.Errorf(at, "the text is not valid UTF-8")
	}
	b, err := strictjson.AppendCompact(nil, strictjson.ReplaceInvalid(string(text)))
	return string(b), err
}
