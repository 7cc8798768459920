/** The findings under one line of code, as one card with a heading. */

import { h, setText } from "./dom.js";
import { count, SEVERITIES } from "./format.js";

const rank = (card) => SEVERITIES.indexOf(card.finding.severity) + (card.finding.placement.held ? SEVERITIES.length : 0);

/** Puts a card among those of its slot: behind those that are as severe, before the others. */
export function stackCard(slot, card) {
  const cards = [...slot.children].filter((child) => child.finding);
  slot.insertBefore(card, cards.find((other) => rank(other) > rank(card)) ?? null);
  nameStack(slot);
}

/** Shows or removes the heading, which says how many findings are shown under the line. */
export function nameStack(slot) {
  if (!slot.classList.contains("stack")) return;
  const shown = [...slot.children].filter((child) => child.finding && !child.hidden).length;
  slot.classList.toggle("several", shown > 1);
  const head = slot.querySelector(":scope > .stack-head");
  if (shown < 2) head?.remove();
  else if (head) setText(head, `${count(shown, "finding")} on this line`);
  else slot.prepend(h("p", { class: "stack-head" }, `${count(shown, "finding")} on this line`));
}
