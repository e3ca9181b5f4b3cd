package mcpserver

import (
	"reflect"
	"sync"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/normsync/normsync"
)

// The structs below are never filled. They describe the JSON that the library
// writes for its types, which have methods of their own for it.

type actionJSON struct {
	ID        string  `json:"id"`
	Agent     string  `json:"agent_id"`
	Action    string  `json:"action"`
	Location  string  `json:"location"`
	Target    string  `json:"target"`
	Faction   string  `json:"faction"`
	Timestamp float64 `json:"timestamp" jsonschema:"seconds since 1970"`
	Facts     string  `json:"facts,omitempty"`
	Metadata  any     `json:"metadata,omitempty"`
}

type normJSON struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Condition   string `json:"condition" jsonschema:"words that must all be in the action"`
	Prohibited  string `json:"prohibited" jsonschema:"verbs that the norm forbids"`
	Scope       string `json:"scope"`
	Active      bool   `json:"active" jsonschema:"false if the norm was repealed"`
	Priority    int    `json:"priority"`
	Unless      string `json:"unless,omitempty" jsonschema:"words that exempt an action"`
	Permitted   string `json:"permitted,omitempty" jsonschema:"verbs that the norm permits"`
	Severity    string `json:"severity,omitempty"`
	Shadow      bool   `json:"shadow,omitempty" jsonschema:"true if the norm is a dry run, which denies nothing"`
	Advice      string `json:"advice,omitempty"`
	From        string `json:"from,omitempty" jsonschema:"RFC 3339"`
	Until       string `json:"until,omitempty" jsonschema:"RFC 3339"`
}

type violationJSON struct {
	ID          string     `json:"id"`
	NormID      string     `json:"norm_id"`
	NormName    string     `json:"norm_name"`
	ActionID    string     `json:"action_id"`
	Agent       string     `json:"agent_id"`
	Description string     `json:"description"`
	Severity    string     `json:"severity" jsonschema:"info, warn or error"`
	Timestamp   float64    `json:"timestamp" jsonschema:"seconds since 1970"`
	Shadow      bool       `json:"shadow,omitempty" jsonschema:"true if the norm is a dry run, which denies nothing"`
	Advice      string     `json:"advice,omitempty" jsonschema:"what the author of the norm tells the host"`
	Edition     int        `json:"edition" jsonschema:"of the constitution that judged the action"`
	Action      actionJSON `json:"action"`
}

var libraryTypes = sync.OnceValue(func() map[reflect.Type]*jsonschema.Schema {
	return map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[normsync.ID]():        {Type: "string"},
		reflect.TypeFor[normsync.Action]():    mustSchema[actionJSON](nil),
		reflect.TypeFor[normsync.Norm]():      mustSchema[normJSON](nil),
		reflect.TypeFor[normsync.Violation](): mustSchema[violationJSON](nil),
	}
})

// schemaOf returns the schema of the JSON of T. Nothing in it is null.
func schemaOf[T any]() *jsonschema.Schema { return mustSchema[T](libraryTypes()) }

func mustSchema[T any](types map[reflect.Type]*jsonschema.Schema) *jsonschema.Schema {
	s, err := jsonschema.For[T](&jsonschema.ForOptions{TypeSchemas: types})
	if err != nil {
		panic(err) // a type of this package, not of a user
	}
	neverNull(s)
	return s
}

func neverNull(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	if len(s.Types) == 2 && s.Types[0] == "null" {
		s.Type, s.Types = s.Types[1], nil
	}
	for _, p := range s.Properties {
		neverNull(p)
	}
	neverNull(s.Items)
}

// between limits an integer in a schema.
func between(s *jsonschema.Schema, lo, hi float64) { s.Minimum, s.Maximum = &lo, &hi }
