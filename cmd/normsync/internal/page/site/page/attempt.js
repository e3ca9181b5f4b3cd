// The form that tries an action and explains the verdict.
import { byId, chip, code, el, when } from "./dom.js";
import { shown } from "./visible.js";
import * as api from "./api.js";

const fields = ["agent_id", "action", "location", "target", "faction", "facts"];

const kinds = { violated: "bad", shadow: "warn", overridden: "good", permits: "good", exempt: "good", unmet: "", inactive: "" };
const words = { violated: "violated", shadow: "dry run", overridden: "overridden", permits: "permits", exempt: "exempt", unmet: "does not apply", inactive: "not in force" };

export class Attempt {
  constructor({ showNorm, askToken }) {
    Object.assign(this, { showNorm, askToken });
    this.form = byId("try-form");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.explain();
    });
    byId("try-check").addEventListener("click", () => this.check());
    this.form.addEventListener("reset", () => {
      this.extra = {};
      this.filled = undefined;
      this.result();
      this.error("");
    });
    this.form.elements.action.addEventListener("input", () => this.error(""));
  }

  // fill puts an action into the form and explains it.
  fill(action) {
    this.filled = new Map();
    for (const name of fields) {
      const input = this.form.elements[name];
      input.value = action[name] ?? "";
      this.filled.set(name, { shown: input.value, text: action[name] ?? "" });
    }
    this.extra = action.timestamp ? { timestamp: action.timestamp } : {};
    byId("try").scrollIntoView({ block: "nearest" });
    this.explain();
  }

  // again explains the action of the form once more, after the norms have changed.
  again() {
    if (byId("try-result").hasChildNodes()) this.explain(false);
  }

  // action returns the action of the form. A field drops the ends of lines, so what
  // was filled in and not touched is taken from its source.
  action() {
    const action = { ...this.extra };
    for (const name of fields) {
      let { value } = this.form.elements[name];
      const filled = this.filled?.get(name);
      if (value === filled?.shown) value = filled.text;
      if (value !== "") action[name] = value;
    }
    return { agent_id: "", ...action };
  }

  error(text) {
    byId("try-error").textContent = text;
    this.form.elements.action.setAttribute("aria-invalid", String(text !== ""));
  }

  // complete returns the action of the form, or says what it lacks.
  complete() {
    const action = this.action();
    if (action.action?.trim()) return action;
    this.error("Enter an action, such as attack. An action without a verb breaks no norm.");
    this.form.elements.action.focus();
  }

  // check records the violations of the action, and then explains it.
  async check() {
    const action = this.complete();
    if (!action) return;
    delete action.timestamp; // it happens now
    try {
      await api.check(action);
      await this.explain();
    } catch (e) {
      if (e.status === 401) this.askToken(e.message, () => this.check());
      else this.error(e.message);
    }
  }

  async explain(focus = true) {
    const action = this.complete();
    if (!action) return;
    const turn = (this.turn = (this.turn ?? 0) + 1);
    try {
      const answer = await api.explain(action);
      if (turn !== this.turn) return; // a later question was asked
      this.error("");
      this.result(answer, action);
      if (focus) byId("try-result").focus({ preventScroll: true });
    } catch (e) {
      this.error(e.message);
      this.result();
    }
  }

  // result shows an answer, and the action, in which hidden characters can be seen.
  result(answer, action) {
    const node = byId("try-result");
    if (!answer) {
      node.replaceChildren();
      return;
    }
    const findings = answer.findings;
    const dry = findings.filter((f) => f.outcome === "shadow" && f.norm.prohibited).length;
    node.replaceChildren(
      el("p", { class: `verdict ${answer.allowed ? (dry ? "warn" : "good") : "bad"}` },
        answer.allowed ? (dry ? "Allowed. A norm on a dry run would count it." : "Allowed") : "Denied"),
      el("p", { class: "detail text" }, fields.filter((name) => action[name]).flatMap((name, i) => [i ? " · " : "", shown(action[name])]), action.timestamp ? [" · ", when(action.timestamp)] : ""),
      findings.length === 0
        ? el("p", { class: "empty" }, "No norm names this verb.")
        : el("ul", { class: "rows", "aria-label": "What each norm says" }, findings.map((f) => this.finding(f))));
  }

  finding(f) {
    return el("li", {},
      el("div", { class: "row" },
        chip(words[f.outcome] ?? f.outcome, kinds[f.outcome]),
        el("button", { type: "button", class: "link grow", onclick: () => this.showNorm(f.norm.name) }, shown(f.norm.name))),
      el("p", { class: "detail text" }, reason(f)),
      f.outcome === "violated" && f.norm.advice ? el("p", { class: "detail" }, "Advice: ", shown(f.norm.advice)) : "");
  }
}

const tokens = (list) => (list ?? []).flatMap((t, i) => [i ? ", " : "", code(t)]);

// reason says in a sentence why a norm has its outcome.
function reason(f) {
  const says = f.norm.permitted ? "permits" : "forbids";
  switch (f.outcome) {
    case "violated":
      return ["It forbids this: the action has ", ...tokens(f.matched), "."];
    case "shadow":
      return [`It ${says} this, but is on a dry run: the action has `, ...tokens(f.matched), "."];
    case "overridden":
      return ["The permit ", shown(f.by), " of higher priority overrides it."];
    case "exempt":
      return ["The action is exempt, because it has ", code(f.by), "."];
    case "permits":
      return ["It permits this: the action has ", ...tokens(f.matched), "."];
    case "unmet":
      return [`It ${says} the verb, but the action lacks `, ...tokens(f.missing), "."];
    case "inactive":
      return ["The time of the action is outside its window: ", shown(f.by), "."];
    default:
      return [`It ${says} the verb.`];
  }
}
