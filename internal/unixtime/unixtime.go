// Package unixtime formats and parses times as decimal Unix times: numbers of seconds
// or nanoseconds since January 1, 1970 UTC. Both are exact to the nanosecond for
// every [time.Time].
//
// The number 0 stands for the zero time, which means that no time is set. January 1,
// 1970 UTC itself therefore counts as not set.
package unixtime

import (
	"errors"
	"math"
	"strconv"
	"time"
)

var (
	errSyntax = errors.New("want a JSON number")
	errRange  = errors.New("is not a time: it is too many seconds away from 1970")
)

// Canonical returns t as ParseSeconds would return it: in UTC, without a monotonic
// clock reading, and as the zero time if t is January 1, 1970 UTC. Canonical times are
// the same instant if and only if they are equal under ==.
func Canonical(t time.Time) time.Time {
	if isZero(t) {
		return time.Time{}
	}
	return t.UTC()
}

// AppendSeconds appends the seconds from 1970 to t in decimal, without an exponent and
// without trailing zeros after the point.
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

// AppendNanoseconds appends the nanoseconds from 1970 to t in decimal. Unlike
// [time.Time.UnixNano] it is exact for every t.
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

// split returns the distance between t and 1970, and whether t is before 1970.
func split(t time.Time) (negative bool, sec, nsec uint64) {
	s, n := t.Unix(), uint64(t.Nanosecond())
	if s >= 0 {
		return false, uint64(s), n
	}
	sec = -uint64(s) // right for the least int64 too
	if n > 0 {       // Unix rounds down, which is away from 1970
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

// ParseSeconds returns the time that is text seconds after 1970, in the form of
// [Canonical]. The text is a JSON number, which may have an exponent. The time is
// rounded to the nearest nanosecond, halves away from 1970. The cost grows with the
// length of text, but not with its exponent.
func ParseSeconds(text []byte) (time.Time, error) {
	n, ok := scan(text)
	if !ok {
		return time.Time{}, errSyntax
	}
	var sec, nsec uint64
	weight := int64(len(n.whole)) + n.exponent // the power of ten of the next digit, plus one
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

// number is a JSON number, split into its parts.
type number struct {
	negative        bool
	whole, fraction []byte // digits
	exponent        int64  // at most farExponent from zero
}

// farExponent is an exponent that no number of digits in memory can compensate.
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
