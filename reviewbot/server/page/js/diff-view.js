/** The files of a review, and the findings among them. */

import { append, byId, h, replace } from "./dom.js";
import { FileView } from "./file-view.js";
import { cardId, findingCard, showVerdict, withdrawnNote } from "./finding.js";
import { isOnLine, SEVERITIES, stateOf } from "./format.js";
import { escaped } from "./show.js";
import { verified } from "./store.js";

// Above these, what is not looked at is not made: lines of a file, lines and files in all.
const LONG_FILE = 2_000;
const EAGER_LINES = 6_000;
const MANY_FILES = 100;

const idle = globalThis.requestIdleCallback ?? ((work) => setTimeout(() => work({ timeRemaining: () => 8 }), 50));

export class DiffView {
  constructor(reviewId) {
    this.reviewId = reviewId;
    this.root = byId("files");
    this.beside = byId("beside-list");
    this.files = [];
    this.byPath = new Map();
    /** Whether it is known what the files are, and whether their lines are. */
    this.ready = false;
    this.available = false;
    /** id -> {finding, node, marks, view} */
    this.placed = new Map();
    /** What is to be done when the files are known. */
    this.waiting = [];
    this.matches = () => true;
    this.skipped = new Set();
    this.idleQueue = [];
    this.observer = new IntersectionObserver((entries) => this.#near(entries), { rootMargin: "1200px 0px" });
    replace(this.root);
    replace(this.beside);
    this.#showBeside();
  }

  close() {
    this.observer.disconnect();
    this.closed = true;
  }

  #near(entries) {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      this.observer.unobserve(target);
      target.segment.render();
    }
  }

  observe(segment) {
    if (segment.rows) return;
    this.observer.observe(segment.element);
    if (!this.eager) return;
    this.idleQueue.push(segment);
    if (this.idleQueue.length === 1) idle((deadline) => this.#renderIdly(deadline));
  }

  #renderIdly(deadline) {
    if (this.closed) return;
    do {
      this.idleQueue.shift()?.render();
    } while (this.idleQueue.length && deadline.timeRemaining() > 4);
    if (this.idleQueue.length) idle((next) => this.#renderIdly(next));
  }

  /** The parsed diff; or the files of the plan, if there is none (`available` is false). */
  setFiles(files, available) {
    this.ready = true;
    this.available = available;
    const parts = document.createDocumentFragment();
    const views = files.map((file) => this.#add(file, parts));
    const lines = views.reduce((sum, view) => sum + view.lineCount, 0);
    this.eager = lines <= EAGER_LINES;
    for (const view of views) {
      const few = view.lineCount <= LONG_FILE && views.length <= MANY_FILES;
      view.setOpen(available && few && !this.skipped.has(view.path));
    }
    this.root.append(parts);
    for (const late of this.waiting.splice(0)) late();
  }

  #add(file, parent) {
    const view = new FileView(file, this);
    this.files.push(view);
    for (const name of new Set([file.path, escaped(file.path)])) {
      if (!this.byPath.has(name)) this.byPath.set(name, []);
      this.byPath.get(name).push(view);
    }
    parent.append(view.element);
    return view;
  }

  /** A file that policy leaves out is folded, unless there is something in it to read. */
  skip(path) {
    this.skipped.add(path);
    for (const view of this.byPath.get(path) ?? []) {
      if (!view.touched && !view.element.querySelector(".finding")) view.setOpen(false);
    }
  }

  showCoverage(coverage) {
    for (const entry of coverage) {
      for (const view of this.byPath.get(entry.path) ?? []) view.showCoverage(entry);
    }
  }

  addFinding(finding, live) {
    if (this.ready) this.#place(finding, live);
    else this.waiting.push(() => this.#place(finding, live));
  }

  #place(finding, live) {
    this.#remove(finding.id);
    const { slot, note, view, spot } = this.#spot(finding);
    const marks = spot ? this.#marksOf(view, finding) : [];
    const inline = spot !== null;
    const card = findingCard(finding, {
      review: this.reviewId,
      level: view ? 4 : 3,
      note,
      showPath: !view,
      shownUnderItsLine: inline,
      original: inline ? view.original(finding.side, finding.line, finding.end_line) : null,
    });
    if (live) card.classList.add("arrives");
    card.hidden = !this.matches(finding);
    slot.append(card);
    for (const [segment, index] of marks) segment.mark(index, finding.severity, true);
    if (view && !view.open && !(view.touched && live)) view.setOpen(true);
    this.placed.set(finding.id, { finding, node: card, marks, view, standing: true });
    this.#count(view);
    this.#showBeside();
  }

  /** Where a finding goes: under its line, at the head of its file, or beside the diff. */
  #spot(finding) {
    const { kind, reason, held } = finding.placement;
    const why = reason ? `${held ? stateOf(finding) : "Not on a line"}: ${reason}` : null;
    const views = this.byPath.get(finding.path) ?? [];
    if (isOnLine(finding)) {
      for (const view of ranked(views, finding)) {
        const found = view.find(finding.side, finding.end_line) ?? view.find(finding.side, finding.line);
        if (!found) continue;
        view.setOpen(true);
        return { slot: found.segment.slotAfter(found.index), note: why, view, spot: found };
      }
      const lost = this.available && views.length ? "Its lines are not in the part of the file that is shown." : null;
      if (views.length) return { slot: views[0].slot, note: why ?? lost, view: views[0], spot: null };
      if (!this.available) {
        const view = this.#add({ path: finding.path, status: null, added: 0, removed: 0, hunks: [] }, this.root);
        view.setOpen(true);
        return { slot: view.slot, note: why, view, spot: null };
      }
    }
    if (kind === "file" && views.length) return { slot: views[0].slot, note: why, view: views[0], spot: null };
    return { slot: this.beside, note: why, view: null, spot: null };
  }

  #marksOf(view, finding) {
    const marks = [];
    const last = Math.min(finding.end_line, finding.line + 500);
    for (let line = finding.line; line <= last; line += 1) {
      const found = view.find(finding.side, line);
      if (found) marks.push([found.segment, found.index]);
    }
    return marks;
  }

  #remove(id) {
    const known = this.placed.get(id);
    if (!known) return;
    this.#unmark(known);
    const slot = known.node.closest(".finding-slot");
    known.node.remove();
    if (slot && !slot.querySelector(".finding, .withdrawn")) slot.remove();
    this.placed.delete(id);
  }

  /** Shows the verdict of a `finding.verified` event on its card, which stays where it is. */
  verify(event, live) {
    if (!this.ready) {
      this.waiting.push(() => this.verify(event, live));
      return;
    }
    const known = this.placed.get(event.id);
    if (!known || !known.standing) return;
    const { node } = known;
    known.finding = verified(known.finding, event);
    const change = () => {
      showVerdict(node, known.finding, event, live && isSeen(node));
      node.hidden = !this.matches(known.finding);
    };
    if (live) steadily(change);
    else change();
    if (known.finding.placement.held) this.#unmark(known);
    this.#count(known.view);
    this.#showBeside();
  }

  #unmark(known) {
    for (const [segment, index] of known.marks) segment.mark(index, known.finding.severity, false);
    known.marks = [];
  }

  withdraw(id, reason, evidence = null) {
    if (!this.ready) {
      this.waiting.push(() => this.withdraw(id, reason, evidence));
      return;
    }
    const known = this.placed.get(id);
    if (!known || !known.standing) return;
    this.#unmark(known);
    const had = known.node.contains(document.activeElement);
    const note = withdrawnNote(known.finding, reason, evidence);
    known.node.replaceWith(note);
    if (had) note.querySelector("button").focus({ preventScroll: true });
    Object.assign(known, { node: note, standing: false });
    this.#count(known.view);
    this.#showBeside();
  }

  #count(view) {
    if (!view) return;
    const counts = Object.fromEntries(SEVERITIES.map((one) => [one, 0]));
    for (const one of this.placed.values()) {
      if (one.view === view && one.standing && !one.finding.placement.held) counts[one.finding.severity] += 1;
    }
    view.showCounts(counts);
  }

  #showBeside() {
    byId("beside").hidden = !this.beside.querySelector(".finding:not([hidden]), .withdrawn");
  }

  filter(matches) {
    this.matches = matches;
    for (const { finding, node, standing } of this.placed.values()) node.hidden = standing && !matches(finding);
    this.#showBeside();
  }

  /** The cards that are to be seen, in the order of the page. */
  cards() {
    const shown = document.querySelectorAll("#beside .finding:not([hidden]), #files .finding:not([hidden])");
    return [...shown];
  }

  /** Shows a finding and gives it the focus; false if it is not there. */
  reveal(id, { smooth = false } = {}) {
    const card = byId(cardId(id));
    const known = this.placed.get(id);
    if (!card || !known) return false;
    known.view?.setOpen(true);
    const details = card.querySelector(".held-details");
    if (details) details.open = true;
    card.hidden = false;
    card.scrollIntoView({ block: "center", behavior: smooth ? "smooth" : "auto" });
    card.focus({ preventScroll: true });
    return true;
  }

  center(id) {
    byId(cardId(id))?.scrollIntoView({ block: "center" });
  }

  revealFile(view) {
    view.element.scrollIntoView({ block: "start" });
    view.element.focus({ preventScroll: true });
  }

  /** The place of a finding in the order of the diff. */
  orderOf(finding) {
    const view = (this.byPath.get(finding.path) ?? [])[0];
    if (!view || (finding.placement.kind === "outside" && !isOnLine(finding))) return [-1, finding.line];
    return [this.files.indexOf(view), isOnLine(finding) ? finding.end_line : 0];
  }

  notice(text) {
    append(this.root, h("p", { class: "no-lines" }, text));
  }
}

/** Makes a change to the page, and keeps where it is what has the focus, or else what is in the middle. */
function steadily(change) {
  const active = document.activeElement;
  const focused = active !== document.body && isSeen(active) ? active : null;
  const fixed = focused ?? document.elementFromPoint(window.innerWidth / 2, window.innerHeight / 2);
  const before = fixed?.getBoundingClientRect().top;
  change();
  const moved = fixed?.isConnected ? fixed.getBoundingClientRect().top - before : 0;
  if (moved) window.scrollBy({ top: moved, behavior: "instant" });
}

/** Whether any of an element is in the window: what the reader looks at must not fold up. */
function isSeen(element) {
  const { top, bottom } = element.getBoundingClientRect();
  return bottom > 0 && top < window.innerHeight;
}

/** The same path can come twice: first the file whose line says what the finding quotes. */
function ranked(views, finding) {
  if (views.length < 2) return views;
  const first = finding.quote.split("\n")[0].trim();
  const says = (view) => {
    const found = view.find(finding.side, finding.line);
    return found !== null && found.segment.model.text(found.index).trim() === first;
  };
  return [...views].sort((one, other) => Number(says(other)) - Number(says(one)));
}
