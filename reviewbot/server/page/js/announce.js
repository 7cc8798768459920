/** Says what happens to those who do not see it: politely, and not each finding on its own. */

import { byId } from "./dom.js";
import { count } from "./format.js";
import { plain } from "./show.js";

const PAUSE_MS = 8_000;

let waiting = 0;
let timer = 0;
let spoken = 0;

function say(text) {
  const region = byId("announcer");
  region.textContent = "";
  // Two turns, so that the same sentence is read again.
  setTimeout(() => {
    region.textContent = plain(text);
  }, 50);
  spoken = performance.now();
}

/** At once, and instead of what was waiting to be said. */
export function announce(text) {
  clearTimeout(timer);
  timer = 0;
  waiting = 0;
  say(text);
}

/** With others of its kind, every few seconds. */
export function announceFinding() {
  waiting += 1;
  if (timer) return;
  const rest = Math.max(1_000, PAUSE_MS - (performance.now() - spoken));
  timer = setTimeout(() => {
    timer = 0;
    if (waiting) say(`${count(waiting, "new finding")}.`);
    waiting = 0;
  }, rest);
}
