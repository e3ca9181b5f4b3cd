package rest

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
	"github.com/normsync/normsync/internal/strictjson"
)

// Action is an action in the body of a request. It is read more strictly than a
// normsync.Action: a key that is unknown or missing would otherwise make an action
// that no norm forbids, and texts that are not valid UTF-8 would become the same text.
type Action struct{ normsync.Action }

var actionKeys = strictjson.Keys{
	Unknown:  strictjson.RejectUnknown,
	Known:    []string{"agent_id", "action", "location", "target", "faction", "facts", "timestamp", "metadata", "id"},
	Required: []string{"agent_id", "action"},
}

// UnmarshalJSON reads an action. The error names the key.
func (a *Action) UnmarshalJSON(b []byte) error {
	read, err := readAction(b, &actionKeys, nil)
	if err != nil {
		return err
	}
	if !service.HasWord(read.Verb) {
		return actionError(errors.New(`key "action": it has no word that can be seen; name the verb, such as "attack"`))
	}
	a.Action = read
	return nil
}

// readAction reads an action with these keys, and calls verbs to read the value of the
// key verbs.
func readAction(b []byte, keys *strictjson.Keys, verbs func(*strictjson.Decoder) error) (read normsync.Action, err error) {
	d := strictjson.NewDecoder(b)
	exact := false // the library has to read it
	err = d.ReadObject(keys, func(key string) (err error) {
		if key != "metadata" && d.SkipNull() {
			return nil
		}
		switch key {
		case "agent_id":
			read.Agent, err = d.ReadString()
		case "action":
			read.Verb, err = d.ReadString()
		case "location":
			read.Location, err = d.ReadString()
		case "target":
			read.Target, err = d.ReadString()
		case "faction":
			read.Faction, err = d.ReadString()
		case "facts":
			read.Facts, err = d.ReadString()
		case "id":
			err = d.SkipValue()
		case "verbs":
			err = verbs(d)
		case "metadata":
			exact = true
			start := d.NextOffset()
			value, _, skipped := d.ReadValue()
			if err = skipped; err == nil && !utf8.Valid(value) {
				err = d.Errorf(start, "the text is not valid UTF-8")
			}
		default: // a time
			exact, err = true, d.SkipValue()
		}
		return err
	})
	if err == nil {
		err = d.CheckEOF()
	}
	if err != nil {
		return normsync.Action{}, actionError(err)
	}
	if exact {
		if err := read.UnmarshalJSON(b); err != nil {
			return normsync.Action{}, err
		}
		if err := service.RequireTime(read.Time); err != nil {
			return normsync.Action{}, actionError(fmt.Errorf(`key "timestamp": %w`, err))
		}
	}
	return read, nil
}

func actionError(err error) error { return fmt.Errorf("%w action: %w", normsync.ErrInvalid, err) }

// action documents the JSON of an Action.
type action struct {
	AgentID   string   `json:"agent_id" doc:"Who acts. It may be empty; no token agent: finds it then." example:"hero"`
	Action    string   `json:"action" minLength:"1" doc:"What the agent does: one word or more." example:"attack"`
	Location  *string  `json:"location,omitempty" doc:"Where." example:"town safe_zone"`
	Target    *string  `json:"target,omitempty" doc:"On what or whom." example:"guard"`
	Faction   *string  `json:"faction,omitempty" doc:"Of the agent." example:"red"`
	Facts     *string  `json:"facts,omitempty" doc:"What holds now." example:"night war"`
	Timestamp *float64 `json:"timestamp,omitempty" doc:"Seconds since 1970. Without it, or if it is 0, the action is judged at the time of the request." example:"1767225600.25"`
	Metadata  any      `json:"metadata,omitempty" doc:"Any JSON, which is kept with a violation."`
	ID        *string  `json:"id,omitempty" doc:"Ignored, so that an action from a log can be sent as it is."`
}

// Schema implements huma.SchemaProvider.
func (*Action) Schema(r huma.Registry) *huma.Schema { return schemaOf[action](r) }

// Situation is an action without its verb, and verbs to try.
type Situation struct {
	normsync.Action
	Verbs []string
}

var situationKeys = strictjson.Keys{
	Unknown:  strictjson.RejectUnknown,
	Known:    []string{"agent_id", "location", "target", "faction", "facts", "timestamp", "verbs"},
	Required: []string{"agent_id"},
}

// UnmarshalJSON reads a situation. The error names the key.
func (s *Situation) UnmarshalJSON(b []byte) error {
	var verbs []string
	read, err := readAction(b, &situationKeys, func(d *strictjson.Decoder) error {
		verbs = []string{}
		return d.ReadArray(func() error {
			verb, err := d.ReadString()
			verbs = append(verbs, verb)
			return err
		})
	})
	if err != nil {
		return err
	}
	s.Action, s.Verbs = read, verbs
	return nil
}

// situation documents the JSON of a Situation.
type situation struct {
	AgentID   string   `json:"agent_id" doc:"Who would act." example:"hero"`
	Location  *string  `json:"location,omitempty" example:"town safe_zone"`
	Target    *string  `json:"target,omitempty"`
	Faction   *string  `json:"faction,omitempty"`
	Facts     *string  `json:"facts,omitempty"`
	Timestamp *float64 `json:"timestamp,omitempty" doc:"Seconds since 1970. Without it, the time of the request."`
	Verbs     []string `json:"verbs,omitempty" maxItems:"10000" doc:"Which of these? Without it, all verbs that norms in force name." example:"[\"attack\",\"trade\"]"`
}

// Schema implements huma.SchemaProvider.
func (*Situation) Schema(r huma.Registry) *huma.Schema { return schemaOf[situation](r) }
