// The dialog that enacts, amends or repeals a norm after a preview.
import { byId, chip, code, count, el } from "./dom.js";
import { shown } from "./visible.js";
import { diffTable, fieldDiffs } from "./history.js";
import * as api from "./api.js";

const titles = { enact: "Enact a norm", amend: "Amend", repeal: "Repeal" };
const done = { enact: "Enact", amend: "Amend", repeal: "Repeal" };
const texts = ["name", "description", "condition", "unless", "scope", "advice", "from", "until"];

export class Change {
  constructor({ askToken, applied }) {
    Object.assign(this, { askToken, applied });
    this.dialog = byId("change-dialog");
    this.form = byId("change-form");
    byId("change-submit").addEventListener("click", () => this.submit());
    byId("change-cancel").addEventListener("click", () => this.dialog.close());
    byId("change-fields").addEventListener("input", () => this.stale());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.preview();
    });
  }

  open(kind, norm) {
    this.kind = kind;
    this.norm = norm;
    this.form.reset();
    this.stale();
    this.error("");
    byId("change-title").replaceChildren(titles[kind], ...(norm ? [" ", shown(norm.name)] : []));
    byId("change-submit").textContent = done[kind];
    byId("change-fields").hidden = kind === "repeal";
    const input = this.form.elements;
    if (norm) {
      for (const field of texts) input[field].value = norm[field] ?? "";
      if (norm.scope === "global") input.scope.value = "";
      input.kind.value = norm.permitted ? "permitted" : "prohibited";
      input.verbs.value = norm.permitted ?? norm.prohibited;
      input.priority.value = norm.priority;
      input.severity.value = norm.severity || "warn";
      input.shadow.checked = Boolean(norm.shadow);
    }
    input.name.readOnly = kind === "amend";
    input.by.value = this.by ?? "";
    this.dialog.showModal();
    if (kind === "repeal") this.preview();
  }

  error(text) {
    byId("change-error").textContent = text;
  }

  // stale forgets the preview, because a field has changed.
  stale() {
    this.turn = (this.turn ?? 0) + 1;
    this.ready(false);
    byId("preview").replaceChildren();
  }

  // ready says whether the change can be made now.
  ready(yes) {
    byId("change-submit").disabled = !yes;
    byId("change-submit").className = !yes ? "" : this.kind === "repeal" ? "danger" : "primary";
    byId("change-preview").className = yes ? "" : "primary";
  }

  // proposed returns the norm of the form.
  proposed() {
    if (this.kind === "repeal") return this.norm;
    const input = this.form.elements;
    const priority = input.priority.value.trim() || "0";
    if (!/^-?[0-9]{1,10}$/.test(priority)) throw new Error("The priority is not a whole number. Enter one such as 10.");
    const norm = { name: input.name.value, description: input.description.value, condition: input.condition.value, prohibited: "", priority: Number(priority) };
    norm[input.kind.value] = input.verbs.value;
    // A text area has its own ends of lines. What nobody touched stays as it is.
    if (this.norm && norm.description === this.norm.description.replace(/\r\n?/g, "\n")) norm.description = this.norm.description;
    for (const field of ["unless", "scope", "advice", "from", "until"]) if (input[field].value !== "") norm[field] = input[field].value;
    if (input.severity.value !== "warn") norm.severity = input.severity.value;
    if (input.shadow.checked) norm.shadow = true;
    return norm;
  }

  async preview() {
    this.stale();
    const turn = this.turn;
    try {
      const norm = this.proposed();
      const answer = await api.preview(this.kind, norm);
      if (turn !== this.turn) return;
      this.error("");
      this.report(norm, answer);
      this.ready(true);
      byId("preview").focus({ preventScroll: true });
      byId("preview").scrollIntoView({ block: "start" });
    } catch (e) {
      if (turn === this.turn) this.error(e.message);
    }
  }

  async submit() {
    const input = this.form.elements;
    this.by = input.by.value;
    this.ready(false);
    try {
      await api.change(this.kind, this.proposed(), { by: input.by.value, reason: input.reason.value });
      this.dialog.close();
      this.applied(this.kind, this.norm?.name ?? input.name.value);
    } catch (e) {
      this.ready(true);
      if (e.status === 401) {
        this.askToken(e.message, () => this.submit());
        return;
      }
      this.error(e.message);
    }
  }

  report(norm, p) {
    const parts = [];
    if (this.kind === "amend") {
      const diffs = fieldDiffs(this.norm, norm);
      parts.push(diffs.length ? diffTable(diffs, "What changes") : el("p", { class: "detail" }, "No field differs, so nothing would happen."));
    }
    parts.push(el("h3", {}, "Conflicts"), this.conflicts(p));
    if (p.warnings.length > 0) {
      parts.push(el("h3", {}, "Probably not meant"), el("ul", { class: "rows" }, p.warnings.map((w) => el("li", {},
        el("p", { class: "text" }, code(w.token), " in ", w.field, ": ", shown(w.detail)),
        w.suggestion ? el("p", { class: "detail" }, shown(w.suggestion)) : ""))));
    }
    parts.push(el("h3", {}, "The last recorded violations"), this.effects(p));
    byId("preview").replaceChildren(...parts);
  }

  conflicts(p) {
    const rows = [
      ...p.conflicts_added.map((c) => conflict(c, chip("new", "bad"))),
      ...p.conflicts_removed.map((c) => conflict(c, chip("resolved", "good"))),
    ];
    if (rows.length === 0) return el("p", { class: "detail" }, "The change makes no new conflict.");
    return el("ul", { class: "rows" }, rows);
  }

  effects(p) {
    if (p.examined === 0) return el("p", { class: "detail" }, "No violation is recorded yet.");
    const nodes = [el("p", {}, `Of the actions behind the last ${count(p.examined, "recorded violation")}, `,
      p.changed === 0 ? "none would be judged differently." : `${count(p.changed, "action")} would be judged differently: ${outcomes(p)}.`)];
    if (p.effects.length > 0) {
      nodes.push(el("ul", { class: "rows" }, p.effects.slice(0, 10).map((e) => el("li", {},
        el("div", { class: "row" },
          el("span", { class: "grow text" }, el("span", { class: "strong" }, shown(e.action.agent_id)), " ", code(e.action.action), e.action.location ? [" in ", shown(e.action.location)] : ""),
          e.before.allowed === e.after.allowed ? chip(e.after.allowed ? "still allowed" : "still denied") : e.after.allowed ? chip("now allowed", "good") : chip("now denied", "bad")),
        el("p", { class: "detail text" }, "Before: ", ...names(e.before.norms), "; after: ", ...names(e.after.norms))))));
      if (p.changed > 10) nodes.push(el("p", { class: "detail" }, `And ${count(p.changed - 10, "more action")}.`));
    }
    return el("div", {}, nodes);
  }
}

// outcomes says what would become of the actions that would be judged differently. The
// numbers add up to all of them.
const outcomes = (p) => [
  [p.now_allowed, "would be allowed"],
  [p.now_denied, "would be denied"],
  [p.changed - p.now_allowed - p.now_denied, "would keep the verdict, but violate other norms or none"],
].filter(([n]) => n > 0).map(([n, what]) => `${n.toLocaleString("en")} ${what}`).join(", ");

const names = (list) => (list.length === 0 ? ["no violation"] : list.flatMap((n, i) => [i ? ", " : "", shown(n)]));

// conflict returns a row for a conflict of two norms.
export function conflict(c, mark = "") {
  return el("li", {},
    el("div", { class: "row" }, mark, chip(c.kind, "warn"), el("span", { class: "grow text" }, shown(c.a), c.b ? [" and ", shown(c.b)] : "")),
    el("p", { class: "detail" }, shown(c.detail)),
    c.witness?.action ? el("p", { class: "detail text" }, "For example: ", code([c.witness.agent_id, c.witness.action, c.witness.location, c.witness.target, c.witness.faction, c.witness.facts].filter(Boolean).join(" · "))) : "");
}
