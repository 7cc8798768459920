"""The GitHub Action: what a runner gives to a step, and what it takes back."""
