package rules

import (
	"bytes"
	"strings"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/internal/strictjson"
)

// NormPlace returns the place of the name of the norm in force with that name. It
// returns the zero Place if no file has the norm.
func (s *Set) NormPlace(name string) Place {
	i, ok := s.byName[name]
	if !ok {
		return Place{}
	}
	return s.entries[i].place("name", "")
}

// TokenPlace returns the place of a token in a field of the norm in force with that
// name. The field is named as in [normsync.Norm]. If the token cannot be found, for
// example since the file writes a letter of it as \u0061, the place is the beginning of the
// whole text. If the file does not have the field, it is the beginning of the norm.
func (s *Set) TokenPlace(name, field, token string) Place {
	i, ok := s.byName[name]
	if !ok {
		return Place{}
	}
	return s.entries[i].place(field, token)
}

// AnyTokenPlace is TokenPlace for a token of any of the fields that have tokens.
func (s *Set) AnyTokenPlace(n normsync.Norm, token string) Place {
	for _, f := range []struct{ name, text string }{
		{"condition", n.Condition}, {"unless", n.Unless}, {"prohibited", n.Prohibited}, {"permitted", n.Permitted},
	} {
		whole := s.TokenPlace(n.Name, f.name, "")
		if at := s.TokenPlace(n.Name, f.name, token); at != whole {
			return at
		}
	}
	return s.NormPlace(n.Name)
}

// place returns the place of a token in a field of the entry, or of the whole text of the
// field if the token is empty or cannot be found.
func (e entry) place(field, token string) Place {
	text := e.file.text[e.at.start:e.at.end]
	offset := fieldOffset(text, field)
	if offset > 0 { // the entry has the field, whose text was read before without an error
		value, _, _ := strictjson.NewDecoder(text[offset:]).ReadValue()
		offset += tokenOffset(value, string(strictjson.AppendEscaped(nil, token)))
	}
	return e.file.place(e.at.start + offset)
}

// fieldOffset returns the offset of the value of a field in the text of a norm. It is 0
// if the norm does not have the field.
func fieldOffset(text []byte, field string) (offset int) {
	d := strictjson.NewDecoder(text)
	key := strings.ToLower(field)
	// An error ends the search, since it is reported elsewhere.
	_ = d.ReadObject(&strictjson.Keys{Unknown: strictjson.SkipUnknown, Known: []string{key}}, func(string) error {
		offset = d.NextOffset()
		return d.SkipValue()
	})
	return offset
}

// tokenOffset returns the offset of a token in the JSON text of a string, or 0 if it is
// not there. An alternative with a field, such as location:b of location:a|b, is found
// by its word.
func tokenOffset(value []byte, token string) int {
	for token != "" {
		for from := 0; ; {
			i := bytes.Index(value[from:], []byte(token))
			if i < 0 {
				break
			}
			i += from
			if begins(value[:i]) && ends(value[i+len(token):]) {
				return i
			}
			from = i + 1
		}
		_, word, _ := strings.Cut(token, ":")
		token = word
	}
	return 0
}

// begins reports whether a token can begin behind a text.
func begins(before []byte) bool {
	return len(before) > 0 && bytes.IndexByte([]byte("\" \t|:"), before[len(before)-1]) >= 0
}

// ends reports whether a token ends in front of a text.
func ends(behind []byte) bool {
	return len(behind) > 0 && bytes.IndexByte([]byte("\" \t|"), behind[0]) >= 0
}
