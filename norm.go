package normsync

import "time"

// ID is the content address of a norm, action, violation or revision: the
// first 8 bytes of a SHA-256. Its text form is 16 lower-case hex digits.
type ID [8]byte

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
// of Prohibited and Permitted means the ordinary thing. Norms can be compared
// with == and share nothing mutable.
type Norm struct {
	Name        string   // unique among the norms in force
	Description string   // for people; never matched
	Condition   string   // tokens that must all be in the action; empty: always applies
	Unless      string   // tokens any of which lifts the norm
	Prohibited  string   // verbs it forbids: any of these tokens in the verb
	Permitted   string   // verbs it expressly allows (exactly one of Prohibited and Permitted is set)
	Scope       string   // label for people and reports; empty means "global"
	Priority    int      // a permit silences prohibitions of strictly lower priority
	Severity    Severity // empty means "warn"
	Shadow      bool     // dry run: reported, never denies
	Repealed    bool     // JSON "active": false
}

// Action is one thing that an agent does. Actions can be compared with == and
// share nothing mutable.
type Action struct {
	Agent    string    // JSON "agent_id"; matched only by an agent: token
	Verb     string    // JSON "action"
	Location string    // JSON "location"
	Target   string    // JSON "target"
	Faction  string    // JSON "faction"
	Metadata string    // JSON text carried along under "metadata"; never matched
	Time     time.Time // JSON "timestamp": seconds since 1970 as a decimal number, exact to the nanosecond
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
