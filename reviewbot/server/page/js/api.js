/** Calls to the server: the key, problems, and where everything is. */

import { apiKey, setApiKey } from "./settings.js";

/** What the server said no with, or that there was no answer at all (status 0). */
export class Problem extends Error {
  constructor(status, detail, { title = "", retryAfter = null, line = null } = {}) {
    super(detail);
    this.status = status;
    this.detail = detail;
    this.title = title;
    this.retryAfter = retryAfter;
    this.line = line;
  }
}

export const OFFLINE = "The server cannot be reached.";

const unlocking = { ask: async () => null, pending: null };

/** `ask(detail)` shows a field for the key and answers with it, or with null. */
export function onUnauthorised(ask) {
  unlocking.ask = ask;
}

/** Relative to the page, so that it works behind a proxy that adds a prefix. */
export const address = (path) => new URL(path, new URL(".", location.href.split("#")[0])).href;

export const reviewPath = (id, rest = "") => `v1/reviews/${encodeURIComponent(id)}${rest}`;

function headersFor(options) {
  const headers = new Headers(options.headers ?? {});
  const key = apiKey();
  if (key) headers.set("Authorization", `Bearer ${key}`);
  if (!headers.has("Accept")) headers.set("Accept", "application/json");
  return headers;
}

async function send(path, options) {
  try {
    return await fetch(address(path), {
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
      ...options,
      headers: headersFor(options),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, OFFLINE);
  }
}

/** Seconds, from a number or a date. */
function retryAfter(response) {
  const value = response.headers.get("Retry-After");
  if (!value) return null;
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : null;
}

async function problem(response) {
  let body = {};
  try {
    body = JSON.parse((await response.text()).slice(0, 100_000));
  } catch {
    // A proxy's own page: its status must do.
  }
  const text = (value) => (typeof value === "string" && value ? value : null);
  const known = text(body?.detail) ?? text(body?.title);
  return new Problem(response.status, known ?? `The server answered ${response.status}.`, {
    title: text(body?.title) ?? "",
    retryAfter: retryAfter(response),
    line: Number.isInteger(body?.line) ? body.line : null,
  });
}

/**
 * The response if it is good. Asks for a key as often as the server wants one, but not for a call
 * that is `unasked`, and throws a `Problem` otherwise.
 */
export async function call(path, options = {}) {
  for (;;) {
    const used = apiKey();
    const response = await send(path, options);
    if (response.ok) return response;
    const wrong = await problem(response);
    if (response.status !== 401 || options.unasked) throw wrong;
    // Another call may have got a key meanwhile.
    if (apiKey() !== used && apiKey()) continue;
    unlocking.pending ??= unlocking.ask(wrong.detail, Boolean(used)).finally(() => {
      unlocking.pending = null;
    });
    const key = await unlocking.pending;
    if (!key) throw wrong;
    setApiKey(key);
  }
}

export async function json(path, options = {}) {
  const response = await call(path, options);
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(response.status, "The server's answer could not be read.");
  }
}

/**
 * Tells answers that are still wanted from older ones. Each call begins a request, and returns a
 * function that says whether no later one has begun.
 */
export function newest() {
  let requests = 0;
  return () => {
    requests += 1;
    const request = requests;
    return () => request === requests;
  };
}

/** A new Idempotency-Key. */
export function newKey() {
  const numbers = crypto.getRandomValues(new Uint8Array(16));
  return [...numbers].map((one) => one.toString(16).padStart(2, "0")).join("");
}

/** Without waiting, also while the page is being closed. */
export function cancelOnTheWayOut(id) {
  const options = { method: "DELETE", keepalive: true };
  fetch(address(reviewPath(id)), { ...options, headers: headersFor(options) }).catch(() => {});
}
