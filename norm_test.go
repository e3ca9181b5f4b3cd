package normsync_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

func TestAViolationIsASentence(t *testing.T) {
	v := someViolation()
	v.Action.Target = "old merchant"
	require.Equal(t, "Agent 'hero-17' performed 'attack' on 'old merchant' in 'town safe_zone', violating norm 'no-attack-in-safe-zone'", v.String())
	v.Action.Target = ""
	require.Equal(t, "Agent 'hero-17' performed 'attack' in 'town safe_zone', violating norm 'no-attack-in-safe-zone'", v.String())
	require.Equal(t, "Agent '' performed '' in '', violating norm ''", normsync.Violation{}.String())
}

func TestAViolationIsLoggedAsAGroup(t *testing.T) {
	v := someViolation()
	v.Shadow = true
	var b strings.Builder
	slog.New(slog.NewJSONHandler(&b, nil)).Info("denied", "violation", v)
	var line struct {
		Violation map[string]any
	}
	require.NoError(t, json.Unmarshal([]byte(b.String()), &line))
	require.Equal(t, map[string]any{"id": v.ID().String(), "norm": "no-attack-in-safe-zone", "agent": "hero-17", "action": "attack", "location": "town safe_zone",
		"target": "merchant", "faction": "red", "severity": "warn", "shadow": true, "edition": 12.0}, line.Violation)
	var keys []string
	for _, a := range (normsync.Violation{}).LogValue().Group() {
		keys = append(keys, a.Key)
		if a.Key == "severity" {
			require.Equal(t, "warn", a.Value.String(), "a severity is never empty")
		}
	}
	require.Equal(t, strings.Fields("id norm agent action location target faction severity shadow edition"), keys)
}

func TestValuesDoNotAllocate(t *testing.T) {
	v := someViolation()
	v.Action.Metadata = `{"mood":["grim",12345678901234567890],"weapon":"<sword>"}`
	n := normsync.Norm{Name: "n", Condition: "location:town 睡觉*", Unless: `a|b\`, Permitted: "heal"}
	r := normsync.Revision{Edition: 1, Change: normsync.Enact(n), Time: time.Unix(1, 2)}
	room := make([]byte, 0, 4096)
	for name, f := range map[string]func(){
		"Norm.ID":                 func() { n.ID() },
		"Action.ID":               func() { v.Action.ID() },
		"Violation.ID":            func() { v.ID() },
		"Revision.ID":             func() { r.ID() },
		"ID.AppendText with room": func() { _, _ = v.NormID.AppendText(room) },
		"Norm.Validate":           func() { _ = n.Validate() },
		"Violation.Canonical":     func() { _, _ = v.Canonical() },
		"Revision.Canonical":      func() { _, _ = r.Canonical() },
		"Violation.appendJSON":    func() { _, _ = v.AppendJSON(room) },
		"Revision.appendJSON":     func() { r.AppendJSON(room) },
	} {
		t.Run(name, func(t *testing.T) { require.Zero(t, testing.AllocsPerRun(100, f)) })
	}
}

func TestEveryTextAndTimeBecomesCanonical(t *testing.T) {
	n := normsync.Norm{}
	r := normsync.Revision{Change: normsync.Change{Kind: normsync.KindEnact}}
	v := normsync.Violation{}
	const invalid = "\xff"
	local := time.Unix(1, 0).In(time.FixedZone("east", 3600))
	for _, value := range []any{&n, &r, &v} {
		for name, field := range fieldsOf(value) {
			switch {
			case name == "Change.Kind" || name == "Action.Metadata": // invalid text in these is an error
			case field.Kind() == reflect.String:
				field.SetString(invalid)
			case field.Type() == reflect.TypeFor[time.Time]():
				field.Set(reflect.ValueOf(local))
			}
		}
	}
	canonicalR, err := r.Canonical()
	require.NoError(t, err)
	canonicalV, err := v.Canonical()
	require.NoError(t, err)
	canonicalN := canonicalNorm(t, n)
	for _, value := range []any{&canonicalN, &canonicalR, &canonicalV} {
		for name, field := range fieldsOf(value) {
			if got, ok := field.Interface().(time.Time); ok {
				require.True(t, got == local.UTC(), name)
			} else if field.Kind() == reflect.String {
				require.NotEqual(t, invalid, field.String(), name)
			}
		}
	}
}

// oddTexts are texts that are hard to encode.
var oddTexts = []string{"", "attack", "|", `\`, `\|`, `|\`, `a|b\c`, "|unless=a", "睡觉 🐉", "a\xffb\xe2\x82", "\x00\x1b[31m\n\r\t\u0085", "\u2028\u202e</script>&", `"'`, strings.Repeat(`long\`, 300)}

var oddTimes = []time.Time{{}, time.Unix(0, 0), time.Unix(0, 1), time.Unix(0, -1), time.Unix(-2, 5e8), time.Unix(1700000000, 123456789), time.Date(2300, 1, 1, 0, 0, 0, 7, time.UTC),
	time.Date(1, 1, 1, 0, 0, 0, 1, time.FixedZone("east", 3600)), time.Date(-5000, 1, 1, 0, 0, 0, 999999999, time.UTC), time.Now()}

// slowID returns an ID by its definition: the parts are escaped and joined by |, and
// raw follows as it is.
func slowID(raw string, parts ...string) normsync.ID {
	escape := strings.NewReplacer(`\`, `\\`, `|`, `\|`)
	for i, p := range parts {
		parts[i] = escape.Replace(string([]rune(p)))
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "|") + raw))
	return normsync.ID(sum[:8])
}

func slowNanoseconds(t time.Time) string {
	if t.IsZero() {
		return "0"
	}
	n := new(big.Int).Mul(big.NewInt(t.Unix()), big.NewInt(1e9))
	return n.Add(n, big.NewInt(int64(t.Nanosecond()))).String()
}

func TestAnIDIsTheHashOfItsPayload(t *testing.T) {
	// echo -n 'no-attack-in-safe-zone|safe_zone|attack' | sha256sum | head -c 16
	require.Equal(t, "bc3ce88baa1c729d", normsync.Norm{Name: "no-attack-in-safe-zone", Condition: "safe_zone", Prohibited: "attack"}.ID().String())

	for _, x := range oddTexts {
		for _, y := range oddTexts {
			for _, at := range oddTimes {
				a := normsync.Action{Agent: x, Verb: y, Location: x + y, Target: y, Faction: x, Metadata: "x", Time: at}
				require.Equal(t, slowID("|"+slowNanoseconds(at), x, y, x+y, y, x), a.ID(), "%+q", a)
			}
			n := normsync.Norm{Name: x, Condition: y, Prohibited: x}
			require.Equal(t, slowID("", x, y, x), n.ID())
			n.Description, n.Scope, n.Severity, n.Priority, n.Shadow, n.Repealed = x, y, normsync.SeverityInfo, 3, true, true
			require.Equal(t, slowID("", x, y, x), n.ID(), "the other fields do not affect the ID")
			n.Unless, n.Prohibited, n.Permitted = y, "", x
			want := ""
			if y != "" {
				want += "|unless=" + strings.NewReplacer(`\`, `\\`, `|`, `\|`).Replace(string([]rune(y)))
			}
			if x != "" {
				want += "|permitted=" + strings.NewReplacer(`\`, `\\`, `|`, `\|`).Replace(string([]rune(x)))
			}
			require.Equal(t, slowID(want, x, y, ""), n.ID())
			v := normsync.Violation{NormID: n.ID(), Action: normsync.Action{Verb: x}}
			require.Equal(t, slowID("", n.ID().String(), v.Action.ID().String()), v.ID())
			r := normsync.Revision{Edition: 1<<64 - 1, Change: normsync.Change{Kind: normsync.ChangeKind(x), Norm: n}, Time: time.Unix(5, 6)}
			require.Equal(t, slowID("", "18446744073709551615", x, n.ID().String(), "5000000006"), r.ID())
		}
	}
}

func TestAnIDHasOneText(t *testing.T) {
	id := normsync.ID{0x00, 0x9f, 0xab, 0xcd, 0xef, 0x10, 0xff, 0x7f}
	require.Equal(t, "009fabcdef10ff7f", id.String())
	require.Equal(t, "009fabcdef10ff7f", fmt.Sprint(id))
	text, err := json.Marshal(map[normsync.ID]normsync.ID{id: id})
	require.NoError(t, err)
	require.Equal(t, `{"009fabcdef10ff7f":"009fabcdef10ff7f"}`, string(text))
	var back map[normsync.ID]normsync.ID
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, map[normsync.ID]normsync.ID{id: id}, back)

	for c := range 256 {
		_, err := normsync.ParseID("009" + string([]byte{byte(c)}) + "abcdef10ff7f")
		require.Equal(t, strings.IndexByte("0123456789abcdef", byte(c)) >= 0, err == nil, "%q", c)
	}
	for name, bad := range map[string]string{
		"nothing": "", "too short": "009fabcdef10ff7", "too long": "009fabcdef10ff7f0", "no hex digit": "009fabcdef10ff7g", "upper case": "009FABCDEF10FF7F", "a blank": " 09fabcdef10ff7f", "not ASCII": "ééééeeee",
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			_, err := normsync.ParseID(bad)
			require.ErrorIs(t, err, normsync.ErrInvalid)
			require.ErrorContains(t, err, "16 lower-case hex digits")
			kept := id
			require.Error(t, kept.UnmarshalText([]byte(bad)))
			require.Equal(t, id, kept, "it is unchanged")
		})
	}
}

func FuzzParseID(f *testing.F) {
	for _, s := range []string{"009fabcdef10ff7f", "009FABCDEF10FF7F", "", "0", "00000000000000000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := normsync.ParseID(s)
		if err != nil {
			require.ErrorIs(t, err, normsync.ErrInvalid)
			require.Zero(t, id)
			b, decodeErr := hex.DecodeString(s)
			require.True(t, decodeErr != nil || len(b) != 8 || strings.ToLower(s) != s, "%q is refused", s)
			return
		}
		require.Equal(t, s, id.String(), "an ID has one text")
		b, err := id.AppendText([]byte("x"))
		require.NoError(t, err)
		require.Equal(t, "x"+s, string(b))
	})
}
