/** What the diff on the first view may cost, before its review starts. */

import { announce } from "./announce.js";
import { json } from "./api.js";
import { bdi, byId, h, replace } from "./dom.js";
import { bytes, count, dollars, listed } from "./format.js";

// The diff is planned on the server: not for each key that is pressed.
const PAUSE_MS = 1_000;
// A larger diff is sent only if someone asks.
const SENT_UNASKED = 1_000_000;

export class Estimate {
  /** `request()` answers with what would start the review: {path, type, body}. */
  constructor(request) {
    this.request = request;
    this.box = byId("estimate");
    this.timer = 0;
    this.running = false;
    /** Counts the changes, so that an estimate of an older diff is not shown. */
    this.version = 0;
    /** Whether the diff as it is now is to be estimated. */
    this.wanted = false;
  }

  /** The diff or an option has changed. `size`: about the characters of the diff; 0 without one. */
  changed(size) {
    this.version += 1;
    clearTimeout(this.timer);
    this.wanted = size > 0 && size <= SENT_UNASKED;
    if (this.wanted) this.#soon();
    else if (size) this.#offer(size);
    else this.#say("Paste a diff to see what its review may cost.");
  }

  /** The review has started: nothing is estimated any more. */
  stop() {
    this.version += 1;
    clearTimeout(this.timer);
    this.wanted = false;
  }

  #say(...parts) {
    replace(this.box, ...parts);
  }

  #offer(size) {
    const ask = () => {
      this.wanted = true;
      this.#ask();
    };
    const button = h("button", { type: "button", class: "button", onclick: ask }, "Estimate the cost");
    this.#say(`This diff has ${bytes(size)}. `, button);
  }

  #soon() {
    this.#say("The cost is being estimated…");
    this.timer = setTimeout(() => this.#ask(), PAUSE_MS);
  }

  /** One request at a time; what changed meanwhile is estimated afterwards. */
  async #ask() {
    if (this.running) return;
    this.running = true;
    clearTimeout(this.timer);
    const { version } = this;
    this.#say("The cost is being estimated…");
    const parts = await this.#estimated();
    this.running = false;
    if (version === this.version) {
      this.#say(...parts);
      announce(this.box.textContent);
    } else if (this.wanted) this.#soon();
  }

  async #estimated() {
    try {
      const { path, type, body } = await this.request();
      const options = { method: "POST", headers: { "Content-Type": type }, body, unasked: !this.wanted };
      const found = await json(path.replace("v1/reviews", "v1/estimates"), options);
      return sentences(found);
    } catch (error) {
      return ["There is no estimate: ", bdi(error.detail ?? String(error.message))];
    }
  }
}

/** The estimate in words. Each says what is known, and no more. */
function sentences(found) {
  const files = count(found.files, "file");
  if (!found.files) return ["Nothing in this diff would be reviewed: it costs nothing."];
  if (!found.output_tokens) return [`${files}, reviewed by built-in rules: `, h("strong", {}, "it costs nothing"), "."];
  const tokens = `about ${count(found.input_tokens, "token")} read and up to ${count(found.output_tokens, "token")} written`;
  const who = bdi(listed(found.models));
  if (found.cost_usd === null) return ["The price of ", who, ` is not known. ${files}: ${tokens}.`, ...limits(found)];
  const added = found.verification_usd ? ` Verification may add ${dollars(found.verification_usd)}.` : "";
  return [h("strong", {}, `About ${dollars(found.cost_usd)}`), " with ", who, ` for ${files}: ${tokens}.${added} Thinking is not included.`, ...limits(found)];
}

function limits(found) {
  if (found.budget_usd === null) return [" No budget is set; the options can set one."];
  return [" ", h("strong", {}, `At most ${dollars(found.budget_usd)}`), ", the budget."];
}
