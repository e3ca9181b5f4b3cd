package page_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

// lived returns a world with something in every part of its page.
func lived(t *testing.T) *world {
	t.Helper()
	long := normsync.Norm{Name: "a-" + strings.Repeat("long", 40), Description: strings.Repeat("word ", 100), Condition: strings.Repeat("w", 120), Unless: strings.Repeat("u", 120), Prohibited: strings.Repeat("v", 120), Advice: strings.Repeat("a", 300), Scope: strings.Repeat("s", 120), Severity: normsync.SeverityError}
	twin := normsync.Norm{Name: "twin", Condition: "location:safe_zone", Unless: "faction:guards", Prohibited: "attack cast_*"}
	w := newWorld(t, "", long, peace, arena, noFire, twin)
	_, err := w.service.Monitor().Apply(t.Context(), normsync.Repeal("arena").Attributed(strings.Repeat("by", 100), strings.Repeat("reason", 50)))
	require.NoError(t, err)
	for i := range 15 {
		w.check(fmt.Sprintf(`{"agent_id": "%s-%d", "action": "attack", "location": "safe_zone %s", "target": "%s"}`, strings.Repeat("agent", 20), i, strings.Repeat("place", 30), strings.Repeat("target", 30)))
		w.check(`{"agent_id": "mage", "action": "cast_fireball", "location": "forest"}`)
	}
	return w
}

// fill shows something in every part of the page.
func (b *tab) fill() {
	b.t.Helper()
	b.wait(`document.querySelectorAll("#violation-list > li").length === 10`)
	b.wait(`document.querySelector("#agent-list")?.children.length > 5`)
	b.wait(`!document.querySelector("#conflicts").hidden`)
	b.click("#conflicts summary")
	b.enter("#try-form [name=action]", "cast_fireball attack")
	b.enter("#try-form [name=location]", "safe_zone forest")
	b.click("#try-form button[type=submit]")
	b.wait(`document.querySelector("#try-result .verdict")`)
	b.click("#revision-list > li summary")
	b.wait(`document.querySelector("#revision-list > li table")`)
}

func TestThePageIsAsWideAsAPhone(t *testing.T) {
	w := lived(t)
	b := openTab(t, 360, 740)
	b.load(w.url)
	b.fill()
	fits := func(where string) {
		t.Helper()
		require.Equal(t, 360, value[int](b, `document.documentElement.scrollWidth`), where)
		require.Empty(t, value[[]string](b, `[...document.querySelectorAll("main *, dialog[open] *")].filter((e) => {
			const r = e.getBoundingClientRect();
			return r.width > 0 && !e.closest("svg, .unseen") && (r.left < 0 || r.right > 360.5);
		}).map((e) => e.tagName + "." + e.className)`), where)
	}
	fits("the page")
	b.screenshot("narrow")
	b.press("#norm-list > li:nth-child(1)", "Amend")
	b.click("#change-preview")
	b.wait(`document.querySelector("#preview").hasChildNodes()`)
	fits("the dialog")
	b.screenshot("narrow-dialog")
}

func TestTheColorsHaveContrast(t *testing.T) {
	w := lived(t)
	b := openTab(t, 1280, 900)
	b.load(w.url)
	b.fill()
	for _, dark := range []bool{false, true} {
		b.dark(dark)
		require.Equal(t, dark, value[bool](b, `getComputedStyle(document.body).backgroundColor !== "rgb(244, 245, 247)"`))
		b.wait(`document.getAnimations().length === 0`)
		require.Empty(t, value[[]string](b, lowContrast), "dark: %t", dark)
		b.screenshot(fmt.Sprintf("wide-dark=%t", dark))
	}
	b.press("#norm-list > li:nth-child(1)", "Amend")
	b.enter("#change-form [name=verbs]", "attack !fight")
	b.click("#change-preview")
	b.wait(`document.querySelector("#preview").hasChildNodes()`)
	for _, dark := range []bool{true, false} {
		b.dark(dark)
		require.Empty(t, value[[]string](b, lowContrast), "the dialog, dark: %t", dark)
		picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
		require.NoError(t, err)
		b.save(fmt.Sprintf("dialog-dark=%t", dark), picture)
	}
}

// lowContrast returns the texts whose contrast with what is behind them is below
// 4.5:1, as WCAG 2 computes it. Disabled buttons are measured, too.
const lowContrast = `(() => {
	const parse = (color) => {
		const [r, g, b, a = 1] = color.match(/[\d.]+/g).map(Number);
		return { r, g, b, a };
	};
	const over = (top, below) => ({ r: top.r * top.a + below.r * (1 - top.a), g: top.g * top.a + below.g * (1 - top.a), b: top.b * top.a + below.b * (1 - top.a), a: 1 });
	const behind = (e) => {
		const layers = [];
		for (; e; e = e.parentElement) {
			layers.push(parse(getComputedStyle(e).backgroundColor));
			if (layers.at(-1).a === 1) break;
		}
		return layers.reverse().reduce((below, top) => over(top, below), { r: 255, g: 255, b: 255, a: 1 });
	};
	const luminance = ({ r, g, b }) => {
		const linear = (c) => ((c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
		return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
	};
	const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
	const low = [];
	const root = document.querySelector("dialog[open]") ?? document.body;
	const measure = (e, style, text) => {
		const ground = behind(e);
		const found = ratio(luminance(over(parse(style.color), ground)), luminance(ground));
		if (found < 4.5) low.push(found.toFixed(2) + " " + e.tagName + "." + e.className + ": " + text.slice(0, 40));
	};
	let texts = 0;
	for (const e of root.querySelectorAll("*")) {
		if (!e.checkVisibility() || e.closest("dialog:not([open])")) continue;
		const text = [...e.childNodes].filter((n) => n.nodeType === Node.TEXT_NODE).map((n) => n.data.trim()).join(" ").trim();
		if (text) texts++;
		if (text) measure(e, getComputedStyle(e), text);
		if (e.placeholder && !e.value) measure(e, getComputedStyle(e, "::placeholder"), e.placeholder);
		if (e.value) measure(e, getComputedStyle(e), String(e.value));
	}
	if (texts < 20) low.push("only " + texts + " texts were found");
	return low;
})()`
