package normsync_test

import (
	"fmt"
	"net/url"
	"os"
	"path"
	"strings"
	"time"

	"github.com/normsync/normsync"
)

// Tool calls of an agent become actions, and a default-deny constitution judges them.
func Example_toolCalls() {
	// toAction turns a tool call into an action, or refuses what it does not understand.
	toAction := func(agent, faction, tool string, args map[string]string) (normsync.Action, error) {
		a := normsync.Action{Agent: agent, Faction: faction, Verb: tool, Time: time.Now().UTC()}
		if tool == "" || strings.ContainsFunc(tool, func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' }) {
			return a, fmt.Errorf("%q is not the name of a tool", tool) // such as two names with a space between them
		}
		word := func(s string) string { return (&url.URL{Path: s}).EscapedPath() } // escapes white space
		switch tool {
		case "read_file", "list_files", "write_file":
			name := args["path"]
			if !path.IsAbs(name) {
				name = path.Join("/work", name)
			}
			name = path.Clean(name)
			a.Target = word(name)
			if rest, ok := strings.CutPrefix(name+"/", "/work/"); ok {
				a.Facts = "inside"
				if strings.HasPrefix(rest, ".") || strings.Contains(rest, "/.") {
					a.Facts += " hidden"
				}
			}
		case "run":
			command := args["command"]
			if strings.ContainsAny(command, ";&|<>$`\\\"'(){}[]*?~#!\n") {
				return a, fmt.Errorf("%q is for a shell; name one program and its arguments", command)
			}
			program, _, _ := strings.Cut(command, " ")
			program = strings.TrimPrefix(path.Clean(program), "/usr/bin/") // but not another folder: /tmp/df is not df
			a.Target = word(program)
		case "deploy":
			a.Location = word(args["environment"])
		}
		return a, nil
	}

	norms, err := normsync.ReadNormsFS(os.DirFS("testdata/agents"), "tools.json")
	check(err)
	monitor, err := normsync.NewMonitor(norms...)
	check(err)
	for _, call := range []struct{ faction, tool, argument, value string }{
		{"coder", "read_file", "path", "src/main.go"},
		{"coder", "read_file", "path", "../../etc/passwd"},
		{"coder", "write_file", "path", ".git/hooks/pre-commit"},
		{"coder", "run", "command", "/usr/bin/df -h"},
		{"coder", "run", "command", "/tmp/df -h"},
		{"coder", "run", "command", "/bin/rm -rf build"},
		{"coder", "run", "command", "ls;rm -rf /"},
		{"coder", "read_file send_mail", "path", "src/main.go"},
		{"coder", "", "path", "src/main.go"},
		{"coder", "send_mail", "to", "all"},
		{"deployer", "deploy", "environment", "staging"},
		{"deployer", "deploy", "environment", "production"},
	} {
		fmt.Printf("%q %q: ", call.tool, call.value)
		action, err := toAction("agent-7", call.faction, call.tool, map[string]string{call.argument: call.value})
		if err != nil {
			fmt.Println("refused:", err)
			continue
		}
		if monitor.Allows(action) { // now call the tool, with the cleaned path and not with what the agent wrote
			fmt.Println("allowed")
			continue
		}
		fmt.Printf("denied by %q\n", monitor.Check(action)[0].NormName)
	}
	// Output:
	// "read_file" "src/main.go": allowed
	// "read_file" "../../etc/passwd": denied by "deny by default"
	// "write_file" ".git/hooks/pre-commit": denied by "deny by default"
	// "run" "/usr/bin/df -h": allowed
	// "run" "/tmp/df -h": denied by "deny by default"
	// "run" "/bin/rm -rf build": denied by "deny by default"
	// "run" "ls;rm -rf /": refused: "ls;rm -rf /" is for a shell; name one program and its arguments
	// "read_file send_mail" "src/main.go": refused: "read_file send_mail" is not the name of a tool
	// "" "src/main.go": refused: "" is not the name of a tool
	// "send_mail" "all": denied by "deny by default"
	// "deploy" "staging": allowed
	// "deploy" "production": denied by "production needs approval"
}
