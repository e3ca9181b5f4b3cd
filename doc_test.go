package normsync_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

// claims has, for each sentence of the package comment, a phrase that occurs
// in no other sentence, and the tests that fail if the sentence is false.
// Definitions and advice have no tests.
var claims = []struct{ phrase, tests string }{
	{"set of rules", ""},
	{"says when it applies", ""},
	{"something that an agent does", ""},
	{"returns a [Violation]", "TestCheckAgreesWithItsTwin"},
	{"immutable, compiled", "TestSuccessorsOfAConstitutionShareNoCounts TestConstitutionKeepsNothingOfItsArgument"},
	{"holds the constitution in force", "TestMonitorReadersSeeAllOfAnApplyOrNothing"},
	{"records one change", "TestMonitorCarriesOutChangesInTurn"},
	{"keeps revisions and violations", "TestTestStorePassesMemStore"},
	{"never reads a clock", "TestCheckingReadsNoClock TestMonitorReadersSeeAllOfAnApplyOrNothing FuzzCheck"},
	{"enforcing them", ""},

	{"split at white", "TestNextSplitsAtWhiteSpace TestCheckAgreesWithItsTwin"},
	{"whole tokens", "TestMatchingTable"},
	{"EqualFold", "TestMatchingTable TestEqualIsEqualFold"},
	{"one of these forms", "TestValidateSaysWhatToDo"},
	{"equals word", "TestMatchingTable TestCheckAgreesWithItsTwin"},
	{"starts with word", "TestMatchingTable TestCheckAgreesWithItsTwin"},
	{"one of its alternatives", "TestMatchingTable TestCheckAgreesWithItsTwin TestAlternatives"},
	{"in that field only", "TestMatchingTable TestCheckAgreesWithItsTwin"},
	{"The fields are", "TestParse"},
	{"read the Agent", "TestMatchingTable"},
	{"ASCII", "TestMatchingTable TestTheAgentsNameIsComparedStrictly"},
	{"an ordinary word", "TestMatchingTable"},
	{"every token of Condition", "TestMatchingTable TestCheckAgreesWithItsTwin"},
	{"without a Time", "TestMatchingTable TestCheckAgreesWithItsTwin"},
	{"forbids the action", "TestMatchingTable TestCheckAgreesWithItsTwin"},
	{"take only the forms", "TestValidateSaysWhatToDo"},
	{"strictly lower", "TestMatchingTable TestCheckAgreesWithItsTwin"},
	{"which no permit overrides", "TestMatchingTable TestCheckAgreesWithItsTwin"},
	{"as a whole", "TestMatchingTable TestCheckAgreesWithItsTwin"},
	{"sorted by Priority", "TestMatchingTable TestCheckAgreesWithItsTwin"},
	{"denies nothing", "TestMatchingTable TestCheckAgreesWithItsTwin"},
	{"for a verdict", "TestDeniedIsTheOppositeOfAllows"},
	{"never matched", "TestWhatIsForPeopleIsNeverMatched"},
	{"Verdicts are exact", "TestCheckAgreesWithItsTwin"},
	{"prepare words", "TestCostIsBoundedInHostileWorlds"},
	{"refuses what cannot be meant", "TestSilentRulesTable"},
	{"warns of what is legal", "TestSilentRulesTable"},
	{"that no action of a log has", "TestSilentRulesTable"},

	{"by itself", ""},
	{"declare a [Fact]", "TestStoriesOfFacts TestMemoryAgreesWithItsTwin"},
	{"to be added to its Facts", "TestStoriesOfFacts TestMemoryAgreesWithItsTwin"},
	{"uses the times of actions", "TestReplayOfALogGivesTheSameFacts TestCheckingReadsNoClock"},
	{"is bounded", "TestMemoryForgetsTheLeastRecentlyUsed TestRestoreContinuesWhereTheSnapshotWasTaken"},
	{"from one file", "TestReadRulesReadsWhatAFileHas TestNumbersTurnNumbersIntoFacts"},

	{"all of its changes or none", "TestMonitorErrorsNameThePlaceAndTheMend TestMonitorReadersSeeAllOfAnApplyOrNothing"},
	{"before it publishes", "TestMonitorPublishesNothingThatTheStoreDoesNotHold"},
	{"has an Edition", "TestMonitorCarriesOutChangesInTurn"},
	{"identifies a norm", "TestMonitorCountsVersionsAcrossRepeals"},
	{"gives the same violations", "TestMonitorReloadsAndReplays TestTimeTravel"},
	{"turn one set of norms into another", "TestDiffOfRandomSetsLeadsFromOneToTheOther"},
	{"leaves other scopes", "TestReloadMakesTheNormsOfAScopeThoseOfTheList"},
	{"yields what comes into force", "TestFollowYieldsEachRevisionOnceAfterItIsInForce"},
	{"even in several processes", "TestMonitorTriesAgainWhileItsChangesAreValid"},
	{"[ErrConflict]", "TestTestStorePassesMemStore TestMemStoreSaysWhichEditionIsNext TestMonitorTriesAgainWhileItsChangesAreValid"},
	{"without making a change", "TestMonitorBringsInWhatWasStoredAfterAll"},

	{"the newest violations", "TestMemStoreIsLikeItsModel"},
	{"JSON Lines", "TestFileStoreLinesHoldTheRecordsAsJSON TestFileStoreKill TestFileStoreSituations"},
	{"a Store of your own", "TestTestStoreHasAFaultForEveryRule"},
	{"stores revisions only", "TestMonitorReloadsAndReplays"},
	{"never makes a tick wait", "TestRecorderNeverBlocksThoughTheStoreIsSlow"},

	{"finds stored violations", "TestQueryViolationsAgreesWithLookingAtAll"},

	{"can take longer than checking", ""},
	{"join them into a [Prepared]", "TestAPreparedActionIsJudgedAsTheAction"},
	{"for violations only", "TestPreparedAllocations"},
	{"which of several verbs", "TestAppendAllowedIsAllowsForEachVerb"},
	{"keep the strings of their Action", ""},

	{"no mutable state", "TestTheValuesAreComparable"},
	{"safe for concurrent use", "TestMonitorReadersSeeAllOfAnApplyOrNothing TestRecorderWithManyAtOnceAddsUp TestMonitorZeroValueIsReadyForManyAtOnce"},
	{"all of an Apply or none", "TestMonitorReadersSeeAllOfAnApplyOrNothing"},
	{"once per tick", ""},
	{"is garbage", "TestReplacedConstitutionIsFreeOnceNobodyReadsIt"},

	{"makes a copy of each", "TestACheckCopiesOnlyWordsThatItComparesAndMustChange"},
	{"allocates nothing", "TestCheckAllocatesNothing TestMonitorAddsNoAllocationToACheck"},
	{"takes time proportional", "TestCostIsBoundedInHostileWorlds TestCostOfALongActionIsThatOfItsDifferentWords"},
	{"one entry for each verb", "TestClausesSpreadOverTheirTokens"},
	{"rarest words are the alternatives", "TestAnyOfTokenHasAnEntryForEachAlternative"},
	{"It follows", ""},
	{"hardly matters", "TestCostDoesNotGrowWithNorms TestCostIsBoundedInHostileWorlds"},
	{"no word is rare", "TestCostIsBoundedInHostileWorlds"},
	{"eight out of", ""},
	{"with one verb", "TestCostWhereNoWordIsRareIsThatOfTheEntriesOfTheVerb"},
	{"is repeated", "TestCostOfALongActionIsThatOfItsDifferentWords TestCostOfAShortActionIsThatOfItsDifferentWords"},
	{"long action", "TestALongActionHasAsManyKeysAsWords"},
	{"distinct prefix length", "TestOnlyWhatNormsAskForIsPaidFor TestPrefixesAndAgentsAddHashes"},
	{"an agent: token adds", "TestPrefixesAndAgentsAddHashes"},
	{"costs nothing", "TestOnlyWhatNormsAskForIsPaidFor"},
	{"after a prohibition has matched", "TestOnlyWhatNormsAskForIsPaidFor"},
	{"copies only the parts", "TestMemoryDoesNotGrowWithChanges TestAChangeCopiesWhatItTouches"},
}

func TestEveryClaimOfThePackageCommentHasATest(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	require.NoError(t, err)
	said, sentences := map[string]int{}, docSentences(file.Doc.Text())
	for _, sentence := range sentences {
		claimed := false
		for _, c := range claims {
			if strings.Contains(sentence, c.phrase) {
				said[c.phrase]++
				claimed = true
			}
		}
		require.True(t, claimed, "claims has no phrase of this sentence in doc.go; add one, with its tests: %s", sentence)
	}
	tests := testNames(t)
	for _, c := range claims {
		require.Equal(t, 1, said[c.phrase], "sentences in doc.go with the phrase %q", c.phrase)
		for _, name := range strings.Fields(c.tests) {
			require.True(t, tests[name], "no test %s, which is named for the claim %q", name, c.phrase)
		}
	}
}

// docSentences splits a comment into sentences and the lines of its code
// blocks. Headings are left out.
func docSentences(text string) (sentences []string) {
	for _, block := range regexp.MustCompile(`\n\n|\n  - |\n\t`).Split(text, -1) {
		if block = strings.Join(strings.Fields(block), " "); block != "" && !strings.HasPrefix(block, "# ") {
			sentences = append(sentences, strings.Split(block, ". ")...)
		}
	}
	return sentences
}

// testNames returns the names of the functions in the test files of the module.
func testNames(t *testing.T) map[string]bool {
	names := map[string]bool{}
	for _, pattern := range []string{"*_test.go", "internal/*/*_test.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, name := range files {
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			require.NoError(t, err)
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok {
					names[f.Name.Name] = true
				}
			}
		}
	}
	return names
}

// Only changing, following, recording and testing a store use the clock.
func TestCheckingReadsNoClock(t *testing.T) {
	usesClock := map[string]bool{"monitor.go": true, "follow.go": true, "recorder.go": true, "storetest.go": true}
	clock := map[string]bool{"Now": true, "Since": true, "Until": true, "After": true, "AfterFunc": true, "Tick": true, "NewTimer": true, "NewTicker": true}
	for _, pattern := range []string{"*.go", "internal/token/*.go", "internal/index/*.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, name := range files {
			if usesClock[name] || strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			require.NoError(t, err)
			ast.Inspect(file, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					pkg, ok := s.X.(*ast.Ident)
					require.False(t, ok && pkg.Name == "time" && clock[s.Sel.Name], "%s uses time.%s", name, s.Sel.Name)
				}
				return true
			})
		}
	}
}

func TestWhatIsForPeopleIsNeverMatched(t *testing.T) {
	n := normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"}
	labelled := n
	labelled.Description, labelled.Scope, labelled.Severity, labelled.Advice = "brawl in the inn", "inn", normsync.SeverityError, "brawl inn"
	c, err := normsync.Compile(labelled)
	require.NoError(t, err)
	require.Len(t, c.Check(normsync.Action{Verb: "attack", Location: "safe_zone", Metadata: `"inn"`}), 1)
	require.Empty(t, c.Check(normsync.Action{Verb: "attack", Location: "inn", Metadata: `"safe_zone"`}))
	require.Empty(t, c.Check(normsync.Action{Verb: "brawl", Location: "safe_zone", Metadata: `"attack"`}))
	require.Equal(t, n.ID(), labelled.ID())
}

func TestTheValuesAreComparable(t *testing.T) {
	var shares func(reflect.Type) bool
	shares = func(v reflect.Type) bool {
		switch v.Kind() {
		case reflect.Struct:
			if v == reflect.TypeFor[time.Time]() { // its pointer is to an immutable Location
				return false
			}
			for i := range v.NumField() {
				if shares(v.Field(i).Type) {
					return true
				}
			}
			return false
		case reflect.Array:
			return shares(v.Elem())
		case reflect.String, reflect.Bool, reflect.Int, reflect.Uint8, reflect.Uint64:
			return false
		}
		return true
	}
	for _, v := range []any{normsync.Norm{}, normsync.Action{}, normsync.Violation{}, normsync.Revision{}, normsync.Change{}} {
		require.False(t, shares(reflect.TypeOf(v)), "%T", v)
	}
	require.True(t, shares(reflect.TypeFor[normsync.Compliance]()), "it has a map")
}

// The exported API equals the golden file, so every change to it is seen in
// review.
func TestAPI(t *testing.T) {
	const golden = "testdata/api.txt"
	got := api(t)
	if *update {
		require.NoError(t, os.WriteFile(golden, got, 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "the exported API has changed; if that is intended, run: go test -run '^TestAPI$' . -update")
}

// api returns the exported declarations, without comments.
func api(t *testing.T) []byte {
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, 0)
		require.NoError(t, err)
		files = append(files, file)
	}
	pkg, err := doc.NewFromFiles(fset, files, "github.com/normsync/normsync")
	require.NoError(t, err)

	var out bytes.Buffer
	decl := func(d ast.Decl) {
		require.NoError(t, (&printer.Config{Mode: printer.UseSpaces | printer.TabIndent, Tabwidth: 8}).Fprint(&out, fset, d))
		out.WriteString("\n\n")
	}
	values := func(vs []*doc.Value) {
		for _, v := range vs {
			decl(v.Decl)
		}
	}
	funcs := func(fs []*doc.Func) {
		for _, f := range fs {
			decl(f.Decl)
		}
	}
	values(pkg.Consts)
	values(pkg.Vars)
	funcs(pkg.Funcs)
	for _, typ := range pkg.Types {
		decl(typ.Decl)
		values(typ.Consts)
		values(typ.Vars)
		funcs(typ.Funcs)
		funcs(typ.Methods)
	}
	return out.Bytes()
}

// docPages returns the texts of README.md and of the pages in docs by name.
func docPages(t *testing.T) map[string]string {
	names, err := filepath.Glob("docs/*.md")
	require.NoError(t, err)
	pages := map[string]string{}
	for _, name := range append(names, "README.md") {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		pages[name] = string(text)
	}
	require.Greater(t, len(pages), 5)
	return pages
}

// programPages describe the program in cmd/normsync, whose tests run their blocks.
var programPages = []string{"docs/cli.md", "docs/github-action.md", "docs/mcp.md", "docs/rest.md", "docs/rules.md"}

// libraryPages returns the pages about the library.
func libraryPages(t *testing.T) map[string]string {
	pages := docPages(t)
	for _, name := range programPages {
		delete(pages, name)
	}
	return pages
}

var goBlock = regexp.MustCompile("(?s)(<!-- (Example\\w*) -->\n)?```go\n(.*?)```\n")

// A block of Go in a page is the body of the example that the comment before
// it names, so it is compiled and its output is compared.
func TestDocsShowExamples(t *testing.T) {
	bodies := exampleBodies(t)
	shown := map[string]bool{}
	for name, text := range libraryPages(t) {
		want := goBlock.ReplaceAllStringFunc(text, func(block string) string {
			m := goBlock.FindStringSubmatch(block)
			require.NotEmpty(t, m[2], "%s: put a line <!-- Example_name --> before this block:\n%s", name, block)
			require.Contains(t, bodies, m[2], "%s: no file example*_test.go has such an example", name)
			shown[m[2]] = true
			return m[1] + "```go\n" + bodies[m[2]] + "```\n"
		})
		require.Equal(t, strings.Count(text, "```go\n"), len(goBlock.FindAllString(text, -1)), name)
		if *update {
			require.NoError(t, os.WriteFile(name, []byte(want), 0o644))
			continue
		}
		require.Equal(t, want, text, "%s differs from the examples; to copy them, run: go test -run TestDocsShowExamples . -update", name)
	}
	for name, body := range bodies {
		require.Contains(t, body, "// Output:", "%s has no output", name)
		require.True(t, shown[name] || !strings.HasPrefix(name, "Example_") || name == "Example_python", "no page shows %s", name)
	}
}

// exampleBodies returns the bodies of the examples by name, unindented.
func exampleBodies(t *testing.T) map[string]string {
	files, err := filepath.Glob("example*_test.go")
	require.NoError(t, err)
	bodies := map[string]string{}
	for _, name := range files {
		source, err := os.ReadFile(name)
		require.NoError(t, err)
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, source, 0)
		require.NoError(t, err)
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Example") {
				body := string(source[fset.Position(f.Body.Lbrace).Offset+2 : fset.Position(f.Body.Rbrace).Offset])
				bodies[f.Name.Name] = strings.ReplaceAll(strings.TrimPrefix(body, "\t"), "\n\t", "\n")
			}
		}
	}
	return bodies
}

// tableRows returns the cells of the rows of the table in a page that has the
// given header.
func tableRows(t *testing.T, page, header string) (rows [][]string) {
	_, rest, ok := strings.Cut(docPages(t)[page], "\n"+header+"\n")
	require.True(t, ok, "%s has no table %s", page, header)
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		if strings.HasPrefix(line, "| ---") {
			continue
		}
		line = strings.ReplaceAll(strings.TrimSpace(line), `\|`, "\x00") // a bar within a cell
		cells := strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "|"), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(strings.ReplaceAll(cells[i], "\x00", "|"))
		}
		rows = append(rows, cells)
	}
	return rows
}

// The rows of docs/matching.md say what the library does.
func TestMatchingTable(t *testing.T) {
	code := regexp.MustCompile("`([^`]*)`")
	rows := tableRows(t, "docs/matching.md", "| Norms | Action | Violated |")
	require.GreaterOrEqual(t, len(rows), 20)
	for _, cells := range rows {
		require.Len(t, cells, 3)
		var texts []string
		for _, m := range code.FindAllStringSubmatch(cells[0], -1) {
			texts = append(texts, m[1])
		}
		norms, err := normsync.ReadNorms(strings.NewReader("[" + strings.Join(texts, ",") + "]"))
		require.NoError(t, err, cells[0])
		require.NotEmpty(t, norms)
		c, err := normsync.Compile(norms...)
		require.NoError(t, err)
		var a normsync.Action
		require.NoError(t, json.Unmarshal([]byte(strings.Trim(cells[1], "`")), &a), cells[1])
		require.NotEmpty(t, a.Verb, "%s needs the keys of an action", cells[1])
		var names []string
		for _, v := range c.Check(a) {
			names = append(names, v.NormName)
		}
		require.Equal(t, cells[2], strings.Join(names, " "), "%s\n%s", cells[0], cells[1])
	}
}

// The table has each rule that looks right and never meets what its author
// meant, with what Validate, Lint or Cover says of it.
func TestSilentRulesTable(t *testing.T) {
	var rules []string
	for _, cells := range tableRows(t, "docs/matching.md", "| You write | You get | It says |") {
		require.Len(t, cells, 3)
		rule := strings.Trim(cells[0], "`")
		rules = append(rules, rule)
		n := normsync.Norm{Name: "n", Condition: rule, Prohibited: "trade"}
		err, warnings := n.Validate(), normsync.Lint([]normsync.Norm{n})
		var said []string
		switch cells[1] {
		case "error":
			require.ErrorIs(t, err, normsync.ErrInvalid, rule)
			said = append(said, strings.TrimPrefix(err.Error(), `normsync: invalid norm "n": Condition: `))
		case "warning":
			require.NoError(t, err, rule)
			for _, w := range warnings {
				said = append(said, w.Detail+"; write "+w.Suggestion)
			}
		case "meaning":
			require.NoError(t, err, rule)
			require.Empty(t, warnings, rule)
			continue
		default:
			require.Fail(t, "unknown result", "%s: %s", rule, cells[1])
		}
		require.Equal(t, []string{cells[2]}, said, rule)
	}
	require.ElementsMatch(t, []string{"verb:attack", "agent_id:hero", "!night", "safe_zone OR arena", "health<20", "location:safe_zone,market",
		"safe_zone|arena", "locaton:bank"}, rules[:8])

	c, err := normsync.Compile(normsync.Norm{Name: "n", Condition: "safezone", Prohibited: "trade"})
	require.NoError(t, err)
	coverage := normsync.Cover(c, slices.Values([]normsync.Action{{Verb: "trade", Location: "safe_zone"}}))
	require.Equal(t, []normsync.UnseenToken{{Token: "safezone", Nearest: "safe_zone"}}, coverage[0].Unseen)
}

// Each token in README.md's table is found in the one action and not in the
// other.
func TestREADMETokens(t *testing.T) {
	rows := tableRows(t, "README.md", "| Token | Found if | Found in | Not found in |")
	require.GreaterOrEqual(t, len(rows), 5)
	for _, cells := range rows {
		require.Len(t, cells, 4)
		c, err := normsync.Compile(normsync.Norm{Name: "n", Condition: strings.Trim(cells[0], "`"), Prohibited: "*"})
		require.NoError(t, err)
		for i, found := range []bool{true, false} {
			a := normsync.Action{Verb: "walk"}
			require.NoError(t, json.Unmarshal([]byte(strings.Trim(cells[2+i], "`")), &a), cells[2+i])
			if a.Verb == "" {
				a.Verb = "walk"
			}
			require.Equal(t, !found, c.Allows(a), "%s in %s", cells[0], cells[2+i])
		}
	}
}

// The table has each name of the Python tool, and Example_python runs the Go
// code in it.
func TestPythonTable(t *testing.T) {
	body := exampleBodies(t)["Example_python"]
	var names []string
	for _, cells := range tableRows(t, "docs/python.md", "| Python | Go | In Go it reads |") {
		names = append(names, strings.Trim(cells[0], "`"))
		require.Contains(t, body, strings.Trim(cells[2], "`"), "Example_python does not have the code for %s", cells[0])
	}
	require.ElementsMatch(t, []string{"WorldNorm", "AgentAction", "NormViolation", "NormRevision", "NormMonitor", "NormStore",
		"NormVersionStore", "print_violations", "to_json", "to_markdown"}, names)
}

// CI runs the commands that the pages tell a reader to run.
func TestDocsCommands(t *testing.T) {
	files, err := filepath.Glob(".github/workflows/*.yml")
	require.NoError(t, err)
	var ci strings.Builder
	for _, name := range append(files, ".ci/run") {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		ci.Write(text)
	}
	block := regexp.MustCompile("(?s)```sh\n(.*?)```")
	for name, text := range libraryPages(t) {
		for _, m := range block.FindAllStringSubmatch(text, -1) {
			for line := range strings.Lines(m[1]) {
				command, _, _ := strings.Cut(line, "#")
				command = strings.TrimSpace(command)
				require.Regexp(t, `(?m)(^|run: |-count=1" |\t)`+regexp.QuoteMeta(command)+`$`, ci.String(), "%s: CI does not run this command", name)
			}
		}
	}
	require.Contains(t, docPages(t)["README.md"], "```sh\ngo run ./cmd/normsync demo\ngo test ./...\n```", "the two commands that do all the set-up")
}

// The layout in CONTRIBUTING.md names every source file and every package.
func TestLayoutIsComplete(t *testing.T) {
	text, err := os.ReadFile("CONTRIBUTING.md")
	require.NoError(t, err)
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	packages, err := filepath.Glob("internal/*")
	require.NoError(t, err)
	for _, name := range append(files, packages...) {
		if name != "doc.go" && !strings.HasSuffix(name, "_test.go") {
			require.True(t, strings.Contains(string(text), "`"+filepath.ToSlash(name)+"`"), "add %s to the layout in CONTRIBUTING.md", name)
		}
	}
}

func TestREADMEIsShort(t *testing.T) {
	require.Less(t, len(docPages(t)["README.md"]), 10_000)
}

// The files, tests and examples that the pages name exist.
func TestDocsNameWhatExists(t *testing.T) {
	pages := docPages(t)
	for _, name := range []string{"CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"} {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		pages[name] = string(text)
	}
	link := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	path := regexp.MustCompile("[` ](internal/[a-z/]+|[a-z_/]+\\.go)`")
	test := regexp.MustCompile("`((?:Test|Fuzz|Example)[A-Z_]\\w+)`")
	tests, named := testNames(t), 0
	for name, text := range pages {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			require.FileExists(t, filepath.Join(filepath.Dir(name), m[1]), "%s links to it", name)
			named++
		}
		for _, m := range path.FindAllStringSubmatch(text, -1) {
			_, err := os.Stat(m[1])
			require.NoError(t, err, "%s names it", name)
			named++
		}
		for _, m := range test.FindAllStringSubmatch(text, -1) {
			require.True(t, tests[m[1]] || m[1] == "TestStore", "%s names %s", name, m[1])
			named++
		}
	}
	require.Greater(t, named, 30)
}

// The rows of docs/agents.md say what becomes of actions that agents write
// themselves.
func TestAgentsTable(t *testing.T) {
	rows := tableRows(t, "docs/agents.md", "| Norms | Action | Verdict | Why |")
	require.GreaterOrEqual(t, len(rows), 10)
	for _, cells := range rows {
		require.Len(t, cells, 4)
		norms, err := normsync.ReadNorms(strings.NewReader("[" + strings.ReplaceAll(cells[0], "`", "") + "]"))
		require.NoError(t, err, cells[0])
		require.NotEmpty(t, norms)
		c, err := normsync.Compile(norms...)
		require.NoError(t, err)
		var a normsync.Action
		require.NoError(t, json.Unmarshal([]byte(strings.TrimSpace(strings.Trim(cells[1], "`"))), &a), cells[1])
		require.NotEmpty(t, a.Verb)
		require.Equal(t, cells[2], map[bool]string{true: "allowed", false: "denied"}[c.Allows(a)], "%s %s", cells[0], cells[1])
	}
}

// The page has the rules that its example reads, and they have no defects.
func TestAgentsPageHasTheRulesOfItsExample(t *testing.T) {
	text, err := os.ReadFile("testdata/agents/tools.json")
	require.NoError(t, err)
	require.Contains(t, docPages(t)["docs/agents.md"], "```json\n"+string(text)+"```\n")
	norms, err := normsync.ReadNorms(strings.NewReader(string(text)))
	require.NoError(t, err)
	require.Empty(t, normsync.Lint(norms))
	conflicts, err := normsync.Conflicts(norms)
	require.NoError(t, err)
	require.Empty(t, conflicts)
}
