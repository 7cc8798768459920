/** What the change does, as the model or the program sums it up; and what to know beforehand. */

import { append, bdi, byId, h, icon, replace } from "./dom.js";
import { line } from "./markdown.js";

export function showSummary(summary) {
  const box = byId("summary");
  box.hidden = summary === null;
  if (!summary) return;
  const body = byId("summary-body");
  replace(body);
  if (summary.claim_mismatch) {
    const says = h("p", { class: "mismatch" }, icon("warning"));
    append(says, h("span", {}, h("strong", {}, "Description and change disagree: "), ...line(summary.claim_mismatch)));
    append(body, says);
  }
  append(body, h("p", { class: "what" }, ...line(summary.what)));
  if (summary.look_at.length) {
    append(body, h("h3", {}, "Look at"), h("ul", {}, ...summary.look_at.map((one) => h("li", {}, ...line(one)))));
  }
  if (summary.files.length) {
    const rows = summary.files.map((entry) =>
      h("div", {}, h("dt", {}, bdi(entry.path)), h("dd", {}, ...line(entry.summary))),
    );
    append(body, h("details", {}, h("summary", {}, "File by file"), h("dl", { class: "walkthrough" }, ...rows)));
  }
  const source = summary.source === "model" ? "A model wrote this summary." : "Computed, not written by a model.";
  const reason = summary.reason ? [" ", bdi(summary.reason)] : [];
  append(body, h("p", { class: "source" }, source, ...reason));
}

export function showNotices(notices) {
  const box = byId("notices");
  box.hidden = notices.length === 0;
  replace(byId("notice-list"), ...notices.map((one) => h("li", {}, bdi(one))));
}
