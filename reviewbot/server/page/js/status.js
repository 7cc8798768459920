/** The head of a review: where it stands, what it took, and how it ended. */

import { append, bdi, byId, h, icon, replace, setText } from "./dom.js";
import { ago, capital, clock, count, counted, dollars, duration, listed, number, stateOf } from "./format.js";
import { COVERAGE } from "./file-view.js";
import { plain } from "./show.js";
import { titleOf } from "./sidebar.js";

const STATES = { queued: "Queued", running: "Running", waiting: "Waiting", finished: "Finished" };
const OUTCOMES = {
  clean: "No findings",
  shallow: "Shallow",
  findings: "Findings",
  answered: "Answered",
  incomplete: "Incomplete",
  superseded: "Superseded",
  cancelled: "Cancelled",
};

export const outcomeLabel = (outcome) => OUTCOMES[outcome] ?? "Finished";
export const stateLabel = (state) => STATES[state] ?? state;

/** How a review that ended may look: only `clean` is green. */
export function toneOf(review) {
  if (review.outcome === "superseded" || review.outcome === "cancelled") return review.outcome;
  if (!review.complete) return "incomplete";
  if (!review.tally().planned) return "nothing";
  return review.outcome;
}

/** One sentence that can stand alone. It never reads clean if it is not. */
export function outcomeSentence(review) {
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
    const unread = tally.unread ? `, of which ${number(tally.unread)} ${tally.unread === 1 ? "was" : "were"} not read` : "";
    return `${capital(found)} in ${count(tally.planned, "file")}${unread}.`;
  }
  let what = "The review did not finish";
  if (missing) {
    const verb = missing === 1 ? "was" : "were";
    const how = tally.unread === missing ? "read" : "fully reviewed";
    what = `${number(missing)} of ${count(tally.planned, "file")} ${verb} not ${how}`;
  }
  return found === "no findings" ? `${what}; nothing was found in the rest.` : `${what}; ${found} found.`;
}

/** `1 unproven error and 2 findings held back, not counted.`; empty if nothing is held back. */
function heldSentence(review) {
  const held = review.standing().filter((one) => one.placement.held);
  const unproven = held.filter((one) => stateOf(one) === "Unproven").length;
  const rest = held.length - unproven;
  const parts = [unproven && count(unproven, "unproven error"), rest && `${count(rest, "finding")} held back`];
  return held.length ? `${capital(listed(parts.filter(Boolean)))}, not counted.` : "";
}

/** `Verification: 3 supported, 1 unproven, 2 refuted ($0.0123).`; empty if there was none. */
function verificationSentence({ verification }) {
  if (verification === null) return "";
  const { supported, unproven, refuted, unverified } = verification;
  const counts = { supported, unproven, refuted, "not verified": unverified };
  const parts = Object.entries(counts).filter(([, value]) => value).map(([word, value]) => `${number(value)} ${word}`);
  return `Verification: ${parts.join(", ") || "no verdict"} (${dollars(verification.cost_usd)}).`;
}

export class Status {
  constructor() {
    this.connection = null;
    byId("outcome").hidden = true;
    byId("connection").hidden = true;
    this.timer = setInterval(() => this.tick(), 1000);
    this.review = null;
    this.banner = null;
  }

  close() {
    clearInterval(this.timer);
  }

  update(review) {
    this.review = review;
    setText(byId("review-title"), titleOf(review));
    this.#facts(review);
    const pill = byId("state-pill");
    const tone = review.finished ? toneOf(review) : review.state;
    if (pill.dataset.tone !== tone) {
      pill.dataset.tone = tone;
      const drawn = { clean: "check", answered: "check", shallow: "warning", incomplete: "warning", findings: "dot" }[tone] ?? (review.finished ? "skip" : "spin");
      const label = tone === "nothing" ? "Nothing reviewed" : review.finished ? outcomeLabel(tone) : stateLabel(tone);
      replace(pill, icon(drawn), label);
    }
    byId("cancel-button").hidden = review.finished;
    this.#progress(review, tone);
    this.#outcome(review, tone);
    this.tick();
  }

  #facts(review) {
    const key = JSON.stringify([review.subject, review.models, review.createdAt]);
    if (this.facts === key) return;
    this.facts = key;
    const parts = [];
    if (review.subject) parts.push(bdi(review.subject));
    if (review.models.length) parts.push(h("span", {}, ...review.models.flatMap((one, index) => [index ? ", then " : "", bdi(one)])));
    const since = review.createdAt ?? review.startedAt;
    if (since) parts.push(h("time", { datetime: since, title: since }, ago(since)));
    parts.push(h("span", { class: "id" }, review.id));
    replace(byId("review-facts"), ...parts.map((part) => h("li", {}, part)));
  }

  #progress(review, tone) {
    const { progress } = review;
    const tally = review.tally();
    const bar = byId("progress");
    const total = progress?.chunks_total || review.chunks.size || 1;
    const ended = [...review.chunks.values()].filter((one) => ["reviewed", "partly", "failed"].includes(one.status)).length;
    const done = Math.max(progress?.chunks_done ?? 0, ended);
    bar.max = total;
    bar.value = review.finished && review.complete ? total : Math.min(done, total);
    bar.dataset.tone = tone;
    const filesTotal = progress?.files_total ?? tally.planned;
    const filesDone = review.finished ? tally.reviewed : Math.max(progress?.files_done ?? 0, tally.reviewed + tally.partly + tally.failed);
    const files = `${number(Math.min(filesDone, filesTotal))} of ${number(filesTotal)}`;
    bar.setAttribute("aria-valuetext", `${files} files`);
    setText(byId("figure-files"), review.files.size || progress ? files : "–");
    const { input, output, cache_read: read, cache_write: written } = review.usage;
    const into = input + read + written;
    setText(byId("figure-tokens"), into + output ? `${number(into)} in, ${number(output)} out` : "0");
    byId("figure-tokens").title = read ? `${number(read)} of them from the cache` : "";
    setText(byId("figure-cost"), dollars(review.cost));
    const { estimate } = review;
    const shares = review.byModel.map((one) => `${plain(one.model)}: ${dollars(one.cost_usd)}`).join("\n");
    byId("figure-cost").title = estimate && !review.finished ? `Estimated: ${dollars(estimate.cost_usd)}` : shares;
  }

  /** What changes with the time alone. */
  tick() {
    const { review } = this;
    if (!review) return;
    setText(byId("figure-time"), this.#time(review));
    setText(byId("activity"), this.#activity(review));
    this.#showConnection();
  }

  #time(review) {
    if (review.duration !== null) return duration(review.duration);
    const start = Date.parse(review.startedAt ?? "");
    if (Number.isNaN(start) || !review.lastEventAt) return "–";
    // The server's clock up to its last event, ours from then on: the two need not agree.
    const here = review.finished ? 0 : performance.now() - review.lastEventHere;
    return clock((review.lastEventAt - start + here) / 1000);
  }

  #activity(review) {
    if (review.finished) return review.firstFinding === null ? "" : `First finding after ${duration(review.firstFinding)}.`;
    const parts = [];
    if (review.activity) parts.push(review.activity);
    else if (review.state === "queued") parts.push("Waiting in the queue");
    const next = Date.parse(review.nextTryAt ?? "");
    if (review.state === "waiting" && !Number.isNaN(next)) {
      const seconds = (next - Date.now()) / 1000;
      parts.push(seconds > 0 ? `next try in ${clock(seconds)}` : "next try now");
    }
    if (!parts.length) parts.push(review.question === null ? "Reviewing" : "Answering");
    return `${parts.join("; ")}…`;
  }

  #outcome(review, tone) {
    const box = byId("outcome");
    box.hidden = !review.finished;
    if (!review.finished) return;
    const key = JSON.stringify([tone, review.reasons, review.depth, review.verification, outcomeSentence(review)]);
    if (this.banner === key) return;
    this.banner = key;
    box.dataset.tone = tone;
    const drawn = { clean: "check", answered: "check", shallow: "note", findings: "note", incomplete: "error" }[tone] ?? "skip";
    const words = { shallow: "Shallow. ", incomplete: "Incomplete. ", cancelled: "Cancelled. ", superseded: "Superseded. " };
    const says = h("p", { class: "outcome-line" }, h("strong", {}, words[tone] ?? ""), outcomeSentence(review));
    if (review.depth) append(says, ` ${plain(review.depth)}`);
    const text = h("div", { class: "outcome-text" }, says);
    const bad = review.coverage().filter((one) => ["failed", "partly", "unread"].includes(one.status));
    if (tone === "incomplete" && review.question === null && review.tally().unread < bad.length) {
      append(text, h("p", {}, "Files that were not fully reviewed may have problems. Start the review again to cover all files."));
    }
    if (review.reasons.length) append(text, h("ul", {}, ...review.reasons.map((one) => h("li", {}, bdi(one)))));
    if (bad.length && review.question === null) {
      const rows = bad.slice(0, 20).map((one) =>
        h("li", {}, h("code", {}, one.path), ` ${COVERAGE[one.status][1].toLowerCase()}: `, bdi(one.reason ?? "no reason was given")),
      );
      if (bad.length > 20) rows.push(h("li", {}, `and ${count(bad.length - 20, "more file")}, listed under Coverage`));
      append(text, h("ul", { class: "bad-files" }, ...rows));
    }
    const held = heldSentence(review);
    if (held) append(text, h("p", { class: "held-line" }, held));
    const verdicts = verificationSentence(review);
    if (verdicts) append(text, h("p", { class: "held-line" }, verdicts));
    replace(box, icon(drawn), text);
  }

  setConnection(state) {
    this.connection = state.state === "lost" ? { ...state, until: performance.now() + state.retryInMs } : null;
    this.#showConnection();
  }

  #showConnection() {
    const box = byId("connection");
    const lost = this.connection;
    box.hidden = !lost;
    if (!lost) return;
    const seconds = Math.ceil((lost.until - performance.now()) / 1000);
    const why = lost.problem ? lost.problem.detail : "The connection was lost.";
    const next = seconds > 0 ? ` Trying again in ${seconds} s.` : " Trying again now…";
    setText(byId("connection-text"), `${why}${next}`);
    byId("connection-retry").hidden = seconds <= 0;
  }
}
