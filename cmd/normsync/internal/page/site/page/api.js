// The server's REST API, as the page uses it.

// The token is kept in this tab only, and is sent with what writes only.
const tokenKey = "normsync-token";
let token = "";
try {
  token = sessionStorage.getItem(tokenKey) ?? "";
} catch {
  // Storage is turned off: the token is kept in memory.
}

export const hasToken = () => token !== "";

export function setToken(value) {
  token = value;
  try {
    if (value) sessionStorage.setItem(tokenKey, value);
    else sessionStorage.removeItem(tokenKey);
  } catch {
    // As above.
  }
}

async function request(method, path, body, writes = false) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (writes && token) headers.Authorization = `Bearer ${token}`;
  let response;
  try {
    response = await fetch(new URL(path, document.baseURI), { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Error("The server does not answer. Check that it is running.");
  }
  const text = await response.text();
  let answer;
  try {
    answer = text === "" ? undefined : JSON.parse(text);
  } catch {
    if (response.ok) throw failure(response, "The server's answer is not JSON.");
  }
  if (!response.ok) throw failure(response, describe(answer) ?? `The server answers ${response.status}.`);
  return answer;
}

function failure(response, text) {
  const e = new Error(text);
  e.status = response.status;
  return e;
}

// describe returns the text of a problem as RFC 9457 has it.
function describe(problem) {
  return problem?.detail ?? problem?.title;
}

const query = (parameters) => "?" + new URLSearchParams(parameters);

export const norms = () => request("GET", "norms");
export const violations = (limit) => request("GET", "violations" + query({ newest: true, limit }));
export const revisions = (limit) => request("GET", "revisions" + query({ newest: true, limit }));
export const revisionsOf = (norm) => request("GET", "revisions" + query({ norm }));
export const compliance = () => request("GET", "compliance");
export const conflicts = async () => (await request("GET", "conflicts")).conflicts;
export const explain = (action) => request("POST", "explain", action);

// check judges an action and records its violations.
export const check = (action) => request("POST", "check", action, true);

// preview says what a change would do. The kind is enact, amend or repeal.
export const preview = (kind, norm) => request("POST", "preview", kind === "repeal" ? { kind, name: norm.name } : { kind, norm });

// change enacts, amends or repeals a norm.
export async function change(kind, norm, { by, reason }) {
  if (kind !== "enact" && /^\.{1,2}$/.test(norm.name)) throw new Error(`A norm with the name ${norm.name} has no address of its own. Use the command line to change it.`);
  const parameters = {};
  if (by) parameters.by = by;
  if (reason) parameters.reason = reason;
  const path = `norms/${encodeURIComponent(norm.name)}` + query(parameters);
  switch (kind) {
    case "enact":
      return request("POST", "norm" + query(parameters), norm, true);
    case "amend":
      return request("PUT", path, norm, true);
    default:
      return request("DELETE", path, undefined, true);
  }
}

// follow calls a function for each revision after an edition and each violation after
// a number, as they come, and state with live or lost.
export function follow({ edition, number }, { violation, revision, state }) {
  let last = `${edition}-${number}`;
  const open = () => {
    const source = new EventSource(new URL("events" + query({ after: last }), document.baseURI));
    const on = (name, handle) => source.addEventListener(name, (event) => {
      last = event.lastEventId;
      handle(JSON.parse(event.data));
    });
    on("violation", violation);
    on("revision", revision);
    source.addEventListener("open", () => state("live"));
    source.addEventListener("error", () => {
      state("lost");
      // The browser tries again by itself, unless the server has refused the stream.
      if (source.readyState === EventSource.CLOSED) setTimeout(open, 3000);
    });
  };
  open();
}
