/**
 * Follows a review's events to their end, over lost connections.
 *
 * `EventSource` cannot send a key, so this is fetch: the last id goes along with each new try,
 * pauses double up to half a minute, and 204 or `review.finished` is the end.
 */

import { call, OFFLINE, Problem, reviewPath } from "./api.js";
import { SseParser } from "./sse.js";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
// The server sends a comment every 15 seconds.
const SILENCE_MS = 45_000;

/** Whether another try can help: no answer, a busy server, or one that is shutting down. */
const passes = (status) => status === 0 || status === 408 || status === 425 || status === 429 || status >= 500;

/** Waits, but no longer than until the browser is online again, or the user asks. */
function pause(ms, signal, wake) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      window.removeEventListener("online", done);
      signal.removeEventListener("abort", done);
      wake.now = null;
      resolve();
    };
    const timer = setTimeout(done, ms);
    window.addEventListener("online", done);
    signal.addEventListener("abort", done);
    wake.now = done;
  });
}

async function read(response, parser, alive, signal) {
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  const stop = () => reader.cancel().catch(() => {});
  signal.addEventListener("abort", stop);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      alive();
      parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
}

/**
 * @param {string} id the review
 * @param {object} to `event(object)` for each event once and in order; `connection(state)` with
 *   `{state: "open" | "lost" | "ended" | "failed", retryInMs, problem, retry}`
 * @param {AbortSignal} signal ends it
 */
export async function follow(id, to, signal) {
  let last = 0;
  let finished = false;
  let wait = FIRST_PAUSE_MS;
  let least = 0;
  const wake = { now: null };

  while (!signal.aborted && !finished) {
    const attempt = new AbortController();
    const stop = () => attempt.abort();
    signal.addEventListener("abort", stop);
    let silence = 0;
    const alive = () => {
      clearTimeout(silence);
      silence = setTimeout(stop, SILENCE_MS);
    };
    const take = (message) => {
      if (finished || attempt.signal.aborted) return;
      const event = JSON.parse(message.data);
      if (!Number.isInteger(event?.seq) || typeof event.type !== "string") return;
      if (event.seq <= last) return; // sent again
      if (event.seq > last + 1) throw new Error(`event ${last + 1} is missing`);
      last = event.seq;
      wait = FIRST_PAUSE_MS;
      to.event(event);
      finished = event.type === "review.finished";
    };
    let problem = null;
    try {
      const headers = { Accept: "text/event-stream" };
      if (last) headers["Last-Event-ID"] = String(last);
      const response = await call(reviewPath(id, "/events"), { headers, signal: attempt.signal });
      if (response.status === 204) {
        finished = true;
        break;
      }
      const parser = new SseParser(take, (ms) => (least = Math.min(ms, LONGEST_PAUSE_MS)));
      to.connection({ state: "open" });
      alive();
      await read(response, parser, alive, attempt.signal);
    } catch (error) {
      problem = error instanceof Problem ? error : null;
    } finally {
      clearTimeout(silence);
      signal.removeEventListener("abort", stop);
      attempt.abort();
    }
    if (signal.aborted || finished) break;
    if (problem && !passes(problem.status)) {
      to.connection({ state: "failed", problem });
      return;
    }
    const asked = problem?.retryAfter ? problem.retryAfter * 1000 : 0;
    const ms = Math.max(wait * (0.75 + Math.random() / 2), least, asked);
    wait = Math.min(wait * 2, LONGEST_PAUSE_MS);
    const shown = problem && problem.detail !== OFFLINE ? problem : null;
    to.connection({ state: "lost", retryInMs: ms, problem: shown, retry: () => wake.now?.() });
    await pause(ms, signal, wake);
  }
  if (finished && !signal.aborted) to.connection({ state: "ended" });
}
