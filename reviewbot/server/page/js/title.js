/** The titles of reviews. Touches no element. */

import { count } from "./format.js";

const MOST_NAMED = 2;

/** The title of a review in a list; without one, the start of its id. */
export function titleOrId({ title, id }) {
  return title || `Review ${id.slice(0, 12)}`;
}

/** The title of a review; without one, the files of the change: `Totals with tax`, or `3 files: shop/charge.py, shop/pay.py and 1 other`. */
export function titleOf({ title, subject, files, skipped }) {
  if (title) return title;
  // Files that the policy skips are named last.
  const isLast = (path) => Number(skipped.has(path) || !files.get(path)?.chunks.length);
  const paths = [...new Set([...files.keys(), ...skipped.keys()])].sort((one, other) => isLast(one) - isLast(other));
  if (!paths.length) return subject ?? "Review";
  if (paths.length === 1) return paths[0];
  const named = paths.slice(0, MOST_NAMED);
  const others = paths.length - named.length;
  const list = others ? `${named.join(", ")} and ${count(others, "other")}` : named.join(" and ");
  return `${count(paths.length, "file")}: ${list}`;
}
