/**
 * A run of lines of a hunk: a table, and an empty box of about its height until it is made. The
 * browser lays out, and the page colours, only what is near the window: `content-visibility`.
 */

import { difference, paintLine } from "./code-line.js";
import { append, h } from "./dom.js";
import { highlight } from "./highlight.js";
import { facing } from "./split.js";

export const MOST_LINES = 200;
const LINE_HEIGHT = 20;
const MOST_HIGHLIGHTED = 4_000;

const SIGNS = { added: "+", removed: "-", context: " " };

/** A hunk and what is known of its lines; its segments share it. */
export class HunkModel {
  constructor(hunk, language) {
    this.hunk = hunk;
    this.language = language;
    this.lines = hunk.lines;
    this.runs = null;
    this.asked = null;
    this.pairs = null;
    this.crlf = this.lines.length > 0 && this.lines.every((one) => one[3].endsWith("\r"));
  }

  /** By line what differs, where as many lines were removed as were added right after. */
  get changed() {
    this.pairs ??= this.#pairs();
    return this.pairs;
  }

  #pairs() {
    const { lines } = this;
    const changed = new Map();
    for (let at = 0; at < lines.length; ) {
      let removed = at;
      while (removed < lines.length && lines[removed][0] === "removed") removed += 1;
      let added = removed;
      while (added < lines.length && lines[added][0] === "added") added += 1;
      const size = removed - at;
      if (size && added - removed === size) {
        for (let one = 0; one < size; one += 1) {
          const pair = difference(this.text(at + one), this.text(removed + one));
          if (!pair) continue;
          changed.set(at + one, pair[0]);
          changed.set(removed + one, pair[1]);
        }
      }
      at = Math.max(added, at + 1);
    }
    return changed;
  }

  /** A line, without the carriage return if every line of the hunk has one. */
  text(index) {
    const text = this.lines[index][3];
    return this.crlf ? text.slice(0, -1) : text;
  }

  /** Colours by line, asked for once: each side is a text of its own. */
  colours() {
    this.asked ??= this.#ask();
    return this.asked;
  }

  async #ask() {
    if (!this.language || this.lines.length > MOST_HIGHLIGHTED) return null;
    const sides = { old: [], now: [] };
    const place = this.lines.map((one, index) => {
      const text = this.text(index);
      const [old, now] = [sides.old.length, sides.now.length];
      if (one[0] !== "added") sides.old.push(text);
      if (one[0] !== "removed") sides.now.push(text);
      return one[0] === "removed" ? ["old", old] : ["now", now];
    });
    const found = await highlight(this.language, [sides.old.join("\n"), sides.now.join("\n")]);
    if (!found) return null;
    const [old, now] = found;
    this.runs = place.map(([side, index]) => (side === "old" ? old : now)[index] ?? null);
    return this.runs;
  }
}

export class Segment {
  constructor(model, from, to) {
    this.model = model;
    this.from = from;
    this.to = to;
    this.rows = null;
    this.split = false;
    this.coloured = false;
    this.element = h("div", { class: "segment" });
    this.element.segment = this;
    this.height = `${(to - from + (from === 0 ? 1 : 0)) * LINE_HEIGHT}px`;
    this.element.style.minHeight = this.height;
    this.element.style.containIntrinsicSize = `auto none auto ${this.height}`;
    this.ranges = { RIGHT: this.#range(2), LEFT: this.#range(1) };
  }

  #range(field) {
    const numbers = this.model.lines.slice(this.from, this.to).map((one) => one[field]);
    const there = numbers.filter((one) => one !== null);
    return there.length ? [there[0], there.at(-1)] : null;
  }

  has(side, number) {
    const range = this.ranges[side];
    return range !== null && range[0] <= number && number <= range[1];
  }

  /** The index in the hunk of a line by its number, or -1. */
  indexOf(side, number) {
    const field = side === "LEFT" ? 1 : 2;
    for (let at = this.from; at < this.to; at += 1) {
      if (this.model.lines[at][field] === number) return at;
    }
    return -1;
  }

  /** Shows one column of code or two. This removes all lines, which must be made again, and the cards among them. */
  setSplit(split) {
    if (this.split === split) return;
    this.split = split;
    this.rows = null;
    this.element.replaceChildren();
    this.element.style.minHeight = this.height;
  }

  /** Makes the lines, and asks for their colours. */
  show() {
    this.render();
    if (this.coloured) return;
    this.coloured = true;
    this.model.colours().then((runs) => {
      if (runs) this.#repaint();
    });
  }

  render() {
    if (this.rows) return;
    const { model } = this;
    this.rows = new Map();
    const body = h("tbody");
    if (this.from === 0) append(body, heading(model.hunk, this.columns));
    if (this.split) for (const pair of facing(model.lines, this.from, this.to)) append(body, this.#splitRow(pair));
    else for (let index = this.from; index < this.to; index += 1) append(body, this.#row(index));
    const table = h("table", { class: `code-table diff-table${this.split ? " split" : ""}` });
    append(table, h("caption", { class: "sr-only" }, this.#caption()), this.split ? splitColumns() : null, body);
    this.element.append(table);
    this.element.style.minHeight = "";
  }

  #row(index) {
    const [kind, old, now] = this.model.lines[index];
    const code = h("td", { class: "code" });
    this.#paint(code, index);
    const row = h(
      "tr",
      { class: kind },
      h("td", { class: "number old" }, old ?? ""),
      h("td", { class: "number new", "data-old": kind === "removed" ? old : null }, now ?? ""),
      h("td", { class: "sign" }, SIGNS[kind]),
      code,
    );
    this.rows.set(index, { row, marked: row, codes: [code] });
    return row;
  }

  get columns() {
    return this.split ? "6" : "4";
  }

  #splitRow([old, now]) {
    const row = h("tr");
    for (const [index, field] of [[old, 1], [now, 2]]) {
      if (index === null) {
        append(row, h("td", { class: "no-line", colspan: "3" }));
        continue;
      }
      const line = this.model.lines[index];
      const kind = line[0] === "context" ? "" : ` ${line[0]}`;
      const side = field === 1 ? "old" : "new";
      const number = h("td", { class: `number ${side}${kind}` }, line[field]);
      const code = h("td", { class: `code ${side}${kind}` });
      this.#paint(code, index);
      append(row, number, h("td", { class: `sign${kind}` }, SIGNS[line[0]]), code);
      const codes = this.rows.get(index)?.codes ?? [];
      this.rows.set(index, { row, marked: number, codes: [...codes, code] });
    }
    return row;
  }

  #paint(code, index) {
    paintLine(code, this.model.text(index), this.model.runs?.[index], this.model.changed.get(index));
    if (this.model.lines[index][4] === true) {
      append(code, h("span", { class: "no-newline", title: "No newline at the end of the file" }, "no newline"));
    }
  }

  #repaint() {
    for (const [index, { codes }] of this.rows ?? []) for (const code of codes) this.#paint(code, index);
  }

  #caption() {
    const right = this.ranges.RIGHT;
    const left = this.ranges.LEFT;
    if (right) return `Lines ${right[0]} to ${right[1]} of the new file`;
    return left ? `Lines ${left[0]} to ${left[1]} of the old file` : "No lines";
  }

  /** The box of the cards under a line, made if need be. */
  slotAfter(index) {
    this.render();
    const { row } = this.rows.get(index);
    const next = row.nextElementSibling;
    if (next?.classList.contains("finding-slot")) return next.querySelector(".stack");
    // Out of view, a segment has the height that it had in view: the card would change it later.
    this.element.classList.add("has-cards");
    const stack = h("div", { class: "stack" });
    row.after(h("tr", { class: "finding-slot" }, h("td", { colspan: this.columns }, stack)));
    return stack;
  }

  /** Marks or unmarks a line that a finding is about. */
  mark(index, severity, on) {
    this.render();
    const { marked } = this.rows.get(index);
    const marks = (marked.marks ??= { error: 0, warning: 0, note: 0 });
    marks[severity] += on ? 1 : -1;
    const worst = ["error", "warning", "note"].find((one) => marks[one] > 0);
    marked.classList.toggle("marked", Boolean(worst));
    if (worst) marked.dataset.worst = worst;
    else delete marked.dataset.worst;
  }
}

/** Two columns of code of the same width. */
function splitColumns() {
  const side = () => ["number-column", "sign-column", "code-column"].map((name) => h("col", { class: name }));
  return h("colgroup", {}, ...side(), ...side());
}

function heading(hunk, columns) {
  const range = (start, size) => (size === 1 ? `${start}` : `${start},${size}`);
  const where = `@@ -${range(hunk.old_start, hunk.old_count)} +${range(hunk.new_start, hunk.new_count)} @@`;
  const cell = h("td", { colspan: columns }, h("span", { class: "hunk-range" }, where), " ");
  append(cell, h("bdi", {}, hunk.section ?? ""));
  return h("tr", { class: "hunk" }, cell);
}
