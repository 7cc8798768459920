/** The key, the help, and the question before a review is cancelled. */

import { byId, setText } from "./dom.js";
import { apiKey, setApiKey, setShortcuts, shortcutsOn } from "./settings.js";

function closeOnBackdrop(dialog) {
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
}

export function startDialogs() {
  for (const dialog of document.querySelectorAll("dialog")) {
    closeOnBackdrop(dialog);
    for (const button of dialog.querySelectorAll("[data-close]")) {
      button.addEventListener("click", () => dialog.close());
    }
  }
  byId("help-button").addEventListener("click", openHelp);
  const box = byId("shortcuts-field");
  box.checked = shortcutsOn();
  box.addEventListener("change", () => setShortcuts(box.checked));
  byId("key-button").addEventListener("click", () => {
    askForKey("", false, true).then((key) => {
      if (key) setApiKey(key);
      showKeyButton();
    });
  });
  byId("forget-key-button").addEventListener("click", () => {
    setApiKey(null);
    showKeyButton();
    byId("key-dialog").close();
  });
  showKeyButton();
}

export function openHelp() {
  const dialog = byId("help-dialog");
  if (!dialog.open) dialog.showModal();
}

function showKeyButton() {
  byId("key-button").hidden = apiKey() === null;
  byId("forget-key-button").hidden = apiKey() === null;
}

/** The key that someone types, or null. `refused`: the one that was sent is not known. */
export function askForKey(detail, refused, change = false) {
  const dialog = byId("key-dialog");
  const field = byId("key-field");
  const says = byId("key-problem");
  setText(says, refused ? `The server did not accept this key. ${detail}` : detail);
  says.hidden = change;
  field.value = "";
  if (!dialog.open) dialog.showModal();
  field.focus();
  return new Promise((resolve) => {
    const form = byId("key-form");
    const done = new AbortController();
    form.addEventListener(
      "submit",
      (event) => {
        event.preventDefault();
        const key = field.value.trim();
        // A header can hold nothing else.
        if (!/^[\x21-\x7e]+$/.test(key)) {
          setText(says, "A key has only letters, digits and signs, and no spaces.");
          says.hidden = false;
          field.focus();
          return;
        }
        dialog.keyTyped = key;
        dialog.close();
      },
      { signal: done.signal },
    );
    dialog.addEventListener(
      "close",
      () => {
        done.abort();
        const key = dialog.keyTyped ?? null;
        dialog.keyTyped = null;
        field.value = "";
        resolve(key);
        // The caller stores it first.
        setTimeout(showKeyButton, 0);
      },
      { signal: done.signal },
    );
  });
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
