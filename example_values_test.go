package normsync_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/normsync/normsync"
)

func ExampleNorm() {
	n := normsync.Norm{Name: "no-attack-in-safe-zone", Condition: "safe_zone", Prohibited: "attack"}
	fmt.Println(n.ID())
	text, err := json.MarshalIndent(n, "", "  ")
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(string(text))
	// Output:
	// bc3ce88baa1c729d
	// {
	//   "id": "bc3ce88baa1c729d",
	//   "name": "no-attack-in-safe-zone",
	//   "description": "",
	//   "condition": "safe_zone",
	//   "prohibited": "attack",
	//   "scope": "global",
	//   "active": true,
	//   "priority": 0
	// }
}

func ExampleNorm_Validate() {
	n := normsync.Norm{Name: "no-attack", Condition: "location == safe_zone", Prohibited: "attack"}
	err := n.Validate()
	fmt.Println(err)
	fmt.Println(errors.Is(err, normsync.ErrInvalid))
	// Output:
	// normsync: invalid norm "no-attack": Condition: token "==" is an operator, but this is a list of tokens, not an expression; write "location:safe_zone"
	// true
}

func ExampleParseID() {
	id, err := normsync.ParseID("bc3ce88baa1c729d")
	fmt.Println(id, err)
	_, err = normsync.ParseID("BC3C")
	fmt.Println(err)
	// Output:
	// bc3ce88baa1c729d <nil>
	// normsync: invalid ID "BC3C": an ID is 16 lower-case hex digits
}

func ExampleViolation() {
	n := normsync.Norm{Name: "no-attack-in-safe-zone", Condition: "safe_zone", Prohibited: "attack"}
	v := normsync.Violation{NormID: n.ID(), NormName: n.Name, Severity: normsync.SeverityWarn, Edition: 1, Action: normsync.Action{
		Agent: "hero", Verb: "attack", Location: "safe_zone", Target: "dragon", Time: time.Unix(1700000000, 500000000).UTC(),
	}}
	fmt.Println(v)
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(string(text))
	// Output:
	// Agent 'hero' performed 'attack' in 'safe_zone', violating norm 'no-attack-in-safe-zone'
	// {
	//   "id": "ed9646b3b42f3bf5",
	//   "norm_id": "bc3ce88baa1c729d",
	//   "norm_name": "no-attack-in-safe-zone",
	//   "action_id": "d3f87eb5ec4f33f8",
	//   "agent_id": "hero",
	//   "description": "Agent 'hero' performed 'attack' in 'safe_zone', violating norm 'no-attack-in-safe-zone'",
	//   "severity": "warn",
	//   "timestamp": 1700000000.5,
	//   "edition": 1,
	//   "action": {
	//     "id": "d3f87eb5ec4f33f8",
	//     "agent_id": "hero",
	//     "action": "attack",
	//     "location": "safe_zone",
	//     "target": "dragon",
	//     "faction": "",
	//     "timestamp": 1700000000.5
	//   }
	// }
}

func ExampleViolation_LogValue() {
	v := normsync.Violation{NormName: "no-attack-in-safe-zone", Action: normsync.Action{Agent: "hero", Verb: "attack", Location: "safe_zone"}}
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "id" {
			return slog.Attr{}
		}
		return a
	}}))
	logger.Warn("denied", "v", v)
	// Output:
	// level=WARN msg=denied v.norm=no-attack-in-safe-zone v.agent=hero v.action=attack v.location=safe_zone v.target="" v.faction="" v.severity=warn v.shadow=false v.edition=0
}

// Keys that are not an action's are passed over. An action without a verb breaks
// no norm, so refuse it before it is checked.
func ExampleAction_UnmarshalJSON() {
	c, err := normsync.Compile(normsync.Norm{Name: "deny-all", Prohibited: "*"})
	if err != nil {
		panic(err)
	}
	for _, text := range []string{`{"agent_id": "a1", "action": "wire"}`, `{"agent": "a1", "verb": "wire"}`} {
		var a normsync.Action
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			panic(err)
		}
		if strings.TrimSpace(a.Verb) == "" {
			fmt.Println("refused: the action has no verb; its keys are agent_id, action, location, target and faction")
			continue
		}
		fmt.Println("allowed:", c.Allows(a))
	}
	// Output:
	// allowed: false
	// refused: the action has no verb; its keys are agent_id, action, location, target and faction
}

func ExampleReadNorms() {
	norms, err := normsync.ReadNorms(strings.NewReader(`[
		{"name": "no-attack-in-safe-zone", "condition": "safe_zone", "prohibited": "attack"},
		{"name": "duel", "condition": "arena", "permitted": "attack", "priority": 5}
	]`))
	for _, n := range norms {
		fmt.Println(n.ID(), n.Name)
	}
	fmt.Println(err)

	_, err = normsync.ReadNorms(strings.NewReader(`[
		{"name": "no-attack-in-safe-zone", "condition": "safe_zone", "prohibited": "attack"},
		{"name": "duel", "condition": "arena", "permitted": "attack", "priority": "high"}
	]`))
	fmt.Println(err)
	// Output:
	// bc3ce88baa1c729d no-attack-in-safe-zone
	// cad294dcfe3ae6a4 duel
	// <nil>
	// normsync: invalid norm 2 "duel" in line 3, column 77: key "priority": want a number, found a string
}

func ExampleDiff() {
	current := []normsync.Norm{
		{Name: "no-attack", Condition: "safe_zone", Prohibited: "attack"},
		{Name: "no-loot", Condition: "town", Prohibited: "loot"},
		{Name: "curfew", Condition: "night", Prohibited: "trade"},
	}
	wanted := []normsync.Norm{
		{Name: "no-attack", Condition: "safe_zone", Prohibited: "attack curse"},
		{Name: "no-loot", Condition: "town", Prohibited: "loot"},
		{Name: "duel", Condition: "arena", Permitted: "attack", Priority: 5},
	}
	for _, c := range normsync.Diff(current, wanted) {
		fmt.Println(c.Kind, c.Norm.Name)
	}
	// Output:
	// repeal curfew
	// modify no-attack
	// add duel
}

func ExampleDiffFields() {
	from := normsync.Norm{Name: "no-attack", Condition: "safe_zone", Prohibited: "attack"}
	to := normsync.Norm{Name: "no-attack", Condition: "safe_zone", Prohibited: "attack curse", Priority: 5}
	for _, d := range normsync.DiffFields(from, to) {
		fmt.Printf("%s: %q becomes %q\n", d.Field, d.From, d.To)
	}
	// Output:
	// Prohibited: "attack" becomes "attack curse"
	// Priority: "0" becomes "5"
}

func ExampleEnact() {
	c := normsync.Enact(normsync.Norm{Name: "no-attack", Condition: "safe_zone", Prohibited: "attack"}).Signed("zoe", "after the siege")
	fmt.Println(c.Kind, c.Norm.Name, c.By, c.Reason)
	// Output:
	// add no-attack zoe after the siege
}
