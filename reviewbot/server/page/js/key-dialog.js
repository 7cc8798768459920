/** The dialog of the API key, and what closes a dialog. */

import { byId, setText } from "./dom.js";
import { apiKey, setApiKey } from "./settings.js";

/** Closes a dialog by its buttons, and by a click beside it. */
export function closable(dialog) {
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  for (const button of dialog.querySelectorAll("[data-close]")) {
    button.addEventListener("click", () => dialog.close());
  }
}

/** Starts the buttons that change and forget the key; `changed()` follows either. */
export function startKeyDialog(changed = () => {}) {
  byId("key-button").addEventListener("click", () => {
    askForKey("", false, true).then((key) => {
      if (key) setApiKey(key);
      showKeyButton();
      if (key) changed();
    });
  });
  byId("forget-key-button").addEventListener("click", () => {
    setApiKey(null);
    showKeyButton();
    byId("key-dialog").close();
    changed();
  });
  showKeyButton();
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
