package normsync

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

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
	rules, err := ReadRules(strings.NewReader("\ufeff" + ruleFile))
	require.NoError(t, err)
	require.Equal(t, Rules{
		Norms: []Norm{
			{Name: "log-in-first", Prohibited: "*", Unless: "verb:login facts:authenticated"},
			{Name: "rest", Condition: "facts:low_health", Prohibited: "attack"},
		},
		Facts: []Fact{
			{Name: "authenticated", After: "verb:login", Until: "verb:logout"},
			{Name: "strike", Broke: "rest", Count: 3, Within: 10 * time.Minute},
		},
		Numbers: map[string][]Threshold{
			"health": {{Fact: "low_health", Below: number(20)}, {Fact: "wounded", From: number(20), Below: number(50.5)}},
			"gold":   {},
		},
	}, rules)
	require.NoError(t, rules.Validate())
	norms, err := ReadNorms(strings.NewReader(ruleFile))
	require.NoError(t, err)
	require.Equal(t, rules.Norms, norms)

	for text, want := range map[string]Rules{
		`[]`:               {Norms: []Norm{}},
		`{"norms":[]}`:     {Norms: []Norm{}},
		`{"facts":[]}`:     {Facts: []Fact{}},
		` {"numbers":{}} `: {Numbers: map[string][]Threshold{}},
	} {
		rules, err := ReadRules(strings.NewReader(text))
		require.NoError(t, err)
		require.Equal(t, want, rules)
	}
}

func TestReadRulesSaysWhatIsWrongAndWhere(t *testing.T) {
	for text, want := range map[string]string{
		``:                    `rules in line 1, column 1: want an array of norms, or an object with one under "norms", found the end of the text`,
		"\xff\xfe[\x00]":      `rules: they are in UTF-16; save them as UTF-8`,
		`{"other":1}`:         `rules in line 1, column 1: the object has none of the keys "norms", "facts" and "numbers"`,
		`{"Facts":[]}`:        `key "Facts" is unknown; it is written "facts"`,
		`{"facts":{}}`:        `rules in line 1, column 10: key "facts": want an array, found an object`,
		`{"norms":[]} 1`:      `want the end of the text`,
		`{"norms":[{}]}`:      `norm 1 "" in line 1, column 11: Name: `,
		`{"numbers":[]}`:      `key "numbers": want an object, found an array`,
		`{"numbers":{"":[]}}`: `rules in line 1, column 13: key "numbers": the name is empty`,
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
		_, err := ReadRules(strings.NewReader(text))
		require.ErrorIs(t, err, ErrInvalid, text)
		require.ErrorContains(t, err, want, text)
		require.Equal(t, 1, strings.Count(err.Error(), "normsync: "), err)
	}
	broken := errors.New("broken")
	_, err := ReadRules(brokenReader{broken})
	require.ErrorIs(t, err, broken)
}

func TestRulesValidateNamesTheNorm(t *testing.T) {
	err := Rules{Norms: []Norm{{Name: "n"}}}.Validate()
	require.ErrorIs(t, err, ErrInvalid)
	require.ErrorContains(t, err, `normsync: norm 1 of 1: invalid norm "n": `)
	err = Rules{Numbers: map[string][]Threshold{"gold": {{Fact: "rich"}}}}.Validate()
	require.ErrorContains(t, err, `normsync: invalid number "gold", threshold 1 "rich": From and Below are both missing`)
}

// A report of rules is a rule file.
func TestReadRulesReadsReports(t *testing.T) {
	rules, err := ReadRules(strings.NewReader(ruleFile))
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, Report{Norms: rules.Norms, Facts: rules.Facts}.WriteJSON(&b))
	again, err := ReadRules(&b)
	require.NoError(t, err)
	require.Equal(t, Rules{Norms: rules.Norms, Facts: rules.Facts}, again)
}

func TestNumbersTurnNumbersIntoFacts(t *testing.T) {
	table := map[string][]Threshold{"health": {
		{Fact: "low_health", Below: number(20)},
		{Fact: "wounded", From: number(20), Below: number(50)},
		{Fact: "alive", From: number(math.Nextafter(0, 1))},
	}}
	n, err := NewNumbers(table)
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
		require.Equal(t, test.want, (&Prepared{Facts: n.AppendFacts(nil, "health", test.x)}).Action().Facts)
	}
	require.Equal(t, "", n.Facts("gold", 1))

	c, err := Compile(ban("rest", "facts:low_health", "attack"))
	require.NoError(t, err)
	p := prepare(Action{Verb: "attack"})
	p.Facts = n.AppendFacts(p.Facts, "health", 7)
	require.False(t, c.AllowsPrepared(p))

	room := make([]Word, 0, 4)
	require.Zero(t, testing.AllocsPerRun(100, func() { room = n.AppendFacts(room[:0], "health", 0.5) }))

	for want, table := range map[string]map[string][]Threshold{
		`number "": the name is empty`:                              {"": nil},
		`Below: NaN is not a finite number`:                         {"x": {{Fact: "f", Below: number(math.NaN())}}},
		`From: +Inf is not a finite number; leave the bound out if`: {"x": {{Fact: "f", From: number(math.Inf(1))}}},
		`threshold 2 "": Fact: the fact has no name`:                {"x": {{Fact: "f", From: number(1)}, {From: number(1)}}},
	} {
		_, err := NewNumbers(table)
		require.ErrorIs(t, err, ErrInvalid)
		require.ErrorContains(t, err, want)
	}
}

func TestThresholdJSONIsTheThreshold(t *testing.T) {
	for text, want := range map[string]Threshold{
		`{"fact":"f","below":20}`:                {Fact: "f", Below: number(20)},
		`{"fact":"f","from":-1.5,"below":1e+21}`: {Fact: "f", From: number(-1.5), Below: number(1e21)},
	} {
		var read Threshold
		require.NoError(t, json.Unmarshal([]byte(text), &read))
		require.Equal(t, want, read)
		b, err := json.Marshal(read)
		require.NoError(t, err)
		require.Equal(t, text, string(b))
	}
	_, err := json.Marshal(Threshold{Fact: "f", From: number(math.NaN())})
	require.ErrorIs(t, err, ErrInvalid)
	require.ErrorIs(t, new(Threshold).UnmarshalJSON([]byte(`{"fact":"f","above":1}`)), ErrInvalid)
}

// What ReadRules reads is valid, makes a memory, and survives the way through JSON.
func FuzzReadRules(f *testing.F) {
	f.Add([]byte(ruleFile))
	f.Add([]byte(`{"facts":[{"name":"a","after":"facts:b|c x","per":"TARGET agent"},{"name":"b","broke":"\"x y\" z*","within":"1h1ns"}]}`))
	f.Add([]byte(`[{"name":"n","prohibited":"x"}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		rules, err := ReadRules(bytes.NewReader(text))
		if err != nil {
			require.NotContains(t, strings.TrimPrefix(err.Error(), "normsync: "), "normsync: ")
			require.ErrorIs(t, err, ErrInvalid)
			return
		}
		require.NoError(t, rules.Validate())
		memoryOf(t, nil, rules.Facts...)
		_, err = NewNumbers(rules.Numbers)
		require.NoError(t, err)
		b, err := json.Marshal(map[string]any{"norms": append([]Norm{}, rules.Norms...), "facts": append([]Fact{}, rules.Facts...), "numbers": rules.Numbers})
		require.NoError(t, err)
		if rules.Numbers == nil {
			b = bytes.Replace(b, []byte(`"numbers":null`), []byte(`"numbers":{}`), 1)
		}
		again, err := ReadRules(bytes.NewReader(b))
		require.NoError(t, err, "%s", b)
		require.ElementsMatch(t, rules.Facts, again.Facts)
		require.ElementsMatch(t, rules.Norms, again.Norms)
		require.Len(t, again.Numbers, len(rules.Numbers))
	})
}

// A snapshot that Restore reads is written in the same way after it is read back.
func FuzzRestore(f *testing.F) {
	facts := []Fact{{Name: "a", After: "x", Per: "agent target"}, {Name: "b", After: "x", Count: 3, Within: time.Second, Per: "world"}, {Name: "c", Broke: "*", Count: 2, Within: time.Minute, Until: "y"}}
	m := memoryOf(f, nil, facts...)
	for i := range 5 {
		m.Happened(at(float64(i), "bob the\u200bbuilder", "x", "orc chief"))
		m.Violated(Violation{NormName: "n", Action: at(float64(i), "eve", "y", "")})
	}
	f.Add([]byte(snapshotOf(f, m)))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, again := memoryOf(t, nil, facts...), memoryOf(t, nil, facts...)
		if err := m.Restore(bytes.NewReader(text)); err != nil {
			require.ErrorIs(t, err, ErrInvalid)
			return
		}
		written := snapshotOf(t, m)
		require.NoError(t, again.Restore(strings.NewReader(written)))
		require.Equal(t, written, snapshotOf(t, again))
		m.Happened(at(9, "bob", "x", ""))
		m.Facts(at(9, "bob", "x", ""))
	})
}
