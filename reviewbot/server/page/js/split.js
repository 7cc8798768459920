/** Old and new code side by side: which lines face each other, and the switch. */

import { byId } from "./dom.js";
import { setSplitChosen, splitChosen } from "./settings.js";

// Below, two columns of code have no room; style.css hides the switch.
const LEAST_WIDTH = 900;

/** The lines that face each other, as [index of the old, index of the new]; null where there is none. */
export function facing(lines, from, to) {
  const rows = [];
  for (let at = from; at < to; ) {
    if (lines[at][0] === "context") {
      rows.push([at, at]);
      at += 1;
      continue;
    }
    const old = at;
    while (at < to && lines[at][0] === "removed") at += 1;
    const now = at;
    while (at < to && lines[at][0] === "added") at += 1;
    for (let one = 0; old + one < now || now + one < at; one += 1) {
      rows.push([old + one < now ? old + one : null, now + one < at ? now + one : null]);
    }
  }
  return rows;
}

/** Shows the code of `diff` as the reader chose, if there is room. */
export function watchSplit(diff, signal) {
  const field = byId("split-field");
  field.checked = splitChosen();
  const show = () => diff.setSplit(field.checked && window.innerWidth >= LEAST_WIDTH);
  field.addEventListener(
    "change",
    () => {
      setSplitChosen(field.checked);
      show();
    },
    { signal },
  );
  window.addEventListener("resize", show, { signal });
  // What is selected on one side is copied without the other.
  diff.root.addEventListener(
    "pointerdown",
    ({ target }) => {
      const code = target.closest(".split td.code");
      diff.root.dataset.selects = code?.classList.contains("old") ? "old" : "new";
    },
    { signal },
  );
  show();
}
