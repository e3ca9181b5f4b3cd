package normsync_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

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
