package rules

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/internal/nearest"
	"github.com/normsync/normsync/internal/strictjson"
	"github.com/normsync/normsync/internal/token"
)

// fact is a fact of a file.
type fact struct {
	normsync.Fact
	entry
}

// threshold is a threshold of a number in a file. It declares a fact, too.
type threshold struct {
	normsync.Threshold
	number string
	entry
}

// Facts returns the number of facts that the files declare, and that numbers have
// thresholds for.
func (s *Set) Facts() int { return len(s.facts) + len(s.thresholds) }

// addFacts adds the facts and the thresholds of a file.
func (s *Set) addFacts(f *source, found contents) {
	for i, at := range found.facts {
		var fact fact
		text := f.text[at.start:at.end]
		err := fact.UnmarshalJSON(text)
		if err == nil {
			err = fact.Validate()
		}
		if err != nil {
			s.reportPart(f, at, fmt.Sprintf("fact %d", i+1), fact.Name, err)
			continue
		}
		fact.entry = entry{f, at}
		s.facts = append(s.facts, fact)
	}
	for _, part := range found.thresholds {
		t := threshold{number: part.number, entry: entry{f, part.at}}
		err := t.UnmarshalJSON(f.text[part.at.start:part.at.end])
		if err == nil {
			err = t.Validate()
		}
		if err != nil {
			s.reportPart(f, part.at, "number "+quote(part.number), t.Fact, err)
			continue
		}
		s.thresholds = append(s.thresholds, t)
	}
}

// reportPart reports an error about a fact or a threshold of a file.
func (s *Set) reportPart(f *source, at span, what, name string, err error) {
	if e := (*strictjson.Error)(nil); errors.As(err, &e) {
		s.report(f, at.start+e.ByteOffset, "", what+": "+e.Text())
		return
	}
	problem := withoutName(err)
	field, _, _ := strings.Cut(problem, ":")
	s.report(f, at.start+fieldOffset(f.text[at.start:at.end], field), "", fmt.Sprintf("%s %s: %s", what, quote(name), problem))
}

// checkFacts reports facts that share a name, and what concerns several facts.
func (s *Set) checkFacts() {
	first := map[string]Place{}
	rules := normsync.Rules{Numbers: map[string][]normsync.Threshold{}}
	problems := len(s.Problems)
	for _, f := range s.facts {
		name, at := token.Fold(f.Name), f.place("name", "")
		if other, ok := first[name]; ok {
			s.Problems = append(s.Problems, Problem{at, "", fmt.Sprintf("fact %s: a fact of that name is at %s, too; rename one of them, or remove it", quote(f.Name), other)})
			continue
		}
		first[name] = at
		rules.Facts = append(rules.Facts, f.Fact)
	}
	for _, t := range s.thresholds {
		if other, ok := first[token.Fold(t.Fact)]; ok {
			s.Problems = append(s.Problems, Problem{t.place("fact", ""), "", fmt.Sprintf("number %s: a fact %s is declared at %s, too; rename one of them", quote(t.number), quote(t.Fact), other)})
			continue
		}
		rules.Numbers[t.number] = append(rules.Numbers[t.number], t.Threshold)
	}
	if len(s.Problems) > problems || s.Facts() == 0 {
		return
	}
	err := rules.Validate()
	if err == nil {
		return
	}
	text := strings.TrimPrefix(err.Error(), "normsync: ")
	at := Place{}
	for _, f := range s.facts {
		if here := f.place("name", ""); at == (Place{}) || strings.Contains(text, quote(f.Name)) {
			if at = here; strings.Contains(text, quote(f.Name)) {
				break
			}
		}
	}
	if at == (Place{}) {
		at = s.thresholds[0].place("fact", "")
	}
	s.Problems = append(s.Problems, Problem{at, "", text})
}

// mention is a word by which a norm or a fact may name a fact.
type mention struct {
	word   string // folded
	prefix bool
	token  string // that has it
	field  string
	inFact bool // facts:word, which names nothing else
}

// names reports whether m names a fact, whose name is folded.
func (m mention) names(fact string) bool {
	return m.word == fact || m.prefix && strings.HasPrefix(fact, m.word)
}

// mentions returns the words in fields with tokens, which are pairs of the name of a field
// and its text.
func mentions(fields ...string) (list []mention) {
	for i := 0; i < len(fields); i += 2 {
		for tok := range token.All(fields[i+1]) {
			text, inFact := tok, false
			if name, rest, ok := strings.Cut(tok, ":"); ok {
				if field, known := token.FieldNamed(name); known {
					if field != token.Facts {
						continue
					}
					text, inFact = rest, true
				}
			}
			for _, word := range strings.Split(strings.ReplaceAll(text, `\|`, "\x00"), "|") {
				word, prefix := strings.CutSuffix(strings.ReplaceAll(word, "\x00", "|"), "*")
				list = append(list, mention{token.Fold(word), prefix, tok, fields[i], inFact})
			}
		}
	}
	return list
}

// lintFacts returns what is likely not meant about facts, if the files declare any: a
// misspelt fact, a fact that nothing names, and a fact that counts violations of a norm
// that does not exist.
func (s *Set) lintFacts() (found []Finding) {
	if s.Facts() == 0 {
		return nil
	}
	var known nearest.Words
	declared := map[string]bool{}
	for _, name := range s.factNames() {
		declared[name] = true
		known.Add(name, 1)
	}
	var all []mention
	examine := func(what, norm string, list []mention, place func(field, token string) Place) {
		all = append(all, list...)
		for _, m := range list {
			near, ok := known.Find(m.word, m.prefix)
			if !m.inFact || m.prefix || declared[m.word] || !ok {
				continue
			}
			found = append(found, Finding{
				Place: place(m.field, m.token), Check: Lint, Norm: norm, Suggestion: near,
				Text: fmt.Sprintf("%s: no fact %s is declared, but a similar one is", what, quote(m.word)),
			})
		}
	}
	for i, n := range s.Norms {
		examine("norm "+quote(n.Name), n.Name, mentions("condition", n.Condition, "unless", n.Unless), s.entries[i].place)
	}
	for _, f := range s.facts {
		what := "fact " + quote(f.Name)
		examine(what, "", mentions("after", f.After, "until", f.Until), f.place)
		for _, name := range brokenNorms(f.Broke) {
			if s.hasNorm(name) {
				continue
			}
			found = append(found, Finding{
				Place: f.place("broke", name), Check: Lint,
				Text: fmt.Sprintf("%s: no norm is named %s%s", what, quote(name), suggest(name, s.normNames())),
			})
		}
	}
	used := func(name string) bool {
		for _, m := range all {
			if m.names(token.Fold(name)) {
				return true
			}
		}
		return false
	}
	for _, f := range s.facts {
		if !used(f.Name) {
			found = append(found, Finding{Place: f.place("name", ""), Check: Lint, Text: fmt.Sprintf("fact %s is named by no norm and by no other fact", quote(f.Name))})
		}
	}
	for _, t := range s.thresholds {
		if !used(t.Fact) {
			found = append(found, Finding{Place: t.place("fact", ""), Check: Lint, Text: fmt.Sprintf("fact %s of the number %s is named by no norm and by no other fact", quote(t.Fact), quote(t.number))})
		}
	}
	return found
}

func (s *Set) factNames() (names []string) {
	for _, f := range s.facts {
		names = append(names, token.Fold(f.Name))
	}
	for _, t := range s.thresholds {
		names = append(names, token.Fold(t.Fact))
	}
	return names
}

func (s *Set) normNames() (names []string) {
	for name := range s.byName {
		names = append(names, name)
	}
	return names
}

// hasNorm reports whether the set has a norm with a name, or whose name begins with what
// is in front of a star.
func (s *Set) hasNorm(name string) bool {
	prefix, star := strings.CutSuffix(name, "*")
	if _, ok := s.byName[name]; ok || !star {
		return ok
	}
	for other := range s.byName {
		if strings.HasPrefix(other, prefix) {
			return true
		}
	}
	return false
}

// brokenNorms returns the names in Broke of a valid fact, of which a prefix ends with a
// star.
func brokenNorms(broke string) (names []string) {
	for broke = strings.TrimSpace(broke); broke != ""; broke = strings.TrimSpace(broke) {
		if quoted, err := strconv.QuotedPrefix(broke); err == nil {
			name, _ := strconv.Unquote(quoted)
			names, broke = append(names, name), broke[len(quoted):]
			continue
		}
		word, rest := token.Next(broke)
		names, broke = append(names, word), rest
	}
	return names
}
