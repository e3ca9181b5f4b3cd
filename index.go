package normsync

import (
	"slices"
	"unicode/utf8"

	"github.com/normsync/normsync/internal/cow"
	"github.com/normsync/normsync/internal/index"
	"github.com/normsync/normsync/internal/token"
)

// normIndex is the inverted index over the norms that prohibit, or over those
// that permit. It has one clause for each verb of each norm. Unless is not in
// the index; it counts when a norm is verified.
type normIndex struct {
	clauses  index.Index
	features features
}

// features are the kinds of tokens, other than plain words, that the norms of an
// index use. They tell which hashes of an action a check needs in addition to those of
// its words, so that a check only pays for kinds that are in use.
type features struct {
	any           bool           // whether there is any feature
	prefixes      token.Lengths  // of word*, in every field but the agent
	verbPrefixes  token.Lengths  // of word* among the verbs, and of action:word*
	agent         bool           // agent:word
	agentPrefixes token.Lengths  // of agent:word*
	counts        *featureCounts // nil: none
}

// featureCounts counts the tokens that use each feature, so that a check stops
// paying for a feature when its last user is gone.
type featureCounts struct {
	owner                                 *cow.Owner
	prefixes, verbPrefixes, agentPrefixes [token.MaxPrefix + 1]int32
	agent                                 int32
}

// A prefix has the star as one of its bytes, and at most as many runes as bytes.
const _ = uint(token.MaxPrefix - (maxTokenBytes - 1))

// keys writes the hashes of the action under which clauses may be filed to buf:
// first those of the verb, then all others. It returns the number of each, or -1
// if buf is too small. A prefix of the verb is a key of the verb only if norms
// have such a prefix among their verbs. Other prefixes would make a check read
// more buckets for nothing.
func (f *features) keys(buf []uint64, a *Action) (verb, n int) {
	verb, n = f.verbKeys(buf, a.Verb)
	return verb, f.contextKeys(buf, n, a)
}

// verbKeys is the first part of keys.
func (f *features) verbKeys(buf []uint64, text string) (verb, n int) {
	verb = token.AllHashes(buf, 0, text, &f.verbPrefixes)
	return verb, token.Prefixes(buf, verb, text, &f.prefixes)
}

// contextKeys is the second part of keys: it writes the hashes of all fields but the
// verb to buf[n:].
func (f *features) contextKeys(buf []uint64, n int, a *Action) int {
	n = token.AllHashes(buf, n, a.Location, &f.prefixes)
	n = token.AllHashes(buf, n, a.Target, &f.prefixes)
	n = token.AllHashes(buf, n, a.Faction, &f.prefixes)
	n = token.AllHashes(buf, n, a.Facts, &f.prefixes)
	if n >= 0 && f.needAgent() {
		n = token.AgentHashes(buf, n, a.Agent, &f.agentPrefixes)
	}
	return n
}

// needAgent reports whether the words of Agent are among the keys.
func (f *features) needAgent() bool { return f.agent || f.agentPrefixes != (token.Lengths{}) }

// preparedKeys is keys for a prepared action.
func (f *features) preparedKeys(buf []uint64, p *Prepared) (verb, n int) {
	verb = wordKeys(buf, 0, p.Verb, &f.verbPrefixes)
	n = wordPrefixes(buf, verb, p.Verb, &f.prefixes)
	return verb, f.preparedContextKeys(buf, n, p)
}

// preparedContextKeys is contextKeys for a prepared action.
func (f *features) preparedContextKeys(buf []uint64, n int, p *Prepared) int {
	n = wordKeys(buf, n, p.Location, &f.prefixes)
	n = wordKeys(buf, n, p.Target, &f.prefixes)
	n = wordKeys(buf, n, p.Faction, &f.prefixes)
	n = wordKeys(buf, n, p.Facts, &f.prefixes)
	if f.needAgent() {
		for i := range p.Agent {
			n = p.Agent[i].word.AgentHashes(buf, n, &f.agentPrefixes)
		}
	}
	return n
}

// wordKeys is token.AllHashes for words.
func wordKeys(buf []uint64, n int, words []Word, lengths *token.Lengths) int {
	if n < 0 || len(buf)-n < len(words) {
		return -1
	}
	for i := range words {
		buf[n+i] = words[i].word.Hash
	}
	return wordPrefixes(buf, n+len(words), words, lengths)
}

// wordPrefixes is token.Prefixes for words.
func wordPrefixes(buf []uint64, n int, words []Word, lengths *token.Lengths) int {
	if *lengths != (token.Lengths{}) {
		for i := range words {
			n = words[i].word.Prefixes(buf, n, lengths)
		}
	}
	return n
}

// grownKeys returns the keys of an action of any length, and the verb bits of
// the index for the keys of the verb. The keys are in buf, or in a larger buffer
// that it returns if buf is too small.
func (f *features) grownKeys(buf []uint64, s subject) (grown, keys []uint64, verbs uint64) {
	for {
		if verb, n := s.keys(f, buf); n >= 0 {
			return buf, buf[:n], index.Verbs(buf[:verb])
		}
		buf = make([]uint64, max(64, 2*len(buf)))
	}
}

// textsOf returns the texts of an action, by field.
func textsOf(a *Action) token.Texts {
	return token.Texts{
		token.Action:   token.Visible(a.Verb),
		token.Location: token.Visible(a.Location),
		token.Target:   token.Visible(a.Target),
		token.Faction:  token.Visible(a.Faction),
		token.Facts:    token.Visible(a.Facts),
		token.Agent:    token.Valid(a.Agent),
	}
}

// actionWith returns an action with these texts.
func actionWith(t token.Texts) Action {
	return Action{
		Verb: t[token.Action], Location: t[token.Location], Target: t[token.Target], Faction: t[token.Faction], Facts: t[token.Facts], Agent: t[token.Agent],
	}
}

// verbs returns the verb tokens of a norm, which has either Prohibited or
// Permitted.
func (n *Norm) verbs() string {
	if n.Prohibited != "" {
		return n.Prohibited
	}
	return n.Permitted
}

// normIndexTxn is a transaction on a normIndex, as package cow describes. Its
// parts are the clauses and the counts.
type normIndexTxn struct {
	clauses  *index.Txn
	features features
	owner    *cow.Owner
	tokens   []uint64 // reused
}

func (x *normIndex) txn(expected int) *normIndexTxn {
	return &normIndexTxn{clauses: x.clauses.Txn(expected), features: x.features, owner: cow.NewOwner()}
}

func (t *normIndexTxn) insert(n *Norm, slot uint32) { t.update(n, slot, 1, t.clauses.Insert) }
func (t *normIndexTxn) delete(n *Norm, slot uint32) { t.update(n, slot, -1, t.clauses.Delete) }

// update calls do with every clause of a norm, and adds by to the counts of the
// features that the norm uses.
func (t *normIndexTxn) update(n *Norm, slot uint32, by int32, do func(index.Clause)) {
	c := index.Clause{Slot: slot, Tokens: t.tokens[:0]}
	for tok := range token.All(n.Condition) {
		p, more := token.Parse(tok)
		switch {
		case more != "":
			c.AnyOf = append(c.AnyOf, t.alternatives(p, more, by))
		case !p.Empty():
			t.count(p, by)
			c.Tokens = append(c.Tokens, p.Hash())
		}
	}
	t.tokens = c.Tokens
	verbs := make([]uint64, 0, 8)
	for tok := range token.All(n.verbs()) {
		p := token.ParseVerb(tok)
		t.count(p, by)
		if c.Verb = p.Hash(); !slices.Contains(verbs, c.Verb) {
			verbs = append(verbs, c.Verb)
			do(c)
		}
	}
}

// alternatives returns the hashes of the alternatives of a token, and adds by to the
// counts of the features that they use.
func (t *normIndexTxn) alternatives(p token.Pattern, more string, by int32) (hashes []uint64) {
	for ; ; p, more = p.Or(more) {
		t.count(p, by)
		hashes = append(hashes, p.Hash())
		if more == "" {
			return hashes
		}
	}
}

// count adds by to the count of the feature that a token uses, if it uses one.
func (t *normIndexTxn) count(p token.Pattern, by int32) {
	f := &t.features
	if !p.Prefix && p.Field != token.Agent {
		return
	}
	if f.counts == nil || f.counts.owner != t.owner {
		counts := featureCounts{}
		if f.counts != nil {
			counts = *f.counts
		}
		counts.owner = t.owner
		f.counts = &counts
	}
	if !p.Prefix {
		f.counts.agent += by
		f.agent = f.counts.agent > 0
		return
	}
	counts, lengths := &f.counts.prefixes, &f.prefixes
	switch p.Field {
	case token.Action: // action:word* is found in the verb only, too
		counts, lengths = &f.counts.verbPrefixes, &f.verbPrefixes
	case token.Agent:
		counts, lengths = &f.counts.agentPrefixes, &f.agentPrefixes
	}
	n := utf8.RuneCountInString(p.Word)
	counts[n] += by
	lengths.Set(n, counts[n] > 0)
}

// commit ends the transaction and returns the new index.
func (t *normIndexTxn) commit() normIndex {
	f, none := &t.features, token.Lengths{}
	if f.any = f.agent || f.prefixes != none || f.verbPrefixes != none || f.agentPrefixes != none; !f.any {
		f.counts = nil
	}
	return normIndex{t.clauses.Commit(), t.features}
}
