package rest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

// discard is a response that nobody reads.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

// BenchmarkCheck measures POST /check without the server of net/http. With it, a
// request takes several times as long.
func BenchmarkCheck(b *testing.B) {
	s, err := service.Open(b.Context(), filepath.Join(b.TempDir(), "norms.db"), service.Create)
	require.NoError(b, err)
	defer s.Close(context.Background())
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	h, err := Handler(ctx, s, Options{Token: "t"})
	require.NoError(b, err)
	_, err = s.Monitor().Apply(b.Context(), normsync.Enact(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"}))
	require.NoError(b, err)
	for _, way := range []struct {
		name, contentType string
		status            int
	}{{"quick", "application/json", 0}, {"huma", "application/json+json", 200}} { // only huma writes the status explicitly
		b.Run(way.name, func(b *testing.B) {
			body := bytes.NewReader(nil)
			r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "http://127.0.0.1/check", io.NopCloser(body))
			require.NoError(b, err)
			r.Header.Set("Content-Type", way.contentType)
			r.Header.Set("Authorization", "Bearer t")
			r.ContentLength = int64(len(walk))
			w := &discard{}
			b.ReportAllocs()
			for b.Loop() {
				body.Reset([]byte(walk))
				w.header, w.status, r.Pattern = http.Header{}, 0, ""
				h.ServeHTTP(w, r)
			}
			require.Equal(b, way.status, w.status)
		})
	}
}
