package normsync

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/normsync/normsync/internal/invisible"
	"github.com/normsync/normsync/internal/token"
)

// The limits of a norm. Package token and package implication have tables that are
// large enough for maxTokenBytes and maxTokens: if a limit outgrows its table, index.go
// or conflicts.go does not compile.
const (
	maxNameBytes        = 200
	maxDescriptionBytes = 4 << 10
	maxAdviceBytes      = 4 << 10
	maxTokenBytes       = 128
	maxTokens           = 64
	maxTextBytes        = 1 << 30 // of all texts, so that 32 bits can tell where one ends
)

// maxShown is the number of characters of a text that an error shows.
const maxShown = 60

// Validate returns an error if n is not a valid norm. The error wraps [ErrInvalid],
// names the norm and the field, if it is about one, and says how to correct it. If n has
// several faults, the error is about the first, in the order of Norm's fields. Its text
// is safe to show: it quotes the texts of n.
//
// Validate refuses:
//   - texts of more than 1 GiB in all, before anything else
//   - an empty name, a name of more than 200 bytes, and a description or advice of more
//     than 4 KiB
//   - in a name, anything that makes two names look the same: white space at its
//     ends, two spaces in a row, white space other than U+0020, and invisible
//     characters, such as a zero width space or a variation selector
//   - both or neither of Prohibited and Permitted
//   - invalid UTF-8, control characters, and characters that override the direction of
//     writing; a description may have tabs and line ends
//   - in Condition, Unless, Prohibited and Permitted: more than 64 words, of which an
//     any-of token a|b has one for each alternative, a word of more than 128 bytes, and
//     a * that is not at the end of a word
//   - in the same fields, what belongs to an expression language: the tokens ==, =, &&
//     and ||, and OR, AND and NOT in capital letters
//   - in the same fields, invisible characters in such a token or in the name of a
//     field, which make it an ordinary word
//   - in the same fields, tokens agent_id:word; the field is called agent
//   - in Condition and Unless: a token field: with nothing after the colon, and a | with
//     nothing beside it; a bar that is part of a word is written \|
//   - in Prohibited and Permitted, which match the verb only: tokens field:word, and a |
//     other than \|
//   - a priority that does not fit into 32 bits
//   - a severity other than info, warn, error and the empty one
//   - From and Until outside the years 1 to 9999, and an Until that is not after From
//
// Earlier versions accepted some of this. A store that holds such a norm still opens,
// unless its texts have more than 1 GiB; see [Monitor.Refused]. On a 32-bit platform,
// reading a priority that does not fit fails with an error that wraps [ErrInvalid].
//
// Validate does not allocate if n is valid.
func (n Norm) Validate() error { return n.invalid(n.problem(strict)) }

// validateStored is Validate for a norm from a store. It accepts what earlier versions
// accepted.
func (n Norm) validateStored() error { return n.invalid(n.problem(lenient)) }

// strictness says which limits a norm has to keep.
type strictness bool

const (
	strict  strictness = true  // those of this version
	lenient strictness = false // those of this version or of an earlier one
)

// invalid returns a problem of n as an error, nil if the problem is empty.
func (n Norm) invalid(problem string) error {
	if problem == "" {
		return nil
	}
	return fmt.Errorf("%w norm %s: %s", ErrInvalid, quote(n.Name), problem)
}

// quote returns the beginning of s as a Go string for an error, with invisible
// characters escaped.
func quote(s string) string { return invisible.Quote(fmt.Sprintf("%.*s", maxShown, s)) }

// problem describes the first fault of n, beginning with the field. It is empty if n
// is valid. The other functions named …Problem do the same for a field.
func (n Norm) problem(level strictness) string {
	if problem := n.sizeProblem(); problem != "" {
		return problem
	}
	for _, f := range [...]struct {
		name, text string
		check      func(text string, level strictness) string
	}{
		{"Name", n.Name, nameProblem},
		{"Description", n.Description, descriptionProblem},
		{"Condition", n.Condition, conditionProblem},
		{"Unless", n.Unless, unlessProblem},
		{"Prohibited", n.Prohibited, verbsProblem},
		{"Permitted", n.Permitted, verbsProblem},
		{"Scope", n.Scope, scopeProblem},
	} {
		if problem := f.check(f.text, level); problem != "" {
			return f.name + ": " + problem
		}
	}
	if problem := priorityProblem(n.Priority, level); problem != "" {
		return "Priority: " + problem
	}
	if problem := severityProblem(string(n.Severity)); problem != "" {
		return "Severity: " + problem
	}
	if problem := adviceProblem(n.Advice); problem != "" {
		return "Advice: " + problem
	}
	if problem := windowProblem(n.From, n.Until); problem != "" {
		return problem
	}
	switch {
	case n.Prohibited == "" && n.Permitted == "":
		return "Prohibited and Permitted are both empty; name the verbs that the norm forbids in Prohibited, or those that it allows in Permitted"
	case n.Prohibited != "" && n.Permitted != "":
		return "Prohibited and Permitted are both set; split the norm into two"
	}
	return ""
}

func nameProblem(s string, level strictness) string {
	if strings.TrimSpace(s) == "" {
		return "the norm has no name; give it a name, which reports and changes refer to"
	}
	if len(s) > maxNameBytes {
		return fmt.Sprintf("it has %d bytes, and at most %d are allowed; put the rest in Description", len(s), maxNameBytes)
	}
	if problem := lineProblem(s); problem != "" || level == lenient {
		return problem
	}
	for i, r := range s {
		switch {
		case r == ' ' && (i == 0 || i == len(s)-1):
			return fmt.Sprintf("byte %d is a space at an end of the name, where it is invisible; remove it", i)
		case r == ' ' && s[i-1] == ' ':
			return fmt.Sprintf("byte %d is the second of two spaces, which look like one; remove it", i)
		case r != ' ' && unicode.IsSpace(r):
			return fmt.Sprintf("byte %d is %U, which looks like a space; write a space, or remove it", i, r)
		case invisible.Is(r):
			return fmt.Sprintf("byte %d is %U, which is invisible, so that the name looks like another; remove it", i, r)
		}
	}
	return ""
}

func (n *Norm) sizeProblem() string {
	bytes := uint64(0) // int can overflow on 32-bit platforms
	for _, text := range [...]string{n.Name, n.Description, n.Condition, n.Unless, n.Prohibited, n.Permitted, n.Scope, n.Advice} {
		bytes += uint64(len(text))
	}
	if bytes > maxTextBytes {
		return fmt.Sprintf("its texts have %d bytes in all, and at most %d are allowed; shorten them", bytes, maxTextBytes)
	}
	return ""
}

func scopeProblem(s string, _ strictness) string { return lineProblem(s) }

func descriptionProblem(s string, _ strictness) string {
	return cmp.Or(lengthProblem(s, maxDescriptionBytes), textProblem(s, true))
}

func adviceProblem(s string) string {
	return cmp.Or(lengthProblem(s, maxAdviceBytes), lineProblem(s))
}

func lengthProblem(s string, most int) string {
	if len(s) > most {
		return fmt.Sprintf("it has %d bytes, and at most %d are allowed; shorten it", len(s), most)
	}
	return ""
}

// windowProblem checks From and Until. Unlike other problems, its result begins with
// the field.
func windowProblem(from, until time.Time) string {
	if problem := boundProblem(from); problem != "" {
		return "From: " + problem
	}
	if problem := boundProblem(until); problem != "" {
		return "Until: " + problem
	}
	if !from.IsZero() && !until.IsZero() && !until.After(from) {
		return fmt.Sprintf("Until: %s is not after From, %s; choose a later time, or leave one of them out", timeText(until), timeText(from))
	}
	return ""
}

// boundProblem limits From and Until to what RFC 3339 text can hold.
func boundProblem(t time.Time) string {
	if y := t.UTC().Year(); y < 1 || y > 9999 {
		return fmt.Sprintf("the year %d is not between 1 and 9999; choose another time, or leave it out", y)
	}
	return ""
}

// checkBounds returns an error that wraps ErrInvalid if From or Until cannot be
// written as RFC 3339 text, so that n could not be read back.
func (n Norm) checkBounds() error {
	if problem := boundProblem(n.From); problem != "" {
		return n.invalid("From: " + problem)
	}
	if problem := boundProblem(n.Until); problem != "" {
		return n.invalid("Until: " + problem)
	}
	return nil
}

// priorityProblem limits priorities to the range of int on every platform.
func priorityProblem(p int, level strictness) string {
	if level == strict && int(int32(p)) != p {
		return beyondPriority(int64(p))
	}
	return ""
}

func beyondPriority(p int64) string {
	return fmt.Sprintf("%d is beyond 32 bits; choose one from %d to %d", p, math.MinInt32, math.MaxInt32)
}

func severityProblem(s string) string {
	switch Severity(s) {
	case "", SeverityInfo, SeverityWarn, SeverityError:
		return ""
	}
	return fmt.Sprintf("%s is unknown; use info, warn or error, or leave it empty for warn", quote(s))
}

// lineProblem checks the characters of a text without line ends.
func lineProblem(s string) string { return textProblem(s, false) }

// textProblem checks the characters of a text, which may have tabs and line ends if
// lines is set. A carriage return is accepted in front of a newline only: elsewhere, the
// following text overwrites the line on a terminal.
func textProblem(s string, lines bool) string {
	for i, r := range s {
		switch {
		case r < utf8.RuneSelf && r >= ' ' && r != 0x7F:
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			return fmt.Sprintf("byte %d (%#02x) is not valid UTF-8; save the text as UTF-8", i, s[i])
		case lines && (r == '\t' || r == '\n' || r == '\r' && strings.HasPrefix(s[i+1:], "\n")):
		case unicode.IsControl(r):
			return fmt.Sprintf("byte %d is the control character %U; remove it", i, r)
		case invisible.Override(r):
			return fmt.Sprintf("byte %d is %U, which overrides the direction of writing and can make a text look like another; remove it", i, r)
		}
	}
	return ""
}

func conditionProblem(s string, level strictness) string { return tokensProblem(s, inCondition, level) }
func unlessProblem(s string, level strictness) string    { return tokensProblem(s, inUnless, level) }
func verbsProblem(s string, level strictness) string     { return tokensProblem(s, inVerbs, level) }

// part is a field of a norm that has tokens.
type part int

const (
	inCondition part = iota
	inUnless
	inVerbs
	inEvent // After and Until of a Fact
)

func tokensProblem(s string, in part, level strictness) string {
	if problem := lineProblem(s); problem != "" {
		return problem
	}
	words, at := 0, 0
	for tok := range token.All(s) {
		if isOperator(tok, level) {
			return operatorProblem(slices.Collect(token.All(s)), at, in)
		}
		n, problem := tokenProblem(tok, in, level)
		if problem != "" {
			return problem
		}
		words += n
		at++
	}
	if words > maxTokens && level == strict || at > maxTokens {
		return fmt.Sprintf("it has %d words, alternatives included, and at most %d are allowed; split the norm into several, or use a prefix such as zone*", words, maxTokens)
	}
	if words == 0 && s != "" && in == inVerbs {
		return "it has only white space and invisible characters; leave it empty, or name verbs"
	}
	return ""
}

// tokenProblem also returns the number of words of a token. A token of invisible
// characters has none.
func tokenProblem(tok string, in part, level strictness) (words int, problem string) {
	field, text, qualified := cutField(tok, level)
	agent := qualified && field == token.Agent
	switch {
	case level == strict && hidesSyntax(tok):
		return 0, fmt.Sprintf("token %s looks like %s, but is an ordinary word, since it has invisible characters; remove them", quote(tok), quote(token.Visible(tok)))
	case level == strict && !qualified && isBlank(tok):
		return 0, ""
	case level == strict && in == inVerbs && isAgentID(tok):
		return 0, fmt.Sprintf("token %s looks at a field, but only the verb is looked at here; write %s in Condition or Unless", quote(tok), quote("agent:"+tok[len("agent_id:"):]))
	case level == strict && isAgentID(tok):
		return 0, fmt.Sprintf("token %s names no field of an action: the agent is the field agent; write %s", quote(tok), quote("agent:"+tok[len("agent_id:"):]))
	case qualified && in == inVerbs:
		return 0, fmt.Sprintf("token %s looks at a field, but only the verb is looked at here; write only the verb here, and the rest in Condition", quote(tok))
	case qualified && (text == "" || level == strict && !agent && isBlank(text)):
		name := tok[:len(tok)-len(text)]
		return 0, fmt.Sprintf("token %s has nothing after the colon; write %sword without a space, or %s* for anything at all", quote(tok), name, name)
	case in == inVerbs:
		if before, after, bar := token.CutBar(text); bar && level == strict {
			return 0, fmt.Sprintf("token %s has a bar, but here each token is an alternative already; %s \\| for a bar in a word", quote(tok), barAdvice(before, after))
		}
		return 1, wordProblem(text)
	}
	for more := true; more; words++ {
		var word string
		word, text, more = token.CutBar(text)
		if problem := wordProblem(word); problem != "" {
			return 0, problem
		}
		if level == strict && (word == "" || !agent && isBlank(word)) {
			return 0, fmt.Sprintf("token %s has a bar with nothing beside it; write a word on each side of it, or \\| for a bar in a word", quote(tok))
		}
	}
	return words, ""
}

// barAdvice begins an advice to write the words on both sides of a bar as two tokens.
func barAdvice(before, after string) string {
	if before == "" || after == "" {
		return "write"
	}
	return fmt.Sprintf("write %s, or", quote(before+" "+after))
}

func wordProblem(word string) string {
	if len(word) > maxTokenBytes {
		return fmt.Sprintf("word %s has %d bytes, and at most %d are allowed; shorten it, or use a prefix such as zone*", quote(word), len(word), maxTokenBytes)
	}
	if star := strings.IndexByte(word, '*'); star >= 0 && star != len(word)-1 {
		return fmt.Sprintf("word %s has a * that is not at its end; only a prefix can be matched, for example zone*", quote(word))
	}
	return ""
}

// cutField cuts the field from a token field:text. If the token names no field, text is
// the token. Earlier versions did not know all of the names.
func cutField(tok string, level strictness) (f token.Field, text string, ok bool) {
	name, text, ok := strings.Cut(tok, ":")
	if ok {
		f, ok = token.FieldNamed(name)
	}
	if !ok || level == lenient && (strings.EqualFold(name, "verb") || strings.EqualFold(name, "facts")) {
		return f, tok, false
	}
	return f, text, true
}

// isAgentID reports whether a token is agent_id:word. Agents are called so in JSON.
func isAgentID(tok string) bool {
	n := len(keyAgentID)
	return len(tok) > n && tok[n] == ':' && strings.EqualFold(tok[:n], keyAgentID)
}

// hidesSyntax reports whether a token is an operator or names a field only to the eye:
// invisible characters make it another word.
func hidesSyntax(tok string) bool {
	name, _, colon := strings.Cut(tok, ":")
	seen := token.Visible(name)
	if seen == name {
		return false
	}
	_, field := token.FieldNamed(seen)
	return colon && (field || strings.EqualFold(seen, keyAgentID)) || !colon && isOperator(seen, strict)
}

// isBlank reports whether a text has nothing but characters that do not count.
func isBlank(s string) bool {
	return s == "" || s[0] >= utf8.RuneSelf && strings.TrimLeftFunc(s, invisible.Ignorable) == ""
}

func isOperator(tok string, level strictness) bool {
	switch tok {
	case "=", "==", "&&", "||":
		return true
	case "AND", "OR", "NOT":
		return level == strict
	}
	return false
}

// operatorProblem says what to write instead of tokens[at], an operator of an
// expression language.
func operatorProblem(tokens []string, at int, in part) string {
	var advice string
	switch operator := tokens[at]; {
	case operator == "=" || operator == "==":
		advice = equalsAdvice(tokens, at, in)
	case (operator == "&&" || operator == "AND") && (in == inCondition || in == inEvent):
		advice = "leave it out: all tokens must be found"
	case operator == "&&" || operator == "AND":
		advice = "leave it out, and note that any token is enough"
	case operator == "NOT":
		advice = notAdvice(tokens, at, in)
	case in == inCondition || in == inEvent: // || and OR
		advice = orAdvice(tokens, at)
	default:
		advice = "leave it out: any token is enough"
	}
	return fmt.Sprintf("token %q is an operator, but this is a list of tokens, not an expression; %s", tokens[at], advice)
}

func notAdvice(tokens []string, at int, in part) string {
	switch {
	case in == inVerbs:
		return "write only the verbs that the norm names, and permit others by a norm with Permitted and a higher Priority"
	case in == inEvent:
		return "a fact has no exceptions; name what must be found"
	case in == inUnless:
		return "leave it out: each token here exempts the actions that have it"
	case at+1 < len(tokens) && !isOperator(tokens[at+1], strict):
		return fmt.Sprintf("write %s in Unless", quote(tokens[at+1]))
	}
	return "write in Unless what must not be found"
}

// orAdvice suggests an any-of token if the neighbors of tokens[at] have the same field.
func orAdvice(tokens []string, at int) string {
	const split = "write any of two words as a|b, or write one norm for each side"
	if at == 0 || at+1 >= len(tokens) || isOperator(tokens[at-1], strict) || isOperator(tokens[at+1], strict) {
		return split
	}
	left, right := tokens[at-1], tokens[at+1]
	leftField, _, leftOK := cutField(left, strict)
	rightField, word, rightOK := cutField(right, strict)
	if leftOK != rightOK || leftField != rightField {
		return split
	}
	return fmt.Sprintf("write %s", quote(left+"|"+word))
}

func equalsAdvice(tokens []string, at int, in part) string {
	if in == inVerbs {
		return "write only the verbs"
	}
	example := "location:safe_zone"
	if 0 < at && at+1 < len(tokens) {
		_, field := token.FieldNamed(tokens[at-1])
		if word := strings.Trim(tokens[at+1], `'"`); field && word != "" {
			example = tokens[at-1] + ":" + word
		}
	}
	return fmt.Sprintf("write %s", quote(example))
}
