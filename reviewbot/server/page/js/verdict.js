/** What verification came to, on a card: a chip, and the reason with the code that decided. */

import { codeLines } from "./code-block.js";
import { bdi, h, icon } from "./dom.js";
import { stateOf } from "./format.js";

const ICONS = { pending: "spin", supported: "check", partly: "check", cannot_tell: "warning", unverified: "warning" };

const BELOW_THRESHOLD = /^Its confidence of [\d.]+ is below [\d.]+\.$/;

/** Whether a finding is held back by the threshold of the reader, not for another reason. */
export const isBelowThreshold = ({ placement }) => placement.held && BELOW_THRESHOLD.test(placement.reason ?? "");

/** The chip of a card; null if there is nothing to say. */
export function stateChip(finding, notes) {
  const state = notes.dismissed.has(finding.id) ? "Dismissed" : stateOf(finding);
  if (!state) return null;
  const drawn = finding.placement.held || state === "Dismissed" ? null : ICONS[finding.verification];
  const kind = state.toLowerCase().replace(" ", "-");
  return h("span", { class: `chip ${kind}` }, drawn && icon(drawn), state);
}

/** The reason of a verdict, and its evidence. All of it is text of others. */
export function verdictView(finding, { reason, evidence }) {
  const { placement } = finding;
  const why = (placement.held && placement.reason) || reason;
  const says = h("p", {}, h("strong", {}, `${stateOf(finding)}: `), bdi(why));
  return h("div", { class: "verdict" }, says, evidence ? evidenceView(evidence) : null);
}

/** The code that decided a verdict, with its place. */
export function evidenceView({ path, line, quote, base = false }) {
  const place = h("figcaption", {}, "Evidence: ", h("code", {}, bdi(`${path}:${line}`)), base ? " (old version)" : "");
  return h("figure", { class: "evidence" }, place, codeLines(quote, { path }));
}
