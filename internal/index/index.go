// Package index is an inverted index from hashes of tokens to the clauses that
// need them. It finds the few clauses that may hold of an action among any
// number; whoever asks judges those by their texts.
//
// A clause is filed under one of its tokens only: the one under which the
// fewest are, so that a token that many clauses share makes no long list. A bucket
// has a filter word, in which each clause sets two bits of its verb, one in each
// half, all rotated by its token: where one of the halves has none of the bits
// of the action's verbs, the entries are not looked at. Without the rotation a
// common verb would be in every bucket; with one bit for each clause a check of
// an action with three verbs takes longer, mostly by a tenth. The entries of a bucket are
// in order, so that of a long one only those of the action's verb are looked
// at: where no word is rare, a fifth of the time.
//
// A Table is immutable. A change makes a new one, which shares with the old
// one all but the pages that it touches.
package index

import (
	"cmp"
	"iter"
	"math/bits"
	"slices"
	"sort"
)

// Clause is what must be in an action for a norm to hold: one of its verbs, and all tokens of its condition.
type Clause struct {
	Slot   uint32   // which norm it is of
	Verb   uint64   // hash of the verb
	Tokens []uint64 // hashes of the condition's tokens
}

// Verbs is the union of the two bits of each of verbs' hashes.
func Verbs(hashes []uint64) (s uint64) {
	for _, h := range hashes {
		s |= pair(h)
	}
	return s
}

// pair has the two bits of a verb: one in each half, which the lowest verbBits of its hash choose.
func pair(hash uint64) uint64 { return 1<<(hash&31) | 1<<32<<(hash>>(verbBits-5)&31) }

// number returns the bits that chose a pair.
func number(pair uint64) uint64 {
	return uint64(bits.TrailingZeros32(uint32(pair)) | bits.TrailingZeros64(pair>>32)<<(verbBits-5))
}

func bit(hash uint64) uint64 { return 1 << (hash & 63) }

// both reports whether a bit is set in each half. (One product takes less than two questions.)
func both(x uint64) bool { return uint64(uint32(x))*(x>>32) != 0 }

// Signature is the union of two more bits of each of the hashes. With one bit each,
// and without the verb's, a check takes a twentieth longer: texts are looked at in vain.
func Signature(hashes []uint64) (s uint64) {
	for _, h := range hashes {
		s |= signature(h)
	}
	return s
}

func signature(hash uint64) uint64 { return bit(hash>>8) | bit(hash>>14) }

const (
	verbBits = 8 // how many bits of a verb's hash an entry has
	verbMask = 1<<verbBits - 1
)

// entry is a clause in the bucket of the token that it is filed under, in 16 bytes.
type entry struct {
	tag       uint32 // of that token's hash the highest bits, of the verb's the lowest verbBits
	slot      uint32
	signature uint64 // of the verb and the condition's tokens
}

func (e *entry) mayHold(key, verbs, signature uint64) bool {
	return e.tag&^verbMask == uint32(key>>32)&^verbMask && e.signature&^signature == 0 && both(verbs&pair(uint64(e.tag)))
}

// unrotated undoes what filter does.
func unrotated(filter, key uint64) uint64 {
	return bits.RotateLeft64(filter, int(key>>(32+verbBits)&63))
}

func (e *entry) filter() uint64 {
	return bits.RotateLeft64(pair(uint64(e.tag)), -int(e.tag>>verbBits&63))
}

func tag(filed, verb uint64) uint32 {
	return uint32(filed>>32)&^verbMask | uint32(verb&verbMask)
}

// pageSize is the number of buckets that a change copies. It copies the list
// of pages, too: with 64 each comes to about 4 KiB for 100,000 clauses.
const pageSize = 64

type page struct {
	filters [pageSize]uint64 // by bucket
	ends    [pageSize]uint32 // by bucket: where its entries end and the next bucket's begin
	entries []entry          // in the order of their tags
}

func (p *page) bucket(b uint64) []entry {
	start := uint32(0)
	if b %= pageSize; b > 0 {
		start = p.ends[b-1]
	}
	return p.entries[start:p.ends[b]]
}

// before returns how many entries of a bucket have lower tags. A short one is
// run through, which takes a tenth off compiling.
func before(bucket []entry, tag uint64) int {
	if len(bucket) >= long {
		return sort.Search(len(bucket), func(i int) bool { return uint64(bucket[i].tag) >= tag })
	}
	n := 0
	for n < len(bucket) && uint64(bucket[n].tag) < tag {
		n++
	}
	return n
}

// between returns the entries of a bucket that have these tags.
func between(bucket []entry, first, last uint32) []entry {
	start := before(bucket, uint64(first))
	return bucket[start : start+before(bucket[start:], uint64(last)+1)]
}

// long is the length from which on looking for entries is quicker than looking at all.
const long = 16

// insert puts an entry into bucket b, as number i.
func (p *page) insert(b uint64, i int, e entry) {
	b %= pageSize
	i += int(p.ends[b]) - len(p.bucket(b))
	p.entries = slices.Insert(p.entries, i, e)
	p.filters[b] |= e.filter()
	for ; b < pageSize; b++ {
		p.ends[b]++
	}
}

// remove takes out entry number i of bucket b.
func (p *page) remove(b uint64, i int) {
	b %= pageSize
	i += int(p.ends[b]) - len(p.bucket(b))
	p.entries = slices.Delete(p.entries, i, i+1)
	for k := b; k < pageSize; k++ {
		p.ends[k]--
	}
	p.filters[b] = 0
	for _, e := range p.bucket(b) {
		p.filters[b] |= e.filter()
	}
}

// sort puts the entries in order, which is also that of their buckets.
func (p *page) sort() {
	slices.SortStableFunc(p.entries, func(x, y entry) int { return cmp.Compare(x.tag, y.tag) })
}

// clip frees the room that changes have left, where it is worth a copy.
func (p *page) clip() {
	if cap(p.entries) > len(p.entries)+2 {
		p.entries = slices.Clip(slices.Clone(p.entries))
	}
}

// Table is an index of clauses. The zero value is empty.
type Table struct {
	pages []*page // a power of two of them, or none
	shift uint8   // of a hash's bits, those that do not choose the bucket: from the highest on
	size  int
}

// Len returns the number of clauses.
func (t *Table) Len() int { return t.size }

// First returns the number of the first key whose bucket lists one of the
// verbs, len(keys) when there is none. It loads one word for each key.
func (t *Table) First(keys []uint64, verbs uint64) int {
	if t.size > 0 {
		for i, key := range keys {
			if t.lists(key, verbs) {
				return i
			}
		}
	}
	return len(keys)
}

// Lists reports whether the bucket of a key has one of the verbs.
func (t *Table) Lists(key, verbs uint64) bool { return t.size > 0 && t.lists(key, verbs) }

func (t *Table) lists(key, verbs uint64) bool {
	b := key >> (t.shift & 63)
	return both(unrotated(t.pages[b/pageSize].filters[b%pageSize], key) & verbs)
}

// Scan writes the slots of the clauses filed under key that may hold of an
// action with these verbs and this signature to dst from dst[n] on, and returns
// where they end. It returns -1 when dst has no room for them, and when n is
// -1, so that calls can follow each other with one question at the end.
//
// The table must list the key (Lists). Scan looks at each entry of its bucket;
// in a long one, where there is only one verb, at those of the key and the verb.
func (t *Table) Scan(dst []uint32, n int, key, verbs, signature uint64) int {
	if n < 0 {
		return n
	}
	for _, e := range t.candidates(key, verbs) {
		if e.mayHold(key, verbs, signature) {
			if n == len(dst) {
				return -1
			}
			dst[n] = e.slot
			n++
		}
	}
	return n
}

// candidates returns the entries that Scan has to look at.
func (t *Table) candidates(key, verbs uint64) []entry {
	b := key >> (t.shift & 63)
	bucket := t.pages[b/pageSize].bucket(b)
	if len(bucket) >= long && bits.OnesCount64(verbs) == 2 {
		of := tag(key, number(verbs))
		bucket = between(bucket, of, of)
	}
	return bucket
}

// WithVerbs yields the slots of all clauses that have one of the verbs, by
// their bits. It looks at every entry, 16 bytes each.
func (t *Table) WithVerbs(verbs uint64) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for _, p := range t.pages {
			for _, e := range p.entries {
				if both(verbs&pair(uint64(e.tag))) && !yield(e.slot) {
					return
				}
			}
		}
	}
}

// Probed returns the number of entries that Scan looks at for key: what a
// check costs, apart from time.
func (t *Table) Probed(key, verbs uint64) int {
	if !t.Lists(key, verbs) {
		return 0
	}
	return len(t.candidates(key, verbs))
}
