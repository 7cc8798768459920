/** The latest reviews of this key. */

import { json, newest } from "./api.js";
import { append, bdi, byId, h, icon, replace } from "./dom.js";
import { ago, count, counted, dollars } from "./format.js";
import { hideProblem, showProblem } from "./problem.js";
import { reviewLink } from "./route.js";
import { outcomeLabel, stateLabel } from "./status.js";
import { titleOrId } from "./title.js";

const DRAWN = { clean: "check", answered: "check", shallow: "warning", findings: "dot", incomplete: "warning", superseded: "skip", cancelled: "skip" };

export class Recent {
  constructor() {
    this.list = byId("recent-list");
    this.more = byId("recent-more");
    this.before = null;
    this.begin = newest();
    this.more.addEventListener("click", () => this.#load(this.before));
    byId("recent-refresh").addEventListener("click", () => this.refresh());
  }

  refresh() {
    return this.#load(null);
  }

  async #load(before) {
    const isNewest = this.begin();
    try {
      const rest = before ? `&before=${encodeURIComponent(before)}` : "";
      const answer = await json(`v1/reviews?limit=20${rest}`);
      if (!isNewest()) return;
      hideProblem(byId("recent-problem"));
      const reviews = Array.isArray(answer.reviews) ? answer.reviews : [];
      if (!before) replace(this.list);
      const first = reviews.map((review) => this.#entry(review));
      append(this.list, ...first);
      this.before = answer.next ?? null;
      this.more.hidden = !this.before;
      byId("recent-none").hidden = this.list.childElementCount > 0;
      if (before) first[0]?.querySelector("a").focus();
    } catch (error) {
      if (isNewest()) showProblem(byId("recent-problem"), error);
    }
  }

  #entry(review) {
    const tone = review.outcome ?? review.state;
    const label = review.outcome ? outcomeLabel(review.outcome) : stateLabel(review.state);
    const title = titleOrId(review);
    const facts = h("span", { class: "recent-facts" });
    const parts = [label];
    if (review.outcome !== "clean" && review.outcome !== "answered") parts.push(counted(review.counts ?? {}));
    parts.push(count(review.files, "file"));
    if (review.outcome) parts.push(dollars(review.cost_usd));
    parts.push(ago(review.created_at));
    append(facts, parts.filter(Boolean).join(" · "));
    return h(
      "li",
      {},
      h(
        "a",
        { href: reviewLink(review.id), class: "recent-entry" },
        h("span", { class: "recent-mark", "data-tone": tone }, icon(DRAWN[tone] ?? "spin")),
        h("span", { class: "recent-text" }, h("span", { class: "recent-title" }, bdi(title)), review.subject ? h("span", { class: "recent-subject" }, bdi(review.subject)) : null, facts),
      ),
    );
  }
}
