/** The page: which view is shown, by the address. */

import { onUnauthorised } from "./js/api.js";
import { askToCancel, startDialogs } from "./js/dialogs.js";
import { byId } from "./js/dom.js";
import { Home } from "./js/home.js";
import { askForKey } from "./js/key-dialog.js";
import { startKeys } from "./js/keys.js";
import { Recent } from "./js/recent.js";
import { ReviewPage } from "./js/review-page.js";
import { reviewLink, route } from "./js/route.js";
import { scrollToTop } from "./js/steady.js";
import { startTheme } from "./js/theme.js";

let page = null;
let starting = null;
let shown = false;

startTheme(byId("theme-button"));
startDialogs(() => {
  // Another key has other reviews, and may have other models.
  if (page) return;
  recent.refresh();
  home.refresh();
});
onUnauthorised(askForKey);
startKeys(() => page);

const recent = new Recent();
const home = new Home(
  (id, start = null) => {
    starting = start ? { id, ...start } : null;
    const link = reviewLink(id);
    if (location.hash === link) show();
    else location.hash = link;
  },
  () => {
    if (!page) return;
    history.pushState(null, "", location.pathname + location.search);
    show();
  },
);

function show() {
  const { review, finding } = route();
  if (review === (page?.id ?? null) && shown) {
    if (!page) return;
    if (finding && finding !== page.navigation.current) page.navigation.want(finding);
    return;
  }
  shown = true;
  page?.close();
  page = null;
  byId("missing-finding").hidden = true;
  byId("no-diff").hidden = true;
  byId("home").hidden = review !== null;
  byId("review").hidden = review === null;
  byId("review").classList.remove("failed");
  if (review === null) {
    document.title = "reviewbot";
    recent.refresh();
    home.refresh();
    return;
  }
  const start = starting?.id === review ? starting : {};
  starting = null;
  scrollToTop();
  page = new ReviewPage(review, { finding, ...start });
  if (!finding) byId("review-title").parentElement.focus({ preventScroll: true });
}

document.querySelector(".skip-link").addEventListener("click", (event) => {
  // The address says which review is shown; the link must not change it.
  event.preventDefault();
  byId("main").focus();
});
window.addEventListener("hashchange", show);
window.addEventListener("popstate", show);
byId("cancel-button").addEventListener("click", async () => {
  const asked = page;
  if (asked && (await askToCancel())) asked.cancel();
});
for (const button of document.querySelectorAll("[data-hides]")) {
  button.addEventListener("click", () => {
    byId(button.dataset.hides).hidden = true;
  });
}
byId("side-toggle").addEventListener("click", ({ currentTarget }) => {
  const open = currentTarget.getAttribute("aria-expanded") !== "true";
  currentTarget.setAttribute("aria-expanded", String(open));
});
byId("side").addEventListener("click", (event) => {
  // On a phone the lists lie over the page: who chose something wants to see it.
  if (event.target.closest("a, button.entry")) byId("side-toggle").setAttribute("aria-expanded", "false");
  // The finding that the address already names.
  const link = event.target.closest("a.entry");
  if (link && link.hash === location.hash && page) page.navigation.want(route(link.hash).finding);
});
show();
