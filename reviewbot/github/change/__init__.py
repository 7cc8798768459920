"""Diff of a pull request."""
