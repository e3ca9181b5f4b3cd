package normsync

import (
	"slices"
	"unicode/utf8"

	"github.com/normsync/normsync/internal/index"
	"github.com/normsync/normsync/internal/token"
)

// clauses is the index of the norms that prohibit, or of those that permit: a
// clause for each verb of each norm.
type clauses struct {
	table   index.Table
	lookups lookups
}

// lookups says which hashes of an action the clauses need beside those of its
// words: prefixes, and the agent's. A check pays for what is wanted only.
type lookups struct {
	any      bool          // whether anything is
	prefixes token.Lengths // prefixes of words in any field but the agent's
	verbs    token.Lengths // prefixes of words in the verb
	agent    bool          // words of the agent
	ofAgent  token.Lengths // prefixes of words of the agent
	counts   *lookupCounts // nil: none
}

// lookupCounts has how many tokens of norms want what, so that what no norm wants any more is not paid for.
type lookupCounts struct {
	prefixes, verbs, ofAgent [token.MaxPrefix + 1]int32
	agent                    int32
}

// keys writes the hashes under which clauses may be filed that hold of a to
// buf, and returns them and the bits of those of the verb. It returns false
// when buf is too small.
func (w *lookups) keys(buf []uint64, a *Action) (keys []uint64, verbs uint64, ok bool) {
	if w.any {
		return w.allKeys(buf, a)
	}
	verb := token.Hashes(buf, 0, a.Verb)
	n := token.Hashes(buf, verb, a.Location)
	n = token.Hashes(buf, n, a.Target)
	n = token.Hashes(buf, n, a.Faction)
	if n < 0 {
		return nil, 0, false
	}
	return buf[:n], index.Verbs(buf[:verb]), true
}

// allKeys is keys for norms that have prefixes or look at the agent. Of the
// prefixes of the verb only those that prohibitions want are in verbs: with
// others in it, buckets are looked at in vain.
func (w *lookups) allKeys(buf []uint64, a *Action) (keys []uint64, verbs uint64, ok bool) {
	verb := token.AllHashes(buf, 0, a.Verb, &w.verbs)
	n := token.Prefixes(buf, verb, a.Verb, &w.prefixes)
	n = token.AllHashes(buf, n, a.Location, &w.prefixes)
	n = token.AllHashes(buf, n, a.Target, &w.prefixes)
	n = token.AllHashes(buf, n, a.Faction, &w.prefixes)
	others := n
	if w.agent || w.ofAgent != (token.Lengths{}) {
		n = token.AllHashes(buf, n, a.Agent, &w.ofAgent)
	}
	if n < 0 {
		return nil, 0, false
	}
	for i, h := range buf[others:n] {
		buf[others+i] = token.OfAgent(h)
	}
	return buf[:n], index.Verbs(buf[:verb]), true
}

// grownKeys is keys with a buffer that is made greater where it is too small.
// It returns the buffer, too.
func (w *lookups) grownKeys(buf []uint64, a *Action) (grown, keys []uint64, verbs uint64) {
	for {
		if keys, verbs, ok := w.keys(buf, a); ok {
			return buf, keys, verbs
		}
		buf = make([]uint64, max(64, 2*len(buf)))
	}
}

func texts(a *Action) token.Texts {
	return token.Texts{a.Verb, a.Location, a.Target, a.Faction, a.Agent}
}

// clausesEdit makes new clauses from old ones.
type clausesEdit struct {
	table   *index.Edit
	lookups lookups
	mine    bool // lookups.counts is not shared with the old ones
	buf     index.Clause
}

func (c *clauses) edit(expected int) *clausesEdit {
	return &clausesEdit{table: c.table.Edit(expected), lookups: c.lookups}
}

func (e *clausesEdit) add(n *Norm, slot uint32)    { e.each(n, slot, 1, e.table.Insert) }
func (e *clausesEdit) remove(n *Norm, slot uint32) { e.each(n, slot, -1, e.table.Remove) }

// each calls do with every clause of a norm, and counts by how much what they want changes.
func (e *clausesEdit) each(n *Norm, slot uint32, by int32, do func(index.Clause)) {
	c := index.Clause{Slot: slot, Tokens: e.buf.Tokens[:0]}
	for tok, rest := token.Next(n.Condition); tok != ""; tok, rest = token.Next(rest) {
		p := token.Parse(tok)
		e.want(p, by)
		c.Tokens = append(c.Tokens, p.Hash())
	}
	e.buf = c
	verbs := make([]uint64, 0, 8)
	for tok, rest := token.Next(n.verbs()); tok != ""; tok, rest = token.Next(rest) {
		p := token.ParseVerb(tok)
		e.want(p, by)
		if c.Verb = p.Hash(); !slices.Contains(verbs, c.Verb) {
			verbs = append(verbs, c.Verb)
			do(c)
		}
	}
}

// verbs returns the verbs of a norm: it has Prohibited or Permitted.
func (n *Norm) verbs() string {
	if n.Prohibited != "" {
		return n.Prohibited
	}
	return n.Permitted
}

// want counts a pattern of a norm.
func (e *clausesEdit) want(p token.Pattern, by int32) {
	w := &e.lookups
	if !p.Prefix && p.Field != token.Agent {
		return
	}
	if !e.mine {
		counts := lookupCounts{}
		if w.counts != nil {
			counts = *w.counts
		}
		w.counts, e.mine = &counts, true
	}
	if !p.Prefix {
		w.counts.agent += by
		w.agent = w.counts.agent > 0
	} else {
		counts, lengths := &w.counts.prefixes, &w.prefixes
		switch p.Field {
		case token.Action: // also action:word*, which is looked for in the verb alone
			counts, lengths = &w.counts.verbs, &w.verbs
		case token.Agent:
			counts, lengths = &w.counts.ofAgent, &w.ofAgent
		}
		n := utf8.RuneCountInString(p.Word)
		counts[n] += by
		lengths.Set(n, counts[n] > 0)
	}
}

// done ends the edit and returns the new clauses.
func (e *clausesEdit) done() clauses {
	l, none := &e.lookups, token.Lengths{}
	if l.any = l.agent || l.prefixes != none || l.verbs != none || l.ofAgent != none; !l.any {
		l.counts = nil
	}
	return clauses{e.table.Table(), e.lookups}
}
