package rules_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync/cmd/normsync/internal/rules"
)

const withFacts = `{
  "norms": [
    {"name": "log in first", "prohibited": "*", "unless": "verb:login facts:authenticated"},
    {"name": "jail", "condition": "facts:third_*", "prohibited": "*"},
    {"name": "rest", "condition": "low_health", "prohibited": "attack"}
  ],
  "facts": [
    {"name": "authenticated", "after": "verb:login", "until": "verb:logout"},
    {"name": "third_strike", "broke": "rest \"log in first\" log*", "count": 3, "within": "10m"}
  ],
  "numbers": {"health": [{"below": 20, "fact": "low_health"}]}
}`

func texts(found []rules.Finding) (list []string) {
	for _, f := range found {
		text := f.Place.String() + ": " + f.Text
		if f.Suggestion != "" {
			text += "; write: " + f.Suggestion
		}
		list = append(list, text)
	}
	return list
}

func TestFactsWithoutFaults(t *testing.T) {
	write(t, "f.json", withFacts, "facts.json", `{"facts": []}`)
	s := read(t, "f.json", "facts.json")
	require.NoError(t, s.Err())
	require.Equal(t, 3, s.Facts())
	found, _, err := rules.Examine(s, nil)
	require.NoError(t, err)
	require.Empty(t, texts(found))
}

func TestProblemsOfFactsHavePlaces(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"unknown key":        {`{"facts": [{"name": "a", "before": "b"}]}`, []string{`f.json:1:26: fact 1: key "before" is unknown; the keys are `}},
		"two conditions":     {`{"facts": [{"name": "a", "after": "b", "broke": "c"}]}`, []string{`f.json:1:12: fact 1 "a": After and Broke are both set; declare two facts`}},
		"wrong token":        {`{"facts": [{"name": "a", "after": "b AND c"}]}`, []string{`f.json:1:35: fact 1 "a": After: `}},
		"wrong duration":     {`{"facts": [{"name": "a", "after": "b", "within": "soon"}]}`, []string{`f.json:1:50: fact 1: key "within": `}},
		"one name":           {`{"facts": [{"name": "a", "after": "b"}, {"name": "A", "after": "c"}]}`, []string{`f.json:1:50: fact "A": a fact of that name is at f.json:1:21, too; rename one of them, or remove it`}},
		"needs itself":       {`{"facts": [{"name": "x", "after": "y"}, {"name": "a", "after": "facts:a"}]}`, []string{`f.json:1:50: invalid fact`}},
		"threshold and fact": {`{"facts": [{"name": "a", "after": "b"}], "numbers": {"n": [{"from": 1, "fact": "a"}]}}`, []string{`f.json:1:80: number "n": a fact "a" is declared at f.json:1:21, too; rename one of them`}},
		"no bound":           {`{"numbers": {"n": [{"fact": "a"}]}}`, []string{`f.json:1:20: number "n" "a": `}},
		"wrong bound":        {`{"numbers": {"n": [{"fact": "a", "below": "b"}]}}`, []string{`f.json:1:43: number "n": key "below": want a number, found a string`}},
		"number twice":       {`{"numbers": {"n": [], "n": []}}`, []string{`f.json:1:23: key "numbers.n": the name is empty, or it is there twice; give each number a name of its own`}},
		"no array":           {`{"facts": {}}`, []string{`f.json:1:11: key "facts": want an array, found an object`}},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, "f.json", test.text)
			got := problems(read(t, "f.json"))
			require.Len(t, got, len(test.want), "%q", got)
			for i, want := range test.want {
				require.Contains(t, got[i], want)
			}
		})
	}
}

func TestLintOfFacts(t *testing.T) {
	write(t, "f.json", `{
  "norms": [{"name": "peace", "condition": "town facts:third_stirke|night", "prohibited": "attack"}],
  "facts": [
    {"name": "third_strike", "broke": "peece", "count": 3},
    {"name": "angry", "broke": "war-*", "until": "facts:third_strikes"}
  ],
  "numbers": {"health": [{"below": 20, "fact": "low_health"}]}
}`)
	found, _, err := rules.Examine(read(t, "f.json"), nil)
	require.NoError(t, err)
	require.Equal(t, []string{
		`f.json:2:50: norm "peace": no fact "third_stirke" is declared, but a similar one is; write: third_strike`,
		`f.json:4:14: fact "third_strike" is named by no norm and by no other fact`,
		`f.json:4:40: fact "third_strike": no norm is named "peece"; did you mean "peace"?`,
		`f.json:5:14: fact "angry" is named by no norm and by no other fact`,
		`f.json:5:33: fact "angry": no norm is named "war-*"`,
		`f.json:5:51: fact "angry": no fact "third_strikes" is declared, but a similar one is; write: third_strike`,
		`f.json:7:48: fact "low_health" of the number "health" is named by no norm and by no other fact`,
	}, texts(found))
}
