/** Shows what went wrong, in the server's own words. */

import { append, bdi, h, icon, replace } from "./dom.js";
import { clock } from "./format.js";

/** `title`: a heading, where this is all that the page has to show; then it has the way home, too. */
export function showProblem(box, problem, { title = null } = {}) {
  const text = h("div", { class: "problem-text" });
  if (title) append(text, h("h1", {}, title));
  append(text, h("p", {}, bdi(problem.detail ?? String(problem))));
  if (problem.line !== null && problem.line !== undefined && !/\bline\b/i.test(problem.detail)) {
    append(text, h("p", {}, `It is in line ${problem.line} of the diff.`));
  }
  if (problem.retryAfter) append(text, h("p", {}, `Try again in ${clock(problem.retryAfter)} min.`));
  if (title) append(text, h("p", { class: "way-home" }, h("a", { href: "#" }, "Start a review"), h("a", { href: "reviews" }, "See your reviews")));
  replace(box, icon("error"), text);
  box.hidden = false;
}

export function hideProblem(box) {
  box.hidden = true;
  replace(box);
}
