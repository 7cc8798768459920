/** Pictures of numbers: bars in a table, and columns of days. The numbers are always text, too. */

import { append, bdi, h, replace } from "./dom.js";
import { plain } from "./show.js";

const SVG = "http://www.w3.org/2000/svg";

// Units of the drawing; the style sheet sets the size on the page.
const BAR = { width: 100, height: 10 };
const DAY = 10;
const HEIGHT = 100;

function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** A drawing that fills its place. Those who do not see it get the numbers as text. */
function drawing(width, height, className, ...children) {
  const attributes = { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", class: className, "aria-hidden": "true" };
  return svg("svg", attributes, ...children);
}

/** The largest value, and 1 if all are 0, so that everything can be divided by it. */
const most = (values) => Math.max(0, ...values) || 1;

/**
 * Fills a table with a bar for each row: `{name, note, value, text, tone}`. `note` is added to the
 * name, `text` is the value as it is written. A column of the table has each of `headings`.
 */
export function bars(table, headings, rows) {
  const top = most(rows.map((row) => row.value));
  const [name, value] = headings;
  const head = h("tr", {}, h("th", { scope: "col" }, name), h("th", { scope: "col", class: "value" }, value), h("td"));
  const body = rows.map((row) => {
    const bar = svg("rect", { width: (row.value / top) * BAR.width, height: BAR.height });
    const label = h("th", { scope: "row" }, bdi(row.name), row.note ? h("span", { class: "muted" }, ` ${row.note}`) : null);
    const picture = drawing(BAR.width, BAR.height, `bar ${row.tone ?? ""}`.trim(), bar);
    return h("tr", {}, label, h("td", { class: "value" }, row.text), h("td", { class: "picture" }, picture));
  });
  replace(table, h("thead", { class: "sr-only" }, head), h("tbody", {}, ...body));
}

/** Columns, one for each day: `{day, value, text}`. `top` is the largest value as it is written. */
export function columns(parent, days, top) {
  const highest = most(days.map((one) => one.value));
  const marks = days.flatMap(({ day, value, text }, at) => {
    if (!value) return [];
    // A small value is still seen.
    const height = Math.max((value / highest) * HEIGHT, 1.5);
    const title = svg("title", {});
    title.textContent = plain(`${day}: ${text}`);
    return [svg("rect", { x: at * DAY + 1, y: HEIGHT - height, width: DAY - 2, height }, title)];
  });
  const picture = drawing(days.length * DAY, HEIGHT, "columns-drawing", ...marks);
  const axis = h("div", { class: "axis" }, h("span", {}, days[0].day), h("span", {}, days.at(-1).day));
  replace(parent);
  append(parent, h("p", { class: "axis-top" }, top), picture, axis);
}
