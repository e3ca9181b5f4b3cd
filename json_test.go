package normsync_test

import (
	"bytes"
	"encoding/json"
	"io"
	"iter"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

// oddValues makes norms, actions, violations and revisions of odd texts and times.
type oddValues struct{ *rand.Rand }

func (o oddValues) text() string { return oddTexts[o.IntN(len(oddTexts))] }

func (o oddValues) norm() normsync.Norm {
	return normsync.Norm{Name: o.text(), Description: o.text(), Condition: o.text(), Unless: o.text(), Prohibited: o.text(), Permitted: o.text(), Scope: []string{"", "global", "town", o.text()}[o.IntN(4)],
		Priority: []int{0, 1, -1, math.MaxInt, math.MinInt}[o.IntN(5)], Severity: []normsync.Severity{"", normsync.SeverityInfo, "odd", normsync.Severity(o.text())}[o.IntN(4)], Shadow: o.IntN(2) == 0, Repealed: o.IntN(2) == 0,
		Advice: o.text(), From: oddBounds[o.IntN(len(oddBounds))], Until: oddBounds[o.IntN(len(oddBounds))]}
}

// oddBounds are values of From and Until that can be written.
var oddBounds = []time.Time{{}, {}, time.Time{}.Add(1), time.Unix(0, 0), time.Unix(-1, 5), time.Date(2026, 12, 24, 18, 0, 0, 7, time.FixedZone("east", 3600)),
	time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC), time.Now()}

func (o oddValues) action() normsync.Action {
	return normsync.Action{Agent: o.text(), Verb: o.text(), Location: o.text(), Target: o.text(), Faction: o.text(), Facts: []string{"", "night", o.text()}[o.IntN(3)], Time: oddTimes[o.IntN(len(oddTimes))],
		Metadata: []string{"", "{}", "null", `{"<k>":[1,2.50,"x\u003c` + "\u2028" + `"]}`, " [ 1 , \"a b\" ]\n"}[o.IntN(5)]}
}

func (o oddValues) violation() normsync.Violation {
	n := o.norm()
	return normsync.Violation{NormID: n.ID(), NormName: n.Name, Severity: n.Severity, Shadow: n.Shadow, Advice: n.Advice, Edition: o.Uint64() >> o.IntN(64), Action: o.action()}
}

func (o oddValues) revision() normsync.Revision {
	return normsync.Revision{Edition: o.Uint64() >> o.IntN(64), Prev: normsync.ID{byte(o.IntN(2))}, Version: o.IntN(5), Change: normsync.Change{[]normsync.ChangeKind{normsync.KindEnact, normsync.KindAmend, normsync.KindRepeal}[o.IntN(3)], o.norm(), o.text(), o.text()}, Time: o.action().Time}
}

func TestWhatIsReadIsWhatIsStored(t *testing.T) {
	o := oddValues{rand.New(rand.NewPCG(3, 4))}
	for range 3000 {
		n := o.norm()
		comesBack(t, n, canonicalNorm(t, n), normsync.Norm.MarshalJSON, (*normsync.Norm).UnmarshalJSON)
		a := o.action()
		kept, err := canonicalAction(a)
		require.NoError(t, err)
		require.Equal(t, a.ID(), kept.ID(), "storing keeps the ID")
		comesBack(t, a, kept, normsync.Action.MarshalJSON, (*normsync.Action).UnmarshalJSON)
		v := o.violation()
		keptV, err := v.Canonical()
		require.NoError(t, err)
		require.NotEmpty(t, keptV.Severity)
		require.Equal(t, v.ID(), keptV.ID())
		comesBack(t, v, keptV, normsync.Violation.MarshalJSON, (*normsync.Violation).UnmarshalJSON)
		r := o.revision()
		keptR, err := r.Canonical()
		require.NoError(t, err)
		require.Equal(t, r.ID(), keptR.ID())
		comesBack(t, r, keptR, normsync.Revision.MarshalJSON, (*normsync.Revision).UnmarshalJSON)
	}
}

// comesBack checks that a value has the same JSON as its canonical form, and is read back in this form.
func comesBack[T comparable](t *testing.T, v, kept T, encode func(T) ([]byte, error), decode func(*T, []byte) error) {
	t.Helper()
	text, err := encode(v)
	require.NoError(t, err)
	require.True(t, json.Valid(text) && utf8.Valid(text), "%s", text)
	require.NotContains(t, string(text), "\n")
	same, err := encode(kept)
	require.NoError(t, err)
	require.Equal(t, string(same), string(text), "a value is written like the one that is stored")
	var back T
	require.NoError(t, decode(&back, text), "%s", text)
	require.True(t, back == kept, "stored %+v\nread   %+v", kept, back)

	// Through encoding/json, which escapes HTML in metadata too.
	escaped, err := json.Marshal([]T{v})
	require.NoError(t, err)
	require.NotContains(t, string(escaped), "<")
	var list []T
	require.NoError(t, json.Unmarshal(escaped, &list))
	if !bytes.ContainsAny(text, "<>&") && !strings.Contains(string(text), "\u2028") {
		require.True(t, list[0] == kept)
	}
}

func TestKeysAreWrittenInTheirOrder(t *testing.T) {
	n := normsync.Norm{Name: "no-attack", Condition: "safe_zone", Prohibited: "attack"}
	all := normsync.Norm{"n", "d", "c", "u", "", "p<", "town", -3, normsync.SeverityError, "ask", time.Unix(7, 8).UTC(), time.Unix(9, 0).UTC(), true, true}
	a := normsync.Action{Agent: "hero", Verb: "attack", Metadata: ` {"<k>": 1.50}`, Time: time.Unix(-2, 5e8)}
	v := normsync.Violation{NormID: n.ID(), NormName: n.Name, Edition: 9, Shadow: true, Action: a}
	r := normsync.Revision{Edition: 3, Version: 2, Change: normsync.Amend(n).Attributed("zoe", "why\n"), Time: a.Time}
	linked := r
	linked.Prev = normsync.ID{10}
	const normJSON = `{"id":"48d6b602024f7fea","name":"no-attack","description":"","condition":"safe_zone","prohibited":"attack","scope":"global","active":true,"priority":0}`
	const actionJSON = `{"id":"65c2176fc76b0c7a","agent_id":"hero","action":"attack","location":"","target":"","faction":"","timestamp":-1.5,"metadata":{"<k>":1.50}}`
	for _, c := range []struct {
		value json.Marshaler
		want  string
	}{
		{n, normJSON},
		{all, `{"id":"` + all.ID().String() + `","name":"n","description":"d","condition":"c","prohibited":"","scope":"town","active":false,"priority":-3,"unless":"u","permitted":"p<","severity":"error","shadow":true,"advice":"ask","from":"1970-01-01T00:00:07.000000008Z","until":"1970-01-01T00:00:09Z"}`},
		{a, actionJSON},
		{v, `{"id":"` + v.ID().String() + `","norm_id":"48d6b602024f7fea","norm_name":"no-attack","action_id":"65c2176fc76b0c7a","agent_id":"hero",` +
			`"description":"Agent 'hero' performed 'attack' in '', violating norm 'no-attack'","severity":"warn","timestamp":-1.5,"shadow":true,"edition":9,"action":` + actionJSON + `}`},
		{r, `{"id":"` + r.ID().String() + `","edition":3,"norm_id":"48d6b602024f7fea","revision_type":"modify","version":2,"by":"zoe","reason":"why\n","timestamp":-1.5,"norm":` + normJSON + `}`},
		{linked, `{"id":"` + linked.ID().String() + `","edition":3,"norm_id":"48d6b602024f7fea","revision_type":"modify","version":2,"by":"zoe","reason":"why\n","timestamp":-1.5,"norm":` + normJSON + `,"prev":"0a00000000000000"}`},
	} {
		got, err := c.value.MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, c.want, string(got))
	}
}

func TestMetadataIsOneJSONText(t *testing.T) {
	for _, odd := range []string{"{", " ", "nonsense", `1,"agent_id":"evil"`, `{"a":1}{"b":2}`, "\"\xff\"", strings.Repeat("[", 2000) + strings.Repeat("]", 2000)} {
		a := normsync.Action{Agent: "hero", Metadata: odd}
		_, err := normsync.Violation{Action: a}.Canonical()
		require.ErrorIs(t, err, normsync.ErrInvalid)
		require.ErrorContains(t, err, "normsync: invalid action: Metadata is not a single JSON text (")
		require.ErrorContains(t, err, "; encode it with json.Marshal, or leave it empty")
		_, err = a.MarshalJSON()
		require.ErrorIs(t, err, normsync.ErrInvalid)
		_, err = json.Marshal(normsync.Violation{Action: a})
		require.ErrorIs(t, err, normsync.ErrInvalid)
	}
}

func TestARevisionOfNoKindIsNotStored(t *testing.T) {
	_, err := normsync.Revision{Edition: 5, Change: normsync.Change{Kind: "annul"}}.Canonical()
	require.ErrorIs(t, err, normsync.ErrInvalid)
	require.EqualError(t, err, `normsync: invalid revision 5: Kind "annul" is unknown; make the change with Enact, Amend or Repeal`)
}

func TestANormIsWrittenOnlyIfItCanBeRead(t *testing.T) {
	for _, beyond := range []time.Time{time.Time{}.Add(-1), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("west", -3600))} {
		for field, n := range map[string]normsync.Norm{"From": {Name: "n", From: beyond}, "Until": {Name: "n", Until: beyond}} {
			_, err := n.MarshalJSON()
			require.ErrorIs(t, err, normsync.ErrInvalid)
			require.ErrorContains(t, err, `normsync: invalid norm "n": `+field+": the year ")
			r := normsync.Revision{Edition: 5, Change: normsync.Enact(n)}
			_, err = r.MarshalJSON()
			require.ErrorIs(t, err, normsync.ErrInvalid)
			_, err = r.Canonical()
			require.ErrorIs(t, err, normsync.ErrInvalid)
			require.ErrorContains(t, err, "(revision 5)")
		}
	}
}

func TestFromAndUntilAreTimesOfRFC3339(t *testing.T) {
	for text, want := range map[string]time.Time{
		"2026-12-24T18:00:00Z":           time.Date(2026, 12, 24, 18, 0, 0, 0, time.UTC),
		"2026-12-24T18:00:00.000000007Z": time.Date(2026, 12, 24, 18, 0, 0, 7, time.UTC),
		"2026-12-24T18:00:00.5+01:00":    time.Date(2026, 12, 24, 17, 0, 0, 5e8, time.UTC),
		"1970-01-01T00:00:00Z":           time.Unix(0, 0).UTC(),
	} {
		var n normsync.Norm
		require.NoError(t, n.UnmarshalJSON([]byte(`{"from":"`+text+`"}`)))
		require.Equal(t, normsync.Norm{From: want}, n)
	}
	for _, text := range []string{"", "tomorrow", "2026-12-24", "2026-12-24T18:00:00", "2026-12-24 18:00:00Z", "2026-12-24T18:00Z", "2026-13-24T18:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+01:00"} {
		var n normsync.Norm
		err := n.UnmarshalJSON([]byte(`{"until":"` + text + `"}`))
		require.EqualError(t, err, `normsync: invalid norm at offset 9: key "until": "`+text+`" is not a time; write it as in RFC 3339, for example 2026-12-24T18:00:00Z, or leave it out`)
	}
	require.Error(t, new(normsync.Norm).UnmarshalJSON([]byte(`{"until":1766599200}`)))
}

func TestANormIsReadStrictly(t *testing.T) {
	for in, want := range map[string]string{
		`{"name":"n","prioritty":5}`:          ` at offset 12: key "prioritty" is unknown; did you mean "priority"? The keys are id, name, description, condition, prohibited, scope, active, priority, unless, permitted, severity, shadow, advice, from, until, $schema`,
		`{"name":"n","Scope":"town"}`:         ` at offset 12: key "Scope" is unknown; it is written "scope"`,
		`{"name":"n","nam\u0065":"n"}`:        ` at offset 12: key "name" is there twice`,
		`{"name":null}`:                       ` at offset 8: key "name": want a string, found null`,
		`{"priority":"5"}`:                    ` at offset 12: key "priority": want a number, found a string`,
		`{"priority":99999999999999999999}`:   ` at offset 12: key "priority": want a whole number of at most 64 bits, found 99999999999999999999`,
		`{"active":0}`:                        ` at offset 10: key "active": want true or false, found a number`,
		`{"id":"x"}`:                          ` at offset 6: key "id": want an ID of 16 lower-case hex digits, found "x"`,
		`{"id":"0123456789abcdef","name":""}`: ` at offset 6: key "id": it contradicts the rest: the norm's ID is 565d240f5343e625; leave the id out, and it is computed`,
		`{"name":"a"} {"name":"b"}`:           ` at offset 13: want the end of the text, found an object`,
		`null`:                                ` at offset 0: want an object, found null`,
		"{\"name\":\"\xff\"}":                 ` at offset 8: key "name": the string is not valid UTF-8`,
	} {
		kept := normsync.Norm{Name: "kept"}
		err := kept.UnmarshalJSON([]byte(in))
		require.ErrorIs(t, err, normsync.ErrInvalid, in)
		require.EqualError(t, err, "normsync: invalid norm"+want)
		require.Equal(t, normsync.Norm{Name: "kept"}, kept, "it is left as it was")
	}
	n := normsync.Norm{Name: "left over"}
	require.NoError(t, n.UnmarshalJSON([]byte("\n{\"scope\":\"global\", \"prohibited\":\"a\"}\t")))
	require.Equal(t, normsync.Norm{Prohibited: "a"}, n)
}

func TestAnActionIsReadLeniently(t *testing.T) {
	for in, want := range map[string]normsync.Action{
		`{}`: {},
		`{"id":5,"more":{"agent_id":"x"},"Agent_ID":"x","agent_id":"hero"}`:                             {Agent: "hero"},
		`{"agent_id":null,"action":null,"location":null,"target":null,"faction":null,"timestamp":null}`: {},
		`{"metadata":{}}`:   {Metadata: "{}"},
		`{"metadata":null}`: {Metadata: "null"},
		`{"metadata": { "a" : [ 1.0, "<b> c" ] } , "timestamp":1.5e9}`: {Metadata: `{"a":[1.0,"<b> c"]}`, Time: time.Unix(1500000000, 0).UTC()},
		"{\"action\":\"a\xff\",\"metadata\":[ \"\xfe\" ]}":             {Verb: "a\uFFFD", Metadata: "[\"\uFFFD\"]"},
		"{\"metadata\":\"\xfe\"}":                                      {Metadata: "\"\uFFFD\""},
		`{"action":"\ud800"}`:                                          {Verb: "\uFFFD"},
	} {
		got := normsync.Action{Agent: "left over"}
		require.NoError(t, got.UnmarshalJSON([]byte(in)), in)
		require.Equal(t, want, got, in)
		_, err := canonicalAction(got)
		require.NoError(t, err, "what is read can be stored")
	}
	for in, want := range map[string]string{
		`{"action":"loot","action":"wait"}`: ` at offset 17: key "action" is there twice`,
		`{"action":5}`:                      ` at offset 10: key "action": want a string, found a number`,
		`{"timestamp":"1700000000"}`:        ` at offset 13: key "timestamp": want a number, found a string`,
		`{"timestamp":1e300}`:               ` at offset 13: key "timestamp": 1e300 is not a time: it is too many seconds away from 1970`,
		`{"metadata":[1,]}`:                 ` at offset 15: key "metadata": want a value, found ']'`,
		`["hero"]`:                          ` at offset 0: want an object, found an array`,
		"null\f":                            ` at offset 0: want an object, found null`,
		``:                                  ` at offset 0: want an object, found the end of the text`,
	} {
		kept := normsync.Action{Agent: "kept"}
		err := kept.UnmarshalJSON([]byte(in))
		require.ErrorIs(t, err, normsync.ErrInvalid, in)
		require.EqualError(t, err, "normsync: invalid action"+want)
		require.Equal(t, normsync.Action{Agent: "kept"}, kept)
	}
	kept := normsync.Action{Agent: "kept"}
	require.NoError(t, kept.UnmarshalJSON([]byte("null")))
	require.Equal(t, normsync.Action{Agent: "kept"}, kept, "a null changes nothing")
}

// edited returns the JSON of a value with some keys replaced, or removed by nil.
func edited(t *testing.T, v any, edits map[string]any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	m := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	require.NoError(t, d.Decode(&m))
	for k, e := range edits {
		if m[k] = e; e == nil {
			delete(m, k)
		}
	}
	text, err = json.Marshal(m)
	require.NoError(t, err)
	return text
}

func TestARecordThatContradictsItselfIsHeard(t *testing.T) {
	v := someViolation()
	for _, c := range []struct {
		edits map[string]any
		want  string // empty if it is read as v
	}{
		{nil, ""},
		{map[string]any{"id": nil, "action_id": nil, "agent_id": nil, "timestamp": nil, "description": nil, "severity": nil}, ""},
		{map[string]any{"v": 1, "n": 17, "crc": "x"}, ""},
		{map[string]any{"description": "another"}, ""},
		{map[string]any{"severity": ""}, ""},
		{map[string]any{"id": "0123456789abcdef"}, `key "id": it contradicts the rest: the violation's ID is ` + v.ID().String()},
		{map[string]any{"norm_id": "0123456789abcdef"}, `key "id": it contradicts the rest`},
		{map[string]any{"action_id": "0123456789abcdef"}, `key "action_id": it contradicts the rest: the action's ID is ` + v.Action.ID().String()},
		{map[string]any{"agent_id": "villain"}, `key "agent_id": it contradicts the rest: the action's agent is "hero-17"`},
		{map[string]any{"timestamp": 1}, `key "timestamp": it contradicts the rest: the action's time is 2023-11-14 22:13:20.123456789 +0000 UTC`},
		{map[string]any{"action": map[string]any{"agent_id": "hero-17"}}, `it contradicts the rest`},
		{map[string]any{"action": nil}, `key "action" is missing`},
		{map[string]any{"norm_id": nil}, `key "norm_id" is missing`},
		{map[string]any{"Shadow": true}, `key "Shadow" is unknown; it is written "shadow"`},
		{map[string]any{"shadow": 1}, `key "shadow": want true or false, found a number`},
		{map[string]any{"edition": -1}, `key "edition": want a whole number from 0 to 18446744073709551615, found -1`},
		{map[string]any{"norm_name": []int{}}, `key "norm_name": want a string, found an array`},
		{map[string]any{"action": map[string]any{"action": 5}}, `key "action.action": want a string, found a number`},
	} {
		var got normsync.Violation
		err := got.UnmarshalJSON(edited(t, v, c.edits))
		if c.want == "" {
			require.NoError(t, err, "%v", c.edits)
			require.Equal(t, v, got)
			continue
		}
		require.ErrorIs(t, err, normsync.ErrInvalid)
		require.ErrorContains(t, err, "normsync: invalid violation at offset ")
		require.ErrorContains(t, err, c.want)
		require.Zero(t, got)
	}

	r := normsync.Revision{Edition: 3, Prev: normsync.ID{1, 2}, Version: 2, Change: normsync.Amend(normsync.Norm{Name: "n", Prohibited: "attack"}).Attributed("zoe", "why"), Time: time.Unix(1, 2).UTC()}
	for _, c := range []struct {
		edits map[string]any
		want  string
	}{
		{nil, ""},
		{map[string]any{"id": nil, "norm_id": nil, "more": 1}, ""},
		{map[string]any{"id": "0123456789abcdef"}, `key "id": it contradicts the rest: the revision's ID is ` + r.ID().String()},
		{map[string]any{"edition": 4}, `key "id": it contradicts the rest`},
		{map[string]any{"timestamp": 1}, `key "id": it contradicts the rest`},
		{map[string]any{"revision_type": "add"}, `key "id": it contradicts the rest`},
		{map[string]any{"prev": "0123456789abcdef"}, `key "id": it contradicts the rest`},
		{map[string]any{"prev": nil}, `key "id": it contradicts the rest`},
		{map[string]any{"prev": 5}, `key "prev": want a string, found a number`},
		{map[string]any{"prev": "5"}, `key "prev": want an ID of 16 lower-case hex digits, found "5"`},
		{map[string]any{"norm_id": "0123456789abcdef"}, `key "norm_id": it contradicts the rest: the norm's ID is ` + r.Norm.ID().String()},
		{map[string]any{"norm": map[string]any{"name": "m"}}, `key "norm_id": it contradicts the rest`},
		{map[string]any{"norm": map[string]any{"name": "n", "prioritty": 1}}, `key "norm": key "prioritty" is unknown`},
		{map[string]any{"norm": map[string]any{"id": "0123456789abcdef"}}, `key "norm.id": it contradicts the rest`},
		{map[string]any{"revision_type": "annul"}, `key "revision_type": want add, modify or repeal, found "annul"`},
		{map[string]any{"version": 1.5}, `key "version": want a whole number`},
		{map[string]any{"Version": 2}, `key "Version" is unknown; it is written "version"`},
		{map[string]any{"by": 1}, `key "by": want a string, found a number`},
		{map[string]any{"edition": nil}, `key "edition" is missing`},
		{map[string]any{"version": nil}, `key "version" is missing`},
		{map[string]any{"revision_type": nil}, `key "revision_type" is missing`},
		{map[string]any{"norm": nil}, `key "norm" is missing`},
	} {
		var got normsync.Revision
		err := got.UnmarshalJSON(edited(t, r, c.edits))
		if c.want == "" {
			require.NoError(t, err, "%v", c.edits)
			require.Equal(t, r, got)
			continue
		}
		require.ErrorIs(t, err, normsync.ErrInvalid)
		require.ErrorContains(t, err, "normsync: invalid revision at offset ")
		require.ErrorContains(t, err, c.want)
		require.Zero(t, got)
	}
}

// slowObject reads an object with encoding/json. It refuses other values and repeated keys.
func slowObject(text []byte) (m map[string]json.RawMessage, ok bool) {
	m = map[string]json.RawMessage{}
	d := json.NewDecoder(bytes.NewReader(text))
	if tok, err := d.Token(); err != nil || tok != json.Delim('{') || !json.Valid(text) {
		return nil, false
	}
	ok = true
	for d.More() {
		key, _ := d.Token()
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return nil, false
		}
		_, twice := m[key.(string)]
		ok = ok && !(twice && slices.Contains(slices.Concat(normsync.NormKeys, normsync.ActionKeys), key.(string)))
		m[key.(string)] = value
	}
	return m, ok
}

// slowNorm is a twin of UnmarshalJSON for texts of valid UTF-8.
func slowNorm(text []byte) (n normsync.Norm, ok bool) {
	m, ok := slowObject(text)
	active, id := true, ""
	var schema string
	for key, field := range map[string]any{"$schema": &schema, "id": &id, "name": &n.Name, "description": &n.Description, "condition": &n.Condition, "prohibited": &n.Prohibited, "scope": &n.Scope, "active": &active,
		"priority": &n.Priority, "unless": &n.Unless, "permitted": &n.Permitted, "severity": &n.Severity, "shadow": &n.Shadow,
		"advice": &n.Advice, "from": &n.From, "until": &n.Until} {
		if value, is := m[key]; is {
			ok = ok && string(value) != "null" && json.Unmarshal(value, field) == nil
			if key != "from" && key != "until" {
				delete(m, key)
			}
			ok = ok && (key != "id" || len(id) == 16)
		}
	}
	n.Repealed = !active
	if n.Scope == "global" {
		n.Scope = ""
	}
	for key, bound := range map[string]*time.Time{"from": &n.From, "until": &n.Until} {
		*bound = bound.UTC()
		_, is := m[key]
		delete(m, key)
		ok = ok && (!is || !bound.IsZero()) && bound.Year() >= 1 && bound.Year() <= 9999
	}
	return n, ok && len(m) == 0 && (id == "" || id == n.ID().String())
}

func FuzzNormJSON(f *testing.F) {
	for _, n := range []normsync.Norm{{}, {Name: "no-attack", Condition: "safe_zone", Prohibited: "attack"}, {"n", "d", "c", "u", "睡觉", "p<", "town", -3, normsync.SeverityError, "ask", time.Unix(7, 8).UTC(), time.Unix(9, 0).UTC(), true, true}} {
		text, _ := n.MarshalJSON()
		f.Add(text)
	}
	f.Add([]byte(`{"name":"n","nam\u0065":"n"}`))
	f.Add([]byte(`{"name":"n","Name":"n", "priority":1e3}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var n normsync.Norm
		err := n.UnmarshalJSON(text)
		if want, ok := slowNorm(text); utf8.Valid(text) && !strings.Contains(want.Name+want.Description+want.Condition+want.Unless+want.Prohibited+want.Permitted+want.Scope+string(want.Severity), "\uFFFD") && !bytes.Contains(text, []byte(`\u`)) {
			require.Equal(t, ok, err == nil, "%s: %v", text, err)
			if ok {
				require.Equal(t, want, n)
			}
		}
		if err != nil {
			require.ErrorIs(t, err, normsync.ErrInvalid)
			require.Zero(t, n)
			return
		}
		comesBack(t, n, canonicalNorm(t, n), normsync.Norm.MarshalJSON, (*normsync.Norm).UnmarshalJSON)
		require.Equal(t, n, canonicalNorm(t, n), "what is read is as it is stored")
		list, err := normsync.ReadNorms(io.MultiReader(strings.NewReader("["), bytes.NewReader(text), strings.NewReader("]")))
		require.Equal(t, n.Validate() == nil, err == nil, "ReadNorms validates")
		if err == nil {
			require.Equal(t, []normsync.Norm{n}, list)
		}
	})
}

func FuzzActionJSON(f *testing.F) {
	for _, s := range []string{`{}`, `null`, `{"agent_id":"hero","action":"attack","location":"zone","target":"","faction":null,"metadata":{ "a":[1.0,"<"]},"timestamp":1707804000.25,"more":{"action":1}}`,
		`{"action":"a","action":"b"}`, "{\"action\":\"\xff\\ud800\",\"metadata\":[\"\xff\"]}", `{"timestamp":1e-9}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var a normsync.Action
		if err := a.UnmarshalJSON(text); err != nil {
			require.ErrorIs(t, err, normsync.ErrInvalid)
			require.Zero(t, a)
			return
		}
		require.True(t, json.Valid(text))
		kept, err := canonicalAction(a)
		require.NoError(t, err)
		require.Equal(t, a, kept, "what is read is as it is stored")
		comesBack(t, a, kept, normsync.Action.MarshalJSON, (*normsync.Action).UnmarshalJSON)

		m, ok := slowObject(text)
		require.True(t, ok || string(bytes.TrimSpace(text)) == "null")
		for key, got := range map[string]string{"agent_id": a.Agent, "action": a.Verb, "location": a.Location, "target": a.Target, "faction": a.Faction} {
			var want string
			if value, is := m[key]; is {
				require.NoError(t, json.Unmarshal(value, &want))
			}
			require.Equal(t, want, got, "the twin agrees on %s", key)
		}
		if metadata, is := m["metadata"]; is {
			var want, got any
			require.NoError(t, json.Unmarshal(metadata, &want))
			require.NoError(t, json.Unmarshal([]byte(a.Metadata), &got))
			require.Equal(t, want, got)
		} else {
			require.Empty(t, a.Metadata)
		}
	})
}

func FuzzViolationJSON(f *testing.F) {
	text, _ := someViolation().MarshalJSON()
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		var v normsync.Violation
		if err := v.UnmarshalJSON(text); err != nil {
			require.ErrorIs(t, err, normsync.ErrInvalid)
			return
		}
		kept, err := v.Canonical()
		require.NoError(t, err)
		require.Equal(t, v, kept)
		comesBack(t, v, kept, normsync.Violation.MarshalJSON, (*normsync.Violation).UnmarshalJSON)
	})
}

func TestEveryFieldIsWrittenAndRead(t *testing.T) {
	isWrittenAndRead(t, normsync.Norm{}, (*normsync.Norm).UnmarshalJSON)
	isWrittenAndRead(t, normsync.Action{}, (*normsync.Action).UnmarshalJSON)
	isWrittenAndRead(t, normsync.Violation{Severity: normsync.SeverityWarn}, (*normsync.Violation).UnmarshalJSON)
	isWrittenAndRead(t, normsync.Revision{Change: normsync.Change{Kind: normsync.KindEnact}}, (*normsync.Revision).UnmarshalJSON)
}

func TestAHistoryOfThePythonToolIsRead(t *testing.T) {
	const text = `{"id":"0123456789abcdef","edition":1,"norm_id":"bc3ce88baa1c729d","revision_type":"create","version":1,"reason":"the first rule","timestamp":1707804000.25,` +
		`"norm":{"name":"no-attack-in-safe-zone","condition":"safe_zone","prohibited":"attack"}}`
	want := normsync.Revision{Edition: 1, Version: 1, Change: normsync.Enact(prohibition("no-attack-in-safe-zone", "safe_zone", "attack")).Attributed("", "the first rule"), Time: time.Unix(1707804000, 25e7).UTC()}
	var r normsync.Revision
	require.NoError(t, r.UnmarshalJSON([]byte(text)))
	require.Equal(t, want, r)
	m := new(normsync.Monitor)
	require.NoError(t, m.Store().AppendRevisions(t.Context(), r))
	_, err := m.Sync(t.Context())
	require.NoError(t, err)
	require.False(t, m.Allows(normsync.Action{Verb: "attack", Location: "safe_zone"}))

	require.Error(t, r.UnmarshalJSON([]byte(strings.Replace(text, "create", "add", 1))), "the id of another program is checked only beside its own word")
	require.Error(t, r.UnmarshalJSON([]byte(strings.Replace(text, "bc3c", "0000", 1))), "both compute the ID of a norm in the same way")
	_, err = normsync.Revision{Change: normsync.Change{Kind: "create"}}.Canonical()
	require.ErrorIs(t, err, normsync.ErrInvalid, "it is only read")
}

func isWrittenAndRead[T interface {
	comparable
	json.Marshaler
}](t *testing.T, base T, decode func(*T, []byte) error) {
	for name, v := range eachFieldSet(base) {
		require.True(t, v != base, name)
		text, err := v.MarshalJSON()
		require.NoError(t, err)
		var back T
		require.NoError(t, decode(&back, text))
		require.True(t, v == back, "%T.%s: %s", v, name, text)
	}
}

func TestEveryKeyThatIsWrittenIsKnown(t *testing.T) {
	n := normsync.Norm{"n", "d", "c", "u", "p", "p", "s", 1, normsync.SeverityInfo, "ask", time.Unix(7, 8).UTC(), time.Unix(9, 0).UTC(), true, true}
	v := someViolation()
	v.Shadow, v.Advice, v.Action.Metadata, v.Action.Facts = true, "ask", "1", "night"
	readOnly := func(key string) bool { return key == "$schema" }
	for _, c := range []struct {
		value any
		known []string
		other []string // written, and passed over
	}{
		{n, slices.DeleteFunc(slices.Clone(normsync.NormKeys), readOnly), nil},
		{v.Action, normsync.ActionKeys, []string{"id"}},
		{v, normsync.ViolationKeys, []string{"description"}},
		{normsync.Revision{Prev: normsync.ID{1}}, normsync.RevisionKeys, nil},
	} {
		text, err := json.Marshal(c.value)
		require.NoError(t, err)
		m, _ := slowObject(text)
		require.ElementsMatch(t, append(slices.Clone(c.known), c.other...), slices.Collect(maps.Keys(m)))
	}
}

// FuzzRevisionsJSON compares the reader of a line of revisions with encoding/json,
// which calls Revision.UnmarshalJSON for each element of the array.
func FuzzRevisionsJSON(f *testing.F) {
	for text := range revisionTexts(rand.New(rand.NewPCG(5, 6))) {
		f.Add(text)
	}
	f.Fuzz(readsRevisionsAsItsTwin)
}

func TestALineOfRevisionsIsReadAsByEncodingJSON(t *testing.T) {
	const jsonBytes = " ,:[]{}\"\\\n01e.-nul"
	rng := rand.New(rand.NewPCG(7, 8))
	for range 40 {
		for text := range revisionTexts(rng) {
			readsRevisionsAsItsTwin(t, text)
			for range 40 {
				broken := slices.Clone(text)
				switch at := rng.IntN(len(broken)); rng.IntN(4) {
				case 0:
					broken[at] ^= 1 << rng.IntN(8)
				case 1:
					broken = broken[:at]
				case 2:
					broken = slices.Insert(broken, at, jsonBytes[rng.IntN(len(jsonBytes))])
				case 3:
					broken = slices.Delete(broken, at, min(len(broken), at+rng.IntN(8)))
				}
				readsRevisionsAsItsTwin(t, broken)
			}
		}
	}
}

// revisionTexts yields arrays of revisions, and texts that only look like one.
func revisionTexts(rng *rand.Rand) iter.Seq[[]byte] {
	o := oddValues{rng}
	return func(yield func([]byte) bool) {
		r, _ := o.revision().MarshalJSON()
		s, _ := o.revision().MarshalJSON()
		for _, form := range []string{"[]", "[A]", "[A,B]", " [ A\n,\tB ] ", "[A,]", "[A,null]", "[A,[]]", "[A] B", "A", `{"a":[A]}`, "[A\x00]", "\uFEFF[A]", "[A B]", "[[A]]"} {
			if !yield([]byte(strings.NewReplacer("A", string(r), "B", string(s)).Replace(form))) {
				return
			}
		}
	}
}

func readsRevisionsAsItsTwin(t *testing.T, text []byte) {
	if string(bytes.TrimSpace(text)) == "null" {
		return // encoding/json accepts it as no revisions; a line without revisions is refused all the same
	}
	var want []normsync.Revision
	wantErr := json.Unmarshal(text, &want)
	got, err := normsync.AppendRevisions(nil, text)
	require.Equal(t, wantErr == nil, err == nil, "%q: %v, but encoding/json says %v", text, err, wantErr)
	if err != nil {
		require.ErrorIs(t, err, normsync.ErrInvalid)
		return
	}
	require.Equal(t, len(want), len(got))
	for i := range want {
		require.Equal(t, normsync.Identify(want[i]), got[i])
	}
}
