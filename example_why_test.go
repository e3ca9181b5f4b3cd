package normsync_test

import (
	"fmt"
	"os"
	"slices"

	"github.com/normsync/normsync"
)

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
	//   guards: unmet, found ["attack"], missing ["agent:guard*"], by ""
	//   curfew: unmet, found ["attack"], missing ["night"], by ""
	//   peace: violated, found ["attack" "location:safe_zone"], missing [], by ""
	// guard-7 may: true
	//   guards: permits, found ["attack" "agent:guard*"], missing [], by ""
	//   curfew: unmet, found ["attack"], missing ["night"], by ""
	//   peace: exempt, found ["attack" "location:safe_zone"], missing [], by "duel"
	// guard-7 may: true
	//   guards: permits, found ["attack" "agent:guard*"], missing [], by ""
	//   curfew: unmet, found ["attack"], missing ["night"], by ""
	//   peace: overridden, found ["attack" "location:safe_zone"], missing [], by "guards"
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
	//   no action has "flag" without "flag", which lifts the norm
	//   for example "move" in "red flag"
	// redundant: "no-loot-at-night" "peace"
	//   whatever breaks it breaks the other norm, too
	//   for example "loot" in "safe_zone night"
	// contradiction: "peace" "arena"
	//   at priority 0 one forbids and one permits it, and the prohibition wins
	//   for example "attack" in "safe_zone arena"
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
	// Norms (2)
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
