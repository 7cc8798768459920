/**
 * Text of a stranger to text that can be seen: what moves, hides or breaks becomes a visible box.
 *
 * The characters are those of reviewbot/core/safety/escape.py; a test compares the two.
 */

// eslint-disable-next-line no-control-regex
const HIDDEN =
  /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\u{110bd}\u{110cd}\u{13430}-\u{1343f}\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]/gu;

const NAMES = new Map([
  [0x00, "null"],
  [0x07, "bell"],
  [0x08, "backspace"],
  [0x0a, "line feed"],
  [0x0c, "form feed"],
  [0x0d, "carriage return"],
  [0x1b, "escape"],
  [0x7f, "delete"],
  [0xad, "soft hyphen"],
  [0x061c, "Arabic letter mark"],
  [0x200b, "zero-width space"],
  [0x200c, "zero-width non-joiner"],
  [0x200d, "zero-width joiner"],
  [0x200e, "left-to-right mark"],
  [0x200f, "right-to-left mark"],
  [0x2028, "line separator"],
  [0x2029, "paragraph separator"],
  [0x202a, "left-to-right embedding"],
  [0x202b, "right-to-left embedding"],
  [0x202c, "pop directional formatting"],
  [0x202d, "left-to-right override"],
  [0x202e, "right-to-left override"],
  [0x2060, "word joiner"],
  [0x2066, "left-to-right isolate"],
  [0x2067, "right-to-left isolate"],
  [0x2068, "first strong isolate"],
  [0x2069, "pop directional isolate"],
  [0xfeff, "byte order mark"],
]);

const hex = (number, digits) => number.toString(16).toUpperCase().padStart(digits, "0");

/** What a hidden character is called: `U+202E`; a byte that is not UTF-8: `0xFF`. */
function label(character) {
  const code = character.codePointAt(0);
  return code >= 0xdc80 && code <= 0xdcff ? `0x${hex(code - 0xdc00, 2)}` : `U+${hex(code, 4)}`;
}

function meaning(character) {
  const code = character.codePointAt(0);
  if (code >= 0xdc80 && code <= 0xdcff) return "a byte that is not UTF-8";
  return NAMES.get(code) ?? "a character that cannot be seen";
}

/** For attributes, titles and option lists, which can hold no box. */
export function plain(text) {
  return String(text).replace(HIDDEN, (character) => `[${label(character)}]`);
}

/** As Python's `show` writes it: findings name their file like this. */
export function escaped(text) {
  return String(text).replace(HIDDEN, (character) => {
    const code = character.codePointAt(0);
    if (code >= 0xdc80 && code <= 0xdcff) return `\\x${(code - 0xdc00).toString(16)}`;
    if (code < 0x80) return `\\x${code.toString(16).padStart(2, "0")}`;
    if (code < 0x10000) return `\\u${code.toString(16).padStart(4, "0")}`;
    return `\\U${code.toString(16).padStart(8, "0")}`;
  });
}

/** Puts `text` at the end of `parent`: text nodes, and a box for each hidden character. */
export function appendShown(parent, text) {
  let from = 0;
  for (const match of text.matchAll(HIDDEN)) {
    if (match.index > from) parent.append(text.slice(from, match.index));
    const box = document.createElement("span");
    box.className = "code-point";
    box.textContent = label(match[0]);
    box.title = meaning(match[0]);
    parent.append(box);
    from = match.index + match[0].length;
  }
  if (from < text.length) parent.append(from ? text.slice(from) : text);
}
