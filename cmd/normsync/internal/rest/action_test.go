package rest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

// What is accepted is read as the library reads it, has a verb, and has no key that
// would be passed over.
func FuzzAction(f *testing.F) {
	for _, c := range wrongActions {
		f.Add(c.body)
	}
	f.Add(attack)
	f.Add(`{"agent_id":"","action":"att\u0061ck","location":null,"timestamp":1767225600.123456789,"metadata":{"a":[1]},"id":7,"facts":"\ud800"}`)
	f.Fuzz(func(t *testing.T, text string) {
		var a Action
		if a.UnmarshalJSON([]byte(text)) != nil {
			require.Equal(t, Action{}, a, "nothing is read with an error")
			return
		}
		require.True(t, json.Valid([]byte(text)))
		var library normsync.Action
		require.NoError(t, library.UnmarshalJSON([]byte(text)))
		require.Equal(t, library, a.Action)
		require.NotEmpty(t, strings.TrimSpace(a.Verb))
		var keys map[string]any
		require.NoError(t, json.Unmarshal([]byte(text), &keys))
		for key := range keys {
			require.Contains(t, actionKeys.Known, key)
		}
		require.Contains(t, keys, "agent_id")
	})
}
