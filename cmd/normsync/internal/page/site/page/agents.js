// The agents, ranked by compliance, worst first.
import { List, byId, chip, count, el } from "./dom.js";
import { named, plain } from "./visible.js";
import { bars, buckets } from "./chart.js";

const risks = {
  compliant: ["compliant", "good"],
  low_risk: ["low risk", "good"],
  medium_risk: ["medium risk", "warn"],
  high_risk: ["high risk", "bad"],
  non_compliant: ["non-compliant", "bad"],
};

export class Agents {
  constructor() {
    this.agents = [];
    this.times = new Map();
    this.others = new Map();
    const body = el("tbody", { id: "agent-list" });
    byId("agent-table").append(el("table", {},
      el("caption", { class: "unseen" }, "Agents by compliance, worst first"),
      el("thead", {}, el("tr", {},
        el("th", { scope: "col" }, "Agent"),
        el("th", { scope: "col", class: "narrow-hide" }, "Violations over time"),
        el("th", { scope: "col", class: "number" }, "Violations"),
        el("th", { scope: "col", class: "number" }, "Compliance"))),
      body));
    this.list = new List(body, byId("agents-more"), { key: (a) => a.agent_id, row: (a) => this.row(a) });
  }

  // load takes the compliance of the agents whose actions this server has checked.
  // Behind them come agents whose violations others have recorded, without a rate.
  load(agents) {
    const known = new Set(agents.map((a) => fold(a.agent_id)));
    const others = [...this.others.entries()].filter(([key]) => !known.has(key)).map(([, a]) => a);
    others.sort((a, b) => b.violations - a.violations || (a.agent_id < b.agent_id ? -1 : 1));
    this.agents = [...agents, ...others];
    this.show();
  }

  // follow takes the violations that the page holds, for the charts of the rows.
  follow(violations) {
    this.times = new Map();
    this.from = Infinity;
    this.to = -Infinity;
    this.others = new Map();
    for (const v of violations) {
      const key = fold(v.agent_id);
      if (!this.others.has(key)) this.others.set(key, { agent_id: v.agent_id, violations: 0, actions: 0 });
      this.others.get(key).violations++;
      if (!(v.timestamp > 0)) continue;
      if (!this.times.has(key)) this.times.set(key, []);
      this.times.get(key).push(v.timestamp);
      this.from = Math.min(this.from, v.timestamp);
      this.to = Math.max(this.to, v.timestamp);
    }
  }

  show() {
    this.list.show(this.agents, () => true);
    byId("agents-status").textContent = this.agents.length ? `${count(this.agents.length, "agent")}, worst first` : "";
    byId("agents-empty").hidden = this.agents.length > 0;
    byId("agents-empty").textContent = "No action has been checked since the server was started.";
    byId("agents-unknown").hidden = this.agents.every((a) => a.actions > 0);
    byId("agent-table").hidden = this.agents.length === 0;
  }

  row(a) {
    const [risk, kind] = risks[a.risk] ?? [];
    const times = this.times.get(fold(a.agent_id)) ?? [];
    return el("tr", {},
      el("th", { scope: "row", class: "text" }, named(a.agent_id)),
      el("td", { class: "narrow-hide" }, times.length > 0
        ? bars(buckets(times, 16, this.from, this.to).counts, `${count(times.length, "recent violation")} of ${plain(a.agent_id)} over time`, { class: "spark" })
        : ""),
      el("td", { class: "number" }, a.violations.toLocaleString("en")),
      el("td", { class: "number" }, a.actions > 0 ? [percent(a.rate), " ", risk ? chip(risk, kind) : ""] : el("span", { class: "aside" }, "not known")));
  }
}

// Agents whose names differ by case only are one agent in an audit.
const fold = (name) => name.toLowerCase();

const percent = (rate) => `${(Math.floor(rate * 1000) / 10).toFixed(1)} %`;
