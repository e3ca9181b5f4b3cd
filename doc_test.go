package normsync

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// claims has what the package comment promises, in its words, and the tests
// that fail where it does not hold.
var claims = map[string][]string{
	"returns a [Violation] for each norm that it breaks":                         {"TestCheckAgreesWithItsTwin"},
	"Checking never blocks, never fails and reads no clock":                      {"TestCheckingReadsNoClock", "TestMonitorReadersSeeAllOfAnApplyOrNothing", "FuzzCheck"},
	"zone is not found in safe_zone":                                             {"TestREADMEMatching"},
	"Case does not count, as in [strings.EqualFold]":                             {"TestREADMEMatching", "TestCheckAgreesWithItsTwin"},
	"word* found where some token begins with it; * is any token":                {"TestREADMEMatching", "TestCheckAgreesWithItsTwin"},
	"field:word found in that field only; also field:word* and field:*":          {"TestREADMEMatching", "TestCheckAgreesWithItsTwin"},
	"The agent is looked at by agent: tokens only":                               {"TestREADMEMatching"},
	"A token with any other text before a colon is a word like others":           {"TestREADMEMatching"},
	"when every token of Condition is found and no token of Unless is":           {"TestCheckAgreesWithItsTwin"},
	"Prohibited and Permitted have word and word* alone":                         {"TestValidateSaysWhatToDo"},
	"unless one that permits it has a strictly higher Priority":                  {"TestREADMEMatching", "TestCheckAgreesWithItsTwin"},
	"Violations come by Priority from the highest on, then by Name":              {"TestCheckAgreesWithItsTwin"},
	"a Shadow permit overrides nothing":                                          {"TestREADMEMatching", "TestCheckAgreesWithItsTwin"},
	"compared text by text before it counts":                                     {"TestCheckAgreesWithItsTwin"},
	"carries out all of its changes or none":                                     {"TestMonitorErrorsNameThePlaceAndTheMend", "TestMonitorReadersSeeAllOfAnApplyOrNothing"},
	"nothing is in force that the store does not hold":                           {"TestMonitorPublishesNothingThatTheStoreDoesNotHold"},
	"[History] follows it":                                                       {"TestMonitorCountsVersionsAcrossRepeals"},
	"and find the violations that it found":                                      {"TestMonitorReloadsAndReplays", "TestTimeTravel"},
	"[Diff] leads from one set of norms to another":                              {"TestDiffOfRandomSetsLeadsFromOneToTheOther"},
	"Apply brings in what others did and tries again":                            {"TestMonitorTriesAgainWhileItsChangesAreValid"},
	"[Monitor.Sync] brings it in without a change":                               {"TestMonitorBringsInWhatWasStoredAfterAll"},
	"of violations the newest":                                                   {"TestMemStoreIsLikeItsModel"},
	"which never makes a tick wait for a disk":                                   {"TestRecorderNeverBlocksThoughTheStoreIsSlow"},
	"is proven by [TestStore]":                                                   {"TestTestStoreHasAFaultForEveryRule"},
	"sees all of an Apply or nothing of it":                                      {"TestMonitorReadersSeeAllOfAnApplyOrNothing"},
	"A constitution that was replaced is freed once nobody holds it":             {"TestReplacedConstitutionIsFreeOnceNobodyReadsIt"},
	"A check allocates nothing when nothing is violated":                         {"TestCheckAllocatesNothing"},
	"The number of norms does not count while each has some word that few":       {"TestCostDoesNotGrowWithNorms"},
	"all norms share one verb, or all share one word":                            {"TestCostIsBoundedInHostileWorlds"},
	"With one verb in the action these are the entries of that verb":             {"TestCostWhereNoWordIsRareIsThatOfTheEntriesOfTheVerb"},
	"A word that stands in an action many times is looked up once":               {"TestCostOfALongActionIsThatOfItsDifferentWords", "TestCostOfAShortActionIsThatOfItsDifferentWords"},
	"Prefixes cost a hash for each word and each different length":               {"TestOnlyWhatNormsAskForIsPaidFor", "TestPrefixesAndAgentsAddHashes"},
	"Permits are looked for only when a prohibition has matched":                 {"TestOnlyWhatNormsAskForIsPaidFor"},
	"A change copies the parts of the index that it touches":                     {"TestMemoryDoesNotGrowWithChanges", "TestAChangeCopiesWhatItTouches"},
	"[MemStore] keeps everything in memory, and of violations the newest":        {"TestMemStoreIsLikeItsModel"},
	"Scope, Description, Severity and Metadata are never matched":                {"TestWhatIsForPeopleIsNeverMatched"},
	"Norms, actions, violations and revisions are values that share nothing":     {"TestTheValuesAreComparable"},
	"an edition that is taken is refused with [ErrConflict]":                     {"TestTestStorePassesMemStore", "TestMemStoreSaysWhichEditionIsNext"},
	"Every revision has an Edition: 1, 2, 3 and so on":                           {"TestMonitorCarriesOutChangesInTurn"},
	"A Name is what a norm is known by over time: amend and repeal name it":      {"TestMonitorCountsVersionsAcrossRepeals"},
	"with several verbs, all entries under those words":                          {"TestCostWhereNoWordIsRareIsThatOfTheEntriesOfTheVerb"},
	"The violation of a Shadow norm is reported and denies nothing":              {"TestCheckAgreesWithItsTwin"},
	"What no norm in force asks for costs nothing":                               {"TestOnlyWhatNormsAskForIsPaidFor"},
	"The cost of a long action grows as that of sorting its words does":          {"TestALongActionHasAsManyKeysAsWords"},
	"A [FileStore] is a directory of JSON Lines":                                 {"TestFileStoreLinesHoldTheRecordsAsJSON"},
	"its comment says what nil, each error and each kind of crash mean":          {"TestFileStoreKill", "TestFileStoreSituations"},
	"One that applies forbids the action when some token of Prohibited is found": {"TestCheckAgreesWithItsTwin"},
}

// What the package comment claims has a test, and no claim is left here that
// the comment does not make any more.
func TestEachClaimHasATest(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	require.NoError(t, err)
	text := strings.Join(strings.Fields(file.Doc.Text()), " ")
	tests := testNames(t)
	for claim, names := range claims {
		require.Contains(t, text, claim, "doc.go does not say this: mend the one or the other")
		require.NotEmpty(t, names, claim)
		for _, name := range names {
			require.True(t, tests[name], "there is no test %s, which is to check the claim %q", name, claim)
		}
	}
	// What the cost is has to be claimed item by item.
	_, cost, ok := strings.Cut(file.Doc.Text(), "# Cost")
	require.True(t, ok)
	items := strings.Split(cost, "\n  - ")[1:]
	require.Len(t, items, 5)
	for _, item := range items {
		claimed := false
		for claim := range claims {
			claimed = claimed || strings.Contains(strings.Join(strings.Fields(item), " "), claim)
		}
		require.True(t, claimed, "no test is named for: %s", item)
	}
}

// testNames returns the names of the tests of all packages.
func testNames(t *testing.T) map[string]bool {
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	internal, err := filepath.Glob("internal/*/*_test.go")
	require.NoError(t, err)
	names := map[string]bool{}
	for _, name := range append(files, internal...) {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				names[f.Name.Name] = true
			}
		}
	}
	return names
}

// No file that a check runs through has a use for the clock: time is what the
// action says.
func TestCheckingReadsNoClock(t *testing.T) {
	for _, name := range []string{"check.go", "index.go", "constitution.go", "normset.go", "internal/index/index.go", "internal/token/token.go", "internal/token/set.go", "internal/token/prefix.go", "internal/token/pattern.go", "internal/token/hash.go", "internal/token/fold.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, i := range file.Imports {
			require.NotEqual(t, `"time"`, i.Path.Value, name)
		}
	}
}

func TestWhatIsForPeopleIsNeverMatched(t *testing.T) {
	n := Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"}
	labelled := n
	labelled.Description, labelled.Scope, labelled.Severity = "brawl in the inn", "inn", SeverityError
	c, err := Compile(labelled)
	require.NoError(t, err)
	require.Len(t, c.Check(Action{Verb: "attack", Location: "safe_zone", Metadata: `"inn"`}), 1)
	require.Empty(t, c.Check(Action{Verb: "attack", Location: "inn", Metadata: `"safe_zone"`}))
	require.Empty(t, c.Check(Action{Verb: "brawl", Location: "safe_zone", Metadata: `"attack"`}))
	require.Equal(t, n.ID(), labelled.ID())
}

func TestTheValuesAreComparable(t *testing.T) {
	var shares func(reflect.Type) bool
	shares = func(v reflect.Type) bool {
		switch v.Kind() {
		case reflect.Struct:
			if v == reflect.TypeFor[time.Time]() { // whose pointer is to a place, which does not change
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
	for _, v := range []any{Norm{}, Action{}, Violation{}, Revision{}, Change{}} {
		require.False(t, shares(reflect.TypeOf(v)), "%T", v)
	}
	require.True(t, shares(reflect.TypeFor[Compliance]()), "which has a map")
}

func TestPrefixesAndAgentsAddHashes(t *testing.T) {
	a := Action{Agent: "sir robin", Verb: "cross", Location: "old bridge", Target: "troll", Faction: "knights"}
	keys := func(norms ...Norm) int {
		c, err := Compile(norms...)
		require.NoError(t, err)
		_, keys, _ := c.forbid.features.grownKeys(nil, &a)
		return len(keys)
	}
	plain := Norm{Name: "plain", Condition: "bridge", Prohibited: "cross"}
	require.Equal(t, 5, keys(plain), "one for each word")
	two := Norm{Name: "two", Condition: "br*", Prohibited: "cross"}
	require.Equal(t, 10, keys(plain, two), "and one for each word's first two letters")
	alsoTwo := Norm{Name: "also two", Condition: "ol*", Prohibited: "cross"}
	require.Equal(t, 10, keys(plain, two, alsoTwo), "once for all prefixes of that length")
	three := Norm{Name: "three", Condition: "bri*", Prohibited: "cross"}
	require.Equal(t, 15, keys(plain, two, three), "and once more for another length")
	agent := Norm{Name: "agent", Condition: "agent:robin", Prohibited: "cross"}
	require.Equal(t, 7, keys(plain, agent), "and the words of the agent")
}

func TestALongActionHasAsManyKeysAsWords(t *testing.T) {
	c, err := Compile(Norm{Name: "plain", Condition: "bridge", Prohibited: "cross"})
	require.NoError(t, err)
	for _, words := range []int{10, 1_000, 10_000} {
		a := Action{Location: strings.Repeat("bridge ", words)}
		_, keys, _ := c.forbid.features.grownKeys(nil, &a)
		require.Len(t, keys, words)
		require.LessOrEqual(t, len(new(scratch).findCandidates(nil, &c.forbid, &a)), 1)
	}
}
