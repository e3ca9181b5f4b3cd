package normsync

import (
	"slices"

	"github.com/normsync/normsync/internal/index"
)

// AppendAllowed appends those of verbs to dst that the action may do: those that
// [Constitution.Allows] allows in the place of its Verb, in the order given. Use it for
// the mask of a planner, a menu, or the tools that an agent is offered.
//
// The other fields of the action are hashed, and looked up in the index, once for all
// verbs. A verb that a norm seems to forbid takes about as long as a call of Allows.
// Facts hold for all verbs alike, so with a fact Per verb, call Allows for each verb.
// AppendAllowed allocates nothing while dst has room.
func (c *Constitution) AppendAllowed(dst []string, a Action, verbs ...string) []string {
	var m mask
	short := m.fill(&c.forbid, c.forbid.features.contextKeys(m.keys[:], 0, &a))
	for _, verb := range verbs {
		a.Verb, m.n = verb, 0
		if short {
			m.find(&c.forbid, verb)
		} else {
			c.forbid.findCandidates(&m.candidates, &a)
		}
		if m.n == 0 || !c.denies(&m.candidates, subject{action: &a}) {
			dst = append(dst, verb)
		}
	}
	return dst
}

// AppendAllowedPrepared is [Constitution.AppendAllowed] for a prepared action. It does
// not keep p.
func (c *Constitution) AppendAllowedPrepared(dst []string, p *Prepared, verbs ...string) []string {
	var m mask
	short := m.fill(&c.forbid, c.forbid.features.preparedContextKeys(m.keys[:], 0, p))
	for _, verb := range verbs {
		s := subject{prepared: p, verb: &verb}
		m.n = 0
		if short {
			m.find(&c.forbid, verb)
		} else {
			c.forbid.find(&m.candidates, s)
		}
		if m.n == 0 || !c.denies(&m.candidates, s) {
			dst = append(dst, verb)
		}
	}
	return dst
}

// mask is what AppendAllowed knows of an action without its verb: its keys and the
// filter words of the index for them. The keys of the verb are behind them. A mask
// is on the stack.
type mask struct {
	candidates
	filters   [len(candidates{}.keys)]uint64 // by key
	context   int                            // the number of keys, without those of the verb
	signature uint64                         // of these keys
}

// fill looks the first n keys up. It reports false if n is -1, which means that there
// is no room for the keys of the action.
func (m *mask) fill(x *normIndex, n int) bool {
	if n < 0 {
		return false
	}
	keys := m.keys[:0]
	for _, key := range m.keys[:n] {
		if !slices.Contains(keys, key) {
			m.filters[len(keys)] = x.clauses.Filter(key)
			keys = append(keys, key)
		}
	}
	m.context, m.signature = len(keys), index.Signature(keys)
	return true
}

// find finds the norms that the index does not rule out for the action with a verb.
// m.n must be 0.
func (m *mask) find(x *normIndex, verb string) {
	if x.clauses.Len() == 0 {
		return
	}
	context, keys := m.keys[:m.context], m.keys[m.context:]
	of, n := x.features.verbKeys(keys, verb)
	if n < 0 {
		m.n = -1
		return
	}
	keys, m.used = keys[:n], m.context+n
	verbs := index.Verbs(keys[:of])
	for _, key := range keys {
		if x.clauses.Lists(key, verbs) {
			m.n = x.clauses.Scan(m.slots[:], m.n, key, verbs, m.signature|index.Signature(keys))
		}
	}
	for i, key := range context {
		if index.Accepts(m.filters[i], verbs) {
			m.n = x.clauses.Scan(m.slots[:], m.n, key, verbs, m.signature|index.Signature(keys))
		}
	}
}
