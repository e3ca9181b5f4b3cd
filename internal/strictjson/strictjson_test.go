package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestWrittenStringsAreReadBackByEncodingJSON(t *testing.T) {
	for _, s := range []string{"", "plain", `quo"te \ back`, "line\nend\r\n\ttab\b\f\x00\x1b\x7f", "\u0080\u009f\u00a0", "<b>&amp;</b>", "\u2027\u2028\u2029\u202a\u202e\u202f\u2065\u2066\u2069\u206a",
		"睡觉 🐉 \uFFFD \uFFFF", "a\xffb\xc3", "\xe2\x82", "\xed\xa0\x80"} {
		text := AppendQuote([]byte("x"), s)
		var back string
		require.NoError(t, json.Unmarshal(text[1:], &back), "%s", text)
		require.Equal(t, string([]rune(s)), back)
		requireShowable(t, text)
		require.Equal(t, ReplaceInvalid(s), back)
		parts := append([]byte{'"'}, AppendEscaped(AppendEscaped(nil, s), s)...)
		require.NoError(t, json.Unmarshal(append(parts, '"'), &back))
		require.Equal(t, ReplaceInvalid(s)+ReplaceInvalid(s), back, "a string is written in two parts")
	}
	require.Equal(t, `"<b>&"`, string(AppendQuote(nil, "<b>&")), "HTML is left alone")
	require.Equal(t, `"\u2028\u202e\u009b\u007f"`, string(AppendQuote(nil, "\u2028\u202e\u009b\x7f")))
}

func requireShowable(t *testing.T, text []byte) {
	t.Helper()
	require.True(t, utf8.Valid(text), "%q", text)
	for _, r := range string(text) {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) && r > 0x200F || r == 0x2028 || r == 0x2029 {
			require.Fail(t, "a text that cannot be shown", "%q holds %U", text, r)
		}
	}
}

func TestCompactTextIsKeptByteForByte(t *testing.T) {
	for in, want := range map[string]string{
		`{}`: "", `[]`: "", `"s"`: "", `12345678901234567890`: "", `{"k":[1,2.50,"x"],"<":">&"}`: "", "\"\u2028\x7f\"": "", `null`: "", `"\ud800\/"`: "",
		`{"a":1,"a":2}`: "", `-0.0e+10`: "",
		" { \"a b\" : [ 1 , \"\\\" \" ] ,\n\"\":\t{ } } \r\n": `{"a b":[1,"\" "],"":{}}`,
		` "\\" `: `"\\"`,
	} {
		if want == "" {
			want = in
		}
		got, err := AppendCompact([]byte("x"), in)
		require.NoError(t, err, in)
		require.Equal(t, "x"+want, string(got))
	}
	for _, in := range []string{"", " ", "{", `{"a":1}{"b":2}`, `1,"agent_id":"evil"`, "}", "nonsense", "\"\xff\"", `"x`, "1 2", "01", "[1,]", `{"a"}`, `{,}`, `{"a":1,}`, "\"\n\"", `"\x"`, "tru", "truex",
		strings.Repeat("[", 1001) + strings.Repeat("]", 1001), strings.Repeat("[", 1e6)} {
		got, err := AppendCompact([]byte("x"), in)
		var e *Error
		require.ErrorAs(t, err, &e, "%.40q", in)
		require.Equal(t, "x", string(got))
	}
	deep := strings.Repeat("[", 1000) + strings.Repeat("]", 1000)
	_, err := AppendCompact(nil, deep)
	require.NoError(t, err)
}

func TestOneBlankAnywhereIsRemoved(t *testing.T) {
	parts := []string{"{", `"a b"`, ":", "[", "1", ",", "{", "}", ",", "[", "]", "]", ",", `""`, ":", "null", "}"}
	want := strings.Join(parts, "")
	for i := range len(parts) + 1 {
		for _, blank := range []string{" ", "\t", "\r", "\n"} {
			got, err := AppendCompact(nil, strings.Join(parts[:i], "")+blank+strings.Join(parts[i:], ""))
			require.NoError(t, err)
			require.Equal(t, want, string(got), "a blank before part %d", i)
		}
	}
}

// readAll reads an object with keys of five types.
func readAll(unknown UnknownKeys, allowInvalid bool, text string) (got map[string]any, err error) {
	d := NewDecoder([]byte(text))
	d.AllowInvalidUTF8 = allowInvalid
	got = map[string]any{}
	keys := &Keys{Unknown: unknown, Known: []string{"a", "b", "c", "d", "list"}}
	err = d.ReadObject(keys, func(key string) (err error) {
		switch key {
		case "a":
			got[key], err = d.ReadString()
		case "b":
			got[key], err = d.ReadBool()
		case "c":
			got[key], err = d.ReadInt(64)
		case "d":
			got[key], err = d.ReadUint()
		case "list":
			list := []string{}
			err = d.ReadArray(func() error {
				s, err := d.ReadString()
				list = append(list, s)
				return err
			})
			got[key] = list
		}
		return err
	})
	if err == nil {
		err = d.CheckEOF()
	}
	return got, err
}

func TestObjectsAreReadWhateverTheirOrderAndSpelling(t *testing.T) {
	got, err := readAll(RejectUnknown, false, ` { "d" : 18446744073709551615, "\u0061" :"\u00e9\ud83d\udc09\n\/", "list":[ "x" , "睡" ],"c":-5 , "b":true } `)
	require.NoError(t, err)
	require.Equal(t, map[string]any{"a": "é🐉\n/", "b": true, "c": int64(-5), "d": uint64(1<<64 - 1), "list": []string{"x", "睡"}}, got)
	got, err = readAll(RejectUnknown, false, `{}`)
	require.NoError(t, err)
	require.Empty(t, got)
}

func TestErrorsNameTheKeyAndThePlace(t *testing.T) {
	for text, want := range map[string]string{
		``:                       `at offset 0: want an object, found the end of the text`,
		` []`:                    `at offset 1: want an object, found an array`,
		`{} x`:                   `at offset 3: want the end of the text, found 'x'`,
		`{"a":"x","a":"x"}`:      `at offset 9: key "a" is there twice`,
		`{"a":"x","\u0061":"x"}`: `at offset 9: key "a" is there twice`,
		`{"A":"x"}`:              `at offset 1: key "A" is unknown; it is written "a"`,
		`{"LI\u017Ft":[]}`:       `at offset 1: key "LIſt" is unknown; it is written "list"`,
		`{"z":1}`:                `at offset 1: key "z" is unknown; the keys are a, b, c, d, list`,
		`{"lsit":[]}`:            `at offset 1: key "lsit" is unknown; did you mean "list"? The keys are a, b, c, d, list`,
		`{"a":5}`:                `at offset 5: key "a": want a string, found a number`,
		`{"a":null}`:             `at offset 5: key "a": want a string, found null`,
		`{"b":"true"}`:           `at offset 5: key "b": want true or false, found a string`,
		`{"c":1.5}`:              `at offset 5: key "c": want a whole number of at most 64 bits, found 1.5`,
		`{"c":1.}`:               `at offset 5: key "c": want a number, found one that ends in a point`,
		`{"c": 1e2}`:             `at offset 6: key "c": want a whole number of at most 64 bits, found 1e2`,
		`{"c":true}`:             `at offset 5: key "c": want a number, found true`,
		`{"c":-}`:                `at offset 5: key "c": want a number, found a number`,
		`{"c":-01}`:              `at offset 5: key "c": want a number, found one that begins with 0`,
		`{"d":-1}`:               `at offset 5: key "d": want a whole number from 0 to 18446744073709551615, found -1`,
		`{"list":["x" "y"]}`:     `at offset 13: key "list": want a comma or the end of the array, found a string`,
		`{"list":[1]}`:           `at offset 9: key "list": want a string, found a number`,
		`{"a" "x"}`:              `at offset 5: want a colon, found a string`,
		`{"a":"x",}`:             `at offset 9: want a key in quotes, found '}'`,
		`{"a":"x" "b":true}`:     `at offset 9: want a comma or the end of the object, found a string`,
		`{"a":"x`:                `at offset 5: key "a": a string has no closing quote`,
		"{\"a\":\"\n\"}":         `at offset 6: key "a": a string holds a control character; write it as \u000a`,
		`{"a":"\q"}`:             `at offset 6: key "a": a string holds an escape that JSON does not know`,
		`{"a":"\u12g4"}`:         `at offset 6: key "a": a string holds an escape that JSON does not know`,
		"{\"a\":\"\xff\"}":       `at offset 5: key "a": the string is not valid UTF-8`,
		`{"a":"\udc00"}`:         `at offset 5: key "a": the string is not valid UTF-8`,
		"{\"\xff\":1}":           `at offset 1: the string is not valid UTF-8`,
	} {
		_, err := readAll(RejectUnknown, false, text)
		require.EqualError(t, err, want, "%q", text)
	}
}

func TestUnknownKeysAreRejectedOrSkipped(t *testing.T) {
	const unknown = `{"z":{"deep":[1,{"a":"x"},"\u0000"]},"a":"y","z":1}`
	_, err := readAll(RejectUnknown, false, unknown)
	require.Error(t, err)
	for _, policy := range []UnknownKeys{SkipUnlessMisspelt, SkipUnknown} {
		got, err := readAll(policy, false, unknown)
		require.NoError(t, err)
		require.Equal(t, map[string]any{"a": "y"}, got)
		_, err = readAll(policy, false, `{"z":[1,],"a":"y"}`)
		require.Error(t, err, "a skipped value must be JSON")
		_, err = readAll(policy, false, `{"a":"y","a":"y"}`)
		require.Error(t, err)
	}
	_, err = readAll(SkipUnlessMisspelt, false, `{"A":"x"}`)
	require.Error(t, err)
	_, err = readAll(SkipUnknown, false, `{"A":"x"}`)
	require.NoError(t, err)
}

func TestAKeyThatIsSkippedIsNotSimilarToAnother(t *testing.T) {
	keys := &Keys{Unknown: SkipUnlessMisspelt, Known: []string{"norms"}, Near: []string{"norms", "tests"}}
	read := func(text string) error {
		d := NewDecoder([]byte(text))
		return d.ReadObject(keys, func(string) error { return d.SkipValue() })
	}
	require.EqualError(t, read(`{"norms":1,"Tsets":1}`), `at offset 11: key "Tsets" is unknown, and similar to "tests"; write "tests", or choose a key that differs more`)
	for _, key := range []string{"norm", "norms ", "nroms", "noorms", "Norm", "TESTS", "test"} {
		require.ErrorContains(t, read(`{"`+key+`":1}`), "similar to", key)
	}
	for _, key := range []string{"tests", "notes", "rules", "norm_count", "comment", "", "x"} {
		require.NoError(t, read(`{"`+key+`":1}`), key)
	}
}

func TestRequiredKeysMustBeThere(t *testing.T) {
	d := NewDecoder([]byte(`  {"a":1}`))
	err := d.ReadObject(&Keys{Known: []string{"a", "b"}, Required: []string{"a", "b"}}, func(string) error { _, err := d.ReadInt(64); return err })
	require.EqualError(t, err, `at offset 2: key "b" is missing`)
}

func TestErrorsInsideObjectsHaveAPath(t *testing.T) {
	d := NewDecoder([]byte(`{"a":{"b":x}}`))
	keys := &Keys{Known: []string{"a", "b"}}
	err := d.ReadObject(keys, func(string) error {
		return d.ReadObject(keys, func(string) error { _, err := d.ReadBool(); return err })
	})
	require.EqualError(t, err, `at offset 10: key "a.b": want true or false, found 'x'`)

	other := errors.New("other")
	d = NewDecoder([]byte(`{"a":1}`))
	require.ErrorIs(t, d.ReadObject(keys, func(string) error { return other }), other)
}

func TestInvalidUTF8IsReplacedIfItIsAllowed(t *testing.T) {
	for text, want := range map[string]string{
		"\"a\xff\xfe\"": "a\uFFFD\uFFFD", `"\ud800"`: "\uFFFD", `"\ud800\u0041"`: "\uFFFDA", `"\udc00\ud83d\udc09"`: "\uFFFD🐉", "\"\\n\xe2\x82\"": "\n\uFFFD\uFFFD",
	} {
		got, err := (&Decoder{text: []byte(text), AllowInvalidUTF8: true}).ReadString()
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

// FuzzAppendCompact compares with encoding/json: which texts are JSON, and their
// form without white space.
func FuzzAppendCompact(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e3,"x\u00e9\\"],"b":null}`, ` [ true , false ] `, `"\ud800"`, "[1,]", "-", "1e", "\"\x7f\"", "{\"a\" :1}", `"\" "`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := AppendCompact([]byte("x"), text)
		if strings.Count(text, "[")+strings.Count(text, "{") > maxDepth {
			return
		}
		require.Equal(t, json.Valid([]byte(text)) && utf8.ValidString(text), err == nil, "%q: %v", text, err)
		if err != nil {
			return
		}
		var want bytes.Buffer
		require.NoError(t, json.Compact(&want, []byte(text)))
		require.Equal(t, "x"+want.String(), string(got))
		if got = got[1:]; got[0] == '"' {
			var s string
			require.NoError(t, json.Unmarshal(got, &s))
			read, err := (&Decoder{text: got, AllowInvalidUTF8: true}).ReadString()
			require.NoError(t, err)
			require.Equal(t, s, read)
		}
	})
}

// FuzzAppendQuote compares with encoding/json, which also replaces invalid bytes.
func FuzzAppendQuote(f *testing.F) {
	for _, s := range []string{"", "a\xffb", "\u2028\x00", "睡觉", "\xed\xa0\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text := AppendQuote(nil, s)
		requireShowable(t, text)
		var back string
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, ReplaceInvalid(s), back)
		read, err := NewDecoder(text).ReadString()
		require.NoError(t, err)
		require.Equal(t, back, read)
	})
}

func TestAllocs(t *testing.T) {
	room := make([]byte, 0, 4096)
	t.Run("AppendQuote into a slice with room", func(t *testing.T) {
		require.Zero(t, testing.AllocsPerRun(100, func() { AppendQuote(room, "a\n睡觉\u2028\xff") }))
	})
	t.Run("AppendCompact into a slice with room", func(t *testing.T) {
		require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = AppendCompact(room, ` {"a": [1, "x"]} `) }))
	})
}
