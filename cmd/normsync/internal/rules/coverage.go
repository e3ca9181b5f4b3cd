package rules

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/internal/token"
)

// coverage is what a log has of the norms and the facts of a set.
type coverage struct {
	*Set
	replay *replay
	norms  []normsync.Coverage
	tokens []factToken

	declared []string // the names of facts, folded
	absent   []string // those that the log does not have, or need not have
}

const (
	keyAfter = "after"
	keyUntil = "until"
)

// factToken is a token of After or Until of a fact, and what the log has of it.
type factToken struct {
	fact  int // its index in the set
	field string
	token string
	normsync.Coverage
}

// cover returns what is suspicious about the norms and the facts in a log.
func (s *Set) cover(log iter.Seq[normsync.Action]) (found []Finding, err error) {
	c := coverage{Set: s, declared: s.factNames()}
	constitution, err := normsync.Compile(s.Norms...)
	if err != nil {
		return nil, err
	}
	if c.replay, err = newReplay(s, constitution); err != nil {
		return nil, err
	}
	if err := c.run(log); err != nil {
		return nil, err
	}
	for i, name := range c.declared {
		if i >= len(s.facts) || !c.replay.facts[i].held {
			c.absent = append(c.absent, name)
		}
	}
	for _, norm := range c.norms {
		n, _ := constitution.Norm(norm.Norm)
		found = append(found, c.norm(n, norm)...)
	}
	for i := range s.facts {
		found = append(found, c.fact(i)...)
	}
	return found, nil
}

// run covers the log once, with a norm for each token of the facts beside those of the set.
func (c *coverage) run(log iter.Seq[normsync.Action]) error {
	norms := slices.Clone(c.Norms)
	prefix := "token " // of the names of these norms
	for slices.ContainsFunc(norms, func(n normsync.Norm) bool { return strings.HasPrefix(n.Name, prefix) }) {
		prefix = "a " + prefix
	}
	for i, f := range c.facts {
		for _, field := range []struct{ name, text string }{{keyAfter, f.After}, {keyUntil, f.Until}} {
			for tok := range token.All(field.text) {
				name := prefix + strconv.Itoa(len(c.tokens))
				norms = append(norms, normsync.Norm{Name: name, Condition: tok, Prohibited: "*", Shadow: true})
				c.tokens = append(c.tokens, factToken{fact: i, field: field.name, token: tok})
			}
		}
	}
	constitution, err := normsync.Compile(norms...)
	if err != nil {
		return err
	}
	for _, covered := range normsync.Cover(constitution, c.replay.run(log)) {
		number, ok := strings.CutPrefix(covered.Norm, prefix)
		if !ok {
			c.norms = append(c.norms, covered)
			continue
		}
		i, err := strconv.Atoi(number)
		if err != nil {
			return err
		}
		c.tokens[i].Coverage = covered
	}
	return nil
}

// norm returns what is suspicious about a norm: a word that the log never has, although
// it has a similar one, and a norm that never applies.
func (c *coverage) norm(n normsync.Norm, covered normsync.Coverage) (found []Finding) {
	for _, u := range covered.Unseen {
		if c.likelyMisspelt(u, n.Condition, n.Unless, n.Prohibited, n.Permitted) {
			found = append(found, misspelt("norm "+quote(n.Name), n.Name, c.AnyTokenPlace(n, u.Token), u))
		}
	}
	if len(found) > 0 || covered.Applied > 0 || covered.Actions > 0 && c.waits(n, covered) {
		return found
	}
	why := "none has its verb"
	switch {
	case covered.Exempt > 0 && covered.Exempt == covered.Actions:
		why = fmt.Sprintf("its Unless exempts all that have its verb (%d)", covered.Actions)
	case covered.Actions > 0 && n.From.IsZero() && n.Until.IsZero():
		why = fmt.Sprintf("its Condition is not met by those that have its verb (%d)", covered.Actions)
	case covered.Actions > 0:
		why = fmt.Sprintf("its Condition or its window is not met by those that have its verb (%d)", covered.Actions)
	}
	return []Finding{{
		Place: c.NormPlace(n.Name), Check: Cover, Norm: n.Name,
		Text: fmt.Sprintf("norm %s applies to no action of the log: %s", quote(n.Name), why),
	}}
}

// misspelt is the finding that no action has a token.
func misspelt(what, norm string, at Place, u normsync.UnseenToken) Finding {
	return Finding{
		Place: at, Check: Cover, Norm: norm, Suggestion: u.Nearest,
		Text: fmt.Sprintf("%s: no action of the log has %s, but one has a similar word", what, quote(u.Token)),
	}
}

// likelyMisspelt reports whether a token that no action has is likely a misspelling of the
// nearest word. It is not if the files declare it as a fact, or if the texts beside it have
// the nearest word, too, as in change_trip|cancel_trip.
func (c *coverage) likelyMisspelt(u normsync.UnseenToken, texts ...string) bool {
	if u.Nearest == "" || c.declares(u.Token) {
		return false
	}
	for _, text := range texts {
		for tok := range token.All(text) {
			if name, rest, ok := strings.Cut(tok, ":"); ok {
				if _, known := token.FieldNamed(name); known {
					tok = rest
				}
			}
			if slices.Contains(strings.Split(token.Fold(tok), "|"), token.Fold(u.Nearest)) {
				return false
			}
		}
	}
	return true
}

// declares reports whether a token may name a fact that the files declare, so that it is
// not misspelt.
func (c *coverage) declares(tok string) bool {
	return slices.ContainsFunc(mentions("", tok), func(m mention) bool { return slices.ContainsFunc(c.declared, m.names) })
}

// waits reports whether the Condition of a norm names a fact that the log does not have,
// although the files declare it. A finding about the fact says why it never holds. Numbers,
// which have thresholds, are not in a log.
func (c *coverage) waits(n normsync.Norm, covered normsync.Coverage) bool {
	var unseen []mention
	for _, u := range covered.Unseen {
		unseen = append(unseen, mentions("", u.Token)...)
	}
	for _, m := range mentions("", n.Condition) {
		missing := func(u mention) bool { return u.word == m.word && u.prefix == m.prefix }
		if slices.ContainsFunc(unseen, missing) && slices.ContainsFunc(c.absent, m.names) {
			return true
		}
	}
	return false
}

// fact returns what is suspicious about a fact: a word that the log never has, although it
// has a similar one, a fact that never holds, and a field of Per that is always empty.
func (c *coverage) fact(i int) (found []Finding) {
	f, of := c.facts[i], &c.replay.facts[i]
	what := "fact " + quote(f.Name)
	explained, why := of.held, ""
	for _, t := range c.tokens {
		if t.fact != i {
			continue
		}
		similar := false
		for _, u := range t.Unseen {
			if c.likelyMisspelt(u, f.After, f.Until) {
				found = append(found, misspelt(what, "", f.place(t.field, u.Token), u))
				similar = true
			}
		}
		if t.field == keyAfter && t.Applied == 0 {
			why = cmp.Or(why, "no action has "+quote(t.token))
			explained = explained || similar
		}
	}
	if !explained {
		found = append(found, Finding{Place: f.place("name", ""), Check: Cover, Text: fmt.Sprintf("%s never holds in the log: %s", what, cmp.Or(why, of.whyNot()))})
	}
	for _, field := range of.emptyPer(c.replay.fields) {
		counts := "of the log"
		if of.counted > 0 {
			counts = "that counts for it"
		}
		found = append(found, Finding{
			Place: f.place("per", field), Check: Cover,
			Text: fmt.Sprintf("%s counts per %s, but no action %s has one", what, field, counts),
		})
	}
	return found
}
