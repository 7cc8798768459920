"""Prior state of a pull request, and its reconciliation with a new review."""
