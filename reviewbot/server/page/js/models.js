/** The models of the server on the first view: which one reviews, and the list to choose from. */

import { json, newest } from "./api.js";
import { append, bdi, byId, h, replace } from "./dom.js";
import { capital, listed } from "./format.js";
import { plain } from "./show.js";

/** `$3 in, $15 out`, per million tokens. */
const priced = ({ input, output }) => `$${input} in, $${output} out`;

function priceOf(model) {
  if (model.offline) return "built-in rules, free";
  return model.prices ? priced(model.prices) : "price unknown";
}

/** A label in a line: the name of a model, or that only rules review. */
const chip = (text, tone) => h("span", { class: "model-chip", "data-tone": tone }, bdi(text));

export class Models {
  constructor() {
    this.field = byId("model-field");
    this.begin = newest();
  }

  /** Loads the list. Without it, the server's choice and the rules can be chosen. */
  async refresh() {
    const isNewest = this.begin();
    let found;
    try {
      found = await json("v1/models");
    } catch {
      return; // The list of recent reviews says what is wrong.
    }
    if (isNewest()) this.#show(found);
  }

  #show(found) {
    const chosen = this.field.value;
    const options = found.models.map((model) => {
      const option = h("option", { value: model.name });
      // An option holds only text.
      option.textContent = plain(`${model.name} (${priceOf(model)})`);
      return option;
    });
    const usual = h("option", { value: "" });
    usual.textContent = plain(`The server's choice: ${found.default}`);
    replace(this.field, usual, ...options);
    this.field.value = found.models.some((model) => model.name === chosen) ? chosen : "";
    this.#line(found);
  }

  #line(found) {
    const line = byId("model-line");
    const usual = found.models.find((model) => model.name === found.default);
    replace(line);
    if (usual?.offline) {
      const reason = found.offline_reason ? ` ${capital(found.offline_reason)}.` : "";
      append(line, chip("Built-in rules", "offline"), " review; no model is used.", bdi(reason), " It costs nothing.");
    } else {
      append(line, chip(found.default, "model"), " reviews");
      if (found.others.length) append(line, ", and some files ", bdi(listed(found.others)));
      const prices = usual?.prices ? `: ${priced(usual.prices)} per million tokens.` : ". Its price is not known.";
      const limit = found.budget_usd === null ? "" : ` A review costs at most $${found.budget_usd}.`;
      append(line, prices, limit);
    }
    line.hidden = false;
  }
}
