/** One review on the page: loads it, follows its events, and hands them to the views. */

import { announce, announceFinding } from "./announce.js";
import { cancelOnTheWayOut, json, call, Problem, reviewPath } from "./api.js";
import { DiffView } from "./diff-view.js";
import { byId, setText } from "./dom.js";
import { Filters } from "./filters.js";
import { follow } from "./follow.js";
import { count } from "./format.js";
import { Ledger } from "./ledger.js";
import { hideProblem, showProblem } from "./problem.js";
import { findingLink, reviewLink } from "./route.js";
import { Sidebar, titleOf } from "./sidebar.js";
import { Status, outcomeSentence } from "./status.js";
import { plain } from "./show.js";
import { Review } from "./store.js";
import { showAnswer, showNotices, showSummary } from "./summary.js";

// Old events are shown without a slide, and new ones not one by one if they come in a rush.
const MOST_SLIDES = 20;
const PINNED_MS = 4_000;
const ASK_AGAIN_MS = 10_000;

export class ReviewPage {
  /** `described`: the object of the review, if it was just started. */
  constructor(id, { finding = null, described = null, cancelOnLeave = false } = {}) {
    this.id = id;
    this.review = new Review(id);
    this.wanted = finding;
    this.current = null;
    this.leaving = new AbortController();
    this.queue = [];
    this.live = false;
    this.scheduled = false;
    this.askedAt = -Infinity;
    this.dirty = { notices: true, summary: true, answer: true };
    hideProblem(byId("review-problem"));
    this.status = new Status();
    this.diff = new DiffView(id);
    this.sidebar = new Sidebar(this.diff);
    this.ledger = new Ledger();
    this.filters = new Filters(() => this.#filter());
    this.#listen(cancelOnLeave);
    if (described) this.review.describe(described);
    this.#render();
    this.done = this.#run(described !== null);
  }

  #listen(cancelOnLeave) {
    const { signal } = this.leaving;
    byId("connection-retry").addEventListener("click", () => this.retry?.(), { signal });
    byId("previous-finding").addEventListener("click", () => this.step(-1), { signal });
    byId("next-finding").addEventListener("click", () => this.step(1), { signal });
    document.addEventListener("focusin", ({ target }) => this.#focused(target), { signal });
    document.addEventListener(
      "visibilitychange",
      () => {
        if (document.visibilityState === "visible") this.retry?.();
      },
      { signal },
    );
    if (cancelOnLeave) {
      window.addEventListener(
        "pagehide",
        () => {
          if (!this.review.finished) cancelOnTheWayOut(this.id);
        },
        { signal },
      );
    }
  }

  close() {
    this.closed = true;
    this.leaving.abort();
    this.status.close();
    this.filters.close();
    this.diff.close();
  }

  async #run(known) {
    try {
      if (!known) {
        const object = await json(reviewPath(this.id), { signal: this.leaving.signal });
        this.#check(object);
        // What is there already is shown as it is; only what comes later slides in.
        this.replayTo = object.last_seq ?? 0;
        this.review.describe(object);
        this.#render();
      }
      await Promise.all([this.#loadDiff(), this.#follow()]);
    } catch (error) {
      if (!this.closed && error.name !== "AbortError") this.#fail(error);
    }
  }

  #check(object) {
    if (typeof object?.id !== "string") throw new Problem(200, "The server's answer is not a review.");
  }

  #fail(error) {
    byId("review").classList.add("failed");
    const problem = error instanceof Problem ? error : new Problem(0, `This page failed: ${error.message}`);
    showProblem(byId("review-problem"), problem, {
      title: this.review.findings.size ? null : "The review cannot be shown",
    });
    announce(problem.detail);
  }

  async #loadDiff() {
    let parsed = null;
    try {
      parsed = await json(reviewPath(this.id, "/diff"), { signal: this.leaving.signal });
    } catch (error) {
      if (error.name === "AbortError" || this.closed) return;
      // The findings carry the code that they are about, so the page goes on without.
      this.diffProblem = error;
    }
    if (this.closed) return;
    this.parsed = Array.isArray(parsed?.files) ? parsed.files : null;
    this.#schedule();
  }

  #follow() {
    return follow(
      this.id,
      {
        event: (event) => {
          this.queue.push(event);
          this.#schedule();
        },
        connection: (state) => this.#connection(state),
      },
      this.leaving.signal,
    );
  }

  #connection(state) {
    if (this.closed) return;
    this.retry = state.retry ?? null;
    if (state.state === "failed") this.#fail(state.problem);
    if (state.state === "lost" && !this.lost) announce("The connection was lost. Trying again.");
    if (state.state === "open" && this.lost) announce("Connected again.");
    if (state.state === "ended") this.#endedWithoutSaying();
    this.lost = state.state === "lost";
    this.status.setConnection(state);
  }

  /** 204: there is nothing more to come. If the end was never seen, what the server knows is shown. */
  async #endedWithoutSaying() {
    this.#flush();
    if (this.review.finished) return;
    try {
      const object = await json(reviewPath(this.id), { signal: this.leaving.signal });
      if (object.state !== "finished" || this.review.finished) return;
      // A finding that is known stays where it is, and gets its verdict.
      const isNew = ({ id }) => this.review.findings.get(id)?.withdrawn !== null;
      for (const finding of (object.findings ?? []).filter(isNew)) this.queue.push({ type: "finding", finding });
      for (const verdict of object.verdicts ?? []) this.queue.push({ ...verdict, type: "finding.verified" });
      if (object.summary) this.queue.push({ ...object.summary, type: "review.summary" });
      if (object.answer) this.queue.push({ ...object.answer, type: "review.answer" });
      const { outcome, coverage, usage, cost_usd: cost } = object;
      this.queue.push({
        type: "review.finished", outcome, coverage: coverage ?? [], usage, cost_usd: cost,
        duration_s: seconds(object), time_to_first_finding_s: null, reasons: object.reasons ?? [],
        verification: object.verification ?? null,
      });
      this.#schedule();
    } catch (error) {
      if (!this.closed && error.name !== "AbortError") this.#fail(error);
    }
  }

  /** Once a frame, or a little later in a tab that is not looked at. */
  #schedule() {
    if (this.scheduled || this.closed) return;
    this.scheduled = true;
    let frame = 0;
    const run = () => {
      clearTimeout(timer);
      cancelAnimationFrame(frame);
      this.scheduled = false;
      if (!this.closed) this.#flush();
    };
    const timer = setTimeout(run, 200);
    frame = requestAnimationFrame(run);
  }

  #flush() {
    const events = [];
    for (const event of this.queue.splice(0)) {
      try {
        if (event.type === "review.finished") events.push(...this.review.withoutVerdict());
        events.push(event);
        this.review.apply(event);
      } catch (error) {
        console.error("an event could not be read", event, error);
      }
    }
    this.#placeFiles();
    const fresh = events.filter((event) => event.type === "finding" && event.seq > (this.replayTo ?? 0)).length;
    for (const event of events) this.#show(event, fresh <= MOST_SLIDES);
    this.#render();
    this.#revealWanted();
    const ended = events.find((event) => event.type === "review.finished");
    if (ended) announce(`The review has ended. ${this.review.complete ? "" : `${this.review.outcome}. `}${outcomeSentence(this.review)}`);
    this.#askAgain(events);
  }

  #placeFiles() {
    if (this.diff.ready) return;
    if (this.parsed) this.diff.setFiles(this.parsed, true);
    else if (this.diffProblem || this.parsed === null) {
      if (!this.review.files.size && !this.review.finished) return;
      this.diff.setFiles([...this.review.files.values()].map((file) => ({ ...file, hunks: [] })), false);
      const why = this.diffProblem instanceof Problem && this.diffProblem.status !== 404 ? this.diffProblem.detail : "";
      setText(byId("no-diff-why"), why);
      byId("no-diff").hidden = false;
    }
  }

  #show(event, slides) {
    const live = slides && event.seq > (this.replayTo ?? 0);
    switch (event.type) {
      case "review.started":
        this.dirty.notices = this.dirty.answer = true;
        for (const file of event.files) if (!file.chunks.length) this.diff.skip(file.path);
        break;
      case "file.skipped":
        this.diff.skip(event.path);
        break;
      case "finding":
        this.diff.addFinding(event.finding, live);
        if (event.seq > (this.replayTo ?? 0)) announceFinding();
        break;
      case "finding.verified":
        this.diff.verify(event, event.seq > (this.replayTo ?? 0));
        break;
      case "finding.withdrawn":
        this.diff.withdraw(event.id, event.reason, event.evidence ?? null);
        if (this.pinned?.finding === event.id && !this.pinned.signal.aborted) this.#missing(event.id);
        if (this.current === event.id) this.#setCurrent(null);
        break;
      case "review.summary":
        this.dirty.summary = true;
        break;
      case "review.answer":
      case "review.finished":
        this.dirty.answer = true;
        break;
    }
  }

  #render() {
    const { review } = this;
    this.status.update(review);
    if (this.dirty.notices) showNotices(review.notices);
    if (this.dirty.summary) showSummary(review.summary);
    if (this.dirty.answer) showAnswer(review);
    this.dirty = { notices: false, summary: false, answer: false };
    const coverage = review.coverage();
    this.diff.showCoverage(coverage);
    this.ledger.update(review);
    this.filters.update(review);
    this.sidebar.update(review, this.filters.matches);
    this.sidebar.setCurrent(this.current);
    byId("files-loading").hidden = this.diff.ready;
    this.#position();
    const found = review.standing().length;
    document.title = plain(`${found ? `(${found}) ` : ""}${titleOf(review)} · reviewbot`);
  }

  #filter() {
    this.diff.filter(this.filters.matches);
    this.#render();
    const shown = this.diff.cards().length;
    announce(`${count(shown, "finding")} shown.`);
  }

  /** Where it waits, and until when, is only in the object of the review. */
  #askAgain(events) {
    const idle = events.some((event) => event.type === "review.progress" && event.activity);
    if (!idle || this.review.finished || performance.now() - this.askedAt < ASK_AGAIN_MS) return;
    this.askedAt = performance.now();
    json(reviewPath(this.id), { signal: this.leaving.signal })
      .then((object) => {
        if (this.closed || this.review.finished) return;
        this.review.describe(object);
        this.#render();
      })
      .catch(() => {});
  }

  // --- Moving about

  /** The finding of the address: as soon as it is there. */
  want(finding) {
    this.wanted = finding;
    this.#revealWanted();
  }

  #revealWanted() {
    if (!this.wanted) return;
    if (this.diff.reveal(this.wanted)) {
      this.#setCurrent(this.wanted);
      this.#pin(this.wanted);
      this.wanted = null;
    } else if (this.review.finished && this.diff.ready) {
      this.#missing(this.wanted);
      this.wanted = null;
    }
  }

  /** Says of the finding of the address that it is not there, or not any more. */
  #missing(id) {
    const known = this.review.findings.get(id);
    const gone = known && known.withdrawn !== null;
    const says = gone ? `That finding was withdrawn: ${known.withdrawn}` : "That finding is not in this review.";
    setText(byId("missing-finding-text"), says);
    byId("missing-finding").hidden = false;
    announce(says);
  }

  /** Keeps a finding where it is while the page is still being filled, until the reader acts. */
  #pin(id) {
    this.pinned?.abort();
    this.pinned = new AbortController();
    this.pinned.finding = id;
    const { signal } = this.pinned;
    const unpin = () => this.pinned.abort();
    const observer = new ResizeObserver(() => this.diff.center(id));
    observer.observe(byId("main"));
    const timer = setTimeout(unpin, PINNED_MS);
    for (const kind of ["wheel", "touchstart", "pointerdown", "keydown"]) {
      document.addEventListener(kind, unpin, { signal, passive: true });
    }
    this.leaving.signal.addEventListener("abort", unpin, { signal });
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      observer.disconnect();
    });
  }

  #focused(target) {
    const card = target.closest?.(".finding");
    if (card && card.dataset.id !== this.current) this.#setCurrent(card.dataset.id);
  }

  #setCurrent(id) {
    this.current = id;
    this.sidebar.setCurrent(id);
    this.#position();
    const link = id ? findingLink(this.id, id) : reviewLink(this.id);
    if (location.hash !== link) history.replaceState(null, "", link);
  }

  #position() {
    const cards = this.diff.cards();
    const at = cards.findIndex((card) => card.dataset.id === this.current);
    setText(byId("finding-position"), cards.length ? `${at < 0 ? "-" : at + 1} / ${cards.length}` : "0 / 0");
    byId("previous-finding").disabled = cards.length === 0;
    byId("next-finding").disabled = cards.length === 0;
  }

  /** To the next finding (1) or the one before (-1). */
  step(by) {
    const cards = this.diff.cards();
    if (!cards.length) return;
    const at = cards.findIndex((card) => card.dataset.id === this.current);
    const next = at < 0 ? (by > 0 ? 0 : cards.length - 1) : Math.min(Math.max(at + by, 0), cards.length - 1);
    const { id } = cards[next].dataset;
    if (next === at) announce(by > 0 ? "This is the last finding." : "This is the first finding.");
    this.diff.reveal(id);
    this.#setCurrent(id);
  }

  stepFile(by) {
    const files = this.diff.files;
    if (!files.length) return;
    const inside = files.findIndex((view) => view.element.contains(document.activeElement));
    const above = files.findLastIndex((view) => view.element.getBoundingClientRect().top <= 140);
    const at = inside >= 0 ? inside : above;
    const next = Math.min(Math.max(at + by, 0), files.length - 1);
    this.diff.revealFile(files[next]);
  }

  copyCurrent() {
    const card = this.diff.cards().find((one) => one.dataset.id === this.current);
    card?.querySelector(".finding-tools .copy")?.click();
  }

  async cancel() {
    try {
      await call(reviewPath(this.id), { method: "DELETE", signal: this.leaving.signal });
      announce("The review is being cancelled.");
    } catch (error) {
      if (error.name !== "AbortError" && error.status !== 409) this.#fail(error);
    }
  }
}

function seconds(object) {
  const took = (Date.parse(object.finished_at ?? "") - Date.parse(object.started_at ?? "")) / 1000;
  return Number.isFinite(took) ? took : 0;
}
