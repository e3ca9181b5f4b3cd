package strictjson

import (
	"unicode/utf16"
	"unicode/utf8"

	"github.com/normsync/normsync/internal/invisible"
)

const hex = "0123456789abcdef"

// AppendQuote appends s as a JSON string. See [AppendEscaped] for what is
// between the quotes.
func AppendQuote(b []byte, s string) []byte {
	b = append(b, '"')
	b = AppendEscaped(b, s)
	return append(b, '"')
}

// AppendEscaped appends s as the text between the quotes of a JSON string. A string
// can be made of several such texts.
//
// The text is valid UTF-8, with each invalid byte of s as U+FFFD, and is safe to
// show: control characters, the separators U+2028 and U+2029, and characters that
// override the direction of writing are escaped. Unlike encoding/json,
// AppendEscaped does not escape characters that matter in HTML.
func AppendEscaped(b []byte, s string) []byte {
	done := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			if c >= ' ' && c != '"' && c != '\\' && c != 0x7F {
				continue
			}
			b = append(b, s[done:i-1]...)
			b = appendControl(b, c)
			done = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			b = append(b, s[done:i]...)
			b = append(b, "\uFFFD"...)
			done = i + size
		} else if unsafe(r) {
			b = append(b, s[done:i]...)
			b = appendUnicode(b, r)
			done = i + size
		}
		i += size
	}
	return append(b, s[done:]...)
}

// AppendVisible appends a JSON text. It escapes the characters that AppendQuote
// escapes, and all invisible ones. A JSON text can have them in its strings only.
func AppendVisible(b, text []byte) []byte {
	done := 0
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == 0x7F || r >= utf8.RuneSelf && (unsafe(r) || invisible.Is(r)) {
			b = append(b, text[done:i]...)
			b = appendUnicode(b, r)
			done = i + size
		}
		i += size
	}
	return append(b, text[done:]...)
}

func appendControl(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return appendUnicode(b, rune(c))
}

// appendUnicode appends r as a \u escape, or as two beyond U+FFFF.
func appendUnicode(b []byte, r rune) []byte {
	if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
		return appendUnicode(appendUnicode(b, high), low)
	}
	return append(b, '\\', 'u', hex[r>>12], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}

// unsafe reports whether r, which is not ASCII, is a control character, ends a
// line or overrides the direction of writing.
func unsafe(r rune) bool {
	return r < 0xA0 || r == 0x2028 || r == 0x2029 || invisible.Override(r)
}

// ReplaceInvalid returns s with each invalid byte replaced by U+FFFD. Unlike
// strings.ToValidUTF8 it keeps the number of invalid bytes. It does not allocate if
// s is valid.
func ReplaceInvalid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}
