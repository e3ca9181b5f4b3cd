package normsync

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What a norm may hold at most.
const (
	maxNameBytes        = 200
	maxDescriptionBytes = 4 << 10
	maxTokenBytes       = 128
	maxTokens           = 64
)

// maxShown is how many characters of a text are shown in an error.
const maxShown = 60

// Validate reports what is wrong with n, or nil. The error wraps [ErrInvalid],
// names the norm and the field, and says how to mend it; of several faults it
// names the first, in the order of Norm's fields. It can be shown as it is:
// texts of n are quoted in it.
//
// These are refused:
//   - no name, or one of more than 200 bytes; a description of more than 4 KiB
//   - both or neither of Prohibited and Permitted
//   - invalid UTF-8, control characters, and characters that override the
//     direction of writing; but a description may have tabs and line ends
//   - in Condition, Unless, Prohibited and Permitted: more than 64 tokens, a
//     token of more than 128 bytes, a * that is not at the end, and ==, =, &&
//     and || as tokens, which belong to a language that these fields are not
//   - field: with nothing after it, and in Prohibited and Permitted, which look
//     at the verb alone, any token of the form field:word
//   - a severity that is not one of the three, or empty
//
// Validate does not allocate where n is valid.
func (n Norm) Validate() error {
	if problem := n.problem(); problem != "" {
		return fmt.Errorf("%w norm %.*q: %s", ErrInvalid, maxShown, n.Name, problem)
	}
	return nil
}

// problem returns what is wrong with n, beginning with the field, or "".
func (n Norm) problem() string {
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
		{"Severity", string(n.Severity), severityProblem},
	} {
		if problem := f.check(f.text); problem != "" {
			return f.name + ": " + problem
		}
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

func severityProblem(s string) string {
	switch Severity(s) {
	case "", SeverityInfo, SeverityWarn, SeverityError:
		return ""
	}
	return fmt.Sprintf("%.*q is unknown; use info, warn or error, or leave it empty for warn", maxShown, s)
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
		case 0x202A <= r && r <= 0x202E || 0x2066 <= r && r <= 0x2069:
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
	before := ""
	for token := range strings.FieldsFuncSeq(s, unicode.IsSpace) {
		if count++; count > maxTokens {
			return fmt.Sprintf("it has %d tokens, and at most %d are allowed; make several norms of it, or use a prefix such as zone*", len(strings.FieldsFunc(s, unicode.IsSpace)), maxTokens)
		}
		if problem := tokenProblem(token, in); problem != "" {
			return problem
		}
		if problem := operatorProblem(before, token, s, in); problem != "" {
			return problem
		}
		before = token
	}
	if count == 0 && s != "" && in == inVerbs {
		return "it holds nothing but white space; leave it empty, or name verbs"
	}
	return ""
}

func tokenProblem(token string, in part) string {
	if len(token) > maxTokenBytes {
		return fmt.Sprintf("token %.*q has %d bytes, and at most %d are allowed; shorten it, or use a prefix such as zone*", maxShown, token, len(token), maxTokenBytes)
	}
	if star := strings.IndexByte(token, '*'); star >= 0 && star != len(token)-1 {
		return fmt.Sprintf("token %.*q has a * that is not at its end; only a prefix can be matched, as by zone*", maxShown, token)
	}
	field, word, ok := strings.Cut(token, ":")
	if !ok || !isField(field) {
		return ""
	}
	if in == inVerbs {
		return fmt.Sprintf("token %.*q looks at a field, but only the verb is looked at here; write the verb alone, and the rest in Condition", maxShown, token)
	}
	if word == "" {
		return fmt.Sprintf("token %q has nothing after the colon; write %sword without a blank, or %s* for anything at all", token, token, token)
	}
	return ""
}

// isField reports whether name is that of a field of an action in field:word.
func isField(name string) bool {
	for _, f := range [...]string{"action", "location", "target", "faction", "agent"} {
		if strings.EqualFold(f, name) {
			return true
		}
	}
	return false
}

// operatorProblem returns the mend for an operator of an expression language.
func operatorProblem(before, token, s string, in part) string {
	const why = "token %q is an operator, but this is a list of tokens, not an expression; "
	switch token {
	case "=", "==":
		_, after, _ := strings.Cut(s, token)
		return fmt.Sprintf(why+"%s", token, equalsMend(before, after, in))
	case "&&":
		if in == inCondition {
			return fmt.Sprintf(why+"leave it out: all tokens must be found", token)
		}
		return fmt.Sprintf(why+"leave it out: any token is enough. Make a second norm where both must be found", token)
	case "||":
		if in == inCondition {
			return fmt.Sprintf(why+"make a norm of each side", token)
		}
		return fmt.Sprintf(why+"leave it out: any token is enough", token)
	}
	return ""
}

// equalsMend says what to write for field == word.
func equalsMend(field, after string, in part) string {
	if in == inVerbs {
		return "write the verbs alone"
	}
	word := "safe_zone"
	for word = range strings.FieldsFuncSeq(after, unicode.IsSpace) {
		break
	}
	word = strings.Trim(word, `'"`)
	if !isField(field) || word == "" || len(word) > maxShown {
		field, word = "location", "safe_zone"
	}
	return fmt.Sprintf("write %q", field+":"+word)
}
