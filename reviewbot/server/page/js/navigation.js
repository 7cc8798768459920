/** Moves between findings and files, and keeps the address up to date. */

import { announce } from "./announce.js";
import { byId, setText } from "./dom.js";
import { cardId } from "./finding.js";
import { count } from "./format.js";
import { findingLink, reviewLink } from "./route.js";
import { isWhereWeLeftIt } from "./steady.js";

const PINNED_MS = 4_000;
const ACTS = ["wheel", "touchstart", "pointerdown", "keydown"];

export class Navigation {
  /**
   * @param {object} review the `Review`
   * @param {object} diff the `DiffView`
   * @param {object} sidebar the `Sidebar`
   * @param {AbortSignal} leaving ends it
   */
  constructor(review, diff, sidebar, leaving) {
    this.review = review;
    this.diff = diff;
    this.sidebar = sidebar;
    this.leaving = leaving;
    this.wanted = null;
    this.current = null;
    /** Whether the reader has used a key, a finger or the mouse. */
    this.acted = false;
    /** The ids of the findings that are shown, in the order of the sidebar, and how many of them count. */
    this.ids = [];
    this.amount = 0;
    /** The finding that was brought into view for a reader who had not chosen a place. */
    this.first = null;
    byId("previous-finding").addEventListener("click", () => this.step(-1), { signal: leaving });
    byId("next-finding").addEventListener("click", () => this.step(1), { signal: leaving });
    for (const kind of ACTS) {
      const act = () => (this.acted = true);
      document.addEventListener(kind, act, { signal: leaving, passive: true, capture: true });
    }
    document.addEventListener("focusin", ({ target }) => this.#focused(target), { signal: leaving });
  }

  /** Whether the reader has chosen a place: by an act, by scrolling, or by a link to a finding. */
  get isRead() {
    const { activeElement: active } = document;
    const isElsewhere = active !== document.body && !active.matches("h1, #main");
    return this.acted || this.wanted !== null || this.current !== null || isElsewhere || !isWhereWeLeftIt();
  }

  /** Brings the first finding into view, unless the reader has chosen a place or one of the findings is in view. */
  showFirst() {
    if (this.isRead || !this.diff.ready || this.first) return;
    const [id] = this.ids;
    if (this.amount === 0 || !this.diff.show(id, { fromTop: true })) return;
    this.first = id;
    this.#pin(id, () => this.isRead || this.diff.show(id));
  }

  /** Takes the findings that are shown, in order: first those that count. */
  update(findings) {
    this.ids = findings.map((finding) => finding.id);
    this.amount = findings.filter((finding) => !finding.placement.held).length;
    this.sidebar.setCurrent(this.current);
    this.#position();
  }

  /** Goes to the finding of the address as soon as it is there. */
  want(finding) {
    this.wanted = finding;
    this.revealWanted();
  }

  revealWanted() {
    if (!this.wanted) return;
    if (this.diff.reveal(this.wanted)) {
      this.#setCurrent(this.wanted);
      const id = this.wanted;
      this.#pin(id, () => this.diff.center(id));
      this.wanted = null;
    } else if (this.review.finished && this.diff.ready) {
      this.#missing(this.wanted);
      this.wanted = null;
    }
  }

  /** A finding was withdrawn. */
  withdrawn(id) {
    if (this.first === id) this.first = null;
    else if (this.pinned?.finding === id && !this.pinned.signal.aborted) this.#missing(id);
    if (this.current === id) this.#setCurrent(null);
  }

  /** Says that the finding of the address is missing or withdrawn. */
  #missing(id) {
    const known = this.review.findings.get(id);
    const gone = known && known.withdrawn !== null;
    const says = gone ? `That finding was withdrawn: ${known.withdrawn}` : "That finding is not in this review.";
    setText(byId("missing-finding-text"), says);
    byId("missing-finding").hidden = false;
    announce(says);
  }

  /** Keeps a finding where it is while the page is still being filled, until the reader acts. */
  #pin(id, keep) {
    this.pinned?.abort();
    this.pinned = new AbortController();
    this.pinned.finding = id;
    const { signal } = this.pinned;
    const unpin = () => this.pinned.abort();
    const observer = new ResizeObserver(keep);
    observer.observe(byId("main"));
    const timer = setTimeout(unpin, PINNED_MS);
    for (const kind of ACTS) {
      document.addEventListener(kind, unpin, { signal, passive: true });
    }
    this.leaving.addEventListener("abort", unpin, { signal });
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
    const link = id ? findingLink(this.review.id, id) : reviewLink(this.review.id);
    if (location.hash !== link) history.replaceState(null, "", link);
  }

  #position() {
    const { length } = this.ids;
    const at = this.ids.indexOf(this.current);
    const { finished, complete } = this.review;
    const state = finished ? (complete ? "" : "; not complete") : " so far";
    let says = `${count(this.amount, "finding")}${this.review.question === null ? state : ""}`;
    if (at >= this.amount) says = `held back: ${at - this.amount + 1} / ${length - this.amount}`;
    else if (at >= 0) says = `${at + 1} / ${this.amount}`;
    setText(byId("finding-position"), says);
    byId("previous-finding").disabled = length === 0;
    byId("next-finding").disabled = length === 0;
  }

  /** To the next finding (1) or the one before (-1). */
  step(by) {
    const { length } = this.ids;
    if (!length) return;
    const at = this.ids.indexOf(this.current);
    const next = at < 0 ? (by > 0 ? 0 : length - 1) : Math.min(Math.max(at + by, 0), length - 1);
    if (next === at) announce(by > 0 ? "This is the last finding." : "This is the first finding.");
    // Without the files of the diff, a finding has no card yet.
    if (this.diff.reveal(this.ids[next])) this.#setCurrent(this.ids[next]);
  }

  stepFile(by) {
    const files = this.diff.files.filter((view) => !view.element.hidden);
    if (!files.length) return;
    const inside = files.findIndex((view) => view.element.contains(document.activeElement));
    const above = files.findLastIndex((view) => view.element.getBoundingClientRect().top <= 140);
    const at = inside >= 0 ? inside : above;
    this.diff.revealFile(files[Math.min(Math.max(at + by, 0), files.length - 1)]);
  }

  copyCurrent() {
    byId(cardId(this.current))?.querySelector(".finding-tools .copy")?.click();
  }
}
