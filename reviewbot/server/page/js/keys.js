/** Single keys, for who does not use a mouse: off while something is typed, and if switched off. */

import { openHelp } from "./dialogs.js";
import { shortcutsOn } from "./settings.js";

const TYPED_INTO = 'input:not([type="checkbox"]):not([type="file"]), textarea, select, [contenteditable]';

/** `page()` is the review that is shown, or null. */
export function startKeys(page) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (document.querySelector("dialog[open]")) return;
    const target = event.target instanceof Element ? event.target : document.body;
    if (event.key === "Escape") {
      escape(target);
      return;
    }
    if (!shortcutsOn() || target.closest(TYPED_INTO)) return;
    const act = actions(page())[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}

function escape(target) {
  if (target.type === "search" && target.value) {
    target.value = "";
    target.dispatchEvent(new Event("input"));
  } else if (target !== document.body) target.blur();
}

function actions(review) {
  const always = { "?": openHelp };
  if (!review) return always;
  return {
    ...always,
    j: () => review.navigation.step(1),
    k: () => review.navigation.step(-1),
    n: () => review.navigation.stepFile(1),
    p: () => review.navigation.stepFile(-1),
    f: () => review.filters.focus(),
    c: () => review.navigation.copyCurrent(),
  };
}
