/** The page of statistics. */

import { onUnauthorised } from "./js/api.js";
import { byId } from "./js/dom.js";
import { askForKey, closable, startKeyDialog } from "./js/key-dialog.js";
import { StatisticsPage } from "./js/statistics.js";
import { startTheme } from "./js/theme.js";

startTheme(byId("theme-button"));
const page = new StatisticsPage();
closable(byId("key-dialog"));
startKeyDialog(() => page.show());
onUnauthorised(askForKey);
document.querySelector(".skip-link").addEventListener("click", (event) => {
  // The address names the period; the link must not change it.
  event.preventDefault();
  byId("main").focus();
});
page.show();
