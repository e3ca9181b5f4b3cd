package normsync

import (
	"encoding/json"
	"iter"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/normsync/normsync/internal/nearest"
	"github.com/normsync/normsync/internal/token"
	"github.com/normsync/normsync/internal/unixtime"
)

// Coverage says how far a log of actions exercised one norm.
type Coverage struct {
	Norm       string        `json:"norm"`
	Actions    int           `json:"actions"`    // actions that have one of its verbs
	Applied    int           `json:"applied"`    // of those, the ones it applied to
	Violated   int           `json:"violated"`   // of those, its violations (Shadow included)
	Overridden int           `json:"overridden"` // of those, the ones that permits overrode
	Exempt     int           `json:"exempt"`     // actions that one of its Unless tokens exempts
	Agents     int           `json:"agents"`     // agents of the violations; names that differ only by case count once
	First      time.Time     `json:"first"`      // the earliest Time of a violation; zero if none has a Time; JSON as an action's timestamp
	Last       time.Time     `json:"last"`       // the latest
	Example    Action        `json:"example"`    // of the first violation in the log
	Unseen     []UnseenToken `json:"unseen"`     // tokens of the norm that no action has, in the order of the norm's fields
}

// MarshalJSON returns v as an object with a key for each field. First and Last are
// numbers of seconds since 1970, like the timestamp of Example: in decimal, exact to
// the nanosecond, and 0 for the zero time.
func (v Coverage) MarshalJSON() ([]byte, error) {
	b, err := json.Marshal(&coverageJSON{(*plainCoverage)(&v), seconds(v.First), seconds(v.Last)})
	if err != nil {
		return nil, opError("encode coverage", err)
	}
	return b, nil
}

// UnmarshalJSON sets v to the coverage in b, as MarshalJSON writes it. After an error
// some fields of v may be set.
func (v *Coverage) UnmarshalJSON(b []byte) error {
	read := coverageJSON{(*plainCoverage)(v), seconds(v.First), seconds(v.Last)}
	if err := json.Unmarshal(b, &read); err != nil {
		return opError("decode coverage", err)
	}
	v.First, v.Last = time.Time(read.First), time.Time(read.Last)
	return nil
}

// coverageJSON is a Coverage with its times as numbers.
type coverageJSON struct {
	*plainCoverage
	First seconds `json:"first"`
	Last  seconds `json:"last"`
}

type plainCoverage Coverage // without methods

type seconds time.Time

func (s seconds) MarshalJSON() ([]byte, error) { return unixtime.AppendSeconds(nil, time.Time(s)), nil }

func (s *seconds) UnmarshalJSON(b []byte) error {
	t, err := unixtime.ParseSeconds(b)
	*s = seconds(t)
	return err
}

// UnseenToken is a token of a norm that no action has, and the nearest word
// that some action has, if one is near: a likely misspelling.
type UnseenToken struct {
	Token   string `json:"token"`             // as in the norm; each alternative of a|b by itself, with its field
	Nearest string `json:"nearest,omitempty"` // with a field if it was seen in another field than the token asks for
}

// Cover judges a log of actions, or a few actions that together have all words of a
// world, and returns a Coverage for each norm, by name. It answers why a
// rule never fires, and what a shadow norm would have done.
//
// If a norm never applied, its counts tell why. If Actions is 0, no
// action has its verb. If Applied is 0, its condition was never met, its Unless
// always was, or the actions were outside its window. Overridden says that
// permits of higher priority overrode it. Unseen lists the suspicious words.
//
// Cover agrees with [Constitution.Explain] on every action: Actions counts the
// findings, Exempt those with OutcomeExempt.
//
// All actions are judged by the one constitution. Cover ranges over actions
// once and does not keep them, except for an example per norm. Its time grows
// with the number of actions and, for each, the number of norms that have its
// verb. At the end it compares each prefix such as cast_* that no action has with every
// different word. Its memory grows with the number of different words in the log.
func Cover(c *Constitution, actions iter.Seq[Action]) []Coverage {
	v := newVocabulary()
	norms := make([]*coveredNorm, 0, c.Len())
	byName := make(map[string]*coveredNorm, c.Len())
	for n := range c.All() {
		covered := &coveredNorm{
			Norm:      n,
			Coverage:  Coverage{Norm: n.Name, Unseen: []UnseenToken{}},
			verbs:     v.terms(n.verbs(), true),
			condition: v.terms(n.Condition, false),
			unless:    v.terms(n.Unless, false),
			agents:    map[string]bool{},
		}
		for _, t := range covered.verbs {
			t.norms = append(t.norms, covered)
		}
		norms = append(norms, covered)
		byName[n.Name] = covered
	}
	v.index()

	var found []Violation
	var candidates []*coveredNorm
	for a := range actions {
		v.meet(&a)
		found = c.AppendCheck(found[:0], a)
		for i := range found {
			byName[found[i].NormName].violate(&found[i], v.action)
		}
		candidates = candidates[:0]
		for _, t := range v.met {
			for _, n := range t.norms {
				if n.counted != v.action {
					n.counted = v.action
					candidates = append(candidates, n)
				}
			}
		}
		for _, n := range candidates {
			n.count(a.Time, v.action)
		}
	}

	report := make([]Coverage, len(norms))
	for i, n := range norms {
		n.Agents = len(n.agents)
		for _, terms := range [][]*term{n.verbs, n.condition, n.unless} {
			for _, t := range terms {
				n.Unseen = append(n.Unseen, v.unseen(t)...)
			}
		}
		report[i] = n.Coverage
	}
	slices.SortFunc(report, func(a, b Coverage) int { return strings.Compare(a.Norm, b.Norm) })
	return report
}

// coveredNorm is the Coverage of a norm that is being counted.
type coveredNorm struct {
	Norm
	Coverage
	verbs, condition, unless []*term
	agents                   map[string]bool // folded names
	counted, violated        int             // numbers of actions: the last with one of its verbs, the last that violated it
}

// count counts an action that has one of the norm's verbs.
func (n *coveredNorm) count(at time.Time, action int) {
	n.Actions++
	if !n.active(at) {
		return
	}
	met := func(t *term) bool { return t.met == action }
	if slices.ContainsFunc(n.condition, func(t *term) bool { return !met(t) && !t.empty() }) {
		return
	}
	if slices.ContainsFunc(n.unless, met) {
		n.Exempt++
		return
	}
	n.Applied++
	if n.Permitted == "" && n.violated != action {
		n.Overridden++
	}
}

// violate counts a violation of the norm.
func (n *coveredNorm) violate(v *Violation, action int) {
	n.violated = action
	if n.Violated++; n.Violated == 1 {
		n.Example = cloneAction(v.Action)
	}
	if agent := token.Fold(v.Action.Agent); !n.agents[agent] {
		n.agents[strings.Clone(agent)] = true
	}
	if at := v.Action.Time; !at.IsZero() {
		if n.First.IsZero() || at.Before(n.First) {
			n.First = at
		}
		if at.After(n.Last) {
			n.Last = at
		}
	}
}

// cloneAction copies the texts of an action, which may be pieces of larger ones.
func cloneAction(a Action) Action {
	for _, s := range []*string{&a.Agent, &a.Verb, &a.Location, &a.Target, &a.Faction, &a.Facts, &a.Metadata} {
		*s = strings.Clone(*s)
	}
	return a
}

// vocabulary holds the words that actions had, field by field, and knows which
// terms of norms each of them meets. So a word is compared with the terms when
// it is first seen, and looked up from then on.
type vocabulary struct {
	action int     // the number of the current action
	met    []*term // what the current action meets

	all      map[string]*term // by text; verbs begin with a blank
	patterns map[patternKey][]alternative
	prefixes []int // the lengths in runes of the prefixes among patterns

	words        [token.Any]map[string]*vocabularyWord // by spelling
	dictionaries [token.Any + 1]*dictionary            // made when first asked for
}

// term is a token of a norm. All norms that have it share it.
type term struct {
	text     string
	patterns []token.Pattern // the alternatives
	seen     []bool          // of each alternative: whether some action had it
	met      int             // the number of the last action that met the term
	norms    []*coveredNorm  // those that name the term as a verb
}

// empty reports whether the term was written with invisible characters only.
func (t *term) empty() bool { return len(t.patterns) == 1 && t.patterns[0].Empty() }

type alternative struct {
	*term
	number int // in term.patterns
}

// patternKey is equal for patterns that find the same words.
type patternKey struct {
	field  token.Field
	prefix bool
	word   string // folded
}

type vocabularyWord struct {
	count int
	meets []alternative
}

func newVocabulary() *vocabulary {
	v := &vocabulary{all: map[string]*term{}, patterns: map[patternKey][]alternative{}}
	for f := range v.words {
		v.words[f] = map[string]*vocabularyWord{}
	}
	return v
}

// terms returns the terms of a norm's field.
func (v *vocabulary) terms(text string, verbs bool) []*term {
	var terms []*term
	for tok := range token.All(text) {
		key := tok
		if verbs {
			key = " " + tok
		}
		t := v.all[key]
		if t == nil {
			t = &term{text: tok, patterns: patternsOf(tok, verbs)}
			t.seen = make([]bool, len(t.patterns))
			v.all[key] = t
		}
		terms = append(terms, t)
	}
	return terms
}

// patternsOf returns the alternatives of a token.
func patternsOf(tok string, verb bool) []token.Pattern {
	if verb {
		return []token.Pattern{token.ParseVerb(tok)}
	}
	p, more := token.Parse(tok)
	patterns := []token.Pattern{p}
	for more != "" {
		p, more = p.Or(more)
		patterns = append(patterns, p)
	}
	return patterns
}

// index makes the terms ready to be looked up.
func (v *vocabulary) index() {
	for _, t := range v.all {
		for i, p := range t.patterns {
			key := patternKey{p.Field, p.Prefix, p.Fold()}
			v.patterns[key] = append(v.patterns[key], alternative{t, i})
			if n := utf8.RuneCountInString(p.Word); p.Prefix && !slices.Contains(v.prefixes, n) {
				v.prefixes = append(v.prefixes, n)
			}
		}
	}
	slices.Sort(v.prefixes)
}

// meet makes a the current action: it sets met of each term that a meets.
func (v *vocabulary) meet(a *Action) {
	v.action++
	v.met = v.met[:0]
	for f, text := range [token.Any]string{a.Verb, a.Location, a.Target, a.Faction, a.Facts, a.Agent} {
		for tok, rest := token.Next(text); tok != ""; tok, rest = token.Next(rest) {
			w := v.words[f][tok]
			if w == nil {
				tok = strings.Clone(tok)
				w = &vocabularyWord{meets: v.lookUp(token.Field(f), tok)}
				v.words[f][tok] = w
			}
			w.count++
			for _, alt := range w.meets {
				alt.seen[alt.number] = true
				if alt.met != v.action {
					alt.met = v.action
					v.met = append(v.met, alt.term)
				}
			}
		}
	}
}

// lookUp returns the alternatives that a word in field f meets.
func (v *vocabulary) lookUp(f token.Field, tok string) (found []alternative) {
	folded := foldIn(f, tok)
	if folded == "" {
		return nil // it is invisible
	}
	collect := func(word string, prefix bool) {
		found = append(found, v.patterns[patternKey{f, prefix, word}]...)
		if f != token.Agent {
			found = append(found, v.patterns[patternKey{token.Any, prefix, word}]...)
		}
	}
	collect(folded, false)
	runes, next := 0, 0
	for i := range folded + "." { // one rune more, so that the whole word is a prefix, too
		if next < len(v.prefixes) && v.prefixes[next] == runes {
			collect(folded[:i], true)
			next++
		}
		runes++
	}
	return found
}

// foldIn returns the folded form of a word of an action in field f.
func foldIn(f token.Field, word string) string {
	if f == token.Agent {
		return token.FoldAgent(token.Valid(word))
	}
	return token.Fold(token.Visible(word))
}

// unseen returns the alternatives of t that no action had.
func (v *vocabulary) unseen(t *term) (unseen []UnseenToken) {
	for i, p := range t.patterns {
		if t.seen[i] {
			continue
		}
		u := UnseenToken{Token: t.text}
		if len(t.patterns) > 1 {
			u.Token = p.String()
		}
		if f, word, ok := v.elsewhere(p); ok && p.Word != "" {
			u.Nearest = token.FieldNames[f] + ":" + word
		} else {
			u.Nearest, _ = v.dictionary(p.Field).find(p)
		}
		unseen = append(unseen, u)
	}
	return unseen
}

// elsewhere returns a word that p would find if it looked in another field.
func (v *vocabulary) elsewhere(p token.Pattern) (token.Field, string, bool) {
	for f := range v.words {
		if word, ok := v.dictionary(token.Field(f)).match(p.In(token.Field(f))); ok {
			return token.Field(f), word, true
		}
	}
	return 0, "", false
}

// dictionary returns the words of field f, or of all fields but the agent.
func (v *vocabulary) dictionary(f token.Field) *dictionary {
	if v.dictionaries[f] != nil {
		return v.dictionaries[f]
	}
	d := &dictionary{spelling: map[string]string{}}
	counts := map[string]int{}
	for g, words := range v.words {
		if f == token.Field(g) || f == token.Any && token.Field(g) != token.Agent {
			for text, w := range words {
				folded := foldIn(token.Field(g), text)
				if folded == "" {
					continue
				}
				counts[folded] += w.count
				if s, ok := d.spelling[folded]; !ok || text < s {
					d.spelling[folded] = text
				}
			}
		}
	}
	for folded, count := range counts {
		d.words.Add(folded, count)
	}
	v.dictionaries[f] = d
	return d
}

// dictionary holds words by their folded form.
type dictionary struct {
	words    nearest.Words
	spelling map[string]string // a spelling of each: of several the first in the order of their bytes
}

// find returns the word that is nearest to the word of p.
func (d *dictionary) find(p token.Pattern) (string, bool) {
	folded, ok := d.words.Find(p.Fold(), p.Prefix)
	return d.spelling[folded], ok
}

// match returns a word that p matches.
func (d *dictionary) match(p token.Pattern) (string, bool) {
	if !p.Prefix {
		word, ok := d.spelling[p.Fold()]
		return word, ok
	}
	match := ""
	for folded, word := range d.spelling {
		if p.Matches(folded) && (match == "" || word < match) {
			match = word
		}
	}
	return match, match != ""
}
