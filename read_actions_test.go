package normsync_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

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
		for _, mark := range []string{"\ufeff", "\xff\xfe", "\xfe\xff"} { // in UTF-8 and UTF-16
			if bytes.HasPrefix(text, []byte(mark)) {
				return
			}
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
