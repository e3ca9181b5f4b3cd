package normsync

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/normsync/normsync/internal/strictjson"
	"github.com/normsync/normsync/internal/unixtime"
)

// ID is the content address of a norm, action, violation or revision: the first 8
// bytes of the SHA-256 of a payload, which the ID method of each type describes. It
// is computed from the value and not stored in a field, so equal values have equal
// IDs in every process. The text form of an ID is 16 lower-case hexadecimal digits.
//
// The zero ID is valid, but no payload is known to have it.
type ID [8]byte

var (
	_ encoding.TextAppender    = ID{}
	_ encoding.TextMarshaler   = ID{}
	_ encoding.TextUnmarshaler = (*ID)(nil)
)

// ParseID parses the text form of an ID. The error wraps [ErrInvalid] if s is not 16
// lower-case hexadecimal digits.
func ParseID(s string) (ID, error) {
	var id ID
	err := id.UnmarshalText([]byte(s))
	return id, err
}

// String returns the text form of id.
func (id ID) String() string {
	var text [16]byte
	hex.Encode(text[:], id[:])
	return string(text[:])
}

// AppendText appends the text form of id to b. It implements
// [encoding.TextAppender]; the error is always nil.
func (id ID) AppendText(b []byte) ([]byte, error) {
	return hex.AppendEncode(b, id[:]), nil
}

// MarshalText returns the text form of id. It implements
// [encoding.TextMarshaler], so that an ID is a string in JSON; the error is always
// nil.
func (id ID) MarshalText() ([]byte, error) {
	return hex.AppendEncode(nil, id[:]), nil
}

// UnmarshalText parses the text form of an ID. It implements
// [encoding.TextUnmarshaler]. It returns the errors of [ParseID], and id is
// unchanged then.
func (id *ID) UnmarshalText(text []byte) error {
	var read ID
	if len(text) != hex.EncodedLen(len(read)) || bytes.ContainsAny(text, "ABCDEF") {
		return badID(text)
	}
	if _, err := hex.Decode(read[:], text); err != nil {
		return badID(text)
	}
	*id = read
	return nil
}

func badID(text []byte) error {
	return fmt.Errorf("%w ID %.40q: an ID is 16 lower-case hex digits", ErrInvalid, text)
}

// payload is the text that an ID is the hash of: parts joined by |. Inside a part \
// is written \\ and | is written \|, so that different lists of parts have different
// payloads. Invalid UTF-8 bytes are hashed, and stored, as U+FFFD.
type payload []byte

// payloadSize is enough for most payloads. A payload within it stays on the stack.
const payloadSize = 512

// first appends a part, and next a part behind another.
func (p payload) first(s string) payload {
	if !utf8.ValidString(s) {
		s = strictjson.ReplaceInvalid(s)
	}
	done := 0
	for i := range len(s) {
		if s[i] == '\\' || s[i] == '|' {
			p = append(append(p, s[done:i]...), '\\')
			done = i
		}
	}
	return append(p, s[done:]...)
}

func (p payload) next(s string) payload { return append(p, '|').first(s) }

func (p payload) nextID(id ID) payload { return hex.AppendEncode(append(p, '|'), id[:]) }

func (p payload) nextTime(t time.Time) payload { return unixtime.AppendNanoseconds(append(p, '|'), t) }

func (p payload) id() ID {
	sum := sha256.Sum256(p)
	return ID(sum[:len(ID{})])
}
