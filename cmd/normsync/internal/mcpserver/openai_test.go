package mcpserver_test

import (
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync/cmd/normsync/internal/mcpserver"
)

// The repository has the list of functions for OpenAI that follows from the tools.
func TestOpenAIFunctionsAreTheTools(t *testing.T) {
	const path = "../../../../tools/openai-tools.json"
	got, err := mcpserver.OpenAITools()
	require.NoError(t, err)
	if flag.Lookup("update").Value.String() == "true" {
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "to write it again, run: go test ./internal/mcpserver -run TestOpenAIFunctionsAreTheTools -update")

	var functions []struct {
		Type     string
		Function struct {
			Name, Description string
			Strict            bool
			Parameters        struct {
				Type                 string
				Properties           map[string]struct{ Description string }
				Required             []string
				AdditionalProperties *bool
			}
		}
	}
	require.NoError(t, json.Unmarshal(got, &functions))
	names := map[string][]string{}
	for _, f := range functions {
		require.Equal(t, "function", f.Type)
		require.True(t, f.Function.Strict)
		require.NotEmpty(t, f.Function.Description)
		p := f.Function.Parameters
		require.Equal(t, "object", p.Type)
		require.False(t, *p.AdditionalProperties)
		require.Len(t, p.Required, len(p.Properties), "strict functions require all arguments")
		for _, name := range p.Required {
			require.NotEmpty(t, p.Properties[name].Description)
		}
		names[f.Function.Name] = p.Required
	}
	require.Len(t, names, 8)
	require.Equal(t, []string{"active_only"}, names["get_norms"])
	require.Equal(t, []string{"name", "description", "condition", "prohibited"}, names["add_norm"][:4])
	require.Equal(t, []string{"agent_id", "action", "location"}, names["check_action"][:3])
}

// A strict function gives null for what it leaves out, and the tools take it.
func TestToolsTakeWhatStrictFunctionsGive(t *testing.T) {
	w := newWorld(t)
	session := overHTTP(t, w)
	list, err := mcpserver.OpenAITools()
	require.NoError(t, err)
	var functions []struct {
		Function struct {
			Name       string
			Parameters struct {
				Properties map[string]struct{ Type any }
			}
		}
	}
	require.NoError(t, json.Unmarshal(list, &functions))
	w.enact(peace)
	for _, f := range functions {
		arguments := object{}
		for name, p := range f.Function.Parameters.Properties {
			switch p.Type {
			case "string":
				arguments[name] = "peace"
			case "boolean":
				arguments[name] = false
			default:
				require.Equal(t, "null", p.Type.([]any)[1])
				arguments[name] = nil
			}
		}
		if f.Function.Name == "add_norm" {
			arguments["name"] = "war"
		}
		if f.Function.Name == "get_norms" {
			f.Function.Name = "list_norms"
		}
		fine(t, session, f.Function.Name, arguments)
	}
}
