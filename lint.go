package normsync

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/normsync/normsync/internal/implication"
	"github.com/normsync/normsync/internal/nearest"
	"github.com/normsync/normsync/internal/token"
)

// Warning is something in a norm that is legal and likely not meant.
type Warning struct {
	Norm       string `json:"norm"`
	Field      string `json:"field"`                // of the norm, such as Condition
	Token      string `json:"token"`                // as the norm has it; of the field Name, the name
	Detail     string `json:"detail"`               // what is odd about it
	Suggestion string `json:"suggestion,omitempty"` // what to write instead; empty if that is unknown
}

// Lint returns what is legal in norms and likely not meant, in the order of the
// norms. [Norm.Validate] refuses what cannot be right; Lint warns of what may be
// right in some world:
//
//   - !night in Condition or Unless: the ! is part of the word
//   - attack, and a,b: the comma is part of the word
//   - health<20: norms compare no numbers
//   - loc:town and locaton:town: no field has that name, so the whole is a word
//   - or, and, not as tokens of Condition or Unless: they are words like others
//   - "safe and zone": the quotes are part of the words
//   - a token that makes no difference beside another one of the norm
//   - a permit that lifts nothing, because no prohibition of lower priority has
//     one of its verbs
//   - a name that differs from another one by case only
//
// Norms that are repealed get no warnings. Lint does not validate norms, and
// its time grows with their number and length only.
func Lint(norms []Norm) []Warning {
	warnings := []Warning{}
	names := map[string]string{} // the first name of those that fold to the same
	lifted := newLiftable(norms)
	for i := range norms {
		n := &norms[i]
		if n.Repealed {
			continue
		}
		l := linter{norm: n}
		if first, ok := names[token.Fold(n.Name)]; ok && first != n.Name {
			l.warn("Name", n.Name, fmt.Sprintf("it differs from %q by case only", first), "")
		} else if !ok {
			names[token.Fold(n.Name)] = n.Name
		}
		l.lint()
		if n.Permitted != "" && !n.Shadow {
			l.lintPermit(lifted)
		}
		warnings = append(warnings, l.warnings...)
	}
	return warnings
}

// linter collects the warnings of one norm.
type linter struct {
	norm     *Norm
	warnings []Warning
}

func (l *linter) warn(field, tok, detail, suggestion string) {
	l.warnings = append(l.warnings, Warning{l.norm.Name, field, tok, detail, suggestion})
}

func (l *linter) lint() {
	condition := l.lintTokens("Condition", l.norm.Condition)
	unless := l.lintTokens("Unless", l.norm.Unless)
	prohibited := l.lintTokens("Prohibited", l.norm.Prohibited)
	permitted := l.lintTokens("Permitted", l.norm.Permitted)

	// Every token of Condition has to be found, so a token that another one implies
	// makes no difference. One token of the other lists is enough, so one that
	// implies another makes none.
	l.lintRedundant("Condition", condition, func(t, other *implication.Token) bool { return other.Implies(t) }, "%s is always found with %s, so it makes no difference here")
	for _, list := range []struct {
		field  string
		tokens []implication.Token
	}{{"Unless", unless}, {"Prohibited", prohibited}, {"Permitted", permitted}} {
		l.lintRedundant(list.field, list.tokens, (*implication.Token).Implies, "whatever has %s has %s, so it makes no difference here")
	}
	verbs := slices.Concat(prohibited, permitted)
	for _, t := range condition {
		if len(verbs) > 0 && !slices.ContainsFunc(verbs, func(v implication.Token) bool { return !v.Implies(&t) }) {
			l.warn("Condition", t.Text, fmt.Sprintf("%s is found in every verb of the norm, so it makes no difference here", t.Text), "")
		}
	}
}

// lintTokens warns of single tokens, and returns the tokens without a warning.
func (l *linter) lintTokens(field, text string) (tokens []implication.Token) {
	verbs := field == "Prohibited" || field == "Permitted"
	for tok := range strings.FieldsSeq(text) {
		if detail, suggestion := oddity(tok, field, verbs); detail != "" {
			l.warn(field, tok, detail, suggestion)
			continue
		}
		if verbs {
			tokens = append(tokens, implication.VerbTokens(tok)...)
		} else {
			for _, c := range implication.Clauses(tok) {
				tokens = append(tokens, c...)
			}
		}
	}
	return tokens
}

// oddity says what is odd about a token, if anything is.
func oddity(tok, field string, verbs bool) (detail, suggestion string) {
	name, word, qualified := strings.Cut(tok, ":")
	if word == "" {
		qualified = false
	}
	bare := tok
	if _, ok := token.FieldNamed(name); ok && qualified {
		bare = word
	}
	quoted := strings.HasPrefix(bare, `"`) != strings.HasSuffix(bare, `"`) || len(bare) > 2 && strings.HasPrefix(bare, `"`)
	switch other := map[string]string{"Condition": "Unless", "Unless": "Condition"}[field]; {
	case !verbs && len(bare) > 1 && bare[0] == '!' && isWord(bare[1:]):
		return "the ! is part of the word", fmt.Sprintf("%s: %s", other, strings.Replace(tok, "!", "", 1))
	case quoted:
		return `the quotes are part of the word, and a token ends at white space`, strings.ReplaceAll(tok, `"`, "")
	case len(tok) > 1 && strings.ContainsAny(tok[len(tok)-1:], ",;"):
		return fmt.Sprintf("the %q is part of the word: tokens are separated by white space", tok[len(tok)-1:]), strings.TrimRight(tok, ",;")
	case isList(bare):
		separator, meaning := "|", "white space separates tokens that all have to be found, | those of which one is enough"
		if verbs {
			separator, meaning = " ", "tokens are separated by white space"
		}
		return "the comma is part of the word: " + meaning, strings.ReplaceAll(tok, ",", separator)
	case !verbs && isComparison(bare):
		return "norms compare no numbers: this is looked for as a word", "a fact that the host sets, such as facts:low_health"
	case !verbs && slices.Contains([]string{"or", "and", "not"}, strings.ToLower(tok)):
		return fmt.Sprintf("%q is a word like others: it has to be in the action", tok), map[string]string{
			"or": "a|b", "and": "the other tokens alone: all of them have to be found", "not": "Unless for what must not be found"}[strings.ToLower(tok)]
	case !verbs && qualified:
		if _, ok := token.FieldNamed(name); !ok {
			if field, ok := likelyField(name); ok {
				return fmt.Sprintf("no field is called %q, so the whole is looked for as a word", name), field + ":" + word
			}
		}
	}
	return "", ""
}

// isWord reports whether s looks like an ordinary word.
func isWord(s string) bool {
	letters := false
	for _, r := range s {
		letters = letters || unicode.IsLetter(r)
		if !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-.*:/", r) {
			return false
		}
	}
	return letters
}

// isList reports whether s looks like several words with commas between them.
func isList(s string) bool {
	words := strings.Split(s, ",")
	return len(words) > 1 && !slices.ContainsFunc(words, func(w string) bool { return !isWord(w) })
}

// isComparison reports whether s looks like health<20 or level>=5.
func isComparison(s string) bool {
	i := strings.IndexAny(s, "<>!")
	if i <= 0 || !isWord(s[:i]) || s[i-1] == '-' {
		return false // an arrow such as a->b compares nothing
	}
	operand := strings.TrimLeft(s[i:], "<>=!")
	operator := s[i : len(s)-len(operand)]
	return operand != "" && slices.Contains([]string{"<", ">", "<=", ">=", "!="}, operator) && (isWord(operand) || strings.Trim(operand, "0123456789.,%-") == "")
}

// fieldAbbreviations are what people write for the names of fields.
var fieldAbbreviations = map[string]string{
	"act": "action", "loc": "location", "locn": "location", "tgt": "target", "targ": "target", "fac": "faction", "fact": "facts", "agt": "agent",
}

// likelyField returns the field that was probably meant by a name that is none.
func likelyField(name string) (string, bool) {
	name = strings.ToLower(name)
	if field, ok := fieldAbbreviations[name]; ok {
		return field, true
	}
	var fields nearest.Words
	for _, f := range token.FieldNames {
		if name != "" && f[0] == name[0] {
			fields.Add(f, 1)
		}
	}
	return fields.Find(name, false)
}

// lintRedundant warns of tokens that make no difference beside another one of
// the list. Of two tokens with the same meaning, the later is redundant.
func (l *linter) lintRedundant(field string, tokens []implication.Token, redundant func(t, other *implication.Token) bool, detail string) {
	for i := range tokens {
		for j := range tokens {
			t, other := &tokens[i], &tokens[j]
			if i != j && redundant(t, other) && (i > j || !redundant(other, t)) {
				l.warn(field, t.Text, fmt.Sprintf(detail, t.Text, other.Text), "leave it out")
				break
			}
		}
	}
}

// liftable knows the lowest priority of the prohibitions that name a verb.
type liftable struct {
	words      map[string]int // by the word
	prefixes   map[string]int // by the prefix that a prohibition names, such as cast_ of cast_*
	beginnings map[string]int // by each beginning of a word or a prefix that a prohibition names
}

func newLiftable(norms []Norm) *liftable {
	f := &liftable{map[string]int{}, map[string]int{}, map[string]int{}}
	for i := range norms {
		n := &norms[i]
		if n.Repealed {
			continue
		}
		note := func(lowest map[string]int, word string) {
			if p, ok := lowest[word]; !ok || n.Priority < p {
				lowest[word] = n.Priority
			}
		}
		for _, t := range implication.VerbTokens(n.Prohibited) {
			if t.Prefix {
				note(f.prefixes, t.Folded)
			} else {
				note(f.words, t.Folded)
			}
			for i := range t.Folded {
				note(f.beginnings, t.Folded[:i])
			}
			note(f.beginnings, t.Folded)
		}
	}
	return f
}

// lowest returns the lowest priority of the prohibitions that name a verb which
// t finds, too. It returns false if there is none.
func (f *liftable) lowest(t *implication.Token) (int, bool) {
	lowest, found := math.MaxInt, false
	consider := func(priorities map[string]int, word string) {
		if p, ok := priorities[word]; ok {
			lowest, found = min(lowest, p), true
		}
	}
	for i := range t.Folded {
		consider(f.prefixes, t.Folded[:i])
	}
	consider(f.prefixes, t.Folded)
	if t.Prefix {
		consider(f.beginnings, t.Folded)
	} else {
		consider(f.words, t.Folded)
	}
	return lowest, found
}

// lintPermit warns of a permit that lifts nothing.
func (l *linter) lintPermit(f *liftable) {
	lowest, found := math.MaxInt, false
	for _, t := range implication.VerbTokens(l.norm.Permitted) {
		if p, ok := f.lowest(&t); ok {
			lowest, found = min(lowest, p), true
		}
	}
	switch {
	case !found:
		l.warn("Permitted", l.norm.Permitted, "it lifts nothing: no prohibition has one of its verbs", "")
	case lowest >= l.norm.Priority:
		l.warn("Priority", fmt.Sprint(l.norm.Priority), fmt.Sprintf("it lifts nothing: the lowest priority of a prohibition with one of its verbs is %d, and a permit lifts prohibitions of strictly lower priority", lowest),
			fmt.Sprintf("a Priority above %d", lowest))
	}
}
