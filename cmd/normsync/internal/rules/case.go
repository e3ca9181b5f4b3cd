package rules

import (
	"errors"
	"fmt"
	"time"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
	"github.com/normsync/normsync/internal/strictjson"
)

// Case is a test of rules: an action, and what must become of it.
type Case struct {
	Name     string
	Place    Place
	Before   []normsync.Action // what agents do before it, for facts that remember
	Action   normsync.Action
	Allowed  bool     // what is expected
	Violates []string // names of all norms that the action must violate; nil if any
}

var caseKeys = strictjson.Keys{
	Known:    []string{"name", "action", "expect", "violates", "time", "before"},
	Required: []string{"name", "action", "expect"},
}

// actionKeys are the keys of a [normsync.Action]. Its UnmarshalJSON skips other keys,
// but a test with a misspelt key would test something else.
var actionKeys = strictjson.Keys{
	Known: []string{"id", "agent_id", "action", "location", "target", "faction", "timestamp", "facts", "metadata"},
}

// addCases adds the tests of a file.
func (s *Set) addCases(f *source, at []span) {
	places := map[string]Place{}
	for i, at := range at {
		c, err := readCase(f.text[at.start:at.end])
		if err != nil {
			what := fmt.Sprintf("test %d", i+1)
			if c.Name != "" {
				what += " " + quote(c.Name)
			}
			s.report(f, at.start+err.ByteOffset, "", what+": "+err.Text())
			continue
		}
		c.Place = f.place(at.start)
		if first, ok := places[c.Name]; ok {
			s.Problems = append(s.Problems, Problem{c.Place, "", fmt.Sprintf("test %s: a test of that name is at %s, too; rename one of them", quote(c.Name), first)})
			continue
		}
		places[c.Name] = c.Place
		s.Cases = append(s.Cases, c)
	}
}

// readCase reads a test. After an error the test has its name if that was read.
func readCase(text []byte) (Case, *strictjson.Error) {
	var c Case
	d := strictjson.NewDecoder(text)
	var at time.Time
	err := d.ReadObject(&caseKeys, func(key string) (err error) {
		start := d.NextOffset()
		switch key {
		case "name":
			if c.Name, err = d.ReadString(); err == nil && c.Name == "" {
				err = d.Errorf(start, "it is empty; name what the test shows")
			}
		case "action":
			c.Action, err = readAction(d, text)
		case "expect":
			var expected string
			expected, err = d.ReadString()
			c.Allowed = expected == "allowed"
			if err == nil && !c.Allowed && expected != "denied" {
				err = d.Errorf(start, "%s is unknown; use allowed or denied", quote(expected))
			}
		case "violates":
			c.Violates = []string{}
			err = d.ReadArray(func() error {
				name, err := d.ReadString()
				c.Violates = append(c.Violates, name)
				return err
			})
		case "time":
			at, err = readTime(d)
		case "before":
			err = d.ReadArray(func() error {
				a, err := readAction(d, text)
				c.Before = append(c.Before, a)
				return err
			})
		}
		return err
	})
	if err == nil && !at.IsZero() {
		if !c.Action.Time.IsZero() {
			err = d.Errorf(0, "time and the action's timestamp are both set; leave one of them out")
		}
		c.Action.Time = at
	}
	if err == nil && !c.Allowed && c.Violates != nil && len(c.Violates) == 0 {
		err = d.Errorf(0, "an action that violates nothing is not denied; name the norms in violates, or leave it out")
	}
	var problem *strictjson.Error
	errors.As(err, &problem)
	return c, problem
}

// readAction reads the action of a test. The Decoder reads the same text.
func readAction(d *strictjson.Decoder, text []byte) (a normsync.Action, err error) {
	start := d.NextOffset()
	verb := start
	err = d.ReadObject(&actionKeys, func(key string) error {
		switch key {
		case "id", "timestamp", "metadata":
			return d.SkipValue()
		case "action":
			verb = d.NextOffset()
		}
		_, err := d.ReadString()
		return err
	})
	if err == nil && verb == start {
		err = d.Errorf(start, `the verb is missing; write it as in {"agent_id": "hero", "action": "attack"}`)
	}
	if err != nil {
		return a, err
	}
	object, _, err := strictjson.NewDecoder(text[start:]).ReadValue()
	if err != nil {
		return a, err
	}
	if err := a.UnmarshalJSON(object); err != nil {
		if e := (*strictjson.Error)(nil); errors.As(err, &e) {
			return a, d.Errorf(start+e.ByteOffset, "%s", e.Text())
		}
		return a, d.Errorf(start, "%s", err)
	}
	if service.RequireVerb(a) != nil {
		return a, d.Errorf(verb, "it has no verb; say what the agent does")
	}
	if err := service.RequireTime(a.Time); err != nil {
		return a, d.Errorf(start, "timestamp: %s", err)
	}
	return a, nil
}

func readTime(d *strictjson.Decoder) (time.Time, error) {
	start := d.NextOffset()
	text, err := d.ReadString()
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, d.Errorf(start, "%s is not a time; write it as 2026-07-01T18:30:00Z", quote(text))
	}
	return t.UTC(), nil
}
