package page

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// playground is the package of the WebAssembly program that takes the place of the
// server.
const playground = "github.com/normsync/normsync/cmd/normsync/internal/page/playground"

//go:embed playground/api.js
var playgroundAPI []byte

// playgroundPolicy is the policy of the playground, which has it in its HTML, since
// any web server can serve it. A browser may compile WebAssembly by it.
const playgroundPolicy = `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; ` +
	`style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'">`

// WritePlayground writes the page to a folder as a static site that works without a
// server: the library runs in the browser. It compiles the library to WebAssembly, so
// it needs the Go toolchain, and the current folder must be in a clone of the
// repository.
func WritePlayground(ctx context.Context, dir string) error {
	root, err := goCommand(ctx, "env", "GOROOT")
	if err != nil {
		return err
	}
	glue, err := os.ReadFile(filepath.Join(root, "lib", "wasm", "wasm_exec.js"))
	if err != nil {
		return fmt.Errorf("normsync: write playground: %w; install a complete Go toolchain", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "page"), 0o755); err != nil {
		return fmt.Errorf("normsync: write playground: %w", err)
	}
	wasm, err := filepath.Abs(filepath.Join(dir, "page", "normsync.wasm"))
	if err != nil {
		return fmt.Errorf("normsync: write playground: %w", err)
	}
	if _, err := goCommand(ctx, "build", "-trimpath", "-ldflags=-s -w", "-o", wasm, playground); err != nil {
		return err
	}
	site := files()
	site["page/wasm_exec.js"] = glue
	site["page/api.js"] = playgroundAPI
	site["index.html"] = bytes.Replace(site["index.html"], []byte("<title>"), []byte(playgroundPolicy+"\n<title>"), 1)
	for name, body := range site {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), body, 0o644); err != nil {
			return fmt.Errorf("normsync: write playground: %w", err)
		}
	}
	return nil
}

// goCommand runs the go command for WebAssembly, and returns what it writes.
func goCommand(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("normsync: write playground: %w; install Go from https://go.dev/dl, since the library has to be compiled for the browser", err)
	case err != nil:
		return "", fmt.Errorf("normsync: write playground: go %s: %w: %s; run this in a clone of github.com/normsync/normsync", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(string(out)), nil
}
