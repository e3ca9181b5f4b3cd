package normsync

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/normsync/normsync/internal/index"
	"github.com/normsync/normsync/internal/token"
)

// Check returns the violations of an action, one for each norm that forbids it
// and that no permit overrides. They are ordered by Priority, highest first, then
// by Name. If there are none, Check returns nil and allocates nothing.
//
// The action is denied if one of the violations is of a norm that is not a
// Shadow norm; [Constitution.Allows] reports only this. An action without a verb
// violates nothing. If you read actions from JSON with keys that you do not
// control, refuse those first; see [Action].
//
// Check takes time proportional to the length of the action plus the number of
// index entries filed under its distinct words. As long as each norm has some
// word that few other norms have, the time does not depend on the number of
// norms. The package comment has the bounds.
func (c *Constitution) Check(a Action) []Violation { return c.AppendCheck(nil, a) }

// AppendCheck appends the violations of an action to dst, in the order of
// [Constitution.Check], and returns the extended slice. It allocates nothing
// while dst has room.
func (c *Constitution) AppendCheck(dst []Violation, a Action) []Violation {
	var found candidates
	if c.forbid.findCandidates(&found, &a); found.n == 0 {
		return dst
	}
	return c.appendViolations(dst, &found, subject{action: &a})
}

// Allows reports whether no norm forbids an action, other than Shadow norms. It
// allows an action without a verb; see [Action]. It allocates nothing for an
// action of up to 64 KiB.
func (c *Constitution) Allows(a Action) bool {
	var found candidates
	if c.forbid.findCandidates(&found, &a); found.n == 0 {
		return true
	}
	return !c.denies(&found, subject{action: &a})
}

// candidates are the norms that an index does not rule out for a short action,
// and the keys of the action. They are on the stack.
type candidates struct {
	keys  [24]uint64
	used  int // the number of keys, if n is positive
	slots [16]uint32
	n     int // the number of slots, or -1 if the arrays are too small for the action
}

// findCandidates finds the norms that the index does not rule out for an action.
func (x *normIndex) findCandidates(found *candidates, a *Action) {
	if x.clauses.Len() == 0 {
		return
	}
	var verb, n int
	if buf := found.keys[:]; x.features.any {
		verb, n = x.features.keys(buf, a)
	} else { // the same keys, for words only, in four fifths of the time
		verb = token.Hashes(buf, 0, a.Verb)
		n = token.Hashes(buf, verb, a.Location)
		n = token.Hashes(buf, n, a.Target)
		n = token.Hashes(buf, n, a.Faction)
		if a.Facts != "" {
			n = token.Hashes(buf, n, a.Facts)
		}
	}
	x.search(found, verb, n)
}

// find is findCandidates for any form of action.
func (x *normIndex) find(found *candidates, s subject) {
	if x.clauses.Len() > 0 {
		verb, n := s.keys(&x.features, found.keys[:])
		x.search(found, verb, n)
	}
}

// search finds the norms that the index does not rule out for the n keys in found,
// of which the first are those of the verb. n is -1 if there is no room for all keys.
func (x *normIndex) search(found *candidates, verb, n int) {
	if n < 0 {
		found.n = -1
		return
	}
	keys, verbs := found.keys[:n], index.Verbs(found.keys[:verb])
	first := x.clauses.First(keys, verbs)
	if first == n {
		return
	}
	found.used = n
	signature := index.Signature(keys)
	for i := first; i < n; i++ {
		if key := keys[i]; x.clauses.Lists(key, verbs) && !slices.Contains(keys[:i], key) {
			found.n = x.clauses.Scan(found.slots[:], found.n, key, verbs, signature)
		}
	}
}

// violated returns the norms that an action violates, in no order. They are in
// the candidates found, or in the scratch memory that the caller must free.
func (c *Constitution) violated(found *candidates, s subject) ([]uint32, *scratch) {
	if found.n >= 0 {
		slots := found.slots[:found.n]
		if len(slots) > 1 { // to compare the text of one takes no longer
			if slots = c.withMarks(slots, found.keys[:found.used]); len(slots) == 0 {
				return nil, nil
			}
		}
		tokens := actionTokens{time: s.time()}
		if s.fill(&tokens.Set, token.Few) {
			slots := c.verify(slots, &tokens)
			if len(slots) == 0 || c.permit.clauses.Len() == 0 {
				return slots, nil
			}
			var permits candidates
			if c.permit.find(&permits, s); permits.n >= 0 {
				return c.dropOverridden(slots, permits.slots[:permits.n], &tokens), nil
			}
		}
	}
	m := scratchPool.Get().(*scratch)
	m.slots = m.findCandidates(m.slots, &c.forbid, s)
	if len(m.slots) > len(m.keys)/8 { // for fewer, to make the set of marks takes longer
		m.slots = c.withMarks(m.slots, m.keys)
	}
	m.slots = m.withoutKeys(c, m.slots)
	if len(m.slots) == 0 {
		return nil, m
	}
	m.tokens.time = s.time()
	s.fill(&m.tokens.Set, math.MaxInt)
	slots := c.verify(m.slots, &m.tokens)
	if len(slots) == 0 || c.permit.clauses.Len() == 0 {
		return slots, m
	}
	m.permits = m.findCandidates(m.permits, &c.permit, s)
	return c.dropOverridden(slots, m.permits, &m.tokens), m
}

// withMarks removes the candidates whose marks tell that they need a word that is not
// among the keys of the action.
func (c *Constitution) withMarks(slots []uint32, keys []uint64) []uint32 {
	set := index.MarkSetOf(keys)
	kept := slots[:0]
	for _, slot := range slots {
		if set.HasAll(&c.norms.at(slot).marks) {
			kept = append(kept, slot)
		}
	}
	return kept
}

// verify filters the candidate slots, which matched by hash, down to the norms that
// really match by text. It also removes duplicates.
func (c *Constitution) verify(slots []uint32, tokens *actionTokens) []uint32 {
	if len(slots) > 1 {
		slices.Sort(slots)
	}
	verified := slots[:0]
	for i, slot := range slots {
		if (i == 0 || slot != slots[i-1]) && c.match(slot, tokens) {
			verified = append(verified, slot)
		}
	}
	return verified
}

// match reports whether the norm in a slot has a verb of the action and applies to it.
func (c *Constitution) match(slot uint32, tokens *actionTokens) bool {
	n := c.norms.at(slot)
	if n.window && !n.active(tokens.time) {
		return false
	}
	condition, verbs, unless := n.condition(), n.verbs(), n.unless()
	if n.plain { // faster, but the same
		return tokens.HasAny(token.Action, verbs) && tokens.HasAll(condition) && (unless == "" || !tokens.HasAny(token.Any, unless))
	}
	return tokens.haveVerb(verbs) && tokens.meet(condition, unless)
}

// dropOverridden removes the prohibitions that permits of higher priority override.
// The permits are candidates.
func (c *Constitution) dropOverridden(slots, permits []uint32, tokens *actionTokens) []uint32 {
	lowest := c.norms.at(slots[0]).priority
	for _, slot := range slots {
		lowest = min(lowest, c.norms.at(slot).priority)
	}
	slices.Sort(permits)
	matching := permits[:0]
	for i, slot := range permits {
		n := c.norms.at(slot)
		if (i == 0 || slot != permits[i-1]) && !n.shadow && n.priority > lowest && c.match(slot, tokens) {
			matching = append(matching, slot)
		}
	}
	if len(matching) == 0 {
		return slots
	}
	kept := slots[:0]
	for _, slot := range slots {
		if n := c.norms.at(slot); !c.overridden(n.verbs(), n.priority, matching, tokens) {
			kept = append(kept, slot)
		}
	}
	return kept
}

// overridden reports whether the permits, which match the action, override a
// prohibition of these verbs and this priority, which matches it, too. They do if each
// word of the verb that the prohibition names is also named by a permit of higher
// priority. For the token *, which names the action as a whole, one word of the verb is
// enough.
func (c *Constitution) overridden(prohibited string, priority int, permits []uint32, tokens *actionTokens) bool {
	permitted := func(word string) bool {
		for _, slot := range permits {
			if p := c.norms.at(slot); p.priority > priority && namesVerb(p.verbs(), word) {
				return true
			}
		}
		return false
	}
	for tok, rest := token.Next(prohibited); tok != ""; tok, rest = token.Next(rest) {
		switch p := token.ParseVerb(tok); {
		case p.Prefix && p.Word == "":
			if !slices.ContainsFunc(permits, func(slot uint32) bool { return c.norms.at(slot).priority > priority }) {
				return false // every permit that matches names a word of the verb
			}
		case !p.Prefix: // the words that it matches are equal
			if !permitted(p.Word) && tokens.Has(p) {
				return false
			}
		default:
			for _, word := range tokens.Field(token.Action) {
				if p.Matches(word) && !permitted(word) {
					return false
				}
			}
		}
	}
	return true
}

// namesVerb reports whether a token of verbs matches a word of a verb.
func namesVerb(verbs, word string) bool {
	for tok, rest := token.Next(verbs); tok != ""; tok, rest = token.Next(rest) {
		if token.ParseVerb(tok).Matches(word) {
			return true
		}
	}
	return false
}

// appendViolations appends the violations by the norms in found that the action
// violates.
func (c *Constitution) appendViolations(dst []Violation, found *candidates, s subject) []Violation {
	slots, m := c.violated(found, s)
	if len(slots) > 0 {
		if len(slots) > 1 {
			slices.SortFunc(slots, func(x, y uint32) int { return c.norms.at(x).compare(c.norms.at(y)) })
		}
		a := s.action
		if a == nil {
			made := s.prepared.Action()
			a = &made
		}
		for _, slot := range slots {
			n := c.norms.at(slot)
			dst = slices.Grow(dst, 1)[:len(dst)+1]
			v := &dst[len(dst)-1] // filled in its place, which saves a copy
			v.NormID, v.NormName, v.Shadow, v.Advice, v.Edition, v.Action = n.id, n.name(), n.shadow, n.advice(), c.edition, *a
			if v.Severity = severities[n.severity]; v.Severity == "" {
				v.Severity = SeverityWarn
			}
		}
	}
	m.free()
	return dst
}

// denies reports whether a norm in found denies the action.
func (c *Constitution) denies(found *candidates, s subject) bool {
	slots, m := c.violated(found, s)
	denied := slices.ContainsFunc(slots, func(slot uint32) bool { return !c.norms.at(slot).shadow })
	m.free()
	return denied
}

// subject is the action that is checked, in one of its forms. The other is nil.
type subject struct {
	action   *Action
	prepared *Prepared
	verb     *string // in place of the verb of prepared, if it is not nil
}

func (s subject) time() time.Time {
	if s.action != nil {
		return s.action.Time
	}
	return s.prepared.Time
}

// keys is features.keys for the form that the action has.
func (s subject) keys(f *features, buf []uint64) (verb, n int) {
	switch {
	case s.action != nil:
		return f.keys(buf, s.action)
	case s.verb != nil:
		verb, n = f.verbKeys(buf, *s.verb)
		return verb, f.preparedContextKeys(buf, n, s.prepared)
	}
	return f.preparedKeys(buf, s.prepared)
}

// fill fills a set with the tokens of the action. It gives up and reports false if
// there are more than limit.
func (s subject) fill(set *token.Set, limit int) bool {
	set.Clear()
	ok := false
	if a := s.action; a != nil {
		ok = set.AddText(token.Action, a.Verb, limit) &&
			set.AddText(token.Location, a.Location, limit) &&
			set.AddText(token.Target, a.Target, limit) &&
			set.AddText(token.Faction, a.Faction, limit) &&
			set.AddText(token.Facts, a.Facts, limit) &&
			set.AddAgent(a.Agent, limit)
	} else {
		p := s.prepared
		if s.verb != nil {
			ok = set.AddText(token.Action, *s.verb, limit)
		} else {
			ok = addWords(set, token.Action, p.Verb, limit)
		}
		ok = ok && addWords(set, token.Location, p.Location, limit) &&
			addWords(set, token.Target, p.Target, limit) &&
			addWords(set, token.Faction, p.Faction, limit) &&
			addWords(set, token.Facts, p.Facts, limit) &&
			addWords(set, token.Agent, p.Agent, limit)
	}
	set.Finish()
	return ok
}

// addWords adds the words of a field. It reports false if there are more than limit.
func addWords(set *token.Set, f token.Field, words []Word, limit int) bool {
	for i := range words {
		if !set.AddWord(f, &words[i].word, limit) {
			return false
		}
	}
	set.EndField(f)
	return true
}

// scratch is the memory for checking an action that does not fit into
// candidates. It is pooled.
type scratch struct {
	slots, permits []uint32
	buf, keys      []uint64 // keys is a part of buf
	listed         []uint64 // the keys that clauses may be filed under
	tokens         actionTokens
}

var scratchPool = sync.Pool{New: func() any { return new(scratch) }}

// maxPooledTokens is the number of tokens up to which a scratch is pooled. It is
// twice as many as 64 KiB of text can hold. A token may have several keys.
const maxPooledTokens = 1 << 16

// free returns a scratch, which may be nil, to the pool.
func (m *scratch) free() {
	if m == nil || len(m.buf) > 4*maxPooledTokens || m.tokens.Cap() > maxPooledTokens {
		return
	}
	m.tokens.Clear()
	scratchPool.Put(m)
}

// findCandidates overwrites dst with the norms that an index does not rule out
// for an action of any length. It returns the slice, which it may have grown.
func (m *scratch) findCandidates(dst []uint32, x *normIndex, s subject) []uint32 {
	var verbs uint64
	m.buf, m.keys, verbs = x.features.grownKeys(m.buf, s)
	signature := index.Signature(m.keys)
	m.listed = m.listed[:0]
	for _, key := range m.keys {
		if x.clauses.Lists(key, verbs) {
			m.listed = append(m.listed, key)
		}
	}
	slices.Sort(m.listed)
	dst = dst[:cap(dst)]
	n := 0
	for _, key := range slices.Compact(m.listed) {
		for start := n; ; dst = append(dst, make([]uint32, len(dst)+16)...) {
			if n = x.clauses.Scan(dst, start, key, verbs, signature); n >= 0 {
				break
			}
		}
	}
	return dst[:n]
}

// manyKeys is the number of keys from which on it takes longer to look for a key among
// them than to split an action.
const manyKeys = 128

// withoutKeys removes the candidates whose words are not all among the keys of the
// action. To split a long action and file its tokens takes longer, so it is done only if
// a candidate is left.
func (m *scratch) withoutKeys(c *Constitution, slots []uint32) []uint32 {
	if len(m.keys) > manyKeys {
		return slots
	}
	return slices.DeleteFunc(slots, func(slot uint32) bool {
		var words [maxTokens]uint64
		norm := c.norms.at(slot)
		if !norm.plain {
			return false
		}
		n := token.Hashes(words[:], 0, norm.condition())
		return n > 0 && slices.ContainsFunc(words[:n], func(word uint64) bool { return !slices.Contains(m.keys, word) })
	})
}

// actionTokens are the tokens and the time of an action. They decide whether a norm
// matches the action, tokens by their text.
type actionTokens struct {
	token.Set
	time time.Time
}

func splitAction(a *Action) *actionTokens {
	t := &actionTokens{time: a.Time}
	subject{action: a}.fill(&t.Set, math.MaxInt)
	return t
}

// haveVerb reports whether one of the verbs of a norm is found in the action.
func (t *actionTokens) haveVerb(verbs string) bool {
	for tok, rest := token.Next(verbs); tok != ""; tok, rest = token.Next(rest) {
		if t.Has(token.ParseVerb(tok)) {
			return true
		}
	}
	return false
}

// meet reports whether every token of a norm's Condition is found in the action, and
// no token of its Unless is.
func (t *actionTokens) meet(condition, unless string) bool {
	for tok, rest := token.Next(condition); tok != ""; tok, rest = token.Next(rest) {
		if !t.have(tok) {
			return false
		}
	}
	for tok, rest := token.Next(unless); tok != ""; tok, rest = token.Next(rest) {
		if t.exempt(tok) {
			return false
		}
	}
	return true
}

// have reports whether a token of Condition is found in the action. A token of
// invisible characters only does not count.
func (t *actionTokens) have(tok string) bool {
	p, more := token.Parse(tok)
	return t.findAny(p, more) || p.Empty() && more == ""
}

// exempt reports whether a token of Unless is found in the action.
func (t *actionTokens) exempt(tok string) bool { return t.findAny(token.Parse(tok)) }

// findAny reports whether an alternative of a token is found.
func (t *actionTokens) findAny(p token.Pattern, more string) bool {
	for ; ; p, more = p.Or(more) {
		if t.Has(p) {
			return true
		}
		if more == "" {
			return false
		}
	}
}

// active reports whether a norm is in force for an action at a time.
func (n *Norm) active(at time.Time) bool {
	return isActive(n.From, n.Until, n.Permitted != "", at)
}

// isActive reports whether a norm from one time until another is in force for an action
// at a time, which is zero for an action without a Time. Such an action is within the
// window of a prohibition and outside the window of a permit, which is the strict choice.
func isActive(from, until time.Time, permit bool, at time.Time) bool {
	switch {
	case from.IsZero() && until.IsZero():
		return true
	case at.IsZero():
		return !permit
	}
	return (from.IsZero() || !at.Before(from)) && (until.IsZero() || at.Before(until))
}
