package token

import (
	"strings"
	"unicode/utf8"
)

// Field is a field of an action.
type Field uint8

// Tokens of norms without a field are found in any field before Agent.
const (
	Action Field = iota // the verb
	Location
	Target
	Faction
	Facts
	Agent
	Any // every field before Agent
)

// FieldNames are the names of the fields in qualified tokens such as
// location:town, by Field.
var FieldNames = [Any]string{"action", "location", "target", "faction", "facts", "agent"}

// FieldNamed returns the field with that name, in any case. The field of the verb
// has two names: action, as in JSON, and verb.
func FieldNamed(name string) (f Field, ok bool) {
	for f, n := range FieldNames {
		if strings.EqualFold(name, n) {
			return Field(f), true
		}
	}
	return Action, strings.EqualFold(name, "verb")
}

// Pattern is an alternative of a token of a norm. Most tokens have only one.
type Pattern struct {
	Field  Field  // the field to search
	Word   string // without the field, the star and invisible characters
	Prefix bool   // whether a token that begins with Word matches
}

// Parse returns the first alternative of a token of Condition or Unless, which is
// word, word*, a|b*, or field: followed by one of these. The others are in more,
// which is empty if there are none; see [Pattern.Or]. A bar that is part of a word
// is written \|. A token that has a bar with nothing beside it, or a field with nothing
// after it, is a single word, as logs of version 0.1 have it.
func Parse(tok string) (p Pattern, more string) {
	if isPlain(tok) {
		return plain(Any, tok), ""
	}
	field := Any
	if name, rest, ok := strings.Cut(tok, ":"); ok {
		if f, ok := FieldNamed(name); ok && rest != "" && (f == Agent || Visible(rest) != "") {
			field, tok = f, rest
		}
	}
	if !separates(tok) {
		return pattern(field, tok), ""
	}
	return alternative(field, tok)
}

// IsPlain reports whether all tokens of a norm's text are ASCII words without a star,
// so that Parse would return them as they are, as words in any field.
func IsPlain(text string) bool { return isPlain(text) && !strings.Contains(text, "*") }

// separates reports whether text has bars, each with a word on both sides.
func separates(text string) bool {
	i := bar(text)
	if i < 0 {
		return false
	}
	for i > 0 {
		text = text[i+1:]
		i = bar(text)
	}
	return i < 0 && text != ""
}

// Or returns the next alternative of the token that p is an alternative of, and the
// alternatives after it. The argument is what Parse or Or returned as more.
func (p Pattern) Or(more string) (next Pattern, rest string) { return alternative(p.Field, more) }

// alternative returns the alternative at the beginning of text, and those after it.
func alternative(f Field, text string) (p Pattern, more string) {
	text, more, _ = CutBar(text)
	return pattern(f, text), more
}

// CutBar cuts text at the first bar that separates alternatives.
func CutBar(text string) (before, after string, found bool) {
	if i := bar(text); i >= 0 {
		return text[:i], text[i+1:], true
	}
	return text, "", false
}

// bar returns the index of the first bar that separates alternatives, or -1.
func bar(text string) int {
	for i := range len(text) {
		if text[i] == '|' && (i == 0 || text[i-1] != '\\') {
			return i
		}
	}
	return -1
}

// ParseVerb returns the pattern of a token of Prohibited or Permitted: word or
// word*.
func ParseVerb(tok string) Pattern {
	if isPlain(tok) {
		return plain(Action, tok)
	}
	return pattern(Action, tok)
}

// plain is pattern for a token that has nothing special but a star at its end.
func plain(f Field, tok string) Pattern {
	if n := len(tok) - 1; n >= 0 && tok[n] == '*' {
		return Pattern{f, tok[:n], true}
	}
	return Pattern{f, tok, false}
}

// isPlain reports whether tok has no colon, bar or backslash, and nothing beyond ASCII.
func isPlain(tok string) bool {
	for i := range len(tok) {
		if isSpecial[tok[i]] {
			return false
		}
	}
	return true
}

var isSpecial = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= utf8.RuneSelf || c == ':' || c == '|' || c == '\\'
	}
	return t
}()

func pattern(f Field, text string) Pattern {
	word, star := strings.CutSuffix(text, "*")
	if strings.Contains(word, `\|`) {
		word = strings.ReplaceAll(word, `\|`, "|")
	}
	if f != Agent {
		word = Visible(word)
	}
	return Pattern{f, word, star}
}

// String returns the token of which p is the only alternative. A verb has no field.
func (p Pattern) String() string {
	s := strings.ReplaceAll(p.Word, "|", `\|`)
	if p.Prefix {
		s += "*"
	}
	if p.Field != Any {
		s = FieldNames[p.Field] + ":" + s
	}
	return s
}

// In returns the same pattern for another field.
func (p Pattern) In(f Field) Pattern {
	p.Field = f
	return p
}

// Empty reports whether p was written with invisible characters only, so that it
// matches nothing.
func (p Pattern) Empty() bool { return p.Word == "" && !p.Prefix }

// Fold returns the folded Word: the same text for patterns that match the same
// tokens of their field.
func (p Pattern) Fold() string {
	if p.Field == Agent {
		return FoldAgent(p.Word)
	}
	return Fold(p.Word)
}

// Matches reports whether the pattern matches a token of its field.
func (p Pattern) Matches(tok string) bool {
	switch {
	case p.Field != Agent && p.Prefix:
		return HasPrefix(tok, p.Word)
	case p.Field != Agent:
		return Equal(tok, p.Word)
	case p.Prefix:
		return len(tok) >= len(p.Word) && EqualAgent(tok[:len(p.Word)], p.Word)
	}
	return EqualAgent(tok, p.Word)
}

// Hash returns a hash that is among the hashes of every action in which the
// pattern is found. It distinguishes the agent's name from the other fields,
// but not these from each other.
func (p Pattern) Hash() uint64 {
	h := p.hash()
	if p.Field == Agent {
		h = OfAgent(h)
	}
	return h
}

// hash is Hash without the field.
func (p Pattern) hash() uint64 {
	if p.Prefix {
		return hashWord(keys.prefix, p.Word)
	}
	return hashWord(keys.word, p.Word)
}
