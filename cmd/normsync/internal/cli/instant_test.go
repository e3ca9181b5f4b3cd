package cli

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseTime(t *testing.T) {
	day := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2026-07-01":                     day,
		"2026-07-01 18:30":               day.Add(18*time.Hour + 30*time.Minute),
		"2026-07-01T18:30:05":            day.Add(18*time.Hour + 30*time.Minute + 5*time.Second),
		"2026-07-01T18:30:00+02:00":      day.Add(16*time.Hour + 30*time.Minute),
		"2026-07-01T00:00:00.123456789Z": day.Add(123456789),
		"0":                              time.Unix(0, 0).UTC(),
		"2026.0":                         time.Unix(2026, 0).UTC(),
		"1782864000":                     day,
		"1782864000.5":                   day.Add(time.Second / 2),
		"1782864000.123456789":           day.Add(123456789),
	} {
		got, err := parseTime(text)
		require.NoError(t, err)
		require.Equal(t, want, got, text)
	}
	for text, ago := range map[string]time.Duration{"now": 0, "90m": 90 * time.Minute, "7d": 7 * 24 * time.Hour, "1h30m": 90 * time.Minute} {
		got, err := parseTime(text)
		require.NoError(t, err)
		require.WithinDuration(t, time.Now().Add(-ago), got, time.Minute, text)
		require.Equal(t, time.UTC, got.Location())
	}
	for _, text := range []string{"tomorrow", "-5m", "1.x", "2026-13-01", "d", "99999999d"} {
		_, err := parseTime(text)
		require.ErrorContains(t, err, "is not a time; write a date such as", text)
	}
	for _, text := range []string{"-1", "-1e18", "1e9", "253402300800", "1767225600123", "1.2345678901", "0000-12-31", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"} {
		_, err := parseTime(text)
		require.ErrorContains(t, err, "write a date in the years 1 to 9999, or decimal seconds since 1970 from 0 to 253402300799", text)
	}
	_, err := parseTime("2026")
	require.ErrorContains(t, err, `"2026" looks like a year; write 2026-01-01, or 2026.0 for seconds since 1970`)
}
