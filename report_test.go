package normsync

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

func requireGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "go test -run %s -update writes it", t.Name())
	require.Equal(t, string(want), string(got))
}

// ownWriters are the three ways to write a report, by the ending of its file.
var ownWriters = map[string]func(Report, io.Writer) error{
	".json": Report.WriteJSON, ".md": Report.WriteMarkdown, ".txt": Report.WriteText,
}

// fullReport has every kind of list, and names from a hostile user.
func fullReport(t *testing.T) Report {
	t.Helper()
	evil := "a|b\n# <b>@zoe</b> `x` \x1b[31m\u202E\\"
	norms := []Norm{
		{Name: "no-attack-in-safe-zone", Description: "Peace\nfor all", Condition: "location:safe_zone", Unless: "duel", Prohibited: "attack", Severity: SeverityError},
		{Name: "arena", Condition: "arena", Permitted: "attack", Priority: 5, Scope: "district"},
		{Name: "no-attack-at-night", Condition: "location:safe_zone night", Unless: "duel", Prohibited: "attack", Shadow: true},
		{Name: "不在咖啡馆睡觉", Condition: "霍布斯咖啡馆", Prohibited: "睡觉"},
	}
	c, err := Compile(norms...)
	require.NoError(t, err)
	at := time.Date(2024, 5, 17, 12, 0, 0, 250e6, time.UTC)
	actions := []Action{
		{Agent: "hero", Verb: "attack", Location: "safe_zone", Target: "night watch", Time: at},
		{Agent: "阿伊莎", Verb: "睡觉", Location: "霍布斯咖啡馆", Faction: "居民", Time: at.Add(time.Second)},
		{Agent: evil, Verb: "attack", Location: "safe_zone", Metadata: `{"hp":10}`},
		{Agent: "hero", Verb: "wait", Location: "safe_zone"},
	}
	r := Report{Norms: slices.Clone(norms), Compliance: Audit(c, slices.Values(actions)), Findings: c.Explain(actions[0])}
	for _, a := range actions {
		r.Violations = c.AppendCheck(r.Violations, a)
	}
	r.Violations[0].Edition = 3
	r.Norms = append(r.Norms, Norm{Name: evil, Description: evil, Condition: evil, Prohibited: evil, Repealed: true})
	r.Revisions = []Revision{
		{Edition: 1, Version: 1, Change: Enact(norms[0]).Attributed("zoe", "peace"), Time: at},
		{Edition: 2, Version: 2, Change: Change{Kind: KindRepeal, Norm: r.Norms[4], By: evil, Reason: evil}, Time: at},
	}
	r.Conflicts, err = Conflicts(norms)
	require.NoError(t, err)
	r.Coverage = Cover(c, slices.Values(actions))
	r.Facts = []Fact{
		{Name: "authenticated", After: "verb:login", Until: "verb:logout|quit"},
		{Name: "third_strike", Broke: `peace "no looting"`, Count: 3, Within: 10 * time.Minute, Per: "agent location"},
		{Name: "evil", After: evil, Until: evil},
	}
	r.Warnings = []Warning{{Norm: evil, Field: "Condition", Token: evil, Detail: evil, Suggestion: evil}}
	return r
}

// A log of 20,000 violations is a summary and a few rows.
func TestReportOfManyViolationsIsShort(t *testing.T) {
	peace, quiet := prohibition("peace", "", "attack"), prohibition("quiet", "", "sing").dryRun()
	c, err := Compile(peace, quiet)
	require.NoError(t, err)
	r := Report{Norms: []Norm{peace, quiet}, MaxRows: 3}
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 20_000 {
		verb := "attack"
		if i%4 == 0 {
			verb = "sing"
		}
		r.Violations = c.AppendCheck(r.Violations, Action{Agent: []string{"zoe", "ZOE", "bob"}[i%3], Verb: verb, Time: begin.Add(time.Duration(i) * time.Second)})
	}
	var text strings.Builder
	require.NoError(t, r.WriteText(&text))
	require.Equal(t, strings.Join([]string{
		"Violations by norm (2)", "",
		"NORM    HITS  DENIED  AGENTS  FIRST                 LAST                  EXAMPLE",
		"peace  15000   15000       2  2026-01-01T00:00:01Z  2026-01-01T05:33:19Z  action: attack",
		"quiet   5000       0       2  2026-01-01T00:00:00Z  2026-01-01T05:33:16Z  action: sing", "",
		"Norms (2, 2 in force)", "",
		"NORM   FORBIDS  PRIORITY  SEVERITY  SCOPE   STATE",
		"peace  attack          0  warn      global  in force",
		"quiet  sing            0  warn      global  dry run", "",
		"Violations (20000)", "",
		"AGENT  ACTION  NORM   SEVERITY  STATE    TIME",
		"zoe    sing    quiet  warn      dry run  2026-01-01T00:00:00Z",
		"ZOE    attack  peace  warn               2026-01-01T00:00:01Z",
		"bob    attack  peace  warn               2026-01-01T00:00:02Z", "",
		"19997 more are not shown.", "",
	}, "\n"), text.String())

	for maxRows, want := range map[int]int{0: 100, 7: 7, -1: 20_000} {
		r.MaxRows = maxRows
		text.Reset()
		require.NoError(t, r.WriteMarkdown(&text))
		require.Equal(t, want, strings.Count(text.String(), "\n| zoe |")+strings.Count(text.String(), "\n| ZOE |")+strings.Count(text.String(), "\n| bob |"), "MaxRows %d", maxRows)
	}
}

func TestReportGolden(t *testing.T) {
	for name, r := range map[string]Report{
		"report-full":    fullReport(t),
		"report-nothing": {},
		"report-empty": {Norms: []Norm{}, Violations: []Violation{}, Revisions: []Revision{}, Compliance: []Compliance{},
			Conflicts: []Conflict{}, Findings: []Finding{}},
	} {
		for ending, write := range ownWriters {
			t.Run(name+ending, func(t *testing.T) {
				var b bytes.Buffer
				require.NoError(t, write(r, &b))
				requireGolden(t, name+ending, b.Bytes())
				for range 10 {
					var again bytes.Buffer
					require.NoError(t, write(r, &again))
					require.Equal(t, b.String(), again.String(), "the same report gives the same bytes")
				}
			})
		}
	}
}

func TestReportAsJSONReadsBack(t *testing.T) {
	r := fullReport(t)
	r.Norms = r.Norms[:4] // what can be in force
	var b bytes.Buffer
	require.NoError(t, r.WriteJSON(&b))
	var back Report
	require.NoError(t, json.Unmarshal(b.Bytes(), &back))
	require.Equal(t, r, back)
	norms, err := ReadNorms(&b)
	require.NoError(t, err)
	require.Equal(t, r.Norms, norms)
}

func TestReportAsJSONIsNeverNull(t *testing.T) {
	var b bytes.Buffer
	r := Report{Compliance: make([]Compliance, 1), Findings: make([]Finding, 1), Conflicts: make([]Conflict, 1)}
	require.NoError(t, r.WriteJSON(&b))
	require.NotContains(t, b.String(), "null")
	require.True(t, json.Valid(b.Bytes()))
	require.Nil(t, r.Compliance[0].ByNorm, "writing changes nothing in the report")
	require.Nil(t, r.Findings[0].Matched, "writing changes nothing in the report")
}

func TestReportSaysWhatHasNoJSON(t *testing.T) {
	require.ErrorContains(t, Report{Compliance: []Compliance{{Rate: math.NaN()}}}.WriteJSON(io.Discard), "normsync: write report")
	require.Error(t, Report{Violations: []Violation{{Action: Action{Metadata: "{"}}}}.WriteJSON(io.Discard))
}

func TestReportEndsAtTheFirstErrorOfItsWriter(t *testing.T) {
	r := fullReport(t)
	for range 8 {
		r.Norms = append(r.Norms, r.Norms...)
	}
	for ending, write := range ownWriters {
		var whole bytes.Buffer
		require.NoError(t, write(r, &whole))
		for room := 0; room < whole.Len(); room += max(1, whole.Len()/50) {
			w := &smallDisk{room: room}
			require.ErrorIs(t, write(r, w), errDiskFull, "%s after %d bytes", ending, room)
			require.False(t, w.after, "%s writes nothing after an error", ending)
			require.True(t, strings.HasPrefix(whole.String(), w.written.String()))
		}
	}
}

// smallDisk has room for some bytes.
type smallDisk struct {
	room          int
	written       bytes.Buffer
	failed, after bool
}

var errDiskFull = errors.New("disk full")

func (w *smallDisk) Write(b []byte) (int, error) {
	w.after = w.after || w.failed
	n := min(len(b), w.room)
	w.room -= n
	w.written.Write(b[:n])
	if n < len(b) {
		w.failed = true
		return n, errDiskFull
	}
	return n, nil
}

func TestReportJSONShowsNothingHidden(t *testing.T) {
	hostile := "a\u202e\u009b31m\x7f\x1b\u2028睡\u3164\u2800\uFE0F\u200D\U000E0100\U0001D173"
	r := Report{
		Violations: []Violation{{NormName: hostile, Action: Action{Agent: hostile, Metadata: `"` + "\u202e\x7f" + `"`}}},
		Compliance: []Compliance{{Agent: hostile, ByNorm: map[string]int{hostile: 1}}},
		Conflicts:  []Conflict{{A: hostile, Witness: Action{Agent: hostile}}},
		Findings:   []Finding{{Norm: Norm{Name: hostile}, By: hostile}},
	}
	var b strings.Builder
	require.NoError(t, r.WriteJSON(&b))
	require.NotRegexp(t, "[\x00-\x09\x0b-\x1f\x7f-\u009f\u2028-\u202e\u2066-\u2069]", b.String())
	require.NotRegexp(t, "[\u3164\u2800\uFE0F\u200D\U000E0100\U0001D173]", b.String())
	require.Contains(t, b.String(), `\u3164\u2800\ufe0f\u200d\udb40\udd00\ud834\udd73`)
	var back struct{ Compliance []Compliance }
	require.NoError(t, json.Unmarshal([]byte(b.String()), &back))
	require.Equal(t, r.Compliance, back.Compliance, "and says the same")
}

func TestReportSpeaksOfWhatItWasGiven(t *testing.T) {
	toll := Norm{Name: "toll", Prohibited: "cross"}
	audit := func(verb string) []Compliance {
		c, err := Compile(toll)
		require.NoError(t, err)
		return Audit(c, slices.Values([]Action{{Agent: "zoe", Verb: verb}, {Agent: "zoe", Verb: verb}}))
	}
	shadow := func(n Norm) []Finding { return []Finding{{Norm: n, Outcome: OutcomeShadow}} }
	for name, c := range map[string]struct {
		r     Report
		count int
		says  bool // "No violations found."
	}{
		"nothing":                                     {Report{}, 0, true},
		"norms":                                       {Report{Norms: []Norm{toll}}, 0, true},
		"conflicts":                                   {Report{Conflicts: []Conflict{}}, 0, true},
		"violations that there are not":               {Report{Violations: []Violation{}}, 0, true},
		"one violation":                               {Report{Violations: make([]Violation, 1)}, 1, false},
		"an audit with violations":                    {Report{Compliance: audit("cross")}, 2, false},
		"an audit without":                            {Report{Compliance: audit("wait")}, 0, false},
		"an audit without, and no violations":         {Report{Compliance: audit("wait"), Violations: []Violation{}}, 0, true},
		"an audit with some, but no violations":       {Report{Compliance: audit("cross"), Violations: []Violation{}}, 2, false},
		"an audit, and some violations of it":         {Report{Compliance: audit("cross"), Violations: make([]Violation, 1)}, 1, false},
		"an audit made by hand, of actions only":      {Report{Compliance: []Compliance{{Violating: 3}}}, 3, false},
		"a finding of a violation":                    {Report{Findings: []Finding{{Norm: toll, Outcome: OutcomeViolated}, {Norm: toll, Outcome: OutcomeUnmet}}}, 1, false},
		"a finding of a violation, but no violations": {Report{Findings: []Finding{{Norm: toll, Outcome: OutcomeViolated}}, Violations: []Violation{}}, 1, false},
		"a finding of a dry run":                      {Report{Findings: shadow(toll)}, 1, false},
		"a finding of a permit in a dry run":          {Report{Findings: shadow(Norm{Permitted: "cross"})}, 0, false},
		"a finding of an exemption":                   {Report{Findings: []Finding{{Norm: toll, Outcome: OutcomeExempt}}}, 0, false},
		"a finding of none, and no violations":        {Report{Findings: []Finding{}, Violations: []Violation{}}, 0, true},
		"an audit without, and a finding of one":      {Report{Compliance: audit("wait"), Findings: shadow(toll)}, 1, false},
		"an audit, and as many findings as differ":    {Report{Compliance: audit("cross"), Findings: shadow(toll)}, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, write := range []func(Report, io.Writer) error{Report.WriteText, Report.WriteMarkdown} {
				var b strings.Builder
				require.NoError(t, write(c.r, &b))
				require.Equal(t, c.says, strings.Contains(b.String(), "No violations found."), "%s", b.String())
			}
			var b bytes.Buffer
			require.NoError(t, c.r.WriteJSON(&b))
			var got struct {
				Count int  `json:"violation_count"`
				Has   bool `json:"has_violations"`
			}
			require.NoError(t, json.Unmarshal(b.Bytes(), &got))
			require.Equal(t, c.count, got.Count)
			require.Equal(t, c.count > 0, got.Has)
		})
	}
}
