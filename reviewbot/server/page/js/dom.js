/** Making elements. There is no way from here to markup: a string is always text. */

import { appendShown, plain } from "./show.js";

const SVG = "http://www.w3.org/2000/svg";

// Attributes of our own making, whose value must stay as it is.
const EXACT = new Set(["href", "id", "for", "value", "name", "type", "aria-labelledby", "aria-controls", "aria-describedby"]);

/**
 * An element. Properties that are functions are listeners (`onclick`), `class` is the class,
 * everything else is an attribute; false and null leave it out. Children are nodes or strings.
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (/^(on|style$|srcdoc$)/i.test(name)) throw new Error(`${name} cannot be set`);
    else if (name === "class") element.className = value;
    else if (value === true) element.setAttribute(name, "");
    else element.setAttribute(name, EXACT.has(name) ? String(value) : plain(value));
  }
  append(element, ...children);
  return element;
}

export function append(parent, ...children) {
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    if (child instanceof Node) parent.append(child);
    else appendShown(parent, String(child));
  }
}

/** A stranger's text in a line of ours: its direction cannot reach its neighbours. */
export const bdi = (text, properties = {}) => h("bdi", properties, text);

export function replace(parent, ...children) {
  parent.replaceChildren();
  append(parent, ...children);
}

/** Sets text only if it changed, so that nothing that is read or selected is touched in vain. */
export function setText(element, text) {
  if (element.shownText === text) return;
  element.shownText = text;
  replace(element, text);
}

export const byId = (id) => document.getElementById(id);

/**
 * Makes the children of `parent` those of `items`, keeping elements by key.
 * `create(item)` makes an element, `update(element, item)` brings it up to date.
 */
export function keyed(parent, items, key, create, update) {
  const old = (parent.keyedElements ??= new Map());
  const kept = new Map();
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    let element = old.get(name);
    if (!element) element = create(item);
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
    update?.(element, item);
    kept.set(name, element);
  }
  for (const [name, element] of old) if (!kept.has(name)) element.remove();
  parent.keyedElements = kept;
}

// Drawn for this page, on a grid of 16.
const ICONS = {
  error: ["M5.2 1h5.6L15 5.2v5.6L10.8 15H5.2L1 10.8V5.2z", "M5.6 5.6l4.8 4.8M10.4 5.6l-4.8 4.8"],
  warning: ["M8 1.8 15 14H1z", "M8 6.2v3.6M8 11.6v.4"],
  note: ["M8 1.2a6.8 6.8 0 1 0 0 13.6A6.8 6.8 0 0 0 8 1.2z", "M8 7.4v3.8M8 4.6v.4"],
  check: ["M2.5 8.5 6.3 12.2 13.5 4.2"],
  cross: ["M3.5 3.5l9 9M12.5 3.5l-9 9"],
  partly: ["M8 1.2a6.8 6.8 0 1 0 0 13.6A6.8 6.8 0 0 0 8 1.2z", "M8 4v8"],
  skip: ["M8 1.2a6.8 6.8 0 1 0 0 13.6A6.8 6.8 0 0 0 8 1.2z", "M3.4 12.6 12.6 3.4"],
  dot: ["M8 4.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7z"],
  circle: ["M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11z"],
  spin: ["M8 2a6 6 0 1 1-6 6"],
  copy: ["M5.5 5.5h8v8h-8z", "M10.5 5.5v-3h-8v8h3"],
  link: ["M6.8 9.2l2.4-2.4", "M7.4 4.6l1.4-1.4a2.8 2.8 0 0 1 4 4L11.4 8.6M8.6 11.4l-1.4 1.4a2.8 2.8 0 0 1-4-4L4.6 7.4"],
  down: ["M3.5 6 8 10.5 12.5 6"],
  left: ["M10 3.5 5.5 8 10 12.5"],
  right: ["M6 3.5 10.5 8 6 12.5"],
  up: ["M3.5 10.5 8 6l4.5 4.5"],
};

export function icon(name, className = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", `icon icon-${name} ${className}`.trim());
  svg.setAttribute("aria-hidden", "true");
  for (const drawn of ICONS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", drawn);
    svg.append(path);
  }
  return svg;
}
