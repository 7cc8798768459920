/** The findings under one line of code, as one card with a heading. */

import { h, setText } from "./dom.js";
import { count, SEVERITIES } from "./format.js";

const rank = (card) => SEVERITIES.indexOf(card.finding.severity) + (card.finding.placement.held ? SEVERITIES.length : 0);

/**
 * Puts a card among those of its slot: in the place of the card that it replaces, or else behind
 * those that are as severe. `replaced` is {slot, next}: the parent and the next sibling of that card.
 */
export function stackCard(slot, card, replaced = null) {
  const cards = [...slot.children].filter((child) => child.finding);
  const next = replaced?.slot === slot ? replaced.next : cards.find((other) => rank(other) > rank(card));
  slot.insertBefore(card, next ?? null);
  nameStack(slot);
}

/** Hides a stack with nothing to show. Shows or removes its heading, which says how many findings are under the line. */
export function nameStack(slot) {
  if (!slot.classList.contains("stack")) return;
  // A class: with `:has()`, each new line of code would be compared with the whole document.
  const isEmpty = [...slot.children].every((child) => child.hidden || child.classList.contains("stack-head"));
  slot.closest(".finding-slot").classList.toggle("empty", isEmpty);
  const shown = [...slot.children].filter((child) => child.finding && !child.hidden).length;
  slot.classList.toggle("several", shown > 1);
  const head = slot.querySelector(":scope > .stack-head");
  if (shown < 2) head?.remove();
  else if (head) setText(head, `${count(shown, "finding")} on this line`);
  else slot.prepend(h("p", { class: "stack-head" }, `${count(shown, "finding")} on this line`));
}
