/** A suggestion as a small diff: what is there, and what would be. */

import { copyButton } from "./clipboard.js";
import { difference, paintLine } from "./code-line.js";
import { append, h, icon } from "./dom.js";
import { highlight } from "./highlight.js";
import { languageOf } from "./languages.js";

const MOST_LINES = 400;

export function suggestionView(finding, original) {
  const before = original ?? finding.quote.split("\n");
  // Nothing at all means that the lines go.
  const after = finding.suggestion === "" ? [] : finding.suggestion.replace(/\n$/, "").split("\n");
  const figure = h("figure", { class: `suggestion${finding.suggestion_applies ? "" : " cannot-apply"}` });
  const says = after.length ? "Suggested change" : "Suggested change: remove";
  const caption = h("figcaption", {}, h("span", { class: "suggestion-title" }, says));
  if (!finding.suggestion_applies) {
    append(caption, h("span", { class: "chip caution" }, icon("warning"), "Does not apply as is"));
  }
  append(caption, copyButton("Copy suggestion", () => finding.suggestion));
  append(figure, caption, table(before, after, finding.path));
  return figure;
}

function table(before, after, path) {
  const body = h("tbody");
  const rows = { removed: [], added: [] };
  for (const [kind, lines] of [["removed", before], ["added", after]]) {
    for (const [index, text] of lines.slice(0, MOST_LINES).entries()) {
      const pair = before.length === after.length ? difference(before[index], after[index]) : null;
      const cell = h("td", { class: "code" });
      const changed = pair?.[kind === "removed" ? 0 : 1] ?? null;
      paintLine(cell, text, null, changed);
      rows[kind].push({ cell, text, changed });
      const sign = h("td", { class: "sign" }, kind === "removed" ? "-" : "+");
      append(body, h("tr", { class: kind }, sign, cell));
    }
    if (lines.length > MOST_LINES) {
      append(body, h("tr", {}, h("td"), h("td", {}, `(${lines.length - MOST_LINES} more lines)`)));
    }
  }
  const sides = [rows.removed, rows.added];
  highlight(languageOf(path), sides.map((side) => side.map((row) => row.text).join("\n"))).then((found) => {
    if (!found) return;
    sides.forEach((side, which) =>
      side.forEach((row, index) => paintLine(row.cell, row.text, found[which][index], row.changed)),
    );
  });
  const label = "Current and suggested code";
  return h("table", { class: "code-table" }, h("caption", { class: "sr-only" }, label), body);
}
