package mcpserver

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

// answerTime is how long requests in progress have when the input has ended.
const answerTime = 10 * time.Second

// Serve serves one client, which writes a JSON-RPC message per line to in and reads
// from out, until in ends or ctx does. Neither is an error. A line that is no message is
// answered with an error, and the session goes on.
func Serve(ctx context.Context, s *service.Service, o Options, in io.Reader, out io.Writer) error {
	o = o.forService(s)
	server := New(s, o)
	following, stop := context.WithCancel(ctx)
	defer stop()
	go Notify(following, s, s.Monitor().Constitution().Edition(), server, o.Logger)

	streams := newStreams(ctx, in, out)
	err := server.Run(ctx, &mcp.IOTransport{Reader: streams, Writer: streams})
	if err == nil || ctx.Err() != nil || errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("normsync: serve MCP: %w; the client must send a JSON-RPC message per line", err)
}

// streams stands between a client and the transport of the SDK, which ends the session
// at a line that is no message, and drops requests in progress when the input ends.
// Streams passes on only messages, and the end of the input only when all requests are
// answered.
type streams struct {
	ctx   context.Context
	lines *bufio.Scanner
	line  []byte // what is left of the line that the transport reads

	answered chan struct{} // has an element if a request was answered

	mu   sync.Mutex // guards the fields below
	out  io.Writer
	open map[jsonrpc.ID]bool // requests without an answer
}

func newStreams(ctx context.Context, in io.Reader, out io.Writer) *streams {
	s := &streams{ctx: ctx, lines: bufio.NewScanner(in), answered: make(chan struct{}, 1), out: out, open: map[jsonrpc.ID]bool{}}
	s.lines.Buffer(nil, maxBody)
	return s
}

// listening is a request that is answered only when the client cancels it.
const listening = "subscriptions/listen"

// Read implements io.Reader.
func (s *streams) Read(b []byte) (int, error) {
	for len(s.line) == 0 {
		if !s.lines.Scan() {
			return 0, s.end()
		}
		text := s.lines.Bytes()
		if len(text) == 0 {
			continue
		}
		message, err := jsonrpc.DecodeMessage(text)
		if err != nil {
			if err := s.refuse(err); err != nil {
				return 0, err
			}
			continue
		}
		if r, ok := message.(*jsonrpc.Request); ok && r.IsCall() && r.Method != listening {
			s.mu.Lock()
			s.open[r.ID] = true
			s.mu.Unlock()
		}
		s.line = append(append(s.line, text...), '\n')
	}
	n := copy(b, s.line)
	s.line = s.line[n:]
	return n, nil
}

// end waits until all requests are answered, and returns how the input has ended.
func (s *streams) end() error {
	if err := s.lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("a message has more than %d bytes", maxBody)
	} else if err != nil {
		return err
	}
	limit := time.NewTimer(answerTime)
	defer limit.Stop()
	for {
		s.mu.Lock()
		open := len(s.open)
		s.mu.Unlock()
		if open == 0 {
			return io.EOF
		}
		select {
		case <-s.answered:
		case <-limit.C:
			return io.EOF
		case <-s.ctx.Done():
			return io.EOF
		}
	}
}

// refuse answers a line that is no message.
func (s *streams) refuse(cause error) error {
	text, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "id": nil,
		"error": map[string]any{"code": jsonrpc.CodeParseError, "message": "normsync: read message: " + prose(cause.Error()) + "; send one JSON-RPC message per line"},
	})
	if err != nil {
		return err
	}
	_, err = s.Write(append(text, '\n'))
	return err
}

// Write implements io.Writer. The transport writes a message at a time.
func (s *streams) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.out.Write(b)
	message, _ := jsonrpc.DecodeMessage(b) // if it is none, nobody waits for it
	if r, ok := message.(*jsonrpc.Response); ok {
		delete(s.open, r.ID)
		select {
		case s.answered <- struct{}{}:
		default:
		}
	}
	return n, err
}

// Close implements io.Closer. The streams are the caller's to close.
func (s *streams) Close() error { return nil }
