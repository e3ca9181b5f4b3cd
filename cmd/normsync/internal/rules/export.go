package rules

import (
	"encoding/json"
	"io"
	"time"

	"github.com/normsync/normsync"
)

// schemaURL is where editors find the schema of a rule file.
const schemaURL = "https://raw.githubusercontent.com/normsync/normsync/main/docs/norms.schema.json"

// exported is a norm as Write writes it.
type exported struct {
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Condition   string            `json:"condition,omitempty"`
	Unless      string            `json:"unless,omitempty"`
	Prohibited  string            `json:"prohibited,omitempty"`
	Permitted   string            `json:"permitted,omitempty"`
	Scope       string            `json:"scope,omitempty"`
	Priority    int               `json:"priority,omitempty"`
	Severity    normsync.Severity `json:"severity,omitempty"`
	Advice      string            `json:"advice,omitempty"`
	From        time.Time         `json:"from,omitzero"`
	Until       time.Time         `json:"until,omitzero"`
	Shadow      bool              `json:"shadow,omitempty"`
	Active      *bool             `json:"active,omitempty"`
}

// Write writes norms as a rule file that people edit: a line per field, without the
// fields that have their default, and without IDs, which would be wrong after an edit.
// Read reads the same norms back.
func Write(w io.Writer, norms []normsync.Norm) error {
	file := struct {
		Schema string     `json:"$schema"`
		Norms  []exported `json:"norms"`
	}{schemaURL, make([]exported, len(norms))}
	for i, n := range norms {
		if n.Scope == globalScope {
			n.Scope = ""
		}
		file.Norms[i] = exported{
			n.Name, n.Description, n.Condition, n.Unless, n.Prohibited, n.Permitted, n.Scope, n.Priority,
			n.Severity, n.Advice, n.From.UTC(), n.Until.UTC(), n.Shadow, nil,
		}
		if n.Repealed {
			file.Norms[i].Active = new(bool)
		}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(file)
}
