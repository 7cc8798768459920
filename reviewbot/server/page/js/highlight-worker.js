/**
 * Colours code, away from the page: a hostile text that is slow to colour can be given up on.
 *
 * In: {job, language, texts}. Out: {job, lines}: for each text its lines, each a flat list of
 * [class, text, class, text, ...]. No markup is made anywhere.
 */

import hljs from "../vendor/highlight.js/core.min.js";
import { NEEDS } from "./languages.js";

// The scopes that have a colour, and the class that gives it. Nothing else becomes a class.
const CLASSES = new Map(
  Object.entries({
    keyword: "k", built_in: "b", type: "t", literal: "l", number: "n", operator: "o", punctuation: "",
    string: "s", regexp: "s", char: "s", subst: "x", symbol: "l", variable: "v", title: "f",
    params: "", comment: "c", doctag: "c", meta: "m", section: "h", tag: "g", name: "g", attr: "a",
    attribute: "a", property: "a", bullet: "l", code: "s", emphasis: "e", strong: "e", formula: "s",
    link: "s", quote: "c", "selector-tag": "g", "selector-id": "f", "selector-class": "f",
    "selector-attr": "a", "selector-pseudo": "a", "template-tag": "m", "template-variable": "v",
    addition: "s", deletion: "l",
  }),
);

/** Takes what highlight.js finds as a flat list, in place of its tree of markup. */
class Runs {
  constructor() {
    this.list = [];
    this.scopes = [""];
  }
  get root() {
    return this;
  }
  addText(text) {
    if (text) this.list.push(this.scopes.at(-1), text);
  }
  startScope(scope) {
    const whole = String(scope);
    const known = CLASSES.get(whole) ?? CLASSES.get(whole.split(".")[0]);
    this.scopes.push(known ?? this.scopes.at(-1));
  }
  endScope() {
    if (this.scopes.length > 1) this.scopes.pop();
  }
  openNode(scope) {
    this.startScope(scope);
  }
  closeNode() {
    this.endScope();
  }
  __addSublanguage(other) {
    for (const part of other.list) this.list.push(part);
  }
  finalize() {}
  toHTML() {
    return "";
  }
}

hljs.configure({ __emitter: Runs });

const loading = new Map();

function load(language) {
  if (!loading.has(language)) {
    // A name out of our own table, never one from a diff.
    const source = import(`../vendor/highlight.js/languages/${language}.min.js`);
    loading.set(language, source.then((grammar) => hljs.registerLanguage(language, grammar.default)));
  }
  return loading.get(language);
}

function byLine(list) {
  const lines = [[]];
  for (let at = 0; at < list.length; at += 2) {
    const parts = list[at + 1].split("\n");
    parts.forEach((part, index) => {
      if (index) lines.push([]);
      if (part) lines.at(-1).push(list[at], part);
    });
  }
  return lines;
}

async function colour({ job, language, texts }) {
  if (!Object.hasOwn(NEEDS, language)) throw new Error(`${language} is not known`);
  await Promise.all([language, ...NEEDS[language]].map(load));
  const lines = texts.map((text) => {
    const result = hljs.highlight(text, { language, ignoreIllegals: true });
    return byLine(result._emitter.list);
  });
  return { job, lines };
}

self.addEventListener("message", ({ data }) => {
  colour(data)
    .catch((error) => ({ job: data.job, error: String(error) }))
    .then((answer) => self.postMessage(answer));
});
