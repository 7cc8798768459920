"""Parse, write and widen diffs; their hunks, lines and paths."""
