/** One line of code into an element: colours, what changed in it, and hidden characters as boxes. */

import { h } from "./dom.js";
import { count } from "./format.js";
import { appendShown } from "./show.js";

const LONGEST = 4_000;

/**
 * @param {Element} cell takes the line in place of what it holds
 * @param {string} text the line
 * @param {?string[]} runs [class, text, ...] of the whole line, if it has colours
 * @param {?[number, number]} changed the part that differs from its counterpart
 */
export function paintLine(cell, text, runs = null, changed = null) {
  const whole = runs && joined(runs) === text ? runs : ["", text];
  const parts = document.createDocumentFragment();
  let at = 0;
  for (let index = 0; index < whole.length && at < LONGEST; index += 2) {
    const part = whole[index + 1];
    for (const [from, to, differs] of cuts(at, Math.min(at + part.length, LONGEST), changed)) {
      const piece = part.slice(from - at, to - at);
      if (!whole[index] && !differs) {
        appendShown(parts, piece);
        continue;
      }
      const span = document.createElement("span");
      span.className = `${whole[index] ? `hl-${whole[index]}` : ""}${differs ? " changed" : ""}`.trim();
      appendShown(span, piece);
      parts.append(span);
    }
    at += part.length;
  }
  if (text.length > LONGEST) {
    parts.append(h("span", { class: "cut" }, ` (${count(text.length - LONGEST, "more character")})`));
  }
  cell.replaceChildren(parts);
}

function joined(runs) {
  let text = "";
  for (let index = 1; index < runs.length; index += 2) text += runs[index];
  return text;
}

/** [from, to, whether it is the changed part] of a run that goes from `start` to `end`. */
function cuts(start, end, changed) {
  if (!changed || changed[0] >= changed[1]) return [[start, end, false]];
  const edges = [start, ...changed.filter((edge) => edge > start && edge < end), end];
  return edges
    .slice(1)
    .map((edge, index) => [edges[index], edge, edges[index] >= changed[0] && edge <= changed[1]]);
}

/**
 * The parts in which two lines differ, as [from, to] of each; null where they have too little in
 * common for that to help.
 */
export function difference(old, now) {
  if (old.length > LONGEST || now.length > LONGEST || old === now) return null;
  const shorter = Math.min(old.length, now.length);
  let head = 0;
  while (head < shorter && old[head] === now[head]) head += 1;
  let tail = 0;
  while (tail < shorter - head && old.at(-1 - tail) === now.at(-1 - tail)) tail += 1;
  const isHalf = (text, at) => /[\udc00-\udfff]/.test(text[at] ?? "");
  if (isHalf(old, head) || isHalf(now, head)) head -= 1;
  if (isHalf(old, old.length - tail) || isHalf(now, now.length - tail)) tail -= 1;
  const shared = old.slice(0, head).trim().length + (tail > 0 ? old.slice(-tail).trim().length : 0);
  if (shared < 3 || shared * 3 < Math.min(old.trim().length, now.trim().length)) return null;
  return [
    [head, old.length - tail],
    [head, now.length - tail],
  ];
}
