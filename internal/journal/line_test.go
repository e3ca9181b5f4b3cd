package journal

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The bytes of a line are a file format: they may be added to under another
// version, and never change. The checksums are another program's.
func TestLineFormat(t *testing.T) {
	for _, c := range []struct {
		name, want string
		key        string
		line       parsed
	}{
		{"one record", `{"v":1,"n":17,"durable":16,"crc":"f5ab9cdc","violation":{"a":"é"}}`, "violation", parsed{17, 17, 16, []byte(`{"a":"é"}`), 0}},
		{"several records", `{"v":1,"n":4,"to":6,"durable":3,"crc":"b14f2c67","revisions":[1,2,3]}`, "revisions", parsed{4, 6, 3, []byte(`[1,2,3]`), 0}},
		{"the greatest number", `{"v":1,"n":18446744073709551614,"durable":18446744073709551613,"crc":"544a47a7","x":1}`, "x", parsed{math.MaxUint64 - 1, math.MaxUint64 - 1, math.MaxUint64 - 2, []byte(`1`), 0}},
		{"a record beside an edition", `{"v":2,"n":18,"durable":17,"edition":6,"crc":"04d21054","violation":{"a":1}}`, "violation", parsed{18, 18, 17, []byte(`{"a":1}`), 6}},
	} {
		t.Run(c.name, func(t *testing.T) {
			line := string(appendLine(nil, c.key, c.line))
			require.Equal(t, c.want+"\n", line)
			got, err := parseLine([]byte(c.want), c.key)
			require.NoError(t, err)
			require.Equal(t, c.line, got)
		})
	}
}

func TestNothingButALineIsALine(t *testing.T) {
	for edition := range uint64(2) {
		whole := string(appendLine(nil, "violation", parsed{17, 19, 16, []byte(`{"a":1}`), edition}))
		whole = strings.TrimSuffix(whole, "\n")
		for i := range len(whole) {
			for bit := range 8 {
				bad := []byte(whole)
				bad[i] ^= 1 << bit
				_, err := parseLine(bad, "violation")
				require.Error(t, err, "bit %d of byte %d", bit, i)
			}
			_, err := parseLine([]byte(whole[:i]), "violation")
			require.Error(t, err, "cut to %d", i)
			_, err = parseLine([]byte(whole[i+1:]), "violation")
			require.Error(t, err, "without the first %d", i+1)
		}
	}
	// What appendLine does not write, though its checksum is right.
	for _, line := range []string{
		`{"v":2,"n":1,"durable":0,"edition":0,"crc":"00000000","violation":1}`,
		`{"v":1,"n":1,"to":1,"durable":0,"crc":"00000000","violation":1}`,
		`{"v":1,"n":1,"durable":00,"crc":"00000000","violation":1}`,
	} {
		text := []byte(line)
		digits := bytes.Index(text, []byte("00000000"))
		sum := checksum(text[:digits], text[digits+8:])
		hex.Encode(text[digits:], sum[:])
		_, err := parseLine(text, "violation")
		require.ErrorIs(t, err, errForm, line)
	}
	for name, p := range map[string]parsed{
		"number 0":                           {0, 0, 0, []byte("1"), 0},
		"durable before it was written":      {5, 5, 5, []byte("1"), 0},
		"numbers that run backwards":         {5, 4, 3, []byte("1"), 0},
		"no number after it":                 {5, math.MaxUint64, 3, []byte("1"), 0},
		"a record of another log's":          {5, 5, 4, []byte("1"), 0},
		"nothing where the record should be": {5, 5, 4, nil, 0},
	} {
		key := "violation"
		if strings.Contains(name, "another") {
			key = "revisions"
		}
		line := appendLine(nil, key, p)
		_, err := parseLine(line[:len(line)-1], "violation")
		if name == "nothing where the record should be" {
			continue // Append refuses it
		}
		require.Error(t, err, name)
	}
	for _, text := range []string{"", "{", "}", "null", `{"v":1}`, `{"v":01,"n":1}`, `{"v":0,"n":1}`, `{"v":1,"n":18446744073709551616,"durable":0,"crc":"00000000","violation":1}`} {
		_, err := parseLine([]byte(text), "violation")
		require.ErrorIs(t, err, errForm, text)
	}
	_, err := parseLine([]byte(`{"v":3,"whatever":true}`), "violation")
	require.EqualError(t, err, "format version 3 is newer than the 2 that this program knows: use a newer one")
}

func TestProofs(t *testing.T) {
	line := func(n, durable int, json string) string {
		return strings.TrimSuffix(string(appendLine(nil, "violation", parsed{uint64(n), uint64(n), uint64(durable), []byte(json), 0})), "\n")
	}
	forged := line(9, 8, `{"a":1}`)
	for _, c := range []struct {
		name  string
		line  string
		first bool
		want  bool
	}{
		{"a line written when the record was on disk", line(6, 5, "1"), false, true},
		{"a line of the same append", line(6, 4, "1"), false, false},
		{"the record itself, without a newline, where it belongs", line(5, 4, "1"), true, false},
		{"the record itself, behind something else", line(5, 4, "1"), false, true},
		{"two lines without the newline between them", line(5, 4, "1") + "\x0b" + line(6, 5, "1"), true, true},
		{"half a line with a proof behind it", `{"v":1,"n":5,"dur` + "\x00" + line(6, 5, "1"), true, true},
		{"half a line, with what it says of those before it", line(6, 5, "[1,2]")[:57], false, true},
		{"half a line beside an edition", strings.TrimSuffix(string(appendLine(nil, "violation", parsed{6, 6, 5, []byte("[1,2]"), 9})), "\n")[:70], false, true},
		{"half a line of another log", strings.Replace(line(6, 5, "[1,2]"), "violation", "revisions", 1)[:57], false, false},
		{"half a line of the same append", line(6, 4, "[1,2]")[:57], false, false},
		{"half of what a line says of those before it", line(6, 5, "1")[:20], false, false},
		{"a line that somebody altered", strings.Replace(line(6, 5, "1"), ",", ", ", 3) + " ", true, true},
		{"lines between which somebody put other line ends", line(5, 4, "1") + "\r" + line(6, 5, "2") + "\r", true, true},
		{"a line made up by the author of a record", `{"v":1,"n":5,"durable":4,"crc":"00000000","violation":{"metadata":` + forged, true, false},
		{"half a line with the record itself behind it", `{"v":1,"n":5,"dur` + "\x00" + line(5, 4, "1"), true, true},
		{"a line made up as the first of a list", `{"v":1,"n":5,"durable":4,"crc":"00000000","violation":{"metadata":[` + forged, true, false},
		{"a line made up in a list", `{"v":1,"n":5,"durable":4,"crc":"00000000","violation":{"metadata":[0,` + forged, true, false},
		{"a newer format", `{"v":3,"sum":"x"}`, false, true},
		{"garbage that begins like a newer format", `{"v":3,` + "\x00\xff", false, false},
		{"garbage with a newer format in it", `x{"v":3,"sum":"x"}`, false, false},
		{"nothing", "", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, proves([]byte(c.line), "violation", 5, c.first))
		})
	}
}

func TestPaddedLines(t *testing.T) {
	line := strings.TrimSuffix(string(appendLine(nil, "violation", parsed{5, 5, 4, []byte("1"), 0})), "\n")
	for _, blanks := range []string{"\r", " ", "\t", " \r"} {
		require.True(t, padded([]byte(line+blanks), "violation"), "%q", blanks)
	}
	for _, text := range []string{line, line + "x", line[1:] + "\r", "\r", ""} {
		require.False(t, padded([]byte(text), "violation"), "%q", text)
	}
}

func FuzzLine(f *testing.F) {
	f.Add([]byte(`{"v":1,"n":4,"to":6,"durable":3,"crc":"b14f2c67","revisions":[1,2,3]}`))
	f.Add([]byte(`{"v":1,"n":17,"durable":16,"crc":"f5ab9cdc","revisions":[]}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		p, err := parseLine(line, "revisions")
		if err == nil && string(appendLine(nil, "revisions", p)) != string(line)+"\n" {
			t.Errorf("a line that is not as it is written was taken: %q", line)
		}
		proves(line, "revisions", p.first, true)
	})
}

func ExampleCorruptError() {
	fmt.Println((&CorruptError{Path: "world/revisions.jsonl", Line: 3, Offset: 540, Err: errChecksum}).Error())
	// Output: world/revisions.jsonl:3 (byte 540): the checksum does not match: the line is not as it was written
}
