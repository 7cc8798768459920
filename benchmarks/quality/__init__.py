"""Measurements of the offline review: false alarms, planted bugs, reversed fixes, parsed hunks."""
