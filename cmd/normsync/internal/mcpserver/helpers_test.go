package mcpserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/mcpserver"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

// The test binary is its own server: with these variables in its environment it
// serves a store on standard input and output.
const (
	storeVariable    = "NORMSYNC_TEST_STORE"
	readOnlyVariable = "NORMSYNC_TEST_READ_ONLY"
)

func TestMain(m *testing.M) {
	if location := os.Getenv(storeVariable); location != "" {
		if err := serve(location, os.Getenv(readOnlyVariable) != ""); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		return
	}
	os.Exit(m.Run())
}

func serve(location string, readOnly bool) error {
	ctx := context.Background()
	mode := service.Create
	if readOnly {
		mode = service.Read
	}
	s, err := service.Open(ctx, location, mode)
	if err != nil {
		return err
	}
	if err := mcpserver.Serve(ctx, s, mcpserver.Options{}, os.Stdin, os.Stdout); err != nil {
		return err
	}
	return s.Close(ctx)
}

// world is a store, a service on it in this process, and a way to connect to an
// MCP server on it.
type world struct {
	t        *testing.T
	location string
	service  *service.Service
	connect  func(readOnly bool, o *mcp.ClientOptions) *mcp.ClientSession
}

// overBothTransports runs a test over HTTP, where the server shares the service of
// the world, and over standard input and output, where it is another process.
func overBothTransports(t *testing.T, test func(t *testing.T, w *world)) {
	t.Run("http", func(t *testing.T) {
		w := newWorld(t)
		var urls [2]string
		for i, readOnly := range []bool{false, true} {
			urls[i] = listen(t, w.service, mcpserver.Options{ReadOnly: readOnly})
		}
		w.connect = func(readOnly bool, o *mcp.ClientOptions) *mcp.ClientSession {
			url := urls[0]
			if readOnly {
				url = urls[1]
			}
			return connect(t, &mcp.StreamableClientTransport{Endpoint: url}, o)
		}
		test(t, w)
	})
	t.Run("stdio", func(t *testing.T) {
		w := newWorld(t)
		w.connect = func(readOnly bool, o *mcp.ClientOptions) *mcp.ClientSession {
			return connect(t, &mcp.CommandTransport{Command: serverCommand(t, w.location, readOnly)}, o)
		}
		test(t, w)
	})
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, location: filepath.Join(t.TempDir(), "norms.db")}
	s, err := service.Open(t.Context(), w.location, service.Create)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close(context.Background())) })
	w.service = s
	return w
}

// overHTTP returns a client of a server on the service of a world.
func overHTTP(t *testing.T, w *world) *mcp.ClientSession {
	return connect(t, &mcp.StreamableClientTransport{Endpoint: listen(t, w.service, mcpserver.Options{})}, nil)
}

// listen serves a service over HTTP and returns the URL.
func listen(t *testing.T, s *service.Service, o mcpserver.Options) string {
	ctx, cancel := context.WithCancel(context.Background())
	server := httptest.NewServer(mcpserver.Handler(ctx, s, o))
	t.Cleanup(func() {
		cancel()
		server.Close() // it waits for open streams
	})
	return server.URL
}

func serverCommand(t *testing.T, location string, readOnly bool) *exec.Cmd {
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), storeVariable+"="+location)
	if readOnly {
		cmd.Env = append(cmd.Env, readOnlyVariable+"=1")
	}
	cmd.Stderr = os.Stderr
	return cmd
}

func connect(t *testing.T, transport mcp.Transport, o *mcp.ClientOptions) *mcp.ClientSession {
	client := mcp.NewClient(&mcp.Implementation{Name: "tester", Version: "1"}, o)
	subscribed := make(chan struct{}, 100)
	client.AddReceivingMiddleware(func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, r mcp.Request) (mcp.Result, error) {
			if method == "notifications/subscriptions/acknowledged" {
				subscribed <- struct{}{}
			}
			return next(ctx, method, r)
		}
	})
	session, err := client.Connect(t.Context(), transport, nil)
	require.NoError(t, err)
	acknowledgements.Store(session, subscribed)
	t.Cleanup(func() { session.Close() })
	return session
}

// acknowledgements has a channel for each session. It gets a value when the server has a
// subscription of the session.
var acknowledgements sync.Map

// subscribe subscribes a session to the constitution, and waits until the server has the
// subscription. Since the protocol of July 2026, Subscribe returns before that.
func subscribe(t *testing.T, session *mcp.ClientSession) {
	t.Helper()
	require.NoError(t, session.Subscribe(t.Context(), &mcp.SubscribeParams{URI: mcpserver.ConstitutionURI}))
	if session.InitializeResult().ProtocolVersion < "2026" {
		return
	}
	subscribed, _ := acknowledgements.Load(session)
	receive(t, subscribed.(chan struct{}))
}

type object = map[string]any

// answer is the result of a call.
type answer struct {
	*mcp.CallToolResult
	t     *testing.T
	texts []string
	value object
}

// call calls a tool, and checks that the result is as its schema says.
func call(t *testing.T, session *mcp.ClientSession, name string, arguments any) answer {
	t.Helper()
	res, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: name, Arguments: arguments})
	require.NoError(t, err)
	a := answer{CallToolResult: res, t: t}
	for _, c := range res.Content {
		require.IsType(t, &mcp.TextContent{}, c)
		a.texts = append(a.texts, c.(*mcp.TextContent).Text)
	}
	if res.IsError {
		require.Nil(t, res.StructuredContent)
		require.Len(t, a.texts, 1)
		return a
	}
	require.NotEmpty(t, a.texts)
	a.value = res.StructuredContent.(object)
	requireValid(t, outputSchema(t, session, name), a.value)
	return a
}

// fine calls a tool that must not fail.
func fine(t *testing.T, session *mcp.ClientSession, name string, arguments any) answer {
	t.Helper()
	a := call(t, session, name, arguments)
	require.False(t, a.IsError, "%v", a.texts)
	return a
}

func outputSchema(t *testing.T, session *mcp.ClientSession, name string) any {
	t.Helper()
	for tool, err := range session.Tools(t.Context(), nil) {
		require.NoError(t, err)
		if tool.Name == name {
			return tool.OutputSchema
		}
	}
	require.Fail(t, "no such tool", name)
	return nil
}

func requireValid(t *testing.T, schema, value any) {
	t.Helper()
	text, err := json.Marshal(schema)
	require.NoError(t, err)
	var s jsonschema.Schema
	require.NoError(t, json.Unmarshal(text, &s))
	resolved, err := s.Resolve(nil)
	require.NoError(t, err)
	require.NoError(t, resolved.Validate(value), "%v", value)
}

// peace forbids attacks in a safe zone.
var peace = normsync.Norm{Name: "peace", Description: "no fights", Condition: "safe_zone", Prohibited: "attack"}

// enact puts norms in force, as another process would.
func (w *world) enact(norms ...normsync.Norm) {
	w.t.Helper()
	for _, n := range norms {
		_, err := w.service.Monitor().Apply(w.t.Context(), normsync.Enact(n))
		require.NoError(w.t, err)
	}
}

// receive waits for a value.
func receive[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(30 * time.Second):
		require.Fail(t, "nothing came within 30 seconds")
		panic("unreachable")
	}
}

func repeat(s string, n int) string { return strings.Repeat(s, n) }
