/** The coverage ledger: of each file whether it was reviewed, and if not, why. */

import { append, bdi, byId, h, icon, keyed, replace, setText } from "./dom.js";
import { COVERAGE } from "./file-view.js";
import { count, listed, number, readable } from "./format.js";

// What must be seen first.
const ORDER = ["failed", "partly", "retrying", "reviewing", "waiting", "unread", "reviewed", "skipped"];

export class Ledger {
  constructor() {
    this.box = byId("coverage");
    this.details = byId("coverage-details");
    this.rows = byId("coverage-rows");
    this.details.open = false;
    replace(this.rows);
    this.rows.keyedElements = new Map();
    this.box.hidden = true;
  }

  update(review) {
    const coverage = review.coverage();
    this.box.hidden = coverage.length === 0;
    const tally = review.tally();
    setText(byId("coverage-line"), sentence(tally));
    byId("coverage-mark").dataset.status = tally.failed + tally.partly ? "failed" : tally.open || tally.unread ? "waiting" : "reviewed";
    const order = new Map(ORDER.map((one, index) => [one, index]));
    const sorted = review.finished
      ? [...coverage].sort((one, other) => (order.get(one.status) ?? 0) - (order.get(other.status) ?? 0))
      : coverage;
    const seen = new Map();
    keyed(
      this.rows,
      sorted.map((entry) => {
        // The same path can come twice.
        const times = (seen.get(entry.path) ?? 0) + 1;
        seen.set(entry.path, times);
        const before = review.wasCached(entry.path) ? "Unchanged since an earlier review; taken from the cache." : null;
        return { ...entry, reason: entry.reason ?? before, key: `${times} ${entry.path}` };
      }),
      (entry) => entry.key,
      (entry) => row(entry),
      (element, { status, reason }) => {
        const [mark, why] = element.parts;
        if (mark.dataset.status !== status) {
          const [drawn, label] = COVERAGE[status] ?? COVERAGE.waiting;
          mark.dataset.status = status;
          replace(mark, icon(drawn), h("span", { class: "label" }, label));
        }
        setText(why, readable(reason ?? ""));
      },
    );
  }
}

function row(entry) {
  const mark = h("span", { class: "coverage" });
  const why = h("bdi");
  const element = h("tr", {});
  append(element, h("th", { scope: "row" }, bdi(entry.path)), h("td", {}, mark), h("td", { class: "why" }, why));
  element.parts = [mark, why];
  return element;
}

function sentence(tally) {
  if (!tally.all) return "No files.";
  const parts = [`${number(tally.reviewed)} of ${count(tally.planned, "file")} reviewed`];
  if (tally.partly) parts.push(`${number(tally.partly)} partly`);
  if (tally.failed) parts.push(`${number(tally.failed)} not reviewed`);
  if (tally.unread) parts.push(`${number(tally.unread)} not read`);
  if (tally.open) parts.push(`${number(tally.open)} to go`);
  if (tally.skipped) parts.push(`${number(tally.skipped)} skipped`);
  return `${listed(parts)}.`;
}
