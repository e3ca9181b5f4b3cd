package normsync

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/normsync/normsync/internal/strictjson"
	"github.com/normsync/normsync/internal/texttable"
	"github.com/normsync/normsync/internal/token"
)

// Report writes what you give it of a constitution: norms, violations and more, in
// any combination. The zero value is an empty report. A list that is nil is left
// out, and a list that is empty is reported as empty. If Violations is nil, and
// Compliance or Findings are given, the report does not say that there are no
// violations.
//
// The same report is written as the same bytes each time. Writing does not change the
// report. The methods return the first error of their writer, and write nothing
// after it.
type Report struct {
	Norms      []Norm
	Facts      []Fact
	Violations []Violation
	Revisions  []Revision
	Compliance []Compliance
	Conflicts  []Conflict
	Findings   []Finding
	Coverage   []Coverage
	Warnings   []Warning
	MaxRows    int // of a table in text and Markdown; 0: 100; negative: all
}

// WriteJSON writes the report as one JSON object, with a record per line. It always
// has the keys norms, norm_count, active_count, violations, violation_count and
// has_violations. The keys facts, revisions, compliance, conflicts, findings, coverage and
// warnings are there if those lists are given. JSON has all records, whatever MaxRows
// says. No value is null. [ReadRules] reads the norms and the facts back. Control
// characters, characters that override the direction of writing, and invisible
// characters are escaped.
//
// The violation_count is the length of Violations. If there are none, it is the number
// of violations in Compliance, or else the number of Findings with the outcome violated,
// or shadow for a prohibition; has_violations reports whether it is positive.
//
// WriteJSON fails if a record cannot be written as JSON, for example because its
// metadata is not JSON or a rate is not a number.
func (r Report) WriteJSON(w io.Writer) error {
	j := &jsonObject{w: bufio.NewWriter(w)}
	writeList(j, "norms", r.Norms)
	j.field("norm_count", len(r.Norms))
	j.field("active_count", r.activeCount())
	writeList(j, "violations", r.Violations)
	j.field("violation_count", r.violationCount())
	j.field("has_violations", r.violationCount() > 0)
	if r.Facts != nil {
		writeList(j, "facts", r.Facts)
	}
	if r.Revisions != nil {
		writeList(j, "revisions", r.Revisions)
	}
	if r.Compliance != nil {
		list := slices.Clone(r.Compliance)
		for i := range list {
			if list[i].ByNorm == nil {
				list[i].ByNorm = map[string]int{}
			}
		}
		writeList(j, "compliance", list)
	}
	if r.Conflicts != nil {
		writeList(j, "conflicts", r.Conflicts)
	}
	if r.Findings != nil {
		list := slices.Clone(r.Findings)
		for i := range list {
			if list[i].Matched == nil {
				list[i].Matched = []string{}
			}
		}
		writeList(j, "findings", list)
	}
	if r.Coverage != nil {
		list := slices.Clone(r.Coverage)
		for i := range list {
			if list[i].Unseen == nil {
				list[i].Unseen = []UnseenToken{}
			}
		}
		writeList(j, "coverage", list)
	}
	if r.Warnings != nil {
		writeList(j, "warnings", r.Warnings)
	}
	return j.close()
}

// violationCount is the number of violations that the report shows or, if it
// shows none, that its other lists count.
func (r Report) violationCount() int {
	audited, found := 0, 0
	for _, c := range r.Compliance {
		audited += max(c.Violations, c.Violating)
	}
	for _, f := range r.Findings {
		// A permit can be a dry run, too.
		if f.Outcome == OutcomeViolated || f.Outcome == OutcomeShadow && f.Norm.Prohibited != "" {
			found++
		}
	}
	return cmp.Or(len(r.Violations), audited, found)
}

// jsonObject writes the fields of one object, up to the first error.
type jsonObject struct {
	w     *bufio.Writer
	begun bool
	err   error
}

func (j *jsonObject) field(name string, v any) {
	j.key(name)
	j.value(v)
}

func (j *jsonObject) key(name string) {
	if j.begun {
		j.text(",\n")
	} else {
		j.text("{\n")
	}
	j.begun = true
	j.text(strconv.Quote(name) + ": ")
}

func (j *jsonObject) value(v any) {
	if j.err != nil {
		return
	}
	b, err := json.Marshal(v)
	if err != nil {
		j.err = fmt.Errorf("normsync: write report: %w", err)
		return
	}
	_, j.err = j.w.Write(strictjson.AppendVisible(nil, b))
}

func (j *jsonObject) text(s string) {
	if j.err == nil {
		_, j.err = j.w.WriteString(s)
	}
}

func (j *jsonObject) close() error {
	j.text("\n}\n")
	if j.err != nil {
		return j.err
	}
	return j.w.Flush()
}

func writeList[T any](j *jsonObject, name string, list []T) {
	j.key(name)
	j.text("[")
	for i := range list {
		if i > 0 {
			j.text(",")
		}
		j.text("\n  ")
		if j.value(list[i]); j.err != nil {
			return
		}
	}
	if len(list) > 0 {
		j.text("\n")
	}
	j.text("]")
}

// WriteMarkdown writes a table for each list, which you can paste into a pull
// request. If there are violations, it begins with a summary of them by norm. A table
// shows at most MaxRows rows, and says how many more there are. Text from users is shown
// literally: it cannot make markup, links, mentions or emoji. Invisible characters, and
// spaces at the ends of a cell, are written as in a Go string. Columns without content
// are left out.
func (r Report) WriteMarkdown(w io.Writer) error {
	return r.write(w, "## ", (*texttable.Table).WriteMarkdown)
}

// WriteText writes an aligned table for each list, for a terminal, with a summary and
// at most MaxRows rows like WriteMarkdown. It writes "No violations found." if there are
// none, unless Violations is nil and Compliance or Findings are given. Some characters
// are written as in a Go string: control characters, which would start escape
// sequences, characters with Unicode's
// Default_Ignorable_Code_Point, such as joiners and variation selectors, blanks
// other than a space, and spaces at the ends of a cell. Columns without content
// are left out. Columns are aligned if the terminal draws East Asian wide characters
// two cells wide. A cell wider than 40 pushes the rest of its row to the right.
func (r Report) WriteText(w io.Writer) error {
	return r.write(w, "", (*texttable.Table).WriteText)
}

func (r Report) write(w io.Writer, heading string, body func(*texttable.Table, *bufio.Writer) error) error {
	out := bufio.NewWriter(w)
	for i, t := range r.tables() {
		if i > 0 {
			out.WriteString("\n") // an error is kept, and reported by what follows
		}
		if t.Rows == 0 {
			fmt.Fprintf(out, "No %s found.\n", t.Name)
			continue
		}
		count := strconv.Itoa(t.Rows)
		if t.Name == "norms" {
			count += fmt.Sprintf(", %d in force", r.activeCount())
		}
		fmt.Fprintf(out, "%s%s%s (%s)\n\n", heading, strings.ToUpper(t.Name[:1]), t.Name[1:], count)
		hidden := t.Rows - min(t.Rows, r.maxRows())
		t.Rows -= hidden
		if err := body(t, out); err != nil {
			return err
		}
		if hidden > 0 {
			fmt.Fprintf(out, "\n%d more are not shown.\n", hidden)
		}
	}
	return out.Flush()
}

// defaultMaxRows is the MaxRows of a report that has none.
const defaultMaxRows = 100

func (r Report) maxRows() int {
	switch {
	case r.MaxRows < 0:
		return math.MaxInt
	case r.MaxRows == 0:
		return defaultMaxRows
	}
	return r.MaxRows
}

// activeCount returns the number of norms that are not Repealed.
func (r Report) activeCount() (active int) {
	for i := range r.Norms {
		if !r.Norms[i].Repealed {
			active++
		}
	}
	return active
}

// tables is the report as tables: the lists that are given, and the violations
// unless other lists speak of violations instead.
func (r Report) tables() []*texttable.Table {
	var ts []*texttable.Table
	if len(r.Violations) > 0 {
		ts = append(ts, summaryTable(r.Violations))
	}
	if r.Norms != nil {
		ts = append(ts, normTable(r.Norms))
	}
	if r.Facts != nil {
		ts = append(ts, factTable(r.Facts))
	}
	if len(r.Violations) > 0 || r.violationCount() == 0 && (r.Violations != nil || r.Compliance == nil && r.Findings == nil) {
		ts = append(ts, violationTable(r.Violations))
	}
	if r.Revisions != nil {
		ts = append(ts, revisionTable(r.Revisions))
	}
	if r.Compliance != nil {
		ts = append(ts, complianceTable(r.Compliance))
	}
	if r.Conflicts != nil {
		ts = append(ts, conflictTable(r.Conflicts))
	}
	if r.Findings != nil {
		ts = append(ts, findingTable(r.Findings))
	}
	if r.Coverage != nil {
		ts = append(ts, coverageTable(r.Coverage))
	}
	if r.Warnings != nil {
		ts = append(ts, warningTable(r.Warnings))
	}
	return ts
}

// normSummary is what a report says of all violations of a norm.
type normSummary struct {
	name         string
	hits, denied int
	agents       map[string]bool // folded
	first, last  time.Time
	example      *Violation
}

// summaryTable summarizes the violations by norm, the most frequent norm first.
func summaryTable(violations []Violation) *texttable.Table {
	byName := map[string]*normSummary{}
	var list []*normSummary
	for i := range violations {
		v := &violations[i]
		s := byName[v.NormName]
		if s == nil {
			s = &normSummary{name: v.NormName, agents: map[string]bool{}, example: v}
			byName[v.NormName] = s
			list = append(list, s)
		}
		s.hits++
		if !v.Shadow {
			s.denied++
		}
		s.agents[token.Fold(v.Action.Agent)] = true
		if at := v.Action.Time; !at.IsZero() {
			if s.first.IsZero() || at.Before(s.first) {
				s.first = at
			}
			if at.After(s.last) {
				s.last = at
			}
		}
	}
	slices.SortFunc(list, func(a, b *normSummary) int {
		return cmp.Or(cmp.Compare(b.hits, a.hits), strings.Compare(a.name, b.name))
	})
	return &texttable.Table{
		Name:    "violations by norm",
		Columns: []string{"Norm", "#Hits", "#Denied", "#Agents", "First", "Last", "Example"},
		Rows:    len(list),
		Row: func(i int) []string {
			s := list[i]
			example := s.example.Action
			example.Agent = "" // which of them is chance
			return []string{s.name, strconv.Itoa(s.hits), strconv.Itoa(s.denied), strconv.Itoa(len(s.agents)),
				timeCell(s.first), timeCell(s.last), actionCell(example)}
		},
	}
}

func normTable(norms []Norm) *texttable.Table {
	return &texttable.Table{
		Name:    "norms",
		Columns: []string{"Norm", "Forbids", "Permits", "Condition", "Unless", "#Priority", "Severity", "Scope", "State", "From", "Until", "Advice", "Description"},
		Rows:    len(norms),
		Row: func(i int) []string {
			n := norms[i]
			state := "in force"
			switch {
			case n.Repealed:
				state = "repealed"
			case n.Shadow:
				state = "dry run"
			}
			return []string{n.Name, n.Prohibited, n.Permitted, n.Condition, n.Unless, strconv.Itoa(n.Priority),
				string(cmp.Or(n.Severity, SeverityWarn)), cmp.Or(n.Scope, "global"), state,
				timeCell(n.From), timeCell(n.Until), n.Advice, n.Description}
		},
	}
}

func violationTable(violations []Violation) *texttable.Table {
	return &texttable.Table{
		Name:    "violations",
		Columns: []string{"Agent", "Action", "Norm", "Severity", "State", "Location", "Target", "Faction", "Facts", "Advice", "#Edition", "Time"},
		Rows:    len(violations),
		Row: func(i int) []string {
			v, edition, state := violations[i], "", ""
			if v.Edition > 0 {
				edition = strconv.FormatUint(v.Edition, 10)
			}
			if v.Shadow {
				state = "dry run"
			}
			return []string{v.Action.Agent, v.Action.Verb, v.NormName, string(cmp.Or(v.Severity, SeverityWarn)), state,
				v.Action.Location, v.Action.Target, v.Action.Faction, v.Action.Facts, v.Advice, edition, timeCell(v.Action.Time)}
		},
	}
}

func factTable(facts []Fact) *texttable.Table {
	return &texttable.Table{
		Name:    "facts",
		Columns: []string{"Fact", "After", "Broke", "#Count", "Within", "Per", "Until"},
		Rows:    len(facts),
		Row: func(i int) []string {
			f := facts[i]
			within := ""
			if f.Within != 0 {
				within = f.Within.String()
			}
			return []string{f.Name, f.After, f.Broke, strconv.Itoa(max(f.Count, 1)), within, cmp.Or(f.Per, perFields[0].name), f.Until}
		},
	}
}

func revisionTable(revisions []Revision) *texttable.Table {
	return &texttable.Table{
		Name:    "revisions",
		Columns: []string{"#Edition", "Change", "Norm", "#Version", "By", "Time", "Reason"},
		Rows:    len(revisions),
		Row: func(i int) []string {
			v := revisions[i]
			return []string{strconv.FormatUint(v.Edition, 10), string(v.Kind), v.Norm.Name, strconv.Itoa(v.Version), v.By,
				timeCell(v.Time), v.Reason}
		},
	}
}

func complianceTable(compliance []Compliance) *texttable.Table {
	return &texttable.Table{
		Name:    "agents",
		Columns: []string{"Agent", "#Actions", "#Violating", "#Violations", "#Errors", "#Rate", "Risk", "Trend", "By norm"},
		Rows:    len(compliance),
		Row: func(i int) []string {
			c := compliance[i]
			return []string{c.Agent, strconv.Itoa(c.Actions), strconv.Itoa(c.Violating), strconv.Itoa(c.Violations), strconv.Itoa(c.Errors),
				strconv.FormatFloat(c.Rate, 'f', 3, 64), c.Risk, c.Trend, texttable.Counts(c.ByNorm)}
		},
	}
}

func conflictTable(conflicts []Conflict) *texttable.Table {
	return &texttable.Table{
		Name:    "conflicts",
		Columns: []string{"Kind", "Norm", "Other norm", "Shown by", "Detail"},
		Rows:    len(conflicts),
		Row: func(i int) []string {
			c := conflicts[i]
			return []string{string(c.Kind), c.A, c.B, actionCell(c.Witness), c.Detail}
		},
	}
}

func findingTable(findings []Finding) *texttable.Table {
	return &texttable.Table{
		Name:    "findings",
		Columns: []string{"Norm", "Outcome", "By", "Found", "Missing", "#Priority"},
		Rows:    len(findings),
		Row: func(i int) []string {
			f := findings[i]
			return []string{f.Norm.Name, string(f.Outcome), f.By, strings.Join(f.Matched, " "), strings.Join(f.Missing, " "),
				strconv.Itoa(f.Norm.Priority)}
		},
	}
}

func coverageTable(coverage []Coverage) *texttable.Table {
	return &texttable.Table{
		Name:    "coverage",
		Columns: []string{"Norm", "#Actions", "#Applied", "#Violated", "#Overridden", "#Exempt", "#Agents", "First", "Last", "Example", "Unseen"},
		Rows:    len(coverage),
		Row: func(i int) []string {
			c := coverage[i]
			var unseen []string
			for _, u := range c.Unseen {
				if u.Nearest != "" {
					u.Token += " (" + u.Nearest + "?)"
				}
				unseen = append(unseen, u.Token)
			}
			return []string{c.Norm, strconv.Itoa(c.Actions), strconv.Itoa(c.Applied), strconv.Itoa(c.Violated), strconv.Itoa(c.Overridden),
				strconv.Itoa(c.Exempt), strconv.Itoa(c.Agents), timeCell(c.First), timeCell(c.Last), actionCell(c.Example), strings.Join(unseen, ", ")}
		},
	}
}

func warningTable(warnings []Warning) *texttable.Table {
	return &texttable.Table{
		Name:    "warnings",
		Columns: []string{"Norm", "Field", "Token", "Detail", "Suggestion"},
		Rows:    len(warnings),
		Row: func(i int) []string {
			w := warnings[i]
			return []string{w.Norm, w.Field, w.Token, w.Detail, w.Suggestion}
		},
	}
}

func timeCell(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func actionCell(a Action) string {
	var parts []string
	for f, text := range textsOf(&a) {
		if text != "" {
			parts = append(parts, token.FieldNames[f]+": "+text)
		}
	}
	return strings.Join(parts, ", ")
}
