package normsync

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/normsync/normsync/internal/strictjson"
	"github.com/normsync/normsync/internal/token"
)

// Fact declares a word that a [Memory] adds to the Facts of actions, because of what
// happened before. It is data like a [Norm]: declare it beside the norms that use it,
// and read both with [ReadRules]. Only Name and one of After and Broke are required.
// See [Fact.Validate] for the limits.
//
// For example, the fact {Name: "authenticated", After: "verb:login", Until: "verb:logout"}
// and the norm {Prohibited: "*", Unless: "verb:login facts:authenticated"} make an agent
// log in first.
type Fact struct {
	Name   string        // the word, such as authenticated; norms name it as facts:authenticated
	After  string        // tokens of an action that counts, in the language of Norm.Condition
	Broke  string        // names of norms whose violations count: peace "no looting" town-*
	Count  int           // how many of them it takes; 0: 1
	Within time.Duration // how long each of them counts; 0: forever
	Per    string        // whose: agent (the meaning of an empty Per), target, "agent location", world, …
	Until  string        // tokens of an action that ends the fact, so that counting starts again
}

// The limits of a fact.
const (
	maxFacts     = 1000
	maxFactCount = 1000
)

// perWorld is the Per of a fact that all agents share.
const perWorld = "world"

// Validate returns an error if f is not a valid fact. The error wraps [ErrInvalid], names
// the fact and the field, and says how to correct it.
//
// Validate refuses:
//   - a name that no token of a norm could match: an empty one, one with white space, an
//     invisible or a control character, *, | or :, an operator such as AND, and one of
//     more than 128 bytes
//   - both or neither of After and Broke
//   - in After and Until, what [Norm.Validate] refuses in Condition
//   - in Broke, a name without its closing quotation mark, and a * that is not at the end
//     of a name
//   - a Count below 0 or above 1000, and a Within below 0
//   - in Per, anything but agent, verb, location, target and faction, each at most once,
//     or world
func (f Fact) Validate() error {
	if problem := f.problem(); problem != "" {
		return fmt.Errorf("%w fact %s: %s", ErrInvalid, quote(f.Name), problem)
	}
	return nil
}

// problem describes the first fault of f, beginning with the field. It is empty if f is
// valid.
func (f Fact) problem() string {
	for _, field := range [...]struct{ name, problem string }{
		{"Name", factNameProblem(f.Name)},
		{"After", tokensProblem(f.After, inEvent, strict)},
		{"Broke", brokeProblem(f.Broke)},
		{"Count", countProblem(f.Count)},
		{"Within", withinProblem(f.Within)},
		{"Per", perProblem(f.Per)},
		{"Until", tokensProblem(f.Until, inEvent, strict)},
	} {
		if field.problem != "" {
			return field.name + ": " + field.problem
		}
	}
	switch {
	case isEmpty(f.After) && isEmpty(f.Broke):
		return "After and Broke are both empty; say in After which action makes the fact, or in Broke which violated norm does"
	case !isEmpty(f.After) && !isEmpty(f.Broke):
		return "After and Broke are both set; declare two facts"
	}
	return ""
}

func isEmpty(s string) bool { return strings.TrimSpace(s) == "" }

func factNameProblem(s string) string {
	if s == "" {
		return "the fact has no name; give it the word that norms look for, such as authenticated"
	}
	if len(s) > maxTokenBytes {
		return fmt.Sprintf("it has %d bytes, and at most %d are allowed; shorten it", len(s), maxTokenBytes)
	}
	if i := strings.IndexAny(s, " *|:"); i >= 0 {
		return fmt.Sprintf("byte %d is %q, so that no token of a norm could name the fact; write a word such as third_strike", i, s[i])
	}
	if problem := nameProblem(s, strict); problem != "" {
		return problem
	}
	if isOperator(s, strict) {
		return "it is an operator of expressions, which norms refuse as a token; choose another word"
	}
	return ""
}

func countProblem(n int) string {
	if n < 0 || n > maxFactCount {
		return beyondCount(n)
	}
	return ""
}

func beyondCount(n int) string {
	return fmt.Sprintf("%d is not between 1 and %d; choose another number, or leave it out for 1", n, maxFactCount)
}

func withinProblem(d time.Duration) string {
	if d < 0 {
		return fmt.Sprintf("%v is negative; choose a positive duration, or leave it out for no limit", d)
	}
	return ""
}

// validateFacts returns an error if a list of facts is not valid.
func validateFacts(facts []Fact) error {
	if len(facts) > maxFacts {
		return fmt.Errorf("%w facts: there are %d, and at most %d are allowed; remove some", ErrInvalid, len(facts), maxFacts)
	}
	byName := make(map[string]int, len(facts))
	for i, f := range facts {
		name := token.Fold(f.Name)
		problem := f.problem()
		if first, ok := byName[name]; ok && problem == "" {
			problem = fmt.Sprintf("Name: fact %d has it, too; rename one of them, or write both conditions as one, with a|b for any of two words", first+1)
		}
		if problem != "" {
			return fmt.Errorf("%w fact %d of %d, %s: %s", ErrInvalid, i+1, len(facts), quote(f.Name), problem)
		}
		byName[name] = i
	}
	return validateNeeds(facts, byName)
}

// validateNeeds returns an error if a fact can never hold, because it needs itself.
func validateNeeds(facts []Fact, byName map[string]int) error {
	possible := make([]bool, len(facts))
	for more := true; more; {
		more = false
		for i, f := range facts {
			if !possible[i] && missingNeed(f, byName, possible) < 0 {
				possible[i], more = true, true
			}
		}
	}
	i := slices.Index(possible, false)
	if i < 0 {
		return nil
	}
	var chain []int // each needs the next
	for !slices.Contains(chain, i) {
		chain = append(chain, i)
		i = missingNeed(facts[i], byName, possible)
	}
	chain = append(chain[slices.Index(chain, i):], i)
	var names []string
	for _, i := range chain {
		names = append(names, quote(facts[i].Name))
	}
	return fmt.Errorf("%w fact %s: After: the fact can never hold, because it needs itself: %s; remove one of these facts: tokens",
		ErrInvalid, names[0], strings.Join(names, " needs "))
}

// missingNeed returns the index of a fact that must hold before f can, and that is not
// possible. It returns -1 if there is none.
func missingNeed(f Fact, byName map[string]int, possible []bool) int {
	for tok := range token.All(f.After) {
		missing := -1
		for p, more := token.Parse(tok); ; p, more = p.Or(more) {
			i, ok := byName[p.Fold()]
			if !ok || p.Field != token.Facts || p.Prefix || possible[i] {
				missing = -1
				break
			}
			if missing < 0 {
				missing = i
			}
			if more == "" {
				break
			}
		}
		if missing >= 0 {
			return missing
		}
	}
	return -1
}

func perProblem(s string) string {
	const advice = "use agent, verb, location, target and faction, several of them separated by blanks, or world"
	words := strings.Fields(s)
	seen := [len(perFields)]bool{}
	for _, word := range words {
		i := perField(word)
		switch {
		case strings.EqualFold(word, perWorld) && len(words) == 1:
			return ""
		case strings.EqualFold(word, perWorld):
			return "world means that everybody shares the fact, so it stands by itself; leave out the other words"
		case i < 0:
			return fmt.Sprintf("%s is unknown; %s", quote(word), advice)
		case seen[i]:
			return fmt.Sprintf("%s is there twice; leave one of them out", quote(word))
		}
		seen[i] = true
	}
	return ""
}

// perFields are the fields that Per may name, in canonical order.
var perFields = [...]struct {
	name  string
	field token.Field
}{
	{"agent", token.Agent}, {"verb", token.Action}, {"location", token.Location}, {"target", token.Target}, {"faction", token.Faction},
}

// perField returns the index in perFields of a word of Per, -1 if it names no such field.
func perField(word string) int {
	if strings.EqualFold(word, "action") {
		word = "verb"
	}
	for i, p := range perFields {
		if strings.EqualFold(p.name, word) {
			return i
		}
	}
	return -1
}

// canonical returns f, which must be valid, with Count and Per set, the fields of Per in
// order.
func (f Fact) canonical() Fact {
	f.Count = max(f.Count, 1)
	words := strings.Fields(f.Per)
	slices.SortFunc(words, func(a, b string) int { return perField(a) - perField(b) })
	for i, word := range words {
		if k := perField(word); k >= 0 {
			words[i] = perFields[k].name
		} else {
			words[i] = perWorld
		}
	}
	f.Per = cmp.Or(strings.Join(words, " "), perFields[0].name)
	return f
}

// quotedProblem describes what is wrong with a name in quotation marks, before rest.
func quotedProblem(quoted, name, rest string) string {
	if name == "" {
		return "it has an empty name; name a norm, or write * for all of them"
	}
	if word, _ := token.Next(rest); word != "" && strings.HasPrefix(rest, word) {
		return fmt.Sprintf("%s follows the closing quotation mark of %s; put a blank between two names, and write a prefix without quotation marks",
			quote(word), quote(quoted))
	}
	return ""
}

func brokeProblem(s string) string {
	if problem := lineProblem(s); problem != "" {
		return problem
	}
	n := 0
	for _, problem := range brokeNames(s) {
		if n++; problem != "" {
			return problem
		}
	}
	if n > maxTokens {
		return fmt.Sprintf("it has %d names, and at most %d are allowed; use a prefix such as town-*", n, maxTokens)
	}
	return ""
}

// normName is a part of Broke: the name of a norm, or the beginning of names.
type normName struct {
	text   string
	prefix bool
}

// brokeNames yields the names in Broke. A name with blanks is written in quotation marks,
// as a Go string. The last one is yielded with a problem if it is not written so.
func brokeNames(s string) iter.Seq2[normName, string] {
	return func(yield func(normName, string) bool) {
		for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
			if s[0] == '"' {
				quoted, err := strconv.QuotedPrefix(s)
				if err != nil {
					yield(normName{}, fmt.Sprintf("%s has no closing quotation mark; write the name of a norm with blanks as \"no looting\"", quote(s)))
					return
				}
				name, _ := strconv.Unquote(quoted)
				s = s[len(quoted):]
				if !yield(normName{text: name}, quotedProblem(quoted, name, s)) {
					return
				}
				continue
			}
			word, rest := token.Next(s)
			name, star := strings.CutSuffix(word, "*")
			problem := ""
			if strings.Contains(name, "*") {
				problem = wordProblem(word)
			}
			if !yield(normName{name, star}, problem) {
				return
			}
			s = rest
		}
	}
}

const (
	keyAfter  = "after"
	keyBroke  = "broke"
	keyCount  = "count"
	keyWithin = "within"
	keyPer    = "per"
)

var factKeys = strictjson.Keys{Unknown: strictjson.RejectUnknown, Known: []string{
	keyName, keyAfter, keyBroke, keyCount, keyWithin, keyPer, keyUntil,
}, Required: []string{keyName}}

// MarshalJSON returns f as an object with the key name, and after, broke, count, within,
// per and until if they are set. Within is the text of [time.Duration.String], such as
// 10m0s.
func (f Fact) MarshalJSON() ([]byte, error) {
	b := appendText(nil, keyName, f.Name)
	b = appendTextIfSet(b, keyAfter, f.After)
	b = appendTextIfSet(b, keyBroke, f.Broke)
	if f.Count != 0 {
		b = appendInt(b, keyCount, f.Count)
	}
	if f.Within != 0 {
		b = appendText(b, keyWithin, f.Within.String())
	}
	b = appendTextIfSet(b, keyPer, f.Per)
	b = appendTextIfSet(b, keyUntil, f.Until)
	return appendEnd(b, 0), nil
}

// UnmarshalJSON reads f as strictly as [Norm.UnmarshalJSON] reads a norm. Within is
// written as [time.ParseDuration] reads it, such as 10m or 1h30m. The error wraps
// [ErrInvalid]; f is unchanged then. UnmarshalJSON does not call [Fact.Validate], but
// [ReadRules] does.
func (f *Fact) UnmarshalJSON(b []byte) error {
	return unmarshal("fact", strictjson.NewDecoder(b), f, readFact)
}

// readFact reads a fact. With an error it returns the fields that were read before.
func readFact(d *strictjson.Decoder) (f Fact, err error) {
	err = d.ReadObject(&factKeys, func(key string) (err error) {
		switch key {
		case keyName:
			f.Name, err = d.ReadString()
		case keyAfter:
			f.After, err = d.ReadString()
		case keyBroke:
			f.Broke, err = d.ReadString()
		case keyCount:
			at := d.NextOffset()
			if f.Count, err = readInt(d); err == nil && f.Count < 1 {
				err = d.Errorf(at, "%s", beyondCount(f.Count))
			}
		case keyWithin:
			f.Within, err = readDuration(d)
		case keyPer:
			f.Per, err = d.ReadString()
		case keyUntil:
			f.Until, err = d.ReadString()
		}
		return err
	})
	return f, err
}

func readDuration(d *strictjson.Decoder) (time.Duration, error) {
	at := d.NextOffset()
	text, err := d.ReadString()
	if err != nil {
		return 0, err
	}
	t, err := time.ParseDuration(text)
	if err != nil || t <= 0 {
		return 0, d.Errorf(at, "%.40q is not a positive duration; write it as 10s, 5m or 1h30m, or leave it out", text)
	}
	return t, nil
}
