package mcpserver

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

type actionArguments struct {
	Agent    string `json:"agent_id" jsonschema:"the agent that wants to act"`
	Action   string `json:"action" jsonschema:"what it wants to do: a verb, such as 'attack'; several words are several verbs"`
	Location string `json:"location,omitempty" jsonschema:"where, as words, such as 'town safe_zone'"`
	Target   string `json:"target,omitempty" jsonschema:"on whom or what"`
	Faction  string `json:"faction,omitempty" jsonschema:"the faction of the agent"`
	Facts    string `json:"facts,omitempty" jsonschema:"what holds now, as words, such as 'night war low_health'"`
}

// action returns the action that the arguments describe, at the present time.
func (in actionArguments) action() (normsync.Action, error) {
	a := normsync.Action{
		Agent: in.Agent, Verb: in.Action, Location: in.Location, Target: in.Target, Faction: in.Faction, Facts: in.Facts,
		Time: time.Now().UTC(),
	}
	return a, service.RequireVerb(a)
}

type checkResult struct {
	Allowed    bool                 `json:"allowed" jsonschema:"whether the agent may do it; this is the verdict"`
	Violations []normsync.Violation `json:"violations" jsonschema:"the norms that the action breaks, those of dry runs (shadow) included"`
	More       int                  `json:"more" jsonschema:"number of violations that are left out here because there are too many"`
	Why        []string             `json:"why" jsonschema:"the reasons for the verdict, in words"`
	Recorded   bool                 `json:"recorded" jsonschema:"whether the violations are stored"`
}

func (r *checkResult) texts() []string {
	first := "No violations detected."
	if n := len(r.Violations) + r.More; n > 0 {
		var b strings.Builder
		fmt.Fprintf(&b, "Found %d violation(s):", n)
		for _, v := range r.Violations {
			b.WriteString("\n  - " + sentence(v))
		}
		if r.More > 0 {
			fmt.Fprintf(&b, "\n  (%d more)", r.More)
		}
		first = b.String()
	}
	verdict := verdictText(r.Allowed, r.Why)
	for _, v := range r.Violations {
		if v.Advice != "" {
			verdict += fmt.Sprintf("\nAdvice of norm %s: %s", quote(v.NormName), quote(v.Advice))
		}
	}
	return []string{first, verdict}
}

func verdictText(allowed bool, why []string) string {
	verdict := "Denied."
	if allowed {
		verdict = "Allowed."
	}
	return strings.Join(append([]string{verdict}, why...), "\n")
}

func checkAction() tool {
	return newTool(tool{
		name: "check_action", title: "Check an action",
		description: "Check an action of an agent against the norms in force before the agent acts. The verdict is in \"allowed\". Violations are recorded, unless the server is read-only.",
		records:     true,
	}, nil, func(ctx context.Context, c call, in actionArguments) (*checkResult, error) {
		action, err := in.action()
		if err != nil {
			return nil, err
		}
		verdict, err := c.check(ctx, action)
		if err != nil {
			return nil, err
		}
		out := &checkResult{
			Allowed: verdict.Allowed, Why: why(c.service.Monitor().Explain(verdict.Action)),
			Recorded: !c.readOnly && len(verdict.Violations) > 0,
		}
		p := newPage[normsync.Violation](maxLimit)
		if err := p.addAll(slices.Values(verdict.Violations)); err != nil {
			return nil, err
		}
		out.Violations, out.More = p.records, len(verdict.Violations)-len(p.records)
		return out, nil
	})
}

// check judges an action. Unless the server is read-only, it also stores the
// violations. Without them there is no verdict.
func (c call) check(ctx context.Context, a normsync.Action) (service.Verdict, error) {
	if c.readOnly {
		return c.service.Judge(a), nil
	}
	verdicts, err := c.service.CheckStored(ctx, a)
	if err != nil {
		return service.Verdict{}, err
	}
	return verdicts[0], nil
}

type explainResult struct {
	Allowed  bool               `json:"allowed" jsonschema:"whether the agent may do it; this is the verdict"`
	Why      []string           `json:"why" jsonschema:"the reasons for the verdict, in words"`
	Findings []normsync.Finding `json:"findings" jsonschema:"for each norm that has the verb, what became of it; those that decide come first"`
	More     int                `json:"more" jsonschema:"number of findings that are left out here because there are too many"`
}

func (r *explainResult) texts() []string {
	lines := []string{verdictText(r.Allowed, r.Why)}
	if len(r.Findings) > 0 {
		lines = append(lines, "Norms that have the verb:")
	}
	for _, f := range r.Findings {
		line := fmt.Sprintf("  - %s: %s", quote(f.Norm.Name), f.Outcome)
		if len(f.Matched) > 0 {
			line += "; found: " + quoteAll(f.Matched)
		}
		if len(f.Missing) > 0 {
			line += "; missing: " + quoteAll(f.Missing)
		}
		if f.By != "" {
			line += "; by: " + quote(f.By)
		}
		lines = append(lines, line)
	}
	if r.More > 0 {
		lines = append(lines, fmt.Sprintf("  (%d more)", r.More))
	}
	return []string{strings.Join(lines, "\n")}
}

func explainAction() tool {
	return newTool(tool{
		name: "explain_action", title: "Explain a verdict",
		description: "Explain why an action would be allowed or denied: for each norm that has its verb, which words of the norm were found and which were missing. Records nothing.",
	}, nil, func(_ context.Context, c call, in actionArguments) (*explainResult, error) {
		action, err := in.action()
		if err != nil {
			return nil, err
		}
		action = c.service.WithFacts(action)
		constitution := c.service.Monitor().Constitution()
		findings := constitution.Explain(action)
		p := newPage[normsync.Finding](0)
		if err := p.addAll(slices.Values(findings)); err != nil {
			return nil, err
		}
		return &explainResult{
			Allowed: constitution.Allows(action), Why: why(findings),
			Findings: p.records, More: len(findings) - len(p.records),
		}, nil
	})
}

// maxReasons limits the number of reasons of a verdict.
const maxReasons = 10

// why says in words what decided.
func why(findings []normsync.Finding) []string {
	reasons := []string{}
	for i, f := range findings {
		reason := reason(f)
		if reason == "" {
			continue
		}
		if len(reasons) == maxReasons {
			return append(reasons, fmt.Sprintf("%d more norms have the verb.", len(findings)-i))
		}
		reasons = append(reasons, reason)
	}
	switch {
	case len(findings) == 0:
		reasons = append(reasons, "No norm in force has this verb.")
	case len(reasons) == 0:
		reasons = append(reasons, "No norm that has this verb applies.")
	}
	return reasons
}

// reason says what a norm contributed to the verdict, or nothing if it did not.
func reason(f normsync.Finding) string {
	name := quote(f.Norm.Name)
	switch f.Outcome {
	case normsync.OutcomeViolated:
		return fmt.Sprintf("Norm %s forbids it: the action has %s.", name, quoteAll(f.Matched))
	case normsync.OutcomeShadow:
		return fmt.Sprintf("Norm %s would count, but it is a dry run.", name)
	case normsync.OutcomeOverridden:
		return fmt.Sprintf("Norm %s would forbid it, but norm %s permits it.", name, quote(f.By))
	case normsync.OutcomePermits:
		return fmt.Sprintf("Norm %s permits %s.", name, quoteAll(f.Matched))
	case normsync.OutcomeExempt:
		return fmt.Sprintf("Norm %s does not apply, because the action has %s.", name, quote(f.By))
	}
	return ""
}

type allowedArguments struct {
	Agent    string   `json:"agent_id" jsonschema:"the agent that wants to act"`
	Actions  []string `json:"actions,omitempty" jsonschema:"the verbs to try, at most 1000; if missing, all verbs that norms in force name"`
	Location string   `json:"location,omitempty" jsonschema:"where, as words, such as 'town safe_zone'"`
	Target   string   `json:"target,omitempty" jsonschema:"on whom or what"`
	Faction  string   `json:"faction,omitempty" jsonschema:"the faction of the agent"`
	Facts    string   `json:"facts,omitempty" jsonschema:"what holds now, as words, such as 'night war low_health'"`
}

type allowedResult struct {
	Allowed []string `json:"allowed" jsonschema:"the verbs that the agent may use here and now"`
	Denied  []string `json:"denied" jsonschema:"the verbs that norms forbid"`
	More    bool     `json:"more" jsonschema:"whether norms name more verbs than were tried"`
}

func (r *allowedResult) texts() []string {
	text := "Allowed: " + orNone(r.Allowed) + "\nDenied: " + orNone(r.Denied)
	if r.More {
		text += "\nNorms name more verbs than these; give those to try as actions."
	}
	return []string{text}
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return quoteAll(names)
}

func allowedActions() tool {
	return newTool(tool{
		name: "allowed_actions", title: "List allowed actions",
		description: "Tell which of several verbs an agent may use in a situation. Without a list of verbs, those that norms name are tried; a verb that no norm names is allowed unless a norm forbids everything. Records nothing.",
	}, nil, func(_ context.Context, c call, in allowedArguments) (*allowedResult, error) {
		constitution := c.service.Monitor().Constitution()
		out := &allowedResult{Allowed: []string{}, Denied: []string{}}
		verbs, bytes := in.Actions, 0
		for i, verb := range verbs {
			if err := service.RequireVerb(normsync.Action{Agent: in.Agent, Verb: verb}); err != nil {
				return nil, fmt.Errorf("%w (element %d of actions)", err, i+1)
			}
			if bytes += len(verb); bytes > maxPage {
				return nil, fmt.Errorf("normsync: call allowed_actions: the actions have more than %d bytes; ask about fewer at a time", maxPage)
			}
		}
		if verbs == nil {
			verbs, out.More = namedVerbs(constitution)
		}
		a := normsync.Action{Agent: in.Agent, Location: in.Location, Target: in.Target, Faction: in.Faction, Facts: in.Facts, Time: time.Now().UTC()}
		a = c.service.WithFacts(a)
		out.Allowed = constitution.AppendAllowed(out.Allowed, a, verbs...)
		rest := out.Allowed // in the order of verbs
		for _, verb := range verbs {
			if len(rest) > 0 && rest[0] == verb {
				rest = rest[1:]
			} else {
				out.Denied = append(out.Denied, verb)
			}
		}
		return out, nil
	})
}

// namedVerbs returns whole verbs that norms name, and whether there are more than
// these. A prefix such as cast_* is no verb that can be tried.
func namedVerbs(c *normsync.Constitution) (verbs []string, more bool) {
	bytes := 0
	for verb := range c.Verbs() {
		if strings.HasSuffix(verb, "*") {
			more = more || verb != "*"
			continue
		}
		if bytes += len(verb); bytes > maxPage || len(verbs) == maxItems {
			return verbs, true
		}
		verbs = append(verbs, verb)
	}
	return verbs, more
}
