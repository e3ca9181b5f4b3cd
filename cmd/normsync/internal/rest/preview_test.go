package rest

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

func TestPreview(t *testing.T) {
	w := open(t, "", Options{Token: "secret"})
	w.ok("POST", "/norm", `{"name": "peace", "condition": "safe_zone", "prohibited": "attack"}`)
	w.ok("POST", "/norm", `{"name": "silence", "prohibited": "shout"}`)
	w.ok("POST", "/check", `{"agent_id": "hero", "action": "attack", "location": "safe_zone"}`)
	w.token = "" // a preview needs none

	got := w.object("POST", "/preview", `{"kind": "repeal", "name": "peace"}`)
	require.Equal(t, []any{}, got["conflicts_added"])
	require.Equal(t, 1.0, got["examined"], "what was recorded a moment ago counts")
	require.Equal(t, 1.0, got["now_allowed"])
	effects := got["effects"].([]any)
	require.Len(t, effects, 1)
	require.Equal(t, "hero", effects[0].(map[string]any)["action"].(map[string]any)["agent_id"])
	require.Equal(t, map[string]any{"allowed": false, "norms": []any{"peace"}}, effects[0].(map[string]any)["before"])
	require.Equal(t, map[string]any{"allowed": true, "norms": []any{}}, effects[0].(map[string]any)["after"])

	got = w.object("POST", "/preview", `{"kind": "amend", "norm": {"name": "peace", "condition": "safe_zone", "unless": "safe_zone", "prohibited": "attack"}}`)
	require.Equal(t, "dead", got["conflicts_added"].([]any)[0].(map[string]any)["kind"])

	w.service.Recorder().Record(w.service.Judge(normsync.Action{Agent: "bard", Verb: "shout"}).Violations...)
	got = w.object("POST", "/preview?limit=1", `{"kind": "repeal", "name": "silence"}`)
	require.Equal(t, [2]any{1.0, 1.0}, [2]any{got["examined"], got["now_allowed"]}, "the newest counts")

	require.Len(t, w.list("/norms"), 2)
	require.Len(t, w.list("/revisions"), 2, "a preview changes nothing")
}

func TestPreviewRefuses(t *testing.T) {
	w := open(t, "", Options{})
	w.ok("POST", "/norm", `{"name": "peace", "prohibited": "attack"}`)
	for body, want := range map[string]struct {
		status   int
		location string
	}{
		`{"kind": "repeal"}`: {422, "body.name"},
		`{"kind": "repeal", "name": "peace", "norm": {"name": "peace", "prohibited": "x"}}`: {422, "body.norm"},
		`{"kind": "enact"}`: {422, "body.norm"},
		`{"kind": "enact", "name": "war", "norm": {"name": "war", "prohibited": "x"}}`: {422, "body.name"},
		`{"kind": "abolish", "name": "peace"}`:                                         {422, "body.kind"},
		`{"kind": "enact", "norm": {"name": "war"}}`:                                   {422, ""},
		`{"kind": "repeal", "name": "war"}`:                                            {404, ""},
		`{"kind": "enact", "norm": {"name": "peace", "prohibited": "dance"}}`:          {409, ""},
	} {
		p := w.refused(want.status, http.MethodPost, "/preview", body)
		if want.location != "" {
			require.Len(t, p.Errors, 1, body)
			require.Equal(t, want.location, p.Errors[0].Location, body)
		}
	}
	w.refused(422, http.MethodPost, "/preview?limit=0", `{"kind": "repeal", "name": "peace"}`)
}
