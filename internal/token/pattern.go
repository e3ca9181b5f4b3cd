package token

import "strings"

// Field is a field of an action.
type Field uint8

// Tokens of norms without a field are found in any field before Agent.
const (
	Action Field = iota // the verb
	Location
	Target
	Faction
	Agent
	Any // every field before Agent
)

// FieldNames are the names of the fields in qualified tokens such as
// location:town, by Field.
var FieldNames = [Any]string{"action", "location", "target", "faction", "agent"}

// FieldNamed returns the field with that name, in any case.
func FieldNamed(name string) (f Field, ok bool) {
	for f, n := range FieldNames {
		if strings.EqualFold(name, n) {
			return Field(f), true
		}
	}
	return 0, false
}

// Pattern is a token of a norm.
type Pattern struct {
	Field  Field  // the field to search
	Word   string // without the field and the star
	Prefix bool   // whether a token that begins with Word matches
}

// Parse returns the pattern of a token of Condition or Unless: word, word*,
// field:word or field:word*.
func Parse(tok string) Pattern {
	if name, word, ok := strings.Cut(tok, ":"); ok {
		if f, ok := FieldNamed(name); ok {
			p := ParseVerb(word)
			p.Field = f
			return p
		}
	}
	p := ParseVerb(tok)
	p.Field = Any
	return p
}

// ParseVerb returns the pattern of a token of Prohibited or Permitted: word or
// word*.
func ParseVerb(tok string) Pattern {
	word, star := strings.CutSuffix(tok, "*")
	return Pattern{Action, word, star}
}

// Matches reports whether the pattern matches a token, in whatever field the
// token is.
func (p Pattern) Matches(tok string) bool {
	if p.Prefix {
		return HasPrefix(tok, p.Word)
	}
	return Equal(tok, p.Word)
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
	if !p.Prefix {
		var h [1]uint64
		Hashes(h[:], 0, p.Word)
		return h[0]
	}
	h := hasher{state: keys.prefix}
	for _, r := range p.Word {
		h.write(fold(r))
	}
	return h.sum()
}
