package normsync

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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
	{"that no permit lifts", "TestMatchingTable TestCheckAgreesWithItsTwin"},
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

	{"no mutable state", "TestTheValuesAreComparable"},
	{"safe for concurrent use", "TestMonitorReadersSeeAllOfAnApplyOrNothing TestRecorderWithManyAtOnceAddsUp TestMonitorZeroValueIsReadyForManyAtOnce"},
	{"all of an Apply or none", "TestMonitorReadersSeeAllOfAnApplyOrNothing"},
	{"once per tick", ""},
	{"is garbage", "TestReplacedConstitutionIsFreeOnceNobodyReadsIt"},

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
	n := Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"}
	labelled := n
	labelled.Description, labelled.Scope, labelled.Severity, labelled.Advice = "brawl in the inn", "inn", SeverityError, "brawl inn"
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
	for _, v := range []any{Norm{}, Action{}, Violation{}, Revision{}, Change{}} {
		require.False(t, shares(reflect.TypeOf(v)), "%T", v)
	}
	require.True(t, shares(reflect.TypeFor[Compliance]()), "it has a map")
}
