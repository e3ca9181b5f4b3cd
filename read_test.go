package normsync_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"iter"
	"maps"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
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
		"[\n" + good + ",\n " + `{"name":"tollgate","prohibbited":"cross"}]`:                    `norm 2 "tollgate" in line 3, column 21: key "prohibbited" is unknown; the keys are id, name,`,
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

// gather returns the values of a sequence in front of its error, and the error.
func gather[T any](seq iter.Seq2[T, error]) (values []T, err error) {
	for v, e := range seq {
		if e != nil {
			return values, errors.Join(err, e)
		}
		values = append(values, v)
	}
	return values, nil
}

func TestReadActionsReadsLinesAndArrays(t *testing.T) {
	a, b := normsync.Action{Agent: "a", Verb: "attack", Metadata: `{"x":["}","\\\"]"]}`}, normsync.Action{Verb: ""}
	const textA, textB = `{"agent_id":"a","action":"attack","metadata":{ "x":["}","\\\"]"]},"more":{"action":[[1]]}}`, `{"action":"","agent_id":null}`
	for in, want := range map[string][]normsync.Action{
		"":                      nil,
		" \n\r\n\t":             nil,
		"[]":                    nil,
		" [ ]\n":                nil,
		textA:                   {a},
		"A\nB\n":                {a, b},
		"\n\nA\r\n\r\nB\nA":     {a, b, a},
		"A B":                   {a, b},
		"[A]":                   {a},
		"\n[A,B ,\n\nA\n]\n\n":  {a, b, a},
		"\uFEFFA\nB":            {a, b},
		"\uFEFF[A,B]":           {a, b},
		"{\"action\":\"\xff\"}": {{Verb: "\uFFFD"}},
	} {
		in = strings.NewReplacer("A", textA, "B", textB).Replace(in)
		for _, r := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in)), iotest.DataErrReader(strings.NewReader(in))} {
			got, err := gather(normsync.ReadActions(r))
			require.NoError(t, err, "%q", in)
			require.Equal(t, want, got, "%q", in)
		}
	}
}

func TestReadActionsSaysWhichActionIsWrong(t *testing.T) {
	for in, want := range map[string]string{
		"{\"action\":\"x\"}\n\n {\"agent\":\"a1\",\"verb\":\"read_file\"}": `action in line 3, column 2: key "action" is missing; write the verb under it`,
		`{"action":null}`:                          `action in line 1, column 1: key "action" is missing; write the verb under it`,
		"[{\"action\":\"x\"},\n{\"action\":\n5}]":  `action in line 3, column 1: key "action": want a string, found a number`,
		"\uFEFF{\"action\":5}":                     `action in line 1, column 11: key "action": want a string, found a number`,
		`{"action":"x","action":"y"}`:              `action in line 1, column 15: key "action" is there twice`,
		"null":                                     `list of actions in line 1, column 1: want an action, which is an object, found null`,
		"[\n 17]":                                  `list of actions in line 2, column 2: want an action, which is an object, found a number`,
		"{\"action\":\"x\"}\n]":                    `list of actions in line 2, column 1: want an action, which is an object, found ']'`,
		"{\"action\":\"x\"},{\"action\":\"y\"}":    `list of actions in line 1, column 15: want an action, which is an object, found ','`,
		"[{\"action\":\"x\"}":                      `list of actions in line 1, column 16: want a comma or the end of the array, found the end of the text`,
		"[{\"action\":\"x\"} {\"action\":\"y\"}]":  `list of actions in line 1, column 17: want a comma or the end of the array, found an object`,
		"[{\"action\":\"x\"},]":                    `list of actions in line 1, column 17: want an action, which is an object, found ']'`,
		"[":                                        `list of actions in line 1, column 2: want an action, which is an object, found the end of the text`,
		"[]\n[]":                                   `list of actions in line 2, column 1: want the end of the text, found an array`,
		"{\"action\":\"x\"\n":                      `action in line 2, column 1: want a comma or the end of the object, found the end of the text`,
		"{\"action\":\"x":                          `action in line 1, column 11: key "action": a string has no closing quote`,
		"{\"action\":[}":                           `action in line 1, column 11: key "action": want a string, found an array`,
		"\xff\xfe{\x00":                            `list of actions: it is in UTF-16; save it as UTF-8`,
		`{"action":"` + strings.Repeat("x", 1<<20): `action in line 1, column 1: it has more than 1048576 bytes; shorten it`,
		"\n {\"more\":[" + strings.Repeat("\n", 1<<20): `action in line 2, column 2: it has more than 1048576 bytes; shorten it`,
	} {
		seq := normsync.ReadActions(strings.NewReader(in))
		_, err := gather(seq)
		require.EqualError(t, err, "normsync: invalid "+want, "%.80q", in)
		require.ErrorIs(t, err, normsync.ErrInvalid)
		got, again := gather(seq)
		require.Empty(t, got, "an error ends the sequence")
		require.Equal(t, err, again)
	}
	long := `{"action":"x","more":"` + strings.Repeat("x", 1<<20-24) + `"}`
	require.Len(t, long, 1<<20)
	got, err := gather(normsync.ReadActions(strings.NewReader(long + long)))
	require.NoError(t, err)
	require.Len(t, got, 2)
	_, err = gather(normsync.ReadActions(strings.NewReader(long[:len(long)-1] + " }")))
	require.ErrorIs(t, err, normsync.ErrInvalid)
}

func TestReadActionsReturnsErrorsOfTheReader(t *testing.T) {
	for _, in := range []string{"", "\n\n", "{\"action\":\"x\"}\n", "{\"action\":\"x\"}\n{", "[", "[{\"action\":\"x\"}", "[{\"action\":\"x\"},", "[]"} {
		got, err := gather(normsync.ReadActions(io.MultiReader(strings.NewReader(in), iotest.ErrReader(io.ErrUnexpectedEOF))))
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%q", in)
		require.NotErrorIs(t, err, normsync.ErrInvalid)
		require.ErrorContains(t, err, "normsync: read actions: line ")
		require.Len(t, got, strings.Count(in, "x"))
	}
}

func TestReadActionsReadsOnlyWhatTheLoopAsksFor(t *testing.T) {
	const action = "{\"action\":\"x\"}\n"
	endless := iotest.OneByteReader(&repeat{text: action})
	seq := normsync.ReadActions(endless)
	for range 3 {
		n := 0
		for _, err := range seq {
			require.NoError(t, err)
			if n++; n == 1000 {
				break
			}
		}
	}
	next, stop := iter.Pull2(seq)
	defer stop()
	a, err, ok := next()
	require.Equal(t, normsync.Action{Verb: "x"}, a, "a loop continues where the one before it stopped")
	require.NoError(t, err)
	require.True(t, ok)
}

// repeat is a text without an end.
type repeat struct {
	text string
	at   int
}

func (r *repeat) Read(b []byte) (n int, err error) {
	for n < len(b) {
		k := copy(b[n:], r.text[r.at:])
		n, r.at = n+k, (r.at+k)%len(r.text)
	}
	return n, nil
}

// slowActions is a twin of ReadActions for texts in memory.
func slowActions(text []byte) (actions []normsync.Action, ok bool) {
	var parts []json.RawMessage
	if bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("[")) {
		if json.Unmarshal(text, &parts) != nil {
			ok = false
		} else {
			ok = true
		}
	} else {
		ok = true
		for d := json.NewDecoder(bytes.NewReader(text)); ; {
			var part json.RawMessage
			if err := d.Decode(&part); err != nil {
				ok = err == io.EOF
				break
			}
			parts = append(parts, part)
		}
	}
	for _, part := range parts {
		var m map[string]json.RawMessage
		var a normsync.Action
		if json.Unmarshal(part, &m) != nil || a.UnmarshalJSON(part) != nil || m["action"] == nil || string(m["action"]) == "null" {
			return actions, false
		}
		actions = append(actions, a)
	}
	return actions, ok
}

func FuzzReadActions(f *testing.F) {
	o := oddValues{rand.New(rand.NewPCG(9, 10))}
	for _, form := range []string{"", "A\nB", "[A,\nB]", "[A B]", "[A,]", "A,B", "A]", "[A]]", "[[A]]", "null", "[null]", "{}", "A\n{"} {
		a, _ := o.action().MarshalJSON()
		b, _ := o.action().MarshalJSON()
		f.Add([]byte(strings.NewReplacer("A", string(a), "B", string(b)).Replace(form)))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if normsync.IsUTF16(text) || bytes.HasPrefix(text, []byte(normsync.ByteOrderMark)) {
			return
		}
		got, err := gather(normsync.ReadActions(bytes.NewReader(text)))
		want, ok := slowActions(text)
		require.Equal(t, ok, err == nil, "%q: %v", text, err)
		if ok {
			require.Equal(t, want, got)
		} else {
			require.ErrorIs(t, err, normsync.ErrInvalid)
		}
	})
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

func TestNumbersTurnNumbersIntoFacts(t *testing.T) {
	table := map[string][]normsync.Threshold{"health": {
		{Fact: "low_health", Below: number(20)},
		{Fact: "wounded", From: number(20), Below: number(50)},
		{Fact: "alive", From: number(math.Nextafter(0, 1))},
	}}
	n, err := normsync.NewNumbers(table)
	require.NoError(t, err)
	*table["health"][0].Below = 1000 // is not kept
	table["gold"] = nil
	for _, test := range []struct {
		x    float64
		want string
	}{
		{-1, "low_health"}, {0, "low_health"}, {0.5, "low_health alive"}, {19.99, "low_health alive"}, {20, "wounded alive"}, {50, "alive"},
		{math.Inf(1), "alive"}, {math.Inf(-1), "low_health"}, {math.NaN(), ""},
	} {
		require.Equal(t, test.want, n.Facts("health", test.x), "%v", test.x)
		require.Equal(t, test.want, (&normsync.Prepared{Facts: n.AppendFacts(nil, "health", test.x)}).Action().Facts)
	}
	require.Equal(t, "", n.Facts("gold", 1))

	c, err := normsync.Compile(prohibition("rest", "facts:low_health", "attack"))
	require.NoError(t, err)
	p := prepare(normsync.Action{Verb: "attack"})
	p.Facts = n.AppendFacts(p.Facts, "health", 7)
	require.False(t, c.AllowsPrepared(p))

	room := make([]normsync.Word, 0, 4)
	require.Zero(t, testing.AllocsPerRun(100, func() { room = n.AppendFacts(room[:0], "health", 0.5) }))

	for want, table := range map[string]map[string][]normsync.Threshold{
		`number "": the name is empty`:                              {"": nil},
		`Below: NaN is not a finite number`:                         {"x": {{Fact: "f", Below: number(math.NaN())}}},
		`From: +Inf is not a finite number; leave the bound out if`: {"x": {{Fact: "f", From: number(math.Inf(1))}}},
		`threshold 2 "": Fact: the fact has no name`:                {"x": {{Fact: "f", From: number(1)}, {From: number(1)}}},
	} {
		_, err := normsync.NewNumbers(table)
		require.ErrorIs(t, err, normsync.ErrInvalid)
		require.ErrorContains(t, err, want)
	}
}

func TestThresholdJSONIsTheThreshold(t *testing.T) {
	for text, want := range map[string]normsync.Threshold{
		`{"fact":"f","below":20}`:                {Fact: "f", Below: number(20)},
		`{"fact":"f","from":-1.5,"below":1e+21}`: {Fact: "f", From: number(-1.5), Below: number(1e21)},
	} {
		var read normsync.Threshold
		require.NoError(t, json.Unmarshal([]byte(text), &read))
		require.Equal(t, want, read)
		b, err := json.Marshal(read)
		require.NoError(t, err)
		require.Equal(t, text, string(b))
	}
	_, err := json.Marshal(normsync.Threshold{Fact: "f", From: number(math.NaN())})
	require.ErrorIs(t, err, normsync.ErrInvalid)
	require.ErrorIs(t, new(normsync.Threshold).UnmarshalJSON([]byte(`{"fact":"f","above":1}`)), normsync.ErrInvalid)
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

// A snapshot that Restore reads is written in the same way after it is read back.
func FuzzRestore(f *testing.F) {
	facts := []normsync.Fact{{Name: "a", After: "x", Per: "agent target"}, {Name: "b", After: "x", Count: 3, Within: time.Second, Per: "world"}, {Name: "c", Broke: "*", Count: 2, Within: time.Minute, Until: "y"}}
	m := memoryOf(f, nil, facts...)
	for i := range 5 {
		m.Happened(at(float64(i), "bob the\u200bbuilder", "x", "orc chief"))
		m.Violated(normsync.Violation{NormName: "n", Action: at(float64(i), "eve", "y", "")})
	}
	f.Add([]byte(snapshotOf(f, m)))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, again := memoryOf(t, nil, facts...), memoryOf(t, nil, facts...)
		if err := m.Restore(bytes.NewReader(text)); err != nil {
			require.ErrorIs(t, err, normsync.ErrInvalid)
			return
		}
		written := snapshotOf(t, m)
		require.NoError(t, again.Restore(strings.NewReader(written)))
		require.Equal(t, written, snapshotOf(t, again))
		m.Happened(at(9, "bob", "x", ""))
		m.Facts(at(9, "bob", "x", ""))
	})
}

// evaluator evaluates a JSON Schema of draft 2020-12, as far as docs/norms.schema.json
// needs it. It fails the test on a keyword that it does not know.
type evaluator struct {
	t    testing.TB
	root map[string]any
}

func readSchema(t testing.TB) evaluator {
	text, err := os.ReadFile("docs/norms.schema.json")
	require.NoError(t, err)
	root := decodeJSON(t, text).(map[string]any)
	require.Equal(t, "https://json-schema.org/draft/2020-12/schema", root["$schema"])
	return evaluator{t, root}
}

func decodeJSON(t testing.TB, text []byte) (v any) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	require.NoError(t, d.Decode(&v), "%s", text)
	return v
}

// accepts reports whether v, which decodeJSON returned, keeps the schema.
func (e evaluator) accepts(schema, v any) bool {
	object, isObject := v.(map[string]any)
	text, isText := v.(string)
	count := func(schemas any) (n int) {
		for _, s := range schemas.([]any) {
			if e.accepts(s, v) {
				n++
			}
		}
		return n
	}
	each := func(schema any, values ...any) bool {
		return !slices.ContainsFunc(values, func(v any) bool { return !e.accepts(schema, v) })
	}
	if always, is := schema.(bool); is {
		return always
	}
	keywords := schema.(map[string]any)
	ok := true
	for keyword, arg := range keywords {
		switch keyword {
		case "$schema", "$id", "$defs", "title", "description", "default", "examples", "format": // assert nothing
		case "$ref":
			name, is := strings.CutPrefix(arg.(string), "#/$defs/")
			require.True(e.t, is, "$ref %v", arg)
			def, is := e.root["$defs"].(map[string]any)[name]
			require.True(e.t, is, "$ref %v", arg)
			ok = ok && e.accepts(def, v)
		case "oneOf":
			ok = ok && count(arg) == 1
		case "anyOf":
			ok = ok && count(arg) > 0
		case "not":
			ok = ok && !e.accepts(arg, v)
		case "enum":
			ok = ok && slices.ContainsFunc(arg.([]any), func(x any) bool { return reflect.DeepEqual(x, v) })
		case "const":
			ok = ok && reflect.DeepEqual(arg, v)
		case "type":
			ok = ok && e.isOf(arg.(string), v)
		case "minimum", "maximum":
			if n, is := v.(json.Number); is {
				sign := rational(n).Cmp(rational(arg.(json.Number)))
				ok = ok && (keyword == "minimum" && sign >= 0 || keyword == "maximum" && sign <= 0)
			}
		case "pattern":
			ok = ok && (!isText || regexp.MustCompile(arg.(string)).MatchString(text))
		case "items":
			if list, is := v.([]any); is {
				ok = ok && each(arg, list...)
			}
		case "required":
			for _, key := range arg.([]any) {
				_, is := object[key.(string)]
				ok = ok && (!isObject || is)
			}
		case "properties":
			for key, s := range arg.(map[string]any) {
				if value, is := object[key]; is {
					ok = ok && e.accepts(s, value)
				}
			}
		case "additionalProperties":
			known, _ := keywords["properties"].(map[string]any)
			for key, value := range object {
				if _, is := known[key]; !is {
					ok = ok && e.accepts(arg, value)
				}
			}
		case "propertyNames":
			for key := range object {
				ok = ok && e.accepts(arg, key)
			}
		default:
			require.Fail(e.t, "the evaluator does not know a keyword", keyword)
		}
	}
	return ok
}

func (e evaluator) isOf(kind string, v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return kind == "object"
	case []any:
		return kind == "array"
	case string:
		return kind == "string"
	case bool:
		return kind == "boolean"
	case json.Number:
		return kind == "number" || kind == "integer" && rational(v).IsInt()
	}
	return kind == "null"
}

func rational(n json.Number) *big.Rat {
	r, _ := new(big.Rat).SetString(n.String())
	return r
}

// agree checks that the schema and ReadRules both accept a text, or both refuse it, and that
// ReadNorms reads the same norms.
func (e evaluator) agree(text []byte) (accepted bool) {
	rules, err := normsync.ReadRules(bytes.NewReader(text))
	require.Equal(e.t, err == nil, e.accepts(e.root, decodeJSON(e.t, text)), "%s\nReadRules says: %v", text, err)
	if rules.Norms != nil {
		norms, err := normsync.ReadNorms(bytes.NewReader(text))
		require.NoError(e.t, err, "%s", text)
		require.Equal(e.t, rules.Norms, norms, "%s", text)
	}
	return err == nil
}

func TestTheSchemaAcceptsTheFilesOfNorms(t *testing.T) {
	e := readSchema(t)
	files := 0
	for _, pattern := range []string{"testdata/*.json", "testdata/*/*.json"} {
		names, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, name := range names {
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			if !bytes.Contains(text, []byte(`"norms"`)) && !bytes.HasPrefix(text, []byte("[")) {
				continue // not a file of norms
			}
			files++
			if _, err := normsync.ReadNorms(bytes.NewReader(text)); err != nil {
				require.ErrorContains(t, err, ": Name: byte ", "%s: only the characters of a name are wrong, and a schema is about the structure", name)
				require.True(t, e.accepts(e.root, decodeJSON(t, text)), name)
				continue
			}
			require.True(t, e.agree(text), name)
		}
	}
	require.GreaterOrEqual(t, files, 5)

	schema := `"$schema":"https://raw.githubusercontent.com/normsync/normsync/main/docs/norms.schema.json"`
	for _, form := range []string{`{` + schema + `,"norms":[]}`, `{"norms":[{"name":"n","prohibited":"x"}],` + schema + `}`, `[{` + schema + `,"name":"n","prohibited":"x"}]`} {
		require.True(t, e.agree([]byte(form)))
	}
	norms, err := normsync.ReadNorms(strings.NewReader(`[{` + schema + `,"name":"n","prohibited":"x"}]`))
	require.NoError(t, err)
	require.Equal(t, []normsync.Norm{prohibition("n", "", "x")}, norms)
}

func TestTheSchemaDescribesEveryKey(t *testing.T) {
	e := readSchema(t)
	for name, keys := range map[string][]string{"norm": normsync.NormKeys, "fact": normsync.FactKeys, "threshold": normsync.ThresholdKeys} {
		properties := e.root["$defs"].(map[string]any)[name].(map[string]any)["properties"].(map[string]any)
		require.ElementsMatch(t, keys, slices.Collect(maps.Keys(properties)))
		for key, property := range properties {
			require.NotEmpty(t, property.(map[string]any)["description"], key)
		}
	}
	file := e.root["oneOf"].([]any)[1].(map[string]any)["properties"].(map[string]any)
	require.ElementsMatch(t, normsync.RuleKeys, slices.Collect(maps.Keys(file)))
}

// structures are values of every kind of JSON, and texts that only some keys take.
var structures = []string{`"x"`, `""`, `" "`, `5`, `-2147483648`, `2147483648`, `1.5`, `true`, `false`, `null`, `[]`, `{}`, `["x"]`, `[{}]`,
	`"warn"`, `"WARN"`, `"global"`, `"0123456789ABCDEF"`, `"2026-12-24"`, `"2026-12-24T18:00:00"`}

func TestTheSchemaAgreesWithReadRules(t *testing.T) {
	e := readSchema(t)
	accepted, refused := 0, 0
	check := func(text string) {
		if e.agree([]byte(text)) {
			accepted++
		} else {
			refused++
		}
	}
	for _, value := range structures {
		check(value)
		check(`[` + value + `]`)
		for _, key := range []string{"norms", "facts", "numbers", "$schema", "other", "Norms", "FACTſ", "Numbers", "NORMſ", "$SCHEMA", "norm", "Fact", "number", "tests", "TEST", "notes", "comment", ""} {
			check(`{"` + key + `":` + value + `}`)
			if key != "norms" {
				check(`{"norms":[],"` + key + `":` + value + `}`)
				check(`{"` + key + `":` + value + `,"norms":[{"name":"n","permitted":"x"}]}`)
			}
		}
	}

	good := map[string]string{"$schema": `"x"`, "name": `"n"`, "description": `"d"`, "condition": `"a|b location:c*"`, "prohibited": `"attack"`, "scope": `"town"`, "active": "false", "priority": "-7",
		"unless": `"agent:*"`, "permitted": `"heal"`, "severity": `"error"`, "shadow": "true", "advice": `"ask"`, "from": `"2026-12-24T18:00:00.5+01:00"`, "until": `"2027-01-01T00:00:00Z"`}
	keys := slices.Sorted(maps.Keys(good))
	require.Len(t, keys, len(normsync.NormKeys)-1, "all but the id, which depends on the others")
	r := rand.New(rand.NewPCG(11, 12))
	for range 6000 {
		var members []string
		for _, key := range keys {
			value := good[key]
			switch {
			case key == "permitted" && r.IntN(4) > 0 || key != "name" && key != "prohibited" && r.IntN(3) == 0 || r.IntN(16) == 0:
				continue
			case r.IntN(16) == 0:
				value = structures[r.IntN(len(structures))]
			case r.IntN(64) == 0:
				key = []string{strings.ToUpper(key), key + "s", "", "norms"}[r.IntN(4)]
			}
			members = append(members, `"`+key+`":`+value)
		}
		if r.IntN(32) == 0 {
			members = append(members, `"id":`+structures[r.IntN(len(structures))])
		}
		check(`[{` + strings.Join(members, ",") + `}]`)
	}
	require.Greater(t, accepted, 1000)
	require.Greater(t, refused, 1000)

	accepted, refused = 0, 0
	durations := []string{`"10s"`, `"1h30m"`, `".5s"`, `"1.s"`, `"+1µs"`, `"-1s"`, `"1"`, `"s"`, `"1 s"`, `"1d"`}
	for range 6000 {
		var members []string
		for key, value := range map[string]string{"name": `"f"`, "after": `"verb:login"`, "broke": `"peace \"no loot\""`, "count": "3", "within": durations[r.IntN(len(durations))],
			"per": `"agent  target"`, "until": `"verb:logout|quit"`} {
			switch {
			case key == "broke" && r.IntN(4) > 0 || key != "name" && key != "after" && r.IntN(2) == 0 || r.IntN(16) == 0:
				continue
			case r.IntN(12) == 0:
				value = structures[r.IntN(len(structures))]
			case r.IntN(64) == 0:
				key = []string{strings.ToUpper(key), key + "s", "", "facts"}[r.IntN(4)]
			}
			members = append(members, `"`+key+`":`+value)
		}
		check(`{"facts":[{` + strings.Join(members, ",") + `}]}`)
	}
	for _, value := range structures {
		check(`{"numbers":{"health":` + value + `}}`)
		check(`{"numbers":{"health":[` + value + `]}}`)
		check(`{"facts":[` + value + `],"norms":[]}`)
		for _, key := range []string{"fact", "from", "below", "Below", "above", ""} {
			for _, rest := range []string{`"fact":"f"`, `"below":20`, `"fact":"f","from":-3e9`, `"fact":"f","below":3.5e9`} {
				if !strings.Contains(rest, `"`+key+`"`) {
					check(`{"numbers":{"health":[{` + rest + `,"` + key + `":` + value + `}]}}`)
				}
			}
		}
		check(`{"numbers":{"a":[],"":` + value + `}}`)
	}
	require.Greater(t, accepted, 1000)
	require.Greater(t, refused, 1000)
}
