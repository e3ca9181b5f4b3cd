// Builders of elements. Strings become text nodes, never markup.
import { shown } from "./visible.js";

const svgNames = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === undefined) continue;
    if (name === "onclick") node.addEventListener("click", value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== ""));
  return node;
}

// el returns an element. The children are elements, or texts of this program;
// texts of users go through shown.
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(svgNames, tag), attributes, children);
}

export function code(text) {
  return shown(text, "code");
}

export function chip(text, kind = "") {
  return el("span", { class: `chip ${kind}` }, text);
}

export const severityKind = (severity) => ({ error: "bad", warn: "warn" })[severity] ?? "";

// when returns a time element for seconds since 1970, which may be a world's own
// time. It shows UTC, and the date only if that is not today.
export function when(seconds) {
  const t = instant(seconds);
  if (!t) return el("span", { class: "aside" }, seconds ? "at an odd time" : "without a time");
  const iso = t.toISOString();
  return el("time", { datetime: iso, title: iso }, moment(seconds));
}

// moment is the text of when.
export function moment(seconds) {
  const t = instant(seconds);
  if (!t) return "";
  const [day, clock] = t.toISOString().split("T");
  const today = new Date().toISOString().split("T")[0];
  return (day === today ? "" : day + " ") + clock.slice(0, 8);
}

function instant(seconds) {
  const t = new Date(Number(seconds) * 1000);
  return seconds && !Number.isNaN(t.getTime()) ? t : null;
}

export function count(n, one, many = one + "s") {
  return `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
}

// list shows the first items of a long list, and more of them when the button is
// pressed. Elements of items that stay are kept, so that the focus stays, too.
export class List {
  constructor(node, more, { key, row, step = 10 }) {
    Object.assign(this, { node, more, key, row, step, limit: step, items: [], rows: new Map() });
    more.addEventListener("click", () => {
      const next = this.limit;
      this.limit += this.step;
      this.show(this.items);
      this.node.children[next]?.querySelector("button, summary, a")?.focus();
    });
  }

  // show brings the rows in line with items. A row whose item has changed is made anew.
  show(items, changed = () => false) {
    this.items = items;
    const rows = new Map();
    for (const item of items.slice(0, this.limit)) {
      const key = this.key(item);
      const old = this.rows.get(key);
      rows.set(key, old && !changed(item) ? old : this.row(item));
    }
    for (const [key, row] of this.rows) if (rows.get(key) !== row) row.remove();
    let i = 0;
    for (const row of rows.values()) {
      if (this.node.children[i] !== row) this.node.insertBefore(row, this.node.children[i] ?? null);
      i++;
    }
    this.rows = rows;
    this.more.hidden = items.length <= rows.size;
    this.more.textContent = `Show more (${(items.length - rows.size).toLocaleString("en")} left)`;
  }
}
