/** The lists beside the diff: findings and files, in the order of the page. */

import { append, bdi, byId, h, icon, keyed, replace, setText } from "./dom.js";
import { capital, count, isOnLine, number, stateOf } from "./format.js";
import { COVERAGE } from "./file-view.js";
import { line } from "./markdown.js";
import { findingLink } from "./route.js";
import { stateChip } from "./verdict.js";

export class Sidebar {
  constructor(diff) {
    this.diff = diff;
    this.findings = byId("finding-list");
    this.files = byId("file-list");
    this.current = null;
    for (const list of [this.findings, this.files]) {
      replace(list);
      list.keyedElements = new Map();
    }
  }

  update(review, matches) {
    const found = review.standing().filter(matches);
    const ordered = found
      .map((finding) => [finding, this.diff.orderOf(finding)])
      .sort(([, one], [, other]) => one[0] - other[0] || one[1] - other[1])
      .map(([finding]) => finding);
    keyed(
      this.findings,
      ordered,
      (finding) => finding.id,
      (finding) => this.#finding(review.id, finding),
      (item, finding) => {
        const state = stateOf(finding);
        if (item.state === state) return;
        item.state = state;
        replace(item.chip, stateChip(finding));
      },
    );
    const all = review.standing().length;
    setText(byId("finding-count"), found.length === all ? number(all) : `${number(found.length)} of ${number(all)}`);
    const nothing = review.finished ? "Nothing was found." : "Nothing yet.";
    const none = review.question === null ? nothing : "This is a question: nothing is reviewed.";
    setText(byId("no-findings"), all ? "No finding matches the filters." : none);
    byId("no-findings").hidden = found.length > 0;
    this.#updateFiles(review, found);
  }

  #finding(review, finding) {
    const link = h("a", { href: findingLink(review, finding.id), class: `entry ${finding.severity}` });
    const chip = h("span", { class: "entry-state" });
    const name = finding.path.slice(finding.path.lastIndexOf("/") + 1);
    const where = isOnLine(finding) ? `${name}:${finding.line}` : name;
    append(
      link,
      icon(finding.severity),
      h("span", { class: "sr-only" }, `${capital(finding.severity)}: `),
      h("span", { class: "entry-text" }, h("span", { class: "entry-title" }, ...line(finding.title || "(no title)"))),
    );
    append(link.lastElementChild, h("span", { class: "entry-place", title: finding.path }, bdi(where), " ", chip));
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
    setText(byId("file-count"), number(this.diff.files.length));
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
    return item;
  }

  /** Marks the finding that the reader is at. */
  setCurrent(id) {
    this.current = id;
    for (const item of this.findings.children) {
      const link = item.firstElementChild;
      if (item.dataset.id === id) {
        link.setAttribute("aria-current", "true");
        const list = byId("side-scroll");
        // Only the list may scroll, never the page.
        if (list.scrollHeight > list.clientHeight) {
          const top = item.offsetTop - list.offsetTop;
          if (top < list.scrollTop || top > list.scrollTop + list.clientHeight - 60) list.scrollTop = top - 80;
        }
      } else link.removeAttribute("aria-current");
    }
  }
}

export const titleOf = (review) => review.title ?? `Review ${review.id.slice(0, 12)}`;
