/**
 * Server-sent events out of a text that comes in pieces.
 *
 * Format: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */

const LONGEST = 16_000_000;

export class SseParser {
  #buffer = [];
  #length = 0;
  #lastWasCr = false;
  #first = true;
  #type = "";
  #data = [];
  #id = null;

  /** `emit({type, data, id})` for each event; `retry(ms)` when the server asks for another pause. */
  constructor(emit, retry = () => {}) {
    this.emit = emit;
    this.retry = retry;
  }

  push(text) {
    if (this.#first && text) {
      this.#first = false;
      if (text.startsWith("\ufeff")) text = text.slice(1);
    }
    let from = 0;
    if (this.#lastWasCr && text.startsWith("\n")) from = 1;
    if (text) this.#lastWasCr = text.endsWith("\r");
    const ends = /\r\n|\r|\n/g;
    ends.lastIndex = from;
    for (let match = ends.exec(text); match; match = ends.exec(text)) {
      this.#buffer.push(text.slice(from, match.index));
      const line = this.#buffer.length === 1 ? this.#buffer[0] : this.#buffer.join("");
      this.#buffer = [];
      this.#length = 0;
      this.#line(line);
      from = ends.lastIndex;
    }
    if (from < text.length) {
      this.#buffer.push(text.slice(from));
      this.#length += text.length - from;
      if (this.#length > LONGEST) throw new Error("an event of the stream is too long");
    }
  }

  #line(line) {
    if (line === "") {
      if (this.#data.length) {
        this.emit({ type: this.#type || "message", data: this.#data.join("\n"), id: this.#id });
      }
      this.#type = "";
      this.#data = [];
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#type = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    else if (field === "retry" && /^\d{1,9}$/.test(value)) this.retry(Number(value));
  }
}
