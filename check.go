package normsync

import (
	"cmp"
	"slices"
	"sync"

	"github.com/normsync/normsync/internal/index"
	"github.com/normsync/normsync/internal/token"
)

// Check returns the violations of an action: every norm that forbids it and is
// not silenced by a permit, by Priority from the highest on, then by Name. It
// returns nil, and has allocated nothing, when there are none. The action is
// denied when one of them is not that of a Shadow norm; [Constitution.Allows]
// says just this.
//
// The time is that of reading the action's text, of one look-up per word, and
// of looking at the norms that are filed under those words; the package
// comment has the bounds. The number of norms does not count.
func (c *Constitution) Check(a Action) []Violation { return c.AppendCheck(nil, a) }

// AppendCheck appends the violations of an action to dst, in the order of
// [Constitution.Check]. It allocates nothing while dst has room.
func (c *Constitution) AppendCheck(dst []Violation, a Action) []Violation {
	j := c.judge(&a)
	if j == nil {
		return dst
	}
	if len(j.slots) > 1 {
		slices.SortFunc(j.slots, func(x, y uint32) int { return compareNorms(c.norms.norm(x), c.norms.norm(y)) })
	}
	for _, slot := range j.slots {
		n := c.norms.norm(slot)
		dst = append(dst, Violation{
			NormID:   c.norms.mark(slot).id,
			NormName: n.Name,
			Severity: cmp.Or(n.Severity, SeverityWarn),
			Shadow:   n.Shadow,
			Edition:  c.edition,
			Action:   a,
		})
	}
	j.free()
	return dst
}

// Allows reports whether no norm forbids an action: whether each of its
// violations, if there are any, is that of a Shadow norm. It never allocates.
func (c *Constitution) Allows(a Action) bool {
	j := c.judge(&a)
	if j == nil {
		return true
	}
	denied := slices.ContainsFunc(j.slots, func(slot uint32) bool { return !c.norms.norm(slot).Shadow })
	j.free()
	return !denied
}

// judge finds the norms that an action violates. It returns nil, most often,
// when the index says that there are none.
func (c *Constitution) judge(a *Action) *judge {
	if c.forbid.table.Len() == 0 {
		return nil
	}
	var buf [24]uint64
	keys, verbs, ok := c.forbid.lookups.keys(buf[:], a)
	if !ok {
		j := judges.Get().(*judge)
		j.slots = j.suspects(j.slots[:0], &c.forbid, a)
		j.decide(c, a)
		return j
	}
	first, signature := c.forbid.table.Probe(keys, verbs)
	if first == len(keys) {
		return nil
	}
	j := judges.Get().(*judge)
	j.slots = j.slots[:0]
	for _, key := range keys[first:] {
		j.slots = c.forbid.table.Scan(j.slots, key, verbs, signature)
	}
	j.decide(c, a)
	return j
}

// judge is the memory of a check that has more to do than to probe the index.
type judge struct {
	slots   []uint32 // of the norms that are, or may be, violated
	permits []uint32
	keys    []uint64
	view    view
}

var judges = sync.Pool{New: func() any { return new(judge) }}

// kept is the number of tokens up to which a judge is kept for the next check:
// as many as 64 KiB can hold.
const kept = 1 << 16

func (j *judge) free() {
	if len(j.keys) > kept || j.view.bag.Room() > kept {
		return
	}
	j.view.bag.Clear()
	j.view.verbText = ""
	judges.Put(j)
}

// suspects appends to dst the norms that the index cannot rule out, for an
// action of any length. No key is scanned twice, however often its word stands
// in the action.
func (j *judge) suspects(dst []uint32, in *clauses, a *Action) []uint32 {
	var keys []uint64
	var verbs uint64
	j.keys, keys, verbs = in.lookups.grownKeys(j.keys, a)
	signature := index.Signature(keys)
	keys = slices.DeleteFunc(keys, func(key uint64) bool { return !in.table.Lists(key, verbs) })
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		dst = in.table.Scan(dst, key, verbs, signature)
	}
	return dst
}

// decide reduces slots to the norms that the action violates. So far hashes have spoken, from here on it is the texts.
func (j *judge) decide(c *Constitution, a *Action) {
	if len(j.slots) == 0 {
		return
	}
	j.view.fill(a)
	slices.Sort(j.slots)
	lowest := 0
	j.slots = slices.DeleteFunc(slices.Compact(j.slots), func(slot uint32) bool { return !j.view.meets(c.norms.norm(slot)) })
	for i, slot := range j.slots {
		if p := c.norms.norm(slot).Priority; i == 0 || p < lowest {
			lowest = p
		}
	}
	if len(j.slots) == 0 || c.permit.table.Len() == 0 {
		return
	}
	j.permits = j.suspects(j.permits[:0], &c.permit, a)
	highest := lowest // that is silenced
	for _, slot := range j.permits {
		if n := c.norms.norm(slot); !n.Shadow && n.Priority > highest && j.view.meets(n) {
			highest = n.Priority
		}
	}
	j.slots = slices.DeleteFunc(j.slots, func(slot uint32) bool { return c.norms.norm(slot).Priority < highest })
}

// view is an action split into tokens, for judging norms by their texts.
type view struct {
	bag      token.Bag
	verbText string
}

func newView(a Action) *view {
	v := new(view)
	v.fill(&a)
	return v
}

func (v *view) fill(a *Action) {
	t := texts(a)
	v.bag.Fill(&t)
	v.verbText = a.Verb
}

// has reports whether a token of Condition or Unless is found in the action.
func (v *view) has(tok string) bool { return v.bag.Has(token.Parse(tok)) }

// hasVerb reports whether a token of Prohibited or Permitted is found in the verb.
func (v *view) hasVerb(tok string) bool { return v.bag.Has(token.ParseVerb(tok)) }

// meets reports whether a norm has a verb of the action and applies to it.
func (v *view) meets(n *Norm) bool { return v.verb(n) && v.applies(n) }

// verb reports whether a norm has a verb of the action.
func (v *view) verb(n *Norm) bool {
	for tok, rest := token.Next(n.verbs()); tok != ""; tok, rest = token.Next(rest) {
		if v.hasVerb(tok) {
			return true
		}
	}
	return false
}

// applies reports whether every token of Condition is found, and none of Unless.
func (v *view) applies(n *Norm) bool {
	for tok, rest := token.Next(n.Condition); tok != ""; tok, rest = token.Next(rest) {
		if !v.has(tok) {
			return false
		}
	}
	for tok, rest := token.Next(n.Unless); tok != ""; tok, rest = token.Next(rest) {
		if v.has(tok) {
			return false
		}
	}
	return true
}
