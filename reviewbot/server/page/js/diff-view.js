/** The files of a review, and the findings among them. */

import { byId, replace } from "./dom.js";
import { FileView } from "./file-view.js";
import { FileOrder } from "./file-order.js";
import { cardId, findingCard, showVerdict, withdrawnNote } from "./finding.js";
import { isOnLine, isPlaced, SEVERITIES, stateOf } from "./format.js";
import { Repeats } from "./groups.js";
import { LineMaker } from "./line-maker.js";
import { escaped } from "./show.js";
import { watchSplit } from "./split.js";
import { nameStack, stackCard } from "./stack.js";
import { isSeen, scroll, steadily } from "./steady.js";
import { verified } from "./store.js";

export class DiffView {
  constructor(reviewId, notes) {
    this.reviewId = reviewId;
    this.notes = notes;
    this.root = byId("files");
    this.beside = byId("beside-list");
    this.held = byId("held-cards");
    this.files = [];
    this.byPath = new Map();
    /** Whether it is known what the files are, and whether their lines are. */
    this.ready = false;
    this.available = false;
    /** id -> {finding, node, marks, view, spot} */
    this.placed = new Map();
    /** What is to be done when the files are known. */
    this.waiting = [];
    this.matches = () => true;
    this.isFiltered = false;
    /** Whether the reader has chosen a place, which must not move. */
    this.isRead = () => false;
    this.repeats = new Repeats();
    this.split = false;
    this.skipped = new Set();
    for (const list of [this.root, this.beside, this.held]) replace(list);
    this.order = new FileOrder(this.root, this.files);
    this.#showLists();
    this.leaving = new AbortController();
    const { signal } = this.leaving;
    byId("expand-all").addEventListener("click", () => this.#foldAll(false), { signal });
    byId("collapse-all").addEventListener("click", () => this.#foldAll(true), { signal });
    this.maker = new LineMaker(signal);
    watchSplit(this, signal);
  }

  close() {
    this.leaving.abort();
  }

  #foldAll(folded) {
    for (const view of this.files) {
      view.touched = true;
      view.setOpen(!folded);
    }
  }

  /** The parsed diff; or the files of the plan, if there is none (`available` is false). */
  setFiles(files, available) {
    this.ready = true;
    this.available = available;
    const parts = document.createDocumentFragment();
    const views = files.map((file) => this.#add(file, parts));
    for (const view of views) view.setOpen(available && !this.skipped.has(view.path) && !view.viewed.checked);
    this.root.append(parts);
    this.maker.make(this.files.flatMap((view) => view.segments));
    for (const late of this.waiting.splice(0)) late();
  }

  /** Shows old and new code side by side, or one below the other. Findings stay under their lines. */
  setSplit(split) {
    if (this.split === split) return;
    this.split = split;
    const active = document.activeElement;
    const placed = [...this.placed.values()].filter(({ spot, node }) => spot && node.isConnected);
    steadily(() => {
      for (const view of this.files) for (const segment of view.segments) segment.setSplit(split);
      for (const { finding, node, marks, spot } of placed) {
        node.classList.remove("arrives");
        if (node.finding) stackCard(spot.segment.slotAfter(spot.index), node);
        else spot.segment.slotAfter(spot.index).append(node);
        for (const [segment, index] of marks) segment.mark(index, finding.severity, true);
      }
    });
    active.focus({ preventScroll: true });
    this.maker.make(this.files.flatMap((view) => view.segments));
  }

  #add(file, parent) {
    const view = new FileView(file, this.available, this.notes);
    for (const segment of view.segments) segment.setSplit(this.split);
    view.index = this.files.length;
    this.files.push(view);
    for (const name of new Set([file.path, escaped(file.path)])) {
      if (!this.byPath.has(name)) this.byPath.set(name, []);
      this.byPath.get(name).push(view);
    }
    parent.append(view.element);
    return view;
  }

  /** A file that the policy skips or leaves unread is folded, unless there is something in it to read. */
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

  /** Whether a finding is shown now. */
  shows(id) {
    return this.placed.get(id)?.standing ?? false;
  }

  /** Shows a finding, in place of the finding with the same id. */
  addFinding(finding, live) {
    if (this.ready) this.#place(finding, live);
    else this.waiting.push(() => this.#place(finding, live));
  }

  #place(finding, live) {
    const before = this.placed.get(finding.id)?.node ?? null;
    const replaced = before && { slot: before.parentElement, next: before.nextElementSibling };
    const hadFocus = before?.contains(document.activeElement) ?? false;
    this.#remove(finding.id);
    const { slot, note, view, spot } = this.#spot(finding);
    const marks = spot ? this.#marksOf(view, finding) : [];
    const inline = spot !== null;
    const card = findingCard(finding, {
      review: this.reviewId,
      notes: this.notes,
      level: view ? 4 : 3,
      note,
      showPath: !view,
      shownUnderItsLine: inline,
      original: inline ? view.original(finding.side, finding.line, finding.end_line) : null,
      isRepeated: this.repeats.add(finding),
    });
    if (live && !before) card.classList.add("arrives");
    card.hidden = !this.matches(finding);
    stackCard(slot, card, replaced);
    if (hadFocus) card.focus({ preventScroll: true });
    for (const [segment, index] of marks) segment.mark(index, finding.severity, true);
    if (view && !view.open && !(view.touched && live) && !view.viewed.checked) view.setOpen(true);
    if (view && !finding.placement.held) this.order.promote(view, live && (this.isRead() || this.order.first.size > 0));
    this.placed.set(finding.id, { finding, node: card, marks, view, spot, standing: true });
    this.#count(view);
    this.#showLists();
  }

  /** Where a finding goes: under its line, at the head of its file, beside the diff, or to those held back. */
  #spot(finding) {
    const { kind, reason, held } = finding.placement;
    const why = reason ? `${held ? stateOf(finding) : "Not on a line"}: ${reason}` : null;
    if (held && !isOnLine(finding)) return { slot: this.held, note: why, view: null, spot: null };
    const views = this.byPath.get(finding.path) ?? [];
    if (isOnLine(finding)) {
      for (const view of ranked(views, finding)) {
        const found = view.find(finding.side, finding.end_line) ?? view.find(finding.side, finding.line);
        if (!found) continue;
        return { slot: found.segment.slotAfter(found.index), note: why, view, spot: found };
      }
      const lost = this.available && views.length ? "Its lines are not in the part of the file that is shown." : null;
      if (views.length) return { slot: views[0].slot, note: why ?? lost, view: views[0], spot: null };
      if (!this.available) {
        const view = this.#add({ path: finding.path, status: null, added: 0, removed: 0, hunks: [] }, this.root);
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
    const stack = known.node.parentElement;
    known.node.remove();
    if (slot && !slot.querySelector(".finding, .withdrawn")) slot.remove();
    else if (stack) nameStack(stack);
    this.repeats.remove(known.finding);
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
      nameStack(node.parentElement);
    };
    if (live) steadily(change);
    else change();
    if (known.finding.placement.held) this.#unmark(known);
    this.#count(known.view);
    this.#showLists();
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
    const stack = known.node.parentElement;
    known.node.replaceWith(note);
    nameStack(stack);
    this.repeats.remove(known.finding);
    if (had) note.querySelector("button").focus({ preventScroll: true });
    Object.assign(known, { node: note, standing: false });
    this.#count(known.view);
    this.#showLists();
  }

  #count(view) {
    if (!view) return;
    const counts = Object.fromEntries(SEVERITIES.map((one) => [one, 0]));
    for (const one of this.placed.values()) {
      if (one.view === view && one.standing && !one.finding.placement.held) counts[one.finding.severity] += 1;
    }
    view.showCounts(counts);
  }

  /** Hides the lists outside of the diff that have nothing to show. */
  #showLists() {
    for (const list of [this.beside, this.held]) {
      list.parentElement.hidden = !list.querySelector(".finding:not([hidden]), .withdrawn");
    }
  }

  /** Hides the findings that do not match, and with `isFiltered` the files without one that does. */
  filter(matches, isFiltered) {
    this.matches = matches;
    this.isFiltered = isFiltered;
    const stacks = new Set();
    for (const { finding, node, standing } of this.placed.values()) {
      node.hidden = standing && !matches(finding);
      if (node.parentElement) stacks.add(node.parentElement);
    }
    for (const stack of stacks) nameStack(stack);
    this.filterFiles();
    this.#showLists();
  }

  /** Returns the number of files that are hidden, since no finding in them matches. */
  filterFiles() {
    const matching = new Set();
    for (const { finding, view, standing } of this.placed.values()) {
      if (view && standing && this.matches(finding)) matching.add(view);
    }
    for (const view of this.files) view.element.hidden = this.isFiltered && !matching.has(view);
    this.order.divider.classList.toggle("filtered", this.isFiltered);
    return this.isFiltered ? this.files.length - matching.size : 0;
  }

  /** Shows a finding and gives it the focus; false if it is not there. */
  reveal(id, { smooth = false } = {}) {
    const card = byId(cardId(id));
    const known = this.placed.get(id);
    if (!card || !known) return false;
    if (known.view) known.view.element.hidden = false;
    known.view?.setOpen(true);
    const details = card.querySelector(".held-details");
    if (details) details.open = true;
    card.hidden = false;
    nameStack(card.parentElement);
    card.scrollIntoView({ block: "center", behavior: smooth ? "smooth" : "auto" });
    card.focus({ preventScroll: true });
    return true;
  }

  /**
   * Brings a finding and its line into view, for a reader who has not chosen a place. Scrolls as
   * little as possible, with `fromTop` from the head of the page. Returns false if it is not there.
   */
  show(id, { fromTop = false } = {}) {
    const known = this.placed.get(id);
    if (!known?.standing || known.node.hidden || known.view?.element.hidden) return false;
    if (known.view && !known.view.open) return false;
    const first = known.marks[0] ?? null;
    const line = first ? first[0].rows.get(first[1]).row : known.node;
    const head = known.view ? known.view.element.querySelector(".file-head").offsetHeight : 0;
    const top = document.querySelector(".toolbar").offsetHeight + head + 8;
    const stepper = document.querySelector(".stepper");
    const isDocked = getComputedStyle(stepper).position === "fixed";
    const bottom = window.innerHeight - (isDocked ? stepper.offsetHeight : 0) - 12;
    if (fromTop) scroll(-window.scrollY);
    const over = known.node.getBoundingClientRect().bottom - bottom;
    const room = line.getBoundingClientRect().top - top;
    if (room < 0) scroll(room);
    else if (over > 0) scroll(Math.min(over, room));
    return true;
  }

  center(id) {
    byId(cardId(id))?.scrollIntoView({ block: "center" });
  }

  revealFile(view) {
    view.element.scrollIntoView({ block: "start" });
    view.element.focus({ preventScroll: true });
  }

  /** The numbers of the file and line of a finding; first those that are in no file of the diff. */
  orderOf(finding) {
    const [view] = this.byPath.get(finding.path) ?? [];
    if (!view || (finding.placement.kind === "outside" && !isPlaced(finding))) return [-1, finding.line];
    return [view.index, isPlaced(finding) ? finding.end_line : 0];
  }
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
