/** The head of a review: its state, progress and cost. */

import { bdi, byId, h, icon, replace, setText } from "./dom.js";
import { ago, clock, dollars, duration, number, readable } from "./format.js";
import { Outcome, toneOf } from "./outcome.js";
import { plain } from "./show.js";
import { titleOf } from "./sidebar.js";

const STATES = { cut: "Not connected", queued: "Queued", running: "Running", waiting: "Waiting", finished: "Finished" };
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

export class Status {
  /** `again()` reviews the failed files again. */
  constructor(again) {
    this.connection = null;
    this.cutAt = null;
    this.outcome = new Outcome(again);
    byId("connection").hidden = true;
    this.timer = setInterval(() => this.tick(), 1000);
    this.review = null;
  }

  close() {
    clearInterval(this.timer);
  }

  update(review) {
    this.review = review;
    setText(byId("review-title"), titleOf(review));
    this.#facts(review);
    const pill = byId("state-pill");
    const tone = review.finished ? toneOf(review) : this.cutAt !== null ? "cut" : review.state;
    if (pill.dataset.tone !== tone) {
      pill.dataset.tone = tone;
      const drawn = { clean: "check", answered: "check", shallow: "warning", incomplete: "warning", findings: "dot", cut: "skip" }[tone] ?? (review.finished ? "skip" : "spin");
      const label = tone === "nothing" ? "Nothing reviewed" : review.finished ? outcomeLabel(tone) : stateLabel(tone);
      replace(pill, icon(drawn), label);
    }
    byId("cancel-button").hidden = review.finished;
    this.#progress(review, tone);
    this.outcome.update(review, tone);
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
    if (since) parts.push(h("time", { datetime: since, title: new Date(since).toLocaleString() }, ago(since)));
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
    const here = review.finished ? 0 : (this.cutAt ?? performance.now()) - review.lastEventHere;
    return clock((review.lastEventAt - start + here) / 1000);
  }

  #activity(review) {
    if (review.finished) return review.firstFinding === null ? "" : `First finding after ${duration(review.firstFinding)}.`;
    if (this.cutAt !== null) return "";
    const parts = [];
    if (review.activity) parts.push(readable(review.activity));
    else if (review.state === "queued") parts.push("Waiting in the queue");
    const next = Date.parse(review.nextTryAt ?? "");
    if (review.state === "waiting" && !Number.isNaN(next)) {
      const seconds = (next - Date.now()) / 1000;
      parts.push(seconds > 0 ? `next try in ${clock(seconds)}` : "next try now");
    }
    if (!parts.length) parts.push(review.question === null ? "Reviewing" : "Answering");
    return `${parts.join("; ")}…`;
  }

  setConnection(state) {
    this.connection = state.state === "lost" ? { ...state, until: performance.now() + state.retryInMs } : null;
    // The state of the review is unknown from then on.
    const cut = state.state === "lost" || state.state === "failed";
    this.cutAt = cut ? (this.cutAt ?? performance.now()) : null;
    if (this.review) this.update(this.review);
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
