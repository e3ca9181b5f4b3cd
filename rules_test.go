package normsync_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

func TestReadNormsKeepsTheOrder(t *testing.T) {
	norms := []normsync.Norm{{Name: "b", Prohibited: "attack"}, {Name: "a", Permitted: "heal", Repealed: true, Scope: "town"}, {Name: "b", Prohibited: "loot"}}
	text, err := json.MarshalIndent(norms, "", "\t")
	require.NoError(t, err)
	for _, in := range []string{string(text), `{"norm_count":3,"norms":` + string(text) + `,"violations":[{"id":"x"}]}` + "\r\n", "\ufeff" + string(text)} {
		got, err := normsync.ReadNorms(iotest.OneByteReader(strings.NewReader(in)))
		require.NoError(t, err)
		require.Equal(t, norms, got)
	}
	for _, in := range []string{"[]", ` {"norms" : [ ] }`} {
		got, err := normsync.ReadNorms(strings.NewReader(in))
		require.NoError(t, err)
		require.Empty(t, got)
	}
}

func TestReadNormsSaysWhichNormIsMeant(t *testing.T) {
	const good = `{"name":"fine","prohibited":"attack"}`
	for in, want := range map[string]string{
		"":                             `list of norms in line 1, column 1: want an array of norms, or an object with one under "norms", found the end of the text`,
		"[{\"name\":\"\xff\"}]":        `norm 1 "" in line 1, column 10: key "name": the string is not valid UTF-8`,
		"null":                         `list of norms in line 1, column 1: want an array of norms, or an object with one under "norms", found null`,
		"\ufeff\ufeff[]":               `list of norms in line 1, column 1: want an array of norms, or an object with one under "norms", found '\ufeff'`,
		"[\ufeff]":                     `norm 1 "" in line 1, column 2: want an object, found '\ufeff'`,
		"\ufeff[\n1]":                  `norm 1 "" in line 2, column 1: want an object, found a number`,
		"\ufeff[1]":                    `norm 1 "" in line 1, column 2: want an object, found a number`,
		"\xff\xfe[\x00]\x00":           `list of norms: it is in UTF-16; save it as UTF-8`,
		"\xfe\xff\x00[\x00]":           `list of norms: it is in UTF-16; save it as UTF-8`,
		"{}":                           `list of norms in line 1, column 1: key "norms" is missing`,
		`{"Norms":[]}`:                 `list of norms in line 1, column 2: key "Norms" is unknown; it is written "norms"`,
		`{"norms":null}`:               `list of norms in line 1, column 10: key "norms": want an array, found null`,
		"[" + good + "\n" + good + "]": `list of norms in line 2, column 1: want a comma or the end of the array, found an object`,
		"[" + good + ",\n]":            `norm 2 "" in line 2, column 1: want an object, found ']'`,
		"[" + good + "]\n[]":           `list of norms in line 2, column 1: want the end of the text, found an array`,
		"[\n" + good + ",\n " + `{"name":"tollgate","prohibbited":"cross"}]`:                    `norm 2 "tollgate" in line 3, column 21: key "prohibbited" is unknown; did you mean "prohibited"? The keys are id, name,`,
		"[\n" + good + ",\r\n\r\n " + `{"name":"tollgate"}]`:                                    `norm 2 "tollgate" in line 4, column 2: Prohibited and Permitted are both empty; name the verbs`,
		`{"norms":[{"name":"tollgate","prohibited":"cross","condition":"location == bridge"}]}`: `norm 1 "tollgate" in line 1, column 11: Condition: token "==" is an operator, but this is a list of tokens, not an expression; write "location:bridge"`,
	} {
		_, err := normsync.ReadNorms(strings.NewReader(in))
		require.ErrorIs(t, err, normsync.ErrInvalid)
		require.ErrorContains(t, err, "normsync: invalid "+want)
	}
	_, err := normsync.ReadNorms(io.MultiReader(strings.NewReader("["), iotest.ErrReader(io.ErrUnexpectedEOF)))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NotErrorIs(t, err, normsync.ErrInvalid)
}

func TestReadNormsFSReadsFilesInOrderOfName(t *testing.T) {
	fsys := fstest.MapFS{
		"rules/b.json":       {Data: []byte(`[{"name":"b","prohibited":"attack"},{"name":"b2","prohibited":"attack"}]`)},
		"rules/a.json":       {Data: []byte(`{"$schema":"x","norms":[{"name":"a","prohibited":"attack"}]}`)},
		"rules/c/empty.json": {Data: []byte("[]")},
		"rules/notes.txt":    {Data: []byte("no JSON")},
		"bad/typo.json":      {Data: []byte(`[{"name":"x","prohibitted":"heal"}]`)},
	}
	for _, patterns := range [][]string{{"rules/*.json"}, {"rules/b.json", "rules/*.json", "rules/a.json"}, {"rules/*.json", "rules/c/*.json"}} {
		norms, err := normsync.ReadNormsFS(fsys, patterns...)
		require.NoError(t, err)
		require.Equal(t, []normsync.Norm{prohibition("a", "", "attack"), prohibition("b", "", "attack"), prohibition("b2", "", "attack")}, norms, "%q", patterns)
	}
	norms, err := normsync.ReadNormsFS(fsys)
	require.NoError(t, err)
	require.Equal(t, []normsync.Norm{}, norms)

	_, err = normsync.ReadNormsFS(fsys, "rules/*.json", "bad/*.json")
	require.ErrorIs(t, err, normsync.ErrInvalid)
	require.ErrorContains(t, err, `normsync: read "bad/typo.json": invalid norm 1 "x" in line 1, column 14: key "prohibitted" is unknown`)
	_, err = normsync.ReadNormsFS(fsys, "rules/*.json", "rule/*.json")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.EqualError(t, err, `normsync: read norms: pattern "rule/*.json": no file matches it; correct the pattern, or leave it out: file does not exist`)
	_, err = normsync.ReadNormsFS(fsys, "[")
	require.EqualError(t, err, `normsync: read norms: pattern "[": syntax error in pattern`)
	_, err = normsync.ReadNormsFS(fsys, "rules/c")
	require.ErrorContains(t, err, `normsync: read "rules/c": `, "a directory cannot be read")
}

// testdata/before-0.2 was written by the last commit before tokens a|b, facts and
// From and Until, with norms that are refused now.
func TestWhatWasWrittenBeforeMeansTheSame(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/before-0.2")))
	s := openFileStore(t, dir+"/store", nil)
	m := openOn(t, s)

	rules, err := normsync.ReadNormsFS(os.DirFS(dir), "rules.json")
	require.NoError(t, err)
	reported, err := normsync.ReadNormsFS(os.DirFS(dir), "report.json")
	require.NoError(t, err)
	require.Equal(t, rules, reported)
	inForce := normsOf(m.Constitution())
	require.Len(t, inForce, 13)
	for _, n := range rules {
		if !n.Repealed {
			require.Equal(t, n, inForce[n.Name])
		}
	}
	require.Len(t, m.Refused(), 6, "%v", m.Refused())

	f, err := os.Open(dir + "/actions.jsonl")
	require.NoError(t, err)
	defer f.Close()
	var again []normsync.Violation
	actions := 0
	for a, err := range normsync.ReadActions(f) {
		require.NoError(t, err)
		again = append(again, m.Check(a)...)
		actions++
	}
	require.Equal(t, 330, actions)
	var stored []normsync.Violation
	for _, v := range all(t, s.Violations(t.Context(), 0)) {
		stored = append(stored, v.Violation)
	}
	require.Equal(t, stored, again)
	hit := map[string]bool{}
	for _, v := range stored {
		hit[v.NormName] = true
	}
	for name, n := range inForce {
		require.Equal(t, n.Permitted == "", hit[name], name)
	}

	revs := all(t, s.Revisions(t.Context(), 0))
	var back []normsync.Revision
	text, err := json.Marshal(revs)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, revs, back)
	require.True(t, slices.IsSortedFunc(revs, func(a, b normsync.Revision) int { return a.Time.Compare(b.Time) }))
}

const ruleFile = `{
  "$schema": "norms.schema.json",
  "norms": [
    {"name": "log-in-first", "prohibited": "*", "unless": "verb:login facts:authenticated"},
    {"name": "rest", "condition": "facts:low_health", "prohibited": "attack"}
  ],
  "facts": [
    {"name": "authenticated", "after": "verb:login", "until": "verb:logout"},
    {"name": "strike", "broke": "rest", "count": 3, "within": "10m"}
  ],
  "numbers": {
    "health": [{"below": 20, "fact": "low_health"}, {"from": 20, "below": 50.5, "fact": "wounded"}],
    "gold": []
  },
  "tests": [{}]
}`

func number(x float64) *float64 { return &x }

func TestReadRulesReadsWhatAFileHas(t *testing.T) {
	rules, err := normsync.ReadRules(strings.NewReader("\ufeff" + ruleFile))
	require.NoError(t, err)
	require.Equal(t, normsync.Rules{
		Norms: []normsync.Norm{
			{Name: "log-in-first", Prohibited: "*", Unless: "verb:login facts:authenticated"},
			{Name: "rest", Condition: "facts:low_health", Prohibited: "attack"},
		},
		Facts: []normsync.Fact{
			{Name: "authenticated", After: "verb:login", Until: "verb:logout"},
			{Name: "strike", Broke: "rest", Count: 3, Within: 10 * time.Minute},
		},
		Numbers: map[string][]normsync.Threshold{
			"health": {{Fact: "low_health", Below: number(20)}, {Fact: "wounded", From: number(20), Below: number(50.5)}},
			"gold":   {},
		},
	}, rules)
	require.NoError(t, rules.Validate())
	norms, err := normsync.ReadNorms(strings.NewReader(ruleFile))
	require.NoError(t, err)
	require.Equal(t, rules.Norms, norms)

	for text, want := range map[string]normsync.Rules{
		`[]`:               {Norms: []normsync.Norm{}},
		`{"norms":[]}`:     {Norms: []normsync.Norm{}},
		`{"facts":[]}`:     {Facts: []normsync.Fact{}},
		` {"numbers":{}} `: {Numbers: map[string][]normsync.Threshold{}},
	} {
		rules, err := normsync.ReadRules(strings.NewReader(text))
		require.NoError(t, err)
		require.Equal(t, want, rules)
	}
}

func TestReadRulesSaysWhatIsWrongAndWhere(t *testing.T) {
	for text, want := range map[string]string{
		``:                         `rules in line 1, column 1: want an array of norms, or an object with one under "norms", found the end of the text`,
		"\xff\xfe[\x00]":           `rules: they are in UTF-16; save them as UTF-8`,
		`{"other":1}`:              `rules in line 1, column 1: the object has none of the keys "norms", "facts" and "numbers"`,
		`{"fact":[{}],"norms":[]}`: `rules in line 1, column 2: key "fact" is unknown, and similar to "facts"; write "facts", or choose a key that differs more`,
		`{"norms":[],"Number":{}}`: `key "Number" is unknown, and similar to "numbers"`,
		`{"Facts":[]}`:             `key "Facts" is unknown; it is written "facts"`,
		`{"facts":{}}`:             `rules in line 1, column 10: key "facts": want an array, found an object`,
		`{"norms":[]} 1`:           `want the end of the text`,
		`{"norms":[{}]}`:           `norm 1 "" in line 1, column 11: Name: `,
		`{"numbers":[]}`:           `key "numbers": want an object, found an array`,
		`{"numbers":{"":[]}}`:      `rules in line 1, column 13: key "numbers": the name is empty`,
		`{"numbers":{"a":[],` + "\n" + `"a":[]}}`: `line 2, column 1: key "numbers.a": it is there twice; remove one of them`,
		`{"numbers":{"a" []}}`:                    `want a colon`,
		`{"numbers":{a:[]}}`:                      `want a key in quotes`,
		`{"numbers":{"a":[]]}`:                    `want a comma or the end of the object`,
		"{\"facts\":[\n{\"name\":\"ok\",\"after\":\"x\"},\n {\"name\":\"f\",\"afterwards\":\"x\"}]}": `fact 2 "f" in line 3, column 14: key "afterwards" is unknown`,
		"{\"facts\":[\n {\"name\":\"f\"}]}":                                                  `fact 1 "f" in line 2, column 2: After and Broke are both empty`,
		`{"facts":[{"name":"f","after":"x"},{"name":"F","after":"y"}]}`:                      `invalid fact 2 of 2, "F": Name: fact 1 has it, too`,
		`{"facts":[{"name":"f","after":"x"}],"numbers":{"health":[{"fact":"F","below":1}]}}`: `invalid number "health": the fact "F" is declared among the facts, too; rename one of them`,
		`{"numbers":{"health":[{"fact":"f"}]}}`:                                              `number "health", threshold 1 "f" in line 1, column 23: From and Below are both missing; set one of them, or both`,
		`{"numbers":{"health":[{"fact":"f","from":5,"below":5}]}}`:                           `Below: 5 is not greater than From, 5`,
		`{"numbers":{"health":[{"fact":"f","below":1e999}]}}`:                                `key "below": 1e999 is too large; choose a smaller number`,
		`{"numbers":{"health":[{"fact":"a b","below":1}]}}`:                                  `Fact: byte 1 is ' '`,
	} {
		_, err := normsync.ReadRules(strings.NewReader(text))
		require.ErrorIs(t, err, normsync.ErrInvalid, text)
		require.ErrorContains(t, err, want, text)
		require.Equal(t, 1, strings.Count(err.Error(), "normsync: "), err)
	}
	broken := errors.New("broken")
	_, err := normsync.ReadRules(brokenReader{broken})
	require.ErrorIs(t, err, broken)
}

func TestRulesValidateNamesTheNorm(t *testing.T) {
	err := normsync.Rules{Norms: []normsync.Norm{{Name: "n"}}}.Validate()
	require.ErrorIs(t, err, normsync.ErrInvalid)
	require.ErrorContains(t, err, `normsync: norm 1 of 1: invalid norm "n": `)
	err = normsync.Rules{Numbers: map[string][]normsync.Threshold{"gold": {{Fact: "rich"}}}}.Validate()
	require.ErrorContains(t, err, `normsync: invalid number "gold", threshold 1 "rich": From and Below are both missing`)
}

// A report of rules is a rule file.
func TestReadRulesReadsReports(t *testing.T) {
	rules, err := normsync.ReadRules(strings.NewReader(ruleFile))
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, normsync.Report{Norms: rules.Norms, Facts: rules.Facts}.WriteJSON(&b))
	again, err := normsync.ReadRules(&b)
	require.NoError(t, err)
	require.Equal(t, normsync.Rules{Norms: rules.Norms, Facts: rules.Facts}, again)
}

// What ReadRules reads is valid, makes a memory, and survives the way through JSON.
func FuzzReadRules(f *testing.F) {
	f.Add([]byte(ruleFile))
	f.Add([]byte(`{"facts":[{"name":"a","after":"facts:b|c x","per":"TARGET agent"},{"name":"b","broke":"\"x y\" z*","within":"1h1ns"}]}`))
	f.Add([]byte(`[{"name":"n","prohibited":"x"}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		rules, err := normsync.ReadRules(bytes.NewReader(text))
		if err != nil {
			require.NotContains(t, strings.TrimPrefix(err.Error(), "normsync: "), "normsync: ")
			require.ErrorIs(t, err, normsync.ErrInvalid)
			return
		}
		require.NoError(t, rules.Validate())
		memoryOf(t, nil, rules.Facts...)
		_, err = normsync.NewNumbers(rules.Numbers)
		require.NoError(t, err)
		b, err := json.Marshal(map[string]any{"norms": append([]normsync.Norm{}, rules.Norms...), "facts": append([]normsync.Fact{}, rules.Facts...), "numbers": rules.Numbers})
		require.NoError(t, err)
		if rules.Numbers == nil {
			b = bytes.Replace(b, []byte(`"numbers":null`), []byte(`"numbers":{}`), 1)
		}
		again, err := normsync.ReadRules(bytes.NewReader(b))
		require.NoError(t, err, "%s", b)
		require.ElementsMatch(t, rules.Facts, again.Facts)
		require.ElementsMatch(t, rules.Norms, again.Norms)
		require.Len(t, again.Numbers, len(rules.Numbers))
	})
}
