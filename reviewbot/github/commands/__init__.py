"""Answers to the commands that people write in comments."""
