package normsync

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestReadNormsKeepsTheOrder(t *testing.T) {
	norms := []Norm{{Name: "b", Prohibited: "attack"}, {Name: "a", Permitted: "heal", Repealed: true, Scope: "town"}, {Name: "b", Prohibited: "loot"}}
	text, err := json.MarshalIndent(norms, "", "\t")
	require.NoError(t, err)
	for _, in := range []string{string(text), `{"norm_count":3,"norms":` + string(text) + `,"violations":[{"id":"x"}]}` + "\r\n", "\ufeff" + string(text)} {
		got, err := ReadNorms(iotest.OneByteReader(strings.NewReader(in)))
		require.NoError(t, err)
		require.Equal(t, norms, got)
	}
	for _, in := range []string{"[]", ` {"norms" : [ ] }`} {
		got, err := ReadNorms(strings.NewReader(in))
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
		_, err := ReadNorms(strings.NewReader(in))
		require.ErrorIs(t, err, ErrInvalid)
		require.ErrorContains(t, err, "normsync: invalid "+want)
	}
	_, err := ReadNorms(io.MultiReader(strings.NewReader("["), iotest.ErrReader(io.ErrUnexpectedEOF)))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NotErrorIs(t, err, ErrInvalid)
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
		norms, err := ReadNormsFS(fsys, patterns...)
		require.NoError(t, err)
		require.Equal(t, []Norm{ban("a", "", "attack"), ban("b", "", "attack"), ban("b2", "", "attack")}, norms, "%q", patterns)
	}
	norms, err := ReadNormsFS(fsys)
	require.NoError(t, err)
	require.Equal(t, []Norm{}, norms)

	_, err = ReadNormsFS(fsys, "rules/*.json", "bad/*.json")
	require.ErrorIs(t, err, ErrInvalid)
	require.ErrorContains(t, err, `normsync: read "bad/typo.json": invalid norm 1 "x" in line 1, column 14: key "prohibitted" is unknown`)
	_, err = ReadNormsFS(fsys, "rules/*.json", "rule/*.json")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.EqualError(t, err, `normsync: read norms: pattern "rule/*.json": no file matches it; correct the pattern, or leave it out: file does not exist`)
	_, err = ReadNormsFS(fsys, "[")
	require.EqualError(t, err, `normsync: read norms: pattern "[": syntax error in pattern`)
	_, err = ReadNormsFS(fsys, "rules/c")
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
	a, b := Action{Agent: "a", Verb: "attack", Metadata: `{"x":["}","\\\"]"]}`}, Action{Verb: ""}
	const textA, textB = `{"agent_id":"a","action":"attack","metadata":{ "x":["}","\\\"]"]},"more":{"action":[[1]]}}`, `{"action":"","agent_id":null}`
	for in, want := range map[string][]Action{
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
			got, err := gather(ReadActions(r))
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
		seq := ReadActions(strings.NewReader(in))
		_, err := gather(seq)
		require.EqualError(t, err, "normsync: invalid "+want, "%.80q", in)
		require.ErrorIs(t, err, ErrInvalid)
		got, again := gather(seq)
		require.Empty(t, got, "an error ends the sequence")
		require.Equal(t, err, again)
	}
	long := `{"action":"x","more":"` + strings.Repeat("x", 1<<20-24) + `"}`
	require.Len(t, long, 1<<20)
	got, err := gather(ReadActions(strings.NewReader(long + long)))
	require.NoError(t, err)
	require.Len(t, got, 2)
	_, err = gather(ReadActions(strings.NewReader(long[:len(long)-1] + " }")))
	require.ErrorIs(t, err, ErrInvalid)
}

func TestReadActionsReturnsErrorsOfTheReader(t *testing.T) {
	for _, in := range []string{"", "\n\n", "{\"action\":\"x\"}\n", "{\"action\":\"x\"}\n{", "[", "[{\"action\":\"x\"}", "[{\"action\":\"x\"},", "[]"} {
		got, err := gather(ReadActions(io.MultiReader(strings.NewReader(in), iotest.ErrReader(io.ErrUnexpectedEOF))))
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%q", in)
		require.NotErrorIs(t, err, ErrInvalid)
		require.ErrorContains(t, err, "normsync: read actions: line ")
		require.Len(t, got, strings.Count(in, "x"))
	}
}

func TestReadActionsReadsOnlyWhatTheLoopAsksFor(t *testing.T) {
	const action = "{\"action\":\"x\"}\n"
	endless := iotest.OneByteReader(&repeat{text: action})
	seq := ReadActions(endless)
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
	require.Equal(t, Action{Verb: "x"}, a, "a loop continues where the one before it stopped")
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
func slowActions(text []byte) (actions []Action, ok bool) {
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
		var a Action
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
		if isUTF16(text) || bytes.HasPrefix(text, []byte(byteOrderMark)) {
			return
		}
		got, err := gather(ReadActions(bytes.NewReader(text)))
		want, ok := slowActions(text)
		require.Equal(t, ok, err == nil, "%q: %v", text, err)
		if ok {
			require.Equal(t, want, got)
		} else {
			require.ErrorIs(t, err, ErrInvalid)
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

	rules, err := ReadNormsFS(os.DirFS(dir), "rules.json")
	require.NoError(t, err)
	reported, err := ReadNormsFS(os.DirFS(dir), "report.json")
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
	var again []Violation
	actions := 0
	for a, err := range ReadActions(f) {
		require.NoError(t, err)
		again = append(again, m.Check(a)...)
		actions++
	}
	require.Equal(t, 330, actions)
	var stored []Violation
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
	var back []Revision
	text, err := json.Marshal(revs)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, revs, back)
	require.True(t, slices.IsSortedFunc(revs, func(a, b Revision) int { return a.Time.Compare(b.Time) }))
}
