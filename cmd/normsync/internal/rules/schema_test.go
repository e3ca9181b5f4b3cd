package rules_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync/cmd/normsync/internal/rules"
)

// docs/tests.schema.json accepts what Read accepts.
func TestTheSchemaOfTestsAgreesWithRead(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/tests.schema.json")
	require.NoError(t, err)
	var schema jsonschema.Schema
	require.NoError(t, json.Unmarshal(text, &schema))
	resolved, err := schema.Resolve(nil)
	require.NoError(t, err)

	const action = `"action": {"action": "a"}`
	accepted := 0
	for _, text := range []string{
		`{"tests": []}`, `{"$schema": "x", "tests": [], "other": 1}`, `{"tests": {}}`, `{"tests": [1]}`, `{"$schema": 1, "tests": []}`,
		`{"tests": [{"name": "n", ` + action + `, "expect": "denied"}]}`,
		`{"tests": [{"name": "n", ` + action + `, "expect": "allowed", "violates": []}]}`,
		`{"tests": [{"name": "n", ` + action + `, "expect": "denied", "violates": []}]}`,
		`{"tests": [{"name": "n", ` + action + `, "expect": "denied", "violates": ["x"], "time": "2026-01-02T03:04:05.5+01:00"}]}`,
		`{"tests": [{"name": "n", ` + action + `, "expect": "denied", "before": [{"action": "a", "timestamp": 1}]}]}`,
		`{"tests": [{"name": "n", ` + action + `, "expect": "denied", "before": [{"location": "a"}]}]}`,
		`{"tests": [{"name": "n", ` + action + `, "expect": "denied", "before": {}}]}`,
		`{"tests": [{"name": "n", ` + action + `, "expect": "denied", "violates": [1]}]}`,
		`{"tests": [{"name": "n", ` + action + `, "expect": "denied", "time": "noon"}]}`,
		`{"tests": [{"name": "n", ` + action + `, "expect": "deny"}]}`,
		`{"tests": [{"name": "n", ` + action + `}]}`,
		`{"tests": [{"name": "", ` + action + `, "expect": "denied"}]}`,
		`{"tests": [{` + action + `, "expect": "denied"}]}`,
		`{"tests": [{"name": "n", "expect": "denied"}]}`,
		`{"tests": [{"name": "n", ` + action + `, "expect": "denied", "why": ""}]}`,
		`{"tests": [{"name": "n", "action": {"action": " "}, "expect": "denied"}]}`,
		`{"tests": [{"name": "n", "action": {"action": "a", "verb": "b"}, "expect": "denied"}]}`,
		`{"tests": [{"name": "n", "action": {"action": "a", "location": null}, "expect": "denied"}]}`,
		`{"tests": [{"name": "n", "action": {"id": 1, "agent_id": "a", "action": "a", "location": "b", "target": "c", "faction": "d", "facts": "e", "timestamp": 1.5, "metadata": {}}, "expect": "denied"}]}`,
		`{"tests": [{"name": "n", "action": {"action": "a", "timestamp": "1"}, "expect": "denied"}]}`,
		`{"tests": [{"name": "n", "action": {"action": "a", "timestamp": null}, "expect": "denied"}]}`,
	} {
		var value any
		require.NoError(t, json.Unmarshal([]byte(text), &value), text)
		s, err := rules.Read(strings.NewReader(text), "-")
		require.NoError(t, err)
		problem := resolved.Validate(value)
		require.Equal(t, s.Err() == nil, problem == nil, "%s\nRead: %v\nschema: %v", text, s.Err(), problem)
		if problem == nil {
			accepted++
		}
	}
	require.Equal(t, 8, accepted)
}
