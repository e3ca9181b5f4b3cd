package token

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync/internal/invisible"
)

// pieces are what texts are made of: all that the fast paths may stumble over.
var pieces = []string{
	"a", "Z", "attack", "ATTACK", "safe_zone", "0123456789", "@[`{", "\x00", "\x1f", "\x7f", "é", "É", "\u212A", "\u017F", "ς", "Σ", "İ", "睡觉", "🐉", "\uFFFD", "\xff", "\x80", "\x85", "\xe2\x82",
	" ", " ", " ", "\t", "\r\n", "\v\f", "\x08", "\x0e", "\u0085", "\u00A0", "\u2003", "\u3000", "\u200B", "\u00AD", "\uFE0F", "\U000E0100", "\u180B", "        ",
}

func randomText(r *rand.Rand, n int) string {
	var b strings.Builder
	for range r.IntN(n) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

// slowly returns the visible tokens of a text, as one would write it down.
func slowly(s string) []string {
	return slices.DeleteFunc(asWritten(s), func(tok string) bool { return tok == "" })
}

func asWritten(s string) []string {
	tokens := strings.FieldsFunc(string([]rune(s)), unicode.IsSpace)
	for i, tok := range tokens {
		tokens[i] = strings.Map(func(r rune) rune {
			if invisible.Ignorable(r) {
				return -1
			}
			return r
		}, tok)
	}
	return tokens
}

func slowHashes(s string) []uint64 {
	out := []uint64{}
	for _, tok := range slowly(s) {
		h := hasher{state: keys.word}
		for _, r := range tok {
			h.write(foldSlowly(r))
		}
		out = append(out, h.sum())
	}
	return out
}

func TestNextSplitsAtWhiteSpace(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 50000 {
		s := randomText(r, 12)
		got := []string{}
		for tok, rest := Next(s); tok != ""; tok, rest = Next(rest) {
			require.Contains(t, s, tok, "a token is given as it is written")
			got = append(got, string([]rune(Visible(tok))))
		}
		require.Equal(t, append([]string{}, asWritten(s)...), got, "%+q", s)
		require.Equal(t, slowly(s), slowly(Visible(s)))
	}
}

func TestHashesAreThoseOfTheTokens(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var dst [256]uint64
	for range 100000 {
		s := randomText(r, 12)
		want := slowHashes(s)
		n := Hashes(dst[:], 0, s)
		require.Equal(t, want, dst[:n:n], "%+q", s)
		require.Equal(t, n, Hashes(dst[:n], 0, s), "exactly enough room: %+q", s)
		require.Equal(t, -1, Hashes(dst[:], -1, s), "what came before did not fit")
		require.Equal(t, n+7, Hashes(dst[:], 7, s))
		require.Equal(t, want, dst[7:n+7:n+7], "after others: %+q", s)
		if n > 0 {
			require.Equal(t, -1, Hashes(dst[:n-1], 0, s), "too little room: %+q", s)
		}
	}
}

// Every rune, in the middle of a token and beside white space, has the hash that the
// plain definition gives it.
func TestEveryRuneIsHashedAsItsFold(t *testing.T) {
	var dst [4]uint64
	for r := rune(0x80); r <= unicode.MaxRune; r++ {
		if r > 0xFFFF {
			r += 60 // only some of those that take four bytes
		}
		s := "睡" + string(r) + "觉睡\u3000" + string(r)
		if want := slowHashes(s); !slices.Equal(want, dst[:Hashes(dst[:], 0, s)]) {
			t.Fatalf("%U", r)
		}
	}
	for _, s := range []string{"\xe4\xb8 \xe4", "\xe4\xb8\xe4\xb8\xad", "\xed\xa0\x80", "\xe0\x80\x80", "\xe7\x9d\xa1\xe8", "睡觉睡觉睡觉睡觉"} {
		require.Equal(t, slowHashes(s), dst[:Hashes(dst[:], 0, s)], "%+q", s)
	}
}

func TestEqualTokensHaveEqualHashesAndOthersDoNot(t *testing.T) {
	words := []string{"kelvin", "KELVIN", "\u212Aelvin", "mask", "ma\u017Fk", "ΣΊΣΥΦΟΣ", "σίσυφος", "İ", "i", "ı", "straße", "STRAẞE", "strasse", "@", "`", "a", "a\x00", "\x00", "", "abcdefg", "abcdefg\x00", "abcdefgh", "abcdefgh\x00", "睡", "睡觉"}
	for _, a := range words {
		for _, b := range words {
			p, q := Pattern{Field: Any, Word: a}, Pattern{Field: Any, Word: b}
			require.Equal(t, strings.EqualFold(a, b), p.Hash() == q.Hash(), "%+q and %+q", a, b)
			p.Prefix = true
			require.NotEqual(t, p.Hash(), q.Hash(), "a prefix is no word: %+q and %+q", a, b)
			p.Field, q.Field = Agent, Any
			require.NotEqual(t, p.Hash(), q.Hash())
		}
	}
}

func TestEqualIsEqualFold(t *testing.T) {
	words := []string{"", "a", "A", "ab", "b", "@", "`", "k", "\u212A", "k\u212A", "\u212Ak", "\x00", "\x80", "\uFFFD", "睡", "ς", "Σ"}
	for _, a := range words {
		for _, b := range words {
			require.Equal(t, strings.EqualFold(a, b), Equal(a, b), "%+q and %+q", a, b)
		}
	}
}

func TestFoldIsTheSlowFoldForEveryRune(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if got, want := fold(r), foldSlowly(r); got != want {
			t.Fatalf("%U folds to %U, want %U", r, got, want)
		}
		if up := unicode.SimpleFold(r); fold(up) != fold(r) {
			t.Fatalf("%U and %U are equal by folding and fold to two runes", r, up)
		}
	}
	require.Equal(t, 'k', fold('K'), "the fast path makes ASCII small")
	require.Equal(t, 'k', fold('\u212A'))
}

func TestPrefixesAreThoseOfTheTokens(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var dst [4096]uint64
	for range 20000 {
		s := randomText(r, 12)
		var lengths Lengths
		for range r.IntN(8) {
			lengths.Set(r.IntN(MaxPrefix+1)>>r.IntN(7), true)
		}
		want := []uint64{}
		for _, tok := range slowly(s) {
			runes := []rune(tok)
			for n := range min(len(runes), MaxPrefix) + 1 {
				if lengths.has(n) {
					want = append(want, Pattern{Any, string(runes[:n]), true}.Hash())
				}
			}
		}
		n := Prefixes(dst[:], 0, s, &lengths)
		require.Equal(t, want, dst[:n:n], "%+q", s)
		require.Equal(t, -1, Prefixes(dst[:], -1, s+" x", &Lengths{1}), "what came before did not fit")
		require.Equal(t, n+7, Prefixes(dst[:], 7, s, &lengths))
		if n > 0 {
			require.Equal(t, -1, Prefixes(dst[:n-1], 0, s, &lengths), "too little room: %+q", s)
		}
		n = AllHashes(dst[:], 0, s, &lengths)
		require.ElementsMatch(t, append(slowHashes(s), want...), dst[:n:n], "%+q", s)
		if n > 0 {
			require.Equal(t, -1, AllHashes(dst[:n-1], 0, s, &lengths), "too little room: %+q", s)
		}
		require.Equal(t, -1, AllHashes(dst[:], -1, s, &lengths), "what came before did not fit")
	}
}

func TestTheLongestPrefixIsFound(t *testing.T) {
	var lengths Lengths
	lengths.Set(MaxPrefix, true)
	for _, letter := range []string{"a", "\u00e9"} {
		word := strings.Repeat(letter, MaxPrefix)
		var dst [1]uint64
		require.Equal(t, 1, Prefixes(dst[:], 0, word+"s", &lengths))
		require.Equal(t, Pattern{Any, word, true}.Hash(), dst[0])
	}
}

func TestLengths(t *testing.T) {
	var l Lengths
	require.Equal(t, -1, l.longest())
	for n := range MaxPrefix + 1 {
		require.False(t, l.has(n))
		l.Set(n, true)
		require.True(t, l.has(n))
		require.Equal(t, n, l.longest())
	}
	require.False(t, l.has(MaxPrefix+1))
	l.Set(70, false)
	require.False(t, l.has(70))
}

func TestParse(t *testing.T) {
	for tok, want := range map[string]Pattern{
		"word":            {Any, "word", false},
		"word*":           {Any, "word", true},
		"*":               {Any, "", true},
		"action:a":        {Action, "a", false},
		"LOCATION:A*":     {Location, "A", true},
		"target:*":        {Target, "", true},
		"Faction:a:b":     {Faction, "a:b", false},
		"agent:x":         {Agent, "x", false},
		"minecraft:stone": {Any, "minecraft:stone", false},
		"locations:x":     {Any, "locations:x", false},
		"verb:a":          {Action, "a", false},
		"FACTS:a*":        {Facts, "a", true},
		`a\|b`:            {Any, "a|b", false},
		`target:\|`:       {Target, "|", false},
		"|":               {Any, "|", false},
		"forest|":         {Any, "forest|", false},
		"a||b":            {Any, "a||b", false},
		"location:|a*":    {Location, "|a", true},
		"at\u200Btack":    {Any, "attack", false},
		"agent:a\u200Bb*": {Agent, "a\u200Bb", true},
		":x":              {Any, ":x", false},
		"Facts:":          {Any, "Facts:", false},
		"verb:\u200B":     {Any, "verb:", false},
		"agent:\u200B":    {Agent, "\u200B", false},
	} {
		p, more := Parse(tok)
		require.Equal(t, want, p, tok)
		require.Empty(t, more)
	}
	require.Equal(t, Pattern{Action, "location:x", true}, ParseVerb("location:x*"), "verbs are not qualified")
}

func TestAlternatives(t *testing.T) {
	for tok, want := range map[string][]Pattern{
		"a":                 {{Any, "a", false}},
		"a|b*|c":            {{Any, "a", false}, {Any, "b", true}, {Any, "c", false}},
		"Location:a|b":      {{Location, "a", false}, {Location, "b", false}},
		`a\|b|c`:            {{Any, "a|b", false}, {Any, "c", false}},
		`\||c`:              {{Any, "|", false}, {Any, "c", false}},
		"x:y|location:z":    {{Any, "x:y", false}, {Any, "location:z", false}},
		"agent:a|\u200Bb|*": {{Agent, "a", false}, {Agent, "\u200Bb", false}, {Agent, "", true}},
	} {
		p, more := Parse(tok)
		got := []Pattern{p}
		for more != "" {
			p, more = p.Or(more)
			got = append(got, p)
		}
		require.Equal(t, want, got, tok)
	}
}

func TestAPatternIsWrittenAsItIsParsed(t *testing.T) {
	for _, tok := range []string{"a", "a*", "location:a", "facts:*", `target:a\|b*`, "agent:X"} {
		p, _ := Parse(tok)
		require.Equal(t, tok, p.String())
	}
}

func TestTheAgentsNameIsComparedStrictly(t *testing.T) {
	for _, c := range []struct {
		word, name string
		equal      bool
	}{
		{"boss", "BOSS", true}, {"boss", "bo\u017Fs", false}, {"boss", "boss\u200B", false}, {"é", "É", false}, {"é", "é", true},
		{"\u212A", "k", false}, {"\u200B", "\u200B", true}, {"a\uFFFD", "a\xff", true},
	} {
		texts := Texts{Agent: Valid(c.name)}
		var set Set
		set.Fill(&texts)
		crowd := Texts{Agent: Valid(c.name) + strings.Repeat(" x", Few+1)}
		var many Set
		many.Fill(&crowd)
		for _, p := range []Pattern{{Agent, c.word, false}, {Agent, c.word, true}} {
			found := c.equal || p.Prefix && c.name == "boss\u200B"
			require.Equal(t, found, set.Has(p), "%+q in %+q", p, c.name)
			require.Equal(t, found, many.Has(p))
			lengths := Lengths{}
			lengths.Set(utf8.RuneCountInString(c.word), true)
			var hashes [8]uint64
			n := AgentHashes(hashes[:], 0, c.name, &lengths)
			require.True(t, !found || slices.Contains(hashes[:n], p.Hash()), "an equal word has an equal hash: %+q in %+q", p, c.name)
			require.Equal(t, -1, AgentHashes(hashes[:n-1], 0, c.name, &lengths), "there is no room")
		}
	}
	require.Equal(t, -1, AgentHashes(nil, -1, "x", new(Lengths)))
}

// A word has the hashes that its text has.
func TestWords(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for range 20_000 {
		text := randomText(r, 12)
		var lengths Lengths
		for range r.IntN(3) {
			lengths.Set(r.IntN(MaxPrefix+1)>>r.IntN(7), true)
		}
		var words []Word
		for tok := range All(text) {
			words = append(words, NewWord(tok))
		}
		var want, got [256]uint64
		n, k := Hashes(want[:], 0, text), 0
		for _, w := range words {
			if w.Visible() != "" {
				got[k] = w.Hash
				k++
			}
			require.Equal(t, Visible(w.Text), w.Visible())
			require.Equal(t, Valid(w.Text), w.Valid())
		}
		require.Equal(t, want[:n], got[:k], "%+q", text)
		for name, do := range map[string]struct {
			text func(dst []uint64, n int, s string, l *Lengths) int
			word func(w *Word, dst []uint64, n int, l *Lengths) int
		}{"prefixes": {Prefixes, (*Word).Prefixes}, "agents": {AgentHashes, (*Word).AgentHashes}} {
			// Not in this order: a text has its words first, and then its prefixes.
			n, k = do.text(want[:], 0, text, &lengths), 0
			for i := range words {
				k = do.word(&words[i], got[:], k, &lengths)
			}
			slices.Sort(want[:n])
			slices.Sort(got[:max(k, 0)])
			require.Equal(t, want[:n], got[:k], "%s of %+q, %v", name, text, lengths)
			if k > 0 {
				last := words[len(words)-1]
				if many := do.word(&last, got[:], 0, &lengths); many > 0 {
					require.Equal(t, -1, do.word(&last, got[:many-1], 0, &lengths), "there is no room")
				}
			}
			require.True(t, len(words) == 0 || lengths == Lengths{} || do.word(&words[0], got[:], -1, &lengths) == -1)
		}
	}
}

// slowHas is Has as one would write it down.
func slowHas(texts Texts, p Pattern) bool {
	fields := []Field{p.Field}
	if p.Field == Any {
		fields = []Field{Action, Location, Target, Faction, Facts}
	}
	return slices.ContainsFunc(fields, func(f Field) bool {
		return slices.ContainsFunc(slowly(texts[f]), func(tok string) bool {
			n := utf8.RuneCountInString(p.Word)
			if r := []rune(tok); p.Prefix && len(r) >= n {
				tok = string(r[:n])
			}
			if p.Field == Agent {
				return FoldAgent(tok) == FoldAgent(p.Word)
			}
			return strings.EqualFold(tok, p.Word)
		})
	})
}

func TestSetHas(t *testing.T) {
	agree := func(t *testing.T, rounds int) {
		r := rand.New(rand.NewPCG(7, 8))
		var set Set
		for range rounds {
			var texts Texts
			for f := range texts {
				texts[f] = Valid(Visible(randomText(r, 6)))
			}
			if r.IntN(3) == 0 { // many tokens
				texts[r.IntN(len(texts))] = Valid(Visible(randomText(r, 400)))
			}
			set.Fill(&texts)
			for range 40 {
				p := Pattern{Field(r.IntN(int(Any) + 1)), "nowhere", r.IntN(2) == 0}
				if toks := slowly(strings.Join(texts[:], " ")); len(toks) > 0 {
					tok := []rune(toks[r.IntN(len(toks))])
					p.Word = string(tok[:len(tok)-r.IntN(2)*r.IntN(len(tok))])
				}
				require.Equal(t, slowHas(texts, p), set.Has(p), "%+q %+v", texts, p)
			}
		}
	}
	t.Run("by text", func(t *testing.T) { agree(t, 3000) })
	t.Run("when every hash is the same", func(t *testing.T) {
		defer Blunt()()
		agree(t, 300)
	})
}

func TestSetForgets(t *testing.T) {
	var set Set
	for _, n := range []int{1, Few, Few + 1, 5000, 3} {
		var texts Texts
		for i := range n {
			texts[Target] += strings.Repeat("x", 1+i%90) + " "
		}
		set.Fill(&texts)
		require.True(t, set.Has(Pattern{Target, "x", false}))
		set.Fill(&Texts{Action: "y"})
		require.False(t, set.Has(Pattern{Any, "x", true}), "what was in the set before, of %d tokens", n)
		require.True(t, set.Has(Pattern{Action, "Y", false}))
		set.Fill(&Texts{Action: strings.Repeat("z ", Few+1)})
		require.LessOrEqual(t, len(set.many.slots), 4*(Few+1), "no more is cleared than is used, whatever was there before")
		require.True(t, set.Has(Pattern{Any, "z", false}))
		set.Clear()
		require.Empty(t, slices.Concat(set.short[:], set.long[:cap(set.long)])[0], "no text is kept alive")
	}
}

func TestAllocations(t *testing.T) {
	long := Texts{Location: strings.Repeat("red zone-51 blue 睡觉 \u212Aelvin ", 2000)}
	short := Texts{"attack", "safe_zone", "dragon", "red hand", "night", "hero"}
	varied := Texts{}
	for i := range 1000 {
		varied[Location] += fmt.Sprintf(" %dword w%d wo%d wor%d", i, i, i, i)
	}
	var dst [16384]uint64
	var set Set
	for name, f := range map[string]func(){
		"Hashes of a short text": func() { Hashes(dst[:], 0, short[1]) },
		"Hashes of a long text":  func() { Hashes(dst[:], 0, long[Location]) },
		"Prefixes":               func() { Prefixes(dst[:], 0, "red \u212Aelvin", &Lengths{255}) },
		"a set of few tokens":    func() { set.Fill(&short); set.Has(first(Parse("location:safe*"))); set.Clear() },
		"a set of many prefixes": func() {
			set.Fill(&varied)
			set.Has(first(Parse("w*")))
			set.Has(first(Parse("wo*")))
			set.Has(first(Parse("wor*")))
			set.Clear()
		},
		"a set of many tokens": func() { set.Fill(&long); set.Has(first(Parse("location:zon*"))); set.Clear() },
	} {
		t.Run(name, func(t *testing.T) {
			f()
			require.Zero(t, testing.AllocsPerRun(20, f))
		})
	}
}

func first(p Pattern, _ string) Pattern { return p }

func FuzzHashes(f *testing.F) {
	for _, p := range pieces {
		f.Add(p + "x " + p + "12345678" + p)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := slowHashes(s)
		dst := make([]uint64, len(want))
		require.Equal(t, len(want), Hashes(dst, 0, s))
		require.Equal(t, want, dst)
	})
}

var actions = []Texts{
	{Action: "attack", Location: "safe_zone", Target: "dragon", Faction: "red_hand"},
	{Action: "trade", Location: "market_square", Target: "iron ore", Faction: "guild"},
	{Action: "move", Location: "cell-1234", Target: "", Faction: "blue"},
	{Action: "whisper", Location: "tavern_17", Target: "barkeep", Faction: "house_x"},
}

func BenchmarkHashes(b *testing.B) {
	var keys [24]uint64
	for i := 0; b.Loop(); i++ {
		k := 0
		for f := Action; f <= Faction; f++ {
			k = Hashes(keys[:], k, actions[i%len(actions)][f])
		}
	}
}

func TestClearedSetKeepsNoText(t *testing.T) {
	var s Set
	for _, text := range []string{"a b c", "a b \u200b", strings.Repeat("a ", Few), strings.Repeat("a ", Few+1), strings.Repeat("a ", Few-1) + "b \u200b"} {
		s.Fill(&Texts{text})
		s.Clear()
		require.Equal(t, [Few]string{}, s.short, "%q", text)
		for _, tok := range s.long[:cap(s.long)] {
			require.Empty(t, tok, "%q", text)
		}
	}
}

func TestHasAnyAndHasAllFindWordsByTheirText(t *testing.T) {
	for _, text := range []string{
		"abcdefg abcdefghi", "abcdefgh", "abcdefghi", "ABCDEFGH abcdefg", "abcdefghx", "\u212Aing abcdefgh", "k", "\u212A", "a\x00",
		strings.Repeat("x ", Few-1) + "abcdefgh", strings.Repeat("x ", Few) + "abcdefgh",
	} {
		var s Set
		s.Fill(&Texts{Action: "go " + text, Location: text, Agent: "zzz"})
		for _, words := range []string{"", "abcdefg", "abcdefgh", "abcdefghi", "abcdefghij", "ABCDEFGH", "k", "king", "go", "zzz", "a", "a\x00", " abcdefgh  k ", "go abcdefgh", "go go"} {
			for _, f := range []Field{Action, Any} {
				has := func(word string) bool { return s.Has(Pattern{f, word, false}) }
				want := slices.Collect(All(words))
				require.Equal(t, slices.ContainsFunc(want, has), s.HasAny(f, words), "%q in %q", words, text)
			}
			hasNot := func(word string) bool { return !s.Has(Pattern{Any, word, false}) }
			require.Equal(t, !slices.ContainsFunc(slices.Collect(All(words)), hasNot), s.HasAll(words), "%q in %q", words, text)
		}
	}
}
