/** Dismissal of a finding with a reason: the dialog, the button on a card, and the note on a dismissed card. */

import { announce } from "./announce.js";
import { bdi, byId, h, icon, replace } from "./dom.js";

/** Asks for a reason; null if the reader cancels. */
function askForReason(title) {
  const [dialog, form] = [byId("dismiss-dialog"), byId("dismiss-form")];
  replace(byId("dismiss-finding"), bdi(title));
  form.reset();
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    const done = new AbortController();
    const { signal } = done;
    form.addEventListener(
      "submit",
      (event) => {
        event.preventDefault();
        const { reason, note } = Object.fromEntries(new FormData(form));
        dialog.close(note.trim() ? `${reason}: ${note.trim()}` : reason);
      },
      { signal },
    );
    dialog.addEventListener(
      "close",
      () => {
        done.abort();
        resolve(dialog.returnValue || null);
      },
      { signal },
    );
  });
}

/** The button that dismisses the finding of a card, or restores it; `arrange()` shows the change. */
export function dismissButton(card, notes, arrange) {
  const button = h("button", { type: "button", class: "button quiet dismiss" }, icon("skip"), h("span", { class: "label" }));
  button.addEventListener("click", async () => {
    const { id, title } = card.finding;
    const known = notes.dismissed.has(id);
    const reason = known ? null : await askForReason(title || "(no title)");
    if (known) notes.restore(id);
    else if (reason) notes.dismiss(id, reason);
    else return;
    arrange();
    card.focus({ preventScroll: true });
    announce(known ? "The finding is back." : "The finding was dismissed.");
  });
  return button;
}

/** The note on a dismissed card; `button` restores the finding. */
export const dismissedNote = (reason, button) =>
  h("div", { class: "dismissed-note" }, h("p", {}, "Dismissed in this browser: ", bdi(reason)), button);
