package service

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/internal/invisible"
)

// Verdict is what became of an action.
type Verdict struct {
	Action     normsync.Action
	Allowed    bool // no violation denies the action; violations of shadow norms do not
	Violations []normsync.Violation
}

// MarshalJSON returns v as an object with the keys allowed, violation_count,
// has_violations and violations.
func (v Verdict) MarshalJSON() ([]byte, error) {
	b, err := v.AppendJSON([]byte{'{'})
	return b, err
}

// AppendJSON appends the text of the JSON object behind its opening brace, so that a
// caller can put keys of its own in front.
func (v Verdict) AppendJSON(b []byte) ([]byte, error) {
	b = append(b, `"allowed":`...)
	b = strconv.AppendBool(b, v.Allowed)
	b = append(b, `,"violation_count":`...)
	b = strconv.AppendInt(b, int64(len(v.Violations)), 10)
	b = append(b, `,"has_violations":`...)
	b = strconv.AppendBool(b, len(v.Violations) > 0)
	b = append(b, `,"violations":[`...)
	for i := range v.Violations {
		if i > 0 {
			b = append(b, ',')
		}
		text, err := v.Violations[i].MarshalJSON()
		if err != nil {
			return nil, err
		}
		b = append(b, text...)
	}
	return append(b, "]}"...), nil
}

// Explanation says what became of each norm that has the verb of an action.
type Explanation struct {
	Action   normsync.Action    `json:"action"`
	Allowed  bool               `json:"allowed"`
	Findings []normsync.Finding `json:"findings"`
}

var _ json.Marshaler = Verdict{}

// RequireVerb returns an error if an action has no word in its verb. No norm forbids such
// an action, so it must be refused and not allowed.
func RequireVerb(a normsync.Action) error {
	if HasWord(a.Verb) {
		return nil
	}
	return fmt.Errorf("%w action of agent %q: it has no verb; say what the agent does", normsync.ErrInvalid, a.Agent)
}

// RequireTime returns an error if a time is outside the years 1 to 9999, in which the
// windows of norms and the times in reports are. The zero time, which is none, is fine.
func RequireTime(t time.Time) error {
	if s := t.Unix(); s < minTime || s > maxTime { // unlike the year, exact for each time
		return fmt.Errorf("the time is outside the years 1 to 9999; write seconds since 1970, not milliseconds, from %d to %d", int64(minTime), int64(maxTime))
	}
	return nil
}

// minTime and maxTime are the first and the last second of the years 1 to 9999, counted
// from 1970.
const (
	minTime = -62135596800
	maxTime = 253402300799
)

// HasWord reports whether a text has a word that can be seen.
func HasWord(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsSpace(r) && !invisible.Ignorable(r) })
}
