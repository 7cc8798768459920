/** Changes to the page that do not move what is read. */

// What a reader can be at; none of them is sticky.
const READ = "tr, .finding, .withdrawn, .file, p, li, h2";
const HEIGHTS = [0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.85];

let ownScroll = 0;

/** Whether the page is scrolled as this module left it, so that the reader has not scrolled. */
export const isWhereWeLeftIt = () => Math.abs(window.scrollY - ownScroll) < 2;

/** Scrolls by a number of pixels, for a reader who has not chosen a place. */
export function scroll(by) {
  window.scrollBy({ top: by, behavior: "instant" });
  ownScroll = window.scrollY;
}

/** Begins at the head of another review. */
export function scrollToTop() {
  window.scrollTo(0, 0);
  ownScroll = 0;
}

/** Makes a change to the page. What has the focus stays in place, or else what is in the middle of the window. */
export function steadily(change) {
  const wasOurs = isWhereWeLeftIt();
  const fixed = anchor();
  const before = fixed?.getBoundingClientRect().top;
  change();
  // What is hidden now has no place to keep.
  const isShown = fixed?.isConnected && fixed.getClientRects().length > 0;
  const moved = isShown ? fixed.getBoundingClientRect().top - before : 0;
  if (moved) window.scrollBy({ top: moved, behavior: "instant" });
  if (wasOurs) ownScroll = window.scrollY;
}

function anchor() {
  const content = document.querySelector("#review:not([hidden]) .content");
  const active = document.activeElement;
  if (content?.contains(active) && isSeen(active)) return active;
  const { left, width } = (content ?? document.body).getBoundingClientRect();
  for (const height of HEIGHTS) {
    const seen = document.elementFromPoint(left + width / 2, window.innerHeight * height)?.closest(READ);
    // The file as a whole is taken only where none of its lines is.
    if (seen && (!content || content.contains(seen)) && !seen.closest(".file-head")) return seen;
  }
  return null;
}

/** Whether any of an element is in the window: what the reader looks at must not fold up. */
export function isSeen(element) {
  const { top, bottom } = element.getBoundingClientRect();
  return bottom > 0 && top < window.innerHeight;
}
