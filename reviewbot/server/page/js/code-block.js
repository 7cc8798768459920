/** A block of code outside of the diff: a quote, or a fence in a message. */

import { paintLine } from "./code-line.js";
import { h } from "./dom.js";
import { highlight } from "./highlight.js";
import { languageNamed, languageOf } from "./languages.js";

const MOST_LINES = 400;

export function codeLines(text, { path = null, language = null } = {}) {
  const name = path === null ? languageNamed(language ?? "") : languageOf(path);
  const lines = text.split("\n");
  const shown = lines.slice(0, MOST_LINES);
  const code = h("code");
  const cells = shown.map((one) => {
    const cell = h("span", { class: "code-line" });
    paintLine(cell, one);
    return cell;
  });
  cells.forEach((cell, index) => code.append(...(index ? ["\n"] : []), cell));
  if (lines.length > MOST_LINES) code.append(`\n(${lines.length - MOST_LINES} more lines)`);
  highlight(name, [shown.join("\n")]).then((found) => {
    if (found) cells.forEach((cell, index) => paintLine(cell, shown[index], found[0][index]));
  });
  return h("pre", { class: "code-block", tabindex: "0", role: "group", "aria-label": "Code" }, code);
}
