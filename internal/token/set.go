package token

import (
	"math"
	"math/bits"
	"slices"
	"unicode/utf8"
)

// Texts are the texts of an action, by Field: the agent's name as Valid returns it,
// the others as Visible does.
type Texts [Any]string

// Set holds the tokens of an action and reports which patterns are found among
// them. It compares texts, so it never errs. The zero value is an empty set. A
// set that is filled again reuses its memory.
//
// To fill a set, call Clear, then AddText or AddWord for each field in order, and
// then Finish. Fill does this for texts.
//
// If a field has few tokens, a pattern is compared with each of them. If it has
// many, its tokens are put into a hash table first, so that the time for one
// pattern does not grow with the action.
type Set struct {
	n     int         // the number of tokens
	short [Few]string // the tokens, field by field, if there are at most Few
	start [Few]uint64 // for each token in short, what startOf returns
	mixed bool        // whether a token in short has characters beyond ASCII
	long  []string    // the tokens if there are more
	ends  [Any]int    // for each field, the index after its last token
	agent string      // the text of the agent if it has not been split yet
	many  *manyTokens // reused; it is in use if there are more than Few tokens
}

// Few is the number of tokens up to which comparing with each of them is faster
// than hashing all of them. A set of so few tokens can be on the stack.
const Few = 24

// manyTokens has the tokens of the fields that have many.
type manyTokens struct {
	patternTable
	listed Lengths // lengths of the prefixes that are in the table, too
}

// AddText adds the tokens of a field. It gives up and reports false if the set would
// have more than limit tokens.
func (s *Set) AddText(f Field, text string, limit int) bool {
	n := s.n
	for i := 0; i < len(text); i++ { // cut and add, inlined by hand: calls take 1.4 times as long
		start := i
		var first uint64
		for {
			var w uint64 // load(text, i), inlined by hand as in Hashes
			switch left := len(text) - i; {
			case left >= 8:
				w = load8(text[i : i+8])
			case len(text) >= 8:
				w = load8(text[len(text)-8:]) >> 8 >> (56 - 8*left&63)
			case left >= 4:
				w = load4(text[i:]) | load4(text[len(text)-4:])<<(8*left-32&63)
			default:
				w = loadFew(text[i:])
			}
			stop := stops(w)
			if stop == 0 {
				if i == start {
					first = lower(w)
				}
				i += 8
				continue
			}
			k := bits.TrailingZeros64(stop) & 0x38
			if i == start {
				first = lower(w & (1<<k - 1))
			}
			i += k >> 3
			break
		}
		if i < len(text) && text[i] != ' ' && !isASCIISpace(text[i]) {
			return s.addAny(f, text, limit)
		}
		if i == start {
			continue
		}
		if n >= min(limit, Few) {
			return s.addAny(f, text, limit)
		}
		s.short[n], s.start[n] = text[start:i], first
		n++
	}
	s.n, s.ends[f] = n, n
	return true
}

// addAny is AddText for any text. AddText uses it for texts that are long or have
// characters beyond ASCII.
func (s *Set) addAny(f Field, text string, limit int) bool {
	for end := 0; end < len(text); {
		var start int
		var first uint64
		if start, end, first = cut(text, end); start == end {
			break
		}
		if !s.add(f, text[start:end], first, limit) {
			return false
		}
		if first != notASCII {
			end++ // past the white space
		}
	}
	s.ends[f] = s.n
	return true
}

// AddAgent is AddText for the agent, which is the last field. The text is not split
// until a token of a norm asks for it, if it is short.
func (s *Set) AddAgent(text string, limit int) bool {
	s.ends[Agent] = s.n
	if s.n+(len(text)+1)/2 > min(limit, Few) {
		return s.AddText(Agent, text, limit)
	}
	s.agent = text
	return true
}

// AddWord adds a word of a field, after whose last word EndField must be called. It
// reports false, and adds nothing, if the set has limit tokens already.
func (s *Set) AddWord(f Field, w *Word, limit int) bool {
	return w.Text == "" || s.add(f, w.Text, w.start, limit)
}

// EndField ends a field that was filled by AddWord.
func (s *Set) EndField(f Field) { s.ends[f] = s.n }

func (s *Set) add(f Field, tok string, start uint64, limit int) bool {
	if start == notASCII {
		s.mixed = true
		if f == Agent {
			tok = Valid(tok)
		} else if tok = Visible(tok); tok == "" {
			return true
		}
	}
	if s.n == limit {
		return false
	}
	switch {
	case s.n < Few:
		s.short[s.n], s.start[s.n] = tok, start
	case s.n == Few:
		s.long = append(append(s.long[:0], s.short[:]...), tok)
	default:
		s.long = append(s.long, tok)
	}
	s.n++
	return true
}

// Finish must be called after the last field.
func (s *Set) Finish() {
	if s.n <= Few {
		return
	}
	if s.many == nil {
		s.many = new(manyTokens)
	}
	s.many.reset(s.n)
	for f := Action; f < Any; f++ {
		if tokens := s.Field(f); len(tokens) > Few {
			for _, tok := range tokens {
				p := Pattern{f, tok, false}
				s.many.insert(p, p.hash())
			}
		}
	}
}

// Fill replaces the content of the set with the tokens of texts.
func (s *Set) Fill(texts *Texts) {
	s.Clear()
	for f, text := range texts {
		s.AddText(Field(f), text, math.MaxInt)
	}
	s.Finish()
}

// Cap returns the number of tokens that the set has memory for.
func (s *Set) Cap() int { return max(Few, cap(s.long)) }

// Clear empties the set, so that it keeps no text alive.
func (s *Set) Clear() {
	clear(s.short[:min(s.n, Few)])
	clear(s.long)
	s.n, s.long, s.mixed, s.agent = 0, s.long[:0], false, ""
	if s.many != nil {
		s.many.clear()
		s.many.listed = Lengths{}
	}
}

// Field returns the tokens of a field.
func (s *Set) Field(f Field) []string {
	start := 0
	if f > 0 {
		start = s.ends[f-1]
	}
	return s.tokens()[start:s.ends[f]]
}

func (s *Set) tokens() []string {
	if s.n <= Few {
		return s.short[:s.n]
	}
	return s.long
}

// Has reports whether the pattern is found.
func (s *Set) Has(p Pattern) bool {
	switch {
	case p.Field != Any:
		return s.has(p)
	case s.ends[Agent-1] <= Few:
		return p.matchesAny(s.tokens()[:s.ends[Agent-1]])
	}
	for p.Field = Action; p.Field < Agent; p.Field++ {
		if s.has(p) {
			return true
		}
	}
	return false
}

// HasAny reports whether a word of text is found in a field, or in any field before
// Agent. The text must be plain; see [IsPlain].
func (s *Set) HasAny(f Field, text string) bool { return s.hasWords(f, text, true) }

// HasAll reports whether all words of text are found in any field before Agent. The
// text must be plain.
func (s *Set) HasAll(text string) bool { return !s.hasWords(Any, text, false) }

// hasWords reports whether any word of a plain text is found, or, if found is false,
// whether any word is not found.
func (s *Set) hasWords(f Field, text string, found bool) bool {
	if s.n > Few || s.mixed {
		for word, rest := Next(text); word != ""; word, rest = Next(rest) {
			if s.Has(Pattern{f, word, false}) == found {
				return true
			}
		}
		return false
	}
	last := s.ends[Agent-1]
	if f == Action {
		last = s.ends[Action]
	}
	for end := 0; end < len(text); end++ {
		var start int
		var first uint64
		start, end, first = cut(text, end)
		i := 0 // the first token that equals the word
		for i < last && (s.start[i] != first || end-start > 7 && !Equal(s.short[i], text[start:end])) {
			i++
		}
		if start < end && (i < last) == found {
			return true
		}
	}
	return false
}

// has is Has for a pattern with one field.
func (s *Set) has(p Pattern) bool {
	if p.Field == Agent && s.agent != "" {
		text := s.agent
		s.agent = ""
		s.AddText(Agent, text, Few)
	}
	tokens := s.Field(p.Field)
	if len(tokens) > Few {
		return s.lookUp(p)
	}
	return p.matchesAny(tokens)
}

// matchesAny reports whether the pattern matches one of the tokens.
func (p Pattern) matchesAny(tokens []string) bool {
	if p.Prefix || p.Field == Agent {
		return slices.ContainsFunc(tokens, p.Matches)
	}
	return p.Word != "" && containsWord(tokens, p.Word)
}

// containsWord reports whether a token equals a word. The first letter tells most
// words apart.
func containsWord(tokens []string, word string) bool {
	first := word[0]
	for _, tok := range tokens {
		if !differ(tok[0], first) && Equal(tok, word) {
			return true
		}
	}
	return false
}

func (s *Set) lookUp(p Pattern) bool {
	if n := utf8.RuneCountInString(p.Word); p.Prefix && !s.many.listed.has(n) {
		s.many.listed.Set(n, true)
		for f := Action; f < Any; f++ {
			if tokens := s.Field(f); len(tokens) > Few {
				s.listPrefixes(f, tokens, n)
			}
		}
	}
	return *s.many.find(p, p.hash()) != 0
}

// listPrefixes adds the prefixes of tokens that have n runes to the hash table.
func (s *Set) listPrefixes(f Field, tokens []string, n int) {
	for _, tok := range tokens {
		if start, ok := firstRunes(tok, n); ok {
			p := Pattern{f, start, true}
			s.many.insert(p, p.hash())
		}
	}
}

// patternTable is a hash table of patterns with open addressing. Words that
// differ only in case are equal.
type patternTable struct {
	patterns []Pattern
	hashes   []uint64
	slots    []uint32 // 1 + the index of the pattern, or 0 if free; the length is a power of two
}

// reset empties the table and makes room for n patterns.
func (t *patternTable) reset(n int) {
	t.clear()
	t.resize(1 << bits.Len(uint(2*n)))
}

// resize sets the number of slots and frees all of them. It clears only those,
// however many the table has had before.
func (t *patternTable) resize(slots int) {
	if cap(t.slots) < slots {
		t.slots = make([]uint32, slots)
		return
	}
	t.slots = t.slots[:slots]
	clear(t.slots)
}

// clear empties the table, so that it keeps no text alive.
func (t *patternTable) clear() {
	clear(t.patterns)
	t.patterns, t.hashes = t.patterns[:0], t.hashes[:0]
}

// find returns the slot of a pattern, or the free slot in which it belongs.
func (t *patternTable) find(p Pattern, hash uint64) *uint32 {
	for i := hash; ; i++ {
		slot := &t.slots[i&uint64(len(t.slots)-1)]
		if *slot == 0 {
			return slot
		}
		q := t.patterns[*slot-1]
		if t.hashes[*slot-1] == hash && q.Field == p.Field && q.Prefix == p.Prefix && q.sameWord(p) {
			return slot
		}
	}
}

// sameWord reports whether two patterns of a field have the same word.
func (p Pattern) sameWord(q Pattern) bool {
	if p.Field == Agent {
		return EqualAgent(p.Word, q.Word)
	}
	return Equal(p.Word, q.Word)
}

func (t *patternTable) insert(p Pattern, hash uint64) {
	if 2*len(t.patterns) >= len(t.slots) {
		t.grow()
	}
	if slot := t.find(p, hash); *slot == 0 {
		t.patterns, t.hashes = append(t.patterns, p), append(t.hashes, hash)
		*slot = uint32(len(t.patterns))
	}
}

func (t *patternTable) grow() {
	t.resize(2 * len(t.slots))
	for n, hash := range t.hashes {
		i := hash
		for t.slots[i&uint64(len(t.slots)-1)] != 0 {
			i++
		}
		t.slots[i&uint64(len(t.slots)-1)] = uint32(n + 1)
	}
}
