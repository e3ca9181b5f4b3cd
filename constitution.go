package normsync

import (
	"cmp"
	"fmt"
	"iter"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/normsync/normsync/internal/token"
)

// Constitution is an immutable, compiled set of norms in force. Compile makes
// one, and a [Monitor] holds the one that is in force now. The zero value is
// empty and allows every action.
//
// Any number of goroutines may call any methods at the same time. No method
// blocks.
type Constitution struct {
	edition uint64
	norms   normSet
	forbid  normIndex // of the norms with Prohibited
	permit  normIndex // of the norms with Permitted
}

var emptyConstitution = new(Constitution)

// Compile returns a constitution of the given norms, except those marked
// Repealed. Its edition is 0. Compile fails with [ErrInvalid] if
// [Norm.Validate] does, and with [ErrExists] if two norms have the same name. It
// does not keep the slice.
//
// The time is O(n log n) for n norms, about a microsecond per norm. Compile uses all
// processors if there are thousands of norms. It copies norms and their texts to
// a few large objects, so that the garbage collector has little to do.
func Compile(norms ...Norm) (*Constitution, error) {
	ids := make([]ID, len(norms))
	var invalid atomic.Bool
	inParallel(len(norms), func(i int) {
		if n := &norms[i]; !n.Repealed {
			if invalid.Load() || n.Validate() != nil {
				invalid.Store(true)
				return
			}
			ids[i] = n.ID()
		}
	})
	if !invalid.Load() {
		t := emptyConstitution.txn(len(norms))
		t.insertAll(func(yield func(*Norm, normMeta) bool) {
			var n Norm
			for i := range norms {
				if n = norms[i].canonicalIfValid(); !n.Repealed && !yield(&n, normMeta{id: ids[i]}) {
					return
				}
			}
		})
		if c := t.commit(0); !c.norms.hasDuplicates() {
			return c, nil
		}
	}
	// Find out which norm is the first that is wrong.
	return nil, eachInForce("compile", norms, func(Norm) {})
}

// inParallel calls do with 0 to n-1, in several goroutines if n is large.
func inParallel(n int, do func(i int)) {
	const chunk = 1024
	var wg sync.WaitGroup
	var next atomic.Int64
	work := func() {
		for start := int(next.Add(chunk)) - chunk; start < n; start = int(next.Add(chunk)) - chunk {
			for i := start; i < min(start+chunk, n); i++ {
				do(i)
			}
		}
	}
	for range min(runtime.GOMAXPROCS(0), n/chunk) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
}

// eachInForce calls do with the canonical form of each norm that is not Repealed. It
// fails at the first norm that is invalid or has the name of an earlier one.
func eachInForce(verb string, norms []Norm, do func(Norm)) error {
	names := make(map[string]struct{}, len(norms))
	for i, n := range norms {
		if n.Repealed {
			continue
		}
		err := n.Validate()
		if _, ok := names[n.Name]; ok && err == nil {
			err = fmt.Errorf("%w: an earlier norm has the name %q, too; rename one of them", ErrExists, n.Name)
		}
		if err != nil {
			return opError(fmt.Sprintf("%s: norm %d of %d", verb, i+1, len(norms)), err)
		}
		names[n.Name] = struct{}{}
		n = n.canonicalIfValid()
		do(n)
	}
	return nil
}

// All returns an iterator over the norms in force, in order of name.
func (c *Constitution) All() iter.Seq[Norm] {
	return func(yield func(Norm) bool) {
		for slot := range c.norms.all() {
			if !yield(c.norms.at(slot).unpack()) {
				return
			}
		}
	}
}

// Norm returns the norm in force with that name, if there is one. The time is
// O(log n) for n norms.
func (c *Constitution) Norm(name string) (Norm, bool) {
	n, _, ok := c.versioned(name)
	return n, ok
}

// versioned is Norm with the version of the norm. The version is 0 if the norm
// comes from Compile instead of a revision.
func (c *Constitution) versioned(name string) (n Norm, version int, ok bool) {
	slot, ok := c.norms.find(name)
	if !ok {
		return Norm{}, 0, false
	}
	found := c.norms.at(slot)
	return found.unpack(), int(found.version), true
}

// Len returns the number of norms in force.
func (c *Constitution) Len() int { return c.norms.size }

// Edition returns the number of revisions that led to the constitution. It is 0
// for the result of Compile.
func (c *Constitution) Edition() uint64 { return c.edition }

// Verbs returns an iterator over the verbs that norms in force name in Prohibited or
// Permitted, as they are written, prefixes such as cast_* included. Verbs that differ
// only in case are yielded once. They are ordered by the names of their norms. If a verb
// is not among them, and no prefix matches it, no norm is about it.
//
// Ranging over all of them takes time proportional to the number of norms.
func (c *Constitution) Verbs() iter.Seq[string] {
	return func(yield func(string) bool) {
		seen := map[string]bool{}
		for slot := range c.norms.all() {
			for tok := range token.All(c.norms.at(slot).verbs()) {
				p := token.ParseVerb(tok)
				key := p.In(token.Any).String()
				if key = token.Fold(key); !p.Empty() && !seen[key] {
					seen[key] = true
					if !yield(strings.Clone(tok)) { // tok would keep its page in memory
						return
					}
				}
			}
		}
	}
}

// compareNorms orders norms like their violations: by Priority, highest first,
// then by Name.
func compareNorms(a, b *Norm) int {
	if a.Priority != b.Priority {
		return cmp.Compare(b.Priority, a.Priority)
	}
	return strings.Compare(a.Name, b.Name)
}

// after returns the constitution of an edition, given the last revision of each
// name that changed since c. The revisions must be valid. The cost depends on
// what they touch, not on the number of norms.
func (c *Constitution) after(edition uint64, last *outcomes) *Constitution {
	if edition == c.edition {
		return c
	}
	t := c.txn(c.Len() + last.len())
	if last.len() > 64 && last.len() > c.Len()/8 {
		// With so many changes it is faster to start from an empty constitution.
		t = emptyConstitution.txn(c.Len() + last.len())
		t.insertAll(func(yield func(*Norm, normMeta) bool) {
			var norm Norm
			for slot := range c.norms.all() {
				n := c.norms.at(slot)
				if last.of(n.name()) != nil {
					continue
				}
				if norm = n.unpack(); !yield(&norm, normMeta{n.id, n.version}) {
					return
				}
			}
			for o := range last.all() {
				if !o.norm.Repealed && !yield(&o.norm, normMeta{id: o.id, version: uint32(o.version)}) {
					return
				}
			}
		})
		return t.commit(edition)
	}
	for o := range last.all() {
		n, m := o.norm, normMeta{id: o.id, version: uint32(o.version)}
		slot, inForce := c.norms.find(n.Name)
		switch {
		case n.Repealed && inForce:
			t.delete(slot)
		case n.Repealed: // it was enacted after c
		case inForce:
			t.replace(slot, n, m)
		default:
			t.insert(n, m)
		}
	}
	return t.commit(edition)
}

// constitutionTxn is a transaction on a constitution, as package cow describes.
// It consists of one transaction on each part.
type constitutionTxn struct {
	old            *Constitution
	expected       int // the number of norms after it, about
	norms          *normSetTxn
	forbid, permit *normIndexTxn // nil until something changes
}

func (c *Constitution) txn(expected int) *constitutionTxn {
	return &constitutionTxn{old: c, expected: expected, norms: c.norms.txn()}
}

func (t *constitutionTxn) insert(n Norm, m normMeta) {
	t.index(&n).insert(&n, t.norms.insert(n, m))
}

// insertAll is insert for many norms, which it ranges over twice. The constitution must
// be empty, so the slots of the norms are 0, 1, 2 and so on.
func (t *constitutionTxn) insertAll(norms iter.Seq2[*Norm, normMeta]) {
	besides(t.expected > parallelFrom, func() {
		for n, m := range norms {
			t.norms.insert(*n, m)
		}
	}, func() {
		slot := uint32(0)
		for n := range norms {
			t.index(n).insert(n, slot)
			slot++
		}
	})
}

// besides calls f and g, at the same time if that is worthwhile.
func besides(worthwhile bool, f, g func()) {
	if !worthwhile || runtime.GOMAXPROCS(0) == 1 {
		f()
		g()
		return
	}
	var wg sync.WaitGroup
	wg.Go(f)
	g()
	wg.Wait()
}

// parallelFrom is the number of norms from which on a second goroutine is worthwhile.
const parallelFrom = 4096

func (t *constitutionTxn) replace(slot uint32, n Norm, m normMeta) {
	old := t.norms.at(slot).unpack()
	t.norms.replace(slot, n, m)
	if n.Condition != old.Condition || n.Prohibited != old.Prohibited || n.Permitted != old.Permitted {
		t.index(&old).delete(&old, slot)
		t.index(&n).insert(&n, slot)
	}
}

func (t *constitutionTxn) delete(slot uint32) {
	n := t.norms.at(slot).unpack()
	t.index(&n).delete(&n, slot)
	t.norms.delete(n.Name)
}

// index returns the transaction on the index of a norm.
func (t *constitutionTxn) index(n *Norm) *normIndexTxn {
	txn, old := &t.forbid, &t.old.forbid
	if n.Permitted != "" {
		txn, old = &t.permit, &t.old.permit
	}
	if *txn == nil {
		*txn = old.txn(t.expected)
	}
	return *txn
}

// commit ends the transaction and returns the new constitution.
func (t *constitutionTxn) commit(edition uint64) *Constitution {
	c := &Constitution{edition: edition, forbid: t.old.forbid, permit: t.old.permit}
	besides(len(t.norms.inserted) > parallelFrom, func() {
		c.norms = t.norms.commit()
	}, func() {
		if t.forbid != nil {
			c.forbid = t.forbid.commit()
		}
		if t.permit != nil {
			c.permit = t.permit.commit()
		}
	})
	return c
}
