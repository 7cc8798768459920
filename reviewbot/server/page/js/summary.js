/** What a model writes of the whole: what the change does, or an answer; and what to know beforehand. */

import { codeLines } from "./code-block.js";
import { append, bdi, byId, h, icon, replace } from "./dom.js";
import { line, linkedLine, markdown } from "./markdown.js";

/** Shows the summary: one line, and the rest unfolded if `isAlone`, since nothing was found. */
export function showSummary(summary, isAlone) {
  const box = byId("summary");
  box.hidden = summary === null;
  if (!summary) return;
  const body = byId("summary-body");
  const mismatch = summary.claim_mismatch ? [icon("warning"), "Description and change disagree. "] : [];
  replace(byId("summary-line"), ...mismatch, ...line(summary.what));
  byId("summary-details").open = isAlone;
  replace(body);
  if (summary.claim_mismatch) {
    const says = h("p", { class: "mismatch" }, icon("warning"));
    append(says, h("span", {}, h("strong", {}, "Description and change disagree: "), ...linkedLine(summary.claim_mismatch)));
    append(body, says);
  }
  append(body, h("p", { class: "what" }, ...linkedLine(summary.what)));
  if (summary.look_at.length) {
    append(body, h("h3", {}, "Look at"), h("ul", {}, ...summary.look_at.map((one) => h("li", {}, ...linkedLine(one)))));
  }
  const asked = summary.asked_for ?? [];
  if (asked.length) {
    const found = asked.filter((one) => one.path !== null);
    const missing = asked.filter((one) => one.path === null);
    const rows = [
      ...missing.map((one) => h("li", {}, "Not found: ", ...line(one.what))),
      ...found.map((one) => h("li", {}, "Found in ", bdi(one.path), ": ", ...line(one.what))),
    ];
    const counts = [found.length ? `${found.length} found` : "", missing.length ? `${missing.length} not found` : ""];
    const heading = `Asked for (${counts.filter(Boolean).join(", ")})`;
    append(body, h("details", {}, h("summary", {}, heading), h("ul", {}, ...rows)));
  }
  if (summary.files.length) {
    const rows = summary.files.map((entry) =>
      h("div", {}, h("dt", {}, bdi(entry.path)), h("dd", {}, ...linkedLine(entry.summary))),
    );
    append(body, h("details", {}, h("summary", {}, "File by file"), h("dl", { class: "walkthrough" }, ...rows)));
  }
  const source = summary.source === "model" ? "A model wrote this summary." : "Computed, not written by a model.";
  const reason = summary.reason ? [" ", bdi(summary.reason)] : [];
  append(body, h("p", { class: "source" }, source, ...reason));
}

/** The question that is asked about the diff, and as much of its answer as is written. */
export function showAnswer({ question, answer, finished }) {
  const box = byId("answer");
  box.hidden = question === null;
  if (question === null) return;
  const body = byId("answer-body");
  replace(body, h("p", { class: "question" }, ...line(question)));
  if (!answer) {
    append(body, h("p", { class: "source" }, finished ? "There is no answer." : "Nothing is written yet."));
    return;
  }
  const words = h("div", { class: "markdown" });
  append(words, ...markdown(answer.text, (text, language) => codeLines(text, { language })));
  const state = answer.complete ? "wrote this answer." : "is writing this answer.";
  append(body, words, h("p", { class: "source" }, bdi(answer.model), ` ${state}`));
}

// How the server begins the notice that nobody chose the rules (reviewbot/pipeline/prepare.py).
const OFFLINE = "Reviewed offline: ";

/** That no model reviewed, as a chip, and the other notices in a box. */
export function showNotices(notices) {
  const offline = notices.filter((one) => one.startsWith(OFFLINE));
  const others = notices.filter((one) => !one.startsWith(OFFLINE));
  const chip = byId("offline-notice");
  chip.hidden = offline.length === 0;
  replace(chip, ...offline.map((one) => h("span", { class: "model-chip", "data-tone": "offline" }, bdi(one))));
  byId("notices").hidden = others.length === 0;
  replace(byId("notice-list"), ...others.map((one) => h("li", {}, bdi(one))));
}
