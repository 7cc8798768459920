/** One review on the page: loads it, follows its events, and hands them to the views. */

import { About } from "./about.js";
import { Actions } from "./actions.js";
import { announce, announceFinding } from "./announce.js";
import { cancelOnTheWayOut, json, call, Problem, reviewPath } from "./api.js";
import { DiffView } from "./diff-view.js";
import { byId, setText } from "./dom.js";
import { Filters } from "./filters.js";
import { follow } from "./follow.js";
import { count } from "./format.js";
import { grouped } from "./groups.js";
import { Ledger } from "./ledger.js";
import { Navigation } from "./navigation.js";
import { inOrder } from "./order.js";
import { Notes } from "./notes.js";
import { outcomeSentence } from "./outcome.js";
import { hideProblem, showProblem } from "./problem.js";
import { orderedByFile } from "./settings.js";
import { Sidebar } from "./sidebar.js";
import { Status } from "./status.js";
import { steadily } from "./steady.js";
import { plain } from "./show.js";
import { Review } from "./store.js";
import { showAnswer, showNotices, showSummary } from "./summary.js";
import { titleOf } from "./title.js";

// Old events are shown without a slide, and new ones not one by one if they come in a rush.
const MOST_SLIDES = 20;
const ASK_AGAIN_MS = 10_000;

export class ReviewPage {
  /** `described`: the object of the review, if it was just started. */
  constructor(id, { finding = null, described = null, cancelOnLeave = false } = {}) {
    this.id = id;
    this.review = new Review(id);
    this.leaving = new AbortController();
    this.queue = [];
    /** Whether plan and diff are shown, so that there is something to read. */
    this.isLaidOut = false;
    this.scheduled = false;
    this.askedAt = -Infinity;
    this.dirty = { notices: true, summary: true, answer: true };
    hideProblem(byId("review-problem"));
    const notes = new Notes(id);
    notes.changed = () => this.#render();
    this.actions = new Actions(this.review, notes, this.leaving.signal);
    this.status = new Status(() => this.actions.again());
    this.diff = new DiffView(id, notes);
    this.sidebar = new Sidebar(this.diff, () => this.#render());
    this.navigation = new Navigation(this.review, this.diff, this.sidebar, this.leaving.signal);
    this.diff.isRead = () => this.navigation.isRead;
    this.about = new About();
    this.ledger = new Ledger();
    this.filters = new Filters(() => this.#filter());
    this.#listen(cancelOnLeave);
    if (described) this.review.describe(described);
    this.#render();
    this.navigation.want(finding);
    this.done = this.#run(described !== null);
  }

  #listen(cancelOnLeave) {
    const { signal } = this.leaving;
    byId("connection-retry").addEventListener("click", () => this.retry?.(), { signal });
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
    for (const dialog of ["cancel-dialog", "dismiss-dialog"]) byId(dialog).close();
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
      // A finding that is known stays where it is, and gets its verdict. One that has become longer is shown again.
      const isNew = ({ id, message }) => {
        const known = this.review.findings.get(id);
        return known?.withdrawn !== null || known.finding.message !== message;
      };
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
    if (this.isLaidOut) steadily(() => this.#showAll(events));
    else this.#showAll(events);
    this.isLaidOut = this.diff.ready && (this.review.batches.size > 0 || this.review.finished);
    this.navigation.revealWanted();
    this.navigation.showFirst();
    const ended = events.find((event) => event.type === "review.finished");
    if (ended) announce(`The review has ended. ${this.review.complete ? "" : `${this.review.outcome}. `}${outcomeSentence(this.review)}`);
    this.#askAgain(events);
  }

  #showAll(events) {
    this.#placeFiles();
    const fresh = events.filter((event) => event.type === "finding" && event.seq > (this.replayTo ?? 0)).length;
    for (const event of events) this.#show(event, fresh <= MOST_SLIDES);
    this.#render();
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
        for (const file of event.files) if (!file.chunks.length || file.unread) this.diff.skip(file.path);
        break;
      case "file.skipped":
        this.diff.skip(event.path);
        break;
      case "finding":
        if (event.seq > (this.replayTo ?? 0) && !this.diff.shows(event.finding.id)) announceFinding();
        this.diff.addFinding(event.finding, live);
        break;
      case "finding.verified":
        this.diff.verify(event, event.seq > (this.replayTo ?? 0));
        break;
      case "finding.withdrawn":
        this.diff.withdraw(event.id, event.reason, event.evidence ?? null);
        this.navigation.withdrawn(event.id);
        break;
      case "review.summary":
        this.dirty.summary = true;
        break;
      case "review.answer":
        this.dirty.answer = true;
        break;
      case "review.finished": {
        this.dirty.answer = true;
        // Scrolling makes up for the room of the batches, where there is enough to scroll.
        const canMove = event.seq <= (this.replayTo ?? 0) || !this.navigation.isRead;
        if (canMove || window.scrollY > byId("progress-box").offsetHeight) this.status.activity.release();
        break;
      }
    }
  }

  #render() {
    const { review } = this;
    this.status.update(review);
    if (this.dirty.notices) showNotices(review.notices);
    if (this.dirty.summary) showSummary(review.summary, review.standing().length === 0);
    if (this.dirty.answer) showAnswer(review);
    this.dirty = { notices: false, summary: false, answer: false };
    const coverage = review.coverage();
    this.diff.showCoverage(coverage);
    this.actions.update();
    this.ledger.update(review);
    this.about.update(review);
    this.filters.update(review);
    const standing = review.standing();
    const found = standing.filter(this.filters.matches);
    const groups = grouped(inOrder(found, (finding) => this.diff.orderOf(finding), orderedByFile()));
    this.hidden = this.filters.showHidden(standing.length - found.length, this.diff.filterFiles());
    this.sidebar.update(review, groups);
    this.navigation.update(groups.flatMap(({ findings }) => findings));
    byId("files-loading").hidden = this.diff.ready;
    const all = standing.length - review.held();
    document.title = plain(`${all ? `(${all}) ` : ""}${titleOf(review)} · reviewbot`);
  }

  #filter() {
    steadily(() => {
      this.diff.filter(this.filters.matches, this.filters.active);
      this.#render();
    });
    announce(`${count(this.navigation.ids.length, "finding")} shown. ${this.filters.active ? this.hidden : ""}`);
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
