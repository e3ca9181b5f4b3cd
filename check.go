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
// says just this. An action without a verb violates nothing, so refuse it first
// if it was read from JSON with keys that you do not control; see [Action].
//
// The time is that of reading the action's text, of one look-up per word, and
// of looking at the norms that are filed under those words. While each norm has
// some word that few others have, the number of norms does not count; the
// package comment has the bounds.
func (c *Constitution) Check(a Action) []Violation { return c.AppendCheck(nil, a) }

// AppendCheck appends the violations of an action to dst, in the order of
// [Constitution.Check]. It allocates nothing while dst has room.
func (c *Constitution) AppendCheck(dst []Violation, a Action) []Violation {
	var s suspects
	if c.forbid.suspect(&s, &a); s.n == 0 {
		return dst
	}
	slots, j := c.judge(&s, &a)
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
			Action:   a,
		})
	}
	j.free()
	return dst
}

// Allows reports whether no norm forbids an action: whether each of its
// violations, if there are any, is that of a Shadow norm. It allows an action
// without a verb, as [Action] says. It allocates nothing for an action of up to
// 64 KiB.
func (c *Constitution) Allows(a Action) bool {
	var s suspects
	if c.forbid.suspect(&s, &a); s.n == 0 {
		return true
	}
	slots, j := c.judge(&s, &a)
	denied := slices.ContainsFunc(slots, func(slot uint32) bool { return !c.norms.norm(slot).Shadow })
	j.free()
	return !denied
}

// suspects are the norms that the index cannot rule out for an action, and the
// action's hashes: on the stack, where the action is short enough for that.
type suspects struct {
	keys  [24]uint64
	slots [16]uint32
	n     int // number of slots; -1 where there is no room for them, or for the keys
}

// suspect looks for the norms that the index cannot rule out.
func (in *clauses) suspect(s *suspects, a *Action) {
	if in.table.Len() == 0 {
		return
	}
	var verb, n int
	if buf := s.keys[:]; in.lookups.any {
		verb, n = in.lookups.keys(buf, a)
	} else { // the same for words alone, in four fifths of the time
		verb = token.Hashes(buf, 0, a.Verb)
		n = token.Hashes(buf, verb, a.Location)
		n = token.Hashes(buf, n, a.Target)
		n = token.Hashes(buf, n, a.Faction)
	}
	if n < 0 {
		s.n = -1
		return
	}
	keys, verbs := s.keys[:n], index.Verbs(s.keys[:verb])
	first := in.table.First(keys, verbs)
	if first == n {
		return
	}
	signature := index.Signature(keys)
	for i := first; i < n; i++ {
		if key := keys[i]; in.table.Lists(key, verbs) && !slices.Contains(keys[:i], key) {
			s.n = in.table.Scan(s.slots[:], s.n, key, verbs, signature)
		}
	}
}

// shortText is the length of an action's text up to which it is split again for
// each token of a suspect.
const shortText = 1 << 10

// judge returns the norms that an action violates, in no order. They are in
// s, or in the judge that the caller has to free.
func (c *Constitution) judge(s *suspects, a *Action) ([]uint32, *judge) {
	if s.n >= 0 && len(a.Verb)+len(a.Location)+len(a.Target)+len(a.Faction)+len(a.Agent) <= shortText {
		v := view{texts: texts(a)}
		slots := c.broken(s.slots[:s.n], &v)
		if len(slots) == 0 || c.permit.table.Len() == 0 {
			return slots, nil
		}
		var permits suspects
		if c.permit.suspect(&permits, a); permits.n >= 0 {
			return c.denied(slots, permits.slots[:permits.n], &v), nil
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
func (j *judge) suspects(dst []uint32, in *clauses, a *Action) []uint32 {
	var keys []uint64
	var verbs uint64
	j.keys, keys, verbs = in.lookups.grownKeys(j.keys, a)
	signature := index.Signature(keys)
	keys = slices.DeleteFunc(keys, func(key uint64) bool { return !in.table.Lists(key, verbs) })
	slices.Sort(keys)
	dst = dst[:cap(dst)]
	n := 0
	for _, key := range slices.Compact(keys) {
		for start := n; ; dst = append(dst, make([]uint32, len(dst)+16)...) {
			if n = in.table.Scan(dst, start, key, verbs, signature); n >= 0 {
				break
			}
		}
	}
	return dst[:n]
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
