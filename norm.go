package normsync

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/normsync/normsync/internal/strictjson"
	"github.com/normsync/normsync/internal/unixtime"
)

// ID is the content address of a norm, action, violation or revision: the
// first 8 bytes of the SHA-256 of a payload, which the ID methods describe.
// It is computed from the value and kept in no field, so equal values have
// equal IDs in every process. Its text form is 16 lower-case hex digits.
//
// The zero ID is an ordinary value that no payload is known to have.
type ID [8]byte

var (
	_ encoding.TextAppender    = ID{}
	_ encoding.TextMarshaler   = ID{}
	_ encoding.TextUnmarshaler = (*ID)(nil)
)

// ParseID returns the ID that s is the text form of. Anything but 16
// lower-case hex digits is refused with an error that wraps [ErrInvalid].
func ParseID(s string) (ID, error) {
	var id ID
	err := id.UnmarshalText([]byte(s))
	return id, err
}

// String returns the text form of id.
func (id ID) String() string {
	var text [16]byte
	hex.Encode(text[:], id[:])
	return string(text[:])
}

// AppendText appends the text form of id to b. It implements
// [encoding.TextAppender]; the error is always nil.
func (id ID) AppendText(b []byte) ([]byte, error) {
	return hex.AppendEncode(b, id[:]), nil
}

// MarshalText returns the text form of id; the error is always nil. It makes
// an ID a string in JSON.
func (id ID) MarshalText() ([]byte, error) {
	return hex.AppendEncode(nil, id[:]), nil
}

// UnmarshalText sets id to what text is the text form of. It refuses what
// [ParseID] refuses, and leaves id as it was then.
func (id *ID) UnmarshalText(text []byte) error {
	var read ID
	if len(text) != hex.EncodedLen(len(read)) || bytes.ContainsAny(text, "ABCDEF") {
		return badID(text)
	}
	if _, err := hex.Decode(read[:], text); err != nil {
		return badID(text)
	}
	*id = read
	return nil
}

func badID(text []byte) error {
	return fmt.Errorf("%w ID %.40q: an ID is 16 lower-case hex digits", ErrInvalid, text)
}

// payload is what an ID is computed from: parts joined by |. Inside a part \
// is written \\ and | is written \|, so that no two lists of parts share a
// payload. An invalid byte counts as U+FFFD, as which it is stored.
type payload []byte

// payloadSize is room for most payloads, so that they stay on the stack.
const payloadSize = 512

func (p payload) first(s string) payload {
	if !utf8.ValidString(s) {
		s = strictjson.ReplaceInvalid(s)
	}
	done := 0
	for i := range len(s) {
		if s[i] == '\\' || s[i] == '|' {
			p = append(append(p, s[done:i]...), '\\')
			done = i
		}
	}
	return append(p, s[done:]...)
}

func (p payload) next(s string) payload { return append(p, '|').first(s) }

func (p payload) nextID(id ID) payload { return hex.AppendEncode(append(p, '|'), id[:]) }

func (p payload) nextTime(t time.Time) payload { return unixtime.AppendNanoseconds(append(p, '|'), t) }

func (p payload) id() ID {
	sum := sha256.Sum256(p)
	return ID(sum[:len(ID{})])
}

// Severity says how much a violation matters, for people and reports. It is
// never matched and never changes a verdict.
type Severity string

const (
	SeverityInfo  Severity = "info"
	SeverityWarn  Severity = "warn" // what an empty Severity means
	SeverityError Severity = "error"
)

// Norm is a rule of the world: when it applies, and which verbs it then
// forbids or expressly allows. The zero value of every field but Name and one
// of Prohibited and Permitted means the ordinary thing, so that a literal with
// Name, Condition and Prohibited is complete; see [Norm.Validate]. Norms can be
// compared with == and share nothing mutable.
//
// Prohibited "*", with permits of a higher Priority, forbids every verb that no
// permit names. It does not forbid an [Action] without a verb, which has no word
// for any norm to find.
type Norm struct {
	Name        string   // unique among the norms in force
	Description string   // for people; never matched
	Condition   string   // tokens that must all be in the action; empty: always applies
	Unless      string   // tokens any of which lifts the norm
	Prohibited  string   // verbs it forbids: any of these tokens in the verb
	Permitted   string   // verbs it expressly allows (exactly one of Prohibited and Permitted is set)
	Scope       string   // label for people and reports; empty means "global"
	Priority    int      // a permit silences prohibitions of strictly lower priority; within 32 bits
	Severity    Severity // empty means "warn"
	Shadow      bool     // dry run: reported, never denies
	Repealed    bool     // JSON "active": false
}

// ID returns the ID of the rule that n states: that of the payload
//
//	name|condition|prohibited
//
// followed by |unless=… and |permitted=…, in this order, where they are set.
// Inside a part \ is written \\ and | is written \|. What is for people, such
// as Description and Severity, does not count, nor do Priority, Shadow and
// Repealed. ID does not allocate unless the payload is over 512 bytes.
func (n Norm) ID() ID {
	p := make(payload, 0, payloadSize).first(n.Name).next(n.Condition).next(n.Prohibited)
	if n.Unless != "" {
		p = append(p, "|unless="...).first(n.Unless)
	}
	if n.Permitted != "" {
		p = append(p, "|permitted="...).first(n.Permitted)
	}
	return p.id()
}

// Action is one thing that an agent does. Its zero value is an action of
// nobody, doing nothing, nowhere, at no time. No norm forbids an action without a
// verb, not even one with Prohibited "*". Beware of it in JSON from elsewhere:
// {"agent": "a1", "verb": "wire"} has none of the keys of an action, and is read
// as the zero value without an error, as [Action.UnmarshalJSON] says. Refuse an
// action without a word in its Verb before you check it.
//
// Time is set by nobody but the
// caller, and tells two actions apart that are otherwise the same. Actions can
// be compared with == and share nothing mutable; their times compare so when
// they are UTC without a monotonic reading.
type Action struct {
	Agent    string    // JSON "agent_id"; seen by agent: tokens alone, which look at each word of it
	Verb     string    // JSON "action"
	Location string    // JSON "location"
	Target   string    // JSON "target"
	Faction  string    // JSON "faction"
	Metadata string    // JSON text carried along under "metadata"; never matched
	Time     time.Time // JSON "timestamp": seconds since 1970 as a decimal number, exact to the nanosecond
}

// ID returns the ID of a: that of the payload
//
//	agent|verb|location|target|faction|time
//
// escaped like that of [Norm.ID], with the time in nanoseconds since 1970, 0
// for the zero time. Metadata does not count. An action has the same ID after
// it was stored. ID does not allocate unless the payload is over 512 bytes.
func (a Action) ID() ID {
	return make(payload, 0, payloadSize).first(a.Agent).next(a.Verb).next(a.Location).
		next(a.Target).next(a.Faction).nextTime(a.Time).id()
}

// Violation says that an action broke a norm. Violations can be compared with
// == and share nothing mutable.
type Violation struct {
	NormID   ID
	NormName string
	Severity Severity // of the norm; never empty in what Check reports
	Shadow   bool     // the norm is a dry run
	Edition  uint64   // of the constitution that judged it
	Action   Action
}

var _ slog.LogValuer = Violation{}

// ID returns the ID of v: that of the norm's ID and the action's, joined by |.
// A norm that is broken again by the same action, at the same nanosecond, is
// the same violation, whichever edition judged it. ID does not allocate unless
// [Action.ID] does.
func (v Violation) ID() ID { return violationID(v.NormID, v.Action.ID()) }

func violationID(norm, action ID) ID {
	return payload(hex.AppendEncode(make(payload, 0, payloadSize), norm[:])).nextID(action).id()
}

// String returns the violation as a sentence:
//
//	Agent 'hero' performed 'attack' in 'safe_zone', violating norm 'no-attack-in-safe-zone'
//
// It has the texts as they are, control characters included; what an untrusted
// agent wrote is safer to print with %q, or by a [Report].
func (v Violation) String() string {
	var b strings.Builder
	for i, part := range v.sentence() {
		b.WriteString(sentence[i])
		b.WriteString(part)
	}
	b.WriteByte('\'')
	return b.String()
}

// sentence is what stands before each part of a violation's sentence.
var sentence = [...]string{"Agent '", "' performed '", "' in '", "', violating norm '"}

func (v Violation) sentence() [len(sentence)]string {
	return [...]string{v.Action.Agent, v.Action.Verb, v.Action.Location, v.NormName}
}

// LogValue returns v as a group of attributes, so that a [slog.Logger] prints
// it in its own format: id, norm, agent, action, location, target, faction,
// severity, shadow and edition.
func (v Violation) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("id", v.ID().String()),
		slog.String("norm", v.NormName),
		slog.String("agent", v.Action.Agent),
		slog.String("action", v.Action.Verb),
		slog.String("location", v.Action.Location),
		slog.String("target", v.Action.Target),
		slog.String("faction", v.Action.Faction),
		slog.String("severity", string(cmp.Or(v.Severity, SeverityWarn))),
		slog.Bool("shadow", v.Shadow),
		slog.Uint64("edition", v.Edition),
	)
}
