// Package unixtime writes instants as decimal numbers counted since the
// beginning of 1970 in UTC, and reads them, exact to the nanosecond for every
// instant that a [time.Time] can hold.
//
// The number 0 stands for the zero time: an instant that nobody set. The
// instant it would otherwise name, midnight of the first of January 1970, is
// taken to be unset too.
package unixtime

import (
	"errors"
	"math"
	"strconv"
	"time"
)

var (
	errSyntax = errors.New("want a JSON number")
	errRange  = errors.New("is no instant: it is too many seconds away from 1970")
)

// Canonical returns t as ParseSeconds would read it: in UTC, without a reading of
// the monotonic clock, and the zero time for the beginning of 1970. Canonical
// times are equal under == when they are the same instant.
func Canonical(t time.Time) time.Time {
	if isZero(t) {
		return time.Time{}
	}
	return t.UTC()
}

// AppendSeconds appends the seconds from 1970 to t in plain decimal, with as
// many digits behind the point as it takes, and never an exponent.
func AppendSeconds(b []byte, t time.Time) []byte {
	if isZero(t) {
		return append(b, '0')
	}
	negative, sec, nsec := split(t)
	if negative {
		b = append(b, '-')
	}
	b = strconv.AppendUint(b, sec, 10)
	if nsec == 0 {
		return b
	}
	b = appendNine(append(b, '.'), nsec)
	for b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	return b
}

// AppendNanoseconds appends the nanoseconds from 1970 to t in plain decimal.
// Unlike those of [time.Time.UnixNano] they are right for every t.
func AppendNanoseconds(b []byte, t time.Time) []byte {
	if isZero(t) {
		return append(b, '0')
	}
	negative, sec, nsec := split(t)
	if negative {
		b = append(b, '-')
	}
	if sec == 0 {
		return strconv.AppendUint(b, nsec, 10)
	}
	return appendNine(strconv.AppendUint(b, sec, 10), nsec)
}

func isZero(t time.Time) bool {
	return t.IsZero() || t.Unix() == 0 && t.Nanosecond() == 0
}

// split returns the distance of t from 1970, and whether t is before it.
func split(t time.Time) (negative bool, sec, nsec uint64) {
	s, n := t.Unix(), uint64(t.Nanosecond())
	if s >= 0 {
		return false, uint64(s), n
	}
	sec = -uint64(s) // right for the least int64 too
	if n > 0 {       // Unix rounds down, away from 1970
		sec, n = sec-1, 1e9-n
	}
	return true, sec, n
}

// appendNine appends n, which is less than 1e9, in nine digits.
func appendNine(b []byte, n uint64) []byte {
	for unit := uint64(1e8); unit > 0; unit /= 10 {
		b = append(b, '0'+byte(n/unit%10))
	}
	return b
}

var powers = [...]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18}

// ParseSeconds returns the instant that is text seconds after 1970, as
// [Canonical] has it. The text is a JSON number, with an exponent if its writer
// likes; it is rounded to the nearest nanosecond, halves away from 1970. The
// time taken grows with the length of text, whatever its exponent.
func ParseSeconds(text []byte) (time.Time, error) {
	n, ok := scan(text)
	if !ok {
		return time.Time{}, errSyntax
	}
	var sec, nsec uint64
	weight := int64(len(n.whole)) + n.exponent // the power of ten of a digit, plus one
	for _, digits := range [2][]byte{n.whole, n.fraction} {
		for _, c := range digits {
			weight--
			switch d := uint64(c - '0'); {
			case d == 0 || weight < -10:
			case weight >= int64(len(powers)):
				return time.Time{}, errRange
			case weight >= 0:
				sec += d * powers[weight]
			case weight >= -9:
				nsec += d * powers[weight+9]
			case d >= 5:
				nsec++
			}
		}
	}
	if nsec >= 1e9 { // rounded up to the next second
		sec, nsec = sec+1, nsec-1e9
	}
	switch {
	case sec == 0 && nsec == 0:
		return time.Time{}, nil
	case !n.negative && sec <= math.MaxInt64:
		return time.Unix(int64(sec), int64(nsec)).UTC(), nil
	case n.negative && (sec < 1<<63 || sec == 1<<63 && nsec == 0):
		return time.Unix(-int64(sec), -int64(nsec)).UTC(), nil
	}
	return time.Time{}, errRange
}

// number is a JSON number in parts.
type number struct {
	negative        bool
	whole, fraction []byte // digits
	exponent        int64  // at most farExponent from zero
}

// farExponent is beyond what any number of digits in memory can make up for.
const farExponent = 1 << 50

func scan(text []byte) (n number, ok bool) {
	if len(text) > 0 && text[0] == '-' {
		n.negative, text = true, text[1:]
	}
	n.whole, text = cutDigits(text)
	if len(n.whole) == 0 || n.whole[0] == '0' && len(n.whole) > 1 {
		return n, false
	}
	if len(text) > 0 && text[0] == '.' {
		if n.fraction, text = cutDigits(text[1:]); len(n.fraction) == 0 {
			return n, false
		}
	}
	if len(text) > 0 && text[0]|0x20 == 'e' {
		text = text[1:]
		minus := len(text) > 0 && text[0] == '-'
		if minus || len(text) > 0 && text[0] == '+' {
			text = text[1:]
		}
		var digits []byte
		if digits, text = cutDigits(text); len(digits) == 0 {
			return n, false
		}
		for _, c := range digits {
			n.exponent = min(n.exponent*10+int64(c-'0'), farExponent)
		}
		if minus {
			n.exponent = -n.exponent
		}
	}
	return n, len(text) == 0
}

func cutDigits(text []byte) (digits, rest []byte) {
	i := 0
	for i < len(text) && '0' <= text[i] && text[i] <= '9' {
		i++
	}
	return text[:i], text[i:]
}
