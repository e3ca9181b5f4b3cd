package rules_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/rules"
)

// write writes files, which are given as pairs of a name and a text, into a new folder,
// which becomes the current one.
func write(t *testing.T, files ...string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for i := 0; i < len(files); i += 2 {
		require.NoError(t, os.WriteFile(files[i], []byte(files[i+1]), 0o600))
	}
}

func read(t *testing.T, paths ...string) *rules.Set {
	t.Helper()
	s, err := rules.Read(strings.NewReader(""), paths...)
	require.NoError(t, err)
	return s
}

func problems(s *rules.Set) (texts []string) {
	for _, p := range s.Problems {
		texts = append(texts, p.String())
	}
	return texts
}

const peace = `{"name": "peace", "condition": "town", "prohibited": "attack"}`

func TestReadKeepsTheOrderOfFilesAndNorms(t *testing.T) {
	write(t,
		"b.json", `{"$schema": "x", "norms": [`+peace+`, {"name": "order", "prohibited": "shout"}], "norm_count": 2}`,
		"a.json", `[{"name": "quiet", "prohibited": "sing"}]`,
		"a_test.json", `{"tests": []}`)
	s := read(t, "b.json", "a.json", "./b.json", "a_test.json")
	require.NoError(t, s.Err())
	require.Equal(t, []normsync.Norm{
		{Name: "peace", Condition: "town", Prohibited: "attack"},
		{Name: "order", Prohibited: "shout"},
		{Name: "quiet", Prohibited: "sing"},
	}, s.Norms)
}

func TestReadReadsTheStandardInput(t *testing.T) {
	s, err := rules.Read(strings.NewReader("["+peace+"]\n"), "-")
	require.NoError(t, err)
	require.Len(t, s.Norms, 1)
	require.Equal(t, "stdin:1:11", s.NormPlace("peace").String())
}

func TestProblemsHavePlaces(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"empty":           {"", []string{"f.json:1:1: the file is empty; write an array of norms, or [] if there are none"}},
		"only blanks":     {" \n\t", []string{"f.json:1:1: the file is empty; write an array of norms, or [] if there are none"}},
		"malformed":       {"[\n  {\"name\": \"a\",\n   \"prohibited\" \"b\"}\n]", []string{"f.json:3:17: want a colon, found a string"}},
		"cut off":         {"[\n  " + peace + ",\n", []string{"f.json:3:1: want a value, found the end of the text"}},
		"two values":      {"[] []", []string{"f.json:1:4: want the end of the text, found an array"}},
		"another type":    {`"norms"`, []string{`f.json:1:1: want an array of norms, or an object with one under "norms", found a string`}},
		"neither key":     {"\n{\"rules\": []}", []string{`f.json:2:1: the object has none of the keys "norms", "facts", "numbers" and "tests"; write an array of norms under "norms"`}},
		"key in capitals": {`{"Norms": []}`, []string{`f.json:1:2: key "Norms" is unknown; it is written "norms"`}},
		"one test":        {`{"norms": [], "test": []}`, []string{`f.json:1:15: key "test" is unknown, and similar to "tests"; write "tests", or choose a key that differs more`}},
		"behind a mark":   {"\uFEFF[1]", []string{"f.json:1:5: norm 1: want an object, found a number"}},
		"several norms": {"[\n  {\"name\": \"a\", \"prohibit\": \"b\"},\n  " + peace + ",\n  {\"name\": \"c\",\n   \"condition\": \"x == y\", \"prohibited\": \"b\"},\n  {\"name\": \"d\"}\n]", []string{
			`f.json:2:17: norm 1: key "prohibit" is unknown; did you mean "prohibited"? The keys are id, name, `,
			`f.json:5:17: norm "c": Condition: `,
			`f.json:6:3: norm "d": Prohibited and Permitted are both empty`,
		}},
		"name with an escape": {`[{"name": "a\" norm \"b\": c", "prohibited": "x:y =="}]`, []string{`f.json:1:46: norm "a\" norm \"b\": c": Prohibited: `}},
		"Latin-1":             {"[{\"name\": \"caf\xe9\", \"prohibited\": \"x\"}]", []string{"f.json:1:"}},
		"one file twice a name": {"[" + peace + ",\n " + peace + "]", []string{
			`f.json:2:11: norm "peace": a norm of that name is at f.json:1:11, too; rename one of them, or remove it`}},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, "f.json", test.text)
			s := read(t, "f.json")
			got := problems(s)
			require.Len(t, got, len(test.want), "%q", got)
			for i, want := range test.want {
				require.True(t, strings.HasPrefix(got[i], want), "got %s\nwant %s", got[i], want)
				require.ErrorContains(t, s.Err(), want)
			}
			require.ErrorIs(t, s.Err(), normsync.ErrInvalid)
		})
	}
}

func TestNormsOfOneNameInTwoFilesNameBothPlaces(t *testing.T) {
	write(t, "a.json", "[\n"+peace+"]", "b.json", "{\"norms\":\n [{\"prohibited\": \"x\", \"name\": \"peace\"}]}")
	require.Equal(t, []string{`b.json:2:31: norm "peace": a norm of that name is at a.json:2:10, too; rename one of them, or remove it`},
		problems(read(t, "a.json", "b.json")))
}

func TestARepealedNormMayShareAName(t *testing.T) {
	write(t, "a.json", `[{"name": "peace", "prohibited": "x", "active": false},`+peace+`]`)
	s := read(t, "a.json")
	require.NoError(t, s.Err())
	require.Len(t, s.Norms, 2)
	require.Equal(t, 65, s.NormPlace("peace").Column)
}

// What Read refuses beyond ReadNorms has a test above.
func TestReadAgreesWithReadNorms(t *testing.T) {
	for _, text := range []string{
		"[]", "[" + peace + "]", "\uFEFF[" + peace + "]", `{"norms": [` + peace + `], "violations": [{}]}`, `{"norms": null}`,
		`[null]`, `[[]]`, `[{}]`, `{"norms": [` + peace + `]} x`, `[{"name": "a", "name": "a", "prohibited": "b"}]`,
		`[{"name": "a", "prohibited": "b", "priority": 1e3}]`, `[{"name": "a", "prohibited": "b", "id": "0000000000000000"}]`,
		`[{"name": "a", "prohibited": "b", "from": "2026"}]`, `[{"name": "\ud800", "prohibited": "b"}]`, "[\x00]", "[" + peace + ",]",
		`{"norms": [], "norms": []}`, `{"$schema": 1, "norms": []}`, `[{"$schema": "x", "name": "a", "prohibited": "b"}]`,
	} {
		want, wantErr := normsync.ReadNorms(strings.NewReader(text))
		s, err := rules.Read(strings.NewReader(text), "-")
		require.NoError(t, err)
		require.Equal(t, wantErr == nil, s.Err() == nil, "%s\nReadNorms: %v\nRead: %v", text, wantErr, s.Err())
		if wantErr == nil {
			require.Equal(t, len(want), len(s.Norms))
			require.ElementsMatch(t, want, s.Norms)
		}
	}
}

func TestReadRefusesWhatIsNoTextFile(t *testing.T) {
	t.Run("UTF-16", func(t *testing.T) {
		var text bytes.Buffer
		text.WriteString("\xFF\xFE")
		for _, c := range utf16.Encode([]rune("[]")) {
			text.WriteByte(byte(c))
			text.WriteByte(byte(c >> 8))
		}
		write(t, "f.json", text.String())
		require.Equal(t, []string{"f.json:1:1: the file is in UTF-16; save it as UTF-8"}, problems(read(t, "f.json")))
	})
	t.Run("a directory", func(t *testing.T) {
		write(t)
		require.NoError(t, os.Mkdir("rules", 0o700))
		_, err := rules.Read(nil, "rules")
		require.EqualError(t, err, "normsync: read rules: rules is a directory; name the files in it, such as "+filepath.Join("rules", "*.json"))
	})
	t.Run("no file", func(t *testing.T) {
		write(t)
		_, err := rules.Read(nil, "f.json")
		require.ErrorIs(t, err, os.ErrNotExist)
		require.EqualError(t, err, `normsync: read rules: there is no file "f.json"; name a JSON file of rules`)
	})
	t.Run("a huge file", func(t *testing.T) {
		write(t, "f.json", "[")
		require.NoError(t, os.Truncate("f.json", 5<<30)) // takes no space
		_, err := rules.Read(nil, "f.json")
		require.EqualError(t, err, "normsync: read rules: f.json has more than 64 MiB; divide it into several files")
	})
	t.Run("an endless stream", func(t *testing.T) {
		_, err := rules.Read(endless{}, "-")
		require.ErrorContains(t, err, "the standard input has more than 64 MiB")
	})
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte("["), len(p))), nil }

func TestADeepTextIsRefused(t *testing.T) {
	s, err := rules.Read(strings.NewReader(strings.Repeat("[", 1<<20)), "-")
	require.NoError(t, err)
	require.Len(t, s.Problems, 1)
}

func TestAnErrorListsTwentyProblems(t *testing.T) {
	write(t, "f.json", "["+strings.Repeat("{},\n", 29)+"{}]")
	s := read(t, "f.json")
	require.Len(t, s.Problems, 30)
	lines := strings.Split(s.Err().Error(), "\n")
	require.Len(t, lines, 22)
	require.Equal(t, "normsync: read rules: 30 problems", lines[0])
	require.Contains(t, lines[20], "f.json:20:1: ")
	require.Equal(t, "and 10 more; normsync lint lists all", lines[21])
}

func TestTokenPlace(t *testing.T) {
	write(t, "f.json", "[{\"name\": \"a\",\n"+
		"\"condition\": \"nightmare night location:a|b* x\\\\|y caf\\u0065\",\n"+
		"\"prohibited\": \"walk\"}]")
	s := read(t, "f.json")
	require.NoError(t, s.Err())
	for _, test := range []struct {
		field, token string
		want         string
	}{
		{"Condition", "night", "f.json:2:25"},
		{"Condition", "location:a|b*", "f.json:2:31"},
		{"Condition", "location:a", "f.json:2:31"},
		{"Condition", "location:b*", "f.json:2:42"},
		{"Condition", `x\|y`, "f.json:2:45"},
		{"Condition", "cafe", "f.json:2:14"}, // the file has it with an escape
		{"Prohibited", "walk", "f.json:3:16"},
		{"Name", "a", "f.json:1:12"},
		{"Unless", "night", "f.json:1:2"}, // the file does not have the field
	} {
		require.Equal(t, test.want, s.TokenPlace("a", test.field, test.token).String(), "%+v", test)
	}
	require.Equal(t, "f.json:3:16", s.AnyTokenPlace(s.Norms[0], "walk").String())
	require.Equal(t, "f.json:1:11", s.AnyTokenPlace(s.Norms[0], "none").String())
	require.Equal(t, rules.Place{}, s.TokenPlace("b", "Condition", "night"))
	require.Equal(t, rules.Place{}, s.NormPlace("b"))
}
