package mcpserver

import (
	"bytes"
	"encoding/json"

	"github.com/google/jsonschema-go/jsonschema"
)

type openAITool struct {
	Type     string         `json:"type"`
	Function openAIFunction `json:"function"`
}

type openAIFunction struct {
	Name        string             `json:"name"`
	Description string             `json:"description"`
	Strict      bool               `json:"strict"`
	Parameters  *jsonschema.Schema `json:"parameters"`
}

// OpenAITools returns the tools as a JSON array of strict functions for OpenAI's
// chat completions. It has get_norms in place of list_norms.
func OpenAITools() ([]byte, error) {
	var functions []openAITool
	for _, t := range tools() {
		parameters := t.input
		if t.name == "list_norms" {
			t.name = getNorms
			active := parameters.Properties["active_only"]
			parameters = &jsonschema.Schema{
				Type: "object", Properties: map[string]*jsonschema.Schema{"active_only": active}, Required: []string{"active_only"},
				AdditionalProperties: parameters.AdditionalProperties,
			}
		}
		functions = append(functions, openAITool{"function", openAIFunction{t.name, t.description, true, strict(parameters)}})
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(functions)
	return b.Bytes(), err
}

// strict returns a schema as strict functions demand it: every argument is
// required, and null stands for one that is not given.
func strict(s *jsonschema.Schema) *jsonschema.Schema {
	s = s.CloneSchemas()
	required := map[string]bool{}
	for _, name := range s.Required {
		required[name] = true
	}
	s.Required = []string{}
	names := s.PropertyOrder
	if names == nil {
		for name := range s.Properties {
			names = append(names, name)
		}
	}
	for _, name := range names {
		s.Required = append(s.Required, name)
		p := s.Properties[name]
		if required[name] {
			continue
		}
		p.Types, p.Type = []string{p.Type, "null"}, ""
		if p.Enum != nil {
			p.Enum = append(p.Enum[:len(p.Enum):len(p.Enum)], nil)
		}
	}
	return s
}
