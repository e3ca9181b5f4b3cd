package normsync

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAViolationIsASentence(t *testing.T) {
	v := someViolation()
	v.Action.Target = "old merchant"
	require.Equal(t, "Agent 'hero-17' performed 'attack' on 'old merchant' in 'town safe_zone', violating norm 'no-attack-in-safe-zone'", v.String())
	v.Action.Target = ""
	require.Equal(t, "Agent 'hero-17' performed 'attack' in 'town safe_zone', violating norm 'no-attack-in-safe-zone'", v.String())
	require.Equal(t, "Agent '' performed '' in '', violating norm ''", Violation{}.String())
}

func TestAViolationIsLoggedAsAGroup(t *testing.T) {
	v := someViolation()
	v.Shadow = true
	var b strings.Builder
	slog.New(slog.NewJSONHandler(&b, nil)).Info("denied", "violation", v)
	var line struct {
		Violation map[string]any
	}
	require.NoError(t, json.Unmarshal([]byte(b.String()), &line))
	require.Equal(t, map[string]any{"id": v.ID().String(), "norm": "no-attack-in-safe-zone", "agent": "hero-17", "action": "attack", "location": "town safe_zone",
		"target": "merchant", "faction": "red", "severity": "warn", "shadow": true, "edition": 12.0}, line.Violation)
	var keys []string
	for _, a := range (Violation{}).LogValue().Group() {
		keys = append(keys, a.Key)
		if a.Key == "severity" {
			require.Equal(t, "warn", a.Value.String(), "a severity is never empty")
		}
	}
	require.Equal(t, strings.Fields("id norm agent action location target faction severity shadow edition"), keys)
}

func TestValuesDoNotAllocate(t *testing.T) {
	v := someViolation()
	v.Action.Metadata = `{"mood":["grim",12345678901234567890],"weapon":"<sword>"}`
	n := Norm{Name: "n", Condition: "location:town 睡觉*", Unless: `a|b\`, Permitted: "heal"}
	r := Revision{Edition: 1, Change: Enact(n), Time: time.Unix(1, 2)}
	room := make([]byte, 0, 4096)
	for name, f := range map[string]func(){
		"Norm.ID":                 func() { n.ID() },
		"Action.ID":               func() { v.Action.ID() },
		"Violation.ID":            func() { v.ID() },
		"Revision.ID":             func() { r.ID() },
		"ID.AppendText with room": func() { _, _ = v.NormID.AppendText(room) },
		"Norm.Validate":           func() { _ = n.Validate() },
		"Violation.Canonical":     func() { _, _ = v.Canonical() },
		"Revision.Canonical":      func() { _, _ = r.Canonical() },
		"Violation.appendJSON":    func() { _, _ = v.appendJSON(room) },
		"Revision.appendJSON":     func() { identify(r).appendJSON(room) },
	} {
		t.Run(name, func(t *testing.T) { require.Zero(t, testing.AllocsPerRun(100, f)) })
	}
}
