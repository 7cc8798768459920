"""Findings: read from a model's answer, placed in the diff, and checked."""
