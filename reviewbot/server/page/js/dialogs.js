/** The help, and the question before a review is cancelled. */

import { byId } from "./dom.js";
import { closable, startKeyDialog } from "./key-dialog.js";
import { setShortcuts, shortcutsOn } from "./settings.js";

/** `keyChanged()` follows a key that was changed or forgotten. */
export function startDialogs(keyChanged) {
  for (const dialog of document.querySelectorAll("dialog")) closable(dialog);
  startKeyDialog(keyChanged);
  byId("help-button").addEventListener("click", openHelp);
  const box = byId("shortcuts-field");
  box.checked = shortcutsOn();
  box.addEventListener("change", () => setShortcuts(box.checked));
}

export function openHelp() {
  const dialog = byId("help-dialog");
  if (!dialog.open) dialog.showModal();
}

/** Whether someone really wants to cancel. */
export function askToCancel() {
  const dialog = byId("cancel-dialog");
  dialog.showModal();
  return new Promise((resolve) => {
    const done = new AbortController();
    const { signal } = done;
    let yes = false;
    byId("cancel-yes").addEventListener(
      "click",
      () => {
        yes = true;
        dialog.close();
      },
      { signal },
    );
    dialog.addEventListener(
      "close",
      () => {
        done.abort();
        resolve(yes);
      },
      { signal },
    );
  });
}
