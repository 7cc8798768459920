/** Notes of the reader on a review: viewed files and dismissed findings. The browser keeps them. */

import { read, write } from "./settings.js";

const NAME = "reviewbot.notes";
const MOST_REVIEWS = 100;

/** Review -> {viewed: [path], dismissed: {finding: reason}}, the review that changed last at the end. */
function stored() {
  try {
    return new Map(Object.entries(JSON.parse(read("localStorage", NAME) ?? "{}")));
  } catch {
    return new Map(); // written by something else
  }
}

/** The notes of a review among `all`; none if something else wrote them. */
function notesOf(review, all) {
  try {
    const { viewed = [], dismissed = {} } = all.get(review) ?? {};
    return { viewed: new Set(viewed), dismissed: new Map(Object.entries(dismissed)) };
  } catch {
    return { viewed: new Set(), dismissed: new Map() };
  }
}

export class Notes {
  constructor(review) {
    this.review = review;
    const { viewed, dismissed } = notesOf(review, stored());
    this.viewed = viewed;
    /** Finding -> reason */
    this.dismissed = dismissed;
    /** Called after any change. */
    this.changed = () => {};
  }

  setViewed(path, on) {
    this.#change(({ viewed }) => (on ? viewed.add(path) : viewed.delete(path)));
  }

  dismiss(finding, reason) {
    this.#change(({ dismissed }) => dismissed.set(finding, reason));
  }

  restore(finding) {
    this.#change(({ dismissed }) => dismissed.delete(finding));
  }

  /** Makes a change here and in the storage, where another tab may have made others. */
  #change(make) {
    make(this);
    const all = stored();
    const latest = notesOf(this.review, all);
    make(latest);
    all.delete(this.review);
    if (latest.viewed.size || latest.dismissed.size) {
      all.set(this.review, { viewed: [...latest.viewed], dismissed: Object.fromEntries(latest.dismissed) });
    }
    const kept = [...all].slice(-MOST_REVIEWS);
    write("localStorage", NAME, kept.length ? JSON.stringify(Object.fromEntries(kept)) : null);
    this.changed();
  }
}
