// Package page is the live page of the server: norms, violations as they come,
// the compliance of agents, the history of editions, and forms that try an
// action and change a norm.
//
// The page is plain HTML, CSS and ES modules, which are embedded as they are
// written. It loads nothing from elsewhere, and it shows text from users as text
// only.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed site
var site embed.FS

// policy is the Content-Security-Policy of the page. With trusted types and no
// policy for them, a script cannot turn text into markup even by mistake.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// Handler returns the handler of the page, which answers at / and below /page/.
func Handler() http.Handler {
	mux := http.NewServeMux()
	for name, body := range files() {
		pattern := "/" + name
		if name == "index.html" {
			pattern = "/{$}"
		}
		mux.Handle("GET "+pattern, serve(name, body))
	}
	return mux
}

// files returns the files of the page by their paths below the root.
func files() map[string][]byte {
	found := map[string][]byte{}
	err := fs.WalkDir(site, "site", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		found[strings.TrimPrefix(p, "site/")], err = site.ReadFile(p)
		return err
	})
	if err != nil {
		panic(err) // an embedded file system does not fail
	}
	return found
}

// types has the content types of the page, so that they do not depend on the
// tables of the operating system.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

func serve(name string, body []byte) http.Handler {
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", types[path.Ext(name)])
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-cache") // ask again by the ETag
		h.Set("ETag", tag)
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(body))
	})
}
