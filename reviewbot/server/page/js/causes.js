/** Causes of files that were not reviewed: one sentence for all files of a cause. Touches no element. */

import { readable } from "./format.js";

/** By kind of model failure (`fault` of the coverage). */
const SENTENCES = new Map([
  ["auth", "The model service refused the API key."],
  ["spend_limit", "The account at the model service has reached its spend limit."],
  ["budget", "The budget of the review was used up."],
  ["rate_limited", "The model service limits the rate of requests."],
  ["overloaded", "The model service is overloaded."],
  ["transient", "The model service did not answer, or the connection to it was lost."],
  ["unusable", "The answers of the model could not be used."],
  ["could_not_review", "The model said that it could not review them."],
  ["refused", "The model declined to review them."],
  ["rejected", "The model service rejected the requests."],
]);

/**
 * The causes, most files first: {sentence, key, again, files}. `key` says that the key of the model
 * is at fault, `again` that another try can help.
 */
export function causesOf(coverage) {
  const causes = new Map();
  for (const file of coverage) {
    if (!["failed", "partly", "unread"].includes(file.status)) continue;
    const sentence = SENTENCES.get(file.fault) ?? without(file.reason);
    if (!causes.has(sentence)) causes.set(sentence, { sentence, key: false, again: false, files: [] });
    const cause = causes.get(sentence);
    cause.key ||= file.fault === "auth";
    cause.again ||= file.status !== "unread";
    cause.files.push(file);
  }
  return [...causes.values()].sort((one, other) => other.files.length - one.files.length);
}

/** Reasons of a review that no cause repeats: the others end with the reason of a file. */
export function otherReasons(reasons, coverage) {
  const known = new Set(coverage.map((file) => file.reason).filter(Boolean));
  return reasons.filter((one) => ![...known].some((reason) => one.endsWith(reason))).map(readable);
}

/** A reason without the part and the request id, which differ between files of a cause. */
function without(reason) {
  if (!reason) return "No reason was given.";
  return readable(reason.replace(/^Part \d+ of \d+: /, "").replace(/ \(request [^()]*\)/g, ""));
}
