package normsync

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/normsync/normsync/internal/strictjson"
	"github.com/normsync/normsync/internal/unixtime"
)

// UnmarshalJSON reads n strictly, since a typo in a rule must be heard. It
// refuses unknown and repeated keys, keys in another case, values of another
// type, null included, invalid UTF-8, and an id that is not n's; the id may be
// left out, as may every key whose zero value is meant. The scope "global" is
// read as the empty one.
//
// The error wraps [ErrInvalid] and names the key and its offset from the
// beginning of b; n is left as it was then. UnmarshalJSON does not call
// [Norm.Validate]; [ReadNorms] does.
func (n *Norm) UnmarshalJSON(b []byte) error {
	return unmarshal("norm", b, true, n, readNorm)
}

// UnmarshalJSON reads a leniently, since actions come from elsewhere: unknown
// keys and the id, which may be another program's, are passed over, a null is
// a value that is not set, and invalid UTF-8 is mended with U+FFFD. A key that
// is there twice, and a value of another type, are refused all the same. A key
// that is missing leaves its field empty, so an object of foreign keys only is the
// zero Action, which no norm forbids: refuse one without a word in its Verb.
//
// Metadata is any JSON value, and is kept as its text without white space
// between its parts. The timestamp is rounded to the nearest nanosecond, and 0
// is the zero time. The error wraps [ErrInvalid] and names the key and its
// offset from the beginning of b; a is left as it was then.
func (a *Action) UnmarshalJSON(b []byte) error {
	if string(bytes.Trim(b, " \t\r\n")) == "null" {
		return nil // what encoding/json asks of an Unmarshaler
	}
	return unmarshal("action", b, false, a, readAction)
}

// UnmarshalJSON reads v. It is strict about types and about keys that are
// there twice or in another case, but passes over keys that it does not know.
// The keys norm_id and action must be there, and an empty severity is read as
// [SeverityWarn]. The description is not looked at, since it follows from the
// rest; where an id, action_id, agent_id or timestamp contradicts the rest, v
// was tampered with or damaged, and is refused.
//
// The error wraps [ErrInvalid] and names the key and its offset from the
// beginning of b; v is left as it was then.
func (v *Violation) UnmarshalJSON(b []byte) error {
	return unmarshal("violation", b, true, v, readViolation)
}

// UnmarshalJSON reads r as strictly as a violation is read, and its norm as
// strictly as a norm. The keys edition, revision_type, version and norm must
// be there; an id or norm_id that contradicts the rest is refused.
//
// The error wraps [ErrInvalid] and names the key and its offset from the
// beginning of b; r is left as it was then.
func (r *Revision) UnmarshalJSON(b []byte) error {
	return unmarshal("revision", b, true, r, func(d *strictjson.Reader) (Revision, error) {
		known, err := readRevision(d)
		return known.Revision, err
	})
}

// ReadNorms reads a JSON array of norms, or an object with such an array under
// "norms", which is what [Report.WriteJSON] writes; the object's other keys
// are passed over. Norms are read as strictly as by [Norm.UnmarshalJSON], and
// validated. They keep their order; whether their names are unique is left to
// [Compile].
//
// A byte-order mark before the text, which some editors write, is passed over.
// An error of r is returned as it is, wrapped. Any other wraps [ErrInvalid]
// and says which norm is meant, by number, name and line. ReadNorms reads all
// of r into memory.
func ReadNorms(r io.Reader) ([]Norm, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("normsync: read norms: %w", err)
	}
	text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	if bytes.HasPrefix(text, []byte("\xFF\xFE")) || bytes.HasPrefix(text, []byte("\xFE\xFF")) {
		return nil, fmt.Errorf("%w list of norms: it is in UTF-16; save it as UTF-8", ErrInvalid)
	}
	in := strictjson.NewReader(text)
	in.Strict = true
	norms := []Norm{}
	list := func() error {
		return in.Array(func() error {
			at := in.Offset()
			n, err := readNorm(in)
			if err == nil {
				if problem := n.problem(); problem != "" {
					err = in.Errorf(at, "%s", problem)
				}
			}
			if err != nil {
				return atLine(text, err, fmt.Sprintf("norm %d %s", len(norms)+1, quote(n.Name)))
			}
			norms = append(norms, n)
			return nil
		})
	}
	switch rest := text[in.Offset():]; {
	case bytes.HasPrefix(rest, []byte("[")):
		err = list()
	case bytes.HasPrefix(rest, []byte("{")):
		err = in.Object(&listKeys, func(string) error { return list() })
	default:
		err = in.Want(`an array of norms, or an object with one under "norms"`)
	}
	if err == nil {
		err = in.End()
	}
	if err != nil {
		return nil, atLine(text, err, "list of norms")
	}
	return norms, nil
}

// atLine returns the error of reading what in text with its line, unless it
// has one.
func atLine(text []byte, err error, what string) error {
	e, ok := err.(*strictjson.Error)
	if !ok {
		return err
	}
	before := text[:e.Offset]
	line, column := 1+bytes.Count(before, []byte("\n")), len(before)-bytes.LastIndexByte(before, '\n')
	return fmt.Errorf("%w %s in line %d, column %d: %s", ErrInvalid, what, line, column, e.Text())
}

func unmarshal[T any](what string, b []byte, strict bool, into *T, read func(*strictjson.Reader) (T, error)) error {
	r := strictjson.NewReader(b)
	r.Strict = strict
	v, err := read(r)
	if err == nil {
		err = r.End()
	}
	if err != nil {
		return fmt.Errorf("%w %s %w", ErrInvalid, what, err)
	}
	*into = v
	return nil
}

var (
	listKeys = strictjson.Keys{Rule: strictjson.Open, Known: []string{"norms"}, Required: []string{"norms"}}

	normKeys = strictjson.Keys{Rule: strictjson.Exact, Known: []string{"id", "name", "description", "condition", "prohibited", "scope", "active",
		"priority", "unless", "permitted", "severity", "shadow"}}

	// The id of an action is not known: another program may compute it otherwise.
	actionKeys = strictjson.Keys{Rule: strictjson.Loose, Known: []string{"agent_id", "action", "location", "target", "faction", "timestamp", "metadata"}}

	violationKeys = strictjson.Keys{Rule: strictjson.Open, Required: []string{"norm_id", "action"},
		Known: []string{"id", "norm_id", "norm_name", "action_id", "agent_id", "severity", "timestamp", "shadow", "edition", "action"}}

	revisionKeys = strictjson.Keys{Rule: strictjson.Open, Required: []string{"edition", "revision_type", "version", "norm"},
		Known: []string{"id", "edition", "norm_id", "revision_type", "version", "by", "reason", "timestamp", "norm", "prev"}}
)

// readNorm reads a norm. With an error it returns what it has read so far.
func readNorm(r *strictjson.Reader) (n Norm, err error) {
	var id claim[ID]
	err = r.Object(&normKeys, func(key string) (err error) {
		switch key {
		case "id":
			id, err = read(r, readID)
		case "name":
			n.Name, err = r.String()
		case "description":
			n.Description, err = r.String()
		case "condition":
			n.Condition, err = r.String()
		case "prohibited":
			n.Prohibited, err = r.String()
		case "scope":
			n.Scope, err = r.String()
		case "active":
			var active bool
			active, err = r.Bool()
			n.Repealed = !active
		case "priority":
			n.Priority, err = readPriority(r)
		case "unless":
			n.Unless, err = r.String()
		case "permitted":
			n.Permitted, err = r.String()
		case "severity":
			n.Severity, err = readSeverity(r)
		case "shadow":
			n.Shadow, err = r.Bool()
		}
		return err
	})
	if err == nil {
		err = id.check("id", n.ID(), "the norm's ID is %s; leave the id out, and it is computed")
	}
	return n.normal(), err
}

func readAction(r *strictjson.Reader) (a Action, err error) {
	err = r.Object(&actionKeys, func(key string) (err error) {
		switch {
		case key == "metadata":
			a.Metadata, err = readMetadata(r)
		case r.Null():
		case key == "agent_id":
			a.Agent, err = r.String()
		case key == "action":
			a.Verb, err = r.String()
		case key == "location":
			a.Location, err = r.String()
		case key == "target":
			a.Target, err = r.String()
		case key == "faction":
			a.Faction, err = r.String()
		case key == "timestamp":
			a.Time, err = readTime(r)
		}
		return err
	})
	return a, err
}

func readViolation(r *strictjson.Reader) (v Violation, err error) {
	var id, action claim[ID]
	var agent claim[string]
	var stamp claim[time.Time]
	err = r.Object(&violationKeys, func(key string) (err error) {
		switch key {
		case "id":
			id, err = read(r, readID)
		case "norm_id":
			v.NormID, err = readID(r)
		case "norm_name":
			v.NormName, err = r.String()
		case "action_id":
			action, err = read(r, readID)
		case "agent_id":
			agent, err = read(r, (*strictjson.Reader).String)
		case "severity":
			v.Severity, err = readSeverity(r)
		case "timestamp":
			stamp, err = read(r, readTime)
		case "shadow":
			v.Shadow, err = r.Bool()
		case "edition":
			v.Edition, err = r.Uint()
		case "action":
			v.Action, err = readAction(r)
		}
		return err
	})
	if err != nil {
		return v, err
	}
	v.Severity = cmp.Or(v.Severity, SeverityWarn)
	actionID := v.Action.ID()
	return v, cmp.Or(
		agent.check("agent_id", v.Action.Agent, "the action's agent is %q"),
		stamp.check("timestamp", v.Action.Time, "the action's time is %v"),
		action.check("action_id", actionID, "the action's ID is %s"),
		id.check("id", violationID(v.NormID, actionID), "the violation's ID is %s"),
	)
}

func readRevision(r *strictjson.Reader) (v identified, err error) {
	var id, norm claim[ID]
	err = r.Object(&revisionKeys, func(key string) (err error) {
		switch key {
		case "id":
			id, err = read(r, readID)
		case "edition":
			v.Edition, err = r.Uint()
		case "norm_id":
			norm, err = read(r, readID)
		case "revision_type":
			v.Kind, err = readKind(r)
		case "version":
			v.Version, err = readVersion(r)
		case "by":
			v.By, err = r.String()
		case "reason":
			v.Reason, err = r.String()
		case "timestamp":
			v.Time, err = readTime(r)
		case "norm":
			v.Norm, err = readNorm(r)
		case "prev":
			v.Prev, err = readID(r)
		}
		return err
	})
	if err != nil {
		return v, err
	}
	v = identify(v.Revision)
	return v, cmp.Or(
		norm.check("norm_id", v.normID, "the norm's ID is %s"),
		id.check("id", v.id, "the revision's ID is %s"),
	)
}

// appendRevisions appends the revisions of a JSON array to revs. Each is read as
// by Revision.UnmarshalJSON.
func appendRevisions(revs []identified, text []byte) ([]identified, error) {
	r := strictjson.NewReader(text)
	r.Strict = true
	err := r.Array(func() error {
		v, err := readRevision(r)
		revs = append(revs, v)
		return err
	})
	if err == nil {
		err = r.End()
	}
	if err != nil {
		return revs, fmt.Errorf("%w revision %w", ErrInvalid, err)
	}
	return revs, nil
}

// claim is a value that follows from others, as a text has it.
type claim[T comparable] struct {
	value T
	made  bool
	at    int
}

// read reads a claim, by the reader of its value.
func read[T comparable](r *strictjson.Reader, value func(*strictjson.Reader) (T, error)) (claim[T], error) {
	at := r.Offset()
	v, err := value(r)
	return claim[T]{v, true, at}, err
}

// check returns an error where a claim was made that is not the truth.
func (c claim[T]) check(key string, truth T, format string) error {
	if !c.made || c.value == truth {
		return nil
	}
	return &strictjson.Error{Offset: c.at, Path: key, Problem: fmt.Sprintf("it contradicts the rest: "+format, truth)}
}

func readID(r *strictjson.Reader) (ID, error) {
	at := r.Offset()
	text, err := r.Text()
	if err != nil {
		return ID{}, err
	}
	var id ID
	if id.UnmarshalText(text) != nil {
		return ID{}, r.Errorf(at, "want an ID of 16 lower-case hex digits, found %.40q", text)
	}
	return id, nil
}

// errPriority is about a priority that an int of 64 bits holds, and that of this
// platform does not. Version 0.1 took any int.
var errPriority = errors.New("priority beyond 32 bits")

func readPriority(r *strictjson.Reader) (int, error) {
	at := r.Offset()
	n, err := r.Int(64)
	if err == nil && int64(int(n)) != n {
		err = &strictjson.Error{Offset: at, Err: errPriority,
			Problem: beyondPriority(n) + "; only a program of 64 bits can read a log that holds it"}
	}
	return int(n), err
}

func readVersion(r *strictjson.Reader) (int, error) {
	n, err := r.Int(strconv.IntSize)
	return int(n), err
}

func readSeverity(r *strictjson.Reader) (Severity, error) {
	text, err := r.Text()
	for _, s := range [...]Severity{SeverityInfo, SeverityWarn, SeverityError} {
		if string(text) == string(s) {
			return s, err // without allocating
		}
	}
	return Severity(text), err
}

func readKind(r *strictjson.Reader) (ChangeKind, error) {
	at := r.Offset()
	text, err := r.Text()
	if kind := ChangeKind(text); err != nil || kind.known() {
		return kind, err
	}
	return "", r.Errorf(at, "want add, modify or repeal, found %.40q", text)
}

func readTime(r *strictjson.Reader) (time.Time, error) {
	at := r.Offset()
	text, err := r.Number()
	if err != nil {
		return time.Time{}, err
	}
	t, err := unixtime.ParseSeconds(text)
	if err != nil {
		return time.Time{}, r.Errorf(at, "%.40s %v", text, err)
	}
	return t, nil
}

func readMetadata(r *strictjson.Reader) (string, error) {
	at := r.Offset()
	text, compact, err := r.Value()
	if err != nil {
		return "", err
	}
	if compact && utf8.Valid(text) {
		return string(text), nil
	}
	if !utf8.Valid(text) && r.Strict {
		return "", r.Errorf(at, "the text is not valid UTF-8")
	}
	b, err := strictjson.AppendCompact(nil, strictjson.Mend(string(text)))
	return string(b), err
}
