package rules_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/rules"
)

// Read accepts no norm that ReadNorms refuses, and the places of its problems are in
// the text.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		"", "[]", "[" + peace + "]", `{"norms": [` + peace + `], "tests": []}`, "[{}]", "\uFEFF[1]", "\xff\xfe[", `[{"name": "a", "prohibited": "b:c *d"}]`,
		`{"tests": [{"name": "n", "action": {"action": "a", "timestamp": 1}, "expect": "denied", "violates": ["x"], "time": "2026-01-02T03:04:05Z"}]}`,
		"[\n" + peace + ",\n" + peace + "]", `[{"name": "\ud800"}]`,
		`{"norms": [], "facts": [{"name": "a", "after": "facts:b"}, {"name": "b", "broke": "x \"y z\" t-*"}], "numbers": {"n": [{"below": 2, "fact": "c"}]}}`, `{"norms": [{"name": 1}], "test": 1}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := rules.Read(bytes.NewReader(text), "-")
		require.NoError(t, err)
		lines := strings.Split(string(text), "\n")
		for _, p := range s.Problems {
			require.True(t, p.Line >= 1 && p.Line <= len(lines), "%s", p)
			require.True(t, p.Column >= 1 && p.Column <= len(lines[p.Line-1])+1, "%s", p)
			require.NotEmpty(t, p.Text)
		}
		norms, err := normsync.ReadNorms(bytes.NewReader(text))
		if err != nil {
			require.True(t, s.Err() != nil || len(s.Norms) == 0, "ReadNorms: %v", err)
			return
		}
		if s.Err() == nil {
			require.Equal(t, append([]normsync.Norm{}, norms...), append([]normsync.Norm{}, s.Norms...))
		}
		if _, err := normsync.ReadRules(bytes.NewReader(text)); err != nil {
			require.True(t, s.Err() != nil || len(s.Norms)+s.Facts() == 0, "ReadRules: %v", err)
		}
		for _, n := range s.Norms {
			s.AnyTokenPlace(n, n.Prohibited)
		}
	})
}
