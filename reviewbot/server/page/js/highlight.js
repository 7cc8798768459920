/** Asks the worker for colours. Every failure means plain text, never a page that hangs. */

const SLOWEST_MS = 4000;
const LONGEST_TEXT = 400_000;
const LONGEST_LINE = 5_000;
const MOST_FAILURES = 5;

const WORKER = new URL("./highlight-worker.js", import.meta.url).href;

// The only address that a script is made of here; the page's policy asks for it to be said.
function makePolicy() {
  try {
    return globalThis.trustedTypes?.createPolicy("reviewbot-worker", {
      createScriptURL: (url) => {
        if (url !== WORKER) throw new TypeError("not the address of our worker");
        return url;
      },
    });
  } catch {
    return null; // The server allows no policy, so no worker either: code stays plain.
  }
}

const policy = makePolicy();

let worker = null;
let failures = 0;
let busy = null;
const queue = [];

function start() {
  worker = new Worker(policy ? policy.createScriptURL(WORKER) : WORKER, { type: "module" });
  worker.addEventListener("message", ({ data }) => {
    if (busy?.job === data.job) finish(data.error ? null : data.lines);
  });
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    giveUp();
  });
}

function giveUp() {
  failures += 1;
  worker?.terminate();
  worker = null;
  finish(null);
}

function finish(lines) {
  if (!busy) return;
  clearTimeout(busy.timer);
  busy.resolve(lines);
  busy = null;
  next();
}

let jobs = 0;

function next() {
  if (busy || !queue.length) return;
  busy = queue.shift();
  if (failures >= MOST_FAILURES) {
    finish(null);
    return;
  }
  try {
    if (!worker) start();
    jobs += 1;
    busy.job = jobs;
    busy.timer = setTimeout(giveUp, SLOWEST_MS);
    worker.postMessage({ job: jobs, language: busy.language, texts: busy.texts });
  } catch {
    giveUp();
  }
}

/**
 * The lines of each text as [class, text, ...], or null if they stay plain.
 * `urgent` goes before what is only wanted in the background.
 */
export function highlight(language, texts, { urgent = false } = {}) {
  const fits = (text) => text.length <= LONGEST_TEXT && !hasLongLine(text);
  if (!language || !texts.every(fits)) return Promise.resolve(null);
  return new Promise((resolve) => {
    queue[urgent ? "unshift" : "push"]({ language, texts, resolve });
    next();
  });
}

function hasLongLine(text) {
  let from = 0;
  for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", from)) {
    if (end - from > LONGEST_LINE) return true;
    from = end + 1;
  }
  return text.length - from > LONGEST_LINE;
}
