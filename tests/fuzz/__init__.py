"""Fuzz target of the offline review: ``python -m tests.fuzz --seed 1 --cases 200``.

A child process reviews each case, and the parent process watches it from outside. See
docs/contributing.md.
"""
