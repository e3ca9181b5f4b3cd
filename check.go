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
	var buf [shortAction]uint64
	keys, verbs, ok := c.forbid.lookups.keys(buf[:], &a)
	if ok && c.forbid.table.First(keys, verbs) == len(keys) {
		return dst // here most checks end
	}
	return c.appendViolations(dst, &a, keys, verbs)
}

// Allows reports whether no norm forbids an action: whether each of its
// violations, if there are any, is that of a Shadow norm. It allocates nothing
// for an action of up to 64 KiB.
func (c *Constitution) Allows(a Action) bool {
	var buf [shortAction]uint64
	keys, verbs, ok := c.forbid.lookups.keys(buf[:], &a)
	if ok && c.forbid.table.First(keys, verbs) == len(keys) {
		return true
	}
	var room [shortList]uint32
	slots, j := c.judge(room[:], &a, keys, verbs)
	denied := slices.ContainsFunc(slots, func(slot uint32) bool { return !c.norms.norm(slot).Shadow })
	j.free()
	return !denied
}

func (c *Constitution) appendViolations(dst []Violation, a *Action, keys []uint64, verbs uint64) []Violation {
	var room [shortList]uint32
	slots, j := c.judge(room[:], a, keys, verbs)
	if len(slots) > 1 {
		slices.SortFunc(slots, func(x, y uint32) int { return compareNorms(c.norms.norm(x), c.norms.norm(y)) })
	}
	for _, slot := range slots {
		n := c.norms.norm(slot)
		dst = append(dst, Violation{
			NormID:   c.norms.mark(slot).id,
			NormName: n.Name,
			Severity: cmp.Or(n.Severity, SeverityWarn),
			Shadow:   n.Shadow,
			Edition:  c.edition,
			Action:   *a,
		})
	}
	j.free()
	return dst
}

// A short action needs no more memory than a stack has: room for its hashes,
// and for the norms that it may violate. Its text is short enough to be split
// again for each token of those.
const (
	shortAction = 24
	shortList   = 16
	shortText   = 1 << 10
)

// judge returns the norms that an action violates, in no order. They are in
// room, or in the judge that the caller has to free. Of a short action the
// keys are there; of others they are nil.
func (c *Constitution) judge(room []uint32, a *Action, keys []uint64, verbs uint64) ([]uint32, *judge) {
	n := -1
	if keys != nil {
		n = c.forbid.table.Scan(room, keys, verbs, index.Signature(keys))
	}
	if n == 0 {
		return nil, nil
	}
	if n > 0 && len(a.Verb)+len(a.Location)+len(a.Target)+len(a.Faction)+len(a.Agent) <= shortText {
		v := view{texts: texts(a)}
		slots := c.broken(room[:n], &v)
		if len(slots) == 0 || c.permit.table.Len() == 0 {
			return slots, nil
		}
		var buf [shortAction]uint64
		if keys, verbs, ok := c.permit.lookups.keys(buf[:], a); ok {
			var room [shortList]uint32
			if n := c.permit.table.Scan(room[:], keys, verbs, index.Signature(keys)); n >= 0 {
				return c.denied(slots, room[:n], &v), nil
			}
		}
	}
	j := judges.Get().(*judge)
	j.slots = j.suspects(j.slots, &c.forbid, a)
	if len(j.slots) == 0 {
		return nil, j
	}
	v := view{texts: texts(a), bag: &j.bag}
	j.bag.Fill(&v.texts)
	slots := c.broken(j.slots, &v)
	if len(slots) == 0 || c.permit.table.Len() == 0 {
		return slots, j
	}
	j.permits = j.suspects(j.permits, &c.permit, a)
	return c.denied(slots, j.permits, &v), j
}

// broken keeps of slots the norms whose texts say that they meet the action. So far hashes have spoken.
func (c *Constitution) broken(slots []uint32, v *view) []uint32 {
	slices.Sort(slots)
	kept := slots[:0]
	for i, slot := range slots {
		if (i == 0 || slot != slots[i-1]) && v.meets(c.norms.norm(slot)) {
			kept = append(kept, slot)
		}
	}
	return kept
}

// denied keeps of slots, which are prohibitions, those that no permit silences.
func (c *Constitution) denied(slots, permits []uint32, v *view) []uint32 {
	lowest := c.norms.norm(slots[0]).Priority
	for _, slot := range slots {
		lowest = min(lowest, c.norms.norm(slot).Priority)
	}
	highest := lowest // below it all is silenced
	for _, slot := range permits {
		if n := c.norms.norm(slot); !n.Shadow && n.Priority > highest && v.meets(n) {
			highest = n.Priority
		}
	}
	return slices.DeleteFunc(slots, func(slot uint32) bool { return c.norms.norm(slot).Priority < highest })
}

// judge is the memory of a check of an action that is not short.
type judge struct {
	slots, permits []uint32
	keys           []uint64
	bag            token.Bag
}

var judges = sync.Pool{New: func() any { return new(judge) }}

// kept is the number of tokens up to which a judge is kept for the next check:
// twice as many as 64 KiB can hold. Each may have several hashes.
const kept = 1 << 16

func (j *judge) free() {
	if j == nil || len(j.keys) > 4*kept || j.bag.Room() > kept {
		return
	}
	j.bag.Clear()
	judges.Put(j)
}

// suspects writes to dst, from its start on, the norms that the index cannot
// rule out for an action of any length, and returns it, grown where it must be.
// No key is looked up twice, however often its word stands in the action.
func (j *judge) suspects(dst []uint32, in *clauses, a *Action) []uint32 {
	var keys []uint64
	var verbs uint64
	j.keys, keys, verbs = in.lookups.grownKeys(j.keys, a)
	signature := index.Signature(keys)
	keys = slices.DeleteFunc(keys, func(key uint64) bool { return !in.table.Lists(key, verbs) })
	slices.Sort(keys)
	keys = slices.Compact(keys)
	for dst = dst[:cap(dst)]; ; dst = make([]uint32, 2*len(dst)+shortList) {
		if n := in.table.Scan(dst, keys, verbs, signature); n >= 0 {
			return dst[:n]
		}
	}
}

// view is an action split into tokens, for judging norms by their texts.
type view struct {
	texts token.Texts
	bag   *token.Bag // of an action that is not short
}

func newView(a Action) *view {
	v := &view{texts(&a), new(token.Bag)}
	v.bag.Fill(&v.texts)
	return v
}

func (v *view) find(p token.Pattern) bool {
	if v.bag != nil {
		return v.bag.Has(p)
	}
	return v.texts.Has(p)
}

// has reports whether a token of Condition or Unless is found in the action.
func (v *view) has(tok string) bool { return v.find(token.Parse(tok)) }

// hasVerb reports whether a token of Prohibited or Permitted is found in the verb.
func (v *view) hasVerb(tok string) bool { return v.find(token.ParseVerb(tok)) }

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
