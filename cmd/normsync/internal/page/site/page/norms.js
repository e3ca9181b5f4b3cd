// The list of norms, with search and state.
import { List, byId, chip, code, count, el, severityKind } from "./dom.js";
import { plain, shown } from "./visible.js";

export class Norms {
  constructor({ amend, repeal, changed }) {
    Object.assign(this, { amend, repeal, changed });
    this.byName = new Map(); // in force
    this.gone = new Map(); // repealed
    this.list = new List(byId("norm-list"), byId("norms-more"), { key: (n) => n.name, row: (n) => this.row(n) });
    this.shownAs = new Map();
    byId("norm-search").addEventListener("input", () => this.show());
    byId("norm-search").addEventListener("submit", (event) => event.preventDefault());
  }

  load(norms, revisions) {
    this.byName = new Map(norms.filter((n) => n.active).map((n) => [n.name, n]));
    this.gone = new Map();
    for (const r of revisions.toReversed()) this.note(r);
    for (const name of this.byName.keys()) this.gone.delete(name);
    this.loaded = true;
    this.show();
  }

  note(revision) {
    const { norm } = revision;
    if (revision.revision_type === "repeal") this.gone.set(norm.name, norm);
    else this.gone.delete(norm.name);
  }

  // follow brings in a revision that came into force.
  follow(revision) {
    const { norm } = revision;
    if (revision.revision_type === "repeal") this.byName.delete(norm.name);
    else this.byName.set(norm.name, norm);
    this.note(revision);
    this.show();
  }

  get(name) {
    return this.byName.get(name);
  }

  // find shows one norm and moves the focus to it.
  find(name) {
    byId("norm-query").value = name;
    byId("norm-state").value = "";
    this.show();
    byId("norms").scrollIntoView({ block: "start" });
    byId("norms").focus({ preventScroll: true });
  }

  show() {
    if (!this.loaded) return; // how many norms there are is not known yet
    const query = byId("norm-query").value;
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    const state = byId("norm-state").value;
    const all = [...this.byName.values(), ...this.gone.values()];
    const matches = all.filter((n) => inState(n, state) && words.every((w) => haystack(n).includes(w)));
    matches.sort((a, b) => Number(b.name === query) - Number(a.name === query) || Number(b.active) - Number(a.active) || (a.name < b.name ? -1 : 1));
    this.list.show(matches, (n) => this.shownAs.get(n.name) !== JSON.stringify(n));
    this.shownAs = new Map(matches.slice(0, this.list.limit).map((n) => [n.name, JSON.stringify(n)]));
    const filtered = words.length > 0 || state !== "";
    byId("norms-status").textContent = filtered ? `${count(matches.length, "match", "matches")} of ${all.length.toLocaleString("en")}` : count(this.byName.size, "norm") + " in force";
    const empty = byId("norms-empty");
    empty.hidden = matches.length > 0;
    empty.textContent = filtered ? "No norm matches." : "No norm is in force, so every action is allowed.";
    this.changed(this.byName.size);
  }

  row(n) {
    const verbs = n.permitted ?? n.prohibited;
    const rule = [n.permitted ? "Permits " : "Forbids ", code(verbs), n.condition ? [" if ", code(n.condition)] : " always", n.unless ? [" unless ", code(n.unless)] : ""];
    return el("li", {},
      el("div", { class: "row" },
        el("h3", { class: "grow" }, shown(n.name)),
        el("span", { class: "row" }, states(n)),
        n.active
          ? el("span", { class: "tools" },
            el("button", { type: "button", class: "link", "aria-label": `Amend ${plain(n.name)}`, onclick: () => this.amend(n) }, "Amend"),
            el("button", { type: "button", class: "link", "aria-label": `Repeal ${plain(n.name)}`, onclick: () => this.repeal(n) }, "Repeal"))
          : ""),
      el("p", { class: "text" }, rule.flat()),
      n.description ? el("p", { class: "detail" }, shown(n.description)) : "",
      n.advice ? el("p", { class: "detail" }, "Advice: ", shown(n.advice)) : "",
      timeWindow(n));
  }
}

const haystack = (n) => [n.name, n.description, n.condition, n.unless, n.prohibited, n.permitted, n.scope, n.advice].join("\n").toLowerCase();

function inState(n, state) {
  switch (state) {
    case "active":
      return n.active;
    case "shadow":
      return n.active && Boolean(n.shadow);
    case "window":
      return n.active && Boolean(n.from || n.until);
    case "repealed":
      return !n.active;
    default:
      return true;
  }
}

function states(n) {
  return [
    n.active ? chip("in force", "good") : chip("repealed"),
    n.shadow ? chip("dry run", "warn") : "",
    n.permitted ? chip("permit", "accent") : n.severity && n.severity !== "warn" ? chip(n.severity, severityKind(n.severity)) : "",
    n.priority ? chip(`priority ${n.priority}`) : "",
    n.scope && n.scope !== "global" ? el("span", { class: "chip" }, shown(n.scope)) : "",
  ].filter(Boolean);
}

function timeWindow(n) {
  if (!n.from && !n.until) return "";
  return el("p", { class: "detail" }, "For actions", n.from ? ` from ${n.from}` : "", n.until ? ` until ${n.until}` : "");
}
