/** Light, dark, or as the system has it. */

import { setText } from "./dom.js";
import { setTheme, theme } from "./settings.js";

const NEXT = { auto: "light", light: "dark", dark: "auto" };
const LABELS = { auto: "System", light: "Light", dark: "Dark" };

let current = theme();
if (!(current in NEXT)) current = "auto";

function apply(button) {
  if (current === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = current;
  setText(button.querySelector(".label"), LABELS[current]);
  button.dataset.value = current;
  button.setAttribute("aria-label", `Theme: ${LABELS[current]}. Change to ${LABELS[NEXT[current]]}.`);
}

export function startTheme(button) {
  apply(button);
  button.addEventListener("click", () => {
    current = NEXT[current];
    setTheme(current);
    apply(button);
  });
}
