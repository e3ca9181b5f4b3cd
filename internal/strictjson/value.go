package strictjson

import "unicode/utf8"

// ReadValue reads any value and returns its text, which shares memory with the
// Decoder's. It reports whether the text is compact: whether there is no white
// space between its parts. It does not check that strings are valid UTF-8, nor
// that keys are unique.
func (d *Decoder) ReadValue() (text []byte, compact bool, err error) {
	start := d.NextOffset()
	compact = true
	err = d.skip(&compact, 0)
	return d.text[start:d.pos], compact, err
}

// SkipValue reads any value and discards it.
func (d *Decoder) SkipValue() error {
	_, _, err := d.ReadValue()
	return err
}

// skip reads a value. It clears compact if white space precedes a part of it.
func (d *Decoder) skip(compact *bool, depth int) error {
	start := d.pos
	c := d.peek()
	*compact = *compact && d.pos == start
	switch {
	case c == '"':
		_, _, err := d.quoted()
		return err
	case c == '{' || c == '[':
		return d.skipList(c+2, compact, depth+1)
	case d.eatWord("null") || d.eatWord("true") || d.eatWord("false"):
		return nil
	case c == '-' || '0' <= c && c <= '9':
		_, err := d.ReadNumber()
		return err
	}
	return d.Want("a value")
}

// skipList reads an array or an object up to its closing bracket.
func (d *Decoder) skipList(closing byte, compact *bool, depth int) error {
	if depth > maxDepth {
		return d.Errorf(d.pos, "arrays and objects are nested more than %d deep", maxDepth)
	}
	// d.eat skips white space before c: there was none if it moved by one byte.
	eat := func(c byte) bool {
		start := d.pos
		ok := d.eat(c)
		*compact = *compact && (d.pos == start || ok && d.pos == start+1)
		return ok
	}
	d.pos++
	if eat(closing) {
		return nil
	}
	for {
		if closing == '}' {
			start := d.pos
			if d.peek() != '"' {
				return d.Want("a key in quotes")
			}
			*compact = *compact && d.pos == start
			if _, _, err := d.quoted(); err != nil {
				return err
			}
			if !eat(':') {
				return d.Want("a colon")
			}
		}
		if err := d.skip(compact, depth); err != nil {
			return err
		}
		if eat(closing) {
			return nil
		}
		if !eat(',') {
			return d.Want("a comma or a closing bracket")
		}
	}
}

// AppendCompact appends a JSON text without the white space between its parts,
// and otherwise byte for byte. It does not allocate if b has room for the text.
// The text must be one value in valid UTF-8; AppendCompact returns b unchanged
// with an error.
func AppendCompact(b []byte, text string) ([]byte, error) {
	start := len(b)
	b = append(b, text...)
	d := NewDecoder(b[start:])
	value, compact, err := d.ReadValue()
	if err == nil {
		err = d.CheckEOF()
	}
	if err == nil && !utf8.Valid(value) {
		err = d.Errorf(0, "the text is not valid UTF-8")
	}
	if err != nil {
		return b[:start], err
	}
	if !compact {
		value = removeSpace(value)
	}
	return b[:start+copy(b[start:], value)], nil
}

// removeSpace removes the white space between the parts of a JSON text, in place.
func removeSpace(text []byte) []byte {
	out := text[:0]
	inString := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			out = append(out, c, text[i+1])
			i++
		case c == '"':
			inString = !inString
			out = append(out, c)
		case inString || c > ' ':
			out = append(out, c)
		}
	}
	return out
}
