package normsync

import (
	"cmp"
	"encoding/hex"
	"log/slog"
	"strings"
	"time"

	"github.com/normsync/normsync/internal/unixtime"
)

// Severity tells people and reports how much a violation matters. It does not affect
// matching or verdicts.
type Severity string

const (
	SeverityInfo  Severity = "info"
	SeverityWarn  Severity = "warn" // the meaning of an empty Severity
	SeverityError Severity = "error"
)

// Norm is a rule of the world: it says when it applies, and which verbs it then
// forbids or expressly allows. Only Name and one of Prohibited and Permitted are
// required; the zero value of every other field is a sensible default. See
// [Norm.Validate] for the limits. Norms can be compared with == and share no mutable
// state.
//
// Prohibited "*", with permits of a higher Priority, forbids every action that has no
// verb that a permit names. It does not forbid an [Action] without a verb.
type Norm struct {
	Name        string    // unique among the norms in force
	Description string    // for people; never matched
	Condition   string    // tokens that must all be in the action; a|b: any of them; empty: always applies
	Unless      string    // tokens that exempt an action: any of them is enough
	Prohibited  string    // verbs it forbids: any of these tokens in the verb
	Permitted   string    // verbs it expressly allows (exactly one of Prohibited and Permitted is set)
	Scope       string    // label for people and reports; empty means "global"
	Priority    int       // a permit overrides prohibitions of strictly lower priority; within 32 bits
	Severity    Severity  // empty means "warn"
	Advice      string    // for the host: a message, "ask", a sanction; copied into the violation, never matched
	From, Until time.Time // in force for actions with From <= Time < Until; zero: without that bound
	Shadow      bool      // dry run: reported, never denies
	Repealed    bool      // JSON "active": false
}

// ID returns the ID of n. Its payload is
//
//	name|condition|prohibited
//
// followed by |unless=…, |permitted=…, |from=… and |until=…, in this order, if they
// are set. From and Until are in nanoseconds since 1970. Inside a part \ is written \\
// and | is written \|. The other fields do not affect the ID. ID does not allocate if
// the payload has at most 512 bytes.
func (n Norm) ID() ID {
	p := make(payload, 0, payloadSize).first(n.Name).next(n.Condition).next(n.Prohibited)
	if n.Unless != "" {
		p = append(p, "|unless="...).first(n.Unless)
	}
	if n.Permitted != "" {
		p = append(p, "|permitted="...).first(n.Permitted)
	}
	if !n.From.IsZero() {
		p = unixtime.AppendNanoseconds(append(p, "|from="...), n.From)
	}
	if !n.Until.IsZero() {
		p = unixtime.AppendNanoseconds(append(p, "|until="...), n.Until)
	}
	return p.id()
}

// Action is something that an agent does, or wants to do. Every field is optional.
//
// No norm forbids an action without a verb, not even one with Prohibited "*". Such an
// action can come from JSON: {"agent": "a1", "verb": "wire"} has none of the keys of
// an action, so [Action.UnmarshalJSON] reads it as the zero value without an error.
// Reject an action without a word in its Verb before you check it.
//
// The package never sets Time. Actions that differ only in their Time have different
// IDs. Actions can be compared with == and share no mutable state, provided that their
// times are in UTC without a monotonic clock reading.
type Action struct {
	Agent    string    // JSON "agent_id"; matched by agent: tokens only, word by word
	Verb     string    // JSON "action"
	Location string    // JSON "location"
	Target   string    // JSON "target"
	Faction  string    // JSON "faction"
	Facts    string    // JSON "facts", if set: what holds now, such as "night war low_health"
	Metadata string    // JSON text carried along under "metadata"; never matched
	Time     time.Time // JSON "timestamp": seconds since 1970 as a decimal number, exact to the nanosecond
}

// ID returns the ID of a. Its payload is
//
//	agent|verb|location|target|faction|time
//
// followed by |facts=… if it is set, and escaped as for [Norm.ID]. The time is in
// nanoseconds since 1970, 0 for the zero time. Metadata does not affect the ID, and
// storing an action does not change it. ID does not allocate if the payload has at most
// 512 bytes.
func (a Action) ID() ID {
	p := make(payload, 0, payloadSize).first(a.Agent).next(a.Verb).next(a.Location).
		next(a.Target).next(a.Faction).nextTime(a.Time)
	if a.Facts != "" {
		p = append(p, "|facts="...).first(a.Facts)
	}
	return p.id()
}

// Violation records that an action broke a norm. Violations can be compared with ==
// and share no mutable state; see [Action] about times.
type Violation struct {
	NormID   ID
	NormName string
	Severity Severity // of the norm; Check reports "warn" for an empty one
	Shadow   bool     // the norm is a dry run
	Advice   string   // of the norm
	Edition  uint64   // of the constitution that judged it
	Action   Action
}

// Denied reports whether one of the violations denies its action. The violations of
// Shadow norms do not, so counting violations is not enough. For the violations of one
// action Denied is the opposite of [Constitution.Allows].
func Denied(vs []Violation) bool {
	for i := range vs {
		if !vs[i].Shadow {
			return true
		}
	}
	return false
}

var _ slog.LogValuer = Violation{}

// ID returns the ID of v. Its payload is the ID of the norm and the ID of the action,
// joined by |. If the same action, at the same nanosecond, breaks the same norm again,
// the violations have the same ID, whatever their editions. ID does not allocate
// unless [Action.ID] does.
func (v Violation) ID() ID { return violationID(v.NormID, v.Action.ID()) }

func violationID(norm, action ID) ID {
	return payload(hex.AppendEncode(make(payload, 0, payloadSize), norm[:])).nextID(action).id()
}

// String returns the violation as a sentence, which names the target if there is one:
//
//	Agent 'hero' performed 'attack' in 'safe_zone', violating norm 'no-attack-in-safe-zone'
//	Agent 'hero' performed 'attack' on 'goblin' in 'safe_zone', violating norm 'no-attack-in-safe-zone'
//
// The texts are not escaped. Print a violation of an untrusted agent with %q, or with
// a [Report].
func (v Violation) String() string {
	var b strings.Builder
	for _, p := range v.sentence() {
		b.WriteString(p.before)
		b.WriteString(p.text)
	}
	b.WriteByte('\'')
	return b.String()
}

// phrase is a text of a violation with the words of the sentence in front of it.
type phrase struct{ before, text string }

// sentence returns the sentence of [Violation.String] without its last quotation mark.
func (v Violation) sentence() [5]phrase {
	s := [...]phrase{
		{"Agent '", v.Action.Agent},
		{"' performed '", v.Action.Verb},
		{"", ""},
		{"' in '", v.Action.Location},
		{"', violating norm '", v.NormName},
	}
	if v.Action.Target != "" {
		s[2] = phrase{"' on '", v.Action.Target}
	}
	return s
}

// LogValue returns v as a group of the attributes id, norm, agent, action, location,
// target, faction, severity, shadow and edition, so that a [slog.Logger] writes it in
// its own format. It implements [slog.LogValuer].
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
