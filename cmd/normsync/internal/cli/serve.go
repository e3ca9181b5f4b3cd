package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/normsync/normsync/cmd/normsync/internal/mcpserver"
	"github.com/normsync/normsync/cmd/normsync/internal/page"
	"github.com/normsync/normsync/cmd/normsync/internal/rest"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

const tokenEnv = "NORMSYNC_TOKEN"

func newServeCommand(a *app) *cobra.Command {
	var o rest.Options
	var token, tokenFile, ruleFile string
	var readOnly bool
	cmd := &cobra.Command{
		Use:   "serve [--addr HOST:PORT] [--token-file FILE] [flags]",
		Short: "REST, MCP and a page",
		Long: `Serve serves the REST API and a live page until it is interrupted. The page
/docs describes the API. Assistants that speak the Model Context Protocol
connect to /mcp.

If there is a token, requests that write need it. Without a token the server
listens only on an address that other machines cannot reach. A token on the
command line can be seen by other users of this machine; --token-file and
$` + tokenEnv + ` cannot.`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.Token, err = readToken(token, tokenFile); err != nil {
				return err
			}
			return a.withServer(cmd.Context(), readOnly, ruleFile, func(s *service.Service) error {
				return a.serve(cmd.Context(), s, o)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Addr, "addr", "127.0.0.1:8000", "listen on HOST:PORT; port 0 is any free one")
	flags.StringVar(&token, "token", "", "ask for this token when a request writes (default $"+tokenEnv+")")
	flags.StringVar(&tokenFile, "token-file", "", "read the token from a file")
	flags.StringVar(&o.CertFile, "tls-cert", "", "serve HTTPS with the certificate in this PEM file")
	flags.StringVar(&o.KeyFile, "tls-key", "", "private key of the certificate, in a PEM file")
	flags.StringArrayVar(&o.CORS, "cors", nil, "let pages of this origin use the API, such as https://example.org; may be repeated")
	flags.StringVar(&ruleFile, "rules", "", "remember the facts that this `FILE` declares; import its norms by normsync import")
	flags.BoolVar(&readOnly, "read-only", false, "change nothing in the store: judge by /explain, do not record")
	for _, name := range []string{"token-file", "tls-cert", "tls-key"} {
		_ = cmd.MarkFlagFilename(name)
	}
	return cmd
}

// maxToken is how many bytes a token has at most.
const maxToken = 4096

// readToken returns the token that a flag, a file or the environment has.
func readToken(token, file string) (string, error) {
	if token != "" && file != "" {
		return "", usageErrorf("serve: --token and --token-file both name a token; leave one of them out")
	}
	from := "--token"
	switch {
	case token != "":
	case file != "":
		from = file
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("normsync: read token: %w; write the token into that file, or name another one by --token-file", err)
		}
		defer f.Close()
		text, err := io.ReadAll(io.LimitReader(f, maxToken+2)) // a line end may follow
		if err != nil {
			return "", fmt.Errorf("normsync: read token: %w; write the token into that file, or name another one by --token-file", err)
		}
		if token = strings.TrimSpace(string(text)); token == "" {
			return "", fmt.Errorf("normsync: read token: %s is empty; write the token into it", file)
		}
	default:
		from, token = "$"+tokenEnv, os.Getenv(tokenEnv)
	}
	if len(token) > maxToken {
		return "", fmt.Errorf("normsync: read token: %s has more than %d bytes; use a shorter token", from, maxToken)
	}
	for i, c := range []byte(token) {
		if c < ' ' || c > '~' { // no request can send such a token
			return "", fmt.Errorf("normsync: read token: %s: byte %d is %q; use a token on one line, of ASCII letters, digits and signs", from, i, c)
		}
	}
	return token, nil
}

func (a *app) serve(ctx context.Context, s *service.Service, o rest.Options) error {
	ctx, cancel := context.WithCancel(ctx) // so that nothing follows the store when it is closed
	defer cancel()
	o.Version = version()
	o.Page = page.Handler()
	o.Log = slog.New(slog.NewTextHandler(a.stderr, nil))
	o.MCP = mcpserver.Handler(ctx, s, mcpserver.Options{
		AnyHost: true, // package rest refuses the wrong ones
		Version: o.Version, Logger: o.Log,
	})
	var unwritten error
	o.Started = func(url string) {
		if a.json {
			unwritten = a.writeJSON(map[string]string{"url": url})
		} else {
			unwritten = a.printf("Serving %s at %s (API: %s/docs). Stop with Ctrl+C.\n", a.shownLocation(), url, url)
		}
		if unwritten != nil {
			cancel() // nobody would know the address
		}
	}
	return errors.Join(rest.Serve(ctx, s, o), unwritten)
}
