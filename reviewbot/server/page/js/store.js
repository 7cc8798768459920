/** What a review came to so far: the fold of its events. Touches no element. */

import { count, isOnLine, readable, SEVERITIES } from "./format.js";

const OFFLINE = "offline";
const UNFINISHED = "The review ended before this file was done.";

export class Review {
  constructor(id) {
    this.id = id;
    /** queued, running, waiting or finished */
    this.state = "queued";
    this.outcome = null;
    this.title = null;
    this.subject = null;
    this.createdAt = null;
    this.startedAt = null;
    this.nextTryAt = null;
    this.queuePosition = null;
    this.models = [];
    this.notices = [];
    this.estimate = null;
    this.version = "";
    /** Files of the plan: path -> {path, status, added, removed, chunks} */
    this.files = new Map();
    this.chunks = new Map();
    /** Id -> {id, paths, step: what it does now or null, startedAt: ms or null, found: number of findings} */
    this.batches = new Map();
    /** Why rules and linters alone review: {reason, is_incomplete}, or null. */
    this.rulesOnly = null;
    this.skipped = new Map();
    /** id -> {finding, verdict: event or null, withdrawn: reason or null} */
    this.findings = new Map();
    this.summary = null;
    /** What is asked about the diff, which is then not reviewed; null of a review. */
    this.question = null;
    /** {text, model, complete}: the answer as far as it is written */
    this.answer = null;
    this.progress = null;
    this.activity = null;
    this.usage = { input: 0, output: 0, cache_read: 0, cache_write: 0 };
    this.cost = 0;
    this.finalCoverage = null;
    this.byModel = [];
    this.depth = "";
    this.verification = null;
    this.lookups = null;
    this.reasons = [];
    this.duration = null;
    this.firstFinding = null;
    this.lastSeq = 0;
    this.lastEventAt = null;
    this.lastEventHere = 0;
  }

  /** What `GET /v1/reviews/{id}` says that the events do not, or not yet. */
  describe(object) {
    this.title = object.title || null;
    this.subject = object.subject || null;
    this.createdAt = object.created_at ?? null;
    this.startedAt ??= object.started_at ?? null;
    this.question ??= object.question ?? null;
    if (!this.models.length) this.models = object.models ?? [];
    if (!this.notices.length) this.notices = object.notices ?? [];
    // An answer that was written before the latest event says where the review was, not is.
    if (this.finished || object.state === "finished" || object.last_seq < this.lastSeq) return;
    this.state = object.state;
    this.nextTryAt = object.next_try_at ?? null;
    this.queuePosition = object.queue_position ?? null;
    this.activity ??= object.progress?.activity ?? null;
  }

  apply(event) {
    this.lastSeq = event.seq ?? this.lastSeq;
    if (event.at) {
      this.lastEventAt = Date.parse(event.at);
      this.lastEventHere = performance.now();
    }
    const handle = HANDLERS[event.type];
    if (handle) handle(this, event);
  }

  get finished() {
    return this.outcome !== null;
  }

  standing() {
    return [...this.findings.values()].filter((one) => one.withdrawn === null).map((one) => one.finding);
  }

  /** Findings that stand and are not held back, by severity. */
  counts() {
    const counts = Object.fromEntries(SEVERITIES.map((one) => [one, 0]));
    for (const one of this.standing()) if (!one.placement.held) counts[one.severity] += 1;
    return counts;
  }

  /** The batches whose requests are running or whose findings are being verified: {id, paths, step, startedAt}. */
  runningBatches() {
    if (this.finished) return [];
    const busy = new Map();
    for (const chunk of this.chunks.values()) {
      if (chunk.status === "retrying") busy.set(chunk.batch, chunk.reason);
      else if (chunk.status === "reviewing" && !busy.has(chunk.batch)) busy.set(chunk.batch, null);
    }
    for (const { verification, chunk } of this.standing()) {
      const batch = this.chunks.get(chunk)?.batch;
      if (verification === "pending" && !busy.has(batch)) busy.set(batch, "verifying findings");
    }
    return [...this.batches.values()]
      .filter(({ id, startedAt }) => busy.has(id) && startedAt !== null)
      .map((batch) => ({ ...batch, step: busy.get(batch.id) ?? batch.step }));
  }

  /** Whether models read all that they should: rules that take over for a model are no model. */
  get isModelled() {
    const ofRules = (model) => model === null || model === OFFLINE;
    const planned = [...this.files.values()].filter(({ model }) => ofRules(model)).flatMap(({ chunks }) => chunks).length;
    const byRules = this.byModel.filter(({ model }) => model === OFFLINE).reduce((sum, { chunks }) => sum + chunks, 0);
    return byRules <= planned;
  }

  held() {
    return this.standing().filter((one) => one.placement.held).length;
  }

  /** Verdicts about the findings whose verification did not end before the review. */
  withoutVerdict() {
    return this.standing()
      .filter((one) => one.verification === "pending")
      .map(({ id, placement }) => ({
        type: "finding.verified", id, verdict: "unverified",
        reason: "The review ended before the verdict.", evidence: null, placement,
      }));
  }

  /** Every file of the diff: {path, status, reason}; while it runs also waiting and reviewing. */
  coverage() {
    if (this.finalCoverage) return this.finalCoverage;
    const files = [...this.files.values()].map((file) => this.#coverageOf(file));
    for (const [path, reason] of this.skipped) {
      if (!this.files.has(path)) files.push({ path, status: "skipped", reason });
    }
    return files;
  }

  #coverageOf(file) {
    const { path } = file;
    if (this.skipped.has(path)) return { path, status: "skipped", reason: this.skipped.get(path) };
    const chunks = file.chunks.map((id) => this.chunks.get(id) ?? { status: "waiting" });
    if (!chunks.length) return { path, status: file.unread ? "unread" : "skipped", reason: file.unread ?? null };
    const some = (status) => chunks.find((chunk) => chunk.status === status);
    const open = some("retrying") ?? some("reviewing");
    if (open) return { path, status: open.status, reason: open.reason ?? null };
    if (some("waiting")) {
      return { path, status: this.outcome ? "failed" : "waiting", reason: this.outcome ? UNFINISHED : null };
    }
    const bad = some("failed") ?? some("partly");
    const aside = some("unread") ?? some("skipped");
    if (!bad) return { path, status: aside?.status ?? "reviewed", reason: aside?.reason ?? null };
    const whole = chunks.every((chunk) => chunk.status === "failed");
    return { path, status: whole ? "failed" : "partly", reason: bad.reason };
  }

  /** Whether all of a file was reviewed before, so that nobody was asked. */
  wasCached(path) {
    const chunks = this.files.get(path)?.chunks ?? [];
    return chunks.length > 0 && chunks.every((id) => this.chunks.get(id)?.cached);
  }

  /** How many files: all, to be reviewed, and by status. */
  tally() {
    const tally = { all: 0, planned: 0, reviewed: 0, partly: 0, failed: 0, unread: 0, skipped: 0, open: 0 };
    for (const { status } of this.coverage()) {
      tally.all += 1;
      if (status !== "skipped") tally.planned += 1;
      if (status in tally) tally[status] += 1;
      else tally.open += 1;
    }
    return tally;
  }

  /** Whether all was reviewed that should have been. Nothing else may look green. */
  get complete() {
    const { partly, failed, open } = this.tally();
    return ["clean", "shallow", "findings", "answered"].includes(this.outcome) && partly + failed + open === 0;
  }
}

const HANDLERS = {
  "review.started"(review, event) {
    review.models = event.models;
    review.notices = event.notices;
    review.estimate = event.estimate;
    review.question = event.question ?? null;
    review.rulesOnly = event.rules_only ?? null;
    review.version = event.version;
    review.startedAt = event.at;
    review.files = new Map(event.files.map((file) => [file.path, file]));
    for (const chunk of event.chunks) {
      review.chunks.set(chunk.id, { ...chunk, status: "waiting", reason: null });
      batchOf(review, chunk.batch).paths.add(chunk.path);
    }
  },

  "file.skipped"(review, event) {
    review.skipped.set(event.path, event.reason);
  },

  "chunk.started"(review, event) {
    goOn(review);
    Object.assign(chunkOf(review, event), { status: "reviewing", reason: null, batch: event.batch });
    const batch = batchOf(review, event.batch);
    batch.paths.add(event.path);
    batch.step = `waiting for ${event.model}`;
    batch.startedAt ??= Date.parse(event.at);
  },

  "chunk.retrying"(review, event) {
    goOn(review);
    const how = event.next_model === event.model ? "" : ` with ${event.next_model}`;
    const when = event.delay_s > 0 ? ` in ${event.delay_s.toFixed(1)} s` : "";
    const reason = `Trying again${how}${when}: ${event.reason}`;
    Object.assign(chunkOf(review, event), { status: "retrying", reason });
  },

  "chunk.finished"(review, event) {
    const { status, reason, cached = false } = event;
    Object.assign(chunkOf(review, event), { status, reason, cached });
  },

  finding(review, event) {
    // Again under its id: it replaces the first, and stands again if it was withdrawn.
    const { finding } = event;
    const isNew = !review.findings.has(finding.id);
    review.findings.set(finding.id, { finding, verdict: null, withdrawn: null });
    const batch = review.batches.get(review.chunks.get(finding.chunk)?.batch);
    if (!batch || !isNew) return;
    batch.found += 1;
    batch.step = `writing findings (${count(batch.found, "finding")} so far)`;
  },

  "finding.verified"(review, event) {
    const known = review.findings.get(event.id);
    if (!known || known.withdrawn !== null) return;
    known.finding = verified(known.finding, event);
    known.verdict = event;
  },

  "finding.withdrawn"(review, event) {
    const known = review.findings.get(event.id);
    if (known) known.withdrawn = event.reason;
  },

  "review.progress"(review, event) {
    review.progress = event;
    review.usage = event.usage;
    review.cost = event.cost_usd;
    const batch = review.batches.get(event.batch);
    if (batch && event.activity) batch.step = readable(event.activity);
    review.activity = batch ? null : event.activity;
    if (!event.activity || batch) goOn(review);
  },

  "review.summary"(review, event) {
    review.summary = event;
  },

  "review.answer"(review, event) {
    goOn(review);
    review.answer = event.text ? event : null;
  },

  "review.finished"(review, event) {
    for (const verdict of review.withoutVerdict()) review.apply(verdict);
    review.state = "finished";
    review.outcome = event.outcome;
    if (!review.answer?.complete) review.answer = null;
    review.finalCoverage = event.coverage;
    review.usage = event.usage;
    review.cost = event.cost_usd;
    review.duration = event.duration_s;
    review.firstFinding = event.time_to_first_finding_s;
    review.reasons = event.reasons;
    review.byModel = event.by_model ?? [];
    review.depth = event.depth ?? "";
    review.verification = event.verification ?? null;
    review.lookups = event.lookups ?? null;
    review.activity = null;
  },
};

/** A finding after its verdict. It stays under its line, also if the verdict holds it back. */
export function verified(finding, { verdict, placement }) {
  return { ...finding, verification: verdict, placement, underLine: isOnLine(finding) };
}

function goOn(review) {
  if (review.state !== "finished") review.state = "running";
  review.nextTryAt = null;
  review.queuePosition = null;
}

function batchOf(review, id) {
  if (!review.batches.has(id)) review.batches.set(id, { id, paths: new Set(), step: null, startedAt: null, found: 0 });
  return review.batches.get(id);
}

function chunkOf(review, event) {
  let chunk = review.chunks.get(event.chunk);
  if (!chunk) {
    chunk = { id: event.chunk, path: event.path, status: "waiting", reason: null };
    review.chunks.set(event.chunk, chunk);
  }
  return chunk;
}
