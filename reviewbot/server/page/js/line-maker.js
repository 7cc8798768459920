/** Makes the lines of a diff bit by bit: first those near the window, the others when there is time. */

// A browser takes some 2.5 kB for a line. Lines beyond these are made when the reader comes near.
const MOST_MADE = 100_000;

// Short enough that typing and scrolling do not falter.
const SLICE_MS = 20;

const idle = globalThis.requestIdleCallback ?? ((work) => setTimeout(work, 50));

export class LineMaker {
  constructor(signal) {
    this.unmade = [];
    this.observer = new IntersectionObserver((entries) => this.#near(entries), { rootMargin: "1200px 0px" });
    window.addEventListener("beforeprint", () => this.#work(() => true), { signal });
    signal.addEventListener("abort", () => {
      this.observer.disconnect();
      this.unmade = [];
    });
  }

  /** Makes the lines of all segments. */
  make(segments) {
    for (const segment of segments) this.observer.observe(segment.element);
    let lines = 0;
    this.unmade = segments.filter(({ from, to }) => (lines += to - from) <= MOST_MADE);
    this.#goOn();
  }

  #near(entries) {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      this.observer.unobserve(target);
      target.segment.show();
    }
  }

  /** Makes lines before the reader comes near them: find-in-page and printing need them. */
  #goOn() {
    if (!this.unmade.length) return;
    const work = () => {
      const end = performance.now() + SLICE_MS;
      this.#work(() => performance.now() < end);
      this.#goOn();
    };
    idle(work, { timeout: 200 });
  }

  #work(more) {
    do this.unmade.shift()?.render();
    while (this.unmade.length && more());
  }
}
