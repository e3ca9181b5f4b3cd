package page_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

func TestANormIsEnactedAmendedAndRepealed(t *testing.T) {
	peace := peace
	peace.Description = "No fights\tin safe zones.\r\nGuards may fight.\n"
	w := newWorld(t, "secret", peace)
	w.check(`{"agent_id": "hero", "action": "attack", "location": "safe_zone"}`)
	w.check(`{"agent_id": "hero", "action": "attack", "location": "safe_zone arena"}`)
	b := openTab(t, 1280, 900)
	b.load(w.url)
	b.wait(`document.querySelectorAll("#violation-list > li").length === 2`)
	preview := func() string {
		b.wait(`document.querySelector("#preview").hasChildNodes()`)
		return b.text("#preview")
	}

	// A permit at the same priority contradicts the prohibition.
	b.click("#enact")
	b.wait(`document.querySelector("#change-dialog").open`)
	require.True(t, value[bool](b, `document.querySelector("#change-submit").disabled`), "there is no change without a preview")
	b.enter("#change-form [name=name]", "arena")
	b.enter("#change-form [name=verbs]", "attack")
	b.enter("#change-form [name=condition]", "location:arena")
	b.click("#change-form [value=permitted]")
	b.enter("#change-form [name=by]", "zoe")
	b.enter("#change-form [name=reason]", "fights are fun")
	b.click("#change-preview")
	text := preview()
	require.Contains(t, text, "contradiction")
	require.Contains(t, text, "none would be judged differently")

	// A higher priority resolves it, and ends one of the two violations.
	b.enter("#change-form [name=priority]", "10")
	require.False(t, value[bool](b, `document.querySelector("#preview").hasChildNodes()`), "a change of a field takes the preview back")
	require.True(t, value[bool](b, `document.querySelector("#change-submit").disabled`))
	b.run(chromedp.KeyEvent(kb.Enter)) // previews, as nothing was previewed
	text = preview()
	require.Contains(t, text, "The change makes no new conflict.")
	require.Contains(t, text, "Of the actions behind the last 2 recorded violations, 1 action would be judged differently: 1 would be allowed.")
	require.Contains(t, text, "Before: peace; after: no violation")

	// The server asks for its token.
	b.click("#change-submit")
	b.wait(`document.querySelector("#token-dialog").open`)
	require.Contains(t, b.text("#token-why"), "needs the token")
	b.faults() // the refused request
	b.enter("#token-form [name=token]", "wrong")
	b.run(chromedp.KeyEvent(kb.Enter))
	b.wait(`document.querySelector("#token-why").textContent.includes("wrong")`)
	require.Len(t, b.faults(), 1)
	b.wait(`document.querySelector("#token-dialog").open`)
	require.Equal(t, 1, value[int](b, `document.querySelectorAll("#norm-list > li").length`))
	b.enter("#token-form [name=token]", "secret")
	b.run(chromedp.KeyEvent(kb.Enter))
	b.wait(`!document.querySelector("#change-dialog").open && document.querySelectorAll("#norm-list > li").length === 2`)
	require.Equal(t, "Token set", b.text("#token"))
	require.Equal(t, "secret", value[string](b, `sessionStorage.getItem("normsync-token")`), "it is kept in this tab")
	require.Zero(t, value[int](b, `localStorage.length`))
	require.NotContains(t, value[string](b, `document.documentElement.outerHTML`), "secret")
	arena, ok := w.service.Monitor().Constitution().Norm("arena")
	require.True(t, ok)
	require.Equal(t, normsync.Norm{Name: "arena", Condition: "location:arena", Permitted: "attack", Priority: 10}, arena)

	// The token is kept when the page is loaded again.
	b.run(chromedp.Reload())
	b.wait(`document.querySelectorAll("#norm-list > li").length === 2`)
	b.press("#norm-list > li:nth-child(2)", "Amend")
	require.Equal(t, "Amend peace", b.text("#change-title"))
	require.True(t, value[bool](b, `document.querySelector("#change-form [name=name]").readOnly`))
	require.Equal(t, "Put your weapon away.", value[string](b, `document.querySelector("#change-form [name=advice]").value`))
	b.enter("#change-form [name=verbs]", "attack")
	b.click("#change-form [name=shadow]")
	b.click("#change-preview")
	text = preview()
	require.Contains(t, text, "prohibited\tattack cast_*\tattack")
	require.Contains(t, text, "shadow\t\ttrue")
	require.Contains(t, text, "1 would be allowed")
	b.click("#change-submit")
	b.wait(`document.querySelector("#norm-list").innerText.includes("dry run")`)
	b.wait(`document.activeElement.id === "norms"`) // since the button is gone
	amended := peace
	amended.Prohibited, amended.Shadow = "attack", true
	got, _ := w.service.Monitor().Constitution().Norm("peace")
	require.Equal(t, amended, got, "the fields that nobody touched are as they were")

	b.press("#norm-list > li:nth-child(2)", "Repeal")
	text = preview()
	require.Contains(t, text, "The last recorded violations", "a repeal is previewed at once")
	require.Contains(t, text, "1 action would be judged differently: 1 would keep the verdict, but violate other norms or none.", "peace is a dry run")
	b.click("#change-submit")
	b.wait(`document.querySelector("#summary").textContent.startsWith("1 norm in force")`)
	history, err := normsync.History(t.Context(), w.service.Store(), "arena")
	require.NoError(t, err)
	require.Equal(t, "zoe", history[0].By)
	require.Equal(t, "fights are fun", history[0].Reason)
	require.Contains(t, b.text("#revision-list"), "by zoe: fights are fun")

	b.click("#token")
	b.click("#token-forget")
	require.Equal(t, "Token", b.text("#token"))
	require.Zero(t, value[int](b, `sessionStorage.length`))
}

func TestWhatTheServerRefusesIsSaid(t *testing.T) {
	w := newWorld(t, "", peace)
	b := openTab(t, 1280, 900)
	b.load(w.url)
	b.click("#enact")
	said := func(text string) {
		t.Helper()
		b.click("#change-preview")
		b.wait(`document.querySelector("#change-error").textContent.includes(%q)`, text)
		require.True(t, value[bool](b, `document.querySelector("#change-submit").disabled`))
		b.faults() // the refused request
	}
	said("name")
	b.enter("#change-form [name=name]", "peace")
	b.enter("#change-form [name=verbs]", "dance")
	said("exists")
	b.enter("#change-form [name=name]", "other")
	b.enter("#change-form [name=condition]", "safe_zone AND arena")
	said("AND")
	b.enter("#change-form [name=condition]", "safe_zone")
	b.enter("#change-form [name=priority]", "high")
	said("The priority is not a whole number")
	b.enter("#change-form [name=priority]", "99999999999")
	said("priority")
	b.enter("#change-form [name=priority]", "1")
	b.enter("#change-form [name=from]", "tomorrow")
	said("from")
}
