/** Copying, and a button that says that it did. */

import { announce } from "./announce.js";
import { h, icon } from "./dom.js";

/** The older way, for pages that are served over plain http on a local network. */
function copyBySelection(text) {
  const field = h("textarea", { class: "off-screen", "aria-hidden": "true", tabindex: "-1" });
  field.value = text;
  const before = document.activeElement;
  (document.querySelector("dialog[open]") ?? document.body).append(field);
  field.select();
  let done = false;
  try {
    done = document.execCommand("copy");
  } catch {
    done = false;
  }
  field.remove();
  before?.focus?.({ preventScroll: true });
  return done;
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** `text()` is what is copied; `label` is the button's name, shown unless `bare`. */
export function copyButton(label, text, { bare = false, done = "Copied" } = {}) {
  const word = h("span", { class: bare ? "sr-only" : "label" }, label);
  const face = h("span", { class: "face" }, icon("copy"), icon("check"));
  const button = h("button", { type: "button", class: "button quiet copy", title: bare ? label : null }, face, word);
  let timer = 0;
  button.addEventListener("click", async () => {
    const copied = await copy(text());
    button.classList.toggle("copied", copied);
    const says = copied ? done : "Copying is not allowed here";
    if (!bare) word.textContent = says;
    announce(`${says}.`);
    clearTimeout(timer);
    timer = setTimeout(() => {
      button.classList.remove("copied");
      word.textContent = label;
    }, 2_000);
  });
  return button;
}
