// The page: it loads what the server has, and follows its events.
import * as api from "./api.js";
import { List, byId, count } from "./dom.js";
import { Agents } from "./agents.js";
import { Attempt } from "./attempt.js";
import { Change, conflict } from "./change.js";
import { History } from "./history.js";
import { Norms } from "./norms.js";
import { Violations } from "./violations.js";

const token = {
  dialog: byId("token-dialog"),
  ask(why, then) {
    byId("token-why").textContent = why || "The server asks for it when you change a norm. It is kept in this tab only.";
    byId("token-form").elements.token.value = "";
    this.then = then;
    this.dialog.showModal();
  },
  show() {
    byId("token").textContent = api.hasToken() ? "Token set" : "Token";
  },
};
byId("token").addEventListener("click", () => token.ask());
byId("token-cancel").addEventListener("click", () => token.dialog.close());
byId("token-forget").addEventListener("click", () => {
  api.setToken("");
  token.show();
  token.dialog.close();
});
byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  api.setToken(byId("token-form").elements.token.value.trim());
  token.show();
  token.dialog.close();
  token.then?.();
});
token.show();

const change = new Change({
  askToken: (why, then) => token.ask(why, then),
  async applied() {
    await load();
    // The button that opened the dialog may be gone.
    if (document.activeElement === document.body) byId("norms").focus({ preventScroll: true });
  },
});
const norms = new Norms({
  amend: (n) => change.open("amend", n),
  repeal: (n) => change.open("repeal", n),
  changed: () => summary(),
});
const showNorm = (name) => norms.find(name);
const attempt = new Attempt({ showNorm, askToken: (why, then) => token.ask(why, then) });
const history = new History({ showNorm });
const agents = new Agents();
const violations = new Violations({
  showNorm,
  tryAction: (action) => attempt.fill(action),
  changed: (held) => {
    agents.follow(held);
    later(audit, auditDelay);
  },
});
const conflicts = new List(byId("conflict-list"), document.createElement("button"), { key: (c) => `${c.kind}|${c.a}|${c.b}`, row: (c) => conflict(c), step: 100 });
byId("enact").addEventListener("click", () => change.open("enact"));

function summary() {
  const edition = history.revisions[0]?.edition ?? 0;
  byId("summary").textContent = `${count(norms.byName.size, "norm")} in force, edition ${edition.toLocaleString("en")}`;
}

// problem shows an error, or nothing. An error of a background task goes away when
// such a task succeeds.
function problem(error, background = false) {
  const node = byId("problem");
  node.textContent = error ? error.message : "";
  node.hidden = !error;
  problem.passes = background;
}

async function load() {
  try {
    const [n, r, v] = await Promise.all([api.norms(), api.revisions(500), api.violations(200)]);
    history.load(r);
    norms.load(n, r);
    violations.load(v);
    problem();
    await Promise.all([audit(), examine()]);
    return true;
  } catch (e) {
    problem(e);
    return false;
  }
}

// An audit judges many actions, so the next one waits twenty times as long as it takes.
let auditDelay = 1500;
async function audit() {
  const start = performance.now();
  agents.load(await api.compliance());
  auditDelay = Math.max(1500, 20 * (performance.now() - start));
}

async function examine() {
  const found = await api.conflicts();
  byId("conflicts").hidden = found.length === 0;
  byId("conflicts-title").textContent = count(found.length, "conflict") + " between norms";
  conflicts.show(found);
}

// later runs a task soon, and once for any number of calls until then.
const planned = new Map();
function later(task, delay) {
  if (planned.has(task)) return;
  planned.set(task, setTimeout(() => {
    planned.delete(task);
    task().then(
      () => problem.passes && problem(),
      (e) => problem(e, true),
    );
  }, delay));
}

const states = { live: "Live", lost: "Connection lost, trying again" };

// The playground runs without a server, and has a link that carries its rules.
let opened, linkError;
if (api.permalink) {
  byId("token").hidden = true;
  byId("by-rest").hidden = true;
  byId("link").hidden = false;
  byId("link").addEventListener("click", async () => {
    const link = await api.permalink(attempt.action());
    window.history.replaceState(null, "", link);
    try {
      await navigator.clipboard.writeText(link);
      byId("link").textContent = "Copied";
    } catch {
      byId("link").textContent = "See the address";
    }
    setTimeout(() => (byId("link").textContent = "Copy a link"), 3000);
  });
  try {
    opened = await api.opened();
  } catch (e) {
    linkError = e;
  }
}

while (!(await load())) await new Promise((resolve) => setTimeout(resolve, 3000));
api.follow({ edition: history.revisions[0]?.edition ?? 0, number: violations.held[0]?.number ?? 0 }, {
  violation: (v) => violations.arrive(v),
  revision: (r) => {
    history.follow(r);
    norms.follow(r);
    attempt.again();
    later(examine, 500);
    later(audit, auditDelay);
  },
  state(state) {
    const node = byId("connection");
    node.dataset.state = state;
    node.textContent = states[state];
    if (state === "live") {
      later(audit, 0);
      later(examine, 0);
    }
  },
});
if (linkError) problem(linkError);
if (opened?.action) attempt.fill(opened);
