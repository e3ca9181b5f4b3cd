package index

import (
	"math/bits"
	"slices"

	"github.com/normsync/normsync/internal/cow"
)

// clausesPerBucket is the average number of clauses in a bucket at which an
// index gets twice as many buckets. With 2 an index takes 3 more bytes per norm,
// and a check of a thousand norms is faster by a twentieth.
const clausesPerBucket = 4

// verbPenalty is how many times shorter than all others the bucket of the verb
// must be, with the new clause in it, for the clause to be filed under its verb.
const verbPenalty = 8

// maxBuckets is the number of buckets that tags can distinguish: a tag holds the
// bits of a hash that choose the bucket.
const maxBuckets = 1 << (32 - verbBits)

// Txn is a transaction that makes a new index from an old one, as package cow
// describes. A part is a page.
type Txn struct {
	index    Index
	expected int
	owner    *cow.Owner
	copied   []uint64 // numbers of the pages that were copied

	// bulk is set if all pages are new. Entries are then appended, and Commit
	// sorts them.
	bulk bool
}

// Txn begins a transaction after which the index will have about the expected
// number of clauses.
func (x *Index) Txn(expected int) *Txn {
	return &Txn{index: Index{slices.Clone(x.pages), x.shift, x.size}, expected: expected, owner: cow.NewOwner()}
}

// Commit ends the transaction and returns the new index.
func (t *Txn) Commit() Index {
	if t.bulk {
		for _, p := range t.index.pages {
			p.sort()
			p.clip()
		}
	}
	for _, i := range t.copied {
		t.index.pages[i].clip()
	}
	return t.index
}

// Insert adds a clause.
func (t *Txn) Insert(c Clause) {
	switch n := len(t.index.pages) * pageSize; {
	case n == 0:
		t.resize(bucketsFor(t.expected))
	case t.index.size >= n*clausesPerBucket && n < maxBuckets:
		t.resize(2 * n)
	}
	s := signature(c.Verb) | Signature(c.Tokens)
	one, alternatives := t.choose(&c)
	if alternatives == nil {
		t.file(one, &c, s)
	}
	for _, h := range alternatives {
		t.file(h, &c, s|signature(h))
	}
}

// file adds an entry under a token.
func (t *Txn) file(filed uint64, c *Clause, signature uint64) {
	t.insert(filed>>t.index.shift, entry{tag(filed, c.Verb), c.Slot, signature})
	t.index.size++
}

func bucketsFor(clauses int) int {
	n := pageSize
	for n < maxBuckets && n*clausesPerBucket < clauses {
		n *= 2
	}
	return n
}

// choose returns the token to file a clause under: the one with the fewest
// clauses. It prefers other tokens to the verb, because every action has a verb. If
// the token has alternatives, choose returns these.
func (t *Txn) choose(c *Clause) (best uint64, alternatives []uint64) {
	best, fewest := c.Verb, verbPenalty*(1+t.filed(c.Verb))
	for _, h := range c.Tokens {
		if n := t.filed(h); n < fewest {
			best, fewest = h, n
		}
	}
	for _, list := range c.alternatives() {
		n := len(list) - 1 // its further entries
		for _, h := range list {
			n += t.filed(h)
		}
		if n < fewest {
			alternatives, fewest = list, n
		}
	}
	return best, alternatives
}

// filed returns the number of clauses filed under a token. In bulk it counts the
// whole of a very long bucket, because counting the token's own entries for each
// new clause would take quadratic time.
func (t *Txn) filed(hash uint64) (n int) {
	b := hash >> t.index.shift
	bucket := t.index.pages[b/pageSize].bucket(b)
	switch {
	case !t.bulk:
		return len(between(bucket, tag(hash, 0), tag(hash, verbMask)))
	case len(bucket) > 256:
		return len(bucket)
	}
	for i := range bucket {
		if bucket[i].tag&^verbMask == tag(hash, 0) {
			n++
		}
	}
	return n
}

// insert adds an entry to bucket b, after the entries with the same tag. In bulk
// it appends the entry, because moving the entries of a long bucket for each new
// one would take quadratic time.
func (t *Txn) insert(b uint64, e entry) {
	p := t.own(b / pageSize)
	bucket := p.bucket(b)
	i := len(bucket)
	if !t.bulk {
		i = countBelow(bucket, uint64(e.tag)+1)
	}
	p.insert(b, i, e)
}

// Delete removes a clause that was inserted.
func (t *Txn) Delete(c Clause) {
	if t.deleteFrom(c, c.Verb) {
		return
	}
	for _, h := range c.Tokens {
		if t.deleteFrom(c, h) {
			return
		}
	}
	// A list of alternatives can be part of a longer list, which comes first.
	for _, list := range c.alternatives() {
		if !slices.ContainsFunc(list, func(h uint64) bool { return t.find(c, h) < 0 }) {
			for _, h := range list {
				t.deleteFrom(c, h)
			}
			return
		}
	}
}

// find returns the index of a clause in the bucket of a token that it is filed under,
// or -1 if it is not filed under that token.
func (t *Txn) find(c Clause, filed uint64) int {
	b := filed >> t.index.shift
	bucket := t.index.pages[b/pageSize].bucket(b)
	return slices.IndexFunc(bucket, func(e entry) bool { return e.slot == c.Slot && e.tag == tag(filed, c.Verb) })
}

func (t *Txn) deleteFrom(c Clause, filed uint64) bool {
	i := t.find(c, filed)
	if i < 0 {
		return false
	}
	b := filed >> t.index.shift
	t.own(b/pageSize).delete(b, i)
	t.index.size--
	return true
}

// own returns page i for writing.
func (t *Txn) own(i uint64) *page {
	if t.index.pages[i].owner != t.owner {
		p := *t.index.pages[i]
		p.owner = t.owner
		p.entries = append(make([]entry, 0, len(p.entries)+1), p.entries...) // with room for one more
		t.index.pages[i] = &p
		t.copied = append(t.copied, i)
	}
	return t.index.pages[i]
}

// resize sets the number of buckets, which must not shrink. It needs no token
// again, because the tag of an entry determines its bucket.
func (t *Txn) resize(buckets int) {
	old := t.index.pages
	t.index.pages = make([]*page, buckets/pageSize)
	t.index.shift = uint8(64 - bits.TrailingZeros(uint(buckets)))
	for i := range t.index.pages {
		t.index.pages[i] = &page{owner: t.owner}
	}
	t.bulk, t.copied = true, nil
	for _, p := range old {
		for _, e := range p.entries {
			t.insert(uint64(e.tag)<<32>>t.index.shift, e)
		}
	}
}
