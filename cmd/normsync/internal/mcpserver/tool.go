package mcpserver

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

// host is what the tools work on.
type host struct {
	service  *service.Service
	readOnly bool
}

// call is one call of a tool.
type call struct {
	*host
	client string // name of the client, as it calls itself
}

// result is the structured result of a tool.
type result interface {
	// texts returns the same for clients that read text only: a block each. The
	// first one is what the Python tool returned.
	texts() []string
}

// tool is a tool, and what it does.
type tool struct {
	name, title, description string

	changes     bool // it changes the constitution
	records     bool // it records violations, unless the server is read-only
	destructive bool // it takes something away
	repeatable  bool // a second call with the same arguments changes nothing

	input, output *jsonschema.Schema
	run           func(context.Context, call, json.RawMessage) (result, error)
}

// tools returns all tools.
var tools = sync.OnceValue(func() []tool {
	return []tool{
		checkAction(), explainAction(), allowedActions(), listViolations(),
		listNorms(), addNorm(), repealNorm(), conflicts(),
	}
})

// newTool completes t by the schemas of its arguments and of its result, which
// follow from their types. Function tune adds what types do not say.
func newTool[In any, Out result](t tool, tune func(properties map[string]*jsonschema.Schema), run func(context.Context, call, In) (Out, error)) tool {
	t.input, t.output = schemaOf[In](), schemaOf[Out]()
	if tune != nil {
		tune(t.input.Properties)
	}
	t.run = func(ctx context.Context, c call, arguments json.RawMessage) (result, error) {
		var in In
		if err := readArguments(arguments, t.input, &in); err != nil {
			return nil, fmt.Errorf("normsync: call %s: %w", t.name, err)
		}
		out, err := run(ctx, c, in)
		if err != nil {
			return nil, err // not out: as a result, a nil pointer is not nil
		}
		return out, nil
	}
	return t
}

// describe returns the description of t for clients of a server.
func (t tool) describe(readOnly bool) *mcp.Tool {
	reads := !t.changes && (readOnly || !t.records)
	no := false
	return &mcp.Tool{
		Name: t.name, Title: t.title, Description: t.description,
		InputSchema: t.input, OutputSchema: t.output,
		Annotations: &mcp.ToolAnnotations{
			Title: t.title, ReadOnlyHint: reads, DestructiveHint: &t.destructive,
			IdempotentHint: reads || t.repeatable, OpenWorldHint: &no,
		},
	}
}

// handler returns the handler of t. An error of the tool is a result with
// IsError, which the assistant reads, and not an error of the protocol.
func (t tool) handler(h *host) mcp.ToolHandler {
	return func(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		c := call{host: h}
		if info := req.ClientInfo(); info != nil {
			c.client = info.Name
		}
		// Another process may have changed the norms a moment ago. A verdict by
		// norms that may be out of date is not given.
		if _, err := h.service.Monitor().Sync(ctx); err != nil {
			return failed(err), nil
		}
		out, err := t.run(ctx, c, req.Params.Arguments)
		if err != nil {
			return failed(err), nil
		}
		structured, err := json.Marshal(out)
		if err != nil {
			return failed(fmt.Errorf("normsync: write result of %s: %w", t.name, err)), nil
		}
		res := &mcp.CallToolResult{StructuredContent: json.RawMessage(structured)}
		for _, text := range out.texts() {
			res.Content = append(res.Content, &mcp.TextContent{Text: text})
		}
		return res, nil
	}
}

func failed(err error) *mcp.CallToolResult {
	res := &mcp.CallToolResult{}
	res.SetError(err)
	return res
}

// oldNames lets clients call a tool by the name that it had in the Python tool's
// list of functions.
func oldNames(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
		if r, ok := req.(*mcp.CallToolRequest); ok && r.Params.Name == getNorms {
			r.Params.Name = "list_norms"
		}
		return next(ctx, method, req)
	}
}
