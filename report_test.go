package normsync_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
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
var ownWriters = map[string]func(normsync.Report, io.Writer) error{
	".json": normsync.Report.WriteJSON, ".md": normsync.Report.WriteMarkdown, ".txt": normsync.Report.WriteText,
}

// fullReport has every kind of list, and names from a hostile user.
func fullReport(t *testing.T) normsync.Report {
	t.Helper()
	evil := "a|b\n# <b>@zoe</b> `x` \x1b[31m\u202E\\"
	norms := []normsync.Norm{
		{Name: "no-attack-in-safe-zone", Description: "Peace\nfor all", Condition: "location:safe_zone", Unless: "duel", Prohibited: "attack", Severity: normsync.SeverityError},
		{Name: "arena", Condition: "arena", Permitted: "attack", Priority: 5, Scope: "district"},
		{Name: "no-attack-at-night", Condition: "location:safe_zone night", Unless: "duel", Prohibited: "attack", Shadow: true},
		{Name: "不在咖啡馆睡觉", Condition: "霍布斯咖啡馆", Prohibited: "睡觉"},
	}
	c, err := normsync.Compile(norms...)
	require.NoError(t, err)
	at := time.Date(2024, 5, 17, 12, 0, 0, 250e6, time.UTC)
	actions := []normsync.Action{
		{Agent: "hero", Verb: "attack", Location: "safe_zone", Target: "night watch", Time: at},
		{Agent: "阿伊莎", Verb: "睡觉", Location: "霍布斯咖啡馆", Faction: "居民", Time: at.Add(time.Second)},
		{Agent: evil, Verb: "attack", Location: "safe_zone", Metadata: `{"hp":10}`},
		{Agent: "hero", Verb: "wait", Location: "safe_zone"},
	}
	r := normsync.Report{Norms: slices.Clone(norms), Compliance: normsync.Audit(c, slices.Values(actions)), Findings: c.Explain(actions[0])}
	for _, a := range actions {
		r.Violations = c.AppendCheck(r.Violations, a)
	}
	r.Violations[0].Edition = 3
	r.Norms = append(r.Norms, normsync.Norm{Name: evil, Description: evil, Condition: evil, Prohibited: evil, Repealed: true})
	r.Revisions = []normsync.Revision{
		{Edition: 1, Version: 1, Change: normsync.Enact(norms[0]).Attributed("zoe", "peace"), Time: at},
		{Edition: 2, Version: 2, Change: normsync.Change{Kind: normsync.KindRepeal, Norm: r.Norms[4], By: evil, Reason: evil}, Time: at},
	}
	r.Conflicts, err = normsync.Conflicts(norms)
	require.NoError(t, err)
	r.Coverage = normsync.Cover(c, slices.Values(actions))
	r.Facts = []normsync.Fact{
		{Name: "authenticated", After: "verb:login", Until: "verb:logout|quit"},
		{Name: "third_strike", Broke: `peace "no looting"`, Count: 3, Within: 10 * time.Minute, Per: "agent location"},
		{Name: "evil", After: evil, Until: evil},
	}
	r.Warnings = []normsync.Warning{{Norm: evil, Field: "Condition", Token: evil, Detail: evil, Suggestion: evil}}
	return r
}

// A log of 20,000 violations is a summary and a few rows.
func TestReportOfManyViolationsIsShort(t *testing.T) {
	peace, quiet := prohibition("peace", "", "attack"), prohibition("quiet", "", "sing", dryRun)
	c, err := normsync.Compile(peace, quiet)
	require.NoError(t, err)
	r := normsync.Report{Norms: []normsync.Norm{peace, quiet}, MaxRows: 3}
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 20_000 {
		verb := "attack"
		if i%4 == 0 {
			verb = "sing"
		}
		r.Violations = c.AppendCheck(r.Violations, normsync.Action{Agent: []string{"zoe", "ZOE", "bob"}[i%3], Verb: verb, Time: begin.Add(time.Duration(i) * time.Second)})
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
	for name, r := range map[string]normsync.Report{
		"report-full":    fullReport(t),
		"report-nothing": {},
		"report-empty": {Norms: []normsync.Norm{}, Violations: []normsync.Violation{}, Revisions: []normsync.Revision{}, Compliance: []normsync.Compliance{},
			Conflicts: []normsync.Conflict{}, Findings: []normsync.Finding{}},
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
	var back normsync.Report
	require.NoError(t, json.Unmarshal(b.Bytes(), &back))
	require.Equal(t, r, back)
	norms, err := normsync.ReadNorms(&b)
	require.NoError(t, err)
	require.Equal(t, r.Norms, norms)
}

func TestReportAsJSONIsNeverNull(t *testing.T) {
	var b bytes.Buffer
	r := normsync.Report{Compliance: make([]normsync.Compliance, 1), Findings: make([]normsync.Finding, 1), Conflicts: make([]normsync.Conflict, 1)}
	require.NoError(t, r.WriteJSON(&b))
	require.NotContains(t, b.String(), "null")
	require.True(t, json.Valid(b.Bytes()))
	require.Nil(t, r.Compliance[0].ByNorm, "writing changes nothing in the report")
	require.Nil(t, r.Findings[0].Matched, "writing changes nothing in the report")
}

func TestReportSaysWhatHasNoJSON(t *testing.T) {
	require.ErrorContains(t, normsync.Report{Compliance: []normsync.Compliance{{Rate: math.NaN()}}}.WriteJSON(io.Discard), "normsync: write report")
	require.Error(t, normsync.Report{Violations: []normsync.Violation{{Action: normsync.Action{Metadata: "{"}}}}.WriteJSON(io.Discard))
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
	r := normsync.Report{
		Violations: []normsync.Violation{{NormName: hostile, Action: normsync.Action{Agent: hostile, Metadata: `"` + "\u202e\x7f" + `"`}}},
		Compliance: []normsync.Compliance{{Agent: hostile, ByNorm: map[string]int{hostile: 1}}},
		Conflicts:  []normsync.Conflict{{A: hostile, Witness: normsync.Action{Agent: hostile}}},
		Findings:   []normsync.Finding{{Norm: normsync.Norm{Name: hostile}, By: hostile}},
	}
	var b strings.Builder
	require.NoError(t, r.WriteJSON(&b))
	require.NotRegexp(t, "[\x00-\x09\x0b-\x1f\x7f-\u009f\u2028-\u202e\u2066-\u2069]", b.String())
	require.NotRegexp(t, "[\u3164\u2800\uFE0F\u200D\U000E0100\U0001D173]", b.String())
	require.Contains(t, b.String(), `\u3164\u2800\ufe0f\u200d\udb40\udd00\ud834\udd73`)
	var back struct{ Compliance []normsync.Compliance }
	require.NoError(t, json.Unmarshal([]byte(b.String()), &back))
	require.Equal(t, r.Compliance, back.Compliance, "and says the same")
}

func TestReportSpeaksOfWhatItWasGiven(t *testing.T) {
	toll := normsync.Norm{Name: "toll", Prohibited: "cross"}
	audit := func(verb string) []normsync.Compliance {
		c, err := normsync.Compile(toll)
		require.NoError(t, err)
		return normsync.Audit(c, slices.Values([]normsync.Action{{Agent: "zoe", Verb: verb}, {Agent: "zoe", Verb: verb}}))
	}
	shadow := func(n normsync.Norm) []normsync.Finding {
		return []normsync.Finding{{Norm: n, Outcome: normsync.OutcomeShadow}}
	}
	for name, c := range map[string]struct {
		r     normsync.Report
		count int
		says  bool // "No violations found."
	}{
		"nothing":                                     {normsync.Report{}, 0, true},
		"norms":                                       {normsync.Report{Norms: []normsync.Norm{toll}}, 0, true},
		"conflicts":                                   {normsync.Report{Conflicts: []normsync.Conflict{}}, 0, true},
		"violations that there are not":               {normsync.Report{Violations: []normsync.Violation{}}, 0, true},
		"one violation":                               {normsync.Report{Violations: make([]normsync.Violation, 1)}, 1, false},
		"an audit with violations":                    {normsync.Report{Compliance: audit("cross")}, 2, false},
		"an audit without":                            {normsync.Report{Compliance: audit("wait")}, 0, false},
		"an audit without, and no violations":         {normsync.Report{Compliance: audit("wait"), Violations: []normsync.Violation{}}, 0, true},
		"an audit with some, but no violations":       {normsync.Report{Compliance: audit("cross"), Violations: []normsync.Violation{}}, 2, false},
		"an audit, and some violations of it":         {normsync.Report{Compliance: audit("cross"), Violations: make([]normsync.Violation, 1)}, 1, false},
		"an audit made by hand, of actions only":      {normsync.Report{Compliance: []normsync.Compliance{{Violating: 3}}}, 3, false},
		"a finding of a violation":                    {normsync.Report{Findings: []normsync.Finding{{Norm: toll, Outcome: normsync.OutcomeViolated}, {Norm: toll, Outcome: normsync.OutcomeUnmet}}}, 1, false},
		"a finding of a violation, but no violations": {normsync.Report{Findings: []normsync.Finding{{Norm: toll, Outcome: normsync.OutcomeViolated}}, Violations: []normsync.Violation{}}, 1, false},
		"a finding of a dry run":                      {normsync.Report{Findings: shadow(toll)}, 1, false},
		"a finding of a permit in a dry run":          {normsync.Report{Findings: shadow(normsync.Norm{Permitted: "cross"})}, 0, false},
		"a finding of an exemption":                   {normsync.Report{Findings: []normsync.Finding{{Norm: toll, Outcome: normsync.OutcomeExempt}}}, 0, false},
		"a finding of none, and no violations":        {normsync.Report{Findings: []normsync.Finding{}, Violations: []normsync.Violation{}}, 0, true},
		"an audit without, and a finding of one":      {normsync.Report{Compliance: audit("wait"), Findings: shadow(toll)}, 1, false},
		"an audit, and as many findings as differ":    {normsync.Report{Compliance: audit("cross"), Findings: shadow(toll)}, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, write := range []func(normsync.Report, io.Writer) error{normsync.Report.WriteText, normsync.Report.WriteMarkdown} {
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

// doing yields an action of the agent for each letter: x breaks a norm, y
// breaks two, s a dry run, and everything else none.
func doing(agent, letters string) []normsync.Action {
	var actions []normsync.Action
	for _, l := range letters {
		verb := map[rune]string{'x': "attack", 'y': "attack loot", 's': "sing"}[l]
		actions = append(actions, normsync.Action{Agent: agent, Verb: verb})
	}
	return actions
}

func audited(t testing.TB) *normsync.Constitution {
	c, err := normsync.Compile(prohibition("peace", "", "attack"), prohibition("property", "", "loot"), prohibition("silence", "", "sing", dryRun))
	require.NoError(t, err)
	return c
}

func TestAudit(t *testing.T) {
	log := slices.Concat(doing("zoe", ".."), doing("al", "yx.s"), doing("bob", "x"), doing("eve", "......x..."))
	require.Equal(t, []normsync.Compliance{
		{Agent: "bob", Actions: 1, Violating: 1, Violations: 1, ByNorm: map[string]int{"peace": 1}, Rate: 0, Risk: "non_compliant", Trend: "stable"},
		{Agent: "al", Actions: 4, Violating: 2, Violations: 3, ByNorm: map[string]int{"peace": 2, "property": 1}, Rate: 0.5, Risk: "high_risk", Trend: "improving"},
		{Agent: "eve", Actions: 10, Violating: 1, Violations: 1, ByNorm: map[string]int{"peace": 1}, Rate: 0.9, Risk: "low_risk", Trend: "degrading"},
		{Agent: "zoe", Actions: 2, ByNorm: map[string]int{}, Rate: 1, Risk: "compliant", Trend: "stable"},
	}, normsync.Audit(audited(t), slices.Values(log)))
	require.Empty(t, normsync.Audit(audited(t), slices.Values([]normsync.Action(nil))))
}

// Every bound, held against exact fractions.
func TestAuditIsExact(t *testing.T) {
	c := audited(t)
	at := func(n, d int) *big.Rat { return big.NewRat(int64(n), int64(d)) }
	for _, halves := range [][2]int{{0, 1}, {1, 1}, {1, 2}, {5, 5}, {5, 6}, {7, 7}, {10, 10}, {10, 11}, {15, 15}, {35, 35}, {64, 64}} {
		first, second := halves[0], halves[1]
		for badFirst := range first + 1 {
			for badSecond := range second + 1 {
				letters := slices.Repeat([]byte("."), first+second)
				for i := range badFirst {
					letters[first-1-i] = 'x'
				}
				for i := range badSecond {
					letters[first+i] = 'x'
				}
				got := normsync.Audit(c, slices.Values(doing("a", string(letters))))[0]

				risk := "non_compliant"
				rate := at(first+second-badFirst-badSecond, first+second)
				for _, r := range []struct {
					name string
					from *big.Rat
				}{{"high_risk", at(1, 2)}, {"medium_risk", at(7, 10)}, {"low_risk", at(9, 10)}, {"compliant", at(1, 1)}} {
					if rate.Cmp(r.from) >= 0 {
						risk = r.name
					}
				}
				trend := "stable"
				if first > 0 {
					better := new(big.Rat).Sub(at(badFirst, first), at(badSecond, second))
					if better.Cmp(at(1, 10)) > 0 {
						trend = "improving"
					} else if better.Cmp(at(-1, 10)) < 0 {
						trend = "degrading"
					}
				}
				nearest, _ := rate.Float64()
				require.Equal(t, []any{risk, trend, nearest}, []any{got.Risk, got.Trend, got.Rate}, "%s", letters)
			}
		}
	}
}

func TestAuditPutsTheWorstFirst(t *testing.T) {
	many := strings.Repeat("x", 70) + strings.Repeat(".", 377)
	log := slices.Concat(doing("c", "x.."), doing("a", "......"), doing("e", "x."), doing("many", many), doing("d", "xx...."), doing("z", "..."), doing("b", "..."))
	r := rand.New(rand.NewPCG(3, 3))
	for range 20 {
		r.Shuffle(len(log), func(i, j int) { log[i], log[j] = log[j], log[i] })
		var order []string
		for _, c := range normsync.Audit(audited(t), slices.Values(log)) {
			order = append(order, c.Agent)
		}
		require.Equal(t, []string{"many", "d", "e", "c", "a", "b", "z"}, order, "the more is known, the surer; ties by name")
	}
}

// The lower bound is the proportion below k/n that is z standard errors of its
// own away from k/n. That is how Wilson defines it.
func TestWilsonLowerBoundSolvesItsEquation(t *testing.T) {
	const z = 1.959963984540054
	for n := 1; n < 60; n++ {
		require.Zero(t, normsync.WilsonLowerBound(0, n))
		for k := 1; k <= n; k++ {
			bound, observed := normsync.WilsonLowerBound(k, n), float64(k)/float64(n)
			require.Less(t, bound, observed)
			require.InDelta(t, (observed-bound)*(observed-bound), z*z*bound*(1-bound)/float64(n), 1e-12, "%d of %d", k, n)
		}
	}
	require.InDelta(t, 0.0615, normsync.WilsonLowerBound(1, 3), 1e-4)
	require.InDelta(t, 0.1259, normsync.WilsonLowerBound(70, 447), 1e-4)
}

func TestAuditOneAgentUnderManySpellings(t *testing.T) {
	log := slices.Concat(doing("Zoe", "x."), doing("ZOE", "x"), doing("zoe", "."), doing("zoe ", "x"), doing("\u212Aurt", "x"), doing("kurt", "x"))
	require.Equal(t, []normsync.Compliance{
		{Agent: "\u212Aurt", Actions: 2, Violating: 2, Violations: 2, ByNorm: map[string]int{"peace": 2}, Risk: "non_compliant", Trend: "stable"},
		{Agent: "zoe ", Actions: 1, Violating: 1, Violations: 1, ByNorm: map[string]int{"peace": 1}, Risk: "non_compliant", Trend: "stable"},
		{Agent: "Zoe", Actions: 4, Violating: 2, Violations: 2, ByNorm: map[string]int{"peace": 2}, Rate: 0.5, Risk: "high_risk", Trend: "stable"},
	}, normsync.Audit(audited(t), slices.Values(log)))
}

func TestAuditCountsBySeverity(t *testing.T) {
	remark, crime := prohibition("remark", "", "whisper"), prohibition("crime", "", "shout")
	remark.Severity, crime.Severity = normsync.SeverityInfo, normsync.SeverityError
	c, err := normsync.Compile(remark, crime)
	require.NoError(t, err)
	require.Equal(t, []normsync.Compliance{
		{Agent: "b", Actions: 3, Violating: 1, Violations: 2, ByNorm: map[string]int{"crime": 1, "remark": 1}, Errors: 1, Rate: 2. / 3, Risk: "high_risk", Trend: "improving"},
		{Agent: "a", Actions: 2, Violations: 2, ByNorm: map[string]int{"remark": 2}, Rate: 1, Risk: "compliant", Trend: "stable"},
	}, normsync.Audit(c, slices.Values([]normsync.Action{{Agent: "a", Verb: "whisper"}, {Agent: "b", Verb: "shout"}, {Agent: "a", Verb: "whisper"}, {Agent: "b", Verb: "whisper"}, {Agent: "b", Verb: "walk"}})))
}

// repeated yields n actions without holding them.
func repeated(n int, action func(i int) normsync.Action) iter.Seq[normsync.Action] {
	return func(yield func(normsync.Action) bool) {
		for i := range n {
			if !yield(action(i)) {
				return
			}
		}
	}
}

func TestAuditKeepsABitPerAction(t *testing.T) {
	c := audited(t)
	const actions = 500_000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	got := normsync.Audit(c, repeated(actions, func(i int) normsync.Action {
		if i == actions-1 {
			runtime.GC()
			runtime.ReadMemStats(&after)
		}
		return normsync.Action{Agent: "a"}
	}))
	require.Equal(t, actions, got[0].Actions)
	require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(1<<20), "nothing is kept of actions that break nothing")

	words, firstHalf := normsync.TallyOfBad(actions)
	require.LessOrEqual(t, words*64, actions+64)
	require.Equal(t, actions/2, firstHalf)
}

func BenchmarkAudit(b *testing.B) {
	c := audited(b)
	for _, agents := range []int{10, 1000} {
		b.Run(fmt.Sprintf("actions=100000/agents=%d", agents), func(b *testing.B) {
			names := make([]string, agents)
			for i := range names {
				names[i] = fmt.Sprint("agent-", i)
			}
			verbs := []string{"wait", "walk", "attack", "talk"}
			b.ReportAllocs()
			for b.Loop() {
				normsync.Audit(c, repeated(100_000, func(i int) normsync.Action { return normsync.Action{Agent: names[i%agents], Verb: verbs[i%4]} }))
			}
		})
	}
}
