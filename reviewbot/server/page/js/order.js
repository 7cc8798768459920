/** The order of findings in the sidebar and for `j` and `k`. */

import { SEVERITIES } from "./format.js";

const RANK = new Map(SEVERITIES.map((one, index) => [one, index]));

/**
 * Findings by severity, then confidence, then place; only by place if `byFile`. Findings that are
 * held back come last. `placeOf(finding)` returns the numbers of its file and line.
 */
export function inOrder(findings, placeOf, byFile) {
  const keys = new Map(findings.map((one) => [one, key(one, placeOf(one), byFile)]));
  return [...findings].sort((one, other) => compare(keys.get(one), keys.get(other)));
}

function key(finding, place, byFile) {
  const worth = byFile ? [] : [RANK.get(finding.severity), -finding.confidence];
  return [Number(finding.placement.held), ...worth, ...place];
}

function compare(one, other) {
  const at = one.findIndex((value, index) => value !== other[index]);
  return at < 0 ? 0 : one[at] - other[at];
}
