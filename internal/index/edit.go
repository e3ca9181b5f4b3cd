package index

import (
	"math/bits"
	"slices"
)

// perBucket is how many clauses a bucket holds on average when a table is full
// and gets twice as many buckets. With 2 a norm takes 3 bytes more, and a check
// of a thousand norms is faster by a twentieth.
const perBucket = 4

// verbPenalty is how many times shorter than all others the bucket of a verb
// must be, the clause that comes to it included, to be taken.
const verbPenalty = 8

// maxBuckets is as far as tags reach: they have the bits of a hash that choose the bucket.
const maxBuckets = 1 << (32 - verbBits)

// Edit makes a new table from an old one, which stays as it was. It costs as
// much as the pages that it touches, and a copy of the list of pages.
type Edit struct {
	t        Table
	expected int
	all      bool            // no page is shared with another table, and entries have no order yet
	mine     map[uint64]bool // otherwise, by number, those that are not
}

// Edit begins a change after which the table will have about so many clauses.
func (t *Table) Edit(expected int) *Edit {
	return &Edit{t: Table{slices.Clone(t.pages), t.shift, t.size}, expected: expected, mine: map[uint64]bool{}}
}

func bucketsFor(clauses int) int {
	n := pageSize
	for n < maxBuckets && n*perBucket < clauses {
		n *= 2
	}
	return n
}

// Table ends the change and returns the new table.
func (e *Edit) Table() Table {
	if e.all {
		for _, p := range e.t.pages {
			p.sort()
			p.clip()
		}
	}
	for i := range e.mine {
		e.t.pages[i].clip()
	}
	return e.t
}

// Insert adds a clause.
func (e *Edit) Insert(c Clause) {
	switch n := len(e.t.pages) * pageSize; {
	case n == 0:
		e.resize(bucketsFor(e.expected))
	case e.t.size >= n*perBucket && n < maxBuckets:
		e.resize(2 * n)
	}
	filed := e.choose(c)
	e.insert(filed>>e.t.shift, entry{tag(filed, c.Verb), c.Slot, signature(c.Verb) | Signature(c.Tokens)})
	e.t.size++
}

// insert puts an entry behind those of its bucket that have no higher tag.
// Where all is made anew it puts it behind all, so as not to move a long bucket
// for each; Table sorts them in the end.
func (e *Edit) insert(b uint64, x entry) {
	p := e.own(b / pageSize)
	bucket := p.bucket(b)
	i := len(bucket)
	if !e.all {
		i = before(bucket, uint64(x.tag)+1)
	}
	p.insert(b, i, x)
}

// choose returns the token under which a clause is filed: the one under which
// the fewest are. Since every action has a verb, it is the verb only where many
// are filed under any other.
func (e *Edit) choose(c Clause) uint64 {
	best, least := c.Verb, verbPenalty*(1+e.filed(c.Verb))
	for _, h := range c.Tokens {
		if n := e.filed(h); n < least {
			best, least = h, n
		}
	}
	return best
}

// filed returns how many clauses are filed under a token. Of a very long bucket
// that has no order yet it takes all for the token's, so as not to count them
// for each clause that comes.
func (e *Edit) filed(hash uint64) (n int) {
	b := hash >> e.t.shift
	bucket := e.t.pages[b/pageSize].bucket(b)
	switch {
	case !e.all:
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

// Remove takes out a clause that was inserted.
func (e *Edit) Remove(c Clause) {
	if e.remove(c, c.Verb) {
		return
	}
	for _, h := range c.Tokens {
		if e.remove(c, h) {
			return
		}
	}
}

func (e *Edit) remove(c Clause, filed uint64) bool {
	b := filed >> e.t.shift
	bucket := e.t.pages[b/pageSize].bucket(b)
	i := slices.IndexFunc(bucket, func(x entry) bool { return x.slot == c.Slot && x.tag == tag(filed, c.Verb) })
	if i < 0 {
		return false
	}
	e.own(b/pageSize).remove(b, i)
	e.t.size--
	return true
}

// own returns a page that can be changed.
func (e *Edit) own(i uint64) *page {
	if !e.all && !e.mine[i] {
		p := *e.t.pages[i]
		p.entries = append(make([]entry, 0, len(p.entries)+1), p.entries...) // with room for one more
		e.t.pages[i] = &p
		e.mine[i] = true
	}
	return e.t.pages[i]
}

// resize gives the table another number of buckets, at least as many as it has. It reads no token again: an entry's tag says where it goes.
func (e *Edit) resize(buckets int) {
	old := e.t.pages
	e.t.pages = make([]*page, buckets/pageSize)
	e.t.shift = uint8(64 - bits.TrailingZeros(uint(buckets)))
	for i := range e.t.pages {
		e.t.pages[i] = new(page)
	}
	e.all, e.mine = true, nil
	for _, p := range old {
		for _, x := range p.entries {
			e.insert(uint64(x.tag)<<32>>e.t.shift, x)
		}
	}
}
