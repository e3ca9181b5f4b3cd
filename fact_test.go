package normsync_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

func TestFactValidateSaysWhatToDo(t *testing.T) {
	after := func(f normsync.Fact) normsync.Fact {
		if f.After == "" {
			f.After = "verb:login"
		}
		if f.Name == "" {
			f.Name = "f"
		}
		return f
	}
	for _, f := range []normsync.Fact{
		{Name: "authenticated", After: "verb:login|sso", Until: "verb:logout"},
		{Name: "third_strike", Broke: `peace "no looting" town-* *`, Count: 1000, Within: 10 * time.Minute, Per: " Target  AGENT "},
		{Name: "睡觉", After: "*", Per: "world"},
		{Name: strings.Repeat("x", 128), After: "x", Per: "action"},
		{Name: "f", After: "x", Broke: " "},
	} {
		require.NoError(t, f.Validate(), "%+v", f)
	}
	for _, test := range []struct {
		f    normsync.Fact
		want string
	}{
		{normsync.Fact{After: "x"}, `normsync: invalid fact "": Name: the fact has no name; give it the word that norms look for, such as authenticated`},
		{after(normsync.Fact{Name: "a b"}), `normsync: invalid fact "a b": Name: byte 1 is ' ', so that no token of a norm could name the fact; write a word such as third_strike`},
		{after(normsync.Fact{Name: "a*"}), `Name: byte 1 is '*'`},
		{after(normsync.Fact{Name: "a|b"}), `Name: byte 1 is '|'`},
		{after(normsync.Fact{Name: "facts:a"}), `Name: byte 5 is ':'`},
		{after(normsync.Fact{Name: "a\u200b"}), `Name: byte 1 is U+200B, which is invisible`},
		{after(normsync.Fact{Name: "a\u2003b"}), `Name: byte 1 is U+2003, which looks like a space`},
		{after(normsync.Fact{Name: "a\xff"}), `Name: byte 1 (0xff) is not valid UTF-8`},
		{after(normsync.Fact{Name: "a\x00"}), `Name: byte 1 is the control character U+0000`},
		{after(normsync.Fact{Name: "AND"}), `Name: it is an operator of expressions, which norms refuse as a token; choose another word`},
		{after(normsync.Fact{Name: strings.Repeat("x", 129)}), `Name: it has 129 bytes, and at most 128 are allowed; shorten it`},
		{normsync.Fact{Name: "f"}, `normsync: invalid fact "f": After and Broke are both empty; say in After which action makes the fact, or in Broke which violated norm does`},
		{normsync.Fact{Name: "f", After: "x", Broke: "peace"}, `After and Broke are both set; declare two facts`},
		{after(normsync.Fact{After: "verb == login"}), `After: token "==" is an operator, but this is a list of tokens, not an expression; write "verb:login"`},
		{after(normsync.Fact{After: "login NOT night"}), `After: token "NOT" is an operator, but this is a list of tokens, not an expression; a fact has no exceptions; name what must be found`},
		{after(normsync.Fact{After: "login && night"}), `leave it out: all tokens must be found`},
		{after(normsync.Fact{After: "login OR sso"}), `write "login|sso"`},
		{after(normsync.Fact{After: "agent_id:bob"}), `After: token "agent_id:bob" names no field of an action: the agent is the field agent; write "agent:bob"`},
		{after(normsync.Fact{Until: "verb:"}), `Until: token "verb:" has nothing after the colon`},
		{after(normsync.Fact{Until: "a*b"}), `Until: word "a*b" has a * that is not at its end`},
		{normsync.Fact{Name: "f", Broke: `"no looting`}, `Broke: "\"no looting" has no closing quotation mark; write the name of a norm with blanks as "no looting"`},
		{normsync.Fact{Name: "f", Broke: `"no looting"*`}, `Broke: "*" follows the closing quotation mark of "\"no looting\""; put a blank between two names, and write a prefix without quotation marks`},
		{normsync.Fact{Name: "f", Broke: `"a""b"`}, `Broke: "\"b\"" follows the closing quotation mark`},
		{normsync.Fact{Name: "f", Broke: `x ""`}, `Broke: it has an empty name; name a norm, or write * for all of them`},
		{normsync.Fact{Name: "f", Broke: "a*b"}, `Broke: word "a*b" has a * that is not at its end`},
		{normsync.Fact{Name: "f", Broke: strings.Repeat("n ", 65)}, `Broke: it has 65 names, and at most 64 are allowed`},
		{normsync.Fact{Name: "f", Broke: "a\nb"}, `Broke: byte 1 is the control character U+000A`},
		{after(normsync.Fact{Count: -1}), `Count: -1 is not between 1 and 1000; choose another number, or leave it out for 1`},
		{after(normsync.Fact{Count: 1001}), `Count: 1001 is not between 1 and 1000`},
		{after(normsync.Fact{Within: -1}), `Within: -1ns is negative; choose a positive duration, or leave it out for no limit`},
		{after(normsync.Fact{Per: "clan"}), `Per: "clan" is unknown; use agent, verb, location, target and faction, several of them separated by blanks, or world`},
		{after(normsync.Fact{Per: "facts"}), `Per: "facts" is unknown`},
		{after(normsync.Fact{Per: "agent Agent"}), `Per: "Agent" is there twice; leave one of them out`},
		{after(normsync.Fact{Per: "verb action"}), `Per: "action" is there twice`},
		{after(normsync.Fact{Per: "agent world"}), `Per: world means that everybody shares the fact, so it stands by itself; leave out the other words`},
	} {
		err := test.f.Validate()
		require.ErrorIs(t, err, normsync.ErrInvalid, "%+v", test.f)
		require.ErrorContains(t, err, test.want, "%+v", test.f)
		_, err = normsync.NewMemory([]normsync.Fact{{Name: "fine", After: "x"}, test.f}, nil)
		require.ErrorIs(t, err, normsync.ErrInvalid)
		require.ErrorContains(t, err, "normsync: new memory: invalid fact 2 of 2, ")
	}
}

func TestNewMemoryRefusesFactsThatDoNotGoTogether(t *testing.T) {
	for _, test := range []struct {
		want  string
		facts []normsync.Fact
	}{
		{`fact 2 of 2, "SEEN": Name: fact 1 has it, too; rename one of them`, []normsync.Fact{{Name: "seen", After: "a"}, {Name: "SEEN", After: "b"}}},
		{`fact "a": After: the fact can never hold, because it needs itself: "a" needs "a"; remove one of these facts: tokens`, []normsync.Fact{{Name: "a", After: "verb:x facts:a"}}},
		{`it needs itself: "b" needs "c" needs "b"`, []normsync.Fact{{Name: "a", After: "x facts:b"}, {Name: "b", After: "facts:c"}, {Name: "c", After: "facts:B"}}},
		{`it needs itself: "a" needs "b" needs "a"`, []normsync.Fact{{Name: "a", After: "facts:b|a"}, {Name: "b", After: "facts:a"}}},
	} {
		_, err := normsync.NewMemory(test.facts, nil)
		require.ErrorIs(t, err, normsync.ErrInvalid)
		require.ErrorContains(t, err, test.want)
		require.ErrorContains(t, normsync.Rules{Facts: test.facts}.Validate(), test.want)
	}
	for _, facts := range [][]normsync.Fact{
		{{Name: "on", After: "press|facts:off"}, {Name: "off", After: "facts:on press"}}, // a word with a bar: press, or facts:off
		{{Name: "a", After: "facts:a|other"}},
		{{Name: "a", After: "facts:a*"}},
		{{Name: "a", After: "verb:x", Until: "facts:a"}},
		{{Name: "a", Broke: "peace"}, {Name: "b", After: "facts:a"}},
	} {
		_, err := normsync.NewMemory(facts, nil)
		require.NoError(t, err)
	}
	_, err := normsync.NewMemory(make([]normsync.Fact, 1001), nil)
	require.ErrorContains(t, err, "facts: there are 1001, and at most 1000 are allowed")
	_, err = normsync.NewMemory(nil, &normsync.MemoryOptions{Keys: -1})
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
		{` "no looting"  "a b" `, "no looting", true},
		{` "no looting"  "a b" `, "a b", true},
		{`"a*"`, "a*", true},
		{`"a*"`, "ab", false},
		{"*", "anything at all", true},
	} {
		m := memoryOf(t, nil, normsync.Fact{Name: "f", Broke: test.broke})
		m.Violated(normsync.Violation{NormName: test.norm, Action: normsync.Action{Agent: "a"}})
		require.Equal(t, test.want, m.Facts(normsync.Action{Agent: "a"}) == "f", "%+v", test)
	}
	twice := memoryOf(t, nil, normsync.Fact{Name: "f", Broke: "peace pe* p* *", Count: 2})
	twice.Violated(normsync.Violation{NormName: "peace", Action: normsync.Action{Agent: "a"}})
	require.Equal(t, "", twice.Facts(normsync.Action{Agent: "a"}), "a violation counts once")
}

func TestAMemoryHasItsFactsInCanonicalForm(t *testing.T) {
	m := memoryOf(t, nil, normsync.Fact{Name: "a", After: "*", Per: " Target AGENT"}, normsync.Fact{Name: "b", After: "*", Per: "WORLD"}, normsync.Fact{Name: "c", After: "*"})
	require.Equal(t, []normsync.Fact{
		{Name: "a", After: "*", Count: 1, Per: "agent target"}, {Name: "b", After: "*", Count: 1, Per: "world"}, {Name: "c", After: "*", Count: 1, Per: "agent"},
	}, slices.Collect(m.All()))
}

func TestFactJSONIsTheFact(t *testing.T) {
	for text, f := range map[string]normsync.Fact{
		`{"name":"authenticated","after":"verb:login","until":"verb:logout"}`:                           {Name: "authenticated", After: "verb:login", Until: "verb:logout"},
		`{"name":"f","broke":"peace \"no looting\"","count":3,"within":"10m0s","per":"agent location"}`: {Name: "f", Broke: `peace "no looting"`, Count: 3, Within: 10 * time.Minute, Per: "agent location"},
	} {
		b, err := json.Marshal(f)
		require.NoError(t, err)
		require.Equal(t, text, string(b))
		var read normsync.Fact
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
		f := normsync.Fact{Name: "old"}
		err := f.UnmarshalJSON([]byte(text))
		require.ErrorIs(t, err, normsync.ErrInvalid)
		require.ErrorContains(t, err, want)
		require.Equal(t, normsync.Fact{Name: "old"}, f)
	}
}
