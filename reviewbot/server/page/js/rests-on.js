/** The code outside the change that a finding rests on, as one line. */

import { bdi, h } from "./dom.js";

const MOST = 3;

/** The places that a finding rests on, those outside the diff first, without lines shown beside it. */
function placesOf({ path, rests_on: places = [] }) { // missing in streams of older versions
  const others = places.filter((place) => !(place.is_shown && place.path === path));
  return others.sort((a, b) => a.is_shown - b.is_shown);
}

/** `src/a.py:12`, `src/b.py:30-31`. */
const place = ({ path, line, end_line: last }) => `${path}:${line}${last > line ? `-${last}` : ""}`;

/** Parts of the line, where `show` makes the part of a path with lines; empty if it rests on nothing. */
function parts(finding, show) {
  const places = placesOf(finding);
  const named = places.slice(0, MOST).flatMap((one) => [", ", show(place(one)), one.base ? " (old version)" : ""]);
  return [...named.slice(1), places.length > MOST ? ` and ${places.length - MOST} more` : ""].filter(Boolean);
}

export const restsOnText = (finding) => parts(finding, (text) => text).join("");

/** An element with the line; null if the finding rests on nothing. */
export function restsOn(finding) {
  const shown = parts(finding, (text) => bdi(text));
  return shown.length ? h("span", {}, ...shown) : null;
}
