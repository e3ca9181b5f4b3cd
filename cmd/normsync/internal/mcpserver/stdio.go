package mcpserver

import (
	"bufio"
	"bytes"
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
	edition := s.Monitor().Constitution().Edition()
	var notifying sync.WaitGroup
	notifying.Go(func() { Notify(following, s, edition, server, o.Logger) })
	defer notifying.Wait() // it reads the store, which the caller closes
	defer stop()

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
	ctx  context.Context
	in   *bufio.Reader
	line []byte // what is left of the line that the transport reads

	answered chan struct{} // has an element if a request was answered

	mu   sync.Mutex // guards the fields below
	out  io.Writer
	open map[jsonrpc.ID]bool // requests without an answer
}

func newStreams(ctx context.Context, in io.Reader, out io.Writer) *streams {
	return &streams{ctx: ctx, in: bufio.NewReader(in), answered: make(chan struct{}, 1), out: out, open: map[jsonrpc.ID]bool{}}
}

// listening is a request that is answered only when the client cancels it.
const listening = "subscriptions/listen"

// Read implements io.Reader.
func (s *streams) Read(b []byte) (int, error) {
	for len(s.line) == 0 {
		text, err := s.readLine()
		if err == io.EOF {
			return 0, s.end()
		}
		if err != nil && err != errTooLong {
			return 0, err
		}
		if err == nil && len(text) == 0 {
			continue
		}
		var message jsonrpc.Message
		if err == nil {
			message, err = jsonrpc.DecodeMessage(text)
		}
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

var errTooLong = fmt.Errorf("it has more than %d bytes", maxBody)

// readLine returns the next line, without its end. It skips a line that is too long, and
// returns errTooLong.
func (s *streams) readLine() ([]byte, error) {
	var line []byte
	for size := 0; ; {
		part, err := s.in.ReadSlice('\n')
		if size += len(part); size <= maxBody {
			line = append(line, part...)
		}
		switch {
		case err == bufio.ErrBufferFull:
		case err != nil && (err != io.EOF || size == 0):
			return nil, err
		case size > maxBody:
			return nil, errTooLong
		default:
			return bytes.TrimRight(line, "\r\n"), nil
		}
	}
}

// end waits until all requests are answered, and returns io.EOF.
func (s *streams) end() error {
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
