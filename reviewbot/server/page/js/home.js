/** The first view: a diff goes in here, by pasting, dropping or picking a file. */

import { announce } from "./announce.js";
import { json, newKey, Problem } from "./api.js";
import { byId, setText } from "./dom.js";
import { Estimate } from "./estimate.js";
import { EXAMPLE } from "./example.js";
import { bytes } from "./format.js";
import { Models } from "./models.js";
import { hideProblem, showProblem } from "./problem.js";
import { idIn } from "./route.js";

// A field with more than this in it is slow: it is kept aside, like a file.
const LONGEST_FIELD = 400_000;

export class Home {
  /** `open(id, {described, cancelOnLeave})` shows a review, `goHome()` this view. */
  constructor(open, goHome) {
    this.open = open;
    this.goHome = goHome;
    this.field = byId("diff-field");
    /** A file, or text that was too long for the field: {name, blob} */
    this.attached = null;
    /** What was pasted, exactly: a field changes line ends. */
    this.pasted = null;
    this.attempt = null;
    this.models = new Models();
    this.estimate = new Estimate(() => this.#request());
    this.#composer();
    this.#dropping();
  }

  /** Loads what may have changed since this view was shown. */
  refresh() {
    this.models.refresh();
    this.#changed();
  }

  #composer() {
    byId("start-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#start();
    });
    byId("open-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const id = idIn(byId("open-field").value);
      const box = byId("open-problem");
      if (id) {
        box.hidden = true;
        byId("open-field").value = "";
        this.open(id);
      } else {
        setText(box, "This is not the id of a review, nor a link to one.");
        box.hidden = false;
        byId("open-field").focus();
      }
    });
    this.field.addEventListener("paste", (event) => this.#paste(event));
    this.field.addEventListener("input", () => this.#changed());
    this.field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        this.#start();
      }
    });
    byId("file-picker").addEventListener("change", ({ target }) => {
      this.attach(target.files);
      target.value = "";
    });
    byId("pick-button").addEventListener("click", () => byId("file-picker").click());
    byId("detach-button").addEventListener("click", () => this.#detach());
    byId("example-button").addEventListener("click", () => this.#start(exampleRequest()));
    byId("model-field").addEventListener("change", () => this.#changed());
    byId("budget-field").addEventListener("change", () => this.#changed());
  }

  #paste(event) {
    const text = event.clipboardData?.getData("text/plain") ?? "";
    const files = event.clipboardData?.files ?? [];
    if (files.length) {
      event.preventDefault();
      this.attach(files);
    } else if (text.length > LONGEST_FIELD) {
      event.preventDefault();
      this.#attach("Pasted text", new Blob([text]));
    } else if (this.field.value === "" || this.field.selectionEnd - this.field.selectionStart === this.field.value.length) {
      this.pasted = text;
    }
  }

  #filled() {
    return this.field.value.trim() !== "" || this.attached !== null;
  }

  /** The diff, the model or the budget is another one. */
  #changed() {
    const filled = this.#filled();
    byId("start-button").disabled = !filled;
    this.estimate.changed(filled ? (this.attached?.blob.size ?? this.field.value.length) : 0);
  }

  #dropping() {
    const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].some((type) => type === "Files" || type === "text/plain");
    let depth = 0;
    const show = (on) => {
      byId("drop-hint").hidden = !on;
    };
    document.addEventListener("dragenter", (event) => {
      if (!hasFiles(event)) return;
      depth += 1;
      show(true);
    });
    document.addEventListener("dragleave", () => {
      depth = Math.max(0, depth - 1);
      if (!depth) show(false);
    });
    document.addEventListener("dragover", (event) => {
      if (hasFiles(event)) event.preventDefault();
    });
    document.addEventListener("drop", (event) => {
      depth = 0;
      show(false);
      if (!hasFiles(event)) return;
      event.preventDefault();
      const { files } = event.dataTransfer;
      const text = event.dataTransfer.getData("text/plain");
      if (!files.length && !text) return;
      this.goHome();
      if (files.length) this.attach(files);
      else if (text.length > LONGEST_FIELD) this.#attach("Dropped text", new Blob([text]));
      else {
        this.#detach();
        this.field.value = text;
        this.pasted = text;
        this.#changed();
      }
    });
  }

  attach(files) {
    if (!files.length) return;
    this.#attach(files[0].name, files[0]);
    if (files.length > 1) {
      showProblem(byId("start-problem"), new Problem(0, `Only the first of ${files.length} files was used: a review has one diff.`));
    }
  }

  #attach(name, blob) {
    hideProblem(byId("start-problem"));
    this.attached = { name, blob };
    setText(byId("attached-name"), name);
    setText(byId("attached-size"), bytes(blob.size));
    byId("attached").hidden = false;
    this.field.hidden = true;
    this.#changed();
    announce(`${name} is ready to be reviewed.`);
    byId("start-button").focus();
  }

  #detach() {
    this.attached = null;
    byId("attached").hidden = true;
    this.field.hidden = false;
    this.#changed();
    this.field.focus();
  }

  #options() {
    const options = {};
    const model = byId("model-field").value;
    const budget = byId("budget-field").value.trim();
    if (model) options.model = model;
    if (budget) options.budget_usd = Number(budget);
    return options;
  }

  async #request() {
    const title = byId("title-field").value.trim();
    const description = byId("description-field").value.trim();
    const options = this.#options();
    const texts = { ...(title ? { title } : {}), ...(description ? { description } : {}) };
    if (this.attached) {
      // The bytes as they are: a diff need not be UTF-8.
      const query = new URLSearchParams({ ...texts, ...options });
      const path = `v1/reviews${query.size ? `?${query}` : ""}`;
      return { path, type: "text/x-diff", body: this.attached.blob };
    }
    const typed = this.field.value;
    const same = this.pasted !== null && this.pasted.replace(/\r\n?/g, "\n") === typed;
    const body = { diff: same ? this.pasted : typed, ...texts };
    if (Object.keys(options).length) body.options = options;
    return { path: "v1/reviews", type: "application/json", body: JSON.stringify(body) };
  }

  /** The same for a repeat after a lost connection, so that nothing is started and paid twice. */
  #idempotencyKey(request) {
    const same = this.attempt && this.attempt.path === request.path && this.attempt.body === request.body;
    if (!same) this.attempt = { path: request.path, body: request.body, key: newKey() };
    return this.attempt.key;
  }

  /** Starts what the form says, or another request. */
  async #start(other = null) {
    const button = byId(other ? "example-button" : "start-button");
    if (button.disabled || this.starting) return;
    this.starting = true;
    button.disabled = true;
    button.classList.add("busy");
    hideProblem(byId("start-problem"));
    try {
      const request = other ?? (await this.#request());
      const described = await json(request.path, {
        method: "POST",
        headers: { "Content-Type": request.type, "Idempotency-Key": this.#idempotencyKey(request) },
        body: request.body,
      });
      if (typeof described?.id !== "string") throw new Problem(0, "The server's answer is not a review.");
      this.attempt = null;
      this.estimate.stop();
      this.open(described.id, { described, cancelOnLeave: !other && byId("leave-field").checked });
    } catch (error) {
      if (error.status) this.attempt = null;
      const box = byId("start-problem");
      showProblem(box, error instanceof Problem ? error : new Problem(0, String(error.message)));
      box.focus();
    } finally {
      this.starting = false;
      button.disabled = false;
      button.classList.remove("busy");
      byId("start-button").disabled = !this.#filled();
    }
  }
}

/** The example, reviewed by the rules of the server: no model is asked, and it costs nothing. */
function exampleRequest() {
  const body = { diff: EXAMPLE, title: "Example: totals with tax", options: { model: "offline" } };
  return { path: "v1/reviews", type: "application/json", body: JSON.stringify(body) };
}
