/** Changes to the page that do not move what is read. */

/** Makes a change to the page. The focused element stays in place, or else the one in the middle. */
export function steadily(change) {
  const active = document.activeElement;
  const focused = active !== document.body && isSeen(active) ? active : null;
  const fixed = focused ?? document.elementFromPoint(window.innerWidth / 2, window.innerHeight / 2);
  const before = fixed?.getBoundingClientRect().top;
  change();
  const moved = fixed?.isConnected ? fixed.getBoundingClientRect().top - before : 0;
  if (moved) window.scrollBy({ top: moved, behavior: "instant" });
}

/** Whether any of an element is in the window: what the reader looks at must not fold up. */
export function isSeen(element) {
  const { top, bottom } = element.getBoundingClientRect();
  return bottom > 0 && top < window.innerHeight;
}
