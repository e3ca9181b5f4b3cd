package strictjson

import (
	"unicode/utf16"
	"unicode/utf8"
)

// ReadString reads a string.
func (d *Decoder) ReadString() (string, error) {
	text, err := d.ReadStringBytes()
	return string(text), err
}

// ReadStringBytes reads a string. If the string has no escapes the result shares
// memory with the Decoder's text, so it must not be modified.
func (d *Decoder) ReadStringBytes() ([]byte, error) {
	if d.peek() != '"' {
		return nil, d.Want("a string")
	}
	start := d.pos
	inner, plain, err := d.quoted()
	if err != nil || plain {
		return inner, err
	}
	text, valid := unescape(inner)
	if !valid && !d.AllowInvalidUTF8 {
		return nil, d.Errorf(start, "the string is not valid UTF-8")
	}
	return text, nil
}

// quoted reads a string and returns the text between its quotes. It reports
// whether this is plain: valid UTF-8 without escapes, so that it is the value of
// the string.
func (d *Decoder) quoted() (inner []byte, plain bool, err error) {
	start := d.pos + 1
	escapes, ascii := false, true
	for i := start; i < len(d.text); i++ {
		switch c := d.text[i]; {
		case c == '"':
			d.pos = i + 1
			inner = d.text[start:i]
			return inner, !escapes && (ascii || utf8.Valid(inner)), nil
		case c < ' ':
			return nil, false, d.Errorf(i, "a string holds a control character; write it as \\u%04x", c)
		case c >= utf8.RuneSelf:
			ascii = false
		case c == '\\':
			escapes = true
			n := escapeLen(d.text[i:])
			if n == 0 {
				return nil, false, d.Errorf(i, "a string holds an escape that JSON does not know")
			}
			i += n - 1
		}
	}
	return nil, false, d.Errorf(start-1, "a string has no closing quote")
}

// escapeLen returns the length of the escape at the beginning of s, 0 if JSON has
// no such escape.
func escapeLen(s []byte) int {
	if len(s) < 2 {
		return 0
	}
	switch s[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hexRune(s); ok {
			return 6
		}
	}
	return 0
}

// hexRune returns the number in an escape of the form \u0000 at the beginning of s.
func hexRune(s []byte) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range s[2:6] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// unescape returns the value of a string, given the text between its quotes as
// quoted returns it. Invalid bytes and unpaired surrogates become U+FFFD, and valid
// is false then.
func unescape(inner []byte) (text []byte, valid bool) {
	text, valid = make([]byte, 0, len(inner)), true
	for i := 0; i < len(inner); {
		c := inner[i]
		if c != '\\' {
			r, size := utf8.DecodeRune(inner[i:])
			valid = valid && (r != utf8.RuneError || size > 1)
			text = utf8.AppendRune(text, r)
			i += size
			continue
		}
		if r, ok := hexRune(inner[i:]); ok {
			i += 6
			if utf16.IsSurrogate(r) {
				low, _ := hexRune(inner[i:])
				if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
					valid = false
				} else {
					i += 6
				}
			}
			text = utf8.AppendRune(text, r)
			continue
		}
		i += 2
		switch c = inner[i-1]; c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		}
		text = append(text, c)
	}
	return text, valid
}
