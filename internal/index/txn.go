package index

import (
	"cmp"
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
	build    *builder // nil unless the index was empty and is being filled
}

// builder collects the entries of an index that begins empty, and puts them into
// pages all at once. Inserting one entry after the other would move those behind it
// each time.
type builder struct {
	entries []entry
	counts  []uint32 // how many clauses have a token whose hash is in a group
	shift   uint8    // the number of low bits of a hash that do not choose the group
}

// groupsPerBucket is how much finer the groups of a builder are than buckets. A group
// then has few tokens.
const groupsPerBucket = 4

// newBuilder returns a builder for an expected number of clauses.
func newBuilder(expected int) *builder {
	groups := min(bucketsFor(expected)*groupsPerBucket, maxBuckets)
	return &builder{make([]entry, 0, expected), make([]uint32, groups), shiftFor(groups)}
}

func (b *builder) group(hash uint64) uint64 { return hash >> b.shift }

// Txn begins a transaction after which the index will have about the expected
// number of clauses.
func (x *Index) Txn(expected int) *Txn {
	return &Txn{index: Index{slices.Clone(x.pages), x.shift, x.size}, expected: expected, owner: cow.NewOwner()}
}

// Commit ends the transaction and returns the new index.
func (t *Txn) Commit() Index {
	t.finishBuild()
	for _, i := range t.copied {
		t.index.pages[i].clip()
	}
	return t.index
}

// Insert adds a clause.
func (t *Txn) Insert(c Clause) {
	if n := len(t.index.pages) * pageSize; t.build == nil {
		switch {
		case n == 0:
			t.build = newBuilder(t.expected)
		case t.index.size >= n*clausesPerBucket && n < maxBuckets:
			t.resize(2 * n)
		}
	}
	s := signature(c.Verb) | Signature(c.Tokens)
	one, alternatives := t.choose(&c)
	if alternatives == nil {
		t.file(one, &c, s)
	}
	for _, h := range alternatives {
		t.file(h, &c, s|signature(h))
	}
	if t.build != nil {
		t.build.count(&c)
	}
}

// file adds an entry under a token.
func (t *Txn) file(filed uint64, c *Clause, signature uint64) {
	e := entry{tag(filed, c.Verb), c.Slot, signature}
	if t.build != nil {
		t.build.entries = append(t.build.entries, e)
	} else {
		t.insert(filed>>t.index.shift, e)
	}
	t.index.size++
}

// count counts the tokens of a clause.
func (b *builder) count(c *Clause) {
	b.counts[b.group(c.Verb)]++
	for _, h := range c.Tokens {
		b.counts[b.group(h)]++
	}
	for _, list := range c.AnyOf {
		for _, h := range list {
			b.counts[b.group(h)]++
		}
	}
}

// finishBuild puts the entries of the builder, if there is one, into pages.
func (t *Txn) finishBuild() {
	if b := t.build; b != nil {
		t.build = nil
		t.place(b.entries, bucketsFor(len(b.entries)))
	}
}

// place makes new pages of the entries, which it sorts.
func (t *Txn) place(entries []entry, buckets int) {
	t.index.shift = shiftFor(buckets)
	t.index.pages = make([]*page, buckets/pageSize)
	pageOf := func(e *entry) uint64 { return uint64(e.tag) << 32 >> t.index.shift / pageSize }
	starts := make([]int, len(t.index.pages)+1)
	for i := range entries {
		starts[pageOf(&entries[i])+1]++
	}
	for i := range t.index.pages {
		starts[i+1] += starts[i]
	}
	sorted := make([]entry, len(entries))
	next := slices.Clone(starts)
	for i := range entries {
		p := pageOf(&entries[i])
		sorted[next[p]] = entries[i]
		next[p]++
	}
	for i := range t.index.pages {
		t.index.pages[i] = newPage(slices.Clone(sorted[starts[i]:starts[i+1]]), t.index.shift, t.owner)
	}
	t.copied = nil
}

// newPage returns a page of the entries, which it sorts.
func newPage(entries []entry, shift uint8, owner *cow.Owner) *page {
	// The high bits of a tag choose the bucket, so this also sorts by bucket.
	slices.SortStableFunc(entries, func(x, y entry) int { return cmp.Compare(x.tag, y.tag) })
	p := &page{entries: slices.Clip(entries), owner: owner}
	for i := range entries {
		b := uint64(entries[i].tag) << 32 >> shift % pageSize
		p.filters[b] |= entries[i].filter()
		p.ends[b]++
	}
	for b := 1; b < pageSize; b++ {
		p.ends[b] += p.ends[b-1]
	}
	return p
}

// shiftFor returns the number of low bits of a hash that do not choose one of n, which
// is a power of two.
func shiftFor(n int) uint8 { return uint8(64 - bits.TrailingZeros(uint(n))) }

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

// filed returns the number of clauses filed under a token. While the index is being
// built, it returns the number of those that have a token of its group, which tells a
// rare token from a common one, too.
func (t *Txn) filed(hash uint64) int {
	if t.build != nil {
		return int(t.build.counts[t.build.group(hash)])
	}
	b := hash >> t.index.shift
	return len(between(t.index.pages[b/pageSize].bucket(b), tag(hash, 0), tag(hash, verbMask)))
}

// insert adds an entry to bucket b, after the entries with the same tag.
func (t *Txn) insert(b uint64, e entry) {
	p := t.own(b / pageSize)
	p.insert(b, countBelow(p.bucket(b), uint64(e.tag)+1), e)
}

// Delete removes a clause that was inserted.
func (t *Txn) Delete(c Clause) {
	t.finishBuild()
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
	entries := make([]entry, 0, t.index.size)
	for _, p := range t.index.pages {
		entries = append(entries, p.entries...)
	}
	t.place(entries, buckets)
}
