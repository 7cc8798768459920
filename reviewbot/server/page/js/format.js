/** Numbers, money and time as people read them. */

const whole = new Intl.NumberFormat("en-US");

export const number = (value) => whole.format(value);

const PLURALS = { entry: "entries", "more batch": "more batches" };

/** `1 file`, `2 files`. */
export const count = (value, noun) => `${number(value)} ${value === 1 ? noun : (PLURALS[noun] ?? `${noun}s`)}`;

/** `a, b and c`. */
export function listed(parts) {
  if (parts.length < 2) return parts[0] ?? "";
  return `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}

/** `$1.20`, `$0.0042`; `cost unknown` without a price. */
export function dollars(amount) {
  if (amount === null || amount === undefined) return "cost unknown";
  return `$${amount >= 0.1 || amount === 0 ? amount.toFixed(2) : amount.toFixed(4)}`;
}

/** `0:07`, `12:30`, `1:02:03`. */
export function clock(seconds) {
  const all = Math.max(0, Math.floor(seconds));
  const two = (value) => String(value).padStart(2, "0");
  const hours = Math.floor(all / 3600);
  const minutes = Math.floor((all % 3600) / 60);
  return hours ? `${hours}:${two(minutes)}:${two(all % 60)}` : `${minutes}:${two(all % 60)}`;
}

/** `34 ms`, `4.2 s`, `1:15 min`. */
export function duration(seconds) {
  if (seconds < 0.95) return `${Math.round(seconds * 1000)} ms`;
  return seconds < 60 ? `${seconds.toFixed(1)} s` : `${clock(seconds)} min`;
}

const TIMESTAMP = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;

/** A text of the server, with its timestamps as hours and minutes of the reader. */
export const readable = (text) => text.replace(TIMESTAMP, (iso) => new Date(iso).toTimeString().slice(0, 5));

export function bytes(size) {
  if (size < 1000) return `${size} B`;
  return size < 1e6 ? `${(size / 1e3).toFixed(size < 1e4 ? 1 : 0)} kB` : `${(size / 1e6).toFixed(1)} MB`;
}

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** `5 minutes ago`, and a date after a week. */
export function ago(iso, now = Date.now()) {
  const then = Date.parse(iso);
  if (Number.isNaN(then)) return "";
  const seconds = Math.round((then - now) / 1000);
  if (seconds > -60) return "just now";
  if (seconds > -3600) return relative.format(Math.round(seconds / 60), "minute");
  if (seconds > -86400) return relative.format(Math.round(seconds / 3600), "hour");
  if (seconds > -7 * 86400) return relative.format(Math.round(seconds / 86400), "day");
  return new Date(then).toISOString().slice(0, 10);
}

export const SEVERITIES = ["error", "warning", "note"];

/** `2 errors, 1 warning and 3 notes`; `no findings`. */
export function counted(counts) {
  const parts = SEVERITIES.filter((one) => counts[one]).map((one) => count(counts[one], one));
  return parts.length ? listed(parts) : "no findings";
}

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** Whether a finding is under its line; one that a verdict holds back stays there. */
export const isOnLine = (finding) => finding.placement.kind === "inline" || finding.underLine === true;

/** Whether a finding has lines of code. Filters move findings that they hold back `outside`. */
export const isPlaced = (finding) => isOnLine(finding) || (finding.placement.kind === "outside" && finding.placement.held);

const STATES = {
  pending: "Being verified",
  supported: "Verified",
  partly: "Verified",
  cannot_tell: "Not verified",
  unverified: "Not verified",
};

/** What verification came to: `Verified`, `Held back` and so on; empty if there is none. */
export function stateOf(finding) {
  if (finding.placement.held) return "Held back";
  return STATES[finding.verification] ?? "";
}

/** `app/db.py:42-44`, as a place is written in other tools. */
export function place(finding) {
  if (!isPlaced(finding)) return finding.path;
  const end = finding.end_line > finding.line ? `-${finding.end_line}` : "";
  return `${finding.path}:${finding.line}${end}`;
}
