package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.." // of the repository

// program builds the program once, and returns its path.
func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "normsync.exe") // Windows needs the suffix
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return path
}

// actionFile is action.yml as far as the tests need it.
type actionFile struct {
	defaults map[string]string // of the inputs, by name
	env      map[string]string // name of the input whose value a variable has
	outputs  []string
}

func readActionFile(t *testing.T, root string) actionFile {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "action.yml"))
	require.NoError(t, err)
	inputs, rest, ok := strings.Cut(string(text), "\noutputs:\n")
	require.True(t, ok)
	outputs, steps, ok := strings.Cut(rest, "\nruns:\n")
	require.True(t, ok)
	a := actionFile{map[string]string{}, map[string]string{}, nil}
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z-]+):\n    description: .*\n    default: (.*)$`).FindAllStringSubmatch(inputs, -1) {
		a.defaults[m[1]] = strings.Trim(m[2], `"`)
	}
	for _, m := range regexp.MustCompile(`(?m)^ +([A-Z_]+): \$\{\{ inputs\.([a-z-]+) \}\}$`).FindAllStringSubmatch(steps, -1) {
		a.env[m[1]] = m[2]
	}
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z-]+):\n    description: .*\n    value: \$\{\{ steps\.normsync\.outputs\.([a-z-]+) \}\}$`).FindAllStringSubmatch(outputs, -1) {
		require.Equal(t, m[1], m[2])
		a.outputs = append(a.outputs, m[1])
	}
	require.Len(t, a.env, len(a.defaults))
	require.Len(t, a.defaults, strings.Count(inputs, "    description:"), "each input has a default")
	require.Len(t, a.outputs, strings.Count(outputs, "    description:"))
	require.Equal(t, len(a.env), strings.Count(string(text), "${{ inputs."), "an input may be used in env only")
	return a
}

// step is what a run of the action's script did.
type step struct {
	code    int
	log     string
	summary string
	outputs map[string]string
}

// runStep runs the script of the action in the current folder as GitHub does.
func runStep(t *testing.T, script string, inputs map[string]string, env ...string) step {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("there is no bash")
	}
	temp := t.TempDir()
	summary, output := filepath.Join(temp, "summary"), filepath.Join(temp, "output")
	a := readActionFile(t, filepath.Dir(filepath.Dir(script)))
	cmd := exec.CommandContext(t.Context(), "bash", script)
	cmd.Env = append(os.Environ(), "RUNNER_TEMP="+temp, "GITHUB_STEP_SUMMARY="+summary, "GITHUB_OUTPUT="+output, "GITHUB_ACTION_PATH="+filepath.Dir(filepath.Dir(script)))
	for name, input := range a.env {
		value, ok := inputs[input]
		if !ok {
			value = a.defaults[input]
		}
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	for name := range inputs {
		require.Contains(t, a.defaults, name)
	}
	cmd.Env = append(cmd.Env, env...)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	err := cmd.Run()
	s := step{cmd.ProcessState.ExitCode(), log.String(), "", map[string]string{}}
	if err != nil {
		require.ErrorAs(t, err, new(*exec.ExitError))
	}
	if text, err := os.ReadFile(summary); err == nil {
		s.summary = string(text)
	}
	if text, err := os.ReadFile(output); err == nil {
		for line := range strings.Lines(string(text)) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			s.outputs[name] = value
			require.Contains(t, a.outputs, name)
		}
		require.Len(t, s.outputs, len(a.outputs))
	}
	return s
}

// commands returns the workflow commands of the log that GitHub would obey.
func (s step) commands() (commands []string) {
	stopped := ""
	for line := range strings.Lines(s.log) {
		line = strings.TrimSpace(line)
		switch token, stop := strings.CutPrefix(line, "::stop-commands::"); {
		case stopped != "":
			if line == "::"+stopped+"::" {
				stopped = ""
			}
		case stop:
			stopped = token
		case strings.HasPrefix(line, "::") || strings.HasPrefix(line, "##["):
			commands = append(commands, line)
		}
	}
	return commands
}

// example copies the example repository into a new folder, which becomes the current
// one, and returns the path of the script and the variable with the path of the program.
func example(t *testing.T) (script, bin string) {
	t.Helper()
	bin = "NORMSYNC_BIN=" + filepath.ToSlash(program(t))
	script, err := filepath.Abs(filepath.Join(root, ".github", "normsync-action.sh"))
	require.NoError(t, err)
	files, err := filepath.Abs("testdata/action-example")
	require.NoError(t, err)
	t.Chdir(t.TempDir())
	t.Setenv("NORMSYNC_STORE", "")
	require.NoError(t, os.CopyFS(".", os.DirFS(files)))
	return filepath.ToSlash(script), bin
}

func command(t *testing.T, bin string, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), strings.TrimPrefix(bin, "NORMSYNC_BIN="), args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func write(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
}

var exampleInputs = map[string]string{"rules": "rules/*.json", "actions": "log.jsonl"}

// with returns a copy of the inputs of the example with other values.
func with(pairs ...string) map[string]string {
	inputs := map[string]string{}
	for name, value := range exampleInputs {
		inputs[name] = value
	}
	for i := 0; i < len(pairs); i += 2 {
		inputs[pairs[i]] = pairs[i+1]
	}
	return inputs
}

func TestActionJudgesALog(t *testing.T) {
	script, bin := example(t)
	s := runStep(t, script, exampleInputs, bin)
	require.Equal(t, 1, s.code, s.log)
	report := s.outputs["report"]
	delete(s.outputs, "report")
	require.Equal(t, map[string]string{"violations": "2", "allowed": "3", "denied": "1", "faults": "0", "failed-tests": "0"}, s.outputs)
	text, err := os.ReadFile(report)
	require.NoError(t, err)
	require.Equal(t, s.summary, string(text))
	require.Contains(t, s.summary, "3 allowed, 1 denied.")
	require.Contains(t, s.summary, "| thief | steal | peace |")
	require.Equal(t, []string{"::error title=normsync::found: denied actions"}, s.commands())
	require.NoDirExists(t, ".normsync")

	s = runStep(t, script, with("fail-on-violation", "false"), bin)
	require.Equal(t, 0, s.code, s.log)
	require.Equal(t, "1", s.outputs["denied"])
	require.Empty(t, s.commands())

	s = runStep(t, script, with("actions", ""), bin)
	require.Equal(t, 0, s.code, s.log)
	require.Contains(t, s.summary, "Result: nothing was found.")
	require.Empty(t, s.outputs["denied"])
}

func TestActionReportsFaultsAndFailedTests(t *testing.T) {
	script, bin := example(t)
	write(t, "rules/more.json", `[{"name": "quiet", "condition": "!night", "prohibited": "shout"}]`)
	write(t, "extra.json", `{"tests": [{"name": "x", "action": {"action": "shout"}, "expect": "denied"}]}`)
	s := runStep(t, script, with("actions", "", "tests", "extra.json\n  \n"), bin)
	require.Equal(t, 1, s.code, s.log)
	require.Equal(t, "1", s.outputs["faults"])
	require.Equal(t, "1", s.outputs["failed-tests"])
	require.Equal(t, []string{
		`::warning file=rules/more.json,line=1,col=34,title=normsync lint::norm "quiet": Condition "!night": the ! is part of the word; write: Unless: night`,
		`::error file=extra.json,line=1,col=12,title=normsync test::test "x": expected denied, but it is allowed`,
		`::error title=normsync::found: faults of the rules, failed tests`,
	}, s.commands())
	s = runStep(t, script, with("actions", "", "tests", "extra.json", "fail-on-violation", "false"), bin)
	require.Equal(t, 0, s.code, s.log)

	// Invalid rules are an error in any case.
	write(t, "rules/more.json", `[{"name": "quiet", "prohibit": "shout"}]`)
	s = runStep(t, script, with("fail-on-violation", "false"), bin)
	require.Equal(t, 1, s.code, s.log)
	require.Contains(t, s.summary, "Result: found: faults of the rules; the rules are invalid, so nothing else was checked.")
	require.Contains(t, s.summary, "rules/more.json:1:20")
	require.Empty(t, s.outputs["denied"])
}

func TestActionReadsAStore(t *testing.T) {
	script, bin := example(t)
	s := runStep(t, script, map[string]string{}, bin)
	require.Equal(t, 2, s.code, s.log)
	require.Equal(t, []string{"::error title=normsync::there are no rules: name rule files in rules, or a store in db or store; there is no file .normsync/norms.db"}, s.commands())

	command(t, bin, "import", "rules/town.json")
	s = runStep(t, script, map[string]string{}, bin)
	require.Equal(t, 0, s.code, s.log)
	require.Equal(t, "0", s.outputs["violations"])

	// A log is judged by the norms of the store, and not recorded there.
	s = runStep(t, script, map[string]string{"actions": "log.jsonl", "tests": "rules/town_test.json"}, bin)
	require.Equal(t, 1, s.code, s.log)
	require.Equal(t, "1", s.outputs["denied"])
	require.Equal(t, "0", s.outputs["failed-tests"])
	require.Equal(t, "0", runStep(t, script, map[string]string{}, bin).outputs["violations"])

	// The report says what the files would change.
	write(t, "rules/town.json", `[{"name": "peace", "condition": "safe_zone", "prohibited": "attack steal rob"}]`)
	s = runStep(t, script, map[string]string{"rules": "rules/town.json"}, bin)
	require.Equal(t, 0, s.code, s.log)
	require.Contains(t, s.summary, "```diff\n~ peace\n    Description: \"No fighting in town.\" -> \"\"\n    Prohibited: \"attack steal\" -> \"attack steal rob\"\nPlan: 0 to add, 1 to amend, 0 to repeal, 0 unchanged.\n```\n")

	exec.CommandContext(t.Context(), strings.TrimPrefix(bin, "NORMSYNC_BIN="), "check", "--actions", "log.jsonl").Run() // exits with 1
	s = runStep(t, script, map[string]string{"store": "sqlite:.normsync/norms.db"}, bin)
	require.Equal(t, 1, s.code, s.log)
	require.Equal(t, "2", s.outputs["violations"])
	require.Contains(t, s.summary, "| thief | steal | peace |")

	write(t, "not.db", "not a database")
	s = runStep(t, script, map[string]string{"db": "not.db"}, bin)
	require.Equal(t, 2, s.code, s.log)
	require.Len(t, s.commands(), 1)
	require.Contains(t, s.commands()[0], "::error title=normsync::normsync export has failed: open store not.db: ")

	write(t, "broken.jsonl", `{"agent_id": "hero", "action": "attack"}`+"\n"+`{"agent_id": "hero", "action": 7}`+"\n")
	s = runStep(t, script, with("actions", "broken.jsonl"), bin)
	require.Equal(t, 2, s.code, s.log)
	require.Equal(t, []string{`::error title=normsync::normsync check has failed: invalid action in line 2, column 32: key "action": want a string, found a number`}, s.commands())
	require.Contains(t, s.log, "stopped behind action 1\n", "the user's store has no violations")
}

func TestActionRefusesWrongInputs(t *testing.T) {
	script, bin := example(t)
	for name, test := range map[string]struct{ input, value, want string }{
		"a pattern without a file": {"rules", "rules/*.json\nnosuch/*.json", "rules: no file matches nosuch/*.json"},
		"no log":                   {"actions", "nosuch.jsonl", "actions: there is no file nosuch.jsonl"},
		"a folder for a log":       {"actions", "rules", "actions: there is no file rules"},
		"neither true nor false":   {"fail-on-violation", "yes", "fail-on-violation is yes; use true or false"},
		"a command in a pattern":   {"rules", "$(touch hacked)`touch hacked`;touch hacked", "rules: no file matches $(touch hacked)`touch hacked`;touch hacked"},
		"a workflow command":       {"actions", "x\n::add-mask::%y", "actions: there is no file x%0A::add-mask::%25y"},
		"a flag for a log":         {"actions", "--help", "actions: there is no file ./--help"},
		"a command in a choice":    {"fail-on-violation", "$(touch hacked)", "fail-on-violation is $(touch hacked); use true or false"},
	} {
		t.Run(name, func(t *testing.T) {
			s := runStep(t, script, with(test.input, test.value), bin)
			require.Equal(t, 2, s.code, s.log)
			require.Equal(t, []string{"::error title=normsync::" + test.want}, s.commands())
			require.NoFileExists(t, "hacked")
			require.Empty(t, s.outputs)
		})
	}
	s := runStep(t, script, exampleInputs, "NORMSYNC_BIN=/nope")
	require.Equal(t, 2, s.code, s.log)
	require.Equal(t, []string{"::error title=normsync::NORMSYNC_BIN: there is no program /nope"}, s.commands())
	for _, version := range []string{"v1;touch hacked", "--help", "latest -x", "../../x"} {
		s := runStep(t, script, with("version", version), "NORMSYNC_BIN=")
		require.Equal(t, 2, s.code, s.log)
		require.Contains(t, s.commands()[0], "write a version such as v0.2.0, or latest")
		require.NoFileExists(t, "hacked")
	}
}

// What a pull request brings in its files cannot give GitHub commands, nor break the
// report.
func TestActionIsNotObeyingFiles(t *testing.T) {
	script, bin := example(t)
	write(t, "rules/-x --help.json", `[{"name": "::add-mask::peace", "description": "</details>`+"`"+`", "prohibited": "rob"}]`)
	write(t, "rules/::error::a|b.json", `{"norms": [{"name": "`+"```"+`", "prohibited": "x"}], "tests": [
		{"name": "::stop-commands::x\n::add-mask::y", "action": {"action": "a"}, "expect": "denied"}]}`)
	write(t, "log.jsonl", `{"agent_id": "::add-mask::z\n::error::w", "action": "rob", "timestamp": 1}`)
	require.NoError(t, os.Rename("rules/-x --help.json", "-x --help.json"))
	write(t, "-", `[]`) // not the standard input
	s := runStep(t, script, with("rules", "-*\nrules/*.json"), bin)
	require.Equal(t, 1, s.code, s.log)
	for _, c := range s.commands() {
		require.Regexp(t, `^::error (file=rules/%3A%3Aerror%3A%3Aa\|b\.json,line=2,col=3,title=normsync test::test |title=normsync::found: )`, c)
	}
	require.Len(t, s.commands(), 2)
	require.Contains(t, s.log, "::add-mask::")
	for line := range strings.Lines(s.summary) {
		require.False(t, strings.HasPrefix(line, "::"), line)
	}
	require.Equal(t, "1", s.outputs["denied"])
}

// A path can have the signs of patterns. A file with the name of a pattern does not hide
// the files that match it.
func TestActionTakesPathsAndPatterns(t *testing.T) {
	script, bin := example(t)
	write(t, "[old].json", `[{"name": "x", "prohibited": "x"}]`)
	s := runStep(t, script, map[string]string{"rules": "[old].json"}, bin)
	require.Equal(t, 0, s.code, s.log)
	require.Contains(t, s.summary, "0 faults in 1 norm.")
	write(t, "o.json", `[{"name": "broken"}]`)
	write(t, "*.json", `[]`)
	for _, pattern := range []string{"[old].json", "*.json"} {
		s = runStep(t, script, map[string]string{"rules": pattern}, bin)
		require.Equal(t, 1, s.code, s.log)
		require.Contains(t, s.log, "o.json:1:2")
	}
}

// Without NORMSYNC_BIN the script builds the program from the action's own folder.
func TestActionBuildsTheProgram(t *testing.T) {
	script, _ := example(t)
	s := runStep(t, script, with("actions", ""), "NORMSYNC_BIN=", "GITHUB_ACTION_PATH=")
	require.Equal(t, 0, s.code, s.log)
	require.Equal(t, "0", s.outputs["faults"])
}

// What docs/github-action.md shows is in the files that it names, or comes out of the
// script.
func TestDocsOfTheAction(t *testing.T) {
	file, err := filepath.Abs(filepath.Join(root, "docs", "github-action.md"))
	require.NoError(t, err)
	a := readActionFile(t, root)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	page := strings.ReplaceAll(string(text), "\r\n", "\n")
	script, bin := example(t)
	s := runStep(t, script, exampleInputs, bin)

	blocks := 0
	checkPage(t, file, func(title, _, _ string) string {
		blocks++
		if title == "GITHUB_STEP_SUMMARY" {
			return s.summary
		}
		text, err := os.ReadFile(title)
		require.NoError(t, err)
		return strings.ReplaceAll(string(text), "\r\n", "\n")
	})
	require.Equal(t, 5, blocks)

	// The tables name each input and each output.
	rows := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| (?:`([^`]*)`|([a-z ]+)) \\|").FindAllStringSubmatch(page, -1) {
		rows[m[1]] = m[2]
	}
	for name, value := range a.defaults {
		got, ok := rows[name]
		require.True(t, ok, "input %s is not in the table", name)
		require.Equal(t, value, got, "the default of %s", name)
	}
	for _, name := range a.outputs {
		require.Contains(t, page, "| `"+name+"` |")
	}
	// The workflow uses inputs that exist.
	_, inputs, _ := strings.Cut(page, "        with:\n")
	for line := range strings.Lines(inputs) {
		name, _, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok || !strings.HasPrefix(line, "          ") {
			break
		}
		require.Contains(t, a.defaults, name)
	}
}

func TestActionScriptIsClean(t *testing.T) {
	path, err := exec.LookPath("shellcheck")
	if err != nil {
		t.Skip("shellcheck is not installed")
	}
	out, err := exec.CommandContext(t.Context(), path, filepath.Join(root, ".github", "normsync-action.sh")).CombinedOutput()
	require.NoError(t, err, "%s", out)
}
