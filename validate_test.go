package normsync_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/internal/invisible"
)

// tollgate is a valid norm, changed by f.
func tollgate(f func(n *normsync.Norm)) normsync.Norm {
	n := normsync.Norm{Name: "tollgate", Condition: "bridge", Prohibited: "cross"}
	f(&n)
	return n
}

var tokenFields = map[string]func(n *normsync.Norm, s string){
	"Condition":  func(n *normsync.Norm, s string) { n.Condition = s },
	"Unless":     func(n *normsync.Norm, s string) { n.Unless = s },
	"Prohibited": func(n *normsync.Norm, s string) { n.Prohibited = s },
	"Permitted":  func(n *normsync.Norm, s string) { n.Prohibited, n.Permitted = "", s },
}

func TestValidateAccepts(t *testing.T) {
	for name, n := range map[string]normsync.Norm{
		"a name, a condition and verbs":     tollgate(func(n *normsync.Norm) {}),
		"no condition":                      tollgate(func(n *normsync.Norm) { n.Condition = "" }),
		"a condition of white space":        tollgate(func(n *normsync.Norm) { n.Condition = " " }),
		"a repealed norm":                   tollgate(func(n *normsync.Norm) { n.Repealed = true }),
		"any script, and what JSON escapes": tollgate(func(n *normsync.Norm) { n.Name, n.Scope = `不在 "咖啡馆" \ | 睡觉`, "é\uFFFD" }),
		"a name of several words":           tollgate(func(n *normsync.Norm) { n.Name = "no toll at night e\u0301" }),
		"spaces as they come but in the name": tollgate(func(n *normsync.Norm) {
			n.Scope, n.Description, n.Condition = " the  town\u200d ", "\u00a0a  b\u2800 ", " a\u00a0  b "
		}),
		"200 bytes of name":                   tollgate(func(n *normsync.Norm) { n.Name = strings.Repeat("n", 200) }),
		"4 KiB of description":                tollgate(func(n *normsync.Norm) { n.Description = strings.Repeat("d", 4096) }),
		"tabs and line ends in a description": tollgate(func(n *normsync.Norm) { n.Description = "a\tb\nc\r\nd\n" }),
		"tokens of 128 bytes":                 tollgate(func(n *normsync.Norm) { n.Condition = strings.Repeat("t", 128) }),
		"64 tokens in each field": tollgate(func(n *normsync.Norm) {
			n.Condition = strings.Repeat("t ", 64)
			n.Unless, n.Prohibited = n.Condition, n.Condition
		}),
		"prefixes, and * for anything": tollgate(func(n *normsync.Norm) { n.Condition, n.Unless, n.Prohibited = "zone* *", "location:zone*", "*" }),
		"fields in any case":           tollgate(func(n *normsync.Norm) { n.Condition, n.Unless = "Location:x FACTION:y:z", "agent:* target:: action:a" }),
		"colons that name no field":    tollgate(func(n *normsync.Norm) { n.Condition, n.Prohibited = "zone: :x", "minecraft:cross tp:*" }),
		"operators inside words":       tollgate(func(n *normsync.Norm) { n.Condition = "a=b a== != === &&& ORC and or not" }),
		"invisible characters in words": tollgate(func(n *normsync.Norm) {
			n.Condition, n.Unless, n.Prohibited = "O\u0301R or\u200b t\u200bo:x", "agent:a\u200b \u200b", "cr\u200boss"
		}),
		"words that other languages punctuate": tollgate(func(n *normsync.Norm) {
			n.Condition, n.Unless, n.Prohibited = ">>Agent[02] a;b (x,y)", "agent_idle: my_agent_id:x", "!attack @e[type=minecraft:creeper,limit=5]"
		}),
		"alternatives, and bars in words": tollgate(func(n *normsync.Norm) {
			n.Condition, n.Unless, n.Prohibited = `forest|swamp* location:a|b*|c target:\| a\|b|c`, "agent:\u200b|gm-*", `x\|y`
		}),
		"64 words in alternatives": tollgate(func(n *normsync.Norm) { n.Condition = strings.Repeat("a|b ", 31) + "c d" }),
		"alternatives of 128 bytes": tollgate(func(n *normsync.Norm) {
			n.Condition = "location:" + strings.Repeat("t", 128) + "|" + strings.Repeat("u", 127) + "*"
		}),
		"invisible characters among tokens": tollgate(func(n *normsync.Norm) { n.Condition, n.Prohibited = "\u200b zone", "at\u200btack \ufe0f" }),
		"times from the year 1 to 9999": tollgate(func(n *normsync.Norm) {
			n.From, n.Until = time.Time{}.Add(1), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)
		}),
		"white space that is no control":       tollgate(func(n *normsync.Norm) { n.Condition = "a\u00a0b\u3000c" }),
		"marks that give a direction in words": tollgate(func(n *normsync.Norm) { n.Description = "\u200fשלום\u200e" }),
	} {
		t.Run(name, func(t *testing.T) { require.NoError(t, n.Validate()) })
	}
}

func TestValidateSaysWhatToDo(t *testing.T) {
	type refusal struct {
		n    normsync.Norm
		want string // behind "normsync: invalid norm "
	}
	cases := map[string]refusal{
		"no name":                      {normsync.Norm{Prohibited: "cross"}, `"": Name: the norm has no name; give it a name, which reports and changes refer to`},
		"a name of blanks":             {normsync.Norm{Name: " \u3000", Prohibited: "cross"}, `" \u3000": Name: the norm has no name; give it a name, which reports and changes refer to`},
		"a long name":                  {tollgate(func(n *normsync.Norm) { n.Name = strings.Repeat("睡", 67) }), `"` + strings.Repeat("睡", 60) + `": Name: it has 201 bytes, and at most 200 are allowed; put the rest in Description`},
		"a name of two lines":          {tollgate(func(n *normsync.Norm) { n.Name = "toll\ngate" }), `"toll\ngate": Name: byte 4 is the control character U+000A; remove it`},
		"no verbs":                     {tollgate(func(n *normsync.Norm) { n.Prohibited = "" }), `"tollgate": Prohibited and Permitted are both empty; name the verbs that the norm forbids in Prohibited, or those that it allows in Permitted`},
		"both kinds of verbs":          {tollgate(func(n *normsync.Norm) { n.Permitted = "pay" }), `"tollgate": Prohibited and Permitted are both set; split the norm into two`},
		"a long description":           {tollgate(func(n *normsync.Norm) { n.Description = strings.Repeat("d", 4097) }), `"tollgate": Description: it has 4097 bytes, and at most 4096 are allowed; shorten it`},
		"an unknown severity":          {tollgate(func(n *normsync.Norm) { n.Severity = "WARN\n" }), `"tollgate": Severity: "WARN\n" is unknown; use info, warn or error, or leave it empty for warn`},
		"a space before the name":      {tollgate(func(n *normsync.Norm) { n.Name = " toll" }), `" toll": Name: byte 0 is a space at an end of the name, where it is invisible; remove it`},
		"a space behind the name":      {tollgate(func(n *normsync.Norm) { n.Name = "toll " }), `"toll ": Name: byte 4 is a space at an end of the name, where it is invisible; remove it`},
		"two spaces behind the name":   {tollgate(func(n *normsync.Norm) { n.Name = "toll  " }), `"toll  ": Name: byte 5 is a space at an end of the name, where it is invisible; remove it`},
		"two spaces in a name":         {tollgate(func(n *normsync.Norm) { n.Name = "toll at  the gate" }), `"toll at  the gate": Name: byte 8 is the second of two spaces, which look like one; remove it`},
		"an ideographic space":         {tollgate(func(n *normsync.Norm) { n.Name = "toll\u3000gate" }), `"toll\u3000gate": Name: byte 4 is U+3000, which looks like a space; write a space, or remove it`},
		"a no-break space at the end":  {tollgate(func(n *normsync.Norm) { n.Name = "toll\u00a0" }), `"toll\u00a0": Name: byte 4 is U+00A0, which looks like a space; write a space, or remove it`},
		"a zero width space in a name": {tollgate(func(n *normsync.Norm) { n.Name = "toll\u200b" }), `"toll\u200b": Name: byte 4 is U+200B, which is invisible, so that the name looks like another; remove it`},
		"a joiner in a name":           {tollgate(func(n *normsync.Norm) { n.Name = "to\u200dll" }), `byte 2 is U+200D, which is invisible`},
		"a variation selector":         {tollgate(func(n *normsync.Norm) { n.Name = "toll\U000E0100gate" }), `byte 4 is U+E0100, which is invisible`},
		"a Braille blank":              {tollgate(func(n *normsync.Norm) { n.Name = "\u2800toll" }), `byte 0 is U+2800, which is invisible`},
		"a Hangul filler":              {tollgate(func(n *normsync.Norm) { n.Name = "\u3164" }), `byte 0 is U+3164, which is invisible`},
		"a carriage return that ends no line": {tollgate(func(n *normsync.Norm) { n.Description = "deny\rallow" }),
			`"tollgate": Description: byte 4 is the control character U+000D; remove it`},
	}
	for field, set := range tokenFields {
		bad := func(name, text, problem string) {
			cases[name+" in "+field] = refusal{tollgate(func(n *normsync.Norm) { set(n, text) }), `"tollgate": ` + field + ": " + problem}
		}
		bad("65 words", strings.Repeat("t ", 65), `it has 65 words, alternatives included, and at most 64 are allowed; split the norm into several, or use a prefix such as zone*`)
		bad("a long token", "x "+strings.Repeat("t", 129), `word "`+strings.Repeat("t", 60)+`" has 129 bytes, and at most 128 are allowed; shorten it, or use a prefix such as zone*`)
		bad("a * at the beginning", "*zone", `word "*zone" has a * that is not at its end; only a prefix can be matched, for example zone*`)
		bad("a * before another", "zone**", `word "zone**" has a * that is not at its end; only a prefix can be matched, for example zone*`)
		const operator = "is an operator, but this is a list of tokens, not an expression; "
		const hidden = `, but is an ordinary word, since it has invisible characters; remove them`
		for written, seen := range map[string]string{"O\u200bR": "OR", "&\ufe0f&": "&&", "tar\u200bget:x": "target:x", "\u2060agent_ID:x": "agent_ID:x"} {
			bad("invisible characters in "+seen, "x "+written, "token "+strconv.QuoteToASCII(written)+" looks like "+strconv.Quote(seen)+hidden)
		}
		if field == "Prohibited" || field == "Permitted" {
			bad("blanks", "  ", `it has only white space and invisible characters; leave it empty, or name verbs`)
			bad("invisible characters", "\u200b \ufe0f", `it has only white space and invisible characters; leave it empty, or name verbs`)
			bad("a bar", "cross|walk", `token "cross|walk" has a bar, but here each token is an alternative already; write "cross walk", or \| for a bar in a word`)
			bad("a bar before a word", "|walk", `token "|walk" has a bar, but here each token is an alternative already; write \| for a bar in a word`)
			bad("a bar behind a word", "cross|", `token "cross|" has a bar, but here each token is an alternative already; write \| for a bar in a word`)
			bad("agent_id", "Agent_ID:hero", `token "Agent_ID:hero" looks at a field, but only the verb is looked at here; write "agent:hero" in Condition or Unless`)
			bad("NOT", "NOT cross", `token "NOT" `+operator+`write only the verbs that the norm names, and permit others by a norm with Permitted and a higher Priority`)
			bad("a field", "x TARGET:y", `token "TARGET:y" looks at a field, but only the verb is looked at here; write only the verb here, and the rest in Condition`)
			bad("an unfinished field", "target:", `token "target:" looks at a field, but only the verb is looked at here; write only the verb here, and the rest in Condition`)
			bad("==", "action == x", `token "==" `+operator+`write only the verbs`)
		} else {
			bad("a field with * inside", "location:a*b", `word "a*b" has a * that is not at its end; only a prefix can be matched, for example zone*`)
			bad("an unfinished field", "Location: town", `token "Location:" has nothing after the colon; write Location:word without a space, or Location:* for anything at all`)
			bad("==", "x a=b target == 'dragon'", `token "==" `+operator+`write "target:dragon"`)
			bad("= without a field", "zone = dragon", `token "=" `+operator+`write "location:safe_zone"`)
			bad("= at the end", "target =", `token "=" `+operator+`write "location:safe_zone"`)
			bad("= alone", "=", `token "=" `+operator+`write "location:safe_zone"`)
			bad("== before nothing in quotes", "target == ''", `token "==" `+operator+`write "location:safe_zone"`)
			const beside = ` has a bar with nothing beside it; write a word on each side of it, or \| for a bar in a word`
			for _, text := range []string{"|", "|a", "a|", "a||b", "location:|a", "location:a|", "agent:|a", `a\|b|`} {
				bad("nothing beside the bar of "+text, "x "+text, `token `+strconv.Quote(text)+beside)
			}
			bad("what cannot be seen beside a bar", "a|\u200b", `token "a|\u200b"`+beside)
			bad("a field with what cannot be seen", "Location:\u200b", `token "Location:\u200b" has nothing after the colon; write Location:word without a space, or Location:* for anything at all`)
			bad("a long alternative", "a|"+strings.Repeat("t", 129), `word "`+strings.Repeat("t", 60)+`" has 129 bytes, and at most 128 are allowed; shorten it, or use a prefix such as zone*`)
			bad("an alternative with * inside", "a|*b|c", `word "*b" has a * that is not at its end; only a prefix can be matched, for example zone*`)
			bad("65 words in 33 tokens", "x"+strings.Repeat(" a|location:b", 32), `it has 65 words, alternatives included, and at most 64 are allowed; split the norm into several, or use a prefix such as zone*`)
			bad("agent_id", "x AGENT_ID:hero", `token "AGENT_ID:hero" names no field of an action: the agent is the field agent; write "agent:hero"`)
			bad("== before what cannot be seen", "target == a\u200bb", `token "==" `+operator+`write "target:a\u200bb"`)
		}
		if field == "Condition" {
			bad("&&", "a && b", `token "&&" `+operator+`leave it out: all tokens must be found`)
			bad("AND", "a AND b", `token "AND" `+operator+`leave it out: all tokens must be found`)
			const split = `write any of two words as a|b, or write one norm for each side`
			bad("||", "a || b", `token "||" `+operator+`write "a|b"`)
			bad("OR", "x safe_zone OR arena", `token "OR" `+operator+`write "safe_zone|arena"`)
			bad("OR of one field", "location:a OR LOCATION:b|c", `token "OR" `+operator+`write "location:a|b|c"`)
			bad("OR of two fields", "location:a OR target:b", `token "OR" `+operator+split)
			bad("OR of a field and a word", "location:a OR b", `token "OR" `+operator+split)
			bad("OR at the end", "a OR", `token "OR" `+operator+split)
			bad("OR at the beginning", "OR a", `token "OR" `+operator+split)
			bad("OR before an operator", "a OR NOT b", `token "OR" `+operator+split)
			bad("NOT", "zone NOT night", `token "NOT" `+operator+`write "night" in Unless`)
			bad("NOT at the end", "zone NOT", `token "NOT" `+operator+`write in Unless what must not be found`)
		} else {
			bad("AND", "a AND b", `token "AND" `+operator+`leave it out, and note that any token is enough`)
			bad("OR", "a OR b", `token "OR" `+operator+`leave it out: any token is enough`)
			if field == "Unless" {
				bad("NOT", "NOT night", `token "NOT" `+operator+`leave it out: each token here exempts the actions that have it`)
			}
			bad("&&", "a && b", `token "&&" `+operator+`leave it out, and note that any token is enough`)
			bad("||", "a || b", `token "||" `+operator+`leave it out: any token is enough`)
		}
	}
	lines := map[string]func(n *normsync.Norm, s string){
		"Description": func(n *normsync.Norm, s string) { n.Description = s },
		"Scope":       func(n *normsync.Norm, s string) { n.Scope = s },
	}
	for field, set := range tokenFields {
		lines[field] = set
	}
	for field, set := range lines {
		bad := func(name, text, problem string) {
			cases[name+" in "+field] = refusal{tollgate(func(n *normsync.Norm) { set(n, text) }), `"tollgate": ` + field + ": " + problem}
		}
		bad("Latin-1", "睡\xe9", `byte 3 (0xe9) is not valid UTF-8; save the text as UTF-8`)
		bad("half a character", "x\xe2\x82", `byte 1 (0xe2) is not valid UTF-8; save the text as UTF-8`)
		for c := rune(0); c < 0xA0; c++ {
			if unicode.IsControl(c) && (field != "Description" || c != '\t' && c != '\n') {
				bad("the control character "+string(c), "x"+string(c), "byte 1 is the control character U+00"+strings.ToUpper(string("0123456789abcdef"[c>>4])+string("0123456789abcdef"[c&15]))+"; remove it")
			}
		}
		for _, c := range "\u202A\u202B\u202C\u202D\u202E\u2066\u2067\u2068\u2069" {
			cases["an override of the direction in "+field+string(c)] = refusal{tollgate(func(n *normsync.Norm) { set(n, "ab"+string(c)) }), `overrides the direction of writing`}
		}
	}
	outOfYears := func(n normsync.Norm, year, field string) refusal {
		return refusal{n, `"tollgate": ` + field + `: the year ` + year + ` is not between 1 and 9999; choose another time, or leave it out`}
	}
	cases["a time before the year 1"] = outOfYears(tollgate(func(n *normsync.Norm) { n.From = time.Time{}.Add(-1) }), "0", "From")
	cases["a time after the year 9999"] = outOfYears(tollgate(func(n *normsync.Norm) { n.Until = time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("west", -3600)) }), "10000", "Until")
	cases["two faults"] = refusal{tollgate(func(n *normsync.Norm) { n.Severity, n.Advice = "loud", "a\x01" }), `"tollgate": Severity: "loud" is unknown; use info, warn or error, or leave it empty for warn`}
	for name, c := range cases {
		err := c.n.Validate()
		require.ErrorIs(t, err, normsync.ErrInvalid, name)
		if strings.HasPrefix(c.want, `"`) {
			require.EqualError(t, err, "normsync: invalid norm "+c.want, name)
		}
		require.ErrorContains(t, err, c.want, name)
		for _, r := range err.Error() {
			require.True(t, unicode.IsPrint(r) && !invisible.Is(r), "%s: the message itself can be shown, without %U", name, r)
		}
	}
}

// testdata/store-0.1 was written by version 0.1, which allowed these names.
func TestAStoreWithNamesThatLookTheSameStillOpens(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "store-0.1"))))
	s, err := normsync.OpenFile(dir, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	m, err := normsync.Open(t.Context(), s, nil)
	require.NoError(t, err)

	a := normsync.Action{Agent: "hero", Verb: "attack", Location: "safe_zone"}
	var got []string
	for _, v := range m.Check(a) {
		got = append(got, v.NormName)
	}
	names := []string{"no  fights", "no\u00a0trade", "peace", "peace ", "peace\u200b", "\u2800toll"}
	require.Equal(t, names, got)
	require.Len(t, m.Refused(), len(names)-1, "all but peace")
	for name, versions := range map[string]int{" peace": 2, "peace ": 2, "peace\u200b": 1} {
		history, err := normsync.History(t.Context(), s, name)
		require.NoError(t, err)
		require.Len(t, history, versions)
	}
	before, err := normsync.AtEdition(t.Context(), s, 7)
	require.NoError(t, err)
	require.Equal(t, 7, before.Len())

	for i, name := range names {
		if name == "peace" {
			continue
		}
		n, ok := m.Constitution().Norm(name)
		require.True(t, ok)
		n.Severity = normsync.SeverityInfo
		_, err := m.Apply(t.Context(), normsync.Amend(n))
		require.ErrorIs(t, err, normsync.ErrInvalid)
		require.ErrorContains(t, err, "Name: byte ")
		_, err = m.Apply(t.Context(), normsync.Repeal(name), normsync.Enact(tollgate(func(n *normsync.Norm) { n.Name = fmt.Sprintf("gate %d", i) })))
		require.NoError(t, err)
	}
	_, err = m.Apply(t.Context(), normsync.Enact(tollgate(func(n *normsync.Norm) { n.Name = " peace" })))
	require.ErrorIs(t, err, normsync.ErrInvalid)
	again, err := normsync.Open(t.Context(), s, nil)
	require.NoError(t, err)
	require.Equal(t, slices.Collect(m.Constitution().All()), slices.Collect(again.Constitution().All()))
}

// logged returns a store with a log that enacts norms without validating them.
func logged(t *testing.T, norms ...normsync.Norm) normsync.Store {
	s := new(normsync.MemStore)
	for i, n := range norms {
		require.NoError(t, s.AppendRevisions(t.Context(), normsync.Revision{Edition: uint64(i + 1), Version: 1, Change: normsync.Enact(n), Time: time.Unix(1, 0)}))
	}
	return s
}

func TestANormThatIsRefusedNowStaysInForceAsItWas(t *testing.T) {
	norms := []normsync.Norm{
		prohibition("agent_id", "agent_id:hero", "attack"),
		prohibition("any verb", "", "loot|steal"),
		prohibition("bar", "|", "attack"),
		prohibition("half", "forest|", "attack"),
		prohibition("many", strings.TrimSpace(strings.Repeat("cave|mine ", 33)), "attack"),
		prohibition("nothing", "facts:", "attack"),
		prohibition("or", "safe_zone OR arena", "attack"),
		prohibition("peace", "market", "attack"),
		prohibition("verb field", "", "verb:attack"),
	}
	m := openOn(t, logged(t, norms...))
	require.Equal(t, norms, slices.Collect(m.Constitution().All()))
	var refused []string
	for _, err := range m.Refused() {
		require.ErrorIs(t, err, normsync.ErrInvalid)
		refused = append(refused, err.Error())
	}
	var want []string
	for _, n := range norms {
		if err := n.Validate(); err != nil {
			want = append(want, err.Error())
			_, err = m.Apply(t.Context(), normsync.Amend(n))
			require.ErrorIs(t, err, normsync.ErrInvalid)
		}
	}
	require.Equal(t, want, refused)
	require.NotContains(t, strings.Join(refused, ""), "peace")

	for _, c := range []struct {
		a    normsync.Action
		norm string
	}{
		{normsync.Action{Verb: "attack", Agent: "hero"}, ""},
		{normsync.Action{Verb: "attack", Target: "AGENT_ID:hero"}, "agent_id"},
		{normsync.Action{Verb: "loot"}, ""},
		{normsync.Action{Verb: "loot|steal"}, "any verb"},
		{normsync.Action{Verb: "attack", Target: "|"}, "bar"},
		{normsync.Action{Verb: "attack", Location: "forest"}, ""},
		{normsync.Action{Verb: "attack", Location: "forest|"}, "half"},
		{normsync.Action{Verb: "attack", Location: "safe_zone arena"}, ""},
		{normsync.Action{Verb: "attack", Location: "safe_zone or arena"}, "or"},
		{normsync.Action{Verb: "verb:attack"}, "verb field"},
		{normsync.Action{Verb: "attack", Location: "mine"}, "many"},
		{normsync.Action{Verb: "attack", Facts: "night"}, ""},
		{normsync.Action{Verb: "attack", Target: "facts:"}, "nothing"},
	} {
		var got []string
		for _, v := range m.Check(c.a) {
			got = append(got, v.NormName)
		}
		require.Equal(t, c.norm, strings.Join(got, " and "), "%+v", c.a)
	}
	for name := range normsOf(m.Constitution()) {
		if name != "peace" {
			applyTo(t, m, normsync.Repeal(name))
		}
	}
	require.Empty(t, m.Refused())
}

func TestNormsOfALogThatAreRefusedNowDoNoHarm(t *testing.T) {
	many := strings.TrimSpace(strings.Repeat(strings.Repeat("a|", 63)+"b ", 64))
	norms := []normsync.Norm{
		prohibition("bars", "| agent:| location:|| a||b*", "| a|b"),
		prohibition("blank verb", "", "\u200b"),
		prohibition("blanks", "\u200b location:\ufe0f a|\u200b", "attack \u200b*"),
		prohibition("many alternatives", many, "attack"),
		prohibition("no word after the field", "verb: facts: FACTS:", "verb: facts:*"),
		{Name: "permit", Unless: many, Permitted: "\u200b NOT AND|OR", Priority: 9},
	}
	m := openOn(t, logged(t, norms...))
	require.Len(t, m.Refused(), len(norms))
	c := m.Constitution()
	for _, a := range []normsync.Action{{}, {Verb: "attack"}, {Verb: "attack | NOT \u200b", Location: "a b | ||", Target: "a||b", Facts: "facts: verb:", Agent: "| \u200b"}} {
		require.Equal(t, normsync.Denied(c.Check(a)), !c.Allows(a))
		require.LessOrEqual(t, len(c.Explain(a)), len(norms))
		normsync.Cover(c, slices.Values([]normsync.Action{a}))
	}
	normsync.Lint(norms)
	_, err := normsync.Conflicts(norms)
	require.ErrorIs(t, err, normsync.ErrInvalid)
	for _, n := range norms {
		applyTo(t, m, normsync.Repeal(n.Name))
	}
	require.Zero(t, m.Constitution().Len())
}

func TestALogMustKeepTheRulesOfSomeVersion(t *testing.T) {
	for _, n := range []normsync.Norm{
		prohibition("n", strings.Repeat("t ", 65), "attack"),
		prohibition("n", "a || b", "attack"),
		prohibition("n", "location:", "attack"),
		prohibition("n", "a*b", "attack"),
		prohibition("n", "a|"+strings.Repeat("t", 129), "attack"),
		prohibition("n", "", "location:a"),
		prohibition("", "", "attack"),
		{Name: "n", Prohibited: "attack", From: time.Unix(7, 0), Until: time.Unix(7, 0)},
	} {
		_, err := normsync.Open(t.Context(), logged(t, n), nil)
		require.ErrorIs(t, err, normsync.ErrInvalid, "%+v", n)
		require.ErrorContains(t, err, "(edition 1 of the log)")
	}
}

func TestValidateHoldsPrioritiesTo32Bits(t *testing.T) {
	n := prohibition("n", "", "x")
	for _, n.Priority = range []int{math.MinInt32, -1, 0, 1, math.MaxInt32} {
		require.NoError(t, n.Validate())
	}
	if strconv.IntSize == 32 {
		return
	}
	for _, beyond := range []int64{math.MinInt32 - 1, math.MaxInt32 + 1, 5_000_000_000, math.MinInt64, math.MaxInt64} {
		n.Priority = int(beyond)
		err := n.Validate()
		require.ErrorIs(t, err, normsync.ErrInvalid)
		require.EqualError(t, err, `normsync: invalid norm "n": Priority: `+strconv.FormatInt(beyond, 10)+` is beyond 32 bits; choose one from -2147483648 to 2147483647`)
	}
	n.Severity = "loud"
	require.ErrorContains(t, n.Validate(), ": Priority: ", "the error is about the first fault in the order of the fields")
}

func TestReadNormsNamesThePriorityThatIsBeyond32Bits(t *testing.T) {
	_, err := normsync.ReadNorms(strings.NewReader("[\n{\"name\":\"n\",\"prohibited\":\"x\",\"priority\":5000000000}]"))
	require.ErrorIs(t, err, normsync.ErrInvalid)
	require.ErrorContains(t, err, `norm 1 "n" in line 2, `)
	require.ErrorContains(t, err, "5000000000 is beyond 32 bits; choose one from -2147483648 to 2147483647")
}

// Version 0.1 accepted a priority of 5000000000. Its log opens if an int can hold
// that; otherwise the error does not call the log damaged.
func TestALogWithAPriorityBeyond32Bits(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/store-0.1-priority")))
	s := openFileStore(t, dir, nil)
	m, err := normsync.Open(t.Context(), s, nil)
	if strconv.IntSize == 32 {
		var corrupt *normsync.CorruptError
		require.NotErrorAs(t, err, &corrupt)
		require.ErrorIs(t, err, normsync.ErrInvalid)
		require.ErrorContains(t, err, "revisions.jsonl:2: ")
		require.ErrorContains(t, err, `key "norm.priority": 5000000000 is beyond 32 bits; choose one from -2147483648 to 2147483647; only a 64-bit program can read a log that holds it`)
		require.NotContains(t, err.Error(), "backup")
		return
	}
	require.NoError(t, err)
	require.True(t, m.Allows(normsync.Action{Verb: "attack", Location: "arena"}), "5000000000 is above 2147483647")
	require.False(t, m.Allows(normsync.Action{Verb: "attack"}))
	c, err := normsync.At(t.Context(), s, time.Now())
	require.NoError(t, err)
	require.Equal(t, normsOf(m.Constitution()), normsOf(c))
	history, err := normsync.History(t.Context(), s, "duels")
	require.NoError(t, err)
	duels := history[0].Norm
	require.EqualValues(t, int64(5_000_000_000), duels.Priority)

	duels.Description = "to the first blood"
	_, err = m.Apply(t.Context(), normsync.Amend(duels))
	require.ErrorIs(t, err, normsync.ErrInvalid)
	require.ErrorContains(t, err, "Priority: 5000000000 is beyond 32 bits")
	duels.Priority = 1
	applyTo(t, m, normsync.Amend(duels))
	applyTo(t, m, normsync.Repeal("duels"))
	require.EqualValues(t, 4, openOn(t, s).Constitution().Edition())
}

func TestValidateChecksEveryText(t *testing.T) {
	for name, field := range fieldsOf(new(normsync.Norm)) {
		if field.Kind() != reflect.String {
			continue
		}
		n := tollgate(func(*normsync.Norm) {})
		reflect.ValueOf(&n).Elem().FieldByName(name).SetString("a\x01")
		require.ErrorContains(t, n.Validate(), `": `+name+": ")
	}
}

func TestValidateLimitsAdviceAndWindows(t *testing.T) {
	require.NoError(t, tollgate(func(n *normsync.Norm) { n.Advice = strings.Repeat("a", 4<<10) }).Validate())
	require.ErrorContains(t, tollgate(func(n *normsync.Norm) { n.Advice = strings.Repeat("a", 4<<10+1) }).Validate(), "Advice: it has 4097 bytes, and at most 4096 are allowed")
	require.ErrorContains(t, tollgate(func(n *normsync.Norm) { n.Advice = "a\nb" }).Validate(), "Advice: byte 1 is the control character U+000A")

	noon := time.Date(2026, 12, 24, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		from, until time.Time
		ok          bool
	}{{noon, noon.Add(1), true}, {noon, noon, false}, {noon, noon.Add(-1), false}, {noon, time.Time{}, true}, {time.Time{}, noon, true}} {
		err := tollgate(func(n *normsync.Norm) { n.From, n.Until = c.from, c.until }).Validate()
		require.Equal(t, c.ok, err == nil, "%v", err)
		if !c.ok {
			require.ErrorIs(t, err, normsync.ErrInvalid)
			require.ErrorContains(t, err, "is not after From, 2026-12-24T12:00:00Z; choose a later time, or leave one of them out")
		}
	}
}

func TestLintTokens(t *testing.T) {
	for _, c := range []struct {
		field, text     string
		tok, suggestion string // of the one warning
	}{
		{"Condition", "dusk|!night", "dusk|!night", "Unless: dusk|night"},
		{"Condition", "town|inn,|market", "town|inn,|market", "town|inn|market"},
		{"Condition", "facts:hungry|health<20", "facts:hungry|health<20", "a fact that the host sets, such as facts:low_health"},
		{"Condition", "loc:town|market", "loc:town|market", "location:town|market"},
		{"Condition", "location:town|location:market|inn", "location:town|location:market|inn", "location:town|market|inn"},
		{"Unless", "Location:town|location:market", "Location:town|location:market", "Location:town|market"},
		{"Condition", "inn|location:town", "inn|location:town", ""},
		{"Unless", "location:town|target:inn", "location:town|target:inn", ""},
		{"Condition", "a|a*", "a", "leave it out"},
		{"Condition", "facts:a|b|A", "facts:A", "leave it out"},
		{"Condition", "a|b b|c|a", "b|c|a", "leave it out"},
		{"Condition", "location:a|b b*|a|c", "b*|a|c", "leave it out"},
		{"Condition", "a|b location:c|b faction:b", "a|b", "leave it out"},
		{"Unless", "facts:duel|peace peac*", "facts:peace", "leave it out"},
		{"Condition", "zone\u200B zone", "zone", "leave it out"},
		{"Condition", "zone \u200B\u00AD", "\u200B\u00AD", "leave it out"},
		{"Unless", "agent:bo\u200Bss", "agent:bo\u200Bss", "agent:boss"},
		{"Condition", "agent:anna|bo\u200Bss", "agent:anna|bo\u200Bss", "agent:anna|boss"},
		{"Permitted", "heal \u2060", "\u2060", "leave it out"},
		{"Condition", "!night", "!night", "Unless: night"},
		{"Condition", "zone location:!night", "location:!night", "Unless: location:night"},
		{"Unless", "!night", "!night", "Condition: night"},
		{"Condition", "safe_zone,market", "safe_zone,market", "safe_zone|market"},
		{"Condition", "location:safe_zone,market", "location:safe_zone,market", "location:safe_zone|market"},
		{"Prohibited", "attack, steal", "attack,", "attack"},
		{"Permitted", "attack,steal", "attack,steal", "attack steal"},
		{"Condition", "safe_zone; night", "safe_zone;", "safe_zone"},
		{"Condition", "health<20", "health<20", "a fact that the host sets, such as facts:low_health"},
		{"Condition", "gold>=1,000", "gold>=1,000", "a fact that the host sets, such as facts:low_health"},
		{"Unless", "level!=max", "level!=max", "a fact that the host sets, such as facts:low_health"},
		{"Condition", "loc:town", "loc:town", "location:town"},
		{"Condition", "locaton:town", "locaton:town", "location:town"},
		{"Condition", "Loc:town", "Loc:town", "location:town"},
		{"Unless", "agents:gm-*", "agents:gm-*", "agent:gm-*"},
		{"Condition", "factoin:red", "factoin:red", "faction:red"},
		{"Condition", "safe_zone or arena", "or", "a|b"},
		{"Condition", "not night", "not", "Unless for what must not be found"},
		{"Condition", `"safe`, `"safe`, "safe"},
		{"Condition", `"zone"`, `"zone"`, "zone"},
		{"Condition", "faction:werewolf werewolf*", "werewolf*", "leave it out"},
		{"Condition", "zone zone", "zone", "leave it out"},
		{"Condition", "ZONE* location:zones", "ZONE*", "leave it out"},
		{"Unless", "agent:gm-1 agent:GM-*", "agent:gm-1", "leave it out"},
		{"Prohibited", "attack attack*", "attack", "leave it out"},
		{"Prohibited", "* attack", "attack", "leave it out"},
		{"Permitted", "heal HEAL", "HEAL", "leave it out"},
	} {
		t.Run(c.field+" "+c.text, func(t *testing.T) {
			n := prohibition("n", "market", "walk")
			switch c.field {
			case "Condition":
				n.Condition = c.text
			case "Unless":
				n.Unless = c.text
			case "Prohibited":
				n.Prohibited = c.text
			case "Permitted":
				n.Prohibited, n.Permitted, n.Priority = "", c.text, 1
			}
			ws := normsync.Lint([]normsync.Norm{prohibition("everything", "", "*"), n})
			require.Len(t, ws, 1)
			require.Equal(t, normsync.Warning{"n", c.field, c.tok, ws[0].Detail, c.suggestion}, ws[0])
			require.NotEmpty(t, ws[0].Detail)
		})
	}
}

// What real worlds are full of.
func TestLintLeavesRealWordsAlone(t *testing.T) {
	for _, tok := range []string{
		"minecraft:tnt", "10:30", "zone.safe*", "http://x", "weapon:sword", "herb:basil", "age:20", "a;b", ">>Agent[02]", "!", "!!", "->", "a->b", "<b>", "x<", "<3",
		"1,000", ",", "?", "location:*", "FACTION:red", "type=creeper", "org", "nothing", "location:", "[a,b]", `"`, "verbose:x", "a|b|c*", `a\|a`, "location:a|b", "x:a|y:a", "facts:night|war", "agent:anna|ANNE", "10:30|verbs:x", "zo\u200Bne",
	} {
		require.Empty(t, normsync.Lint([]normsync.Norm{prohibition("n", tok, "walk")}), "Condition %s", tok)
		require.Empty(t, normsync.Lint([]normsync.Norm{prohibition("n", "", "walk", unless(tok))}), "Unless %s", tok)
	}
	for _, tok := range []string{"!attack", "@e[type=minecraft:creeper,limit=5]", ">>", "x<5", "or", "loc:town", "/tp", "say:hello"} {
		require.Empty(t, normsync.Lint([]normsync.Norm{prohibition("n", "", tok)}), "Prohibited %s", tok)
	}
	require.Empty(t, normsync.Lint([]normsync.Norm{prohibition("n", "agent:zoe zoe", "walk")}), "zoe is not found in the agent's name")
	require.Equal(t, []normsync.Warning{}, normsync.Lint(nil))
}

func TestLintAConditionThatEveryVerbMeets(t *testing.T) {
	ws := normsync.Lint([]normsync.Norm{prohibition("n", "attack* action:attack", "attack")})
	require.Len(t, ws, 3)
	require.Equal(t, []string{"attack*", "attack*", "action:attack"}, []string{ws[0].Token, ws[1].Token, ws[2].Token})
	require.Empty(t, normsync.Lint([]normsync.Norm{prohibition("n", "attack", "attack steal")}))
	ws = normsync.Lint([]normsync.Norm{prohibition("n", "verb:attack|steal|x", "attack steal")})
	require.Len(t, ws, 1)
	require.Equal(t, "verb:attack|steal|x", ws[0].Token)
	require.Empty(t, normsync.Lint([]normsync.Norm{prohibition("n", "location:attack|steal facts:* agent:*", "attack steal")}))
}

func TestLintAnAlternativeThatUnlessExempts(t *testing.T) {
	ws := normsync.Lint([]normsync.Norm{prohibition("n", "town|market inn", "walk", unless("mark*"))})
	require.Len(t, ws, 1)
	require.Equal(t, normsync.Warning{"n", "Condition", "market", "Unless exempts every action in which market is found, so it makes no difference here", "leave it out"}, ws[0])
	require.Empty(t, normsync.Lint([]normsync.Norm{prohibition("n", "town|market", "walk", unless("location:market"))}), "it may be the target")
	require.Empty(t, normsync.Lint([]normsync.Norm{prohibition("n", "town|market", "walk", unless("*"))}), "Conflicts proves that it never applies")
}

func TestLintPermitsThatOverrideNothing(t *testing.T) {
	repealed := prohibition("gone", "", "attack")
	repealed.Repealed = true
	for _, c := range []struct {
		why        string
		norms      []normsync.Norm
		field      string // of the warning; empty if there is none
		suggestion string
	}{
		{"a prohibition of lower priority has the verb", []normsync.Norm{permission("p", "", "attack", 1), prohibition("f", "", "attack")}, "", ""},
		{"in another case", []normsync.Norm{permission("p", "", "ATTACK", 1), prohibition("f", "", "attack")}, "", ""},
		{"by a prefix of the prohibition", []normsync.Norm{permission("p", "", "attack", 1), prohibition("f", "", "att*")}, "", ""},
		{"by everything", []normsync.Norm{permission("p", "", "attack", 1), prohibition("f", "", "*")}, "", ""},
		{"by a prefix of the permit", []normsync.Norm{permission("p", "", "att*", 1), prohibition("f", "", "attack")}, "", ""},
		{"by prefixes of each other", []normsync.Norm{permission("p", "", "attack*", 1), permission("q", "", "a*", 1), prohibition("f", "", "att*")}, "", ""},
		{"by a permit for everything", []normsync.Norm{permission("p", "", "*", 1), prohibition("f", "", "attack")}, "", ""},
		{"one of several verbs", []normsync.Norm{permission("p", "", "heal attack", 1), prohibition("f", "", "attack walk")}, "", ""},
		{"a shadow prohibition", []normsync.Norm{permission("p", "", "attack", 1), prohibition("f", "", "attack", dryRun)}, "", ""},
		{"a shadow permit overrides nothing by design", []normsync.Norm{permission("p", "", "attack", 1, dryRun)}, "", ""},
		{"another verb", []normsync.Norm{permission("p", "", "attack", 1), prohibition("f", "", "steal counterattack attacks")}, "Permitted", ""},
		{"the same priority", []normsync.Norm{permission("p", "", "attack", 1), prohibition("f", "", "attack", priority(7)), prohibition("g", "", "attack", priority(3))}, "Priority", "a Priority above 3"},
		{"a repealed prohibition", []normsync.Norm{permission("p", "", "attack", 1), repealed}, "Permitted", ""},
		{"windows that meet", []normsync.Norm{permission("p", "", "attack", 1, within(1, 5)), prohibition("f", "", "attack", within(4, 9))}, "", ""},
		{"windows that do not meet", []normsync.Norm{permission("p", "", "attack", 1, within(1, 5)), prohibition("f", "", "attack", within(5, 9))}, "Until", ""},
		{"windows that do not meet, without an end", []normsync.Norm{permission("p", "", "attack", 1, within(5, 0)), prohibition("f", "", "attack", within(1, 5))}, "From", ""},
		{"a prohibition without a window", []normsync.Norm{permission("p", "", "attack", 1, within(1, 5)), prohibition("f", "", "attack")}, "", ""},
		{"a permit without a window", []normsync.Norm{permission("p", "", "attack", 1), prohibition("f", "", "attack", within(5, 9))}, "", ""},
		{"one window of two", []normsync.Norm{permission("p", "", "att*", 1, within(1, 5)), prohibition("f", "", "attack", within(5, 9)), prohibition("g", "", "attend", within(2, 3))}, "", ""},
		{"the same priority in the window, a lower one outside",
			[]normsync.Norm{permission("p", "", "attack", 1, within(1, 5)), prohibition("f", "", "attack", within(5, 9)), prohibition("g", "", "attack", within(2, 3), priority(4))}, "Priority", "a Priority above 4"},
		{"no prohibition at all", []normsync.Norm{permission("p", "", "*", 1)}, "Permitted", ""},
	} {
		t.Run(c.why, func(t *testing.T) {
			ws := normsync.Lint(c.norms)
			if c.field == "" {
				require.Empty(t, ws)
				return
			}
			require.Len(t, ws, 1)
			require.Equal(t, []string{"p", c.field, c.suggestion}, []string{ws[0].Norm, ws[0].Field, ws[0].Suggestion})
		})
	}
}

func TestLintNamesThatDifferByCase(t *testing.T) {
	ws := normsync.Lint([]normsync.Norm{prohibition("Peace", "", "attack"), prohibition("law", "", "attack"), prohibition("peace", "", "steal"), prohibition("Peace", "", "walk")})
	require.Len(t, ws, 1)
	require.Equal(t, normsync.Warning{"peace", "Name", "peace", `it differs from "Peace" by case only`, ""}, ws[0])
}

// More windows than are compared are assumed to meet.
func TestLintBoundsItsTime(t *testing.T) {
	norms := manyNorms(2*normsync.MaxWindows, func(i int) normsync.Norm { return prohibition("", "", "attack", within(int64(9+i), 0)) })
	require.Len(t, normsync.Lint(append(norms[:normsync.MaxWindows:normsync.MaxWindows], permission("p", "", "attack", 1, within(1, 5)))), 1)
	require.Empty(t, normsync.Lint(append(norms, permission("p", "", "attack", 1, within(1, 5)))))
}

// Lint survives what Validate refuses.
func FuzzLint(f *testing.F) {
	f.Add("!", "a,", "x<", "agent:", "*")
	f.Add("a|", "|", "\u200b|\u200b agent:a|", "a\\|", "agent:\u200b")
	f.Add("location:\xff,b", "\u200b|", ":::", `"`, "a*b*")
	f.Fuzz(func(t *testing.T, name, condition, unless, prohibited, permitted string) {
		normsync.Lint([]normsync.Norm{{Name: name, Condition: condition, Unless: unless, Prohibited: prohibited, Permitted: permitted}})
	})
}

func BenchmarkLint(b *testing.B) {
	b.Run("norms=100000", func(b *testing.B) {
		norms := make([]normsync.Norm, 100_000)
		for i := range norms {
			norms[i] = prohibition(fmt.Sprint("norm ", i), fmt.Sprint("zone-", i%977, " night"), strings.Repeat("attack-", 1+i%3)+fmt.Sprint(i))
			if i%4 == 0 {
				norms[i].Prohibited, norms[i].Permitted = "", "att*"
			}
		}
		b.ReportAllocs()
		for b.Loop() {
			normsync.Lint(norms)
		}
	})
}

// Lint passes over norms that Validate refuses for their size, which would take long.
func TestLintPassesOverHugeNorms(t *testing.T) {
	words := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "!w%d ", i)
		}
		return b.String()
	}
	require.Len(t, normsync.Lint([]normsync.Norm{prohibition("n", words(maxTokens), "attack")}), maxTokens)
	for _, n := range []normsync.Norm{
		prohibition("n", words(100_000), "attack"),
		prohibition("n", strings.Repeat("a|", 100_000)+"b", "attack"),
		prohibition("n", "!x", strings.Repeat("attack ", 100_000)),
		prohibition("n", "!x", strings.Repeat("attack", 100_000)),
		permission("n", "!x", strings.Repeat("attack", 100_000), 1),
	} {
		require.Error(t, n.Validate())
		require.Empty(t, normsync.Lint([]normsync.Norm{n, prohibition("other", "", "walk")}))
	}
}
