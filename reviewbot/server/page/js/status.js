/** The head of a review: its title, state, model, cost and time, and its progress while it runs. */

import { Activity } from "./activity.js";
import { copyButton } from "./clipboard.js";
import { bdi, byId, h, icon, replace, setText } from "./dom.js";
import { ago, capital, clock, count, counted, dollars, duration, number, readable } from "./format.js";
import { Outcome, toneOf } from "./outcome.js";
import { plain } from "./show.js";
import { titleOf } from "./title.js";

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
    this.activity = new Activity();
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
    const { subject, models, createdAt, startedAt, id } = review;
    const key = JSON.stringify([subject, models, createdAt ?? startedAt, id]);
    if (this.facts === key) return;
    this.facts = key;
    const show = (name, ...parts) => {
      const item = byId(name);
      item.hidden = !parts.length;
      replace(item, ...parts);
    };
    show("fact-subject", ...(subject ? [bdi(subject)] : []));
    show("fact-models", ...models.flatMap((one, index) => [index ? ", then " : "", bdi(one)]));
    const since = createdAt ?? startedAt;
    show("fact-age", ...(since ? [h("time", { datetime: since, title: new Date(since).toLocaleString() }, ago(since))] : []));
    show("copy-id", copyButton("Copy id", () => id));
  }

  #progress(review, tone) {
    const { progress, estimate } = review;
    const tally = review.tally();
    const bar = byId("progress");
    bar.hidden = review.finished;
    const total = progress?.chunks_total || review.chunks.size || 1;
    const ended = [...review.chunks.values()].filter((one) => ["reviewed", "partly", "failed"].includes(one.status)).length;
    bar.max = total;
    bar.value = Math.min(Math.max(progress?.chunks_done ?? 0, ended), total);
    bar.dataset.tone = tone;
    const filesTotal = progress?.files_total ?? tally.planned;
    const filesDone = Math.min(Math.max(progress?.files_done ?? 0, tally.reviewed + tally.partly + tally.failed), filesTotal);
    bar.setAttribute("aria-valuetext", `${number(filesDone)} of ${number(filesTotal)} files`);
    const isKnown = review.question === null && (review.files.size || progress);
    const soFar = isKnown ? `${capital(counted(review.counts()))} so far; ${number(filesDone)} of ${count(filesTotal, "file")} done` : "";
    setText(byId("so-far"), review.finished ? "" : soFar);
    const { usage, cost } = review;
    const isExpected = !review.finished && cost === 0 && usage.input + usage.output + usage.cache_read + usage.cache_write === 0;
    const expected = estimate?.cost_usd ? `about ${dollars(estimate.cost_usd)} expected` : "";
    setText(byId("figure-cost"), isExpected ? expected || "–" : dollars(cost));
    const shares = review.byModel.map((one) => `${plain(one.model)}: ${dollars(one.cost_usd)}`).join("\n");
    byId("figure-cost").title = estimate && !review.finished ? `Estimated: ${dollars(estimate.cost_usd)}` : shares;
  }

  /** What changes with the time alone. */
  tick() {
    const { review } = this;
    if (!review) return;
    setText(byId("figure-time"), this.#time(review));
    this.activity.update(review, this.cutAt === null ? this.#now(review) : null);
    setText(byId("activity"), this.#activity(review));
    this.#showConnection();
  }

  #time(review) {
    if (review.duration !== null) return duration(review.duration);
    const start = Date.parse(review.startedAt ?? "");
    const now = this.#now(review);
    return Number.isNaN(start) || now === null ? "–" : clock((now - start) / 1000);
  }

  /** The server's clock up to its last event, ours from then on: the two need not agree. In ms, or null. */
  #now(review) {
    if (!review.lastEventAt) return null;
    const here = review.finished ? 0 : (this.cutAt ?? performance.now()) - review.lastEventHere;
    return review.lastEventAt + here;
  }

  /** What the review waits for, or does apart from its batches. */
  #activity(review) {
    if (review.finished || this.cutAt !== null) return "";
    const parts = [];
    if (review.activity) parts.push(readable(review.activity));
    else if (review.state === "queued") parts.push("Waiting in the queue");
    const next = Date.parse(review.nextTryAt ?? "");
    if (review.state === "waiting" && !Number.isNaN(next)) {
      const seconds = (next - Date.now()) / 1000;
      parts.push(seconds > 0 ? `next try in ${clock(seconds)}` : "next try now");
    }
    if (!parts.length && review.runningBatches().length) return "";
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
