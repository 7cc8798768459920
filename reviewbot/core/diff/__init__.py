"""Diffs: parsed, written, widened; their hunks, lines and paths."""
