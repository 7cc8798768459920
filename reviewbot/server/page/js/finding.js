/** The card of one finding. */

import { announce } from "./announce.js";
import { codeLines } from "./code-block.js";
import { copy, copyButton } from "./clipboard.js";
import { dismissButton, dismissedNote } from "./dismissal.js";
import { append, bdi, h, icon, setText } from "./dom.js";
import { capital, isPlaced, place, stateOf } from "./format.js";
import { line, markdown } from "./markdown.js";
import { restsOn, restsOnText } from "./rests-on.js";
import { findingLink } from "./route.js";
import { suggestionView } from "./suggestion.js";
import { evidenceView, stateChip, verdictView } from "./verdict.js";

export const cardId = (id) => `finding-${id}`;

/** What someone pastes into a chat or an issue. */
function asText(finding) {
  const state = finding.placement.held ? `, ${stateOf(finding).toLowerCase()}` : "";
  const parts = [`${finding.severity}${state}: ${finding.title}`, place(finding)];
  if (finding.scenario) parts.push("", finding.scenario);
  if (finding.message) parts.push("", finding.message);
  if (finding.guideline) parts.push("", `Rule: ${finding.guideline.path}:${finding.guideline.line}: ${finding.guideline.quote}`);
  const places = restsOnText(finding);
  if (places) parts.push("", `Rests on: ${places}`);
  if (finding.suggestion !== null) {
    const fence = "`".repeat(Math.max(3, ...(finding.suggestion.match(/`+/g) ?? []).map((run) => run.length + 1)));
    parts.push("", finding.suggestion_applies ? "Suggestion:" : "Suggestion (it does not apply as is):", "");
    parts.push(fence, finding.suggestion, fence);
  }
  return `${parts.join("\n")}\n`;
}

/**
 * @param {object} finding
 * @param {object} where `review`: its id; `notes`: those of the reader; `level`: of the heading; `original`: the lines of the
 *   diff that it is about, or null; `path`: the file, for colours; `note`: why it is here;
 *   `shownUnderItsLine`; `isRepeated`: whether two others with the same texts are shown before it
 */
export function findingCard(finding, where) {
  const titleId = `${cardId(finding.id)}-title`;
  const title = h(`h${where.level}`, { id: titleId, class: "finding-title" });
  append(title, ...(finding.title.trim() ? line(finding.title) : ["(no title)"]));
  const severity = h("span", { class: `severity ${finding.severity}` }, icon(finding.severity), capital(finding.severity));
  const card = h("article", {
    class: `finding ${finding.severity}`,
    id: cardId(finding.id),
    "data-id": finding.id,
    tabindex: "-1",
    "aria-labelledby": titleId,
  });
  const tools = h(
    "div",
    { class: "finding-tools" },
    copyButton("Copy", () => asText(card.finding)),
    permalink(findingLink(where.review, finding.id)),
  );
  card.finding = finding;
  card.notes = where.notes;
  card.isRepeated = where.isRepeated ?? false;
  const dismiss = dismissButton(card, where.notes, () => arrange(card));
  card.parts = { severity, title, tools, dismiss, body: findingBody(finding, where) };
  arrange(card);
  return card;
}

/** Arranges the parts of a card by its state: a held back, dismissed or repeated finding is folded. */
function arrange(card) {
  const { severity, title, tools, dismiss, body } = card.parts;
  const reason = card.notes.dismissed.get(card.finding.id);
  const isAside = card.finding.placement.held || reason !== undefined;
  const folded = isAside || card.isRepeated;
  const chip = stateChip(card.finding, card.notes);
  setText(dismiss.querySelector(".label"), reason === undefined ? "Dismiss" : "Undo");
  card.classList.toggle("held", isAside);
  card.replaceChildren();
  if (reason === undefined) append(tools, dismiss);
  if (folded) {
    const repeated = isAside ? null : h("span", { class: "repeated" }, "Repeated");
    const head = h("summary", { class: "finding-head" }, severity, chip, title, repeated);
    const says = reason === undefined ? null : dismissedNote(reason, dismiss);
    append(card, h("details", { class: "held-details" }, head, h("div", { class: "finding-inner" }, tools, says, body)));
  } else {
    append(card, h("header", { class: "finding-head" }, severity, chip, title, tools), body);
  }
}

/**
 * Shows a verdict on a card. The card and its parts stay the same elements, so that the focus and
 * what is selected stay too; `open` says whether a card that is now held back stays unfolded.
 */
export function showVerdict(card, finding, verdict, open) {
  const active = card.contains(document.activeElement) ? document.activeElement : null;
  card.finding = finding;
  const { body } = card.parts;
  body.querySelector(".verdict")?.remove();
  body.querySelector(".facts").before(verdictView(finding, verdict));
  const before = card.querySelector(".held-details");
  arrange(card);
  const details = card.querySelector(".held-details");
  if (details) details.open = before?.open ?? (open || active !== null);
  if (active && document.activeElement !== active) active.focus({ preventScroll: true });
}

/** A link as any other; a plain click copies it too. */
function permalink(href) {
  const says = "Link to this finding";
  const link = h("a", { class: "button quiet permalink", href, title: says }, icon("link"), icon("check"));
  link.append(h("span", { class: "sr-only" }, says));
  link.addEventListener("click", async () => {
    if (!(await copy(link.href))) return;
    link.classList.add("copied");
    announce("The link was copied.");
    setTimeout(() => link.classList.remove("copied"), 2_000);
  });
  return link;
}

function findingBody(finding, where) {
  const body = h("div", { class: "finding-body" });
  if (where.note) append(body, h("p", { class: "placement-note" }, h("bdi", {}, ...line(where.note))));
  if (finding.quote && !where.shownUnderItsLine) append(body, codeLines(finding.quote, { path: finding.path }));
  if (finding.scenario.trim()) append(body, h("p", { class: "scenario" }, ...line(finding.scenario)));
  const message = h("div", { class: "markdown" });
  append(message, ...markdown(finding.message, (text, language) => codeLines(text, { language })));
  append(body, message);
  if (finding.suggestion !== null) append(body, suggestionView(finding, where.original));
  append(body, details(finding, where));
  return body;
}

function details(finding, where) {
  const items = [];
  const add = (name, value) => items.push(h("div", {}, h("dt", {}, name), h("dd", {}, value)));
  const last = finding.end_line > finding.line ? `–${finding.end_line}` : "";
  const side = finding.side === "LEFT" ? " of the old file" : "";
  if (where.showPath) add("File", bdi(finding.path));
  if (isPlaced(finding)) add(last ? "Lines" : "Line", `${finding.line}${last}${side}`);
  add("Kind", capital(finding.category));
  if (finding.rule !== finding.category) add("Rule", bdi(finding.rule));
  const rule = finding.guideline; // missing in streams of older versions
  if (rule) add("Team rule", h("span", {}, bdi(`${rule.path}:${rule.line}`), ": ", bdi(rule.quote)));
  const places = restsOn(finding);
  if (places) add("Rests on", places);
  add("Confidence", `${Math.round(finding.confidence * 100)}%`);
  add("From", h("span", {}, bdi(reporters(finding)), finding.cached ? ", in an earlier review" : ""));
  return h("dl", { class: "facts" }, ...items);
}

/** The models that reported a finding; our own rules count as one. */
function reporters({ model, sources = [] }) {
  return [...new Set([model, ...sources.filter((name) => !name.includes("/"))])].join(", ");
}

/** What stays in the place of a finding that was withdrawn. */
export function withdrawnNote(finding, reason, evidence = null) {
  const note = h("div", { class: "withdrawn", "data-id": finding.id });
  const says = h("p", { class: "withdrawn-line" });
  append(says, icon("skip"), h("strong", {}, "Withdrawn: "), h("s", {}, ...line(finding.title || "(no title)")), " ");
  append(says, h("bdi", {}, ...(evidence ? [reason] : line(reason))));
  const dismiss = h("button", { type: "button", class: "button quiet", "aria-label": "Dismiss this note" }, icon("cross"));
  dismiss.addEventListener("click", () => {
    const row = note.closest(".finding-slot") ?? note;
    note.remove();
    if (!row.querySelector(".finding, .withdrawn")) row.remove();
  });
  append(says, dismiss);
  append(note, says, evidence ? evidenceView(evidence) : null);
  return note;
}
