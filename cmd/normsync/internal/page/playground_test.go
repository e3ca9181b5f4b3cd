package page_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync/cmd/normsync/internal/page"
)

func TestThePlaygroundWorksWithoutAServer(t *testing.T) {
	findChromium(t) // before something is compiled
	dir := t.TempDir()
	require.NoError(t, page.WritePlayground(t.Context(), dir))
	files := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(files.Close)
	b := openTab(t, 1280, 900)
	b.load(files.URL)
	require.Equal(t, "3 norms in force, edition 3", b.text("#summary"))
	require.False(t, value[bool](b, `document.querySelector("#token").checkVisibility()`), "there is nobody to ask for a token")

	// An action is explained and recorded.
	b.enter("#try-form [name=agent_id]", "<b>hero</b>")
	b.enter("#try-form [name=action]", "attack")
	b.enter("#try-form [name=location]", "safe_zone")
	b.click("#try-check")
	b.wait(`document.querySelector("#try-result .verdict")?.textContent === "Denied"`)
	b.wait(`document.querySelectorAll("#violation-list > li").length === 1`)
	b.wait(`document.querySelector("#agent-list").innerText.includes("non-compliant")`)

	// A norm is enacted after a preview.
	b.click("#enact")
	b.enter("#change-form [name=name]", "festival")
	b.click("#change-form [value=permitted]")
	b.enter("#change-form [name=verbs]", "attack")
	b.enter("#change-form [name=priority]", "5")
	b.click("#change-preview")
	b.wait(`document.querySelector("#preview").innerText.includes("1 would be allowed")`)
	b.click("#change-submit")
	b.wait(`document.querySelector("#summary").textContent === "4 norms in force, edition 4"`)
	b.wait(`document.querySelector("#try-result .verdict")?.textContent === "Allowed"`)
	b.press("#norm-list > li:first-child", "Repeal")
	b.wait(`document.querySelector("#preview").hasChildNodes()`)
	b.click("#change-submit")
	b.wait(`document.querySelector("#summary").textContent === "3 norms in force, edition 5"`)

	// The link carries the norms and the action.
	b.click("#link")
	b.wait(`location.hash.startsWith("#world=")`)
	link := value[string](b, `location.href`)
	other := openTab(t, 1280, 900)
	other.load(link)
	other.wait(`document.querySelector("#try-result .verdict")?.textContent === "Allowed"`)
	require.Equal(t, "<b>hero</b>", value[string](other, `document.querySelector("#try-form [name=agent_id]").value`))
	require.Equal(t, value[[]string](b, `[...document.querySelectorAll("#norm-list > li h3")].map((h) => h.textContent).slice(0, 3)`),
		value[[]string](other, `[...document.querySelectorAll("#norm-list > li h3")].map((h) => h.textContent)`))

	// Nobody is asked anything but for the files.
	require.True(t, value[bool](b, `performance.getEntriesByType("resource").every((e) => e.name.startsWith(location.origin + "/page/"))`))
	// A link that is damaged, or whose norms are invalid, is refused.
	for _, hash := range []string{"#world=x", link[strings.Index(link, "#") : len(link)-20]} {
		broken := openTab(t, 1280, 900)
		broken.load(files.URL + "/" + hash)
		broken.wait(`document.querySelector("#problem").textContent.startsWith("The link cannot be read")`)
	}
	b.enter("#try-form [name=action]", "dance")
	b.run(chromedp.KeyEvent(kb.Enter))
	b.wait(`document.querySelector("#try-result").innerText.includes("No norm names this verb.")`)
}

func TestThePlaygroundSaysWhatItNeeds(t *testing.T) {
	t.Setenv("GOWORK", "off")
	t.Setenv("GOFLAGS", "-mod=mod")
	t.Chdir(t.TempDir())
	require.ErrorContains(t, page.WritePlayground(t.Context(), "site"), "run this in a clone of github.com/normsync/normsync")
	t.Setenv("PATH", t.TempDir())
	require.ErrorContains(t, page.WritePlayground(t.Context(), "site"), "install Go from https://go.dev/dl")
}
