/**
 * The Markdown that findings are written in, as elements: paragraphs, lists, quotes, code,
 * emphasis, and links to https. The server writes only these; all else stays text.
 */

import { append, bdi, h } from "./dom.js";
import { plain } from "./show.js";

const LONGEST = 20_000;
const DEEPEST = 6;
const FENCE = /^ {0,3}(`{3,}|~{3,})([^`]*)$/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])( +|$)/;

/** Block elements of a Markdown text. `code(text, language)` may colour a block of code. */
export function markdown(text, code = codeBlock) {
  const kept = text.length > LONGEST ? `${text.slice(0, LONGEST)}\n\n(cut)` : text;
  return blocks(kept.replace(/\r\n?/g, "\n").split("\n"), code, 0);
}

/** For titles and other single lines, in which only code is marked. */
export const line = (text) => inline(text.slice(0, LONGEST), 0, LINE_MARK);

/** A line in which addresses are links, too, which say where they lead. */
export function linkedLine(text) {
  const isAddress = (node) => node.localName === "code" && node.childElementCount === 0 && ADDRESS.test(node.textContent);
  const nodes = inline(text.slice(0, LONGEST), 0, LINKED_LINE_MARK);
  return nodes.map((node) => (isAddress(node) ? link(node.textContent, node.textContent, WEB) : node));
}

function codeBlock(text) {
  // One line after the other, since a line end inside of a line would be shown as a box.
  const lines = text.split("\n");
  const code = h("code");
  lines.forEach((one, index) => {
    append(code, one);
    if (index < lines.length - 1) code.append("\n");
  });
  return h("pre", { tabindex: "0", class: "code-block" }, code);
}

function blocks(lines, code, depth) {
  const out = [];
  let at = 0;
  while (at < lines.length) {
    if (!lines[at].trim()) {
      at += 1;
      continue;
    }
    const fence = FENCE.exec(lines[at]);
    if (fence) {
      const end = closing(lines, at + 1, fence[1]);
      const inside = lines.slice(at + 1, end);
      // A fence that is never closed goes to the end, as in CommonMark.
      out.push(code(inside.join("\n"), fence[2].trim().split(/\s/)[0].toLowerCase()));
      at = end + 1;
    } else if (depth < DEEPEST && /^ {0,3}>/.test(lines[at])) {
      let end = at;
      while (end < lines.length && /^ {0,3}>/.test(lines[end])) end += 1;
      const inside = lines.slice(at, end).map((one) => one.replace(/^ {0,3}> ?/, ""));
      out.push(h("blockquote", {}, ...blocks(inside, code, depth + 1)));
      at = end;
    } else if (depth < DEEPEST && ITEM.test(lines[at])) {
      const [list, end] = listAt(lines, at, code, depth);
      out.push(list);
      at = end;
    } else {
      let end = at + 1;
      while (end < lines.length && lines[end].trim() && !startsBlock(lines[end], depth)) end += 1;
      out.push(h("p", {}, ...inline(lines.slice(at, end).map((one) => one.trimStart()).join("\n"), depth)));
      at = end;
    }
  }
  return out;
}

const startsBlock = (one, depth) =>
  FENCE.test(one) || (depth < DEEPEST && (/^ {0,3}>/.test(one) || ITEM.test(one)));

function closing(lines, from, mark) {
  const close = new RegExp(`^ {0,3}${mark[0]}{${mark.length},}\\s*$`);
  for (let at = from; at < lines.length; at += 1) if (close.test(lines[at])) return at;
  return lines.length;
}

function listAt(lines, from, code, depth) {
  const first = ITEM.exec(lines[from]);
  const ordered = /\d/.test(first[2]);
  const kind = first[2].at(-1);
  const items = [];
  let at = from;
  while (at < lines.length) {
    const match = ITEM.exec(lines[at]);
    if (!match || match[2].at(-1) !== kind || /\d/.test(match[2]) !== ordered) break;
    const width = Math.min(match[0].length, match[1].length + match[2].length + 4);
    const inside = [lines[at].slice(width)];
    at += 1;
    while (at < lines.length) {
      const indent = /^ */.exec(lines[at])[0].length;
      if (!lines[at].trim()) {
        const next = lines[at + 1] ?? "";
        if (!next.trim() || /^ */.exec(next)[0].length < width) break;
        inside.push("");
      } else if (indent >= width) inside.push(lines[at].slice(width));
      else if (startsBlock(lines[at], depth) || !inside.at(-1).trim()) break;
      else inside.push(lines[at]);
      at += 1;
    }
    items.push(h("li", {}, ...blocks(inside, code, depth + 1)));
    if (at < lines.length && !lines[at].trim() && ITEM.test(lines[at + 1] ?? "")) at += 1;
  }
  const start = ordered ? parseInt(first[2], 10) : 1;
  return [h(ordered ? "ol" : "ul", { start: start === 1 ? null : start }, ...items), at];
}

// What can begin something inside of a line.
const MARK = /`+|\*{1,2}|_{1,2}|\\[\s\S]|<https?:\/\/[^\s<>]+>|!?\[|\n/g;
const LINE_MARK = /`+|\\[\s\S]|\n/g;
const LINKED_LINE_MARK = /`+|\\[\s\S]|\n|\bhttps?:\/\/[^\s<>"'`]*[^\s<>"'`.,;:!?)\]]/g;
const ADDRESS = /^https?:\/\/\S+$/;
const WEB = ["https:", "http:"];

/** Nodes and strings of one line. Linear: each run of marks looks for its end once. */
function inline(text, depth, marks = MARK) {
  const out = [];
  const unmatched = new Set();
  let from = 0;
  const find = new RegExp(marks);
  for (let match = find.exec(text); match; match = find.exec(text)) {
    const [node, end] = piece(text, match[0], match.index, depth, unmatched);
    if (node === null) continue;
    if (match.index > from) out.push(text.slice(from, match.index));
    out.push(node);
    from = end;
    find.lastIndex = end;
  }
  if (from < text.length) out.push(text.slice(from));
  return out;
}

function piece(text, mark, at, depth, unmatched) {
  const after = at + mark.length;
  if (mark === "\n") return [" ", after];
  if (mark[0] === "\\") {
    if (mark[1] === "\n") return [h("br"), after];
    return /[!-/:-@[-`{-~]/.test(mark[1]) ? [mark[1], after] : [null, after];
  }
  if (mark[0] === "`") return codeSpan(text, mark, after, unmatched);
  if (mark[0] === "h") return [link(mark, mark, WEB), after];
  if (mark[0] === "<") return [link(mark.slice(1, -1), mark.slice(1, -1)), after];
  if (mark === "[") return linkAt(text, at);
  if (mark === "![") return [mark, after]; // an image is not shown, and does not become a link
  return emphasis(text, mark, at, depth, unmatched);
}

function codeSpan(text, ticks, after, unmatched) {
  if (unmatched.has(ticks)) return [null, after];
  for (let end = text.indexOf(ticks, after); end >= 0; end = text.indexOf(ticks, end)) {
    let stop = end;
    while (text[stop] === "`") stop += 1;
    if (stop - end === ticks.length) {
      let inside = text.slice(after, end).replace(/\n/g, " ");
      if (/^ .* $/s.test(inside) && inside.trim()) inside = inside.slice(1, -1);
      return [h("code", {}, inside), stop];
    }
    end = stop;
  }
  unmatched.add(ticks);
  return [ticks, after];
}

function emphasis(text, mark, at, depth, unmatched) {
  const after = at + mark.length;
  const word = (character) => character !== undefined && /[\p{L}\p{N}]/u.test(character);
  if (unmatched.has(mark) || depth >= DEEPEST || !/\S/.test(text[after] ?? "")) return [null, after];
  if (mark[0] === "_" && word(text[at - 1])) return [null, after];
  for (let end = text.indexOf(mark, after + 1); end >= 0; end = text.indexOf(mark, end + 1)) {
    let stop = end;
    while (text[stop] === mark[0]) stop += 1;
    const run = stop - end;
    // Of a run of three, the inner one closes first.
    if (run > 3 || (mark.length === 1 && run === 2) || /\s/.test(text[end - 1])) {
      end = stop - 1;
      continue;
    }
    end = stop - mark.length;
    if (mark[0] === "_" && word(text[end + mark.length])) continue;
    const tag = mark.length === 2 ? "strong" : "em";
    return [h(tag, {}, ...inline(text.slice(after, end), depth + 1)), end + mark.length];
  }
  unmatched.add(mark);
  return [null, after];
}

function linkAt(text, at) {
  const match = /^\[([^[\]]{0,300})\]\((?:<([^<>\s]{1,500})>|([^()\s<>]{1,500}))\)/.exec(text.slice(at, at + 820));
  if (!match) return [null, at + 1];
  return [link(match[2] ?? match[3], match[1]), at + match[0].length];
}

/** A link if its protocol is allowed, and then it says where to; else what it says, and the address. */
function link(address, text, protocols = ["https:"]) {
  const shown = text === address ? [] : inline(text, DEEPEST);
  let url = null;
  try {
    url = new URL(address);
  } catch {
    // Not an address.
  }
  if (!url || !protocols.includes(url.protocol) || url.username || url.password) {
    return h("span", {}, ...shown, shown.length ? " (" : "", h("code", {}, address), shown.length ? ")" : "");
  }
  const anchor = h(
    "a",
    { href: url.href, target: "_blank", rel: "noopener noreferrer nofollow", title: plain(url.href) },
    ...(shown.length ? shown : [url.href]),
  );
  return shown.length ? h("span", {}, anchor, " (", bdi(url.host), ")") : anchor;
}
