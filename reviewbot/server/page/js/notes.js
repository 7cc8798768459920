/** What the reader notes about a review: files viewed and findings dismissed. Kept in the browser. */

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

export class Notes {
  constructor(review) {
    this.review = review;
    const { viewed, dismissed } = stored().get(review) ?? {};
    this.viewed = new Set(viewed ?? []);
    /** Finding -> reason */
    this.dismissed = new Map(Object.entries(dismissed ?? {}));
    /** Called after any change. */
    this.changed = () => {};
  }

  setViewed(path, on) {
    if (on) this.viewed.add(path);
    else this.viewed.delete(path);
    this.#save();
  }

  dismiss(finding, reason) {
    this.dismissed.set(finding, reason);
    this.#save();
  }

  restore(finding) {
    this.dismissed.delete(finding);
    this.#save();
  }

  #save() {
    const all = stored();
    all.delete(this.review);
    if (this.viewed.size || this.dismissed.size) {
      all.set(this.review, { viewed: [...this.viewed], dismissed: Object.fromEntries(this.dismissed) });
    }
    const kept = [...all].slice(-MOST_REVIEWS);
    write("localStorage", NAME, kept.length ? JSON.stringify(Object.fromEntries(kept)) : null);
    this.changed();
  }
}
