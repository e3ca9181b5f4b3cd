package token

import (
	"math/bits"
	"slices"
	"unicode/utf8"
)

// Texts are the fields of an action, in the order of Field.
type Texts [Any]string

// Has reports whether the pattern is found. It splits the texts each time,
// which is the quickest way for short ones.
func (t *Texts) Has(p Pattern) bool {
	first, last := p.Field, p.Field
	if p.Field == Any {
		first, last = Action, Faction
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

// Bag holds the tokens of an action and says which patterns are found among
// them, by comparing texts. The zero value is empty; a bag that is filled
// again keeps its memory.
//
// A pattern is compared with each token of a field that has few. The tokens of
// a field that has many are put into a hash table first, so that the time for a
// pattern does not grow with the action.
type Bag struct {
	tokens []string // field by field
	ends   [Any]int // where the tokens of each field end
	hashes []uint64 // of a field that has many
	table  table    // of the fields that have many
	listed Lengths  // of the prefixes that are in the table, too
}

// few is the number of tokens up to which looking at each is quicker than hashing all.
const few = 32

// Fill replaces what is in the bag by the tokens of texts.
func (b *Bag) Fill(texts *Texts) {
	b.Clear()
	for f, s := range texts {
		for tok, rest := Next(s); tok != ""; tok, rest = Next(rest) {
			b.tokens = append(b.tokens, tok)
		}
		b.ends[f] = len(b.tokens)
	}
	if len(b.tokens) <= few {
		return
	}
	b.table.reset(len(b.tokens))
	for f, s := range texts {
		if tokens := b.field(Field(f)); len(tokens) > few {
			b.hashes = slices.Grow(b.hashes[:0], len(tokens))[:len(tokens)]
			Hashes(b.hashes, 0, s)
			for i, tok := range tokens {
				b.table.insert(Pattern{Field(f), tok, false}, b.hashes[i])
			}
		}
	}
}

// Room returns the number of tokens that the bag has memory for.
func (b *Bag) Room() int { return cap(b.tokens) }

// Clear empties the bag, so that it keeps no text alive.
func (b *Bag) Clear() {
	clear(b.tokens)
	b.tokens, b.listed = b.tokens[:0], Lengths{}
	b.table.clear()
}

func (b *Bag) field(f Field) []string {
	start := 0
	if f > 0 {
		start = b.ends[f-1]
	}
	return b.tokens[start:b.ends[f]]
}

// Has reports whether the pattern is found.
func (b *Bag) Has(p Pattern) bool {
	if p.Field != Any {
		return b.has(p)
	}
	for p.Field = Action; p.Field <= Faction; p.Field++ {
		if b.has(p) {
			return true
		}
	}
	return false
}

// has is Has for a pattern of one field.
func (b *Bag) has(p Pattern) bool {
	tokens := b.field(p.Field)
	if len(tokens) > few {
		return b.lookUp(p)
	}
	for _, tok := range tokens {
		if p.Matches(tok) {
			return true
		}
	}
	return false
}

func (b *Bag) lookUp(p Pattern) bool {
	if n := utf8.RuneCountInString(p.Word); p.Prefix && !b.listed.has(n) {
		b.listed.Set(n, true)
		for f := Action; f < Any; f++ {
			if tokens := b.field(f); len(tokens) > few {
				b.listPrefixes(f, tokens, n)
			}
		}
	}
	return *b.table.find(p, p.hash()) != 0
}

// listPrefixes puts the first n runes of tokens into the table.
func (b *Bag) listPrefixes(f Field, tokens []string, n int) {
	for _, tok := range tokens {
		if start, ok := firstRunes(tok, n); ok {
			p := Pattern{f, start, true}
			b.table.insert(p, p.hash())
		}
	}
}

// table is a hash table of patterns with open addressing. Patterns are equal
// when their words are by folding.
type table struct {
	patterns []Pattern
	hashes   []uint64
	slots    []uint32 // numbers of patterns from 1 on, at their hash; 0 is free; a power of two of them
}

// reset empties the table and makes room for n patterns.
func (t *table) reset(n int) {
	t.clear()
	t.resize(1 << bits.Len(uint(2*n)))
}

// resize gives the table a number of slots, all free. It clears no more than
// those, however much room there was.
func (t *table) resize(slots int) {
	if cap(t.slots) < slots {
		t.slots = make([]uint32, slots)
		return
	}
	t.slots = t.slots[:slots]
	clear(t.slots)
}

// clear keeps no text alive.
func (t *table) clear() {
	clear(t.patterns)
	t.patterns, t.hashes = t.patterns[:0], t.hashes[:0]
}

// find returns the slot of a pattern with that hash, or the free one where it belongs.
func (t *table) find(p Pattern, hash uint64) *uint32 {
	for i := hash; ; i++ {
		slot := &t.slots[i&uint64(len(t.slots)-1)]
		if *slot == 0 {
			return slot
		}
		q := t.patterns[*slot-1]
		if t.hashes[*slot-1] == hash && q.Field == p.Field && q.Prefix == p.Prefix && Equal(q.Word, p.Word) {
			return slot
		}
	}
}

func (t *table) insert(p Pattern, hash uint64) {
	if 2*len(t.patterns) >= len(t.slots) {
		t.grow()
	}
	if slot := t.find(p, hash); *slot == 0 {
		t.patterns, t.hashes = append(t.patterns, p), append(t.hashes, hash)
		*slot = uint32(len(t.patterns))
	}
}

func (t *table) grow() {
	t.resize(2 * len(t.slots))
	for n, hash := range t.hashes {
		i := hash
		for t.slots[i&uint64(len(t.slots)-1)] != 0 {
			i++
		}
		t.slots[i&uint64(len(t.slots)-1)] = uint32(n + 1)
	}
}
