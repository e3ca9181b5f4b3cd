package mcpserver

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/normsync/normsync"
)

type violationsArguments struct {
	Agent    string `json:"agent_id,omitempty" jsonschema:"only those of this agent"`
	Norm     string `json:"norm,omitempty" jsonschema:"only those of the norm with this name"`
	Severity string `json:"severity,omitempty" jsonschema:"only those of this severity"`
	Limit    int    `json:"limit,omitempty" jsonschema:"greatest number of violations; 50 if missing"`
	Cursor   string `json:"cursor,omitempty" jsonschema:"next_cursor of the result before this one, to go on from there"`
}

type violationsResult struct {
	Violations []normsync.Violation `json:"violations" jsonschema:"newest first"`
	TooLarge   []uint64             `json:"too_large" jsonschema:"numbers of violations that are left out because they are very large"`
	NextCursor string               `json:"next_cursor,omitempty" jsonschema:"give it as cursor for older violations; if missing, there are none"`

	first bool // it is the first page
}

func (r *violationsResult) texts() []string {
	var b strings.Builder
	switch {
	case len(r.Violations) == 0 && r.NextCursor == "" && len(r.TooLarge) == 0 && r.first:
		return []string{"No violations recorded."}
	case r.first && r.NextCursor == "":
		fmt.Fprintf(&b, "Total violations: %d", len(r.Violations)+len(r.TooLarge))
	default:
		fmt.Fprintf(&b, "Violations: %d", len(r.Violations)+len(r.TooLarge))
	}
	for _, v := range r.Violations {
		fmt.Fprintf(&b, "\n  - [%s] %s: %s", escape(v.Action.Agent), escape(v.NormName), sentence(v))
	}
	for _, number := range r.TooLarge {
		fmt.Fprintf(&b, "\n  - number %d is too large to list", number)
	}
	if r.NextCursor != "" {
		fmt.Fprintf(&b, "\nThere are older ones: call list_violations with cursor %q.", r.NextCursor)
	}
	return []string{b.String()}
}

func listViolations() tool {
	return newTool(tool{
		name: "list_violations", title: "List violations",
		description: "List recorded violations, newest first.",
	}, func(properties map[string]*jsonschema.Schema) {
		tuneLimit(properties)
		tuneSeverity(properties)
	}, func(ctx context.Context, c call, in violationsArguments) (*violationsResult, error) {
		query := normsync.ViolationQuery{Agent: in.Agent, Norm: in.Norm, Severity: normsync.Severity(in.Severity), Newest: true}
		if in.Cursor != "" {
			after, err := strconv.ParseUint(in.Cursor, 10, 64)
			if err != nil || after == 0 {
				return nil, fmt.Errorf("normsync: list_violations: cursor %s is not one; give the next_cursor of an earlier result, or none", quote(in.Cursor))
			}
			query.After = after
		}
		if err := c.service.Flush(ctx); err != nil {
			return nil, fmt.Errorf("normsync: list_violations: some violations could not be stored: %w", err)
		}
		out := &violationsResult{TooLarge: []uint64{}, first: in.Cursor == ""}
		p := newPage[normsync.Violation](in.Limit)
		query.Limit = p.limit + 1 // one more tells whether there is a next page
		var last uint64
		for stored, err := range normsync.QueryViolations(ctx, c.service.Store(), query) {
			if err != nil {
				return nil, err
			}
			if text, err := json.Marshal(stored.Violation); err != nil {
				return nil, err
			} else if len(text) > maxPage && len(p.records)+len(out.TooLarge) < p.limit {
				out.TooLarge = append(out.TooLarge, stored.Number)
				last = stored.Number
				continue
			}
			if len(p.records)+len(out.TooLarge) == p.limit {
				p.more = true
				break
			}
			ok, err := p.add(stored.Violation)
			if err != nil {
				return nil, err
			}
			if !ok {
				break
			}
			last = stored.Number
		}
		out.Violations = p.records
		if p.more {
			out.NextCursor = strconv.FormatUint(last, 10)
		}
		return out, nil
	})
}

func tuneSeverity(properties map[string]*jsonschema.Schema) {
	properties["severity"].Enum = []any{string(normsync.SeverityInfo), string(normsync.SeverityWarn), string(normsync.SeverityError)}
}
