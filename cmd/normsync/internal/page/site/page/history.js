// The history of editions: who changed which norm, and in which fields.
import { List, byId, chip, count, el, when } from "./dom.js";
import { shown } from "./visible.js";
import * as api from "./api.js";

const verbs = { add: "enacted", modify: "amended", repeal: "repealed" };
const kinds = { add: "good", modify: "accent", repeal: "bad" };
const fields = ["description", "condition", "unless", "prohibited", "permitted", "scope", "priority", "severity", "advice", "from", "until", "shadow"];

export class History {
  constructor({ showNorm }) {
    this.showNorm = showNorm;
    this.revisions = []; // newest first
    this.list = new List(byId("revision-list"), byId("history-more"), { key: (r) => r.edition, row: (r) => this.row(r), step: 8 });
  }

  load(revisions) {
    this.revisions = revisions;
    this.show();
  }

  follow(revision) {
    if (this.revisions.some((r) => r.edition === revision.edition)) return;
    this.revisions = [revision, ...this.revisions].sort((a, b) => b.edition - a.edition).slice(0, 2000);
    this.show();
  }

  show() {
    this.list.show(this.revisions);
    const last = this.revisions[0]?.edition ?? 0;
    byId("history-status").textContent = last ? count(last, "edition") : "";
    byId("history-empty").hidden = this.revisions.length > 0;
    byId("history-empty").textContent = "No norm has been enacted yet.";
  }

  row(r) {
    const differences = el("div", {});
    const details = el("details", {}, el("summary", {}, "What changed"), differences);
    details.addEventListener("toggle", () => {
      if (details.open && !differences.hasChildNodes()) this.explain(r, differences);
    });
    return el("li", {},
      el("div", { class: "row" },
        el("span", { class: "aside" }, `#${r.edition}`),
        chip(verbs[r.revision_type] ?? r.revision_type, kinds[r.revision_type]),
        el("button", { type: "button", class: "link grow", onclick: () => this.showNorm(r.norm.name) }, shown(r.norm.name)),
        when(r.timestamp)),
      el("div", { class: "row" },
        el("p", { class: "detail grow text" }, r.by ? ["by ", shown(r.by)] : "", r.by && r.reason ? ": " : "", r.reason ? shown(r.reason) : ""),
        details));
  }

  async explain(r, node) {
    try {
      node.replaceChildren(difference(r, r.version > 1 ? await this.before(r) : undefined));
    } catch (e) {
      node.replaceChildren(el("p", { class: "error" }, e.message));
    }
  }

  // before returns the norm as it was before a revision.
  async before(r) {
    const earlier = (list) => list.filter((o) => o.norm.name === r.norm.name && o.edition < r.edition).sort((a, b) => b.edition - a.edition)[0];
    const previous = earlier(this.revisions) ?? earlier(await api.revisionsOf(r.norm.name));
    return previous?.norm;
  }
}

const value = (norm, field) => {
  const v = norm?.[field];
  if (field === "severity" && v === "warn") return "";
  if (field === "scope" && v === "global") return "";
  return v === undefined || v === "" || v === 0 || v === false ? "" : String(v);
};

// fieldDiffs returns the fields in which two norms differ.
export function fieldDiffs(from, to) {
  return fields.map((field) => ({ field, from: value(from, field), to: value(to, field) })).filter((d) => d.from !== d.to);
}

function difference(r, before) {
  if (r.revision_type === "repeal") return diffTable(fieldDiffs(r.norm, undefined), "The norm as it was");
  const diffs = fieldDiffs(before?.active === false && r.revision_type === "add" ? undefined : before, r.norm);
  if (diffs.length === 0) return el("p", { class: "detail" }, "No field differs.");
  return diffTable(diffs, before ? "Fields that changed" : "The norm as it was enacted");
}

export function diffTable(diffs, caption) {
  return el("table", {},
    el("caption", {}, caption),
    el("thead", {}, el("tr", {}, ["Field", "Before", "After"].map((t) => el("th", { scope: "col" }, t)))),
    el("tbody", {}, diffs.map((d) => el("tr", {},
      el("th", { scope: "row" }, d.field),
      el("td", {}, d.from ? el("del", {}, shown(d.from, "code")) : ""),
      el("td", {}, d.to ? el("ins", {}, shown(d.to, "code")) : "")))));
}
