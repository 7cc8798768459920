/** The lists beside the diff: findings in the chosen order, and files. */

import { append, bdi, byId, h, icon, keyed, replace, setText } from "./dom.js";
import { capital, count, isPlaced, number } from "./format.js";
import { COVERAGE } from "./file-view.js";
import { line } from "./markdown.js";
import { findingLink } from "./route.js";
import { orderedByFile, setOrderedByFile } from "./settings.js";
import { isBelowThreshold, stateChip } from "./verdict.js";

export class Sidebar {
  /** `reordered()` is called when the reader chooses another order. */
  constructor(diff, reordered) {
    this.diff = diff;
    this.findings = byId("finding-list");
    this.held = byId("held-list");
    this.files = byId("file-list");
    byId("held-group").open = false;
    for (const list of [this.findings, this.held, this.files]) {
      replace(list);
      list.keyedElements = new Map();
    }
    const order = byId("order-field");
    order.value = orderedByFile() ? "file" : "severity";
    order.onchange = () => {
      setOrderedByFile(order.value === "file");
      reordered();
    };
    byId("file-filter").value = "";
    byId("file-filter").oninput = () => this.#filterFiles();
  }

  /** Shows `groups` of the findings that match the filters, those held back last, and the files. */
  update(review, groups) {
    const isHeld = ({ findings }) => findings[0].placement.held;
    const heldGroups = groups.filter(isHeld);
    const countedGroups = groups.filter((group) => !isHeld(group));
    const counted = countedGroups.flatMap(({ findings }) => findings);
    const held = heldGroups.flatMap(({ findings }) => findings);
    this.#list(this.findings, review, countedGroups);
    this.#list(this.held, review, heldGroups);
    const allHeld = review.standing().filter((finding) => finding.placement.held);
    const heldTitle = allHeld.every(isBelowThreshold) ? "Held back: below your threshold" : "Held back";
    for (const id of ["held-list-title", "held-title"]) setText(byId(id), heldTitle);
    const all = review.standing().filter((finding) => !finding.placement.held).length;
    setText(byId("finding-count"), counted.length === all ? number(all) : `${number(counted.length)} of ${number(all)}`);
    setText(byId("held-count"), number(held.length));
    byId("held-group").hidden = held.length === 0;
    let none = review.finished ? "Nothing was found." : "Nothing yet.";
    if (review.question !== null) none = "This is a question: nothing is reviewed.";
    else if (all) none = "No finding matches the filters.";
    else if (allHeld.length) none = allHeld.every(isBelowThreshold) ? "No finding reaches your threshold." : "All findings are held back.";
    setText(byId("no-findings"), none);
    byId("no-findings").hidden = counted.length > 0;
    this.#updateFiles(review, counted);
  }

  #list(list, review, groups) {
    keyed(
      list,
      groups,
      ({ key }) => key,
      ({ findings }) => (findings.length > 1 ? this.#group(findings[0]) : this.#finding(review.id, findings[0])),
      (item, { findings }) => {
        if (findings.length > 1) this.#updateGroup(item, review, findings);
        else this.#updateChip(item, findings[0]);
      },
    );
  }

  #updateChip(item, finding) {
    const chip = stateChip(finding, this.diff.notes);
    const state = chip?.textContent ?? "";
    if (item.state === state) return;
    item.state = state;
    replace(item.chip, chip);
  }

  /** Findings with the same title: one entry, with their places folded. */
  #group({ severity, title }) {
    const amount = h("span", { class: "entry-place" });
    const places = h("ol", { class: "places" });
    const head = h(
      "summary",
      { class: `entry ${severity}` },
      icon(severity),
      h("span", { class: "sr-only" }, `${capital(severity)}: `),
      h("span", { class: "entry-text" }, h("span", { class: "entry-title" }, ...line(title || "(no title)")), amount),
    );
    const item = h("li", { class: "group" }, h("details", {}, head, places));
    Object.assign(item, { amount, places });
    return item;
  }

  #updateGroup(item, review, findings) {
    const files = new Set(findings.map(({ path }) => path)).size;
    setText(item.amount, `${count(findings.length, "place")} in ${count(files, "file")}`);
    keyed(
      item.places,
      findings,
      ({ id }) => id,
      (finding) => this.#place(review.id, finding),
      (place, finding) => this.#updateChip(place, finding),
    );
  }

  #place(review, finding) {
    const chip = h("span", { class: "entry-state" });
    const link = h("a", { href: findingLink(review, finding.id), class: "entry", title: finding.path }, bdi(shortPlace(finding)), chip);
    const item = h("li", { "data-id": finding.id }, link);
    item.chip = chip;
    return item;
  }

  #finding(review, finding) {
    const link = h("a", { href: findingLink(review, finding.id), class: `entry ${finding.severity}` });
    const chip = h("span", { class: "entry-state" });
    append(
      link,
      icon(finding.severity),
      h("span", { class: "sr-only" }, `${capital(finding.severity)}: `),
      h("span", { class: "entry-text" }, h("span", { class: "entry-title" }, ...line(finding.title || "(no title)"))),
    );
    append(link.lastElementChild, h("span", { class: "entry-place", title: finding.path }, bdi(shortPlace(finding)), " ", chip));
    const item = h("li", { "data-id": finding.id }, link);
    item.chip = chip;
    return item;
  }

  #updateFiles(review, found) {
    const amounts = new Map();
    for (const { path } of found) amounts.set(path, (amounts.get(path) ?? 0) + 1);
    const statuses = new Map(review.coverage().map((entry) => [entry.path, entry]));
    keyed(
      this.files,
      this.diff.files,
      (view) => view.bodyId,
      (view) => this.#file(view),
      (element, view) => {
        const status = statuses.get(view.path)?.status ?? (review.finished ? "unknown" : "waiting");
        const [drawn, label] = COVERAGE[status] ?? [null, ""];
        const [mark, said, amount] = element.parts;
        if (mark.dataset.status !== status) {
          mark.dataset.status = status;
          replace(mark, drawn && icon(drawn));
          setText(said, label && `${label}: `);
          mark.title = label;
        }
        const here = amounts.get(view.path) ?? 0;
        setText(amount, here ? number(here) : "");
        amount.title = here ? count(here, "finding") : "";
      },
    );
    this.#filterFiles();
  }

  /** Hides the files of the list whose path lacks a word of the filter. */
  #filterFiles() {
    const words = byId("file-filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    const items = [...this.files.children];
    for (const item of items) item.hidden = item.view.element.hidden || !words.every((word) => item.path.includes(word));
    const shown = items.filter((item) => !item.hidden).length;
    setText(byId("file-count"), shown === items.length ? number(shown) : `${number(shown)} of ${number(items.length)}`);
    byId("no-files").hidden = shown > 0 || items.length === 0;
  }

  #file(view) {
    const cut = view.path.lastIndexOf("/") + 1;
    const mark = h("span", { class: "coverage" });
    const said = h("span", { class: "sr-only" });
    const amount = h("span", { class: "amount" });
    const name = h("bdi", { class: "entry-path", title: view.path });
    append(name, h("span", { class: "folder" }, view.path.slice(0, cut)), h("span", { class: "base" }, view.path.slice(cut)));
    const button = h(
      "button",
      { type: "button", class: "entry", onclick: () => this.diff.revealFile(view) },
      mark,
      said,
      name,
      amount,
    );
    const item = h("li", {}, button);
    item.parts = [mark, said, amount];
    item.path = view.path.toLowerCase();
    item.view = view;
    return item;
  }

  /** Marks the finding that the reader is at. */
  setCurrent(id) {
    for (const marked of document.querySelectorAll("#side [aria-current]")) {
      if (marked.parentElement.dataset.id !== id) marked.removeAttribute("aria-current");
    }
    for (const list of [this.findings, this.held]) {
      const item = id && list.querySelector(`[data-id="${CSS.escape(id)}"]`);
      const link = item?.firstElementChild;
      if (!link || link.hasAttribute("aria-current")) continue;
      link.setAttribute("aria-current", "true");
      for (let group = item.closest("details"); group; group = group.parentElement.closest("details")) group.open = true;
      this.#scrollTo(item);
    }
  }

  /** Only the list may scroll, never the page. */
  #scrollTo(item) {
    const list = byId("side-scroll");
    if (list.scrollHeight <= list.clientHeight) return;
    const top = item.getBoundingClientRect().top - list.getBoundingClientRect().top;
    if (top < 0 || top > list.clientHeight - 60) list.scrollTop += top - 80;
  }
}

/** `orders.py:36`: the name of the file, and the line if there is one. */
function shortPlace(finding) {
  const name = finding.path.slice(finding.path.lastIndexOf("/") + 1);
  return isPlaced(finding) ? `${name}:${finding.line}` : name;
}
