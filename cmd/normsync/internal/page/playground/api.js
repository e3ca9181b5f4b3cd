// What api.js is on a server, for the playground: the library runs in the page, and
// nothing leaves it. The address of the page can carry the rules and an action.
import "./wasm_exec.js";

const go = new globalThis.Go();
const response = await fetch(new URL("normsync.wasm", import.meta.url));
if (!response.ok) throw new Error(`The library cannot be loaded: ${response.status}`);
const { instance } = await WebAssembly.instantiate(await response.arrayBuffer(), go.importObject);
go.run(instance);

function call(name, argument = null) {
  const reply = JSON.parse(globalThis.normsync(name, JSON.stringify(argument)));
  if (reply.error) throw new Error(reply.error);
  return reply.answer;
}

export const hasToken = () => false;
export const setToken = () => {};

export const norms = async () => call("norms");
export const violations = async (limit) => call("violations").slice(0, limit);
export const revisions = async (limit) => call("revisions").slice(0, limit);
export const revisionsOf = async (norm) => call("revisions").filter((r) => r.norm.name === norm);
export const compliance = async () => call("compliance");
export const conflicts = async () => call("conflicts");
export const explain = async (action) => call("explain", action);
export const preview = async (kind, norm) => call("preview", proposal(kind, norm));

export async function check(action) {
  call("check", action);
  tell();
}

export async function change(kind, norm, { by, reason }) {
  call("change", { ...proposal(kind, norm), by, reason });
  tell();
}

const proposal = (kind, norm) => (kind === "repeal" ? { kind, name: norm.name } : { kind, norm });

let handlers;
const last = {};

export function follow({ edition, number }, to) {
  Object.assign(last, { edition, number });
  handlers = to;
  handlers.state("live");
}

// tell passes on what has happened since the last time.
function tell() {
  for (const r of call("revisions").toReversed()) {
    if (r.edition <= last.edition) continue;
    last.edition = r.edition;
    handlers.revision(r);
  }
  for (const v of call("violations").toReversed()) {
    if (v.number <= last.number) continue;
    last.number = v.number;
    handlers.violation(v);
  }
}

// The permalink: norms and an action as JSON, compressed, in the fragment, which
// browsers do not send to the server.
const mark = "#world=";

// A link of a few bytes could unpack to gigabytes.
const largest = 4 << 20;

// through passes bytes through a stream that packs or unpacks them.
async function through(stream, bytes) {
  const parts = [];
  let size = 0;
  const reader = new Blob([bytes]).stream().pipeThrough(stream).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    size += part.value.length;
    if (size > largest) throw new Error("it has more than 4 MiB of rules.");
    parts.push(part.value);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

// permalink returns the address of the page with the norms in force and an action.
export async function permalink(action) {
  const text = JSON.stringify({ norms: call("norms"), action });
  const bytes = await through(new CompressionStream("deflate-raw"), new TextEncoder().encode(text));
  const url = new URL(document.location.href);
  url.hash = mark + btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join("")).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return url.href;
}

// opened returns the action of the permalink by which the page was opened, after its
// norms were enacted.
export async function opened() {
  if (!document.location.hash.startsWith(mark)) {
    call("enact", samples);
    return undefined;
  }
  try {
    const text = atob(document.location.hash.slice(mark.length).replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = await through(new DecompressionStream("deflate-raw"), Uint8Array.from(text, (c) => c.charCodeAt(0)));
    const world = JSON.parse(new TextDecoder().decode(bytes));
    call("enact", world.norms);
    return world.action;
  } catch (e) {
    throw new Error(`The link cannot be read: ${e.message}`);
  }
}
addEventListener("hashchange", () => {
  if (document.location.hash.startsWith(mark)) document.location.reload();
});

const samples = [
  { name: "peace", description: "No fights in safe zones.", condition: "location:safe_zone", unless: "faction:guards", prohibited: "attack cast_*", severity: "error", advice: "Put your weapon away." },
  { name: "arena", description: "The arena is in a safe zone, and is for fights.", condition: "location:arena", permitted: "attack cast_*", priority: 10 },
  { name: "no-fire", description: "A dry run: is it worth a rule?", condition: "forest", prohibited: "cast_fireball", shadow: true },
];
