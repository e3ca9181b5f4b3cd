package normsync

import (
	"iter"
	"slices"
	"strings"
)

// register holds the norms of a constitution, by number and by name. It is
// immutable; a registerEdit makes a new one, which shares with the old one all
// but the pages that it touches.
type register struct {
	pages []*normPage
	names [][]uint32 // the numbers of the norms in order of name, in pages of at most namesPage
	size  int
	next  uint32    // the first number that was never given
	free  *freeSlot // numbers that were given back
}

// normPage holds the norms of as many numbers as fit into 8 KiB, a size that
// the allocator has.
type normPage struct {
	norms [perPage]Norm
	marks [perPage]mark
}

const (
	perPage   = 52
	namesPage = 512
)

// mark is what belongs to a norm and is not in it.
type mark struct {
	id      ID
	version uint32
}

type freeSlot struct {
	slot uint32
	next *freeSlot
}

func (r *register) norm(slot uint32) *Norm { return &r.pages[slot/perPage].norms[slot%perPage] }
func (r *register) mark(slot uint32) *mark { return &r.pages[slot/perPage].marks[slot%perPage] }

// find returns the number of the norm of that name. The time is O(log n).
func (r *register) find(name string) (slot uint32, ok bool) {
	page, i, ok := r.place(name)
	if !ok {
		return 0, false
	}
	return r.names[page][i], true
}

// place returns where in names a name is, if it is there.
func (r *register) place(name string) (page, i int, ok bool) {
	if page = r.pageOf(name); page < 0 {
		return 0, 0, false
	}
	i, ok = slices.BinarySearchFunc(r.names[page], name, r.compareName)
	return page, i, ok
}

// pageOf returns the last page of names that begins with the name or one
// before it, -1 if there is none.
func (r *register) pageOf(name string) int {
	page, ok := slices.BinarySearchFunc(r.names, name, func(page []uint32, name string) int { return r.compareName(page[0], name) })
	if !ok {
		page--
	}
	return page
}

func (r *register) compareName(slot uint32, name string) int {
	return strings.Compare(r.norm(slot).Name, name)
}

// all yields the numbers of the norms in order of name.
func (r *register) all() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for _, page := range r.names {
			for _, slot := range page {
				if !yield(slot) {
					return
				}
			}
		}
	}
}

// registerEdit makes a new register from an old one.
type registerEdit struct {
	register
	mine      map[uint32]bool // pages that are not shared with the old register, by number
	mineNames bool            // the list of the pages of names is not shared
	added     []uint32
}

func (r *register) edit() *registerEdit {
	e := &registerEdit{register: *r, mine: map[uint32]bool{}}
	e.pages = slices.Clone(r.pages)
	return e
}

// replace puts a norm in the place of one of the same name.
func (e *registerEdit) replace(slot uint32, n Norm, m mark) {
	e.own(slot)
	*e.norm(slot), *e.mark(slot) = n, m
}

// add enters a norm whose name is not there, and returns its number.
func (e *registerEdit) add(n Norm, m mark) uint32 {
	slot := e.next
	if e.free != nil {
		slot, e.free = e.free.slot, e.free.next
	} else {
		e.next++
	}
	e.replace(slot, n, m)
	e.added = append(e.added, slot)
	e.size++
	return slot
}

// remove takes out the norm of that name, which is there and was not added in this edit.
func (e *registerEdit) remove(name string) {
	e.ownNames()
	page, i, _ := e.place(name)
	slot := e.names[page][i]
	if e.names[page] = slices.Concat(e.names[page][:i], e.names[page][i+1:]); len(e.names[page]) == 0 {
		e.names = slices.Delete(e.names, page, page+1)
	}
	e.own(slot)
	*e.norm(slot) = Norm{}
	e.free = &freeSlot{slot, e.free}
	e.size--
}

// own sees to it that the page of a number can be changed.
func (e *registerEdit) own(slot uint32) {
	i := slot / perPage
	switch {
	case int(i) == len(e.pages):
		e.pages = append(e.pages, new(normPage))
	case !e.mine[i]:
		p := *e.pages[i]
		e.pages[i] = &p
	}
	e.mine[i] = true
}

func (e *registerEdit) ownNames() {
	if !e.mineNames {
		e.names, e.mineNames = slices.Clone(e.names), true
	}
}

// done ends the edit and returns the new register. It copies the pages of names
// to which something is added, and the list of them.
func (e *registerEdit) done() register {
	rest := e.added
	slices.SortFunc(rest, func(a, b uint32) int { return strings.Compare(e.norm(a).Name, e.norm(b).Name) })
	if len(rest) == 0 {
		return e.register
	}
	names := make([][]uint32, 0, len(e.names)+1+2*len(rest)/namesPage)
	from := 0 // pages before it are in names
	for len(rest) > 0 && len(e.names) > 0 {
		page := max(0, e.pageOf(e.norm(rest[0]).Name))
		n := len(rest)
		if page+1 < len(e.names) {
			n, _ = slices.BinarySearchFunc(rest, e.norm(e.names[page+1][0]).Name, e.compareName)
		}
		names = append(names, e.names[from:page]...)
		names = appendPages(names, e.merge(e.names[page], rest[:n]))
		from, rest = page+1, rest[n:]
	}
	names = append(names, e.names[from:]...)
	e.names = appendPages(names, rest)
	return e.register
}

// merge returns the numbers of a page and of more norms, both in order of name, in that order.
func (e *registerEdit) merge(page, more []uint32) []uint32 {
	merged := make([]uint32, 0, len(page)+len(more))
	for _, slot := range more {
		i, _ := slices.BinarySearchFunc(page, e.norm(slot).Name, e.compareName)
		merged = append(append(merged, page[:i]...), slot)
		page = page[i:]
	}
	return append(merged, page...)
}

// appendPages appends numbers as one page, or as several if they are too many for one.
func appendPages(pages [][]uint32, slots []uint32) [][]uint32 {
	if len(slots) <= namesPage {
		if len(slots) > 0 {
			pages = append(pages, slots)
		}
		return pages
	}
	parts := (len(slots) + namesPage*3/4 - 1) / (namesPage * 3 / 4)
	return slices.AppendSeq(pages, slices.Chunk(slots, (len(slots)+parts-1)/parts))
}
