/** What the address says: nothing, a review (`#r=ID`), or a finding of it (`#r=ID&f=ID`). */

const ID = /^[A-Za-z0-9_-]{1,80}$/;

const known = (value) => (value !== null && ID.test(value) ? value : null);

export function route(hash = location.hash) {
  const values = new URLSearchParams(hash.replace(/^#/, ""));
  const review = known(values.get("r"));
  return { review, finding: review ? known(values.get("f")) : null };
}

export const reviewLink = (id) => `#r=${encodeURIComponent(id)}`;

export const findingLink = (id, finding) => `${reviewLink(id)}&f=${encodeURIComponent(finding)}`;

/** The id in what someone pasted: an id, or a link to a review. */
export function idIn(text) {
  const trimmed = text.trim();
  if (ID.test(trimmed)) return trimmed;
  const hash = trimmed.indexOf("#");
  if (hash >= 0 && route(trimmed.slice(hash)).review) return route(trimmed.slice(hash)).review;
  const path = /\/reviews\/([A-Za-z0-9_-]{1,80})/.exec(trimmed);
  return path ? path[1] : null;
}
