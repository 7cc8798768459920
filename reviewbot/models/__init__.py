"""Sources of findings: Claude, servers with a compatible API, and the offline rules."""
