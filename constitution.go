package normsync

import (
	"cmp"
	"fmt"
	"iter"
	"strings"

	"github.com/normsync/normsync/internal/token"
)

// Constitution is an immutable, compiled set of norms in force. Compile makes
// one; a Monitor holds the one of the moment. The zero value is empty.
//
// Any number of goroutines may use every method at once, without waiting for
// one another.
type Constitution struct {
	edition uint64
	norms   register
	forbid  clauses // of the norms that prohibit
	permit  clauses // of the norms that permit
}

// Compile returns the constitution, of edition 0, of those norms that are not
// marked Repealed. It refuses with [ErrInvalid] what Validate refuses, and
// with [ErrExists] a second norm of one name. It keeps no part of the slice.
//
// The time is O(n log n) for n norms, about a microsecond each.
func Compile(norms ...Norm) (*Constitution, error) {
	e := emptyConstitution.edit(len(norms))
	names := make(map[string]struct{}, len(norms))
	for i, n := range norms {
		if n.Repealed {
			continue
		}
		err := n.Validate()
		if _, ok := names[n.Name]; ok && err == nil {
			err = fmt.Errorf("%w: another norm before it is named %q: give one of them another name", ErrExists, n.Name)
		}
		if err != nil {
			return nil, while(fmt.Sprintf("compile: norm %d of %d", i+1, len(norms)), err)
		}
		names[n.Name] = struct{}{}
		n = n.normal()
		e.add(n, mark{id: n.ID()})
	}
	return e.done(0), nil
}

// after returns the constitution of an edition to which the last revisions of
// some names lead, which are valid. It costs what they touch: pages of the index,
// and of norms.
func (c *Constitution) after(edition uint64, last *lastRevisions) *Constitution {
	if edition == c.edition {
		return c
	}
	e := c.edit(c.Len() + last.len())
	if last.len() > 64 && last.len() > c.Len()/8 {
		// So much is touched that it is quicker to begin anew.
		e = emptyConstitution.edit(c.Len() + last.len())
		for slot := range c.norms.all() {
			n := c.norms.norm(slot)
			if last.of(n.Name) == nil {
				e.add(*n, *c.norms.mark(slot))
			}
		}
		c = emptyConstitution
	}
	for r := range last.all() {
		n := r.Norm.normal()
		m := mark{n.ID(), uint32(r.Version)}
		slot, inForce := c.norms.find(n.Name)
		switch {
		case r.Kind == KindRepeal && inForce:
			e.remove(slot)
		case r.Kind == KindRepeal: // it is not there any more, or was enacted after c
		case inForce:
			e.replace(slot, n, m)
		default:
			e.add(n, m)
		}
	}
	return e.done(edition)
}

// constitutionEdit makes a new constitution from an old one.
type constitutionEdit struct {
	old            *Constitution
	expected       int
	norms          *registerEdit
	forbid, permit *clausesEdit // nil while nothing is changed
}

func (c *Constitution) edit(expected int) *constitutionEdit {
	return &constitutionEdit{old: c, expected: expected, norms: c.norms.edit()}
}

func (e *constitutionEdit) clauses(n *Norm) *clausesEdit {
	edit, old := &e.forbid, &e.old.forbid
	if n.Permitted != "" {
		edit, old = &e.permit, &e.old.permit
	}
	if *edit == nil {
		*edit = old.edit(e.expected)
	}
	return *edit
}

func (e *constitutionEdit) add(n Norm, m mark) {
	e.clauses(&n).add(&n, e.norms.add(n, m))
}

func (e *constitutionEdit) replace(slot uint32, n Norm, m mark) {
	old := *e.norms.norm(slot)
	e.norms.replace(slot, n, m)
	if n.Condition != old.Condition || n.Prohibited != old.Prohibited || n.Permitted != old.Permitted {
		e.clauses(&old).remove(&old, slot)
		e.clauses(&n).add(&n, slot)
	}
}

func (e *constitutionEdit) remove(slot uint32) {
	n := *e.norms.norm(slot)
	e.clauses(&n).remove(&n, slot)
	e.norms.remove(n.Name)
}

func (e *constitutionEdit) done(edition uint64) *Constitution {
	c := &Constitution{edition, e.norms.done(), e.old.forbid, e.old.permit}
	if e.forbid != nil {
		c.forbid = e.forbid.done()
	}
	if e.permit != nil {
		c.permit = e.permit.done()
	}
	return c
}

// All yields the norms in force in order of name.
func (c *Constitution) All() iter.Seq[Norm] {
	return func(yield func(Norm) bool) {
		for slot := range c.norms.all() {
			if !yield(*c.norms.norm(slot)) {
				return
			}
		}
	}
}

// Norm returns the norm in force of that name, if there is one. The time is
// O(log n) for n norms.
func (c *Constitution) Norm(name string) (Norm, bool) {
	n, _, ok := c.versioned(name)
	return n, ok
}

// versioned is Norm with the version of the norm, which is 0 if it was not
// enacted but compiled.
func (c *Constitution) versioned(name string) (n Norm, version int, ok bool) {
	slot, ok := c.norms.find(name)
	if !ok {
		return Norm{}, 0, false
	}
	return *c.norms.norm(slot), int(c.norms.mark(slot).version), true
}

// Len returns the number of norms in force.
func (c *Constitution) Len() int { return c.norms.size }

// Edition returns the number of revisions that led to the constitution, 0 for
// one that was compiled.
func (c *Constitution) Edition() uint64 { return c.edition }

// compareNorms is the order of violations: by Priority from the highest on, then by Name.
func compareNorms(a, b *Norm) int {
	if a.Priority != b.Priority {
		return cmp.Compare(b.Priority, a.Priority)
	}
	return strings.Compare(a.Name, b.Name)
}

// withVerb yields the norms that have a verb of the action, in no order. It
// reads 16 bytes of the index for each verb of each norm.
func (c *Constitution) withVerb(v *view) iter.Seq[Norm] {
	return func(yield func(Norm) bool) {
		seen := map[uint32]bool{}
		for _, in := range []*clauses{&c.forbid, &c.permit} {
			_, _, verbs := in.lookups.grownKeys(nil, &Action{Verb: v.texts[token.Action]})
			for slot := range in.table.WithVerbs(verbs) {
				n := c.norms.norm(slot)
				if !seen[slot] && v.verb(n) && !yield(*n) {
					return
				}
				seen[slot] = true
			}
		}
	}
}
