package index

// Marks are one byte of the hash of each word that a clause needs, for up to eight
// words. They rule a clause out without reading its text. The signature of an entry
// rules out most clauses that lack a word. Marks rule out most of the others, also for an
// action of so many words that its signature has most bits set.
type Marks struct {
	n     uint8
	words [8]uint8
}

// MarksOf returns the marks of words with these hashes.
func MarksOf(hashes []uint64) (m Marks) {
	for _, h := range hashes[:min(len(hashes), len(m.words))] {
		m.words[m.n] = mark(h)
		m.n++
	}
	return m
}

// mark returns bits of a hash that choose neither a bucket, a verb nor a signature.
func mark(hash uint64) uint8 { return uint8(hash >> 20) }

// MarkSet is the set of the marks of an action's words.
type MarkSet [256 / 64]uint64

// MarkSetOf returns the marks of the keys of an action.
func MarkSetOf(keys []uint64) (s MarkSet) {
	for _, key := range keys {
		m := mark(key)
		s[m/64] |= 1 << (m % 64)
	}
	return s
}

// HasAll reports whether a clause with these marks may hold.
func (s *MarkSet) HasAll(m *Marks) bool {
	for _, w := range m.words[:m.n] {
		if s[w/64]>>(w%64)&1 == 0 {
			return false
		}
	}
	return true
}
