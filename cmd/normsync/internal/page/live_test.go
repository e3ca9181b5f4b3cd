package page_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/page"
)

var (
	peace  = normsync.Norm{Name: "peace", Description: "No fights in safe zones.", Condition: "location:safe_zone", Unless: "faction:guards", Prohibited: "attack cast_*", Severity: normsync.SeverityError, Advice: "Put your weapon away."}
	arena  = normsync.Norm{Name: "arena", Condition: "location:arena", Permitted: "attack", Priority: 10}
	noFire = normsync.Norm{Name: "no-fire", Condition: "forest", Prohibited: "cast_fireball", Severity: normsync.SeverityInfo, Shadow: true}
)

func TestACheckAppearsOnThePage(t *testing.T) {
	w := newWorld(t, "", peace, arena, noFire)
	b := openTab(t, 1280, 900)
	b.load(w.url)
	require.Equal(t, "3 norms in force, edition 3", b.text("#summary"))
	require.Contains(t, b.text("#violations"), "No violation is recorded yet")

	w.check(`{"agent_id": "hero", "action": "attack", "location": "town safe_zone", "target": "goblin"}`)
	b.wait(`document.querySelectorAll("#violation-list > li").length === 1`)
	row := b.text("#violation-list > li")
	for _, part := range []string{"hero attack on goblin in town safe_zone", "peace", "error", "Put your weapon away."} {
		require.Contains(t, row, part)
	}
	require.Equal(t, "1 new, 1 since you opened the page", b.text("#violations-status"))
	require.Equal(t, "1 new violation, the last by hero, of peace", value[string](b, `document.querySelector("[aria-live=polite]").textContent`))
	b.wait(`/hero.*0\.0 %/s.test(document.querySelector("#agent-list")?.innerText)`) // at first the rate may not be known

	w.check(`{"agent_id": "mage", "action": "cast_fireball", "location": "forest"}`)
	b.wait(`document.querySelectorAll("#violation-list > li").length === 2`)
	require.Contains(t, b.text("#violation-list > li"), "dry run", "the newest is first")
	require.Contains(t, value[string](b, `document.querySelector("#chart svg").ariaLabel`), "2 violations over time")

	b.run(chromedp.Reload())
	b.wait(`document.querySelectorAll("#violation-list > li").length === 2`)
}

// Until the server has answered, a card does not say that there is nothing.
func TestThePageLoads(t *testing.T) {
	silent := httptest.NewServer(page.Handler()) // without the API
	t.Cleanup(silent.Close)
	b := openTab(t, 1280, 900)
	b.run(chromedp.Navigate(silent.URL))
	b.wait(`!document.querySelector("#problem").hidden`)
	require.Equal(t, []string{"Loading…", "Loading…", "Loading…", "Loading…"},
		value[[]string](b, `[...document.querySelectorAll(".empty")].filter((e) => e.checkVisibility()).map((e) => e.textContent)`))
	b.run(chromedp.Navigate("about:blank")) // so that it does not try again
	b.faults()

	w := newWorld(t, "", peace)
	b.load(w.url)
	require.Equal(t, 2, value[int](b, `[...document.querySelectorAll(".empty")].filter((e) => e.checkVisibility()).length`))
	require.NotContains(t, b.text("main"), "Loading")
	require.False(t, value[bool](b, `document.querySelector("#agents-unknown").checkVisibility()`))

	// Another program records a violation, so the number of the agent's actions is not known.
	err := w.service.Store().AppendViolations(t.Context(), w.service.Judge(normsync.Action{Agent: "hero", Verb: "attack", Location: "safe_zone"}).Violations...)
	require.NoError(t, err)
	b.wait(`document.querySelector("#agent-list")?.innerText.includes("not known")`)
	require.Contains(t, b.text("#agents"), "It is not known for agents without such an action.")
}

func TestARevisionAppearsOnThePage(t *testing.T) {
	w := newWorld(t, "", peace)
	b := openTab(t, 1280, 900)
	b.load(w.url)
	amended := peace
	amended.Unless = "faction:guards faction:kings"
	_, err := w.service.Monitor().Apply(t.Context(), normsync.Amend(amended).Attributed("zoe", "kings may"))
	require.NoError(t, err)
	b.wait(`document.querySelectorAll("#revision-list > li").length === 2`)
	require.Contains(t, b.text("#norm-list"), "faction:kings")
	require.Contains(t, b.text("#revision-list > li"), "by zoe: kings may")

	b.click("#revision-list > li summary")
	b.wait(`document.querySelector("#revision-list > li table")`)
	require.Equal(t, []string{"unless", "faction:guards", "faction:guards faction:kings"},
		value[[]string](b, `[...document.querySelectorAll("#revision-list > li tbody tr > *")].map((c) => c.textContent)`))

	_, err = w.service.Monitor().Apply(t.Context(), normsync.Repeal("peace"))
	require.NoError(t, err)
	b.wait(`document.querySelector("#summary").textContent === "0 norms in force, edition 3"`)
	require.Contains(t, b.text("#norm-list"), "repealed")
}

// What agents are called, and what else users write, is shown as it is.
func TestHostileTextIsShownAndNotObeyed(t *testing.T) {
	hostile := []string{
		`<script>window.hacked = 1; alert(1)</script>`,
		`<img src=x onerror="window.hacked = 1; alert(1)">`,
		`"><svg onload=alert(1)>`,
		`'); alert(1); ('`,
		`<style>* { display: none }</style>`,
		`{{constructor.constructor("alert(1)")()}}`,
		`<iframe src="javascript:alert(1)"></iframe>`,
		`&lt;b&gt;`,
	}
	var norms []normsync.Norm
	for i, text := range hostile {
		norms = append(norms, normsync.Norm{Name: fmt.Sprintf("%s %d", text, i), Description: text, Condition: fmt.Sprintf("place_%d", i), Prohibited: "attack", Scope: text, Advice: text})
	}
	w := newWorld(t, "", norms...)
	_, err := w.service.Monitor().Apply(t.Context(), normsync.Amend(normsync.Norm{Name: norms[0].Name, Description: "<b>amended</b>", Prohibited: "attack"}).Attributed(hostile[1], hostile[0]))
	require.NoError(t, err)

	b := openTab(t, 1280, 900)
	b.load(w.url)
	body := func(v any) string {
		text, err := json.Marshal(v)
		require.NoError(t, err)
		return string(text)
	}
	for i, text := range hostile {
		w.check(body(map[string]string{"agent_id": text, "action": "attack", "location": fmt.Sprintf("place_%d %s", i, text), "target": text, "faction": text}))
	}
	w.check(body(map[string]string{"agent_id": "", "action": "attack"}))
	w.check(body(map[string]string{"agent_id": "  ", "action": "attack"}))
	w.check(body(map[string]string{"agent_id": strings.Repeat("m", 3000), "action": "attack"}))
	unseen := "bo\u200bss\u202eevil\u2066x\u0000\u001b[31m\u00a0z\u2800"
	w.check(body(map[string]string{"agent_id": unseen, "action": "attack", "location": strings.Repeat("w", 5000)}))
	// Every action breaks the amended norm, and all but five another one. All have to be
	// there before the click, since later ones are held back while somebody reads.
	b.wait(`document.querySelector("#violations-more").textContent === "Show more (%d left)"`, 2*len(hostile)+3-10)
	b.click("#violations-more")
	b.wait(`document.querySelectorAll("#violation-list > li").length === %d`, 2*len(hostile)+3)
	b.click("#agents-more")
	// Something is seen of every agent, and none of them fills the page.
	for _, name := range []string{"no name", "blank name", strings.Repeat("m", 200) + "… (3000 characters)"} {
		b.wait(`[...document.querySelectorAll("#violation-list .strong")].some((e) => e.textContent === %q)`, name)
		b.wait(`[...document.querySelectorAll("#agent-list th")].some((e) => e.textContent === %q)`, name)
	}

	list := value[string](b, `document.querySelector("#violation-list").textContent`)
	for _, text := range hostile {
		require.Contains(t, list, text)
	}
	require.Contains(t, list, "boU+200BssU+202EevilU+2066xU+0000U+001B[31mU+00A0zU+2800")
	require.Contains(t, list, "… (5000 characters)")
	for _, r := range unseen {
		if r > 0x7f || r < ' ' {
			require.NotContains(t, value[string](b, `document.documentElement.outerHTML`), string(r), "%U is escaped", r)
		}
	}

	b.press("#violation-list > li:nth-child(1)", "Explain")
	b.wait(`document.querySelector("#try-result .verdict")`)
	require.Contains(t, value[string](b, `document.querySelector("#try-result").textContent`), "boU+200BssU+202Eevil")
	b.wait(`document.querySelector("#agent-list")?.children.length > 5`)
	b.click("#revision-list > li summary")
	b.wait(`document.querySelector("#revision-list > li table")`)
	b.click("#norm-list .tools button")
	b.click("#change-preview")
	b.wait(`document.querySelector("#preview").hasChildNodes()`)

	require.Equal(t, 1, value[int](b, `document.querySelectorAll("script").length`))
	require.Equal(t, 1, value[int](b, `document.querySelectorAll("img").length`))
	require.Zero(t, value[int](b, `document.querySelectorAll("iframe, style, b, [onerror], [onload]").length`))
	require.False(t, value[bool](b, `"hacked" in window`))
	require.False(t, value[bool](b, `(() => { try { document.body.innerHTML = "<b>x</b>"; return true } catch { return false } })()`),
		"trusted types refuse text as markup")
	b.faults() // of the line before, which the policy reports
}

func TestTheFormExplains(t *testing.T) {
	w := newWorld(t, "secret", peace, arena, noFire)
	b := openTab(t, 1280, 900)
	b.load(w.url)

	b.click("#try-form button[type=submit]")
	b.wait(`document.querySelector("#try-error").textContent.startsWith("Enter an action")`)
	require.Equal(t, "action", value[string](b, `document.activeElement.name`))
	require.Equal(t, "true", value[string](b, `document.activeElement.ariaInvalid`))

	b.enter("#try-form [name=agent_id]", "hero")
	b.enter("#try-form [name=action]", "attack")
	b.enter("#try-form [name=location]", "safe_zone")
	b.run(chromedp.KeyEvent(kb.Enter))
	b.wait(`document.querySelector("#try-result .verdict")?.textContent === "Denied"`)
	require.Contains(t, b.text("#try-result"), "It forbids this: the action has attack, location:safe_zone.")
	require.Contains(t, b.text("#try-result"), "It permits the verb, but the action lacks location:arena.")
	require.Contains(t, b.text("#try-result"), "Advice: Put your weapon away.")
	require.Equal(t, "try-result", value[string](b, `document.activeElement.id`), "the verdict is read out")

	b.enter("#try-form [name=location]", "safe_zone arena")
	b.run(chromedp.KeyEvent(kb.Enter))
	b.wait(`document.querySelector("#try-result .verdict")?.textContent === "Allowed"`)
	require.Contains(t, b.text("#try-result"), "The permit arena of higher priority overrides it.")

	// The verdict follows the norms.
	_, err := w.service.Monitor().Apply(t.Context(), normsync.Repeal("arena"))
	require.NoError(t, err)
	b.wait(`document.querySelector("#try-result .verdict")?.textContent === "Denied"`)

	b.enter("#try-form [name=action]", "dance")
	b.run(chromedp.KeyEvent(kb.Enter))
	b.wait(`document.querySelector("#try-result .verdict")?.textContent === "Allowed"`)
	require.Contains(t, b.text("#try-result"), "No norm names this verb.")

	b.enter("#try-form [name=action]", "cast_fireball")
	b.enter("#try-form [name=location]", "forest")
	b.run(chromedp.KeyEvent(kb.Enter))
	b.wait(`document.querySelector("#try-result .verdict")?.textContent.startsWith("Allowed. A norm on a dry run")`)
	require.Zero(t, value[int](b, `document.querySelectorAll("#violation-list > li").length`), "nothing is recorded")

	b.click("#try-check")
	b.wait(`document.querySelector("#token-dialog").open`)
	b.faults() // the refused request
	b.enter("#token-form [name=token]", "secret")
	b.run(chromedp.KeyEvent(kb.Enter))
	b.wait(`document.querySelectorAll("#violation-list > li").length === 1`)
}

func TestARecordedActionIsExplainedAsItWas(t *testing.T) {
	w := newWorld(t, "", peace)
	b := openTab(t, 1280, 900)
	b.load(w.url)
	w.check(`{"agent_id": "hero", "action": "attack\nrun", "location": "safe_zone", "timestamp": 1}`)
	b.wait(`document.querySelectorAll("#violation-list > li").length === 1`)
	b.press("#violation-list > li", "Explain")
	b.wait(`document.querySelector("#try-result .verdict")?.textContent === "Denied"`)
	require.Contains(t, b.text("#try-result"), "1970-01-01 00:00:01")
	b.enter("#try-form [name=action]", "run")
	b.run(chromedp.KeyEvent(kb.Enter))
	b.wait(`document.querySelector("#try-result .verdict")?.textContent === "Allowed"`)
}

func TestNormsAreSearched(t *testing.T) {
	window := normsync.Norm{Name: "festival", Description: "Once", Condition: "market", Permitted: "steal", From: normsync.Action{}.Time.AddDate(2029, 0, 0)}
	w := newWorld(t, "", peace, arena, noFire, window)
	_, err := w.service.Monitor().Apply(t.Context(), normsync.Repeal("arena"))
	require.NoError(t, err)
	b := openTab(t, 1280, 900)
	b.load(w.url)
	names := func() []string {
		return value[[]string](b, `[...document.querySelectorAll("#norm-list h3")].map((h) => h.textContent)`)
	}
	require.Equal(t, []string{"festival", "no-fire", "peace", "arena"}, names())
	b.enter("#norm-query", "SAFE fights")
	require.Equal(t, []string{"peace"}, names())
	require.Equal(t, "1 match of 4", b.text("#norms-status"))
	b.enter("#norm-query", "nothing at all")
	require.Empty(t, names())
	require.Contains(t, b.text("#norms"), "No norm matches.")
	b.do(`document.querySelector("#norm-query").value = ""`)
	for state, want := range map[string]string{"shadow": "no-fire", "window": "festival", "repealed": "arena"} {
		b.run(chromedp.SetValue(chromedp.CSS("#norm-state"), state))
		b.do(`document.querySelector("#norm-state").dispatchEvent(new Event("input", {bubbles: true}))`)
		require.Equal(t, []string{want}, names())
	}
}

func TestTheStreamPausesAndIsBounded(t *testing.T) {
	w := newWorld(t, "", peace)
	b := openTab(t, 1280, 900)
	b.load(w.url)
	b.click("#pause")
	require.Equal(t, "true", value[string](b, `document.querySelector("#pause").ariaPressed`))
	w.check(`{"agent_id": "hero", "action": "attack", "location": "safe_zone"}`)
	b.wait(`document.querySelector("#violations-status").textContent === "1 new violation held back"`)
	require.Zero(t, value[int](b, `document.querySelectorAll("#violation-list > li").length`))
	b.click("#pause")
	b.wait(`document.querySelectorAll("#violation-list > li").length === 1`)

	for i := range 620 {
		w.service.Recorder().Record(normsync.Violation{NormName: "peace", Action: normsync.Action{Agent: fmt.Sprintf("agent-%d", i), Verb: "attack"}})
	}
	b.wait(`document.querySelector("#violation-list").textContent.includes("agent-619")`)
	require.Equal(t, 10, value[int](b, `document.querySelectorAll("#violation-list > li").length`))
	require.Equal(t, "Show more (490 left)", b.text("#violations-more"), "500 are kept")
}

func TestThePageFindsTheServerAgain(t *testing.T) {
	w := newWorld(t, "", peace)
	b := openTab(t, 1280, 900)
	b.load(w.url)
	w.server.CloseClientConnections()
	w.check(`{"agent_id": "hero", "action": "attack", "location": "safe_zone"}`)
	b.wait(`document.querySelectorAll("#violation-list > li").length === 1`)
	b.wait(`document.querySelector("#connection").textContent === "Live"`)

	// After a refusal a browser does not try again by itself.
	w.refuse.Store(true)
	w.server.CloseClientConnections()
	for <-w.refused != "/events" {
	}
	b.wait(`document.querySelector("#connection").textContent.startsWith("Connection lost")`)
	b.enter("#try-form [name=action]", "attack")
	b.run(chromedp.KeyEvent(kb.Enter))
	b.wait(`document.querySelector("#try-error").textContent === "The server answers 503."`)
	w.refuse.Store(false)
	w.check(`{"agent_id": "bard", "action": "attack", "location": "safe_zone"}`)
	b.wait(`document.querySelectorAll("#violation-list > li").length === 2`)
	b.wait(`document.querySelector("#connection").textContent === "Live"`)
	b.wait(`document.querySelector("#problem").hidden`)
	b.faults() // the browser reports the lost connections
}

func TestThePageWaitsForItsServer(t *testing.T) {
	w := newWorld(t, "", peace)
	b := openTab(t, 1280, 900)
	b.load(w.url)
	_, err := chromedp.Call(b.ctx, network.SetBlockedURLs, network.SetBlockedURLsParams{URLPatterns: []*network.BlockPattern{{URLPattern: w.url + "/norms", Block: true}}})
	require.NoError(t, err)
	b.run(chromedp.Reload())
	b.wait(`document.querySelector("#problem").textContent === "The server does not answer. Check that it is running."`)
	b.enter("#norm-query", "war") // nothing is known about the norms yet
	require.Equal(t, "Loading…", b.text("#norms-empty"))
	b.enter("#norm-query", "")
	require.Equal(t, "Loading…", b.text("#norms-empty"))
	_, err = chromedp.Call(b.ctx, network.SetBlockedURLs, network.SetBlockedURLsParams{})
	require.NoError(t, err)
	b.wait(`document.querySelector("#connection").textContent === "Live"`)
	require.True(t, value[bool](b, `document.querySelector("#problem").hidden`))
	b.faults() // of the blocked requests
}

func TestTheKeyboardReachesEverything(t *testing.T) {
	w := newWorld(t, "", peace)
	w.check(`{"agent_id": "hero", "action": "attack", "location": "safe_zone"}`)
	b := openTab(t, 1280, 900)
	b.load(w.url)
	b.wait(`document.querySelectorAll("#violation-list > li").length === 1`)

	b.run(chromedp.KeyEvent(kb.Tab))
	require.Equal(t, "Skip to the content", value[string](b, `document.activeElement.textContent`))
	require.True(t, value[bool](b, `document.activeElement.getBoundingClientRect().left >= 0`), "it is seen while it has the focus")
	b.run(chromedp.KeyEvent(kb.Enter))
	b.wait(`document.activeElement.id === "main"`)

	var reached []string
	for range 60 {
		b.run(chromedp.KeyEvent(kb.Tab))
		at := value[string](b, `document.activeElement.id || document.activeElement.name || document.activeElement.textContent`)
		reached = append(reached, at)
		if at == "summary" || at == "BODY" {
			break
		}
	}
	for _, want := range []string{"pause", "peace", "Explain", "agent_id", "action", "facts", "enact", "norm-query", "norm-state", "Amend", "Repeal", "What changed"} {
		require.Contains(t, reached, want)
	}

	b.run(chromedp.Focus(chromedp.CSS("#enact")), chromedp.KeyEvent(kb.Enter))
	b.wait(`document.querySelector("#change-dialog").open`)
	require.True(t, value[bool](b, `document.querySelector("#change-dialog").contains(document.activeElement)`))
	b.run(chromedp.KeyEvent(kb.Escape))
	b.wait(`!document.querySelector("#change-dialog").open`)
	require.Equal(t, "enact", value[string](b, `document.activeElement.id`), "the focus comes back")
}

func TestAssistiveTechnologyHasNamesForEverything(t *testing.T) {
	w := newWorld(t, "", peace, arena)
	w.check(`{"agent_id": "hero", "action": "attack", "location": "safe_zone"}`)
	b := openTab(t, 1280, 900)
	b.load(w.url)
	b.wait(`document.querySelector("#agent-list")?.children.length === 1`)
	b.click("#enact")

	roles := func() map[string][]string {
		tree, err := chromedp.Call(b.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		require.NoError(t, err)
		found := map[string][]string{}
		for _, n := range tree.Nodes {
			if n.Ignored || n.Role == nil {
				continue
			}
			var role, name string
			require.NoError(t, json.Unmarshal(n.Role.Value, &role))
			if n.Name != nil && n.Name.Value != nil {
				require.NoError(t, json.Unmarshal(n.Name.Value, &name))
			}
			found[role] = append(found[role], name)
		}
		return found
	}
	inDialog := roles()
	require.Equal(t, []string{"Enact a norm"}, inDialog["dialog"])
	for _, role := range []string{"button", "textbox", "combobox", "radio", "checkbox"} {
		require.NotEmpty(t, inDialog[role], role)
		require.NotContains(t, inDialog[role], "", "a %s has no name", role)
	}
	b.run(chromedp.KeyEvent(kb.Escape))
	b.wait(`!document.querySelector("#change-dialog").open`)

	page := roles()
	for _, role := range []string{"banner", "main"} {
		require.Len(t, page[role], 1, role)
	}
	require.Equal(t, []string{"Sections"}, page["navigation"])
	require.Subset(t, page["region"], []string{"Violations", "Try an action", "Norms", "Agents", "History"})
	require.Equal(t, []string{"Norms"}, page["search"])
	for _, role := range []string{"button", "link", "textbox", "searchbox", "combobox"} {
		require.NotEmpty(t, page[role], role)
		require.NotContains(t, page[role], "", "a %s has no name", role)
	}
	require.Equal(t, "en", value[string](b, `document.documentElement.lang`))
}
