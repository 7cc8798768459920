/** What a review used: tokens, look-ups and verification. The last section of the page. */

import { bdi, byId, h, replace } from "./dom.js";
import { count, dollars, duration, number } from "./format.js";

/** `3 supported, 1 undecided, 2 wrong ($0.0123).` */
function verdictCounts(verification) {
  const { supported, partly, not_introduced: old, unverified, fixed, open } = verification;
  // Streams of earlier versions have the names after `??`.
  const wrong = verification.wrong ?? verification.refuted;
  const undecided = verification.cannot_tell ?? verification.unproven;
  const counts = {
    supported, "partly true": partly, "not introduced": old, wrong, undecided, "not verified": unverified,
    fixed, "still open": open,
  };
  const parts = Object.entries(counts).filter(([, value]) => value).map(([word, value]) => `${number(value)} ${word}`);
  return `${parts.join(", ") || "no verdict"} (${dollars(verification.cost_usd)})`;
}

/** The number of look-ups, with what they read folded. */
function lookedUp({ count: total, activities }) {
  const items = activities.map((activity) => h("li", {}, bdi(activity)));
  return h("details", {}, h("summary", {}, count(total, "look-up")), h("ul", {}, ...items));
}

export class About {
  constructor() {
    this.shown = null;
    byId("about").hidden = true;
  }

  update(review) {
    const { usage, firstFinding, verification, lookups, byModel } = review;
    const key = JSON.stringify([usage, firstFinding, verification, lookups, byModel, review.finished]);
    if (this.shown === key) return;
    this.shown = key;
    const items = [];
    const add = (name, value) => items.push(h("div", {}, h("dt", {}, name), h("dd", {}, value)));
    const entered = usage.input + usage.cache_read + usage.cache_write;
    if (entered + usage.output) {
      const cached = usage.cache_read ? ` (${number(usage.cache_read)} from the cache)` : "";
      add("Tokens", `${number(entered)} in${cached}, ${number(usage.output)} out`);
    }
    if (byModel.length > 1) {
      const shares = byModel.map((share) => h("li", {}, bdi(share.model), `: ${dollars(share.cost_usd)}`));
      add("Cost by model", h("ul", {}, ...shares));
    }
    if (review.finished && firstFinding !== null) add("First finding", `after ${duration(firstFinding)}`);
    if (verification !== null) add("Verification", verdictCounts(verification));
    if (lookups) add("Look-ups", lookedUp(lookups));
    replace(byId("about-facts"), ...items);
    byId("about").hidden = !items.length;
  }
}
