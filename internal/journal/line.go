package journal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"regexp"
	"strconv"
)

// A line looks like this, with these keys in this order and no white space:
//
//	{"v":1,"n":17,"durable":16,"crc":"0a1b2c3d","violation":{…}}
//	{"v":1,"n":4,"to":6,"durable":3,"crc":"4e5f6071","revisions":[{…},{…},{…}]}
//	{"v":2,"n":18,"durable":17,"edition":6,"crc":"8293a4b5","violation":{…}}
//
// n is the number of the record. If the line holds several records that belong
// together, n is the first and to the last number. durable is the highest number
// that was known to be on disk when the line was written. crc is the CRC-32C,
// in hexadecimal, of all bytes of the line but its own eight digits and the
// newline.

// Version 2 adds edition, the highest number that was known to be on disk in the
// first log of the directory. A line is of version 1 if that is 0.

// version is the newest format of lines. Every format, also one to come, begins
// its lines with {"v": and its number, and ends them with }.
const version = 2

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	errForm     = errors.New("this is no line of the log")
	errChecksum = errors.New("the checksum does not match: the line is not as it was written")
	errNoEnd    = errors.New("the line has no end")
)

// versionError is a line in a format that this program does not know.
type versionError uint64

func (v versionError) Error() string {
	return fmt.Sprintf("format version %d is newer than the %d that this program knows: use a newer one", uint64(v), version)
}

// parsed is what a line says.
type parsed struct {
	first, last, durable uint64
	json                 []byte // of the record or the records
	edition              uint64 // 0 in version 1
}

// appendLine appends a line that ends with a newline.
func appendLine(b []byte, key string, p parsed) []byte {
	start := len(b)
	if p.edition == 0 {
		b = append(b, `{"v":1,"n":`...)
	} else {
		b = append(b, `{"v":2,"n":`...)
	}
	b = strconv.AppendUint(b, p.first, 10)
	if p.last != p.first {
		b = append(b, `,"to":`...)
		b = strconv.AppendUint(b, p.last, 10)
	}
	b = append(b, `,"durable":`...)
	b = strconv.AppendUint(b, p.durable, 10)
	if p.edition != 0 {
		b = append(b, `,"edition":`...)
		b = strconv.AppendUint(b, p.edition, 10)
	}
	b = append(b, `,"crc":"`...)
	digits := len(b)
	b = append(b, `00000000","`...)
	b = append(b, key...)
	b = append(b, `":`...)
	b = append(b, p.json...)
	b = append(b, '}')
	sum := checksum(b[start:digits], b[digits+8:])
	hex.Encode(b[digits:], sum[:])
	return append(b, '\n')
}

// parseLine reads a line without its newline. It takes exactly what appendLine
// writes.
func parseLine(line []byte, key string) (p parsed, err error) {
	s := scanner{rest: line, ok: true}
	s.text(`{"v":`)
	v := s.number()
	s.text(`,"`)
	switch {
	case s.ok && v > version && line[len(line)-1] == '}': // garbage ends otherwise
		return p, versionError(v)
	case v != 1 && v != 2:
		return p, errForm
	}
	s.text(`n":`)
	p.first = s.number()
	p.last = p.first
	if bytes.HasPrefix(s.rest, []byte(`,"to":`)) {
		s.text(`,"to":`)
		p.last = s.number()
		s.ok = s.ok && p.last > p.first
	}
	s.text(`,"durable":`)
	p.durable = s.number()
	if v == 2 {
		s.text(`,"edition":`)
		p.edition = s.number()
		s.ok = s.ok && p.edition > 0
	}
	s.text(`,"crc":"`)
	if !s.ok || len(s.rest) < 8 {
		return p, errForm
	}
	digits := len(line) - len(s.rest)
	s.rest = s.rest[8:]
	s.text(`","`)
	s.text(key)
	s.text(`":`)
	if n := len(s.rest); !s.ok || n < 2 || s.rest[n-1] != '}' {
		return p, errForm
	}
	p.json = s.rest[:len(s.rest)-1]
	sum := checksum(line[:digits], line[digits+8:])
	if want := hex.AppendEncode(make([]byte, 0, 8), sum[:]); !bytes.Equal(line[digits:digits+8], want) {
		return p, errChecksum
	}
	if p.first == 0 || p.durable >= p.first || p.last == math.MaxUint64 {
		return p, errForm
	}
	return p, nil
}

func checksum(head, tail []byte) [4]byte {
	sum := crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, tail)
	return [4]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}
}

// scanner takes fixed texts and numbers off the front of a line.
type scanner struct {
	rest []byte
	ok   bool
}

func (s *scanner) text(t string) {
	if s.ok = s.ok && len(s.rest) >= len(t) && string(s.rest[:len(t)]) == t; s.ok {
		s.rest = s.rest[len(t):]
	}
}

func (s *scanner) number() (n uint64) {
	i := 0
	for ; i < len(s.rest) && i < 20 && '0' <= s.rest[i] && s.rest[i] <= '9'; i++ {
		d := uint64(s.rest[i] - '0')
		if n > (math.MaxUint64-d)/10 {
			s.ok = false
		}
		n = n*10 + d
	}
	s.ok = s.ok && i > 0 && (i == 1 || s.rest[0] != '0')
	s.rest = s.rest[i:]
	return n
}

// head is how a line begins, with whatever blanks somebody else's program has
// put in.
var head = regexp.MustCompile(`^\{\s*"v"\s*:\s*\d+\s*,\s*"n"\s*:\s*\d+\s*,\s*(?:"to"\s*:\s*\d+\s*,\s*)?` +
	`"durable"\s*:\s*(\d+)\s*,\s*(?:"edition"\s*:\s*\d+\s*,\s*)?"crc"\s*:\s*"[^"]{8}"\s*,\s*"(\w+)"\s*:`)

// saysDurable returns up to which record the log was known to be on disk, as
// the head of a line says, whether or not the rest is as it was written.
func saysDurable(line []byte, key string) (durable uint64, ok bool) {
	m := head.FindSubmatch(line)
	if m == nil || string(m[2]) != key {
		return 0, false
	}
	durable, err := strconv.ParseUint(string(m[1]), 10, 64)
	return durable, err == nil
}

// padded reports whether a line is as it was written but for blanks behind it.
// No crash puts them there.
func padded(line []byte, key string) bool {
	bare := bytes.TrimRight(line, " \t\r")
	_, err := parseLine(bare, key)
	return err == nil && len(bare) < len(line)
}

var errPadded = errors.New("the line is followed by blanks: a program has changed the ends of lines, as git does with core.autocrlf; tell it \"*.jsonl -text\" in .gitattributes")

// proves reports whether a line in a possible torn tail proves that record next,
// the first missing one, had been acknowledged. There are two kinds of proof: a
// line that was written when record next was on disk, and record next itself
// anywhere but at the beginning of the tail, where no crash puts it. proves also
// looks inside the line, since two lines look like one if the newline between
// them is damaged.
func proves(line []byte, key string, next uint64, tailBegins bool) bool {
	// The head of a line is proof even if the rest was altered, as by a
	// program that changed all line ends: what a crash leaves of the commit that
	// was under way says of itself that record next was not on disk. No record
	// holds a line end of any kind, so none can pass for a head.
	for part := range bytes.SplitSeq(line, []byte("\r")) {
		if durable, ok := saysDurable(part, key); ok && durable >= next {
			return true
		}
	}
	begin := []byte(`{"v":`)
	for at := 0; ; at++ {
		i := bytes.Index(line[at:], begin)
		if i < 0 {
			return false
		}
		at += i
		// An object inside a record is no line, whatever its author made it
		// look like: a player's metadata must not pass for a proof.
		if at > 0 && bytes.IndexByte([]byte(`:,[`), line[at-1]) >= 0 {
			continue
		}
		p, err := parseLine(line[at:], key)
		var newer versionError
		switch {
		case at == 0 && errors.As(err, &newer):
			return true
		case err == nil && p.durable >= next:
			return true
		case err == nil && p.first == next && !(tailBegins && at == 0):
			return true
		}
	}
}
