// Runs before the first paint, so that a chosen theme does not flash. Not a module for that reason.
try {
  const chosen = localStorage.getItem("reviewbot.theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
} catch {
  // No storage: the system's theme.
}
