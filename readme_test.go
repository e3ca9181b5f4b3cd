package normsync

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// docPages returns the texts of README.md and of the pages in docs by name.
func docPages(t *testing.T) map[string]string {
	names, err := filepath.Glob("docs/*.md")
	require.NoError(t, err)
	pages := map[string]string{}
	for _, name := range append(names, "README.md") {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		pages[name] = string(text)
	}
	require.Greater(t, len(pages), 5)
	return pages
}

var goBlock = regexp.MustCompile("(?s)(<!-- (Example\\w*) -->\n)?```go\n(.*?)```\n")

// A block of Go in a page is the body of the example that the comment before
// it names, so it is compiled and its output is compared.
func TestDocsShowExamples(t *testing.T) {
	bodies := exampleBodies(t)
	shown := map[string]bool{}
	for name, text := range docPages(t) {
		want := goBlock.ReplaceAllStringFunc(text, func(block string) string {
			m := goBlock.FindStringSubmatch(block)
			require.NotEmpty(t, m[2], "%s: put a line <!-- Example_name --> before this block:\n%s", name, block)
			require.Contains(t, bodies, m[2], "%s: example_test.go and example_recipes_test.go have no such example", name)
			shown[m[2]] = true
			return m[1] + "```go\n" + bodies[m[2]] + "```\n"
		})
		require.Equal(t, strings.Count(text, "```go\n"), len(goBlock.FindAllString(text, -1)), name)
		if *update {
			require.NoError(t, os.WriteFile(name, []byte(want), 0o644))
			continue
		}
		require.Equal(t, want, text, "%s differs from the examples; to copy them, run: go test -run TestDocsShowExamples . -update", name)
	}
	for name, body := range bodies {
		require.Contains(t, body, "// Output:", "%s has no output", name)
		require.True(t, shown[name] || !strings.HasPrefix(name, "Example_") || name == "Example_python", "no page shows %s", name)
	}
}

// exampleBodies returns the bodies of the examples by name, unindented.
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

// tableRows returns the cells of the rows of the table in a page that has the
// given header.
func tableRows(t *testing.T, page, header string) (rows [][]string) {
	_, rest, ok := strings.Cut(docPages(t)[page], "\n"+header+"\n")
	require.True(t, ok, "%s has no table %s", page, header)
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		if strings.HasPrefix(line, "| ---") {
			continue
		}
		line = strings.ReplaceAll(strings.TrimSpace(line), `\|`, "\x00") // a bar within a cell
		cells := strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "|"), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(strings.ReplaceAll(cells[i], "\x00", "|"))
		}
		rows = append(rows, cells)
	}
	return rows
}

// The rows of docs/matching.md say what the library does.
func TestMatchingTable(t *testing.T) {
	code := regexp.MustCompile("`([^`]*)`")
	rows := tableRows(t, "docs/matching.md", "| Norms | Action | Violated |")
	require.GreaterOrEqual(t, len(rows), 20)
	for _, cells := range rows {
		require.Len(t, cells, 3)
		var texts []string
		for _, m := range code.FindAllStringSubmatch(cells[0], -1) {
			texts = append(texts, m[1])
		}
		norms, err := ReadNorms(strings.NewReader("[" + strings.Join(texts, ",") + "]"))
		require.NoError(t, err, cells[0])
		require.NotEmpty(t, norms)
		c, err := Compile(norms...)
		require.NoError(t, err)
		var a Action
		require.NoError(t, json.Unmarshal([]byte(strings.Trim(cells[1], "`")), &a), cells[1])
		require.NotEmpty(t, a.Verb, "%s needs the keys of an action", cells[1])
		var names []string
		for _, v := range c.Check(a) {
			names = append(names, v.NormName)
		}
		require.Equal(t, cells[2], strings.Join(names, " "), "%s\n%s", cells[0], cells[1])
	}
}

// The table has each rule that looks right and never meets what its author
// meant, with what Validate, Lint or Cover says of it.
func TestSilentRulesTable(t *testing.T) {
	var rules []string
	for _, cells := range tableRows(t, "docs/matching.md", "| You write | You get | It says |") {
		require.Len(t, cells, 3)
		rule := strings.Trim(cells[0], "`")
		rules = append(rules, rule)
		n := Norm{Name: "n", Condition: rule, Prohibited: "trade"}
		err, warnings := n.Validate(), Lint([]Norm{n})
		var said []string
		switch cells[1] {
		case "error":
			require.ErrorIs(t, err, ErrInvalid, rule)
			said = append(said, strings.TrimPrefix(err.Error(), `normsync: invalid norm "n": Condition: `))
		case "warning":
			require.NoError(t, err, rule)
			for _, w := range warnings {
				said = append(said, w.Detail+"; write "+w.Suggestion)
			}
		case "meaning":
			require.NoError(t, err, rule)
			require.Empty(t, warnings, rule)
			continue
		default:
			require.Fail(t, "unknown result", "%s: %s", rule, cells[1])
		}
		require.Equal(t, []string{cells[2]}, said, rule)
	}
	require.ElementsMatch(t, []string{"verb:attack", "agent_id:hero", "!night", "safe_zone OR arena", "health<20", "location:safe_zone,market",
		"safe_zone|arena", "locaton:bank"}, rules[:8])

	c, err := Compile(Norm{Name: "n", Condition: "safezone", Prohibited: "trade"})
	require.NoError(t, err)
	coverage := Cover(c, slices.Values([]Action{{Verb: "trade", Location: "safe_zone"}}))
	require.Equal(t, []UnseenToken{{Token: "safezone", Nearest: "safe_zone"}}, coverage[0].Unseen)
}

// Each token in README.md's table is found in the one action and not in the
// other.
func TestREADMETokens(t *testing.T) {
	rows := tableRows(t, "README.md", "| Token | Found if | Found in | Not found in |")
	require.GreaterOrEqual(t, len(rows), 5)
	for _, cells := range rows {
		require.Len(t, cells, 4)
		c, err := Compile(Norm{Name: "n", Condition: strings.Trim(cells[0], "`"), Prohibited: "*"})
		require.NoError(t, err)
		for i, found := range []bool{true, false} {
			a := Action{Verb: "walk"}
			require.NoError(t, json.Unmarshal([]byte(strings.Trim(cells[2+i], "`")), &a), cells[2+i])
			if a.Verb == "" {
				a.Verb = "walk"
			}
			require.Equal(t, !found, c.Allows(a), "%s in %s", cells[0], cells[2+i])
		}
	}
}

// The table has each name of the Python tool, and Example_python runs the Go
// code in it.
func TestPythonTable(t *testing.T) {
	body := exampleBodies(t)["Example_python"]
	var names []string
	for _, cells := range tableRows(t, "docs/python.md", "| Python | Go | In Go it reads |") {
		names = append(names, strings.Trim(cells[0], "`"))
		require.Contains(t, body, strings.Trim(cells[2], "`"), "Example_python does not have the code for %s", cells[0])
	}
	require.ElementsMatch(t, []string{"WorldNorm", "AgentAction", "NormViolation", "NormRevision", "NormMonitor", "NormStore",
		"NormVersionStore", "print_violations", "to_json", "to_markdown"}, names)
}

// CI runs the commands that the pages tell a reader to run.
func TestDocsCommands(t *testing.T) {
	files, err := filepath.Glob(".github/workflows/*.yml")
	require.NoError(t, err)
	var ci strings.Builder
	for _, name := range append(files, ".ci/run") {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		ci.Write(text)
	}
	block := regexp.MustCompile("(?s)```sh\n(.*?)```")
	for name, text := range docPages(t) {
		for _, m := range block.FindAllStringSubmatch(text, -1) {
			for line := range strings.Lines(m[1]) {
				command, _, _ := strings.Cut(line, "#")
				command = strings.TrimSpace(command)
				require.Regexp(t, `(?m)(^|run: |-count=1" |\t)`+regexp.QuoteMeta(command)+`$`, ci.String(), "%s: CI does not run this command", name)
			}
		}
	}
	require.Contains(t, docPages(t)["README.md"], "```sh\ngo run ./internal/demo\ngo test ./...\n```", "the two commands that do all the set-up")
}

// The layout in CONTRIBUTING.md names every source file and every package.
func TestLayoutIsComplete(t *testing.T) {
	text, err := os.ReadFile("CONTRIBUTING.md")
	require.NoError(t, err)
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	packages, err := filepath.Glob("internal/*")
	require.NoError(t, err)
	for _, name := range append(files, packages...) {
		if name != "doc.go" && !strings.HasSuffix(name, "_test.go") {
			require.True(t, strings.Contains(string(text), "`"+filepath.ToSlash(name)+"`"), "add %s to the layout in CONTRIBUTING.md", name)
		}
	}
}

func TestREADMEIsShort(t *testing.T) {
	require.Less(t, len(docPages(t)["README.md"]), 10_000)
}

// The files, tests and examples that the pages name exist.
func TestDocsNameWhatExists(t *testing.T) {
	pages := docPages(t)
	for _, name := range []string{"CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"} {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		pages[name] = string(text)
	}
	link := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	path := regexp.MustCompile("[` ](internal/[a-z/]+|[a-z_/]+\\.go)`")
	test := regexp.MustCompile("`((?:Test|Fuzz|Example)[A-Z_]\\w+)`")
	tests, named := testNames(t), 0
	for name, text := range pages {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			require.FileExists(t, filepath.Join(filepath.Dir(name), m[1]), "%s links to it", name)
			named++
		}
		for _, m := range path.FindAllStringSubmatch(text, -1) {
			_, err := os.Stat(m[1])
			require.NoError(t, err, "%s names it", name)
			named++
		}
		for _, m := range test.FindAllStringSubmatch(text, -1) {
			require.True(t, tests[m[1]] || m[1] == "TestStore", "%s names %s", name, m[1])
			named++
		}
	}
	require.Greater(t, named, 30)
}
