package rest

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

// Whatever was answered before the server was told to end is in the store afterwards.
func TestShutdownLosesNothing(t *testing.T) {
	for _, kind := range []string{"sqlite:", "file:"} {
		location := kind + filepath.Join(t.TempDir(), "store")
		w := open(t, location, Options{})
		w.object("POST", "/norm", peace)
		var answered atomic.Int64
		var clients sync.WaitGroup
		for range 8 {
			clients.Go(func() {
				client := &http.Client{Transport: &http.Transport{}}
				defer client.CloseIdleConnections()
				for {
					resp, err := client.Post(w.url+"/check", "application/json", strings.NewReader(attack))
					if err != nil {
						return // the server has ended
					}
					resp.Body.Close()
					if resp.StatusCode == http.StatusOK {
						answered.Add(1)
					}
				}
			})
		}
		require.Eventually(t, func() bool { return answered.Load() > 500 }, time.Minute, time.Millisecond)
		require.NoError(t, w.stop())
		clients.Wait()

		// Before the service is closed, since closing it would store the rest.
		s, err := service.Open(t.Context(), location, service.Read)
		require.NoError(t, err)
		var stored int64
		for _, err := range s.Store().Violations(t.Context(), 0) {
			require.NoError(t, err)
			stored++
		}
		require.NoError(t, s.Close(t.Context()))
		require.GreaterOrEqual(t, stored, answered.Load(), kind)
	}
}

func TestARequestInProgressIsFinished(t *testing.T) {
	w := open(t, "", Options{Limits: Limits{Shutdown: time.Minute}})
	w.object("POST", "/norm", peace)
	s := w.batch()
	s.send(attack + "\n")
	s.next()
	ended := make(chan error, 1)
	go func() { ended <- w.stop() }()
	require.Eventually(t, func() bool {
		_, err := w.client.Get(w.url + "/health")
		return err != nil
	}, time.Minute, time.Millisecond, "it takes no new requests")
	s.send(attack + "\n")
	require.Equal(t, false, s.next()["allowed"])
	require.NoError(t, s.in.Close())
	require.False(t, s.out.Scan())
	require.NoError(t, <-ended)
}

func TestAReadOnlyServerChangesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	writer, err := service.Open(t.Context(), "file:"+dir, service.Create)
	require.NoError(t, err)
	defer writer.Close(context.Background())
	_, err = writer.Monitor().Apply(t.Context(), normsync.Enact(normsync.Norm{Name: "peace", Condition: "safe_zone", Prohibited: "attack"}))
	require.NoError(t, err)

	_, err = service.Open(t.Context(), "file:"+dir, service.Create)
	require.ErrorIs(t, err, normsync.ErrLocked, "a second writer")

	s, err := service.Open(t.Context(), "file:"+dir, service.Read)
	require.NoError(t, err)
	defer s.Close(context.Background())
	w := serve(t, s, Options{})
	for _, c := range [][3]string{
		{"POST", "/norm", peace2}, {"PUT", "/norms/peace", `{"prohibited":"x"}`}, {"DELETE", "/norms/peace", ""},
		{"POST", "/check", attack}, {"POST", "/check/batch", attack},
	} {
		p := w.refused(http.StatusForbidden, c[0], c[1], c[2])
		require.Contains(t, p.Detail, "--read-only")
	}
	require.Equal(t, false, w.object("POST", "/explain", attack)["allowed"])
	require.Len(t, w.list("/norms"), 1)

	// It follows the writer.
	_, err = writer.Monitor().Apply(t.Context(), normsync.Enact(normsync.Norm{Name: "more", Prohibited: "x"}))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(w.list("/norms")) == 2 }, time.Minute, time.Millisecond)
}

// A store whose files are deleted while the server runs.
func TestAStoreThatIsGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	w := open(t, "file:"+dir, Options{Limits: Limits{Poll: time.Millisecond}})
	w.object("POST", "/norm", peace)
	require.NoError(t, os.RemoveAll(dir))

	p := w.refused(http.StatusServiceUnavailable, "POST", "/norm", peace2)
	require.Contains(t, p.Detail, "the store cannot be used now")
	require.Len(t, w.list("/norms"), 1, "what is not stored does not come into force")

	w.object("POST", "/check", attack) // has its verdict; the violation is lost, and everybody can see that
	require.Eventually(t, func() bool {
		resp, _ := w.do("GET", "/health", "")
		return resp.StatusCode == http.StatusServiceUnavailable
	}, time.Minute, time.Millisecond)
	require.Eventually(t, func() bool { return w.metric("normsync_recorder_failed_total") == "1" }, time.Minute, time.Millisecond)
	require.Equal(t, "0", w.metric("normsync_healthy"))

	_, out := w.do("POST", "/check/batch", walk+"\n"+attack+"\n"+walk)
	require.Contains(t, out, `"status":503`, "a batch stores before it answers")
	w.object("POST", "/explain", attack)
}

func TestAStoreThatIsClosed(t *testing.T) {
	w := open(t, "", Options{})
	w.object("POST", "/norm", peace)
	require.NoError(t, w.service.Close(t.Context()))
	for _, c := range [][3]string{{"POST", "/norm", peace2}, {"GET", "/violations", ""}, {"GET", "/revisions", ""}, {"POST", "/check", attack}} {
		resp, text := w.do(c[0], c[1], c[2])
		require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode, text)
		require.Equal(t, "1", resp.Header.Get("Retry-After"), "%s", c)
	}
}

// Another process holds the lock of an SQLite file.
func TestAStoreThatIsLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "norms.db")
	w := open(t, path, Options{})
	w.object("POST", "/norm", peace)
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	require.NoError(t, err)

	require.Equal(t, 1.0, w.object("POST", "/check", attack)["violation_count"], "a check does not wait for the store")
	require.Len(t, w.list("/norms"), 1)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+"/norm", strings.NewReader(peace2))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	got := make(chan error, 1)
	go func() {
		resp, err := w.client.Do(r)
		if err == nil {
			resp.Body.Close()
			err = errors.New(resp.Status)
		}
		got <- err
	}()
	_, err = db.ExecContext(t.Context(), "COMMIT")
	require.NoError(t, err)
	require.ErrorContains(t, <-got, "200 OK", "it waits until the lock is given back")
	cancel()
	require.Len(t, w.list("/violations"), 1)
}

// A store that can be read and not written, and later works again.
func TestAStoreThatTakesNoViolationsForAWhile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "norms.db")
	w := open(t, path, Options{Limits: Limits{Poll: time.Millisecond}})
	w.object("POST", "/norm", peace)
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	defer db.Close()
	var table string
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '%violations'").Scan(&table))
	_, err = db.ExecContext(t.Context(), "CREATE TRIGGER full BEFORE INSERT ON "+table+" BEGIN SELECT RAISE(ABORT, 'the disk is full'); END")
	require.NoError(t, err)

	w.object("POST", "/check", attack)
	require.Eventually(t, func() bool {
		resp, text := w.do("GET", "/health", "")
		return resp.StatusCode == http.StatusServiceUnavailable && strings.Contains(text, "the disk is full")
	}, time.Minute, time.Millisecond)
	require.Equal(t, "1", w.metric("normsync_recorder_failed_total"))
	require.Empty(t, w.list("/violations"))

	_, err = db.ExecContext(t.Context(), "DROP TRIGGER full")
	require.NoError(t, err)
	w.object("POST", "/check", attack)
	require.Eventually(t, func() bool {
		resp, _ := w.do("GET", "/health", "")
		return resp.StatusCode == http.StatusOK
	}, time.Minute, time.Millisecond)
	require.Len(t, w.list("/violations"), 1)
}
