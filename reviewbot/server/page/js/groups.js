/** Findings with the same title, put together. Touches no element. */

const LEAST = 3;

/**
 * Groups of findings, in the order of their first findings: {key, findings}. Three or more findings
 * with the same title and severity are one group; each other finding is a group of its own. Findings
 * that are held back and others are never in the same group.
 */
export function grouped(findings) {
  const sizes = new Map();
  const keyOf = ({ severity, title, placement }) => JSON.stringify([placement.held, severity, title.trim()]);
  for (const finding of findings) sizes.set(keyOf(finding), (sizes.get(keyOf(finding)) ?? 0) + 1);
  const groups = new Map();
  for (const finding of findings) {
    const key = sizes.get(keyOf(finding)) < LEAST ? finding.id : keyOf(finding);
    if (!groups.has(key)) groups.set(key, { key, findings: [] });
    groups.get(key).findings.push(finding);
  }
  return [...groups.values()];
}

/** Counts the findings that are shown, by their texts, so that the same text is unfolded only twice. */
export class Repeats {
  constructor() {
    /** Texts -> ids of findings */
    this.ids = new Map();
  }

  /** Adds a finding. Returns whether enough others with the same texts are shown. */
  add(finding) {
    const text = textOf(finding);
    if (!this.ids.has(text)) this.ids.set(text, new Set());
    const ids = this.ids.get(text);
    ids.add(finding.id);
    return ids.size >= LEAST;
  }

  remove(finding) {
    this.ids.get(textOf(finding))?.delete(finding.id);
  }
}

const textOf = ({ severity, title, scenario, message, suggestion }) =>
  JSON.stringify([severity, title, scenario, message, suggestion]);
