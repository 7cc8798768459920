/** The statistics of the reviews of this key, for a period. */

import { announce } from "./announce.js";
import { json, newest } from "./api.js";
import { bars, columns } from "./charts.js";
import { append, bdi, byId, h, replace, setText } from "./dom.js";
import { ago, capital, count, dollars, duration, number, SEVERITIES } from "./format.js";
import { hideProblem, showProblem } from "./problem.js";
import { reviewLink } from "./route.js";
import { titleOrId } from "./title.js";

const PERIODS = [7, 30, 90];
const USUAL = 30;

const OUTCOMES = [
  ["findings", "Findings", "warning"],
  ["clean", "No findings", "good"],
  ["shallow", "Shallow: files were not read", "warning"],
  ["incomplete", "Incomplete", "error"],
  ["answered", "Answered questions", "good"],
  ["superseded", "Superseded by a newer version", ""],
  ["cancelled", "Cancelled", ""],
];

const sum = (counts) => SEVERITIES.reduce((all, one) => all + counts[one], 0);

/** The days in the address: `#days=7`. */
function periodOf(hash) {
  const days = Number(new URLSearchParams(hash.replace(/^#/, "")).get("days"));
  return PERIODS.includes(days) ? days : USUAL;
}

export class StatisticsPage {
  constructor() {
    this.begin = newest();
    for (const button of byId("periods").children) {
      button.addEventListener("click", () => {
        const days = Number(button.dataset.days);
        history.replaceState(null, "", `#days=${days}`);
        this.show({ spoken: true });
      });
    }
    window.addEventListener("hashchange", () => this.show());
  }

  /** Shows the period of the address. `spoken` says the result to those who do not see it. */
  async show({ spoken = false } = {}) {
    const days = periodOf(location.hash);
    const isNewest = this.begin();
    for (const button of byId("periods").children) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.days) === days));
    }
    byId("statistics-loading").hidden = !byId("statistics").hidden;
    try {
      const found = await json(`v1/statistics?days=${days}`);
      if (!isNewest()) return;
      hideProblem(byId("statistics-problem"));
      this.#draw(found);
      if (spoken) announce(`${count(days, "day")}: ${count(found.reviews, "review")}.`);
    } catch (error) {
      if (!isNewest()) return;
      byId("statistics").hidden = true;
      byId("statistics-none").hidden = true;
      setText(byId("period-line"), "");
      showProblem(byId("statistics-problem"), error);
    } finally {
      if (isNewest()) byId("statistics-loading").hidden = true;
    }
  }

  #draw(found) {
    setText(byId("period-line"), `Your reviews from ${found.since} to ${found.until} (UTC).`);
    const none = found.reviews === 0;
    byId("statistics-none").hidden = !none;
    byId("statistics").hidden = none;
    setText(byId("statistics-none-text"), `There is no review in the last ${count(found.days, "day")}.`);
    if (none) return;
    drawFigures(found);
    drawNotes(found);
    drawBars(found);
    drawDays(found.by_day);
    drawRepositories(found);
    drawSlowest(found.slowest);
    drawFailed(found.failed);
  }
}

function drawFigures(found) {
  const figures = [
    ["Reviews", number(found.reviews)],
    ["Running or queued", number(found.open)],
    ["Findings", number(sum(found.findings))],
    ["Incomplete", number(found.outcomes.incomplete)],
    ["Cost", dollars(found.cost_usd)],
  ];
  replace(byId("statistics-figures"), ...figures.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

function drawNotes(found) {
  const notes = [];
  if (found.kept_days !== null && found.kept_days < found.days) {
    notes.push(`This server deletes finished reviews after ${count(found.kept_days, "day")}; they are not included.`);
  }
  if (found.truncated) notes.push("There are too many reviews in this period: the oldest are not included.");
  if (found.unpriced) notes.push(`The cost of ${count(found.unpriced, "review")} is not known and not included.`);
  replace(byId("statistics-notes"), ...notes.map((one) => h("li", {}, one)));
}

function drawBars(found) {
  const outcomes = OUTCOMES.map(([name, label, tone]) => ({ name: label, value: found.outcomes[name], text: number(found.outcomes[name]), tone }));
  bars(byId("outcome-bars"), ["Outcome", "Reviews"], outcomes);
  const severities = SEVERITIES.map((one) => ({ name: capital(`${one}s`), value: found.findings[one], text: number(found.findings[one]), tone: one }));
  bars(byId("severity-bars"), ["Severity", "Findings"], severities);
}

function drawDays(days) {
  const reviews = days.map((one) => ({ day: one.day, value: one.reviews, text: count(one.reviews, "review") }));
  const costs = days.map((one) => ({ day: one.day, value: one.cost_usd, text: dollars(one.cost_usd) }));
  const most = Math.max(...days.map((one) => one.reviews));
  const dearest = Math.max(...days.map((one) => one.cost_usd));
  columns(byId("reviews-by-day"), reviews, `At most ${count(most, "review")} a day`);
  columns(byId("cost-by-day"), costs, dearest ? `At most ${dollars(dearest)} a day` : "Nothing was spent.");
  const names = ["Day", "Reviews", "Errors", "Warnings", "Notes", "Cost"];
  const head = h("tr", {}, ...names.map((name) => h("th", { scope: "col" }, name)));
  const rows = days.toReversed().map((one) => {
    const cells = [one.reviews, ...SEVERITIES.map((severity) => one.findings[severity])].map(number);
    return h("tr", {}, h("th", { scope: "row" }, one.day), ...[...cells, dollars(one.cost_usd)].map((text) => h("td", {}, text)));
  });
  replace(byId("day-rows"), h("thead", {}, head), h("tbody", {}, ...rows));
}

function drawRepositories(found) {
  const row = (name, sums) => ({ name, note: `${count(sums.reviews, "review")}, ${count(sum(sums.findings), "finding")}`, value: sums.cost_usd, text: dollars(sums.cost_usd) });
  const rows = found.by_repository.map((sums) => row(sums.repository ?? "local", sums));
  const others = found.other_repositories;
  if (others) rows.push(row(count(others.repositories, "other"), others));
  bars(byId("repository-bars"), ["Repository", "Cost"], rows);
}

/** A link to a review: its title, and below its subject. */
function link(review) {
  return [h("a", { href: `./${reviewLink(review.id)}` }, bdi(titleOrId(review))), review.subject ? h("span", { class: "recent-subject" }, bdi(review.subject)) : null];
}

function drawSlowest(reviews) {
  byId("slowest-none").hidden = reviews.length > 0;
  byId("slowest-rows").parentElement.hidden = reviews.length === 0;
  const names = ["Review", "Time", "First finding after", "Started"];
  const head = h("tr", {}, ...names.map((name) => h("th", { scope: "col" }, name)));
  const rows = reviews.map((one) => {
    const first = one.first_finding_s === null ? "no finding" : duration(one.first_finding_s);
    const texts = [duration(one.seconds), first, ago(one.created_at)];
    return h("tr", {}, h("td", { class: "review-cell" }, ...link(one)), ...texts.map((text) => h("td", {}, text)));
  });
  replace(byId("slowest-rows"), h("thead", {}, head), h("tbody", {}, ...rows));
}

function drawFailed(reviews) {
  byId("failed-none").hidden = reviews.length > 0;
  const rows = reviews.map((one) => {
    const entry = h("li", {}, ...link(one), h("span", { class: "recent-facts" }, ago(one.created_at)));
    append(entry, h("ul", {}, ...one.reasons.map((reason) => h("li", {}, bdi(reason)))));
    return entry;
  });
  replace(byId("failed-list"), ...rows);
}
