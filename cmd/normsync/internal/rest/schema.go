package rest

import (
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/normsync/normsync"
)

// The library writes and reads its values itself. For each of them there is an
// exported type that carries it through huma, and an unexported struct that documents
// its JSON and gives the schema its name.

func schemaOf[T any](r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[T](), true, "")
}

// NewNorm is a norm in the body of a request. It is read strictly, as the library
// reads rule files.
type NewNorm struct{ normsync.Norm }

// Schema implements huma.SchemaProvider.
func (*NewNorm) Schema(r huma.Registry) *huma.Schema { return schemaOf[newNorm](r) }

type newNorm struct {
	Name        string `json:"name,omitempty" doc:"Unique among the norms in force. With PUT it may be left out, since the path has it." example:"peace"`
	Description string `json:"description,omitempty" doc:"For people; never matched."`
	Condition   string `json:"condition,omitempty" doc:"Tokens that must all be in the action. Empty: always applies." example:"safe_zone"`
	Prohibited  string `json:"prohibited,omitempty" doc:"Verbs that the norm forbids. A norm has either this or permitted." example:"attack steal"`
	Scope       string `json:"scope,omitempty" doc:"A label for people and reports." example:"global"`
	Active      bool   `json:"active,omitempty" doc:"Only true is accepted. Use DELETE to repeal a norm."`
	Priority    int    `json:"priority,omitempty" minimum:"-2147483648" maximum:"2147483647" doc:"A permit overrides prohibitions of lower priority."`
	Unless      string `json:"unless,omitempty" doc:"Tokens that exempt an action: any of them is enough."`
	Permitted   string `json:"permitted,omitempty" doc:"Verbs that the norm allows."`
	Severity    string `json:"severity,omitempty" enum:"info,warn,error" doc:"Empty means warn."`
	Shadow      bool   `json:"shadow,omitempty" doc:"A dry run: reported, but never denies."`
	Advice      string `json:"advice,omitempty" doc:"For the host; copied into violations."`
	From        string `json:"from,omitempty" format:"date-time" doc:"In force for actions from this time on."`
	Until       string `json:"until,omitempty" format:"date-time" doc:"In force for actions before this time."`
	ID          string `json:"id,omitempty" doc:"Computed from name, condition and prohibited. If it is given, it must be right."`
	SchemaURI   string `json:"$schema,omitempty" doc:"For editors; ignored."`
}

// Norm is a norm in a response.
type Norm struct{ normsync.Norm }

// Schema implements huma.SchemaProvider.
func (*Norm) Schema(r huma.Registry) *huma.Schema { return schemaOf[norm](r) }

type norm struct {
	ID          string `json:"id" pattern:"^[0-9a-f]{16}$" doc:"Computed from name, condition and prohibited."`
	Name        string `json:"name" example:"peace"`
	Description string `json:"description"`
	Condition   string `json:"condition" example:"safe_zone"`
	Prohibited  string `json:"prohibited" example:"attack steal"`
	Scope       string `json:"scope" example:"global"`
	Active      bool   `json:"active" doc:"Whether it is in force."`
	Priority    int    `json:"priority"`
	Unless      string `json:"unless,omitempty"`
	Permitted   string `json:"permitted,omitempty"`
	Severity    string `json:"severity,omitempty" enum:"info,warn,error"`
	Shadow      bool   `json:"shadow,omitempty"`
	Advice      string `json:"advice,omitempty"`
	From        string `json:"from,omitempty" format:"date-time"`
	Until       string `json:"until,omitempty" format:"date-time"`
}

// Violation is a violation in a response. Its number is 0, and left out, until it is
// stored.
type Violation struct{ normsync.StoredViolation }

// MarshalJSON returns the violation with its number as the last key.
func (v Violation) MarshalJSON() ([]byte, error) {
	b, err := v.Violation.MarshalJSON()
	if err != nil || v.Number == 0 {
		return b, err
	}
	b = append(b[:len(b)-1], `,"number":`...)
	b = strconv.AppendUint(b, v.Number, 10)
	return append(b, '}'), nil
}

// Schema implements huma.SchemaProvider.
func (*Violation) Schema(r huma.Registry) *huma.Schema { return schemaOf[violation](r) }

type violation struct {
	ID          string       `json:"id" pattern:"^[0-9a-f]{16}$"`
	NormID      string       `json:"norm_id" pattern:"^[0-9a-f]{16}$"`
	NormName    string       `json:"norm_name" example:"peace"`
	ActionID    string       `json:"action_id" pattern:"^[0-9a-f]{16}$"`
	AgentID     string       `json:"agent_id" example:"hero"`
	Description string       `json:"description" example:"Agent 'hero' performed 'attack' in 'safe_zone', violating norm 'peace'"`
	Severity    string       `json:"severity" enum:"info,warn,error"`
	Timestamp   float64      `json:"timestamp" doc:"Of the action, in seconds since 1970."`
	Shadow      bool         `json:"shadow,omitempty" doc:"The norm is a dry run and denies nothing."`
	Advice      string       `json:"advice,omitempty" doc:"Of the norm."`
	Edition     uint64       `json:"edition" doc:"Of the constitution that judged the action."`
	Action      storedAction `json:"action"`
	Number      uint64       `json:"number,omitempty" doc:"In the store, from 1 on. Use the last one as after to go on."`
}

// storedAction documents an action in a response.
type storedAction struct {
	ID        string  `json:"id" pattern:"^[0-9a-f]{16}$"`
	AgentID   string  `json:"agent_id"`
	Action    string  `json:"action"`
	Location  string  `json:"location"`
	Target    string  `json:"target"`
	Faction   string  `json:"faction"`
	Timestamp float64 `json:"timestamp"`
	Facts     string  `json:"facts,omitempty"`
	Metadata  any     `json:"metadata,omitempty"`
}

// Revision is a revision in a response.
type Revision struct{ normsync.Revision }

// Schema implements huma.SchemaProvider.
func (*Revision) Schema(r huma.Registry) *huma.Schema { return schemaOf[revision](r) }

type revision struct {
	ID           string  `json:"id" pattern:"^[0-9a-f]{16}$"`
	Edition      uint64  `json:"edition" doc:"1, 2, 3 and so on over the whole constitution."`
	NormID       string  `json:"norm_id" pattern:"^[0-9a-f]{16}$"`
	RevisionType string  `json:"revision_type" enum:"add,modify,repeal"`
	Version      int     `json:"version" doc:"1, 2, 3 and so on of the norm with this name."`
	By           string  `json:"by"`
	Reason       string  `json:"reason"`
	Timestamp    float64 `json:"timestamp"`
	Norm         norm    `json:"norm"`
	Prev         string  `json:"prev,omitempty" doc:"The id of the revision before."`
}

// Finding is what became of one norm for an action.
type Finding struct{ normsync.Finding }

// Schema implements huma.SchemaProvider.
func (*Finding) Schema(r huma.Registry) *huma.Schema { return schemaOf[finding](r) }

type finding struct {
	Norm    norm     `json:"norm"`
	Outcome string   `json:"outcome" enum:"violated,shadow,overridden,exempt,unmet,permits,inactive"`
	Matched []string `json:"matched" doc:"Tokens of the verb, then of the condition, that were found."`
	Missing []string `json:"missing,omitempty" doc:"Tokens of the condition that were not found."`
	By      string   `json:"by,omitempty" doc:"What decided: the token of unless, the name of the permit, or the bound of the window."`
}

// Compliance is how well one agent kept the norms.
type Compliance struct{ normsync.Compliance }

// Schema implements huma.SchemaProvider.
func (*Compliance) Schema(r huma.Registry) *huma.Schema { return schemaOf[compliance](r) }

type compliance struct {
	Agent      string         `json:"agent_id"`
	Actions    int            `json:"actions"`
	Violating  int            `json:"violating" doc:"Actions with a violation that is not of severity info."`
	Violations int            `json:"violations"`
	ByNorm     map[string]int `json:"by_norm" doc:"Violations by the name of the norm."`
	Errors     int            `json:"errors" doc:"Violations of severity error."`
	Rate       float64        `json:"rate" minimum:"0" maximum:"1"`
	Risk       string         `json:"risk" enum:"compliant,low_risk,medium_risk,high_risk,non_compliant"`
	Trend      string         `json:"trend" enum:"improving,stable,degrading"`
}

// Conflict is a proven defect of the norms in force.
type Conflict struct{ normsync.Conflict }

// Schema implements huma.SchemaProvider.
func (*Conflict) Schema(r huma.Registry) *huma.Schema { return schemaOf[conflict](r) }

type conflict struct {
	Kind    string       `json:"kind" enum:"duplicate,redundant,contradiction,overruled,dead"`
	A       string       `json:"a" doc:"The defective norm; of a contradiction, the prohibition."`
	B       string       `json:"b" doc:"The other norm; empty if kind is dead."`
	Detail  string       `json:"detail"`
	Witness storedAction `json:"witness" doc:"An action that shows the conflict."`
}
