/** The order of the files: those with findings first, each part in the order of the diff. */

import { h } from "./dom.js";
import { isSeen } from "./steady.js";

export class FileOrder {
  /** `views` is kept in the order that is shown; `root` is the parent of their elements. */
  constructor(root, views) {
    this.root = root;
    this.views = views;
    this.first = new Set();
    this.divider = h("p", { class: "files-rest", hidden: true }, "Files without findings");
  }

  /** Moves a file that has its first finding up to the others with findings. With `keepsView`, skips a file that is in the window. */
  promote(view, keepsView) {
    if (this.first.has(view)) return;
    const next = this.views.find((other) => !this.first.has(other) || other.index > view.index);
    if (next !== view) {
      const { element } = view;
      if (element.contains(document.activeElement) || (keepsView && isSeen(element))) return;
      const before = this.views.indexOf(next);
      this.views.splice(this.views.indexOf(view), 1);
      this.views.splice(before, 0, view);
      this.root.insertBefore(element, next.element);
    }
    this.first.add(view);
    this.#divide();
  }

  #divide() {
    const rest = this.views.find((view) => !this.first.has(view));
    this.divider.hidden = !rest;
    if (rest) this.root.insertBefore(this.divider, rest.element);
  }
}
