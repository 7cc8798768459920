/** One file of the diff: its head, its lines, and where findings go in it. */

import { copyButton } from "./clipboard.js";
import { append, bdi, h, icon, keyed, replace, setText } from "./dom.js";
import { capital, count, number, SEVERITIES } from "./format.js";
import { languageOf } from "./languages.js";
import { plain } from "./show.js";
import { HunkModel, MOST_LINES, Segment } from "./segment.js";

export const COVERAGE = {
  waiting: ["circle", "Waiting"],
  reviewing: ["spin", "Reviewing"],
  retrying: ["spin", "Trying again"],
  reviewed: ["check", "Reviewed"],
  partly: ["partly", "Partly reviewed"],
  failed: ["cross", "Not reviewed"],
  unread: ["circle", "Not read"],
  skipped: ["skip", "Skipped"],
};

let files = 0;

export class FileView {
  /**
   * @param {object} file of the parsed diff; of the plan if there is no diff, then without hunks
   * @param {boolean} available whether there is a diff
   * @param {object} notes those of the reader
   */
  constructor(file, available, notes) {
    files += 1;
    this.file = file;
    this.path = file.path;
    this.segments = [];
    for (const hunk of file.hunks ?? []) {
      const model = new HunkModel(hunk, languageOf(file.path));
      for (let from = 0; from < model.lines.length || from === 0; from += MOST_LINES) {
        this.segments.push(new Segment(model, from, Math.min(from + MOST_LINES, model.lines.length)));
        if (!model.lines.length) break;
      }
    }
    this.touched = false;
    this.bodyId = `file-${files}`;
    this.viewed = this.#viewed(notes);
    this.#build(available);
  }

  #viewed(notes) {
    const box = h("input", { type: "checkbox" });
    box.checked = notes.viewed.has(this.path);
    box.addEventListener("change", () => {
      this.touched = true;
      this.setOpen(!box.checked);
      notes.setViewed(this.path, box.checked);
    });
    return box;
  }

  #build(available) {
    const { file } = this;
    const headingId = `${this.bodyId}-name`;
    this.toggle = h(
      "button",
      { type: "button", class: "button quiet fold", "aria-expanded": "true", "aria-controls": this.bodyId, onclick: () => this.#userToggles() },
      icon("down"),
      h("span", { class: "sr-only" }, "Show or hide ", bdi(file.path)),
    );
    const name = h("h3", { id: headingId, class: "file-name" });
    if (file.old_path && file.new_path && file.old_path !== file.new_path) {
      append(name, bdi(file.old_path, { class: "old-name" }), h("span", { class: "arrow" }, " → "));
    }
    append(name, bdi(file.path));
    this.coverage = h("span", { class: "coverage", hidden: true });
    this.badges = h("span", { class: "badges" });
    const sizes = h("span", { class: "sizes" });
    append(sizes, h("span", { class: "plus" }, `+${number(file.added)}`), " ", h("span", { class: "minus" }, `−${number(file.removed)}`));
    const kind = file.status && file.status !== "modified" ? h("span", { class: "chip" }, capital(file.status)) : null;
    const head = h("header", { class: "file-head" }, this.toggle, name, kind, this.badges, this.coverage, sizes);
    append(head, h("label", { class: "viewed" }, this.viewed, "Viewed", h("span", { class: "sr-only" }, ": ", bdi(file.path))));
    append(head, copyButton("Copy the path", () => file.path, { bare: true }));
    this.slot = h("div", { class: "file-slot" });
    const lines = this.segments.length ? this.segments.map((segment) => segment.element) : this.#noLines(available);
    this.lines = h("div", { class: "file-lines" }, lines);
    this.body = h("div", { class: "file-body", id: this.bodyId }, this.slot, this.lines);
    // Find-in-page also searches folded files.
    this.body.addEventListener("beforematch", () => this.setOpen(true));
    this.element = h("section", { class: "file", "aria-labelledby": headingId, tabindex: "-1" }, head, this.body);
    this.element.fileView = this;
  }

  #userToggles() {
    this.touched = true;
    this.setOpen(!this.open);
  }

  get open() {
    return this.toggle.getAttribute("aria-expanded") === "true";
  }

  setOpen(open) {
    this.toggle.setAttribute("aria-expanded", String(open));
    this.element.classList.toggle("folded", !open);
    if (open) this.body.removeAttribute("hidden");
    else this.body.setAttribute("hidden", "until-found");
  }

  #noLines(available) {
    const { file } = this;
    let says = "There are no lines to show.";
    if (!available) says = "The diff is not available.";
    else if (file.binary) says = "A binary file: it cannot be shown.";
    else if (file.status === "renamed") says = "Renamed without a change.";
    else if (file.status === "added") says = "An empty file.";
    return h("p", { class: "no-lines" }, says);
  }

  /** The segment and index of a line, or null. */
  find(side, line) {
    for (const segment of this.segments) {
      if (!segment.has(side, line)) continue;
      const index = segment.indexOf(side, line);
      if (index >= 0) return { segment, index };
    }
    return null;
  }

  /** What stands in a range of lines of one side; null unless all of it is in the diff. */
  original(side, line, last) {
    if (last < line || last - line > 500) return null;
    const texts = [];
    for (let at = line; at <= last; at += 1) {
      const found = this.find(side, at);
      if (!found) return null;
      texts.push(found.segment.model.text(found.index));
    }
    return texts;
  }

  showCoverage({ status, reason }) {
    const [drawn, label] = COVERAGE[status] ?? COVERAGE.waiting;
    if (this.coverage.dataset.status !== status) {
      this.coverage.hidden = false;
      this.coverage.dataset.status = status;
      replace(this.coverage, icon(drawn), h("span", { class: "label" }, label));
    }
    this.coverage.title = plain(reason ? shorten(reason) : label);
  }

  /** How many findings stand here, by severity. */
  showCounts(counts) {
    const there = SEVERITIES.filter((one) => counts[one]);
    keyed(
      this.badges,
      there,
      (one) => one,
      (one) => h("span", { class: `badge ${one}` }, icon(one), h("span", { class: "amount" })),
      (element, one) => {
        setText(element.querySelector(".amount"), number(counts[one]));
        element.title = count(counts[one], one);
      },
    );
  }
}

const shorten = (text) => (text.length > 300 ? `${text.slice(0, 300)}…` : text);
