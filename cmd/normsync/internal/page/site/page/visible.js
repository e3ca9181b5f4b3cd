// Text from users is hostile: a name can hold characters that nobody sees, or
// that turn the direction of what follows. This module shows them escaped.

// What a reader cannot see, or cannot tell from a space: controls, formats,
// unassigned and private characters, separators other than the space, and the
// characters that Unicode draws as blank although it calls them symbols.
const hidden = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800\u{13441}\u{13442}\u{16fe4}\u{1d159}]|(?! )\p{Zs}/u;
const split = new RegExp(`(${hidden.source})`, "gu");

// A longer text is cut, so that a name of a megabyte cannot stop the page.
const longest = 1000;

function escape(c) {
  return "U+" + c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
}

function cut(value, limit = longest) {
  const text = String(value ?? "");
  if (text.length <= limit) return [text, ""];
  let end = limit;
  if (/[\ud800-\udbff]/.test(text[end - 1])) end--; // do not cut a character in two
  return [text.slice(0, end), `… (${text.length} characters)`];
}

// plain returns a text for attributes, with every hidden character escaped.
export function plain(value) {
  const [text, rest] = cut(value);
  return text.replace(split, (c) => `[${escape(c)}]`) + rest;
}

// shown returns an element that shows a text from a user, in its own direction.
// It sets textContent only.
export function shown(value, tag = "bdi", limit = longest) {
  const node = document.createElement(tag);
  node.dir = "auto";
  const [text, rest] = cut(value, limit);
  for (const part of text.split(split)) {
    if (part === "") continue;
    if (hidden.test(part) && [...part].length === 1) {
      const mark = document.createElement("span");
      mark.className = "escape";
      mark.textContent = escape(part);
      node.append(mark);
    } else {
      node.append(part);
    }
  }
  if (rest) node.append(rest);
  return node;
}

// named returns an element that shows a name in a list: something can be seen of it even if
// it is empty or blank, and a long one does not fill the page.
export function named(value) {
  const text = String(value ?? "");
  if (text.trim() !== "") return shown(text, "bdi", 200);
  const node = document.createElement("span");
  node.className = "escape";
  node.textContent = text === "" ? "no name" : "blank name";
  return node;
}
