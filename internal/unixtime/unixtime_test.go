package unixtime

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// slowSeconds is AppendSeconds by rational numbers.
func slowSeconds(t time.Time) string {
	if isZero(t) {
		return "0"
	}
	s := new(big.Rat).SetFrac(slowNanoseconds(t), big.NewInt(1e9)).FloatString(9)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

func slowNanoseconds(t time.Time) *big.Int {
	if isZero(t) {
		return new(big.Int)
	}
	n := new(big.Int).Mul(big.NewInt(t.Unix()), big.NewInt(1e9))
	return n.Add(n, big.NewInt(int64(t.Nanosecond())))
}

// slowParse is ParseSeconds by rational numbers, for exponents that big.Rat can stand.
func slowParse(text string) (t time.Time, ok bool) {
	r, ok := new(big.Rat).SetString(text)
	if !ok || !json.Valid([]byte(text)) {
		return time.Time{}, false
	}
	negative := r.Sign() < 0
	r.Abs(r).Mul(r, big.NewRat(1e9, 1)).Add(r, big.NewRat(1, 2))
	n := new(big.Int).Quo(r.Num(), r.Denom())
	if negative {
		n.Neg(n)
	}
	sec, nsec := new(big.Int).DivMod(n, big.NewInt(1e9), new(big.Int))
	if !sec.IsInt64() {
		return time.Time{}, false
	}
	if n.Sign() == 0 {
		return time.Time{}, true
	}
	return time.Unix(sec.Int64(), nsec.Int64()).UTC(), true
}

func TestSecondsArePlainDecimals(t *testing.T) {
	for text, instant := range map[string]time.Time{
		"0":                                  {},
		"1":                                  time.Unix(1, 0),
		"0.000000001":                        time.Unix(0, 1),
		"1700000000.1":                       time.Unix(1700000000, 1e8),
		"1700000000.123456789":               time.Unix(1700000000, 123456789),
		"-1":                                 time.Unix(-1, 0),
		"-0.000000001":                       time.Unix(0, -1),
		"-0.999999999":                       time.Unix(-1, 1),
		"-1.5":                               time.Unix(-2, 5e8),
		"9223372036854775807.999999999":      time.Unix(math.MaxInt64, 999999999),
		"-9223372036854775808":               time.Unix(math.MinInt64, 0),
		"-9223372036854775807.999999999":     time.Unix(math.MinInt64, 1),
		"-62135596799.999999999":             time.Time{}.Add(1),
		"253402300799.999999999":             time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
		"1714979289.00000001":                time.Date(2024, 5, 6, 7, 8, 9, 10, time.UTC).In(time.FixedZone("east", 3600)),
		strconv.FormatInt(math.MaxInt64, 10): time.Unix(math.MaxInt64, 0),
	} {
		require.Equal(t, text, string(AppendSeconds(nil, instant)))
		require.Equal(t, slowSeconds(instant), text, "the twin agrees")
		require.Equal(t, slowNanoseconds(instant).String(), string(AppendNanoseconds(nil, instant)), "nanoseconds of %s", text)
		back, err := ParseSeconds([]byte(text))
		require.NoError(t, err, text)
		require.True(t, back == Canonical(instant), "%s comes back as %v, was %v", text, back, instant)
	}
}

func TestPlainTimesAreEqualWhenTheyAreTheSameInstant(t *testing.T) {
	now := time.Now()
	require.True(t, Canonical(now) == Canonical(now.In(time.FixedZone("east", 3600))))
	require.True(t, Canonical(now).Equal(now))
	require.Equal(t, time.UTC, Canonical(now).Location())
	require.NotContains(t, Canonical(now).String(), "m=")
	require.True(t, Canonical(time.Unix(0, 0)) == time.Time{}, "the beginning of 1970 is no time")
	require.False(t, Canonical(time.Unix(0, 1)).IsZero())
}

func TestRandomInstantsComeBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		sec := int64(r.Uint64()) >> r.IntN(64)
		instant := time.Unix(sec, r.Int64N(1e9)).UTC()
		text := AppendSeconds([]byte("x"), instant)
		require.Equal(t, "x"+slowSeconds(instant), string(text))
		back, err := ParseSeconds(text[1:])
		require.NoError(t, err)
		require.True(t, back == Canonical(instant), "%s came back as %v, was %v", text, back, instant)
	}
}

func TestParseSecondsRoundsToTheNearestNanosecond(t *testing.T) {
	for text, want := range map[string]time.Time{
		"0.30000000000000004":     time.Unix(0, 3e8),
		"0.29999999999999999":     time.Unix(0, 3e8),
		"0.0000000004":            {},
		"0.0000000005":            time.Unix(0, 1),
		"-0.0000000005":           time.Unix(0, -1),
		"-0.00000000049999":       {},
		"-0":                      {},
		"-0.0":                    {},
		"1.9999999999":            time.Unix(2, 0),
		"1.5e9":                   time.Unix(1500000000, 0),
		"1E3":                     time.Unix(1000, 0),
		"25e-1":                   time.Unix(2, 5e8),
		"1700000000123456789e-9":  time.Unix(1700000000, 123456789),
		"0.0000000017E+9":         time.Unix(1, 7e8),
		"0e999999999999999999999": {},
		"1e-99999999999999999999": {},
		"1" + strings.Repeat("0", 5000) + "e-5000":     time.Unix(1, 0),
		"0." + strings.Repeat("0", 5000) + "1e5001":    time.Unix(1, 0),
		"1." + strings.Repeat("0", 5000) + "000000001": time.Unix(1, 0),
	} {
		got, err := ParseSeconds([]byte(text))
		require.NoError(t, err, text)
		require.True(t, got == Canonical(want), "%.40s gave %v, want %v", text, got, want)
	}
}

func TestParseSecondsRefuses(t *testing.T) {
	for _, text := range []string{"", "-", "+1", "01", "-01", ".5", "1.", "1.e1", "1e", "1e+", "1 ", " 1", "1e1.5", "0x1", "NaN", "Infinity", "1_0", `"1"`, "١"} {
		_, err := ParseSeconds([]byte(text))
		require.ErrorIs(t, err, errSyntax, "%q", text)
	}
	for _, text := range []string{"1e19", "1e300", "-1e300", "1e999999999", "1e99999999999999999999999999", "9223372036854775808", "-9223372036854775808.000000001",
		"-9223372036854775809", "9223372036854775807.9999999999", "99999999999999999999", strings.Repeat("9", 100000)} {
		_, err := ParseSeconds([]byte(text))
		require.ErrorIs(t, err, errRange, "%.40s", text)
	}
}

func TestNoExponentIsTooLong(t *testing.T) {
	for n := 2; n < 60; n++ {
		digits := strings.Repeat("9", n)
		_, err := ParseSeconds([]byte("1e" + digits))
		require.ErrorIs(t, err, errRange, "1e%s", digits)
		got, err := ParseSeconds([]byte("1e-" + digits))
		require.NoError(t, err)
		require.True(t, got.IsZero(), "1e-%s", digits)
	}
}

func TestAllocs(t *testing.T) {
	room, text, instant := make([]byte, 0, 64), []byte("1700000000.123456789"), time.Unix(1700000000, 123456789)
	for name, f := range map[string]func(){
		"AppendSeconds":     func() { AppendSeconds(room, instant) },
		"AppendNanoseconds": func() { AppendNanoseconds(room, instant) },
		"ParseSeconds":      func() { _, _ = ParseSeconds(text) },
	} {
		t.Run(name, func(t *testing.T) { require.Zero(t, testing.AllocsPerRun(100, f)) })
	}
}

func FuzzTimestamp(f *testing.F) {
	for _, s := range []string{"0", "-1.5", "1700000000.123456789", "1e9", "0.30000000000000004", "-9223372036854775808", "1e-10", "01"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := ParseSeconds(text)
		if i := bytes.IndexAny(text, "eE"); i < 0 || len(text)-i < 5 {
			want, ok := slowParse(string(text))
			require.Equal(t, ok, err == nil, "%q: %v", text, err)
			require.True(t, got == want, "%q gave %v, want %v", text, got, want)
		}
		if err == nil {
			written := AppendSeconds(nil, got)
			require.True(t, json.Valid(written))
			back, err := ParseSeconds(written)
			require.NoError(t, err)
			require.True(t, back == got, "%q gave %v, which is written %s and read as %v", text, got, written, back)
		}
	})
}
