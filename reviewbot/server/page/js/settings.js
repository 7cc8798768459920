/** What the browser remembers for the page. A browser that refuses to is no reason to fail. */

export function read(storage, name) {
  try {
    return globalThis[storage].getItem(name);
  } catch {
    return null;
  }
}

export function write(storage, name, value) {
  try {
    if (value === null) globalThis[storage].removeItem(name);
    else globalThis[storage].setItem(name, value);
  } catch {
    // Private windows and blocked storage: it holds until the page is closed.
  }
}

const KEY = "reviewbot.key";
const memory = { key: read("sessionStorage", KEY) };

/** The API key: for this tab only, never in localStorage. */
export const apiKey = () => memory.key;

export function setApiKey(key) {
  memory.key = key;
  write("sessionStorage", KEY, key);
}

export const theme = () => read("localStorage", "reviewbot.theme") ?? "auto";

export const setTheme = (value) => write("localStorage", "reviewbot.theme", value);

const shortcuts = { on: read("localStorage", "reviewbot.shortcuts") !== "off" };

export const shortcutsOn = () => shortcuts.on;

export function setShortcuts(on) {
  shortcuts.on = on;
  write("localStorage", "reviewbot.shortcuts", on ? null : "off");
}

const order = { byFile: read("localStorage", "reviewbot.order") === "file" };

export const orderedByFile = () => order.byFile;

export function setOrderedByFile(byFile) {
  order.byFile = byFile;
  write("localStorage", "reviewbot.order", byFile ? "file" : null);
}

export const splitChosen = () => read("localStorage", "reviewbot.split") === "on";

export const setSplitChosen = (split) => write("localStorage", "reviewbot.split", split ? "on" : null);
