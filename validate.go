package normsync

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/normsync/normsync/internal/invisible"
	"github.com/normsync/normsync/internal/token"
)

// What a norm may hold at most.
const (
	maxNameBytes        = 200
	maxDescriptionBytes = 4 << 10
	maxTokenBytes       = 128
	maxTokens           = 64
)

// maxShown is how many characters of a text an error shows.
const maxShown = 60

// Validate reports what is wrong with n, or nil. The error wraps [ErrInvalid],
// names the norm and the field, and says how to mend it; of several faults it
// names the first, in the order of Norm's fields. It can be shown as it is:
// texts of n are quoted in it.
//
// These are refused:
//   - no name, or one of more than 200 bytes; a description of more than 4 KiB
//   - in a name, what makes two names look the same: white space at its ends, two
//     spaces in a row, white space other than U+0020, and characters that cannot
//     be seen, such as a zero width space or a variation selector
//   - both or neither of Prohibited and Permitted
//   - invalid UTF-8, control characters, and characters that override the
//     direction of writing; but a description may have tabs and line ends
//   - in Condition, Unless, Prohibited and Permitted: more than 64 tokens, a
//     token of more than 128 bytes, a * that is not at the end, and ==, =, &&
//     and || as tokens, which belong to a language that these fields are not
//   - field: with nothing after it, and in Prohibited and Permitted, which look
//     at the verb alone, any token of the form field:word
//   - a priority beyond 32 bits
//   - a severity that is not one of the three, or empty
//
// Version 0.1 allowed any white space and invisible characters in names, and any
// int as a priority. A store that holds such a norm still opens, and the norm
// stays in force. It can be repealed, but not amended as it is: give it another
// priority, or repeal it and enact it under another name. On a platform of 32
// bits, reading a priority beyond them fails with an error that wraps
// [ErrInvalid].
//
// Validate does not allocate if n is valid.
func (n Norm) Validate() error { return n.invalid(n.problem()) }

// validateStored is Validate for a norm that a store holds already. It allows
// the names and priorities that Validate allowed when the norm was enacted.
func (n Norm) validateStored() error {
	return n.invalid(n.problemBut(storedNameProblem, func(int) string { return "" }))
}

func (n Norm) invalid(problem string) error {
	if problem == "" {
		return nil
	}
	return fmt.Errorf("%w norm %s: %s", ErrInvalid, quote(n.Name), problem)
}

// quote returns the beginning of s as an error shows it: as a Go string, with
// what cannot be seen escaped.
func quote(s string) string { return invisible.Quote(fmt.Sprintf("%.*s", maxShown, s)) }

// problem returns what is wrong with n, beginning with the field, or "".
func (n Norm) problem() string { return n.problemBut(nameProblem, priorityProblem) }

// problemBut is problem, but judges the name and the priority by its arguments.
func (n Norm) problemBut(nameProblem func(string) string, priorityProblem func(int) string) string {
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
	switch {
	case n.Prohibited == "" && n.Permitted == "":
		return "Prohibited and Permitted are both empty; name the verbs that the norm forbids in Prohibited, or those that it allows in Permitted"
	case n.Prohibited != "" && n.Permitted != "":
		return "Prohibited and Permitted are both set; make two norms of it"
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
			return fmt.Sprintf("byte %d is a space at an end of the name, where nobody sees it; take it out", i)
		case r == ' ' && s[i-1] == ' ':
			return fmt.Sprintf("byte %d is the second of two spaces, which look like one; take it out", i)
		case r != ' ' && unicode.IsSpace(r):
			return fmt.Sprintf("byte %d is %U, which looks like a space; write a space, or take it out", i, r)
		case invisible.Is(r):
			return fmt.Sprintf("byte %d is %U, which cannot be seen, so that the name looks like another; take it out", i, r)
		}
	}
	return ""
}

// storedNameProblem is nameProblem as version 0.1 had it.
func storedNameProblem(s string) string {
	if s == "" || strings.TrimSpace(s) == "" {
		return "the norm has no name; give it one, by which it is reported and changed"
	}
	if len(s) > maxNameBytes {
		return fmt.Sprintf("it has %d bytes, and at most %d are allowed; put the rest in Description", len(s), maxNameBytes)
	}
	return lineProblem(s)
}

func descriptionProblem(s string) string {
	if len(s) > maxDescriptionBytes {
		return fmt.Sprintf("it has %d bytes, and at most %d are allowed; shorten it", len(s), maxDescriptionBytes)
	}
	return textProblem(s, true)
}

// priorityProblem holds priorities to what an int holds on every platform.
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

// lineProblem returns what is wrong with a text of one line.
func lineProblem(s string) string { return textProblem(s, false) }

// textProblem returns what is wrong with the characters of a text. A carriage
// return passes as half of a line end alone: by itself it lets what follows
// overwrite the line on a terminal.
func textProblem(s string, lines bool) string {
	for i, r := range s {
		switch {
		case r < utf8.RuneSelf && r >= ' ' && r != 0x7F:
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			return fmt.Sprintf("byte %d (%#02x) is not valid UTF-8; save the text as UTF-8", i, s[i])
		case lines && (r == '\t' || r == '\n' || r == '\r' && strings.HasPrefix(s[i+1:], "\n")):
		case unicode.IsControl(r):
			return fmt.Sprintf("byte %d is the control character %U; take it out", i, r)
		case invisible.Override(r):
			return fmt.Sprintf("byte %d is %U, which overrides the direction of writing and can make a text look like another; take it out", i, r)
		}
	}
	return ""
}

func conditionProblem(s string) string { return tokensProblem(s, inCondition) }
func unlessProblem(s string) string    { return tokensProblem(s, inUnless) }
func verbsProblem(s string) string     { return tokensProblem(s, inVerbs) }

// part is where in a norm tokens are.
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
		return fmt.Sprintf("it has %d tokens, and at most %d are allowed; make several norms of it, or use a prefix such as zone*", count, maxTokens)
	}
	if count == 0 && s != "" && in == inVerbs {
		return "it holds nothing but white space; leave it empty, or name verbs"
	}
	return ""
}

func tokenProblem(tok string, in part) string {
	if len(tok) > maxTokenBytes {
		return fmt.Sprintf("token %s has %d bytes, and at most %d are allowed; shorten it, or use a prefix such as zone*", quote(tok), len(tok), maxTokenBytes)
	}
	if star := strings.IndexByte(tok, '*'); star >= 0 && star != len(tok)-1 {
		return fmt.Sprintf("token %s has a * that is not at its end; only a prefix can be matched, as by zone*", quote(tok))
	}
	field, word, ok := strings.Cut(tok, ":")
	if _, qualified := token.FieldNamed(field); !ok || !qualified {
		return ""
	}
	if in == inVerbs {
		return fmt.Sprintf("token %s looks at a field, but only the verb is looked at here; write the verb alone, and the rest in Condition", quote(tok))
	}
	if word == "" {
		return fmt.Sprintf("token %q has nothing after the colon; write %sword without a blank, or %s* for anything at all", tok, tok, tok)
	}
	return ""
}

// operatorProblem says what to write for tokens[at], which is an operator of
// an expression language.
func operatorProblem(tokens []string, at int, in part) string {
	var mend string
	switch operator := tokens[at]; {
	case operator == "=" || operator == "==":
		mend = equalsMend(tokens, at, in)
	case operator == "&&" && in == inCondition:
		mend = "leave it out: all tokens must be found"
	case operator == "&&":
		mend = "leave it out, and mind that any token is enough"
	case in == inCondition: // ||
		mend = "make a norm of each side"
	default:
		mend = "leave it out: any token is enough"
	}
	return fmt.Sprintf("token %q is an operator, but this is a list of tokens, not an expression; %s", tokens[at], mend)
}

func equalsMend(tokens []string, at int, in part) string {
	if in == inVerbs {
		return "write the verbs alone"
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
