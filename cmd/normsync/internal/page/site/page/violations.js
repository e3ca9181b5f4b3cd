// The stream of violations: the newest first, a bounded number of them.
import { List, byId, chip, count, el, severityKind, when } from "./dom.js";
import { named, plain, shown } from "./visible.js";
import { chart } from "./chart.js";

const kept = 500; // violations that the page holds
const quiet = 5000; // milliseconds between two announcements to screen readers

export class Violations {
  constructor({ tryAction, showNorm, changed }) {
    Object.assign(this, { tryAction, showNorm, changed });
    this.held = []; // newest first
    this.waiting = []; // arrived, and not shown yet
    this.arrived = 0; // since the page was opened
    this.paused = false;
    this.numbers = new Set();
    this.list = new List(byId("violation-list"), byId("violations-more"), { key: (v) => v.number, row: (v) => this.row(v) });
    byId("pause").addEventListener("click", () => this.pause(!this.paused));
    // Rows must not move away while somebody reads or operates them.
    for (const event of ["pointerleave", "focusout"]) {
      byId("violation-list").addEventListener(event, () => this.schedule());
    }
  }

  // load takes the newest violations of the store, newest first.
  load(violations) {
    this.loaded = true;
    this.add(violations.toReversed(), false);
    this.flush();
  }

  // arrive takes a violation that was recorded just now.
  arrive(violation) {
    this.add([violation], true);
    this.schedule();
  }

  add(violations, fresh) {
    for (const v of violations) {
      if (this.numbers.has(v.number)) continue;
      this.numbers.add(v.number);
      this.waiting.push(fresh ? { ...v, fresh } : v);
      if (fresh) this.arrived++;
    }
    if (this.waiting.length > kept) {
      for (const v of this.waiting.splice(0, this.waiting.length - kept)) this.numbers.delete(v.number);
    }
  }

  pause(paused) {
    this.paused = paused;
    const button = byId("pause");
    button.setAttribute("aria-pressed", String(paused));
    button.textContent = paused ? "Resume" : "Pause";
    if (paused) this.tell();
    else this.flush();
  }

  // schedule shows what has arrived, at most twice a second, so that a flood of
  // violations does not stop the page.
  schedule() {
    if (this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = 0;
      const list = byId("violation-list");
      if (this.paused || list.matches(":hover, :focus-within")) this.tell();
      else this.flush();
    }, this.flushed ? 500 : 0);
    this.flushed = true;
  }

  flush() {
    const fresh = this.waiting.filter((v) => v.fresh).length;
    this.held = [...this.held, ...this.waiting].sort((a, b) => b.number - a.number);
    for (const v of this.held.splice(kept)) this.numbers.delete(v.number);
    this.waiting = [];
    this.list.show(this.held);
    const empty = byId("violations-empty");
    empty.hidden = this.held.length > 0;
    if (this.loaded) empty.textContent = "No violation is recorded yet. When an agent breaks a norm, it appears here.";
    chart(byId("chart"), this.held.map((v) => v.timestamp).filter((t) => t > 0));
    this.tell(fresh);
    this.announce(fresh);
    this.changed(this.held);
  }

  // announce tells screen readers what is new, and not more often than somebody can
  // listen to.
  announce(fresh) {
    this.unheard = (this.unheard ?? 0) + fresh;
    if (this.unheard === 0 || this.speaking) return;
    const v = this.held[0];
    byId("violations-news").textContent = `${count(this.unheard, "new violation")}, the last by ${plain(v.agent_id)}, of ${plain(v.norm_name)}`;
    this.unheard = 0;
    this.speaking = setTimeout(() => {
      this.speaking = 0;
      this.announce(0);
    }, quiet);
  }

  tell(fresh = 0) {
    const status = byId("violations-status");
    const waiting = this.waiting.length;
    if (waiting > 0) status.textContent = `${count(waiting, "new violation")} held back${this.paused ? "" : " while you read"}`;
    else if (this.paused) status.textContent = "Paused";
    else if (fresh > 0) status.textContent = `${fresh} new, ${this.arrived.toLocaleString("en")} since you opened the page`;
    else if (this.held.length > 0 && this.arrived === 0) status.textContent = `The last ${this.held.length.toLocaleString("en")}`;
  }

  row(v) {
    const a = v.action ?? {};
    return el("li", { class: v.fresh ? "fresh" : "" },
      el("div", { class: "row" },
        el("span", { class: "grow text" },
          el("span", { class: "strong" }, named(a.agent_id ?? v.agent_id)), " ",
          shown(a.action ?? v.description, "code"),
          a.target ? [" on ", named(a.target)] : "",
          a.location ? [" in ", named(a.location)] : ""),
        when(v.timestamp)),
      el("div", { class: "tools" },
        chip(v.severity, severityKind(v.severity)),
        v.shadow ? chip("dry run") : "",
        el("button", { type: "button", class: "link", onclick: () => this.showNorm(v.norm_name) }, shown(v.norm_name)),
        el("span", { class: "grow text" }, v.advice ? shown(v.advice) : ""),
        a.action ? el("button", { type: "button", class: "link", "aria-label": `Explain ${plain(a.action)} of ${plain(a.agent_id)}`, onclick: () => this.tryAction(a) }, "Explain") : ""));
  }
}
