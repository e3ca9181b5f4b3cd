package normsync_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing/fstest"
	"time"

	"github.com/normsync/normsync"
)

func Example() {
	monitor, err := normsync.NewMonitor(
		normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack steal"},
		normsync.Norm{Name: "duel", Condition: "arena", Permitted: "attack", Priority: 1},
	)
	if err != nil {
		log.Fatal(err)
	}
	actions := []normsync.Action{ // what agents want to do in this tick
		{Agent: "hero", Verb: "attack", Location: "town safe_zone"},
		{Agent: "hero", Verb: "attack", Location: "town safe_zone arena"},
	}
	for _, action := range actions {
		fmt.Println(monitor.Allows(action), monitor.Check(action))
	}
	// Output:
	// false [Agent 'hero' performed 'attack' in 'town safe_zone', violating norm 'peace']
	// true []
}

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

func ExampleReadNormsFS() {
	rules := fstest.MapFS{ // usually os.DirFS("rules"), or an embed.FS
		"arena.json": {Data: []byte(`[{"name": "duel", "condition": "arena", "permitted": "attack", "priority": 5}]`)},
		"town.json":  {Data: []byte(`[{"name": "peace", "condition": "safe_zone", "prohibited": "attack"}]`)},
		"typo.json":  {Data: []byte(`[{"name": "peace", "condiiton": "safe_zone", "prohibited": "attack"}]`)},
	}
	norms, err := normsync.ReadNormsFS(rules, "arena.json", "to*.json")
	for _, n := range norms {
		fmt.Println(n.Name)
	}
	fmt.Println(err)
	_, err = normsync.ReadNormsFS(rules, "typo.json")
	fmt.Println(err)
	_, err = normsync.ReadNormsFS(rules, "*.jsn")
	fmt.Println(err)
	// Output:
	// duel
	// peace
	// <nil>
	// normsync: read "typo.json": invalid norm 1 "peace" in line 1, column 20: key "condiiton" is unknown; did you mean "condition"? The keys are id, name, description, condition, prohibited, scope, active, priority, unless, permitted, severity, shadow, advice, from, until, $schema
	// normsync: read norms: pattern "*.jsn": no file matches it; correct the pattern, or leave it out: file does not exist
}

func ExampleReadActions() {
	log := strings.NewReader(`{"agent_id": "hero", "action": "attack", "location": "safe_zone", "facts": "night"}
{"agent_id": "cook", "action": "trade", "location": "market"}
{"agent_id": "thief", "action": 7}
`)
	for action, err := range normsync.ReadActions(log) {
		if err != nil {
			fmt.Println(err) // the last one
			break
		}
		fmt.Printf("%s %s, facts %q\n", action.Agent, action.Verb, action.Facts)
	}
	// Output:
	// hero attack, facts "night"
	// cook trade, facts ""
	// normsync: invalid action in line 3, column 33: key "action": want a string, found a number
}

func ExampleAction() {
	var a normsync.Action
	err := json.Unmarshal([]byte(`{"agent_id": "hero", "action": "attack", "location": "town safe_zone", "timestamp": 1700000000.25}`), &a)
	fmt.Println(a.Agent, a.Verb, a.Location, a.Time.Format("15:04:05.00"), err)
	// Output: hero attack town safe_zone 22:13:20.25 <nil>
}

// Unknown keys are ignored. An action without a verb violates no norm, so refuse
// it before you check it.
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
	// Agent 'hero' performed 'attack' on 'dragon' in 'safe_zone', violating norm 'no-attack-in-safe-zone'
	// {
	//   "id": "ed9646b3b42f3bf5",
	//   "norm_id": "bc3ce88baa1c729d",
	//   "norm_name": "no-attack-in-safe-zone",
	//   "action_id": "d3f87eb5ec4f33f8",
	//   "agent_id": "hero",
	//   "description": "Agent 'hero' performed 'attack' on 'dragon' in 'safe_zone', violating norm 'no-attack-in-safe-zone'",
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

func ExampleDenied() {
	c, err := normsync.Compile(normsync.Norm{Name: "toll", Condition: "bridge", Prohibited: "cross", Shadow: true})
	if err != nil {
		panic(err)
	}
	violations := c.Check(normsync.Action{Agent: "hero", Verb: "cross", Location: "bridge"})
	fmt.Println(len(violations), "reported, denied:", normsync.Denied(violations))
	// Output: 1 reported, denied: false
}

// A store of your own calls Canonical for each violation before it keeps it.
func ExampleViolation_Canonical() {
	v := normsync.Violation{NormName: "peace", Action: normsync.Action{Agent: "hero\xff", Verb: "attack"}}
	v, err := v.Canonical()
	fmt.Printf("%q %s %v\n", v.Action.Agent, v.Severity, err)
	v.Action.Metadata = "{not JSON"
	_, err = v.Canonical()
	fmt.Println(errors.Is(err, normsync.ErrInvalid))
	// Output:
	// "hero�" warn <nil>
	// true
}

// A store of your own calls Canonical for each revision before it keeps it.
func ExampleRevision_Canonical() {
	r := normsync.Revision{Edition: 1, Version: 1, Change: normsync.Enact(normsync.Norm{Name: "peace", Prohibited: "attack"})}
	r.Time = time.Date(2030, 5, 1, 14, 0, 0, 0, time.FixedZone("CEST", 2*60*60))
	r, err := r.Canonical()
	fmt.Println(r.Time, err)
	r.Kind = "suspend"
	_, err = r.Canonical()
	fmt.Println(err)
	// Output:
	// 2030-05-01 12:00:00 +0000 UTC <nil>
	// normsync: invalid revision 1: Kind "suspend" is unknown; make the change with Enact, Amend or Repeal
}

func ExampleChange_Attributed() {
	var m normsync.Monitor
	revs, err := m.Apply(context.Background(), normsync.Enact(normsync.Norm{Name: "peace", Prohibited: "attack"}).Attributed("zoe", "after the siege"))
	fmt.Println(revs[0].By, "because:", revs[0].Reason, err)
	// Output: zoe because: after the siege <nil>
}

func ExampleEnact() {
	c := normsync.Enact(normsync.Norm{Name: "no-attack", Condition: "safe_zone", Prohibited: "attack"}).Attributed("zoe", "after the siege")
	fmt.Println(c.Kind, c.Norm.Name, c.By, c.Reason)
	// Output:
	// add no-attack zoe after the siege
}

func ExampleAmend() {
	ctx := context.Background()
	m, err := normsync.NewMonitor(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"})
	if err != nil {
		panic(err)
	}
	n, _ := m.Constitution().Norm("peace")
	n.Prohibited += " steal"
	revs, err := m.Apply(ctx, normsync.Amend(n).Attributed("yan", "thieves"))
	fmt.Println(revs[0].Version, revs[0].Norm.Prohibited, err)
	// Output: 2 attack steal <nil>
}

func ExampleRepeal() {
	ctx := context.Background()
	m, err := normsync.NewMonitor(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"})
	if err != nil {
		panic(err)
	}
	_, err = m.Apply(ctx, normsync.Repeal("peace").Attributed("zoe", "war"))
	fmt.Println(m.Constitution().Len(), err)
	// Output: 0 <nil>
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

func ExampleCompile() {
	c, err := normsync.Compile(
		normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"},
		normsync.Norm{Name: "old", Prohibited: "dance", Repealed: true},
	)
	fmt.Println(c.Len(), c.Edition(), err)

	_, err = normsync.Compile(normsync.Norm{Name: "peace", Condition: "safe_zone"})
	fmt.Println(err)
	// Output:
	// 1 0 <nil>
	// normsync: compile: norm 1 of 1: invalid norm "peace": Prohibited and Permitted are both empty; name the verbs that the norm forbids in Prohibited, or those that it allows in Permitted
}

func ExampleConstitution_Check() {
	c, err := normsync.Compile(
		normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack", Severity: normsync.SeverityError},
		normsync.Norm{Name: "manners", Prohibited: "attack insult", Priority: -1},
	)
	if err != nil {
		panic(err)
	}
	for _, v := range c.Check(normsync.Action{Agent: "hero", Verb: "attack", Location: "safe_zone"}) {
		fmt.Println(v.NormName, v.Severity)
	}
	fmt.Println(c.Check(normsync.Action{Agent: "hero", Verb: "dance", Location: "safe_zone"}) == nil)
	// Output:
	// peace error
	// manners warn
	// true
}

func ExampleConstitution_AppendCheck() {
	c, err := normsync.Compile(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"})
	if err != nil {
		panic(err)
	}
	violations := make([]normsync.Violation, 0, 64) // allocated once, reused in every tick
	for range 3 {
		violations = violations[:0]
		violations = c.AppendCheck(violations, normsync.Action{Agent: "hero", Verb: "attack", Location: "safe_zone"})
		violations = c.AppendCheck(violations, normsync.Action{Agent: "goblin", Verb: "attack", Location: "safe_zone"})
	}
	fmt.Println(len(violations), cap(violations))
	// Output: 2 64
}

func ExampleConstitution_Allows() {
	c, err := normsync.Compile(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"})
	if err != nil {
		panic(err)
	}
	fmt.Println(c.Allows(normsync.Action{Verb: "Attack", Location: "Safe_Zone"}))
	fmt.Println(c.Allows(normsync.Action{Verb: "counterattack", Location: "safe_zone"}))
	// Output:
	// false
	// true
}

func ExampleConstitution_All() {
	c, err := normsync.Compile(
		normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"},
		normsync.Norm{Name: "curfew", Condition: "night", Prohibited: "trade"},
	)
	if err != nil {
		panic(err)
	}
	for n := range c.All() {
		fmt.Println(n.Name)
	}
	n, ok := c.Norm("peace")
	fmt.Println(n.Condition, ok)
	// Output:
	// curfew
	// peace
	// safe_zone true
}

func ExampleConstitution_Verbs() {
	c, err := normsync.Compile(
		normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack cast_*"},
		normsync.Norm{Name: "duel", Condition: "arena", Permitted: "attack", Priority: 1},
	)
	if err != nil {
		panic(err)
	}
	fmt.Println(slices.Collect(c.Verbs()))
	// Output:
	// [attack cast_*]
}

func ExampleConstitution_Explain() {
	c, err := normsync.Compile(
		normsync.Norm{Name: "peace", Condition: "location:safe_zone", Unless: "duel", Prohibited: "attack"},
		normsync.Norm{Name: "curfew", Condition: "night", Prohibited: "attack trade"},
		normsync.Norm{Name: "guards", Condition: "agent:guard*", Permitted: "attack", Priority: 5},
	)
	if err != nil {
		panic(err)
	}
	for _, a := range []normsync.Action{
		{Agent: "hero", Verb: "attack", Location: "safe_zone"},
		{Agent: "guard-7", Verb: "attack", Location: "safe_zone", Target: "duel"},
		{Agent: "guard-7", Verb: "attack", Location: "safe_zone"},
	} {
		fmt.Println(a.Agent, "may:", c.Allows(a))
		for _, f := range c.Explain(a) {
			fmt.Printf("  %s: %s, found %q, missing %q, by %q\n", f.Norm.Name, f.Outcome, f.Matched, f.Missing, f.By)
		}
	}
	// Output:
	// hero may: false
	//   peace: violated, found ["attack" "location:safe_zone"], missing [], by ""
	//   guards: unmet, found ["attack"], missing ["agent:guard*"], by ""
	//   curfew: unmet, found ["attack"], missing ["night"], by ""
	// guard-7 may: true
	//   guards: permits, found ["attack" "agent:guard*"], missing [], by ""
	//   peace: exempt, found ["attack" "location:safe_zone"], missing [], by "duel"
	//   curfew: unmet, found ["attack"], missing ["night"], by ""
	// guard-7 may: true
	//   peace: overridden, found ["attack" "location:safe_zone"], missing [], by "guards"
	//   guards: permits, found ["attack" "agent:guard*"], missing [], by ""
	//   curfew: unmet, found ["attack"], missing ["night"], by ""
}

func ExampleConflicts() {
	conflicts, err := normsync.Conflicts([]normsync.Norm{
		{Name: "peace", Condition: "safe_zone", Prohibited: "attack loot"},
		{Name: "no-loot-at-night", Condition: "safe_zone night", Prohibited: "loot"},
		{Name: "arena", Condition: "arena", Permitted: "attack"},
		{Name: "never", Condition: "red flag", Unless: "flag", Prohibited: "move"},
	})
	if err != nil {
		panic(err)
	}
	for _, c := range conflicts {
		fmt.Printf("%s: %q %q\n  %s\n", c.Kind, c.A, c.B, c.Detail)
		fmt.Printf("  for example %q in %q\n", c.Witness.Verb, c.Witness.Location)
	}
	// Output:
	// dead: "never" ""
	//   no action has "flag" without "flag", which Unless exempts
	//   for example "move" in "red flag"
	// redundant: "no-loot-at-night" "peace"
	//   whatever breaks it breaks the other norm, too
	//   for example "loot" in "safe_zone night"
	// contradiction: "peace" "arena"
	//   at priority 0 one forbids and one permits it, and the prohibition wins
	//   for example "attack" in "safe_zone arena"
}

func ExampleLint() {
	for _, w := range normsync.Lint([]normsync.Norm{
		{Name: "peace", Condition: "locaton:bank !night", Prohibited: "attack, steal"},
		{Name: "duel", Condition: "arena", Permitted: "attack"},
	}) {
		fmt.Printf("%s: %s: %s: %s; write %q\n", w.Norm, w.Field, w.Token, w.Detail, w.Suggestion)
	}
	// Output:
	// peace: Condition: locaton:bank: "locaton" is not a field, so the token is an ordinary word; write "location:bank"
	// peace: Condition: !night: the ! is part of the word; write "Unless: night"
	// peace: Prohibited: attack,: the "," is part of the word: tokens are separated by white space; write "attack"
	// duel: Permitted: attack: it overrides nothing: no prohibition has one of its verbs; write ""
}

func ExampleCover() {
	c, err := normsync.Compile(
		normsync.Norm{Name: "peace", Condition: "safezone", Prohibited: "attack"},
		normsync.Norm{Name: "curfew", Condition: "night", Unless: "lantern", Prohibited: "trade"},
	)
	if err != nil {
		panic(err)
	}
	log := []normsync.Action{
		{Agent: "hero", Verb: "attack", Location: "safe_zone"},
		{Agent: "cook", Verb: "trade", Location: "market", Facts: "night"},
		{Agent: "cook", Verb: "trade", Location: "market", Target: "lantern", Facts: "night"},
	}
	for _, n := range normsync.Cover(c, slices.Values(log)) {
		fmt.Printf("%s: %d of %d actions with its verb, %d violated, %d exempt, unseen %+v\n", n.Norm, n.Applied, n.Actions, n.Violated, n.Exempt, n.Unseen)
	}
	// Output:
	// curfew: 1 of 2 actions with its verb, 1 violated, 1 exempt, unseen []
	// peace: 0 of 1 actions with its verb, 0 violated, 0 exempt, unseen [{Token:safezone Nearest:safe_zone}]
}

func ExampleFindConflicts() {
	found, gaveUp, err := normsync.FindConflicts([]normsync.Norm{
		{Name: "peace", Condition: "safe_zone", Prohibited: "attack"},
		{Name: "peace again", Condition: "safe_zone", Prohibited: "attack"},
	})
	fmt.Println(found[0].Kind, "and", len(gaveUp), "norms not searched to the end", err)
	// Output: duplicate and 0 norms not searched to the end <nil>
}

func ExampleAudit() {
	c, err := normsync.Compile(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"})
	if err != nil {
		panic(err)
	}
	log := []normsync.Action{
		{Agent: "hero", Verb: "attack", Location: "safe_zone"},
		{Agent: "healer", Verb: "heal", Location: "safe_zone"},
		{Agent: "hero", Verb: "attack", Location: "arena"},
	}
	for _, a := range normsync.Audit(c, slices.Values(log)) {
		fmt.Println(a.Agent, a.Rate, a.Risk, a.Trend, a.ByNorm)
	}
	// Output:
	// hero 0.5 high_risk improving map[peace:1]
	// healer 1 compliant stable map[]
}

func ExampleReport_WriteText() {
	norms := []normsync.Norm{
		{Name: "peace", Condition: "safe_zone", Prohibited: "attack", Severity: normsync.SeverityError},
		{Name: "tidy", Prohibited: "litter", Shadow: true},
	}
	c, err := normsync.Compile(norms...)
	if err != nil {
		panic(err)
	}
	r := normsync.Report{Norms: norms}
	for _, a := range []normsync.Action{
		{Agent: "hero", Verb: "attack", Location: "safe_zone", Target: "goblin"},
		{Agent: "cook|\n", Verb: "litter"},
	} {
		r.Violations = c.AppendCheck(r.Violations, a)
	}
	if err := r.WriteText(os.Stdout); err != nil {
		panic(err)
	}
	// Output:
	// Violations by norm (2)
	//
	// NORM   HITS  DENIED  AGENTS  EXAMPLE
	// peace     1       1       1  action: attack, location: safe_zone, target: goblin
	// tidy      1       0       1  action: litter
	//
	// Norms (2, 2 in force)
	//
	// NORM   FORBIDS  CONDITION  PRIORITY  SEVERITY  SCOPE   STATE
	// peace  attack   safe_zone         0  error     global  in force
	// tidy   litter                     0  warn      global  dry run
	//
	// Violations (2)
	//
	// AGENT    ACTION  NORM   SEVERITY  STATE    LOCATION   TARGET
	// hero     attack  peace  error              safe_zone  goblin
	// cook|\n  litter  tidy   warn      dry run
}

func ExampleReport_WriteMarkdown() {
	norms := []normsync.Norm{
		{Name: "peace", Condition: "safe_zone", Prohibited: "attack"},
		{Name: "peace at night", Condition: "safe_zone night", Prohibited: "attack"},
	}
	conflicts, err := normsync.Conflicts(norms)
	if err != nil {
		panic(err)
	}
	if err := (normsync.Report{Conflicts: conflicts}).WriteMarkdown(os.Stdout); err != nil {
		panic(err)
	}
	// Output:
	// No violations found.
	//
	// ## Conflicts (1)
	//
	// | Kind | Norm | Other norm | Shown by | Detail |
	// | --- | --- | --- | --- | --- |
	// | redundant | peace at night | peace | action: attack, location: safe_zone night | whatever breaks it breaks the other norm, too |
}

func ExampleReport_WriteJSON() {
	norms := []normsync.Norm{{Name: "peace", Condition: "safe_zone", Prohibited: "attack"}}
	if err := (normsync.Report{Norms: norms}).WriteJSON(os.Stdout); err != nil {
		panic(err)
	}
	// Output:
	// {
	// "norms": [
	//   {"id":"ff569b78ca381771","name":"peace","description":"","condition":"safe_zone","prohibited":"attack","scope":"global","active":true,"priority":0}
	// ],
	// "norm_count": 1,
	// "active_count": 1,
	// "violations": [],
	// "violation_count": 0,
	// "has_violations": false
	// }
}

// Components keep the words of places and agents, and a tick joins them.
func ExampleConstitution_AppendCheckPrepared() {
	rules, err := normsync.Compile(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack steal"})
	check(err)
	// Made once, when an agent or a place is created:
	hero := normsync.AppendWords(nil, "hero")
	town := normsync.AppendWords(nil, "town safe_zone")
	attack := normsync.AppendWords(nil, "attack")
	night := normsync.AppendWords(nil, "night")

	// In each tick, for each agent:
	var action normsync.Prepared // reused
	var violations []normsync.Violation
	action.Agent, action.Verb, action.Location = hero, attack, town
	action.Facts = append(action.Facts[:0], night...)
	violations = rules.AppendCheckPrepared(violations[:0], &action)
	fmt.Println(violations)
	// Output:
	// [Agent 'hero' performed 'attack' in 'town safe_zone', violating norm 'peace']
}

// A planner asks for all verbs at once what an agent may do.
func ExampleConstitution_AppendAllowed() {
	rules, err := normsync.Compile(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack steal"})
	check(err)
	here := normsync.Action{Agent: "hero", Location: "town safe_zone", Target: "bandit"}
	fmt.Println(rules.AppendAllowed(nil, here, "attack", "talk", "steal", "trade"))
	// Output:
	// [talk trade]
}

// A planner masks the verbs of each agent in a tick.
func ExampleConstitution_AppendAllowedPrepared() {
	rules, err := normsync.Compile(
		normsync.Norm{Name: "peace", Condition: "location:safe_zone", Prohibited: "attack"},
		normsync.Norm{Name: "curfew", Condition: "facts:night", Unless: "faction:watch", Prohibited: "trade"},
	)
	check(err)

	// Once, when a creature or a place is made:
	type creature struct{ name, place, faction []normsync.Word }
	town, forest := normsync.AppendWords(nil, "town safe_zone"), normsync.AppendWords(nil, "forest")
	creatures := []creature{
		{normsync.AppendWords(nil, "hero"), town, normsync.AppendWords(nil, "players")},
		{normsync.AppendWords(nil, "guard"), town, normsync.AppendWords(nil, "watch")},
		{normsync.AppendWords(nil, "wolf"), forest, normsync.AppendWords(nil, "beasts")},
	}
	verbs := []string{"attack", "talk", "trade"} // what the planner can choose

	// In each tick:
	now := normsync.Prepared{Facts: normsync.AppendWords(nil, "night")}
	var allowed []string // reused
	mask := make([]bool, len(verbs))
	for _, c := range creatures {
		now.Agent, now.Location, now.Faction = c.name, c.place, c.faction
		allowed = rules.AppendAllowedPrepared(allowed[:0], &now, verbs...)
		for i, verb := range verbs {
			mask[i] = slices.Contains(allowed, verb)
		}
		fmt.Println(c.name, mask)
	}
	// Output:
	// [hero] [false true false]
	// [guard] [false true true]
	// [wolf] [true true false]
}
