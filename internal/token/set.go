package token

import (
	"math/bits"
	"slices"
	"unicode/utf8"
)

// Texts are the texts of an action, by Field: the agent's name as Valid returns it,
// the others as Visible does.
type Texts [Any]string

// Has reports whether the pattern is found. It splits the texts on each call,
// which is the fastest way if they are short.
func (t *Texts) Has(p Pattern) bool {
	first, last := p.Field, p.Field
	if p.Field == Any {
		first, last = Action, Agent-1
	}
	for f := first; f <= last; f++ {
		for tok, rest := Next(t[f]); tok != ""; tok, rest = Next(rest) {
			if p.Matches(tok) {
				return true
			}
		}
	}
	return false
}

// Set holds the tokens of an action and reports which patterns are found among
// them. It compares texts, so it never errs. The zero value is an empty set. A
// set that is filled again reuses its memory.
//
// If a field has few tokens, a pattern is compared with each of them. If it has
// many, its tokens are put into a hash table first, so that the time for one
// pattern does not grow with the action.
type Set struct {
	tokens []string     // field by field
	ends   [Any]int     // for each field, the index after its last token
	hashes []uint64     // reused by Fill
	many   patternTable // the tokens of the fields that have many
	listed Lengths      // lengths of the prefixes that are in many, too
}

// few is the number of tokens up to which comparing with each of them is faster
// than hashing all of them.
const few = 32

// Fill replaces the content of the set with the tokens of texts.
func (s *Set) Fill(texts *Texts) {
	s.Clear()
	for f, text := range texts {
		for tok := range All(text) {
			s.tokens = append(s.tokens, tok)
		}
		s.ends[f] = len(s.tokens)
	}
	if len(s.tokens) <= few {
		return
	}
	s.many.reset(len(s.tokens))
	for f, text := range texts {
		if tokens := s.field(Field(f)); len(tokens) > few {
			s.hashes = slices.Grow(s.hashes[:0], len(tokens))[:len(tokens)]
			if f == int(Agent) { // invisible characters count
				for i, tok := range tokens {
					s.hashes[i] = hashWord(keys.word, tok)
				}
			} else {
				Hashes(s.hashes, 0, text)
			}
			for i, tok := range tokens {
				s.many.insert(Pattern{Field(f), tok, false}, s.hashes[i])
			}
		}
	}
}

// Cap returns the number of tokens that the set has memory for.
func (s *Set) Cap() int { return cap(s.tokens) }

// Clear empties the set, so that it keeps no text alive.
func (s *Set) Clear() {
	clear(s.tokens)
	s.tokens, s.listed = s.tokens[:0], Lengths{}
	s.many.clear()
}

func (s *Set) field(f Field) []string {
	start := 0
	if f > 0 {
		start = s.ends[f-1]
	}
	return s.tokens[start:s.ends[f]]
}

// Has reports whether the pattern is found.
func (s *Set) Has(p Pattern) bool {
	if p.Field != Any {
		return s.has(p)
	}
	for p.Field = Action; p.Field < Agent; p.Field++ {
		if s.has(p) {
			return true
		}
	}
	return false
}

// has is Has for a pattern with one field.
func (s *Set) has(p Pattern) bool {
	tokens := s.field(p.Field)
	if len(tokens) > few {
		return s.lookUp(p)
	}
	for _, tok := range tokens {
		if p.Matches(tok) {
			return true
		}
	}
	return false
}

func (s *Set) lookUp(p Pattern) bool {
	if n := utf8.RuneCountInString(p.Word); p.Prefix && !s.listed.has(n) {
		s.listed.Set(n, true)
		for f := Action; f < Any; f++ {
			if tokens := s.field(f); len(tokens) > few {
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
