package normsync

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFactValidateSaysWhatToDo(t *testing.T) {
	after := func(f Fact) Fact {
		if f.After == "" {
			f.After = "verb:login"
		}
		if f.Name == "" {
			f.Name = "f"
		}
		return f
	}
	for _, f := range []Fact{
		{Name: "authenticated", After: "verb:login|sso", Until: "verb:logout"},
		{Name: "third_strike", Broke: `peace "no looting" town-* *`, Count: 1000, Within: 10 * time.Minute, Per: " Target  AGENT "},
		{Name: "睡觉", After: "*", Per: "world"},
		{Name: strings.Repeat("x", 128), After: "x", Per: "action"},
		{Name: "f", After: "x", Broke: " "},
	} {
		require.NoError(t, f.Validate(), "%+v", f)
	}
	for _, test := range []struct {
		f    Fact
		want string
	}{
		{Fact{After: "x"}, `normsync: invalid fact "": Name: the fact has no name; give it the word that norms look for, such as authenticated`},
		{after(Fact{Name: "a b"}), `normsync: invalid fact "a b": Name: byte 1 is ' ', so that no token of a norm could name the fact; write a word such as third_strike`},
		{after(Fact{Name: "a*"}), `Name: byte 1 is '*'`},
		{after(Fact{Name: "a|b"}), `Name: byte 1 is '|'`},
		{after(Fact{Name: "facts:a"}), `Name: byte 5 is ':'`},
		{after(Fact{Name: "a\u200b"}), `Name: byte 1 is U+200B, which is invisible`},
		{after(Fact{Name: "a\u2003b"}), `Name: byte 1 is U+2003, which looks like a space`},
		{after(Fact{Name: "a\xff"}), `Name: byte 1 (0xff) is not valid UTF-8`},
		{after(Fact{Name: "a\x00"}), `Name: byte 1 is the control character U+0000`},
		{after(Fact{Name: "AND"}), `Name: it is an operator of expressions, which norms refuse as a token; choose another word`},
		{after(Fact{Name: strings.Repeat("x", 129)}), `Name: it has 129 bytes, and at most 128 are allowed; shorten it`},
		{Fact{Name: "f"}, `normsync: invalid fact "f": After and Broke are both empty; say in After which action makes the fact, or in Broke which violated norm does`},
		{Fact{Name: "f", After: "x", Broke: "peace"}, `After and Broke are both set; declare two facts`},
		{after(Fact{After: "verb == login"}), `After: token "==" is an operator, but this is a list of tokens, not an expression; write "verb:login"`},
		{after(Fact{After: "login NOT night"}), `After: token "NOT" is an operator, but this is a list of tokens, not an expression; a fact has no exceptions; name what must be found`},
		{after(Fact{After: "login && night"}), `leave it out: all tokens must be found`},
		{after(Fact{After: "login OR sso"}), `write "login|sso"`},
		{after(Fact{After: "agent_id:bob"}), `After: token "agent_id:bob" names no field of an action: the agent is the field agent; write "agent:bob"`},
		{after(Fact{Until: "verb:"}), `Until: token "verb:" has nothing after the colon`},
		{after(Fact{Until: "a*b"}), `Until: word "a*b" has a * that is not at its end`},
		{Fact{Name: "f", Broke: `"no looting`}, `Broke: "\"no looting" has no closing quotation mark; write the name of a norm with blanks as "no looting"`},
		{Fact{Name: "f", Broke: "a*b"}, `Broke: word "a*b" has a * that is not at its end`},
		{Fact{Name: "f", Broke: strings.Repeat("n ", 65)}, `Broke: it has 65 names, and at most 64 are allowed`},
		{Fact{Name: "f", Broke: "a\nb"}, `Broke: byte 1 is the control character U+000A`},
		{after(Fact{Count: -1}), `Count: -1 is not between 1 and 1000; choose another number, or leave it out for 1`},
		{after(Fact{Count: 1001}), `Count: 1001 is not between 1 and 1000`},
		{after(Fact{Within: -1}), `Within: -1ns is negative; choose a positive duration, or leave it out for no limit`},
		{after(Fact{Per: "clan"}), `Per: "clan" is unknown; use agent, verb, location, target and faction, several of them separated by blanks, or world`},
		{after(Fact{Per: "facts"}), `Per: "facts" is unknown`},
		{after(Fact{Per: "agent Agent"}), `Per: "Agent" is there twice; leave one of them out`},
		{after(Fact{Per: "verb action"}), `Per: "action" is there twice`},
		{after(Fact{Per: "agent world"}), `Per: world means that everybody shares the fact, so it stands by itself; leave out the other words`},
	} {
		err := test.f.Validate()
		require.ErrorIs(t, err, ErrInvalid, "%+v", test.f)
		require.ErrorContains(t, err, test.want, "%+v", test.f)
		_, err = NewMemory([]Fact{{Name: "fine", After: "x"}, test.f}, nil)
		require.ErrorIs(t, err, ErrInvalid)
		require.ErrorContains(t, err, "normsync: new memory: invalid fact 2 of 2, ")
	}
}

func TestNewMemoryRefusesFactsThatDoNotGoTogether(t *testing.T) {
	for _, test := range []struct {
		want  string
		facts []Fact
	}{
		{`fact 2 of 2, "SEEN": Name: fact 1 has it, too; rename one of them`, []Fact{{Name: "seen", After: "a"}, {Name: "SEEN", After: "b"}}},
		{`fact "a": After: the fact can never hold, because it needs itself: "a" needs "a"; remove one of these facts: tokens`, []Fact{{Name: "a", After: "verb:x facts:a"}}},
		{`it needs itself: "b" needs "c" needs "b"`, []Fact{{Name: "a", After: "x facts:b"}, {Name: "b", After: "facts:c"}, {Name: "c", After: "facts:B"}}},
		{`it needs itself: "a" needs "b" needs "a"`, []Fact{{Name: "a", After: "facts:b|a"}, {Name: "b", After: "facts:a"}}},
	} {
		_, err := NewMemory(test.facts, nil)
		require.ErrorIs(t, err, ErrInvalid)
		require.ErrorContains(t, err, test.want)
		require.ErrorContains(t, Rules{Facts: test.facts}.Validate(), test.want)
	}
	for _, facts := range [][]Fact{
		{{Name: "on", After: "press|facts:off"}, {Name: "off", After: "facts:on press"}}, // a word with a bar: press, or facts:off
		{{Name: "a", After: "facts:a|other"}},
		{{Name: "a", After: "facts:a*"}},
		{{Name: "a", After: "verb:x", Until: "facts:a"}},
		{{Name: "a", Broke: "peace"}, {Name: "b", After: "facts:a"}},
	} {
		_, err := NewMemory(facts, nil)
		require.NoError(t, err)
	}
	_, err := NewMemory(make([]Fact, 1001), nil)
	require.ErrorContains(t, err, "facts: there are 1001, and at most 1000 are allowed")
	_, err = NewMemory(nil, &MemoryOptions{Keys: -1})
	require.ErrorContains(t, err, "normsync: invalid memory: Keys: -1 is negative")
}

func TestBrokeNamesNormsExactly(t *testing.T) {
	for _, test := range []struct {
		broke, norm string
		want        bool
	}{
		{"peace curfew", "curfew", true},
		{"peace curfew", "Curfew", false},
		{"peace curfew", "curfew-2", false},
		{"town-*", "town-peace", true},
		{"town-*", "my-town-peace", false},
		{`"no looting" x`, "no looting", true},
		{`"no looting" x`, "x", true},
		{`"no looting" x`, "no", false},
		{`"a*"`, "a*", true},
		{`"a*"`, "ab", false},
		{"*", "anything at all", true},
	} {
		m := memoryOf(t, nil, Fact{Name: "f", Broke: test.broke})
		m.Violated(Violation{NormName: test.norm, Action: Action{Agent: "a"}})
		require.Equal(t, test.want, m.Facts(Action{Agent: "a"}) == "f", "%+v", test)
	}
	twice := memoryOf(t, nil, Fact{Name: "f", Broke: "peace pe* p* *", Count: 2})
	twice.Violated(Violation{NormName: "peace", Action: Action{Agent: "a"}})
	require.Equal(t, "", twice.Facts(Action{Agent: "a"}), "a violation counts once")
}

func TestFactJSONIsTheFact(t *testing.T) {
	for text, f := range map[string]Fact{
		`{"name":"authenticated","after":"verb:login","until":"verb:logout"}`:                           {Name: "authenticated", After: "verb:login", Until: "verb:logout"},
		`{"name":"f","broke":"peace \"no looting\"","count":3,"within":"10m0s","per":"agent location"}`: {Name: "f", Broke: `peace "no looting"`, Count: 3, Within: 10 * time.Minute, Per: "agent location"},
	} {
		b, err := json.Marshal(f)
		require.NoError(t, err)
		require.Equal(t, text, string(b))
		var read Fact
		require.NoError(t, json.Unmarshal(b, &read))
		require.Equal(t, f, read)
	}
	for text, want := range map[string]string{
		`{"after":"x"}`:                        `normsync: invalid fact at offset 0: key "name" is missing`,
		`{"name":"f","After":"x"}`:             `key "After" is unknown; it is written "after"`,
		`{"name":"f","when":"x"}`:              `key "when" is unknown; the keys are name, after, broke, count, within, per, until`,
		`{"name":"f","count":0}`:               `key "count": 0 is not between 1 and 1000`,
		`{"name":"f","within":600}`:            `key "within": want a string, found a number`,
		`{"name":"f","within":"0s"}`:           `key "within": "0s" is not a positive duration; write it as 10s, 5m or 1h30m, or leave it out`,
		`{"name":"f","within":"2d"}`:           `"2d" is not a positive duration`,
		`{"name":"f","name":"g","after":null}`: `key "name" is there twice`,
	} {
		f := Fact{Name: "old"}
		err := f.UnmarshalJSON([]byte(text))
		require.ErrorIs(t, err, ErrInvalid)
		require.ErrorContains(t, err, want)
		require.Equal(t, Fact{Name: "old"}, f)
	}
}
