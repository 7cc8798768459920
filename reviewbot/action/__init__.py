"""The GitHub Action: its inputs, events, reviews, commands and outputs."""
