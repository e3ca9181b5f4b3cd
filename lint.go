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
	Token      string `json:"token"`                // as the norm has it, or an alternative of it with the field; of other fields, the value
	Detail     string `json:"detail"`               // what is odd about it
	Suggestion string `json:"suggestion,omitempty"` // what to write instead; empty if that is unknown
}

// Lint returns what is legal in norms and likely not meant, in the order of the
// norms. [Norm.Validate] refuses what cannot be right; Lint warns of what may be
// right in some world:
//
//   - !night in Condition or Unless: the ! is part of the word
//   - attack, and a,b: the comma is part of the word
//   - health<20: norms do not compare numbers
//   - loc:town and locaton:town: no field has that name, so the token is an ordinary word
//   - or, and, not as tokens of Condition or Unless: they are words like others
//   - "safe and zone": the quotes are part of the words
//   - location:a|location:b: a field holds for all alternatives, so location:b is a
//     word here
//   - a token or an alternative that makes no difference beside others of the norm
//   - invisible characters that make a token look like another one: they count in
//     agent: tokens only, and a token of nothing else is none
//   - a permit that overrides nothing, because no prohibition of lower priority has one
//     of its verbs in a window that meets the permit's own
//   - a name that differs from another one by case only
//
// Lint knows norms only. The program's command lint checks whole rule files: it also warns
// of a misspelt fact, of a fact that no norm names, and of a fact that counts violations
// of a norm that does not exist.
//
// Norms that are repealed get no warnings, nor do norms whose fields are far beyond
// the limits of Validate. Otherwise Lint does not validate norms. Its time is
// proportional to their number and length.
func Lint(norms []Norm) []Warning {
	warnings := []Warning{}
	names := map[string]string{} // the first name of those that fold to the same
	prohibited := newProhibitedVerbs(norms)
	for i := range norms {
		n := &norms[i]
		if n.Repealed || n.beyondLimits() {
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
			l.lintPermit(prohibited)
		}
		warnings = append(warnings, l.warnings...)
	}
	return warnings
}

// beyondLimits reports whether a field has many more or longer tokens than Validate
// accepts, so that comparing all of them would take long.
func (n *Norm) beyondLimits() bool {
	for _, text := range []string{n.Condition, n.Unless, n.Prohibited, n.Permitted} {
		words := 0
		for tok := range token.All(text) {
			alternatives := 1 + strings.Count(tok, "|")
			words += alternatives
			if words > 2*maxTokens || len(tok) > 2*maxTokenBytes*alternatives {
				return true
			}
		}
	}
	return false
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
	unless := flat(l.lintTokens("Unless", l.norm.Unless))
	prohibited := flat(l.lintTokens("Prohibited", l.norm.Prohibited))
	permitted := flat(l.lintTokens("Permitted", l.norm.Permitted))

	// One token of the other lists is enough, and one alternative of a token of
	// Condition, so a token that implies another one makes no difference.
	for _, c := range condition {
		l.lintAnyOf("Condition", c.alternatives)
	}
	l.lintAnyOf("Unless", unless)
	l.lintAnyOf("Prohibited", prohibited)
	l.lintAnyOf("Permitted", permitted)
	l.lintAllOf(condition, slices.Concat(prohibited, permitted), unless)
}

// lintToken is a token as the norm has it.
type lintToken struct {
	text         string
	alternatives implication.Clause
}

// flat returns the alternatives of all tokens.
func flat(tokens []lintToken) (alternatives implication.Clause) {
	for _, t := range tokens {
		alternatives = append(alternatives, t.alternatives...)
	}
	return alternatives
}

// lintTokens warns of single tokens, and returns the tokens without a warning.
func (l *linter) lintTokens(field, text string) (tokens []lintToken) {
	verbs := field == "Prohibited" || field == "Permitted"
	for tok := range strings.FieldsSeq(text) {
		if detail, suggestion := oddity(tok, field, verbs); detail != "" {
			l.warn(field, tok, detail, suggestion)
			continue
		}
		if verbs {
			tokens = append(tokens, lintToken{tok, implication.VerbTokens(tok)})
			continue
		}
		for _, c := range implication.Clauses(tok) {
			tokens = append(tokens, lintToken{tok, c})
		}
	}
	return tokens
}

// oddity says what is odd about a token, if anything is.
func oddity(tok, field string, verbs bool) (detail, suggestion string) {
	name, word, qualified := strings.Cut(tok, ":")
	f, known := token.FieldNamed(name)
	bare := tok
	if qualified = qualified && word != ""; known && qualified {
		bare = word
	}
	switch {
	case known && qualified && !verbs && f == token.Agent:
		if token.Visible(tok) != tok {
			return "it has invisible characters, which count in the names of agents", token.Visible(tok)
		}
	case strings.TrimSpace(token.Visible(tok)) == "":
		return "it has only invisible characters, so it makes no difference", "leave it out"
	}
	if verbs {
		return oddWord(bare, tok, field, verbs)
	}
	if detail, suggestion := oddField(tok, name, word, known, qualified); detail != "" {
		return detail, suggestion
	}
	for alternative := range strings.SplitSeq(bare, "|") {
		if detail, suggestion := oddWord(alternative, tok, field, verbs); detail != "" {
			return detail, suggestion
		}
	}
	return "", ""
}

// oddField says what is odd about the field of a token of Condition or Unless.
func oddField(tok, name, word string, known, qualified bool) (detail, suggestion string) {
	if _, more, ok := strings.Cut(tok, "|"); ok {
		for alternative := range strings.SplitSeq(more, "|") {
			other, _, ok := strings.Cut(alternative, ":")
			if _, isField := token.FieldNamed(other); !ok || !isField {
				continue
			}
			if known && qualified && strings.EqualFold(name, other) {
				suggestion = name + ":" + strings.ReplaceAll(word, "|"+other+":", "|")
			}
			return fmt.Sprintf("a field holds for all alternatives, so %q is an ordinary word here", alternative), suggestion
		}
	}
	if !known && qualified {
		if field, ok := likelyField(name); ok {
			return fmt.Sprintf("%q is not a field, so the token is an ordinary word", name), field + ":" + word
		}
	}
	return "", ""
}

// oddWord says what is odd about the word of a token, or of one alternative of it.
func oddWord(bare, tok, field string, verbs bool) (detail, suggestion string) {
	quoted := strings.HasPrefix(bare, `"`) != strings.HasSuffix(bare, `"`) || len(bare) > 2 && strings.HasPrefix(bare, `"`)
	switch other := map[string]string{"Condition": "Unless", "Unless": "Condition"}[field]; {
	case !verbs && len(bare) > 1 && bare[0] == '!' && isWord(bare[1:]):
		return "the ! is part of the word", fmt.Sprintf("%s: %s", other, strings.Replace(tok, "!", "", 1))
	case quoted:
		return `the quotes are part of the word, and a token ends at white space`, strings.ReplaceAll(tok, `"`, "")
	case len(bare) > 1 && strings.ContainsAny(bare[len(bare)-1:], ",;"):
		return fmt.Sprintf("the %q is part of the word: tokens are separated by white space", bare[len(bare)-1:]), strings.Replace(tok, bare, strings.TrimRight(bare, ",;"), 1)
	case isList(bare):
		separator, meaning := "|", "separate tokens by white space if all must be found, or by | if one is enough"
		if verbs {
			separator, meaning = " ", "tokens are separated by white space"
		}
		return "the comma is part of the word: " + meaning, strings.ReplaceAll(tok, ",", separator)
	case !verbs && isComparison(bare):
		return "norms do not compare numbers, so the token is an ordinary word", "a fact that the host sets, such as facts:low_health"
	case !verbs && slices.Contains([]string{"or", "and", "not"}, strings.ToLower(tok)):
		return fmt.Sprintf("%q is a word like others: it has to be in the action", tok), map[string]string{
			"or": "a|b", "and": "only the other tokens: all of them have to be found", "not": "Unless for what must not be found"}[strings.ToLower(tok)]
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

// lintAnyOf warns of tokens that make no difference because they imply another one, in
// a list that needs only one. Of two tokens with the same meaning, the later makes no
// difference.
func (l *linter) lintAnyOf(field string, tokens implication.Clause) {
	for i := range tokens {
		for j := range tokens {
			t, other := &tokens[i], &tokens[j]
			if i != j && t.Implies(other) && (i > j || !other.Implies(t)) {
				l.warn(field, t.Text, fmt.Sprintf("whatever has %s has %s, so it makes no difference here", t.Text, other.Text), "leave it out")
				break
			}
		}
	}
}

// lintAllOf warns of tokens of Condition that make no difference, because another one
// or every verb implies them, and of alternatives that Unless exempts.
func (l *linter) lintAllOf(condition []lintToken, verbs, unless implication.Clause) {
	budget := implication.NewBudget(math.MaxInt)
	norm := implication.Norm{Unless: unless}
	for i, t := range condition {
		c := t.alternatives
		for j, other := range condition {
			if i != j && other.alternatives.Implies(c) && (i > j || !c.Implies(other.alternatives)) {
				l.warn("Condition", t.text, fmt.Sprintf("%s is always found with %s, so it makes no difference here", t.text, other.text), "leave it out")
				break
			}
		}
		if len(verbs) > 0 && verbs.Implies(c) {
			l.warn("Condition", t.text, fmt.Sprintf("%s is found in every verb of the norm, so it makes no difference here", t.text), "")
		}
		if norm.ExemptsAll(c, budget) {
			continue // the norm never applies, which Conflicts proves
		}
		for i := range c {
			if norm.Exempts(&c[i], budget) {
				l.warn("Condition", c[i].Text, fmt.Sprintf("Unless exempts every action in which %s is found, so it makes no difference here", c[i].Text), "leave it out")
			}
		}
	}
}

// prohibitedVerbs knows the priorities of the prohibitions that name a verb.
type prohibitedVerbs struct {
	words      map[string]*priorities // by the word
	prefixes   map[string]*priorities // by the prefix that a prohibition names, such as cast_ of cast_*
	beginnings map[string]*priorities // by each beginning of a word or a prefix that a prohibition names
}

// priorities holds the priorities of some prohibitions.
type priorities struct {
	lowest  int        // of all of them
	without int        // the lowest of those without a window; math.MaxInt if there are none
	windows []windowAt // of those with a window, up to maxWindows
}

type windowAt struct {
	implication.Window
	priority int
}

// maxWindows bounds the time for one verb. Beyond it, windows are assumed to meet.
const maxWindows = 1000

func newProhibitedVerbs(norms []Norm) *prohibitedVerbs {
	f := &prohibitedVerbs{map[string]*priorities{}, map[string]*priorities{}, map[string]*priorities{}}
	for i := range norms {
		n := &norms[i]
		if n.Repealed || n.beyondLimits() {
			continue
		}
		note := func(by map[string]*priorities, word string) {
			p := by[word]
			if p == nil {
				p = &priorities{lowest: math.MaxInt, without: math.MaxInt}
				by[word] = p
			}
			p.add(n)
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

func (p *priorities) add(n *Norm) {
	p.lowest = min(p.lowest, n.Priority)
	if n.From.IsZero() && n.Until.IsZero() || len(p.windows) == maxWindows {
		p.without = min(p.without, n.Priority)
	} else {
		p.windows = append(p.windows, windowAt{n.window(), n.Priority})
	}
}

// lintPermit warns of a permit that overrides nothing.
func (l *linter) lintPermit(f *prohibitedVerbs) {
	lowest, found := math.MaxInt, false
	for _, t := range implication.VerbTokens(l.norm.Permitted) {
		p, ok := f.lowest(&t, l.norm.window())
		lowest, found = min(lowest, p), found || ok
	}
	switch {
	case !found:
		l.warn("Permitted", l.norm.Permitted, "it overrides nothing: no prohibition has one of its verbs", "")
	case lowest == math.MaxInt:
		field, bound := "Until", l.norm.Until
		if bound.IsZero() {
			field, bound = "From", l.norm.From
		}
		l.warn(field, timeText(bound), "it overrides nothing: no prohibition with one of its verbs has a window that meets its own", "")
	case lowest >= l.norm.Priority:
		l.warn("Priority", fmt.Sprint(l.norm.Priority), fmt.Sprintf("it overrides nothing: the lowest priority of a prohibition with one of its verbs is %d, and a permit overrides prohibitions of strictly lower priority", lowest),
			fmt.Sprintf("a Priority above %d", lowest))
	}
}

// lowest returns the lowest priority of the prohibitions that name a verb which t
// finds, too, in a window that meets w. It is math.MaxInt if no window does. found
// tells whether there is any such prohibition, with any window.
func (f *prohibitedVerbs) lowest(t *implication.Token, w implication.Window) (lowest int, found bool) {
	lowest = math.MaxInt
	consider := func(by map[string]*priorities, word string) {
		if p := by[word]; p != nil {
			lowest, found = min(lowest, p.meeting(w)), true
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

// meeting returns the lowest priority of those with a window that meets w.
func (p *priorities) meeting(w implication.Window) int {
	if w.Untimed { // the permit has no window
		return p.lowest
	}
	lowest := p.without
	for _, at := range p.windows {
		if at.priority < lowest && at.Meets(w) {
			lowest = at.priority
		}
	}
	return lowest
}
