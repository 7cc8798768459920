"""What earlier reviews of a pull request left there, and what a new review makes of it."""
