/** The batches that are running: their files, their current step, and for how long. */

import { bdi, byId, h, icon, keyed, setText } from "./dom.js";
import { clock, count, number } from "./format.js";

const MOST_ROWS = 3;

export class Activity {
  constructor() {
    this.box = byId("progress-box");
    this.list = byId("activities");
    this.list.replaceChildren();
    this.list.keyedElements = new Map();
    this.release();
  }

  /** Gives back the room of the rows, if that moves nothing that is read. */
  release() {
    delete this.box.dataset.rows;
    this.box.hidden = true;
  }

  /** Shows the running batches. `now` is the time of the server in milliseconds, or null if it is unknown. */
  update(review, now) {
    const running = now === null ? [] : review.runningBatches();
    const shown = running.slice(0, running.length > MOST_ROWS ? MOST_ROWS - 1 : MOST_ROWS);
    const others = running.length - shown.length;
    // The height is that of a full list from the start, so that the code below does not move.
    if (!review.finished && review.batches.size) this.box.dataset.rows = Math.min(review.batches.size, MOST_ROWS);
    this.box.hidden = review.finished && !this.box.dataset.rows;
    keyed(
      this.list,
      others ? [...shown, null] : shown,
      (batch) => batch?.id ?? "",
      (batch) => row(batch),
      (element, batch) => {
        if (!batch) {
          setText(element, `and ${count(others, "more batch")}`);
          return;
        }
        const [step, time] = element.parts;
        setText(step, batch.step);
        setText(time, clock(Math.max(0, now - batch.startedAt) / 1000));
      },
    );
  }
}

function row(batch) {
  if (!batch) return h("li", { class: "others" });
  const step = h("bdi", { class: "step" });
  const time = h("span", { class: "elapsed" });
  const [first, ...rest] = batch.paths;
  const files = h("span", { class: "batch-files" }, bdi(first), rest.length ? ` and ${number(rest.length)} more` : "");
  const item = h("li", {}, icon("spin"), files, step, time);
  item.parts = [step, time];
  return item;
}
