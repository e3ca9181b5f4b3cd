package rest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// wrongActions are refused by everything that takes an action. Each of them would be
// allowed by a lenient reader, or judged as something else.
var wrongActions = []struct {
	body     string
	status   int
	location string
}{
	{`{"agent":"a1","verb":"read_file"}`, 422, "body.action"},
	{`{"agent_id":"a"}`, 422, "body.action"},
	{`{"action":"attack"}`, 422, "body.agent_id"},
	{`{"agent_id":"a","Action":"attack"}`, 422, "body.action"},
	{`{"agent_id":"a","action":"attack","place":"x"}`, 422, "body.place"},
	{`{"agent_id":"a","action":"walk","action":"attack"}`, 422, "body.action"},
	{`{"agent_id":"a","action":""}`, 422, "body.action"},
	{`{"agent_id":"a","action":" \t"}`, 422, "body.action"},
	{`{"agent_id":"a","action":"\u200b"}`, 422, "body.action"},
	{`{"agent_id":"a","action":null}`, 422, "body.action"},
	{`{"agent_id":"a","action":["attack"]}`, 422, "body.action"},
	{`{"agent_id":7,"action":"attack"}`, 422, "body.agent_id"},
	{`{"agent_id":"a","action":"attack","location":1}`, 422, "body.location"},
	{`{"agent_id":"a","action":"attack","timestamp":"now"}`, 422, "body.timestamp"},
	{`{"agent_id":"a","action":"attack","timestamp":1e300}`, 422, "body.timestamp"},
	{"{\"agent_id\":\"a\xff\",\"action\":\"attack\"}", 422, "body.agent_id"},
	{`{"agent_id":"a","action":"att\udc00ack"}`, 422, "body.action"},
	{`{"agent_id":"a","action":"attack","location":"\ud800"}`, 422, "body.location"},
	{`{"agent_id":"a","action":"attack","target":"\ud800\ud800"}`, 422, "body.target"},
	{"{\"agent_id\":\"a\",\"action\":\"attack\",\"faction\":\"\xed\xa0\x80\"}", 422, "body.faction"},
	{`{"agent_id":"a","action":"attack","facts":"night\ud800"}`, 422, "body.facts"},
	{"{\"agent_id\":\"a\",\"action\":\"attack\",\"metadata\":{\"a\":\"\xff\"}}", 422, "body.metadata"},
	{`{"agent_id":"a","action":"attack","timestamp":-1e18}`, 422, "body.timestamp"},
	{`{"agent_id":"a","action":"attack","timestamp":-62135596801}`, 422, "body.timestamp"},
	{`{"agent_id":"a","action":"attack","timestamp":1767225600123}`, 422, "body.timestamp"}, // milliseconds
	{`{"agent_id":"a","action":"attack"`, 400, "body"},
	{`{"agent_id":"a","action":"attack"}{}`, 400, "body"},
	{`{"agent_id":"a","action":"attack",}`, 400, "body"},
	{`nonsense`, 400, "body"},
	{`[{"agent_id":"a","action":"attack"}]`, 422, "body"},
	{`null`, 422, "body"},
	{`"attack"`, 422, "body"},
	{strings.Repeat("[", 5000) + strings.Repeat("]", 5000), 400, "body"},
}

func TestWrongActionsAreRefused(t *testing.T) {
	w := open(t, "", Options{})
	w.object("POST", "/norm", peace)
	for _, path := range []string{"/check", "/explain"} {
		for _, c := range wrongActions {
			p := w.refused(c.status, "POST", path, c.body)
			require.NotEmpty(t, p.Errors, c.body)
			require.Equal(t, c.location, p.Errors[0].Location, "%s: %s", c.body, p.Detail)
			require.NotContains(t, p.Detail, "normsync: invalid", "one prefix is enough")
		}
		p := w.refused(http.StatusBadRequest, "POST", path, "", "Content-Type", "application/json")
		require.Contains(t, p.Detail, "request body is required")
	}
	require.Empty(t, w.list("/violations"))
	require.Empty(t, w.list("/compliance"), "nothing was judged")
}

// The quick way and the slow way of POST /check give the same answers. A body with a
// length that is not known goes the slow way.
func TestQuickCheckAgreesWithHuma(t *testing.T) {
	w := open(t, "", Options{})
	w.object("POST", "/norm", peace)
	w.object("POST", "/norm", `{"name":"night","condition":"facts:night","prohibited":"attack","shadow":true,"advice":"Wait <&> see."}`)
	for _, body := range []string{
		`{"agent_id":"a","action":"attack","location":"safe_zone","timestamp":1767225600.123456789}`,
		`{"agent_id":"a","action":"attack","facts":"night","timestamp":1}`,
		`{"agent_id":"a","action":"attack","location":"safe_zone","target":"t","faction":"f","facts":"night","timestamp":2,"metadata":{"a":[1, "<"]},"id":"x"}`,
		`{"agent_id":"","action":"wave","location":null,"target":null,"faction":null,"facts":null,"timestamp":null,"metadata":null,"id":null}`,
		`{"agent_id":"\u00e9\ud83d\ude00","action":"att\u0061ck","location":"safe_zone","timestamp":4}`,
		` { "agent_id" : "a" , "action" : "attack" } `,
	} {
		_, quick := w.do("POST", "/check", body)
		_, slow := w.do("POST", "/check", body, "Content-Type", "application/json+json") // which quickCheck leaves to huma
		require.Equal(t, slow, quick, body)
		require.Contains(t, quick, `"violation_count":`)
	}
	require.Len(t, w.list("/violations"), 2*(1+1+2+0+1))
}

func TestAVerdictDoesNotCountShadowNorms(t *testing.T) {
	w := open(t, "", Options{})
	w.object("POST", "/norm", `{"name":"dry","prohibited":"dig","shadow":true,"advice":"ask"}`)
	got := w.object("POST", "/check", `{"agent_id":"a","action":"dig"}`)
	require.Equal(t, true, got["has_violations"])
	require.Equal(t, true, got["allowed"])
	v := got["violations"].([]any)[0].(map[string]any)
	require.Equal(t, true, v["shadow"])
	require.Equal(t, "ask", v["advice"])
}

func TestExplainRecordsNothing(t *testing.T) {
	w := open(t, "", Options{})
	w.object("POST", "/norm", peace)
	w.object("POST", "/norm", `{"name":"duel","condition":"arena","permitted":"attack","priority":1}`)
	got := w.object("POST", "/explain", attack)
	require.Equal(t, false, got["allowed"])
	require.Equal(t, 2.0, got["edition"])
	findings := got["findings"].([]any)
	require.Len(t, findings, 2)
	require.Equal(t, "violated", findings[0].(map[string]any)["outcome"])
	require.Equal(t, "unmet", findings[1].(map[string]any)["outcome"])
	require.Equal(t, []any{"arena"}, findings[1].(map[string]any)["missing"])
	require.Empty(t, w.list("/violations"))
}

func TestAllowedAnswersForVerbs(t *testing.T) {
	w := open(t, "", Options{})
	w.object("POST", "/norm", peace)
	w.object("POST", "/norm", `{"name":"spells","prohibited":"cast_*"}`)
	got := w.object("POST", "/allowed", `{"agent_id":"a","location":"safe_zone","verbs":["walk","attack","cast_fire","trade"]}`)
	require.Equal(t, []any{"walk", "trade"}, got["allowed"])
	got = w.object("POST", "/allowed", `{"agent_id":"a","location":"wild"}`)
	require.Equal(t, []any{"attack", "steal"}, got["allowed"], "the verbs of norms, without prefixes")
	for body, location := range map[string]string{
		`{"agent_id":"a","verbs":["walk","\ud800"]}`:    "body.verbs",
		"{\"agent_id\":\"a\",\"verbs\":[\"wa\xfflk\"]}": "body.verbs",
		`{"agent_id":"a","timestamp":253402300800}`:     "body.timestamp",
		`{"agent_id":"a\ud800"}`:                        "body.agent_id",
		`{"agent_id":"a","verbs":["walk",""]}`:          "body.verbs[1]",
		`{"agent_id":"a","verbs":"walk"}`:               "body.verbs",
		`{"agent_id":"a","action":"walk"}`:              "body.action",
	} {
		require.Equal(t, location, w.refused(http.StatusUnprocessableEntity, "POST", "/allowed", body).Errors[0].Location, body)
	}
	got = w.object("POST", "/allowed", `{"agent_id":"a","verbs":[]}`)
	require.Equal(t, []any{}, got["allowed"])
}

func TestComplianceJudgesWhatWasChecked(t *testing.T) {
	w := open(t, "", Options{Limits: Limits{Recent: 4}})
	w.object("POST", "/norm", peace)
	w.object("POST", "/check", attack)
	w.object("POST", "/check", walk)
	w.object("POST", "/check", strings.ReplaceAll(walk, "hero", "Guard"))
	got := w.list("/compliance")
	require.Len(t, got, 2)
	hero := got[0].(map[string]any)
	require.Equal(t, "hero", hero["agent_id"])
	require.Equal(t, 2.0, hero["actions"])
	require.Equal(t, 0.5, hero["rate"])
	require.Equal(t, map[string]any{"peace": 1.0}, hero["by_norm"])
	require.Len(t, w.list("/compliance?agent=gUARD"), 1)

	for range 4 {
		w.object("POST", "/check", walk)
	}
	hero = w.list("/compliance")[0].(map[string]any)
	require.Equal(t, 4.0, hero["actions"], "only the newest are kept")
	require.Equal(t, 1.0, hero["rate"])
}

func TestConflictsAreFoundAgainAfterAChange(t *testing.T) {
	w := open(t, "", Options{})
	w.object("POST", "/norm", peace)
	require.Empty(t, w.object("GET", "/conflicts", "")["conflicts"])
	w.object("POST", "/norm", `{"name":"twin","condition":"safe_zone","prohibited":"attack steal"}`)
	for range 2 { // the second answer is kept from the first
		got := w.object("GET", "/conflicts", "")
		require.Equal(t, 2.0, got["edition"])
		require.Equal(t, "duplicate", got["conflicts"].([]any)[0].(map[string]any)["kind"])
	}
}
