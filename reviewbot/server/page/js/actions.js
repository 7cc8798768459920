/** Actions on a finished review: export it, or review the same diff again. */

import { agentText } from "./agent-text.js";
import { call, json, newKey, Problem, reviewPath } from "./api.js";
import { copyButton } from "./clipboard.js";
import { byId, h, replace } from "./dom.js";
import { hideProblem, showProblem } from "./problem.js";
import { reviewLink } from "./route.js";

const TYPES = { sarif: "application/sarif+json", markdown: "text/markdown" };
const ENDINGS = { sarif: "sarif", markdown: "md" };

export class Actions {
  constructor(review, notes, signal) {
    this.review = review;
    this.signal = signal;
    this.problem = byId("action-problem");
    hideProblem(this.problem);
    this.key = newKey(); // a repeat after a lost connection starts nothing twice
    this.busy = false;
    byId("again-button").addEventListener("click", () => this.again(), { signal });
    for (const format of Object.keys(TYPES)) {
      byId(`${format}-button`).addEventListener("click", () => this.#do(() => this.#download(format)), { signal });
    }
    const text = () => agentText(review.standing(), notes.dismissed);
    replace(byId("copy-all"), copyButton("Copy all for a coding agent", text));
  }

  update() {
    byId("actions").hidden = !this.review.finished || this.review.question !== null;
    byId("copy-all").hidden = this.review.standing().length === 0;
  }

  /**
   * Starts a new review of the same diff with the same options, and shows it. Reviewed files come
   * from the cache, so only the failed files are reviewed.
   */
  again() {
    return this.#do(async () => {
      const headers = { "Idempotency-Key": this.key };
      const started = await json(reviewPath(this.review.id, "/rerun"), { method: "POST", headers, signal: this.signal });
      location.hash = reviewLink(started.id);
    });
  }

  async #do(act) {
    if (this.busy) return;
    this.busy = true;
    hideProblem(this.problem);
    try {
      await act();
    } catch (error) {
      if (this.signal.aborted) return;
      showProblem(this.problem, error instanceof Problem ? error : new Problem(0, `This page failed: ${error.message}`));
    } finally {
      this.busy = false;
    }
  }

  async #download(format) {
    const response = await call(reviewPath(this.review.id, `/${format}`), { headers: { Accept: TYPES[format] } });
    const url = URL.createObjectURL(await response.blob());
    h("a", { href: url, download: `review-${this.review.id.slice(0, 12)}.${ENDINGS[format]}` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }
}
