package normsync

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func readme(t *testing.T) string {
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	return string(text)
}

var readmeBlock = regexp.MustCompile("(?s)(<!-- (Example\\w*) -->\n)?```go\n(.*?)```\n")

// Go in README.md is the body of the example that is named before it.
func TestREADMEExamples(t *testing.T) {
	bodies := exampleBodies(t)
	text, recipes := readme(t), 0
	mended := readmeBlock.ReplaceAllStringFunc(text, func(block string) string {
		m := readmeBlock.FindStringSubmatch(block)
		require.NotEmpty(t, m[2], "a block of Go has no line <!-- Example_name --> before it:\n%s", block)
		body, ok := bodies[m[2]]
		require.True(t, ok, "there is no example %s in example*_test.go", m[2])
		recipes++
		return m[1] + "```go\n" + body + "```\n"
	})
	require.GreaterOrEqual(t, recipes, 11)
	require.Equal(t, strings.Count(text, "```go\n"), recipes)
	if *update {
		require.NoError(t, os.WriteFile("README.md", []byte(mended), 0o644))
		return
	}
	if mended != text {
		t.Fatalf("README.md differs from the examples. %s\nThe examples lead; run: go test -run '^TestREADMEExamples$' . -update", firstDifference(text, mended))
	}
}

// firstDifference shows the first line in which two texts differ.
func firstDifference(is, should string) string {
	a, b := strings.Split(is, "\n"), strings.Split(should, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return "It says:\n\t" + a[i] + "\nwhere the example says:\n\t" + b[i]
		}
	}
	return "One ends before the other."
}

// exampleBodies returns the bodies of examples, without their indentation.
func exampleBodies(t *testing.T) map[string]string {
	files, err := filepath.Glob("example*_test.go")
	require.NoError(t, err)
	bodies := map[string]string{}
	for _, name := range files {
		source, err := os.ReadFile(name)
		require.NoError(t, err)
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, source, 0)
		require.NoError(t, err)
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Example") {
				body := string(source[fset.Position(f.Body.Lbrace).Offset+2 : fset.Position(f.Body.Rbrace).Offset])
				bodies[f.Name.Name] = strings.ReplaceAll(strings.TrimPrefix(body, "\t"), "\n\t", "\n")
			}
		}
	}
	return bodies
}

var readmeCode = regexp.MustCompile("`([^`]*)`")

// readmeTable returns the cells of the rows below a header.
func readmeTable(t *testing.T, header string) (rows [][]string) {
	_, rest, ok := strings.Cut(readme(t), "\n"+header+"\n")
	require.True(t, ok, "README.md has no table %s", header)
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		if cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|"); !strings.HasPrefix(cells[0], " ---") {
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			rows = append(rows, cells)
		}
	}
	require.NotEmpty(t, rows)
	return rows
}

// The table of examples says what the library does.
func TestMatchingTable(t *testing.T) {
	rows := readmeTable(t, "| Norms | Action | Violated |")
	require.GreaterOrEqual(t, len(rows), 15)
	for _, cells := range rows {
		require.Len(t, cells, 3)
		var texts []string
		for _, code := range readmeCode.FindAllStringSubmatch(cells[0], -1) {
			texts = append(texts, code[1])
		}
		norms, err := ReadNorms(strings.NewReader("[" + strings.Join(texts, ",") + "]"))
		require.NoError(t, err, "%s", cells[0])
		require.NotEmpty(t, norms)
		c, err := Compile(norms...)
		require.NoError(t, err)
		var a Action
		require.NoError(t, json.Unmarshal([]byte(strings.Trim(cells[1], "`")), &a), "%s", cells[1])
		require.NotEmpty(t, a.Verb, "%s has the keys of an action", cells[1])
		var names []string
		for _, v := range c.Check(a) {
			names = append(names, v.NormName)
		}
		require.Equal(t, cells[2], strings.Join(names, " "), "%s\n%s", cells[0], cells[1])
	}
}

// Each name of the Python tool is in the table, and what it reads like in Go
// stands in an example, which is compiled and run.
func TestREADMEPython(t *testing.T) {
	body := exampleBodies(t)["Example_python"]
	var names []string
	for _, cells := range readmeTable(t, "| Python | Go | In Go it reads |") {
		names = append(names, strings.Trim(cells[0], "`"))
		snippet := strings.Trim(cells[2], "`")
		require.Contains(t, body, snippet, "Example_python has not what README.md shows for %s", cells[0])
	}
	require.ElementsMatch(t, []string{"WorldNorm", "AgentAction", "NormViolation", "NormRevision", "NormMonitor", "NormStore",
		"NormVersionStore", "print_violations", "to_json", "to_markdown"}, names)
}

// What README.md tells a newcomer to run is what is run on every change.
func TestREADMECommands(t *testing.T) {
	script, err := os.ReadFile(".ci/run")
	require.NoError(t, err)
	_, block, ok := strings.Cut(readme(t), "```sh\n")
	require.True(t, ok)
	block, _, _ = strings.Cut(block, "```")
	commands := strings.Split(strings.TrimSpace(block), "\n")
	require.Equal(t, []string{"go run ./internal/demo", "go test ./..."}, commands)
	for _, command := range commands {
		require.Regexp(t, `(?m)^(GOFLAGS=\S+( -count=1")? )?`+regexp.QuoteMeta(command)+`$`, string(script))
	}
}

// Files and tests that the documents name are there.
func TestDocumentsNameWhatIsThere(t *testing.T) {
	documents, err := filepath.Glob("*.md")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(documents), 4)
	file := regexp.MustCompile("\\]\\(([^)#:]+)\\)|[` ](internal/[a-z]+|[a-z_/]+\\.go)`")
	test := regexp.MustCompile("`((?:Test|Fuzz|Example)[A-Z_]\\w+)`")
	tests, named := testNames(t), 0
	for _, name := range documents {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, m := range file.FindAllStringSubmatch(string(text), -1) {
			_, err := os.Stat(m[1] + m[2])
			require.NoError(t, err, "%s names it", name)
			named++
		}
		for _, m := range test.FindAllStringSubmatch(string(text), -1) {
			require.True(t, tests[m[1]] || m[1] == "TestStore", "%s names %s", name, m[1])
			named++
		}
	}
	require.Greater(t, named, 30)
}
