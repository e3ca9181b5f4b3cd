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
)

// maxShown is the number of characters of a text that an error shows.
const maxShown = 60

// Validate returns an error if n is not a valid norm. The error wraps [ErrInvalid],
// names the norm and the field, and says how to correct it. If n has several faults,
// the error is about the first, in the order of Norm's fields. Its text is safe to
// show: it quotes the texts of n.
//
// Validate refuses:
//   - an empty name, a name of more than 200 bytes, and a description of more than
//     4 KiB
//   - in a name, anything that makes two names look the same: white space at its
//     ends, two spaces in a row, white space other than U+0020, and invisible
//     characters, such as a zero width space or a variation selector
//   - both or neither of Prohibited and Permitted
//   - invalid UTF-8, control characters, and characters that override the direction of
//     writing; a description may have tabs and line ends
//   - in Condition, Unless, Prohibited and Permitted: more than 64 tokens, a token of
//     more than 128 bytes, a * that is not at the end of a token, and the operators
//     ==, =, && and || as tokens
//   - in Condition and Unless: a token field: with nothing after the colon
//   - in Prohibited and Permitted, which match the verb only: tokens field:word
//   - a priority that does not fit into 32 bits
//   - a severity other than info, warn, error and the empty one
//
// Version 0.1 accepted any white space and invisible characters in names, and any int
// as a priority. A store that holds such a norm still opens, and the norm stays in
// force. To change such a norm, give it another priority, or repeal it and enact it
// under another name. On a 32-bit platform, reading a priority that does not fit fails
// with an error that wraps [ErrInvalid].
//
// Validate does not allocate if n is valid.
func (n Norm) Validate() error { return n.invalid(n.problem()) }

// validateStored is Validate for a norm from a store. It accepts the names and
// priorities that version 0.1 accepted.
func (n Norm) validateStored() error {
	return n.invalid(n.problemWith(storedNameProblem, func(int) string { return "" }))
}

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
// is valid. The other functions named …Problem do the same for a
// field.
func (n Norm) problem() string { return n.problemWith(nameProblem, priorityProblem) }

// problemWith is problem with other checks of the name and the priority.
func (n Norm) problemWith(nameProblem func(string) string, priorityProblem func(int) string) string {
	for _, f := range [...]struct {
		name, text string
		check      func(text string) string
	}{
		{"Name", n.Name, nameProblem},
		{"Description", n.Description, descriptionProblem},
		{"Condition", n.Condition, conditionProblem},
		{"Unless", n.Unless, unlessProblem},
		{"Prohibited", n.Prohibited, verbsProblem},
		{"Permitted", n.Permitted, verbsProblem},
		{"Scope", n.Scope, lineProblem},
		{"Advice", n.Advice, adviceProblem},
	} {
		if problem := f.check(f.text); problem != "" {
			return f.name + ": " + problem
		}
	}
	if problem := priorityProblem(n.Priority); problem != "" {
		return "Priority: " + problem
	}
	if problem := severityProblem(string(n.Severity)); problem != "" {
		return "Severity: " + problem
	}
	if problem := windowProblem(n.From, n.Until); problem != "" {
		return "Until: " + problem
	}
	switch {
	case n.Prohibited == "" && n.Permitted == "":
		return "Prohibited and Permitted are both empty; name the verbs that the norm forbids in Prohibited, or those that it allows in Permitted"
	case n.Prohibited != "" && n.Permitted != "":
		return "Prohibited and Permitted are both set; split the norm into two"
	}
	return ""
}

func nameProblem(s string) string {
	if problem := storedNameProblem(s); problem != "" {
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

// storedNameProblem is nameProblem of version 0.1.
func storedNameProblem(s string) string {
	if s == "" || strings.TrimSpace(s) == "" {
		return "the norm has no name; give it a name, which reports and changes refer to"
	}
	if len(s) > maxNameBytes {
		return fmt.Sprintf("it has %d bytes, and at most %d are allowed; put the rest in Description", len(s), maxNameBytes)
	}
	return lineProblem(s)
}

func descriptionProblem(s string) string {
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

func windowProblem(from, until time.Time) string {
	if !from.IsZero() && !until.IsZero() && !until.After(from) {
		return fmt.Sprintf("%s is not after From, %s; choose a later time, or leave one of them out", timeText(until), timeText(from))
	}
	return ""
}

// priorityProblem limits priorities to the range of int on every platform.
func priorityProblem(p int) string {
	if int(int32(p)) != p {
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

func conditionProblem(s string) string { return tokensProblem(s, inCondition) }
func unlessProblem(s string) string    { return tokensProblem(s, inUnless) }
func verbsProblem(s string) string     { return tokensProblem(s, inVerbs) }

// part is a field of a norm that has tokens.
type part int

const (
	inCondition part = iota
	inUnless
	inVerbs
)

func tokensProblem(s string, in part) string {
	if problem := lineProblem(s); problem != "" {
		return problem
	}
	count := 0
	for tok := range token.All(s) {
		if problem := tokenProblem(tok, in); problem != "" {
			return problem
		}
		switch tok {
		case "=", "==", "&&", "||":
			return operatorProblem(slices.Collect(token.All(s)), count, in)
		}
		count++
	}
	if count > maxTokens {
		return fmt.Sprintf("it has %d tokens, and at most %d are allowed; split the norm into several, or use a prefix such as zone*", count, maxTokens)
	}
	if count == 0 && s != "" && in == inVerbs {
		return "it has only white space; leave it empty, or name verbs"
	}
	return ""
}

func tokenProblem(tok string, in part) string {
	if len(tok) > maxTokenBytes {
		return fmt.Sprintf("token %s has %d bytes, and at most %d are allowed; shorten it, or use a prefix such as zone*", quote(tok), len(tok), maxTokenBytes)
	}
	if star := strings.IndexByte(tok, '*'); star >= 0 && star != len(tok)-1 {
		return fmt.Sprintf("token %s has a * that is not at its end; only a prefix can be matched, for example zone*", quote(tok))
	}
	field, word, ok := strings.Cut(tok, ":")
	if _, qualified := token.FieldNamed(field); !ok || !qualified {
		return ""
	}
	if in == inVerbs {
		return fmt.Sprintf("token %s looks at a field, but only the verb is looked at here; write only the verb here, and the rest in Condition", quote(tok))
	}
	if word == "" {
		return fmt.Sprintf("token %q has nothing after the colon; write %sword without a space, or %s* for anything at all", tok, tok, tok)
	}
	return ""
}

// operatorProblem says what to write instead of tokens[at], an operator of an
// expression language.
func operatorProblem(tokens []string, at int, in part) string {
	var advice string
	switch operator := tokens[at]; {
	case operator == "=" || operator == "==":
		advice = equalsAdvice(tokens, at, in)
	case operator == "&&" && in == inCondition:
		advice = "leave it out: all tokens must be found"
	case operator == "&&":
		advice = "leave it out, and note that any token is enough"
	case in == inCondition: // ||
		advice = "write one norm for each side"
	default:
		advice = "leave it out: any token is enough"
	}
	return fmt.Sprintf("token %q is an operator, but this is a list of tokens, not an expression; %s", tokens[at], advice)
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
