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
// buf, and returns where those of the verb end, and where all do. It returns -1
// when buf is too small. Of the prefixes of the verb only those that
// prohibitions want are among the verb's: with others, buckets would be looked
// at in vain.
func (w *lookups) keys(buf []uint64, a *Action) (verb, n int) {
	verb = token.AllHashes(buf, 0, a.Verb, &w.verbs)
	n = token.Prefixes(buf, verb, a.Verb, &w.prefixes)
	n = token.AllHashes(buf, n, a.Location, &w.prefixes)
	n = token.AllHashes(buf, n, a.Target, &w.prefixes)
	n = token.AllHashes(buf, n, a.Faction, &w.prefixes)
	if others := n; n >= 0 && (w.agent || w.ofAgent != (token.Lengths{})) {
		if n = token.AllHashes(buf, n, a.Agent, &w.ofAgent); n < 0 {
			return -1, -1
		}
		for i, h := range buf[others:n] {
			buf[others+i] = token.OfAgent(h)
		}
	}
	return verb, n
}

// grownKeys returns the keys, and the bits of those of the verb. They are in
// buf, or in a greater one where it is too small, which it returns, too.
func (w *lookups) grownKeys(buf []uint64, a *Action) (grown, keys []uint64, verbs uint64) {
	for {
		if verb, n := w.keys(buf, a); n >= 0 {
			return buf, buf[:n], index.Verbs(buf[:verb])
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
