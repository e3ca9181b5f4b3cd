// Package index is an inverted index from the hashes of tokens to the clauses
// that need these tokens. It finds the few clauses that may hold for an action
// among any number of clauses. The caller verifies these by their texts.
//
// Each clause is filed under one of its tokens: the token with the fewest
// clauses, so that a token that many clauses share makes no long bucket. A clause
// that is filed under a token with alternatives has an entry under each of them.
//
// A bucket has a filter word. Each clause sets two bits for its verb in it, one
// in each half. Both are rotated by the hash of the token under which the clause
// is filed. The entries of a bucket are read only if both halves have a bit of
// some verb of the action. Without the rotation a common verb would set the same
// bits in every bucket. With one bit per clause a check of an action with three
// verbs takes longer, mostly by a tenth.
//
// The entries of a bucket are sorted by tag, so that in a long bucket only those
// with the action's verb are read. This saves four fifths of the time if no word
// is rare.
//
// An Index is immutable. A Txn makes a new one, which shares all pages with the
// old one except those that the transaction touches.
package index

import (
	"cmp"
	"iter"
	"math/bits"
	"slices"
	"sort"

	"github.com/normsync/normsync/internal/cow"
)

// Index is an index of clauses. The zero value is empty.
type Index struct {
	pages []*page // the length is zero or a power of two
	shift uint8   // the number of low bits of a hash that do not choose the bucket
	size  int
}

// Clause is what an action must have for a norm to apply: one of the norm's
// verbs, all tokens of its condition, and one alternative of each token that has
// several.
type Clause struct {
	Slot   uint32     // identifies the norm
	Verb   uint64     // hash of the verb
	Tokens []uint64   // hashes of the tokens of the condition that have no alternatives
	AnyOf  [][]uint64 // hashes of the alternatives of the others
}

// alternatives returns the lists of AnyOf under which the clause can be filed, the
// longest first. A list is left out if it has the verb or one of Tokens, because it
// rules nothing out. A list has no hash twice.
func (c *Clause) alternatives() [][]uint64 {
	var lists [][]uint64
	for _, list := range c.AnyOf {
		if slices.ContainsFunc(list, func(h uint64) bool { return h == c.Verb || slices.Contains(c.Tokens, h) }) {
			continue
		}
		list = slices.Clone(list)
		slices.Sort(list)
		lists = append(lists, slices.Compact(list))
	}
	slices.SortStableFunc(lists, func(a, b []uint64) int { return cmp.Compare(len(b), len(a)) })
	return lists
}

// Len returns the number of entries: one for each clause, or one for each alternative
// of the token that a clause is filed under.
func (x *Index) Len() int { return x.size }

// First returns the index of the first key that Lists accepts, or len(keys) if
// there is none. It loads one word per key.
func (x *Index) First(keys []uint64, verbs uint64) int {
	if x.size > 0 {
		for i, key := range keys {
			if x.lists(key, verbs) {
				return i
			}
		}
	}
	return len(keys)
}

// Lists reports whether the bucket of a key may have clauses with one of the
// verbs. It loads one word.
func (x *Index) Lists(key, verbs uint64) bool { return x.size > 0 && x.lists(key, verbs) }

func (x *Index) lists(key, verbs uint64) bool { return Accepts(x.filter(key), verbs) }

// Filter returns the filter word of a key. A caller that has several sets of verbs
// for the same key loads it once: Lists is Accepts of the filter word.
func (x *Index) Filter(key uint64) uint64 {
	if x.size == 0 {
		return 0
	}
	return x.filter(key)
}

func (x *Index) filter(key uint64) uint64 {
	b := key >> (x.shift & 63)
	return unrotated(x.pages[b/pageSize].filters[b%pageSize], key)
}

// Accepts reports whether a bucket with this filter word may have clauses with one
// of the verbs.
func Accepts(filter, verbs uint64) bool { return both(filter & verbs) }

// Scan writes the slots of the clauses that are filed under key, and that may
// hold for an action with these verbs and this signature, to dst[n:], and
// returns the index after the last. It returns -1 if dst has no room for them,
// or if n is -1, so that a sequence of calls needs one check at the end.
//
// Lists must have accepted the key. Scan reads the entries of one bucket. If the
// bucket is long and there is one verb, it reads only the entries of this key and verb.
func (x *Index) Scan(dst []uint32, n int, key, verbs, signature uint64) int {
	if n < 0 {
		return n
	}
	bucket := x.bucket(key)
	if len(bucket) >= long && isOne(verbs) {
		verb := tag(key, verbNumber(verbs))
		bucket = bucket[countBelow(bucket, uint64(verb)):]
		for i := 0; i < len(bucket) && bucket[i].tag == verb; i++ {
			if e := &bucket[i]; e.signature&^signature == 0 {
				if n == len(dst) {
					return -1
				}
				dst[n] = e.slot
				n++
			}
		}
		return n
	}
	for i := range bucket {
		if e := &bucket[i]; e.signature&^signature == 0 && e.isFor(key, verbs) {
			if n == len(dst) {
				return -1
			}
			dst[n] = e.slot
			n++
		}
	}
	return n
}

// bucket returns the entries of the bucket of a key.
func (x *Index) bucket(key uint64) []entry {
	b := key >> (x.shift & 63)
	return x.pages[b/pageSize].bucket(b)
}

// isOne reports whether verbs are the bits of one verb.
func isOne(verbs uint64) bool { return bits.OnesCount64(verbs) == 2 }

// Probed returns the number of entries that Scan reads for key, or 0 if Lists
// rejects the key. It is the cost of a check without regard to time.
func (x *Index) Probed(key, verbs uint64) int {
	if !x.Lists(key, verbs) {
		return 0
	}
	bucket := x.bucket(key)
	if len(bucket) >= long && isOne(verbs) {
		verb := tag(key, verbNumber(verbs))
		return len(between(bucket, verb, verb))
	}
	return len(bucket)
}

// WithVerbs yields the slots of all clauses that may have one of the verbs. It
// reads every entry of the index, 16 bytes each.
func (x *Index) WithVerbs(verbs uint64) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for _, p := range x.pages {
			for _, e := range p.entries {
				if both(verbs&verbBitsOf(uint64(e.tag))) && !yield(e.slot) {
					return
				}
			}
		}
	}
}

// Verbs returns the union of the verb bits of the hashes.
func Verbs(hashes []uint64) (s uint64) {
	for _, h := range hashes {
		s |= verbBitsOf(h)
	}
	return s
}

// verbBitsOf returns the two bits of a verb, one in each half of the word. The
// low verbBits bits of the hash choose them.
func verbBitsOf(hash uint64) uint64 { return 1<<(hash&31) | 1<<32<<(hash>>(verbBits-5)&31) }

// verbNumber is the inverse of verbBitsOf: it returns the low verbBits bits of
// the hash.
func verbNumber(pair uint64) uint64 {
	return uint64(bits.TrailingZeros32(uint32(pair)) | bits.TrailingZeros64(pair>>32)<<(verbBits-5))
}

// both reports whether each half of x has a bit. One multiplication is faster
// than two comparisons.
func both(x uint64) bool { return uint64(uint32(x))*(x>>32) != 0 }

// Signature returns the union of two other bits for each of the hashes. With one
// bit each, and without the verb's, a check takes a twentieth longer, because it
// verifies more clauses that do not hold.
func Signature(hashes []uint64) (s uint64) {
	for _, h := range hashes {
		s |= signature(h)
	}
	return s
}

func signature(hash uint64) uint64 { return bit(hash>>8) | bit(hash>>14) }

func bit(hash uint64) uint64 { return 1 << (hash & 63) }

const (
	verbBits = 8 // how many bits of a verb's hash an entry has
	verbMask = 1<<verbBits - 1
)

// Each of the two bits of a verb is chosen by 5 bits of the hash. Together these
// must cover all verbBits bits.
const (
	_ = uint(verbBits - 5)
	_ = uint(10 - verbBits)
)

// entry is a clause in the bucket of the token that it is filed under. It takes
// 16 bytes.
type entry struct {
	tag       uint32 // high bits of that token's hash, then the low verbBits bits of the verb's
	slot      uint32
	signature uint64 // of the verb and the tokens of the condition
}

// isFor reports whether the entry is filed under a key and has one of the verbs.
func (e *entry) isFor(key, verbs uint64) bool {
	return e.tag&^verbMask == uint32(key>>32)&^verbMask && both(verbs&verbBitsOf(uint64(e.tag)))
}

// filter returns the bits that an entry sets in the filter word of its bucket.
func (e *entry) filter() uint64 {
	return bits.RotateLeft64(verbBitsOf(uint64(e.tag)), -int(e.tag>>verbBits&63))
}

// unrotated undoes the rotation of filter for the entries filed under key.
func unrotated(filter, key uint64) uint64 {
	return bits.RotateLeft64(filter, int(key>>(32+verbBits)&63))
}

func tag(filed, verb uint64) uint32 {
	return uint32(filed>>32)&^verbMask | uint32(verb&verbMask)
}

// pageSize is the number of buckets in a page. A transaction copies the list of
// pages and the pages that it touches. With 64 buckets, the list and a page take
// about 4 KiB each for 100,000 clauses.
const pageSize = 64

type page struct {
	filters [pageSize]uint64 // by bucket
	ends    [pageSize]uint32 // for each bucket, the index after its last entry
	entries []entry          // sorted by tag
	owner   *cow.Owner
}

func (p *page) bucket(b uint64) []entry {
	start := uint32(0)
	if b %= pageSize; b > 0 {
		start = p.ends[b-1]
	}
	return p.entries[start:p.ends[b]]
}

// insert adds an entry to bucket b, at index i of the bucket.
func (p *page) insert(b uint64, i int, e entry) {
	b %= pageSize
	i += int(p.ends[b]) - len(p.bucket(b))
	p.entries = slices.Insert(p.entries, i, e)
	p.filters[b] |= e.filter()
	for ; b < pageSize; b++ {
		p.ends[b]++
	}
}

// delete removes the entry at index i of bucket b.
func (p *page) delete(b uint64, i int) {
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

// clip frees unused memory, if it is worth a copy.
func (p *page) clip() {
	if cap(p.entries) > len(p.entries)+2 {
		p.entries = slices.Clip(slices.Clone(p.entries))
	}
}

// long is the length from which on a binary search in a bucket is faster than
// reading all of it.
const long = 16

// between returns the entries of a bucket with tags from first to last.
func between(bucket []entry, first, last uint32) []entry {
	start := countBelow(bucket, uint64(first))
	return bucket[start : start+countBelow(bucket[start:], uint64(last)+1)]
}

// countBelow returns the number of entries of a bucket with lower tags. Reading
// a short bucket from the start takes a tenth off Compile.
func countBelow(bucket []entry, tag uint64) int {
	if len(bucket) >= long {
		return sort.Search(len(bucket), func(i int) bool { return uint64(bucket[i].tag) >= tag })
	}
	n := 0
	for n < len(bucket) && uint64(bucket[n].tag) < tag {
		n++
	}
	return n
}
