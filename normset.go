package normsync

import (
	"cmp"
	"encoding/binary"
	"iter"
	"slices"
	"strings"

	"github.com/normsync/normsync/internal/cow"
)

// normSet is a persistent set of norms, ordered by name. Each norm has a slot, a
// number by which the index refers to it. A normSet is immutable; a normSetTxn
// makes a new one, as package cow describes. The zero value is empty.
type normSet struct {
	pages []*normPage // by slot
	names nameList
	size  int
	next  uint32    // the first slot that was never used
	free  *freeSlot // slots that can be used again
}

// normMeta belongs to a norm in force without being part of it.
type normMeta struct {
	id      ID
	version uint32
}

// nameList has the slots of the norms in order of name, in pages of at most
// namesPerPage slots. The pages are never written to.
type nameList struct {
	owner *cow.Owner // of the list of pages
	pages [][]uint32
}

type freeSlot struct {
	slot uint32
	next *freeSlot
}

const namesPerPage = 512

// at returns the norm in a slot.
func (s *normSet) at(slot uint32) *packedNorm { return &s.pages[slot/perPage].norms[slot%perPage] }

// all yields the slots of the norms in order of name.
func (s *normSet) all() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for _, page := range s.names.pages {
			for _, slot := range page {
				if !yield(slot) {
					return
				}
			}
		}
	}
}

// find returns the slot of the norm with that name. The time is O(log n).
func (s *normSet) find(name string) (slot uint32, ok bool) {
	page, i, ok := s.position(name)
	if !ok {
		return 0, false
	}
	return s.names.pages[page][i], true
}

// position returns the position of a name in the name list.
func (s *normSet) position(name string) (page, i int, ok bool) {
	if page = s.pageOf(name); page < 0 {
		return 0, 0, false
	}
	i, ok = slices.BinarySearchFunc(s.names.pages[page], name, s.compareName)
	return page, i, ok
}

// pageOf returns the page of the name list to which a name belongs: the last
// page that begins with that name or a smaller one. It returns -1 if there is no
// such page.
func (s *normSet) pageOf(name string) int {
	page, ok := slices.BinarySearchFunc(s.names.pages, name, func(page []uint32, name string) int { return s.compareName(page[0], name) })
	if !ok {
		page--
	}
	return page
}

func (s *normSet) compareName(slot uint32, name string) int {
	return strings.Compare(s.at(slot).name(), name)
}

// normSetTxn is a transaction on a normSet. Its parts are the pages and the list
// of names. Inserted norms are not found by name until commit.
type normSetTxn struct {
	normSet
	owner    *cow.Owner
	inserted []uint32
}

func (s *normSet) txn() *normSetTxn {
	t := &normSetTxn{normSet: *s, owner: cow.NewOwner()}
	t.pages = slices.Clone(s.pages)
	return t
}

// insert adds a norm with a new name and returns its slot.
func (t *normSetTxn) insert(n Norm, m normMeta) uint32 {
	slot := t.next
	if t.free != nil {
		slot, t.free = t.free.slot, t.free.next
	} else {
		t.next++
	}
	t.replace(slot, n, m)
	t.inserted = append(t.inserted, slot)
	t.size++
	return slot
}

// replace puts a norm into the slot of a norm with the same name.
func (t *normSetTxn) replace(slot uint32, n Norm, m normMeta) {
	t.own(slot).put(slot, &n, m)
}

// delete removes the norm with that name, which must not have been inserted by
// this transaction.
func (t *normSetTxn) delete(name string) {
	if t.names.owner != t.owner {
		t.names = nameList{t.owner, slices.Clone(t.names.pages)}
	}
	page, i, _ := t.position(name)
	slots := t.names.pages[page]
	slot := slots[i]
	if slots = slices.Concat(slots[:i], slots[i+1:]); len(slots) > 0 {
		t.names.pages[page] = slots
	} else {
		t.names.pages = slices.Delete(t.names.pages, page, page+1)
	}
	t.own(slot).norms[slot%perPage] = packedNorm{} // keeps no text alive
	t.free = &freeSlot{slot, t.free}
	t.size--
}

// own returns the page of a slot for writing.
func (t *normSetTxn) own(slot uint32) *normPage {
	i := int(slot / perPage)
	if i == len(t.pages) {
		t.pages = append(t.pages, &normPage{owner: t.owner})
	}
	if t.pages[i].owner != t.owner {
		p := *t.pages[i]
		p.owner = t.owner
		t.pages[i] = &p
	}
	return t.pages[i]
}

// commit ends the transaction and returns the new set. It merges the names of
// the inserted norms into their pages of the name list and copies no other page.
func (t *normSetTxn) commit() normSet {
	rest := t.inserted
	if len(rest) == 0 {
		return t.normSet
	}
	t.pack()
	t.sortByName(rest)
	old := t.names.pages
	pages := make([][]uint32, 0, len(old)+1+2*len(rest)/namesPerPage)
	merged := 0 // how many pages of old are in pages
	for len(rest) > 0 && len(old) > 0 {
		page := max(0, t.pageOf(t.at(rest[0]).name()))
		n := len(rest)
		if page+1 < len(old) {
			n, _ = slices.BinarySearchFunc(rest, t.at(old[page+1][0]).name(), t.compareName)
		}
		pages = append(pages, old[merged:page]...)
		pages = appendNamePages(pages, t.merge(old[page], rest[:n]))
		merged, rest = page+1, rest[n:]
	}
	pages = append(pages, old[merged:]...)
	t.names = nameList{t.owner, appendNamePages(pages, rest)}
	return t.normSet
}

// sortByName sorts slots by the names of their norms. It compares the eight bytes behind
// what all names begin with first, which are at hand, and reads names only if these are
// the same.
func (t *normSetTxn) sortByName(slots []uint32) {
	if len(slots) < 2 {
		return
	}
	common := t.at(slots[0]).name()
	for _, slot := range slots {
		name := t.at(slot).name()
		for !strings.HasPrefix(name, common) {
			common = common[:len(common)-1]
		}
	}
	type key struct {
		start uint64
		slot  uint32
	}
	keys := make([]key, len(slots))
	for i, slot := range slots {
		var start [8]byte
		copy(start[:], t.at(slot).name()[len(common):])
		keys[i] = key{binary.BigEndian.Uint64(start[:]), slot}
	}
	slices.SortFunc(keys, func(a, b key) int {
		if a.start != b.start {
			return cmp.Compare(a.start, b.start)
		}
		return strings.Compare(t.at(a.slot).name(), t.at(b.slot).name())
	})
	for i := range keys {
		slots[i] = keys[i].slot
	}
}

// pack packs the pages that are mostly new.
func (t *normSetTxn) pack() {
	if len(t.inserted) < perPage {
		return
	}
	inserted := make([]int, len(t.pages))
	for _, slot := range t.inserted {
		inserted[slot/perPage]++
	}
	for i, n := range inserted {
		if n > perPage/2 {
			t.pages[i].pack()
		}
	}
}

// hasDuplicates reports whether two norms have the same name, which an insertion does not
// look for.
func (s *normSet) hasDuplicates() bool {
	last, some := "", false
	for slot := range s.all() {
		name := s.at(slot).name()
		if some && name == last {
			return true
		}
		last, some = name, true
	}
	return false
}

// merge merges two lists of slots that are in order of name.
func (t *normSetTxn) merge(page, more []uint32) []uint32 {
	merged := make([]uint32, 0, len(page)+len(more))
	for _, slot := range more {
		i, _ := slices.BinarySearchFunc(page, t.at(slot).name(), t.compareName)
		merged = append(append(merged, page[:i]...), slot)
		page = page[i:]
	}
	return append(merged, page...)
}

// appendNamePages appends slots as one page, or as several if one is too small.
// It fills several pages to three quarters, so that they have room for more.
func appendNamePages(pages [][]uint32, slots []uint32) [][]uint32 {
	if len(slots) <= namesPerPage {
		if len(slots) > 0 {
			pages = append(pages, slots)
		}
		return pages
	}
	parts := (len(slots) + namesPerPage*3/4 - 1) / (namesPerPage * 3 / 4)
	return slices.AppendSeq(pages, slices.Chunk(slots, (len(slots)+parts-1)/parts))
}
