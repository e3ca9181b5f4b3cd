package mcpserver

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/normsync/normsync"
)

type normsArguments struct {
	ActiveOnly *bool  `json:"active_only,omitempty" jsonschema:"false: also norms that were repealed; true if missing"`
	Limit      int    `json:"limit,omitempty" jsonschema:"greatest number of norms; 50 if missing"`
	Cursor     string `json:"cursor,omitempty" jsonschema:"next_cursor of the result before this one, to go on from there"`
}

type normsResult struct {
	Edition    uint64          `json:"edition" jsonschema:"number of changes that were made to the constitution so far"`
	InForce    int             `json:"in_force" jsonschema:"number of all norms in force"`
	Norms      []normsync.Norm `json:"norms" jsonschema:"in order of name"`
	NextCursor string          `json:"next_cursor,omitempty" jsonschema:"give it as cursor for more norms; if missing, there are none"`
}

func (r *normsResult) texts() []string {
	lines := []string{fmt.Sprintf("Edition %d, %d norm(s) in force.", r.Edition, r.InForce)}
	for _, n := range r.Norms {
		lines = append(lines, "  - "+normText(n))
	}
	if r.NextCursor != "" {
		lines = append(lines, fmt.Sprintf("There are more: call list_norms with cursor %s.", quote(r.NextCursor)))
	}
	return []string{strings.Join(lines, "\n")}
}

// normText says on one line what a norm does.
func normText(n normsync.Norm) string {
	text := quote(n.Name)
	if n.Repealed {
		text += " (repealed)"
	}
	if n.Shadow {
		text += " (a dry run)"
	}
	if n.Permitted != "" {
		text += " permits " + quote(n.Permitted)
	} else {
		text += " forbids " + quote(n.Prohibited)
	}
	if n.Condition != "" {
		text += " if " + quote(n.Condition)
	}
	if n.Unless != "" {
		text += " unless " + quote(n.Unless)
	}
	if n.Priority != 0 {
		text += fmt.Sprintf(", priority %d", n.Priority)
	}
	if n.Description != "" {
		text += ": " + prose(n.Description)
	}
	return text
}

// getNorms is the name of list_norms in the Python tool's list of functions.
const getNorms = "get_norms"

func listNorms() tool {
	return newTool(tool{
		name: "list_norms", title: "List norms",
		description: "List the norms of the constitution, in order of name.",
	}, tuneLimit, func(ctx context.Context, c call, in normsArguments) (*normsResult, error) {
		constitution := c.service.Monitor().Constitution()
		norms := constitution.All()
		if in.ActiveOnly != nil && !*in.ActiveOnly {
			all, err := normsEver(ctx, c.service.Store())
			if err != nil {
				return nil, err
			}
			norms = all
		}
		out := &normsResult{Edition: constitution.Edition(), InForce: constitution.Len()}
		p := newPage[normsync.Norm](in.Limit)
		if err := p.addAll(after(norms, in.Cursor)); err != nil {
			return nil, err
		}
		out.Norms = p.records
		if p.more {
			out.NextCursor = p.records[len(p.records)-1].Name
		}
		return out, nil
	})
}

// after leaves out the norms up to the one with a name.
func after(norms iter.Seq[normsync.Norm], name string) iter.Seq[normsync.Norm] {
	return func(yield func(normsync.Norm) bool) {
		for n := range norms {
			if n.Name > name && !yield(n) {
				return
			}
		}
	}
}

// normsEver returns the last version of each norm that was ever in force, in order
// of name.
func normsEver(ctx context.Context, s normsync.Store) (iter.Seq[normsync.Norm], error) {
	last := map[string]normsync.Norm{}
	for r, err := range s.Revisions(ctx, 0) {
		if err != nil {
			return nil, err
		}
		last[r.Norm.Name] = r.Norm
	}
	return func(yield func(normsync.Norm) bool) {
		for _, name := range slices.Sorted(maps.Keys(last)) {
			if !yield(last[name]) {
				return
			}
		}
	}, nil
}

type addArguments struct {
	Name        string `json:"name" jsonschema:"a short name that no norm in force has, such as 'no-attack-in-safe-zone'"`
	Description string `json:"description" jsonschema:"what the norm is for, for people"`
	Condition   string `json:"condition" jsonschema:"words that must all be in the action for the norm to apply, such as 'safe_zone'; a|b is one of several, cast_* a prefix, target:guard a word of the target; empty: always"`
	Prohibited  string `json:"prohibited" jsonschema:"the verbs that it forbids, such as 'attack steal'; * is every verb; empty if permitted is set"`
	Permitted   string `json:"permitted,omitempty" jsonschema:"instead of prohibited: the verbs that it permits, against norms of lower priority"`
	Unless      string `json:"unless,omitempty" jsonschema:"words that exempt an action, any of them"`
	Priority    int    `json:"priority,omitempty" jsonschema:"a permit counts against prohibitions of strictly lower priority; 0 if missing"`
	Severity    string `json:"severity,omitempty" jsonschema:"warn if missing"`
	Advice      string `json:"advice,omitempty" jsonschema:"what the host is told when the norm is broken, such as a message to the player"`
	Scope       string `json:"scope,omitempty" jsonschema:"a label for people; global if missing"`
	Shadow      bool   `json:"shadow,omitempty" jsonschema:"true: a dry run, which is reported and denies nothing"`
	Reason      string `json:"reason,omitempty" jsonschema:"why the norm is added, for the history"`
}

type addResult struct {
	Added    bool               `json:"added" jsonschema:"false if the very same norm was in force already"`
	ID       normsync.ID        `json:"id"`
	Edition  uint64             `json:"edition" jsonschema:"number of changes that were made to the constitution so far"`
	Norm     normsync.Norm      `json:"norm"`
	Warnings []normsync.Warning `json:"warnings" jsonschema:"what is legal and likely not meant"`
}

func (r *addResult) texts() []string {
	first := fmt.Sprintf("Added norm %s (id=%s)", quote(r.Norm.Name), r.ID)
	if !r.Added {
		first = fmt.Sprintf("Norm %s is in force already (id=%s)", quote(r.Norm.Name), r.ID)
	}
	texts := []string{first}
	for _, w := range r.Warnings {
		text := fmt.Sprintf("Warning: %s %s: %s", w.Field, quote(w.Token), prose(w.Detail))
		if w.Suggestion != "" {
			text += "; write " + prose(w.Suggestion)
		}
		texts = append(texts, text)
	}
	return texts
}

func addNorm() tool {
	return newTool(tool{
		name: "add_norm", title: "Add a norm",
		description: "Add a norm to the constitution. When the call returns, it is in force for all programs that use the store.",
		changes:     true, repeatable: true,
	}, func(properties map[string]*jsonschema.Schema) {
		tuneSeverity(properties)
		between(properties["priority"], math.MinInt32, math.MaxInt32)
	}, func(ctx context.Context, c call, in addArguments) (*addResult, error) {
		norm := normsync.Norm{
			Name: in.Name, Description: in.Description, Condition: in.Condition, Prohibited: in.Prohibited,
			Permitted: in.Permitted, Unless: in.Unless, Priority: in.Priority, Severity: normsync.Severity(in.Severity),
			Advice: in.Advice, Scope: in.Scope, Shadow: in.Shadow,
		}
		monitor := c.service.Monitor()
		revisions, err := monitor.Apply(ctx, normsync.Enact(norm).Attributed(c.author(), in.Reason))
		if err != nil {
			return nil, err
		}
		return &addResult{
			Added: len(revisions) > 0, ID: norm.ID(), Edition: monitor.Constitution().Edition(),
			Norm: norm, Warnings: warnings(norm, monitor.Constitution()),
		}, nil
	})
}

// author returns the name of the client for the history.
func (c call) author() string {
	if c.client == "" {
		return "mcp"
	}
	return "mcp: " + escape(c.client)
}

// warnings returns what Lint says of one norm.
func warnings(n normsync.Norm, c *normsync.Constitution) []normsync.Warning {
	norms := []normsync.Norm{n}
	if n.Permitted != "" { // whether it overrides anything depends on the others
		norms = slices.Collect(c.All())
	}
	found := []normsync.Warning{}
	for _, w := range normsync.Lint(norms) {
		if w.Norm == n.Name {
			found = append(found, w)
		}
	}
	return found
}

type repealArguments struct {
	Name   string `json:"name" jsonschema:"the name of the norm"`
	Reason string `json:"reason,omitempty" jsonschema:"why it is repealed, for the history"`
}

type repealResult struct {
	ID      normsync.ID   `json:"id"`
	Edition uint64        `json:"edition" jsonschema:"number of changes that were made to the constitution so far"`
	Norm    normsync.Norm `json:"norm" jsonschema:"as it was"`
}

func (r *repealResult) texts() []string {
	return []string{fmt.Sprintf("Repealed norm %s (id=%s)", quote(r.Norm.Name), r.ID)}
}

func repealNorm() tool {
	return newTool(tool{
		name: "repeal_norm", title: "Repeal a norm",
		description: "Take a norm out of force for all programs that use the store. The history keeps it.",
		changes:     true, destructive: true, repeatable: true,
	}, nil, func(ctx context.Context, c call, in repealArguments) (*repealResult, error) {
		revisions, err := c.service.Monitor().Apply(ctx, normsync.Repeal(in.Name).Attributed(c.author(), in.Reason))
		if err != nil {
			return nil, err
		}
		r := revisions[0] // a repeal that does nothing is an error
		return &repealResult{ID: r.Norm.ID(), Edition: r.Edition, Norm: r.Norm}, nil
	})
}

type conflictsArguments struct {
	Limit int `json:"limit,omitempty" jsonschema:"greatest number of conflicts; 50 if missing"`
}

type conflictsResult struct {
	Conflicts []normsync.Conflict `json:"conflicts" jsonschema:"each with an action that shows it"`
	Total     int                 `json:"total" jsonschema:"number of all conflicts that were found"`
	Unsure    int                 `json:"unsure" jsonschema:"number of norms that were too many alike to examine completely"`
}

func (r *conflictsResult) texts() []string {
	if r.Total == 0 && r.Unsure == 0 {
		return []string{"No conflicts found."}
	}
	lines := []string{fmt.Sprintf("Found %d conflict(s):", r.Total)}
	for _, c := range r.Conflicts {
		line := fmt.Sprintf("  - %s: %s", c.Kind, quote(c.A))
		if c.B != "" {
			line += " and " + quote(c.B)
		}
		lines = append(lines, line+": "+prose(c.Detail))
	}
	if left := r.Total - len(r.Conflicts); left > 0 {
		lines = append(lines, fmt.Sprintf("  (%d more)", left))
	}
	if r.Unsure > 0 {
		lines = append(lines, fmt.Sprintf("%d norm(s) could not be examined completely.", r.Unsure))
	}
	return []string{strings.Join(lines, "\n")}
}

func conflicts() tool {
	return newTool(tool{
		name: "conflicts", title: "Find conflicts between norms",
		description: "Find norms in force that are proven to be duplicate, redundant, contradictory, overruled or dead.",
	}, tuneLimit, func(_ context.Context, c call, in conflictsArguments) (*conflictsResult, error) {
		found, gaveUp, err := normsync.FindConflicts(slices.Collect(c.service.Monitor().Constitution().All()))
		if err != nil {
			return nil, err
		}
		p := newPage[normsync.Conflict](in.Limit)
		if err := p.addAll(slices.Values(found)); err != nil {
			return nil, err
		}
		return &conflictsResult{Conflicts: p.records, Total: len(found), Unsure: len(gaveUp)}, nil
	})
}
