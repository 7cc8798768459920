/** Which findings are shown: by severity, kind and words; and how many there are of each. */

import { byId, h, icon, replace, setText } from "./dom.js";
import { capital, count, listed, number, SEVERITIES, stateOf } from "./format.js";

export class Filters {
  /** `changed()` is called when the choice changes. */
  constructor(changed) {
    this.changed = changed;
    this.off = new Set();
    this.kinds = new Set();
    this.category = "";
    this.words = [];
    this.buttons = new Map();
    replace(byId("severity-filters"), ...[...SEVERITIES, "held"].map((one) => this.#button(one)));
    this.select = byId("kind-filter");
    this.search = byId("word-filter");
    this.reset();
    this.listeners = new AbortController();
    const { signal } = this.listeners;
    this.select.addEventListener("change", () => this.#choose(() => (this.category = this.select.value)), { signal });
    this.search.addEventListener(
      "input",
      () => this.#choose(() => (this.words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean))),
      { signal },
    );
    byId("clear-filters").addEventListener("click", () => this.#choose(() => this.reset()), { signal });
    const more = byId("more-filters-button");
    more.addEventListener(
      "click",
      () => {
        const open = more.getAttribute("aria-expanded") !== "true";
        more.setAttribute("aria-expanded", String(open));
        if (open) this.search.focus();
      },
      { signal },
    );
  }

  close() {
    this.listeners.abort();
  }

  #button(name) {
    const label = name === "held" ? "Held back" : `${capital(name)}s`;
    const amount = h("span", { class: "amount" }, "0");
    const button = h(
      "button",
      { type: "button", class: `filter ${name}`, title: label, "aria-pressed": "true", onclick: () => this.#choose(() => this.#flip(name)) },
      icon(name === "held" ? "skip" : name),
      h("span", { class: "label" }, label),
      " ",
      amount,
    );
    this.buttons.set(name, { button, amount });
    return button;
  }

  #flip(name) {
    if (!this.off.delete(name)) this.off.add(name);
    this.buttons.get(name).button.setAttribute("aria-pressed", String(!this.off.has(name)));
  }

  #choose(change) {
    change();
    this.changed();
  }

  reset() {
    this.off.clear();
    for (const { button } of this.buttons.values()) button.setAttribute("aria-pressed", "true");
    this.category = "";
    this.select.value = "";
    this.words = [];
    this.search.value = "";
    byId("filter-note").hidden = true;
    document.documentElement.classList.remove("filtered");
  }

  /** Says how many findings and files the filters hide. */
  showHidden(findings, files) {
    const parts = [findings && count(findings, "finding"), files && count(files, "file")].filter(Boolean);
    const hidden = parts.length ? `The filters hide ${listed(parts)}.` : "The filters hide nothing.";
    setText(byId("filter-says"), hidden);
    byId("filter-note").hidden = !this.active;
    document.documentElement.classList.toggle("filtered", this.active);
    return hidden;
  }

  get active() {
    return this.off.size > 0 || this.category !== "" || this.words.length > 0;
  }

  matches = (finding) => {
    if (finding.placement.held ? this.off.has("held") : this.off.has(finding.severity)) return false;
    if (this.category && finding.category !== this.category) return false;
    if (!this.words.length) return true;
    const text = `${finding.title}\n${finding.message}\n${finding.scenario}\n${finding.path}\n${finding.rule}\n${stateOf(finding)}`.toLowerCase();
    return this.words.every((word) => text.includes(word));
  };

  /** The numbers on the buttons, and the kinds there are to choose from. */
  update(review) {
    const counts = { ...review.counts(), held: review.held() };
    for (const [name, { button, amount }] of this.buttons) {
      setText(amount, number(counts[name]));
      if (name === "held") button.hidden = counts.held === 0;
    }
    for (const { category } of review.standing()) {
      if (this.kinds.has(category)) continue;
      this.kinds.add(category);
      const kinds = [...this.kinds].sort();
      const chosen = this.select.value;
      const options = kinds.map((one) => h("option", { value: one }, capital(one)));
      replace(this.select, h("option", { value: "" }, "All kinds"), ...options);
      this.select.value = chosen;
    }
    if (!this.kinds.size) replace(this.select, h("option", { value: "" }, "All kinds"));
  }

  focus() {
    const more = byId("more-filters-button");
    more.setAttribute("aria-expanded", "true");
    this.search.focus();
    this.search.select();
  }
}
