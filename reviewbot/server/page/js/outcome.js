/** The end of a review: the outcome, the causes if it is incomplete, and the remedy. */

import { causesOf, otherReasons } from "./causes.js";
import { append, bdi, byId, h, icon, replace } from "./dom.js";
import { COVERAGE } from "./file-view.js";
import { capital, count, counted, number, readable } from "./format.js";
import { plain } from "./show.js";

/** How a review that ended may look: only `clean` is green. */
export function toneOf(review) {
  if (review.outcome === "superseded" || review.outcome === "cancelled") return review.outcome;
  if (!review.complete) return "incomplete";
  if (!review.tally().planned) return "nothing";
  return review.outcome;
}

/** One sentence or two that can stand alone, in the words of the verdict on GitHub. They never read better than the outcome. */
export function outcomeSentence(review) {
  const first = review.rulesOnly && review.question === null ? "Reviewed by rules and linters only. " : "";
  return `${first}${verdict(review)}`;
}

function verdict(review) {
  const tally = review.tally();
  const counts = review.counts();
  const found = counted(counts);
  const missing = tally.failed + tally.partly + tally.unread + tally.open;
  const tone = toneOf(review);
  if (review.question !== null) return `The question was ${tone === "answered" ? "" : "not "}answered.`;
  if (tone === "superseded") return `A newer version of the change replaced it; ${found} until then.`;
  if (tone === "nothing") {
    if (!tally.all) return "No changes.";
    const which = tally.all === 1 ? "its only file is" : `all its ${number(tally.all)} files are`;
    return `Nothing of this diff was reviewed: ${which} skipped by policy.`;
  }
  if (tone === "clean" || tone === "shallow" || tone === "findings") {
    const where = `in ${count(tally.planned, "file")}`;
    const unread = tally.unread ? `, of which ${number(tally.unread)} ${tally.unread === 1 ? "was" : "were"} not read` : "";
    const total = Object.values(counts).reduce((sum, value) => sum + value, 0);
    if (total) return `${capital(found)} ${total === 1 ? "is" : "are"} open ${where}${unread}.`;
    const isDone = tone === "clean" && !tally.unread && !review.rulesOnly && review.isModelled;
    return isDone ? `Done: nothing blocks this; no findings ${where}.` : `No findings ${where}${unread}.`;
  }
  let what = "The review did not finish";
  if (missing) {
    const verb = missing === 1 ? "was" : "were";
    const how = tally.unread === missing ? "read" : "fully reviewed";
    what = `${number(missing)} of ${count(tally.planned, "file")} ${verb} not ${how}`;
  }
  const noneRead = missing && missing === tally.planned && !tally.partly;
  const rest = noneRead ? "" : "; nothing was found in the rest";
  return found === "no findings" ? `${what}${rest}.` : `${what}; ${found} found.`;
}

export class Outcome {
  /** `again()` reviews the failed files again. */
  constructor(again) {
    this.again = again;
    this.box = byId("outcome");
    this.box.hidden = true;
    this.banner = null;
  }

  update(review, tone) {
    const { box } = this;
    box.hidden = !review.finished;
    if (!review.finished) return;
    const held = review.held() ? ` ${count(review.held(), "finding")} held back, not counted.` : "";
    const sentence = `${outcomeSentence(review)}${held}`;
    const key = JSON.stringify([tone, review.reasons, review.depth, sentence]);
    if (this.banner === key) return;
    this.banner = key;
    box.dataset.tone = tone;
    const words = { shallow: "Shallow. ", incomplete: "Incomplete. ", cancelled: "Cancelled. ", superseded: "Superseded. " };
    const says = h("p", { class: "outcome-line" }, h("strong", {}, words[tone] ?? ""), sentence);
    if (review.depth) append(says, ` ${plain(review.depth)}`);
    const text = h("div", { class: "outcome-text" }, says);
    const coverage = review.coverage();
    const others = review.question === null ? otherReasons(review.reasons, coverage) : review.reasons.map(readable);
    if (others.length) append(text, h("ul", {}, ...others.map((one) => h("li", {}, bdi(one)))));
    if (review.question === null) append(text, this.#causes(causesOf(coverage), tone));
    // What is one short sentence is a part of the first line.
    const isLine = ["clean", "findings", "answered"].includes(tone) && text.childElementCount === 1 && !review.depth;
    box.classList.toggle("boxed", !isLine);
    const drawn = { shallow: "note", incomplete: "error", findings: "note", clean: "check" }[tone] ?? "skip";
    replace(box, isLine ? null : icon(drawn), text);
  }

  /** A sentence with a count for each cause, its files folded, and the remedy. */
  #causes(causes, tone) {
    const parts = causes.map(({ sentence, files }) => {
      const paths = files.map((file) => h("li", {}, h("code", {}, file.path), ` ${COVERAGE[file.status][1].toLowerCase()}`));
      const says = h("summary", {}, `${count(files.length, "file")}: `, bdi(sentence));
      return h("details", { class: "cause" }, says, h("ul", {}, ...paths));
    });
    const failed = tone === "incomplete" ? causes.filter((cause) => cause.again) : [];
    if (!failed.length) return parts;
    const button = h("button", { type: "button", class: "button", onclick: () => this.again() }, "Review the failed files again");
    if (!failed.some((cause) => cause.key)) return [...parts, h("p", { class: "help" }, button)];
    const advice = h(
      "details",
      { class: "help" },
      h("summary", { class: "button" }, "Check the key"),
      h("p", {}, "The key of the model is a setting of the server. Whoever runs the server can check it there with ", h("code", {}, "reviewbot doctor"), ", replace it, and start the server again."),
      h("p", {}, button),
    );
    return [...parts, advice];
  }
}
