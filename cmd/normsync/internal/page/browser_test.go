package page_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/page"
	"github.com/normsync/normsync/cmd/normsync/internal/rest"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

// chromium is the browser of all tests. Each test has a tab of its own.
var chromium struct {
	once sync.Once
	ctx  context.Context
	err  error
	stop []func()
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, stop := range chromium.stop {
		stop()
	}
	os.Exit(code)
}

// findChromium returns the path of a browser, and skips the test if there is none.
// In CI it fails, so that the tests cannot be skipped unnoticed.
func findChromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{
		"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "headless-shell",
		"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
		`C:\Program Files\Google\Chrome\Application\chrome.exe`,
	} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const text = "no Chromium is installed; install it, on Debian by apt-get install chromium, to run the tests of the page"
	if os.Getenv("CI") != "" {
		t.Fatal(text)
	}
	t.Skip(text)
	return ""
}

func startChromium(path string) {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.Flag("headless", "new"), chromedp.NoSandbox, chromedp.DisableGPU)
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, stop := chromedp.NewContext(allocator)
	chromium.ctx = ctx
	chromium.stop = []func(){stop, stopAllocator}
	chromium.err = chromedp.Do(ctx)
}

// tab is a page in the browser.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	dialogs  []string
	problems []string // uncaught exceptions, and errors in the console
}

// openTab opens an empty tab of a size. The test fails at its end if the page has
// had an error, unless it takes them by faults.
func openTab(t *testing.T, width, height int64) *tab {
	t.Helper()
	path := findChromium(t)
	chromium.once.Do(func() { startChromium(path) })
	require.NoError(t, chromium.err, "Chromium does not start")
	ctx, stop := chromedp.NewContext(chromium.ctx)
	t.Cleanup(stop)
	require.NoError(t, chromedp.Do(ctx)) // opens the tab, without the limit below
	b := &tab{t: t}
	var cancel context.CancelFunc
	b.ctx, cancel = context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Listen(b.ctx, b.listen))
	b.run(chromedp.EmulateViewport(width, height))
	t.Cleanup(func() {
		require.Empty(t, b.faults(), "the page has errors")
		require.Empty(t, b.dialogs, "the page has opened a dialog")
	})
	return b
}

func (b *tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch event := event.(type) {
	case *cdppage.EventJavascriptDialogOpening:
		b.dialogs = append(b.dialogs, event.Message)
		go chromedp.Call(b.ctx, cdppage.HandleJavaScriptDialog, cdppage.HandleJavaScriptDialogParams{Accept: true})
	case *runtime.EventExceptionThrown:
		b.problems = append(b.problems, event.ExceptionDetails.Text+" "+event.ExceptionDetails.Exception.Description)
	case *cdplog.EventEntryAdded:
		if event.Entry.Level == cdplog.EntryLevelError {
			b.problems = append(b.problems, event.Entry.Text+" "+event.Entry.URL)
		}
	}
}

// faults returns the errors of the page so far, and forgets them.
func (b *tab) faults() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := b.problems
	b.problems = nil
	return found
}

func (b *tab) run(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	require.NoError(b.t, chromedp.Do(b.ctx, actions...))
}

// load opens an address and waits until the page follows the server.
func (b *tab) load(url string) {
	b.t.Helper()
	b.run(chromedp.Navigate(url))
	b.wait(`document.querySelector("#connection").dataset.state === "live"`)
}

// wait waits until an expression is true.
func (b *tab) wait(expression string, args ...any) {
	b.t.Helper()
	if len(args) > 0 {
		expression = fmt.Sprintf(expression, args...)
	}
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	_, err := chromedp.Run(ctx, chromedp.Poll[bool]("Boolean("+expression+")", chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(0)))
	if err != nil {
		b.t.Logf("the page: %s", value[string](b, "document.body?.innerText ?? ''"))
	}
	require.NoError(b.t, err, "waiting for %s", expression)
}

// value evaluates an expression.
func value[T any](b *tab, expression string, args ...any) T {
	b.t.Helper()
	if len(args) > 0 {
		expression = fmt.Sprintf(expression, args...)
	}
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	require.NoError(b.t, err, "evaluating %s", expression)
	return v
}

// do evaluates an expression for its effect.
func (b *tab) do(expression string, args ...any) {
	b.t.Helper()
	value[chromedp.Void](b, expression, args...)
}

// text returns the text of an element as it is shown.
func (b *tab) text(selector string) string {
	b.t.Helper()
	return value[string](b, "document.querySelector(%q).innerText", selector)
}

func (b *tab) click(selector string) {
	b.t.Helper()
	b.run(chromedp.Click(chromedp.CSS(selector)))
}

// press clicks the first button with that text within an element.
func (b *tab) press(within, text string) {
	b.t.Helper()
	ok := value[bool](b, `(() => {
		const found = [...document.querySelectorAll(%q + " button")].find((b) => b.textContent === %q);
		found?.click();
		return found !== undefined;
	})()`, within, text)
	require.True(b.t, ok, "no button %q in %s", text, within)
}

// enter replaces the content of a field, by the keyboard.
func (b *tab) enter(selector, text string) {
	b.t.Helper()
	b.run(chromedp.Focus(chromedp.CSS(selector)))
	b.do(`document.querySelector(%q).select()`, selector)
	b.run(chromedp.KeyEvent("\b"), chromedp.KeyEvent(text))
}

// dark makes the browser prefer dark or light colors.
func (b *tab) dark(on bool) {
	b.t.Helper()
	scheme := "light"
	if on {
		scheme = "dark"
	}
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	require.NoError(b.t, err)
}

// screenshot saves a picture of the whole page.
func (b *tab) screenshot(name string) {
	b.t.Helper()
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	require.NoError(b.t, err)
	b.save(name, picture)
}

// save writes a picture to the folder in the environment variable SCREENSHOTS, if it
// is set.
func (b *tab) save(name string, picture []byte) {
	b.t.Helper()
	if dir := os.Getenv("SCREENSHOTS"); dir != "" {
		require.NoError(b.t, os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644))
	}
}

// world is a server with a store, and the page.
type world struct {
	t       *testing.T
	url     string
	service *service.Service
	server  *httptest.Server
	token   string
	refuse  atomic.Bool // every request
	refused chan string // the path of a refused request, if there is room
}

func newWorld(t *testing.T, token string, norms ...normsync.Norm) *world {
	t.Helper()
	s, err := service.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "norms.db"), service.Create)
	require.NoError(t, err)
	for _, n := range norms {
		_, err := s.Monitor().Apply(t.Context(), normsync.Enact(n).Attributed("founder", "the world begins"))
		require.NoError(t, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	handler, err := rest.Handler(ctx, s, rest.Options{Token: token, Version: "test", Page: page.Handler()})
	require.NoError(t, err)
	w := &world{t: t, service: s, token: token, refused: make(chan string, 1)}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.refuse.Load() {
			select {
			case w.refused <- r.URL.Path:
			default:
			}
			http.Error(rw, "the server has too much to do", http.StatusServiceUnavailable)
			return
		}
		handler.ServeHTTP(rw, r)
	}))
	w.url, w.server = server.URL, server
	t.Cleanup(func() {
		stop()
		server.Close()
		require.NoError(t, s.Close(context.Background()))
	})
	return w
}

// check sends an action to POST /check.
func (w *world) check(action string) {
	w.t.Helper()
	r, err := http.NewRequest(http.MethodPost, w.url+"/check", strings.NewReader(action))
	require.NoError(w.t, err)
	r.Header.Set("Content-Type", "application/json")
	if w.token != "" {
		r.Header.Set("Authorization", "Bearer "+w.token)
	}
	resp, err := http.DefaultClient.Do(r)
	require.NoError(w.t, err)
	defer resp.Body.Close()
	require.Equal(w.t, http.StatusOK, resp.StatusCode)
}
