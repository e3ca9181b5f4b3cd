package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"
)

// program returns the path of the program, which it builds once.
func program(t *testing.T) string {
	t.Helper()
	path, err := buildProgram()
	require.NoError(t, err)
	return path
}

var buildProgram = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "normsync-program")
	if err != nil {
		return "", err
	}
	removeAtEnd = append(removeAtEnd, dir)
	path := filepath.Join(dir, "normsync")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	out, err := exec.Command("go", "build", "-o", path, "github.com/normsync/normsync/cmd/normsync").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

var removeAtEnd []string

func TestMain(m *testing.M) {
	code := m.Run()
	for _, dir := range removeAtEnd {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// connectMCP connects to an MCP server. Updates get the URIs of resources that change.
func connectMCP(t *testing.T, transport mcp.Transport, updates chan<- string) *mcp.ClientSession {
	t.Helper()
	o := &mcp.ClientOptions{ResourceUpdatedHandler: func(_ context.Context, r *mcp.ResourceUpdatedNotificationRequest) {
		updates <- r.Params.URI
	}}
	if updates == nil {
		o = nil
	}
	session, err := mcp.NewClient(&mcp.Implementation{Name: "tester", Version: "1"}, o).Connect(t.Context(), transport, nil)
	require.NoError(t, err)
	t.Cleanup(func() { session.Close() })
	return session
}

// startMCP starts a command of the program as a client would.
func startMCP(t *testing.T, updates chan<- string, args ...string) *mcp.ClientSession {
	t.Helper()
	cmd := exec.Command(program(t), args...)
	cmd.Stderr = os.Stderr
	return connectMCP(t, &mcp.CommandTransport{Command: cmd}, updates)
}

// callMCP calls a tool and returns its texts.
func callMCP(t *testing.T, session *mcp.ClientSession, name string, arguments any) string {
	t.Helper()
	res, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: name, Arguments: arguments})
	require.NoError(t, err)
	require.False(t, res.IsError, "%v", res.Content)
	var texts []string
	for _, c := range res.Content {
		texts = append(texts, c.(*mcp.TextContent).Text)
	}
	return strings.Join(texts, "\n")
}

func toolNames(t *testing.T, session *mcp.ClientSession) (names []string) {
	t.Helper()
	for tool, err := range session.Tools(t.Context(), nil) {
		require.NoError(t, err)
		names = append(names, tool.Name)
	}
	return names
}

// The command line and MCP clients see one store, and hear of each other's changes.
func TestMCPAndTheCommandLineShareAStore(t *testing.T) {
	db := filepath.Join(t.TempDir(), "new", "norms.db")
	updates := make(chan string, 100)
	session := startMCP(t, updates, "mcp", "--db", db)
	require.NoError(t, session.Subscribe(t.Context(), &mcp.SubscribeParams{URI: "normsync://constitution"}))
	require.Equal(t, "devel", strings.Split(session.InitializeResult().ServerInfo.Version, "+")[0][:5], "a build of a working copy")

	runOK(t, "add", "peace", "No fights.", "safe_zone", "attack", "--db", db)
	awaitUpdate(t, updates, "peace", db)
	attack := map[string]any{"agent_id": "hero", "action": "attack", "location": "safe_zone"}
	require.Contains(t, callMCP(t, session, "check_action", attack), "Denied.")
	require.Contains(t, runOK(t, "violations", "--db", db), "peace")
	runOK(t, "repeal", "peace", "--db", db)
	require.Contains(t, callMCP(t, session, "check_action", attack), "Allowed.")
	callMCP(t, session, "add_norm", map[string]any{"name": "war", "description": "", "condition": "", "prohibited": "trade"})
	require.Contains(t, runOK(t, "norms", "--db", db), "war")
	require.NoError(t, session.Close(), "the program ends well when its input does")
}

// awaitUpdate changes a norm until a client is notified. One change would not do: since
// the protocol of July 2026, Subscribe returns before the server has the subscription.
func awaitUpdate(t *testing.T, updates <-chan string, norm, db string) {
	t.Helper()
	for i := range 300 {
		runOK(t, "amend", norm, "--priority", strconv.Itoa(i+1), "--db", db)
		select {
		case uri := <-updates:
			require.Equal(t, "normsync://constitution", uri)
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
	require.Fail(t, "nobody was notified of the changes")
}

func runOK(t *testing.T, args ...string) string {
	t.Helper()
	var out, stderr bytes.Buffer
	require.Equal(t, exitFine, Main(t.Context(), args, strings.NewReader(""), &out, &stderr), "%s: %s", args, &stderr)
	return out.String()
}

func TestMCPReadOnlyMakesNoStore(t *testing.T) {
	db := filepath.Join(t.TempDir(), "norms.db")
	cmd := exec.Command(program(t), "mcp", "--read-only", "--db", db)
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Equal(t, exitError, cmd.ProcessState.ExitCode())
	require.Contains(t, string(out), "create it by normsync add or normsync import")
	require.NoFileExists(t, db)

	runOK(t, "add", "peace", "", "", "attack", "--db", db)
	session := startMCP(t, nil, "mcp", "--read-only", "--db", db)
	require.NotContains(t, toolNames(t, session), "add_norm")
	require.Contains(t, callMCP(t, session, "check_action", map[string]any{"agent_id": "a", "action": "attack"}), "Denied.")
}

func TestMCPSaysThatAnotherProgramWritesTheStore(t *testing.T) {
	store := "file:" + filepath.Join(t.TempDir(), "norms")
	startMCP(t, nil, "mcp", "--store", store)
	cmd := exec.Command(program(t), "mcp", "--store", store)
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Equal(t, exitError, cmd.ProcessState.ExitCode())
	require.Contains(t, string(out), "normsync: store is locked: open store "+strings.TrimPrefix(store, "file:"))
	startMCP(t, nil, "mcp", "--read-only", "--store", store)
}

// A signal ends the program well, though its client keeps the connection.
func TestMCPEndsBySignal(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no signal to end a process well")
	}
	cmd := exec.Command(program(t), "mcp", "--db", filepath.Join(t.TempDir(), "norms.db"))
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	defer in.Close()
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = in.Write([]byte("?\n"))
	require.NoError(t, err)
	answers := bufio.NewReader(out)
	line, err := answers.ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "send one JSON-RPC message per line")
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	stuck := time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() })
	defer stuck.Stop()
	_, err = answers.ReadString('\n')
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, cmd.Wait())
}

// served is a server that runs.
type served struct {
	url     string
	process *os.Process
	stderr  *bytes.Buffer // to be read when it has ended
	ended   chan error
}

// startServer starts normsync serve on a free port.
func startServer(t *testing.T, token string, args ...string) served {
	t.Helper()
	cmd := exec.Command(program(t), append([]string{"serve", "--addr", "127.0.0.1:0", "--json"}, args...)...)
	cmd.Env = append(os.Environ(), tokenEnv+"="+token)
	s := served{stderr: new(bytes.Buffer), ended: make(chan error, 1)}
	cmd.Stderr = io.MultiWriter(os.Stderr, s.stderr)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	s.process = cmd.Process
	line, readErr := bufio.NewReader(out).ReadString('\n')
	go func() { s.ended <- cmd.Wait() }()
	t.Cleanup(func() { cmd.Process.Kill() })
	require.NoError(t, readErr)
	var started struct{ URL string }
	require.NoError(t, json.Unmarshal([]byte(line), &started))
	s.url = started.URL
	return s
}

// headers is a transport that sends headers with each request.
type headers map[string]string

func (h headers) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for name, value := range h {
		r.Header.Set(name, value)
	}
	return http.DefaultTransport.RoundTrip(r)
}

func TestServeOffersMCPToThoseWhoHaveTheToken(t *testing.T) {
	db := filepath.Join(t.TempDir(), "norms.db")
	server := startServer(t, "secret", "--db", db)
	_, err := mcp.NewClient(&mcp.Implementation{Name: "tester", Version: "1"}, nil).
		Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: server.url + "/mcp"}, nil)
	require.ErrorContains(t, err, "Unauthorized")

	client := &http.Client{Transport: headers{"Authorization": "Bearer secret"}}
	updates := make(chan string, 100)
	session := connectMCP(t, &mcp.StreamableClientTransport{Endpoint: server.url + "/mcp", HTTPClient: client, MaxRetries: -1}, updates)
	require.NoError(t, session.Subscribe(t.Context(), &mcp.SubscribeParams{URI: "normsync://constitution"}))
	callMCP(t, session, "add_norm", map[string]any{"name": "peace", "description": "", "condition": "", "prohibited": "attack"})
	awaitUpdate(t, updates, "peace", db)
	require.Contains(t, callMCP(t, session, "check_action", map[string]any{"agent_id": "a", "action": "attack"}), "Denied.")
	if runtime.GOOS == "windows" {
		return // which has no signal to end a process well
	}
	require.NoError(t, server.process.Signal(os.Interrupt))
	select {
	case err := <-server.ended:
		require.NoError(t, err)
		require.NotContains(t, server.stderr.String(), "requests were cut off", "an open stream of notifications does not keep the server")
	case <-time.After(time.Minute):
		require.FailNow(t, "the server does not end")
	}
	require.Contains(t, runOK(t, "violations", "--db", db), "peace")
}

// A proxy in front of a server with a token may pass on its own host name. Without a
// token other names are refused.
func TestMCPBehindAProxy(t *testing.T) {
	const hello = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`
	for token, want := range map[string]int{"secret": http.StatusOK, "": http.StatusMisdirectedRequest} {
		server := startServer(t, token, "--db", filepath.Join(t.TempDir(), "norms.db"))
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.url+"/mcp", strings.NewReader(hello))
		require.NoError(t, err)
		r.Host = "normsync.example"
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		res, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		res.Body.Close()
		require.Equal(t, want, res.StatusCode)
	}
}

var mcpBlock = regexp.MustCompile("(?s)```(\\w+)\n(.*?)```\n")

// Each block in docs/mcp.md works: the configurations name commands and addresses to
// which a client can connect, and the example returns what the page says.
func TestDocsOfMCP(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/mcp.md")
	require.NoError(t, err)
	db := filepath.Join(t.TempDir(), "norms.db")
	runOK(t, "add", "peace", "No fights.", "safe_zone", "attack", "--advice", "Draw your sword outside of the town.", "--db", db)
	server := startServer(t, "TOKEN", "--db", db)

	start := func(words []string, readOnly bool) {
		require.Equal(t, "normsync", words[0])
		args := strings.Split(strings.ReplaceAll(strings.Join(words[1:], "\x00"), "/home/zoe/world.db", db), "\x00")
		require.Contains(t, args, db)
		require.Equal(t, readOnly, !slices.Contains(toolNames(t, startMCP(t, nil, args...)), "add_norm"))
	}
	dial := func(url string, h headers) {
		require.Equal(t, "http://127.0.0.1:8000/mcp", url)
		transport := &mcp.StreamableClientTransport{Endpoint: server.url + "/mcp", HTTPClient: &http.Client{Transport: h}}
		require.Contains(t, toolNames(t, connectMCP(t, transport, nil)), "add_norm")
	}
	type entry struct {
		Type, Command, URL string
		Args               []string
		Headers            map[string]string
	}
	commands, urls, lines := 0, 0, 0
	var example string
	for _, m := range mcpBlock.FindAllStringSubmatch(strings.ReplaceAll(string(page), "\r\n", "\n"), -1) {
		switch language, text := m[1], m[2]; language {
		case "json":
			d := json.NewDecoder(strings.NewReader(text))
			var config struct {
				MCPServers, Servers map[string]entry
				Agent               string `json:"agent_id"`
				Action, Location    string
			}
			d.DisallowUnknownFields()
			require.NoError(t, d.Decode(&config), text)
			if config.Agent != "" {
				example = callMCP(t, startMCP(t, nil, "mcp", "--db", db), "check_action", json.RawMessage(text)) + "\n"
				continue
			}
			servers := config.MCPServers
			if servers == nil {
				servers = config.Servers
			}
			require.Len(t, servers, 1, text)
			if e := servers["normsync"]; e.Command != "" {
				commands++
				start(append([]string{e.Command}, e.Args...), slices.Contains(e.Args, "--read-only"))
			} else {
				urls++
				dial(e.URL, e.Headers)
			}
		case "text":
			require.Equal(t, text, example)
		case "jsonl":
			var out, stderr bytes.Buffer
			require.Equal(t, exitFine, Main(t.Context(), []string{"mcp", "--db", db}, strings.NewReader(text), &out, &stderr), &stderr)
			answers := strings.Split(strings.TrimSpace(out.String()), "\n")
			require.Len(t, answers, 2)
			require.Contains(t, answers[0], `"serverInfo":{"name":"normsync"`)
			require.Contains(t, answers[1], `"allowed":false`)
			lines = strings.Count(text, "\n")
		case "console":
			for line := range strings.Lines(text) {
				words, err := splitWords(strings.TrimSpace(strings.TrimPrefix(line, "$ ")))
				require.NoError(t, err)
				if words[0] == "normsync" && words[1] == "add" { // as a reader without a store does
					args := append(words[1:len(words)-1], filepath.Join(t.TempDir(), words[len(words)-1]))
					var stderr bytes.Buffer
					require.Equal(t, exitFine, Main(t.Context(), args, nil, io.Discard, &stderr), &stderr)
					continue
				}
				if words[0] == "normsync" {
					require.Equal(t, []string{"mcp", "--db", "world.db", "<", "hello.jsonl"}, words[1:])
					continue
				}
				if words[0] != "claude" {
					require.Contains(t, []string{"go", "echo"}, words[0])
					continue
				}
				require.Equal(t, []string{"claude", "mcp", "add"}, words[:3])
				if words[3] == "--transport" {
					require.Equal(t, []string{"http", "normsync"}, words[4:6])
					require.Equal(t, "--header", words[7])
					name, value, _ := strings.Cut(words[8], ": ")
					urls++
					dial(words[6], headers{name: value})
				} else {
					require.Equal(t, []string{"normsync", "--"}, words[3:5])
					commands++
					start(words[5:], false)
				}
			}
		default:
			require.Fail(t, "unknown kind of block", language)
		}
	}
	require.Equal(t, 5, commands)
	require.Equal(t, 3, urls)
	require.Equal(t, 3, lines)
	require.NotEmpty(t, example)
}

// The servers remember what happened, for the facts of a rule file.
func TestServersRememberForTheFactsOfAFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "rules.json")
	require.NoError(t, os.WriteFile(file, []byte(`{
		"norms": [{"name": "log-in", "prohibited": "buy", "unless": "facts:authenticated"}, {"name": "out", "condition": "facts:struck", "prohibited": "enter"}],
		"facts": [{"name": "authenticated", "after": "verb:login", "until": "verb:logout"}, {"name": "struck", "broke": "log-in"}]}`), 0o600))
	start := map[string]func(db string) *mcp.ClientSession{
		"mcp": func(db string) *mcp.ClientSession { return startMCP(t, nil, "mcp", "--db", db, "--rules", file) },
		"serve": func(db string) *mcp.ClientSession {
			server := startServer(t, "", "--db", db, "--rules", file)
			return connectMCP(t, &mcp.StreamableClientTransport{Endpoint: server.url + "/mcp", MaxRetries: -1}, nil)
		},
	}
	for name, start := range start {
		t.Run(name, func(t *testing.T) {
			db := filepath.Join(dir, name+".db")
			require.Equal(t, exitFine, Main(t.Context(), []string{"import", file, "--db", db}, strings.NewReader(""), io.Discard, io.Discard))
			session := start(db)
			ask := func(tool string, arguments map[string]any) any {
				t.Helper()
				arguments["agent_id"] = "ann"
				res, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: arguments})
				require.NoError(t, err)
				return res.StructuredContent.(map[string]any)["allowed"]
			}
			check := func(action, facts string) any {
				return ask("check_action", map[string]any{"action": action, "facts": facts})
			}
			explain := func() any { return ask("explain_action", map[string]any{"action": "buy", "facts": "authenticated"}) }
			verbs := func() any { return ask("allowed_actions", map[string]any{"actions": []string{"buy"}}) }
			require.Equal(t, false, check("buy", ""))
			require.Equal(t, false, check("buy", "authenticated"), "nobody can claim a fact")
			require.Equal(t, false, explain())
			require.Empty(t, verbs())
			require.Equal(t, true, check("login", ""))
			require.Equal(t, true, check("buy", ""))
			require.Equal(t, true, explain())
			require.Equal(t, []any{"buy"}, verbs())
			require.Equal(t, true, check("logout", ""))
			require.Equal(t, false, check("buy", ""))

			require.NoError(t, session.Close())
			session = start(db)
			require.Equal(t, false, check("enter", ""), "the violations in the store count after a restart")
		})
	}
}
