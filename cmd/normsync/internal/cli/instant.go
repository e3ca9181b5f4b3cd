package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

// instant is a flag with a point in time.
type instant struct{ value *time.Time }

func (t instant) String() string {
	if t.value == nil || t.value.IsZero() {
		return ""
	}
	return t.value.Format(time.RFC3339Nano)
}

func (t instant) Type() string { return "TIME" }

func (t instant) Set(text string) (err error) {
	if text == "" {
		*t.value = time.Time{}
		return nil
	}
	*t.value, err = parseTime(text)
	return err
}

var timeLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly}

// parseTime parses a point in time: a date with or without a time of day, in UTC
// unless it says otherwise, a number of seconds since 1970, or a duration ago, such as
// 90m or 7d.
func parseTime(text string) (time.Time, error) {
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			if service.RequireTime(t) != nil {
				return time.Time{}, outside(text)
			}
			return t.UTC(), nil
		}
	}
	if t, ok := parseUnix(text); ok {
		if 1900 <= t.Unix() && t.Unix() < 2200 && !strings.Contains(text, ".") {
			return time.Time{}, fmt.Errorf("%s looks like a year; write %s-01-01, or %s.0 for seconds since 1970", quote(text), text, text)
		}
		return t, nil
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return time.Time{}, outside(text)
	}
	ago := text
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			ago = strconv.FormatUint(24*n, 10) + "h"
		}
	}
	if d, err := time.ParseDuration(ago); err == nil && d >= 0 {
		return time.Now().UTC().Add(-d), nil
	}
	if text == "now" {
		return time.Now().UTC(), nil
	}
	return time.Time{}, fmt.Errorf("%s is not a time; write a date such as 2026-07-01 or 2026-07-01T18:30:00Z, seconds since 1970, or a duration ago such as 90m or 7d", quote(text))
}

func outside(text string) error {
	return fmt.Errorf("%s is no time that is possible here; write a date in the years 1 to 9999, or decimal seconds since 1970 from 0 to 253402300799, with at most 9 digits after the point", quote(text))
}

// parseUnix parses decimal seconds since 1970, exact to the nanosecond.
func parseUnix(text string) (time.Time, bool) {
	whole, fraction, _ := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || len(fraction) > 9 || seconds < 0 || seconds > 253402300799 { // the year 9999
		return time.Time{}, false
	}
	nanoseconds, err := strconv.ParseUint((fraction + "000000000")[:9], 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	return time.Unix(seconds, int64(nanoseconds)).UTC(), true
}
